/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packets of a burst by what they have in common (peer, session): one pass whatever the number of groups,
 * so that a burst of 64 packets of 64 peers costs little more than one of a single peer
 * (bench: tunnel-peers). Workers only.
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_GROUP_H
#define BYWAY_DATAPLANE_TUNNEL_GROUP_H

#include <stdint.h>

#include "dataplane/worker.h"

/* Group g is order[end[g - 1]] to order[end[g] - 1]: positions in the burst, in their order. */
struct tunnel_groups {
	unsigned n;
	uint8_t end[WORKER_BURST];
	uint8_t order[WORKER_BURST];
};

static inline unsigned tunnel_group_begin(const struct tunnel_groups *g, unsigned i)
{
	return i ? g->end[i - 1] : 0;
}

/* Groups n (0 to WORKER_BURST) positions by pointer; groups in the order of their first packets. */
void tunnel_group(struct tunnel_groups *g, void *const *common, unsigned n);

#endif
