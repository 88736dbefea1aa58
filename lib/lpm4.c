/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 over the trie engine; concurrency as lpm.h says.
 */
#include "lib/lpm4.h"

#include <stdlib.h>

#include "lib/lpm_trie.h"

struct lpm4 {
	struct lpm_trie trie;
};

struct lpm4 *lpm4_new(const struct lpm_mem *mem)
{
	struct lpm4 *t = malloc(sizeof(*t));

	if (t && lpm_trie_init(&t->trie, 4, mem)) {
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
	return lpm_trie_set(&t->trie, (const uint8_t *)&addr_be, len, value);
}

int lpm4_del(struct lpm4 *t, uint32_t addr_be, unsigned len)
{
	return lpm_trie_del(&t->trie, (const uint8_t *)&addr_be, len);
}

uint32_t lpm4_get(const struct lpm4 *t, uint32_t addr_be, unsigned len)
{
	return lpm_trie_get(&t->trie, (const uint8_t *)&addr_be, len);
}

void lpm4_lookup_bulk(const struct lpm4 *t, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	lpm_trie_lookup_bulk(&t->trie, (const uint8_t *)addrs_be, values, n);
}

size_t lpm4_count(const struct lpm4 *t)
{
	return t->trie.count;
}

size_t lpm4_memory(const struct lpm4 *t)
{
	return sizeof(*t) + t->trie.memory;
}
