/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A path-compressed binary tree of prefixes of one family, ordered by address, shorter first. Holds
 * the routes of the RIB and the next hops it watches. Control's only thread.
 */
#ifndef BYWAY_CONTROL_PTREE_H
#define BYWAY_CONTROL_PTREE_H

#include <stddef.h>

#include "control/slab.h"
#include "lib/ip.h"

struct ptree_node {
	struct ptree_node *child[2], *parent;
	void *data; /* of the caller; NULL: the node only branches */
	struct ip_prefix prefix;
};

struct ptree {
	struct ptree_node *root;
	size_t count; /* nodes with data */
	struct slab nodes;
	struct ptree_node *
	    *hints; /* of a large tree: where descents begin, by the first bits; may be outdated */
};

/* The node of prefix, made if need be; its data is set to data if it had none. NULL: out of memory. */
struct ptree_node *ptree_insert(struct ptree *t, const struct ip_prefix *prefix, void *data);
/* NULL: no data there. */
struct ptree_node *ptree_find(const struct ptree *t, const struct ip_prefix *prefix);
/* Takes the data away and frees what only led to it; node must not be used any more. */
void ptree_remove(struct ptree *t, struct ptree_node *node);
/* The longest prefix with data that contains p (p itself too); NULL. */
struct ptree_node *ptree_match(const struct ptree *t, const struct ip_prefix *p);
/* The next shorter one above node that has data; NULL. */
struct ptree_node *ptree_cover(const struct ptree_node *node);
/* In order, those with data only; NULL at the end. */
struct ptree_node *ptree_first(const struct ptree *t);
struct ptree_node *ptree_next(const struct ptree_node *node);
/* The first with data that is not before p; with after, the first behind p. */
struct ptree_node *ptree_seek(const struct ptree *t, const struct ip_prefix *p, bool after);
/* Frees the nodes; the data is the caller's. */
void ptree_clear(struct ptree *t);

#endif
