/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding array of groups and who holds which dense index. The slow thread hands
 * indices out; the monitor thread alone writes group_forward after group_init().
 */
#include "dataplane/nexthop.h"

#include <pthread.h>

#include "lib/err.h"

#define FIRST_FREE (GROUP_HOST + 1)

_Atomic uintptr_t group_forward[GROUP_MAX];
struct group_peers *group_peers[GROUP_MAX];
_Atomic uint64_t forward_epoch = 1;

struct nexthop nexthop_host = {.kind = NEXTHOP_HOST};
struct nexthop nexthop_unreachable = {.kind = NEXTHOP_UNREACHABLE};
struct nexthop nexthop_prohibit = {.kind = NEXTHOP_PROHIBIT};
struct nexthop nexthop_blackhole = {.kind = NEXTHOP_BLACKHOLE};
struct nexthop nexthop_no_route = {.kind = NEXTHOP_NO_ROUTE};
struct nexthop nexthop_none_live = {.kind = NEXTHOP_NONE_LIVE};

/* A stack of free indices. The mutex is for RCU's own thread, which gives them back. */
static pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t free_index[GROUP_MAX];
static unsigned n_free;

void group_init(void)
{
	for (unsigned i = 0; i < GROUP_MAX; i++)
		atomic_store_explicit(&group_forward[i], (uintptr_t)&nexthop_no_route, memory_order_relaxed);
	atomic_store_explicit(&group_forward[GROUP_HOST], (uintptr_t)&nexthop_host, memory_order_release);
	n_free = 0;
	for (unsigned i = GROUP_MAX - 1; i >= FIRST_FREE; i--)
		free_index[n_free++] = i;
}

int group_index_alloc(uint32_t *index)
{
	int err = ERR_FULL;

	pthread_mutex_lock(&free_lock);
	if (n_free) {
		*index = free_index[--n_free];
		err = 0;
	}
	pthread_mutex_unlock(&free_lock);
	return err;
}

static void give_back(void *index)
{
	pthread_mutex_lock(&free_lock);
	free_index[n_free++] = (uint32_t)(uintptr_t)index;
	pthread_mutex_unlock(&free_lock);
}

void group_index_free(uint32_t index)
{
	/* A worker that looked a packet up before the route went still holds the index until its burst ends.
	 */
	rcu_retire(give_back, (void *)(uintptr_t)index);
}
