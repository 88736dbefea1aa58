/* SPDX-License-Identifier: BSD-3-Clause */
/* The caller's allocator with a count of what is out; see bgp_mem.h. */
#include "bgp/bgp_mem.h"

#include <stdlib.h>
#include <string.h>

static void *mem_resize_libc(void *arg, void *ptr, size_t old_size, size_t new_size)
{
	(void)arg;
	(void)old_size;
	if (new_size == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, new_size);
}

void bgp_mem_init(struct bgp_heap *heap, const struct bgp_mem *mem)
{
	*heap = (struct bgp_heap){.mem = *mem};
	if (!heap->mem.resize)
		heap->mem.resize = mem_resize_libc;
}

void *bgp_mem_alloc(struct bgp_heap *heap, size_t size)
{
	void *ptr = heap->mem.resize(heap->mem.arg, NULL, 0, size);

	if (!ptr)
		return NULL;
	heap->used += size;
	return memset(ptr, 0, size);
}

void bgp_mem_free(struct bgp_heap *heap, void *ptr, size_t size)
{
	if (!ptr)
		return;
	heap->used -= size;
	heap->mem.resize(heap->mem.arg, ptr, size, 0);
}

int bgp_mem_grow(struct bgp_heap *heap, void *array_ptr, size_t *cap, size_t need, size_t element_size)
{
	void **array = array_ptr;
	size_t n = *cap ? *cap : 8;
	void *grown;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	grown = heap->mem.resize(heap->mem.arg, *array, *cap * element_size, n * element_size);
	if (!grown)
		return ERR_NOMEM;
	memset((char *)grown + *cap * element_size, 0, (n - *cap) * element_size);
	heap->used += (n - *cap) * element_size;
	*array = grown;
	*cap = n;
	return 0;
}
