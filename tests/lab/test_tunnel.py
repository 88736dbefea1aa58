# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels and routes between Byway and stock peers, as their users use them."""
import json
import re
import time

import topology
from byway import client
from net import LabError, wait_until
from probe import HOSTS, Capture, bgp_state, counted, expect_bgp, expect_ping, kernel_routes, ping

ROUTERS = "byway"
PAIRS = (("home", "friend"), ("home", "remi"), ("home", "pi"), ("friend", "remi"), ("friend", "pi"))
CAPTURES = []


def both(net, pair):
    """(node, address, node, address) of a pair of hosts, once for each family."""
    (a, a4, a6), (b, b4, b6) = HOSTS[pair[0]], HOSTS[pair[1]]
    yield net.nodes[a], a4, net.nodes[b], b4
    yield net.nodes[a], a6, net.nodes[b], b6


def owner(address):
    """Whose inner address this is."""
    for site, lan in topology.LANS.items():
        if address in (lan.router4, lan.router6, *(router for router, _ in lan.public6)):
            return site
        if address in (lan.host4, lan.host6):
            return lan.host
    for tunnel in topology.TUNNELS:
        if address in (tunnel.left4, tunnel.left6):
            return tunnel.left
        if address in (tunnel.right4, tunnel.right6):
            return tunnel.right
    return None


def test_captures_begin(net):
    """Captures run at a provider, in a lan and at a stock peer"""
    for name, interface in (("isp1", "home"), ("home-host", "eth0"), ("remi", "wan")):
        CAPTURES.append(Capture(net.nodes[name], interface, f"whole-{name}"))


def test_sessions(net):
    """BGP comes up over each tunnel, as bird and as Byway see it"""
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)
    for site, names in (("home", ["friend1", "friend2", "remi1", "remi2"]), ("friend", ["friend1", "friend2"])):
        def up(site=site, names=names):
            states = {row.get("name"): row.get("state") for row in client(net.nodes[site], "show", "bgp")}
            return all(str(states.get(name)).lower() == "established" for name in names)
        wait_until(up, 30, f"{site}: BGP sessions {', '.join(names)}")
    return f"remi: {bgp_state(net.nodes['remi'])}"


def test_routes_of_peer(net):
    """remi's kernel has the routes of both families over both sessions"""
    remi = net.nodes["remi"]
    for prefix, family in ((topology.LANS["home"].prefix4, "-4"), (topology.LANS["home"].prefix6, "-6"),
                           (topology.LANS["friend"].prefix4, "-4"), (topology.LANS["friend"].prefix6, "-6")):
        wait_until(lambda p=prefix, f=family: re.search(rf"^{re.escape(p)} .*dev remi1", kernel_routes(remi, f), re.M), 20,
                   f"remi: {prefix} by remi1")
        rows = remi.run("birdc", "show", "route", "for", prefix)
        if "remi2" not in rows:
            raise LabError(f"remi did not learn {prefix} over remi2")


def test_pings(net):
    """Hosts of home, friend, remi and pi ping each other, IPv4 and IPv6"""
    for pair in PAIRS:
        for node, _, _, address in both(net, pair):
            expect_ping(node, address, timeout=15)
    host = net.nodes["home-host"]
    for site in ("friend", "remi", "pi"):
        with counted(net, "home", lan=20):
            heard = ping(host, HOSTS[site][1], count=10) + ping(host, HOSTS[site][2], count=10)
        if heard != 20:
            raise LabError(f"home-host to {site}: {20 - heard} of 20 pings lost")


def test_wg_show(net):
    """Stock wg shows the tunnels on both ends: same keys, recent handshakes, traffic"""
    for tunnel in topology.TUNNELS:
        if tunnel.name == "vps":
            expect_ping(net.nodes["server"], tunnel.left4)
    for tunnel in topology.TUNNELS:
        rows = {}
        for side, name in (("left", tunnel.left), ("right", tunnel.right)):
            lines = net.nodes[name].run("wg", "show", tunnel.name, "dump").splitlines()
            rows[side] = lines[0].split("\t"), lines[1].split("\t")
        for mine, other in (("left", "right"), ("right", "left")):
            own, peer = rows[mine][0], rows[other][1]
            if own[1] != peer[0]:
                raise LabError(f"{tunnel.name}: {mine} has public key {own[1]}, its peer shows {peer[0]}")
            age = time.time() - int(peer[4])
            if not 0 <= age < 200:
                raise LabError(f"{tunnel.name}: {other} shows a handshake {age:.0f} s ago")
            if int(peer[5]) == 0 or int(peer[6]) == 0:
                raise LabError(f"{tunnel.name}: {other} shows transfer {peer[5]}, {peer[6]}")


def test_path(net):
    """mtr shows home and friend on the way, IPv4 and IPv6"""
    for node, _, _, target in both(net, ("home", "friend")):
        report = json.loads(node.run("mtr", "-n", "-j", "-c", "2", "-i", "0.3", target, timeout=40))
        hops = [hub["host"] for hub in report["report"]["hubs"]]
        if [owner(hop) for hop in hops] != ["home", "friend", "friend-host"]:
            raise LabError(f"path to {target}: {hops}")


def test_too_big(net):
    """The sender of a packet beyond the tunnel's MTU learns it, IPv4 and IPv6"""
    learned = []
    for node, _, _, target in both(net, ("home", "friend")):
        done = node.try_run("ping", "-n", "-M", "do", "-s", "1452", "-c", "2", "-i", "0.2", "-W", "1", target)
        route = node.run("ip", "route", "get", target)
        found = re.search(r"mtu (\d+)", route)
        if not found or "received" not in done.stdout:
            raise LabError(f"{target}: no path MTU in: {route.strip()}; {done.stdout.strip()}")
        mtu = int(found.group(1))
        overhead = 48 if ":" in target else 28
        if not ping(node, target, count=1, size=mtu - overhead, options=["-M", "do"]):
            raise LabError(f"{target}: {mtu} bytes do not pass")
        learned.append(mtu)
    if set(learned) != {1420}:
        raise LabError(f"learned {learned}, expected 1420")
    if not ping(net.nodes["home-host"], HOSTS["friend"][1], size=1472, options=["-M", "dont"]):
        raise LabError("1500 bytes of IPv4 that may be fragmented do not pass")
    return f"{learned[0]} bytes"


def test_mss(net):
    """TCP's segment size is clamped to the tunnel's MTU"""
    for node, _, other, target in both(net, ("home", "friend")):
        capture = Capture(other, "eth0", "mss", "tcp[tcpflags] & tcp-syn != 0" if "." in target else "ip6 proto 6")
        server = other.spawn("iperf3", "-s", "-1", log="iperf3.log")
        wait_until(lambda o=other: "5201" in o.run("ss", "-lnt"), 5, "iperf3")
        node.run("iperf3", "-c", target, "-n", "100K", timeout=30)
        server.wait(timeout=10)
        capture.stop()
        most = 1420 - (60 if ":" in target else 40)
        heard = f"tcp.flags.syn == 1 && {'ipv6' if ':' in target else 'ip'}.dst == {target}"
        if not capture.packets(f"{heard} && tcp.options.mss_val == {most}"):
            raise LabError(f"no SYN to {target} with {most}")
        if capture.packets(f"{heard} && tcp.options.mss_val != {most}"):
            raise LabError(f"a SYN to {target} says other than {most}")


def test_roaming(net):
    """pi comes from another address and its tunnel follows"""
    def endpoint():
        return net.nodes["home"].run("wg", "show", "pi", "endpoints")
    topology.roam_pi(net)
    expect_ping(net.nodes["pi"], HOSTS["home"][1], timeout=15)
    wait_until(lambda: topology.NAT_ROAMED in endpoint(), 10, "home sees pi at its new address")
    expect_ping(net.nodes["home-host"], HOSTS["pi"][1])
    topology.roam_pi(net, away=False)
    expect_ping(net.nodes["pi"], HOSTS["home"][1], timeout=15)


def test_nothing_malformed(net):
    """tshark finds nothing malformed, no wrong checksum and nothing private in clear in the captures"""
    seen = 0
    for capture in CAPTURES:
        capture.stop()
        bad = capture.packets("_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                              "tcp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        if bad:
            raise LabError(f"{capture.node.name}: {len(bad)} packets, the first: {bad[0]}")
        seen += len(capture.packets("frame"))
    wire = CAPTURES[0]
    clear = wire.packets("!wg && (ip.addr == 10.0.0.0/8 || ipv6.addr == fd00::/8)")
    if clear:
        raise LabError(f"in clear at isp1: {clear[0]}")
    if not wire.packets("wg.type == 4"):
        raise LabError("no tunnel traffic in the capture at isp1")
    return f"{seen} packets"


def iperf(node, other, target, *options):
    """The end figures of one iperf3 run."""
    server = other.spawn("iperf3", "-s", "-1", log="iperf3.log")
    wait_until(lambda: "5201" in other.run("ss", "-lnt"), 5, f"iperf3 on {other.name}")
    done = node.try_run("iperf3", "-J", "-c", target, "-t", "1", *options, timeout=30)
    server.wait(timeout=15)
    result = json.loads(done.stdout)
    if "error" in result or done.returncode:
        raise LabError(f"{node.name} to {target} {' '.join(options)}: {result.get('error')}")
    return result["end"]


def test_tcp(net):
    """iperf3 TCP between hosts, both families and directions"""
    rates = []
    for pair in PAIRS:
        for node, _, other, target in both(net, pair):
            for options in ([], ["-R"]):
                rate = iperf(node, other, target, *options)["sum_received"]["bits_per_second"] / 1e6
                if rate < 1:
                    raise LabError(f"{node.name} to {target} {options}: {rate:.2f} Mbit/s")
                rates.append(rate)
    return f"{min(rates):.0f} to {max(rates):.0f} Mbit/s"


def test_udp(net):
    """iperf3 UDP at 5 Mbit/s between hosts loses nothing"""
    for pair in PAIRS:
        for node, _, other, target in both(net, pair):
            end = iperf(node, other, target, "-u", "-b", "5M", "-l", "1200")["sum"]
            if end["lost_packets"] > 0 or end["packets"] < 400:
                raise LabError(f"{node.name} to {target}: {end['lost_packets']} of {end['packets']} lost")
