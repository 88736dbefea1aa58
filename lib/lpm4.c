/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 over the engine; concurrency as lpm.h says.
 */
#include "lib/lpm4.h"

#include <endian.h>
#include <stdlib.h>

#include "lib/lpm_lookup.h"
#include "lib/lpm_trie.h"

struct lpm4 {
	struct lpm_trie trie;
};

static lpm_key key_of(uint32_t addr_be)
{
	return (lpm_key)be32toh(addr_be) << 96;
}

struct lpm4 *lpm4_new(const struct lpm_mem *mem)
{
	struct lpm4 *t = malloc(sizeof(*t));

	if (t && lpm_trie_init(&t->trie, 32, mem)) {
		free(t);
		return NULL;
	}
	return t;
}

void lpm4_free(struct lpm4 *t)
{
	if (!t)
		return;
	lpm_trie_clear(&t->trie);
	free(t);
}

int lpm4_set(struct lpm4 *t, uint32_t addr_be, unsigned len, uint32_t value)
{
	return lpm_trie_set(&t->trie, key_of(addr_be), len, value);
}

int lpm4_del(struct lpm4 *t, uint32_t addr_be, unsigned len)
{
	return lpm_trie_del(&t->trie, key_of(addr_be), len);
}

uint32_t lpm4_get(const struct lpm4 *t, uint32_t addr_be, unsigned len)
{
	return lpm_trie_get(&t->trie, key_of(addr_be), len);
}

struct walk {
	int (*fn)(void *arg, uint32_t addr_be, unsigned len, uint32_t value);
	void *arg;
};

static int walk_one(void *arg, lpm_key key, unsigned len, uint32_t value)
{
	const struct walk *w = arg;

	return w->fn(w->arg, htobe32((uint32_t)(key >> 96)), len, value);
}

int lpm4_walk(const struct lpm4 *t, uint32_t addr_be, unsigned len,
    int (*fn)(void *arg, uint32_t addr_be, unsigned len, uint32_t value), void *arg)
{
	struct walk w = {fn, arg};

	return lpm_book_walk(&t->trie.book, key_of(addr_be), len, walk_one, &w);
}

void lpm4_lookup_bulk(const struct lpm4 *t, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	/* pair: lpm_table.c:rebuild */
	lpm_form()->lookup4(
	    atomic_load_explicit(&t->trie.table.region, memory_order_acquire), addrs_be, values, n);
}

size_t lpm4_count(const struct lpm4 *t)
{
	return t->trie.book.count;
}

void lpm4_usage(const struct lpm4 *t, struct lpm_usage *usage)
{
	lpm_trie_usage(&t->trie, usage);
}

size_t lpm4_memory(const struct lpm4 *t)
{
	struct lpm_usage u;

	lpm_trie_usage(&t->trie, &u);
	return sizeof(*t) + u.lookup + u.book + u.late;
}
