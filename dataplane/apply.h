/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's backend in the daemon: what each accepted object does to interfaces, tunnels, next
 * hops, groups and the FIB. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_APPLY_H
#define BYWAY_DATAPLANE_APPLY_H

#include <stdbool.h>

#include "dataplane/iface.h"
#include "dataplane/store.h"

/* An empty store. ERR_NOMEM. */
int apply_start(struct err_msg *msg);
/* Removes what the store holds from the dataplane, before tunnel_stop; host interfaces and tunnels stay. */
void apply_stop(void);
struct store *apply_store(void);
/* Does apply_stop run? Then host interfaces and their addresses stay for the next start. */
bool apply_is_stopping(void);

/* apply_group.c: next hops and groups; errors as store_backend.object says. */
int apply_nexthop(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
int apply_group(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
/* Next hops over a port whose role changed are made anew. */
int apply_nexthops_again(const char *iface, struct err_msg *msg);
/* apply_tunnel.c: tunnels, peers, allowed-IPs. */
int apply_tunnel(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
int apply_peer(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
int apply_allowed_ip(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
/* apply_port.c: ports, their lines, addresses. */
int apply_port(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
int apply_line(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);
int apply_address(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);

#endif
