#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the tests, and counts them. Called by ./check, which installs packages first.

Each part prints one line a test program ("ok" or "FAIL"), and a failing one's output. The last line is
"N passed, N failed", with ", N skipped" when something could not run here; the line of a skipped one says
why. The exit status is 0 only when nothing failed. Nothing waits for ever: each step has its time limit.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GCC_BUILD = os.path.join(ROOT, "build-check")
CLANG_BUILD = os.path.join(ROOT, "build-clang")
SANITIZED = ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dwerror=true"]
ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0",
}
PARTS = {
    "unit": "one test program a source, the layer rules, the fuzzers' corpora replayed (gcc, ASan, UBSan)",
    "whole": "the entire dataplane on memory ports, no root needed (gcc, ASan, UBSan)",
    "clang": "the tree compiles with clang without a warning",
    "fuzz-corpus": "each fuzzer for two seconds from its committed corpus (clang, libFuzzer)",
    "docs": "what the documents name exists",
    "lab": "routers, providers and stock peers in network namespaces (root)",
}
DEFAULT = list(PARTS)
FUZZ_SECONDS = 2


class Count:
    """What ran so far."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def ok(self, name, number=1, note=""):
        self.passed += number
        say(f"ok    {name}" + (f" ({number})" if number != 1 else "") + (f"  {note}" if note else ""))

    def fail(self, name, output="", number=1):
        self.failed += number
        say(f"FAIL  {name}" + (f" ({number})" if number != 1 else ""))
        for line in output.strip().splitlines()[-60:]:
            say(f"      {line}")

    def skip(self, name, why, number=1):
        self.skipped += number
        say(f"skip  {name}: {why}")

    def line(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def say(text):
    print(text, flush=True)


def run(argv, timeout, env=None):
    """(exit status, output); a program that is late is ended with what it started and has status 124."""
    with subprocess.Popen(argv, cwd=ROOT, env=dict(os.environ, **ENVIRONMENT, **(env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as child:
        try:
            return (child.communicate(timeout=timeout)[0], child.returncode)[::-1]
        except BaseException as problem:
            os.killpg(child.pid, signal.SIGKILL)
            output = child.communicate()[0]
            if isinstance(problem, subprocess.TimeoutExpired):
                return 124, f"{output}\nnot done after {timeout} s"
            raise


def build(count, name, place, compiler, options):
    """Configures and compiles; True when that worked."""
    begun = time.monotonic()
    env = {"CC": compiler}
    if not os.path.exists(f"{place}/build.ninja"):
        status, output = run(["meson", "setup", place, ROOT, *SANITIZED, *options], 300, env)
        if status:
            count.fail(f"{name}: meson setup", output)
            return False
    status, output = run(["ninja", "-C", place], 1200, env)
    if status:
        count.fail(f"{name}: compile", output)
        return False
    say(f"      {name} built in {time.monotonic() - begun:.0f} s")
    return True


def count_program(count, test):
    """One test program of meson's log. cmocka's own tests are counted one by one."""
    name = test["name"].split(":", 1)[-1].replace("+fuzz", "").replace(" / ", "/")
    output = test.get("stdout", "") + test.get("stderr", "")
    passed = len(re.findall(r"^\[       OK \] ", output, re.M))
    failed = len(set(re.findall(r"^\[  FAILED  \] ([A-Za-z_]\w*)", output, re.M)))
    skipped = set(re.findall(r"^\[  SKIPPED \] ([A-Za-z_]\w*)", output, re.M))
    if test["result"] == "OK":
        if passed or not skipped:
            count.ok(name, passed or 1)
    elif test["result"] == "SKIP":
        count.skip(name, output.strip().splitlines()[-1] if output.strip() else "says it cannot run here")
    else:
        if passed:
            count.passed += passed
        count.fail(name, f"{output}\n{test['result']}, exit status {test.get('returncode')}", failed or 1)
    for one in sorted(skipped):
        count.skip(f"{name}: {one}", "skips itself here")


def meson_suite(count, suite):
    listed = json.loads(run(["meson", "introspect", GCC_BUILD, "--tests"], 60)[1])
    if not any(name.split(":")[-1] == suite for test in listed for name in test["suite"]):
        say(f"      no tests in suite {suite}")
        return
    log = f"{GCC_BUILD}/meson-logs/testlog-{suite}.json"
    if os.path.exists(log):
        os.unlink(log)
    status, output = run(["meson", "test", "-C", GCC_BUILD, "--no-rebuild", "--suite", suite, "--logbase",
                          f"testlog-{suite}", "--timeout-multiplier", "4", "--num-processes", "2"], 1200)
    if not os.path.exists(log):
        count.fail(f"{suite}: meson test", output)
        return
    before = count.failed
    with open(log, encoding="utf-8") as lines:
        for test in lines:
            count_program(count, json.loads(test))
    if status and count.failed == before:
        count.fail(f"{suite}: meson test", f"{output}\nexit status {status}")


def part_unit(count):
    meson_suite(count, "unit")


def part_whole(count):
    meson_suite(count, "whole")


def part_clang(count):
    if build(count, "build-clang", CLANG_BUILD, "clang", ["-Dfuzzing=true"]):
        count.ok("clang: no warning")


def part_fuzz_corpus(count):
    if not build(count, "build-clang", CLANG_BUILD, "clang", ["-Dfuzzing=true"]):
        return
    names = sorted(name for name in os.listdir(f"{CLANG_BUILD}/tests/fuzz")
                   if re.fullmatch(r"fuzz_\w+", name))
    for name in names:
        status, output = run([f"{ROOT}/tests/fuzz/run", str(FUZZ_SECONDS), name[5:]], 120,
                             {"FUZZ_BUILD": CLANG_BUILD})
        if status:
            count.fail(f"fuzz-corpus/{name[5:]}", output)
        else:
            count.ok(f"fuzz-corpus/{name[5:]}")


def part_docs(count):
    status, output = run([f"{ROOT}/tests/docs/check"], 60)
    if status:
        count.fail("docs", output)
    else:
        count.ok("docs", note=output.strip().splitlines()[-1])


def part_lab(count):
    """The lab's runner prints its own lines as they happen; its last line is JSON with the counts."""
    why = lab_impossible()
    if why:
        count.skip("lab", why)
        return
    env = dict(os.environ, **ENVIRONMENT, BYWAY_BUILD=GCC_BUILD)
    result = None
    with subprocess.Popen(["/usr/bin/python3", f"{ROOT}/tests/lab/run.py", "--json"], cwd=ROOT, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as lab:
        try:
            for line in lab.stdout:
                if line.startswith("{"):
                    result = json.loads(line)
                else:
                    say(line.rstrip())
        except BaseException:
            lab.terminate()  # it takes the lab down
            lab.wait(60)
            raise
    if result is None:
        count.fail("lab: the runner ended early", f"exit status {lab.returncode}")
        return
    count.passed += result["passed"]
    count.failed += result["failed"]
    count.skipped += result["skipped"]


def lab_impossible():
    """Why this machine cannot run the lab, or None."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    status, output = run(["unshare", "--net", "--mount", "--propagation", "unchanged", "--uts", "true"], 10)
    if status:
        return f"network namespaces cannot be made here: {output.strip()}"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is missing"
    return None


def main():
    parser = argparse.ArgumentParser(
        prog="./check", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog="parts:\n" + "\n".join(f"  {name:12} {text}" for name, text in PARTS.items()))
    parser.add_argument("parts", nargs="*", metavar="PART", help="which parts (default: all)")
    parts = parser.parse_args().parts or DEFAULT
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"no part '{unknown[0]}', expected one of: {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    count = Count()
    built = not {"unit", "whole", "lab"} & set(parts) or build(count, "build-check", GCC_BUILD, "gcc", [])
    for part in parts:
        if part in ("unit", "whole", "lab") and not built:
            continue
        say(f"== {part}: {PARTS[part]}")
        globals()[f"part_{part.replace('-', '_')}"](count)
    say(count.line())
    return 1 if count.failed or not count.passed + count.skipped else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
