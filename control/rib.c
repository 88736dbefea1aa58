/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RIB's tables, entries and candidates, and the order in which the dataplane learns of changes.
 * Control's only thread.
 */
#include "control/rib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rib_internal.h"

void *rib_alloc(size_t len)
{
	void *p = calloc(1, len);

	if (p == NULL)
		abort();
	return p;
}

/* FNV-1a by words. What is hashed comes from our own configuration and from peers' next hops, which are few.
 */
uint32_t rib_hash(const void *data, size_t len, uint32_t seed)
{
	const uint8_t *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	for (; len > 0; len--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

struct rib *rib_new(const struct rib_env *env)
{
	struct rib *r = rib_alloc(sizeof(*r));

	r->env = *env;
	r->next_id = 1;
	TAILQ_INIT(&r->tables);
	TAILQ_INIT(&r->paths);
	TAILQ_INIT(&r->new_nexthops);
	TAILQ_INIT(&r->dead_nexthops);
	TAILQ_INIT(&r->new_groups);
	TAILQ_INIT(&r->dead_groups);
	TAILQ_INIT(&r->dirty);
	LIST_INIT(&r->local);
	LIST_INIT(&r->refusals);
	return r;
}

struct rib_table *rib_table_find(const struct rib *r, uint32_t id)
{
	struct rib_table *t;

	TAILQ_FOREACH (t, &r->tables, link) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

struct rib_table *rib_table_get(struct rib *r, uint32_t id)
{
	struct rib_table *t = rib_table_find(r, id);

	if (t != NULL)
		return t;
	t = rib_alloc(sizeof(*t));
	t->id = id;
	TAILQ_INSERT_TAIL(&r->tables, t, link);
	return t;
}

void rib_name_table(struct rib *r, uint32_t table, const char *name)
{
	struct rib_table *t = rib_table_get(r, table);

	snprintf(t->name, sizeof(t->name), "%s", name);
}

struct ptree *rib_tree(struct rib_table *t, uint8_t family)
{
	return &t->tree[family == IP_V6];
}

struct rib_route *rib_entry_best(const struct rib_entry *e)
{
	for (struct rib_route *route = e->routes; route != NULL; route = route->next) {
		if (route->paths->group != NULL && rib_group_fault(route->paths->group) == NULL)
			return route;
	}
	return NULL;
}

void rib_entry_mark(struct rib *r, struct rib_entry *e)
{
	if (e->dirty)
		return;
	e->dirty = true;
	TAILQ_INSERT_TAIL(&r->dirty, e, dirty_link);
	r->totals.waiting++;
}

static void unmark(struct rib *r, struct rib_entry *e)
{
	if (!e->dirty)
		return;
	e->dirty = false;
	TAILQ_REMOVE(&r->dirty, e, dirty_link);
	r->totals.waiting--;
}

/* --- refusals --- */

static struct rib_refusal *refusal_find(const struct rib *r, const struct rib_entry *e)
{
	struct rib_refusal *f = NULL;

	if (e->refused)
		LIST_FOREACH (f, &r->refusals, link)
			if (f->entry == e)
				break;
	return f;
}

const char *rib_entry_refusal(const struct rib *r, const struct rib_entry *e)
{
	const struct rib_refusal *f = refusal_find(r, e);

	return f != NULL ? f->why : NULL;
}

static void refusal_drop(struct rib_refusal *f)
{
	f->entry->refused = false;
	LIST_REMOVE(f, link);
	free(f->why);
	free(f);
}

static void entry_refuse(struct rib *r, struct rib_entry *e, const char *why)
{
	struct rib_refusal *f = refusal_find(r, e);

	if (f != NULL)
		refusal_drop(f);
	f = rib_alloc(sizeof(*f));
	f->entry = e;
	f->why = strdup(why);
	if (f->why == NULL)
		abort();
	e->refused = true;
	LIST_INSERT_HEAD(&r->refusals, f, link);
}

/* --- entries --- */

static void *slab_alloc_or_abort(struct slab *s, size_t len)
{
	void *p = slab_alloc(s, len);

	if (p == NULL)
		abort();
	return p;
}

static struct rib_entry *entry_get(struct rib *r, uint32_t table, const struct ip_prefix *prefix)
{
	static char made; /* marks a node that has no entry yet */
	struct rib_table *t = rib_table_get(r, table);
	struct ptree_node *node = ptree_insert(rib_tree(t, prefix->addr.family), prefix, &made);
	struct rib_entry *e;

	if (node == NULL)
		abort();
	if (node->data != &made)
		return node->data;
	e = slab_alloc_or_abort(&r->entries, sizeof(*e));
	e->table = t;
	e->node = node;
	node->data = e;
	r->totals.prefixes++;
	return e;
}

static struct rib_entry *entry_find(struct rib *r, uint32_t table, const struct ip_prefix *prefix)
{
	struct rib_table *t = rib_table_find(r, table);
	struct ptree_node *node = t != NULL ? ptree_find(rib_tree(t, prefix->addr.family), prefix) : NULL;

	return node != NULL ? node->data : NULL;
}

/* Nobody routes the prefix and the dataplane does not, either. */
static void entry_drop_if_unused(struct rib *r, struct rib_entry *e)
{
	if (e->routes != NULL || e->told != NULL || e->dirty)
		return;
	if (e->refused)
		refusal_drop(refusal_find(r, e));
	ptree_remove(rib_tree(e->table, e->node->prefix.addr.family), e->node);
	slab_free(&r->entries, e);
	r->totals.prefixes--;
}

static bool goes_before(const struct rib_route *a, const struct rib_route *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	if (a->source != b->source)
		return a->source < b->source;
	return a->tag < b->tag;
}

static void link_route(struct rib *r, struct rib_entry *e, struct rib_route *route)
{
	struct rib_route **at = &e->routes;

	while (*at != NULL && goes_before(*at, route))
		at = &(*at)->next;
	route->next = *at;
	*at = route;
	r->totals.candidates++;
}

static void touch(struct rib *r, struct rib_entry *e)
{
	rib_entry_mark(r, e);
	if (e->table->id == FIBMSG_OVERLAY)
		rib_resolve_note(r, &e->node->prefix);
}

static bool is_bgp(uint8_t source)
{
	return source == RIB_EBGP || source == RIB_IBGP;
}

static void route_free(struct rib *r, struct rib_route *route)
{
	struct rib_entry *e = route->entry;
	struct rib_route **at = &e->routes;

	while (*at != route)
		at = &(*at)->next;
	*at = route->next;
	LIST_REMOVE(route, user);
	rib_paths_unref(r, route->paths);
	if (is_bgp(route->source)) {
		slab_free(&r->bgp_routes, route);
	} else {
		LIST_REMOVE(route, local);
		free(route);
	}
	r->totals.candidates--;
	touch(r, e);
}

static struct rib_route *route_new(struct rib *r, enum rib_source source)
{
	if (is_bgp((uint8_t)source))
		return slab_alloc_or_abort(&r->bgp_routes, offsetof(struct rib_route, local));
	return rib_alloc(sizeof(struct rib_route));
}

static struct rib_route *route_find(const struct rib_entry *e, enum rib_source source, uint32_t tag)
{
	struct rib_route *route = e->routes;

	while (route != NULL && (route->source != source || route->tag != tag))
		route = route->next;
	return route;
}

void rib_set(struct rib *r, uint32_t table, const struct ip_prefix *prefix, enum rib_source source,
    uint32_t tag, uint8_t distance, const struct rib_gateway *gateways, unsigned n)
{
	struct rib_entry *e = entry_get(r, table, prefix);
	struct rib_route *route = route_find(e, source, tag);

	if (route != NULL && route->distance == distance && rib_paths_equal(route->paths, gateways, n)) {
		route->generation = r->generation;
		return;
	}
	if (route != NULL)
		route_free(r, route); /* the entry stays: it is dirty now */
	route = route_new(r, source);
	route->entry = e;
	route->source = (uint8_t)source;
	route->tag = tag;
	route->distance = distance;
	route->generation = r->generation;
	route->paths = rib_paths_get(r, gateways, n);
	LIST_INSERT_HEAD(&route->paths->users, route, user);
	if (!is_bgp(route->source))
		LIST_INSERT_HEAD(&r->local, route, local);
	link_route(r, e, route);
	touch(r, e);
}

void rib_remove(
    struct rib *r, uint32_t table, const struct ip_prefix *prefix, enum rib_source source, uint32_t tag)
{
	struct rib_entry *e = entry_find(r, table, prefix);
	struct rib_route *route = e != NULL ? route_find(e, source, tag) : NULL;

	if (route != NULL)
		route_free(r, route);
}

void rib_local_begin(struct rib *r)
{
	r->generation++;
}

void rib_local_end(struct rib *r)
{
	struct rib_route *route, *next;

	for (route = LIST_FIRST(&r->local); route != NULL; route = next) {
		next = LIST_NEXT(route, local);
		if (route->generation != r->generation)
			route_free(r, route);
	}
}

void rib_remove_bgp(struct rib *r)
{
	struct rib_paths *p, *next;
	struct rib_route *route, *next_route;

	for (p = TAILQ_FIRST(&r->paths); p != NULL; p = next) {
		next = TAILQ_NEXT(p, all);
		p->refs++; /* stays until its users were walked */
		for (route = LIST_FIRST(&p->users); route != NULL; route = next_route) {
			next_route = LIST_NEXT(route, user);
			if (is_bgp(route->source))
				route_free(r, route);
		}
		rib_paths_unref(r, p);
	}
}

void rib_resolve_all(struct rib *r)
{
	r->resolve_pending = true;
}

void rib_forget_sent(struct rib *r, uint32_t id_base, bool renumber)
{
	struct rib_table *t;
	struct ptree_node *node, *next;

	TAILQ_FOREACH (t, &r->tables, link) {
		for (unsigned i = 0; i < 2; i++) {
			for (node = ptree_first(&t->tree[i]); node != NULL; node = next) {
				struct rib_entry *e = node->data;

				next = ptree_next(node);
				if (e->told != NULL)
					rib_group_unref(r, e->told);
				e->told = NULL;
				rib_entry_mark(r, e);
			}
		}
	}
	rib_group_forget_sent(r, id_base, renumber);
}

/* What the dataplane should have for the entry. */
static struct rib_group *wanted(const struct rib_entry *e)
{
	const struct rib_route *best = e->refused ? NULL : rib_entry_best(e);

	return best != NULL ? best->paths->group : NULL;
}

static bool next_route_message(struct rib *r, struct fibmsg *m)
{
	struct rib_entry *e;

	while ((e = TAILQ_FIRST(&r->dirty)) != NULL) {
		struct rib_group *want = wanted(e), *had = e->told;

		unmark(r, e);
		if (want == had) {
			entry_drop_if_unused(r, e);
			continue;
		}
		memset(m, 0, sizeof(*m));
		if (want != NULL) {
			m->type = FIBMSG_SET_ROUTE;
			m->u.route.table = e->table->id;
			m->u.route.prefix = e->node->prefix;
			m->u.route.group = want->id;
			rib_group_ref(r, want);
		} else {
			m->type = FIBMSG_DEL_ROUTE;
			m->u.table_key.table = e->table->id;
			m->u.table_key.prefix = e->node->prefix;
		}
		e->told = want;
		if (had != NULL)
			rib_group_unref(r, had);
		entry_drop_if_unused(r, e);
		return true;
	}
	return false;
}

bool rib_next_message(struct rib *r, struct fibmsg *m)
{
	if (r->resolve_pending)
		rib_resolve_run(r);
	return rib_group_next_new(r, m) || next_route_message(r, m) || rib_group_next_dead(r, m);
}

bool rib_has_messages(struct rib *r)
{
	if (r->resolve_pending)
		rib_resolve_run(r);
	return !TAILQ_EMPTY(&r->new_nexthops) || !TAILQ_EMPTY(&r->new_groups) || !TAILQ_EMPTY(&r->dirty) ||
	       !TAILQ_EMPTY(&r->dead_groups) || !TAILQ_EMPTY(&r->dead_nexthops);
}

void rib_refuse(struct rib *r, const struct fibmsg *m, const char *why)
{
	struct rib_entry *e;

	if (m->type == FIBMSG_SET_ROUTE) {
		e = entry_find(r, m->u.route.table, &m->u.route.prefix);
		if (e == NULL)
			return;
		entry_refuse(r, e, why);
		rib_entry_mark(r, e);
		return;
	}
	rib_group_refuse(r, m, why);
}

bool rib_retry_refused(struct rib *r)
{
	struct rib_refusal *f;
	bool some = rib_group_retry(r);

	while ((f = LIST_FIRST(&r->refusals)) != NULL) {
		some = true;
		refusal_drop(f);
	}
	return some;
}

void rib_get_totals(const struct rib *r, struct rib_totals *out)
{
	*out = r->totals;
}

void rib_free(struct rib *r)
{
	struct rib_table *t;
	struct rib_paths *p;
	struct fibmsg m;

	if (r == NULL)
		return;
	while ((p = TAILQ_FIRST(&r->paths)) != NULL) {
		struct rib_route *route;

		p->refs++;
		while ((route = LIST_FIRST(&p->users)) != NULL)
			route_free(r, route);
		rib_paths_unref(r, p);
	}
	r->resolve_pending = false;
	while (next_route_message(r, &m) || rib_group_next_dead(r, &m))
		; /* all entries are withdrawn and go */
	while ((t = TAILQ_FIRST(&r->tables)) != NULL) {
		TAILQ_REMOVE(&r->tables, t, link);
		ptree_clear(&t->tree[0]);
		ptree_clear(&t->tree[1]);
		free(t);
	}
	ptree_clear(&r->watched[0]);
	ptree_clear(&r->watched[1]);
	slab_clear(&r->entries);
	slab_clear(&r->bgp_routes);
	free(r);
}
