/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports, lines and tunnels: references, conflicts, and what belongs together. The rest is in
 * config_check_bgp.c. Called by config.c; control's only thread.
 */
#include "control/config_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/schema.h"
#include "lib/fibmsg.h"

static void place(const struct config_check *k, const struct config_at *at, const char *key, int item,
    uint32_t *line, uint32_t *column)
{
	int node = 0;

	*line = at->line;
	*column = at->column;
	if (key != NULL && at->node != 0)
		node = yaml_doc_find(k->doc, at->node, key);
	if (node != 0 && item >= 0 && yaml_doc_kind(k->doc, node) == YAML_DOC_SEQUENCE &&
	    (size_t)item < yaml_doc_count(k->doc, node))
		node = yaml_doc_item(k->doc, node, (size_t)item);
	if (node != 0)
		yaml_doc_where(k->doc, node, line, column);
}

void config_check_error(
    const struct config_check *k, const struct config_at *at, const char *key, int item, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	uint32_t line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	place(k, at, key, item, &line, &column);
	diag_error(k->diag, line, column, "%s", text);
}

void config_check_warn(
    const struct config_check *k, const struct config_at *at, const char *key, int item, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	uint32_t line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	place(k, at, key, item, &line, &column);
	diag_warn(k->diag, line, column, "%s", text);
}

const char *config_check_suggest(const char *name, const char *const *names, size_t n, char *buf, size_t size)
{
	const char *nearest = schema_nearest(name, names, n);
	size_t used = 0;

	if (nearest != NULL) {
		snprintf(buf, size, "did you mean %s?", nearest);
		return buf;
	}
	if (n == 0) {
		snprintf(buf, size, "none is defined");
		return buf;
	}
	used = (size_t)snprintf(buf, size, "expected one of ");
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
	return buf;
}

static void check_interface_name(const struct config_check *k, const struct config_at *at, const char *name)
{
	static const char *const reserved[] = {"active", "byway0", "lo", "all", "default"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcmp(name, reserved[i]) == 0)
			config_check_error(
			    k, at, NULL, -1, "the name %s is reserved; expected another one", name);
	}
}

static void check_addresses(
    const struct config_check *k, const struct config_at *at, const struct config_prefixes *addresses)
{
	char text[IP_PREFIX_STRLEN];

	for (size_t i = 0; i < addresses->n; i++) {
		const struct ip_prefix *p = &addresses->v[i];

		if (p->addr.family == IP_NONE)
			continue; /* was not readable, and has been named */
		if (ip_addr_is_zero(&p->addr) || ip_addr_is_multicast(&p->addr) ||
		    ip_addr_is_loopback(&p->addr))
			config_check_error(k, at, "addresses", (int)i,
			    "%s cannot be the address of an interface", ip_prefix_format(p, text));
	}
}

/* The same address twice, or overlapping subnets, among all interfaces before (and in) this one. */
static void compare_addresses(const struct config_check *k, const struct config_at *at, const char *name,
    const struct config_prefixes *mine, const char *other_name, const struct config_prefixes *others)
{
	char a[IP_PREFIX_STRLEN], b[IP_PREFIX_STRLEN];

	for (size_t i = 0; i < mine->n; i++) {
		const size_t n_others = mine == others ? i : others->n;

		for (size_t j = 0; j < n_others; j++) {
			const struct ip_prefix *p = &mine->v[i], *q = &others->v[j];

			if (p->addr.family == IP_NONE || p->addr.family != q->addr.family ||
			    ip_addr_is_link_local(&p->addr))
				continue;
			ip_prefix_format(p, a);
			ip_prefix_format(q, b);
			if (ip_addr_equal(&p->addr, &q->addr))
				config_check_error(k, at, "addresses", (int)i,
				    "%s of %s is an address of %s already", a, name, other_name);
			else if (mine != others && (ip_prefix_contains_addr(p, &q->addr) ||
						       ip_prefix_contains_addr(q, &p->addr)))
				config_check_warn(k, at, "addresses", (int)i,
				    "%s of %s overlaps with %s of %s; which of them is used is not certain",
				    a, name, b, other_name);
		}
	}
}

static void check_lan(const struct config_check *k, const struct config_port *p)
{
	static const char *const wan_keys[] = {"gateways", "prefixes", "preference", "metered", "probe"};

	for (size_t i = 0; i < sizeof(wan_keys) / sizeof(wan_keys[0]); i++) {
		if (yaml_doc_find(k->doc, p->at.node, wan_keys[i]) != 0)
			config_check_error(k, &p->at, wan_keys[i], -1,
			    "%s is a key of WANs, and %s has role: lan", wan_keys[i], p->name);
	}
}

static void check_gateways(const struct config_check *k, const struct config_port *p)
{
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < p->gateways.n; i++) {
		const struct ip_addr *g = &p->gateways.v[i];
		bool inside = ip_addr_is_link_local(g) || g->family == IP_NONE;

		for (size_t j = 0; j < p->addresses.n && !inside; j++)
			inside = ip_prefix_contains_addr(&p->addresses.v[j], g);
		if (!inside)
			config_check_error(k, &p->at, "gateways", (int)i,
			    "%s is in no subnet of %s's addresses; expected a neighbour on the line or a "
			    "link-local address",
			    ip_addr_format(g, text), p->name);
		for (size_t j = 0; j < i; j++) {
			if (p->gateways.v[j].family == g->family && g->family != IP_NONE)
				config_check_error(k, &p->at, "gateways", (int)i,
				    "a second gateway of the same family; expected at most one of each");
		}
	}
}

/* A WAN against the WANs before it. */
static void check_wan(const struct config_check *k, size_t index)
{
	const struct config_port *p = &k->c->ports.v[index];

	check_gateways(k, p);
	for (size_t i = 0; i < index; i++) {
		const struct config_port *q = &k->c->ports.v[i];

		if (q->role != CONFIG_ROLE_WAN)
			continue;
		if (q->preference == p->preference)
			config_check_error(k, &p->at, "preference", -1,
			    "%s and %s have the same preference %u; expected different ones, lower is "
			    "preferred",
			    q->name, p->name, p->preference);
		if (fibmsg_line_table(q->name) == fibmsg_line_table(p->name))
			config_check_error(k, &p->at, NULL, -1,
			    "the names %s and %s lead to the same table; expected another name", q->name,
			    p->name);
		for (size_t a = 0; a < p->prefixes.n; a++) {
			for (size_t b = 0; b < q->prefixes.n; b++) {
				if (p->prefixes.v[a].addr.family != IP_NONE &&
				    ip_prefix_equal(&p->prefixes.v[a], &q->prefixes.v[b]))
					config_check_error(k, &p->at, "prefixes", (int)a,
					    "this prefix is delegated to %s already", q->name);
			}
		}
	}
}

static void check_device(const struct config_check *k, size_t index)
{
	const struct config_port *p = &k->c->ports.v[index];

	for (size_t i = 0; i < k->c->ports.n; i++) {
		const struct config_port *q = &k->c->ports.v[i];

		if (i < index && strcmp(p->device, q->device != NULL ? q->device : "") == 0)
			config_check_error(k, &p->at, "device", -1, "%s is the device of port %s already",
			    p->device, q->name);
		if (strcmp(p->device, q->name) == 0)
			config_check_error(k, &p->at, "device", -1,
			    "device %s has the name of the host interface of port %s; expected another name "
			    "for the port",
			    p->device, q->name);
	}
}

void config_check_ports(const struct config_check *k)
{
	const struct config_ports *ports = &k->c->ports;

	for (size_t i = 0; i < ports->n; i++) {
		const struct config_port *p = &ports->v[i];

		check_interface_name(k, &p->at, p->name);
		check_addresses(k, &p->at, &p->addresses);
		if (p->device != NULL)
			check_device(k, i);
		if (p->role == CONFIG_ROLE_WAN)
			check_wan(k, i);
		else
			check_lan(k, p);
		for (size_t j = 0; j <= i; j++)
			compare_addresses(
			    k, &p->at, p->name, &p->addresses, ports->v[j].name, &ports->v[j].addresses);
	}
}

static void check_tunnel_line(const struct config_check *k, const struct config_tunnel *t)
{
	const struct config_port *p = config_find_port(k->c, t->line);
	const char *names[64];
	char text[160];
	size_t n = 0;

	for (size_t i = 0; i < k->c->ports.n && n < 63; i++) {
		if (k->c->ports.v[i].role == CONFIG_ROLE_WAN)
			names[n++] = k->c->ports.v[i].name;
	}
	if (strcmp(t->line, "active") == 0) {
		if (n == 0)
			config_check_error(k, &t->at, "line", -1,
			    "there is no line to follow; expected a port with role: wan");
		return;
	}
	names[n++] = "active";
	if (p == NULL)
		config_check_error(k, &t->at, "line", -1, "there is no line %s; %s", t->line,
		    config_check_suggest(t->line, names, n, text, sizeof(text)));
	else if (p->role != CONFIG_ROLE_WAN)
		config_check_error(k, &t->at, "line", -1,
		    "port %s is no line; expected a port with role: wan, or active", t->line);
}

static void compare_peers(const struct config_check *k, const struct config_tunnel *t,
    const struct config_peer *p, const struct config_peer *q)
{
	if (p->name != NULL && q->name != NULL && strcmp(p->name, q->name) == 0)
		config_check_error(k, &p->at, "name", -1, "tunnel %s has a peer %s already, in line %u",
		    t->name, p->name, q->at.line);
	if (memcmp(p->key, q->key, sizeof(p->key)) == 0)
		config_check_error(k, &p->at, "public-key", -1,
		    "tunnel %s has a peer with this key already, in line %u", t->name, q->at.line);
	for (size_t i = 0; i < p->allowed_ips.n; i++) {
		for (size_t j = 0; j < q->allowed_ips.n; j++) {
			if (p->allowed_ips.v[i].addr.family != IP_NONE &&
			    ip_prefix_equal(&p->allowed_ips.v[i], &q->allowed_ips.v[j]))
				config_check_error(k, &p->at, "allowed-ips", (int)i,
				    "this prefix is allowed for the peer in line %u already; expected one "
				    "peer for each",
				    q->at.line);
		}
	}
}

static bool has_host(const struct config_prefixes *list, const struct ip_addr *a)
{
	const struct ip_prefix host = ip_prefix_host(a);

	for (size_t i = 0; i < list->n; i++) {
		if (a->family != IP_NONE && ip_prefix_equal(&list->v[i], &host))
			return true;
	}
	return false;
}

static bool has_address(const struct config_addrs *list, size_t n, const struct ip_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (a->family != IP_NONE && ip_addr_equal(&list->v[i], a))
			return true;
	}
	return false;
}

/* Each address is one peer's: its packets go there, and what comes from it comes from there. */
static void check_peer_addresses(
    const struct config_check *k, const struct config_tunnel *t, const struct config_peer *p)
{
	for (size_t i = 0; i < p->addresses.n; i++) {
		const struct ip_addr *a = &p->addresses.v[i];

		if (has_address(&p->addresses, i, a))
			config_check_error(
			    k, &p->at, "addresses", (int)i, "this address is in the list already");
		for (size_t j = 0; j < t->addresses.n; j++) {
			if (a->family != IP_NONE && ip_addr_equal(&t->addresses.v[j].addr, a))
				config_check_error(k, &p->at, "addresses", (int)i,
				    "this is the tunnel's own address; expected one of the peer's");
		}
		for (size_t j = 0; j < t->peers.n; j++) {
			const struct config_peer *q = &t->peers.v[j];

			if (q != p && (has_host(&q->allowed_ips, a) ||
					  (q < p && has_address(&q->addresses, q->addresses.n, a))))
				config_check_error(k, &p->at, "addresses", (int)i,
				    "this address is the peer's in line %u; expected one peer for each",
				    q->at.line);
		}
	}
}

static void check_peers(const struct config_check *k, const struct config_tunnel *t)
{
	static const uint8_t zero[32];

	for (size_t i = 0; i < t->peers.n; i++) {
		const struct config_peer *p = &t->peers.v[i];

		if (memcmp(p->key, zero, sizeof(zero)) == 0)
			continue; /* not there or not readable, and has been named */
		for (size_t j = 0; j < i; j++)
			compare_peers(k, t, p, &t->peers.v[j]);
		check_peer_addresses(k, t, p);
	}
}

void config_check_tunnels(const struct config_check *k)
{
	const struct config_tunnels *tunnels = &k->c->tunnels;

	for (size_t i = 0; i < tunnels->n; i++) {
		const struct config_tunnel *t = &tunnels->v[i];

		check_interface_name(k, &t->at, t->name);
		if (config_find_port(k->c, t->name) != NULL)
			config_check_error(k, &t->at, NULL, -1,
			    "there is a port named %s, too; expected another name", t->name);
		for (size_t j = 0; j < k->c->ports.n; j++) {
			const struct config_port *p = &k->c->ports.v[j];

			if (p->device != NULL && strcmp(p->device, t->name) == 0)
				config_check_error(k, &t->at, NULL, -1,
				    "%s is the device of port %s; expected another name for the tunnel",
				    t->name, p->name);
			compare_addresses(k, &t->at, t->name, &t->addresses, p->name, &p->addresses);
		}
		check_addresses(k, &t->at, &t->addresses);
		check_tunnel_line(k, t);
		check_peers(k, t);
		for (size_t j = 0; j <= i; j++) {
			const struct config_tunnel *u = &tunnels->v[j];

			compare_addresses(k, &t->at, t->name, &t->addresses, u->name, &u->addresses);
			if (j < i && u->listen_port == t->listen_port && t->listen_port != 0)
				config_check_error(k, &t->at, "listen-port", -1,
				    "port %u is tunnel %s's already; expected a different one for each "
				    "tunnel",
				    t->listen_port, u->name);
		}
	}
}
