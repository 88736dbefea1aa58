/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of layer-3 interfaces. The slow thread writes; an entry is published with
 * rcu_assign_pointer and freed a grace period after it left the table.
 */
#include "dataplane/iface.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define IFACE_DEFAULT_MTU 1500

static struct iface *table[IFACE_MAX]; /* RCU */
static unsigned table_end = 1; /* no entry at or after it; slow thread writes, readers only as a hint */
static struct router_sources {
	struct ip_addr source4, source6;
} * router_sources; /* RCU */

struct iface *iface_by_index(uint16_t index)
{
	return index < IFACE_MAX ? rcu_dereference(table[index]) : NULL;
}

struct iface *iface_by_name(const char *name)
{
	unsigned end = CMM_LOAD_SHARED(table_end);

	for (unsigned i = 1; i < end; i++) {
		struct iface *ifc = rcu_dereference(table[i]);

		if (ifc && strcmp(ifc->name, name) == 0)
			return ifc;
	}
	return NULL;
}

int iface_add(enum iface_kind kind, const char *name, struct iface **out)
{
	struct iface *ifc;
	uint16_t index = 1;

	if (iface_by_name(name))
		return ERR_EXISTS;
	if (strlen(name) >= sizeof(ifc->name))
		return ERR_TOOLONG;
	while (index < IFACE_MAX && table[index])
		index++;
	if (index == IFACE_MAX)
		return ERR_FULL;
	ifc = calloc(1, sizeof(*ifc));
	if (!ifc)
		return ERR_NOMEM;
	ifc->index = index;
	ifc->kind = kind;
	memcpy(ifc->name, name, strlen(name) + 1);
	atomic_init(&ifc->mtu, IFACE_DEFAULT_MTU);
	if (index >= table_end)
		CMM_STORE_SHARED(table_end, index + 1u);
	rcu_assign_pointer(table[index], ifc);
	*out = ifc;
	return 0;
}

void iface_del(struct iface *ifc)
{
	rcu_assign_pointer(table[ifc->index], NULL);
	rcu_retire(free, ifc->addresses);
	rcu_retire(free, ifc);
}

int iface_set_addresses(struct iface *ifc, const struct ip_prefix *a, unsigned n)
{
	struct iface_addresses *now, *old = ifc->addresses;

	if (n > IFACE_ADDRESSES)
		return ERR_FULL;
	now = calloc(1, sizeof(*now));
	if (!now)
		return ERR_NOMEM;
	now->n = n;
	if (n)
		memcpy(now->a, a, n * sizeof(*a));
	rcu_assign_pointer(ifc->addresses, now);
	if (old)
		rcu_retire(free, old);
	return 0;
}

static unsigned common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	unsigned bits = 0, max = ip_family_bits(a->family);

	while (bits < max && !((a->b[bits / 8] ^ b->b[bits / 8]) & (0x80u >> bits % 8)))
		bits++;
	return bits;
}

/* RFC 6724 §5 as far as it concerns a router: scope (rule 2), private with private (rule 6), longest match
 * (rule 8). */
static unsigned fitness(const struct ip_addr *a, const struct ip_addr *towards)
{
	if (ip_addr_is_link_local(a) != (towards && ip_addr_is_link_local(towards)))
		return 1;
	if (!towards)
		return 2;
	return 2 + common_bits(a, towards) + (ip_addr_is_private(a) == ip_addr_is_private(towards) ? 256 : 0);
}

bool iface_source(const struct iface *ifc, uint8_t family, const struct ip_addr *towards, struct ip_addr *out)
{
	const struct iface_addresses *as = rcu_dereference(ifc->addresses);
	const struct ip_addr *best = NULL;

	if (towards && towards->family != family)
		towards = NULL;
	for (unsigned i = 0; as && i < as->n; i++) {
		const struct ip_addr *a = &as->a[i].addr;

		if (a->family == family && (!best || fitness(a, towards) > fitness(best, towards)))
			best = a;
	}
	if (!best)
		return false;
	*out = *best;
	return true;
}

int iface_set_router_sources(const struct ip_addr *source4, const struct ip_addr *source6)
{
	struct router_sources *now = malloc(sizeof(*now)), *old = router_sources;

	if (!now)
		return ERR_NOMEM;
	*now = (struct router_sources){*source4, *source6};
	rcu_assign_pointer(router_sources, now);
	if (old)
		rcu_retire(free, old);
	return 0;
}

bool iface_router_source(uint8_t family, const struct ip_addr *towards, struct ip_addr *out)
{
	const struct router_sources *s = rcu_dereference(router_sources);
	unsigned end = CMM_LOAD_SHARED(table_end);
	struct ip_addr a;

	if (s && (family == IP_V4 ? s->source4 : s->source6).family == family) {
		*out = family == IP_V4 ? s->source4 : s->source6;
		return true;
	}
	for (unsigned i = 1; i < end; i++) {
		struct iface *ifc = iface_by_index((uint16_t)i);

		if (!ifc || !iface_source(ifc, family, towards, &a) || ip_addr_is_link_local(&a))
			continue;
		*out = a;
		return true;
	}
	return false;
}
