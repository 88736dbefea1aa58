/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of small integers (ids of prefixes): bits with a summary above them.
 * Everything that waits in the core is such a set, which is what makes work
 * proportional to what changed and not to how often. Adding and removing never
 * allocate; room is reserved when an id is handed out.
 */
#ifndef BYWAY_BGP_BGP_SET_H
#define BYWAY_BGP_BGP_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/bgp_mem.h"

#define BGP_SET_END UINT32_MAX

struct bgp_set {
	uint64_t *words;   /* one bit a member */
	uint64_t *summary; /* one bit a word that is not zero */
	uint32_t n_words;  /* a multiple of 64 */
	uint32_t count;
};

/* Room for ids 0..n-1. ERR_NOMEM: as it was. Never shrinks. */
int bgp_set_reserve(struct bgp_heap *heap, struct bgp_set *set, uint32_t n);
void bgp_set_free(struct bgp_heap *heap, struct bgp_set *set);
/* Each returns whether it changed anything. add: id below what was reserved. */
bool bgp_set_add(struct bgp_set *set, uint32_t id);
bool bgp_set_remove(struct bgp_set *set, uint32_t id);
bool bgp_set_has(const struct bgp_set *set, uint32_t id);
/* The least member >= from, or BGP_SET_END. */
uint32_t bgp_set_next(const struct bgp_set *set, uint32_t from);
void bgp_set_clear(struct bgp_set *set);
/* Adds every member of from; set has at least its room. */
void bgp_set_merge(struct bgp_set *set, const struct bgp_set *from);

#endif
