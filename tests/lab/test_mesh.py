# SPDX-License-Identifier: BSD-3-Clause
"""Several stock peers on one tunnel, without lists: BGP says who has what, and nobody sends as another."""
import subprocess

from byway import client
from net import LabError, wait_until
from probe import Capture, expect_bgp, expect_ping, ping, pings
from topology import AS_NUMBERS, LANS, LINES

ROUTERS = "byway"
TUNNEL, PORT = "mesh", 51860
HOME4, HOME6 = "10.255.8.1", "fd00:ff:8::1"
HOST4, HOST6 = LANS["home"].host4, LANS["home"].host6
# node: inner addresses, its networks (the last is announced by both), its AS
PEERS = {
    "server": ("10.255.8.2", "fd00:ff:8::2", 8, 4200000008),
    "pi": ("10.255.8.3", "fd00:ff:8::3", 9, 4200000009),
}
SHARED = "10.10.0"
SPOOFS = 5


def key_pair():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True)
    return private, done.stdout.strip()


def bird_conf(name):
    inner4, _, number, own_as = PEERS[name]
    return f"""
log stderr all;
router id {inner4};
protocol device {{ scan time 5; }}
protocol static nets4 {{ ipv4; route 10.{number}.0.0/24 blackhole; route {SHARED}.0/24 blackhole; }}
protocol static nets6 {{ ipv6; route fd00:{number}::/64 blackhole; }}
protocol bgp home {{
	local {inner4} as {own_as};
	neighbor {HOME4} as {AS_NUMBERS["home"]};
	interface "{TUNNEL}";
	direct;
	connect retry time 2;
	connect delay time 1;
	error wait time 1, 5;
	ipv4 {{ import all; export where source = RTS_STATIC; }};
	ipv6 {{ import all; export where source = RTS_STATIC; }};
}}
"""


def start_peer(node, private, home_public):
    inner4, inner6, number, _ = PEERS[node.name]
    outer = LINES["home", "wan1"].address4
    node.write(f"/etc/wireguard/{TUNNEL}.conf",
               f"[Interface]\nPrivateKey = {private}\nListenPort = {PORT}\n\n[Peer]\nPublicKey = {home_public}\n"
               f"AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = {outer}:{PORT}\nPersistentKeepalive = 5\n", 0o600)
    node.spawn("wireguard-go", "-f", TUNNEL, log=f"wireguard-{TUNNEL}.log", env={"LOG_LEVEL": "error"})
    wait_until(lambda: node.try_run("test", "-S", f"/run/wireguard/{TUNNEL}.sock").returncode == 0, 10,
               f"{node.name}: wireguard-go")
    # The machine is a host of its own network and of the shared one; it can write any source it likes.
    sources = "".join(f"ip addr add 10.{n}.0.1/32 dev lo\nip addr add fd00:{n}::1/128 dev lo nodad\n" for n in (8, 9))
    node.script(f"""
wg setconf {TUNNEL} /etc/wireguard/{TUNNEL}.conf
ip addr add {inner4}/24 dev {TUNNEL}
ip addr add {inner6}/64 dev {TUNNEL} nodad
ip link set {TUNNEL} mtu 1420 up
{sources}ip addr add {SHARED}.{number}/32 dev lo
ip route add {LANS["home"].prefix4} dev {TUNNEL} src 10.{number}.0.1
ip -6 route add {LANS["home"].prefix6} dev {TUNNEL} src fd00:{number}::1
""")
    node.write("/etc/bird/bird.conf", bird_conf(node.name))
    node.spawn("bird", "-f", log="bird.log")
    wait_until(lambda: node.try_run("birdc", "show", "status").returncode == 0, 10, f"{node.name}: bird")


def configure_home(home, private, publics):
    tunnel = f"""\
  {TUNNEL}:
    line: wan1
    private-key: /etc/byway/{TUNNEL}.key
    listen-port: {PORT}
    addresses: ["{HOME4}/24", "{HOME6}/64"]
    peers:
"""
    neighbours = ""
    for name, (inner4, inner6, _, own_as) in PEERS.items():
        tunnel += (f'      - {{ name: {name}, public-key: "{publics[name]}", addresses: ["{inner4}", "{inner6}"] }}\n')
        neighbours += (f"    {TUNNEL}-{name}: {{ address: {inner4}, as: {own_as}, interface: {TUNNEL}, "
                       "import: from-remi1, export: to-friends, families: [ipv4, ipv6], hold-time: 9s }\n")
    with open(home.path("/etc/byway/byway.yaml"), encoding="utf-8") as file:
        text = file.read()
    home.write(f"/etc/byway/{TUNNEL}.key", private + "\n", 0o600)
    home.write("/etc/byway/byway.yaml", text.replace("prefix-lists:\n", tunnel + "prefix-lists:\n", 1) + neighbours)
    client(home, "reload")


def source_drops(node):
    return sum(row["packets"] for row in client(node, "show", "drops") if row["reason"] == "tunnel-source")


def echoes(net, source, node, options):
    """Echo requests with this source that reach the host behind home."""
    capture = Capture(net.nodes["home-host"], "eth0", f"mesh-{source.replace(':', '-')}")
    ping(node, *options)
    capture.stop()
    field = "ipv6.src" if ":" in source else "ip.src"
    kind = "icmpv6.type == 128" if ":" in source else "icmp.type == 8"
    return len(capture.packets(f"{kind} && {field} == {source}"))


def test_friends_meet(net):
    """Both speak BGP with home over the one tunnel, and reach its hosts from their networks"""
    home = net.nodes["home"]
    private, public = key_pair()
    pairs = {name: key_pair() for name in PEERS}
    configure_home(home, private, {name: pair[1] for name, pair in pairs.items()})
    for name, pair in pairs.items():
        start_peer(net.nodes[name], pair[0], public)
    for name, (_, _, number, _) in PEERS.items():
        node = net.nodes[name]
        expect_bgp(node, ["home"], timeout=60)
        expect_ping(node, HOST4, timeout=20, options=["-I", f"10.{number}.0.1"])
        expect_ping(node, HOST6, timeout=20, options=["-I", f"fd00:{number}::1"])
        expect_ping(net.nodes["home-host"], f"10.{number}.0.1")


def test_spoofed_sources(net):
    """Neither sends as the other, from its network or its address: dropped and counted"""
    home = net.nodes["home"]
    for name, other in (("server", 9), ("pi", 8)):
        node = net.nodes[name]
        for target, source in ((HOST4, f"10.{other}.0.1"), (HOST6, f"fd00:{other}::1")):
            before = source_drops(home)
            seen = echoes(net, source, node, (target, SPOOFS, 56, ["-I", source]))
            dropped = source_drops(home) - before
            if seen or dropped < SPOOFS:  # kernels also ask for routers from link-local addresses
                raise LabError(f"{name} as {source}: {seen} arrived, {dropped} of {SPOOFS} were dropped")
    node = net.nodes["pi"]
    node.script(f"ip addr add {PEERS['server'][0]}/32 dev lo")  # the other's own address in the tunnel
    if pings(node, HOST4, options=["-I", PEERS["server"][0]]):
        raise LabError("pi pings as server")
    node.script(f"ip addr del {PEERS['server'][0]}/32 dev lo")
    for name, (_, _, number, _) in PEERS.items():
        expect_ping(net.nodes[name], HOST4, options=["-I", f"10.{number}.0.1"])


def test_shared_network(net):
    """What both announce may come from both, though home sends there by one"""
    for name, (_, _, number, _) in PEERS.items():
        source = f"{SHARED}.{number}"
        seen = echoes(net, source, net.nodes[name], (HOST4, SPOOFS, 56, ["-I", source]))
        if seen != SPOOFS:
            raise LabError(f"{name} as {source}: {seen} of {SPOOFS} arrived")


def test_withdrawn(net):
    """With the announcement goes the right to send from there; the session stays"""
    home, node = net.nodes["home"], net.nodes["server"]
    with open(node.path("/etc/bird/bird.conf"), encoding="utf-8") as file:
        text = file.read()
    node.write("/etc/bird/bird.conf", text.replace("route 10.8.0.0/24 blackhole; ", "", 1))
    node.run("birdc", "configure")
    wait_until(lambda: not any(row["prefix"] == "10.8.0.0/24" for row in client(home, "show", "routes")), 10,
               "home: the route is gone")
    before = source_drops(home)
    if pings(node, HOST4, options=["-I", "10.8.0.1"]) or source_drops(home) == before:
        raise LabError("server still sends from what it has withdrawn")
    expect_bgp(node, ["home"])
    node.write("/etc/bird/bird.conf", text)
    node.run("birdc", "configure")
    expect_ping(node, HOST4, options=["-I", "10.8.0.1"])
