/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops, neighbours and next-hop groups as the packet path sees them: a route's value
 * is a dense group index; group_forward[index] is what serves now. Next hops and
 * neighbours belong to the slow thread, the forwarding array to the monitor thread alone.
 */
#ifndef BYWAY_DATAPLANE_NEXTHOP_H
#define BYWAY_DATAPLANE_NEXTHOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/iface.h"
#include "dataplane/rcu.h"
#include "lib/fibmsg.h"

/* A neighbour's link-layer address in one word, so that it changes under readers without a new object. */
#define NEIGH_MAC_VALID (1ull << 48)

struct neigh {
	uint16_t iface; /* index */
	struct ip_addr addr;
	/* Low 48 bits: MAC as it lies in a frame (memcpy of 6 bytes); NEIGH_MAC_VALID when resolved.
	 * Written by the slow thread (release), read by workers (acquire). */
	_Atomic uint64_t mac;
	struct rcu_head rcu;
};

enum nexthop_kind {
	NEXTHOP_VIA,	   /* neigh on iface */
	NEXTHOP_CONNECTED, /* to the slow thread, which finds the neighbour and installs its host route */
	NEXTHOP_TUNNEL,	   /* peer, or NULL: allowed-IPs of the tunnel decide */
	NEXTHOP_HOST,	   /* for this host */
	NEXTHOP_UNREACHABLE,
	NEXTHOP_PROHIBIT,
	NEXTHOP_BLACKHOLE,
	NEXTHOP_NO_ROUTE,  /* what index 0 says */
	NEXTHOP_NONE_LIVE, /* what an ordered group says when no member lives */
};

/* Constant once published; replaced whole. */
struct nexthop {
	enum nexthop_kind kind;
	uint16_t iface; /* index of the way out */
	uint8_t role;	/* of that interface: a WAN? */
	struct neigh *neigh;
	struct tunnel_peer *peer;
	uint32_t id; /* control's; 0: made by the dataplane */
	struct rcu_head rcu;
};

/* Next hops without a way out, for routes and groups of those kinds; constant, never freed. */
extern struct nexthop nexthop_host, nexthop_unreachable, nexthop_prohibit, nexthop_blackhole,
    nexthop_no_route, nexthop_none_live;

#define GROUP_MAX     65536
#define GROUP_HOST    1u  /* dense index of the group "for this host", made by the slow thread at start */
#define GROUP_BUCKETS 256 /* of a weighted group; a flow's hash chooses one */

/* A weighted or multipath group as readers see it: six cache lines, where pointers would be 32. */
struct group_buckets {
	struct nexthop *member[FIBMSG_MEMBERS];
	uint8_t bucket[GROUP_BUCKETS]; /* index into member */
};

/*
 * Dense group index -> what serves: a struct nexthop *, or a struct group_buckets * with the
 * lowest bit set. Monitor thread writes (release), workers read (consume, inside their RCU section).
 * Index 0 (LPM_NONE) is "no route".
 */
extern _Atomic uintptr_t group_forward[GROUP_MAX];

/* Main thread, before any other: group_forward says "no route" everywhere, GROUP_HOST serves the host. */
void group_init(void);
/* Slow thread: a dense index that no route holds. ERR_FULL. */
int group_index_alloc(uint32_t *index);
/* Slow thread: after the last route was removed; the index is used again only after a grace period. */
void group_index_free(uint32_t index);

/*
 * Moved by each thread after it changed what a group means to a worker: what serves, a neighbour's address, a
 * port, an interface's MTU. Workers keep what they made of a group until it moves (express_way.c).
 */
extern _Atomic uint64_t forward_epoch;

static inline void forward_changed(void)
{
	atomic_fetch_add_explicit(
	    &forward_epoch, 1, memory_order_release); /* pair: express_way_check_epoch */
}

/* The peers of tunnels that a group names, whether they serve or not; constant once published. */
struct group_peers {
	uint8_t n;
	uint16_t peer[FIBMSG_MEMBERS]; /* index */
};

/*
 * Dense group index -> its peers; NULL: none. From these may come what the group's routes lead to
 * (tunnel_filter.c). RCU: monitor thread writes, workers read.
 */
extern struct group_peers *group_peers[GROUP_MAX];

static inline bool group_names_peer(uint32_t index, uint16_t peer)
{
	const struct group_peers *g = rcu_dereference(group_peers[index]);

	for (unsigned i = 0; g && i < g->n; i++)
		if (g->peer[i] == peer)
			return true;
	return false;
}

/* All bits of the hash count; hashes below GROUP_BUCKETS name their bucket. */
static inline unsigned group_bucket_of(uint32_t flow_hash)
{
	flow_hash ^= flow_hash >> 16;
	return (flow_hash ^ flow_hash >> 8) % GROUP_BUCKETS;
}

static inline const struct nexthop *group_pick(uint32_t index, uint32_t flow_hash)
{
	uintptr_t v = atomic_load_explicit(&group_forward[index], memory_order_consume);

	if (__builtin_expect(v & 1, 0)) {
		const struct group_buckets *b = (const struct group_buckets *)(v & ~(uintptr_t)1);

		return b->member[b->bucket[group_bucket_of(flow_hash)]];
	}
	return (const struct nexthop *)v;
}

#endif
