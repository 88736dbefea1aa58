/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weighted rendezvous hashing (Schindelhauer, Schomaker 2005: the score -weight / ln u), with quotas for
 * first choices: by hashing alone shares would be off by some percent, as 256 coins are. Pure; made on the
 * slow thread, filled on the monitor thread.
 */
#include "dataplane/group_deal.h"

#include <math.h>
#include <string.h>

/* 64 well mixed bits (the finalizer of splitmix64). */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Higher is better; without weight below all that have one. */
static double score(const struct group_share *m, unsigned bucket)
{
	double u =
	    ((double)(mix((uint64_t)m->id << 16 | bucket) >> 11) + 0.5) / 9007199254740992.0; /* 2^53 */

	return m->weight ? -(double)m->weight / log(u) : -u;
}

static unsigned find_largest(const uint64_t *values, unsigned n)
{
	unsigned at = 0;

	for (unsigned i = 1; i < n; i++)
		if (values[i] > values[at])
			at = i;
	return at;
}

/* How many buckets each member is first choice of. */
static void make_quotas(const struct group_share *m, unsigned n, uint64_t quota[FIBMSG_MEMBERS])
{
	uint64_t total = 0, rest[FIBMSG_MEMBERS], dealt = 0;

	for (unsigned i = 0; i < n; i++)
		total += m[i].weight;
	for (unsigned i = 0; i < n; i++) {
		uint64_t share = total ? (uint64_t)m[i].weight * GROUP_BUCKETS : GROUP_BUCKETS;

		quota[i] = share / (total ? total : n);
		rest[i] = share % (total ? total : n);
		if (m[i].weight && quota[i] == 0) { /* next to a heavy one */
			quota[i] = 1;
			rest[i] = 0;
		}
		dealt += quota[i];
	}
	for (; dealt < GROUP_BUCKETS; dealt++) {
		unsigned at = find_largest(rest, n);

		quota[at]++;
		rest[at] = 0;
	}
	for (; dealt > GROUP_BUCKETS; dealt--)
		quota[find_largest(quota, n)]--;
}

/* Members by falling score: insertion, since they are few. */
static void rank(const struct group_share *m, unsigned n, unsigned bucket, uint8_t *order)
{
	double scores[FIBMSG_MEMBERS];

	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		scores[i] = score(&m[i], bucket);
		for (; at > 0 && scores[order[at - 1]] < scores[i]; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
}

/* The best ranked whose quota is not used up becomes the first choice. */
static void apply_quota(uint8_t *order, unsigned n, uint64_t *quota)
{
	for (unsigned k = 0; k < n; k++) {
		uint8_t member = order[k];

		if (quota[member] == 0)
			continue;
		quota[member]--;
		memmove(order + 1, order, k);
		order[0] = member;
		return;
	}
}

void group_deal_make(struct group_deal *d, const struct group_share *members, unsigned n)
{
	uint64_t quota[FIBMSG_MEMBERS];

	memset(d, 0, sizeof(*d));
	d->n = (uint8_t)n;
	if (n == 0)
		return;
	make_quotas(members, n, quota);
	for (unsigned b = 0; b < GROUP_BUCKETS; b++) {
		rank(members, n, b, d->order[b]);
		apply_quota(d->order[b], n, quota);
	}
}

void group_deal_fill(const struct group_deal *d, uint32_t set, uint8_t bucket[GROUP_BUCKETS])
{
	for (unsigned b = 0; b < GROUP_BUCKETS; b++) {
		unsigned k = 0;

		while (k + 1u < d->n && !(set & 1u << d->order[b][k]))
			k++;
		bucket[b] = d->order[b][k];
	}
}
