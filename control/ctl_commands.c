/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the control socket's commands. Control's only thread. */
#include "control/ctl_commands.h"

const struct ctl_command ctl_commands[] = {
    {"show ports", false, ctl_show_ports, {0}},
    {"show tunnels", false, ctl_show_tunnels, {0}},
    {"show bgp", false, ctl_show_bgp, {"peer"}},
    {"show routes", false, ctl_show_routes, {"prefix"}},
    {"show wan", false, ctl_show_wan, {0}},
    {"show wan events", false, ctl_show_wan_events, {0}},
    {"show drops", false, ctl_show_drops, {0}},
    {"show version", false, ctl_show_version, {0}},
    {"reload", true, ctl_reload, {0}},
    {"wan override", true, ctl_wan_override, {"line", "to"}},
    {0},
};
