/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes that follow from the configuration and the addresses: connected, static, the defaults over the
 * lines, and unreachables for private space. Called by the daemon when either changes; control's only thread.
 */
#ifndef BYWAY_CONTROL_LOCAL_ROUTES_H
#define BYWAY_CONTROL_LOCAL_ROUTES_H

#include "control/config.h"
#include "control/rib.h"

struct daemon_address;

struct local_routes {
	struct ip_prefix *connected; /* of LANs, for BGP to announce */
	size_t n_connected;
};

/* Names all of them to the RIB anew; what is not named any more goes. */
void local_routes_build(struct rib *rib, const struct config *c, const struct daemon_address *addresses,
    size_t n_addresses, struct local_routes *out);
void local_routes_free(struct local_routes *out);
/* An address on a tunnel becomes the tunnel's peer: the only one, or the one whose addresses or allowed-IPs
 * say so. */
void local_routes_neighbour(const struct config *c, struct rib_gateway *g);

#endif
