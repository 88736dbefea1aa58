#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the lab's tests: tests/lab/run.py [MODULE[:TEST] ...]

A module test_<name>.py has a lab of its own, put up as its ROUTERS says ("stock" or "byway"), or none
(ROUTERS = None: its tests make what they need). Its functions test_* run in the order they are written
in; the first line of a function's docstring is its name in the output; a string it returns is printed
as what it measured. A module's tests may build on each other's state. A module's needs(), if it has one, raises
Skip when this machine cannot run any of them.

With Byway in the lab one more test follows each module: the daemons ran through without a restart that
no test caused, end when told to, and say nothing that a sanitizer found.
"""
import argparse
import importlib
import inspect
import json
import os
import re
import shutil
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import byway  # noqa: E402
import lab    # noqa: E402
from net import LabError, Net, Skip, state_dir  # noqa: E402

TEST_TIMEOUT_S = 180
KEPT_LOGS = "lab-logs"
REPORT = re.compile(r"ERROR: AddressSanitizer|runtime error:|LeakSanitizer: detected|WARNING: ThreadSanitizer|"
                    r"Assertion .* failed")


class Late(Exception):
    """A test did not end in its time."""


def say(text):
    print(text, flush=True)


class Runner:
    def __init__(self, prefix, build):
        self.prefix, self.build = prefix, build
        self.passed = self.failed = self.skipped = 0

    def attempt(self, name, function, *arguments):
        """One test: runs it within its time and prints its line."""
        begun = time.monotonic()
        signal.alarm(getattr(function, "timeout", TEST_TIMEOUT_S))
        try:
            note = function(*arguments)
        except Skip as why:
            self.skipped += 1
            say(f"skip  {name}: {why}")
            return True
        except (LabError, AssertionError, Late) as problem:
            self.failed += 1
            say(f"FAIL  {name}: {problem or 'assertion'}")
            where = traceback.extract_tb(problem.__traceback__)[-1]
            say(f"      {os.path.basename(where.filename)}:{where.lineno}: {where.line}")
            return False
        except Exception:  # a broken test is a failed one
            self.failed += 1
            say(f"FAIL  {name}")
            for line in traceback.format_exc().splitlines():
                say(f"      {line}")
            return False
        finally:
            signal.alarm(0)
        self.passed += 1
        say(f"ok    {name}" + (f": {note}" if note else "") + f"  [{time.monotonic() - begun:.1f} s]")
        return True

    def module(self, name, only):
        module = importlib.import_module(f"test_{name}")
        tests = [(text, function) for text, function in inspect.getmembers(module, inspect.isfunction)
                 if text.startswith("test_") and (not only or text == only)]
        tests.sort(key=lambda item: item[1].__code__.co_firstlineno)
        routers, before = module.ROUTERS, self.failed
        say(f"== lab/{name}: {(module.__doc__ or '').strip().splitlines()[0]}")
        net = None
        if hasattr(module, "needs") and not self.can_run(name, module.needs, len(tests)):
            return
        try:
            if routers:
                net = self.put_up(name, routers, getattr(module, "OPTIONS", None))
                if net is None:
                    return
            for _, function in tests:
                title = (function.__doc__ or function.__name__).strip().splitlines()[0].rstrip(".")
                self.attempt(f"lab/{name}: {title}", function, *([net] if net else []))
            if routers == "byway":
                self.attempt(f"lab/{name}: the daemons ran clean", daemons_ran_clean, net,
                             getattr(module, "MAY_RESTART", False))
            if net and self.failed > before:
                self.keep_logs(name)
        finally:
            Net.destroy(self.prefix)

    def can_run(self, name, needs, number):
        """False, and the tests counted as skipped, when the machine lacks what the module needs."""
        try:
            needs()
        except Skip as why:
            self.skipped += number
            say(f"skip  lab/{name}: {number} tests: {why}")
            return False
        return True

    def put_up(self, name, routers, options):
        made = []

        def up():
            made.append(lab.bring_up(self.prefix, routers, self.build, options))
        before = self.passed
        if not self.attempt(f"lab/{name}: the lab comes up", up):
            return None
        self.passed = before  # putting it up is no test of its own
        return made[0]

    def keep_logs(self, name):
        place = os.path.join(byway.ROOT, KEPT_LOGS, name)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(state_dir(self.prefix), place, dirs_exist_ok=True)
        say(f"      logs of the failed module: {os.path.relpath(place, byway.ROOT)}")


def daemons_ran_clean(net, may_restart):
    """Nothing was restarted that no test killed, both daemons end by SIGTERM with status 0, and their logs
    hold no report of a sanitizer."""
    for site in lab.BYWAY_SITES:
        for name in ("byway-control", "byway-dataplane"):
            daemon = byway.Daemon(net.nodes[site], name)
            starts, end = daemon.starts(), daemon.stop()
            lines = daemon.log()
            for number, line in enumerate(lines):
                if REPORT.search(line):
                    raise LabError(f"{site}: {name}: " + "\n      ".join(lines[number:number + 30]))
            if starts != 1 and not may_restart:
                raise LabError(f"{site}: {name} was started {starts} times; its log ends: {' | '.join(lines[-3:])}")
            if end != "exit 0":
                raise LabError(f"{site}: {name} ended by SIGTERM with {end}: {' | '.join(lines[-3:])}")


def modules():
    return sorted(name[5:-3] for name in os.listdir(HERE) if re.fullmatch(r"test_\w+\.py", name))


def on_alarm(*_):
    raise Late("not done in its time")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", metavar="MODULE[:TEST]", help=f"of: {', '.join(modules())}")
    parser.add_argument("--prefix", default=f"check{os.getpid()}", help="name of the lab instance")
    parser.add_argument("--build", help="build directory (default: $BYWAY_BUILD, build-demo, build, build-check)")
    parser.add_argument("--json", action="store_true", help="print the counts as a last line of JSON")
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runner = Runner(args.prefix, args.build)
    for wanted in args.tests or modules():
        name, _, only = wanted.partition(":")
        if name not in modules():
            parser.error(f"no module '{name}', expected one of: {', '.join(modules())}")
        runner.module(name, only)
    counts = {"passed": runner.passed, "failed": runner.failed, "skipped": runner.skipped}
    say(json.dumps(counts) if args.json else ", ".join(f"{number} {what}" for what, number in counts.items()))
    return 1 if runner.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
