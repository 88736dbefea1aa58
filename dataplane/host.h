/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel as the host behind the ports: host interfaces (persistent TAP/TUN named as the
 * interface), their addresses, the mirror of addresses and neighbours from netlink, managed
 * neighbour entries, and the policy rules by which host sockets leave by the right line.
 * Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_HOST_H
#define BYWAY_DATAPLANE_HOST_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/iface.h"
#include "dataplane/nexthop.h"
#include "lib/err.h"
#include "lib/fibmsg.h"

/* Host interface of an interface: TAP with the port's MAC, or TUN. ERR_PERM, ERR_IO, with a sentence. */
int hostif_open(struct iface *ifc, const uint8_t mac[6], struct err_msg *msg);
void hostif_close(struct iface *ifc, bool remove); /* remove: the interface itself goes, too */
int hostif_set_mtu(struct iface *ifc, uint16_t mtu);
/* PKT_TO_HOST from the workers. Consumes the packet. */
void hostif_write(struct rte_mbuf *pkt);

/* Netlink: addresses of ours put on and taken off; dumps and notifications mirrored into iface/neigh/fib. */
int netlink_start(struct err_msg *msg);
void netlink_stop(void);
int netlink_address_set(const struct iface *ifc, const struct ip_prefix *a, struct err_msg *msg);
int netlink_address_del(const struct iface *ifc, const struct ip_prefix *a);

/* Neighbours: found or made unresolved; asks the kernel (managed for gateways). Held while a next hop uses it. */
struct neigh *neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed);
void neigh_put(struct neigh *n);
/* PKT_RESOLVE: holds the packet (bounded) and asks. Consumes it. */
void neigh_hold(struct rte_mbuf *pkt);
uint64_t neigh_tick(uint64_t now_ns);
int neigh_row(unsigned index, struct fibmsg_row_neighbour *row);

/* Policy rules: source of a WAN -> that WAN's table; everything else not connected -> byway0. */
int hostrule_sync(struct err_msg *msg);
void hostrule_clear(void);

#endif
