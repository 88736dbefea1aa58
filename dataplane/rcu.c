/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring objects that have no rcu_head of their own. Slow and monitor thread.
 */
#include "dataplane/rcu.h"

#include <stdlib.h>

struct retired {
	struct rcu_head rcu;
	void (*release)(void *);
	void *ptr;
};

static void run_retired(struct rcu_head *head)
{
	struct retired *r = caa_container_of(head, struct retired, rcu);

	r->release(r->ptr);
	free(r);
}

void rcu_retire(void (*release)(void *), void *ptr)
{
	struct retired *r = malloc(sizeof(*r));

	if (!r)
		return;
	r->release = release;
	r->ptr = ptr;
	call_rcu(&r->rcu, run_retired);
}

static void defer_release(void *arg, void (*release)(void *), void *ptr)
{
	rcu_retire(release, ptr);
}

static void wait_for_readers(void *arg)
{
	rcu_settle();
}

const struct lpm_mem rcu_lpm_mem = {.defer = defer_release, .wait = wait_for_readers};
