/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one header that includes liburcu (QSBR flavour). Workers and the monitor thread are
 * registered readers: they report one quiescent state per loop and are offline while they
 * sleep. The slow thread and the monitor thread call rcu_defer(); nobody waits for a grace
 * period on the path of a packet.
 */
#ifndef BYWAY_DATAPLANE_RCU_H
#define BYWAY_DATAPLANE_RCU_H

#define _LGPL_SOURCE
#define URCU_API_MAP /* the short names: rcu_dereference and its like */
#include <urcu/urcu-qsbr.h>
#include <urcu/rculist.h>

#endif
