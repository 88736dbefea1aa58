# SPDX-License-Identifier: BSD-3-Clause
"""Keys of a tunnel change under traffic, and nobody notices. REKEYS=3 for three changes (400 s; default: one)."""
import os
import time

from net import LabError
from probe import HOSTS, Capture, counted, expect_ping
from stream import Stream, line, worst

ROUTERS = "byway"
REKEYS = int(os.environ.get("REKEYS", "1"))
REKEY_AFTER_S = 120
NEAR_S = 1          # a gap this near to a handshake is laid to it
LOST_MAX = 1e-4     # of all packets: a busy machine's sockets lose some; a change of keys gone wrong loses seconds


def longest(report, handshakes):
    """The longest silence near a handshake and elsewhere, in ms. Of each direction the 16 longest are known."""
    near = elsewhere = 0
    for way in report.values():
        for gap in way["gaps"]:
            end = gap["end-ns"] / 1e9
            if any(end - gap["ms"] / 1e3 - NEAR_S < at < end + NEAR_S for at in handshakes):
                near = max(near, gap["ms"])
            else:
                elsewhere = max(elsewhere, gap["ms"])
    return near, elsewhere


def test_rekey(net):
    """Packets flow through the change of keys without loss"""
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1], timeout=30)
    time.sleep(3)
    capture = Capture(net.nodes["isp1"], "home", "rekey", "udp port 51821 and udp[8:4] = 0x01000000")
    stream = Stream(net.nodes["home-host"], HOSTS["home"][1], net.nodes["friend-host"], HOSTS["friend"][1])
    with counted(net, "home", wan1=REKEYS * REKEY_AFTER_S * 900):
        time.sleep(REKEYS * REKEY_AFTER_S + 10)
    report = stream.stop()
    capture.stop()
    handshakes = capture.times("wg.type == 1")
    if len(handshakes) < REKEYS:
        raise LabError(f"{len(handshakes)} handshakes in {REKEYS * REKEY_AFTER_S + 10} s, expected {REKEYS}")
    near, elsewhere = longest(report, handshakes)
    if worst(report, "lost") > LOST_MAX * max(way["sent"] for way in report.values()):
        raise LabError(line(report))
    return f"{len(handshakes)} handshakes; longest silence near one {near:.1f} ms, elsewhere {elsewhere:.1f} ms"


test_rekey.timeout = REKEYS * REKEY_AFTER_S + 120
