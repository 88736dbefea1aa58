# SPDX-License-Identifier: BSD-3-Clause
"""The WireGuard core over UDP (wg_speaker) against wireguard-go, no dataplane and no daemon of ours.

Two nodes and a cable; the core as initiator and as responder, with and without a preshared key, over
IPv4 and IPv6, and the session counted by stock `wg`.
"""
import os
import subprocess

from byway import find_tool
from net import LabError, Net, wait_until

ROUTERS = None

OURS, THEIRS = {4: "10.9.0.1", 6: "fd09::1"}, {4: "10.9.0.2", 6: "fd09::2"}
INNER_OURS, INNER_THEIRS = "10.99.0.1", "10.99.0.2"
OUR_PORT, THEIR_PORT = 51001, 51002


def wg(command, text=None):
    return subprocess.run(["wg", command], input=text, capture_output=True, text=True, check=True).stdout.strip()


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Pair:
    """Our node, where the speaker runs, and wireguard-go's."""

    def __init__(self, psk):
        self.prefix = f"wgcore{os.getpid()}"
        self.ours_key, self.theirs_key = wg("genkey"), wg("genkey")
        self.psk = wg("genpsk") if psk else "-"
        self.net = Net(self.prefix)
        self.net.create()
        try:
            self.put_up()
        except BaseException:
            Net.destroy(self.prefix)
            raise

    def put_up(self):
        self.net.add_nodes(["ours", "theirs"])
        self.net.link("ours", "eth0", "theirs", "eth0")
        self.ours, self.theirs = self.net.nodes["ours"], self.net.nodes["theirs"]
        for node, end in ((self.ours, OURS), (self.theirs, THEIRS)):
            node.script(f"ip link set lo up; ip addr add {end[4]}/24 dev eth0; ip -6 addr add {end[6]}/64 dev eth0 nodad")
        self.theirs.spawn("wireguard-go", "-f", "wg0", log="wireguard.log", env={"LOG_LEVEL": "verbose"})
        wait_until(lambda: self.theirs.try_run("test", "-S", "/run/wireguard/wg0.sock").returncode == 0, 10,
                   "wireguard-go")
        conf = f"[Interface]\nPrivateKey = {self.theirs_key}\nListenPort = {THEIR_PORT}\n\n" \
               f"[Peer]\nPublicKey = {wg('pubkey', self.ours_key)}\nAllowedIPs = {INNER_OURS}/32\n"
        if self.psk != "-":
            conf += f"PresharedKey = {self.psk}\n"
        self.theirs.write("/etc/wireguard/wg0.conf", conf, 0o600)
        self.theirs.script(f"""
wg setconf wg0 /etc/wireguard/wg0.conf
ip addr add {INNER_THEIRS}/24 dev wg0
ip link set wg0 mtu 1420 up
""")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Net.destroy(self.prefix)

    def speaker(self, role, family, count):
        """The program, started."""
        return self.ours.spawn(find_tool("wg_speaker"), role, self.ours_key, wg("pubkey", self.theirs_key), self.psk,
                               endpoint(OURS[family], OUR_PORT), endpoint(THEIRS[family], THEIR_PORT), INNER_OURS,
                               INNER_THEIRS, str(count), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def transfer(self):
        """(received, sent) bytes of the peer as stock wg counts them."""
        words = self.theirs.run("wg", "show", "wg0", "transfer").split()
        return int(words[1]), int(words[2])


def finish(speaker):
    output, _ = speaker.communicate(timeout=20)
    if speaker.returncode:
        raise LabError(f"wg_speaker: exit {speaker.returncode}: {output.strip()}")


def check(psk):
    for family in (4, 6):
        with Pair(psk) as pair:
            finish(pair.speaker("initiate", family, 3))
            received, sent = pair.transfer()
            assert received >= 3 * (148 + 128) and sent >= 3 * (92 + 128), (received, sent)
        with Pair(psk) as pair:
            speaker = pair.speaker("respond", family, 3)
            pair.theirs.run("wg", "set", "wg0", "peer", wg("pubkey", pair.ours_key), "endpoint",
                            endpoint(OURS[family], OUR_PORT))
            pair.theirs.run("ping", "-c", "3", "-i", "0.2", "-W", "5", INNER_OURS)
            finish(speaker)


def test_plain():
    """the core and wireguard-go in both roles, IPv4 and IPv6, without preshared key"""
    check(False)


def test_preshared():
    """the core and wireguard-go in both roles, IPv4 and IPv6, with preshared key"""
    check(True)


def test_wrong_preshared():
    """with another preshared key wireguard-go's response does not open"""
    with Pair(True) as pair:
        pair.psk = wg("genpsk")
        speaker = pair.speaker("initiate", 4, 1)
        output, _ = speaker.communicate(timeout=20)
        assert speaker.returncode != 0 and "does not open" in output, output
