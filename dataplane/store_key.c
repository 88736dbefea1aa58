/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of the object store: which class a message belongs to, the key it speaks of, and the keys
 * of what it names. Slow thread, through store.c.
 */
#include "dataplane/store_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FIRST_TYPE FIBMSG_SET_ROUTER
#define LAST_TYPE  FIBMSG_DEL_ROUTE

/* clang-format off */
static const struct store_type types[LAST_TYPE - FIRST_TYPE + 1] = {
#define SET(NAME) [FIBMSG_SET_##NAME - FIRST_TYPE] = {STORE_##NAME, false, true}
#define DEL(NAME) [FIBMSG_DEL_##NAME - FIRST_TYPE] = {STORE_##NAME, true, true}
	SET(ROUTER),
	SET(PORT),       DEL(PORT),
	SET(ADDRESS),    DEL(ADDRESS),
	SET(LINE),       DEL(LINE),
	SET(TUNNEL),     DEL(TUNNEL),
	SET(PEER),       DEL(PEER),
	SET(ALLOWED_IP), DEL(ALLOWED_IP),
	SET(NEXTHOP),    DEL(NEXTHOP),
	SET(GROUP),      DEL(GROUP),
	SET(ROUTE),      DEL(ROUTE),
#undef SET
#undef DEL
};
/* clang-format on */

const struct store_type *store_type_of(uint16_t type)
{
	if (type < FIRST_TYPE || type > LAST_TYPE || !types[type - FIRST_TYPE].known)
		return NULL;
	return &types[type - FIRST_TYPE];
}

static void key_start(struct store_key *key, enum store_class class)
{
	memset(key, 0, sizeof(*key));
	key->class = (uint8_t) class;
}

static void key_add(struct store_key *key, const void *bytes, size_t len)
{
	assert(key->len + len <= sizeof(key->bytes));
	memcpy(key->bytes + key->len, bytes, len);
	key->len = (uint8_t)(key->len + len);
}

static void key_add_prefix(struct store_key *key, const struct ip_prefix *p)
{
	key_add(key, &p->addr.family, 1);
	key_add(key, p->addr.b, sizeof(p->addr.b));
	key_add(key, &p->len, 1);
}

void store_key_name(enum store_class class, const char *name, struct store_key *key)
{
	key_start(key, class);
	key_add(key, name, strnlen(name, FIBMSG_NAME));
}

void store_key_id(enum store_class class, uint32_t id, struct store_key *key)
{
	key_start(key, class);
	key_add(key, &id, sizeof(id));
}

void store_key_peer(const char tunnel[FIBMSG_NAME], const uint8_t peer[32], struct store_key *key)
{
	key_start(key, STORE_PEER);
	key_add(key, tunnel, FIBMSG_NAME);
	key_add(key, peer, 32);
}

static void key_on_iface(
    enum store_class class, const char name[FIBMSG_NAME], const struct ip_prefix *p, struct store_key *key)
{
	key_start(key, class);
	key_add(key, name, FIBMSG_NAME);
	key_add_prefix(key, p);
}

int store_key_of(const struct fibmsg *m, struct store_key *key)
{
	const struct store_type *type = store_type_of(m->type);

	if (!type)
		return ERR_PROTO;
	switch ((enum store_class)type->class) {
	case STORE_ROUTER:
		key_start(key, STORE_ROUTER);
		return 0;
	case STORE_PORT: /* SET and DEL structs begin with the name */
	case STORE_LINE:
	case STORE_TUNNEL:
		store_key_name(type->class, m->u.name.name, key);
		return 0;
	case STORE_ADDRESS:
		key_on_iface(STORE_ADDRESS, m->u.address.iface, &m->u.address.address, key);
		return 0;
	case STORE_PEER:
		store_key_peer(m->u.peer_key.tunnel, m->u.peer_key.key, key);
		return 0;
	case STORE_ALLOWED_IP: /* the peer is content: a prefix belongs to one peer of its tunnel */
		key_on_iface(STORE_ALLOWED_IP, m->u.allowed_ip.tunnel, &m->u.allowed_ip.prefix, key);
		return 0;
	case STORE_NEXTHOP:
	case STORE_GROUP:
		store_key_id(type->class, m->u.id.id, key);
		return 0;
	case STORE_ROUTE:
		key_start(key, STORE_ROUTE);
		key_add(key, &m->u.table_key.table, sizeof(m->u.table_key.table));
		key_add_prefix(key, &m->u.table_key.prefix);
		return 0;
	case STORE_CLASSES:
		break;
	}
	return ERR_PROTO;
}

/* The interface of this name: a tunnel when there is one, else a port. */
static void key_iface(const struct store *s, const char name[FIBMSG_NAME], struct store_key *key)
{
	store_key_name(STORE_TUNNEL, name, key);
	if (!store_find(s, key))
		store_key_name(STORE_PORT, name, key);
}

static bool key_is_zero(const uint8_t key[32])
{
	static const uint8_t zero[32];

	return memcmp(key, zero, sizeof(zero)) == 0;
}

unsigned store_refs_of(const struct store *s, const struct fibmsg *m, struct store_key *refs)
{
	unsigned n = 0;

	switch (m->type) {
	case FIBMSG_SET_ADDRESS:
		key_iface(s, m->u.address.iface, &refs[n++]);
		break;
	case FIBMSG_SET_LINE:
		store_key_name(STORE_PORT, m->u.line.port, &refs[n++]);
		break;
	case FIBMSG_SET_TUNNEL:
		if (m->u.tunnel.line[0])
			store_key_name(STORE_PORT, m->u.tunnel.line, &refs[n++]);
		break;
	case FIBMSG_SET_PEER:
		store_key_name(STORE_TUNNEL, m->u.peer.tunnel, &refs[n++]);
		break;
	case FIBMSG_SET_ALLOWED_IP:
		store_key_peer(m->u.allowed_ip.tunnel, m->u.allowed_ip.key, &refs[n++]);
		break;
	case FIBMSG_SET_NEXTHOP:
		if (m->u.nexthop.iface[0])
			key_iface(s, m->u.nexthop.iface, &refs[n++]);
		if (m->u.nexthop.kind == FIBMSG_NH_TUNNEL && !key_is_zero(m->u.nexthop.peer))
			store_key_peer(m->u.nexthop.iface, m->u.nexthop.peer, &refs[n++]);
		break;
	case FIBMSG_SET_GROUP:
		for (unsigned i = 0; i < m->u.group.n_members; i++)
			store_key_id(STORE_NEXTHOP, m->u.group.members[i].nexthop, &refs[n++]);
		break;
	default: /* names nothing; routes are counted by store.c */
		break;
	}
	return n;
}

bool store_table_exists(const struct store *s, uint32_t table)
{
	for (struct store_object *o = store_first(s, STORE_PORT); o; o = store_after(o)) {
		struct fibmsg m;

		store_decode(o, &m);
		if (m.u.port.table == table && m.u.port.role == FIBMSG_ROLE_WAN)
			return true;
	}
	return false;
}

const char *store_key_format(const struct store_key *key, char *buf, size_t size)
{
	static const char *const nouns[STORE_CLASSES] = {"router", "port", "line", "tunnel", "address",
	    "peer", "allowed-IP", "next hop", "group", "route"};
	char name[FIBMSG_NAME] = "";
	uint32_t id;

	switch ((enum store_class)key->class) {
	case STORE_NEXTHOP:
	case STORE_GROUP:
		memcpy(&id, key->bytes, sizeof(id));
		snprintf(buf, size, "%s %u", nouns[key->class], id);
		break;
	case STORE_PEER:
		memcpy(name, key->bytes, FIBMSG_NAME - 1);
		snprintf(buf, size, "peer %02x%02x%02x%02x... of tunnel %s", key->bytes[FIBMSG_NAME],
		    key->bytes[FIBMSG_NAME + 1], key->bytes[FIBMSG_NAME + 2], key->bytes[FIBMSG_NAME + 3],
		    name);
		break;
	case STORE_ROUTER:
	case STORE_ROUTE:
	case STORE_CLASSES:
		snprintf(buf, size, "%s", nouns[key->class < STORE_CLASSES ? key->class : STORE_ROUTE]);
		break;
	case STORE_PORT:
	case STORE_LINE:
	case STORE_TUNNEL:
	case STORE_ADDRESS:
	case STORE_ALLOWED_IP:
		memcpy(name, key->bytes, key->len < FIBMSG_NAME ? key->len : FIBMSG_NAME - 1u);
		snprintf(buf, size, "%s %s", nouns[key->class], name);
		break;
	}
	return buf;
}
