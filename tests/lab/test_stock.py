# SPDX-License-Identifier: BSD-3-Clause
"""The lab proves itself: home and friend are stock Linux here.

What fails here is the lab's fault, not Byway's.
"""
import os
import time

import topology
from net import LabError, Net, process_start, wait_until
from probe import HOSTS, Capture, bgp_state, expect_bgp, expect_ping, foreign_drops, pings, unsolicited_drops
from stream import Stream, line, worst

ROUTERS = "stock"


def test_sessions(net):
    """BGP comes up over each tunnel"""
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"])
    expect_bgp(net.nodes["home"], ["friend1", "friend2", "remi1", "remi2"])
    return f"{len(bgp_state(net.nodes['home']))} sessions at home"


def test_pings(net):
    """Every host pings every other one, IPv4 and IPv6"""
    for name, _, _ in HOSTS.values():
        for other, four, six in HOSTS.values():
            if name != other:
                expect_ping(net.nodes[name], four)
                expect_ping(net.nodes[name], six)


def test_sources(net):
    """A provider drops foreign sources and passes its own"""
    home = net.nodes["home"]
    before = foreign_drops(net, "isp1", "home")
    if pings(home, "203.0.113.10", options=["-I", "198.51.100.10", "-m", "7"]) is False:
        raise LabError("the second line's address does not reach the server by its own line")
    home.script("ip rule add fwmark 7 lookup 1 priority 0")
    if pings(home, "203.0.113.10", options=["-I", "198.51.100.10", "-m", "7"]):
        raise LabError("isp1 passed a source of isp2")
    home.script("ip rule del fwmark 7 lookup 1 priority 0")
    dropped = foreign_drops(net, "isp1", "home") - before
    if dropped != 1:
        raise LabError(f"isp1 counted {dropped} foreign packets, expected 1")


def test_nat(net):
    """The NAT lets no unsolicited packet in, and replies through"""
    before = unsolicited_drops(net)
    server = net.nodes["server"]
    server.run("/usr/bin/python3", "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
               "s.bind(('', 9)); s.sendto(b'x', ('203.0.113.42', 51840)); "
               "s.sendto(b'x', ('203.0.113.42', 4000))")
    wait_until(lambda: unsolicited_drops(net) == before + 2, 2, "two packets dropped by the NAT")
    expect_ping(net.nodes["pi"], "203.0.113.10")


def test_roaming(net):
    """pi comes from another address and its tunnel follows"""
    def endpoint():
        return net.nodes["home"].run("wg", "show", "pi", "endpoints")
    if topology.LINES["nat", "wan"].address4 not in endpoint():
        raise LabError(f"home sees pi at {endpoint()}")
    topology.roam_pi(net)
    expect_ping(net.nodes["pi"], HOSTS["home"][1])
    wait_until(lambda: topology.NAT_ROAMED in endpoint(), 10, "home sees pi at its new address")
    topology.roam_pi(net, away=False)
    expect_ping(net.nodes["pi"], HOSTS["home"][1])


def test_break(net):
    """A provider breaks silently, in one direction and in both, and is mended"""
    host, friend = net.nodes["home-host"], net.nodes["friend-host"]
    stream = Stream(host, HOSTS["home"][1], friend, HOSTS["friend"][1], rate=200)
    for direction, silent in (("out", ["home-host->friend-host"]), ("in", ["friend-host->home-host"]),
                              ("both", ["home-host->friend-host", "friend-host->home-host"])):
        stream.phase()
        topology.break_line(net, "isp1", "home", direction)
        time.sleep(0.3)
        for name, way in stream.phase().items():
            if (way["longest-gap-ms"] > 200) != (name in silent):
                raise LabError(f"{direction} broken: {name} was silent for {way['longest-gap-ms']:.0f} ms")
        topology.mend_line(net, "isp1")
        time.sleep(0.3)
    stream.phase()
    time.sleep(0.5)
    report = stream.stop()
    if worst(report, "lost"):
        raise LabError(f"after mending: {line(report)}")


def test_capture(net):
    """A capture shows the tunnel's packets and nothing in clear"""
    capture = Capture(net.nodes["isp1"], "home", "clear")
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1])
    capture.stop()
    if not capture.packets("wg && udp.port == 51821"):
        raise LabError("no WireGuard packet at isp1")
    if capture.packets("ip.addr == 10.0.0.0/8 && !wg"):
        raise LabError("private addresses in clear at isp1")


def test_side_by_side(net):
    """A second lab runs beside this one and leaves nothing behind"""
    second = Net(net.prefix + "b")
    second.create()
    try:
        topology.wire_up(second, ("home", "friend"))
        expect_ping(second.nodes["home-host"], HOSTS["home"][1])
        pids = [node.pid for node in second.nodes.values()]
    finally:
        Net.destroy(second.prefix)
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1])
    left = [pid for pid in pids if process_start(pid)]
    if left or os.path.exists(second.dir):
        raise LabError(f"left behind: processes {left}, {second.dir}")
