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

#define EXPRESS_WAYS	  512 /* a power of two */
#define EXPRESS_SHARES	  16  /* likewise */
#define EXPRESS_KEY_SHIFT 11
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

/* Who has which bucket of a group of several. */
struct express_shares {
	uint32_t group;
	uint8_t bucket[GROUP_BUCKETS];
};

struct express {
	uint64_t epoch; /* in which all below was made */
	struct express_way ways[EXPRESS_WAYS];
	struct express_shares shares[EXPRESS_SHARES];
};

/* A group's own way has the group's number. */
static inline uint32_t express_way_key(uint32_t group, unsigned member)
{
	return (member + 1) << 16 | group;
}
static_assert(GROUP_MAX <= 65536 && FIBMSG_MEMBERS < 65535, "both fit a word");

/* Members lie 32 ways apart. express_avx512.c does the same for sixteen. */
static inline uint32_t express_way_slot(uint32_t key)
{
	return (key ^ key >> EXPRESS_KEY_SHIFT) % EXPRESS_WAYS;
}

/* Once a burst, before the others: forgets what was made in another epoch. */
void express_way_check_epoch(struct express *e);
/* Makes the way of a key in its slot: of a group, or of a member that express_way_member named. */
void express_way_make(const struct worker *w, struct express_way *way, uint32_t key);
/* Which member of a group of several has a flow (group_bucket_of takes its hash): the key of its way. */
uint32_t express_way_member(struct express *e, uint32_t group, uint32_t flow_hash);

static inline const struct express_way *express_way_find(const struct worker *w, uint32_t key)
{
	struct express_way *way = &w->express->ways[express_way_slot(key)];

	if (__builtin_expect(way->key != key, 0))
		express_way_make(w, way, key);
	return way;
}

#endif
