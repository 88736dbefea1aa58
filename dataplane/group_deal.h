/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resilient hashing of weighted groups: which member has which bucket of flows. Pure.
 *
 * Each bucket has an order of preference over all members, made once from their weights and ids; what serves
 * it is the first of the order that lives. So a member that dies moves its own buckets alone, and one that
 * returns gets those back and no other: a flow never moves between two living members.
 */
#ifndef BYWAY_DATAPLANE_GROUP_DEAL_H
#define BYWAY_DATAPLANE_GROUP_DEAL_H

#include <stdint.h>

#include "dataplane/nexthop.h"

struct group_deal {
	uint8_t n;
	uint8_t order[GROUP_BUCKETS][FIBMSG_MEMBERS]; /* member indices, first choice first */
};

struct group_share {
	uint32_t id; /* names the member: its buckets are the same whatever its place in the list */
	uint16_t weight;
};

/*
 * n members, at most FIBMSG_MEMBERS. First choices are in proportion to the weights, by largest remainder to
 * one bucket, and one at least for a weight above 0; a member without weight is last choice everywhere. The
 * others are ranked by weighted rendezvous hashing, so that the flows of a dead member spread over all living
 * ones by their weights.
 */
void group_deal_make(struct group_deal *d, const struct group_share *members, unsigned n);

/* Member of each bucket among those in the set (a bit each, one at least). */
void group_deal_fill(const struct group_deal *d, uint32_t set, uint8_t bucket[GROUP_BUCKETS]);

#endif
