/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prefixes of one family, each with a dense id for the sets, in a binary trie
 * with compressed paths: found exactly, walked in order, covered and covering.
 */
#ifndef BYWAY_BGP_BGP_TABLE_H
#define BYWAY_BGP_BGP_TABLE_H

#include "bgp/bgp_set.h"

struct bgp_path; /* bgp_rib.h */

#define BGP_NET_FORK UINT32_MAX /* id of a node that only branches */

struct bgp_net {
	struct bgp_net *child[2];
	struct bgp_path *paths; /* the used ones first, best first; then the rest */
	uint32_t id;
	uint8_t len;	  /* bits */
	bool best_gone;	  /* the best path left since the last decision */
	bool listed_gone; /* one of the listed did */
	uint8_t key[];	  /* 4 or 16 bytes */
};

struct bgp_table {
	struct bgp_heap *heap;
	enum bgp_family family;
	struct bgp_net *root;
	struct bgp_net **by_id;
	size_t by_id_cap;
	uint32_t n_ids;	      /* ids ever given */
	uint32_t count;	      /* prefixes */
	struct bgp_set spare; /* ids to give again */
};

void bgp_table_init(struct bgp_table *table, struct bgp_heap *heap, enum bgp_family family);
/* Frees the nodes; their paths must be gone. */
void bgp_table_free(struct bgp_table *table);
struct bgp_net *bgp_table_find(const struct bgp_table *table, const struct ip_prefix *prefix);
/* The id that the next bgp_table_add() of a new prefix will use: reserve room in the sets for it first. */
uint32_t bgp_table_next_id(const struct bgp_table *table);
/* Finds or adds. ERR_NOMEM: nothing changed. */
int bgp_table_add(struct bgp_table *table, const struct ip_prefix *prefix, struct bgp_net **out);
void bgp_table_remove(struct bgp_table *table, struct bgp_net *net);
struct bgp_net *bgp_table_by_id(const struct bgp_table *table, uint32_t id);
struct ip_prefix bgp_table_prefix(const struct bgp_table *table, const struct bgp_net *net);

/* In order of address, shorter first: the first prefix after `at` (or at it, with inclusive). NULL: none. */
struct bgp_net *bgp_table_next(const struct bgp_table *table, const struct ip_prefix *at, bool inclusive);
/* The shortest prefix of at least min_len bits that contains `prefix`. NULL: none. */
struct bgp_net *bgp_table_next_covering(
    const struct bgp_table *table, const struct ip_prefix *prefix, unsigned min_len);

#endif
