/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way through tunnels: a judged burst (express.h) goes straight to the cipher, and from there
 * straight to the port. What asks for more (no session, no path, a packet too large, a way out that is not
 * plain) is left to the stages (tunnel_encap.c, tunnel_decap.c), untouched. Workers only.
 *
 *   express_encap.c   into tunnels       express_decap.c   messages, and what was inside
 */
#ifndef BYWAY_DATAPLANE_EXPRESS_TUNNEL_H
#define BYWAY_DATAPLANE_EXPRESS_TUNNEL_H

#include "dataplane/express.h"

struct nexthop;

/* What of a burst may go this way; by the packet's number in it. */
struct express_tunnel {
	uint64_t out, in;			/* bits: to a next hop that is a tunnel, for this host */
	const struct nexthop *nh[WORKER_BURST]; /* of `out` */
};

/* ERR_NOMEM. workers_create and workers_destroy call these. */
int express_encap_create(struct worker *w);
void express_encap_destroy(struct worker *w);

/* Seals those of t->out that it can and sends them; returns their bits. */
uint64_t express_encap(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    const struct express_tunnel *t, bool ip6);
/* Opens those of t->in that are messages of sessions; returns the bits of what it consumed. */
uint64_t express_decap(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    const struct express_tunnel *t, bool ip6);

#endif
