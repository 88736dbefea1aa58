#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs secret_aead over forms of the burst cipher: secret_aead.py PROGRAM (valgrind|msan) FORM...

Under valgrind's memcheck, or as it is where PROGRAM was built with MSan: no branch and no address may depend on
what is marked undefined. The form "leaky" must be found out, or the check proves nothing. Exit status 77 with a
reason where something is missing here.
"""
import shutil
import subprocess
import sys

FOUND = 99
FINDINGS = ("depends on uninitialised value", "Use of uninitialised value", "use-of-uninitialized-value")


def look(program, how, form):
    """(exit status, output)"""
    tool = ["valgrind", "-q", f"--error-exitcode={FOUND}"] if how == "valgrind" else []
    done = subprocess.run([*tool, program, form], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=300, check=False)
    return done.returncode, done.stdout


def main():
    program, how, *forms = sys.argv[1:]
    if how == "valgrind" and not shutil.which("valgrind"):
        print("valgrind is not installed")
        return 77
    failed = ran = 0
    for form in forms:
        status, output = look(program, how, form)
        if form == "leaky":
            good = status not in (0, 3) and any(text in output for text in FINDINGS)
        elif status == 3:
            print(f"{form}: this machine lacks its instructions")
            continue
        else:
            good = status == 0
            ran += 1
        print(f"{form}: {'as it should be' if good else 'FAILED'}")
        if not good:
            print(output)
            failed += 1
    return 1 if failed else 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
