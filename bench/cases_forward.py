# SPDX-License-Identifier: BSD-3-Clause
"""Cycles a packet of plain forwarding, against a swap of addresses between the same ports."""
import re

from harness import Case, call

PACKETS = 256  # mbufs in flight


def forward(bench, *options):
    """Cycles a packet of bench/forward."""
    command = [f"{bench.build}/bench/forward", "--packets", str(PACKETS), "--millis", str(bench.millis), *options]
    return float(re.search(r"cycles-per-packet ([\d.]+)", call(command)).group(1))


def full_table(bench):
    return forward(bench, "--routes", bench.routes4)


def macswap(bench):
    """The same ports and buffers with nothing but a swap of addresses between receive and transmit."""
    return forward(bench, "--macswap")


CASES = [
    Case("forward4/one-route", "cycles/packet", "lower", forward, "macswap", macswap, programs=("bench/forward",)),
    Case("forward4/full-table", "cycles/packet", "lower", full_table, "macswap", macswap, programs=("bench/forward",)),
]
