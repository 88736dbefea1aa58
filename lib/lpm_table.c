/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer's side of what readers walk: nodes painted from the book, published, retired; regions filled
 * anew. lpm_table.h says how it all lies and who reads it. When a region is made anew, and how large, is
 * lpm_reserve.c's matter; what is retired and when it is used again is lpm_late.c's.
 */
#include "lib/lpm_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/lpm_late.h"
#include "lib/lpm_region.h"

static _Atomic uint32_t *root_of(struct lpm_region *r)
{
	return (_Atomic uint32_t *)r->base;
}

static struct lpm_node *node_of(const struct lpm_table *t, uint32_t entry)
{
	return (struct lpm_node *)(t->pool.base + (entry & LPM_PLACE));
}

static struct lpm_narrow_node *narrow_of(const struct lpm_table *t, uint32_t entry)
{
	return (struct lpm_narrow_node *)(t->pool.base + (entry & LPM_PLACE));
}

static uint32_t units_of(uint32_t tag, unsigned entries)
{
	return tag & LPM_NARROW ? LPM_NARROW_UNITS(entries) : LPM_WIDE_UNITS(entries);
}

static unsigned entries_in(const struct lpm_node *n)
{
	return (unsigned)__builtin_popcountll(n->starts);
}

static uint32_t load(const _Atomic uint32_t *entry)
{
	return atomic_load_explicit(entry, memory_order_relaxed); /* the writer reads what it wrote */
}

static void store(_Atomic uint32_t *entry, uint32_t value)
{
	if (load(entry) != value)
		atomic_store_explicit(entry, value, memory_order_release); /* pair: the lookups' acquire */
}

static void pool_of_region(struct lpm_table *t, struct lpm_region *r)
{
	/* the last unit stays free: a wide load of the last narrow entry reaches beyond its node */
	lpm_pool_init(&t->pool, r->base, lpm_fixed_units(r->root_bits, r->directs), r->units - 1);
}

int lpm_table_init(struct lpm_table *t, unsigned bits, const struct lpm_mem *mem)
{
	struct lpm_region *r = lpm_region_new(LPM_STRIDE, 0, LPM_MIN_SPARE);

	if (!r)
		return ERR_NOMEM;
	memset(t, 0, sizeof(*t));
	if (mem)
		t->mem = *mem;
	t->max_directs = bits == 128 ? LPM_DIRECTS_MAX : 0;
	pool_of_region(t, r);
	atomic_init(&t->region, r);
	return 0;
}

void lpm_table_clear(struct lpm_table *t)
{
	lpm_late_clear(t);
	free(lpm_table_region(t));
}

void lpm_table_usage(const struct lpm_table *t, struct lpm_usage *usage)
{
	/* what lies beyond was never touched, so the kernel has not backed it */
	usage->lookup = sizeof(struct lpm_region) + t->pool.next * sizeof(uint64_t);
	usage->late = lpm_late_bytes(t);
}

/* Each slot's value, as the prefixes of this node say over what is inherited. Longer prefixes have higher
 * indices. */
static void paint(const struct lpm_book_node *n, uint32_t inherited, uint32_t slots[LPM_SLOTS])
{
	const uint32_t *value = n->words + lpm_book_children(n);

	for (unsigned i = 0; i < LPM_SLOTS; i++)
		slots[i] = inherited;
	for (uint64_t left = n->prefixes[0]; left; left &= left - 1, value++) {
		unsigned heap = (unsigned)__builtin_ctzll(left), bits = 31 - (unsigned)__builtin_clz(heap);
		unsigned count = LPM_SLOTS >> bits, first = (heap << (LPM_STRIDE - bits)) & (LPM_SLOTS - 1);

		for (unsigned i = first; i < first + count; i++)
			slots[i] = *value;
	}
	for (uint64_t left = n->prefixes[1]; left; left &= left - 1, value++)
		slots[__builtin_ctzll(left)] = *value;
}

static void retire(struct lpm_table *t, uint32_t entry)
{
	lpm_late_node(t, entry & LPM_PLACE, units_of(entry, entries_in(node_of(t, entry))));
}

static _Atomic uint32_t *direct_of(const struct lpm_table *t, uint32_t entry)
{
	return (_Atomic uint32_t *)node_of(t, entry);
}

/* A node that is no longer in the book, with all below. A direct one itself rests until the region is made
 * anew. */
static void retire_all(struct lpm_table *t, uint32_t entry)
{
	const struct lpm_node *n = node_of(t, entry);

	if (entry & LPM_DIRECT) {
		for (unsigned i = 0; i < LPM_DIRECT_ENTRIES; i++)
			if (load(&direct_of(t, entry)[i]) & LPM_CHILD)
				retire_all(t, load(&direct_of(t, entry)[i]));
		return;
	}

	for (unsigned i = 0; i < entries_in(n) && !(entry & LPM_NARROW); i++)
		if (load(&n->wide[i]) & LPM_CHILD)
			retire_all(t, load(&n->wide[i]));
	retire(t, entry);
}

/* Slots with equal neighbours joined: packed gets an entry each; returns how many. *any: the bits that some
 * entry has. */
static unsigned pack(
    const uint32_t slots[LPM_SLOTS], uint64_t *starts, uint32_t packed[LPM_SLOTS], uint32_t *any)
{
	unsigned count = 1;

	*starts = 1;
	*any = packed[0] = slots[0];
	for (unsigned i = 1; i < LPM_SLOTS; i++) {
		uint64_t begins = slots[i] != slots[i - 1];

		packed[count] = slots[i];
		count += (unsigned)begins;
		*starts |= begins << i;
		*any |= slots[i];
	}
	return count;
}

static void store_narrow(_Atomic uint16_t *entry, uint16_t value)
{
	if (atomic_load_explicit(entry, memory_order_relaxed) != value)
		atomic_store_explicit(entry, value, memory_order_release); /* pair: the lookups' acquire */
}

/* The slots as a node, in place of the old one (if that is a child): that itself where its shape is the same.
 */
static uint32_t write_node(struct lpm_table *t, const uint32_t slots[LPM_SLOTS], uint32_t old)
{
	uint32_t packed[LPM_SLOTS], any, place = old, tag;
	uint64_t starts;
	unsigned count = pack(slots, &starts, packed, &any);

	tag = LPM_CHILD | (any > UINT16_MAX ? 0 : LPM_NARROW);
	if ((old & ~LPM_PLACE) != tag || node_of(t, old)->starts != starts) {
		place = lpm_pool_take(&t->pool, units_of(tag, count));
		assert(place); /* lpm_table_reserve */
		memset(node_of(t, place), 0, units_of(tag, count) * sizeof(uint64_t));
		node_of(t, place)->starts = starts;
		if (old & LPM_CHILD)
			retire(t, old);
		place |= tag;
	}
	for (unsigned i = 0; i < count; i++) {
		if (tag & LPM_NARROW)
			store_narrow(&narrow_of(t, place)->narrow[i], (uint16_t)packed[i]);
		else
			store(&node_of(t, place)->wide[i], packed[i]);
	}
	return place;
}

/* What a node says of a slot. */
static uint32_t entry_for(const struct lpm_table *t, uint32_t entry, unsigned slot)
{
	const struct lpm_node *n = node_of(t, entry);
	unsigned at = lpm_node_index(n->starts, slot);

	return entry & LPM_NARROW ? narrow_of(t, entry)->narrow[at] : load(&n->wide[at]);
}

/*
 * The entry for a node of the book; old is the one that stood for it. Only the `changed` slots serve
 * differently; without an old node all are new. Recursion is bounded by LPM_DEPTHS.
 */
static uint32_t refresh_node(struct lpm_table *t, const struct lpm_book *b, uint32_t block,
    uint32_t inherited, uint32_t old, uint64_t changed)
{
	struct lpm_book_node *book = lpm_book_node(b, block);
	bool is_new = !(old & LPM_CHILD);
	uint32_t slots[LPM_SLOTS];

	paint(book, inherited, slots);
	for (uint64_t left = book->children; left; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		uint32_t child = *lpm_book_child(book, slot);
		uint32_t entry = is_new ? 0 : entry_for(t, old, slot);
		uint64_t below = lpm_book_uncovered(lpm_book_node(b, child));

		if (!(entry & LPM_CHILD) || (changed >> slot & 1 && below))
			entry = refresh_node(t, b, child, slots[slot], entry, below);
		slots[slot] = entry;
	}
	for (uint64_t left = is_new ? 0 : changed & ~book->children; left; left &= left - 1) {
		uint32_t entry = entry_for(t, old, (unsigned)__builtin_ctzll(left));

		if (entry & LPM_CHILD)
			retire_all(t, entry);
	}
	return write_node(t, slots, old);
}

/* A part of the table that is indexed directly: the root, or a direct node. */
struct direct {
	_Atomic uint32_t *entries;
	unsigned end; /* depth to which it reaches, in bits */
};

/* A direct node for a crowded block that lies at the root's end, else 0; its entries are 0. */
static uint32_t new_direct(struct lpm_table *t, struct lpm_region *r, const struct lpm_book_node *n)
{
	if (lpm_book_children(n) < LPM_DIRECT_CHILDREN)
		return 0;
	if (r->directs_used == r->directs) {
		t->candidates++;
		return 0;
	}
	return LPM_CHILD | LPM_DIRECT | lpm_fixed_units(r->root_bits, r->directs_used++);
}

static void refresh_direct(struct lpm_table *t, struct lpm_region *r, const struct lpm_book *b,
    const struct direct *d, uint32_t block, unsigned depth, uint32_t first, uint32_t inherited,
    uint64_t changed, bool whole);

/* The entry at the end of a direct part for a node of the book. */
static uint32_t refresh_end(struct lpm_table *t, struct lpm_region *r, const struct lpm_book *b,
    const struct direct *d, uint32_t block, uint32_t inherited, uint32_t old, bool whole)
{
	uint64_t open = lpm_book_uncovered(lpm_book_node(b, block));
	uint32_t entry = old;
	struct direct next;

	if (old && !(old & LPM_CHILD))
		entry = 0;
	if (!entry && d->end == LPM_ROOT_BITS)
		entry = new_direct(t, r, lpm_book_node(b, block));
	if (!(entry & LPM_DIRECT))
		return open || !entry ? refresh_node(t, b, block, inherited, entry, open) : entry;
	next = (struct direct){direct_of(t, entry), d->end + LPM_DIRECT_BITS};
	refresh_direct(t, r, b, &next, block, d->end, 0, inherited, whole ? UINT64_MAX : open, whole);
	return entry;
}

/*
 * A node of the book within a direct part, where its entries begin at `first`. whole: what lies below
 * the changed slots is all new. Recursion is bounded by the part's strides.
 */
static void refresh_direct(struct lpm_table *t, struct lpm_region *r, const struct lpm_book *b,
    const struct direct *d, uint32_t block, unsigned depth, uint32_t first, uint32_t inherited,
    uint64_t changed, bool whole)
{
	struct lpm_book_node *book = lpm_book_node(b, block);
	unsigned below = depth + LPM_STRIDE, count = 1u << (d->end - below);
	_Atomic uint32_t *entries = d->entries + first;
	uint32_t slots[LPM_SLOTS];

	paint(book, inherited, slots);
	for (uint64_t left = changed; left; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(left), at = slot * count;
		uint32_t child = book->children >> slot & 1 ? *lpm_book_child(book, slot) : 0;

		if (child && below < d->end) {
			refresh_direct(t, r, b, d, child, below, first + at, slots[slot],
			    whole ? UINT64_MAX : lpm_book_uncovered(lpm_book_node(b, child)), whole);
			continue;
		}
		for (unsigned i = at; i < at + count; i++) {
			uint32_t old = load(&entries[i]);

			if (child)
				store(&entries[i], refresh_end(t, r, b, d, child, slots[slot], old, whole));
			else
				store(&entries[i], slots[slot]);
			if (!child && old & LPM_CHILD)
				retire_all(t, old);
		}
	}
}

/* Everything painted anew, where the root or its direct nodes shall be others. */
static void paint_region(struct lpm_table *t, const struct lpm_book *b, struct lpm_region *fresh)
{
	const struct direct root = {root_of(fresh), fresh->root_bits};

	refresh_direct(t, fresh, b, &root, b->root, 0, 0, LPM_NONE, UINT64_MAX, true);
}

/* The entry of an older region with all below, in the pool's. Recursion is bounded by LPM_DEPTHS. */
static uint32_t copy_entry(struct lpm_table *t, const struct lpm_region *old, uint32_t entry)
{
	const struct lpm_node *n = lpm_region_node(old, entry);
	struct lpm_node *now;
	uint32_t place, units;

	if (!(entry & LPM_CHILD))
		return entry;
	units = units_of(entry, entries_in(n));
	place = lpm_pool_take(&t->pool, units);
	assert(place); /* lpm_table_reserve */
	now = node_of(t, place);
	memcpy(now, n, units * sizeof(uint64_t)); /* the writer copies what it wrote */
	for (unsigned i = 0; i < entries_in(n) && !(entry & LPM_NARROW); i++)
		store(&now->wide[i], copy_entry(t, old, load(&now->wide[i])));
	return place | (entry & ~LPM_PLACE);
}

/* Entries of the root or a direct node. */
static void copy_direct(struct lpm_table *t, struct lpm_region *fresh, const struct lpm_region *old,
    const _Atomic uint32_t *from, _Atomic uint32_t *to, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t entry = load(&from[i]);

		if (entry & LPM_CHILD && entry & LPM_DIRECT) {
			uint32_t place = lpm_fixed_units(fresh->root_bits, fresh->directs_used++);

			copy_direct(t, fresh, old, lpm_region_direct(old, entry),
			    (_Atomic uint32_t *)(fresh->base + place), LPM_DIRECT_ENTRIES);
			entry = LPM_CHILD | LPM_DIRECT | place;
		} else {
			entry = copy_entry(t, old, entry);
		}
		store(&to[i], entry);
	}
}

/* The path's change, in a region that stands but for it. depth: of the path's last node. */
static void refresh(struct lpm_table *t, struct lpm_region *r, const struct lpm_book *b, lpm_key key,
    const struct lpm_book_path *path, unsigned depth, uint64_t changed)
{
	struct direct d = {root_of(r), r->root_bits};
	_Atomic uint32_t *at = &d.entries[(uint32_t)(key >> (128 - d.end))];
	const struct lpm_book_node *last = lpm_book_node(b, path->node[path->n - 1]);
	uint32_t block = path->node[path->n - 1], inherited = path->inherited[path->n - 1], first;
	unsigned begin = 0;

	/* the first child of a block at the root's end: it may become direct now */
	if (t->max_directs && depth == LPM_ROOT_BITS && depth == d.end && depth < path->depth &&
	    last->children == changed && !(load(at) & LPM_DIRECT)) {
		uint32_t old = load(at);

		store(at, refresh_end(t, r, b, &d, block, inherited, 0, true));
		retire_all(t, old);
		return;
	}
	if (depth >= d.end && load(at) & LPM_DIRECT) {
		begin = d.end;
		d = (struct direct){direct_of(t, load(at)), d.end + LPM_DIRECT_BITS};
		at = &d.entries[(uint32_t)(key << begin >> (128 - LPM_DIRECT_BITS))];
	}
	if (depth < d.end) {
		/* a chain of nodes that came or went is all new; else only what inherits is */
		first = depth > begin ? (uint32_t)(key << begin >> (128 - (depth - begin))) << (d.end - depth)
				      : 0;
		refresh_direct(t, r, b, &d, block, depth, first, inherited, changed, depth < path->depth);
		return;
	}
	for (unsigned i = d.end; i < depth; i += LPM_STRIDE) {
		struct lpm_node *n = node_of(t, load(at));

		at = &n->wide[lpm_node_index(n->starts, lpm_key_slot(key, i))];
	}
	store(at, refresh_node(t, b, block, inherited, load(at), changed));
}

/*
 * A new region in place of the old one, which becomes late as a whole. Nodes are copied where nothing but the
 * path's change sets them apart, which takes half of the time that painting takes.
 */
static void rebuild(struct lpm_table *t, const struct lpm_book *b, lpm_key key,
    const struct lpm_book_path *path, uint64_t changed, struct lpm_region *fresh)
{
	struct lpm_region *old = lpm_table_region(t);

	pool_of_region(t, fresh);
	if (fresh->root_bits == old->root_bits && fresh->directs == old->directs) {
		copy_direct(t, fresh, old, root_of(old), root_of(fresh), 1u << fresh->root_bits);
		refresh(t, fresh, b, key, path, (path->n - 1) * LPM_STRIDE, changed);
	} else {
		paint_region(t, b, fresh);
	}
	t->changes = t->candidates = 0;
	atomic_store_explicit(&t->region, fresh, memory_order_release); /* pair: the lookups' acquire */
	lpm_late_region(t, old);
}

void lpm_table_refresh(struct lpm_table *t, const struct lpm_book *b, lpm_key key,
    const struct lpm_book_path *path, uint64_t changed, struct lpm_region *fresh)
{
	unsigned depth = (path->n - 1) * LPM_STRIDE;

	if (fresh)
		rebuild(t, b, key, path, changed, fresh);
	else
		refresh(t, lpm_table_region(t), b, key, path, depth, changed);
	t->changes++;
	lpm_late_hand_over(t);
}
