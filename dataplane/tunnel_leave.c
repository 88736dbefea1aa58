/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Allowed-IPs of peers that are gone leave their tunnel's tables a few at a time, so that handshakes of
 * others do not wait for a hundred thousand of them. Slow thread only.
 *
 * Meanwhile they lead to an index without a peer, as if they had left: packets for them are refused, and from
 * them come from nobody. The index is given to no other peer before the last of them has left; another peer
 * that is given one of these prefixes takes it over.
 */
#include <stdlib.h>
#include <sys/queue.h>

#include "dataplane/tunnel_peer.h"

#define SLICE 1000 /* prefixes in one turn of the slow thread: about a millisecond */

struct leaving {
	TAILQ_ENTRY(leaving) link;
	struct tunnel *tunnel;
	struct ip_prefix *prefixes;
	size_t n;
	uint16_t index;
};

static TAILQ_HEAD(, leaving) all = TAILQ_HEAD_INITIALIZER(all);

static void drop_prefix(struct tunnel *t, const struct ip_prefix *a, uint32_t value)
{
	if (a->addr.family == IP_V4) {
		if (lpm4_get(t->allowed4, ip_addr_be32(&a->addr), a->len) == value)
			lpm4_del(t->allowed4, ip_addr_be32(&a->addr), a->len);
	} else if (lpm6_get(t->allowed6, a->addr.b, a->len) == value) {
		lpm6_del(t->allowed6, a->addr.b, a->len);
	}
}

/* The last `many` of its prefixes go; true if none is left. */
static bool drop_some(struct leaving *l, size_t many)
{
	for (; l->n && many; many--)
		drop_prefix(l->tunnel, &l->prefixes[--l->n], l->index + 1u);
	return l->n == 0;
}

static void forget(struct leaving *l)
{
	TAILQ_REMOVE(&all, l, link);
	free(l->prefixes);
	free(l);
}

void tunnel_leave_begin(struct tunnel_peer *p)
{
	struct leaving *l = p->n_allowed > SLICE ? malloc(sizeof(*l)) : NULL;
	struct leaving now = {
	    .tunnel = p->tunnel, .prefixes = p->allowed, .n = p->n_allowed, .index = p->index};

	p->tunnel->n_allowed -= p->n_allowed;
	p->n_allowed = 0;
	if (!l) {
		drop_some(&now, now.n);
		return;
	}
	p->allowed = NULL;
	p->allowed_room = 0;
	*l = now;
	TAILQ_INSERT_TAIL(&all, l, link);
}

bool tunnel_leave_holds(uint16_t index)
{
	const struct leaving *l;

	TAILQ_FOREACH (l, &all, link)
		if (l->index == index)
			return true;
	return false;
}

void tunnel_leave_finish(const struct tunnel *t)
{
	struct leaving *l = TAILQ_FIRST(&all), *next;

	for (; l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->tunnel == t)
			forget(l); /* with its tables */
	}
}

uint64_t tunnel_leave_tick(uint64_t now_ns)
{
	struct leaving *l = TAILQ_FIRST(&all);

	if (l && drop_some(l, SLICE))
		forget(l);
	return TAILQ_EMPTY(&all) ? UINT64_MAX : now_ns;
}
