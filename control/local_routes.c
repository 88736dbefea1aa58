/* SPDX-License-Identifier: BSD-3-Clause */
/* Connected, static and built-in routes for the RIB. Control's only thread. */
#include "control/local_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon.h"

/* RFC 1918 §3, RFC 6598 §7, RFC 4193 §3.1: never sent to an Internet line. */
static const char *const private_space[] = {
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};

static void add_announcement(struct local_routes *out, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < out->n_connected; i++) {
		if (ip_prefix_equal(&out->connected[i], prefix))
			return;
	}
	out->connected = realloc(out->connected, (out->n_connected + 1) * sizeof(*prefix));
	if (out->connected == NULL)
		abort();
	out->connected[out->n_connected++] = *prefix;
}

static uint32_t iface_tag(const char *iface)
{
	return fibmsg_line_table(iface); /* a number that tells interfaces apart */
}

/* The subnet of an address: in the overlay, and for a WAN in its underlay, too. */
static void add_connected(struct rib *rib, const struct config *c, const char *iface,
    const struct ip_prefix *address, struct local_routes *out)
{
	const struct config_port *port = config_find_port(c, iface);
	const struct config_tunnel *tunnel = config_find_tunnel(c, iface);
	const struct ip_prefix subnet = ip_prefix_mask(address);
	struct rib_gateway g = {.kind = FIBMSG_NH_CONNECTED};

	if ((port == NULL && tunnel == NULL) || ip_addr_is_link_local(&address->addr) ||
	    address->len == ip_family_bits(address->addr.family))
		return;
	snprintf(g.iface, sizeof(g.iface), "%s", iface);
	if (tunnel != NULL) {
		g.kind = FIBMSG_NH_TUNNEL; /* with several peers their lists and addresses decide */
		if (tunnel->peers.n == 1)
			memcpy(g.peer, tunnel->peers.v[0].key, sizeof(g.peer));
	}
	rib_set(rib, FIBMSG_OVERLAY, &subnet, RIB_CONNECTED, iface_tag(iface), RIB_DISTANCE_CONNECTED, &g, 1);
	if (port != NULL && port->role == CONFIG_ROLE_WAN)
		rib_set(rib, fibmsg_line_table(iface), &subnet, RIB_CONNECTED, iface_tag(iface),
		    RIB_DISTANCE_CONNECTED, &g, 1);
	else if (port != NULL)
		add_announcement(out, &subnet);
}

/* Peers' own addresses, in the tunnel's subnet or not: to that peer alone. */
static void add_peers(struct rib *rib, const struct config_tunnel *t)
{
	struct rib_gateway g = {.kind = FIBMSG_NH_TUNNEL};

	snprintf(g.iface, sizeof(g.iface), "%s", t->name);
	for (size_t i = 0; i < t->peers.n; i++) {
		const struct config_peer *p = &t->peers.v[i];

		memcpy(g.peer, p->key, sizeof(g.peer));
		for (size_t j = 0; j < p->addresses.n; j++) {
			const struct ip_prefix host = ip_prefix_host(&p->addresses.v[j]);

			if (!ip_addr_is_link_local(&p->addresses.v[j]))
				rib_set(rib, FIBMSG_OVERLAY, &host, RIB_CONNECTED, iface_tag(t->name),
				    RIB_DISTANCE_CONNECTED, &g, 1);
		}
	}
}

static void add_static(struct rib *rib, const struct config *c, const struct config_route *r)
{
	static const uint8_t kinds[] = {[CONFIG_ROUTE_FORWARD] = FIBMSG_NH_VIA,
	    [CONFIG_ROUTE_UNREACHABLE] = FIBMSG_NH_UNREACHABLE,
	    [CONFIG_ROUTE_PROHIBIT] = FIBMSG_NH_PROHIBIT,
	    [CONFIG_ROUTE_BLACKHOLE] = FIBMSG_NH_BLACKHOLE};
	const struct config_tunnel *t = r->tunnel != NULL ? config_find_tunnel(c, r->tunnel) : NULL;
	const struct config_peer *peer = NULL;
	struct rib_gateway g = {.kind = kinds[r->type], .addr = r->via};

	if (r->interface != NULL)
		snprintf(g.iface, sizeof(g.iface), "%s", r->interface);
	if (t != NULL) {
		g.kind = FIBMSG_NH_TUNNEL;
		snprintf(g.iface, sizeof(g.iface), "%s", r->tunnel);
		if (r->peer != NULL)
			peer = config_find_peer(t, r->peer);
		else if (t->peers.n == 1)
			peer = &t->peers.v[0];
		if (peer != NULL)
			memcpy(g.peer, peer->key, sizeof(g.peer));
	}
	rib_set(rib, FIBMSG_OVERLAY, &r->prefix, RIB_STATIC, r->distance, (uint8_t)r->distance, &g, 1);
}

static const struct ip_addr *gateway_of(const struct config_port *p, uint8_t family)
{
	for (size_t i = 0; i < p->gateways.n; i++) {
		if (p->gateways.v[i].family == family)
			return &p->gateways.v[i];
	}
	return NULL;
}

static int by_preference(const void *a, const void *b)
{
	const struct config_port *p = *(const struct config_port *const *)a,
				 *q = *(const struct config_port *const *)b;

	return p->preference < q->preference ? -1 : p->preference > q->preference;
}

/* 0/0: in each underlay over its own gateway, in the overlay over all of them, the preferred one first. */
static void add_defaults(struct rib *rib, const struct config *c, uint8_t family)
{
	const struct config_port **wans = calloc(c->ports.n + 1, sizeof(const struct config_port *));
	const struct ip_prefix everything = {.addr = {.family = family}};
	struct rib_gateway gateways[RIB_GATEWAYS];
	unsigned n_wans = 0, n = 0;

	if (wans == NULL)
		abort();
	for (size_t i = 0; i < c->ports.n; i++) {
		if (c->ports.v[i].role == CONFIG_ROLE_WAN)
			wans[n_wans++] = &c->ports.v[i];
	}
	qsort(wans, n_wans, sizeof(wans[0]), by_preference);
	for (unsigned i = 0; i < n_wans; i++) {
		const struct ip_addr *gateway = gateway_of(wans[i], family);
		struct rib_gateway g = {.kind = FIBMSG_NH_VIA};

		if (gateway == NULL)
			continue;
		g.addr = *gateway;
		snprintf(g.iface, sizeof(g.iface), "%s", wans[i]->name);
		rib_set(rib, fibmsg_line_table(wans[i]->name), &everything, RIB_BUILTIN, 0,
		    RIB_DISTANCE_DEFAULT, &g, 1);
		if (n < RIB_GATEWAYS)
			gateways[n++] = g;
	}
	if (n > 0)
		rib_set(rib, FIBMSG_OVERLAY, &everything, RIB_BUILTIN, 0, RIB_DISTANCE_DEFAULT, gateways, n);
	free(wans);
}

static void add_unreachables(struct rib *rib)
{
	static const struct rib_gateway unreachable = {.kind = FIBMSG_NH_UNREACHABLE};
	struct ip_prefix prefix;

	for (size_t i = 0; i < sizeof(private_space) / sizeof(private_space[0]); i++) {
		if (ip_prefix_parse(private_space[i], &prefix, NULL) == 0)
			rib_set(rib, FIBMSG_OVERLAY, &prefix, RIB_BUILTIN, 1, RIB_DISTANCE_UNREACHABLE,
			    &unreachable, 1);
	}
}

void local_routes_build(struct rib *rib, const struct config *c, const struct daemon_address *addresses,
    size_t n_addresses, struct local_routes *out)
{
	memset(out, 0, sizeof(*out));
	rib_name_table(rib, FIBMSG_OVERLAY, "overlay");
	rib_local_begin(rib);
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct config_port *p = &c->ports.v[i];

		if (p->role == CONFIG_ROLE_WAN)
			rib_name_table(rib, fibmsg_line_table(p->name), p->name);
		for (size_t j = 0; j < p->addresses.n; j++)
			add_connected(rib, c, p->name, &p->addresses.v[j], out);
	}
	for (size_t i = 0; i < c->tunnels.n; i++) {
		for (size_t j = 0; j < c->tunnels.v[i].addresses.n; j++)
			add_connected(rib, c, c->tunnels.v[i].name, &c->tunnels.v[i].addresses.v[j], out);
		add_peers(rib, &c->tunnels.v[i]);
	}
	for (size_t i = 0; i < n_addresses; i++)
		add_connected(rib, c, addresses[i].iface, &addresses[i].address, out);
	for (size_t i = 0; i < c->routes.n; i++)
		add_static(rib, c, &c->routes.v[i]);
	add_defaults(rib, c, IP_V4);
	add_defaults(rib, c, IP_V6);
	add_unreachables(rib);
	rib_local_end(rib);
}

void local_routes_free(struct local_routes *out)
{
	free(out->connected);
	memset(out, 0, sizeof(*out));
}

void local_routes_neighbour(const struct config *c, struct rib_gateway *g)
{
	const struct config_tunnel *t = config_find_tunnel(c, g->iface);
	const struct config_peer *peer;

	if (t == NULL)
		return;
	peer = config_find_peer_at(t, &g->addr);
	g->kind = FIBMSG_NH_TUNNEL;
	memset(&g->addr, 0, sizeof(g->addr));
	if (peer != NULL)
		memcpy(g->peer, peer->key, sizeof(g->peer));
}
