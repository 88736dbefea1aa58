# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own testpmd swapping MAC addresses on net_ring ports: the least that a forwarder costs there.

It is driven at its prompt, through a pseudo-terminal, so that each command waits for the one before. A net_ring port has
16 queues, each a ring of 1,024 places whose far end is its near end: what is sent comes back on the same queue.
"""
import os
import pty
import re
import select
import subprocess
import termios
import time

from harness import BenchError

PROGRAM = "dpdk-testpmd"
PROMPT = "testpmd> "
RING_SLOTS = 1023  # that a net_ring queue holds
QUEUES = 16  # of a port at most
PATIENCE_S = 60
BURSTS = (32, 64)


class Testpmd:
    """One run; a context manager, so that the process ends in any case."""

    def __init__(self, cpu, ports, queues, burst, mbufs):
        drivers = [f"-d{d}" for d in driver_paths()]
        memory = ["--in-memory", f"-m{mbufs * 2560 // (1 << 20) + 64}"] if huge_pages_free(mbufs * 2560) else \
            ["--no-huge", f"-m{mbufs * 4096 // (1 << 20) + 64}"]
        cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        self.command = [
            PROGRAM, f"--lcores=0@({cpus}),1@{cpu}", "--no-pci", "--no-telemetry", f"--file-prefix=bench-testpmd-{os.getpid()}",
            *memory, *drivers, *[f"--vdev=net_ring{i}" for i in range(ports)], "--", "-i", "--nb-cores=1", f"--burst={burst}",
            f"--rxq={queues}", f"--txq={queues}", "--rxd=1024", "--txd=1024", f"--total-num-mbufs={mbufs}",
            "--port-topology=loop", "--forward-mode=macswap", "--record-core-cycles", "--no-flush-rx"]
        self.text = ""

    def __enter__(self):
        self.master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.wait_for_prompt()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.write(self.master, b"quit\n")
            try:
                self.read_until(lambda text: False, 10)
                self.process.wait(5)
            except (BenchError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        os.close(self.master)

    def read_until(self, is_enough, seconds):
        """Reads until is_enough(all that was said since the last command) or the process ends."""
        end = time.monotonic() + seconds
        while not is_enough(self.text):
            ready = select.select([self.master], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                raise BenchError(f"{PROGRAM} does not answer:\n{self.text}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # EIO: it ended
                return

    def wait_for_prompt(self):
        self.read_until(lambda text: text.rstrip("\0").endswith(PROMPT), PATIENCE_S)
        if self.process.poll() is not None or PROMPT not in self.text:
            raise BenchError(f"{PROGRAM} ended:\n{self.text}")

    def say(self, command):
        """The answer to a command."""
        self.text = ""
        os.write(self.master, command.encode() + b"\n")
        self.wait_for_prompt()
        return self.text


def driver_paths():
    """Only the drivers that are needed: loading all takes longer than the measurement."""
    folder = subprocess.run(["pkg-config", "--variable=libdir", "libdpdk"], stdout=subprocess.PIPE, text=True,
                            check=False).stdout.strip()
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], stdout=subprocess.PIPE, text=True,
                             check=False).stdout.split(".")[0]
    paths = [f"{folder}/dpdk/pmds-{version}/librte_{name}.so" for name in ("bus_vdev", "mempool_ring", "net_ring")]
    return paths if all(os.path.exists(p) for p in paths) else []


def huge_pages_free(size):
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
            return int(f.read()) * (2 << 20) >= size + (64 << 20)
    except OSError:
        return False


def layout(packets, burst):
    """Ports and queues that hold the packets, and the bursts to begin with on each queue."""
    queues = 1
    while packets / queues > RING_SLOTS:
        queues *= 2
    ports, queues = max(1, queues // QUEUES), min(queues, QUEUES)
    first = packets // (ports * queues * burst)
    if first * ports * queues * burst != packets:
        raise BenchError(f"{packets} packets do not divide into bursts of {burst} on {ports * queues} queues")
    return ports, queues, first


def macswap(cpu, packets, burst, millis):
    """Cycles a packet by its own count: between receiving a burst and having sent it, without its main loop."""
    ports, queues, first = layout(packets, burst)
    with Testpmd(cpu, ports, queues, burst, packets + 8192) as t:
        t.say(f"start tx_first {first}")
        time.sleep(0.2)
        t.say("clear fwd stats all")
        time.sleep(millis / 1000)
        said = t.say("show fwd stats all")
        t.say("stop")
    match = re.search(r"CPU cycles/packet=([\d.]+)", said)
    if not match:
        raise BenchError(f"{PROGRAM} counted nothing:\n{said}")
    return float(match.group(1))


def best_macswap(bench, cpu, packets):
    """With the burst that suits it best here (tried once a run of the harness)."""
    key = ("testpmd burst", packets)
    if key not in bench.cache:
        tried = {b: min(macswap(cpu, packets, b, bench.millis) for _ in range(2)) for b in BURSTS}
        bench.cache[key] = min(tried, key=tried.get)
    return macswap(cpu, packets, bench.cache[key], bench.millis)
