/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups for any machine, one address after the other, in batches whose loads overlap.
 */
#include <endian.h>
#include <string.h>

#include "lib/lpm_lookup.h"

#define BATCH 64 /* lookups in flight: their cache misses overlap */

static inline uint32_t load_entry(const _Atomic uint32_t *entry)
{
	return atomic_load_explicit(entry, memory_order_acquire); /* pair: lpm_table.c:store */
}

/* The next six bits are the window's highest. */
static inline uint32_t load_child(const struct lpm_region *r, uint32_t entry, uint64_t window)
{
	const struct lpm_node *node = lpm_region_node(r, entry);
	unsigned at = lpm_node_index(node->starts, (unsigned)(window >> 58));

	if (entry & LPM_NARROW) /* pair: lpm_table.c:store_narrow */
		return atomic_load_explicit(&lpm_region_narrow(r, entry)->narrow[at], memory_order_acquire);
	return load_entry(&node->wide[at]);
}

/* Addresses under way. */
struct batch {
	uint64_t hi[BATCH], lo[BATCH]; /* the first and the last 64 bits */
	uint64_t window[BATCH];
	unsigned active[BATCH], n_active; /* at the next node */
	unsigned ahead[BATCH], n_ahead;	  /* past a direct node, which is LPM_DIRECT_BITS further */
};

/* The root and the direct nodes. */
static inline void begin_batch(const struct lpm_region *r, struct batch *b, uint32_t *values, unsigned n)
{
	const _Atomic uint32_t *root = lpm_region_root(r);

	b->n_active = b->n_ahead = 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t e = load_entry(&root[b->hi[i] >> (64 - r->root_bits)]);

		values[i] = e;
		b->active[b->n_active] = i;
		b->n_active += e >> 31;
		__builtin_prefetch(lpm_region_node(r, e));
		b->window[i] = b->hi[i] << r->root_bits;
	}
}

static inline void pass_directs(const struct lpm_region *r, struct batch *b, uint32_t *values)
{
	unsigned left = 0;

	for (unsigned j = 0; j < b->n_active; j++) {
		unsigned i = b->active[j];

		if (!(values[i] & LPM_DIRECT)) {
			b->active[left++] = i;
			continue;
		}
		values[i] =
		    load_entry(&lpm_region_direct(r, values[i])[b->window[i] >> (64 - LPM_DIRECT_BITS)]);
		b->window[i] <<= LPM_DIRECT_BITS;
		b->ahead[b->n_ahead] = i;
		b->n_ahead += values[i] >> 31;
		__builtin_prefetch(lpm_region_node(r, values[i]));
	}
	b->n_active = left;
}

/* One node further; the loads of one step are independent. */
static inline void step_batch(const struct lpm_region *r, struct batch *b, uint32_t *values)
{
	unsigned left = 0;

	for (unsigned j = 0; j < b->n_active; j++) {
		unsigned i = b->active[j];
		uint32_t e = load_child(r, values[i], b->window[i]);

		values[i] = e;
		b->window[i] <<= LPM_STRIDE;
		b->active[left] = i;
		left += e >> 31;
		__builtin_prefetch(lpm_region_node(r, e));
	}
	b->n_active = left;
}

/* After 60 and 120 bits the windows move on. */
static inline void move_windows(struct batch *b, unsigned used)
{
	for (unsigned j = 0; j < b->n_active; j++) {
		unsigned i = b->active[j];

		b->window[i] = used == 60 ? b->hi[i] << 60 | b->lo[i] >> 4 : b->lo[i] << 56;
	}
}

static inline void lookup4_batch(
    const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	struct batch b;

	for (unsigned i = 0; i < n; i++)
		b.hi[i] = (uint64_t)be32toh(addrs_be[i]) << 32;
	begin_batch(r, &b, values, n);
	while (b.n_active)
		step_batch(r, &b, values);
}

static inline void lookup6_batch(
    const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	struct batch b;

	for (unsigned i = 0; i < n; i++) {
		memcpy(&b.hi[i], addrs[i], 8);
		memcpy(&b.lo[i], addrs[i] + 8, 8);
		b.hi[i] = be64toh(b.hi[i]);
		b.lo[i] = be64toh(b.lo[i]);
	}
	begin_batch(r, &b, values, n);
	pass_directs(r, &b, values);
	for (unsigned used = r->root_bits; b.n_active + b.n_ahead; used += LPM_STRIDE) {
		if (used == r->root_bits + LPM_DIRECT_BITS)
			for (; b.n_ahead; b.n_active++)
				b.active[b.n_active] = b.ahead[--b.n_ahead];
		if (used % 60 == 0)
			move_windows(&b, used);
		step_batch(r, &b, values);
	}
}

static void lookup4(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	for (; n > BATCH; n -= BATCH, addrs_be += BATCH, values += BATCH)
		lookup4_batch(r, addrs_be, values, BATCH);
	lookup4_batch(r, addrs_be, values, n);
}

static void lookup6(const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	for (; n > BATCH; n -= BATCH, addrs += BATCH, values += BATCH)
		lookup6_batch(r, addrs, values, BATCH);
	lookup6_batch(r, addrs, values, n);
}

const struct lpm_form lpm_form_scalar = {lookup4, lookup6};
