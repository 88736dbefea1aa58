# SPDX-License-Identifier: BSD-3-Clause
"""Stock peers: wireguard-go tunnels and bird2, set up from the topology. remi, pi and the server are
always stock; home and friend are when the lab proves itself without Byway."""
import subprocess

from topology import AS_NUMBERS, LANS, LINES, PRIVATE, TUNNELS, lines_of, set_up_stock_lan, tunnels_of, \
    FORWARDING
from net import wait_until

HOLD_TIME = 9


def make_keys():
    """{(tunnel, side): (private, public)} and {tunnel: preshared}, all made by wg."""
    def wg(command, text=None):
        return subprocess.run(["wg", command], input=text, capture_output=True, text=True, check=True).stdout.strip()
    pairs, preshared = {}, {}
    for tunnel in TUNNELS:
        for side in ("left", "right"):
            private = wg("genkey")
            pairs[tunnel.name, side] = (private, wg("pubkey", private))
        preshared[tunnel.name] = wg("genpsk")
    return pairs, preshared


def endpoint_text(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def allowed_ips(tunnel, mine):
    """A tunnel that BGP runs over takes anything; a single machine's tunnel what belongs there."""
    if tunnel.bgp:
        return ["0.0.0.0/0", "::/0"]
    if mine == "left":
        return [f"{tunnel.right4}/32", f"{tunnel.right6}/128"]
    return list(PRIVATE)


def wireguard_conf(tunnel, mine, other, keys):
    pairs, preshared = keys
    text = (f"[Interface]\nPrivateKey = {pairs[tunnel.name, mine][0]}\nListenPort = {tunnel.port}\n\n"
            f"[Peer]\nPublicKey = {pairs[tunnel.name, other][1]}\nPresharedKey = {preshared[tunnel.name]}\n"
            f"AllowedIPs = {', '.join(allowed_ips(tunnel, mine))}\n")
    outer = getattr(tunnel, f"{other}_outer")
    if outer:
        text += f"Endpoint = {endpoint_text(outer, tunnel.port)}\n"
    if not getattr(tunnel, f"{mine}_outer"):
        text += "PersistentKeepalive = 5\n"
    return text


def start_tunnel(node, tunnel, mine, other, keys):
    """wireguard-go in the node, configured by wg, with its addresses and (static tunnels) routes."""
    node.write(f"/etc/wireguard/{tunnel.name}.conf", wireguard_conf(tunnel, mine, other, keys), 0o600)
    node.spawn("wireguard-go", "-f", tunnel.name, log=f"wireguard-{tunnel.name}.log", env={"LOG_LEVEL": "error"})
    wait_until(lambda: node.try_run("test", "-S", f"/run/wireguard/{tunnel.name}.sock").returncode == 0, 10,
               f"{node.name}: wireguard-go of {tunnel.name}")
    mine4, mine6 = getattr(tunnel, f"{mine}4"), getattr(tunnel, f"{mine}6")
    text = f"""
wg setconf {tunnel.name} /etc/wireguard/{tunnel.name}.conf
sysctl -qw net.ipv6.conf.{tunnel.name}.accept_dad=0
ip addr add {mine4}/{tunnel.length4} dev {tunnel.name}
ip addr add {mine6}/{tunnel.length6} dev {tunnel.name} nodad
ip link set {tunnel.name} mtu 1420 up
"""
    if not tunnel.bgp and mine == "right":
        text += "".join(f"ip route add {prefix} dev {tunnel.name}\n" for prefix in PRIVATE)
    node.script(text)


def bird_conf(site):
    lan = LANS[site]
    text = f"""
log stderr all;
router id {lan.router4};
graceful restart wait 30;
protocol device {{ scan time 5; }}
protocol direct {{ ipv4; ipv6; interface "lan", "pi", "vps"; }}
protocol kernel kernel4 {{
	graceful restart;
	ipv4 {{ import none; export filter {{ if source != RTS_BGP then reject; krt_prefsrc = {lan.router4}; accept; }}; }};
}}
protocol kernel kernel6 {{
	graceful restart;
	ipv6 {{ import none; export filter {{ if source != RTS_BGP then reject; krt_prefsrc = {lan.router6}; accept; }}; }};
}}
filter friends4 {{ if net ~ [ 10.0.0.0/8{{16,32}} ] then accept; reject; }}
filter friends6 {{ if net ~ [ fd00::/8{{32,128}} ] then accept; reject; }}
filter own {{ if source = RTS_DEVICE && net !~ [ 2000::/3+ ] then accept; if source = RTS_BGP then accept; reject; }}
"""
    for tunnel, mine, other in tunnels_of(site):
        if not tunnel.bgp:
            continue
        text += f"""
protocol bgp {tunnel.name} {{
	local {getattr(tunnel, mine + '4')} as {AS_NUMBERS[site]};
	neighbor {getattr(tunnel, other + '4')} as {AS_NUMBERS[getattr(tunnel, other)]};
	interface "{tunnel.name}";
	direct;
	hold time {HOLD_TIME};
	connect retry time 2;
	connect delay time 1;
	error wait time 1, 5;
	graceful restart on;
	graceful restart time 120;
	default bgp_local_pref {tunnel.preference};
	ipv4 {{ import filter friends4; export filter own; }};
	ipv6 {{ import filter friends6; export filter own; }};
}}
"""
    return text


def start_bird(node):
    node.write("/etc/bird/bird.conf", bird_conf(node.name))
    bird = node.spawn("bird", "-f", log="bird.log")
    wait_until(lambda: node.try_run("birdc", "show", "status").returncode == 0, 10, f"{node.name}: bird")
    return bird


def start_peer(net, site, keys):
    """A stock end of tunnels: remi (with bird), pi, the server."""
    node = net.nodes[site]
    for tunnel, mine, other in tunnels_of(site):
        start_tunnel(node, tunnel, mine, other, keys)
    if site in LANS:
        start_bird(node)


def start_two_line_router(net, site, keys):
    """home or friend as stock Linux: the same addresses, lines told apart by policy rules."""
    node = net.nodes[site]
    set_up_stock_lan(net, site)
    text = FORWARDING
    for number, line in enumerate(lines_of(site), 1):
        text += f"""
ip addr add {line.address4}/{line.length4} dev {line.name}
ip addr add {line.address6}/64 dev {line.name}
ip route add default via {line.gateway4} metric {number}
ip -6 route add default via {line.gateway6} metric {number}
ip route add default via {line.gateway4} table {number}
ip -6 route add default via {line.gateway6} table {number}
ip rule add from {line.address4} lookup {number} priority {number}
ip -6 rule add from {line.address6} lookup {number} priority {number}
ip -6 rule add from {line.delegated} lookup {number} priority {number}
"""
    for public, _ in LANS[site].public6:
        text += f"ip addr add {public}/64 dev lan\n"
    for tunnel, mine, other in tunnels_of(site):
        outer, line = getattr(tunnel, f"{other}_outer"), LINES.get((site, getattr(tunnel, f"{mine}_line")))
        if outer and line:
            gateway = line.gateway6 if ":" in outer else line.gateway4
            text += f"ip route add {outer} via {gateway} dev {line.name}\n"
    node.script(text)
    start_peer(net, site, keys)
