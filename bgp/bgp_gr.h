/* SPDX-License-Identifier: BSD-3-Clause */
/* Graceful restart (RFC 4724): of a peer, and our own. */
#ifndef BYWAY_BGP_BGP_GR_H
#define BYWAY_BGP_BGP_GR_H

#include "bgp/bgp_core.h"

/* What we announce in OPEN. */
void bgp_gr_fill_capability(const struct bgp_peer *peer, struct bgp_capabilities *caps);
/* The session ended. graceful: as RFC 4724 §4.2 wants it to keep routes: the connection just went away. */
void bgp_gr_end_session(struct bgp_peer *peer, bool graceful);
/* It stands again (or for the first time). */
void bgp_gr_begin_session(struct bgp_peer *peer);
void bgp_gr_end_of_rib(struct bgp_peer *peer, enum bgp_family family);
/* Runs the peer's timers, and our own deferral. */
void bgp_gr_tick_peer(struct bgp_peer *peer);
void bgp_gr_tick(struct bgp *bgp);

#endif
