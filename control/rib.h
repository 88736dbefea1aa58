/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RIB: what connected, static, BGP and built-in routes say for each (table, prefix), merged by
 * distance; next hops resolved; the difference to what the dataplane was told, pulled message by message.
 *
 * Prefix -> entry -> candidates by distance -> paths (interned list of gateways) -> group (interned list of
 * next hops). Resolution belongs to the paths, not to the prefix, so a gateway that appears or goes costs the
 * number of distinct paths plus the routes that really change.
 *
 * Work is by set: an entry that changes a thousand times before the pull costs one message. Messages come
 * next hops before groups before routes; what is unused is removed after the routes moved away.
 * No socket, clock or libevent here. Control's only thread. Memory that is out aborts: control
 * restarts gracefully, and half a RIB would be worse.
 */
#ifndef BYWAY_CONTROL_RIB_H
#define BYWAY_CONTROL_RIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/fibmsg.h"
#include "lib/ip.h"

#define RIB_GATEWAYS 4 /* of one route, best first; the rest of a longer list adds nothing to failover */

enum rib_source { RIB_CONNECTED, RIB_STATIC, RIB_EBGP, RIB_IBGP, RIB_BUILTIN, RIB_SOURCES };

enum rib_distance {
	RIB_DISTANCE_CONNECTED = 0,
	RIB_DISTANCE_STATIC = 1,
	RIB_DISTANCE_EBGP = 20,
	RIB_DISTANCE_IBGP = 200,
	RIB_DISTANCE_DEFAULT = 250,	/* over the lines */
	RIB_DISTANCE_UNREACHABLE = 254, /* private space that nothing else routes */
};

/*
 * One way of a route. kind FIBMSG_NH_VIA with an iface: a neighbour there. Without: the gateway is looked up
 * in the overlay (recursively), the way to it is the way of this route. Other kinds stand for themselves.
 */
struct rib_gateway {
	uint8_t kind; /* enum fibmsg_nh_kind */
	char iface[FIBMSG_NAME];
	struct ip_addr addr;
	uint8_t peer[32];
};

struct rib;

/* What the RIB asks about interfaces; both may be NULL. */
struct rib_env {
	/* Why next hops over iface cannot be used now; NULL: they can. */
	const char *(*iface_fault)(void *arg, const char *iface);
	/* Turns a neighbour on an interface into what reaches it (a tunnel's peer instead of an address). */
	void (*neighbour)(void *arg, struct rib_gateway *g);
	void *arg;
};

struct rib *rib_new(const struct rib_env *env);
void rib_free(struct rib *r);

/* Names a table for listings; tables appear with their first route. */
void rib_name_table(struct rib *r, uint32_t table, const char *name);

/*
 * Sets the candidate (source, tag) of a prefix; tag tells several of one source apart (interface, distance).
 * An equal one is left alone. n: 1 to RIB_GATEWAYS, best first.
 */
void rib_set(struct rib *r, uint32_t table, const struct ip_prefix *prefix, enum rib_source source,
    uint32_t tag, uint8_t distance, const struct rib_gateway *gateways, unsigned n);
void rib_remove(
    struct rib *r, uint32_t table, const struct ip_prefix *prefix, enum rib_source source, uint32_t tag);
/* Connected, static and built-in routes are named anew between begin and end; the others of these sources go.
 */
void rib_local_begin(struct rib *r);
void rib_local_end(struct rib *r);
/* Every BGP route goes (BGP itself starts anew, or is not configured any more). */
void rib_remove_bgp(struct rib *r);
/* Interfaces or their faults changed: resolve everything again. */
void rib_resolve_all(struct rib *r);

/*
 * A dataplane that may know nothing: everything is told again. Ids from id_base up are free there; renumber:
 * what it knows by ids below may be another's (an earlier process of control), so that none of ours stays
 * below.
 */
void rib_forget_sent(struct rib *r, uint32_t id_base, bool renumber);
/* The next message for the dataplane; false: it knows all. Counts as told. */
bool rib_next_message(struct rib *r, struct fibmsg *m);
bool rib_has_messages(struct rib *r);
/*
 * The dataplane refused this message of ours. The object is set aside with the reason: routes over it
 * become inactive. Call rib_forget_sent afterwards, since the batch was refused whole.
 */
void rib_refuse(struct rib *r, const struct fibmsg *m, const char *why);
/* Refused objects may be tried again. True: there were some. */
bool rib_retry_refused(struct rib *r);

/* A next hop as resolved, for listings and for who follows a gateway. */
struct rib_hop {
	uint32_t id;
	struct rib_gateway gateway;
};

struct rib_route_info {
	uint32_t table;
	const char *table_name;
	struct ip_prefix prefix;
	enum rib_source source;
	uint8_t distance;
	bool active;	/* the one that forwards */
	uint32_t group; /* 0: does not resolve */
	unsigned n_gateways, n_hops;
	struct rib_gateway gateways[RIB_GATEWAYS]; /* as given */
	struct rib_hop hops[RIB_GATEWAYS];	   /* as resolved, in the order of the group */
	char reason[200];			   /* why it is not active; "" */
};

/* Where a listing stands; zero it to begin. Holds no pointer: routes may change between calls. */
struct rib_cursor {
	bool started;
	uint32_t table;
	struct ip_prefix at; /* the last one listed */
};

/*
 * The next prefix in order (tables as they appeared, IPv4 before IPv6) that lies within (family 0: any); its
 * candidates, best first, at most max, go to out. Returns how many; 0: the end.
 */
unsigned rib_list(struct rib *r, const struct ip_prefix *within, struct rib_cursor *cursor,
    struct rib_route_info *out, unsigned max);

struct rib_totals {
	size_t prefixes, candidates, groups, nexthops, paths, waiting; /* waiting: entries not told yet */
};
void rib_get_totals(const struct rib *r, struct rib_totals *out);
const char *rib_source_text(enum rib_source source);

#endif
