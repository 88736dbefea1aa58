/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What groups mean to the short way; express_way.h. Workers only.
 *
 * Pair of atomics: forward_epoch is read (acquire) once a burst; who changes what a group means moves it
 * (release) after the change and before it retires what was. So what was made in a burst of this epoch is no
 * older than the epoch. No pointer is kept, all is copied.
 */
#include "dataplane/express_way.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/express.h"
#include "dataplane/express_tunnel.h"
#include "dataplane/port.h"

int express_create(struct worker *w)
{
	w->express =
	    aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(struct express), RTE_CACHE_LINE_SIZE));
	if (!w->express)
		return ERR_NOMEM;
	memset(w->express, 0, sizeof(struct express));
	return express_encap_create(w);
}

uint64_t express_epoch(const struct worker *w)
{
	return w->express->epoch;
}

void express_destroy(struct worker *w)
{
	free(w->express);
	w->express = NULL;
	express_encap_destroy(w);
}

void express_way_check_epoch(struct express *e)
{
	uint64_t epoch =
	    atomic_load_explicit(&forward_epoch, memory_order_acquire); /* pair: forward_changed */

	if (epoch == e->epoch)
		return;
	e->epoch = epoch;
	for (unsigned i = 0; i < EXPRESS_WAYS; i++)
		e->ways[i].key = EXPRESS_NO_KEY; /* 0 is a group's: "no route" */
}

/* NULL: a group of several, in *buckets. Both are good in this burst. */
static const struct nexthop *what_serves(uint32_t group, const struct group_buckets **buckets)
{
	uintptr_t serves = atomic_load_explicit(&group_forward[group], memory_order_consume);

	*buckets = serves & 1 ? (const struct group_buckets *)(serves & ~(uintptr_t)1) : NULL;
	return serves & 1 ? NULL : (const struct nexthop *)serves;
}

/* Leaves the limits 0 unless all below is as plain as it can be. */
static void make_from_nexthop(const struct worker *w, struct express_way *way, const struct nexthop *nh)
{
	const struct iface *out;
	const struct port *port;
	uint32_t limit;
	uint64_t mac;

	if (nh->kind != NEXTHOP_VIA)
		return;
	out = iface_by_index(nh->iface);
	port = out ? rcu_dereference(out->port) : NULL;
	mac = atomic_load_explicit(&nh->neigh->mac, memory_order_acquire); /* neigh.c releases */
	if (!port || w->id >= port->tx_queues || !(mac & NEIGH_MAC_VALID))
		return;
	memcpy(way->header, &mac, 6);
	memcpy(way->header + 6, port->mac, 6);
	limit = (uint32_t)nh->iface << 16 | atomic_load_explicit(&out->mtu, memory_order_relaxed);
	way->limit[0] = nh->role == FIBMSG_ROLE_WAN ? 0 : limit;
	way->limit[1] = limit;
}

void express_way_make(const struct worker *w, struct express_way *way, uint32_t key)
{
	const struct group_buckets *buckets;
	const struct nexthop *nh = what_serves((uint16_t)key, &buckets);
	unsigned member = key >> 16;

	memset(way, 0, sizeof(*way));
	way->key = key;
	if (buckets && member)
		nh = buckets->member[member - 1];
	else if (member)
		nh = NULL; /* it had several members when the key was made: the stages know what it has now */
	if (nh)
		make_from_nexthop(w, way, nh);
	way->several = buckets && !member;
}
