/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The router's identity, static routes, prefix lists, filters and BGP: references, conflicts, and what
 * belongs together. Called by config.c; control's only thread.
 */
#include <stdio.h>
#include <string.h>

#include "control/config_check.h"

#define MAX_NAMES 32 /* offered as what there is */

static void check_router(const struct config_check *k)
{
	const struct config_router *r = k->c->router;

	if (r->id.family == IP_NONE) {
		if (k->c->bgp != NULL)
			config_check_error(k, &k->c->bgp->at, NULL, -1,
			    "BGP needs an identifier and there is no IPv4 address to take; expected "
			    "router.id");
	} else if (ip_addr_is_zero(&r->id)) {
		config_check_error(k, &r->at, "id", -1, "0.0.0.0 cannot be a BGP identifier (RFC 6286 §2.1)");
	}
	if (r->source.n == 2 && r->source.v[0].family == r->source.v[1].family &&
	    r->source.v[0].family != IP_NONE)
		config_check_error(k, &r->at, "source", 1,
		    "a second source of the same family; expected at most one of each");
}

static bool is_interface(const struct config *c, const char *name)
{
	return config_find_port(c, name) != NULL || config_find_tunnel(c, name) != NULL;
}

static size_t list_interfaces(const struct config *c, const char **names)
{
	size_t n = 0;

	for (size_t i = 0; i < c->ports.n && n < MAX_NAMES; i++)
		names[n++] = c->ports.v[i].name;
	for (size_t i = 0; i < c->tunnels.n && n < MAX_NAMES; i++)
		names[n++] = c->tunnels.v[i].name;
	return n;
}

static void check_interface(
    const struct config_check *k, const struct config_at *at, const char *key, const char *name)
{
	const char *names[MAX_NAMES];
	char text[200];

	if (name == NULL || is_interface(k->c, name))
		return;
	config_check_error(k, at, key, -1, "there is no port or tunnel %s; %s", name,
	    config_check_suggest(name, names, list_interfaces(k->c, names), text, sizeof(text)));
}

static void check_route_tunnel(const struct config_check *k, const struct config_route *r)
{
	const struct config_tunnel *t = config_find_tunnel(k->c, r->tunnel);
	const char *names[MAX_NAMES];
	char text[200];
	size_t n = 0;

	if (t == NULL) {
		for (size_t i = 0; i < k->c->tunnels.n && n < MAX_NAMES; i++)
			names[n++] = k->c->tunnels.v[i].name;
		config_check_error(k, &r->at, "tunnel", -1, "there is no tunnel %s; %s", r->tunnel,
		    config_check_suggest(r->tunnel, names, n, text, sizeof(text)));
	} else if (r->peer != NULL && config_find_peer(t, r->peer) == NULL) {
		for (size_t i = 0; i < t->peers.n && n < MAX_NAMES; i++) {
			if (t->peers.v[i].name != NULL)
				names[n++] = t->peers.v[i].name;
		}
		config_check_error(k, &r->at, "peer", -1, "tunnel %s has no peer %s; %s", r->tunnel, r->peer,
		    config_check_suggest(r->peer, names, n, text, sizeof(text)));
	}
}

/* Of a tunnel's peer, wherever the tunnel's subnets are: the way there is known. */
static bool is_peer_address(const struct config *c, const struct ip_addr *a)
{
	for (size_t i = 0; i < c->tunnels.n; i++) {
		const struct config_peers *peers = &c->tunnels.v[i].peers;

		for (size_t j = 0; j < peers->n; j++) {
			for (size_t n = 0; n < peers->v[j].addresses.n; n++) {
				if (ip_addr_equal(&peers->v[j].addresses.v[n], a))
					return true;
			}
		}
	}
	return false;
}

static void check_route_gateway(const struct config_check *k, const struct config_route *r)
{
	char text[IP_ADDR_STRLEN];

	check_interface(k, &r->at, "interface", r->interface);
	if (ip_addr_is_link_local(&r->via) && r->interface == NULL)
		config_check_error(k, &r->at, "via", -1,
		    "a link-local gateway is on every interface; expected the key interface, too");
	else if (r->interface == NULL && config_find_interface(k->c, &r->via) == NULL &&
		 !is_peer_address(k->c, &r->via))
		config_check_warn(k, &r->at, "via", -1,
		    "%s is in no subnet of a port or tunnel; the route stays inactive until one holds it",
		    ip_addr_format(&r->via, text));
	if (r->prefix.addr.family != IP_NONE && r->prefix.addr.family != r->via.family)
		config_check_error(k, &r->at, "via", -1, "gateway and prefix are of different families");
}

static void check_route(const struct config_check *k, const struct config_route *r)
{
	const int ways = (r->via.family != IP_NONE) + (r->tunnel != NULL) + (r->type != CONFIG_ROUTE_FORWARD);

	if (ways > 1)
		config_check_error(k, &r->at, NULL, -1,
		    "a route goes one way; expected one of via, tunnel and type (not forward)");
	else if (ways == 0 && yaml_doc_find(k->doc, r->at.node, "via") == 0)
		config_check_error(
		    k, &r->at, NULL, -1, "a route needs a way; expected via, tunnel, or type: unreachable");
	if (r->peer != NULL && r->tunnel == NULL)
		config_check_error(
		    k, &r->at, "peer", -1, "peer names the peer of a tunnel; expected the key tunnel, too");
	if (r->interface != NULL && r->via.family == IP_NONE)
		config_check_error(
		    k, &r->at, "interface", -1, "interface belongs to a gateway; expected the key via, too");
	if (r->tunnel != NULL)
		check_route_tunnel(k, r);
	if (r->via.family != IP_NONE)
		check_route_gateway(k, r);
}

static void check_routes(const struct config_check *k)
{
	const struct config_routes *routes = &k->c->routes;

	for (size_t i = 0; i < routes->n; i++) {
		check_route(k, &routes->v[i]);
		for (size_t j = 0; j < i && i < 4096; j++) {
			if (routes->v[i].prefix.addr.family != IP_NONE &&
			    ip_prefix_equal(&routes->v[i].prefix, &routes->v[j].prefix) &&
			    routes->v[i].distance == routes->v[j].distance)
				config_check_error(k, &routes->v[i].at, "prefix", -1,
				    "the route in line %u has the same prefix and distance; expected another "
				    "distance",
				    routes->v[j].at.line);
		}
	}
}

static void check_filters(const struct config_check *k)
{
	const char *names[MAX_NAMES];
	char text[200];
	size_t n = 0;

	for (size_t i = 0; i < k->c->prefix_lists.n && n < MAX_NAMES; i++)
		names[n++] = k->c->prefix_lists.v[i].name;
	for (size_t i = 0; i < k->c->filters.n; i++) {
		const struct config_filter *f = &k->c->filters.v[i];

		for (size_t j = 0; j < f->n; j++) {
			const struct config_rule *rule = &f->v[j];
			const char *list = rule->match != NULL ? rule->match->prefix_list : NULL;

			if (list != NULL && config_find_prefix_list(k->c, list) == NULL)
				config_check_error(k, &rule->match->at, "prefix-list", -1,
				    "there is no prefix list %s; %s", list,
				    config_check_suggest(list, names, n, text, sizeof(text)));
			if (rule->set != NULL && rule->action == CONFIG_ACTION_REJECT)
				config_check_warn(
				    k, &rule->at, "set", -1, "a rule that rejects sets nothing");
		}
	}
}

static void check_filter_name(
    const struct config_check *k, const struct config_bgp_peer *p, const char *key, const char *name)
{
	const char *names[MAX_NAMES];
	char text[200];
	size_t n = 0;

	if (name == NULL) {
		if (p->as != k->c->bgp->as && p->as != 0)
			config_check_warn(k, &p->at, NULL, -1,
			    "peer %s has no %s filter: nothing is %s (RFC 8212)", p->name, key,
			    strcmp(key, "import") == 0 ? "accepted" : "announced");
		return;
	}
	if (config_find_filter(k->c, name) != NULL)
		return;
	for (size_t i = 0; i < k->c->filters.n && n < MAX_NAMES; i++)
		names[n++] = k->c->filters.v[i].name;
	config_check_error(k, &p->at, key, -1, "there is no filter %s; %s", name,
	    config_check_suggest(name, names, n, text, sizeof(text)));
}

static bool is_own_address(const struct config *c, const struct ip_addr *a)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		for (size_t j = 0; j < c->ports.v[i].addresses.n; j++) {
			if (ip_addr_equal(&c->ports.v[i].addresses.v[j].addr, a))
				return true;
		}
	}
	for (size_t i = 0; i < c->tunnels.n; i++) {
		for (size_t j = 0; j < c->tunnels.v[i].addresses.n; j++) {
			if (ip_addr_equal(&c->tunnels.v[i].addresses.v[j].addr, a))
				return true;
		}
	}
	return false;
}

static void check_bgp_address(const struct config_check *k, const struct config_bgp_peer *p)
{
	char text[IP_ADDR_STRLEN];

	if (p->address.family == IP_NONE)
		return;
	ip_addr_format(&p->address, text);
	if (is_own_address(k->c, &p->address))
		config_check_error(k, &p->at, "address", -1,
		    "%s is an address of this router; expected the neighbour's", text);
	else if (ip_addr_is_link_local(&p->address) && p->interface == NULL)
		config_check_error(
		    k, &p->at, "address", -1, "a link-local neighbour needs the key interface, too");
	else if (!ip_addr_is_link_local(&p->address) && config_find_interface(k->c, &p->address) == NULL)
		config_check_warn(k, &p->at, "address", -1,
		    "%s is in no subnet of a port or tunnel; expected a direct neighbour", text);
}

/* On a tunnel of several peers somebody has to be at the neighbour's address. */
static void check_bgp_tunnel(const struct config_check *k, const struct config_bgp_peer *p)
{
	const char *iface = config_bgp_interface(k->c, p);
	const struct config_tunnel *t = iface != NULL ? config_find_tunnel(k->c, iface) : NULL;
	char text[IP_ADDR_STRLEN];

	if (t != NULL && t->peers.n > 1 && p->address.family != IP_NONE &&
	    config_find_peer_at(t, &p->address) == NULL)
		config_check_warn(k, &p->at, "address", -1,
		    "no peer of tunnel %s has %s in its addresses or allowed-ips; expected one", t->name,
		    ip_addr_format(&p->address, text));
}

static void check_bgp_peer(const struct config_check *k, size_t index)
{
	const struct config_bgp *bgp = k->c->bgp;
	const struct config_bgp_peer *p = &bgp->peers.v[index];

	check_bgp_address(k, p);
	check_bgp_tunnel(k, p);
	check_interface(k, &p->at, "interface", p->interface);
	check_filter_name(k, p, "import", p->import_filter);
	check_filter_name(k, p, "export", p->export_filter);
	if (p->as == 23456)
		config_check_error(
		    k, &p->at, "as", -1, "23456 stands for an AS that does not fit (RFC 6793 §9)");
	for (size_t i = 0; i < index; i++) {
		if (p->address.family != IP_NONE && ip_addr_equal(&p->address, &bgp->peers.v[i].address) &&
		    !ip_addr_is_link_local(&p->address))
			config_check_error(k, &p->at, "address", -1, "peer %s has this address already",
			    bgp->peers.v[i].name);
	}
}

static void check_bgp(const struct config_check *k)
{
	const struct config_bgp *bgp = k->c->bgp;

	if (bgp->as == 23456)
		config_check_error(
		    k, &bgp->at, "as", -1, "23456 stands for an AS that does not fit (RFC 6793 §9)");
	for (size_t i = 0; i < bgp->networks.n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (bgp->networks.v[i].addr.family != IP_NONE &&
			    ip_prefix_equal(&bgp->networks.v[i], &bgp->networks.v[j]))
				config_check_error(
				    k, &bgp->at, "networks", (int)i, "this prefix is in the list already");
		}
	}
	for (size_t i = 0; i < bgp->peers.n; i++)
		check_bgp_peer(k, i);
}

void config_check_routing(const struct config_check *k)
{
	check_router(k);
	check_routes(k);
	check_filters(k);
	if (k->c->bgp != NULL)
		check_bgp(k);
}

void config_check_all(const struct config_check *k)
{
	config_check_ports(k);
	config_check_tunnels(k);
	config_check_routing(k);
}
