#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs one program and starts it again when it ends, as systemd's Restart=always with RestartSec=100ms.

    supervise.py NAME -- PROGRAM ARGUMENT...

/run/supervise/NAME.pid holds the program's pid, NAME.supervisor ours, NAME.starts how often it was started;
while NAME.hold exists, the next start waits. SIGTERM ends the program and the supervisor.
"""
import os
import signal
import subprocess
import sys
import time

RESTART_S = 0.1


def write(path, text):
    with open(path + ".new", "w", encoding="ascii") as out:
        out.write(text)
    os.rename(path + ".new", path)


def said(name, child, status):
    print(f"supervise: {name} (pid {child.pid}) ended: "
          + (f"signal {-status}" if status < 0 else f"exit {status}"), flush=True)


def main():
    name, argv = sys.argv[1], sys.argv[3:]
    base = f"/run/supervise/{name}"
    os.makedirs("/run/supervise", exist_ok=True)
    child, stopping = None, False

    def stop(*_):
        nonlocal stopping
        stopping = True
        if child:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    write(f"{base}.supervisor", str(os.getpid()))
    starts = 0
    while not stopping:
        starts += 1
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        write(f"{base}.pid", str(child.pid))
        write(f"{base}.starts", str(starts))
        status = child.wait()
        said(name, child, status)
        time.sleep(RESTART_S)
        while os.path.exists(f"{base}.hold") and not stopping:
            time.sleep(0.02)


if __name__ == "__main__":
    main()
