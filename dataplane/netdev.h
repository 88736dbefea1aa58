/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port asks of the kernel's network device under it: addresses, link, flags, MTU. Slow
 * thread, but for netdev_link_up.
 */
#ifndef BYWAY_DATAPLANE_NETDEV_H
#define BYWAY_DATAPLANE_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"

bool netdev_exists(const char *name);
/* An address beyond link scope that it carries: false when there is none. */
bool netdev_global_address(const char *name, struct ip_addr *out);
/* Carrier as the driver says (ETHTOOL_GLINK, 2-3 us). Any thread. */
bool netdev_link_up(const char *name);
/* ERR_NOENT, ERR_PERM, ERR_IO. */
int netdev_set_up(const char *name);
int netdev_get_mtu(const char *name, uint16_t *mtu);
int netdev_set_mtu(const char *name, uint16_t mtu);
/* The kernel must not speak IPv6 under a port: its link-local address would be the port's. Best effort. */
void netdev_set_ipv6(const char *name, bool on);

#endif
