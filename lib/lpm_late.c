/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What readers may still walk. lpm_late.h says who calls; release() alone runs where the caller's
 * grace periods end, on any thread.
 *
 * Pair of atomics: late.state is exchanged once by release() (RELEASED) and once by the writer, when it looks
 * (it loads, acquire) or when the table ends first (ABANDONED): whoever comes second frees the record.
 */
#include "lib/lpm_late.h"

#include <stdbool.h>
#include <stdlib.h>

#define GATHER 127
#define WAIT_BYTES                                                                                           \
	((size_t)8 << 20) /* more than this and than what lives: the writer waits for the readers */

enum { WAITING, RELEASED, ABANDONED };

struct lpm_late {
	_Atomic int state;
	struct lpm_late *next;	   /* younger */
	uint32_t generation;	   /* of the region whose nodes these are */
	struct lpm_region *region; /* or: a whole region */
	size_t region_bytes;
	unsigned n;
	uint32_t place[GATHER];
	uint8_t units[GATHER];
};

static void release(void *late)
{
	struct lpm_late *l = late;

	free(l->region);
	if (atomic_exchange_explicit(&l->state, RELEASED, memory_order_acq_rel) == ABANDONED)
		free(l);
}

static void enqueue(struct lpm_table *t, struct lpm_late *l)
{
	l->next = NULL;
	*(t->newest ? &t->newest->next : &t->oldest) = l;
	t->newest = l;
	t->mem.defer(t->mem.arg, release, l);
}

static struct lpm_late *late_new(struct lpm_table *t)
{
	struct lpm_late *l = t->spare ? t->spare : malloc(sizeof(*l));

	t->spare = NULL;
	if (!l)
		return NULL;
	atomic_init(&l->state, WAITING);
	l->next = NULL;
	l->generation = t->generation;
	l->region = NULL;
	l->region_bytes = 0;
	l->n = 0;
	return l;
}

void lpm_late_node(struct lpm_table *t, uint32_t place, uint32_t units)
{
	struct lpm_late *l = t->open;

	if (!t->mem.defer) {
		lpm_pool_give(&t->pool, place, units);
		return;
	}
	if (!l || l->n == GATHER) {
		l = late_new(t);
		if (!l)
			return; /* lost until the region is made anew: the only safe choice left */
		l->next = t->open;
		t->open = l;
	}
	l->place[l->n] = place;
	l->units[l->n++] = (uint8_t)units;
	t->late_units += units;
}

void lpm_late_hand_over(struct lpm_table *t)
{
	struct lpm_late *full = t->open, *next;

	if (!full)
		return;
	if (full->n == GATHER) {
		t->open = NULL;
	} else {
		full = full->next;
		t->open->next = NULL;
	}
	for (; full; full = next) {
		next = full->next;
		enqueue(t, full);
	}
}

static void drop_open(struct lpm_table *t)
{
	while (t->open) {
		struct lpm_late *next = t->open->next;

		free(t->open);
		t->open = next;
	}
}

void lpm_late_region(struct lpm_table *t, struct lpm_region *old)
{
	struct lpm_late *l;

	/* its nodes go with it */
	drop_open(t);
	t->late_units = 0;
	t->generation++;
	if (!t->mem.defer) {
		free(old);
		return;
	}
	l = late_new(t);
	if (!l) {
		t->mem.defer(t->mem.arg, free, old);
		return;
	}
	l->region = old;
	l->region_bytes = old->units * sizeof(uint64_t);
	t->late_bytes += l->region_bytes;
	enqueue(t, l);
}

/* The oldest, if it was released. */
static struct lpm_late *take_released(struct lpm_table *t)
{
	struct lpm_late *l = t->oldest;

	if (!l || atomic_load_explicit(&l->state, memory_order_acquire) != RELEASED) /* pair: release() */
		return NULL;
	t->oldest = l->next;
	if (!t->oldest)
		t->newest = NULL;
	return l;
}

static void take_back(struct lpm_table *t)
{
	struct lpm_late *l;

	while ((l = take_released(t))) {
		t->late_bytes -= l->region_bytes;
		for (unsigned i = 0; i < l->n && l->generation == t->generation; i++) {
			lpm_pool_give(&t->pool, l->place[i], l->units[i]);
			t->late_units -= l->units[i];
		}
		free(t->spare);
		t->spare = l;
	}
}

void lpm_late_reap(struct lpm_table *t)
{
	size_t live;

	if (!t->oldest)
		return;
	take_back(t);
	live = (t->pool.used - t->late_units) * sizeof(uint64_t);
	if (t->oldest && t->mem.wait && lpm_late_bytes(t) > WAIT_BYTES && lpm_late_bytes(t) > live) {
		t->mem.wait(t->mem.arg);
		take_back(t);
	}
}

size_t lpm_late_bytes(const struct lpm_table *t)
{
	return t->late_units * sizeof(uint64_t) + t->late_bytes;
}

void lpm_late_clear(struct lpm_table *t)
{
	drop_open(t);
	free(t->spare);
	while (t->oldest) {
		struct lpm_late *l = t->oldest;

		t->oldest = l->next;
		if (atomic_exchange_explicit(&l->state, ABANDONED, memory_order_acq_rel) == RELEASED)
			free(l);
	}
}
