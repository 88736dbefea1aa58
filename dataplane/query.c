/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers to control's queries, one function a kind, each making the next row. Slow thread only.
 */
#include "dataplane/query.h"

#include <stdio.h>
#include <string.h>

#include <rte_version.h>

#include "dataplane/drop.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/port.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"

#define GROUPS_KNOWN 64
#define ROUTE_BUDGET 20000 /* slots looked at for one row before other work gets its turn */

static int next_port(struct query *q, struct store *s, struct fibmsg *row)
{
	while (++q->index < IFACE_MAX) {
		const struct iface *ifc = iface_by_index((uint16_t)q->index);

		if (!ifc || ifc->kind != IFACE_PORT)
			continue;
		row->type = FIBMSG_ROW_PORT;
		return port_row(ifc, &row->u.row_port) ? 0 : 1;
	}
	return ERR_NOENT;
}

static int next_address(struct query *q, struct store *s, struct fibmsg *row)
{
	for (; q->stage < IFACE_MAX; q->stage++, q->index = 0) {
		const struct iface *ifc = iface_by_index((uint16_t)q->stage);

		if (!ifc || !ifc->addresses || q->index >= ifc->addresses->n)
			continue;
		row->type = FIBMSG_ROW_ADDRESS;
		memcpy(row->u.row_address.iface, ifc->name, sizeof(row->u.row_address.iface));
		row->u.row_address.address = ifc->addresses->a[q->index++];
		return 1;
	}
	return ERR_NOENT;
}

static int next_line(struct query *q, struct store *s, struct fibmsg *row)
{
	row->type = FIBMSG_ROW_LINE;
	return monitor_line_row(q->index++, &row->u.row_line) ? ERR_NOENT : 1;
}

/* Whose an object is, in words. */
static void note_origin(const struct store *s, const struct store_key *key, char origin[FIBMSG_LABEL])
{
	const struct store_object *o = store_find(s, key);

	if (o)
		snprintf(origin, FIBMSG_LABEL, "%s",
		    o->origin == STORE_UAPI ? "wg set"
		    : o->changed	    ? "configuration, changed by wg set"
					    : "configuration");
}

static int next_tunnel(struct query *q, struct store *s, struct fibmsg *row)
{
	struct store_key key;

	row->type = FIBMSG_ROW_TUNNEL;
	if (tunnel_row(q->index++, &row->u.row_tunnel))
		return ERR_NOENT;
	store_key_name(STORE_TUNNEL, row->u.row_tunnel.name, &key);
	note_origin(s, &key, row->u.row_tunnel.origin);
	return 1;
}

static int next_peer(struct query *q, struct store *s, struct fibmsg *row)
{
	struct fibmsg_row_peer *r = &row->u.row_peer;
	struct store_key key;

	row->type = FIBMSG_ROW_PEER;
	if (tunnel_peer_row(q->index++, r))
		return ERR_NOENT;
	store_key_peer(r->tunnel, r->key, &key);
	note_origin(s, &key, r->origin);
	return 1;
}

/* --- routes and groups, in words --- */

static void nexthop_in_words(const struct store *s, uint32_t id, char *buf, size_t size)
{
	static const char *const nowhere[] = {[FIBMSG_NH_UNREACHABLE] = "unreachable",
	    [FIBMSG_NH_PROHIBIT] = "prohibit",
	    [FIBMSG_NH_BLACKHOLE] = "blackhole"};
	struct store_object *o;
	struct store_key key;
	struct fibmsg m;
	char text[IP_ADDR_STRLEN];

	store_key_id(STORE_NEXTHOP, id, &key);
	o = store_find(s, &key);
	if (!o) {
		snprintf(buf, size, "?");
		return;
	}
	store_decode(o, &m);
	switch ((enum fibmsg_nh_kind)m.u.nexthop.kind) {
	case FIBMSG_NH_VIA:
		snprintf(buf, size, "via %s dev %s", ip_addr_format(&m.u.nexthop.gateway, text),
		    m.u.nexthop.iface);
		break;
	case FIBMSG_NH_CONNECTED:
		snprintf(buf, size, "dev %s", m.u.nexthop.iface);
		break;
	case FIBMSG_NH_TUNNEL:
		snprintf(buf, size, "tunnel %s", m.u.nexthop.iface);
		break;
	case FIBMSG_NH_UNREACHABLE:
	case FIBMSG_NH_PROHIBIT:
	case FIBMSG_NH_BLACKHOLE:
		snprintf(buf, size, "%s", nowhere[m.u.nexthop.kind]);
		break;
	}
}

/* The member that serves now. */
static void group_in_words(const struct store *s, uint32_t id, char *buf, size_t size)
{
	struct fibmsg_row_group row;
	struct store_object *o;
	struct store_key key;
	struct fibmsg m;

	store_key_id(STORE_GROUP, id, &key);
	o = store_find(s, &key);
	if (!o)
		return;
	store_decode(o, &m);
	if (monitor_group_row(o->priv.index, &row) || row.active >= m.u.group.n_members)
		snprintf(buf, size, "none lives");
	else
		nexthop_in_words(s, m.u.group.members[row.active].nexthop, buf, size);
}

struct group_words {
	uint32_t id;
	uint64_t asked_ns; /* in the loop of this time */
	char words[FIBMSG_LABEL * 2];
};

/* The same for a listing of routes: asked of the monitor thread once a loop and group, not for each of a
 * million routes. */
static const char *group_in_words_now(const struct store *s, uint32_t id)
{
	static struct group_words memory[GROUPS_KNOWN]; /* slow thread only */
	struct group_words *w = &memory[id % GROUPS_KNOWN];

	if (w->id != id || w->asked_ns != slow_now_ns()) {
		w->id = id;
		w->asked_ns = slow_now_ns();
		w->words[0] = 0;
		group_in_words(s, id, w->words, sizeof(w->words));
	}
	return w->words;
}

static bool route_wanted(const struct query *q, uint32_t table, const struct ip_prefix *p)
{
	if (table != q->what.table)
		return false;
	return q->what.prefix.addr.family == IP_NONE || ip_prefix_contains(&q->what.prefix, p);
}

static int next_control_route(struct query *q, struct store *s, struct fibmsg *row)
{
	struct fibmsg_row_route *r = &row->u.row_route;

	for (unsigned budget = ROUTE_BUDGET; budget > 0; budget--) {
		struct store_route route;
		bool got;

		if (!store_route_next(s, &q->cursor, 1, &route, &got))
			return ERR_NOENT;
		if (!got || !route_wanted(q, route.table, &route.prefix))
			continue;
		r->table = route.table;
		r->prefix = route.prefix;
		r->group = route.group;
		r->origin = FIB_CONTROL;
		snprintf(r->nexthop, sizeof(r->nexthop), "%s", group_in_words_now(s, route.group));
		return 1;
	}
	return 0;
}

/* Addresses of this host: q->index is the interface, q->cursor counts its addresses. */
static int next_local_route(struct query *q, struct fibmsg *row)
{
	struct fibmsg_row_route *r = &row->u.row_route;

	for (; q->index < IFACE_MAX; q->index++, q->cursor = 0) {
		const struct iface *ifc = iface_by_index((uint16_t)q->index);

		while (ifc && ifc->addresses && q->cursor < ifc->addresses->n) {
			const struct ip_prefix *a = &ifc->addresses->a[q->cursor++];
			struct ip_prefix host = ip_prefix_host(&a->addr);

			if (ip_addr_is_link_local(&a->addr) ||
			    (!route_wanted(q, FIBMSG_OVERLAY, &host) && !route_wanted(q, ifc->table, &host)))
				continue;
			r->table = q->what.table;
			r->prefix = host;
			r->origin = FIB_LOCAL;
			snprintf(r->nexthop, sizeof(r->nexthop), "this host (%s)", ifc->name);
			return 1;
		}
	}
	return ERR_NOENT;
}

static int next_neighbour_route(struct query *q, struct fibmsg *row)
{
	struct fibmsg_row_route *r = &row->u.row_route;
	struct fibmsg_row_neighbour n;
	struct ip_prefix host;
	uint32_t table;

	while (neigh_route_row(&q->index, &n, &table) == 0) {
		host = ip_prefix_host(&n.addr);
		if (!route_wanted(q, table, &host))
			continue;
		r->table = table;
		r->prefix = host;
		r->origin = FIB_NEIGHBOUR;
		snprintf(r->nexthop, sizeof(r->nexthop), "dev %s", n.iface);
		return 1;
	}
	return ERR_NOENT;
}

static int next_route(struct query *q, struct store *s, struct fibmsg *row)
{
	int got;

	row->type = FIBMSG_ROW_ROUTE;
	got = q->stage == 0   ? next_control_route(q, s, row)
	      : q->stage == 1 ? next_local_route(q, row)
			      : next_neighbour_route(q, row);
	if (got >= 0 || q->stage == 2)
		return got;
	q->stage++;
	q->index = 0;
	q->cursor = 0;
	return 0;
}

/* The cursor is the id of the last one said (ids are never 0). */
static int next_group(struct query *q, struct store *s, struct fibmsg *row)
{
	struct fibmsg_row_group *r = &row->u.row_group;
	struct store_object *o;
	struct store_key key;
	struct fibmsg m;
	size_t used = 0;

	store_key_id(STORE_GROUP, (uint32_t)q->cursor, &key);
	o = q->cursor ? store_find(s, &key) : NULL;
	o = o ? store_after(o) : q->cursor ? NULL : store_first(s, STORE_GROUP);
	if (!o)
		return ERR_NOENT;
	store_decode(o, &m);
	q->cursor = m.u.group.id;
	if (monitor_group_row(o->priv.index, r))
		r->active = UINT8_MAX;
	row->type = FIBMSG_ROW_GROUP;
	r->id = m.u.group.id;
	r->mode = m.u.group.mode;
	r->n_members = m.u.group.n_members;
	memset(r->members, 0, sizeof(r->members));
	for (unsigned i = 0; i < m.u.group.n_members && used + 2 < sizeof(r->members); i++) {
		char words[FIBMSG_LABEL * 2];

		nexthop_in_words(s, m.u.group.members[i].nexthop, words, sizeof(words));
		used += (size_t)snprintf(
		    r->members + used, sizeof(r->members) - used, "%s%s", i ? ", " : "", words);
	}
	return 1;
}

/* --- the rest --- */

static int next_neighbour(struct query *q, struct store *s, struct fibmsg *row)
{
	row->type = FIBMSG_ROW_NEIGHBOUR;
	return neigh_row(q->index++, &row->u.row_neighbour) ? ERR_NOENT : 1;
}

static int next_drop(struct query *q, struct store *s, struct fibmsg *row)
{
	enum drop_reason reason = (enum drop_reason)q->index++;

	if (reason >= DROP_REASONS)
		return ERR_NOENT;
	row->type = FIBMSG_ROW_DROP;
	snprintf(row->u.row_drop.reason, sizeof(row->u.row_drop.reason), "%s", drop_name(reason));
	snprintf(row->u.row_drop.text, sizeof(row->u.row_drop.text), "%s", drop_text(reason));
	row->u.row_drop.packets = workers_drop_count(reason) + slow_drop_count(reason);
	return 1;
}

static int next_event(struct query *q, struct store *s, struct fibmsg *row)
{
	row->type = FIBMSG_ROW_EVENT;
	return monitor_event_row(q->index++, &row->u.row_event) ? ERR_NOENT : 1;
}

static int next_version(struct query *q, struct store *s, struct fibmsg *row)
{
	struct fibmsg_row_version *v = &row->u.row_version;

	if (q->index++)
		return ERR_NOENT;
	row->type = FIBMSG_ROW_VERSION;
	snprintf(v->program, sizeof(v->program), "byway-dataplane " BYWAY_VERSION);
	snprintf(v->dpdk, sizeof(v->dpdk), "%s", rte_version());
	v->uptime_ns = slow_uptime_ns();
	v->workers = (uint16_t)worker_count;
	v->hugepages = eal_hugepages();
	return 1;
}

static int (*const nexts[])(struct query *q, struct store *s, struct fibmsg *row) = {
    [FIBMSG_QUERY_PORTS] = next_port,
    [FIBMSG_QUERY_ADDRESSES] = next_address,
    [FIBMSG_QUERY_LINES] = next_line,
    [FIBMSG_QUERY_TUNNELS] = next_tunnel,
    [FIBMSG_QUERY_PEERS] = next_peer,
    [FIBMSG_QUERY_ROUTES] = next_route,
    [FIBMSG_QUERY_GROUPS] = next_group,
    [FIBMSG_QUERY_NEIGHBOURS] = next_neighbour,
    [FIBMSG_QUERY_DROPS] = next_drop,
    [FIBMSG_QUERY_EVENTS] = next_event,
    [FIBMSG_QUERY_VERSION] = next_version,
};

int query_start(struct query *q, uint32_t seq, const struct fibmsg_query_msg *what, struct err_msg *msg)
{
	if (what->kind >= sizeof(nexts) / sizeof(nexts[0]))
		return err_set(msg, ERR_RANGE, "no query of kind %u", what->kind);
	memset(q, 0, sizeof(*q));
	q->seq = seq;
	q->what = *what;
	return 0;
}

int query_next(struct query *q, struct store *store, struct fibmsg *row)
{
	memset(row, 0, sizeof(*row));
	return nexts[q->what.kind](q, store, row);
}
