/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one header that includes liburcu (QSBR flavour). Workers and the monitor thread are
 * registered readers: they report one quiescent state per loop and are offline while they
 * sleep. The slow thread and the monitor thread retire what they replaced; nobody waits for a
 * grace period on the path of a packet.
 */
#ifndef BYWAY_DATAPLANE_RCU_H
#define BYWAY_DATAPLANE_RCU_H

#define _LGPL_SOURCE
#define URCU_API_MAP /* the short names: rcu_dereference and its like */
#include <urcu/urcu-qsbr.h>
#include <urcu/rculist.h>

#include "lib/lpm.h"

/*
 * Slow and monitor thread, registered and online: release(ptr) after a grace period, on RCU's own thread.
 * Never blocks and is no quiescent state. (liburcu's defer_rcu waits for a lock when its queue is full, whose
 * holder waits for this very thread to be quiescent.) Without memory for the note ptr is leaked, the only
 * safe choice left.
 */
void rcu_retire(void (*release)(void *), void *ptr);

/* What the tables of lib/lpm.h ask for: rcu_retire, and rcu_settle where readers are far behind. */
extern const struct lpm_mem rcu_lpm_mem;

/* Returns when all that was retired so far is released. */
static inline void rcu_settle(void)
{
	rcu_barrier();
}

#endif
