#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes tests/unit/wg_transcript.h: a WireGuard handshake and one data message with
fixed keys, computed from the papers by an implementation that shares nothing with
lib/ (RFC 7748 and RFC 8439 in Python, BLAKE2s and HMAC of the standard library).

    tests/unit/gen_wg_transcript.py > tests/unit/wg_transcript.h
"""
import hashlib
import hmac
import struct

P = 2**255 - 19


def x25519(k, u):  # RFC 7748 section 5
    n = bytearray(k)
    n[0] &= 248
    n[31] = n[31] & 127 | 64
    n = int.from_bytes(n, "little")
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in reversed(range(255)):
        bit = n >> t & 1
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(k):
    return x25519(k, bytes([9]) + bytes(31))


def rotl(v, n):
    return (v << n | v >> (32 - n)) & 0xFFFFFFFF


def chacha_block(key, counter, nonce):  # RFC 8439 section 2.3
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    w = s[:]

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            w[x] = (w[x] + w[y]) & 0xFFFFFFFF
            w[z] = rotl(w[z] ^ w[x], n)

    for _ in range(10):
        for i in range(4):
            quarter(i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(w, s)))


def seal(key, counter, plain, ad):  # RFC 8439 section 2.8, nonce of the WireGuard paper
    nonce = bytes(4) + struct.pack("<Q", counter)
    stream = b"".join(chacha_block(key, 1 + i, nonce) for i in range(len(plain) // 64 + 1))
    sealed = bytes(a ^ b for a, b in zip(plain, stream))
    otk = chacha_block(key, 0, nonce)
    r = int.from_bytes(otk[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    pad = lambda b: b + bytes(-len(b) % 16)
    text = pad(ad) + pad(sealed) + struct.pack("<QQ", len(ad), len(sealed))
    acc = 0
    for i in range(0, len(text), 16):
        acc = (acc + int.from_bytes(text[i : i + 16] + b"\1", "little")) * r % (2**130 - 5)
    acc = (acc + int.from_bytes(otk[16:32], "little")) % 2**128
    return sealed + acc.to_bytes(16, "little")


def blake(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(n, ck, data):
    secret = hmac.new(ck, data, hashlib.blake2s).digest()
    outs, t = [], b""
    for i in range(1, n + 1):
        t = hmac.new(secret, t + bytes([i]), hashlib.blake2s).digest()
        outs.append(t)
    return outs


def handshake(si, sr, ei, er, psk, seconds, nanoseconds, index_i, index_r):
    """Section 5.4 of the paper, both ends in one walk."""
    out = {}
    ck = blake(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
    h = blake(blake(ck, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), public(sr))
    h = blake(h, public(ei))
    (ck,) = kdf(1, ck, public(ei))
    ck, k = kdf(2, ck, x25519(ei, public(sr)))
    static = seal(k, 0, public(si), h)
    h = blake(h, static)
    ck, k = kdf(2, ck, x25519(si, public(sr)))
    stamp = seal(k, 0, struct.pack(">QI", 0x400000000000000A + seconds, nanoseconds), h)
    h = blake(h, stamp)
    msg = struct.pack("<II", 1, index_i) + public(ei) + static + stamp
    msg += mac(blake(b"mac1----", public(sr)), msg)
    out["initiation"] = msg + bytes(16)
    h = blake(h, public(er))
    (ck,) = kdf(1, ck, public(er))
    (ck,) = kdf(1, ck, x25519(er, public(ei)))
    (ck,) = kdf(1, ck, x25519(er, public(si)))
    ck, tau, k = kdf(3, ck, psk)
    h = blake(h, tau)
    msg = struct.pack("<III", 2, index_r, index_i) + public(er) + seal(k, 0, b"", h)
    msg += mac(blake(b"mac1----", public(si)), msg)
    out["response"] = msg + bytes(16)
    out["initiator_key"], out["responder_key"] = kdf(2, ck, b"")
    return out


def main():
    key = lambda label: hashlib.blake2s(label.encode()).digest()
    si, sr, ei, er, psk = map(key, ("initiator", "responder", "ephemeral i", "ephemeral r", "preshared"))
    indices = 0x11223344, 0xA1B2C3D4
    print("/* SPDX-License-Identifier: BSD-3-Clause */")
    print("/* Written by gen_wg_transcript.py; keys are BLAKE2s of the labels there. */")
    print("#ifndef BYWAY_TESTS_UNIT_WG_TRANSCRIPT_H\n#define BYWAY_TESTS_UNIT_WG_TRANSCRIPT_H\n")
    print("/* clang-format off */")
    values = {"static_i": si, "static_r": sr, "ephemeral_i": ei, "ephemeral_r": er, "preshared": psk}
    for tag, p in (("plain", bytes(32)), ("psk", psk)):
        t = handshake(si, sr, ei, er, p, 1700000000, 33554432, *indices)
        data = b"\x45" + bytes(range(1, 32))
        t["data"] = struct.pack("<IIQ", 4, indices[1], 7) + seal(t["initiator_key"], 7, data, b"")
        values.update({tag + "_" + name: v for name, v in t.items()})
    for name, v in values.items():
        print(f"static const char transcript_{name}[] =")
        text = v.hex()
        lines = [text[i : i + 96] for i in range(0, len(text), 96)]
        print("\n".join(f'\t"{line}"' for line in lines) + ";")
    print("/* clang-format on */\n\n#endif")


main()
