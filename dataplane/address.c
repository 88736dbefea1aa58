/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses of interfaces as the packet path sees them. Slow thread only.
 */
#include "dataplane/address.h"

#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/fibsock.h"
#include "dataplane/host.h"
#include "dataplane/nexthop.h"
#include "lib/log.h"

/* Addresses of link scope mean something else on each link: they are listed and never routed (RFC 4291
 * §2.5.6). */
static bool is_routed(const struct ip_prefix *a)
{
	return !ip_addr_is_link_local(&a->addr);
}

static int find(const struct iface *ifc, const struct ip_prefix *a)
{
	const struct iface_addresses *as = ifc->addresses;

	for (unsigned i = 0; as && i < as->n; i++) {
		if (ip_prefix_equal(&as->a[i], a))
			return (int)i;
	}
	return -1;
}

/* Does another interface carry this host address, too (several tunnels may share one)? In the same table? */
static bool shared(const struct iface *but, const struct ip_addr *a, bool same_table)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);

		if (!ifc || ifc == but || !ifc->addresses || (same_table && ifc->table != but->table))
			continue;
		for (unsigned k = 0; k < ifc->addresses->n; k++) {
			if (ip_addr_equal(&ifc->addresses->a[k].addr, a))
				return true;
		}
	}
	return false;
}

static int route_add(const struct iface *ifc, const struct ip_prefix *a)
{
	struct ip_prefix host = ip_prefix_host(&a->addr);
	int rc;

	if (!is_routed(a))
		return 0;
	rc = fib_set(FIBMSG_OVERLAY, &host, FIB_LOCAL, GROUP_HOST);
	if (!rc && ifc->table)
		rc = fib_set(ifc->table, &host, FIB_LOCAL, GROUP_HOST);
	if (!rc && ifc->table)
		rc = address_source_add(ifc, &host);
	return rc;
}

static void route_del(const struct iface *ifc, const struct ip_prefix *a)
{
	struct ip_prefix host = ip_prefix_host(&a->addr);

	if (!is_routed(a))
		return;
	if (!shared(ifc, &a->addr, false))
		fib_del(FIBMSG_OVERLAY, &host, FIB_LOCAL);
	if (ifc->table && !shared(ifc, &a->addr, true)) {
		fib_del(ifc->table, &host, FIB_LOCAL);
		address_source_del(ifc, &host);
	}
}

static void tell(const struct iface *ifc, const struct ip_prefix *a, bool added)
{
	struct fibmsg m = {.type = FIBMSG_EV_ADDRESS};

	memcpy(m.u.ev_address.iface, ifc->name, sizeof(m.u.ev_address.iface));
	m.u.ev_address.address = *a;
	m.u.ev_address.added = added;
	fibsock_send_event(&m);
	hostrule_schedule();
}

int address_add(struct iface *ifc, const struct ip_prefix *a)
{
	struct ip_prefix list[IFACE_ADDRESSES];
	unsigned n = ifc->addresses ? ifc->addresses->n : 0;
	int rc;

	if (find(ifc, a) >= 0)
		return 0;
	if (n == IFACE_ADDRESSES)
		return ERR_FULL;
	if (n)
		memcpy(list, ifc->addresses->a, n * sizeof(list[0]));
	list[n++] = *a;
	rc = route_add(ifc, a);
	if (!rc)
		rc = iface_set_addresses(ifc, list, n);
	if (rc) {
		route_del(ifc, a);
		return rc;
	}
	tell(ifc, a, true);
	return 0;
}

void address_del(struct iface *ifc, const struct ip_prefix *a)
{
	struct ip_prefix list[IFACE_ADDRESSES], gone = *a;
	int at = find(ifc, a);
	unsigned n = 0;

	if (at < 0)
		return;
	for (unsigned i = 0; i < ifc->addresses->n; i++) {
		if (i != (unsigned)at)
			list[n++] = ifc->addresses->a[i];
	}
	if (iface_set_addresses(ifc, list, n)) {
		log_err("%s: no memory to remove an address", ifc->name);
		return;
	}
	route_del(ifc, &gone);
	neigh_flush(ifc->index); /* host routes of a subnet that may be gone; they come back when asked for */
	tell(ifc, &gone, false);
}

void address_clear(struct iface *ifc)
{
	while (ifc->addresses && ifc->addresses->n) {
		struct ip_prefix last = ifc->addresses->a[ifc->addresses->n - 1];
		unsigned before = ifc->addresses->n;

		address_del(ifc, &last);
		if (ifc->addresses->n == before)
			return; /* no memory; logged */
	}
}

void address_withdraw(struct iface *ifc)
{
	for (unsigned i = 0; ifc->addresses && i < ifc->addresses->n; i++)
		route_del(ifc, &ifc->addresses->a[i]);
	neigh_flush(ifc->index);
}

int address_announce(struct iface *ifc)
{
	int rc = 0;

	for (unsigned i = 0; !rc && ifc->addresses && i < ifc->addresses->n; i++)
		rc = route_add(ifc, &ifc->addresses->a[i]);
	return rc;
}

int address_source_add(const struct iface *line, const struct ip_prefix *p)
{
	return fib_set(FIB_SOURCES, p, FIB_CONTROL, line->index);
}

void address_source_del(const struct iface *line, const struct ip_prefix *p)
{
	fib_del(FIB_SOURCES, p, FIB_CONTROL);
}
