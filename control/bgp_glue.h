/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets, timers and policy around the pure BGP core (bgp/bgp.h): listens, connects, carries bytes both ways
 * with backpressure, configures the core from the configuration, and puts the routes that the core pulls into
 * the RIB. libevent; control's only thread.
 */
#ifndef BYWAY_CONTROL_BGP_GLUE_H
#define BYWAY_CONTROL_BGP_GLUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/bgp.h"
#include "control/config.h"
#include "control/rib.h"

struct event_base;
struct bgp_glue;

struct bgp_glue_env {
	void (*routes_changed)(void *arg); /* the RIB has news, or a deferral ended */
	void *arg;
};

#define BGP_GLUE_PORT 179

/* Idle until bgp_glue_configure. port: to listen on and connect to. Aborts when memory is out. */
struct bgp_glue *bgp_glue_new(
    struct event_base *base, struct rib *rib, uint16_t port, const struct bgp_glue_env *env);
/* Closes every connection without a NOTIFICATION, so that neighbours keep forwarding (RFC 4724). */
void bgp_glue_free(struct bgp_glue *g);

/*
 * Starts, changes or (c->bgp NULL) ends BGP. What did not change is not touched. restarting: this process
 * began and the dataplane has gone on forwarding (RFC 4724 §4.1); counts when BGP starts. c must live until
 * the next call. ERR_: nothing runs that did not before; msg says why.
 */
int bgp_glue_configure(struct bgp_glue *g, const struct config *c, bool restarting, struct err_msg *msg);
/* Prefixes to announce as connected (RFC 4271 "redistribution"), replacing those before. */
void bgp_glue_set_connected(struct bgp_glue *g, const struct ip_prefix *prefixes, size_t n);
/* Whether packets reach the neighbours over this tunnel's peer. */
void bgp_glue_set_usable(struct bgp_glue *g, const char *tunnel, const uint8_t key[32], bool usable);
/* Routes are not complete yet: neighbours have not said all after our restart, or some wait for decision. */
bool bgp_glue_is_settling(const struct bgp_glue *g);
/* The core, for listings; NULL: BGP does not run. */
struct bgp *bgp_glue_core(struct bgp_glue *g);
uint64_t bgp_glue_now(const struct bgp_glue *g); /* the clock that the core was told */

#endif
