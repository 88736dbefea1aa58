#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration: narrates the lab at work. Called by ./demo, which builds first."""
import os
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import byway     # noqa: E402
import lab       # noqa: E402
import topology  # noqa: E402
from net import LabError, Net, wait_until  # noqa: E402
from probe import HOSTS, bgp_state, counted, expect_bgp, expect_ping, pings  # noqa: E402
from stream import Stream, worst  # noqa: E402

BUILD = os.path.join(byway.ROOT, "build-demo")
PREFIX = "demo"
OUTAGE_MAX_MS = 1000
RATE = 1000

MAP = """\
                    server           remi ─── remi-host       (stock Linux: wireguard-go, bird2)
                       │              │
         ┌── isp1 ── internet ────────┘
         │    │        │  └─ nat ─── pi                       (stock peer behind a NAT)
         │    │  ┌─ isp2 ─┐
    wan1 │    │  │        │ wan2
        home ─┼──┘ wan2   │
         │    │ wan1      │
         │    └── friend ─┘                                   (home and friend: Byway)
     home-host      │
               friend-host\
"""

KEPT = """
The lab stays up. Look around:

  tests/lab/lab.py exec home byway show wan          and ports, tunnels, bgp, routes, drops, version
  tests/lab/lab.py exec home wg show                 Byway's tunnels, seen by the stock tool
  tests/lab/lab.py exec remi birdc show protocols all
  tests/lab/lab.py exec home-host ping friend-host   or mtr, iperf3
  tests/lab/lab.py shell home                        a shell on the router
  tests/lab/lab.py break isp1                        packets vanish, the link stays up; mend isp1
  tests/lab/lab.py --help

  ./demo --stop                                      ends it"""


class Narrator:
    """Lines that a person likes to read."""

    def __init__(self):
        self.begun = time.monotonic()
        self.bold, self.dim, self.plain = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

    def chapter(self, text):
        print(f"\n{self.bold}{text}{self.plain}", flush=True)

    def say(self, text):
        print("\n".join(f"  {line}" for line in text.splitlines()), flush=True)

    def table(self, node, *argv):
        """What the client prints, under the command that a person would type."""
        print(f"\n  {self.dim}{node.name}# byway {' '.join(argv)}{self.plain}", flush=True)
        self.say(node.run("env", f"PATH={byway.path_of(BUILD)}", "byway", *argv))


def bring_up(tell):
    tell.chapter("A small Internet, in network namespaces of this machine")
    tell.say(MAP)
    tell.say("\nisp1 and isp2 give one IPv4 address and one IPv6 prefix a line, and drop every other source.")
    net = lab.bring_up(PREFIX, "byway", BUILD)
    home = net.nodes["home"]
    for line in topology.lines_of("home"):
        wait_until(lambda line=line: pings(home, line.gateway4), 20, f"home reaches {line.isp}")
    tell.say(f"home and friend run byway-dataplane and byway-control; {time.monotonic() - tell.begun:.1f} s so far")
    tell.table(home, "show", "ports")
    return net


def show_tunnels(tell, net):
    tell.chapter("Tunnels: one over each line to each friend, BGP over each tunnel")
    for name in ("home", "friend"):
        def established(node=net.nodes[name]):
            return all(str(row.get("state")).lower() == "established" for row in byway.client(node, "show", "bgp"))
        wait_until(established, 40, f"{name}: every BGP session")
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)
    expect_ping(net.nodes["pi"], HOSTS["home"][1], timeout=20)
    expect_ping(net.nodes["server"], HOSTS["home"][1], timeout=20)
    tell.table(net.nodes["home"], "show", "tunnels")
    tell.table(net.nodes["home"], "show", "bgp")
    tell.say(f"\nremi, a stock bird2, agrees: {', '.join(f'{k} {v}' for k, v in bgp_state(net.nodes['remi']).items())}")
    tell.table(net.nodes["home"], "show", "routes")


def show_packets(tell, net):
    tell.chapter("Packets between the networks, IPv4 and IPv6, counted by the dataplane (the kernel forwards nothing)")
    with counted(net, "home", lan=20):
        for name, node, addresses in (("home-host", "home", ("friend", "remi", "pi")), ("friend-host", "friend", ("remi", "pi"))):
            for site in addresses:
                for target in HOSTS[site][1:]:
                    expect_ping(net.nodes[name], target, timeout=20)
                    text = net.nodes[name].run("ping", "-n", "-c", "5", "-i", "0.1", "-W", "1", target)
                    time_ms = re.search(r"= [\d.]+/([\d.]+)/", text).group(1)
                    if "5 received" not in text:
                        raise LabError(f"{name} to {target}: {text.strip()}")
                    tell.say(f"{name:12} → {HOSTS[site][0]:12} {target:12} 5 of 5 replies, {time_ms} ms")


def wait_verdict(net, name, verdict):
    def reached():
        return all(row.get("verdict") == verdict for site in ("home", "friend")
                   for row in byway.client(net.nodes[site], "show", "wan") if row.get("port") == name)
    wait_until(reached, 40, f"{name} {verdict} at home and friend")


def show_failover(tell, net):
    tell.chapter(f"isp1 breaks silently (packets vanish, the link stays up) under {RATE} packets/s both ways")
    for name in ("wan1", "wan2"):
        wait_verdict(net, name, "up")
    tell.table(net.nodes["home"], "show", "wan")
    stream = Stream(net.nodes["home-host"], HOSTS["home"][1], net.nodes["friend-host"], HOSTS["friend"][1], rate=RATE,
                    build=BUILD)
    time.sleep(2)
    stream.phase()
    topology.break_line(net, "isp1")
    wait_verdict(net, "wan1", "down")
    time.sleep(1)
    report = stream.phase()
    tell.say("")
    for name, way in report.items():
        tell.say(f"{name:25} silent for {way['longest-gap-ms']:4.0f} ms, {way['lost']} packets lost")
    if worst(report, "longest-gap-ms") > OUTAGE_MAX_MS:
        raise LabError(f"the outage was longer than {OUTAGE_MAX_MS} ms")
    with counted(net, "home", wan2=RATE):
        time.sleep(1.5)
    tell.table(net.nodes["home"], "show", "wan")
    tell.chapter("isp1 works again: back after the hold-down, without loss")
    stream.phase()
    topology.mend_line(net, "isp1")
    wait_verdict(net, "wan1", "up")
    time.sleep(2)
    with counted(net, "home", wan1=RATE):
        time.sleep(1.5)
    report = stream.stop()
    for name, way in report.items():
        tell.say(f"{name:25} {way['lost']} of {way['sent']} packets lost")
    if worst(report, "lost"):
        raise LabError("the return lost packets")
    tell.table(net.nodes["home"], "show", "wan", "events")


def main():
    keep = "--keep" in sys.argv[1:]
    tell = Narrator()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    net = None
    try:
        net = bring_up(tell)
        show_tunnels(tell, net)
        show_packets(tell, net)
        show_failover(tell, net)
        tell.chapter(f"Everything shown happened, in {time.monotonic() - tell.begun:.0f} s.")
        if keep:
            print(KEPT)
    except BaseException as problem:
        if keep and net and isinstance(problem, LabError):
            print(f"\ndemo: failed: {problem}\n{KEPT}", flush=True)
            return 1
        keep = False
        if isinstance(problem, LabError):
            print(f"\ndemo: failed: {problem}", flush=True)
            return 1
        raise
    finally:
        if net and not keep:
            Net.destroy(PREFIX)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
