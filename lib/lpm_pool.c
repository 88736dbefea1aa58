/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks by size, for the writers of lpm_table.c and lpm_book.c. A free block's first word names the next.
 */
#include "lib/lpm_pool.h"

#include <assert.h>
#include <string.h>

#define LINE_UNITS 8u /* base lies at one */

void lpm_pool_init(struct lpm_pool *p, uint64_t *base, uint32_t from, uint32_t end)
{
	memset(p, 0, sizeof(*p));
	p->base = base;
	p->from = p->next = from;
	p->end = end;
}

static void put(struct lpm_pool *p, uint32_t block, uint32_t units)
{
	p->base[block] = p->first[units];
	p->first[units] = block;
	p->count[units]++;
	p->sizes[units / 64] |= UINT64_C(1) << units % 64;
}

static uint32_t get(struct lpm_pool *p, uint32_t units)
{
	uint32_t block = p->first[units];

	p->first[units] = (uint32_t)p->base[block];
	if (--p->count[units] == 0)
		p->sizes[units / 64] &= ~(UINT64_C(1) << units % 64);
	return block;
}

/* The smallest size with free blocks from `units` up, 0: none. */
static uint32_t size_from(const struct lpm_pool *p, uint32_t units)
{
	uint64_t low = units < 64 ? p->sizes[0] >> units << units : 0;
	uint64_t high = units < 64 ? p->sizes[1] : p->sizes[1] >> units % 64 << units % 64;

	if (low)
		return (uint32_t)__builtin_ctzll(low);
	return high ? 64 + (uint32_t)__builtin_ctzll(high) : 0;
}

bool lpm_pool_can(const struct lpm_pool *p, uint32_t units, uint32_t n)
{
	uint32_t have = (p->end - p->next) / (units + LINE_UNITS - 1);

	while (have < n && (units = size_from(p, units))) {
		have += p->count[units];
		if (++units > LPM_POOL_MAX)
			break;
	}
	return have >= n;
}

/* Memory never used yet; a block that fits a cache line does not begin near its end: a reader would need two.
 */
static bool has_new(struct lpm_pool *p, uint32_t units)
{
	uint32_t left = LINE_UNITS - p->next % LINE_UNITS;

	if (units <= LINE_UNITS && units > left && p->end - p->next >= left + units &&
	    p->skipped <= (p->next - p->from) / 8) {
		put(p, p->next, left);
		p->next += left;
		p->skipped += left;
	}
	return p->end - p->next >= units;
}

uint32_t lpm_pool_take(struct lpm_pool *p, uint32_t units)
{
	uint32_t block = 0, size;

	assert(units > 0 && units <= LPM_POOL_MAX);
	if (p->first[units]) {
		block = get(p, units);
	} else if (has_new(p, units)) {
		block = p->next;
		p->next += units;
	} else if ((size = size_from(p, units))) {
		block = get(p, size);
		put(p, block + units, size - units);
	}
	if (block)
		p->used += units;
	return block;
}

void lpm_pool_give(struct lpm_pool *p, uint32_t block, uint32_t units)
{
	p->used -= units;
	put(p, block, units);
}
