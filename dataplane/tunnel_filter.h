/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a tunnel's peers may send from the inner sources of their packets: tunnel_decap.c asks. Workers
 * only. */
#ifndef BYWAY_DATAPLANE_TUNNEL_FILTER_H
#define BYWAY_DATAPLANE_TUNNEL_FILTER_H

#include "dataplane/tunnel.h"

/* Opened packets; data begins at the inner IP header, which is whole. */
struct tunnel_inner {
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
	struct tunnel_peer *peers[WORKER_BURST]; /* from whom each came */
};

/* Drops those whose peer may not send from there (DROP_TUNNEL_SOURCE), closes the gaps. RFC 3704 §2.3. */
void tunnel_filter_sources(struct worker *w, struct tunnel_inner *in);

#endif
