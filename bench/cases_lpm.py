# SPDX-License-Identifier: BSD-3-Clause
"""Longest-prefix match: lib/lpm4 and lib/lpm6 against the fastest form of DPDK's rte_fib and rte_fib6 (bench/lpm)."""
import re

from harness import BenchError, Case, Unavailable, call

PROGRAMS = ("bench/lpm",)
OURS = ("--engine", "byway", "--form", "default")
FIB = ("--engine", "rte_fib", "--form", "best")
FIB_NAME = {4: "rte_fib, its best form", 6: "rte_fib6, its best form"}
FIB_FORMS = {4: ("scalar-macro", "scalar-inline", "scalar-uni", "avx512"), 6: ("scalar", "avx512")}
BURSTS = (1, 8, 16, 32, 64, 128, 256)
SIZES = (10, 100, 1000, 10_000, 100_000, 0)  # 0: the whole table
MILLION = 1e6


def lpm(bench, mode, family, *options):
    """What bench/lpm prints, as a dictionary of texts."""
    command = [f"{bench.build}/bench/lpm", mode, "--family", str(family), "--millis", str(bench.millis),
               "--routes", bench.routes4 if family == 4 else bench.routes6, *options]
    try:
        text = call(command)
    except BenchError as e:
        if "ended with 3:" in str(e):
            raise Unavailable(str(e).strip().splitlines()[-1].removeprefix("lpm: ")) from e
        raise
    return dict(re.findall(r"([a-z][a-z0-9-]+) (\S+)", text))


def check_sum(bench, family, options, answer):
    """Whoever looked the same keys up in the same table must have got the same values."""
    key = ("lpm-sum", family, *(o for o in options if o not in OURS + FIB))
    if bench.cache.setdefault(key, answer["sum"]) != answer["sum"]:
        raise BenchError(f"IPv{family}: two engines look up different values; bench/lpm compare names the address")


def lookup(family, *options):
    """Millions of lookups a second."""
    def measure(bench):
        answer = lpm(bench, "lookup", family, *options)
        if "--burst" not in options and "--max-routes" not in options:
            check_sum(bench, family, (), answer)
        return float(answer["lookups-per-second"]) / MILLION
    return measure


def cold(family, *options):
    return lambda bench: float(lpm(bench, "cold", family, *options)["lookups-per-second"]) / MILLION


def memory(family, which, *options):
    """MB."""
    return lambda bench: float(lpm(bench, "memory", family, "--keys", "4096", *options)[which]) / MILLION


def update(family, *options):
    """Adds and deletes, in thousands a second, while one reader looks up."""
    return lambda bench: float(lpm(bench, "update", family, "--readers", "1", *options)["updates-per-second"]) / 1000


def churn(family, rate):
    """Millions of lookups a second of a reader, beside so many updates a second."""
    return lambda bench: float(lpm(bench, "churn", family, "--rate", str(rate), *OURS)["lookups-per-second"]) / MILLION


def against_fib(name, family, unit, better, measure, *extra):
    """A case with the same measure on both sides."""
    return Case(name, unit, better, measure(family, *extra, *OURS), FIB_NAME[family], measure(family, *extra, *FIB), PROGRAMS)


def family_cases(family):
    f = f"lpm{family}"
    yield against_fib(f"{f}-lookup", family, "M lookups/s", "higher", lookup)
    yield against_fib(f"{f}-lookup-cold", family, "M lookups/s", "higher", cold)
    yield against_fib(f"{f}-lookup-cold/headers", family, "M lookups/s", "higher", cold, "--touch", "128")
    yield Case(f"{f}-memory", "MB", "lower", memory(family, "bytes", *OURS), "least it accepts the table in",
               memory(family, "least", *FIB), PROGRAMS)
    yield Case(f"{f}-memory/touched", "MB", "lower", memory(family, "bytes", *OURS), "its tables in use",
               memory(family, "bytes", *FIB), PROGRAMS)
    yield Case(f"{f}-memory/rib", "MB", "lower", memory(family, "control", *FIB), programs=PROGRAMS)
    yield against_fib(f"{f}-update", family, "k updates/s", "higher", update)
    for form in FIB_FORMS[family]:
        yield Case(f"{f}-rte-fib/{form}", "M lookups/s", "higher", lookup(family, "--engine", "rte_fib", "--form", form),
                   programs=PROGRAMS)
    for burst in BURSTS:
        yield against_fib(f"{f}-burst/{burst}", family, "M lookups/s", "higher", lookup, "--burst", str(burst))


def candidate_cases(family, engines):
    """What each structure could do, ours and DPDK's among them: hot, cold, MB."""
    for name in engines:
        options = OURS if name == "byway" else ("--engine", name, "--form", "best")
        case = f"lpm{family}-candidates/{name}"
        yield Case(case, "M lookups/s", "higher", lookup(family, *options), programs=PROGRAMS)
        yield Case(f"{case}-cold", "M lookups/s", "higher", cold(family, *options), programs=PROGRAMS)
        yield Case(f"{case}-memory", "MB", "lower", memory(family, "least", *options), programs=PROGRAMS)


def churn_case(family):
    return Case(f"lpm-churn/ipv{family}", "M lookups/s", "higher", churn(family, 100_000), "itself at rest", churn(family, 0),
                PROGRAMS)


CASES = [*family_cases(4), *family_cases(6), churn_case(4), churn_case(6),
         *candidate_cases(4, ("byway", "rte_fib", "dxr18", "dxr19", "dxr20", "btree")),
         *candidate_cases(6, ("byway", "rte_fib", "btree"))]
