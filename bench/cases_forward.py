# SPDX-License-Identifier: BSD-3-Clause
"""Cycles a packet of plain forwarding on memory ports, against DPDK's testpmd and a minimal IPv6 router."""
import os
import re
import statistics

import idle
import plot
import testpmd
from harness import Case, Plot, Unavailable, call

FEW = 256  # mbufs in flight: they and what of the table they need stay in the core's own caches
COLD = 8192
BURSTS = (4, 8, 16, 32, 64)
SPILL = 65536  # two or three cache lines each are beyond a core's own cache of 2 MB


SPREAD = ("--queues", "1", "--packets", "512")  # in flight for each of two workers
DAEMONS = ("dataplane/byway-dataplane", "control/byway-control")
WORK = ("--work", "1000")  # cycles a packet, about what sealing 512 bytes takes


def cpu():
    """Both sides run on this one."""
    return max(os.sched_getaffinity(0))


def run(bench, program, packets, *options):
    """Cycles a packet of bench/forward or one that prints like it."""
    command = [f"{bench.build}/bench/{program}", "--cpu", str(cpu()), "--packets", str(packets),
               "--millis", str(bench.millis), *options]
    return float(re.search(r"^cycles-per-packet ([\d.]+)", call(command), re.MULTILINE).group(1))


def forward4(packets, *options):
    """A measure: the full IPv4 table."""
    return lambda bench: run(bench, "forward", packets, "--routes", bench.routes4, *options)


def forward6(program, *options):
    """A measure: the full IPv6 table."""
    family = ["--family", "6"] if program == "forward" else []
    return lambda bench: run(bench, program, FEW, *family, "--routes", bench.routes6, *options)


def one_route(bench):
    return run(bench, "forward", FEW)


def macswap(packets):
    return lambda bench: testpmd.best_macswap(bench, cpu(), packets)


def case4(name, measure, packets):
    return Case(name, "cycles/packet", "lower", measure, "testpmd macswap", macswap(packets), programs=("bench/forward",),
                packages=("dpdk-dev",))


def case6(name, *options):
    return Case(name, "cycles/packet", "lower", forward6("forward", *options), "rte_fib6 router",
                forward6("minimal6", *options), programs=("bench/forward", "bench/minimal6"))


def workers(count, *options):
    """A measure: packets a second of so many workers, each on a core of its own."""
    def measure(bench):
        cpus = sorted(os.sched_getaffinity(0), reverse=True)
        if len(cpus) < 2:
            raise Unavailable("needs two CPUs")
        command = [f"{bench.build}/bench/workers", "--cpus", ",".join(map(str, cpus[:count])), "--routes", bench.routes4,
                   "--millis", str(bench.millis), *options]
        return float(re.search(r"^packets-per-second (\d+)", call(command), re.MULTILINE).group(1)) / 1e6
    return measure


CASES = [
    # 256 destinations of the full table, again and again; fresh: another one each time, so that the whole table is needed
    case4("forward4", forward4(FEW), FEW),
    case4("forward4/fresh", forward4(FEW, "--fresh"), FEW),
    case4("forward4/one-route", one_route, FEW),
    case4("forward4/shared", forward4(FEW, "--members", "2"), FEW),  # each route over two next hops, by flow
    case6("forward6", "--fresh"),
    case6("forward6/same-hosts"),
    case4("forward4-cold", forward4(COLD), COLD),
    case4("forward4-cold/spill", forward4(SPILL), SPILL),
    Case("workers", "Mpackets/s", "higher", workers(2, "--ports", "2"), "one worker", workers(1), programs=("bench/workers",)),
    # two queues of one port: of net_ring's, whose workers wait for each other at its counters
    Case("workers/one-port", "Mpackets/s", "higher", workers(2), "one worker", workers(1), programs=("bench/workers",)),
    # one queue, so that one worker has to hand over: plain forwarding, where it should not, and 1,000 cycles of work a packet
    Case("workers/spread", "Mpackets/s", "higher", workers(2, *SPREAD), "one worker", workers(1, "--packets", "1024"),
         programs=("bench/workers",)),
    Case("workers/spread-work", "Mpackets/s", "higher", workers(2, *SPREAD, *WORK), "one worker",
         workers(1, "--packets", "1024", *WORK), programs=("bench/workers",)),
    Case("idle/workers", "% of a core", "lower", idle.workers, programs=DAEMONS),
    Case("idle/all", "% of a core", "lower", idle.everything, programs=DAEMONS),
    Case("idle/wake", "us", "lower", idle.wake, programs=DAEMONS),
]


def draw_bursts(bench):
    """What a packet costs by the frames that a worker takes at once, and by the table it needs."""
    tables = {"IPv4, one route": (), "IPv4, full table": ("--routes", bench.routes4),
              "IPv4, full table, always another host": ("--routes", bench.routes4, "--fresh"),
              "IPv6, full table": ("--family", "6", "--routes", bench.routes6)}
    series = {name: [(burst, statistics.median(run(bench, "forward", FEW, "--burst", str(burst), *options) for _ in range(3)))
                     for burst in BURSTS] for name, options in tables.items()}
    return plot.cycles_per_packet("Cycles a packet against burst and table, 256 packets in flight", series)


PLOTS = [Plot("forward-bursts", draw_bursts, ("bench/forward",))]
