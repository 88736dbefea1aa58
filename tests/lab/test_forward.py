# SPDX-License-Identifier: BSD-3-Clause
"""Ports, host interfaces and forwarding: lan, lines and router, without tunnels."""
import re
import time

import topology
from net import LabError, wait_until
from probe import Capture, counted, expect_ping, foreign_drops, link_facts, ping, pings, port_counters

ROUTERS = "byway"

LAN4, LAN6 = topology.LANS["home"].router4, topology.LANS["home"].router6
SERVER4 = topology.LINES["server", "wan"].address4
SERVER6 = topology.LINES["server", "wan"].address6


def home_lines():
    return [line for line in topology.lines_of("home")]


def test_host_interfaces(net):
    """Each port has a host interface of its name, with its addresses"""
    home = net.nodes["home"]
    for line in home_lines():
        wait_until(lambda line=line: line.address4 in link_facts(home, line.name), 15,
                   f"home: {line.address4} on {line.name}")
        wait_until(lambda line=line: line.address6 in link_facts(home, line.name), 5,
                   f"home: {line.address6} on {line.name}")
    wait_until(lambda: LAN4 in link_facts(home, "lan") and LAN6 in link_facts(home, "lan"), 5, "home: lan")


def test_kernel_stays_out(net):
    """The kernel of the routers forwards nothing and holds no address on the netdevs under the ports"""
    for site in ("home", "friend"):
        node = net.nodes[site]
        if node.run("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").split() != ["0", "0"]:
            raise LabError(f"{site}: the kernel forwards")
        for device in ("eth0", "eth1", "eth2"):
            if re.search(r"inet6? (?!fe80)", link_facts(node, device)):
                raise LabError(f"{site}: {device} has an address")


def test_lan(net):
    """A host of the lan reaches the router"""
    host = net.nodes["home-host"]
    expect_ping(host, LAN4)
    expect_ping(host, LAN6)
    with counted(net, "home", lan=10):
        if ping(host, LAN4, count=5) != 5 or ping(host, LAN6, count=5) != 5:
            raise LabError("pings lost")


def test_gateways(net):
    """The router reaches both gateways"""
    home = net.nodes["home"]
    for line in home_lines():
        expect_ping(home, line.gateway4)
        expect_ping(home, line.gateway6)


def test_own_traffic(net):
    """The router's own packets leave by the line whose address they come from"""
    home = net.nodes["home"]
    for line in home_lines():
        with counted(net, "home", **{line.name: 6}):
            for address, server in ((line.address4, SERVER4), (line.address6, SERVER6)):
                expect_ping(home, server, options=["-I", address])
                if ping(home, server, options=["-I", address]) != 3:
                    raise LabError(f"pings from {address} lost")
        if foreign_drops(net, line.isp, "home"):
            raise LabError(f"{line.isp} saw a foreign source")


def test_delegated_prefixes(net):
    """A host with an address of each line's prefix reaches the server, by that line"""
    host = net.nodes["home-host"]
    for line, (_, source) in zip(home_lines(), topology.LANS["home"].public6):
        expect_ping(host, SERVER6, options=["-I", source])
        with counted(net, "home", lan=3, **{line.name: 3}):
            if ping(host, SERVER6, options=["-I", source]) != 3:
                raise LabError(f"pings from {source} lost")
        if foreign_drops(net, line.isp, "home"):
            raise LabError(f"{line.isp} saw a foreign source")


def test_lan_to_lan_public(net):
    """Hosts of home and friend reach each other over the Internet by their delegated prefixes"""
    host = net.nodes["home-host"]
    for (_, mine), (_, other) in zip(topology.LANS["home"].public6, topology.LANS["friend"].public6):
        with counted(net, "friend", lan=3):
            expect_ping(host, other, options=["-I", mine])
            if ping(host, other, options=["-I", mine]) != 3:
                raise LabError(f"pings from {mine} to {other} lost")


def test_private_unreachable(net):
    """A private destination without a route is unreachable, and never shown to a provider"""
    host = net.nodes["home-host"]
    capture = Capture(net.nodes["isp1"], "home", "private")
    for target in ("10.99.0.1", "172.20.0.1", "192.168.77.1", "100.64.0.1", "fd99::1"):
        done = host.try_run("ping", "-n", "-c", "1", "-W", "1", target)
        if "nreachable" not in done.stdout:
            raise LabError(f"{target}: {done.stdout.strip().splitlines()[-1]}")
    capture.stop()
    seen = capture.packets("ip.dst == 10.0.0.0/8 || ip.dst == 172.16.0.0/12 || ip.dst == 192.168.0.0/16 || "
                           "ip.dst == 100.64.0.0/10 || ipv6.dst == fd00::/8")
    if seen:
        raise LabError(f"isp1 saw {seen[0]}")


def test_time_exceeded(net):
    """A packet whose hops end here is answered from the lan address"""
    host = net.nodes["home-host"]
    source = topology.LANS["home"].public6[0][1]
    done = host.try_run("ping", "-n", "-c", "1", "-W", "1", "-t", "1", SERVER4)
    if not re.search(rf"From {re.escape(LAN4)} .*exceeded", done.stdout):
        raise LabError(f"IPv4: {done.stdout.strip()}")
    done = host.try_run("ping", "-n", "-6", "-c", "1", "-W", "1", "-t", "1", "-I", source, SERVER6)
    if not re.search(r"From (fd00:1::1|2001:db8:[12]:100::1)\b.*exceeded", done.stdout):
        raise LabError(f"IPv6: {done.stdout.strip()}")


def test_tcp_to_router(net):
    """TCP between a host and the router itself"""
    home, host = net.nodes["home"], net.nodes["home-host"]
    server = home.spawn("iperf3", "-s", "-1", log="iperf3.log")
    wait_until(lambda: "5201" in home.run("ss", "-lnt"), 5, "iperf3 on home")
    with counted(net, "home", lan=40):
        host.run("iperf3", "-c", LAN4, "-n", "2M", timeout=30)
    server.wait(timeout=10)


def test_forgotten_neighbour(net):
    """The kernel forgets a neighbour under traffic, and no packet is lost"""
    server, home = net.nodes["server"], net.nodes["home"]
    target = topology.LANS["home"].public6[0][1]
    expect_ping(server, target)
    pinger = server.spawn("ping", "-n", "-i", "0.01", "-c", "200", "-W", "1", target, stdout=-1, text=True)
    time.sleep(0.5)
    home.run("ip", "neigh", "del", target, "dev", "lan")
    text = pinger.communicate(timeout=20)[0]
    if "200 received" not in text:
        raise LabError(text.strip().splitlines()[-2])


def test_counters_of_drops(net):
    """What is dropped is counted under a reason, and ports count both ways"""
    before = port_counters(net.nodes["home"])
    pings(net.nodes["home-host"], LAN4)
    after = port_counters(net.nodes["home"])
    if not (after["lan"][0] > before["lan"][0] and after["lan"][1] > before["lan"][1]):
        raise LabError(f"lan counted {before['lan']} then {after['lan']}")
