/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes for the FIB and for people. A listing asks for one path at a time and keeps
 * no pointer in between; why a path is not used is found by running the decision again.
 */
#include <string.h>

#include "bgp/bgp_decide.h"
#include "bgp/bgp_export.h"
#include "bgp/bgp_rib.h"
#include "lib/nsec.h"

const char *bgp_reason_text(enum bgp_reason reason)
{
	static const char *const texts[BGP_REASONS] = {
	    [BGP_REASON_BEST] = "best",
	    [BGP_REASON_BACKUP] = "backup",
	    [BGP_REASON_DUPLICATE] = "same next hop as a better path",
	    [BGP_REASON_AS_LOOP] = "own AS in the path",
	    [BGP_REASON_NEXT_HOP_OURS] = "next hop is this router",
	    [BGP_REASON_NEXT_HOP_DOWN] = "next hop is down",
	    [BGP_REASON_MARTIAN] = "not a unicast prefix between routers",
	    [BGP_REASON_DEFAULT_ROUTE] = "default route not named by a filter",
	    [BGP_REASON_NO_POLICY] = "no import filter (RFC 8212)",
	    [BGP_REASON_FILTERED] = "rejected by a filter",
	    [BGP_REASON_FILTER_END] = "matched by no rule of its filter",
	    [BGP_REASON_DEFERRED] = "decision waits for peers after a restart",
	    [BGP_REASON_PENDING] = "not decided yet",
	};

	return reason < BGP_REASONS ? texts[reason] : "unknown";
}

const char *bgp_step_text(enum bgp_step step)
{
	static const char *const texts[BGP_STEPS] = {
	    [BGP_STEP_NONE] = "no other path",
	    [BGP_STEP_LOCAL] = "own route",
	    [BGP_STEP_LOCAL_PREF] = "local preference (9.1.1)",
	    [BGP_STEP_PATH_LEN] = "AS path length (9.1.2.2 a)",
	    [BGP_STEP_ORIGIN] = "origin (9.1.2.2 b)",
	    [BGP_STEP_MED] = "MED (9.1.2.2 c)",
	    [BGP_STEP_EXTERNAL] = "external before internal (9.1.2.2 d)",
	    [BGP_STEP_COST] = "interior cost (9.1.2.2 e)",
	    [BGP_STEP_ROUTER_ID] = "router id (9.1.2.2 f)",
	    [BGP_STEP_ADDRESS] = "peer address (9.1.2.2 g)",
	};

	return step < BGP_STEPS ? texts[step] : "unknown";
}

static bool path_is_stale(const struct bgp_path *path, enum bgp_family family, const struct bgp_net *net)
{
	return path->peer && (bgp_set_has(&path->peer->rib[family].stale, net->id) ||
				 bgp_set_has(&path->peer->rib[family].doomed, net->id));
}

/* -------------------------------------------------------------------- the FIB */

static void fill_route_path(const struct bgp_path *path, enum bgp_family family, const struct bgp_net *net,
    struct bgp_route_path *out)
{
	*out = (struct bgp_route_path){
	    .peer = path->peer->name,
	    .interface = path->peer->config.interface,
	    .peer_address = path->peer->config.address,
	    .next_hop = path->use->core.next_hop,
	    .link_local = path->use->core.link_local,
	    .external = path->peer->external,
	    .stale = path_is_stale(path, family, net),
	    .attrs = path->use,
	};
}

static void fill_change(const struct bgp_rib *rib, const struct bgp_net *net, struct bgp_route_change *out)
{
	const struct bgp_path *path = net->paths;

	*out = (struct bgp_route_change){.prefix = bgp_table_prefix(&rib->table, net)};
	out->local = path && (path->flags & BGP_PATH_LISTED) && !path->peer;
	for (; path && (path->flags & BGP_PATH_LISTED) && !out->local; path = path->next)
		fill_route_path(path, rib->table.family, net, &out->paths[out->n_paths++]);
}

size_t bgp_routes_pull(struct bgp *bgp, struct bgp_route_change *out, size_t max)
{
	size_t n = 0;
	unsigned f;
	uint32_t id;

	for (f = 0; f < BGP_FAMILIES; f++) {
		struct bgp_rib *rib = &bgp->rib[f];

		id = 0;
		while (n < max && (id = bgp_set_next(&rib->dirty, id)) != BGP_SET_END) {
			struct bgp_net *net = bgp_table_by_id(&rib->table, id);

			bgp_set_remove(&rib->dirty, id);
			fill_change(rib, net, &out[n++]);
			bgp_rib_release(bgp, rib, net);
		}
	}
	return n;
}

void bgp_routes_repeat(struct bgp *bgp)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_set_merge(&bgp->rib[f].dirty, &bgp->rib[f].active);
}

/* ------------------------------------------------------------------- listings */

static struct bgp_net *next_net(const struct bgp_table *table, const struct bgp_route_query *query,
    const struct bgp_route_cursor *cursor, bool inclusive)
{
	struct ip_prefix first = {.addr.family = query->prefix.addr.family};
	struct bgp_net *net;

	switch (query->match) {
	case BGP_MATCH_EXACT:
		return cursor->started && !inclusive ? NULL : bgp_table_find(table, &query->prefix);
	case BGP_MATCH_COVERING:
		return bgp_table_next_covering(
		    table, &query->prefix, cursor->started ? cursor->at.len + (inclusive ? 0u : 1u) : 0u);
	case BGP_MATCH_ALL:
		return bgp_table_next(
		    table, cursor->started ? &cursor->at : &first, inclusive || !cursor->started);
	case BGP_MATCH_LONGER: {
		struct ip_prefix found;

		net = bgp_table_next(
		    table, cursor->started ? &cursor->at : &query->prefix, inclusive || !cursor->started);
		if (!net)
			return NULL;
		found = bgp_table_prefix(table, net);
		return ip_prefix_contains(&query->prefix, &found) ? net : NULL;
	}
	}
	return NULL;
}

static const char *name_of(const struct bgp_path *path)
{
	return !path ? NULL : path->peer ? path->peer->name : "";
}

static void fill_path(const struct bgp *bgp, enum bgp_family family, const struct bgp_net *net,
    const struct bgp_path *path, struct bgp_path_info *out)
{
	const struct bgp_peer *peer = path->peer;

	*out = (struct bgp_path_info){
	    .prefix = bgp_table_prefix(&bgp->rib[family].table, net),
	    .peer = name_of(path),
	    .interface = peer ? peer->config.interface : "",
	    .local = !peer,
	    .external = peer && peer->external,
	    .stale = path_is_stale(path, family, net),
	    .active = path->flags & BGP_PATH_LISTED,
	    .reason = bgp_decide_check_path(bgp, path),
	    .since_ns = bgp->epoch_ns + path->since_s * NSEC_PER_SEC,
	    .attrs = path->use ? path->use : path->in,
	};
	if (out->reason == BGP_REASON_FILTERED || out->reason == BGP_REASON_FILTER_END)
		out->filter = peer && peer->import ? peer->import->name : "";
	if (out->reason == BGP_REASON_FILTERED)
		out->rule = path->rule;
}

/* What the decision says of a usable path. */
static void fill_rank(const struct bgp *bgp, const struct bgp_net *net, const struct bgp_rank *rank,
    size_t place, struct bgp_path_info *out)
{
	out->rank = (unsigned)place;
	out->step = rank->step;
	out->versus = name_of(rank->versus);
	if (place)
		out->reason = rank->duplicate ? BGP_REASON_DUPLICATE : BGP_REASON_BACKUP;
	if (!(net->paths->flags & BGP_PATH_LISTED))
		out->reason = bgp->deferring ? BGP_REASON_DEFERRED : BGP_REASON_PENDING;
}

/* The path at `place` of net: usable ones in their order, then the rest. False: no such place. */
static bool path_at(struct bgp *bgp, enum bgp_family family, const struct bgp_net *net, size_t place,
    struct bgp_path_info *out)
{
	size_t n_listed, n = bgp_decide_rank(bgp, net, &n_listed), i;
	const struct bgp_path *path;

	if (place < n) {
		fill_path(bgp, family, net, bgp->ranks[place].path, out);
		fill_rank(bgp, net, &bgp->ranks[place], place, out);
		return true;
	}
	i = n;
	for (path = net->paths; path; path = path->next) {
		if (bgp_decide_check_path(bgp, path) != BGP_REASON_BEST && i++ == place) {
			fill_path(bgp, family, net, path, out);
			return true;
		}
	}
	return false;
}

/* What the peer was told: one path, with the attributes as sent, which live as long as some table holds them.
 */
static bool advertised_at(struct bgp *bgp, enum bgp_family family, const struct bgp_net *net,
    struct bgp_peer *peer, size_t place, struct bgp_path_info *out)
{
	struct bgp_export export;
	struct bgp_attrs *attrs;

	if (place || !peer || !bgp_set_has(&peer->rib[family].out, net->id))
		return false;
	bgp_export_begin(&export, peer, family);
	if (bgp_export_net(&export, net, &attrs) != 0)
		attrs = NULL;
	bgp_export_end(&export);
	if (!attrs || !path_at(bgp, family, net, 0, out)) {
		bgp_attr_release(&bgp->attrs, attrs);
		return false; /* its withdrawal is on the way */
	}
	bgp_attr_release(&bgp->attrs, bgp->shown);
	bgp->shown = attrs;
	out->attrs = attrs;
	return true;
}

static bool query_wants(const struct bgp_route_query *query, const struct bgp_path_info *info)
{
	return !query->peer || !*query->peer || query->advertised || strcmp(query->peer, info->peer) == 0;
}

bool bgp_route_next(struct bgp *bgp, const struct bgp_route_query *query, struct bgp_route_cursor *cursor,
    struct bgp_path_info *out)
{
	enum bgp_family family = query->prefix.addr.family == IP_V4 ? BGP_IPV4 : BGP_IPV6;
	struct bgp_table *table = &bgp->rib[family].table;
	struct bgp_peer *peer = query->advertised && query->peer ? bgp_peer_find(bgp, query->peer) : NULL;
	struct bgp_net *net = next_net(table, query, cursor, true);

	while (net) {
		struct ip_prefix at = bgp_table_prefix(table, net);

		if (!cursor->started || !ip_prefix_equal(&at, &cursor->at))
			cursor->path = 0;
		cursor->started = true;
		cursor->at = at;
		while (query->advertised ? advertised_at(bgp, family, net, peer, cursor->path, out)
					 : path_at(bgp, family, net, cursor->path, out)) {
			cursor->path++;
			if (query_wants(query, out))
				return true;
		}
		net = next_net(table, query, cursor, false);
	}
	return false;
}
