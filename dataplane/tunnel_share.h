/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening shared among workers: the messages of one peer are one flow and come to one queue, so one worker
 * would open them all. A worker that has more than it can do gives whole bursts to others, which open them
 * and give them back; windows and delivery stay with the worker that owns the sessions, which takes all
 * bursts up in the order in which they came, its own too. Workers only, but where it says otherwise.
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_SHARE_H
#define BYWAY_DATAPLANE_TUNNEL_SHARE_H

#include "dataplane/tunnel_decap.h"

/* Main thread: w->share, if there are several workers. ERR_NOMEM. */
int tunnel_share_create(struct worker *w, unsigned workers);
void tunnel_share_destroy(struct worker *w);

/*
 * True: the opening was taken (copied) and will be delivered after those that were taken before it. False:
 * nothing is waiting and it is too small to be shared: the caller opens and delivers it now.
 */
bool tunnel_share_opening(struct worker *w, const struct tunnel_opening *o);
/* Once a loop: opens what another worker gave, delivers what is ready. True when there was anything to do. */
bool tunnel_share_run(struct worker *w);
/* No more is to be received before some is delivered. */
bool tunnel_share_is_full(const struct worker *w);
/* Nothing was given to this worker, and it waits for nothing: it may sleep. */
bool tunnel_share_is_idle(const struct worker *w);

#endif
