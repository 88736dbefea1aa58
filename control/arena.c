/* SPDX-License-Identifier: BSD-3-Clause */
/* The bump allocator of the configuration reader. Control's only thread. */
#include "control/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_LEN 16384

struct arena_block {
	struct arena_block *next;
	size_t used, len;
	alignas(max_align_t) unsigned char data[];
};

void *arena_alloc(struct arena *a, size_t len)
{
	const size_t need = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *block = a->blocks;
	void *p;

	if (block == NULL || block->len - block->used < need) {
		const size_t data_len = need > BLOCK_LEN ? need : BLOCK_LEN;

		block = calloc(1, sizeof(*block) + data_len);
		if (block == NULL)
			abort();
		block->len = data_len;
		block->next = a->blocks;
		a->blocks = block;
	}
	p = block->data + block->used;
	block->used += need;
	return p;
}

char *arena_copy_text(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, text, len);
	return copy;
}

void arena_free(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}
