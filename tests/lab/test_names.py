# SPDX-License-Identifier: BSD-3-Clause
"""A peer's endpoint by name: resolved by control, and again when nobody answers at the address."""
import json
import re

from byway import client
from net import HERE, LabError, wait_until
from stock import endpoint_text
from topology import tunnels_of

ROUTERS = "byway"
NAME = "server.example.org"
NOBODY = "203.0.113.250"  # an address of the Internet at which nobody is


def set_names(home, names):
    home.write("/run/names.json", json.dumps(names))


def peer_of(home, tunnel):
    row = next(row for row in client(home, "show", "tunnels") if row["name"] == tunnel)
    return row["peers"][0]


def test_name_without_address(net):
    """A name that does not exist is said by `byway show tunnels`"""
    home = net.nodes["home"]
    tunnel = next(t for t, mine, other in tunnels_of("home") if getattr(t, other) == "server")
    set_names(home, {})
    home.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    home.spawn("/usr/bin/python3", "-I", f"{HERE}/dns_server.py", home.path("/run/names.json"), log="dns.log")
    with open(home.path("/etc/byway/byway.yaml"), encoding="utf-8") as file:
        text = file.read()
    begin = text.index(f"  {tunnel.name}:\n")
    changed = re.sub(r'endpoint: "[^"]*"', f'endpoint: "{NAME}:{tunnel.port}"', text[begin:], count=1)
    home.write("/etc/byway/byway.yaml", text[:begin] + changed)
    client(home, "reload")
    wait_until(lambda: peer_of(home, tunnel.name).get("endpoint-error") == "no such name", 20, "the error")
    if peer_of(home, tunnel.name).get("endpoint-name") != NAME:
        raise LabError(f"not the name: {peer_of(home, tunnel.name)}")


def test_name_moves(net):
    """It is resolved, and anew when nobody answers there, long before its time to live ends; no loopback address"""
    home = net.nodes["home"]
    tunnel, other = next((t, o) for t, _, o in tunnels_of("home") if getattr(t, o) == "server")
    outer = getattr(tunnel, f"{other}_outer")
    set_names(home, {NAME: [NOBODY]})
    wait_until(lambda: peer_of(home, tunnel.name)["endpoint"] == f"{NOBODY}:{tunnel.port}", 90, "the first address")
    inside = getattr(tunnel, f"{other}4")
    set_names(home, {NAME: ["127.0.0.1", "0.0.0.0"]})

    def said():
        home.try_run("ping", "-c", "1", "-W", "1", inside)  # what is sent and not answered has the name asked for anew
        return peer_of(home, tunnel.name).get("endpoint-error") == "no usable address"

    wait_until(said, 60, "the error")
    if peer_of(home, tunnel.name)["endpoint"] != f"{NOBODY}:{tunnel.port}":
        raise LabError(f"not the address of before: {peer_of(home, tunnel.name)}")
    set_names(home, {NAME: [outer]})
    wait_until(lambda: home.try_run("ping", "-c", "1", "-W", "1", inside).returncode == 0, 60, "the tunnel")
    got = peer_of(home, tunnel.name)
    if got["endpoint"] != endpoint_text(outer, tunnel.port) or "endpoint-error" in got:
        raise LabError(f"not the endpoint of {tunnel.name}: {got}")
