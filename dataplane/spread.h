/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software spreading: where a port has fewer receive queues than there are workers, the worker that polls it
 * hands flows to the others, whole bursts at a time, by a ring of each. A flow (addresses,
 * protocol, ports; of fragments without ports) falls into one of SPREAD_BUCKETS buckets, a bucket belongs to
 * one worker, and changes it only when none of its packets is on the way: no flow is reordered.
 *
 * A bucket is handed over while its worker has more than it can do and taken back when it has time again, so
 * that an idle box wakes one worker and not all. A frame's way to another core costs about what it costs to
 * forward it (bench: workers/spread), so it is tried first whether more packets pass that way. Frames to a
 * tunnel's UDP port stay: tunnel_decap.c knows which worker owns the session. Workers only, but where it says
 * otherwise.
 */
#ifndef BYWAY_DATAPLANE_SPREAD_H
#define BYWAY_DATAPLANE_SPREAD_H

#include "dataplane/worker.h"

#define SPREAD_BUCKETS 256

enum spread_mode {
	SPREAD_AUTO,   /* as load demands */
	SPREAD_OFF,    /* never */
	SPREAD_ALWAYS, /* evenly, whatever the load */
};

/* Constant once a port is open; main thread. */
extern enum spread_mode spread_mode;

/* "auto", "off", "always". ERR_INVALID. */
int spread_parse_mode(const char *text, enum spread_mode *out);

/* Main thread: w->spread, if there are several workers. ERR_NOMEM. */
int spread_create(struct worker *w, unsigned workers);
void spread_destroy(struct worker *w);
/* Slow thread: whether frames of a port with so many queues are to be spread. */
bool spread_is_wanted(unsigned queues);

/* Frames from a port whose slot spreads: consumed. */
void spread_frames(struct worker *w, struct iface *in, struct rte_mbuf **pkts, unsigned n);
/* Frames that other workers handed over, at most a burst; true when there were any. Needs w->spread. */
bool spread_take(struct worker *w);
bool spread_is_empty(const struct worker *w);
/* Each time that such a port was polled: with n frames. */
void spread_note(struct worker *w, unsigned n);
/* Once a loop, after tx_flush: what was taken is done; buckets may move. */
void spread_finish(struct worker *w);
/* True while the ports that spread are not to be polled: another worker catches up. */
bool spread_is_paused(const struct worker *w);
/* Whether the worker polls a port whose flows it may hand out, so that its clock must be exact; its own thread. */
bool spread_takes_rates(const struct worker *w);
/* It lately had full bursts in most loops; any worker, a hint. Needs w->spread. */
bool spread_is_saturated(const struct worker *w);
/* Buckets that other workers have; its own thread, or when that does not run. */
unsigned spread_count_away(const struct worker *w);

#endif
