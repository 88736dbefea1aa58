/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the control socket, by file; ctl_commands.c lists them. Control's only thread. */
#ifndef BYWAY_CONTROL_CTL_COMMANDS_H
#define BYWAY_CONTROL_CTL_COMMANDS_H

#include "control/ctl_server.h"
#include "lib/fibmsg.h"

/* ctl_show.c: what the dataplane tells. */
void ctl_show_ports(struct ctl_request *q);
void ctl_show_tunnels(struct ctl_request *q);
void ctl_show_wan(struct ctl_request *q);
void ctl_show_wan_events(struct ctl_request *q);
void ctl_show_drops(struct ctl_request *q);
void ctl_show_version(struct ctl_request *q);
/* ctl_bgp.c */
void ctl_show_bgp(struct ctl_request *q);
/* ctl_routes.c */
void ctl_show_routes(struct ctl_request *q);
/* ctl_change.c */
void ctl_reload(struct ctl_request *q);
void ctl_wan_override(struct ctl_request *q);

#endif
