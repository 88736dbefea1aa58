/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way to a peer: its endpoint, the line, our address on it. Slow thread only; workers read
 * the published path.
 *
 * A tunnel bound to a line stays on it, or falls back to the active one while its own is down. A peer with a
 * configured endpoint can hear us from anywhere: its line is the active one. Any other peer is answered on
 * the line and from the address where it was heard.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/tunnel_peer.h"
#include "lib/ip_wire.h"

#define ETHERNET_MTU 1500u

static bool is_fixed(const struct tunnel_peer *p)
{
	return p->tunnel->config.line[0] || p->configured.addr.family != IP_NONE;
}

static bool owns_address(const struct iface *ifc, const struct ip_addr *a)
{
	const struct iface_addresses *list = rcu_dereference(ifc->addresses);

	for (unsigned i = 0; list && i < list->n; i++)
		if (ip_addr_equal(&list->a[i].addr, a))
			return true;
	return false;
}

/* Any port with an address of the family: a box without lines still has tunnels. */
static struct iface *find_any_port(uint8_t family)
{
	struct ip_addr unused;

	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		struct iface *ifc = iface_by_index(i);

		if (ifc && ifc->kind == IFACE_PORT && iface_source(ifc, family, NULL, &unused))
			return ifc;
	}
	return NULL;
}

/* The bound line; while that is down, the active one if the owner wants that and the peer can hear it. */
static struct iface *choose_bound(const struct tunnel_peer *p)
{
	struct iface *own = iface_by_name(p->tunnel->config.line), *other;

	if (!p->tunnel->config.fallback || p->configured.addr.family == IP_NONE ||
	    (own && monitor_line_alive(own->index)))
		return own;
	other = iface_by_index(monitor_active_line());
	return other && monitor_line_alive(other->index) ? other : own;
}

static struct iface *choose_line(const struct tunnel_peer *p)
{
	struct iface *ifc = NULL;

	if (p->tunnel->config.line[0])
		return choose_bound(p);
	if (!is_fixed(p) && p->line[0])
		ifc = iface_by_name(p->line);
	if (!ifc)
		ifc = iface_by_index(monitor_active_line());
	if (!ifc && p->path)
		ifc = iface_by_index(p->path->line); /* no line lives: stay, it may be the first to return */
	return ifc ? ifc : find_any_port(p->remote.addr.family);
}

static bool same_path(const struct tunnel_path *a, const struct tunnel_path *b)
{
	return a->line == b->line && a->table == b->table && a->line_fixed == b->line_fixed &&
	       a->dont_fragment == b->dont_fragment && a->mtu == b->mtu && a->inner_mtu == b->inner_mtu &&
	       a->remote.port == b->remote.port && ip_addr_equal(&a->remote.addr, &b->remote.addr) &&
	       ip_addr_equal(&a->local, &b->local);
}

/* RFC 1191 §3, RFC 8201 §4: what is known of a path's MTU holds for these two addresses by this line. */
static bool same_way(const struct tunnel_path *a, const struct tunnel_path *b)
{
	return a->line == b->line && ip_addr_equal(&a->remote.addr, &b->remote.addr) &&
	       ip_addr_equal(&a->local, &b->local);
}

/*
 * An IPv4 packet of which nothing is known may be cut, here or on the way; that of a path whose MTU is known,
 * or shall be found, goes whole, and so does any IPv6 packet.
 */
static void fill_mtu(const struct tunnel_peer *p, const struct iface *line, struct tunnel_path *path)
{
	bool v4 = path->remote.addr.family == IP_V4;
	uint16_t overhead = v4 ? TUNNEL_OVERHEAD4 : TUNNEL_OVERHEAD6;

	path->mtu = atomic_load_explicit(&line->mtu, memory_order_relaxed);
	if (p->path_mtu && p->path_mtu < path->mtu)
		path->mtu = p->path_mtu;
	path->dont_fragment = v4 && p->tunnel->config.fragment != FIBMSG_FRAGMENT_OUTER;
	path->inner_mtu = TUNNEL_UNLIMITED;
	if (!v4 || path->dont_fragment || path->mtu == p->path_mtu)
		path->inner_mtu = path->mtu > overhead + IP4_MIN_MTU ? path->mtu - overhead : IP4_MIN_MTU;
}

/* True if the path changed. */
static bool publish_path(struct tunnel_peer *p, const struct iface *line, const struct ip_addr *local)
{
	struct tunnel_path *old = p->path, *now = malloc(sizeof(*now));

	if (!now)
		return false; /* the old one serves on */
	*now = (struct tunnel_path){.remote = p->remote,
	    .local = *local,
	    .line = line->index,
	    .table = line->table,
	    .line_fixed = is_fixed(p)};
	if (old && !same_way(old, now))
		p->path_mtu = 0; /* it was that of the old way */
	fill_mtu(p, line, now);
	if (old && same_path(old, now)) {
		free(now);
		return false;
	}
	rcu_assign_pointer(p->path, now);
	forward_changed();
	if (old)
		rcu_retire(free, old);
	return true;
}

void tunnel_path_drop(struct tunnel_peer *p)
{
	struct tunnel_path *old = p->path;

	rcu_assign_pointer(p->path, NULL);
	forward_changed();
	if (old)
		rcu_retire(free, old);
}

void tunnel_path_renew(struct tunnel_peer *p)
{
	const struct iface *line = p->path ? iface_by_index(p->path->line) : NULL;
	struct ip_addr local;

	if (!line)
		return;
	local = p->path->local;
	publish_path(p, line, &local);
}

/* Has the line's table a way to the peer now? Else a message would be lost without a trace. */
static bool leads_somewhere(const struct tunnel_path *path)
{
	const struct fib_table *t = fib_table(path->table);
	const struct nexthop *nh;
	uint32_t group = 0;

	if (!t)
		return false;
	if (path->remote.addr.family == IP_V4)
		fib_lookup4(t, (const uint32_t[]){ip_addr_be32(&path->remote.addr)}, &group, 1);
	else
		fib_lookup6(t, &path->remote.addr.b, &group, 1);
	nh = group_pick(group, 0);
	return nh->kind == NEXTHOP_VIA || nh->kind == NEXTHOP_CONNECTED || nh->kind == NEXTHOP_TUNNEL;
}

bool tunnel_path_refresh(struct tunnel_peer *p)
{
	struct ip_addr local;
	struct iface *line;

	if (p->remote.addr.family == IP_NONE)
		return false;
	line = choose_line(p);
	if (!line)
		return false;
	if (p->path && p->path->line == line->index && p->path->remote.addr.family == p->path->local.family &&
	    p->path->local.family == p->remote.addr.family && owns_address(line, &p->path->local))
		local = p->path->local;
	else if (!iface_source(line, p->remote.addr.family, &p->remote.addr, &local))
		return false;
	publish_path(p, line, &local);
	return p->path && leads_somewhere(p->path);
}

void tunnel_path_learn(struct tunnel_peer *p, const struct tunnel_source *from)
{
	struct iface *in = iface_by_index(from->line), *line;
	bool moved =
	    p->remote.port != from->remote.port || !ip_addr_equal(&p->remote.addr, &from->remote.addr);
	struct ip_addr local = from->local;

	if (!in)
		return;
	p->remote = p->learned = from->remote;
	if (strcmp(p->line, in->name) != 0) {
		memcpy(p->line, in->name, sizeof(p->line));
		moved = true;
	}
	line = is_fixed(p) ? choose_line(p) : in;
	if (line && (line == in || iface_source(line, p->remote.addr.family, &p->remote.addr, &local)))
		publish_path(p, line, &local);
	if (moved)
		tunnel_state_note(p);
}

bool tunnel_path_follow(struct tunnel_peer *p)
{
	uint16_t before = p->path ? p->path->line : 0;

	if ((p->tunnel->config.line[0] && !p->tunnel->config.fallback) ||
	    p->configured.addr.family == IP_NONE)
		return false;
	tunnel_path_refresh(p);
	return p->path && p->path->line != before;
}

uint16_t tunnel_path_mtu(const struct tunnel *t)
{
	uint16_t least = UINT16_MAX;

	if (t->config.mtu)
		return t->config.mtu;
	if (t->config.fragment == FIBMSG_FRAGMENT_INNER)
		return ETHERNET_MTU; /* what does not fit a path is cut before it is sealed */
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);
		uint16_t mtu;

		if (!ifc || ifc->kind != IFACE_PORT || ifc->role != FIBMSG_ROLE_WAN)
			continue;
		if (t->config.line[0] && !t->config.fallback && strcmp(ifc->name, t->config.line) != 0)
			continue;
		mtu = atomic_load_explicit(&ifc->mtu, memory_order_relaxed);
		if (mtu < least)
			least = mtu;
	}
	if (least == UINT16_MAX)
		least = ETHERNET_MTU; /* no line yet: what nearly all of them carry */
	return (
	    uint16_t)(least > TUNNEL_MTU_MIN + TUNNEL_OVERHEAD6 ? least - TUNNEL_OVERHEAD6 : TUNNEL_MTU_MIN);
}
