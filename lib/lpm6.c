/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 over the engine; concurrency as lpm.h says.
 */
#include "lib/lpm6.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "lib/lpm_lookup.h"
#include "lib/lpm_trie.h"

struct lpm6 {
	struct lpm_trie trie;
};

static lpm_key key_of(const uint8_t addr[16])
{
	uint64_t half[2];

	memcpy(half, addr, sizeof(half));
	return (lpm_key)be64toh(half[0]) << 64 | be64toh(half[1]);
}

struct lpm6 *lpm6_new(const struct lpm_mem *mem)
{
	struct lpm6 *t = malloc(sizeof(*t));

	if (t && lpm_trie_init(&t->trie, 128, mem)) {
		free(t);
		return NULL;
	}
	return t;
}

void lpm6_free(struct lpm6 *t)
{
	if (!t)
		return;
	lpm_trie_clear(&t->trie);
	free(t);
}

int lpm6_set(struct lpm6 *t, const uint8_t addr[16], unsigned len, uint32_t value)
{
	return lpm_trie_set(&t->trie, key_of(addr), len, value);
}

int lpm6_del(struct lpm6 *t, const uint8_t addr[16], unsigned len)
{
	return lpm_trie_del(&t->trie, key_of(addr), len);
}

uint32_t lpm6_get(const struct lpm6 *t, const uint8_t addr[16], unsigned len)
{
	return lpm_trie_get(&t->trie, key_of(addr), len);
}

struct walk {
	int (*fn)(void *arg, const uint8_t addr[16], unsigned len, uint32_t value);
	void *arg;
};

static int walk_one(void *arg, lpm_key key, unsigned len, uint32_t value)
{
	const struct walk *w = arg;

	uint64_t half[2] = {htobe64((uint64_t)(key >> 64)), htobe64((uint64_t)key)};
	uint8_t addr[16];

	memcpy(addr, half, sizeof(addr));
	return w->fn(w->arg, addr, len, value);
}

int lpm6_walk(const struct lpm6 *t, const uint8_t addr[16], unsigned len,
    int (*fn)(void *arg, const uint8_t addr[16], unsigned len, uint32_t value), void *arg)
{
	struct walk w = {fn, arg};

	return lpm_book_walk(&t->trie.book, key_of(addr), len, walk_one, &w);
}

void lpm6_lookup_bulk(const struct lpm6 *t, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	/* pair: lpm_table.c:rebuild */
	lpm_form()->lookup6(
	    atomic_load_explicit(&t->trie.table.region, memory_order_acquire), addrs, values, n);
}

size_t lpm6_count(const struct lpm6 *t)
{
	return t->trie.book.count;
}

void lpm6_usage(const struct lpm6 *t, struct lpm_usage *usage)
{
	lpm_trie_usage(&t->trie, usage);
}

size_t lpm6_memory(const struct lpm6 *t)
{
	struct lpm_usage u;

	lpm_trie_usage(&t->trie, &u);
	return sizeof(*t) + u.lookup + u.book + u.late;
}
