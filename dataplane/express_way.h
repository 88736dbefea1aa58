/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What groups mean to the short way, remembered by each worker: the link header, the interface and the MTU of
 * what serves, in a table of half a cache line each. Made when a packet first asks, forgotten when
 * forward_epoch has moved. A group of several members has one way for itself, which says so, and one a
 * member. Workers only.
 */
#ifndef BYWAY_DATAPLANE_EXPRESS_WAY_H
#define BYWAY_DATAPLANE_EXPRESS_WAY_H

#include "dataplane/nexthop.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

#define EXPRESS_WAYS	  1024 /* a power of two */
#define EXPRESS_KEY_SHIFT 8    /* members lie a quarter of the table apart, the fifth ... */
#define EXPRESS_KEY_FOLD  12   /* ... beside the first */
#define EXPRESS_NO_KEY	  UINT32_MAX

/* Bytes of the link header that change; the type after them stays. */
#define EXPRESS_REWRITE_LEN 12
static_assert(offsetof(struct wire_eth, type_be) == EXPRESS_REWRITE_LEN, "addresses come first");

/*
 * `limit` says in one word where a packet leaves and how long it may be: interface << 16 | MTU. The first is
 * for any packet, the second for one whose source may leave there (forward.c:keep_to_line). 0: none may,
 * what holds is the stages' matter, or that of a group's members.
 */
struct express_way {
	uint32_t key; /* group, and the member above it (express_way_key), or EXPRESS_NO_KEY */
	uint32_t limit[2];
	uint32_t several;   /* 1: the group has several members */
	uint8_t header[16]; /* EXPRESS_REWRITE_LEN bytes */
} __attribute__((aligned(32)));
static_assert(sizeof(struct express_way) == 32, "half a cache line: the vectors count on it");

struct express {
	uint64_t epoch; /* in which the ways were made */
	struct express_way ways[EXPRESS_WAYS];
};

/* A group's own way has the group's number. */
static inline uint32_t express_way_key(uint32_t group, unsigned member)
{
	return (member + 1) << 16 | group;
}
static_assert(GROUP_MAX <= 65536 && FIBMSG_MEMBERS < 65535, "both fit a word");

/* express_avx512.c does the same for sixteen. */
static inline uint32_t express_way_slot(uint32_t key)
{
	return (key ^ key >> EXPRESS_KEY_SHIFT ^ key >> EXPRESS_KEY_FOLD) % EXPRESS_WAYS;
}

/* Once a burst, before the others: forgets what was made in another epoch. */
void express_way_check_epoch(struct express *e);
/* Makes the way of a key in its slot: of a group, or of a member that express_way_member named. */
void express_way_make(const struct worker *w, struct express_way *way, uint32_t key);
/*
 * Which member of a group of several has a flow (group_bucket_of takes its hash): the key of its way, or the
 * group itself when it has several no more. Members keep their places while they live and die.
 */
static inline uint32_t express_way_member(uint32_t group, uint32_t flow_hash)
{
	uintptr_t serves = atomic_load_explicit(&group_forward[group], memory_order_consume);

	if (!(serves & 1))
		return group;
	return express_way_key(group,
	    ((const struct group_buckets *)(serves & ~(uintptr_t)1))->bucket[group_bucket_of(flow_hash)]);
}

static inline const struct express_way *express_way_find(const struct worker *w, uint32_t key)
{
	struct express_way *way = &w->express->ways[express_way_slot(key)];

	if (__builtin_expect(way->key != key, 0))
		express_way_make(w, way, key);
	return way;
}

#endif
