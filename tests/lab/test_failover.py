# SPDX-License-Identifier: BSD-3-Clause
"""A provider breaks silently under traffic: packets vanish, the link stays up."""
import signal
import time

import topology
from byway import Daemon, client
from net import LabError, wait_until
from probe import HOSTS, counted, expect_bgp, expect_ping
from stream import Stream, line, worst

ROUTERS = "byway"
BROKEN_S = 3  # how long a line stays broken; traffic must have moved before. How soon is printed, and judged by no test
RATE = 1000
SITES = ("home", "friend")


def open_stream(net):
    """A stream between the hosts of home and friend that goes over isp1."""
    stream = Stream(net.nodes["home-host"], HOSTS["home"][1], net.nodes["friend-host"], HOSTS["friend"][1], rate=RATE)
    expect_line(net, "wan1", 20)
    return stream


def expect_line(net, name, timeout):
    """Waits until the stream goes over this line, both ways, as the dataplanes count."""
    def serves():
        for site in SITES:
            with counted(net, site, **{name: RATE * 8 // 10}):
                time.sleep(1)
        return True
    wait_until(serves, timeout, f"the stream over {name}")


def line_up(net, site, name):
    rows = [row for row in client(net.nodes[site], "show", "wan") if row.get("port") == name]
    return bool(rows) and rows[0].get("verdict") == "up"


def wait_lines_of(net, site, name, up, timeout=20):
    wait_until(lambda: line_up(net, site, name) == up, timeout, f"{site}: {name} {'up' if up else 'down'}")


def wait_lines(net, name, up, timeout=20):
    for site in SITES:
        wait_lines_of(net, site, name, up, timeout)


def break_and_measure(net, stream):
    """Breaks isp1 for everybody under the stream; what the stream saw, and mends nothing."""
    stream.phase()
    topology.break_line(net, "isp1")
    time.sleep(BROKEN_S)
    report = stream.phase()
    if worst(report, "longest-gap-ms") > BROKEN_S * 900:
        raise LabError(f"outage: {line(report)}")
    time.sleep(0.5)
    after = stream.phase()
    if worst(after, "lost"):
        raise LabError(f"still losing after the move: {line(after)}")
    return report


def mend_and_return(net, stream, control=True):
    """Mends isp1 and waits for the return, which loses nothing. Without `control` nobody can be asked."""
    stream.phase()
    topology.mend_line(net, "isp1")
    if control:
        wait_lines(net, "wan1", True)
        expect_line(net, "wan1", 20)
    else:
        time.sleep(12)
    report = stream.phase()
    if worst(report, "lost"):
        raise LabError(f"the return lost packets: {line(report)}")


def outages(report):
    return f"outage {worst(report, 'longest-gap-ms'):.0f} ms, lost {sum(way['lost'] for way in report.values())}"


def test_ready(net):
    """Both lines are up at home and friend, and the hosts talk"""
    for name in ("wan1", "wan2"):
        wait_lines(net, name, True, 40)
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1], timeout=30)
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)
    time.sleep(3)


def test_silent_break(net):
    """isp1 breaks silently under 1,000 packets/s both ways, and returns without loss"""
    stream = open_stream(net)
    report = break_and_measure(net, stream)
    expect_line(net, "wan2", 1)
    mend_and_return(net, stream)
    stream.stop()
    return outages(report)


def test_verdict_explained(net):
    """The client explains the line's verdict and its events"""
    events = client(net.nodes["home"], "show", "wan", "events")
    if len(events) < 2:
        raise LabError(f"expected a fall and a return among the events: {events}")


def test_stock_peer(net):
    """remi, which has no probes of its own, is reached by the other tunnel after the break"""
    topology.break_line(net, "isp1", "home")
    expect_ping(net.nodes["home-host"], HOSTS["remi"][1], timeout=20)
    expect_ping(net.nodes["remi-host"], HOSTS["home"][2], timeout=20)
    topology.mend_line(net, "isp1")
    wait_lines(net, "wan1", True)
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)


def test_follower(net):
    """The tunnel that follows the active line moves, and its peer hears of it at once"""
    server, home = net.nodes["server"], net.nodes["home-host"]
    vps = next(tunnel for tunnel in topology.TUNNELS if tunnel.name == "vps")

    def endpoint():
        return server.run("wg", "show", "vps", "endpoints").split("\t")[-1]
    expect_ping(home, vps.right4)
    wait_until(lambda: topology.LINES["home", "wan1"].address4 in endpoint(), 10, "server sees home at wan1")
    topology.break_line(net, "isp1", "home")
    begun = time.monotonic()
    wait_until(lambda: topology.LINES["home", "wan2"].address4 in endpoint(), 5, "server sees home at wan2")
    took = time.monotonic() - begun
    expect_ping(server, HOSTS["home"][1], timeout=3)
    topology.mend_line(net, "isp1")
    wait_lines(net, "wan1", True)
    wait_until(lambda: topology.LINES["home", "wan1"].address4 in endpoint(), 10, "server sees home at wan1 again")
    return f"known to the peer after {took * 1000:.0f} ms"


def test_own_traffic(net):
    """What the router itself says to the Internet changes line, and comes back"""
    home, server = net.nodes["home"], topology.LINES["server", "wan"]

    def speaks():
        for address in (server.address4, server.address6):
            expect_ping(home, address, timeout=10)
    speaks()
    topology.break_line(net, "isp1", "home")
    wait_lines_of(net, "home", "wan1", False)
    speaks()
    topology.mend_line(net, "isp1")
    wait_lines(net, "wan1", True)
    speaks()


def test_cable(net):
    """A pulled cable moves the traffic, a plugged one brings it back without loss"""
    stream = open_stream(net)
    stream.phase()
    topology.cable(net, "isp1", "home", False)
    time.sleep(BROKEN_S)
    report = stream.phase()
    if worst(report, "longest-gap-ms") > BROKEN_S * 900:
        raise LabError(f"outage: {line(report)}")
    stream.phase()
    topology.cable(net, "isp1", "home", True)
    expect_line(net, "wan1", 30)
    back = stream.phase()
    stream.stop()
    if worst(back, "lost"):
        raise LabError(f"the return lost packets: {line(back)}")
    return outages(report)


def test_one_direction(net):
    """isp1 loses only what it would deliver to home"""
    stream = open_stream(net)
    stream.phase()
    topology.break_line(net, "isp1", "home", "in")
    time.sleep(BROKEN_S)
    report = stream.phase()
    topology.mend_line(net, "isp1")
    expect_line(net, "wan1", 20)
    stream.stop()
    if worst(report, "longest-gap-ms") > BROKEN_S * 900:
        raise LabError(f"outage: {line(report)}")
    return outages(report)


def test_control_stopped(net):
    """The same silent break while control is stopped on both routers"""
    stream = open_stream(net)
    time.sleep(3)
    stopped = [Daemon(net.nodes[site], "byway-control").signal(signal.SIGSTOP) and site for site in SITES]
    try:
        report = break_and_measure(net, stream)
        mend_and_return(net, stream, control=False)
    finally:
        for site in stopped:
            Daemon(net.nodes[site], "byway-control").signal(signal.SIGCONT)
        topology.mend_line(net, "isp1")
    stream.stop()
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)
    return outages(report)
