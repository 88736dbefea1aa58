/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes of one family in pages of slots with an open-addressed index (linear probing, removal by
 * shifting back). Slow thread, through store.c only.
 */
#include "dataplane/store_route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define PAGE_SLOTS 65536u
#define ROUTES_MAX (8u << 20)
#define INDEX_MIN  64u

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
	free(r->index);
	store_routes_init(r, r->family, r->seed);
}

struct store_route_slot *store_routes_slot(const struct store_routes *r, uint32_t number)
{
	return (struct store_route_slot *)(void *)(r->pages[number / PAGE_SLOTS] +
						   (size_t)(number % PAGE_SLOTS) * r->stride);
}

/* Prefixes are chosen by friends, so the hash is keyed and mixes every bit. */
static uint32_t route_hash(const struct store_routes *r, uint32_t table, const uint8_t *addr, uint8_t plen)
{
	uint64_t h = r->seed ^ ((uint64_t)table << 8 | plen);

	for (uint32_t i = 0; i < r->addr_len; i += 4) {
		uint32_t word;

		memcpy(&word, addr + i, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(h >> 32);
}

static uint32_t slot_hash(const struct store_routes *r, uint32_t number)
{
	const struct store_route_slot *slot = store_routes_slot(r, number);

	return route_hash(r, slot->table, slot->addr, slot->plen);
}

static void index_put(struct store_routes *r, uint32_t number)
{
	uint32_t i = slot_hash(r, number) & (r->index_size - 1);

	while (r->index[i] != STORE_ROUTE_NONE)
		i = (i + 1) & (r->index_size - 1);
	r->index[i] = number;
}

/* Doubles the index when it would pass three quarters. A million routes: some 30 ms, once. */
static int index_grow(struct store_routes *r)
{
	uint32_t size = r->index_size ? r->index_size : INDEX_MIN, *index;

	while ((uint64_t)(r->used + 1) * 4 > (uint64_t)size * 3)
		size *= 2;
	if (size == r->index_size)
		return 0;
	index = malloc((size_t)size * sizeof(*index));
	if (!index)
		return ERR_NOMEM;
	memset(index, 0xff, (size_t)size * sizeof(*index));
	free(r->index);
	r->index = index;
	r->index_size = size;
	for (uint32_t n = 0; n < r->high; n++) {
		const struct store_route_slot *slot = store_routes_slot(r, n);

		if (slot->used && slot->linked)
			index_put(r, n);
	}
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

uint32_t store_routes_find(const struct store_routes *r, uint32_t table, const struct ip_prefix *prefix)
{
	uint32_t i, number;

	if (!r->index_size)
		return STORE_ROUTE_NONE;
	i = route_hash(r, table, prefix->addr.b, prefix->len) & (r->index_size - 1);
	while ((number = r->index[i]) != STORE_ROUTE_NONE) {
		const struct store_route_slot *slot = store_routes_slot(r, number);

		if (slot->table == table && slot->plen == prefix->len &&
		    memcmp(slot->addr, prefix->addr.b, r->addr_len) == 0)
			return number;
		i = (i + 1) & (r->index_size - 1);
	}
	return STORE_ROUTE_NONE;
}

int store_routes_add(struct store_routes *r, uint32_t table, const struct ip_prefix *prefix, uint32_t *number)
{
	struct store_route_slot *slot;
	uint32_t n;
	int rc;

	rc = index_grow(r);
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
	memcpy(slot->addr, prefix->addr.b, r->addr_len);
	r->used++;
	store_routes_relink(r, n);
	*number = n;
	return 0;
}

void store_routes_unlink(struct store_routes *r, uint32_t number)
{
	uint32_t mask = r->index_size - 1, hole = slot_hash(r, number) & mask, i;

	assert(store_routes_slot(r, number)->linked);
	while (r->index[hole] != number)
		hole = (hole + 1) & mask;
	/* An entry may fill the hole when the hole lies on its way from home to where it is. */
	for (i = (hole + 1) & mask; r->index[i] != STORE_ROUTE_NONE; i = (i + 1) & mask) {
		uint32_t home = slot_hash(r, r->index[i]) & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			r->index[hole] = r->index[i];
			hole = i;
		}
	}
	r->index[hole] = STORE_ROUTE_NONE;
	store_routes_slot(r, number)->linked = 0;
}

void store_routes_relink(struct store_routes *r, uint32_t number)
{
	assert(!store_routes_slot(r, number)->linked);
	index_put(r, number);
	store_routes_slot(r, number)->linked = 1;
}

void store_routes_release(struct store_routes *r, uint32_t number)
{
	struct store_route_slot *slot = store_routes_slot(r, number);

	assert(slot->used && !slot->linked);
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
