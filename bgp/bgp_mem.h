/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's allocator with a count of what is out. Every part of bgp/ takes
 * its memory here.
 */
#ifndef BYWAY_BGP_BGP_MEM_H
#define BYWAY_BGP_BGP_MEM_H

#include <stddef.h>

#include "bgp/bgp.h"

struct bgp_heap {
	struct bgp_mem mem;
	size_t used; /* bytes */
};

/* mem->resize NULL: the C library's. */
void bgp_mem_init(struct bgp_heap *heap, const struct bgp_mem *mem);
/* Zeroed; NULL when memory is short. size over 0. */
void *bgp_mem_alloc(struct bgp_heap *heap, size_t size);
/* size as it was allocated; ptr NULL is allowed. */
void bgp_mem_free(struct bgp_heap *heap, void *ptr, size_t size);
/* Grows an array of *cap elements to at least need, at least doubling; new ones are zero. ERR_NOMEM:
 * untouched. */
int bgp_mem_grow(struct bgp_heap *heap, void *array_ptr, size_t *cap, size_t need, size_t element_size);

#endif
