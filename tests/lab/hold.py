#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the namespaces of one lab node: a network, a mount and a UTS namespace that live as long as
this process. Started by net.py, one a node; prints "ready" once the node can be entered.

Nothing is bound to a name on the host: when the processes of a node are gone, so are its links, its
mounts and its files.
"""
import ctypes
import os
import subprocess
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def leave_host():
    """Own namespaces, none of whose mounts are seen by the host.

    The root of the mount tree is made private. Inside a chroot "/" is not a mount point, so the way
    there is setns(2), which resets the root directory to the namespace's; then back into the chroot.
    """
    check(LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS), "unshare")
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    check(LIBC.setns(own, CLONE_NEWNS), "setns")
    check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make / private")
    os.fchdir(here)
    os.chroot(".")
    os.chdir("/")
    os.close(own)
    os.close(here)


def drop_named_namespaces():
    """A copy of a mount under /run/netns would keep somebody else's namespace alive."""
    with open("/proc/self/mountinfo", encoding="ascii") as lines:
        points = [line.split()[4] for line in lines if " - nsfs " in line]
    for point in points:
        LIBC.umount2(point.encode(), MNT_DETACH)


def mount(kind, point, options):
    subprocess.run(["mount", "-t", kind, "-o", options, "none", point], check=True)


def private_files():
    """Own /run (sockets of daemons and of wg), and a layer over /etc and /var/lib."""
    drop_named_namespaces()
    mount("tmpfs", "/run", "mode=755,size=256m")
    os.makedirs("/run/wireguard")
    os.makedirs("/run/bird")
    if not os.path.islink("/var/run"):
        mount("tmpfs", "/var/run", "mode=755")
        os.makedirs("/var/run/wireguard")
    for place in ("/etc", "/var/lib"):
        name = place.replace("/", "")
        upper, work = f"/run/.layer/{name}/upper", f"/run/.layer/{name}/work"
        os.makedirs(upper)
        os.makedirs(work)
        mount("overlay", place, f"lowerdir={place},upperdir={upper},workdir={work}")


def main():
    title, hostname = sys.argv[1:3]
    os.setsid()
    leave_host()
    check(LIBC.sethostname(hostname.encode(), len(hostname)), "sethostname")
    private_files()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.write(1, b"ready\n")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.execv("/bin/sleep", [title, "infinity"])


if __name__ == "__main__":
    main()
