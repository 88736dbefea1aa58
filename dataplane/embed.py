# SPDX-License-Identifier: BSD-3-Clause
"""Turns a file into a C array: embed.py NAME INPUT OUTPUT."""
import sys

name, source, target = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
rows = [", ".join(f"0x{b:02x}" for b in data[i:i + 16]) for i in range(0, len(data), 16)]
with open(target, "w", encoding="ascii") as f:
    f.write(f"static const unsigned char {name}[] = {{\n\t" + ",\n\t".join(rows) + ",\n};\n")
