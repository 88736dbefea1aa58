# SPDX-License-Identifier: BSD-3-Clause
"""A narrow link on the way to a stock peer: what routers tell is believed, what is cut is joined.

The routers are kernels, the peer is stock.
"""
import re

import topology
from byway import client
from net import LabError, wait_until
from probe import HOSTS, Capture, expect_bgp, expect_ping, ping

ROUTERS = "byway"
NARROW = 1300
BY4, BY6 = "remi1", "remi2"   # tunnels to remi over IPv4 and over IPv6
REMI2 = {"4": "10.255.2.3", "6": "fd00:ff:2::3"}   # remi at the end of the latter


def set_narrow(net, mtu):
    net.nodes["core"].run("ip", "link", "set", "remi", "mtu", str(mtu))
    net.nodes["remi"].run("ip", "link", "set", "wan", "mtu", str(mtu))


def peer(net, name):
    """The only peer of home's tunnel, as byway shows it."""
    return next(row for row in client(net.nodes["home"], "show", "tunnels") if row.get("name") == name)["peers"][0]


def drops(net, reason):
    rows = client(net.nodes["home"], "show", "drops")
    return sum(row["packets"] for row in rows if row.get("reason") == reason)


def test_narrow(net):
    """The link to remi carries 1300 bytes from now on"""
    expect_bgp(net.nodes["remi"], [BY4, BY6], 40)
    expect_ping(net.nodes["home-host"], HOSTS["remi"][1], timeout=15)
    expect_ping(net.nodes["home-host"], REMI2["4"], timeout=15)
    set_narrow(net, NARROW)


def test_told(net):
    """A router's "too big" reaches the sender inside, IPv4 and IPv6"""
    host = net.nodes["home-host"]
    ping(host, REMI2["4"], count=3, size=1360, options=["-M", "do"])
    wait_until(lambda: peer(net, BY6)["path-mtu"] == NARROW, 5, f"{BY6} knows {NARROW}")
    carries = peer(net, BY6)["mtu"]
    if carries != NARROW - 80:
        raise LabError(f"{BY6} carries {carries}, expected {NARROW - 80}")
    ping(host, REMI2["4"], count=2, size=1360, options=["-M", "do"])
    route = host.run("ip", "route", "get", REMI2["4"])
    if not re.search(rf"mtu {carries}\b", route):
        raise LabError(f"no MTU of {carries} in: {route.strip()}")
    if not ping(host, REMI2["4"], count=1, size=carries - 28, options=["-M", "do"]):
        raise LabError(f"{carries} bytes do not pass")
    return f"{carries} bytes"


def test_least_of_ipv6(net):
    """IPv6 packets of 1280 bytes pass where even they do not fit, in pieces outside"""
    if not ping(net.nodes["home-host"], REMI2["6"], count=3, size=1280 - 48):
        raise LabError("1280 bytes of IPv6 do not pass")


def test_cut_on_the_way(net):
    """Both ends join what was cut between them"""
    before = drops(net, "tunnel-message")
    capture = Capture(net.nodes["isp1"], "home", "pieces", "ip[6:2] & 0x3fff != 0")
    for name, target in (("home-host", HOSTS["remi"][1]), ("remi-host", HOSTS["home"][1])):
        heard = ping(net.nodes[name], target, count=5, size=1392)
        if heard < 4:
            raise LabError(f"{name} to {target}: {heard} of 5 packets of 1420 bytes passed")
    capture.stop()
    for source in ("203.0.113.26", "192.0.2.10"):
        if (source == "203.0.113.26") != bool(capture.packets(f"ip.src == {source}")):
            raise LabError(f"pieces from {source} at isp1: {len(capture.packets(f'ip.src == {source}'))}")
    if drops(net, "tunnel-message") != before:
        raise LabError("home dropped pieces of messages")


def test_cut_inside(net):
    """A tunnel with `fragment: inner` carries 1500 bytes, DF or not"""
    home = net.nodes["home"]
    path = home.path("/etc/byway/byway.yaml")
    with open(path, encoding="utf-8") as text:
        old = text.read()
    home.write("/etc/byway/byway.yaml", old.replace(f"  {BY4}:\n    line:", f"  {BY4}:\n    fragment: inner\n    line:", 1))
    try:
        client(home, "reload")
        wait_until(lambda: peer(net, BY4)["mtu"] < 1500, 5, f"{BY4} knows its path")
        host = net.nodes["home-host"]
        ping(host, HOSTS["remi"][1], count=3, size=1472, options=["-M", "do"])
        wait_until(lambda: peer(net, BY4)["path-mtu"] == NARROW, 5, f"{BY4} knows {NARROW}")
        for way in ("do", "dont"):
            heard = ping(host, HOSTS["remi"][1], count=5, size=1472, options=["-M", way])
            if heard < 5:
                raise LabError(f"{heard} of 5 packets of 1500 bytes passed with -M {way}")
    finally:
        home.write("/etc/byway/byway.yaml", old)
        client(home, "reload")


def test_wide_again(net):
    """The link is mended"""
    set_narrow(net, 1500)
    expect_ping(net.nodes["home-host"], HOSTS["remi"][1])
