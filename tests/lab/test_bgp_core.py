# SPDX-License-Identifier: BSD-3-Clause
"""The BGP core over TCP (bgp_speaker) against bird2, no dataplane and no daemon of ours.

Two nodes and a cable; eBGP and iBGP, both families over one session, filters of bird
on its side, graceful restart of either end.
"""
import os
import signal
import subprocess
import threading
import time

from byway import find_tool
from net import LabError, Net, wait_until

ROUTERS = None

OUR4, OUR6 = "10.9.0.1", "fd09::1"
BIRD4, BIRD6 = "10.9.0.2", "fd09::2"
OUR_AS = 4200000001


class Speaker:
    """bgp_speaker in a node, commanded over its standard input."""

    def __init__(self, node, remote_as, *options):
        self.process = node.spawn(find_tool("bgp_speaker"), OUR4, str(OUR_AS), BIRD4, str(remote_as), OUR6, *options,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=open(f"{node.dir}/speaker.log", "ab"))

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def show(self):
        """The peer's line and {prefix: rest of the route's line}."""
        self.say("show")
        lines = []
        while not lines or lines[-1] != ".":
            line = self.process.stdout.readline()
            if not line:
                raise LabError("bgp_speaker ended")
            lines.append(line.decode().rstrip("\n"))
        return lines[0], dict(line.split(" ", 1) for line in lines[1:-1])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self, word="quit"):
        if self.process.poll() is None:
            self.say(word)
            status = self.process.wait(10)
            if status:
                raise LabError(f"bgp_speaker: exit {status}")


def bird_conf(remote_as):
    return f"""
log stderr all;
router id 10.9.0.2;
protocol device {{ }}
protocol static {{ ipv4; route 10.20.0.0/16 blackhole {{ bgp_community.add((65000,7)); }};
	route 10.21.0.0/16 blackhole; route 0.0.0.0/0 blackhole; }}
protocol static {{ ipv6; route fd20::/32 blackhole; }}
protocol bgp ours {{
	local {BIRD4} as {remote_as};
	neighbor {OUR4} as {OUR_AS};
	direct; hold time 9; connect retry time 1; connect delay time 1; error wait time 1, 2;
	graceful restart on; graceful restart time 20;
	ipv4 {{ import all; export filter {{ if net = 10.20.0.0/16 then bgp_med = 30; accept; }}; next hop self; }};
	ipv6 {{ import all; export all; next hop self; }};
}}
"""


class Pair:
    """Our node and bird's, with a cable."""

    def __init__(self, remote_as):
        self.prefix, self.remote_as, self.speaker = f"bgpcore{os.getpid()}", remote_as, None
        self.net = Net(self.prefix)
        self.net.create()
        try:
            self.put_up()
        except BaseException:
            Net.destroy(self.prefix)
            raise

    def put_up(self):
        self.net.add_nodes(["ours", "bird"])
        self.net.link("ours", "eth0", "bird", "eth0")
        self.ours, self.theirs = self.net.nodes["ours"], self.net.nodes["bird"]
        for node, four, six in ((self.ours, OUR4, OUR6), (self.theirs, BIRD4, BIRD6)):
            node.script(f"ip link set lo up; ip addr add {four}/24 dev eth0; ip -6 addr add {six}/64 dev eth0 nodad")
        self.theirs.write("/etc/bird/bird.conf", bird_conf(self.remote_as))
        self.start_bird()

    def start_bird(self, *options):
        self.bird = self.theirs.spawn("bird", "-f", *options, log="bird.log")
        wait_until(lambda: self.theirs.try_run("birdc", "show", "status").returncode == 0, 10, "bird")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.speaker and self.speaker.process.poll() is None:
            self.speaker.kill()
        Net.destroy(self.prefix)

    def start_speaker(self, *options):
        self.speaker = Speaker(self.ours, self.remote_as, *options)

    def birdc(self, *words):
        return self.theirs.run("birdc", *words)

    def wait_route(self, prefix, there=True, text=""):
        """Until bird has (or has not) a route of ours, whose listing holds text."""
        def look():
            shown = self.theirs.try_run("birdc", "show", "route", prefix, "all").stdout  # exit 1: not there
            return (prefix in shown and text in shown) if there else prefix not in shown
        wait_until(look, 20, f"bird: {prefix} {'there' if there else 'gone'} {text}")

    def wait_ours(self, prefix, there=True, text="active"):
        def look():
            _, routes = self.speaker.show()
            return text in routes.get(prefix, "") if there else prefix not in routes
        wait_until(look, 20, f"speaker: {prefix} {'with ' + text if there else 'gone'}")


def exchange(remote_as):
    with Pair(remote_as) as pair:
        pair.start_speaker()
        pair.speaker.say("announce 10.10.0.0/16")
        pair.speaker.say("announce fd10::/32")
        external = remote_as != OUR_AS
        pair.wait_ours("10.20.0.0/16", text="[65000:7]")
        pair.wait_ours("fd20::/32", text=f"via {BIRD6}")
        pair.wait_ours("0.0.0.0/0", text="inactive")  # a default route is refused unless named
        pair.wait_route("10.10.0.0/16", text=str(OUR_AS) if external else "BGP.local_pref: 100")
        pair.wait_route("fd10::/32", text=OUR6)
        _, routes = pair.speaker.show()
        if external != (f"path [{remote_as}]" in routes["10.21.0.0/16"]):
            raise LabError(f"AS path: {routes['10.21.0.0/16']}")
        if "med 30" not in routes["10.20.0.0/16"]:
            raise LabError(f"MED: {routes['10.20.0.0/16']}")
        pair.speaker.say("withdraw 10.10.0.0/16")
        pair.wait_route("10.10.0.0/16", there=False)
        pair.birdc("disable", "static1")
        pair.wait_ours("10.21.0.0/16", there=False)
        pair.birdc("enable", "static1")
        pair.wait_ours("10.21.0.0/16")
        pair.birdc("reload", "in", "ours")   # bird asks us: ROUTE-REFRESH
        pair.speaker.say("refresh")        # and we ask bird
        pair.wait_route("fd10::/32")
        time.sleep(12)                     # longer than the hold time of 9 s
        peer, _ = pair.speaker.show()
        if "Established established 1 hold 9" not in peer:
            raise LabError(peer)
        details = pair.birdc("show", "protocols", "all", "ours")
        for wanted in ("4-octet AS numbers", "Route refresh", "Graceful restart", "AF announced: ipv4 ipv6"):
            if wanted not in details:
                raise LabError(f"bird does not show '{wanted}':\n{details}")
        pair.speaker.end()
        pair.wait_route("fd10::/32", there=False)
        with open(f"{pair.theirs.dir}/bird.log", encoding="utf-8") as log:
            said = [line for line in log if "Received: " in line]
        if not said or "Administrative shutdown" not in said[0]:
            raise LabError(f"bird heard no Cease of ours: {said}")


def test_external():
    """eBGP with bird2, IPv4 and IPv6 over one session, 4-byte AS numbers"""
    exchange(4200000002)


def test_internal():
    """iBGP with bird2"""
    exchange(OUR_AS)


def test_our_restart():
    """kill -9 of our speaker: bird keeps the routes until we are back and sweeps the rest"""
    with Pair(4200000002) as pair:
        pair.start_speaker()
        pair.speaker.say("announce 10.10.0.0/16")
        pair.speaker.say("announce 10.11.0.0/16")
        pair.wait_route("10.11.0.0/16")
        lost = []
        done = threading.Event()

        def watch():
            while not done.is_set():
                if "10.10.0.0/16" not in pair.theirs.try_run("birdc", "show", "route", "10.10.0.0/16").stdout:
                    lost.append(time.monotonic())
                time.sleep(0.05)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            pair.speaker.kill()
            time.sleep(1)
            pair.start_speaker("restarting")
            pair.speaker.say("announce 10.10.0.0/16")
            pair.wait_ours("10.20.0.0/16")
            pair.wait_route("10.11.0.0/16", there=False)  # not announced again: swept by our End-of-RIB
        finally:
            done.set()
            watcher.join()
        if lost:
            raise LabError(f"bird lost 10.10.0.0/16 meanwhile ({len(lost)} times)")
        pair.speaker.end()


def test_their_restart():
    """kill -9 of bird: we keep its routes as stale, they become fresh, what is gone is swept"""
    with Pair(4200000002) as pair:
        pair.start_speaker()
        pair.wait_ours("10.21.0.0/16")
        pair.bird.kill()
        pair.wait_ours("10.21.0.0/16", text="stale")
        pair.wait_ours("10.21.0.0/16", text="active")
        conf = bird_conf(4200000002).replace("route 10.20.0.0/16 blackhole", "route 10.22.0.0/16 blackhole")
        pair.theirs.write("/etc/bird/bird.conf", conf)
        pair.start_bird("-R")
        pair.wait_ours("10.22.0.0/16")
        pair.wait_ours("10.20.0.0/16", there=False)
        if "stale" in pair.speaker.show()[1]["10.21.0.0/16"]:
            raise LabError("10.21.0.0/16 stayed stale")
        pair.speaker.end()
