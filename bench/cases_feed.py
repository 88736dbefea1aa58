# SPDX-License-Identifier: BSD-3-Clause
"""The feed at scale: control's RIB to the dataplane over the real socket, against bird2 to the kernel; and groups."""
import os
import re
import shutil
import subprocess
import time

from harness import BenchError, Case, Unavailable, call

PATIENCE = 120  # seconds
QUIET = 0.5     # a bird that used no CPU for so long has told the kernel all it had to
RATE = 100_000  # changes a second
FEW = 10        # routes of the small table that a switch is compared with


def feed(bench, *options):
    """The figures that bench/fib_feed prints, by word."""
    command = [f"{bench.build}/bench/fib_feed", "--dataplane", f"{bench.build}/dataplane/byway-dataplane",
               "--routes", bench.routes4, "--routes", bench.routes6, *options]
    if os.geteuid() != 0:
        raise Unavailable("needs root: the dataplane has a network namespace of its own")
    return {w: float(v) for w, v in (line.split() for line in call(command).splitlines())}


def figure(word, *options):
    """A measure that is one word of one run."""
    return lambda bench: feed(bench, *options)[word]


def per_route(word):
    """Bytes of resident memory that a route added."""
    def measure(bench):
        figures = feed(bench)
        return figures[word] * 1024 / figures["routes"]
    return measure


# --- bird2 and the kernel ---

BIRD_CONF = """router id 10.0.0.1;
log stderr {{ error, fatal, bug }};
protocol device {{}}
protocol static static4 {{ ipv4 {{}};
include "{folder}/bird4.conf";
}}
protocol static static6 {{ ipv6 {{}};
include "{folder}/bird6.conf";
}}
protocol kernel kernel4 {{ disabled yes; scan time 3600; ipv4 {{ import none; export all; }}; }}
protocol kernel kernel6 {{ disabled yes; scan time 3600; ipv6 {{ import none; export all; }}; }}
"""


def write_bird(bench):
    """bird's configuration with the same routes over two next hops; returns its path and how many routes it has."""
    folder, n = bench.folder, 0
    for family, source, gateways in ((4, bench.routes4, ("10.0.0.1", "10.0.0.2")), (6, bench.routes6, ("fd00::1", "fd00::2"))):
        with open(source, encoding="ascii") as routes, open(f"{folder}/bird{family}.conf", "w", encoding="ascii") as out:
            for i, prefix in enumerate(dict.fromkeys(routes)):
                out.write(f"route {prefix.split()[0]} via {gateways[i % 2]};\n")
                n += 1
    with open(f"{folder}/bird.conf", "w", encoding="ascii") as out:
        out.write(BIRD_CONF.format(folder=folder))
    return f"{folder}/bird.conf", n


def add_namespace(name):
    """A namespace where the next hops are neighbours on one end of a veth pair."""
    call(["ip", "netns", "add", name])
    for command in ("link add feed0 type veth peer name feed1", "link set lo up", "link set feed0 up", "link set feed1 up",
                    "addr add 10.0.0.100/24 dev feed0", "addr add fd00::100/64 dev feed0 nodad"):
        call(["ip", "-n", name, *command.split()])
    call(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.route.max_size=10000000"])


def birdc(control, command):
    done = subprocess.run(["birdc", "-s", control, *command.split()], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def wait_for_routes(bird, control, n):
    """Until bird's own tables hold all routes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and bird.poll() is None:
        total = re.search(r"Total: (\d+) of", birdc(control, "show route count"))
        if total and int(total.group(1)) >= n:
            return int(total.group(1))
        time.sleep(0.1)
    raise BenchError("bird did not read its routes")


def cpu_ticks(pid):
    """CPU time that the process had, its system calls included."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def time_export(bird, control):
    """From `enable` until bird rests, which it does when the kernel answered for the last route; milliseconds."""
    start = last_change = time.monotonic()
    ticks = cpu_ticks(bird.pid)
    birdc(control, "enable \"kernel*\"")
    while time.monotonic() - last_change < QUIET:
        time.sleep(0.01)
        now = cpu_ticks(bird.pid)
        if now != ticks:
            ticks, last_change = now, time.monotonic()
        if last_change - start > PATIENCE:
            raise BenchError("bird does not come to rest")
    return (last_change - start) * 1000


def kernel_routes(name):
    """How many of bird's routes the kernel has."""
    n = 0
    for family in ("-4", "-6"):
        listing = subprocess.run(["ip", "-n", name, family, "route", "show", "proto", "bird"], capture_output=True, check=True)
        n += listing.stdout.count(b"\n")
    return n


def bird_to_kernel(bench):
    """Milliseconds of bird2 from a table in its RIB to the same table in the kernel."""
    if os.geteuid() != 0:
        raise Unavailable("needs root: the kernel's routes go to a network namespace of their own")
    if not shutil.which("bird"):
        raise Unavailable("bird2 is not installed")
    name, control = f"byway-bench-{os.getpid()}", f"{bench.folder}/bird.ctl"
    config, n = write_bird(bench)
    add_namespace(name)
    bird = None
    try:
        bird = subprocess.Popen(["ip", "netns", "exec", name, "bird", "-f", "-c", config, "-s", control],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        n = wait_for_routes(bird, control, n)
        took = time_export(bird, control)
        held = kernel_routes(name)
        if held != n:
            raise BenchError(f"the kernel holds {held} of bird's {n} routes")
        return took
    finally:
        if bird:
            bird.kill()
            bird.wait()
        call(["ip", "netns", "del", name])


# --- groups ---

def switch_us(bench, *options):
    command = [f"{bench.build}/bench/fib_switch", "--routes", bench.routes4, *options]
    return float(re.search(r"switch-us ([\d.]+)", call(command)).group(1))


def switch_many(bench):
    return switch_us(bench, "--routes", bench.routes6)


def switch_few(bench):
    return switch_us(bench, "--max", str(FEW))


# --- the RIB alone ---

def rib(word):
    """A measure that is one word of bench/rib_scale."""
    def measure(bench):
        output = call([f"{bench.build}/bench/rib_scale", "--routes", bench.routes4, "--routes", bench.routes6])
        return float(re.search(rf"^{word} ([\d.]+)$", output, re.MULTILINE).group(1))
    return measure


FEED = {"programs": ("bench/fib_feed", "dataplane/byway-dataplane")}
SWITCH = {"programs": ("bench/fib_switch",)}
RIB = {"programs": ("bench/rib_scale",)}
CHURN = ("--churn", "3000")
PACED = (*CHURN, "--rate", str(RATE))

CASES = [
    Case("fib-load", "ms", "lower", figure("load-ms", "--verify"), "bird2 to the kernel", bird_to_kernel, **FEED),
    Case("fib-load/trickle", "ms", "lower", figure("load-ms", "--trickle"), "bird2 to the kernel", bird_to_kernel, **FEED),
    Case("fib-load/churn", "changes/s", "higher", figure("churn-per-s", *CHURN, "--verify"), **FEED),
    Case("fib-load/churn-latency", "us (p99, 100 k/s)", "lower", figure("churn-p99-us", *PACED), **FEED),
    Case("fib-load/churn-growth", "KiB", "lower", figure("churn-dataplane-kib", *PACED), **FEED),
    Case("fib-load/resync", "ms", "lower", figure("resync-ms", "--resync", "--verify"), **FEED),
    Case("fib-load/restart", "ms", "lower", figure("restart-ms", "--restart", "--verify"), **FEED),
    Case("fib-load/sweep", "ms", "lower", figure("sweep-ms", "--sweep", "--verify"), **FEED),
    Case("fib-load/restore", "ms", "lower", figure("restore-ms", "--restore", "--verify"), **FEED),
    Case("fib-load/away", "us", "lower", figure("load-away-us", "--probe"), **FEED),
    Case("fib-load/memory-control", "bytes/route", "lower", per_route("control-kib"), **FEED),
    Case("fib-load/memory-dataplane", "bytes/route", "lower", per_route("dataplane-kib"), **FEED),
    Case("rib/set", "ns/route", "lower", rib("set-ns"), **RIB),
    Case("rib/random", "ns/flap", "lower", rib("random-ns"), **RIB),
    Case("rib/pull", "ns/route", "lower", rib("pull-ns"), **RIB),
    Case("rib/move", "ms", "lower", rib("move-ms"), **RIB),
    Case("rib/memory", "bytes/route", "lower", rib("bytes"), **RIB),
    Case("group-switch/ratio", "us", "lower", switch_many, f"{FEW} routes", switch_few, **SWITCH),
    Case("group-switch/time", "us", "lower", switch_many, **SWITCH),
]
