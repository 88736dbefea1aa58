/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for very many objects of one size, without malloc's head on each. What is freed is used again for
 * the same kind; all of it goes with slab_clear. Used by the RIB, whose objects come by the million;
 * control's only thread.
 */
#ifndef BYWAY_CONTROL_SLAB_H
#define BYWAY_CONTROL_SLAB_H

#include <stddef.h>

struct slab_block;
struct slab_free;

/* Zeroed it is empty. */
struct slab {
	struct slab_block *blocks; /* the first is being used up */
	struct slab_free *unused;  /* freed objects */
	size_t used_len;	   /* bytes of the first block that were given out */
};

/* Zeroed. len: the same in each call for this slab, at least a pointer's, a multiple of it. NULL: out of
 * memory. */
void *slab_alloc(struct slab *s, size_t len);
void slab_free(struct slab *s, void *object);
/* Every object goes. */
void slab_clear(struct slab *s);

#endif
