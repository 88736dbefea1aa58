/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops and groups of the RIB: interned by content, counted by reference, told to the dataplane before
 * their first use and removed after their last. Ids are never used twice. Control's only thread.
 */
#include <stdlib.h>
#include <string.h>

#include "control/rib_internal.h"

static struct rib_nexthop *nexthop_get(struct rib *r, const struct rib_gateway *g)
{
	const uint32_t bucket = rib_hash(g, sizeof(*g), 1) % RIB_BUCKETS;
	struct rib_nexthop *nh;

	LIST_FOREACH (nh, &r->nexthop_buckets[bucket], bucket) {
		if (memcmp(&nh->gateway, g, sizeof(*g)) == 0)
			break;
	}
	if (nh == NULL) {
		nh = rib_alloc(sizeof(*nh));
		nh->gateway = *g;
		nh->id = r->next_id++;
		LIST_INSERT_HEAD(&r->nexthop_buckets[bucket], nh, bucket);
		TAILQ_INSERT_TAIL(&r->new_nexthops, nh, queue);
		nh->queued = RIB_QUEUE_NEW;
		r->totals.nexthops++;
	} else if (nh->queued == RIB_QUEUE_DEAD) {
		TAILQ_REMOVE(&r->dead_nexthops, nh, queue);
		nh->queued = RIB_QUEUE_NONE;
	}
	nh->refs++;
	return nh;
}

static void nexthop_free(struct rib *r, struct rib_nexthop *nh)
{
	LIST_REMOVE(nh, bucket);
	free(nh->refused);
	free(nh);
	r->totals.nexthops--;
}

static void nexthop_unref(struct rib *r, struct rib_nexthop *nh)
{
	if (--nh->refs > 0)
		return;
	if (nh->queued == RIB_QUEUE_NEW)
		TAILQ_REMOVE(&r->new_nexthops, nh, queue);
	if (nh->sent) {
		TAILQ_INSERT_TAIL(&r->dead_nexthops, nh, queue);
		nh->queued = RIB_QUEUE_DEAD;
		return;
	}
	nexthop_free(r, nh);
}

static bool same_members(const struct rib_group *g, const struct rib_gateway *gateways, unsigned n)
{
	if (g->n != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (memcmp(&g->members[i]->gateway, &gateways[i], sizeof(gateways[i])) != 0)
			return false;
	}
	return true;
}

static uint32_t group_bucket(const struct rib_gateway *gateways, unsigned n)
{
	return rib_hash(gateways, n * sizeof(*gateways), 2) % RIB_BUCKETS;
}

struct rib_group *rib_group_get(
    struct rib *r, const struct rib_gateway *gateways, unsigned n, struct rib_group *was)
{
	const uint32_t bucket = group_bucket(gateways, n);
	struct rib_group *g;

	if (was != NULL && same_members(was, gateways, n)) {
		rib_group_ref(r, was);
		return was;
	}
	LIST_FOREACH (g, &r->group_buckets[bucket], bucket) {
		if (same_members(g, gateways, n)) {
			rib_group_ref(r, g);
			return g;
		}
	}
	g = rib_alloc(sizeof(*g));
	for (unsigned i = 0; i < n; i++)
		g->members[i] = nexthop_get(r, &gateways[i]);
	g->n = n;
	g->id = r->next_id++;
	g->refs = 1;
	g->queued = RIB_QUEUE_NEW;
	LIST_INSERT_HEAD(&r->group_buckets[bucket], g, bucket);
	TAILQ_INSERT_TAIL(&r->new_groups, g, queue);
	r->totals.groups++;
	return g;
}

void rib_group_ref(struct rib *r, struct rib_group *g)
{
	g->refs++;
	if (g->queued == RIB_QUEUE_DEAD) {
		TAILQ_REMOVE(&r->dead_groups, g, queue);
		g->queued = RIB_QUEUE_NONE;
	}
}

static void group_free(struct rib *r, struct rib_group *g)
{
	for (unsigned i = 0; i < g->n; i++)
		nexthop_unref(r, g->members[i]);
	LIST_REMOVE(g, bucket);
	free(g->refused);
	free(g);
	r->totals.groups--;
}

void rib_group_unref(struct rib *r, struct rib_group *g)
{
	if (--g->refs > 0)
		return;
	if (g->queued == RIB_QUEUE_NEW)
		TAILQ_REMOVE(&r->new_groups, g, queue);
	if (g->sent) {
		TAILQ_INSERT_TAIL(&r->dead_groups, g, queue);
		g->queued = RIB_QUEUE_DEAD;
		return;
	}
	group_free(r, g);
}

void rib_group_become(struct rib *r, struct rib_group *g, const struct rib_group *like)
{
	struct rib_gateway gateways[RIB_GATEWAYS];
	struct rib_group was = *g;

	for (unsigned i = 0; i < like->n; i++) {
		gateways[i] = like->members[i]->gateway;
		g->members[i] = like->members[i];
		g->members[i]->refs++; /* like holds one, so it is not dead */
	}
	g->n = like->n;
	for (unsigned i = 0; i < was.n; i++)
		nexthop_unref(r, was.members[i]);
	LIST_REMOVE(g, bucket);
	LIST_INSERT_HEAD(&r->group_buckets[group_bucket(gateways, g->n)], g, bucket);
	if (g->queued == RIB_QUEUE_NONE) {
		TAILQ_INSERT_TAIL(&r->new_groups, g, queue);
		g->queued = RIB_QUEUE_NEW;
	}
}

const char *rib_group_fault(const struct rib_group *g)
{
	if (g->refused != NULL)
		return g->refused;
	for (unsigned i = 0; i < g->n; i++) {
		if (g->members[i]->refused != NULL)
			return g->members[i]->refused;
	}
	return NULL;
}

void rib_group_forget_sent(struct rib *r, uint32_t id_base, bool renumber)
{
	struct rib_nexthop *nh, *nh_next;
	struct rib_group *g, *g_next;

	if (r->next_id < id_base)
		r->next_id = id_base;
	for (size_t i = 0; i < RIB_BUCKETS; i++) {
		for (g = LIST_FIRST(&r->group_buckets[i]); g != NULL; g = g_next) {
			g_next = LIST_NEXT(g, bucket);
			if (g->queued == RIB_QUEUE_DEAD)
				TAILQ_REMOVE(&r->dead_groups, g, queue);
			else if (g->queued == RIB_QUEUE_NEW)
				TAILQ_REMOVE(&r->new_groups, g, queue);
			g->sent = false;
			g->queued = g->refs > 0 ? RIB_QUEUE_NEW : RIB_QUEUE_NONE;
			if (renumber)
				g->id = r->next_id++;
			if (g->queued)
				TAILQ_INSERT_TAIL(&r->new_groups, g, queue);
			else
				group_free(r, g);
		}
	}
	for (size_t i = 0; i < RIB_BUCKETS; i++) {
		for (nh = LIST_FIRST(&r->nexthop_buckets[i]); nh != NULL; nh = nh_next) {
			nh_next = LIST_NEXT(nh, bucket);
			if (nh->queued == RIB_QUEUE_DEAD)
				TAILQ_REMOVE(&r->dead_nexthops, nh, queue);
			else if (nh->queued == RIB_QUEUE_NEW)
				TAILQ_REMOVE(&r->new_nexthops, nh, queue);
			nh->sent = false;
			nh->queued = nh->refs > 0 ? RIB_QUEUE_NEW : RIB_QUEUE_NONE;
			if (renumber)
				nh->id = r->next_id++;
			if (nh->queued)
				TAILQ_INSERT_TAIL(&r->new_nexthops, nh, queue);
			else
				nexthop_free(r, nh);
		}
	}
}

static void say_nexthop(const struct rib_nexthop *nh, struct fibmsg *m)
{
	memset(m, 0, sizeof(*m));
	m->type = FIBMSG_SET_NEXTHOP;
	m->u.nexthop.id = nh->id;
	m->u.nexthop.kind = nh->gateway.kind;
	memcpy(m->u.nexthop.iface, nh->gateway.iface, FIBMSG_NAME);
	m->u.nexthop.gateway = nh->gateway.addr;
	memcpy(m->u.nexthop.peer, nh->gateway.peer, sizeof(m->u.nexthop.peer));
}

static void say_group(const struct rib_group *g, struct fibmsg *m)
{
	memset(m, 0, sizeof(*m));
	m->type = FIBMSG_SET_GROUP;
	m->u.group.id = g->id;
	m->u.group.mode = FIBMSG_GROUP_ORDERED;
	m->u.group.n_members = (uint8_t)g->n;
	for (unsigned i = 0; i < g->n; i++) {
		m->u.group.members[i].nexthop = g->members[i]->id;
		m->u.group.members[i].weight = 1;
	}
}

bool rib_group_next_new(struct rib *r, struct fibmsg *m)
{
	struct rib_nexthop *nh;
	struct rib_group *g;

	while ((nh = TAILQ_FIRST(&r->new_nexthops)) != NULL) {
		TAILQ_REMOVE(&r->new_nexthops, nh, queue);
		nh->queued = RIB_QUEUE_NONE;
		if (nh->refused != NULL)
			continue;
		nh->sent = true;
		say_nexthop(nh, m);
		return true;
	}
	while ((g = TAILQ_FIRST(&r->new_groups)) != NULL) {
		TAILQ_REMOVE(&r->new_groups, g, queue);
		g->queued = RIB_QUEUE_NONE;
		if (rib_group_fault(g) != NULL)
			continue;
		g->sent = true;
		say_group(g, m);
		return true;
	}
	return false;
}

bool rib_group_next_dead(struct rib *r, struct fibmsg *m)
{
	struct rib_group *g = TAILQ_FIRST(&r->dead_groups);
	struct rib_nexthop *nh;

	memset(m, 0, sizeof(*m));
	if (g != NULL) {
		TAILQ_REMOVE(&r->dead_groups, g, queue);
		m->type = FIBMSG_DEL_GROUP;
		m->u.id.id = g->id;
		group_free(r, g);
		return true;
	}
	nh = TAILQ_FIRST(&r->dead_nexthops);
	if (nh == NULL)
		return false;
	TAILQ_REMOVE(&r->dead_nexthops, nh, queue);
	m->type = FIBMSG_DEL_NEXTHOP;
	m->u.id.id = nh->id;
	nexthop_free(r, nh);
	return true;
}

static void set_refused(char **refused, const char *why)
{
	free(*refused);
	*refused = strdup(why);
	if (*refused == NULL)
		abort();
}

void rib_group_refuse(struct rib *r, const struct fibmsg *m, const char *why)
{
	struct rib_nexthop *nh;
	struct rib_group *g;

	for (size_t i = 0; i < RIB_BUCKETS; i++) {
		LIST_FOREACH (nh, &r->nexthop_buckets[i], bucket) {
			if (m->type == FIBMSG_SET_NEXTHOP && nh->id == m->u.nexthop.id)
				set_refused(&nh->refused, why);
		}
		LIST_FOREACH (g, &r->group_buckets[i], bucket) {
			if (m->type == FIBMSG_SET_GROUP && g->id == m->u.group.id)
				set_refused(&g->refused, why);
		}
	}
}

bool rib_group_retry(struct rib *r)
{
	struct rib_nexthop *nh;
	struct rib_group *g;
	bool some = false;

	for (size_t i = 0; i < RIB_BUCKETS; i++) {
		LIST_FOREACH (nh, &r->nexthop_buckets[i], bucket) {
			some |= nh->refused != NULL;
			free(nh->refused);
			nh->refused = NULL;
		}
		LIST_FOREACH (g, &r->group_buckets[i], bucket) {
			some |= g->refused != NULL;
			free(g->refused);
			g->refused = NULL;
		}
	}
	return some;
}
