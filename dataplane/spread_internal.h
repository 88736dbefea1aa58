/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of software spreading share.
 *
 *   spread.c        which bucket a frame falls into, handing over and taking
 *   spread_move.c   which worker has which bucket
 *
 * Order. `given` counts what this worker handed to another, `done` what that one has sent on since. A bucket
 * remembers what `given` was at its last packet; when `done` has reached it, none is on the way, and the
 * bucket may go elsewhere. What the other sends may cross our own from_workers ring (tx.c, a port with few
 * transmit queues), so a bucket comes home only when that ring is empty, too.
 *
 * Pairs of atomics: done[i] of a worker is stored by it (release, after tx_flush) and loaded by worker i
 * (acquire); `saturated` is stored by its worker and read by others, relaxed: a hint.
 */
#ifndef BYWAY_DATAPLANE_SPREAD_INTERNAL_H
#define BYWAY_DATAPLANE_SPREAD_INTERNAL_H

#include "dataplane/spread.h"

enum phase {
	HOME,	/* all buckets here; saturated for TRIAL_NS: the rate is known, a trial begins */
	SETTLE, /* buckets move, nothing is measured yet */
	TRIAL,	/* the rate is taken */
	SPREAD, /* it was higher */
};

struct spread {
	/* Of who receives; its own alone. */
	uint64_t judged_ns;
	uint32_t loops, full, empty; /* since then: all, those with a full burst, those with nothing */
	unsigned most;		     /* frames of this loop's fullest burst */
	enum phase phase;
	uint64_t since_ns;   /* how long this phase lasts, or in HOME how long it is saturated */
	uint64_t received;   /* frames since then */
	uint64_t retry_ns;   /* no trial before */
	double home_rate;    /* frames a ns before the trial */
	bool polled;	     /* in this loop */
	bool receives;	     /* ever polled */
	unsigned away, next; /* buckets not its own; where the search for one goes on */
	unsigned waits_for;  /* bits of workers: paused until they have caught up */
	uint32_t given[WORKER_MAX];
	uint32_t last[SPREAD_BUCKETS]; /* given[to] after the bucket's last packet */
	uint8_t to[SPREAD_BUCKETS];
	/* Of who takes. */
	struct rte_ring *ring; /* many producers; in it mbuf.port is the interface, mbuf.hash.usr the giver */
	uint32_t taken[WORKER_MAX];
	bool took;
	_Atomic bool saturated;
	_Atomic uint32_t done[WORKER_MAX] __attribute__((aligned(RTE_CACHE_LINE_SIZE)));
};

#endif
