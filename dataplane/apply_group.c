/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops and groups: control's objects made into those of the packet path. The monitor thread alone
 * writes what groups forward to; this asks it. Slow thread, called by the store.
 */
#include "dataplane/apply.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/rcu.h"
#include "dataplane/tunnel.h"

static bool key_is_zero(const uint8_t key[32])
{
	static const uint8_t zero[32];

	return memcmp(key, zero, sizeof(zero)) == 0;
}

static void nexthop_release(struct nexthop *nh)
{
	if (nh->neigh)
		neigh_put(nh->neigh);
	rcu_retire(free, nh);
}

/* Neighbour or peer of a next hop that leaves by an interface. */
static int nexthop_fill(struct nexthop *nh, const struct fibmsg_nexthop *n, struct err_msg *msg)
{
	const struct iface *ifc = iface_by_name(n->iface);

	if (!ifc)
		return err_set(msg, ERR_NOENT, "interface %s is gone", n->iface);
	nh->iface = ifc->index;
	nh->role = ifc->role;
	if (n->kind == FIBMSG_NH_VIA) {
		nh->neigh = neigh_get(ifc->index, &n->gateway, true);
		if (!nh->neigh)
			return err_set(msg, ERR_NOMEM, "no memory for a neighbour");
	} else if (n->kind == FIBMSG_NH_TUNNEL && !key_is_zero(n->peer)) {
		nh->peer = tunnel_peer_find(n->iface, n->peer);
		if (!nh->peer)
			return err_set(msg, ERR_NOENT, "peer of %s is gone", n->iface);
	}
	return 0;
}

static int nexthop_make(const struct fibmsg_nexthop *n, struct nexthop **out, struct err_msg *msg)
{
	static const enum nexthop_kind kinds[] = {
	    [FIBMSG_NH_VIA] = NEXTHOP_VIA,
	    [FIBMSG_NH_CONNECTED] = NEXTHOP_CONNECTED,
	    [FIBMSG_NH_TUNNEL] = NEXTHOP_TUNNEL,
	    [FIBMSG_NH_UNREACHABLE] = NEXTHOP_UNREACHABLE,
	    [FIBMSG_NH_PROHIBIT] = NEXTHOP_PROHIBIT,
	    [FIBMSG_NH_BLACKHOLE] = NEXTHOP_BLACKHOLE,
	};
	struct nexthop *nh = calloc(1, sizeof(*nh));
	int rc;

	if (!nh)
		return err_set(msg, ERR_NOMEM, "no memory for a next hop");
	nh->id = n->id;
	nh->kind = kinds[n->kind];
	rc = n->iface[0] ? nexthop_fill(nh, n, msg) : 0;
	if (rc) {
		free(nh);
		return rc;
	}
	*out = nh;
	return 0;
}

int apply_nexthop(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	struct nexthop *made = NULL, *was = old ? o->priv.ptr : NULL;
	int rc;

	if (!now) {
		o->priv.ptr = NULL;
		nexthop_release(was);
		return 0;
	}
	rc = nexthop_make(&now->u.nexthop, &made, msg);
	if (rc)
		return rc;
	o->priv.ptr = made;
	if (was) {
		monitor_nexthop_replace(was, made);
		nexthop_release(was);
	}
	return 0;
}

int apply_nexthops_again(const char *iface, struct err_msg *msg)
{
	int rc = 0;

	for (struct store_object *o = store_first(apply_store(), STORE_NEXTHOP); !rc && o;
	     o = store_after(o)) {
		struct fibmsg m;

		store_decode(o, &m);
		if (!o->failed && strcmp(m.u.nexthop.iface, iface) == 0)
			rc = apply_nexthop(o, &m, &m, msg);
	}
	return rc;
}

static int group_publish(uint32_t index, const struct fibmsg_group *g, struct err_msg *msg)
{
	struct monitor_member members[FIBMSG_MEMBERS];
	int rc;

	for (unsigned i = 0; i < g->n_members; i++) {
		struct store_object *nh;
		struct store_key key;

		store_key_id(STORE_NEXTHOP, g->members[i].nexthop, &key);
		nh = store_find(apply_store(), &key);
		if (!nh || !nh->priv.ptr)
			return err_set(msg, ERR_NOENT, "next hop %u is lost", g->members[i].nexthop);
		members[i].nh = nh->priv.ptr;
		members[i].weight = g->members[i].weight;
	}
	rc = monitor_group_set(index, g->id, g->mode, members, g->n_members);
	return rc ? err_set(msg, rc, "group %u: %s", g->id, err_text(rc)) : 0;
}

int apply_group(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	uint32_t index = o->priv.index;
	int rc;

	if (!now) {
		monitor_group_del(index);
		group_index_free(index);
		o->priv.index = 0;
		return 0;
	}
	if (old)
		return group_publish(index, &now->u.group, msg);
	rc = group_index_alloc(&index);
	if (rc)
		return err_set(msg, rc, "no room for another group");
	rc = group_publish(index, &now->u.group, msg);
	if (rc)
		group_index_free(index);
	else
		o->priv.index = index;
	return rc;
}
