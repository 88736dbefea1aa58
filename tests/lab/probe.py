# SPDX-License-Identifier: BSD-3-Clause
"""Small questions to a lab that several tests ask: does it ping, is BGP up, what was on the wire."""
import contextlib
import re
import signal
import time

from byway import client
from net import LabError, wait_until
from topology import LANS, TUNNELS

HOSTS = {site: (lan.host, lan.host4, lan.host6) for site, lan in LANS.items()}
HOSTS["pi"] = next(("pi", t.right4, t.right6) for t in TUNNELS if t.name == "pi")


def ping(node, target, count=3, size=56, options=()):
    """Replies heard of `count` echo requests, 50 ms apart."""
    done = node.try_run("ping", "-n", "-i", "0.05", "-W", "1", "-c", count, "-s", size, *options, target)
    found = re.search(r"(\d+) received", done.stdout)
    return int(found.group(1)) if found else 0


def pings(node, target, **more):
    return ping(node, target, count=1, **more) == 1


def expect_ping(node, target, timeout=10, **more):
    wait_until(lambda: pings(node, target, **more), timeout, f"{node.name} pings {target}")


def bgp_state(node):
    """{protocol: state text} of bird's BGP sessions."""
    rows = (line.split(None, 6) for line in node.run("birdc", "show", "protocols").splitlines())
    return {row[0]: row[5].strip() if len(row) > 5 else "" for row in rows if len(row) > 4 and row[1] == "BGP"}


def expect_bgp(node, names, timeout=20):
    wait_until(lambda: all(bgp_state(node).get(name) == "Established" for name in names), timeout,
               f"{node.name}: BGP sessions {', '.join(names)}")


def kernel_routes(node, family="-4"):
    return node.run("ip", family, "route")


class Capture:
    """tcpdump on an interface of a node into a file that tests can read, from outside the node."""

    def __init__(self, node, interface, name, expression=""):
        self.node, self.file = node, f"/run/{name}.pcap"
        self.child = node.spawn("tcpdump", "-i", interface, "-w", self.file, "-U", "-s", "0",
                                "--immediate-mode", *expression.split(), stderr=-1, stdout=-3, text=True)
        while True:
            line = self.child.stderr.readline()
            if "listening on" in line:
                break
            if not line:
                raise LabError(f"{node.name}: tcpdump on {interface} did not start")

    def stop(self):
        """Ends it; everything that crossed before the call is in the file."""
        time.sleep(0.1)
        self.child.send_signal(signal.SIGTERM)
        self.child.communicate(timeout=10)

    def packets(self, display_filter):
        """One line of tshark for each packet that matches."""
        done = self.node.run("tshark", "-n", "-r", self.file, "-Y", display_filter, timeout=120)
        return [line.strip() for line in done.splitlines() if line.strip()]

    def times(self, display_filter):
        """When each packet that matches crossed, in seconds since 1970."""
        done = self.node.run("tshark", "-n", "-r", self.file, "-Y", display_filter, "-T", "fields", "-e",
                             "frame.time_epoch", timeout=120)
        return [float(row) for row in done.split()]


def foreign_drops(net, isp, site):
    """Packets of a customer that his provider dropped for their source address."""
    text = net.nodes[isp].run("nft", "list", "counter", "inet", "sources", f"{site}_foreign")
    return int(re.search(r"packets (\d+)", text).group(1))


def unsolicited_drops(net):
    """Packets that the NAT in front of pi kept out."""
    text = net.nodes["nat"].run("nft", "list", "counter", "inet", "nat", "unsolicited")
    return int(re.search(r"packets (\d+)", text).group(1))


def link_facts(node, interface):
    """What ip says of an interface and its addresses; empty when it does not exist."""
    return node.try_run("ip", "addr", "show", "dev", interface).stdout


def port_counters(node):
    """{port: (packets received, packets sent)} as Byway's dataplane counts them."""
    return {row["name"]: (row["rx-packets"], row["tx-packets"]) for row in client(node, "show", "ports")}


@contextlib.contextmanager
def counted(net, site, **least):
    """What happens inside made the dataplane receive and send at least so many packets on these ports:
    the proof that it forwarded, not the kernel behind its back."""
    node = net.nodes[site]
    before = port_counters(node)
    yield
    after = port_counters(node)
    for port, number in least.items():
        grown = [b - a for a, b in zip(before[port], after[port])]
        if min(grown) < number:
            raise LabError(f"{site}: the dataplane counted {grown[0]} received and {grown[1]} sent packets on {port}, "
                           f"expected at least {number}")
