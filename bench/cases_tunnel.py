# SPDX-License-Identifier: BSD-3-Clause
"""The tunnel's whole path on memory ports against the bare ipsec-mb over the same bytes, and against itself with one peer."""
import os
import re

import tunnel_lab
from harness import Case, Unavailable, call

SIZES = ("64", "imix", "1420")
PEERS = 1000
DAEMONS = ("dataplane/byway-dataplane", "control/byway-control", "control/byway")


def cycles(bench, *options):
    """Cycles a packet of bench/tunnel."""
    command = [f"{bench.build}/bench/tunnel", "--cpu", str(max(os.sched_getaffinity(0))), "--millis", str(bench.millis), *options]
    return float(re.search(r"^cycles-per-packet ([\d.]+)", call(command), re.MULTILINE).group(1))


def speed(*options):
    """A measure: packets in a million cycles, so that a ratio above one says how many times faster we are."""
    return lambda bench: 1e6 / cycles(bench, *options)


def path(direction, size):
    options = ("--direction", direction, "--len", size)

    def measure(bench):
        return 1e6 / cycles(bench, *options, "--routes", bench.routes4)
    return Case(f"tunnel-{direction}/{size}", "packets/Mcycle", "higher", measure, "bare ipsec-mb",
                speed(*options, "--bare", "--cipher", "ipsec-mb"), programs=("bench/tunnel",))


def peers(direction, size):
    options = ("--direction", direction, "--len", size)
    return Case(f"tunnel-peers/{direction}-{size}", "packets/Mcycle", "higher", speed(*options, "--peers", str(PEERS)),
                "one peer", speed(*options), programs=("bench/tunnel",))


def workers(direction, count):
    """A measure: million packets of 1420 bytes a second of so many workers, each on a core of its own."""
    def measure(bench):
        cpus = sorted(os.sched_getaffinity(0), reverse=True)
        if len(cpus) < 2:
            raise Unavailable("needs two CPUs")
        command = [f"{bench.build}/bench/tunnel_workers", "--cpus", ",".join(map(str, cpus[:count])), "--direction", direction,
                   "--millis", str(bench.millis)]
        return float(re.search(r"^packets-per-second (\d+)", call(command), re.MULTILINE).group(1)) / 1e6
    return measure


def two(direction):
    return Case(f"tunnel-workers/{direction}", "Mpackets/s", "higher", workers(direction, 2), "one worker", workers(direction, 1),
                programs=("bench/tunnel_workers",))


def flood(forge, column):
    """A measure: million packets of 1420 bytes a second under forged initiations, or between them (column at-rest); one run of the
    program yields both, the slow thread on a CPU of its own."""
    def measure(bench):
        kept = bench.cache.setdefault(("flood", forge), [])
        for rows in kept:
            if column in rows:
                return rows.pop(column)
        cpus = sorted(os.sched_getaffinity(0), reverse=True)
        if len(cpus) < 2:
            raise Unavailable("needs two CPUs")
        text = call([f"{bench.build}/bench/tunnel_flood", "--forge", forge, "--cpu", str(cpus[0]), "--slow-cpu", str(cpus[1]),
                     "--millis", str(bench.millis)])
        rows = {name: float(value) / 1e6 for name, value in re.findall(r"(packets-per-second|at-rest) (\d+)", text)}
        kept.append(rows)
        return rows.pop(column)
    return measure


def flooded(name, forge):
    return Case(f"handshake-flood/{name}", "Mpackets/s", "higher", flood(forge, "packets-per-second"), "itself at rest",
                flood(forge, "at-rest"), programs=("bench/tunnel_flood",))


CASES = [*(path(d, s) for d in ("encap", "decap") for s in SIZES), *(peers(d, s) for d in ("encap", "decap") for s in SIZES),
         two("encap"), two("decap"),
         flooded("bad-mac1", "mac1"), flooded("no-cookie", "cookie"), flooded("no-message", "noise"),
         Case("tunnel-go", "CPU s/GB", "lower", tunnel_lab.tcp(True), "wireguard-go", tunnel_lab.tcp(False), programs=DAEMONS),
         Case("handshakes", "a CPU second", "higher", tunnel_lab.handshakes(True), "wireguard-go", tunnel_lab.handshakes(False),
              programs=("bench/handshakes", *DAEMONS))]
