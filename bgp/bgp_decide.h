/* SPDX-License-Identifier: BSD-3-Clause */
/* The decision process (RFC 4271 §9.1). */
#ifndef BYWAY_BGP_BGP_DECIDE_H
#define BYWAY_BGP_BGP_DECIDE_H

#include "bgp/bgp_rib.h"

struct bgp_rank {
	struct bgp_path *path;
	struct bgp_path *versus; /* it lost against, in the contest for the first place */
	enum bgp_step step;	 /* there; of the first: the step that decided it, against its versus */
	bool out;		 /* of the contest that runs */
	bool duplicate;		 /* its next hop is in the list already */
};

/* Whether decision may take the path: BGP_REASON_BEST, or why not. */
enum bgp_reason bgp_decide_check_path(const struct bgp *bgp, const struct bgp_path *path);
/*
 * Ranks the usable paths of net into bgp->ranks: the listed ones first, best first.
 * Returns how many are usable.
 */
size_t bgp_decide_rank(struct bgp *bgp, const struct bgp_net *net, size_t *n_listed);
/* Decides one prefix, marks whom it concerns, and releases it when nobody is left. */
void bgp_decide_net(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net);
/* State of a next-hop address; unknown: usable at cost 0. */
struct bgp_next_hop bgp_decide_next_hop(const struct bgp *bgp, const struct ip_addr *addr);

#endif
