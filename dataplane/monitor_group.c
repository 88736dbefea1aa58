/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next-hop groups: which member serves, published in group_forward for the workers. The slow thread's
 * calls are executed by the monitor thread, the array's only writer.
 *
 * Pair of atomics: group_forward[] is stored here (release) after the next hop or the buckets
 * are complete; workers load it (consume) in group_pick(). Buckets that left it are freed after a
 * grace period.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/group_deal.h"
#include "dataplane/monitor_internal.h"
#include "dataplane/tunnel.h"
#include "lib/log.h"

#define NOBODY UINT8_MAX

struct group {
	uint32_t id;
	uint8_t mode, n, active; /* active: index of the (heaviest) member that serves, or NOBODY */
	struct monitor_member m[FIBMSG_MEMBERS];
	struct group_buckets *buckets; /* published, when several members serve */
	struct group_deal *deal;       /* of a weighted one */
};

static struct group *groups[GROUP_MAX];
static uint32_t groups_end;

/* NULL peer: the allowed-IPs decide, so the tunnel is as good as its best peer. */
static enum monitor_rank rank_of(const struct nexthop *nh)
{
	switch (nh->kind) {
	case NEXTHOP_VIA:
	case NEXTHOP_CONNECTED:
		return monitor_rank_of_iface(nh->iface);
	case NEXTHOP_TUNNEL:
		return nh->peer ? monitor_rank_of_peer(tunnel_peer_index(nh->peer))
				: monitor_rank_of_tunnel(nh->iface);
	case NEXTHOP_HOST:
	case NEXTHOP_UNREACHABLE:
	case NEXTHOP_PROHIBIT:
	case NEXTHOP_BLACKHOLE:
	case NEXTHOP_NO_ROUTE:
	case NEXTHOP_NONE_LIVE:
		return RANK_UP;
	}
	return RANK_DEAD;
}

/* The members that serve: of an ordered group one, of a weighted one all of the best rank. Returns a bit
 * each. */
static uint32_t serving(const struct group *g, uint8_t *first)
{
	enum monitor_rank best = RANK_DEAD, rank[FIBMSG_MEMBERS];
	uint32_t set = 0;

	*first = NOBODY;
	for (unsigned i = 0; i < g->n; i++) {
		rank[i] = rank_of(g->m[i].nh);
		if (rank[i] < best) {
			best = rank[i];
			*first = (uint8_t)i;
		}
	}
	if (*first == NOBODY || g->mode == FIBMSG_GROUP_ORDERED)
		return *first == NOBODY ? 0 : 1u << *first;
	for (unsigned i = 0; i < g->n; i++)
		if (rank[i] == best && g->m[i].weight)
			set |= 1u << i;
	return set ? set : 1u << *first;
}

static void publish(uint32_t index, struct group *g, uintptr_t v, struct group_buckets *buckets)
{
	struct group_buckets *old = g->buckets;

	g->buckets = buckets;
	atomic_store_explicit(&group_forward[index], v, memory_order_release); /* pair: group_pick */
	forward_changed();
	if (old && old != buckets)
		rcu_retire(free, old);
}

/*
 * All members count, dead ones too: a peer may still send by a way that we have left. Without memory nobody
 * is named, and what should come from these peers is dropped.
 */
static void publish_peers(uint32_t index, const struct group *g)
{
	struct group_peers now = {.n = 0}, *was = group_peers[index], *made = NULL;

	for (unsigned i = 0; g && i < g->n; i++)
		if (g->m[i].nh->kind == NEXTHOP_TUNNEL && g->m[i].nh->peer)
			now.peer[now.n++] = tunnel_peer_index(g->m[i].nh->peer);
	if (was ? memcmp(was, &now, sizeof(now)) == 0 : now.n == 0)
		return;
	if (now.n) {
		made = malloc(sizeof(*made));
		if (made)
			*made = now;
		else
			log_err("group %u: no memory to note its peers", g->id);
	}
	rcu_assign_pointer(group_peers[index], made); /* pair: group_names_peer */
	if (was)
		rcu_retire(free, was);
}

static bool publish_one(uint32_t index, struct group *g, struct nexthop *one)
{
	if (atomic_load_explicit(&group_forward[index], memory_order_relaxed) == (uintptr_t)one)
		return false;
	publish(index, g, (uintptr_t)one, NULL);
	return true;
}

/* True when what serves is not what served. */
static bool judge_group(uint32_t index, struct group *g)
{
	uint32_t set = serving(g, &g->active);
	struct nexthop *one = g->active == NOBODY ? &nexthop_none_live : g->m[g->active].nh;
	struct group_buckets now = {.bucket = {0}}, *made;

	if (!(set & (set - 1))) /* one or none */
		return publish_one(index, g, one);
	for (unsigned i = 0; i < g->n; i++)
		now.member[i] = g->m[i].nh;
	group_deal_fill(g->deal, set, now.bucket);
	if (g->buckets && memcmp(g->buckets, &now, sizeof(now)) == 0)
		return false;
	made = malloc(sizeof(*made));
	if (!made) {
		log_err("group %u: no memory to share between its members, one serves", g->id);
		return publish_one(index, g, one);
	}
	*made = now;
	publish(index, g, (uintptr_t)made | 1, made);
	return true;
}

unsigned monitor_groups_judge(void)
{
	unsigned moved = 0;

	for (uint32_t i = 0; i < groups_end; i++)
		if (groups[i] && judge_group(i, groups[i]))
			moved++;
	return moved;
}

/* --- the slow thread's calls --- */

struct group_call {
	uint32_t index;
	struct group *made, *gone;
	struct nexthop *old_nh, *new_nh;
};

static void call_set(void *arg)
{
	struct group_call *c = arg;
	struct group *was = groups[c->index];

	if (was)
		c->made->buckets = was->buckets; /* published still */
	groups[c->index] = c->made;
	if (c->index >= groups_end)
		groups_end = c->index + 1;
	publish_peers(c->index, c->made);
	judge_group(c->index, c->made);
	c->gone = was;
}

/* NULL: no memory. */
static struct group *make_group(uint32_t id, uint8_t mode, const struct monitor_member *m, unsigned n)
{
	struct group *g = calloc(1, sizeof(*g));
	struct group_share shares[FIBMSG_MEMBERS];

	if (!g)
		return NULL;
	g->id = id;
	g->mode = mode;
	g->n = (uint8_t)n;
	if (n)
		memcpy(g->m, m, n * sizeof(*m));
	if (mode == FIBMSG_GROUP_ORDERED || n < 2)
		return g;
	/* here and not when a member dies: it takes a while */
	for (unsigned i = 0; i < n; i++)
		shares[i] = (struct group_share){.id = m[i].nh->id ? m[i].nh->id : ~i, .weight = m[i].weight};
	g->deal = malloc(sizeof(*g->deal));
	if (!g->deal) {
		free(g);
		return NULL;
	}
	group_deal_make(g->deal, shares, n);
	return g;
}

static void free_group(struct group *g)
{
	if (g)
		free(g->deal);
	free(g);
}

int monitor_group_set(uint32_t index, uint32_t id, uint8_t mode, const struct monitor_member *m, unsigned n)
{
	struct group_call c = {.index = index};

	if (index >= GROUP_MAX || index <= GROUP_HOST || n > FIBMSG_MEMBERS)
		return ERR_RANGE;
	c.made = make_group(id, mode, m, n);
	if (!c.made)
		return ERR_NOMEM;
	monitor_call(call_set, &c);
	free_group(c.gone);
	return 0;
}

static void call_del(void *arg)
{
	struct group_call *c = arg;

	c->gone = groups[c->index];
	groups[c->index] = NULL;
	while (groups_end && !groups[groups_end - 1])
		groups_end--;
	if (!c->gone)
		return;
	publish_peers(c->index, NULL);
	publish(c->index, c->gone, (uintptr_t)&nexthop_no_route, NULL);
}

void monitor_group_del(uint32_t index)
{
	struct group_call c = {.index = index};

	if (index >= GROUP_MAX || index <= GROUP_HOST)
		return;
	monitor_call(call_del, &c);
	free_group(c.gone);
}

static void call_replace(void *arg)
{
	const struct group_call *c = arg;

	for (uint32_t i = 0; i < groups_end; i++) {
		bool named = false;

		for (unsigned j = 0; groups[i] && j < groups[i]->n; j++)
			if (groups[i]->m[j].nh == c->old_nh) {
				groups[i]->m[j].nh = c->new_nh;
				named = true;
			}
		if (!named)
			continue;
		publish_peers(i, groups[i]);
		judge_group(i, groups[i]);
	}
}

void monitor_nexthop_replace(struct nexthop *old_nh, struct nexthop *new_nh)
{
	struct group_call c = {.old_nh = old_nh, .new_nh = new_nh};

	monitor_call(call_replace, &c);
}

/* "wan1 via 192.0.2.1", "friend1", "unreachable". */
static void name_member(const struct nexthop *nh, char *buf, size_t size)
{
	static const char *const words[] = {[NEXTHOP_VIA] = "",
	    [NEXTHOP_CONNECTED] = "",
	    [NEXTHOP_TUNNEL] = "",
	    [NEXTHOP_HOST] = "this host",
	    [NEXTHOP_UNREACHABLE] = "unreachable",
	    [NEXTHOP_PROHIBIT] = "prohibit",
	    [NEXTHOP_BLACKHOLE] = "blackhole",
	    [NEXTHOP_NO_ROUTE] = "no route",
	    [NEXTHOP_NONE_LIVE] = "none"};
	const struct iface *ifc = words[nh->kind][0] ? NULL : iface_by_index(nh->iface);
	char addr[IP_ADDR_STRLEN];

	if (nh->kind == NEXTHOP_VIA && nh->neigh)
		snprintf(
		    buf, size, "%s via %s", ifc ? ifc->name : "?", ip_addr_format(&nh->neigh->addr, addr));
	else
		snprintf(buf, size, "%s", ifc ? ifc->name : words[nh->kind]);
}

struct row_call {
	uint32_t index;
	struct fibmsg_row_group *row;
	int err;
};

static void call_row(void *arg)
{
	static const char *const marks[] = {[RANK_UP] = "",
	    [RANK_UNKNOWN] = " (unknown)",
	    [RANK_RETURNING] = " (returning)",
	    [RANK_SILENT] = " (down)",
	    [RANK_DEAD] = " (down)"};
	struct row_call *c = arg;
	const struct group *g = c->index < GROUP_MAX ? groups[c->index] : NULL;
	char member[64];
	size_t at = 0;

	c->err = g ? 0 : ERR_NOENT;
	if (!g)
		return;
	*c->row =
	    (struct fibmsg_row_group){.id = g->id, .mode = g->mode, .n_members = g->n, .active = g->active};
	for (unsigned i = 0; i < g->n && at < sizeof(c->row->members); i++) {
		name_member(g->m[i].nh, member, sizeof(member));
		at += (size_t)snprintf(c->row->members + at, sizeof(c->row->members) - at, "%s%s%s",
		    i ? ", " : "", member, marks[rank_of(g->m[i].nh)]);
	}
}

int monitor_group_row(uint32_t index, struct fibmsg_row_group *row)
{
	struct row_call c = {.index = index, .row = row};

	monitor_call(call_row, &c);
	return c.err;
}

void monitor_groups_clear(void)
{
	for (uint32_t i = 0; i < groups_end; i++) {
		if (!groups[i])
			continue;
		publish_peers(i, NULL);
		publish(i, groups[i], (uintptr_t)&nexthop_no_route, NULL);
		free_group(groups[i]);
		groups[i] = NULL;
	}
	groups_end = 0;
}
