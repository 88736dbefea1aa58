/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `show routes`: the RIB and BGP's paths side by side in the order of prefixes, those that do not forward
 * with the reason. Two cursors walk in step and nothing is collected, so a listing of any length takes the
 * same memory. Control's only thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl_bgp.h"
#include "control/ctl_commands.h"
#include "control/ctl_rows.h"
#include "control/daemon.h"
#include "control/fibfeed.h"

#define MAX_CANDIDATES 16 /* of one prefix */

struct in_use {
	uint32_t id;
	uint8_t member; /* 255: none is alive */
};

struct listing {
	struct ip_prefix within; /* family 0: everything */
	struct rib_cursor rib;
	struct rib_route_info routes[MAX_CANDIDATES]; /* the prefix that the RIB's cursor is at */
	unsigned n_routes;
	bool rib_ended;
	struct bgp_route_cursor bgp;
	uint8_t bgp_family; /* enum bgp_family that is walked now */
	bool bgp_ahead, bgp_ended;
	struct ip_prefix bgp_at; /* of the next path, when bgp_ahead */
	uint32_t query;		 /* for the groups, before the first row */
	struct in_use *groups;	 /* by id, sorted; which member serves, as the dataplane says */
	size_t n_groups;
};

static const char *kind_text(uint8_t kind)
{
	static const char *const texts[] = {
	    "via", "connected", "tunnel", "unreachable", "prohibit", "blackhole"};

	return texts[kind % 6];
}

static json_t *hop_row(const struct daemon *d, const struct rib_gateway *g)
{
	const struct config_tunnel *t =
	    g->kind == FIBMSG_NH_TUNNEL ? config_find_tunnel(d->config, g->iface) : NULL;
	json_t *row = json_pack("{s:s}", "kind", kind_text(g->kind));

	if (g->iface[0] != '\0')
		json_object_set_new(row, "interface", json_string(g->iface));
	if (g->addr.family != IP_NONE)
		json_object_set_new(row, "gateway", ctl_rows_addr(&g->addr));
	for (size_t i = 0; t != NULL && i < t->peers.n; i++) {
		if (memcmp(t->peers.v[i].key, g->peer, sizeof(g->peer)) == 0)
			json_object_set_new(row, "peer", ctl_rows_text(t->peers.v[i].name));
	}
	return row;
}

static int by_id(const void *a, const void *b)
{
	const struct in_use *p = a, *q = b;

	return p->id < q->id ? -1 : p->id > q->id;
}

/* Which next hop serves now is the dataplane's word: it moves groups by itself. */
static void add_in_use(json_t *row, json_t *hops, const struct listing *l, uint32_t group)
{
	const struct in_use key = {.id = group};
	const struct in_use *found =
	    l->n_groups > 0 ? bsearch(&key, l->groups, l->n_groups, sizeof(key), by_id) : NULL;

	if (found == NULL)
		return;
	for (size_t i = 0; i < json_array_size(hops); i++)
		json_object_set_new(json_array_get(hops, i), "in-use", json_boolean(i == found->member));
	json_object_set_new(row, "alive", json_boolean(found->member != 255));
}

static json_t *base_row(const char *table, const struct ip_prefix *prefix, const char *source)
{
	return json_pack(
	    "{s:s, s:o, s:s}", "table", table, "prefix", ctl_rows_prefix(prefix), "source", source);
}

static void add_route(json_t *row, const struct ctl_request *q, const struct rib_route_info *r)
{
	const struct daemon *d = q->daemon;
	json_t *hops = json_array();

	json_object_set_new(row, "distance", json_integer(r->distance));
	json_object_set_new(row, "active", json_boolean(r->active));
	if (r->group != 0)
		json_object_set_new(row, "group", json_integer(r->group));
	/* Without a resolution, what was asked for still says more than nothing. */
	for (unsigned i = 0; i < r->n_hops; i++)
		json_array_append_new(hops, hop_row(d, &r->hops[i].gateway));
	for (unsigned i = 0; i < r->n_gateways && r->n_hops == 0; i++)
		json_array_append_new(hops, hop_row(d, &r->gateways[i]));
	if (r->active)
		add_in_use(row, hops, q->state, r->group);
	json_object_set_new(row, "next-hops", hops);
	if (r->reason[0] != '\0')
		json_object_set_new(row, "reason", ctl_rows_text(r->reason));
}

static bool is_bgp(const struct rib_route_info *r)
{
	return r->source == RIB_EBGP || r->source == RIB_IBGP;
}

/* A path of BGP: r is the RIB's candidate made from the used paths of the prefix, NULL when there is none. */
static void row_path(struct ctl_request *q, const struct bgp_path_info *p, const struct rib_route_info *r)
{
	json_t *row = base_row("overlay", &p->prefix, p->external ? "ebgp" : "ibgp");
	char reason[200];

	json_object_set_new(row, "peer", ctl_rows_text(p->peer));
	if (p->interface != NULL && p->interface[0] != '\0')
		json_object_set_new(row, "interface", ctl_rows_text(p->interface));
	ctl_bgp_add_attrs(row, p->attrs);
	if (p->stale)
		json_object_set_new(row, "stale", json_true());
	if (p->active && p->rank == 0 && r != NULL) {
		add_route(row, q, r);
	} else {
		json_object_set_new(
		    row, "distance", json_integer(p->external ? RIB_DISTANCE_EBGP : RIB_DISTANCE_IBGP));
		json_object_set_new(row, "active", json_false());
		json_object_set_new(row, "backup", json_boolean(p->active && r != NULL && r->active));
		json_object_set_new(row, "reason", ctl_rows_text(ctl_bgp_reason(p, reason, sizeof(reason))));
	}
	ctl_row(q, row);
}

/* Every path of one prefix that BGP has, but for our own announcements. */
static void row_paths(struct ctl_request *q, const struct ip_prefix *prefix, const struct rib_route_info *r)
{
	struct bgp *core = bgp_glue_core(q->daemon->bgp);
	const struct bgp_route_query query = {.match = BGP_MATCH_EXACT, .prefix = *prefix};
	struct bgp_route_cursor cursor = {0};
	struct bgp_path_info path;

	while (core != NULL && bgp_route_next(core, &query, &cursor, &path)) {
		if (!path.local)
			row_path(q, &path, r);
	}
}

static void row_routes(struct ctl_request *q, const struct listing *l)
{
	const struct rib_route_info *bgp = NULL;

	for (unsigned i = 0; i < l->n_routes; i++) {
		const struct rib_route_info *r = &l->routes[i];
		json_t *row;

		if (is_bgp(r)) {
			bgp = r;
			continue;
		}
		row = base_row(r->table_name, &r->prefix, rib_source_text(r->source));
		add_route(row, q, r);
		ctl_row(q, row);
	}
	if (l->routes[0].table == FIBMSG_OVERLAY)
		row_paths(q, &l->routes[0].prefix, bgp);
}

/* The next prefix that BGP has a path for, into bgp_at. */
static void look_ahead(struct ctl_request *q, struct listing *l)
{
	struct bgp *core = bgp_glue_core(q->daemon->bgp);
	const bool all = l->within.addr.family == IP_NONE;
	struct bgp_path_info path;

	while (core != NULL && !l->bgp_ahead && !l->bgp_ended) {
		struct bgp_route_query query = {
		    .match = all ? BGP_MATCH_ALL : BGP_MATCH_LONGER, .prefix = l->within};
		const struct ip_prefix before = l->bgp_at;

		if (all)
			query.prefix.addr.family = l->bgp_family == BGP_IPV4 ? IP_V4 : IP_V6;
		if (!bgp_route_next(core, &query, &l->bgp, &path)) {
			l->bgp_ended = !all || l->bgp_family == BGP_IPV6;
			l->bgp_family = BGP_IPV6;
			memset(&l->bgp, 0, sizeof(l->bgp));
			continue;
		}
		l->bgp_at = path.prefix;
		l->bgp_ahead = !ip_prefix_equal(&before, &path.prefix);
	}
	l->bgp_ended |= core == NULL;
}

/* BGP's prefix comes before the one that the RIB is at (which is behind the overlay, or further on). */
static bool bgp_is_first(const struct listing *l)
{
	const struct ip_prefix *at = &l->routes[0].prefix;

	if (!l->bgp_ahead)
		return false;
	if (l->rib_ended || l->routes[0].table != FIBMSG_OVERLAY)
		return true;
	if (l->bgp_at.addr.family != at->addr.family)
		return l->bgp_at.addr.family < at->addr.family;
	return ip_prefix_cmp(&l->bgp_at, at) < 0;
}

/* One prefix; false: the end. */
static bool step(struct ctl_request *q, struct listing *l)
{
	if (l->n_routes == 0 && !l->rib_ended) {
		l->n_routes = rib_list(q->daemon->rib, &l->within, &l->rib, l->routes, MAX_CANDIDATES);
		l->rib_ended = l->n_routes == 0;
	}
	look_ahead(q, l);
	if (bgp_is_first(l)) {
		row_paths(q, &l->bgp_at, NULL);
		l->bgp_ahead = false;
		return true;
	}
	if (l->rib_ended)
		return false;
	if (l->bgp_ahead && l->routes[0].table == FIBMSG_OVERLAY &&
	    ip_prefix_equal(&l->bgp_at, &l->routes[0].prefix))
		l->bgp_ahead = false; /* listed with the RIB's */
	row_routes(q, l);
	l->n_routes = 0;
	return true;
}

static void release(struct ctl_request *q)
{
	free(((struct listing *)q->state)->groups);
}

static void more(struct ctl_request *q)
{
	struct listing *l = q->state;

	while (ctl_has_room(q)) {
		if (!step(q, l)) {
			release(q);
			ctl_done(q);
			return;
		}
	}
}

static void on_group(void *arg, const struct fibmsg *m)
{
	struct ctl_request *q = arg;
	struct listing *l = q->state;

	if ((l->n_groups & (l->n_groups - 1)) == 0) {
		l->groups =
		    realloc(l->groups, (l->n_groups == 0 ? 1 : l->n_groups * 2) * sizeof(l->groups[0]));
		if (l->groups == NULL)
			abort();
	}
	l->groups[l->n_groups++] = (struct in_use){m->u.row_group.id, m->u.row_group.active};
}

static void on_groups_done(void *arg, int code, const char *text)
{
	struct ctl_request *q = arg;
	struct listing *l = q->state;

	if (l->n_groups > 0) /* qsort takes no NULL, not even of nothing */
		qsort(l->groups, l->n_groups, sizeof(l->groups[0]), by_id);
	q->cancel = release;
	q->more = more;
	more(q);
}

static void on_cancel(struct ctl_request *q)
{
	struct listing *l = q->state;

	fibfeed_cancel(q->daemon->feed, l->query);
	release(q);
}

void ctl_show_routes(struct ctl_request *q)
{
	static const struct fibmsg_query_msg groups = {.kind = FIBMSG_QUERY_GROUPS};
	const char *prefix = ctl_arg(q, "prefix");
	struct listing *l = calloc(1, sizeof(*l));
	struct err_msg msg;

	if (l == NULL)
		abort();
	q->state = l;
	if (prefix != NULL && ip_prefix_parse(prefix, &l->within, &msg) != 0) {
		ctl_fail(q, "invalid", NULL, "%s", msg.text);
		return;
	}
	q->cancel = on_cancel;
	if (fibfeed_query(q->daemon->feed, &groups, on_group, on_groups_done, q, &l->query) == 0)
		return;
	/* Without a dataplane the routes are there all the same. */
	q->cancel = release;
	q->more = more;
}
