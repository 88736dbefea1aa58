# SPDX-License-Identifier: BSD-3-Clause
"""Longest-prefix match: lib/lpm4 and lib/lpm6 against the fastest form of DPDK's rte_fib and rte_fib6 (bench/lpm)."""
import os
import re
import statistics

import plot
from harness import BenchError, Case, Plot, Unavailable, call

PROGRAMS = ("bench/lpm",)
OURS = ("--engine", "byway", "--form", "best")
OURS_SCALAR = ("--engine", "byway", "--form", "scalar")
FIB = ("--engine", "rte_fib", "--form", "best")
FIB_NAME = {4: "rte_fib, its best form", 6: "rte_fib6, its best form"}
FIB_FORMS = {4: ("scalar-macro", "scalar-inline", "scalar-uni", "avx512"), 6: ("scalar", "avx512")}
FIB_SCALAR = {4: "scalar-uni", 6: "scalar"}
COUNT_KEYS = 1 << 20
BURSTS = (1, 8, 16, 32, 64, 128, 256)
SIZES = (10, 100, 1000, 10_000, 100_000)
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


def rate(answer, prefix=""):
    """Millions of lookups a second."""
    return float(answer[prefix + "lookups-per-second"]) / MILLION


def alone(mode, family, *options):
    return lambda bench: rate(lpm(bench, mode, family, *options))


def pair(mode, family, *options):
    """Two measures, ours and rte_fib's, from one process in which both take turns (and must answer alike): whoever is asked
    first runs it and leaves the other's figure for the other."""
    key = (mode, family, options)

    def side(prefix, other):
        def measure(bench):
            waiting = bench.cache.setdefault(key, {})
            if prefix not in waiting:
                answer = lpm(bench, mode, family, *OURS, "--against", "rte_fib", *options)
                waiting |= {p: rate(answer, p) for p in (prefix, other)}
            return waiting.pop(prefix)
        return measure
    return side("", "against-"), side("against-", "")


def memory(family, which, *options):
    """MB."""
    return lambda bench: float(lpm(bench, "memory", family, "--keys", "4096", *options)[which]) / MILLION


def update(family, *options):
    """Adds and deletes, in thousands a second, while one reader looks up."""
    return lambda bench: float(lpm(bench, "update", family, "--readers", "1", *options)["updates-per-second"]) / 1000


def churn(family, updates, *options):
    """Millions of lookups a second of a reader, beside so many updates a second."""
    return alone("churn", family, "--rate", str(updates), *OURS, *options)


def lookup_case(name, mode, family, *options):
    ours, theirs = pair(mode, family, *options)
    return Case(name, "M lookups/s", "higher", ours, FIB_NAME[family], theirs, PROGRAMS)


def family_cases(family):
    f = f"lpm{family}"
    yield lookup_case(f"{f}-lookup", "lookup", family)
    yield lookup_case(f"{f}-lookup-cold", "cold", family)
    yield lookup_case(f"{f}-lookup-cold/headers", "cold", family, "--touch", "128")
    yield Case(f"{f}-memory", "MB", "lower", memory(family, "bytes", *OURS), "least it accepts the table in",
               memory(family, "least", *FIB), PROGRAMS)
    yield Case(f"{f}-memory/touched", "MB", "lower", memory(family, "bytes", *OURS), "its tables in use",
               memory(family, "bytes", *FIB), PROGRAMS)
    yield Case(f"{f}-memory/exact", "MB", "lower", memory(family, "control", *OURS), "its rib",
               memory(family, "control", *FIB), PROGRAMS)
    yield Case(f"{f}-update", "k updates/s", "higher", update(family, *OURS), FIB_NAME[family], update(family, *FIB), PROGRAMS)
    for form in FIB_FORMS[family]:
        yield Case(f"{f}-rte-fib/{form}", "M lookups/s", "higher", alone("lookup", family, "--engine", "rte_fib", "--form", form),
                   programs=PROGRAMS)
    for burst in BURSTS:
        yield lookup_case(f"{f}-burst/{burst}", "lookup", family, "--burst", str(burst))


def candidate_cases(family, engines):
    """What each structure could do, ours and DPDK's among them: hot, cold, MB."""
    for name in engines:
        options = OURS if name == "byway" else ("--engine", name, "--form", "best")
        case = f"lpm{family}-candidates/{name}"
        yield Case(case, "M lookups/s", "higher", alone("lookup", family, *options), programs=PROGRAMS)
        yield Case(f"{case}-cold", "M lookups/s", "higher", alone("cold", family, *options), programs=PROGRAMS)
        yield Case(f"{case}-memory", "MB", "lower", memory(family, "least", *options), programs=PROGRAMS)


def count(bench, family, *options):
    """Events a lookup, counted by callgrind with this processor's L1 and L2 (its L3 is others' too); scalar forms, since
    valgrind does not know AVX-512. They do not vary, so that one run is enough."""
    key = ("count", family, options)
    if key not in bench.cache:
        out = os.path.join(bench.folder, "callgrind")
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=lpm_count_lap", "--cache-sim=yes", "--D1=49152,12,64",
                   "--LL=2097152,16,64", f"--callgrind-out-file={out}", f"{bench.build}/bench/lpm", "count", "--family",
                   str(family), "--keys", str(COUNT_KEYS), "--routes", bench.routes4 if family == 4 else bench.routes6, *options]
        call(command)
        with open(out, encoding="utf-8") as f:
            lines = f.read().splitlines()
        events = next(l for l in lines if l.startswith("events:")).split()[1:]
        totals = next(l for l in lines if l.startswith(("summary:", "totals:"))).split()[1:]
        bench.cache[key] = {name: int(n) / COUNT_KEYS for name, n in zip(events, totals)}
    return bench.cache[key]


def count_cases(family):
    fib = FIB_SCALAR[family]

    def case(name, unit, *events):
        def side(*options):
            return lambda bench: sum(count(bench, family, *options)[e] for e in events)
        return Case(f"lpm{family}-counts/{name}", f"{unit}/lookup", "lower", side(*OURS_SCALAR), f"rte_fib, {fib}",
                    side("--engine", "rte_fib", "--form", fib), PROGRAMS, ("valgrind",))
    yield case("instructions", "instructions", "Ir")
    yield case("loads", "loads", "Dr")
    yield case("l1-misses", "misses", "D1mr", "D1mw")
    yield case("l2-misses", "misses", "DLmr", "DLmw")


def churn_cases(family):
    """elsewhere: the same updates in another table, which nobody reads; what the reader loses there is the machine's doing."""
    for name, options in (("", ()), ("-elsewhere", ("--elsewhere",))):
        yield Case(f"lpm-churn/ipv{family}{name}", "M lookups/s", "higher", churn(family, 100_000, *options), "itself at rest",
                   churn(family, 0, *options), PROGRAMS)


CASES = [*family_cases(4), *family_cases(6), *churn_cases(4), *churn_cases(6), *count_cases(4), *count_cases(6),
         *candidate_cases(4, ("byway", "rte_fib", "dxr18", "dxr19", "dxr20", "btree")),
         *candidate_cases(6, ("byway", "rte_fib", "btree"))]


def median_pair(bench, family, *options):
    """Medians of some runs of both sides."""
    measures = pair("lookup", family, *options)
    runs = [[measure(bench) for measure in measures] for _ in range(3)]
    return [statistics.median(side) for side in zip(*runs)]


def count_routes(bench, family):
    with open(bench.routes4 if family == 4 else bench.routes6, encoding="ascii") as f:
        return sum(1 for _ in f)


def draw_series(bench, family, title, x_label, runs, logarithmic=False):
    """runs: (x, options of bench/lpm) each."""
    series = {"Byway": [], "rte_fib" if family == 4 else "rte_fib6": []}
    for x, options in runs:
        for points, value in zip(series.values(), median_pair(bench, family, *options)):
            points.append((x, value))
    return plot.lines(title, x_label, "million lookups a second", series, logarithmic)


def draw_sizes(family):
    def draw(bench):
        whole = count_routes(bench, family)
        runs = [(n, ("--max-routes", str(n))) for n in SIZES if n < whole] + [(whole, ())]
        return draw_series(bench, family, f"IPv{family} lookups against the size of the table", "routes", runs, True)
    return draw


def draw_bursts(family):
    def draw(bench):
        runs = [(n, ("--burst", str(n))) for n in BURSTS]
        return draw_series(bench, family, f"IPv{family} lookups against the burst, whole table", "keys a call", runs)
    return draw


def draw_updates(bench):
    groups = {}
    for readers in (0, 1):
        for family in (4, 6):
            for name, options in (("Byway", OURS), ("rte_fib", FIB)):
                runs = [float(lpm(bench, "update", family, "--readers", str(readers), *options)["updates-per-second"])
                        for _ in range(3)]
                groups.setdefault(f"IPv{family}, {readers} readers", {})[name] = statistics.median(runs)
    return plot.bars("Adds and deletes in the whole table, with and without a reader", "", "updates a second", groups)


PLOTS = [Plot("lpm4-size", draw_sizes(4), PROGRAMS), Plot("lpm6-size", draw_sizes(6), PROGRAMS),
         Plot("lpm4-bursts", draw_bursts(4), PROGRAMS), Plot("lpm6-bursts", draw_bursts(6), PROGRAMS),
         Plot("lpm-readers", draw_updates, PROGRAMS)]
