/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a SET message must meet before it changes anything: ranges of its fields, existence and fit
 * of what it names, no collision with what is there. Slow thread, through store.c.
 */
#include "dataplane/store_internal.h"

#include <stdio.h>
#include <string.h>

#include "lib/line.h"

#define MTU_MIN 576u /* RFC 791 §3.1: what every host must accept */
#define MTU_MAX 9216u

/* Most objects of a class; routes are bounded by store_route.c. Groups leave room for the dataplane's own. */
static const unsigned limits[STORE_ROUTE] = {1, 60, 60, 2000, 8192, 65000, 1u << 20, 65536, 49152};

/* A kernel interface name: 1 to 15 bytes, no slash, space or colon, and not one that is taken. */
static int check_iface_name(const char *name, struct err_msg *msg)
{
	if (!name[0])
		return err_set(msg, ERR_INVALID, "name is empty");
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lo") == 0 ||
	    strcmp(name, "byway0") == 0 || strcmp(name, "all") == 0 || strcmp(name, "default") == 0)
		return err_set(msg, ERR_INVALID, "\"%s\" is not free for an interface", name);
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '/' || *p == ':' || *p == '%')
			return err_set(
			    msg, ERR_INVALID, "name has a character that an interface may not have");
	}
	return 0;
}

static int check_mtu(uint16_t mtu, struct err_msg *msg)
{
	if (mtu != 0 && (mtu < MTU_MIN || mtu > MTU_MAX))
		return err_set(msg, ERR_RANGE, "mtu %u is not 0 or %u-%u", mtu, MTU_MIN, MTU_MAX);
	return 0;
}

/* An address that one station may have. */
static int check_unicast(const char *what, const struct ip_addr *a, struct err_msg *msg)
{
	char text[IP_ADDR_STRLEN];

	if (a->family == IP_NONE)
		return err_set(msg, ERR_INVALID, "%s is missing", what);
	if (ip_addr_is_zero(a) || ip_addr_is_multicast(a) || ip_addr_is_loopback(a))
		return err_set(
		    msg, ERR_INVALID, "%s %s is not a unicast address", what, ip_addr_format(a, text));
	return 0;
}

static int check_family(const char *what, const struct ip_addr *a, uint8_t family, struct err_msg *msg)
{
	if (a->family == IP_NONE)
		return 0;
	if (a->family != family)
		return err_set(msg, ERR_INVALID, "%s is not an IPv%u address", what, family);
	return check_unicast(what, a, msg);
}

static int check_probe(uint32_t interval_ms, uint32_t timeout_ms, uint32_t hold_down_ms, uint16_t down_after,
    struct err_msg *msg)
{
	struct line_params p = line_params_from_ms(interval_ms, timeout_ms, hold_down_ms, down_after);

	return line_check(&p, msg);
}

static struct store_object *find_name(const struct store *s, enum store_class class, const char *name)
{
	struct store_key key;

	store_key_name(class, name, &key);
	return store_find(s, &key);
}

static int check_router(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	int rc = check_family("source4", &m->u.router.source4, IP_V4, msg);

	return rc ? rc : check_family("source6", &m->u.router.source6, IP_V6, msg);
}

/* No two ports on one device or of one table. */
static int check_port_alone(const struct store *s, const struct fibmsg_port *p, struct err_msg *msg)
{
	for (struct store_object *o = store_first(s, STORE_PORT); o; o = store_after(o)) {
		struct fibmsg other;

		store_decode(o, &other);
		if (strcmp(other.u.port.name, p->name) == 0)
			continue;
		if (strcmp(other.u.port.device, p->device) == 0)
			return err_set(
			    msg, ERR_EXISTS, "device %s is port %s already", p->device, other.u.port.name);
		if (p->table != FIBMSG_OVERLAY && other.u.port.table == p->table)
			return err_set(msg, ERR_EXISTS, "table %u is that of port %s already", p->table,
			    other.u.port.name);
	}
	return 0;
}

static int check_port(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_port *p = &m->u.port;
	int rc = check_iface_name(p->name, msg);

	if (rc)
		return rc;
	if (find_name(s, STORE_TUNNEL, p->name))
		return err_set(msg, ERR_EXISTS, "a tunnel has this name");
	if (!p->device[0])
		return err_set(msg, ERR_INVALID, "device is empty");
	if (p->role != FIBMSG_ROLE_LAN && p->role != FIBMSG_ROLE_WAN)
		return err_set(msg, ERR_RANGE, "role %u is neither lan nor wan", p->role);
	if (p->role == FIBMSG_ROLE_WAN && p->table % 2 == 0)
		return err_set(msg, ERR_INVALID, "table %u is not a line's (an odd number)", p->table);
	if (p->role == FIBMSG_ROLE_LAN && p->table != FIBMSG_OVERLAY)
		return err_set(msg, ERR_INVALID, "a lan port has no table of its own");
	if (p->role == FIBMSG_ROLE_LAN && find_name(s, STORE_LINE, p->name))
		return err_set(msg, ERR_BUSY, "is a line and cannot become a lan port");
	if (p->mac[0] & 1)
		return err_set(msg, ERR_INVALID, "mac is a group address");
	if (p->bypass > 1)
		return err_set(msg, ERR_RANGE, "bypass %u is not 0 or 1", p->bypass);
	rc = check_mtu(p->mtu, msg);
	return rc ? rc : check_port_alone(s, p, msg);
}

static int check_address(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	if (m->u.address.address.len == 0)
		return err_set(msg, ERR_RANGE, "prefix length 0");
	return check_unicast("address", &m->u.address.address.addr, msg);
}

static int check_wan(const struct store *s, const char *port, struct err_msg *msg)
{
	struct store_object *o = find_name(s, STORE_PORT, port);
	struct fibmsg m;

	if (!o)
		return err_set(msg, ERR_NOENT, "port %s does not exist", port);
	store_decode(o, &m);
	if (m.u.port.role != FIBMSG_ROLE_WAN)
		return err_set(msg, ERR_INVALID, "port %s has not the role wan", port);
	return 0;
}

static int check_line(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_line *l = &m->u.line;
	int rc = check_wan(s, l->port, msg);

	if (!rc)
		rc = check_family("gateway4", &l->gateway4, IP_V4, msg);
	if (!rc)
		rc = check_family("gateway6", &l->gateway6, IP_V6, msg);
	for (unsigned i = 0; !rc && i < l->n_targets; i++)
		rc = check_unicast("probe target", &l->targets[i], msg);
	if (rc)
		return rc;
	for (unsigned i = 0; i < l->n_prefixes; i++) {
		if (l->prefixes[i].len == 0)
			return err_set(msg, ERR_RANGE, "delegated prefix of length 0");
	}
	if (l->override_to > FIBMSG_OVERRIDE_DOWN)
		return err_set(msg, ERR_RANGE, "override %u is not auto, up or down", l->override_to);
	if (l->metered > 1)
		return err_set(msg, ERR_RANGE, "metered %u is not 0 or 1", l->metered);
	return check_probe(l->interval_ms, l->timeout_ms, l->hold_down_ms, l->down_after, msg);
}

static int check_tunnel(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_tunnel *t = &m->u.tunnel;
	int rc = check_iface_name(t->name, msg);

	if (rc)
		return rc;
	if (find_name(s, STORE_PORT, t->name))
		return err_set(msg, ERR_EXISTS, "a port has this name");
	if (t->key_path[0] != '/')
		return err_set(msg, ERR_INVALID, "private key's path \"%s\" is not absolute", t->key_path);
	if (t->fallback > 1)
		return err_set(msg, ERR_RANGE, "fallback %u is not 0 or 1", t->fallback);
	if (t->mss_clamp > 1)
		return err_set(msg, ERR_RANGE, "mss-clamp %u is not 0 or 1", t->mss_clamp);
	if (t->fragment > FIBMSG_FRAGMENT_NEVER)
		return err_set(
		    msg, ERR_RANGE, "fragment %u, expected 0 to %u", t->fragment, FIBMSG_FRAGMENT_NEVER);
	for (struct store_object *o = store_first(s, STORE_TUNNEL); o && t->listen_port; o = store_after(o)) {
		struct fibmsg other;

		store_decode(o, &other);
		if (other.u.tunnel.listen_port == t->listen_port && strcmp(other.u.tunnel.name, t->name) != 0)
			return err_set(msg, ERR_EXISTS, "listen-port %u is that of tunnel %s already",
			    t->listen_port, other.u.tunnel.name);
	}
	rc = check_mtu(t->mtu, msg);
	return rc || !t->line[0] ? rc : check_wan(s, t->line, msg);
}

static int check_peer(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_peer *p = &m->u.peer;
	static const uint8_t zero[32];
	int rc = 0;

	if (memcmp(p->key, zero, sizeof(zero)) == 0)
		return err_set(msg, ERR_INVALID, "public key is zero");
	if (p->psk_path[0] && p->psk_path[0] != '/')
		return err_set(msg, ERR_INVALID, "preshared key's path \"%s\" is not absolute", p->psk_path);
	if (p->any > 1)
		return err_set(msg, ERR_RANGE, "any %u is not 0 or 1", p->any);
	if (p->endpoint.addr.family != IP_NONE) {
		rc = check_unicast("endpoint", &p->endpoint.addr, msg);
		if (!rc && p->endpoint.port == 0)
			rc = err_set(msg, ERR_RANGE, "endpoint's port is 0");
	}
	if (!rc && p->probe.family != IP_NONE) {
		rc = check_unicast("probe", &p->probe, msg);
		if (!rc)
			rc = check_probe(p->interval_ms, p->timeout_ms, p->hold_down_ms, p->down_after, msg);
	}
	return rc;
}

static int check_nexthop(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_nexthop *n = &m->u.nexthop;

	if (n->id == 0)
		return err_set(msg, ERR_RANGE, "id is 0");
	switch (n->kind) {
	case FIBMSG_NH_VIA:
	case FIBMSG_NH_CONNECTED:
		if (!find_name(s, STORE_PORT, n->iface))
			return err_set(msg, ERR_NOENT, "port %s does not exist", n->iface);
		return n->kind == FIBMSG_NH_VIA ? check_unicast("gateway", &n->gateway, msg) : 0;
	case FIBMSG_NH_TUNNEL:
		if (!find_name(s, STORE_TUNNEL, n->iface))
			return err_set(msg, ERR_NOENT, "tunnel %s does not exist", n->iface);
		return 0;
	case FIBMSG_NH_UNREACHABLE:
	case FIBMSG_NH_PROHIBIT:
	case FIBMSG_NH_BLACKHOLE:
		if (n->iface[0])
			return err_set(msg, ERR_INVALID, "leads nowhere and names interface %s", n->iface);
		return 0;
	default:
		return err_set(msg, ERR_RANGE, "kind %u is none of next hops", n->kind);
	}
}

static int check_group(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	const struct fibmsg_group *g = &m->u.group;

	if (g->id == 0)
		return err_set(msg, ERR_RANGE, "id is 0");
	if (g->mode != FIBMSG_GROUP_ORDERED && g->mode != FIBMSG_GROUP_WEIGHTED)
		return err_set(msg, ERR_RANGE, "mode %u is neither ordered nor weighted", g->mode);
	if (g->n_members == 0)
		return err_set(msg, ERR_RANGE, "has no members");
	for (unsigned i = 0; i < g->n_members; i++) {
		if (g->mode == FIBMSG_GROUP_WEIGHTED && g->members[i].weight == 0)
			return err_set(msg, ERR_RANGE, "weight of next hop %u is 0", g->members[i].nexthop);
		for (unsigned j = 0; j < i; j++) {
			if (g->members[i].nexthop == g->members[j].nexthop)
				return err_set(
				    msg, ERR_INVALID, "names next hop %u twice", g->members[i].nexthop);
		}
	}
	return 0;
}

static int check_route(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	if (m->u.route.prefix.addr.family == IP_NONE)
		return err_set(msg, ERR_INVALID, "prefix is missing");
	if (m->u.route.table != FIBMSG_OVERLAY && !store_table_exists(s, m->u.route.table))
		return err_set(msg, ERR_NOENT, "table %u is no port's", m->u.route.table);
	return 0;
}

static int check_allowed_ip(const struct store *s, const struct fibmsg *m, struct err_msg *msg)
{
	if (m->u.allowed_ip.prefix.addr.family == IP_NONE)
		return err_set(msg, ERR_INVALID, "prefix is missing");
	return 0;
}

typedef int check_fn(const struct store *s, const struct fibmsg *m, struct err_msg *msg);

static check_fn *const checks[STORE_CLASSES] = {
    [STORE_ROUTER] = check_router,
    [STORE_PORT] = check_port,
    [STORE_LINE] = check_line,
    [STORE_TUNNEL] = check_tunnel,
    [STORE_ADDRESS] = check_address,
    [STORE_PEER] = check_peer,
    [STORE_ALLOWED_IP] = check_allowed_ip,
    [STORE_NEXTHOP] = check_nexthop,
    [STORE_GROUP] = check_group,
    [STORE_ROUTE] = check_route,
};

int store_check_message(
    const struct store *s, const struct fibmsg *m, const struct fibmsg *old, struct err_msg *msg)
{
	struct store_key refs[STORE_REFS_MAX];
	unsigned class = store_type_of(m->type)->class, n;
	int rc = checks[class](s, m, msg);
	char text[96];

	if (rc)
		return rc;
	if (!old && class != STORE_ROUTE && store_count(s, class) >= limits[class])
		return err_set(msg, ERR_FULL, "more than %u of them", limits[class]);
	n = store_refs_of(s, m, refs);
	for (unsigned i = 0; i < n; i++) {
		if (!store_find(s, &refs[i]))
			return err_set(msg, ERR_NOENT, "%s does not exist",
			    store_key_format(&refs[i], text, sizeof(text)));
	}
	return 0;
}
