/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prefixes of a table exactly as they were set: a trie of stride 6 that only the writer sees. The node at
 * depth d holds the prefixes of d+1 to d+6 bits (the root also the default route), found by their index in a
 * heap: 1 followed by the bits within the node, 1 to 127. Of a slot (the six bits of an address at
 * depth d) the best prefix of the node is thus the highest of slot|64 >> 0..6 that is there.
 *
 * A node is one block: two bitmaps, the children by slot, the values by heap index. About 6 bytes a
 * route of a full table.
 *
 * Called by lpm_table.c and lpm_trie.c, writer only. Keys lie left in 128 bits.
 */
#ifndef BYWAY_LIB_LPM_BOOK_H
#define BYWAY_LIB_LPM_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/lpm_pool.h"

#define LPM_STRIDE 6u
#define LPM_SLOTS  64u
#define LPM_DEPTHS 22u /* nodes on the way to a prefix of 128 bits */

typedef unsigned __int128 lpm_key;

struct lpm_book_node {
	uint64_t prefixes[2]; /* bit per heap index */
	uint64_t children;    /* bit per slot */
	uint32_t words[];     /* blocks of the children, then values */
};

struct lpm_book {
	struct lpm_pool pool;
	uint32_t root;
	uint32_t count; /* prefixes */
};

/* The way to where a prefix is, or would be. */
struct lpm_book_path {
	uint32_t node[LPM_DEPTHS]; /* blocks, from the root */
	uint32_t
	    inherited[LPM_DEPTHS]; /* what the prefixes of the nodes above say at each, LPM_NONE: nothing */
	unsigned n;		   /* nodes that are there, 1 at least */
	unsigned depth;		   /* in bits, of the node that holds the prefix */
	unsigned heap;		   /* its index there */
	uint32_t value;		   /* LPM_NONE: it is not there */
};

/* ERR_NOMEM. */
int lpm_book_init(struct lpm_book *b);
void lpm_book_clear(struct lpm_book *b);
void lpm_book_find(const struct lpm_book *b, lpm_key key, unsigned len, struct lpm_book_path *path);
/* Room for one lpm_book_set of this path, which then cannot fail. ERR_NOMEM; ERR_FULL: 2^31 units are taken.
 */
int lpm_book_reserve(struct lpm_book *b, const struct lpm_book_path *path);
/* Adds or replaces; path.node is renewed as far as depth. */
void lpm_book_set(struct lpm_book *b, lpm_key key, struct lpm_book_path *path, uint32_t value);
/* Removes what is there (path.value); empty nodes go. How many nodes of the path are left is path.n. */
void lpm_book_del(struct lpm_book *b, lpm_key key, struct lpm_book_path *path);
/* Calls fn for each prefix within key/len until it returns non-zero, which is returned. In no order. */
int lpm_book_walk(const struct lpm_book *b, lpm_key key, unsigned len,
    int (*fn)(void *arg, lpm_key key, unsigned len, uint32_t value), void *arg);
size_t lpm_book_memory(const struct lpm_book *b); /* bytes */

/* The six bits of a key at a depth; beyond its end they are 0. */
static inline unsigned lpm_key_slot(lpm_key key, unsigned depth)
{
	return (unsigned)(key << depth >> 122);
}

static inline struct lpm_book_node *lpm_book_node(const struct lpm_book *b, uint32_t block)
{
	return (struct lpm_book_node *)(b->pool.base + block);
}

static inline unsigned lpm_book_children(const struct lpm_book_node *n)
{
	return (unsigned)__builtin_popcountll(n->children);
}

static inline unsigned lpm_book_prefixes(const struct lpm_book_node *n)
{
	return (unsigned)(__builtin_popcountll(n->prefixes[0]) + __builtin_popcountll(n->prefixes[1]));
}

/* The block of the child in a slot that has one. */
static inline uint32_t *lpm_book_child(struct lpm_book_node *n, unsigned slot)
{
	return &n->words[__builtin_popcountll(n->children & ((UINT64_C(1) << slot) - 1))];
}

/* Slots that a prefix covers: those of its index in the heap. */
static inline uint64_t lpm_heap_slots(unsigned heap)
{
	unsigned bits = 31 - (unsigned)__builtin_clz(heap), count = LPM_SLOTS >> bits;
	uint64_t ones = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;

	return ones << ((heap << (LPM_STRIDE - bits)) & (LPM_SLOTS - 1));
}

/* Slots that no prefix of the node covers. */
static inline uint64_t lpm_book_uncovered(const struct lpm_book_node *n)
{
	uint64_t covered = n->prefixes[1];

	for (uint64_t left = n->prefixes[0]; left; left &= left - 1)
		covered |= lpm_heap_slots((unsigned)__builtin_ctzll(left));
	return ~covered;
}

#endif
