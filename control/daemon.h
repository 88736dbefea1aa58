/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What byway-control is made of, tied together: the configuration in force, the RIB, the FIB feed, BGP and
 * the control socket. Derives connected, static and built-in routes. libevent; control's only thread.
 */
#ifndef BYWAY_CONTROL_DAEMON_H
#define BYWAY_CONTROL_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/bgp_glue.h"
#include "control/config.h"
#include "control/config_objects.h"
#include "control/fibfeed.h"
#include "control/rib.h"

struct event_base;
struct ctl_server;
struct endpoints;

#define DAEMON_MAX_OVERRIDES 64

struct daemon_options {
	const char *config_path;
	const char *run_dir;
	uint16_t bgp_port;
	const char *name_server; /* "127.0.0.1:53" instead of the system's; NULL: the system's */
};

/* An address on a host interface that the dataplane told of, configured or not. */
struct daemon_address {
	char iface[FIBMSG_NAME];
	struct ip_prefix address;
};

struct daemon {
	struct daemon_options options;
	struct event_base *base;
	struct config *config;
	struct rib *rib;
	struct fibfeed *feed;
	struct bgp_glue *bgp;
	struct ctl_server *ctl;
	struct endpoints *endpoints;
	struct daemon_address *addresses;
	size_t n_addresses;
	struct config_override overrides[DAEMON_MAX_OVERRIDES];
	size_t n_overrides;
	bool met_dataplane; /* BGP starts with the first dataplane: before, nothing could be forwarded */
	bool failed;	    /* set before the loop ends for a reason that the exit status must tell */
	uint64_t started_ns;
	uint64_t configured_ns; /* when the configuration in force was applied, nsec_monotonic */
	char fib_path[108], override_path[256];
};

/* Takes config. Sockets are opened; the loop is the caller's. ERR_ with a sentence. */
int daemon_start(
    struct daemon *d, const struct daemon_options *options, struct config *config, struct err_msg *msg);
void daemon_stop(struct daemon *d);
/* Puts a configuration in force, only the difference being applied; takes c. */
void daemon_apply(struct daemon *d, struct config *c);
/* ERR_NOENT: no such line; ERR_FULL. */
int daemon_override(struct daemon *d, const char *line, uint8_t to, struct err_msg *msg);

#endif
