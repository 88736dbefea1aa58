/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next-hop resolution of the RIB: from a list of gateways to a group of next hops that say where a packet
 * goes. Gateways without an interface are looked up in the overlay; the way to them may itself be looked up.
 * Control's only thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rib_internal.h"

#define ROUNDS                                                                                               \
	8 /* of recursion: a way that leads over more lookups than that is a configuration gone wrong */

bool rib_paths_equal(const struct rib_paths *p, const struct rib_gateway *gateways, unsigned n)
{
	return p->n == n && memcmp(p->gateways, gateways, n * sizeof(*gateways)) == 0;
}

static bool is_looked_up(const struct rib_gateway *g)
{
	return g->kind == FIBMSG_NH_VIA && g->iface[0] == '\0';
}

/* Counts in the tree's data how many paths look this gateway up. */
static void watch(struct rib *r, const struct ip_addr *a, int change)
{
	const struct ip_prefix host = ip_prefix_host(a);
	struct ptree *t = &r->watched[a->family == IP_V6];
	struct ptree_node *node = ptree_find(t, &host);
	const intptr_t count = (node != NULL ? (intptr_t)node->data : 0) + change;

	if (count == 0) {
		ptree_remove(t, node);
	} else if (node != NULL) {
		node->data = (void *)count;
	} else if (ptree_insert(t, &host, (void *)count) == NULL) {
		abort();
	}
}

void rib_resolve_note(struct rib *r, const struct ip_prefix *prefix)
{
	const struct ptree_node *node = ptree_seek(&r->watched[prefix->addr.family == IP_V6], prefix, false);

	if (node != NULL && ip_prefix_contains(prefix, &node->prefix))
		r->resolve_pending = true;
}

struct way {
	struct rib_gateway hops[RIB_GATEWAYS];
	unsigned n;
	char *reason;
	size_t reason_size;
};

static void add_hop(struct rib *r, struct way *w, const struct rib_gateway *g)
{
	const char *fault = NULL;

	if (g->iface[0] != '\0' && r->env.iface_fault != NULL)
		fault = r->env.iface_fault(r->env.arg, g->iface);
	if (fault != NULL) {
		snprintf(w->reason, w->reason_size, "%s: %s", g->iface, fault);
		return;
	}
	for (unsigned i = 0; i < w->n; i++) {
		if (memcmp(&w->hops[i], g, sizeof(*g)) == 0)
			return;
	}
	if (w->n < RIB_GATEWAYS)
		w->hops[w->n++] = *g;
}

static void add_neighbour(struct rib *r, struct way *w, const char *iface, const struct ip_addr *addr)
{
	struct rib_gateway g = {.kind = FIBMSG_NH_VIA, .addr = *addr};

	memcpy(g.iface, iface, FIBMSG_NAME);
	if (r->env.neighbour != NULL)
		r->env.neighbour(r->env.arg, &g);
	add_hop(r, w, &g);
}

/* The way to a gateway is that of the longest route to it which forwards; a default over the lines is no way.
 */
static void look_up(struct rib *r, const struct rib_paths *p, struct way *w, const struct ip_addr *addr)
{
	const struct ip_prefix host = ip_prefix_host(addr);
	struct rib_table *overlay = rib_table_find(r, FIBMSG_OVERLAY);
	char text[IP_ADDR_STRLEN];
	const struct ptree_node *node =
	    overlay != NULL ? ptree_match(rib_tree(overlay, addr->family), &host) : NULL;

	for (; node != NULL; node = ptree_cover(node)) {
		const struct rib_route *best = rib_entry_best(node->data);

		if (best == NULL || best->paths == p || best->source == RIB_BUILTIN)
			continue;
		if (best->source == RIB_CONNECTED) {
			add_neighbour(r, w, best->paths->gateways[0].iface, addr);
			return;
		}
		for (unsigned i = 0; i < best->paths->group->n; i++)
			add_hop(r, w, &best->paths->group->members[i]->gateway);
		return;
	}
	snprintf(w->reason, w->reason_size, "no route to the gateway %s", ip_addr_format(addr, text));
}

static struct rib_group *resolve(struct rib *r, struct rib_paths *p)
{
	struct way w = {.reason = p->reason, .reason_size = sizeof(p->reason)};

	p->reason[0] = '\0';
	for (unsigned i = 0; i < p->n; i++) {
		const struct rib_gateway *g = &p->gateways[i];

		if (is_looked_up(g))
			look_up(r, p, &w, &g->addr);
		else if (g->kind == FIBMSG_NH_VIA)
			add_neighbour(r, &w, g->iface, &g->addr);
		else
			add_hop(r, &w, g);
	}
	return w.n > 0 ? rib_group_get(r, w.hops, w.n, p->was) : NULL;
}

struct rib_paths *rib_paths_get(struct rib *r, const struct rib_gateway *gateways, unsigned n)
{
	struct rib_paths *p = r->last_paths;
	uint32_t bucket;

	if (p != NULL && rib_paths_equal(p, gateways, n)) {
		p->refs++;
		return p;
	}
	bucket = rib_hash(gateways, n * sizeof(*gateways), 3) % RIB_BUCKETS;
	LIST_FOREACH (p, &r->paths_buckets[bucket], bucket) {
		if (rib_paths_equal(p, gateways, n)) {
			p->refs++;
			r->last_paths = p;
			return p;
		}
	}
	p = rib_alloc(sizeof(*p));
	p->n = n;
	p->refs = 1;
	memcpy(p->gateways, gateways, n * sizeof(*gateways));
	LIST_INIT(&p->users);
	for (unsigned i = 0; i < n; i++) {
		if (is_looked_up(&p->gateways[i]))
			watch(r, &p->gateways[i].addr, 1);
	}
	p->group = resolve(r, p);
	LIST_INSERT_HEAD(&r->paths_buckets[bucket], p, bucket);
	TAILQ_INSERT_TAIL(&r->paths, p, all);
	r->totals.paths++;
	r->last_paths = p;
	return p;
}

void rib_paths_unref(struct rib *r, struct rib_paths *p)
{
	if (--p->refs > 0)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		if (is_looked_up(&p->gateways[i]))
			watch(r, &p->gateways[i].addr, -1);
	}
	if (p->group != NULL)
		rib_group_unref(r, p->group);
	LIST_REMOVE(p, bucket);
	TAILQ_REMOVE(&r->paths, p, all);
	if (r->last_paths == p)
		r->last_paths = NULL;
	free(p);
	r->totals.paths--;
}

/* One round over all paths; true: something became different. */
static bool resolve_round(struct rib *r, bool unresolved_only)
{
	struct rib_paths *p;
	bool changed = false;

	TAILQ_FOREACH (p, &r->paths, all) {
		struct rib_group *group;

		if (unresolved_only && p->group != NULL)
			continue;
		group = resolve(r, p);
		changed |= group != p->group;
		if (p->group != NULL)
			rib_group_unref(r, p->group);
		p->group = group;
	}
	return changed;
}

/*
 * Notes for each group where its paths go. One whose paths all go to the same place, and to which none come,
 * moves as a whole: it takes its goal's members and keeps its id, so that the dataplane is told of one group
 * and not of each route. A group that stays is its own goal.
 */
static void note_moves(struct rib *r)
{
	const struct rib_paths *p;

	TAILQ_FOREACH (p, &r->paths, all) {
		struct rib_group *const both[] = {p->was, p->group};

		for (unsigned i = 0; i < 2; i++) {
			if (both[i] == NULL)
				continue;
			both[i]->goes_to = NULL;
			both[i]->splits = both[i]->is_goal = both[i]->moved = false;
		}
	}
	TAILQ_FOREACH (p, &r->paths, all) {
		struct rib_group *g = p->was;

		if (p->group != NULL)
			p->group->is_goal = true;
		if (g == NULL)
			continue;
		if (g->goes_to == NULL)
			g->goes_to = p->group;
		g->splits |= p->group == NULL || g->goes_to != p->group;
	}
}

static bool moves_whole(const struct rib_group *g)
{
	return g != NULL && g->sent && !g->splits && !g->is_goal && g->goes_to != NULL &&
	       rib_group_fault(g) == NULL && rib_group_fault(g->goes_to) == NULL;
}

/* The paths keep their group, with what it now leads to. */
static void move_group(struct rib *r, struct rib_paths *p)
{
	if (!p->was->moved)
		rib_group_become(r, p->was, p->was->goes_to);
	p->was->moved = true;
	rib_group_ref(r, p->was);
	rib_group_unref(r, p->group);
	p->group = p->was;
}

/* What changed is told: groups that moved as a whole, else the routes over the paths. */
static void tell_changes(struct rib *r)
{
	struct rib_paths *p;
	struct rib_route *user;

	note_moves(r);
	TAILQ_FOREACH (p, &r->paths, all) {
		if (p->was == p->group)
			continue;
		if (moves_whole(p->was)) {
			move_group(r, p);
			continue;
		}
		LIST_FOREACH (user, &p->users, user)
			rib_entry_mark(r, user->entry);
	}
}

/*
 * Begins with nothing that depends on a lookup, so that two routes cannot hold each other up, and goes on
 * until nothing changes.
 */
void rib_resolve_run(struct rib *r)
{
	struct rib_paths *p;

	r->resolve_pending = false;
	TAILQ_FOREACH (p, &r->paths, all) {
		p->was = p->group;
		p->group = NULL;
	}
	for (unsigned round = 0; round < ROUNDS && resolve_round(r, true); round++)
		;
	for (unsigned round = 0; round < ROUNDS && resolve_round(r, false); round++)
		;
	tell_changes(r);
	TAILQ_FOREACH (p, &r->paths, all) {
		if (p->was != NULL)
			rib_group_unref(r, p->was);
		p->was = NULL;
	}
}
