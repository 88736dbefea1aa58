/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layer-3 interfaces: ports, tunnels, and byway0 (what the host sends that is not
 * connected). The slow thread creates and removes them; workers and the monitor thread
 * read them under RCU, by dense index from packets that wait in queues.
 */
#ifndef BYWAY_DATAPLANE_IFACE_H
#define BYWAY_DATAPLANE_IFACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/rcu.h"
#include "lib/fibmsg.h"

#define IFACE_MAX	4096
#define IFACE_ADDRESSES 32

enum iface_kind { IFACE_PORT, IFACE_TUNNEL, IFACE_HOST };

/* Addresses as the host interface carries them; replaced whole (RCU). Sources of ICMP errors, "for us". */
struct iface_addresses {
	unsigned n;
	struct ip_prefix a[IFACE_ADDRESSES];
	struct rcu_head rcu;
};

struct iface {
	uint16_t index; /* into iface_table; 0 is never used */
	enum iface_kind kind;
	char name[FIBMSG_NAME];
	uint8_t role;	/* enum fibmsg_role */
	uint32_t table; /* a WAN's underlay table, 0 otherwise */
	_Atomic uint16_t mtu;
	/* Usable as a way out: link and verdict. Written by the monitor thread (release), read by all
	 * (relaxed suffices: a hint). */
	_Atomic bool up;
	struct iface_addresses *addresses; /* RCU */
	struct port *port;		   /* IFACE_PORT */
	struct tunnel *tunnel;		   /* IFACE_TUNNEL */
	struct hostif *hostif;		   /* slow thread's end */
	struct rcu_head rcu;
};

/* RCU read side, any registered thread; NULL when there is none (any more). */
struct iface *iface_by_index(uint16_t index);
struct iface *iface_by_name(const char *name);
/* Slow thread. ERR_EXISTS, ERR_FULL, ERR_NOMEM. iface_del retires after a grace period. */
int iface_add(enum iface_kind kind, const char *name, struct iface **out);
void iface_del(struct iface *ifc);
/* Slow thread: publishes the new list, retires the old one. ERR_NOMEM, ERR_FULL. */
int iface_set_addresses(struct iface *ifc, const struct ip_prefix *a, unsigned n);
/* RCU read side: the best address of the family to speak from (RFC 6724 scope first), false when there is
 * none. */
bool iface_source(
    const struct iface *ifc, uint8_t family, const struct ip_addr *towards, struct ip_addr *out);
/* Slow thread: what the router prefers to speak from; family 0: no preference. ERR_NOMEM. */
int iface_set_router_sources(const struct ip_addr *source4, const struct ip_addr *source6);
/* RCU read side: that preference, else any address beyond link scope of any interface; false when there is
 * none. */
bool iface_router_source(uint8_t family, const struct ip_addr *towards, struct ip_addr *out);

#endif
