/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator of objects of one size. Control's only thread. */
#include "control/slab.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST 4096 /* bytes of objects; each block is twice the one before, up to the last */
#define BLOCK_LAST  (256u << 10)

struct slab_block {
	struct slab_block *next;
	size_t len;
	uint64_t data[];
};

struct slab_free {
	struct slab_free *next;
};

static void *take_from_block(struct slab *s, size_t len)
{
	struct slab_block *block = s->blocks;
	void *object;

	if (block == NULL || s->used_len + len > block->len) {
		size_t block_len = block == NULL ? BLOCK_FIRST : block->len * 2;

		block_len = block_len > BLOCK_LAST ? BLOCK_LAST : block_len;
		block = malloc(sizeof(*block) + block_len);
		if (block == NULL)
			return NULL;
		block->len = block_len;
		block->next = s->blocks;
		s->blocks = block;
		s->used_len = 0;
	}
	object = (uint8_t *)block->data + s->used_len;
	s->used_len += len;
	return object;
}

void *slab_alloc(struct slab *s, size_t len)
{
	void *object = s->unused;

	assert(len >= sizeof(struct slab_free) && len % sizeof(void *) == 0 && len <= BLOCK_FIRST);
	if (object != NULL)
		s->unused = s->unused->next;
	else
		object = take_from_block(s, len);
	return object != NULL ? memset(object, 0, len) : NULL;
}

void slab_free(struct slab *s, void *object)
{
	struct slab_free *f = object;

	if (f == NULL)
		return;
	f->next = s->unused;
	s->unused = f;
}

void slab_clear(struct slab *s)
{
	struct slab_block *block;

	while ((block = s->blocks) != NULL) {
		s->blocks = block->next;
		free(block);
	}
	memset(s, 0, sizeof(*s));
}
