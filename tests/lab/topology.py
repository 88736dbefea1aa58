# SPDX-License-Identifier: BSD-3-Clause
"""The lab's map: who is cabled to whom, every address, and the providers' rules.

                     server            remi ── remi-host
                        │               │
        ┌── isp1 ────── core ───────────┘
        │    │           │  └── nat ── pi        (port-restricted NAT)
        │    │           │
        │  ┌─┼── isp2 ───┘
     wan1  │ │    │
       home  │    │ wan2
        │    └─ friend
        │   wan1  │
     home-host   friend-host

Providers give one IPv4 address and one delegated IPv6 prefix a line and drop other sources, as real
ones do. Everything here is documentation and private address space.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """An Internet line of a site: a cable to a provider and what the provider gives."""
    site: str
    device: str        # the site's end of the cable
    isp: str
    address4: str      # the site's only IPv4 address
    gateway4: str
    length4: int
    address6: str
    gateway6: str
    delegated: str     # IPv6 prefix routed to the site
    name: str = "wan1"


@dataclass(frozen=True)
class Lan:
    """A site's own network with one host in it."""
    site: str
    host: str
    prefix4: str
    prefix6: str
    router4: str
    router6: str
    host4: str
    host6: str
    public6: tuple = ()   # (router, host) addresses out of the delegated prefixes


@dataclass(frozen=True)
class Tunnel:
    """A WireGuard tunnel between two nodes. The outer addresses are each side's own."""
    name: str          # its name at both ends
    left: str
    right: str
    left_line: str     # "wan1", "wan2" or "active"
    right_line: str
    port: int
    left_outer: str    # empty: this side has no endpoint that the other could know
    right_outer: str
    left4: str
    right4: str
    left6: str
    right6: str
    length4: int = 31
    length6: int = 127
    bgp: bool = True
    preference: int = 100   # BGP local preference of what is learned over it
    routes_right: tuple = ()  # static: prefixes behind the right side
    extra: dict = field(default_factory=dict)


NODES = ("core", "isp1", "isp2", "server", "nat", "pi", "home", "home-host", "friend", "friend-host",
         "remi", "remi-host")

LINES = {
    ("home", "wan1"): Line("home", "eth1", "isp1", "192.0.2.10", "192.0.2.1", 28,
                           "2001:db8:1:1::10", "2001:db8:1:1::1", "2001:db8:1:100::/56", "wan1"),
    ("home", "wan2"): Line("home", "eth2", "isp2", "198.51.100.10", "198.51.100.1", 28,
                           "2001:db8:2:1::10", "2001:db8:2:1::1", "2001:db8:2:100::/56", "wan2"),
    ("friend", "wan1"): Line("friend", "eth1", "isp1", "192.0.2.26", "192.0.2.17", 28,
                             "2001:db8:1:2::10", "2001:db8:1:2::1", "2001:db8:1:200::/56", "wan1"),
    ("friend", "wan2"): Line("friend", "eth2", "isp2", "198.51.100.26", "198.51.100.17", 28,
                             "2001:db8:2:2::10", "2001:db8:2:2::1", "2001:db8:2:200::/56", "wan2"),
    ("remi", "wan"): Line("remi", "wan", "core", "203.0.113.26", "203.0.113.17", 28,
                          "2001:db8:ff:2::10", "2001:db8:ff:2::1", "2001:db8:ff:200::/56", "wan"),
    ("server", "wan"): Line("server", "wan", "core", "203.0.113.10", "203.0.113.1", 28,
                            "2001:db8:ff:1::10", "2001:db8:ff:1::1", "2001:db8:ff:100::/56", "wan"),
    ("nat", "wan"): Line("nat", "wan", "core", "203.0.113.42", "203.0.113.33", 28,
                         "2001:db8:ff:3::10", "2001:db8:ff:3::1", "2001:db8:ff:300::/56", "wan"),
}

# The public address that the NAT changes to: see roam_pi.
NAT_ROAMED = "203.0.113.43"
PI_INSIDE = {"router4": "192.168.50.1", "pi4": "192.168.50.2",
             "router6": "2001:db8:ff:300::1", "pi6": "2001:db8:ff:300::2"}

# Addresses deep in the Internet, which probes of a line ask.
PROBE_TARGETS = ("203.0.113.1", "2001:db8:ff:1::1")

LANS = {
    "home": Lan("home", "home-host", "10.1.0.0/24", "fd00:1::/64", "10.1.0.1", "fd00:1::1",
                "10.1.0.10", "fd00:1::10", (("2001:db8:1:100::1", "2001:db8:1:100::10"),
                                            ("2001:db8:2:100::1", "2001:db8:2:100::10"))),
    "friend": Lan("friend", "friend-host", "10.2.0.0/24", "fd00:2::/64", "10.2.0.1", "fd00:2::1",
                  "10.2.0.10", "fd00:2::10", (("2001:db8:1:200::1", "2001:db8:1:200::10"),
                                              ("2001:db8:2:200::1", "2001:db8:2:200::10"))),
    "remi": Lan("remi", "remi-host", "10.3.0.0/24", "fd00:3::/64", "10.3.0.1", "fd00:3::1",
                "10.3.0.10", "fd00:3::10"),
}

AS_NUMBERS = {"home": 4200000001, "friend": 4200000002, "remi": 4200000003}

TUNNELS = (
    Tunnel("friend1", "home", "friend", "wan1", "wan1", 51821, "192.0.2.10", "192.0.2.26",
           "10.255.1.0", "10.255.1.1", "fd00:ff:1::", "fd00:ff:1::1", preference=200),
    Tunnel("friend2", "home", "friend", "wan2", "wan2", 51822, "2001:db8:2:1::10", "2001:db8:2:2::10",
           "10.255.1.2", "10.255.1.3", "fd00:ff:1::2", "fd00:ff:1::3"),
    Tunnel("remi1", "home", "remi", "wan1", "wan", 51831, "192.0.2.10", "203.0.113.26",
           "10.255.2.0", "10.255.2.1", "fd00:ff:2::", "fd00:ff:2::1", preference=200),
    Tunnel("remi2", "home", "remi", "wan2", "wan", 51832, "2001:db8:2:1::10", "2001:db8:ff:2::10",
           "10.255.2.2", "10.255.2.3", "fd00:ff:2::2", "fd00:ff:2::3"),
    Tunnel("pi", "home", "pi", "active", "wan", 51840, "192.0.2.10", "",
           "10.4.0.0", "10.4.0.1", "fd00:4::", "fd00:4::1", bgp=False),
    Tunnel("vps", "home", "server", "active", "wan", 51850, "192.0.2.10", "203.0.113.10",
           "10.5.0.0", "10.5.0.1", "fd00:5::", "fd00:5::1", bgp=False),
)

# What the stock sites behind a static tunnel reach through home.
PRIVATE = ("10.0.0.0/8", "fd00::/8")


def tunnels_of(site):
    """(tunnel, mine, other) for each tunnel that ends at the site; mine and other are "left" or "right"."""
    for tunnel in TUNNELS:
        if tunnel.left == site:
            yield tunnel, "left", "right"
        elif tunnel.right == site:
            yield tunnel, "right", "left"


def lines_of(site):
    return [line for (owner, _), line in LINES.items() if owner == site]


def wire_up(net, stock_names):
    """Nodes and cables. Sites in `stock_names` get netdevs named as the interface (lan, wan1, wan2);
    a Byway site gets eth0, eth1, eth2, on which Byway makes its own."""
    net.add_nodes(NODES)
    net.link("core", "isp1", "isp1", "core")
    net.link("core", "isp2", "isp2", "core")
    for line in LINES.values():
        device = line.name if line.site in stock_names else line.device
        net.link(line.site, device, line.isp, line.site)
    net.link("nat", "lan", "pi", "eth0")
    for lan in LANS.values():
        net.link(lan.site, "lan" if lan.site in stock_names or lan.site == "remi" else "eth0", lan.host, "eth0")
    write_hosts(net)
    set_up_core(net)
    for isp in ("isp1", "isp2"):
        set_up_isp(net, isp)
    for site in ("server", "nat", "remi"):
        set_up_single_line(net, site)
    set_up_nat(net)
    set_up_hosts(net)
    set_up_stock_lan(net, "remi")


def write_hosts(net):
    """Names for people: the same /etc/hosts in every node."""
    rows = [("127.0.0.1", "localhost"), ("::1", "localhost")]
    for line in LINES.values():
        rows += [(line.address4, f"{line.site}-{line.name}"), (line.address6, f"{line.site}-{line.name}"),
                 (line.gateway4, line.isp), (line.gateway6, line.isp)]
    for lan in LANS.values():
        rows += [(lan.host4, lan.host), (lan.host6, lan.host), (lan.router4, lan.site), (lan.router6, lan.site)]
    for tunnel in TUNNELS:
        for side, four, six in ((tunnel.left, tunnel.left4, tunnel.left6),
                                (tunnel.right, tunnel.right4, tunnel.right6)):
            rows += [(four, f"{side}-{tunnel.name}"), (six, f"{side}-{tunnel.name}")]
    text = "".join(f"{address}\t{name}\n" for address, name in rows)
    for node in net.nodes.values():
        node.write("/etc/hosts", text)


FORWARDING = ("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
              "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
              "net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0\n")


def customer_ports(provider):
    """Commands that set up a provider's ends of its customers' cables."""
    text = ""
    for line in (line for line in LINES.values() if line.isp == provider):
        text += (f"ip addr add {line.gateway4}/{line.length4} dev {line.site}\n"
                 f"ip addr add {line.gateway6}/64 dev {line.site}\n"
                 f"ip route add {line.delegated} via {line.address6}\n")
    return text


def set_up_core(net):
    net.nodes["core"].script(FORWARDING + customer_ports("core") + """
ip addr add 203.0.113.241/30 dev isp1
ip addr add 203.0.113.245/30 dev isp2
ip addr add 2001:db8:ff:f1::1/64 dev isp1
ip addr add 2001:db8:ff:f2::1/64 dev isp2
ip route add 192.0.2.0/24 via 203.0.113.242
ip route add 198.51.100.0/24 via 203.0.113.246
ip route add 2001:db8:1::/48 via 2001:db8:ff:f1::2
ip route add 2001:db8:2::/48 via 2001:db8:ff:f2::2
""")


def source_rules(provider):
    """nftables text: each customer may send from what he was given only."""
    text = "table inet sources {\n"
    for line in (line for line in LINES.values() if line.isp == provider):
        text += f" counter {line.site}_foreign {{ }}\n"
    text += " chain forward {\n  type filter hook forward priority 0; policy accept;\n"
    for line in (line for line in LINES.values() if line.isp == provider):
        given6 = f"{{ {line.address6}, {line.delegated} }}"
        drop = f"counter name {line.site}_foreign drop"
        text += (f'  iifname "{line.site}" ip saddr != {line.address4} {drop}\n'
                 f'  iifname "{line.site}" ip6 saddr != {given6} {drop}\n')
    return text + " }\n}\n"


def set_up_isp(net, isp):
    number = isp[-1]
    first = 241 + (int(number) - 1) * 4
    node = net.nodes[isp]
    node.script(FORWARDING + customer_ports(isp) + f"""
ip addr add 203.0.113.{first + 1}/30 dev core
ip addr add 2001:db8:ff:f{number}::2/64 dev core
ip route add default via 203.0.113.{first}
ip -6 route add default via 2001:db8:ff:f{number}::1
""")
    node.run("nft", "-f", "-", stdin=source_rules(isp))


def set_up_single_line(net, site):
    line = lines_of(site)[0]
    forward = "" if site == "server" else FORWARDING
    net.nodes[site].script(forward + f"""
ip addr add {line.address4}/{line.length4} dev wan
ip addr add {line.address6}/64 dev wan
ip route add default via {line.gateway4}
ip -6 route add default via {line.gateway6}
""")


NAT_RULES = """
table inet nat {
 counter unsolicited { }
 chain forward {
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  iifname "lan" accept
  counter name unsolicited drop
 }
 chain input {
  type filter hook input priority 0; policy accept;
  iifname "wan" meta l4proto { tcp, udp } ct state new counter name unsolicited drop
 }
 chain out {
  type nat hook postrouting priority 100;
  oifname "wan" ip saddr 192.168.50.0/24 masquerade
 }
}
"""


def set_up_nat(net):
    nat = net.nodes["nat"]
    nat.script(f"""
sysctl -qw net.ipv4.conf.all.promote_secondaries=1
ip addr add {PI_INSIDE['router4']}/24 dev lan
ip addr add {PI_INSIDE['router6']}/64 dev lan
""")
    nat.run("nft", "-f", "-", stdin=NAT_RULES)
    net.nodes["pi"].script(f"""
ip addr add {PI_INSIDE['pi4']}/24 dev eth0
ip addr add {PI_INSIDE['pi6']}/64 dev eth0
ip route add default via {PI_INSIDE['router4']}
ip -6 route add default via {PI_INSIDE['router6']}
""")


def set_up_hosts(net):
    for lan in LANS.values():
        text = f"""
ip addr add {lan.host4}/24 dev eth0
ip addr add {lan.host6}/64 dev eth0
ip route add default via {lan.router4}
ip -6 route add default via {lan.router6}
"""
        for _, host in lan.public6:
            text += f"ip addr add {host}/64 dev eth0\n"
        net.nodes[lan.host].script(text)


def set_up_stock_lan(net, site):
    lan = LANS[site]
    net.nodes[site].script(f"""
ip addr add {lan.router4}/24 dev lan
ip addr add {lan.router6}/64 dev lan
""")


def break_line(net, isp, site=None, direction="both", deaf=False):
    """Packets vanish, the link stays up. `site` None: all customers. `direction` "out" is what the
    customer sends, "in" what he would receive. ARP and neighbour discovery still work unless `deaf`."""
    names = [site] if site else [line.site for line in LINES.values() if line.isp == isp]
    ports = "{ " + ", ".join(f'"{name}"' for name in names) + " }"
    spare = "" if deaf else "  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    text = "table inet broken\ndelete table inet broken\ntable inet broken {\n"
    if direction in ("both", "out"):
        text += (" chain out {\n  type filter hook prerouting priority -400; policy accept;\n"
                 f"{spare}  iifname {ports} counter drop\n }}\n")
    if direction in ("both", "in"):
        text += (" chain in {\n  type filter hook postrouting priority 400; policy accept;\n"
                 f"{spare}  oifname {ports} counter drop\n }}\n")
    net.nodes[isp].run("nft", "-f", "-", stdin=text + "}\n")


def mend_line(net, isp):
    net.nodes[isp].run("nft", "-f", "-", stdin="table inet broken\ndelete table inet broken\n")


def cable(net, isp, site, up):
    """Pulls or plugs the cable of a customer at the provider's end: the site loses its carrier."""
    net.nodes[isp].run("ip", "link", "set", site, "up" if up else "down")


def roam_pi(net, away=True):
    """The NAT gets another public address: what was open goes, pi comes from elsewhere and does not know."""
    line = LINES["nat", "wan"]
    old, new = (line.address4, NAT_ROAMED) if away else (NAT_ROAMED, line.address4)
    net.nodes["nat"].script(f"""
ip addr add {new}/{line.length4} dev wan
ip addr del {old}/{line.length4} dev wan
ip route replace default via {line.gateway4}
""")
