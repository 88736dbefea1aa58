#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends what no honest peer sends; run inside a node by test_malformed.py. Deterministic.

    malform.py frames INTERFACE MAC IPV4 IPV6 PORT...   malformed frames, truncated packets and WireGuard messages
    malform.py sockets RUN_DIR WG_DIR                   random bytes at the routers' local sockets
"""
import glob
import ipaddress
import os
import random
import socket
import struct
import sys
import time

RANDOM = random.Random(20260101)
SIZES = {1: 148, 2: 92, 3: 64, 4: 32}   # WireGuard messages by type; transport data at least


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, target, protocol, payload, **changed):
    fields = {"version_ihl": 0x45, "tos": 0, "length": 20 + len(payload), "id": RANDOM.randrange(65536), "fragment": 0,
              "ttl": 64, "options": b""} | changed
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", fields["version_ihl"], fields["tos"], fields["length"], fields["id"],
                           fields["fragment"], fields["ttl"], protocol, check, source, target) + fields["options"]
    return header(changed.get("checksum", checksum(header(0)))) + payload


def ipv6(source, target, protocol, payload, **changed):
    return struct.pack("!IHBB16s16s", changed.get("version", 6) << 28, changed.get("length", len(payload)), protocol,
                       changed.get("hops", 64), source, target) + payload


def udp(source, target, port, payload, **changed):
    length = changed.get("length", 8 + len(payload))
    head = struct.pack("!HHH", 40000, port, length)
    pseudo = source + target + (struct.pack("!BBH", 0, 17, length) if len(source) == 4 else struct.pack("!II", length, 17))
    return head + struct.pack("!H", changed.get("checksum", checksum(pseudo + head + b"\0\0" + payload) or 0xffff)) + payload


def echo(source, target, size=56):
    body = RANDOM.randbytes(size)
    if len(source) == 4:
        return b"\x08\0" + struct.pack("!HHH", checksum(b"\x08\0\0\0" + b"\0\1\0\1" + body), 1, 1) + body
    pseudo = source + target + struct.pack("!II", 8 + size, 58)
    return b"\x80\0" + struct.pack("!HHH", checksum(pseudo + b"\x80\0\0\0\0\1\0\1" + body), 1, 1) + body


def wireguard(ports, wrap):
    """Every type at every length around its own, with reserved bytes set, and unknown types."""
    for port in ports:
        for kind, size in SIZES.items():
            for length in [*range(0, 8), *range(size - 6, size + 7), RANDOM.randrange(8, 1400)]:
                body = (struct.pack("<I", kind) + RANDOM.randbytes(1500))[:length]
                yield wrap(port, body)
            yield wrap(port, struct.pack("<I", kind | 0x01000000) + RANDOM.randbytes(size - 4))
        for kind in (0, 5, 255):
            yield wrap(port, struct.pack("<I", kind) + RANDOM.randbytes(144))


def packets4(me, it, ports):
    good = ipv4(me, it, 1, echo(me, it))
    yield from (good[:length] for length in range(len(good)))
    yield from wireguard(ports, lambda port, body: ipv4(me, it, 17, udp(me, it, port, body)))
    for value in (0x00, 0x40, 0x44, 0x4f, 0x55, 0x65, 0xf5):
        yield ipv4(me, it, 1, echo(me, it), version_ihl=value)
    for length in (0, 1, 19, 20, 27, 85, 1500, 65535):
        yield ipv4(me, it, 1, echo(me, it), length=length)
    yield ipv4(me, it, 1, echo(me, it), checksum=0x1234)
    for options in (b"\x07\x04\x04\0", b"\x83\x03\x04\0", b"\x44\xff\0\0", b"\0\0\0\0", b"\x01\x01\x01\x01", b"\x07\0\0\0"):
        yield ipv4(me, it, 1, echo(me, it), version_ihl=0x46, options=options, length=24 + 64)
    for fragment in (0x2000, 0x1fff, 0x3fff, 0x8000, 0x2001):
        yield ipv4(me, it, 17, udp(me, it, ports[0], RANDOM.randbytes(64)), fragment=fragment)
    for length in (0, 7, 8, 9, 5000):
        yield ipv4(me, it, 17, udp(me, it, ports[0], RANDOM.randbytes(148), length=length))
    yield ipv4(me, it, 17, udp(me, it, ports[0], RANDOM.randbytes(148), checksum=1))
    for source in ("0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", str(ipaddress.ip_address(it))):
        yield ipv4(ipaddress.ip_address(source).packed, it, 1, echo(me, it))
    for target in ("0.0.0.0", "127.0.0.1", "240.0.0.1", "10.1.0.10"):
        to = ipaddress.ip_address(target).packed
        yield ipv4(me, to, 1, echo(me, to), ttl=RANDOM.choice((0, 1, 64)))


def packets6(me, it, ports):
    good = ipv6(me, it, 58, echo(me, it))
    yield from (good[:length] for length in range(len(good)))
    yield from wireguard(ports, lambda port, body: ipv6(me, it, 17, udp(me, it, port, body)))
    for version in (0, 4, 5, 7, 15):
        yield ipv6(me, it, 58, echo(me, it), version=version)
    for length in (0, 1, 7, 63, 65, 1500, 65535):
        yield ipv6(me, it, 58, echo(me, it), length=length)
    for chain in (b"\x3c\0" + bytes(6), b"\x3c\xff" + bytes(6), b"\0\0" + bytes(6), b"\x2b\x05" + bytes(6),
                  b"\x3a\x10\xff\xff\xff\xff\xff\xff"):
        for first in (0, 43, 44, 60, 51, 135):
            yield ipv6(me, it, first, chain * 9 + echo(me, it))
            yield ipv6(me, it, first, chain[:RANDOM.randrange(8)])
    for source in ("::", "::1", "ff02::1", "::ffff:10.0.0.1"):
        yield ipv6(ipaddress.ip_address(source).packed, it, 58, echo(me, it))
    for kind in (133, 134, 135, 136, 137):
        yield ipv6(me, it, 58, struct.pack("!BBH", kind, 0, 0) + RANDOM.randbytes(RANDOM.randrange(40)), hops=255)


def frames(interface, mac, four, six, *ports):
    ports = [int(port) for port in ports]
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, 0))
    to, own = bytes.fromhex(mac.replace(":", "")), link.getsockname()[4]
    four, six = ipaddress.ip_address(four).packed, ipaddress.ip_address(six).packed
    me4, me6 = four[:3] + bytes([four[3] & 0xf0 | 1]), six[:15] + b"\1"
    out = [to + own + b"\x08\0" + packet for packet in packets4(me4, four, ports)]
    out += [to + own + b"\x86\xdd" + packet for packet in packets6(me6, six, ports)]
    out += [to + own + RANDOM.randbytes(2) + RANDOM.randbytes(RANDOM.randrange(200)) for _ in range(200)]
    out += [to + own + kind + RANDOM.randbytes(RANDOM.randrange(120))
            for kind in (b"\x08\0", b"\x86\xdd", b"\x08\x06", b"\x81\0", b"\x88\xa8") for _ in range(100)]
    for number, frame in enumerate(out):
        link.send(frame.ljust(14, b"\0"))
        if number % 50 == 49:
            time.sleep(0.005)
    print(len(out))


def throw(path, kind, messages):
    """Sends each message over a connection of its own; that it is refused is fine."""
    for message in messages:
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.settimeout(0.03)
            try:
                one.connect(path)
                one.send(message)
                one.recv(65536)
            except OSError:
                pass


def sockets(run_dir, wg_dir):
    blobs = [b"", b"\0", b"\n", b"{", b"[" * 5000 + b"\n", b'{"command":' + b"9" * 3000 + b"}\n", b'{"command":"show"}\n',
             b'{"command":"show routes","args":{"prefix":"10.0.0.0/99"}}\n', b'{"command":5}\n', b"null\n", b"get=1\n",
             b"get=1\n\n", b"set=1\nprivate_key=zz\n\n", b"set=1\nlisten_port=99999999\n\n", b"set=1\npublic_key=00\n\n"]
    blobs += [RANDOM.randbytes(RANDOM.randrange(1, 3000)) for _ in range(60)]
    blobs += [struct.pack(">HH", RANDOM.randrange(64), RANDOM.randrange(64)) + RANDOM.randbytes(RANDOM.randrange(400))
              for _ in range(60)]
    throw(f"{run_dir}/fib.sock", socket.SOCK_SEQPACKET, blobs)
    throw(f"{run_dir}/control.sock", socket.SOCK_STREAM, [blob + b"\n" for blob in blobs])
    names = glob.glob(f"{wg_dir}/*.sock")
    for path in names[:2]:
        throw(path, socket.SOCK_STREAM, blobs)
    print(len(blobs) * (2 + len(names[:2])))


if __name__ == "__main__":
    os.nice(5)
    {"frames": frames, "sockets": sockets}[sys.argv[1]](*sys.argv[2:])
