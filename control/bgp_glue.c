/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop around the BGP core: after each input its actions are carried out, its routes go to the RIB, its
 * next deadline is armed. The sockets are in bgp_sock.c, the configuration in bgp_setup.c. Control's only
 * thread.
 */
#include "control/bgp_glue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "control/bgp_glue_internal.h"
#include "lib/fibmsg.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define PULL_MAX 1024 /* routes taken from the core in one turn; the rest follows at once in the next */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct bgp_glue *g = arg;

	bgp_tick(g->core, nsec_monotonic());
	bgp_glue_turn(g);
}

static void arm_deadline(struct bgp_glue *g, bool at_once)
{
	const uint64_t now = nsec_monotonic(), deadline = bgp_deadline(g->core);
	uint64_t wait = at_once || deadline <= now ? 0 : deadline - now;
	struct timeval tv;

	if (!at_once && deadline == BGP_NEVER) {
		event_del(g->timer);
		return;
	}
	if (wait > 3600 * NSEC_PER_SEC)
		wait = 3600 * NSEC_PER_SEC;
	tv.tv_sec = (time_t)(wait / NSEC_PER_SEC);
	tv.tv_usec = (suseconds_t)(wait % NSEC_PER_SEC / NSEC_PER_USEC + 1);
	event_add(g->timer, &tv);
}

static size_t slot_of(const char *peer)
{
	return fibmsg_line_table(peer) / 2 % BGP_GLUE_LAST_ERRORS; /* any hash of a name will do */
}

/* A neighbour that is not there says so at each attempt: told once, until something else happens to it. */
static bool is_repeated(struct bgp_glue *g, const struct bgp_event *e)
{
	struct bgp_event *last = &g->last_errors[slot_of(e->peer)];
	const bool same = e->kind == BGP_EVENT_ERROR && last->kind == e->kind &&
			  strcmp(last->peer, e->peer) == 0 && strcmp(last->text, e->text) == 0;

	*last = *e;
	return same;
}

static void log_event(struct bgp_glue *g, const struct bgp_event *e)
{
	const char *peer = e->peer[0] != '\0' ? e->peer : "BGP";
	const bool repeated = is_repeated(g, e);

	switch (e->kind) {
	case BGP_EVENT_UP:
		log_info("%s: session established%s%s", peer, e->text[0] != '\0' ? ": " : "", e->text);
		break;
	case BGP_EVENT_DOWN:
		log_warn("%s: session ended: %s", peer, e->text);
		break;
	case BGP_EVENT_ERROR:
		if (repeated)
			log_debug("%s: %s", peer, e->text);
		else
			log_info("%s: %s", peer, e->text);
		break;
	case BGP_EVENT_LIMIT:
	case BGP_EVENT_MALFORMED:
		log_warn("%s: %s", peer, e->text);
		break;
	case BGP_EVENT_RESTART:
		log_info("%s: graceful restart: %s", peer, e->text);
		break;
	}
}

static void run_actions(struct bgp_glue *g)
{
	struct bgp_action a;

	while (bgp_action_next(g->core, &a)) {
		switch (a.kind) {
		case BGP_ACTION_CONNECT:
			bgp_sock_open(g, &a);
			break;
		case BGP_ACTION_CLOSE:
			bgp_sock_end(g, a.conn);
			break;
		case BGP_ACTION_SEND:
			bgp_sock_send(g, a.conn);
			break;
		case BGP_ACTION_EVENT:
			log_event(g, &a.event);
			break;
		}
	}
}

static bool is_single_peer_tunnel(const struct config *c, const char *name)
{
	const struct config_tunnel *t = config_find_tunnel(c, name);

	return t != NULL && t->peers.n == 1;
}

/*
 * A path's gateway. A neighbour on the session's own interface needs no lookup; with a tunnel of one peer
 * every next hop that an external neighbour names is behind it. All else is looked up (iBGP, third parties).
 */
static struct rib_gateway gateway_of(const struct bgp_glue *g, const struct bgp_route_path *p)
{
	struct rib_gateway gw = {.kind = FIBMSG_NH_VIA, .addr = p->next_hop};
	const char *owner = NULL;
	bool direct = false;

	if (p->interface[0] != '\0') {
		owner = config_find_interface(g->config, &p->next_hop);
		direct = ip_addr_is_link_local(&p->next_hop) ||
			 (owner != NULL && strcmp(owner, p->interface) == 0) ||
			 (p->external && is_single_peer_tunnel(g->config, p->interface));
	}
	if (direct)
		memcpy(gw.iface, p->interface, strnlen(p->interface, FIBMSG_NAME - 1));
	return gw;
}

static void apply_change(struct bgp_glue *g, const struct bgp_route_change *change)
{
	struct rib_gateway gateways[RIB_GATEWAYS];
	unsigned n = change->n_paths < RIB_GATEWAYS ? change->n_paths : RIB_GATEWAYS;
	bool external;

	if (n == 0) {
		rib_remove(g->rib, FIBMSG_OVERLAY, &change->prefix, RIB_EBGP, 0);
		rib_remove(g->rib, FIBMSG_OVERLAY, &change->prefix, RIB_IBGP, 0);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		gateways[i] = gateway_of(g, &change->paths[i]);
	external = change->paths[0].external;
	rib_set(g->rib, FIBMSG_OVERLAY, &change->prefix, external ? RIB_EBGP : RIB_IBGP, 0,
	    external ? RIB_DISTANCE_EBGP : RIB_DISTANCE_IBGP, gateways, n);
	rib_remove(g->rib, FIBMSG_OVERLAY, &change->prefix, external ? RIB_IBGP : RIB_EBGP, 0);
}

void bgp_glue_turn(struct bgp_glue *g)
{
	size_t n;

	if (g->core == NULL)
		return;
	run_actions(g);
	n = bgp_routes_pull(g->core, g->changes, PULL_MAX);
	for (size_t i = 0; i < n; i++)
		apply_change(g, &g->changes[i]);
	g->pull_waits = n == PULL_MAX;
	/* Also without news: the end of a deferral lets the sweep go. */
	g->env.routes_changed(g->env.arg);
	arm_deadline(g, g->pull_waits);
}

struct bgp_glue *bgp_glue_new(
    struct event_base *base, struct rib *rib, uint16_t port, const struct bgp_glue_env *env)
{
	struct bgp_glue *g = calloc(1, sizeof(*g));

	if (g == NULL)
		abort();
	g->changes = calloc(PULL_MAX, sizeof(g->changes[0]));
	if (g->changes == NULL)
		abort();
	g->base = base;
	g->rib = rib;
	g->port = port;
	g->env = *env;
	g->timer = event_new(base, -1, 0, on_deadline, g);
	if (g->timer == NULL)
		abort();
	TAILQ_INIT(&g->socks);
	g->listeners[0].fd = g->listeners[1].fd = -1;
	return g;
}

void bgp_glue_stop(struct bgp_glue *g, bool notify)
{
	if (g->core != NULL) {
		bgp_shutdown(g->core, notify, nsec_monotonic());
		run_actions(g);
	}
	bgp_sock_end_all(g);
	bgp_sock_listen_end(g);
	event_del(g->timer);
	bgp_free(g->core);
	g->core = NULL;
	free(g->announced);
	g->announced = NULL;
	g->n_announced = 0;
}

void bgp_glue_free(struct bgp_glue *g)
{
	if (g == NULL)
		return;
	bgp_glue_stop(g, false);
	event_free(g->timer);
	free(g->connected);
	free(g->changes);
	free(g);
}

bool bgp_glue_is_settling(const struct bgp_glue *g)
{
	return g->core != NULL && (g->pull_waits || bgp_is_deferring(g->core) || !bgp_is_idle(g->core));
}

struct bgp *bgp_glue_core(struct bgp_glue *g)
{
	return g->core;
}

uint64_t bgp_glue_now(const struct bgp_glue *g)
{
	return nsec_monotonic();
}
