# SPDX-License-Identifier: BSD-3-Clause
"""A router with one tunnel in network namespaces, ours on AF_XDP ports or the kernel with wireguard-go: what its processes spend on
handshakes (bench/handshakes.c) and on TCP through the tunnel. The namespaces are the lab's (tests/lab/net.py); they end with this
process.
"""
import atexit
import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import ROOT, BenchError, Unavailable, call
from idle import Router as IdleRouter

sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

PEERS = 512
PORT = 51820
TUNNEL = "friend"
CONFIG = """\
router:
  name: bench
  id: 10.1.0.1
  source: ["10.1.0.1"]
ports:
  wan1: { device: eth1, role: wan, addresses: ["192.0.2.2/24"], gateways: ["192.0.2.1"] }
  lan: { device: eth0, role: lan, addresses: ["10.1.0.1/24"] }
tunnels:
  friend:
    line: wan1
    private-key: /etc/byway/friend.key
    listen-port: %(port)d
    addresses: ["10.9.0.1/24"]
    peers:
      - name: far
        public-key: "%(far)s"
        endpoint: "192.0.2.1:%(port)d"
        allowed-ips: ["10.9.0.0/24"]
"""


def wg_key():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout.strip()
    return private, subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()


class Lab:
    """host -- router -- far, a tunnel between the latter two; ended at exit."""

    def __init__(self, build, ours):
        if os.geteuid() != 0:
            raise Unavailable("network namespaces need root")
        import net  # pylint: disable=import-outside-toplevel
        self.build, self.ours = build, ours
        self.prefix = f"tunnel{os.getpid()}-{'ours' if ours else 'stock'}"
        self.net, self.wait_until = net.Net(self.prefix), net.wait_until
        self.keys = {name: wg_key() for name in ("router", "far")}
        try:
            self.net.create()
            atexit.register(net.Net.destroy, self.prefix)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it is called then, too
            self.wire()
            self.start_stock("far", "router", "10.9.0.2/24", "10.9.0.1/32,10.1.0.0/24", "192.0.2.2")
            self.far("ip route add 10.1.0.0/24 dev friend; ip route add local 203.1.0.0/16 dev lo")
            if ours:
                self.start_ours()
            else:
                self.pids = [self.start_stock("router", "far", "10.9.0.1/24", "10.9.0.0/24", "192.0.2.1").pid]
            self.net.nodes["far"].spawn("iperf3", "-s", log="iperf3.log")
            self.wait_until(lambda: self.net.nodes["far"].run("ss", "-Hltn", "sport = :5201"), 10, "iperf3")
            self.wait_until(lambda: self.net.nodes["host"].try_run("ping", "-c1", "-W1", "10.9.0.2").returncode == 0, 30,
                            "the first packet through the tunnel", 0.5)
        except net.LabError as e:
            raise BenchError(str(e)) from e

    def far(self, text):
        self.net.nodes["far"].script(text)

    def wire(self):
        self.net.add_nodes(["router", "far", "host"])
        self.net.link("router", "eth1", "far", "eth0")
        self.net.link("router", "eth0", "host", "eth0")
        self.far("ip link set lo up; ip address add 192.0.2.1/24 dev eth0")
        self.net.nodes["host"].script("ip link set lo up; ip address add 10.1.0.5/24 dev eth0; ip route add default via 10.1.0.1")
        if not self.ours:
            self.net.nodes["router"].script("ip link set lo up; ip address add 192.0.2.2/24 dev eth1; ip address add 10.1.0.1/24 dev eth0;"
                                            "ip route add default via 192.0.2.1; sysctl -qw net.ipv4.ip_forward=1")

    def start_stock(self, name, other, address, allowed, endpoint):
        """wireguard-go in a node; its process."""
        node = self.net.nodes[name]
        node.write("/etc/wireguard/friend.conf", f"[Interface]\nPrivateKey = {self.keys[name][0]}\nListenPort = {PORT}\n[Peer]\n"
                   f"PublicKey = {self.keys[other][1]}\nAllowedIPs = {allowed}\nEndpoint = {endpoint}:{PORT}\n", 0o600)
        process = node.spawn("wireguard-go", "-f", TUNNEL, log="wireguard-go.log", env={"LOG_LEVEL": "error"})
        self.wait_until(lambda: node.try_run("test", "-S", f"/run/wireguard/{TUNNEL}.sock").returncode == 0, 10, "wireguard-go")
        node.script(f"wg setconf {TUNNEL} /etc/wireguard/friend.conf; ip address add {address} dev {TUNNEL};"
                    f"ip link set {TUNNEL} mtu 1420 up")
        return process

    def start_ours(self):
        import byway  # pylint: disable=import-outside-toplevel
        node = self.net.nodes["router"]
        node.write("/etc/byway/friend.key", self.keys["router"][0] + "\n", 0o600)
        node.write("/etc/byway/byway.yaml", CONFIG % {"far": self.keys["far"][1], "port": PORT})
        daemons = [byway.start_daemon(node, "byway-dataplane", ["--control-gid", byway.CONTROL_ID], self.build)]
        IdleRouter.add_user(node, byway.CONTROL_ID)
        daemons.append(byway.start_daemon(node, "byway-control", ["--config", "/etc/byway/byway.yaml"], self.build))
        self.wait_until(lambda: node.try_run("wg", "show", TUNNEL).returncode == 0, 30, "the tunnel's socket")
        self.pids = [d.pid() for d in daemons]

    def spent_s(self):
        """Seconds on a CPU of the router's processes since they began."""
        ns = 0
        for pid in self.pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    ns += int(f.read().split()[0])
        return ns / 1e9

    def add_peers(self):
        keys = call([f"{self.build}/bench/handshakes", "--public", "--peers", str(PEERS)]).split()
        node = self.net.nodes["router"]
        node.write("/run/peers.conf", "".join(f"[Peer]\nPublicKey = {key}\nAllowedIPs = 10.20.{i // 256}.{i % 256}/32\n"
                                              for i, key in enumerate(keys)), 0o600)
        node.run("wg", "addconf", TUNNEL, "/run/peers.conf")

    def measure_handshakes(self, millis):
        """Microseconds of CPU for a handshake."""
        process = self.net.nodes["far"].spawn(
            f"{self.build}/bench/handshakes", "--key", self.keys["router"][1], "--to", "192.0.2.2", "--port", PORT, "--from", "203.1.1.1",
            "--peers", PEERS, "--millis", millis, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        begin = process.stdout.readline()
        before = self.spent_s()
        text = process.stdout.readline()
        spent = self.spent_s() - before
        process.wait(10)
        found = re.match(r"handshakes (\d+) lost (\d+)", text)
        if begin != "begin\n" or not found or int(found[1]) < 10:
            raise BenchError(f"bench/handshakes: {begin}{text}")
        return 1e6 * spent / int(found[1])

    def measure_tcp(self, seconds):
        """Seconds of CPU for a gigabyte from the host to the far end."""
        before = self.spent_s()
        done = self.net.nodes["host"].try_run("iperf3", "-c", "10.9.0.2", "-t", seconds, "-J", timeout=seconds + 20)
        spent = self.spent_s() - before
        try:
            carried = json.loads(done.stdout)["end"]["sum_received"]["bytes"]
        except (ValueError, KeyError) as e:
            raise BenchError(f"iperf3: {done.stdout[-300:]}{done.stderr}") from e
        return spent / (carried / 1e9)


def lab(bench, ours):
    """One for both figures: they take turns."""
    key = ("tunnel-lab", ours)
    if key not in bench.cache:
        bench.cache[key] = Lab(bench.build, ours)
    return bench.cache[key]


def handshakes(ours):
    """A measure: handshakes in a second of CPU."""
    def measure(bench):
        where = lab(bench, ours)
        if ("handshakes", ours) not in bench.cache:
            where.add_peers()
            bench.cache["handshakes", ours] = True
        return 1e6 / where.measure_handshakes(2 * bench.millis)
    return measure


def tcp(ours):
    """A measure: seconds of CPU for a gigabyte."""
    return lambda bench: lab(bench, ours).measure_tcp(2 if bench.quick else 5)
