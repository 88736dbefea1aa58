/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prefixes of one family; see bgp_table.h. Every node holds a prefix longer
 * than its parent's and inside it; child[b] holds what has bit b behind the node's
 * length. A fork has no id and always two children.
 */
#include "bgp/bgp_table.h"

#include <assert.h>
#include <string.h>

#include "bgp/bgp_msg.h"

static size_t key_len(const struct bgp_table *table)
{
	return table->family == BGP_IPV4 ? 4 : 16;
}

static unsigned key_bit(const uint8_t *key, unsigned bit)
{
	return (unsigned)key[bit / 8] >> (7 - bit % 8) & 1u;
}

/* How many leading bits are equal, max at the most. */
static unsigned key_common(const uint8_t *a, const uint8_t *b, unsigned max)
{
	unsigned at;

	for (at = 0; at < max; at += 32) {
		uint32_t x, y;

		memcpy(&x, a + at / 8, sizeof(x));
		memcpy(&y, b + at / 8, sizeof(y));
		if (x != y) {
			at += (unsigned)__builtin_clz(__builtin_bswap32(x ^ y));
			break;
		}
	}
	return at < max ? at : max;
}

void bgp_table_init(struct bgp_table *table, struct bgp_heap *heap, enum bgp_family family)
{
	*table = (struct bgp_table){.heap = heap, .family = family};
}

static void node_free(struct bgp_table *table, struct bgp_net *net)
{
	bgp_mem_free(table->heap, net, sizeof(*net) + key_len(table));
}

void bgp_table_free(struct bgp_table *table)
{
	uint32_t id;

	for (id = 0; id < table->n_ids; id++) {
		if (table->by_id[id])
			bgp_table_remove(table, table->by_id[id]);
	}
	assert(!table->root && !table->count);
	bgp_mem_free(table->heap, table->by_id, table->by_id_cap * sizeof(struct bgp_net *));
	bgp_set_free(table->heap, &table->spare);
}

struct bgp_net *bgp_table_find(const struct bgp_table *table, const struct ip_prefix *prefix)
{
	struct bgp_net *n = table->root;

	while (n && n->len < prefix->len)
		n = n->child[key_bit(prefix->addr.b, n->len)];
	if (!n || n->len != prefix->len || n->id == BGP_NET_FORK ||
	    key_common(n->key, prefix->addr.b, n->len) != n->len)
		return NULL;
	return n;
}

uint32_t bgp_table_next_id(const struct bgp_table *table)
{
	uint32_t id = bgp_set_next(&table->spare, 0);

	return id == BGP_SET_END ? table->n_ids : id;
}

static struct bgp_net *node_new(struct bgp_table *table, const uint8_t *key, unsigned len)
{
	struct bgp_net *n = bgp_mem_alloc(table->heap, sizeof(*n) + key_len(table));

	if (!n)
		return NULL;
	n->id = BGP_NET_FORK;
	n->len = (uint8_t)len;
	memcpy(n->key, key, key_len(table));
	return n;
}

/*
 * Makes room in *slot for a node of prefix: NULL when memory is short, else the node,
 * still without id. A fork in the way is taken over.
 */
static struct bgp_net *node_insert(
    struct bgp_table *table, struct bgp_net **slot, const struct ip_prefix *prefix)
{
	struct bgp_net *old = *slot, *leaf, *fork;
	unsigned common;

	if (!old)
		return *slot = node_new(table, prefix->addr.b, prefix->len);
	common = key_common(old->key, prefix->addr.b, old->len < prefix->len ? old->len : prefix->len);
	if (common == old->len && common == prefix->len) {
		memcpy(old->key, prefix->addr.b, key_len(table)); /* a fork keeps bits behind its length */
		return old;
	}
	leaf = node_new(table, prefix->addr.b, prefix->len);
	if (!leaf)
		return NULL;
	if (common == prefix->len) {
		leaf->child[key_bit(old->key, common)] = old;
		return *slot = leaf;
	}
	fork = node_new(table, prefix->addr.b, common);
	if (!fork) {
		node_free(table, leaf);
		return NULL;
	}
	fork->child[key_bit(old->key, common)] = old;
	fork->child[key_bit(leaf->key, common)] = leaf;
	*slot = fork;
	return leaf;
}

int bgp_table_add(struct bgp_table *table, const struct ip_prefix *prefix, struct bgp_net **out)
{
	uint32_t id = bgp_table_next_id(table);
	struct bgp_net **slot = &table->root, *n;

	while (*slot && (*slot)->len < prefix->len &&
	       key_common((*slot)->key, prefix->addr.b, (*slot)->len) == (*slot)->len)
		slot = &(*slot)->child[key_bit(prefix->addr.b, (*slot)->len)];
	n = *slot;
	if (n && n->id != BGP_NET_FORK && n->len == prefix->len &&
	    key_common(n->key, prefix->addr.b, n->len) == n->len) {
		*out = n;
		return 0;
	}
	if (bgp_mem_grow(table->heap, &table->by_id, &table->by_id_cap, (size_t)id + 1, sizeof(n)) != 0 ||
	    bgp_set_reserve(table->heap, &table->spare, (uint32_t)table->by_id_cap) != 0)
		return ERR_NOMEM;
	n = node_insert(table, slot, prefix);
	if (!n)
		return ERR_NOMEM;
	n->id = id;
	table->by_id[id] = n;
	bgp_set_remove(&table->spare, id);
	if (id == table->n_ids)
		table->n_ids++;
	table->count++;
	*out = n;
	return 0;
}

/* A node that only branches but has not two children gives its place to the child. */
static void node_splice(struct bgp_table *table, struct bgp_net **slot)
{
	struct bgp_net *n = *slot;

	if (n->id != BGP_NET_FORK || (n->child[0] && n->child[1]))
		return;
	*slot = n->child[0] ? n->child[0] : n->child[1];
	node_free(table, n);
}

void bgp_table_remove(struct bgp_table *table, struct bgp_net *net)
{
	struct bgp_net **slot = &table->root, **parent = NULL;

	assert(!net->paths);
	while (*slot != net) {
		parent = slot;
		slot = &(*slot)->child[key_bit(net->key, (*slot)->len)];
	}
	table->by_id[net->id] = NULL;
	bgp_set_add(&table->spare, net->id);
	table->count--;
	net->id = BGP_NET_FORK;
	node_splice(table, slot);
	if (parent)
		node_splice(table, parent);
}

struct bgp_net *bgp_table_by_id(const struct bgp_table *table, uint32_t id)
{
	return id < table->n_ids ? table->by_id[id] : NULL;
}

struct ip_prefix bgp_table_prefix(const struct bgp_table *table, const struct bgp_net *net)
{
	struct ip_prefix p = {.addr.family = bgp_family_ip(table->family), .len = net->len};

	memcpy(p.addr.b, net->key, key_len(table));
	return p;
}

static struct bgp_net *node_first(struct bgp_net *n)
{
	while (n && n->id == BGP_NET_FORK)
		n = n->child[0];
	return n;
}

struct bgp_net *bgp_table_next(const struct bgp_table *table, const struct ip_prefix *at, bool inclusive)
{
	struct bgp_net *n = table->root, *after = NULL; /* after: the subtree behind the way down */

	while (n) {
		unsigned shorter = n->len < at->len ? n->len : at->len;
		unsigned common = key_common(n->key, at->addr.b, shorter);

		if (common < shorter) /* they part here: all of n lies on one side */
			return node_first(key_bit(n->key, common) ? n : after);
		if (n->len > at->len || (n->len == at->len && inclusive && n->id != BGP_NET_FORK))
			return node_first(n);
		if (n->len == at->len)
			return node_first(n->child[0] ? n->child[0] : n->child[1] ? n->child[1] : after);
		if (key_bit(at->addr.b, n->len) == 0) {
			after = n->child[1] ? n->child[1] : after;
			n = n->child[0];
		} else {
			n = n->child[1];
		}
	}
	return node_first(after);
}

struct bgp_net *bgp_table_next_covering(
    const struct bgp_table *table, const struct ip_prefix *prefix, unsigned min_len)
{
	struct bgp_net *n = table->root;

	while (n && n->len <= prefix->len && key_common(n->key, prefix->addr.b, n->len) == n->len) {
		if (n->id != BGP_NET_FORK && n->len >= min_len)
			return n;
		if (n->len == prefix->len)
			break;
		n = n->child[key_bit(prefix->addr.b, n->len)];
	}
	return NULL;
}
