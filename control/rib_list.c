/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings of the RIB: every candidate with its state and, when it does not forward, why. Control's only
 * thread. */
#include <stdio.h>
#include <string.h>

#include "control/rib_internal.h"

const char *rib_source_text(enum rib_source source)
{
	static const char *const texts[RIB_SOURCES] = {
	    [RIB_CONNECTED] = "connected",
	    [RIB_STATIC] = "static",
	    [RIB_EBGP] = "ebgp",
	    [RIB_IBGP] = "ibgp",
	    [RIB_BUILTIN] = "built-in",
	};

	return texts[source];
}

static void explain(const struct rib *r, const struct rib_entry *e, const struct rib_route *route,
    const struct rib_route *best, struct rib_route_info *out)
{
	const char *fault = route->paths->group != NULL ? rib_group_fault(route->paths->group) : NULL;

	out->reason[0] = '\0';
	if (route->paths->group == NULL)
		snprintf(out->reason, sizeof(out->reason), "%s", route->paths->reason);
	else if (fault != NULL)
		snprintf(out->reason, sizeof(out->reason), "refused by the dataplane: %.160s", fault);
	else if (route == best && e->refused)
		snprintf(out->reason, sizeof(out->reason), "refused by the dataplane: %.160s",
		    rib_entry_refusal(r, e));
	else if (route != best && route->distance == best->distance)
		snprintf(out->reason, sizeof(out->reason), "%s serves with the same distance",
		    rib_source_text(best->source));
	else if (route == best && e->told != route->paths->group)
		snprintf(out->reason, sizeof(out->reason), "the dataplane was not told yet");
	else if (route != best)
		snprintf(out->reason, sizeof(out->reason), "distance %u, and %s has %u", route->distance,
		    rib_source_text(best->source), best->distance);
}

static void describe(const struct rib *r, const struct rib_entry *e, const struct rib_route *route,
    const struct rib_route *best, struct rib_route_info *out)
{
	const struct rib_group *group = route->paths->group;

	memset(out, 0, sizeof(*out));
	out->table = e->table->id;
	out->table_name = e->table->name;
	out->prefix = e->node->prefix;
	out->source = route->source;
	out->distance = route->distance;
	out->active = route == best && !e->refused && e->told == route->paths->group;
	out->n_gateways = route->paths->n;
	memcpy(out->gateways, route->paths->gateways, sizeof(out->gateways));
	if (group != NULL) {
		out->group = group->id;
		out->n_hops = group->n;
		for (unsigned i = 0; i < group->n; i++) {
			out->hops[i].id = group->members[i]->id;
			out->hops[i].gateway = group->members[i]->gateway;
		}
	}
	explain(r, e, route, best, out);
}

/* The first entry behind the cursor in this tree that lies within. */
static struct ptree_node *seek(
    const struct ptree *tree, uint8_t family, const struct ip_prefix *within, const struct rib_cursor *cursor)
{
	const bool resume = cursor->started && cursor->at.addr.family == family;
	struct ptree_node *node;

	if (within->addr.family != IP_NONE && within->addr.family != family)
		return NULL;
	if (resume)
		node = ptree_seek(tree, &cursor->at, true);
	else if (within->addr.family != IP_NONE)
		node = ptree_seek(tree, within, false);
	else
		node = ptree_first(tree);
	while (node != NULL && ((struct rib_entry *)node->data)->routes == NULL)
		node = ptree_next(node); /* withdrawn, the dataplane not told yet */
	if (node != NULL && within->addr.family != IP_NONE && !ip_prefix_contains(within, &node->prefix))
		return NULL;
	return node;
}

static unsigned list_entry(
    const struct rib *r, const struct rib_entry *e, struct rib_route_info *out, unsigned max)
{
	const struct rib_route *best = rib_entry_best(e);
	unsigned n = 0;

	for (const struct rib_route *route = e->routes; route != NULL && n < max; route = route->next)
		describe(r, e, route, best, &out[n++]);
	return n;
}

unsigned rib_list(struct rib *r, const struct ip_prefix *within, struct rib_cursor *cursor,
    struct rib_route_info *out, unsigned max)
{
	static const uint8_t families[] = {IP_V4, IP_V6};
	struct rib_table *t = cursor->started ? rib_table_find(r, cursor->table) : TAILQ_FIRST(&r->tables);

	if (r->resolve_pending)
		rib_resolve_run(r);
	for (; t != NULL; t = TAILQ_NEXT(t, link)) {
		for (unsigned i = 0; i < 2; i++) {
			struct ptree_node *node;

			if (cursor->started && cursor->table == t->id && cursor->at.addr.family > families[i])
				continue;
			node = seek(&t->tree[i], families[i], within, cursor);
			if (node == NULL)
				continue;
			cursor->started = true;
			cursor->table = t->id;
			cursor->at = node->prefix;
			return list_entry(r, node->data, out, max);
		}
		/* The next table from its beginning. */
		cursor->started = false;
	}
	return 0;
}
