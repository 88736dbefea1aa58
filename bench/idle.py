# SPDX-License-Identifier: BSD-3-Clause
"""A router that has nothing to do: both daemons in a network namespace, two WANs and a lan on veth ports (AF_XDP). What its threads cost, and how long its first packet takes after a rest.

The namespaces are the lab's (tests/lab/net.py); they end with this process.
"""
import atexit
import ctypes
import os
import signal
import socket
import statistics
import struct
import sys
import threading
import time

from harness import ROOT, BenchError, Unavailable

sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

SETTLE_S = 3  # after the lines are up
WINDOW_S = 20
REST_S = 0.05  # long after a worker went to sleep
PACKETS = 100
PORT = 9999
SO_TIMESTAMPNS = 35  # socket.h of Linux; Python does not name it
CONFIG = """\
router:
  name: idle
  id: 10.1.0.1
  source: ["10.1.0.1"]
ports:
  wan1: { device: eth1, role: wan, addresses: ["192.0.2.2/24"], gateways: ["192.0.2.1"], preference: 1%(probe)s }
  wan2: { device: eth2, role: wan, addresses: ["198.51.100.2/24"], gateways: ["198.51.100.1"], preference: 2%(probe)s }
  lan: { device: eth0, role: lan, addresses: ["10.1.0.1/24"] }
"""
RARELY = ", probe: { interval: 1m, timeout: 1s }"  # as good as off, so that workers are alone


class Router:
    """The router, its two gateways and a host; ended at exit."""

    def __init__(self, build, watch):
        if os.geteuid() != 0:
            raise Unavailable("network namespaces need root")
        import byway  # pylint: disable=import-outside-toplevel
        import net  # pylint: disable=import-outside-toplevel
        self.prefix = f"idle{os.getpid()}-{'watched' if watch else 'alone'}"
        self.net = net.Net(self.prefix)
        try:
            self.net.create()
            atexit.register(net.Net.destroy, self.prefix)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it is called then, too
            self.wire()
            node = self.net.nodes["router"]
            node.write("/etc/byway/byway.yaml", CONFIG % {"probe": "" if watch else RARELY})
            self.dataplane = byway.start_daemon(node, "byway-dataplane", ["--control-gid", byway.CONTROL_ID], build)
            self.add_user(node, byway.CONTROL_ID)
            byway.start_daemon(node, "byway-control", ["--config", "/etc/byway/byway.yaml"], build)
            net.wait_until(self.answers, 30, "the first packet through the router", 0.5)
            time.sleep(SETTLE_S)
        except net.LabError as e:
            raise BenchError(str(e)) from e

    @staticmethod
    def add_user(node, number):
        for name, row in (("passwd", f"byway:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"),
                          ("group", f"byway:x:{number}:\n")):
            with open(node.path(f"/etc/{name}"), encoding="utf-8") as f:
                rows = [r for r in f if not r.startswith("byway:")]
            node.write(f"/etc/{name}", "".join([*rows, row]))

    def wire(self):
        self.net.add_nodes(["router", "isp1", "isp2", "host"])
        for name, port, other, address in (("isp1", "eth1", "isp1", "192.0.2.1/24"), ("isp2", "eth2", "isp2", "198.51.100.1/24"),
                                           ("host", "eth0", "host", "10.1.0.5/24")):
            self.net.link("router", port, other, "eth0")
            self.net.nodes[name].script(f"ip link set lo up; ip address add {address} dev eth0")
        self.net.nodes["host"].script("ip route add default via 10.1.0.1")
        for name, router in (("isp1", "192.0.2.2"), ("isp2", "198.51.100.2")):
            self.net.nodes[name].script(f"ip route add 10.1.0.0/24 via {router}")

    def answers(self):
        return self.net.nodes["host"].try_run("ping", "-c1", "-W1", "192.0.2.1").returncode == 0

    def spent_ns(self):
        """Nanoseconds on a CPU since they began: of the workers, of all threads of the dataplane."""
        workers = everything = 0
        folder = f"/proc/{self.dataplane.pid()}/task"
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/schedstat", encoding="ascii") as f:
                ns = int(f.read().split()[0])
            with open(f"{folder}/{task}/comm", encoding="ascii") as f:
                name = f.read()
            everything += ns
            workers += ns if "worker" in name else 0
        return workers, everything

    def measure_idle(self):
        """Per cent of a core over a window: workers, all threads."""
        before, from_ns = self.spent_ns(), time.monotonic_ns()
        time.sleep(WINDOW_S)
        took = time.monotonic_ns() - from_ns
        return [100 * (now - then) / took for now, then in zip(self.spent_ns(), before)]

    def open_socket(self, node):
        """A UDP socket in a node's network namespace; a thread of its own goes there, this one stays."""
        made = []

        def run():
            with open(f"/proc/{self.net.nodes[node].pid}/ns/net", "rb") as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0) == 0:
                    made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if not made:
            raise BenchError("no way into the namespace")
        return made[0]

    def measure_wake(self):
        """Median of microseconds from sending in the host to the kernel's time stamp at the gateway."""
        taken = []
        with self.open_socket("host") as source, self.open_socket("isp1") as sink:
            sink.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sink.bind(("192.0.2.1", PORT))
            sink.settimeout(1)
            for _ in range(PACKETS):
                time.sleep(REST_S)
                sent_ns = time.time_ns()
                source.sendto(b"wake", ("192.0.2.1", PORT))
                _, notes, _, _ = sink.recvmsg(64, 64)
                seconds, nanoseconds = struct.unpack("qq", notes[0][2])
                taken.append((seconds * 1_000_000_000 + nanoseconds - sent_ns) / 1000)
        return statistics.median(taken)


def router(bench, watch):
    key = ("idle", watch)
    if key not in bench.cache:
        bench.cache[key] = Router(bench.build, watch)
    return bench.cache[key]


def workers(bench):
    """Lines watched once a minute: nothing wakes a worker."""
    return router(bench, False).measure_idle()[0]


def everything(bench):
    """All threads of the dataplane, lines watched at their defaults."""
    return router(bench, True).measure_idle()[1]


def wake(bench):
    return router(bench, True).measure_wake()
