/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes of one family as the store keeps them: fixed slots in pages and an open-addressed index
 * over them, so that a million routes cost 24 bytes each (IPv6: 36) and no allocation of their own,
 * and a slot's number stays while the index grows. The index is in shards that grow one by one, so that no
 * route of a million waits for all the others. An entry carries bits of its route's hash: a search touches
 * the slot that it finds and hardly any other. Slow thread, through store.c only.
 */
#ifndef BYWAY_DATAPLANE_STORE_ROUTE_H
#define BYWAY_DATAPLANE_STORE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"

#define STORE_ROUTE_NONE   UINT32_MAX
#define STORE_ROUTE_SHARDS 64

struct store_route_slot {
	uint32_t table, group;
	uint16_t epoch;
	uint8_t plen;
	uint8_t used : 1, linked : 1, origin : 1;
	uint8_t addr[]; /* 4 or 16 bytes */
};

struct store_routes {
	uint8_t family;
	uint32_t addr_len, stride; /* bytes */
	uint64_t seed;
	uint8_t **pages;
	uint32_t n_pages, high; /* slots ever used lie below high */
	uint32_t free_head;	/* freed slots are chained through `group` */
	uint32_t used;		/* slots in use, linked or not */
	struct store_route_shard {
		uint32_t *entries; /* slot number and a tag above it, or NONE */
		uint32_t size;	   /* power of two, or 0 */
		uint32_t used;	   /* slots in use of this shard, linked or not: there is room for them */
	} shards[STORE_ROUTE_SHARDS];
};

void store_routes_init(struct store_routes *r, uint8_t family, uint64_t seed);
void store_routes_free(struct store_routes *r);
struct store_route_slot *store_routes_slot(const struct store_routes *r, uint32_t number);
/* What find and add want to know of a route; prefetch and peek bring to the cache what find will touch: first
 * the index, then, once that is there, the slot. */
uint64_t store_routes_hash(const struct store_routes *r, uint32_t table, const struct ip_prefix *prefix);
void store_routes_prefetch(const struct store_routes *r, uint64_t hash);
void store_routes_peek(const struct store_routes *r, uint64_t hash);
uint32_t store_routes_find(
    const struct store_routes *r, uint64_t hash, uint32_t table, const struct ip_prefix *prefix);
/* A linked slot with table and prefix filled in. ERR_NOMEM, ERR_FULL. */
int store_routes_add(
    struct store_routes *r, uint64_t hash, uint32_t table, const struct ip_prefix *prefix, uint32_t *number);
/* Out of the index and back into it (never fails): how a removal is staged and undone. */
void store_routes_unlink(struct store_routes *r, uint32_t number);
void store_routes_relink(struct store_routes *r, uint32_t number);
/* An unlinked slot becomes free. */
void store_routes_release(struct store_routes *r, uint32_t number);
void store_routes_prefix(
    const struct store_routes *r, const struct store_route_slot *slot, struct ip_prefix *out);

#endif
