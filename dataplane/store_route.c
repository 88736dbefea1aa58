/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes of one family in pages of slots with an open-addressed index (linear probing, removal by
 * shifting back) in shards. Slow thread, through store.c only.
 */
#include "dataplane/store_route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define PAGE_SLOTS  65536u
#define NUMBER_BITS 23
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)
#define ROUTES_MAX  NUMBER_MASK /* so that no entry is NONE */
#define INDEX_MIN   16u
#define AHEAD	    8 /* slots that are fetched ahead while a shard grows */

void store_routes_init(struct store_routes *r, uint8_t family, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	r->family = family;
	r->addr_len = family == IP_V4 ? 4 : 16;
	r->stride = (uint32_t)sizeof(struct store_route_slot) + r->addr_len;
	r->seed = seed;
	r->free_head = STORE_ROUTE_NONE;
}

void store_routes_free(struct store_routes *r)
{
	for (uint32_t i = 0; i < r->n_pages; i++)
		free(r->pages[i]);
	free(r->pages);
	for (unsigned i = 0; i < STORE_ROUTE_SHARDS; i++)
		free(r->shards[i].entries);
	store_routes_init(r, r->family, r->seed);
}

struct store_route_slot *store_routes_slot(const struct store_routes *r, uint32_t number)
{
	return (struct store_route_slot *)(void *)(r->pages[number / PAGE_SLOTS] +
						   (size_t)(number % PAGE_SLOTS) * r->stride);
}

/* Prefixes are chosen by friends, so the hash is keyed and mixes every bit. */
static uint64_t route_hash(const struct store_routes *r, uint32_t table, const uint8_t *addr, uint8_t plen)
{
	uint64_t h = r->seed ^ ((uint64_t)table << 8 | plen);

	for (uint32_t i = 0; i < r->addr_len; i += 4) {
		uint32_t word;

		memcpy(&word, addr + i, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

uint64_t store_routes_hash(const struct store_routes *r, uint32_t table, const struct ip_prefix *prefix)
{
	return route_hash(r, table, prefix->addr.b, prefix->len);
}

static uint64_t slot_hash(const struct store_routes *r, uint32_t number)
{
	const struct store_route_slot *slot = store_routes_slot(r, number);

	return route_hash(r, slot->table, slot->addr, slot->plen);
}

/* The shard by the highest bits, the tag by those below, the place by the lowest. */
static struct store_route_shard *shard_of(struct store_routes *r, uint64_t hash)
{
	return &r->shards[hash >> 58];
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 40) << NUMBER_BITS;
}

static void entry_put(struct store_route_shard *s, uint64_t hash, uint32_t number)
{
	uint32_t i = (uint32_t)hash & (s->size - 1);

	while (s->entries[i] != STORE_ROUTE_NONE)
		i = (i + 1) & (s->size - 1);
	s->entries[i] = tag_of(hash) | number;
}

static void prefetch_slot(const struct store_routes *r, uint32_t entry)
{
	if (entry != STORE_ROUTE_NONE)
		__builtin_prefetch(store_routes_slot(r, entry & NUMBER_MASK));
}

/* Doubles a shard that would pass three quarters. One of a million routes: some 0.3 ms. */
static int shard_reserve(const struct store_routes *r, struct store_route_shard *s)
{
	struct store_route_shard grown = {.size = s->size ? s->size : INDEX_MIN, .used = s->used};

	while ((uint64_t)(s->used + 1) * 4 > (uint64_t)grown.size * 3)
		grown.size *= 2;
	if (grown.size == s->size)
		return 0;
	grown.entries = malloc((size_t)grown.size * sizeof(*grown.entries));
	if (!grown.entries)
		return ERR_NOMEM;
	memset(grown.entries, 0xff, (size_t)grown.size * sizeof(*grown.entries));
	for (uint32_t i = 0; i < s->size; i++) {
		prefetch_slot(r, s->entries[(i + AHEAD) & (s->size - 1)]);
		if (s->entries[i] != STORE_ROUTE_NONE)
			entry_put(
			    &grown, slot_hash(r, s->entries[i] & NUMBER_MASK), s->entries[i] & NUMBER_MASK);
	}
	free(s->entries);
	*s = grown;
	return 0;
}

static int slot_take(struct store_routes *r, uint32_t *number)
{
	if (r->free_head != STORE_ROUTE_NONE) {
		*number = r->free_head;
		r->free_head = store_routes_slot(r, *number)->group;
		return 0;
	}
	if (r->high == ROUTES_MAX)
		return ERR_FULL;
	if (r->high == r->n_pages * PAGE_SLOTS) {
		uint8_t **pages = realloc(r->pages, (r->n_pages + 1) * sizeof(*pages));

		if (!pages)
			return ERR_NOMEM;
		r->pages = pages;
		r->pages[r->n_pages] = calloc(PAGE_SLOTS, r->stride);
		if (!r->pages[r->n_pages])
			return ERR_NOMEM;
		r->n_pages++;
	}
	*number = r->high++;
	return 0;
}

void store_routes_prefetch(const struct store_routes *r, uint64_t hash)
{
	const struct store_route_shard *s = &r->shards[hash >> 58];

	if (s->size)
		__builtin_prefetch(&s->entries[(uint32_t)hash & (s->size - 1)]);
}

void store_routes_peek(const struct store_routes *r, uint64_t hash)
{
	const struct store_route_shard *s = &r->shards[hash >> 58];
	uint32_t i = (uint32_t)hash & (s->size - 1), entry;

	if (!s->size)
		return;
	while ((entry = s->entries[i]) != STORE_ROUTE_NONE && (entry ^ tag_of(hash)) & ~NUMBER_MASK)
		i = (i + 1) & (s->size - 1);
	prefetch_slot(r, entry);
}

uint32_t store_routes_find(
    const struct store_routes *r, uint64_t hash, uint32_t table, const struct ip_prefix *prefix)
{
	const struct store_route_shard *s = &r->shards[hash >> 58];
	uint32_t entry;

	if (!s->size)
		return STORE_ROUTE_NONE;
	for (uint32_t i = (uint32_t)hash & (s->size - 1); (entry = s->entries[i]) != STORE_ROUTE_NONE;
	     i = (i + 1) & (s->size - 1)) {
		const struct store_route_slot *slot;

		if ((entry ^ tag_of(hash)) & ~NUMBER_MASK)
			continue;
		slot = store_routes_slot(r, entry & NUMBER_MASK);
		if (slot->table == table && slot->plen == prefix->len &&
		    memcmp(slot->addr, prefix->addr.b, r->addr_len) == 0)
			return entry & NUMBER_MASK;
	}
	return STORE_ROUTE_NONE;
}

int store_routes_add(
    struct store_routes *r, uint64_t hash, uint32_t table, const struct ip_prefix *prefix, uint32_t *number)
{
	struct store_route_shard *s = shard_of(r, hash);
	struct store_route_slot *slot;
	uint32_t n;
	int rc;

	rc = shard_reserve(r, s);
	if (rc)
		return rc;
	rc = slot_take(r, &n);
	if (rc)
		return rc;
	slot = store_routes_slot(r, n);
	memset(slot, 0, r->stride);
	slot->table = table;
	slot->plen = prefix->len;
	slot->used = 1;
	slot->linked = 1;
	memcpy(slot->addr, prefix->addr.b, r->addr_len);
	r->used++;
	s->used++;
	entry_put(s, hash, n);
	*number = n;
	return 0;
}

void store_routes_unlink(struct store_routes *r, uint32_t number)
{
	const uint64_t hash = slot_hash(r, number);
	struct store_route_shard *s = shard_of(r, hash);
	uint32_t mask = s->size - 1, hole = (uint32_t)hash & mask, i;

	assert(store_routes_slot(r, number)->linked);
	while (s->entries[hole] != (tag_of(hash) | number))
		hole = (hole + 1) & mask;
	/* An entry may fill the hole when the hole lies on its way from home to where it is. */
	for (i = (hole + 1) & mask; s->entries[i] != STORE_ROUTE_NONE; i = (i + 1) & mask) {
		uint32_t home = (uint32_t)slot_hash(r, s->entries[i] & NUMBER_MASK) & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			s->entries[hole] = s->entries[i];
			hole = i;
		}
	}
	s->entries[hole] = STORE_ROUTE_NONE;
	store_routes_slot(r, number)->linked = 0;
}

void store_routes_relink(struct store_routes *r, uint32_t number)
{
	const uint64_t hash = slot_hash(r, number);

	assert(!store_routes_slot(r, number)->linked);
	entry_put(shard_of(r, hash), hash, number);
	store_routes_slot(r, number)->linked = 1;
}

void store_routes_release(struct store_routes *r, uint32_t number)
{
	struct store_route_slot *slot = store_routes_slot(r, number);

	assert(slot->used && !slot->linked);
	shard_of(r, slot_hash(r, number))->used--;
	slot->used = 0;
	slot->group = r->free_head;
	r->free_head = number;
	r->used--;
}

void store_routes_prefix(
    const struct store_routes *r, const struct store_route_slot *slot, struct ip_prefix *out)
{
	memset(out, 0, sizeof(*out));
	out->addr.family = r->family;
	out->len = slot->plen;
	memcpy(out->addr.b, slot->addr, r->addr_len);
}
