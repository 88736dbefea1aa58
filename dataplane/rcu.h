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

/*
 * Slow and monitor thread: release(ptr) after a grace period. The queue's lock may be held by RCU's own thread while it
 * waits for every reader, us included: a reader that waits for it online would wait for ever. The caller
 * holds no pointer of another writer across the call.
 */
static inline void rcu_retire(void (*release)(void *), void *ptr)
{
	rcu_thread_offline();
	defer_rcu(release, ptr);
	rcu_thread_online();
}

/* The same for all that was retired so far: returns when it is released. */
static inline void rcu_settle(void)
{
	rcu_thread_offline();
	rcu_defer_barrier();
	rcu_thread_online();
}

#endif
