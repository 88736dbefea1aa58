/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel as the host behind the ports: host interfaces (persistent TAP/TUN named as the
 * interface), their addresses, the mirror of addresses and neighbours from netlink, managed
 * neighbour entries, and the policy rules by which host sockets leave by the right line.
 * Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_HOST_H
#define BYWAY_DATAPLANE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/iface.h"
#include "dataplane/nexthop.h"
#include "lib/err.h"
#include "lib/fibmsg.h"

/* --- hostif.c --- */

/*
 * Host interface of an interface: TAP with the port's MAC, or TUN (mac NULL). One that is left from before is
 * taken over. Does nothing where there are none (netlink_start was not called). ERR_PERM, ERR_IO, with a
 * sentence.
 */
int hostif_open(struct iface *ifc, const uint8_t mac[6], struct err_msg *msg);
void hostif_close(struct iface *ifc, bool remove); /* remove: the interface itself goes, too */
int hostif_set_mtu(struct iface *ifc, uint16_t mtu);
/* PKT_TO_HOST from the workers. Consumes the packet. */
void hostif_write(struct rte_mbuf *pkt);
int hostif_ifindex(const struct iface *ifc);  /* the kernel's; 0: it has none */
struct iface *hostif_by_ifindex(int ifindex); /* NULL: none of ours */
/* Tests without host interfaces: takes what the host would get. NULL: freed and counted. */
extern void (*hostif_sink)(struct rte_mbuf *pkt);

/* --- netlink.c --- */

/* Addresses of ours put on and taken off; dumps and notifications mirrored into address.c and neigh.c. */
int netlink_start(struct err_msg *msg);
void netlink_stop(void);
bool netlink_running(void);
/* Reads again what was lost when notifications overran; next deadline (ns). Runs hostrule_sync when
 * scheduled. */
uint64_t netlink_tick(uint64_t now_ns);
/* Without netlink they go straight to address.c. ERR_IO, ERR_PERM, with a sentence. */
int netlink_address_set(struct iface *ifc, const struct ip_prefix *a, struct err_msg *msg);
int netlink_address_del(struct iface *ifc, const struct ip_prefix *a);
/* The kernel's neighbour entry: resolved now (NTF_USE), or kept so (managed); found again after a restart. */
void netlink_neigh_ask(const struct iface *ifc, const struct ip_addr *a, bool managed);
/* Soon: reads all addresses and neighbours again into the mirror. */
void netlink_resync(void);

/* --- neigh.c --- */

/* Neighbours: found or made unresolved; asks the kernel (managed for gateways). Held while a next hop uses
 * it. NULL: no memory. */
struct neigh *neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed);
void neigh_put(struct neigh *n);
/* PKT_RESOLVE: holds the packet (bounded) and asks. Consumes it. */
void neigh_hold(struct rte_mbuf *pkt);
/* What the kernel says: its MAC, or NULL: it does not answer any more. Entries nobody asked for are made,
 * too. */
void neigh_learn(uint16_t iface, const struct ip_addr *addr, const uint8_t mac[6]);
/* The kernel dropped its entry, of age or flushed: that says nothing of the neighbour. What is known stays in
 * use while the kernel is asked anew. */
void neigh_expire(uint16_t iface, const struct ip_addr *addr);
/* Host routes of an interface go (they come back when asked for); forget: the entries, too. */
void neigh_flush(uint16_t iface);
void neigh_forget(uint16_t iface);
uint64_t neigh_tick(uint64_t now_ns);
void neigh_stop(void);
/* Queries; index from 0, ERR_NOENT past the end. neigh_route_row: the next host route at or after *index. */
int neigh_row(unsigned index, struct fibmsg_row_neighbour *row);
int neigh_route_row(unsigned *index, struct fibmsg_row_neighbour *row, uint32_t *table);

/* --- hostrule.c --- */

/* Policy rules: source of a WAN -> that WAN's table; everything else not connected -> byway0. Soon, once. */
void hostrule_schedule(void);
/* Due: makes the kernel's rules and routes what they should be; false: nothing was scheduled. */
bool hostrule_sync(void);
/* What was made may be gone: the next sync makes all of it again. */
void hostrule_forget(void);
/* Removes what this program made, now or in a life before. */
void hostrule_clear(void);

#endif
