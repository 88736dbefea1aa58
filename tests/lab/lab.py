#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lab from the command line: put it up, look around in it, break it, end it."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import byway     # noqa: E402
import stock     # noqa: E402
import topology  # noqa: E402
from net import LabError, Net  # noqa: E402

BYWAY_SITES = ("home", "friend")

HELP = """\
The lab is a small Internet in network namespaces:

  home, friend   routers under test, each with two lines (wan1 at isp1, wan2 at isp2) and a lan
  remi           a stock Linux router with one line: wireguard-go and bird2
  pi             a stock WireGuard peer behind a NAT       server   a machine on the Internet
  home-host, friend-host, remi-host    a machine in each lan
  isp1, isp2, core, nat                the Internet between them

Look around (NODE is one of the names above; host names work inside: ping friend-host):

  lab.py exec home byway show wan            the client of Byway
  lab.py exec home wg show                   tunnels (also on remi, pi, server)
  lab.py exec remi birdc show protocols all  BGP as the other end sees it
  lab.py exec home-host ping friend-host
  lab.py exec home-host mtr -n friend-host
  lab.py exec isp1 tcpdump -ni home          what leaves home by its first line
  lab.py shell friend                        a shell there
  lab.py break isp1 [home] [--direction in]  packets vanish, the link stays up
  lab.py mend isp1
  lab.py down

Logs of what runs in a node are in /run/byway-lab-PREFIX/NODE/*.log; files inside a node are seen from
outside at /proc/$(lab.py pid NODE)/root/ (its /run, /etc and /var/lib are its own).
A second lab runs beside the first under another --prefix.
"""


def bring_up(prefix, routers="byway", build=None, options=None, log=lambda text: None):
    """A running instance. `routers`: "byway" | "stock" | "none" (cables and stock peers only).
    Ends what it began when something fails."""
    stock_names = BYWAY_SITES if routers == "stock" else ()
    net = Net(prefix)
    net.create()
    try:
        log("namespaces, cables and providers")
        topology.wire_up(net, stock_names)
        keys = stock.make_keys()
        log("stock peers: remi, pi, server")
        for site in ("remi", "pi", "server"):
            stock.start_peer(net, site, keys)
        for site in BYWAY_SITES:
            if routers == "stock":
                stock.start_two_line_router(net, site, keys)
            else:
                byway.write_files(net, site, keys)
                if routers == "byway":
                    log(f"byway on {site}")
                    byway.start(net, site, byway.find_build(build), options)
        net.save({"routers": routers, "build": build and os.path.abspath(build)})
    except BaseException:
        Net.destroy(prefix)
        raise
    return net


def enter(net, name, argv, build):
    if name not in net.nodes:
        raise LabError(f"no node '{name}': {', '.join(net.nodes)}")
    state = Net.load_state(net.prefix)
    environment = dict(os.environ, PATH=byway.path_of(build or state.get("build")))
    command = net.nodes[name].command(argv or [os.environ.get("SHELL", "/bin/sh")])
    os.execvpe(command[0], command, environment)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="lab.py", description=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--prefix", default="demo", help="which instance (default: demo)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[common], help="put the lab up")
    up.add_argument("--routers", choices=("byway", "stock", "none"), default="byway",
                    help="home and friend are Byway, stock Linux, or left for you to start (files are written)")
    up.add_argument("--build", help="build directory with the programs (default: build-demo, build, build-check)")
    up.add_argument("--dataplane-arg", action="append", default=[], help="one more argument of byway-dataplane")
    up.add_argument("--control-arg", action="append", default=[], help="one more argument of byway-control")
    commands.add_parser("down", parents=[common], help="end it, all of it")
    commands.add_parser("status", parents=[common], help="what runs where")
    for name in ("exec", "shell", "pid"):
        one = commands.add_parser(name, parents=[common], help={"exec": "run a program in a node",
                                  "shell": "a shell in a node", "pid": "pid of a node's namespaces"}[name])
        one.add_argument("node")
        if name == "exec":
            one.add_argument("argv", nargs=argparse.REMAINDER)
    broken = commands.add_parser("break", parents=[common], help="an ISP drops everything, silently")
    broken.add_argument("isp", choices=("isp1", "isp2"))
    broken.add_argument("site", nargs="?", choices=BYWAY_SITES, help="only this customer (default: all)")
    broken.add_argument("--direction", choices=("both", "in", "out"), default="both")
    broken.add_argument("--deaf", action="store_true", help="neighbour discovery dies too")
    mend = commands.add_parser("mend", parents=[common], help="the ISP works again")
    mend.add_argument("isp", choices=("isp1", "isp2"))
    roam = commands.add_parser("roam", parents=[common], help="pi comes from another address")
    roam.add_argument("--back", action="store_true")
    return parser.parse_args(arguments)


def show_status(net):
    for name, node in net.nodes.items():
        names = []
        for pid in node.processes():
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                names.append(f"{pid} {text.read().replace(bytes(1), b' ').decode(errors='replace').strip()}"[:90])
        print(f"{name:12} {node.pid:7}  " + ("\n" + " " * 22).join(names or ["-"]))


def main(arguments):
    args = parse(arguments)
    if args.command == "up":
        options = {"dataplane": args.dataplane_arg, "control": args.control_arg}
        bring_up(args.prefix, args.routers, args.build, options, log=print)
        print(f"lab '{args.prefix}' is up: tests/lab/lab.py --help says how to look around")
        return 0
    if args.command == "down":
        if not Net.destroy(args.prefix, log=print):
            print(f"no lab '{args.prefix}' was up")
        return 0
    net = Net.attach(args.prefix)
    if args.command in ("exec", "shell"):
        argv = getattr(args, "argv", [])
        enter(net, args.node, argv[1:] if argv[:1] == ["--"] else argv, None)
    elif args.command == "pid":
        print(net.nodes[args.node].pid)
    elif args.command == "break":
        topology.break_line(net, args.isp, args.site, args.direction, args.deaf)
    elif args.command == "mend":
        topology.mend_line(net, args.isp)
    elif args.command == "roam":
        topology.roam_pi(net, not args.back)
    else:
        show_status(net)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as problem:
        sys.exit(f"lab: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
