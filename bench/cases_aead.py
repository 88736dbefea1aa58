# SPDX-License-Identifier: BSD-3-Clause
"""ChaCha20-Poly1305 over bursts under one key: lib/aead_burst against the bare ipsec-mb on the same bytes (bench/aead)."""
import re

from harness import BenchError, Case, Unavailable, call

PROGRAMS = ("bench/aead",)
SIZES = ("64", "128", "256", "512", "1024", "1420", "imix")
BURSTS = (1, 2, 4, 8, 16, 64)


def aead(bench, *options):
    """What bench/aead prints, as a dictionary of texts."""
    try:
        text = call([f"{bench.build}/bench/aead", "--millis", str(bench.millis), *options])
    except BenchError as e:
        if "ended with 3:" in str(e):
            raise Unavailable(str(e).strip().splitlines()[-1].removeprefix("aead: ")) from e
        raise
    return dict(re.findall(r"([a-z][a-z0-9-]+) (\S+)", text))


def pair(*options):
    """Two measures, ours and ipsec-mb's, from one process in which both take turns: whoever is asked first runs it and leaves
    the other's figure for the other."""
    key = ("aead", options)

    def side(name, other):
        def measure(bench):
            waiting = bench.cache.setdefault(key, {})
            if name not in waiting:
                answer = aead(bench, *options)
                waiting |= {n: float(answer[n]) for n in (name, other)}
            return waiting.pop(name)
        return measure
    ours, theirs = "cycles-per-packet", "against-cycles-per-packet"
    return side(ours, theirs), side(theirs, ours)


def speed(cycles):
    """Packets in a million cycles, so that a ratio above one says how many times faster we are."""
    return lambda bench: 1e6 / cycles(bench)


def case(name, baseline, *options):
    ours, theirs = pair(*options)
    return Case(name, "packets/Mcycle", "higher", speed(ours), baseline, speed(theirs), PROGRAMS)


def bytes_of(size):
    return ("--imix",) if size == "imix" else ("--len", size)


def group(name, baseline, *options):
    """Sealing as name/size, opening as name/size-open."""
    for size in SIZES:
        yield case(f"{name}/{size}", baseline, *options, *bytes_of(size))
        yield case(f"{name}/{size}-open", baseline, *options, *bytes_of(size), "--open")


def burst_cases():
    for burst in BURSTS:
        for size in ("64", "1420", "imix"):
            yield case(f"aead-burst/{burst}-{size}", "ipsec-mb", "--burst", str(burst), *bytes_of(size))


CASES = [*group("aead", "ipsec-mb"),
         *group("aead-avx2", "ipsec-mb, AVX2", "--isa", "avx2", "--arch", "avx2"),
         *group("aead-sse", "ipsec-mb, SSE", "--isa", "sse", "--arch", "sse"),
         *burst_cases(),
         case("aead-far/1420", "ipsec-mb", "--buffers", "65536", "--len", "1420")]
