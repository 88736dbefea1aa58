/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine under lpm4 and lpm6: changes of a prefix, in the writer's book first (lpm_book.h), then in what
 * readers walk (lpm_table.h). A change that cannot be carried out whole is refused before anything moved.
 *
 * Called by lpm4.c and lpm6.c alone. Concurrency and memory as lpm.h says.
 */
#ifndef BYWAY_LIB_LPM_TRIE_H
#define BYWAY_LIB_LPM_TRIE_H

#include "lib/lpm_book.h"
#include "lib/lpm_table.h"

struct lpm_trie {
	struct lpm_book book;
	struct lpm_table table;
	unsigned bits; /* of an address: 32 or 128 */
};

/* ERR_NOMEM. */
int lpm_trie_init(struct lpm_trie *t, unsigned bits, const struct lpm_mem *mem);
/* Frees all at once; no reader may be left. */
void lpm_trie_clear(struct lpm_trie *t);
/* As lpm4_set, lpm4_del, lpm4_get and lpm4_usage say; the key lies left in 128 bits. */
int lpm_trie_set(struct lpm_trie *t, lpm_key key, unsigned len, uint32_t value);
int lpm_trie_del(struct lpm_trie *t, lpm_key key, unsigned len);
uint32_t lpm_trie_get(const struct lpm_trie *t, lpm_key key, unsigned len);
void lpm_trie_usage(const struct lpm_trie *t, struct lpm_usage *usage);

#endif
