/* SPDX-License-Identifier: BSD-3-Clause */
/* From configuration to the dataplane's objects. Control's only thread. */
#include "control/config_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fibmsg *add(struct config_objects *o, uint16_t type)
{
	struct fibmsg *m;

	if (o->n == o->size) {
		o->size = o->size == 0 ? 64 : o->size * 2;
		o->v = realloc(o->v, o->size * sizeof(*o->v));
		if (o->v == NULL)
			abort();
	}
	m = &o->v[o->n++];
	memset(m, 0, sizeof(*m));
	m->type = type;
	return m;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from != NULL ? from : "");
}

static void add_router(const struct config *c, struct config_objects *o)
{
	struct fibmsg_router *r = &add(o, FIBMSG_SET_ROUTER)->u.router;

	copy(r->name, sizeof(r->name), c->router->name);
	r->icmp_rate = (uint16_t)c->router->icmp_rate;
	for (size_t i = 0; i < c->router->source.n; i++) {
		const struct ip_addr *a = &c->router->source.v[i];

		*(a->family == IP_V4 ? &r->source4 : &r->source6) = *a;
	}
}

static void add_port(const struct config_port *p, struct config_objects *o)
{
	struct fibmsg_port *port = &add(o, FIBMSG_SET_PORT)->u.port;

	copy(port->name, sizeof(port->name), p->name);
	copy(port->device, sizeof(port->device), p->device);
	port->role = p->role == CONFIG_ROLE_WAN ? FIBMSG_ROLE_WAN : FIBMSG_ROLE_LAN;
	port->table = p->role == CONFIG_ROLE_WAN ? fibmsg_line_table(p->name) : FIBMSG_OVERLAY;
	port->mtu = (uint16_t)p->mtu;
	memcpy(port->mac, p->mac, sizeof(port->mac));
	port->queues = (uint8_t)p->queues;
	port->bypass = p->bypass == CONFIG_BYPASS_KERNEL;
}

static void add_line(const struct config_port *p, uint8_t override_to, struct config_objects *o)
{
	struct fibmsg_line *line = &add(o, FIBMSG_SET_LINE)->u.line;

	copy(line->port, sizeof(line->port), p->name);
	for (size_t i = 0; i < p->gateways.n; i++) {
		const struct ip_addr *g = &p->gateways.v[i];

		*(g->family == IP_V4 ? &line->gateway4 : &line->gateway6) = *g;
	}
	line->preference = (uint16_t)p->preference;
	line->metered = p->metered;
	line->override_to = override_to;
	line->interval_ms = p->probe->interval_ms;
	line->timeout_ms = p->probe->timeout_ms;
	line->hold_down_ms = p->probe->hold_down_ms;
	line->down_after = (uint16_t)p->probe->down_after;
	line->n_targets = (uint8_t)p->probe->targets.n;
	for (size_t i = 0; i < p->probe->targets.n; i++)
		line->targets[i] = p->probe->targets.v[i];
	line->n_prefixes = (uint8_t)p->prefixes.n;
	for (size_t i = 0; i < p->prefixes.n; i++)
		line->prefixes[i] = p->prefixes.v[i];
}

static void add_tunnel(const struct config_tunnel *t, struct config_objects *o)
{
	struct fibmsg_tunnel *tunnel = &add(o, FIBMSG_SET_TUNNEL)->u.tunnel;

	copy(tunnel->name, sizeof(tunnel->name), t->name);
	copy(tunnel->key_path, sizeof(tunnel->key_path), t->key_path);
	tunnel->listen_port = (uint16_t)t->listen_port;
	copy(tunnel->line, sizeof(tunnel->line), strcmp(t->line, "active") == 0 ? "" : t->line);
	tunnel->fallback = t->fallback;
	tunnel->mtu = (uint16_t)t->mtu;
	tunnel->mss_clamp = t->mss_clamp;
	tunnel->fragment = (uint8_t)t->fragment;
	tunnel->fwmark = t->fwmark;
}

static void add_addresses(
    const char *iface, const struct config_prefixes *addresses, struct config_objects *o)
{
	for (size_t i = 0; i < addresses->n; i++) {
		struct fibmsg_address *a = &add(o, FIBMSG_SET_ADDRESS)->u.address;

		copy(a->iface, sizeof(a->iface), iface);
		a->address = addresses->v[i];
	}
}

const struct ip_addr *config_objects_probe_target(
    const struct config *c, const struct config_tunnel *t, const struct config_peer *p)
{
	for (size_t i = 0; c->bgp != NULL && i < c->bgp->peers.n; i++) {
		const struct config_bgp_peer *b = &c->bgp->peers.v[i];
		const char *iface = config_bgp_interface(c, b);

		if (iface != NULL && strcmp(iface, t->name) == 0 && config_find_peer_at(t, &b->address) == p)
			return &b->address;
	}
	return NULL;
}

static void add_peer(const struct config *c, const struct config_tunnel *t, const struct config_peer *p,
    struct config_objects *o)
{
	struct fibmsg_peer *peer = &add(o, FIBMSG_SET_PEER)->u.peer;
	const struct ip_addr *target =
	    p->probe->target.family != IP_NONE ? &p->probe->target : config_objects_probe_target(c, t, p);

	copy(peer->tunnel, sizeof(peer->tunnel), t->name);
	memcpy(peer->key, p->key, sizeof(peer->key));
	copy(peer->name, sizeof(peer->name), p->name);
	copy(peer->psk_path, sizeof(peer->psk_path), p->psk_path);
	if (p->endpoint.host == NULL) /* else endpoints.c fills it in */
		peer->endpoint = p->endpoint.address;
	peer->keepalive_s = (uint16_t)p->keepalive_s;
	peer->any = p->allowed_ips.n == 0;
	if (!p->probe->off && target != NULL)
		peer->probe = *target;
	peer->interval_ms = p->probe->interval_ms;
	peer->timeout_ms = p->probe->timeout_ms;
	peer->hold_down_ms = p->probe->hold_down_ms;
	peer->down_after = (uint16_t)p->probe->down_after;
}

static void add_allowed_ip(const struct config_tunnel *t, const struct config_peer *p,
    const struct ip_prefix *prefix, struct config_objects *o)
{
	struct fibmsg_allowed_ip *a = &add(o, FIBMSG_SET_ALLOWED_IP)->u.allowed_ip;

	copy(a->tunnel, sizeof(a->tunnel), t->name);
	memcpy(a->key, p->key, sizeof(a->key));
	a->prefix = *prefix;
}

/* A peer's own addresses are its in the dataplane's table of lists, too, though it has no list. */
static void add_allowed_ips(
    const struct config_tunnel *t, const struct config_peer *p, struct config_objects *o)
{
	for (size_t i = 0; i < p->allowed_ips.n; i++)
		add_allowed_ip(t, p, &p->allowed_ips.v[i], o);
	for (size_t i = 0; i < p->addresses.n; i++) {
		const struct ip_prefix host = ip_prefix_host(&p->addresses.v[i]);
		bool listed = false;

		for (size_t j = 0; j < p->allowed_ips.n && !listed; j++)
			listed = ip_prefix_equal(&p->allowed_ips.v[j], &host);
		if (!listed)
			add_allowed_ip(t, p, &host, o);
	}
}

static uint8_t override_of(const struct config_override *overrides, size_t n, const char *line)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(overrides[i].line, line) == 0)
			return overrides[i].to;
	}
	return FIBMSG_OVERRIDE_AUTO;
}

void config_objects_build(const struct config *c, const struct config_override *overrides, size_t n_overrides,
    struct config_objects *out)
{
	memset(out, 0, sizeof(*out));
	add_router(c, out);
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct config_port *p = &c->ports.v[i];

		add_port(p, out);
		if (p->role == CONFIG_ROLE_WAN)
			add_line(p, override_of(overrides, n_overrides, p->name), out);
		add_addresses(p->name, &p->addresses, out);
	}
	for (size_t i = 0; i < c->tunnels.n; i++) {
		const struct config_tunnel *t = &c->tunnels.v[i];

		add_tunnel(t, out);
		add_addresses(t->name, &t->addresses, out);
		for (size_t j = 0; j < t->peers.n; j++) {
			add_peer(c, t, &t->peers.v[j], out);
			add_allowed_ips(t, &t->peers.v[j], out);
		}
	}
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(out->v[0]),
		    (int (*)(const void *, const void *))config_objects_compare);
}

static int rank(uint16_t type)
{
	static const uint16_t order[] = {FIBMSG_SET_ROUTER, FIBMSG_SET_PORT, FIBMSG_SET_LINE,
	    FIBMSG_SET_TUNNEL, FIBMSG_SET_ADDRESS, FIBMSG_SET_PEER, FIBMSG_SET_ALLOWED_IP};
	int i = 0;

	while (i < (int)(sizeof(order) / sizeof(order[0])) && order[i] != type)
		i++;
	return i;
}

/* Interface's name of an object: its own, or that of what it belongs to. */
static const char *iface_of(const struct fibmsg *m)
{
	switch (m->type) {
	case FIBMSG_SET_PORT:
		return m->u.port.name;
	case FIBMSG_SET_LINE:
		return m->u.line.port;
	case FIBMSG_SET_TUNNEL:
		return m->u.tunnel.name;
	case FIBMSG_SET_ADDRESS:
		return m->u.address.iface;
	case FIBMSG_SET_PEER:
		return m->u.peer.tunnel;
	case FIBMSG_SET_ALLOWED_IP:
		return m->u.allowed_ip.tunnel;
	default:
		return "";
	}
}

int config_objects_compare(const struct fibmsg *a, const struct fibmsg *b)
{
	int d = rank(a->type) - rank(b->type);

	if (d == 0)
		d = strcmp(iface_of(a), iface_of(b));
	if (d != 0)
		return d;
	if (a->type == FIBMSG_SET_ADDRESS)
		return memcmp(&a->u.address.address, &b->u.address.address, sizeof(a->u.address.address));
	if (a->type == FIBMSG_SET_PEER)
		return memcmp(a->u.peer.key, b->u.peer.key, sizeof(a->u.peer.key));
	if (a->type == FIBMSG_SET_ALLOWED_IP) {
		d = memcmp(a->u.allowed_ip.key, b->u.allowed_ip.key, sizeof(a->u.allowed_ip.key));
		return d != 0 ? d : ip_prefix_cmp(&a->u.allowed_ip.prefix, &b->u.allowed_ip.prefix);
	}
	return 0;
}

bool config_objects_delete(const struct fibmsg *set, struct fibmsg *del)
{
	memset(del, 0, sizeof(*del));
	switch (set->type) {
	case FIBMSG_SET_PORT:
	case FIBMSG_SET_LINE:
	case FIBMSG_SET_TUNNEL:
		copy(del->u.name.name, sizeof(del->u.name.name), iface_of(set));
		break;
	case FIBMSG_SET_ADDRESS:
		del->u.address = set->u.address;
		break;
	case FIBMSG_SET_PEER:
		memcpy(del->u.peer_key.tunnel, set->u.peer.tunnel, FIBMSG_NAME);
		memcpy(del->u.peer_key.key, set->u.peer.key, sizeof(del->u.peer_key.key));
		break;
	case FIBMSG_SET_ALLOWED_IP:
		del->u.allowed_ip = set->u.allowed_ip;
		break;
	default:
		return false;
	}
	del->type = (uint16_t)(set->type + 1); /* as lib/fibmsg.h numbers them */
	return true;
}

const char *config_objects_needs(const struct fibmsg *set)
{
	switch (set->type) {
	case FIBMSG_SET_LINE:
	case FIBMSG_SET_ADDRESS:
	case FIBMSG_SET_PEER:
	case FIBMSG_SET_ALLOWED_IP:
		return iface_of(set);
	case FIBMSG_SET_TUNNEL:
		return set->u.tunnel.line[0] != '\0' ? set->u.tunnel.line : NULL;
	default:
		return NULL;
	}
}

const char *config_objects_name(const struct fibmsg *set, char *buf, size_t size)
{
	char text[IP_PREFIX_STRLEN];

	switch (set->type) {
	case FIBMSG_SET_PORT:
		snprintf(buf, size, "port %s", set->u.port.name);
		break;
	case FIBMSG_SET_LINE:
		snprintf(buf, size, "line %s", set->u.line.port);
		break;
	case FIBMSG_SET_TUNNEL:
		snprintf(buf, size, "tunnel %s", set->u.tunnel.name);
		break;
	case FIBMSG_SET_ADDRESS:
		snprintf(buf, size, "address %s of %s", ip_prefix_format(&set->u.address.address, text),
		    set->u.address.iface);
		break;
	case FIBMSG_SET_PEER:
		snprintf(buf, size, "peer %s of tunnel %s", set->u.peer.name, set->u.peer.tunnel);
		break;
	case FIBMSG_SET_ALLOWED_IP:
		snprintf(buf, size, "allowed-ip %s of tunnel %s",
		    ip_prefix_format(&set->u.allowed_ip.prefix, text), set->u.allowed_ip.tunnel);
		break;
	default:
		fibmsg_format(set, buf, size);
		break;
	}
	return buf;
}
