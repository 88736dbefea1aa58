/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as the objects that the dataplane is told: router, ports, lines, tunnels, addresses,
 * peers and their allowed-IPs. Routes are the RIB's. Control's only thread.
 */
#ifndef BYWAY_CONTROL_CONFIG_OBJECTS_H
#define BYWAY_CONTROL_CONFIG_OBJECTS_H

#include "control/config.h"
#include "lib/fibmsg.h"

struct config_objects {
	struct fibmsg *v; /* SET messages */
	size_t n, size;
};

/* What an operator said about a line at run time. */
struct config_override {
	char line[FIBMSG_NAME];
	uint8_t to; /* enum fibmsg_override */
};

/* Objects in order of dependency. The caller frees out->v. Aborts when memory is out. */
void config_objects_build(const struct config *c, const struct config_override *overrides, size_t n_overrides,
    struct config_objects *out);
/*
 * The order of dependency, then the key; 0: the same object. Only for SET messages that config_objects_build
 * makes.
 */
int config_objects_compare(const struct fibmsg *a, const struct fibmsg *b);
/* The DEL message of an object; false: it has none (the router). */
bool config_objects_delete(const struct fibmsg *set, struct fibmsg *del);
/* The interface that the object needs and is not itself; NULL: none. */
const char *config_objects_needs(const struct fibmsg *set);
/* "tunnel friend1", for a person. Returns buf. */
const char *config_objects_name(const struct fibmsg *set, char *buf, size_t size);
/* The BGP neighbour on the tunnel that is behind this peer (config_find_peer_at); NULL. */
const struct ip_addr *config_objects_probe_target(
    const struct config *c, const struct config_tunnel *t, const struct config_peer *p);

#endif
