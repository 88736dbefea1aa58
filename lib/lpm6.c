/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 over the trie engine; concurrency as lpm.h says.
 */
#include "lib/lpm6.h"

#include <stdlib.h>

#include "lib/lpm_trie.h"

struct lpm6 {
	struct lpm_trie trie;
};

struct lpm6 *lpm6_new(const struct lpm_mem *mem)
{
	struct lpm6 *t = malloc(sizeof(*t));

	if (t && lpm_trie_init(&t->trie, 16, mem)) {
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
	return lpm_trie_set(&t->trie, addr, len, value);
}

int lpm6_del(struct lpm6 *t, const uint8_t addr[16], unsigned len)
{
	return lpm_trie_del(&t->trie, addr, len);
}

uint32_t lpm6_get(const struct lpm6 *t, const uint8_t addr[16], unsigned len)
{
	return lpm_trie_get(&t->trie, addr, len);
}

void lpm6_lookup_bulk(const struct lpm6 *t, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	lpm_trie_lookup_bulk(&t->trie, (const uint8_t *)addrs, values, n);
}

size_t lpm6_count(const struct lpm6 *t)
{
	return t->trie.count;
}

size_t lpm6_memory(const struct lpm6 *t)
{
	return sizeof(*t) + t->trie.memory;
}
