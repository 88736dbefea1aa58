# SPDX-License-Identifier: BSD-3-Clause
"""Each daemon is killed under traffic, and comes back as a service manager would bring it back."""
import signal
import time

from byway import Daemon, client
from net import LabError, wait_until
from probe import HOSTS, Capture, expect_bgp, expect_ping, kernel_routes
from stream import Stream, line, worst

ROUTERS = "byway"
MAY_RESTART = True
BACK_MAX_MS = 6500  # of the 7 s that are watched; how soon is printed
CLEAR = "!wg && (ip.addr == 10.0.0.0/8 || ipv6.addr == fd00::/8)"


def open_stream(net):
    return Stream(net.nodes["home-host"], HOSTS["home"][1], net.nodes["friend-host"], HOSTS["friend"][1])


def ready(net):
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 60)
    for node in (net.nodes["home-host"], net.nodes["remi-host"]):
        expect_ping(node, HOSTS["friend"][1], timeout=30)


def established(net, site):
    states = [str(row.get("state")).lower() for row in client(net.nodes[site], "show", "bgp")]
    return len(states) and set(states) == {"established"}


def test_ready(net):
    """The lab is up with every session"""
    ready(net)
    wait_until(lambda: established(net, "home") and established(net, "friend"), 30, "all sessions")


def test_control_killed(net):
    """kill -9 of control loses nothing, peers keep the routes, it resyncs"""
    remi, control = net.nodes["remi"], Daemon(net.nodes["home"], "byway-control")
    stream = open_stream(net)
    routes = kernel_routes(remi)
    before, missing = control.starts(), []
    stream.phase()
    control.signal(signal.SIGKILL)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        missing += [row for row in routes.splitlines() if row.split()[0] not in kernel_routes(remi)]
        time.sleep(0.1)
    if control.starts() != before + 1:
        raise LabError(f"control was started {control.starts() - before} times")
    wait_until(lambda: established(net, "home"), 60, "home: every session again")
    time.sleep(3)
    report = stream.stop()
    if worst(report, "lost"):
        raise LabError(line(report))
    if missing:
        raise LabError(f"remi lost for a while: {missing[0]}")
    ready(net)
    return f"longest silence {worst(report, 'longest-gap-ms'):.0f} ms"


def handshake_ages(net, site):
    """Seconds since the last handshake of each peer of the site."""
    return [peer["handshake-ns"] / 1e9 for tunnel in client(net.nodes[site], "show", "tunnels")
            for peer in tunnel["peers"] if peer.get("handshake-ns") is not None]


def test_dataplane_restarted(net):
    """A planned restart keeps the tunnels' sessions: no handshake, the same pid, a stock peer among them"""
    home = net.nodes["home"]
    dataplane = Daemon(home, "byway-dataplane")
    # no renewal of a key falls into the watched time
    wait_until(lambda: (ages := handshake_ages(net, "home")) and min(ages) > 6 and max(ages) < 95, 130,
               "keys neither new nor old")
    pid, starts, before = dataplane.pid(), dataplane.starts(), handshake_ages(net, "home")
    stream = Stream(net.nodes["home-host"], HOSTS["home"][1], net.nodes["remi-host"], HOSTS["remi"][1])
    captures = [Capture(net.nodes[isp], "home", "planned", "udp[8:4] = 0x01000000 or udp[8:4] = 0x02000000")
                for isp in ("isp1", "isp2")]
    stream.phase()
    begun = time.monotonic()
    dataplane.signal(signal.SIGUSR2)
    wait_until(lambda: any("restarting as" in row for row in dataplane.log()), 10, "the restart")
    time.sleep(5)
    report = stream.phase()
    after, passed = handshake_ages(net, "home"), time.monotonic() - begun
    last = stream.stop()
    for capture in captures:
        capture.stop()
        handshakes = capture.packets("wg.type == 1 || wg.type == 2")
        if handshakes:
            raise LabError(f"a handshake at {capture.node.name}: {handshakes[0]}")
    if dataplane.pid() != pid or dataplane.starts() != starts:
        raise LabError("it was started anew")
    if len(after) < len(before) or min(after) < passed:
        raise LabError(f"ages of the keys before {before}, {passed:.1f} s later {after}")
    if any(way["received"] == 0 for way in last.values()):
        raise LabError(f"not back: {line(last)}")
    return f"outage {worst(report, 'longest-gap-ms'):.0f} ms"


def kill_dataplane(net, held):
    """Kills home's dataplane under a stream; the outage. With `held`, control is dead meanwhile."""
    home = net.nodes["home"]
    control, dataplane = Daemon(home, "byway-control"), Daemon(home, "byway-dataplane")
    stream = open_stream(net)
    captures = [Capture(net.nodes[isp], "home", f"killed-{held}") for isp in ("isp1", "isp2")]
    if held:
        control.hold(True)
        control.signal(signal.SIGKILL)
        time.sleep(0.5)
    before = dataplane.starts()
    stream.phase()
    dataplane.signal(signal.SIGKILL)
    wait_until(lambda: dataplane.starts() == before + 1, 5, "a second start of the dataplane")
    time.sleep(6)
    report = stream.phase()
    time.sleep(1)
    last = stream.stop()
    for capture in captures:
        capture.stop()
    control.hold(False)
    if worst(report, "longest-gap-ms") > BACK_MAX_MS:
        raise LabError(f"back too late: {line(report)}")
    if any(way["received"] == 0 for way in last.values()):
        raise LabError(f"not back: {line(last)}")
    for capture in captures:
        clear = capture.packets(CLEAR)
        if clear:
            raise LabError(f"in clear at {capture.node.name}: {clear[0]}")
    return f"outage {worst(report, 'longest-gap-ms'):.0f} ms"


def test_dataplane_killed(net):
    """kill -9 of the dataplane: forwarding within 3 s, nothing in clear on a line"""
    note = kill_dataplane(net, held=False)
    ready(net)
    return note


def test_dataplane_killed_alone(net):
    """kill -9 of the dataplane without control: the last accepted state forwards"""
    note = kill_dataplane(net, held=True)
    wait_until(Daemon(net.nodes["home"], "byway-control").pid, 5, "control again")
    ready(net)
    wait_until(lambda: established(net, "home"), 60, "home: every session again")
    return note
