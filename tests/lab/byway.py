# SPDX-License-Identifier: BSD-3-Clause
"""Byway in a lab node: its configuration written from the topology, its two daemons under a
supervisor, its client."""
import json
import os
import signal

from net import HERE, LabError, process_start, wait_until
from stock import allowed_ips, endpoint_text
from topology import AS_NUMBERS, LANS, PROBE_TARGETS, lines_of, tunnels_of

ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = {"byway-dataplane": "dataplane", "byway-control": "control", "byway": "control"}
HOLD_DOWN = "3s"
CONTROL_ID = 990   # user and group byway, as which byway-control runs after its start


def find_build(build=None):
    """The build directory that holds the daemons."""
    tried = [build] if build else [os.environ.get("BYWAY_BUILD", ""), "build-demo", "build", "build-check"]
    for name in filter(None, tried):
        place = os.path.join(ROOT, name)
        if os.path.exists(f"{place}/dataplane/byway-dataplane"):
            return place
    raise LabError(f"no byway-dataplane in {', '.join(filter(None, tried))}: build first, or give --build")


def find_tool(name, build=None):
    """A program of the lab's own in a build directory (a build without the daemons will do)."""
    tried = [build] if build else [os.environ.get("BYWAY_BUILD", ""), "build-demo", "build", "build-check"]
    for folder in filter(None, tried):
        place = os.path.join(ROOT, folder, "tests/lab", name)
        if os.path.exists(place):
            return place
    raise LabError(f"no tests/lab/{name} in {', '.join(filter(None, tried))}: build first, or give --build")


def path_of(build):
    """PATH that finds the client in a node."""
    try:
        place = find_build(build)
    except LabError:
        return os.environ["PATH"]
    return ":".join(f"{place}/{folder}" for folder in sorted(set(PROGRAMS.values()))) + ":" + os.environ["PATH"]


def quoted(addresses):
    return "[" + ", ".join(f'"{address}"' for address in addresses) + "]"


def port_text(site):
    text = "ports:\n"
    for preference, line in enumerate(lines_of(site), 1):
        text += f"""\
  {line.name}:
    device: {line.device}
    role: wan
    addresses: {quoted([f'{line.address4}/{line.length4}', line.address6 + '/64'])}
    gateways: {quoted([line.gateway4, line.gateway6])}
    prefixes: {quoted([line.delegated])}
    preference: {preference}
    probe: {{ targets: {quoted(PROBE_TARGETS)}, hold-down: {HOLD_DOWN} }}
"""
    lan = LANS[site]
    public = [f"{router}/64" for router, _ in lan.public6]
    return text + f"""\
  lan:
    device: eth0
    role: lan
    addresses: {quoted([lan.router4 + '/24', lan.router6 + '/64', *public])}
"""


STOCK = ("remi", "server")  # do not watch their tunnels: ours tells them from another line


def tunnel_text(site, keys):
    pairs, _ = keys
    text = "tunnels:\n"
    for tunnel, mine, other in tunnels_of(site):
        outer = getattr(tunnel, f"{other}_outer")
        text += f"""\
  {tunnel.name}:
    line: {getattr(tunnel, mine + '_line')}
    fallback: {"true" if getattr(tunnel, other) in STOCK and outer else "false"}
    private-key: /etc/byway/{tunnel.name}.key
    listen-port: {tunnel.port}
    addresses: {quoted([f"{getattr(tunnel, mine + '4')}/{tunnel.length4}",
                        f"{getattr(tunnel, mine + '6')}/{tunnel.length6}"])}
    peers:
      - name: {getattr(tunnel, other)}
        public-key: "{pairs[tunnel.name, other][1]}"
        preshared-key: /etc/byway/{tunnel.name}.psk
"""
        if outer:
            text += f'        endpoint: "{endpoint_text(outer, tunnel.port)}"\n'
        if not tunnel.bgp:
            text += f"        allowed-ips: {quoted(allowed_ips(tunnel, mine))}\n"
    return text


def own_networks(site):
    """What the site announces: its lan, and the single machines behind its static tunnels."""
    lan = LANS[site]
    networks = [lan.prefix4, lan.prefix6]
    for tunnel, mine, _ in tunnels_of(site):
        if not tunnel.bgp and mine == "left":
            networks += [f"{tunnel.left4}/{tunnel.length4}", f"{tunnel.left6}/{tunnel.length6}"]
    return networks


def bgp_text(site):
    text = """\
prefix-lists:
  friends: ["10.0.0.0/8 ge 16 le 32", "fd00::/8 ge 32 le 128"]
filters:
"""
    peers = ""
    for tunnel, mine, other in tunnels_of(site):
        if not tunnel.bgp:
            continue
        peer = getattr(tunnel, other)
        text += f"""\
  from-{tunnel.name}:
    - {{ match: {{ prefix-list: friends }}, set: {{ local-pref: {tunnel.preference} }}, action: accept }}
    - {{ action: reject }}
"""
        peers += f"""\
    {tunnel.name}:
      address: {getattr(tunnel, other + '4')}
      as: {AS_NUMBERS[peer]}
      interface: {tunnel.name}
      import: from-{tunnel.name}
      export: to-friends
      families: [ipv4, ipv6]
      hold-time: 9s
"""
    return text + f"""\
  to-friends:
    - {{ match: {{ prefix-list: friends }}, action: accept }}
    - {{ action: reject }}
bgp:
  as: {AS_NUMBERS[site]}
  networks: {quoted(own_networks(site))}
  graceful-restart: {{ restart-time: 120s }}
  peers:
{peers}"""


def config_text(site, keys):
    """The site's whole configuration file."""
    lan = LANS[site]
    return f"""\
# {site}: written by tests/lab from the lab's topology.
router:
  name: {site}
  id: {lan.router4}
  source: {quoted([lan.router4, lan.router6])}
""" + port_text(site) + tunnel_text(site, keys) + bgp_text(site)


def write_files(net, site, keys):
    """Configuration and keys in /etc/byway of the node, and the user that control runs as."""
    node = net.nodes[site]
    for name, row in (("passwd", f"byway:x:{CONTROL_ID}:{CONTROL_ID}::/nonexistent:/usr/sbin/nologin"),
                      ("group", f"byway:x:{CONTROL_ID}:")):
        with open(node.path(f"/etc/{name}"), encoding="utf-8") as text:
            rows = [line for line in text.read().splitlines() if not line.startswith("byway:")]
        node.write(f"/etc/{name}", "\n".join([*rows, row, ""]))
    pairs, preshared = keys
    for tunnel, mine, _ in tunnels_of(site):
        node.write(f"/etc/byway/{tunnel.name}.key", pairs[tunnel.name, mine][0] + "\n", 0o600)
        node.write(f"/etc/byway/{tunnel.name}.psk", preshared[tunnel.name] + "\n", 0o600)
    node.write("/etc/byway/byway.yaml", config_text(site, keys))


class Daemon:
    """A program that tests/lab/supervise.py keeps running in a node."""

    def __init__(self, node, name):
        self.node, self.name = node, name

    def pid(self):
        """Pid of the living program, or None."""
        try:
            with open(self.node.path(f"/run/supervise/{self.name}.pid"), encoding="ascii") as text:
                pid = int(text.read())
        except (FileNotFoundError, ValueError):
            return None
        return pid if process_start(pid) else None

    def signal(self, number):
        pid = self.pid()
        if not pid:
            raise LabError(f"{self.node.name}: {self.name} does not run: {self.node.dir}/{self.name}.log")
        os.kill(pid, number)
        return pid

    def hold(self, held):
        """While held, a program that ended is not started again."""
        place = self.node.path(f"/run/supervise/{self.name}.hold")
        if held:
            self.node.write(f"/run/supervise/{self.name}.hold", "")
        elif os.path.exists(place):
            os.unlink(place)

    def stop(self):
        """Ends the program by SIGTERM and does not start it again; what the supervisor said of its end."""
        with open(self.node.path(f"/run/supervise/{self.name}.supervisor"), encoding="ascii") as text:
            supervisor = int(text.read())
        os.kill(supervisor, signal.SIGTERM)
        wait_until(lambda: not process_start(supervisor), 20, f"{self.node.name}: the end of {self.name}")
        return self.log()[-1].rpartition("ended: ")[2]

    def log(self):
        """The lines of the program's log so far."""
        with open(f"{self.node.dir}/{self.name}.log", encoding="utf-8", errors="replace") as text:
            return text.read().splitlines()

    def starts(self):
        """How often the supervisor has started the program."""
        try:
            with open(self.node.path(f"/run/supervise/{self.name}.starts"), encoding="ascii") as text:
                return int(text.read() or 0)
        except FileNotFoundError:
            return 0


def start_daemon(node, name, argv, build):
    node.spawn("/usr/bin/python3", "-I", f"{HERE}/supervise.py", name, "--", f"{build}/{PROGRAMS[name]}/{name}",
               *argv, log=f"{name}.log", env={"PATH": path_of(build)})
    daemon = Daemon(node, name)
    wait_until(daemon.pid, 10, f"{node.name}: {name}")
    return daemon


def start(net, site, build, options=None):
    """Both daemons of a site, restarted when they end as a service manager would."""
    node, options = net.nodes[site], options or {}
    start_daemon(node, "byway-dataplane", ["--control-gid", CONTROL_ID, *options.get("dataplane", [])], build)
    start_daemon(node, "byway-control", ["--config", "/etc/byway/byway.yaml", *options.get("control", [])], build)


def client(node, *argv, build=None, timeout=10):
    """Rows of `byway -j …` as dictionaries."""
    done = node.try_run("env", f"PATH={path_of(build)}", "byway", "-j", *argv, timeout=timeout)
    if done.returncode != 0:
        raise LabError(f"{node.name}: byway {' '.join(argv)}: exit {done.returncode}: "
                       f"{(done.stderr or done.stdout).strip()}")
    return [row for row in map(json.loads, filter(None, done.stdout.splitlines())) if "ok" not in row]
