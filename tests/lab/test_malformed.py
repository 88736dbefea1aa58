# SPDX-License-Identifier: BSD-3-Clause
"""What no honest peer sends: it is counted or refused, and changes nothing."""
import re
import time

import topology
from byway import Daemon, client
from net import HERE, LabError, wait_until
from probe import HOSTS, expect_bgp, expect_ping, pings

ROUTERS = "byway"
DAEMONS = ("byway-dataplane", "byway-control")


def drops(node):
    return sum(row["packets"] for row in client(node, "show", "drops"))


def pids(net):
    return {(site, name): Daemon(net.nodes[site], name).pid() for site in ("home", "friend") for name in DAEMONS}


def unharmed(net, before):
    for key, pid in before.items():
        if Daemon(net.nodes[key[0]], key[1]).pid() != pid:
            raise LabError(f"{key[0]}: {key[1]} died")
    for site in ("friend", "remi"):
        for address in HOSTS[site][1:]:
            expect_ping(net.nodes["home-host"], address, timeout=15)


def test_ready(net):
    """The lab is up"""
    expect_bgp(net.nodes["remi"], ["remi1", "remi2"], 40)
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1], timeout=30)


def test_frames_on_a_line(net):
    """Malformed frames, truncated packets and WireGuard messages from a provider"""
    isp, line, before = net.nodes["isp1"], topology.LINES["home", "wan1"], pids(net)
    pings(isp, line.address4)
    mac = re.search(r"lladdr (\S+)", isp.run("ip", "neigh", "show", line.address4, "dev", "home")).group(1)
    dropped = drops(net.nodes["home"])
    sent = int(isp.run("/usr/bin/python3", "-I", f"{HERE}/malform.py", "frames", "home", mac, line.address4,
                       line.address6, "51821", "51831", timeout=60))
    time.sleep(0.5)
    unharmed(net, before)
    counted = drops(net.nodes["home"]) - dropped
    if counted < sent // 4:
        raise LabError(f"{counted} of {sent} frames counted as dropped")
    return f"{sent} frames, {counted} counted as dropped here"


def test_frames_on_the_lan(net):
    """The same from the lan"""
    host, lan, before = net.nodes["home-host"], topology.LANS["home"], pids(net)
    expect_ping(host, lan.router4)
    mac = re.search(r"lladdr (\S+)", host.run("ip", "neigh", "show", lan.router4, "dev", "eth0")).group(1)
    sent = host.run("/usr/bin/python3", "-I", f"{HERE}/malform.py", "frames", "eth0", mac, lan.router4, lan.router6,
                    "51821", timeout=60)
    time.sleep(0.5)
    unharmed(net, before)
    return f"{sent.strip()} frames"


def test_sockets(net):
    """Random bytes at the FIB socket, the control socket and the UAPI sockets"""
    home, before = net.nodes["home"], pids(net)
    sent = home.run("/usr/bin/python3", "-I", f"{HERE}/malform.py", "sockets", "/run/byway", "/run/wireguard", timeout=120)
    unharmed(net, before)
    wait_until(lambda: client(home, "show", "ports"), 20, "home: control talks to the dataplane again")
    return f"{sent.strip()} messages"


def test_configuration_refused(net):
    """A configuration with an error names the place and changes nothing"""
    home = net.nodes["home"]
    with open(home.path("/etc/byway/byway.yaml"), encoding="utf-8") as text:
        good = text.read()
    before = home.run("ip", "addr")
    lines = good.splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if "preference:" in line)
    lines[number] = lines[number].replace("preference:", "preferense:")
    home.write("/etc/byway/byway.yaml", "".join(lines))
    try:
        client(home, "reload")
    except LabError as refused:
        if not re.search(rf"byway\.yaml:{number + 1}:\d+: .*preferense", str(refused)):
            raise LabError(f"the refusal does not name line {number + 1}: {refused}") from None
    else:
        raise LabError("a misspelt key was accepted")
    finally:
        home.write("/etc/byway/byway.yaml", good)
    client(home, "reload")
    if home.run("ip", "addr") != before:
        raise LabError("addresses changed")
    expect_ping(net.nodes["home-host"], HOSTS["friend"][1])
