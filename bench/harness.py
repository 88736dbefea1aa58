# SPDX-License-Identifier: BSD-3-Clause
"""The bench harness: chooses cases, builds, runs each alternately with its baseline, prints one table.

A file bench/cases_<noun>.py exports

    CASES = [Case(name, unit, better, measure, baseline, measure_baseline, programs, packages), ...]
    PLOTS = [Plot(name, draw, programs, packages), ...]        # may be absent

measure(bench) and measure_baseline(bench) return one float for one run; they are called bench.repeats times each, in
turns. A measure may raise Unavailable("why"): the row says so instead of a figure. draw(bench) returns the text of an SVG.
"""
import argparse
import collections
import functools
import glob
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

import machine
import tables

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HUGE_MIB = 1024  # of 2 MiB pages that a run wants
SETUP = ["--buildtype=release", "-Db_ndebug=true"]


class BenchError(Exception):
    """A sentence for the user. Raised by a measure it fails that case; the others go on, and the exit status is 1."""


class Unavailable(Exception):
    """Why a figure cannot be had on this machine; the other cases go on."""


class Case:
    """One row: what is measured, against what. Name: "group" or "group/case". programs: targets of ninja;
    packages: of Debian, beyond tests/packages.txt."""

    def __init__(self, name, unit, better, measure, baseline=None, measure_baseline=None, programs=(), packages=()):
        if better not in ("higher", "lower") or (baseline is None) != (measure_baseline is None):
            raise ValueError(f"case {name}: better is higher or lower, a baseline has a name and a measure")
        self.name, self.unit, self.better = name, unit, better
        self.measure, self.baseline, self.measure_baseline = measure, baseline, measure_baseline
        self.programs, self.packages = tuple(programs), tuple(packages)


class Plot:
    """A picture for docs/: draw(bench) returns SVG text."""

    def __init__(self, name, draw, programs=(), packages=()):
        self.name, self.draw, self.programs, self.packages = name, draw, tuple(programs), tuple(packages)


class Bench:
    """What a measure may know.

    build: the folder of the programs; quick; millis: length of one run; repeats: runs a side;
    routes4, routes6: files, one CIDR a line; tables: the user's folder or None; real: whether routes are real ones;
    cache: for what cases want to keep between runs (a check's sum, a calibration).
    """

    def __init__(self, options, folder):
        self.build, self.quick, self.tables = options.build, options.quick, options.tables
        self.repeats, self.millis = (3, 300) if options.quick else (7, 1000)
        self.real = options.tables is not None
        self.folder = folder
        self.cache = {}

    @functools.cached_property
    def _routes(self):
        try:
            return tables.write(self.tables, self.folder, self.build)
        except tables.TablesError as e:
            raise BenchError(f"--tables {self.tables}: {e}") from e

    @property
    def routes4(self):
        return self._routes[0]

    @property
    def routes6(self):
        return self._routes[1]


def call(command, **options):
    """Runs a command to its end and returns what it printed; BenchError when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-20:])
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}:\n{last}")
    return done.stdout


def load_modules():
    """All cases and plots, in the order of their files' names."""
    cases, plots = [], []
    for path in sorted(glob.glob(os.path.join(ROOT, "bench", "cases_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        cases += module.CASES
        plots += getattr(module, "PLOTS", [])
    doubled = [n for n, times in collections.Counter(x.name for x in cases + plots).items() if times > 1]
    if doubled:
        raise BenchError(f"two benchmarks have the name {doubled[0]}")
    return cases, plots


def matches(item, name):
    return name in (item.name, item.name.split("/")[0])


def choose(items, names):
    """Those of these names or groups, in their own order; all without names."""
    for name in names:
        if not any(matches(i, name) for i in items):
            raise BenchError(f"there is no benchmark '{name}': bench/run --list names them")
    return [i for i in items if not names or any(matches(i, n) for n in names)]


def prepare(items, build):
    """Installs what the chosen ones need and builds their programs, optimised; nothing else."""
    packages = sorted({p for i in items for p in i.packages})
    targets = sorted({p for i in items for p in i.programs})
    if subprocess.run([os.path.join(ROOT, "tests", "install.sh"), *packages], stdout=sys.stderr, check=False).returncode:
        raise BenchError("packages are missing")
    if not targets:
        return
    if not os.path.exists(f"{build}/build.ninja"):
        print(f"bench/run: building in {build}", file=sys.stderr)
        call(["meson", "setup", build, ROOT, *SETUP])
    call(["ninja", "-C", build, *targets])


def spread(values):
    """From lowest to highest, as a share of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0


def empty_row(case):
    return {"name": case.name, "value": None, "unit": case.unit, "better": case.better, "baseline": case.baseline,
            "baseline_value": None, "ratio": None, "n": 0, "spread": None}


def run_case(case, bench):
    """Both sides in turns. Who begins changes from turn to turn, so that a drift of the machine hits both alike.
    Returns the row and the spread of the baseline."""
    ours, theirs = [], []
    sides = [(ours, case.measure)] + ([(theirs, case.measure_baseline)] if case.baseline else [])
    row = empty_row(case)
    try:
        for turn in range(bench.repeats):
            for values, measure in sides[::-1] if turn % 2 else sides:
                values.append(float(measure(bench)))
    except Unavailable as e:
        return row | {"why": str(e)}, None
    except BenchError as e:
        print(f"bench/run: {case.name}: {e}", file=sys.stderr)
        return row | {"why": "failed", "failed": True}, None
    row |= {"value": statistics.median(ours), "n": len(ours), "spread": spread(ours)}
    if not theirs:
        return row, None
    base = statistics.median(theirs)
    return row | {"baseline_value": base, "ratio": row["value"] / base if base else None}, spread(theirs)


def digits(value):
    """Four significant ones, without exponents."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(value):
    return "-" if value is None else f"{value * 100:.1f} %"


def cells(row, their_spread):
    """The row as the table shows it."""
    if "why" in row:
        return [row["name"], "-", row["unit"], "-", row["why"], "-", "-", "-"]
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}"
    return [row["name"], digits(row["value"]), row["unit"], percent(row["spread"]), row["baseline"] or "-",
            digits(row["baseline_value"]), percent(their_spread), ratio]


HEAD = ["name", "value", "unit", "spread", "baseline", "its value", "its spread", "ratio"]


class Table:
    """Prints row after row as they come; for people, or as Markdown for docs/bench.md."""

    def __init__(self, cases, markdown):
        self.markdown = markdown
        self.widths = [max([len(c.name) for c in cases] + [4]), 10, max([len(c.unit) for c in cases] + [4]), 7,
                       max([len(c.baseline or "") for c in cases] + [8]), 10, 10, 5]
        self.line(HEAD)
        if markdown:
            print("|" + "---|" * len(HEAD), flush=True)

    def line(self, texts):
        if self.markdown:
            print("| " + " | ".join(texts) + " |", flush=True)
        else:
            print("  ".join(t.ljust(w) for t, w in zip(texts, self.widths)).rstrip(), flush=True)


def run_cases(bench, cases, options):
    """Measures and prints; True when none failed. Rows go to the JSON file after each case, so that a broken run leaves
    what it had."""
    rows = []
    table = Table(cases, options.markdown)
    for case in cases:
        row, their_spread = run_case(case, bench)
        rows.append(row)
        table.line(cells(row, their_spread))
        if options.json:
            with open(options.json, "w", encoding="utf-8") as f:
                json.dump(rows, f, indent=1)
                f.write("\n")
    return not any(r.get("failed") for r in rows)


def draw_plots(bench, plots, folder):
    os.makedirs(folder, exist_ok=True)
    for p in plots:
        path = os.path.join(folder, p.name.replace("/", "-") + ".svg")
        try:
            text = p.draw(bench)
        except Unavailable as e:
            print(f"{path}: not drawn: {e}", flush=True)
            continue
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        print(path, flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Runs the benchmarks, each alternately with its baseline, and prints one table. "
        "Ratios count (value / its baseline's value); absolute figures move with the machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a group (forward4) or a case (forward4/cold); default: all")
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    parser.add_argument("--quick", action="store_true", help="three short runs a side instead of seven long ones")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and the plots, and stop")
    parser.add_argument("--tables", metavar="DIR", help="real routing tables (DIR/prefixes-2024.txt.gz); default: generated")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build-bench"), help="where to build")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/bench.md")
    parser.add_argument("--plots", metavar="DIR", help="draw the plots (or those of these names) there instead of measuring")
    return parser.parse_args(arguments)


def print_list(cases, plots):
    for c in cases:
        print(f"{c.name}  ({c.unit}{', against ' + c.baseline if c.baseline else ''})")
    for p in plots:
        print(f"{p.name}  (plot)")


def run(options):
    """True when nothing failed."""
    cases, plots = load_modules()
    if options.list:
        print_list(cases, plots)
        return True
    chosen = choose(plots if options.plots else cases, options.names)
    options.build = os.path.abspath(options.build)  # some programs are started in other places
    prepare(chosen, options.build)
    good = True
    with tempfile.TemporaryDirectory(prefix="byway-bench-") as folder, machine.huge_pages(HUGE_MIB):
        bench = Bench(options, folder)
        print(machine.describe(), flush=True)
        print(f"tables: {options.tables if bench.real else 'generated'}; {bench.repeats} runs a side of about {bench.millis} ms"
              + ("\n" if options.markdown else ""), flush=True)
        before = machine.cpu_times()
        if options.plots:
            draw_plots(bench, chosen, options.plots)
        else:
            good = run_cases(bench, chosen, options)
        note = machine.describe_disturbance(before)
        if note:
            print(note)
    return good


def main(arguments=None):
    """The exit status: 0, or 1 with a sentence on standard error."""
    options = parse(arguments)
    try:
        return 0 if run(options) else 1
    except (BenchError, OSError) as e:
        print(f"bench/run: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
