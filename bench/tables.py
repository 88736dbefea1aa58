# SPDX-License-Identifier: BSD-3-Clause
"""Routing tables to measure with: the real ones where the user has them, else generated ones."""
import gzip
import os
import random

REAL = "prefixes-2024.txt.gz"
GENERATED = 900_000
# how many of a hundred prefixes of a full table have each length, roughly
LENGTHS = {24: 60, 23: 10, 22: 12, 21: 5, 20: 5, 19: 3, 18: 2, 17: 1, 16: 2}


class TablesError(Exception):
    """What is wrong with the user's folder."""


def write(source, folder):
    """Writes the tables into folder; their paths, IPv4 and IPv6. source: folder of the real ones, or None."""
    paths = os.path.join(folder, "routes4"), os.path.join(folder, "routes6")
    lines = read_real(source) if source else generate()
    with open(paths[0], "w", encoding="ascii") as f4, open(paths[1], "w", encoding="ascii") as f6:
        for line in lines:
            (f6 if ":" in line else f4).write(line)
    return paths


def read_real(source):
    path = os.path.join(source, REAL)
    if not os.path.exists(path):
        raise TablesError(f"there is no {REAL}")
    with gzip.open(path, "rt", encoding="ascii") as f:
        yield from f


def generate():
    """Prefixes with about the lengths of a full table."""
    rng = random.Random(1)
    for length in rng.choices(list(LENGTHS), list(LENGTHS.values()), k=GENERATED):
        value = rng.randrange(1 << 24, 223 << 24) & ~((1 << 32 - length) - 1)
        yield f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}/{length}\n"
    for _ in range(GENERATED // 6):
        yield f"2{rng.randrange(0x400):03x}:{rng.randrange(65536):x}:{rng.randrange(65536):x}::/48\n"
