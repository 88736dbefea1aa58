/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the RIB share: rib.c, rib_group.c, rib_resolve.c, rib_list.c. Nobody else includes it. */
#ifndef BYWAY_CONTROL_RIB_INTERNAL_H
#define BYWAY_CONTROL_RIB_INTERNAL_H

#include <sys/queue.h>

#include "control/ptree.h"
#include "control/rib.h"

#define RIB_BUCKETS 4096 /* of each table of interned objects */

/* Where a next hop or group waits for the next pull. */
enum rib_queue { RIB_QUEUE_NONE, RIB_QUEUE_NEW, RIB_QUEUE_DEAD };

struct rib_nexthop {
	LIST_ENTRY(rib_nexthop) bucket;
	TAILQ_ENTRY(rib_nexthop) queue; /* to be told, or unused */
	struct rib_gateway gateway;
	uint32_t id, refs;
	bool sent;
	uint8_t queued; /* enum rib_queue */
	char *refused;	/* why; NULL */
};
TAILQ_HEAD(rib_nexthops, rib_nexthop);

struct rib_group {
	LIST_ENTRY(rib_group) bucket;
	TAILQ_ENTRY(rib_group) queue;
	struct rib_nexthop *members[RIB_GATEWAYS];
	unsigned n;
	uint32_t id, refs;
	bool sent;
	uint8_t queued; /* enum rib_queue; NEW and sent: its members changed */
	char *refused;
	/* Of a run of the resolution: where all of its paths go; some go elsewhere; some come; it took the
	 * members. */
	struct rib_group *goes_to;
	bool splits, is_goal, moved;
};
TAILQ_HEAD(rib_groups, rib_group);

struct rib_route;
LIST_HEAD(rib_users, rib_route);

/* An interned list of gateways and what it resolves to. */
struct rib_paths {
	LIST_ENTRY(rib_paths) bucket;
	TAILQ_ENTRY(rib_paths) all;
	struct rib_users users;
	struct rib_gateway gateways[RIB_GATEWAYS];
	unsigned n;
	uint32_t refs;
	struct rib_group *group; /* NULL: does not resolve */
	struct rib_group *was;	 /* before the run of the resolution that goes on; NULL */
	char reason[120];	 /* then why */
};

/* A candidate. BGP's come by the million and end before `local`. */
struct rib_route {
	struct rib_route *next;	    /* in its entry, best first */
	LIST_ENTRY(rib_route) user; /* of its paths */
	struct rib_entry *entry;
	struct rib_paths *paths;
	uint32_t tag;
	uint8_t source, distance, generation;
	LIST_ENTRY(rib_route) local; /* of rib.local */
};

struct rib_entry {
	struct ptree_node *node;
	struct rib_table *table;
	struct rib_route *routes;
	TAILQ_ENTRY(rib_entry) dirty_link;
	struct rib_group *told; /* what the dataplane has; NULL: nothing */
	bool dirty, refused;	/* refused: rib.refusals says why */
};

/* A route that the dataplane refused. There are few, so they are not in the entry. */
struct rib_refusal {
	LIST_ENTRY(rib_refusal) link;
	struct rib_entry *entry;
	char *why;
};
TAILQ_HEAD(rib_entries, rib_entry);

struct rib_table {
	TAILQ_ENTRY(rib_table) link;
	uint32_t id;
	char name[FIBMSG_NAME];
	struct ptree tree[2]; /* IPv4, IPv6 */
};

struct rib {
	struct rib_env env;
	TAILQ_HEAD(, rib_table) tables;
	LIST_HEAD(, rib_nexthop) nexthop_buckets[RIB_BUCKETS];
	LIST_HEAD(, rib_group) group_buckets[RIB_BUCKETS];
	LIST_HEAD(, rib_paths) paths_buckets[RIB_BUCKETS];
	TAILQ_HEAD(, rib_paths) paths;
	struct rib_users local;
	LIST_HEAD(, rib_refusal) refusals;
	struct slab entries, bgp_routes;
	struct rib_paths *last_paths; /* that were asked for: the next route often has them, too; NULL */
	struct rib_nexthops new_nexthops, dead_nexthops;
	struct rib_groups new_groups, dead_groups;
	struct rib_entries dirty;
	struct ptree watched[2]; /* gateways that are looked up; data: rib itself, counts do not matter */
	bool resolve_pending;	 /* a route that leads to a watched gateway changed */
	uint8_t generation;
	uint32_t next_id;
	struct rib_totals totals;
};

/* rib_group.c */
/* One reference. `was`: taken when it has these members, of several alike; may be NULL. */
struct rib_group *rib_group_get(
    struct rib *r, const struct rib_gateway *gateways, unsigned n, struct rib_group *was);
void rib_group_ref(struct rib *r, struct rib_group *g);
void rib_group_unref(struct rib *r, struct rib_group *g);
/* Gives g the members of `like`; the dataplane is told of the group, not of the routes over it. */
void rib_group_become(struct rib *r, struct rib_group *g, const struct rib_group *like);
/* Why the group cannot be used: refused, or a member is and no other is left. NULL: it can. */
const char *rib_group_fault(const struct rib_group *g);
void rib_group_forget_sent(struct rib *r, uint32_t id_base, bool renumber);
bool rib_group_next_new(struct rib *r, struct fibmsg *m);
bool rib_group_next_dead(struct rib *r, struct fibmsg *m);
void rib_group_refuse(struct rib *r, const struct fibmsg *m, const char *why);
bool rib_group_retry(struct rib *r);

/* rib_resolve.c */
struct rib_paths *rib_paths_get(struct rib *r, const struct rib_gateway *gateways, unsigned n);
void rib_paths_unref(struct rib *r, struct rib_paths *p);
bool rib_paths_equal(const struct rib_paths *p, const struct rib_gateway *gateways, unsigned n);
/* A route to prefix changed in the overlay: what is looked up through it is resolved again before the next
 * pull. */
void rib_resolve_note(struct rib *r, const struct ip_prefix *prefix);
void rib_resolve_run(struct rib *r);

/* rib.c */
struct rib_table *rib_table_get(struct rib *r, uint32_t id);
struct rib_table *rib_table_find(const struct rib *r, uint32_t id);
struct ptree *rib_tree(struct rib_table *t, uint8_t family);
struct rib_route *rib_entry_best(const struct rib_entry *e);
const char *rib_entry_refusal(
    const struct rib *r, const struct rib_entry *e); /* why; NULL: it is not refused */
void rib_entry_mark(struct rib *r, struct rib_entry *e);
void *rib_alloc(size_t len); /* zeroed; never NULL */
uint32_t rib_hash(const void *data, size_t len, uint32_t seed);

#endif
