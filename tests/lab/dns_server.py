#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A name server of a few lines (RFC 1035): dns_server.py FILE. FILE is JSON, name -> list of addresses, read at
each question, so that a test changes what a name means. What is not there does not exist; TTL an hour."""
import ipaddress
import json
import socket
import struct
import sys

TTL_S = 3600
A, AAAA, NXDOMAIN = 1, 28, 3


def name_at(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("ascii").lower())
        at += 1 + message[at]
    return ".".join(labels), at + 1


def answer(message, names):
    name, end = name_at(message, 12)
    kind = struct.unpack_from("!H", message, end)[0]
    known = name in names
    addresses = [ipaddress.ip_address(text) for text in names.get(name, [])]
    wanted = [a for a in addresses if {A: 4, AAAA: 6}.get(kind) == a.version]
    out = message[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else NXDOMAIN), 1, len(wanted), 0, 0)
    out += message[12:end + 4]
    for address in wanted:
        out += struct.pack("!HHHIH", 0xc00c, kind, 1, TTL_S, len(address.packed)) + address.packed
    return out


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))
    while True:
        message, sender = sock.recvfrom(1500)
        with open(sys.argv[1], encoding="utf-8") as text:
            sock.sendto(answer(message, json.load(text)), sender)


if __name__ == "__main__":
    main()
