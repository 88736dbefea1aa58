/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine under lpm4 and lpm6: a multibit trie of stride 8 over keys of 4 or 16
 * bytes. A node at depth d holds the prefixes of 8d+1 to 8d+8 bits (the root also the
 * default route), expanded over its 256 slots. Nothing is pushed into
 * children: a lookup keeps the last value it met on its way down. So a change
 * touches the slots of one node, and each address sees the old route or the new one.
 *
 * Called by lpm4.c and lpm6.c alone. Concurrency and memory as lpm.h says.
 */
#ifndef BYWAY_LIB_LPM_TRIE_H
#define BYWAY_LIB_LPM_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/lpm.h"

struct lpm_node;

struct lpm_trie {
	struct lpm_node *root; /* constant after init */
	struct lpm_mem mem;
	unsigned key_len; /* bytes */
	size_t count;	  /* prefixes */
	size_t memory;	  /* bytes of nodes and their entries */
};

/* key_len in bytes, mem may be NULL. ERR_NOMEM. */
int lpm_trie_init(struct lpm_trie *t, unsigned key_len, const struct lpm_mem *mem);
/* Frees all nodes at once; no reader may be left. */
void lpm_trie_clear(struct lpm_trie *t);
/* As lpm4_set, lpm4_del and lpm4_get say; key of key_len bytes in network order, len in bits. */
int lpm_trie_set(struct lpm_trie *t, const uint8_t *key, unsigned len, uint32_t value);
int lpm_trie_del(struct lpm_trie *t, const uint8_t *key, unsigned len);
uint32_t lpm_trie_get(const struct lpm_trie *t, const uint8_t *key, unsigned len);
/* n keys of key_len bytes one behind the other. Any reader. */
void lpm_trie_lookup_bulk(const struct lpm_trie *t, const uint8_t *keys, uint32_t *values, unsigned n);

#endif
