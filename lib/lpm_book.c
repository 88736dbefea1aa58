/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exact prefixes of a table. Writer only; the opening of lpm_book.h says how they lie.
 */
#include "lib/lpm_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/lpm.h"

#define HEADER	  3u		      /* units before words[] */
#define FIRST	  1u		      /* unit 0 names no block */
#define MIN_UNITS 32u		      /* of a pool */
#define MAX_UNITS (UINT32_C(1) << 31) /* 16 GiB */

static bool bit_is_set(const uint64_t *map, unsigned bit)
{
	return map[bit / 64] >> bit % 64 & 1;
}

static unsigned units_of(unsigned words)
{
	return HEADER + (words + 1) / 2;
}

static unsigned words_in(const struct lpm_book_node *n)
{
	return lpm_book_children(n) + lpm_book_prefixes(n);
}

/* The value of a heap index that is there, or where it would be. */
static uint32_t *value_at(struct lpm_book_node *n, unsigned heap)
{
	unsigned below = lpm_book_children(n);

	if (heap >= 64)
		below += (unsigned)__builtin_popcountll(n->prefixes[0]);
	below += (unsigned)__builtin_popcountll(n->prefixes[heap / 64] & ((UINT64_C(1) << heap % 64) - 1));
	return &n->words[below];
}

/* The value of the longest prefix of this node that covers the slot, else the inherited one. */
static uint32_t best_of(struct lpm_book_node *n, unsigned slot, uint32_t inherited)
{
	for (unsigned heap = LPM_SLOTS | slot; heap; heap >>= 1)
		if (bit_is_set(n->prefixes, heap))
			return *value_at(n, heap);
	return inherited;
}

static unsigned depth_of(unsigned len)
{
	return len ? (len - 1) / LPM_STRIDE * LPM_STRIDE : 0;
}

static int resize(struct lpm_book *b, uint64_t units)
{
	uint64_t *base;

	if (units > MAX_UNITS)
		return ERR_FULL;
	base = realloc(b->pool.base, units * sizeof(uint64_t));
	if (!base)
		return ERR_NOMEM;
	b->pool.base = base;
	b->pool.end = (uint32_t)units;
	return 0;
}

/* An empty root alone. */
static void begin(struct lpm_book *b)
{
	lpm_pool_init(&b->pool, b->pool.base, FIRST, MIN_UNITS);
	b->root = lpm_pool_take(&b->pool, HEADER);
	memset(lpm_book_node(b, b->root), 0, sizeof(struct lpm_book_node));
}

int lpm_book_init(struct lpm_book *b)
{
	memset(b, 0, sizeof(*b));
	if (resize(b, MIN_UNITS) != 0)
		return ERR_NOMEM;
	begin(b);
	return 0;
}

void lpm_book_clear(struct lpm_book *b)
{
	free(b->pool.base);
	memset(b, 0, sizeof(*b));
}

size_t lpm_book_memory(const struct lpm_book *b)
{
	return b->pool.next * sizeof(uint64_t); /* what lies beyond was never touched */
}

void lpm_book_find(const struct lpm_book *b, lpm_key key, unsigned len, struct lpm_book_path *path)
{
	struct lpm_book_node *n = lpm_book_node(b, b->root);
	unsigned depth = 0, bits, slot;

	path->depth = depth_of(len);
	bits = len - path->depth;
	path->heap = 1u << bits | lpm_key_slot(key, path->depth) >> (LPM_STRIDE - bits);
	path->value = LPM_NONE;
	path->node[0] = b->root;
	path->inherited[0] = LPM_NONE;
	for (path->n = 1; depth < path->depth; path->n++, depth += LPM_STRIDE) {
		slot = lpm_key_slot(key, depth);
		path->inherited[path->n] = best_of(n, slot, path->inherited[path->n - 1]);
		if (!(n->children >> slot & 1))
			break;
		path->node[path->n] = *lpm_book_child(n, slot);
		n = lpm_book_node(b, path->node[path->n]);
	}
	if (depth == path->depth && bit_is_set(n->prefixes, path->heap))
		path->value = *value_at(n, path->heap);
	for (unsigned i = path->n + 1; i * LPM_STRIDE <= path->depth; i++)
		path->inherited[i] = path->inherited[path->n];
}

int lpm_book_reserve(struct lpm_book *b, const struct lpm_book_path *path)
{
	/* the last node there grows by a word; each missing one begins as a header and then grows by a word
	 */
	unsigned missing = path->depth / LPM_STRIDE + 1 - path->n;
	uint32_t units = units_of(words_in(lpm_book_node(b, path->node[path->n - 1])) + 1);
	uint64_t want = units + (uint64_t)missing * (HEADER + units_of(1)), have = b->pool.end;

	if (b->pool.end - b->pool.next >= want || lpm_pool_can(&b->pool, units, 2 * missing + 1))
		return 0;
	return resize(b, have + (have / 4 > want ? have / 4 : want));
}

/* The same node with one word more, at words[at]; the old block goes. Returns the block. */
static uint32_t insert_word(struct lpm_book *b, uint32_t block, unsigned at, uint32_t word)
{
	struct lpm_book_node *n = lpm_book_node(b, block), *now;
	unsigned words = words_in(n), units = units_of(words);
	uint32_t place = block;

	if (units_of(words + 1) != units) {
		place = lpm_pool_take(&b->pool, units_of(words + 1));
		assert(place);
		now = lpm_book_node(b, place);
		memcpy(now, n, sizeof(*n) + at * sizeof(uint32_t));
	} else {
		now = n;
	}
	memmove(&now->words[at + 1], &n->words[at], (words - at) * sizeof(uint32_t));
	now->words[at] = word;
	if (place != block)
		lpm_pool_give(&b->pool, block, units);
	return place;
}

/*
 * Takes words[at] out; `words` of them were there. The node moves where a block of the new size is free, so
 * that pieces that nobody can use stay few; else the end of its block goes back. Returns the block.
 */
static uint32_t remove_word(struct lpm_book *b, uint32_t block, unsigned at, unsigned words)
{
	struct lpm_book_node *n = lpm_book_node(b, block);
	unsigned was = units_of(words), is = units_of(words - 1);
	uint32_t place = block;

	memmove(&n->words[at], &n->words[at + 1], (words - at - 1) * sizeof(uint32_t));
	if (is == was)
		return block;
	if (b->pool.count[is]) {
		place = lpm_pool_take(&b->pool, is);
		memcpy(lpm_book_node(b, place), n, is * sizeof(uint64_t));
		lpm_pool_give(&b->pool, block, was);
	} else {
		lpm_pool_give(&b->pool, block + is, was - is);
	}
	return place;
}

/* Says to the node above, or to the book, where a node is now. */
static void relink(struct lpm_book *b, lpm_key key, const struct lpm_book_path *path, unsigned level)
{
	unsigned slot;

	if (level == 0) {
		b->root = path->node[0];
		return;
	}
	slot = lpm_key_slot(key, (level - 1) * LPM_STRIDE);
	*lpm_book_child(lpm_book_node(b, path->node[level - 1]), slot) = path->node[level];
}

/* A node under the last of the path. */
static void add_level(struct lpm_book *b, lpm_key key, struct lpm_book_path *path)
{
	unsigned level = path->n - 1, slot = lpm_key_slot(key, level * LPM_STRIDE);
	uint32_t child = lpm_pool_take(&b->pool, HEADER);
	struct lpm_book_node *n = lpm_book_node(b, path->node[level]);
	unsigned at = (unsigned)(lpm_book_child(n, slot) - n->words);

	assert(child);
	memset(lpm_book_node(b, child), 0, sizeof(struct lpm_book_node));
	path->node[level] = insert_word(b, path->node[level], at, child);
	lpm_book_node(b, path->node[level])->children |= UINT64_C(1) << slot;
	relink(b, key, path, level);
	path->node[path->n++] = child;
}

void lpm_book_set(struct lpm_book *b, lpm_key key, struct lpm_book_path *path, uint32_t value)
{
	unsigned level = path->depth / LPM_STRIDE;
	struct lpm_book_node *n;

	while (path->n <= level)
		add_level(b, key, path);
	n = lpm_book_node(b, path->node[level]);
	if (path->value != LPM_NONE) {
		*value_at(n, path->heap) = value;
		return;
	}
	path->node[level] =
	    insert_word(b, path->node[level], (unsigned)(value_at(n, path->heap) - n->words), value);
	n = lpm_book_node(b, path->node[level]);
	n->prefixes[path->heap / 64] |= UINT64_C(1) << path->heap % 64;
	relink(b, key, path, level);
	b->count++;
}

void lpm_book_del(struct lpm_book *b, lpm_key key, struct lpm_book_path *path)
{
	unsigned level = path->depth / LPM_STRIDE, at, slot;
	struct lpm_book_node *n = lpm_book_node(b, path->node[level]);

	at = (unsigned)(value_at(n, path->heap) - n->words);
	path->node[level] = remove_word(b, path->node[level], at, words_in(n));
	n = lpm_book_node(b, path->node[level]);
	n->prefixes[path->heap / 64] &= ~(UINT64_C(1) << path->heap % 64);
	b->count--;
	for (; level > 0 && words_in(n) == 0; level--) {
		lpm_pool_give(&b->pool, path->node[level], HEADER);
		path->n--;
		n = lpm_book_node(b, path->node[level - 1]);
		slot = lpm_key_slot(key, (level - 1) * LPM_STRIDE);
		at = (unsigned)(lpm_book_child(n, slot) - n->words);
		path->node[level - 1] = remove_word(b, path->node[level - 1], at, words_in(n));
		n = lpm_book_node(b, path->node[level - 1]);
		n->children &= ~(UINT64_C(1) << slot);
	}
	relink(b, key, path, level);
	if (b->count == 0 && resize(b, MIN_UNITS) == 0) {
		begin(b);
		path->node[0] = b->root;
	}
}

struct walk {
	const struct lpm_book *book;
	lpm_key key;
	unsigned len;
	int (*fn)(void *arg, lpm_key key, unsigned len, uint32_t value);
	void *arg;
};

static lpm_key mask_of(unsigned len)
{
	return len ? ~(lpm_key)0 << (128 - len) : 0;
}

static int walk_prefixes(const struct walk *w, struct lpm_book_node *n, lpm_key key, unsigned depth)
{
	for (unsigned half = 0; half < 2; half++) {
		for (uint64_t left = n->prefixes[half]; left; left &= left - 1) {
			unsigned heap = half * 64 + (unsigned)__builtin_ctzll(left);
			unsigned bits = 31 - (unsigned)__builtin_clz(heap), len = depth + bits;
			lpm_key at = len ? key | (lpm_key)(heap & ((1u << bits) - 1)) << (128 - len) : 0;
			int stop;

			if (len < w->len || ((at ^ w->key) & mask_of(w->len)))
				continue;
			stop = w->fn(w->arg, at, len, *value_at(n, heap));
			if (stop)
				return stop;
		}
	}
	return 0;
}

/* Recursion is bounded by LPM_DEPTHS. */
static int walk_node(const struct walk *w, uint32_t block, lpm_key key, unsigned depth)
{
	struct lpm_book_node *n = lpm_book_node(w->book, block);
	unsigned below = depth + LPM_STRIDE;
	int stop = walk_prefixes(w, n, key, depth);

	for (uint64_t left = n->children; left && !stop; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		lpm_key at = key | (lpm_key)slot << 122 >> depth;

		if (((at ^ w->key) & mask_of(below < w->len ? below : w->len)) == 0)
			stop = walk_node(w, *lpm_book_child(n, slot), at, below);
	}
	return stop;
}

int lpm_book_walk(const struct lpm_book *b, lpm_key key, unsigned len,
    int (*fn)(void *arg, lpm_key key, unsigned len, uint32_t value), void *arg)
{
	const struct walk w = {b, key, len, fn, arg};

	return walk_node(&w, b->root, 0, 0);
}
