# SPDX-License-Identifier: BSD-3-Clause
"""What the figures are measured on: says it, and borrows huge pages for the time of a run."""
import contextlib
import glob
import os
import re

HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
IDLE_LOAD = 0.5  # above, something else runs


def read(path, default=""):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().strip()
    except OSError:
        return default


@contextlib.contextmanager
def huge_pages(mib):
    """Root: sees to it that so many MiB of 2 MiB pages are free, and gives back at the end what it added."""
    total, free = (int(read(HUGE + name, "0")) for name in ("nr_hugepages", "free_hugepages"))
    added = 0
    missing = mib // 2 - free
    if missing > 0 and os.geteuid() == 0 and os.path.exists(HUGE):
        write_pages(total + missing)
        added = int(read(HUGE + "nr_hugepages", "0")) - total
    try:
        yield
    finally:
        if added > 0:
            write_pages(int(read(HUGE + "nr_hugepages", "0")) - added)


def write_pages(count):
    with open(HUGE + "nr_hugepages", "w", encoding="ascii") as f:
        f.write(str(count))


def frequency():
    """MHz as the kernel knows them, and who sets them."""
    now = [float(m) for m in re.findall(r"cpu MHz\s*: ([\d.]+)", read("/proc/cpuinfo"))]
    governors = {read(p) for p in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")}
    text = f"{min(now):.0f}-{max(now):.0f} MHz" if now and max(now) - min(now) > 1 else f"{now[0]:.0f} MHz" if now else "? MHz"
    text += f" (governor {', '.join(sorted(governors))})" if governors else " (frequency not ours to see)"
    return text


def describe():
    """Lines: processor, memory, load; and what may spoil the figures."""
    info = read("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info)
    caches = [read(p + "/size") for p in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index[0-9]"))]
    thp = re.search(r"\[(\w+)\]", read("/sys/kernel/mm/transparent_hugepage/enabled"))
    cpus = os.sched_getaffinity(0)
    free = int(read(HUGE + "free_hugepages", "0"))
    guest = ", virtual machine" if re.search(r"\bhypervisor\b", info) else ""
    lines = [
        f"machine: {model.group(1) if model else '?'}, {frequency()}, {os.cpu_count()} CPUs"
        f" (this run on {','.join(map(str, sorted(cpus)))}), caches {' '.join(caches) or '?'}{guest}",
        f"memory: {free * 2} MiB of free 2 MiB pages, transparent ones: {thp.group(1) if thp else 'none'}; Linux {os.uname().release}; "
        f"load {os.getloadavg()[0]:.2f}",
    ]
    if os.getloadavg()[0] > IDLE_LOAD:
        lines.append("note: the machine is not idle; the spreads say what that costs")
    if free == 0:
        lines.append("note: there are no huge pages (root could have had them); both sides pay for small ones")
    return "\n".join(lines)


def cpu_times():
    """Jiffies (all, stolen by the hypervisor) since boot."""
    fields = [int(x) for x in read("/proc/stat").split("\n", 1)[0].split()[1:]]
    return sum(fields[:8]), fields[7] if len(fields) > 7 else 0


def describe_disturbance(before):
    """A note when the hypervisor took more than half a percent during the run, else nothing."""
    whole, stolen = (now - then for now, then in zip(cpu_times(), before))
    if whole and stolen / whole > 0.005:
        return f"note: the hypervisor took {100 * stolen / whole:.1f} % of the time"
    return ""
