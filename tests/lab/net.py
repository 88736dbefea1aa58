# SPDX-License-Identifier: BSD-3-Clause
"""Nodes, links and processes of a lab instance, and their end.

A node is three namespaces kept by one holder process (hold.py). Everything that runs in a node is
found by its network namespace, so that an instance can be ended by another shell, or after its
creator was killed: the state directory /run/byway-lab-<prefix> names the holders.
"""
import json
import os
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STATE_ROOT = "/run"


class LabError(Exception):
    """What went wrong, in a sentence for the person who runs the lab."""


class Skip(Exception):
    """The machine cannot run this; the text says why."""


def state_dir(prefix):
    return f"{STATE_ROOT}/byway-lab-{prefix}"


def wait_until(predicate, timeout, what="condition", interval=0.05):
    """The first true value of predicate(), or LabError after `timeout` seconds. A LabError of the
    predicate means "not yet"."""
    end = time.monotonic() + timeout
    while True:
        trouble = ""
        try:
            value = predicate()
            if value:
                return value
        except LabError as problem:
            trouble = f" ({problem})"
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:g} s{trouble}")
        time.sleep(interval)


def process_start(pid):
    """Start time of a process in clock ticks, or None: tells a pid from its next owner."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def namespace_of(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def kill_by_pid(pid, start, sig=signal.SIGKILL):
    if pid and process_start(pid) == start:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


class Node:
    """One machine of the lab."""

    def __init__(self, prefix, name, pid):
        self.prefix = prefix
        self.name = name
        self.pid = pid
        self.dir = f"{state_dir(prefix)}/{name}"

    def command(self, argv):
        """argv that runs inside the node; nsenter becomes the program, so the pid is the program's."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-u", "--root", "--wd=/", "--", *map(str, argv)]

    def path(self, inside):
        """Where the host sees a file of the node."""
        return f"/proc/{self.pid}/root{inside}"

    def run(self, *argv, timeout=30, check=True, stdin=None):
        """Runs a program to its end; its standard output as text."""
        done = self.try_run(*argv, timeout=timeout, stdin=stdin)
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
        return done.stdout

    def try_run(self, *argv, timeout=30, stdin=None):
        """Runs a program to its end; the finished process, whatever its exit status."""
        try:
            return subprocess.run(self.command(argv), timeout=timeout, capture_output=True, text=True,
                                  errors="replace", input=stdin,
                                  stdin=subprocess.DEVNULL if stdin is None else None, check=False)
        except subprocess.TimeoutExpired as late:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: not done after {timeout} s") from late

    def script(self, text):
        """A shell script, ended by its first failing command."""
        return self.run("sh", "-e", stdin=text)

    def spawn(self, *argv, log=None, env=None, **popen):
        """Starts a program; it dies with the node. `log` names a file in the node's directory."""
        if log:
            with open(f"{self.dir}/{log}", "ab") as out:
                return self.spawn(*argv, env=env, stdout=out, stderr=subprocess.STDOUT, **popen)
        popen.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.command(argv), start_new_session=True,
                                env=dict(os.environ, **env) if env else None, **popen)

    def write(self, inside, text, mode=0o644):
        """Writes a file inside the node."""
        place = self.path(inside)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(place, mode)

    def processes(self):
        """Pids of everything that runs in the node, the holder left out."""
        own = namespace_of(self.pid)
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if pid not in (self.pid, os.getpid()) and namespace_of(pid) == own]


class Net:
    """One lab instance: its nodes and the directory that names them."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.dir = state_dir(prefix)
        self.nodes = {}

    def create(self):
        """Makes the empty instance; refuses a prefix that is in use."""
        try:
            os.makedirs(self.dir, mode=0o755)
        except FileExistsError:
            raise LabError(f"lab '{self.prefix}' is up already (or was not ended): "
                           f"tests/lab/lab.py down --prefix {self.prefix}") from None
        self.save({"creator": [os.getpid(), process_start(os.getpid())]})

    def save(self, extra=None):
        """Writes the state file whole."""
        state = self.load_state(self.prefix) or {}
        state.update(extra or {})
        state["nodes"] = {name: [node.pid, process_start(node.pid)] for name, node in self.nodes.items()}
        with open(f"{self.dir}/state.json.new", "w", encoding="utf-8") as out:
            json.dump(state, out, indent=1)
        os.rename(f"{self.dir}/state.json.new", f"{self.dir}/state.json")

    @staticmethod
    def load_state(prefix):
        try:
            with open(f"{state_dir(prefix)}/state.json", encoding="utf-8") as text:
                return json.load(text)
        except FileNotFoundError:
            return None

    @classmethod
    def attach(cls, prefix):
        """The running instance of this prefix."""
        state = cls.load_state(prefix)
        if state is None:
            raise LabError(f"no lab '{prefix}' is up: tests/lab/lab.py up --prefix {prefix}")
        net = cls(prefix)
        for name, (pid, start) in state["nodes"].items():
            if process_start(pid) != start:
                raise LabError(f"lab '{prefix}': node {name} is dead: tests/lab/lab.py down --prefix {prefix}")
            net.nodes[name] = Node(prefix, name, pid)
        return net

    def add_nodes(self, names):
        """Starts the holders of all nodes side by side."""
        holders = {}
        for name in names:
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
            holders[name] = subprocess.Popen(
                ["/usr/bin/python3", "-I", f"{HERE}/hold.py", f"byway-lab-{self.prefix}-{name}", name],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.nodes[name] = Node(self.prefix, name, holders[name].pid)
        self.save()
        for name, holder in holders.items():
            if holder.stdout.readline() != "ready\n":
                holder.kill()
                raise LabError(f"node {name} did not start: {holder.stderr.read().strip()}")

    def link(self, left, left_name, right, right_name):
        """A cable: veth with one queue each way, offloads off, no address made by itself."""
        a, b = self.nodes[left], self.nodes[right]
        queues = ["numtxqueues", "1", "numrxqueues", "1"]
        subprocess.run(["ip", "link", "add", left_name, "netns", str(a.pid), *queues, "type", "veth",
                        "peer", "name", right_name, "netns", str(b.pid), *queues], check=True)
        for node, name in ((a, left_name), (b, right_name)):
            node.script(f"""
ethtool -K {name} tx off rx off sg off tso off gso off gro off >/dev/null
sysctl -qw net.ipv6.conf.{name}.accept_dad=0 net.ipv6.conf.{name}.accept_ra=0
ip link set {name} up
""")

    @classmethod
    def destroy(cls, prefix, log=None):
        """Ends every process of the instance and removes its directory; True if there was one.

        Holders go last: while they live, what they hold can be found by its network namespace.
        """
        state = cls.load_state(prefix)
        if state is None:
            shutil.rmtree(state_dir(prefix), ignore_errors=True)
            return False
        pid, start = state.get("creator", [0, 0])
        if pid != os.getpid():
            kill_by_pid(pid, start, signal.SIGTERM)
        holders = {pid: start for pid, start in state["nodes"].values() if process_start(pid) == start}
        spaces = {namespace_of(pid) for pid in holders} - {None, namespace_of(os.getpid())}

        def members():
            return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                    if pid not in holders and pid != os.getpid() and process_start(pid)
                    and namespace_of(pid) in spaces]

        def kill_members():
            found = members()
            for member in found:
                kill_by_pid(member, process_start(member))
            return not found

        wait_until(kill_members, 20, f"lab '{prefix}': end of its processes")
        for pid, start in holders.items():
            kill_by_pid(pid, start)
        for pid in holders:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        wait_until(lambda: all(process_start(pid) != start for pid, start in holders.items()), 20,
                   f"lab '{prefix}': end of its holders")
        shutil.rmtree(state_dir(prefix), ignore_errors=True)
        if log:
            log(f"lab '{prefix}' ended")
        return True
