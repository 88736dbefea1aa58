/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is given back all at once: what one configuration file became.
 * Used by the configuration reader; control's only thread.
 */
#ifndef BYWAY_CONTROL_ARENA_H
#define BYWAY_CONTROL_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

/* Zeroed, aligned for any type. Aborts when memory is out: a configuration of at most 1 MiB must fit. */
void *arena_alloc(struct arena *a, size_t len);
/* A copy of len bytes and a NUL. */
char *arena_copy_text(struct arena *a, const char *text, size_t len);
void arena_free(struct arena *a);

#endif
