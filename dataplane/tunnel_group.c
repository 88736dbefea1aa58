/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grouping a burst; tunnel_group.h says for what. Workers only.
 */
#include "dataplane/tunnel_group.h"

#include <string.h>

#define SLOTS_BITS 7u /* twice as many as packets */
#define FREE	   0xffu

struct table {
	uint8_t slots[1u << SLOTS_BITS]; /* group, by hash; open addressing */
	void *common[WORKER_BURST];	 /* of each group */
	uint8_t of[WORKER_BURST];	 /* group of each packet */
	uint8_t count[WORKER_BURST];
};

/* What is pointed at is aligned to cache lines: the low bits say nothing. */
static unsigned hash(const void *p)
{
	return (unsigned)((uint64_t)(uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOTS_BITS));
}

/* The group of this pointer, a new one if there is none. */
static unsigned find(struct table *t, struct tunnel_groups *g, void *common)
{
	unsigned at = hash(common);

	while (t->slots[at] != FREE && t->common[t->slots[at]] != common)
		at = (at + 1) % sizeof(t->slots);
	if (t->slots[at] == FREE) {
		t->slots[at] = (uint8_t)g->n;
		t->common[g->n] = common;
		t->count[g->n] = 0;
		g->n++;
	}
	return t->slots[at];
}

void tunnel_group(struct tunnel_groups *g, void *const *common, unsigned n)
{
	struct table t;
	uint8_t next[WORKER_BURST];
	unsigned last = 0;

	memset(t.slots, FREE, sizeof(t.slots));
	g->n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (g->n == 0 || common[i] != t.common[last])
			last = find(&t, g, common[i]);
		t.of[i] = (uint8_t)last;
		t.count[last]++;
	}
	for (unsigned i = 0; i < g->n; i++) {
		next[i] = i ? g->end[i - 1] : 0;
		g->end[i] = (uint8_t)(next[i] + t.count[i]);
	}
	for (unsigned i = 0; i < n; i++)
		g->order[next[t.of[i]]++] = (uint8_t)i;
}
