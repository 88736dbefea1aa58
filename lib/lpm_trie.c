/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of a table. Writer only; readers are in lpm_lookup_*.c.
 */
#include "lib/lpm_trie.h"

#include <string.h>

#include "lib/err.h"

int lpm_trie_init(struct lpm_trie *t, unsigned bits, const struct lpm_mem *mem)
{
	memset(t, 0, sizeof(*t));
	t->bits = bits;
	if (lpm_book_init(&t->book) != 0)
		return ERR_NOMEM;
	if (lpm_table_init(&t->table, bits, mem) != 0) {
		lpm_book_clear(&t->book);
		return ERR_NOMEM;
	}
	return 0;
}

void lpm_trie_clear(struct lpm_trie *t)
{
	lpm_table_clear(&t->table);
	lpm_book_clear(&t->book);
}

static int check_prefix(const struct lpm_trie *t, lpm_key key, unsigned len)
{
	if (len > t->bits)
		return ERR_TOOLONG;
	return len < 128 && key << len ? ERR_INVALID : 0;
}

/* The slots of the prefix's node where no longer prefix of the node wins over it. */
static uint64_t served_slots(const struct lpm_trie *t, const struct lpm_book_path *path)
{
	unsigned level = path->depth / LPM_STRIDE, bits = 31 - (unsigned)__builtin_clz(path->heap);
	uint64_t own = lpm_heap_slots(path->heap), served = own;
	const struct lpm_book_node *n;

	if (path->n <= level)
		return own;
	n = lpm_book_node(&t->book, path->node[level]);
	served &= ~n->prefixes[1] | (bits == LPM_STRIDE ? own : 0);
	for (uint64_t left = n->prefixes[0] >> (path->heap % 64) >> 1; left && bits < LPM_STRIDE;
	     left &= left - 1) {
		unsigned heap = path->heap + 1 + (unsigned)__builtin_ctzll(left);

		if (heap >> bits > 1) /* longer than this prefix */
			served &= ~lpm_heap_slots(heap);
	}
	return served;
}

/* Slots of the last node that is there before and after the change: of the prefix, or of the chain that leads
 * to it. */
static uint64_t changed_slots(lpm_key key, const struct lpm_book_path *path, unsigned n, uint64_t served)
{
	if (n > path->depth / LPM_STRIDE)
		return served;
	return UINT64_C(1) << lpm_key_slot(key, (n - 1) * LPM_STRIDE);
}

int lpm_trie_set(struct lpm_trie *t, lpm_key key, unsigned len, uint32_t value)
{
	struct lpm_region *fresh;
	struct lpm_book_path path;
	uint64_t changed;
	unsigned n;
	int err = check_prefix(t, key, len);

	if (err)
		return err;
	if (value == LPM_NONE || value > LPM_VALUE_MAX)
		return ERR_RANGE;
	lpm_book_find(&t->book, key, len, &path);
	if (path.value == value)
		return 0;
	n = path.n;
	changed = changed_slots(key, &path, n, served_slots(t, &path));
	err = lpm_book_reserve(&t->book, &path);
	if (!err)
		err = lpm_table_reserve(&t->table, &t->book, &path, changed, &fresh);
	if (err)
		return err;
	lpm_book_set(&t->book, key, &path, value);
	path.n = n;
	lpm_table_refresh(&t->table, &t->book, key, &path, changed, fresh);
	return 0;
}

int lpm_trie_del(struct lpm_trie *t, lpm_key key, unsigned len)
{
	struct lpm_region *fresh;
	struct lpm_book_path path;
	uint64_t served;
	int err = check_prefix(t, key, len);

	if (err)
		return err;
	lpm_book_find(&t->book, key, len, &path);
	if (path.value == LPM_NONE)
		return ERR_NOENT;
	served = served_slots(t, &path);
	err = lpm_table_reserve(&t->table, &t->book, &path, served, &fresh);
	if (err)
		return err;
	lpm_book_del(&t->book, key, &path);
	lpm_table_refresh(&t->table, &t->book, key, &path, changed_slots(key, &path, path.n, served), fresh);
	return 0;
}

uint32_t lpm_trie_get(const struct lpm_trie *t, lpm_key key, unsigned len)
{
	struct lpm_book_path path;

	if (check_prefix(t, key, len))
		return LPM_NONE;
	lpm_book_find(&t->book, key, len, &path);
	return path.value;
}

void lpm_trie_usage(const struct lpm_trie *t, struct lpm_usage *usage)
{
	lpm_table_usage(&t->table, usage);
	usage->book = lpm_book_memory(&t->book);
}
