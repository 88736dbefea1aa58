# SPDX-License-Identifier: BSD-3-Clause
"""A machine with a kernel of its own on a node's network: Debian's cloud kernel under QEMU (no KVM), a RAM disk
made here of busybox, wg and the modules it needs, and a shell on a port of its own. Its kernel has what
the lab's may lack: WireGuard.

The kernel's package is unpacked, not installed, into CACHE; BYWAY_GUEST_KERNEL names a directory with another."""
import base64
import glob
import os
import re
import shutil
import socket
import subprocess
import time

from net import LabError, Skip, wait_until

CACHE = "/var/cache/byway-lab/kernel"
META_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_console", "virtio_net", "wireguard")
PROGRAMS = ("/usr/bin/wg",)
MEMORY_MB = 192
BOOT_S = 90
RAMDISK, SOCKET = "/run/guest.cpio", "/run/guest.sock"  # inside the node

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for m in $(cat /modules); do insmod "$m" || echo "insmod $m failed"; done
ip link set lo up
port=/dev/$(cd /sys/class/virtio-ports && echo *)
while :; do sh 0<>$port >&0 2>&0; sleep 1; done
"""


def fetch_kernel():
    """Unpacks Debian's kernel into the cache. LabError says what failed."""
    def step(*argv, cwd=None):
        done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return done.stdout
    found = re.search(r"Depends: (linux-image-\S+)", step("apt-cache", "depends", META_PACKAGE))
    if not found:
        raise LabError(f"apt knows no {META_PACKAGE}")
    shutil.rmtree(CACHE, ignore_errors=True)
    work = f"{CACHE}.new"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    step("apt-get", "-q", "download", found.group(1), cwd=work)
    for package in glob.glob(f"{work}/*.deb"):
        step("dpkg-deb", "-x", package, work)
        os.unlink(package)
    os.rename(work, CACHE)


def find_kernel():
    """(image, directory of its modules). Skip when there is none to be had."""
    for name in ("qemu-system-x86_64", "busybox"):
        if not shutil.which(name):
            raise Skip(f"no {name} on this machine")
    places = [os.environ.get("BYWAY_GUEST_KERNEL", CACHE), "/"]
    if not glob.glob(f"{places[0]}/boot/vmlinuz-*"):
        try:
            fetch_kernel()
        except (LabError, subprocess.TimeoutExpired, OSError) as problem:
            if not glob.glob("/boot/vmlinuz-*cloud-amd64"):
                raise Skip(f"no kernel for a guest ({problem})") from None
    for place in places:
        for image in sorted(glob.glob(f"{place}/boot/vmlinuz-*cloud-amd64")):
            modules = f"{place}/lib/modules/{os.path.basename(image)[8:]}"
            if glob.glob(f"{modules}/**/wireguard.ko*", recursive=True):
                return image, modules
    raise Skip("no kernel with a WireGuard module for a guest")


def module_order(directory, wanted):
    """Files of the modules and of what they depend on, in an order that they can be loaded in."""
    files = {re.sub(r"\.ko.*", "", os.path.basename(path)).replace("-", "_"): path
             for path in glob.glob(f"{directory}/kernel/**/*.ko", recursive=True)}
    order = []

    def add(name):
        path = files.get(name)
        if path is None or path in order:
            return  # built in, or there already
        with open(path, "rb") as text:
            content = text.read()
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for other in filter(None, (depends.group(1).decode() if depends else "").split(",")):
            add(other.replace("-", "_"))
        order.append(path)
    for name in wanted:
        add(name)
    return order


def cpio(files):
    """A RAM disk of {path: (mode, bytes)} in the format "newc"; directories are made as needed."""
    out = bytearray()
    made = set()

    def entry(path, mode, data, number=[0]):  # pylint: disable=dangerous-default-value
        number[0] += 1
        name = path.encode() + b"\0"
        fields = (number[0], mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out.extend(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))
    for path, (mode, data) in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                made.add(folder)
                entry(folder, 0o040755, b"")
        entry(path, 0o100000 | mode, data)
    for folder in ("proc", "sys", "dev", "run", "tmp"):
        if folder not in made:
            entry(folder, 0o040755, b"")
    entry("TRAILER!!!", 0, b"")
    return bytes(out)


def libraries_of(program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


def make_ramdisk(modules):
    """The RAM disk's bytes."""
    def read(path):
        with open(path, "rb") as content:
            return content.read()
    files = {"init": (0o755, INIT.encode()), "bin/busybox": (0o755, read(shutil.which("busybox")))}
    order = module_order(modules, MODULES)
    for path in order:
        files[f"modules.d/{os.path.basename(path)}"] = (0o644, read(path))
    files["modules"] = (0o644, "".join(f"/modules.d/{os.path.basename(path)}\n" for path in order).encode())
    for program in PROGRAMS:
        files[f"bin/{os.path.basename(program)}"] = (0o755, read(program))
        for library in libraries_of(program):
            files[library.lstrip("/")] = (0o755, read(library))
    return cpio(files)


class Guest:
    """The machine on the TAP `interface` of a node, which the caller has made."""

    def __init__(self, node, interface):
        self.node, self.interface = node, interface
        self.image, modules = find_kernel()
        with open(node.path(RAMDISK), "wb") as out:
            out.write(make_ramdisk(modules))
        self.child = self.line = None

    def start(self):
        """Boots it; returns when its shell answers."""
        path = self.node.path(SOCKET)
        if os.path.exists(path):
            os.unlink(path)
        self.child = self.node.spawn(
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
            "-m", MEMORY_MB, "-no-reboot", "-kernel", self.image, "-initrd", RAMDISK,
            "-append", "console=ttyS0 panic=-1 quiet", "-serial", "stdio",
            "-chardev", f"socket,id=shell,path={SOCKET},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell",
            "-netdev", f"tap,id=n0,ifname={self.interface},script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=n0,romfile=", log="guest.log")
        wait_until(lambda: os.path.exists(path), 10, "qemu's socket")
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(path)
        end = time.monotonic() + BOOT_S
        while True:
            try:
                self.run("true", timeout=3)
                return
            except LabError:
                if self.child.poll() is not None or time.monotonic() > end:
                    raise LabError(f"the guest does not answer; its console: {self.node.dir}/guest.log") from None

    def stop(self):
        """Ends it as a power failure does."""
        self.line.close()
        self.child.kill()
        self.child.wait()

    def try_run(self, command, timeout=30):
        """(exit status, output) of a shell command."""
        mark = f"done{time.monotonic_ns()}"
        self.line.sendall(f"{{ {command}\n}} </dev/null 2>&1; echo {mark}=$?\n".encode())
        heard, end = "", time.monotonic() + timeout
        while True:
            found = re.search(rf"{mark}=(\d+)\r?\n", heard)
            if found:
                return int(found.group(1)), heard[:found.start()].replace("\r", "")
            self.line.settimeout(max(end - time.monotonic(), 0.01))
            try:
                more = self.line.recv(65536)
            except TimeoutError:
                more = b""
            if not more:
                raise LabError(f"guest: {command!r}: no end within {timeout} s; so far: {heard[-300:]!r}")
            heard += more.decode(errors="replace")

    def run(self, command, timeout=30):
        """The output of a shell command that must succeed."""
        status, output = self.try_run(command, timeout)
        if status != 0:
            raise LabError(f"guest: {command!r}: exit {status}: {output.strip()}")
        return output

    def write(self, path, text):
        """Writes a file in it."""
        self.run(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > {path}")
