/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What readers of a table walk: a compressed trie of stride 6 behind a root that is indexed directly by the
 * first 6, 12 or 18 bits (as the table grows). It lies in one stretch of memory, its region:
 *
 *     root: 2^bits entries │ direct nodes │ nodes of { bitmap of 64 bits, entries }
 *
 * An entry is a value, or a child: the highest bit and the node's place. A node covers 64 slots, the next six
 * bits of the address; equal neighbours are one entry, and the bitmap has a bit where one begins, so that
 * the number of bits up to a slot finds its entry. A node without children, whose values fit 16 bits, has
 * entries of that size: most of the table is such nodes, and what fits the cache is what counts
 * (docs/bench.md). The entry that names a node says so. Prefixes are pushed down to where they serve: a
 * lookup takes the first value that it meets and compares nothing.
 *
 * IPv6 has its routes below a few hundred blocks of 18 bits, so that the next twelve bits of a crowded one
 * are indexed directly, too: two loads instead of two nodes. A block becomes so with its first child, as long
 * as the region has direct nodes left, else when the next region is made.
 *
 * A change rewrites entries in place where the bitmap stays, else it makes a node anew and stores its
 * place in the entry above. Old nodes rest until no reader can hold them. When a region is full,
 * or much too large, all nodes are made anew in another, which is published as a whole.
 *
 * Pairs of atomics:
 *   table.region  the writer stores (release) a region that is complete; readers load it (acquire) once a
 * call. entries       the writer stores (release) a value, or the place of a complete node; readers load
 * (acquire).
 *
 * Called by lpm_trie.c (writer) and the lookups lpm_lookup_*.c (readers).
 */
#ifndef BYWAY_LIB_LPM_TABLE_H
#define BYWAY_LIB_LPM_TABLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/lpm.h"
#include "lib/lpm_book.h"

#define LPM_CHILD	0x80000000u /* in an entry: not a value, but a node */
#define LPM_NARROW	0x40000000u /* then: whose entries have 16 bits */
#define LPM_DIRECT	0x20000000u /* or: of 2^LPM_DIRECT_BITS entries, without a bitmap; in the root only */
#define LPM_PLACE	0x1fffffffu /* and its place, in units of 8 bytes */
#define LPM_ROOT_BITS	18u	    /* at the most; a multiple of the stride */
#define LPM_DIRECT_BITS 12u	    /* two strides */

struct lpm_node {
	uint64_t starts; /* bit per slot with which an entry begins; bit 0 is always set */
	_Atomic uint32_t wide[];
};

struct lpm_narrow_node {
	uint64_t starts;
	_Atomic uint16_t narrow[];
};

struct lpm_region {
	unsigned root_bits;
	uint32_t units;			/* of base, in all */
	unsigned directs, directs_used; /* writer only */
	/* At a cache line: entries of the root, then nodes; places count from here. */
	uint64_t base[] __attribute__((aligned(64)));
};

struct lpm_late;

struct lpm_table {
	_Atomic(struct lpm_region *) region;
	/* Writer only. */
	struct lpm_pool pool; /* of the region */
	struct lpm_mem mem;
	struct lpm_late *open, *oldest, *newest; /* retired nodes: being gathered, waiting for readers */
	struct lpm_late *spare;
	uint32_t generation; /* of the region */
	unsigned max_directs;
	/* Since the region was made: changes, and blocks for which no direct node was left. */
	uint32_t changes, candidates;
	size_t late_units; /* of this region's nodes that wait or are gathered */
	size_t late_bytes; /* of older regions that wait */
};

/* For addresses of 32 or 128 bits. ERR_NOMEM. mem may be NULL: retired memory is freed at once. */
int lpm_table_init(struct lpm_table *t, unsigned bits, const struct lpm_mem *mem);
/* No reader may be left; deferred releases may still come later. */
void lpm_table_clear(struct lpm_table *t);
/*
 * The slots in `changed` of the path's last node serve differently after the next change of the book. Makes
 * sure that lpm_table_refresh cannot fail: *fresh is a new region where one is needed, else NULL. ERR_NOMEM,
 * ERR_FULL.
 */
int lpm_table_reserve(struct lpm_table *t, const struct lpm_book *b, const struct lpm_book_path *path,
    uint64_t changed, struct lpm_region **fresh);
/* Makes readers see the book, which was changed at this path. */
void lpm_table_refresh(struct lpm_table *t, const struct lpm_book *b, lpm_key key,
    const struct lpm_book_path *path, uint64_t changed, struct lpm_region *fresh);
void lpm_table_usage(const struct lpm_table *t, struct lpm_usage *usage);

/* Readers and writer. */
static inline const _Atomic uint32_t *lpm_region_direct(const struct lpm_region *r, uint32_t entry)
{
	return (const _Atomic uint32_t *)(r->base + (entry & LPM_PLACE));
}

static inline const _Atomic uint32_t *lpm_region_root(const struct lpm_region *r)
{
	return (const _Atomic uint32_t *)r->base;
}

static inline const struct lpm_node *lpm_region_node(const struct lpm_region *r, uint32_t entry)
{
	return (const struct lpm_node *)(r->base + (entry & LPM_PLACE));
}

static inline const struct lpm_narrow_node *lpm_region_narrow(const struct lpm_region *r, uint32_t entry)
{
	return (const struct lpm_narrow_node *)(r->base + (entry & LPM_PLACE));
}

/* The index of a slot's entry. */
static inline unsigned lpm_node_index(uint64_t starts, unsigned slot)
{
	return (unsigned)__builtin_popcountll(starts & ((UINT64_C(2) << slot) - 1)) - 1;
}

#endif
