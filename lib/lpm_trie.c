/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The multibit trie under lpm4 and lpm6. One writer changes it, readers call
 * lpm_trie_lookup_bulk() at the same time.
 *
 * Pairs of atomics:
 *   node.child  the writer stores (release) a node that is complete, or NULL before
 *               it retires one; readers load (consume) and follow.
 *   node.value  the writer stores (release) after whatever the value names was
 *               published; readers load (acquire) and use it as an index.
 */
#include "lib/lpm_trie.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define SLOTS	    256
#define MAX_DEPTH   16
#define BATCH	    16 /* lookups in flight: their cache misses overlap */
#define MIN_ENTRIES 4

/* A prefix of this node, exactly as it was set. */
struct lpm_entry {
	uint16_t id; /* a 1, then the prefix's bits within the node: 1 (none) to 511 (eight ones) */
	uint32_t value;
};

struct lpm_node {
	_Atomic uint32_t value[SLOTS];
	_Atomic(struct lpm_node *) child[SLOTS];
	/* Readers never look below. */
	uint8_t owner[SLOTS];	   /* 1 + bits of the entry that a slot's value comes from; 0: from none */
	struct lpm_entry *entries; /* by id, ascending */
	uint16_t n_entries, room, n_children;
};

static unsigned id_bits(unsigned id)
{
	return 31 - (unsigned)__builtin_clz(id);
}

/* Depth of the node that holds prefixes of this length. */
static unsigned depth_of(unsigned len)
{
	return len ? (len - 1) / 8 : 0;
}

static unsigned id_of(const uint8_t *key, unsigned len)
{
	unsigned depth = depth_of(len), bits = len - depth * 8;

	return 1u << bits | (unsigned)key[depth] >> (8 - bits);
}

static int check_prefix(const struct lpm_trie *t, const uint8_t *key, unsigned len)
{
	unsigned at = len / 8;

	if (len > t->key_len * 8)
		return ERR_RANGE;
	if (len % 8 && (key[at++] & 0xffu >> len % 8))
		return ERR_INVALID;
	for (; at < t->key_len; at++)
		if (key[at])
			return ERR_INVALID;
	return 0;
}

static struct lpm_node *node_new(struct lpm_trie *t)
{
	struct lpm_node *n = calloc(1, sizeof(*n));

	if (n)
		t->memory += sizeof(*n);
	return n;
}

static void node_release(void *node)
{
	free(node);
}

/* What only the writer sees goes at once, the node itself when no reader can hold it. */
static void node_retire(struct lpm_trie *t, struct lpm_node *n, bool visible)
{
	t->memory -= sizeof(*n) + n->room * sizeof(*n->entries);
	free(n->entries);
	n->entries = NULL;
	if (visible && t->mem.defer)
		t->mem.defer(t->mem.arg, node_release, n);
	else
		free(n);
}

/* Index of the entry, or where it would be inserted. */
static unsigned entry_position(const struct lpm_node *n, unsigned id)
{
	unsigned low = 0, high = n->n_entries;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (n->entries[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct lpm_entry *entry_find(const struct lpm_node *n, unsigned id)
{
	unsigned at = entry_position(n, id);

	return at < n->n_entries && n->entries[at].id == id ? &n->entries[at] : NULL;
}

/* Room for one more entry. ERR_NOMEM. */
static int entry_reserve(struct lpm_trie *t, struct lpm_node *n)
{
	unsigned room = n->room ? n->room * 2u : MIN_ENTRIES;
	struct lpm_entry *e;

	if (n->n_entries < n->room)
		return 0;
	e = realloc(n->entries, room * sizeof(*e));
	if (!e)
		return ERR_NOMEM;
	t->memory += (room - n->room) * sizeof(*e);
	n->entries = e;
	n->room = (uint16_t)room;
	return 0;
}

/* Expands the entry over those of its slots that no longer prefix owns. */
static void slots_cover(struct lpm_node *n, unsigned id, uint32_t value)
{
	unsigned bits = id_bits(id), count = 1u << (8 - bits), first = (id << (8 - bits)) & 0xff;

	for (unsigned s = first; s < first + count; s++) {
		if (n->owner[s] > bits + 1)
			continue;
		n->owner[s] = (uint8_t)(bits + 1);
		atomic_store_explicit(&n->value[s], value, memory_order_release); /* pair: lookup's acquire */
	}
}

/* Gives the slots of an entry that has gone back to the next shorter one of this node. */
static void slots_uncover(struct lpm_node *n, unsigned id)
{
	unsigned bits = id_bits(id), count = 1u << (8 - bits), first = (id << (8 - bits)) & 0xff;
	const struct lpm_entry *cover = NULL;
	uint8_t owner;

	for (unsigned up = id >> 1; up && !cover; up >>= 1)
		cover = entry_find(n, up);
	owner = (uint8_t)(cover ? id_bits(cover->id) + 1 : 0);
	for (unsigned s = first; s < first + count; s++) {
		if (n->owner[s] != bits + 1)
			continue;
		n->owner[s] = owner;
		atomic_store_explicit(&n->value[s], cover ? cover->value : LPM_NONE,
		    memory_order_release); /* pair: lookup's acquire */
	}
}

/* The caller reserved room. */
static void entry_put(struct lpm_trie *t, struct lpm_node *n, unsigned id, uint32_t value)
{
	unsigned at = entry_position(n, id);

	if (at == n->n_entries || n->entries[at].id != id) {
		memmove(&n->entries[at + 1], &n->entries[at], (n->n_entries - at) * sizeof(*n->entries));
		n->entries[at].id = (uint16_t)id;
		n->n_entries++;
		t->count++;
	}
	n->entries[at].value = value;
	slots_cover(n, id, value);
}

static void entry_remove(struct lpm_trie *t, struct lpm_node *n, struct lpm_entry *e)
{
	unsigned id = e->id, after = (unsigned)(n->entries + n->n_entries - (e + 1));

	memmove(e, e + 1, after * sizeof(*e));
	n->n_entries--;
	t->count--;
	slots_uncover(n, id);
}

static struct lpm_node *child_of(const struct lpm_node *n, uint8_t slot)
{
	return atomic_load_explicit(&n->child[slot], memory_order_relaxed); /* writer's own stores */
}

int lpm_trie_init(struct lpm_trie *t, unsigned key_len, const struct lpm_mem *mem)
{
	*t = (struct lpm_trie){.key_len = key_len};
	if (mem)
		t->mem = *mem;
	t->root = node_new(t);
	return t->root ? 0 : ERR_NOMEM;
}

/* Depth is bounded by the key's length. */
static void clear_below(struct lpm_trie *t, struct lpm_node *n)
{
	for (unsigned s = 0; s < SLOTS; s++)
		if (child_of(n, (uint8_t)s))
			clear_below(t, child_of(n, (uint8_t)s));
	node_retire(t, n, false);
}

void lpm_trie_clear(struct lpm_trie *t)
{
	if (t->root)
		clear_below(t, t->root);
	t->root = NULL;
}

/*
 * Builds the missing nodes from depth `from` down to `to`, which receives the prefix, out of the
 * readers' sight. NULL: no memory, nothing is left behind.
 */
static struct lpm_node *chain_new(
    struct lpm_trie *t, const uint8_t *key, unsigned from, unsigned to, unsigned id, uint32_t value)
{
	struct lpm_node *top = node_new(t), *above;

	if (!top)
		return NULL;
	if (entry_reserve(t, top)) {
		node_retire(t, top, false);
		return NULL;
	}
	for (unsigned depth = to; depth > from; depth--) {
		above = node_new(t);
		if (!above) {
			clear_below(t, top);
			return NULL;
		}
		atomic_store_explicit(
		    &above->child[key[depth - 1]], top, memory_order_relaxed); /* not yet visible */
		above->n_children = 1;
		top = above;
	}
	above = top;
	for (unsigned depth = from; depth < to; depth++)
		above = child_of(above, key[depth]);
	entry_put(t, above, id, value);
	return top;
}

int lpm_trie_set(struct lpm_trie *t, const uint8_t *key, unsigned len, uint32_t value)
{
	unsigned depth = 0, to = depth_of(len);
	struct lpm_node *n = t->root, *next;
	int err = check_prefix(t, key, len);

	if (err)
		return err;
	if (value == LPM_NONE)
		return ERR_RANGE;
	while (depth < to && (next = child_of(n, key[depth]))) {
		n = next;
		depth++;
	}
	if (depth == to) {
		err = entry_reserve(t, n);
		if (!err)
			entry_put(t, n, id_of(key, len), value);
		return err;
	}
	next = chain_new(t, key, depth + 1, to, id_of(key, len), value);
	if (!next)
		return ERR_NOMEM;
	n->n_children++;
	atomic_store_explicit(&n->child[key[depth]], next, memory_order_release); /* pair: lookup's consume */
	return 0;
}

int lpm_trie_del(struct lpm_trie *t, const uint8_t *key, unsigned len)
{
	struct lpm_node *path[MAX_DEPTH] = {t->root}, *n;
	unsigned depth = 0, to = depth_of(len);
	struct lpm_entry *e;
	int err = check_prefix(t, key, len);

	if (err)
		return err;
	for (; depth < to; depth++) {
		path[depth + 1] = child_of(path[depth], key[depth]);
		if (!path[depth + 1])
			return ERR_NOENT;
	}
	e = entry_find(path[to], id_of(key, len));
	if (!e)
		return ERR_NOENT;
	entry_remove(t, path[to], e);
	for (depth = to; depth > 0; depth--) {
		n = path[depth];
		if (n->n_entries || n->n_children)
			break;
		/* pair: lookup's consume; who is inside finds no value and keeps what it has */
		atomic_store_explicit(&path[depth - 1]->child[key[depth - 1]], NULL, memory_order_release);
		path[depth - 1]->n_children--;
		node_retire(t, n, true);
	}
	return 0;
}

uint32_t lpm_trie_get(const struct lpm_trie *t, const uint8_t *key, unsigned len)
{
	const struct lpm_node *n = t->root;
	const struct lpm_entry *e;

	if (check_prefix(t, key, len))
		return LPM_NONE;
	for (unsigned depth = 0; n && depth < depth_of(len); depth++)
		n = child_of(n, key[depth]);
	e = n ? entry_find(n, id_of(key, len)) : NULL;
	return e ? e->value : LPM_NONE;
}

/* At most BATCH keys, level by level, so that the loads of one level are independent. */
static void lookup_batch(const struct lpm_trie *t, const uint8_t *keys, uint32_t *values, unsigned n)
{
	const struct lpm_node *at[BATCH];
	unsigned active[BATCH], n_active = n;

	for (unsigned i = 0; i < n; i++) {
		at[i] = t->root;
		active[i] = i;
		values[i] = LPM_NONE;
	}
	for (unsigned depth = 0; depth < t->key_len && n_active; depth++) {
		unsigned left = 0;

		for (unsigned j = 0; j < n_active; j++) {
			unsigned i = active[j];
			uint8_t slot = keys[i * t->key_len + depth];
			uint32_t value = atomic_load_explicit(
			    &at[i]->value[slot], memory_order_acquire); /* pair: slots_cover */

			if (value != LPM_NONE)
				values[i] = value;
			at[i] = atomic_load_explicit(
			    &at[i]->child[slot], memory_order_consume); /* pair: lpm_trie_set */
			if (at[i])
				active[left++] = i;
		}
		n_active = left;
	}
}

void lpm_trie_lookup_bulk(const struct lpm_trie *t, const uint8_t *keys, uint32_t *values, unsigned n)
{
	for (; n > BATCH; n -= BATCH, keys += BATCH * t->key_len, values += BATCH)
		lookup_batch(t, keys, values, BATCH);
	lookup_batch(t, keys, values, n);
}
