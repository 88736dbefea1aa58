/* SPDX-License-Identifier: BSD-3-Clause */
/* The prefix tree of the RIB. Control's only thread. */
#include "control/ptree.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static unsigned bit_at(const struct ip_addr *a, unsigned i)
{
	return (a->b[i / 8] >> (7 - i % 8)) & 1;
}

/* The 64 bits from byte `at` on, the first one highest. */
static uint64_t word_at(const struct ip_addr *a, unsigned at)
{
	uint64_t word;

	memcpy(&word, a->b + at, sizeof(word));
	return be64toh(word);
}

/* Bits that both have in common, at most the shorter length. */
static unsigned common_len(const struct ip_prefix *p, const struct ip_prefix *q)
{
	const unsigned max = p->len < q->len ? p->len : q->len;
	uint64_t differ = word_at(&p->addr, 0) ^ word_at(&q->addr, 0);
	unsigned n = 0;

	if (differ == 0 && max > 64) {
		differ = word_at(&p->addr, 8) ^ word_at(&q->addr, 8);
		n = 64;
	}
	n += differ != 0 ? (unsigned)__builtin_clzll(differ) : 64;
	return n < max ? n : max;
}

/* --- hints --- */

/*
 * A descent from the root of a million routes touches some twenty nodes, most of them not in a cache. So a
 * large tree remembers, for each block of addresses, the deepest node seen that contains the block: bench
 * rib/random. A hint is never withdrawn: memory of nodes stays nodes of this tree, a freed one has no length
 * that fits, and one that was made anew contains what its prefix says.
 */
#define HINT_BITS 16   /* 512 KiB a tree */
#define HINT_FROM 4096 /* prefixes */
#define FREED_LEN UINT8_MAX

/* The length of a block. */
static unsigned block_len(uint8_t family)
{
	return family == IP_V4 ? HINT_BITS : 32;
}

/* NULL: the prefix is longer than a block, or the tree is small. */
static struct ptree_node **hint_of(const struct ptree *t, const struct ip_prefix *p)
{
	const uint64_t first = word_at(&p->addr, 0) >> 32;

	if (t->hints == NULL || p->len < block_len(p->addr.family))
		return NULL;
	if (p->addr.family == IP_V4)
		return &t->hints[first >> (32 - HINT_BITS)];
	return &t->hints[(first * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - HINT_BITS)];
}

static bool contains(const struct ptree_node *node, const struct ip_prefix *p)
{
	return node->prefix.len <= p->len && common_len(&node->prefix, p) == node->prefix.len;
}

/* Where the descent to p begins. */
static struct ptree_node *start_of(
    const struct ptree *t, struct ptree_node *const *hint, const struct ip_prefix *p)
{
	if (hint != NULL && *hint != NULL && (*hint)->prefix.len <= block_len(p->addr.family) &&
	    contains(*hint, p))
		return *hint;
	return t->root;
}

/* Seen on the way to a prefix of this hint's block. */
static void note_hint(struct ptree_node **hint, struct ptree_node *node)
{
	if (hint != NULL && node->prefix.len <= block_len(node->prefix.addr.family))
		*hint = node;
}

/* --- nodes --- */

static struct ptree_node *new_node(struct ptree *t, const struct ip_prefix *prefix, unsigned len, void *data)
{
	struct ptree_node *node = slab_alloc(&t->nodes, sizeof(*node));
	struct ip_prefix cut = *prefix;

	if (node == NULL)
		return NULL;
	cut.len = (uint8_t)len;
	node->prefix = ip_prefix_mask(&cut);
	node->data = data;
	return node;
}

static void free_node(struct ptree *t, struct ptree_node *node)
{
	node->prefix.len = FREED_LEN;
	slab_free(&t->nodes, node);
}

static struct ptree_node **slot_of(struct ptree *t, const struct ptree_node *node)
{
	if (node->parent == NULL)
		return &t->root;
	return &node->parent->child[node->parent->child[1] == node];
}

/* Puts upper in the place of node, and node below it. */
static void put_above(struct ptree *t, struct ptree_node *upper, struct ptree_node *node)
{
	*slot_of(t, node) = upper;
	upper->parent = node->parent;
	upper->child[bit_at(&node->prefix.addr, upper->prefix.len)] = node;
	node->parent = upper;
}

static struct ptree_node *insert_at(
    struct ptree *t, struct ptree_node *node, unsigned common, const struct ip_prefix *prefix, void *data)
{
	struct ptree_node *leaf = new_node(t, prefix, prefix->len, data), *branch;

	if (leaf == NULL)
		return NULL;
	if (common == prefix->len) {
		put_above(t, leaf, node);
	} else {
		branch = new_node(t, prefix, common, NULL);
		if (branch == NULL) {
			free_node(t, leaf);
			return NULL;
		}
		put_above(t, branch, node);
		branch->child[bit_at(&prefix->addr, common)] = leaf;
		leaf->parent = branch;
	}
	t->count++;
	return leaf;
}

struct ptree_node *ptree_insert(struct ptree *t, const struct ip_prefix *prefix, void *data)
{
	struct ptree_node **hint = hint_of(t, prefix);
	struct ptree_node *node = start_of(t, hint, prefix), *parent = NULL;
	unsigned common, bit = 0;

	if (t->hints == NULL && t->count > HINT_FROM)
		t->hints = calloc((size_t)1 << HINT_BITS, sizeof(struct ptree_node *)); /* without: slower */
	while (node != NULL) {
		common = common_len(&node->prefix, prefix);
		if (common < node->prefix.len)
			return insert_at(t, node, common, prefix, data);
		note_hint(hint, node);
		if (node->prefix.len == prefix->len) {
			if (node->data == NULL) {
				node->data = data;
				t->count++;
			}
			return node;
		}
		bit = bit_at(&prefix->addr, node->prefix.len);
		parent = node;
		node = node->child[bit];
	}
	node = new_node(t, prefix, prefix->len, data);
	if (node == NULL)
		return NULL;
	node->parent = parent;
	if (parent == NULL)
		t->root = node;
	else
		parent->child[bit] = node;
	t->count++;
	return node;
}

/* The deepest node (data or not) that contains p. */
static struct ptree_node *descend(const struct ptree *t, const struct ip_prefix *p)
{
	struct ptree_node **hint = hint_of(t, p);
	struct ptree_node *node = start_of(t, hint, p), *best = NULL;

	while (node != NULL && contains(node, p)) {
		best = node;
		note_hint(hint, node);
		if (node->prefix.len == p->len)
			break;
		node = node->child[bit_at(&p->addr, node->prefix.len)];
	}
	return best;
}

struct ptree_node *ptree_find(const struct ptree *t, const struct ip_prefix *prefix)
{
	struct ptree_node *node = descend(t, prefix);

	return node != NULL && node->prefix.len == prefix->len && node->data != NULL ? node : NULL;
}

void ptree_remove(struct ptree *t, struct ptree_node *node)
{
	node->data = NULL;
	t->count--;
	while (node != NULL && node->data == NULL && (node->child[0] == NULL || node->child[1] == NULL)) {
		struct ptree_node *child = node->child[0] != NULL ? node->child[0] : node->child[1];
		struct ptree_node *parent = node->parent;

		*slot_of(t, node) = child;
		if (child != NULL)
			child->parent = parent;
		free_node(t, node);
		node = parent;
	}
}

struct ptree_node *ptree_match(const struct ptree *t, const struct ip_prefix *p)
{
	struct ptree_node *node = descend(t, p);

	return node == NULL || node->data != NULL ? node : ptree_cover(node);
}

struct ptree_node *ptree_cover(const struct ptree_node *node)
{
	struct ptree_node *p = node->parent;

	while (p != NULL && p->data == NULL)
		p = p->parent;
	return p;
}

static struct ptree_node *step(const struct ptree_node *node)
{
	if (node->child[0] != NULL)
		return node->child[0];
	if (node->child[1] != NULL)
		return node->child[1];
	while (node->parent != NULL) {
		struct ptree_node *parent = node->parent;

		if (parent->child[0] == node && parent->child[1] != NULL)
			return parent->child[1];
		node = parent;
	}
	return NULL;
}

static struct ptree_node *skip_branches(struct ptree_node *node)
{
	while (node != NULL && node->data == NULL)
		node = step(node);
	return node;
}

struct ptree_node *ptree_first(const struct ptree *t)
{
	return skip_branches(t->root);
}

struct ptree_node *ptree_next(const struct ptree_node *node)
{
	return skip_branches(step(node));
}

struct ptree_node *ptree_seek(const struct ptree *t, const struct ip_prefix *p, bool after)
{
	struct ptree_node *node = t->root, *behind = NULL; /* behind: the first that follows the path taken */
	unsigned bit;

	while (node != NULL) {
		if (node->prefix.len > p->len || common_len(&node->prefix, p) < node->prefix.len) {
			if (ip_prefix_cmp(&node->prefix, p) > 0)
				behind = node;
			break;
		}
		if (node->prefix.len == p->len) {
			if (after)
				behind = node->child[0] != NULL	  ? node->child[0]
					 : node->child[1] != NULL ? node->child[1]
								  : behind;
			else
				behind = node;
			break;
		}
		bit = bit_at(&p->addr, node->prefix.len);
		if (bit == 0 && node->child[1] != NULL)
			behind = node->child[1];
		node = node->child[bit];
	}
	return skip_branches(behind);
}

void ptree_clear(struct ptree *t)
{
	slab_clear(&t->nodes);
	free(t->hints);
	t->hints = NULL;
	t->root = NULL;
	t->count = 0;
}
