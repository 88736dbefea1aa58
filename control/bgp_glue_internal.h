/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files around the BGP core share: bgp_glue.c, bgp_sock.c, bgp_setup.c. Nobody else includes it. */
#ifndef BYWAY_CONTROL_BGP_GLUE_INTERNAL_H
#define BYWAY_CONTROL_BGP_GLUE_INTERNAL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "control/bgp_glue.h"

#define BGP_GLUE_LAST_ERRORS 64 /* remembered, by a hash of the peer's name */

struct bgp_sock {
	TAILQ_ENTRY(bgp_sock) link;
	struct bgp_glue *glue;
	uint64_t id; /* the core's */
	int fd;
	bool connecting;
	struct event *readable, *writable;
	size_t out_at, out_len; /* bytes of out that the socket has not taken yet */
	uint8_t out[65536];
};

struct bgp_announced {
	struct ip_prefix prefix;
	enum bgp_source source;
};

struct bgp_glue {
	struct event_base *base;
	struct rib *rib;
	struct bgp_glue_env env;
	const struct config *config;
	struct bgp *core;
	struct event *timer;
	uint16_t port;
	struct {
		int fd;
		struct event *event;
	} listeners[2]; /* IPv4, IPv6 */
	TAILQ_HEAD(, bgp_sock) socks;
	uint32_t as, router_id; /* of the running core */
	struct bgp_announced *announced;
	size_t n_announced;
	struct ip_prefix *connected; /* as last told by the daemon */
	size_t n_connected;
	struct bgp_route_change *changes; /* room for one pull */
	struct bgp_event last_errors[BGP_GLUE_LAST_ERRORS];
	bool pull_waits; /* the last pull did not take all */
};

/* bgp_glue.c: to be called after each input to the core. */
void bgp_glue_turn(struct bgp_glue *g);
void bgp_glue_stop(struct bgp_glue *g, bool notify);

/* bgp_sock.c */
int bgp_sock_listen(struct bgp_glue *g, struct err_msg *msg);
void bgp_sock_listen_end(struct bgp_glue *g);
void bgp_sock_open(struct bgp_glue *g, const struct bgp_action *a);
void bgp_sock_send(struct bgp_glue *g, uint64_t id);
void bgp_sock_end(struct bgp_glue *g, uint64_t id);
void bgp_sock_end_all(struct bgp_glue *g);

/* bgp_setup.c: tells the core what of networks, connected and static to announce. */
void bgp_setup_announce(struct bgp_glue *g);

#endif
