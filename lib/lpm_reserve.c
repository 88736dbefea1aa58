/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room for a change, before anything moves: in the region that serves, or in a new one, and of what size.
 * Writer only, called by lpm_trie.c; lpm_table.h says what a region is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/err.h"
#include "lib/lpm_late.h"
#include "lib/lpm_region.h"

#define HUGE_PAGE   (UINT64_C(2) << 20)
#define CHAIN_UNITS LPM_WIDE_UNITS(3u) /* of a node with one prefix or one child */

/* Root bits by the number of prefixes: a root of 18 bits is a megabyte, which a table of twenty routes is not
 * worth. */
#define COUNT_12 512u
#define COUNT_18 16384u

/* What a change costs at the most. */
struct need {
	uint32_t nodes, max_units;
	uint64_t units;
};

/* Large ones begin at a huge page, so that the kernel can use such. */
struct lpm_region *lpm_region_new(unsigned root_bits, unsigned directs, uint64_t units)
{
	uint64_t fixed = lpm_fixed_units(root_bits, directs), align = 64;
	uint64_t size = sizeof(struct lpm_region) + (fixed + units) * sizeof(uint64_t);
	struct lpm_region *r;

	if (size >= HUGE_PAGE)
		align = HUGE_PAGE;
	size = (size + align - 1) & ~(align - 1);
	r = aligned_alloc(align, size);
	if (!r)
		return NULL;
	if (align == HUGE_PAGE)
		(void)madvise(r, size, MADV_HUGEPAGE); /* a hint; without it the table is slower, not wrong */
	r->root_bits = root_bits;
	r->units = (uint32_t)((size - sizeof(*r)) / sizeof(uint64_t));
	r->directs = directs;
	r->directs_used = 0;
	memset(r->base, 0, fixed * sizeof(uint64_t));
	return r;
}

static void need_node(struct need *need, const struct lpm_book_node *n, unsigned more)
{
	/* each prefix and each child begins and ends something */
	unsigned entries = 1 + 2 * (lpm_book_prefixes(n) + lpm_book_children(n) + more);
	uint32_t units = LPM_WIDE_UNITS(entries < LPM_SLOTS ? entries : LPM_SLOTS);

	need->nodes++;
	need->units += units;
	if (units > need->max_units)
		need->max_units = units;
}

/* What the nodes below need whose inheritance changes. */
static void need_below(struct need *need, const struct lpm_book *b, uint32_t block, unsigned depth,
    unsigned root_bits, uint64_t changed)
{
	struct lpm_book_node *n = lpm_book_node(b, block);

	for (uint64_t left = n->children & changed; left; left &= left - 1) {
		uint32_t child = *lpm_book_child(n, (unsigned)__builtin_ctzll(left));
		uint64_t open = lpm_book_uncovered(lpm_book_node(b, child));

		if (open == 0)
			continue;
		if (depth + LPM_STRIDE >= root_bits)
			need_node(need, lpm_book_node(b, child), 0);
		need_below(need, b, child, depth + LPM_STRIDE, root_bits, open);
	}
}

static unsigned wanted_root_bits(const struct lpm_book *b, unsigned now)
{
	/* down again only at a quarter, so that a table at the edge does not swing */
	if (b->count >= COUNT_18 || (now == 18 && b->count >= COUNT_18 / 4))
		return 18;
	return b->count >= COUNT_12 || (now >= 12 && b->count >= COUNT_12 / 4) ? 12 : 6;
}

/* Crowded blocks at the end of a root of 18 bits. */
static unsigned count_crowded(const struct lpm_book *b, uint32_t block, unsigned depth)
{
	struct lpm_book_node *n = lpm_book_node(b, block);
	unsigned count = 0;

	if (depth == LPM_ROOT_BITS)
		return lpm_book_children(n) >= LPM_DIRECT_CHILDREN;
	for (unsigned i = 0; i < lpm_book_children(n); i++)
		count += count_crowded(b, n->words[i], depth + LPM_STRIDE);
	return count;
}

/* Direct nodes of a region with this root: for the crowded blocks, and some more, which come as routes do. As
 * many as there are now if that serves, since a region of the same shape is copied (lpm_table.c:rebuild). */
static unsigned wanted_directs(const struct lpm_table *t, const struct lpm_book *b, unsigned root_bits)
{
	unsigned crowded, now = lpm_table_region(t)->directs, more;

	if (t->max_directs == 0 || root_bits != LPM_ROOT_BITS)
		return 0;
	crowded = count_crowded(b, b->root, 0);
	more = crowded + crowded / 4 + 16;
	if (t->candidates == 0 && now >= crowded && now <= 2 * more)
		return now;
	return more < t->max_directs ? more : t->max_directs;
}

/* A region for all that lives, this change, and growth. */
static int region_for(const struct lpm_table *t, const struct lpm_book *b, unsigned root_bits,
    const struct need *need, struct lpm_region **fresh)
{
	uint64_t live = t->pool.used - t->late_units,
		 units = live + need->units + live / 2 + t->late_units + LPM_MIN_SPARE;
	const struct lpm_region *now = lpm_table_region(t);
	unsigned directs = wanted_directs(t, b, root_bits);

	/* nodes for what was direct and may be so no longer */
	if (root_bits < now->root_bits)
		units += lpm_root_units(now->root_bits);
	units += now->directs_used * (LPM_DIRECT_CHILDREN + 1) * LPM_WIDE_UNITS(LPM_SLOTS);
	if (units + lpm_fixed_units(root_bits, directs) > LPM_MAX_UNITS)
		return ERR_FULL;
	*fresh = lpm_region_new(root_bits, directs, units);
	return *fresh ? 0 : ERR_NOMEM;
}

/*
 * Whether readers would be served better by a new region: with another root, with more direct nodes, without
 * the gaps that changes have left, or with less memory. So rarely that the changes since the last one pay for
 * it.
 */
static bool wants_region(const struct lpm_table *t, const struct lpm_book *b)
{
	const struct lpm_region *r = lpm_table_region(t);
	uint64_t live = t->pool.used - t->late_units, fixed = lpm_fixed_units(r->root_bits, r->directs);
	uint64_t touched = t->pool.next - fixed, nodes = t->pool.end - fixed;

	if (t->changes <= b->count / 16 + 64)
		return false;
	/* a quarter more each time, so that a growing table seldom asks */
	if (t->candidates > r->directs / 16 && r->directs < t->max_directs)
		return true;
	if (t->changes <= b->count / 4 + 64)
		return false;
	if (wanted_root_bits(b, r->root_bits) != r->root_bits)
		return true;
	return nodes > 16 * LPM_MIN_SPARE &&
	       (touched > live + live / 4 + t->late_units + LPM_MIN_SPARE || live < nodes / 8) &&
	       t->changes > b->count / 2 + 1024;
}

int lpm_table_reserve(struct lpm_table *t, const struct lpm_book *b, const struct lpm_book_path *path,
    uint64_t changed, struct lpm_region **fresh)
{
	unsigned level = path->n - 1, missing = path->depth / LPM_STRIDE - level,
		 bits = lpm_table_region(t)->root_bits;
	struct need need = {missing, CHAIN_UNITS, (uint64_t)missing * CHAIN_UNITS};
	int err;

	*fresh = NULL;
	lpm_late_reap(t);
	/* where the node goes with its only prefix, the one above changes */
	for (unsigned i = level + 1; i-- > 0;) {
		const struct lpm_book_node *n = lpm_book_node(b, path->node[i]);

		need_node(&need, n, 1);
		if (lpm_book_prefixes(n) + lpm_book_children(n) > 1)
			break;
	}
	if (missing == 0)
		need_below(&need, b, path->node[level], path->depth, bits, changed);
	if (!wants_region(t, b) && lpm_pool_can(&t->pool, need.max_units, need.nodes))
		return 0;
	err = region_for(t, b, wanted_root_bits(b, bits), &need, fresh);
	return err && lpm_pool_can(&t->pool, need.max_units, need.nodes) ? 0 : err;
}
