/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of 1 to LPM_POOL_MAX units of 8 bytes within one stretch of memory that the caller owns; a
 * block is named by its number of units from the beginning, so that four bytes name it. Freed blocks
 * wait by size and are cut when a smaller one is wanted; they are not joined: the caller moves what lives
 * into a new stretch instead (lpm_table.c, lpm_book.c).
 *
 * Called by the writer of one table. Nothing here is seen by readers.
 */
#ifndef BYWAY_LIB_LPM_POOL_H
#define BYWAY_LIB_LPM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LPM_POOL_MAX 100u /* units of the largest block */

struct lpm_pool {
	uint64_t *base;
	uint32_t from, next, end; /* units: never used yet from next on */
	uint32_t used;		  /* units in blocks that were taken and not given back */
	uint32_t skipped;  /* before the beginnings of cache lines; at most an eighth of what lies behind */
	uint64_t sizes[2]; /* bit per size with free blocks */
	uint32_t first[LPM_POOL_MAX + 1], count[LPM_POOL_MAX + 1];
};

/* A pool over base[from] to base[end - 1]; from is not 0, so that 0 names no block. */
void lpm_pool_init(struct lpm_pool *p, uint64_t *base, uint32_t from, uint32_t end);
/* Whether blocks of at most `units` units each can be taken n times. May say no where it is yes. */
bool lpm_pool_can(const struct lpm_pool *p, uint32_t units, uint32_t n);
/* 0: there is none (lpm_pool_can would have said so). The content is undefined. */
uint32_t lpm_pool_take(struct lpm_pool *p, uint32_t units);
void lpm_pool_give(struct lpm_pool *p, uint32_t block, uint32_t units);

#endif
