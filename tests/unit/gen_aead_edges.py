#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes aead_edges.h: sealed packets whose Poly1305 sum (RFC 8439 §2.5) ends at an edge of its reduction.

The sum of a packet of k blocks m and its length block l is a polynomial in r; solved for the last block it gives
the ciphertext that ends at a chosen sum. About every fourth counter gives a block below 2^128. Plain
integers here, so that this shares no trick with what it tests.
"""
import struct

P = 2**130 - 5
KEY = bytes(range(0x40, 0x60))
LIMB26, WORD = 2**26 - 1, 2**64 - 1
TARGETS = [0, 1, 2, 3, 4, 5, P - 1, P - 2, P - 5, P - 6, 2**128 - 1, 2**128, 2**129, 2**64 - 1, 2**64, WORD << 64,
           3 * 2**128 + 1, sum(LIMB26 << (52 * i) for i in range(3)) % P, 2**130 - 7, 2**104 - 1, 2**78, 2**52 - 1]


def rotate(v, n):
    return (v << n | v >> (32 - n)) & 0xFFFFFFFF


def one_time_key(counter):
    state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", KEY), 0, 0,
             *struct.unpack("<2I", struct.pack("<Q", counter))]
    x = list(state)
    for i in range(20):
        for k in range(4):
            a, b, c, d = (k, 4 + k, 8 + k, 12 + k) if i % 2 == 0 else (
                k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4)
            for p, q, s, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[p] = (x[p] + x[q]) & 0xFFFFFFFF
                x[s] = rotate(x[s] ^ x[p], n)
    block = struct.pack("<16I", *((u + v) & 0xFFFFFFFF for u, v in zip(x, state)))
    return (int.from_bytes(block[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF,
            int.from_bytes(block[16:32], "little"))


def packet(target, blocks, counter):
    """(counter, ciphertext and tag) of the next counter that can reach the target."""
    while True:
        r, s = one_time_key(counter)
        head = bytes([0xFF] * (16 * (blocks - 1)))
        h = 0
        for at in range(0, len(head), 16):
            h = (h + int.from_bytes(head[at:at + 16], "little") + 2**128) * r % P
        length = 2**128 + (16 * blocks << 64)
        inverse = pow(r, -1, P)
        last = ((target * inverse - length) * inverse - h - 2**128) % P
        if last < 2**128:
            data = head + last.to_bytes(16, "little")
            return counter, data + ((target + s) % 2**128).to_bytes(16, "little")
        counter += 1


def main():
    edges = []
    for blocks in (1, 2, 5):
        for target in TARGETS:
            edges.append(packet(target, blocks, edges[-1][0] + 1 if edges else 1))
    edges = edges[:60]
    print("/* SPDX-License-Identifier: BSD-3-Clause */")
    print("/* Written by gen_aead_edges.py, which says what these packets are. */")
    print("#ifndef BYWAY_TESTS_UNIT_AEAD_EDGES_H\n#define BYWAY_TESTS_UNIT_AEAD_EDGES_H\n\n#include <stdint.h>\n")
    print("/* clang-format off */")
    print(f"#define AEAD_EDGES {len(edges)}u\n#define AEAD_EDGE_LEN 80u\n")
    print("static const uint8_t aead_edge_key[32] = {" + ", ".join(f"0x{b:02x}" for b in KEY) + "};\n")
    print("static const struct aead_edge {\n\tuint64_t counter;\n\tuint32_t len;")
    print("\tuint8_t sealed[AEAD_EDGE_LEN + 16];\n} aead_edges[AEAD_EDGES] = {")
    for counter, sealed in edges:
        print(f"\t{{{counter}, {len(sealed) - 16}, {{" + ", ".join(f"0x{b:02x}" for b in sealed) + "}},")
    print("};\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
