/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses of interfaces as the packet path sees them: the interface's list, "for this host" routes,
 * sources of lines. Fed by the netlink mirror, or straight by control's objects where there are no host
 * interfaces. Every call is idempotent. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_ADDRESS_H
#define BYWAY_DATAPLANE_ADDRESS_H

#include "dataplane/iface.h"

/* ERR_NOMEM, ERR_FULL. Tells control. */
int address_add(struct iface *ifc, const struct ip_prefix *a);
void address_del(struct iface *ifc, const struct ip_prefix *a);
/* All of an interface that goes. */
void address_clear(struct iface *ifc);
/* Around a change of the interface's role or table: its routes go and come back. */
void address_withdraw(struct iface *ifc);
int address_announce(struct iface *ifc);
/* Prefixes delegated to a line: sources inside leave by it. ERR_NOMEM, ERR_FULL. */
int address_source_add(const struct iface *line, const struct ip_prefix *p);
void address_source_del(const struct iface *line, const struct ip_prefix *p);

#endif
