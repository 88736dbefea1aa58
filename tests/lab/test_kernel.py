# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's own WireGuard is the other end, in a guest. GUEST_TRAFFIC_S=600 for ten minutes of traffic (default: 135)."""
import os
import re
import signal
import subprocess
import time

import guest as guests
from byway import Daemon, client
from net import LabError, wait_until
from probe import HOSTS, counted, expect_ping, pings

ROUTERS = "byway"
MAY_RESTART = True
TRAFFIC_S = int(os.environ.get("GUEST_TRAFFIC_S", "135"))  # keys are renewed after 120
TUNNEL, PORT = "vps", 51850
HOME4, HOME6, ITS4, ITS6 = "10.5.0.0", "fd00:5::", "10.5.0.1", "fd00:5::1"
OUTER, ROAMED, OUTER6 = "203.0.113.11", "203.0.113.12", "2001:db8:ff:100::10"
HOME_OUTER4, HOME_OUTER6 = f"192.0.2.10:{PORT}", f"[2001:db8:1:1::10]:{PORT}"
LOST_MAX = 0.01  # of all pings: an emulated machine on a busy one
AWAY_S = 40      # until a restarted end speaks again

state = {}


def needs():
    guests.find_kernel()


def configure():
    """The guest takes the server's place at the far end of the tunnel."""
    guest = state["guest"]
    guest.write("/run/wg.conf", state["conf"])
    guest.run(f"""
ip link set eth0 up
ip addr add {OUTER}/32 dev eth0
ip route add default dev eth0
ip -6 addr add {OUTER6}/64 dev eth0
ip -6 route add default via 2001:db8:ff:100::1
ip link add wg0 type wireguard
wg setconf wg0 /run/wg.conf
ip addr add {ITS4}/31 dev wg0
ip -6 addr add {ITS6}/127 dev wg0
ip link set wg0 mtu 1420 up
ip route add 10.0.0.0/8 dev wg0
ip -6 route add fd00::/8 dev wg0
""")


def guest_pings(target, count=1):
    status, _ = state["guest"].try_run(f"ping -c {count} -W 2 {target} >/dev/null")
    return status == 0


def expect_guest_ping(target, timeout=20):
    wait_until(lambda: guest_pings(target), timeout, f"the guest pings {target}")


def both_ways(net, timeout=20):
    """Each family, begun at each end."""
    for target in (HOME4, HOME6, HOSTS["home"][1], HOSTS["home"][2]):
        expect_guest_ping(target, timeout)
    for target in (ITS4, ITS6):
        expect_ping(net.nodes["home-host"], target, timeout)


def peer_of(net):
    """Home's row of the guest: the peer that was heard last."""
    row = next(row for row in client(net.nodes["home"], "show", "tunnels") if row["name"] == TUNNEL)
    return min((peer for peer in row["peers"] if peer.get("handshake-ns") is not None),
               key=lambda peer: peer["handshake-ns"])


def test_handshake(net):
    """A kernel's WireGuard shakes hands with ours, PSK included, and carries IPv4 and IPv6"""
    server = net.nodes["server"]
    for pid in server.processes():
        with open(f"/proc/{pid}/cmdline", "rb") as text:
            if b"wireguard-go" in text.read():
                os.kill(pid, signal.SIGTERM)
    state["conf"] = server.run("cat", f"/etc/wireguard/{TUNNEL}.conf")
    server.script(f"""
ip tuntap add guest0 mode tap
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.wan.proxy_arp=1 \
    net.ipv4.conf.guest0.proxy_arp=1 net.ipv6.conf.guest0.accept_dad=0
ip link set guest0 up
ip route add {OUTER} dev guest0
ip route add {ROAMED} dev guest0
ip addr add 2001:db8:ff:100::1/64 dev guest0
""")
    state["guest"] = guests.Guest(server, "guest0")
    state["guest"].start()
    configure()
    with counted(net, "home", wan1=4):
        both_ways(net, 30)
    if "preshared key: (hidden)" not in state["guest"].run("WG_COLOR_MODE=never wg show wg0"):
        raise LabError("the guest has no preshared key")
    return state["guest"].run("uname -r").strip()


def test_large(net):
    """Full-size packets pass, fragmented ones too"""
    for size in (1392, 4000):
        status, text = state["guest"].try_run(f"ping -c 5 -W 2 -s {size} {HOSTS['home'][1]}")
        if status != 0:
            raise LabError(text)
        expect_ping(net.nodes["home-host"], ITS4, size=size)


def test_outer_ipv6(net):
    """The same tunnel over IPv6, and back"""
    guest, peer = state["guest"], home_key()
    guest.run(f"wg set wg0 peer {peer} endpoint '{HOME_OUTER6}'")
    both_ways(net)
    wait_until(lambda: peer_of(net)["endpoint"].startswith("["), 10, "home: the peer's IPv6 endpoint")
    guest.run(f"wg set wg0 peer {peer} endpoint {HOME_OUTER4}")
    both_ways(net)
    wait_until(lambda: peer_of(net)["endpoint"].startswith(OUTER), 10, "home: the peer's IPv4 endpoint")


def home_key():
    return re.search(r"PublicKey = (\S+)", state["conf"]).group(1)


def test_roaming(net):
    """The guest comes from another address; home follows at its first packet"""
    guest = state["guest"]
    guest.run(f"ip addr add {ROAMED}/32 dev eth0; ip addr del {OUTER}/32 dev eth0; ip route replace default dev eth0")
    guest.try_run(f"ping -c 1 -W 2 {HOME4}")
    expect_ping(net.nodes["home-host"], ITS4, 5)
    endpoint = peer_of(net)["endpoint"]
    if not endpoint.startswith(ROAMED):
        raise LabError(f"home sends to {endpoint}")
    guest.run(f"ip addr add {OUTER}/32 dev eth0; ip addr del {ROAMED}/32 dev eth0; ip route replace default dev eth0")
    both_ways(net)


def test_traffic(net):
    """Traffic goes on while keys are renewed"""
    guest = state["guest"]
    before = guest.run("wg show wg0 latest-handshakes").split()[1]
    count = TRAFFIC_S * 20
    done = net.nodes["home-host"].try_run("ping", "-n", "-q", "-i", "0.05", "-c", count, ITS4, timeout=TRAFFIC_S * 2 + 30)
    received = int(re.search(r"(\d+) received", done.stdout).group(1))
    after = guest.run("wg show wg0 latest-handshakes").split()[1]
    if after == before:
        raise LabError(f"no handshake in {TRAFFIC_S} s")
    if received < count * (1 - LOST_MAX):
        raise LabError(f"{count - received} of {count} pings were lost")
    return f"{count - received} of {count} lost"


test_traffic.timeout = TRAFFIC_S * 2 + 60


def test_key_changes(net):
    """The guest takes a new key on the fly, home learns of it by wg set; the file's key is back after a reload"""
    guest, home = state["guest"], net.nodes["home"]
    old = re.search(r"PrivateKey = (\S+)", state["conf"]).group(1)
    new = home.run("wg", "genkey").strip()
    public = subprocess.run(["wg", "pubkey"], input=new, capture_output=True, text=True, check=True).stdout.strip()
    guest.write("/run/new.key", new)
    guest.run("wg set wg0 private-key /run/new.key")
    home.write("/run/psk", re.search(r"PresharedKey = (\S+)", state["conf"]).group(1), 0o600)
    home.run("wg", "set", TUNNEL, "peer", public, "preshared-key", "/run/psk", "allowed-ips", f"{ITS4}/32,{ITS6}/128")
    both_ways(net)
    guest.write("/run/old.key", old)
    guest.run("wg set wg0 private-key /run/old.key")
    client(home, "reload")
    both_ways(net)
    home.run("wg", "set", TUNNEL, "peer", public, "remove")
    both_ways(net)


def test_removed(net):
    """A removed peer is silent, and back when it is added again"""
    guest = state["guest"]
    guest.run(f"wg set wg0 peer {home_key()} remove")
    if pings(net.nodes["home-host"], ITS4) or pings(net.nodes["home-host"], ITS6):
        raise LabError("a peer that the guest removed still answers")
    guest.run("wg setconf wg0 /run/wg.conf")
    both_ways(net, AWAY_S)


def test_guest_reboots(net):
    """The guest loses its power and comes back"""
    state["guest"].stop()
    state["guest"].start()
    configure()
    begun = time.monotonic()
    both_ways(net, AWAY_S)
    return f"traffic after {time.monotonic() - begun:.1f} s"


def test_router_restarts(net):
    """Our dataplane is killed and comes back"""
    dataplane = Daemon(net.nodes["home"], "byway-dataplane")
    starts = dataplane.starts()
    dataplane.signal(signal.SIGKILL)
    wait_until(lambda: dataplane.starts() > starts, 20, "the dataplane's next start")
    begun = time.monotonic()
    both_ways(net, AWAY_S)
    return f"traffic after {time.monotonic() - begun:.1f} s"
