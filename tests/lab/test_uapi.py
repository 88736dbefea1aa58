# SPDX-License-Identifier: BSD-3-Clause
"""Stock wg configures our tunnels: every command of it, at scale, and against the configuration file."""
import signal
import subprocess
import time

from byway import Daemon, client
from net import LabError, wait_until
from probe import HOSTS, expect_ping
from stream import Stream, line, worst

ROUTERS = "byway"
MAY_RESTART = True
TUNNEL = "vps"
GUEST4, GUEST6 = "10.66.0.2", "fd00:66::2"
MANY_IPS = 130560
LOST_MAX = 20  # of thousands: what a busy machine under sanitizers loses by itself


def key(node, private=None):
    private = private or node.run("wg", "genkey").strip()
    done = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True)
    return private, done.stdout.strip()


def peers(node):
    """{public key: columns of `wg show dump`}."""
    rows = [row.split("\t") for row in node.run("wg", "show", TUNNEL, "dump").splitlines()[1:]]
    return {row[0]: row for row in rows}


def rows_of(node):
    """The peers as `byway show tunnels` has them, by key, and the tunnel itself."""
    row = next(row for row in client(node, "show", "tunnels") if row["name"] == TUNNEL)
    return {peer["key"]: peer for peer in row["peers"]}, row


def reload(node):
    client(node, "reload")


def config(node, name, text):
    node.write(f"/run/{name}.conf", text, 0o600)
    return f"/run/{name}.conf"


def own_peer(net):
    """The peer that the file names."""
    home = net.nodes["home"]
    return next(k for k, row in rows_of(home)[0].items() if row["origin"].startswith("configuration"))


def test_show(net):
    """wg show, showconf and dump read the tunnel whole"""
    home = net.nodes["home"]
    wait_until(lambda: home.try_run("wg", "show", TUNNEL).returncode == 0, 30, "home: the tunnel's socket")
    expect_ping(net.nodes["server"], "10.5.0.0", timeout=30)
    text = home.run("wg", "showconf", TUNNEL)
    for word in ("PrivateKey = ", "ListenPort = 51850", "PresharedKey = ", "Endpoint = 203.0.113.10:51850",
                 "AllowedIPs = "):
        if word not in text:
            raise LabError(f"no {word!r} in: {text}")
    if "interface: vps" not in home.run("wg", "show", "all"):
        raise LabError("wg show all leaves it out")


def test_guest_joins(net):
    """A stock peer that wg set added speaks both ways at once"""
    home, server = net.nodes["home"], net.nodes["server"]
    private, public = key(server)
    home_public = home.run("wg", "show", TUNNEL, "public-key").strip()
    server.spawn("wireguard-go", "-f", "guest", log="wireguard-guest.log", env={"LOG_LEVEL": "error"})
    wait_until(lambda: server.try_run("test", "-S", "/run/wireguard/guest.sock").returncode == 0, 10, "wireguard-go")
    path = "/run/guest.key"
    server.write(path, private + "\n", 0o600)
    server.run("wg", "set", "guest", "private-key", path, "listen-port", "51999", "peer", home_public,
               "allowed-ips", "10.0.0.0/8,fd00::/8", "endpoint", "192.0.2.10:51850")
    server.script(f"""
ip addr add {GUEST4}/32 dev guest
ip addr add {GUEST6}/128 dev guest nodad
ip link set guest mtu 1420 up
ip route add {HOSTS['home'][1]}/32 dev guest src {GUEST4}
ip route add {HOSTS['home'][2]}/128 dev guest src {GUEST6}
""")
    text = open(home.path("/etc/byway/byway.yaml"), encoding="utf-8").read()
    home.write("/etc/byway/byway.yaml", text + f"routes:\n  - {{ prefix: {GUEST4}/32, tunnel: {TUNNEL} }}\n"
               f"  - {{ prefix: \"{GUEST6}/128\", tunnel: {TUNNEL} }}\n")
    reload(home)
    home.run("wg", "set", TUNNEL, "peer", public, "allowed-ips", f"{GUEST4}/32,{GUEST6}/128",
             "persistent-keepalive", "25")
    expect_ping(server, HOSTS["home"][1], options=["-I", GUEST4])
    expect_ping(server, HOSTS["home"][2], options=["-I", GUEST6])
    expect_ping(net.nodes["home-host"], GUEST4)
    expect_ping(net.nodes["home-host"], GUEST6)
    if peers(home)[public][7] != "25":
        raise LabError(f"keepalive: {peers(home)[public]}")
    row = rows_of(home)[0][public]
    if row["origin"] != "wg set":
        raise LabError(f"origin: {row}")


def test_the_file_wins_at_reload(net):
    """Reload takes back what wg set made of the file's peer and leaves wg's own"""
    home = net.nodes["home"]
    mine = own_peer(net)
    home.run("wg", "set", TUNNEL, "listen-port", "51900", "peer", mine, "persistent-keepalive", "11",
             "allowed-ips", "10.5.0.1/32")
    table, row = rows_of(home)
    if row["origin"] != "configuration, changed by wg set" or "changed" not in table[mine]["origin"]:
        raise LabError(f"origin: {row}")
    if home.run("wg", "show", TUNNEL, "listen-port").strip() != "51900":
        raise LabError("the port did not change")
    expect_ping(net.nodes["server"], "10.5.0.0")
    before = len(peers(home))
    reload(home)
    wait_until(lambda: home.run("wg", "show", TUNNEL, "listen-port").strip() == "51850", 5, "the file's port")
    columns = peers(home)[mine]
    if columns[7] != "off" or "fd00:5::1/128" not in columns[3]:
        raise LabError(f"after the reload: {columns}")
    if len(peers(home)) != before or rows_of(home)[1]["origin"] != "configuration":
        raise LabError("the reload touched what wg made")
    expect_ping(net.nodes["home-host"], GUEST4)


def test_conf_round_trip(net):
    """showconf, setconf, syncconf, addconf: the same file changes nothing and interrupts nothing"""
    home, host = net.nodes["home"], net.nodes["home-host"]
    text = home.run("wg", "showconf", TUNNEL)
    path = config(home, "same", text)
    stream = Stream(host, HOSTS["home"][1], net.nodes["server"], GUEST4)
    stream.phase()
    for command in ("setconf", "syncconf", "setconf", "addconf", "syncconf"):
        home.run("wg", command, TUNNEL, path)
        time.sleep(0.3)
    report = stream.stop()
    if home.run("wg", "showconf", TUNNEL) != text:
        raise LabError("it reads back otherwise")
    if worst(report, "lost") > LOST_MAX:
        raise LabError(line(report))
    return line(report)


def test_peers_come_and_go(net):
    """1,000 peers come and go under traffic of their tunnel"""
    home, host = net.nodes["home"], net.nodes["home-host"]
    before = peers(home).keys()
    keys = [f"{i:04d}" + "A" * 39 + "=" for i in range(1000)]
    text = "".join(f"[Peer]\nPublicKey = {k}\nAllowedIPs = 10.77.{i // 250}.{i % 250}/32\n" for i, k in enumerate(keys))
    path = config(home, "many", text)
    gone = config(home, "gone", home.run("wg", "showconf", TUNNEL))
    stream = Stream(host, HOSTS["home"][1], net.nodes["friend-host"], HOSTS["friend"][1])
    guest = Stream(host, HOSTS["home"][1], net.nodes["server"], GUEST4, port=5203)
    stream.phase()
    guest.phase()
    begun = time.monotonic()
    home.run("wg", "addconf", TUNNEL, path, timeout=60)
    came = time.monotonic() - begun
    if len(peers(home)) != len(before) + len(keys):
        raise LabError(f"{len(peers(home))} peers")
    begun = time.monotonic()
    home.run("wg", "syncconf", TUNNEL, gone, timeout=60)
    went = time.monotonic() - begun
    reports = stream.stop(), guest.stop()
    if peers(home).keys() != before:
        raise LabError("not the peers of before")
    if worst(reports[1], "lost") > LOST_MAX:
        raise LabError(line(reports[1]))
    gaps = [f"{worst(report, 'longest-gap-ms'):.0f} ms" for report in reports[::-1]]
    return f"came in {came:.1f} s, went in {went:.1f} s, longest silence {gaps[0]}, of a probed tunnel {gaps[1]}"


def test_many_allowed_ips(net):
    """130,560 allowed-IPs on one peer, read back whole, and gone again"""
    home = net.nodes["home"]
    public = key(home)[1]
    prefixes = [f"10.{88 + (i >> 16)}.{i >> 8 & 255}.{i & 255}/32" for i in range(MANY_IPS)]
    path = config(home, "large", f"[Peer]\nPublicKey = {public}\nAllowedIPs = {', '.join(prefixes)}\n")
    begun = time.monotonic()
    home.run("wg", "addconf", TUNNEL, path, timeout=60)
    took = time.monotonic() - begun
    got = peers(home)[public][3].split(",")
    if set(got) != set(prefixes) or len(got) != MANY_IPS:
        raise LabError(f"{len(got)} of {MANY_IPS} read back")
    expect_ping(net.nodes["home-host"], GUEST4)
    home.run("wg", "set", TUNNEL, "peer", public, "remove", timeout=60)
    if public in peers(home):
        raise LabError("it is still there")
    return f"{took:.1f} s"


def test_refusals(net):
    """What cannot be is refused whole, with the errno that stock wg prints"""
    home = net.nodes["home"]
    before = home.run("wg", "showconf", TUNNEL)
    for words, text in ((("listen-port", "51821"), "Address already in use"),
                        (("peer", own_peer(net), "remove"), "Device or resource busy")):
        done = home.try_run("wg", "set", TUNNEL, *words)
        if done.returncode == 0 or text not in done.stderr:
            raise LabError(f"{' '.join(words)}: {done.returncode} {done.stderr}")
    if home.run("wg", "showconf", TUNNEL) != before:
        raise LabError("a refused request changed something")


def test_key_on_the_fly(net):
    """Another private key by wg set: the guest speaks to the new one"""
    home, server = net.nodes["home"], net.nodes["server"]
    old = home.run("wg", "show", TUNNEL, "public-key").strip()
    private, public = key(home)
    home.write("/run/new.key", private + "\n", 0o600)
    home.run("wg", "set", TUNNEL, "private-key", "/run/new.key")
    server.run("wg", "set", "guest", "peer", old, "remove")
    server.run("wg", "set", "guest", "peer", public, "allowed-ips", "10.0.0.0/8,fd00::/8",
               "endpoint", "192.0.2.10:51850")
    expect_ping(server, HOSTS["home"][1], options=["-I", GUEST4])
    expect_ping(net.nodes["home-host"], GUEST4)
    reload(home)
    wait_until(lambda: home.run("wg", "show", TUNNEL, "public-key").strip() == old, 5, "the file's key")
    server.run("wg", "set", "guest", "peer", public, "remove")
    server.run("wg", "set", "guest", "peer", old, "allowed-ips", "10.0.0.0/8,fd00::/8",
               "endpoint", "192.0.2.10:51850")
    expect_ping(server, HOSTS["home"][1], options=["-I", GUEST4])


def test_restarts(net):
    """wg's peer outlives both daemons and the file wins again"""
    home = net.nodes["home"]
    guest = next(k for k, row in rows_of(home)[0].items() if row["origin"] == "wg set")
    mine = own_peer(net)
    for name in ("byway-control", "byway-dataplane"):
        home.run("wg", "set", TUNNEL, "peer", mine, "persistent-keepalive", "13")
        time.sleep(3)  # the state is on disk
        daemon = Daemon(home, name)
        daemon.signal(signal.SIGKILL)

        def back():
            try:
                return peers(home)[mine][7] == "off" and guest in peers(home) and \
                    rows_of(home)[0][guest]["origin"] == "wg set"
            except (LabError, KeyError, StopIteration):
                return False
        wait_until(back, 60, f"what the file says, and the guest, after {name}")
        expect_ping(net.nodes["home-host"], GUEST4, timeout=20)
