/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening shared among workers; tunnel_share.h says why.
 *
 * A worker's bursts wait in a queue of its own, in their order. Each is opened by itself or by another
 * worker, to which a pointer goes by ring; `done` says that it is. What waits names sessions by receiver
 * index and birth: both sides look them up anew, since no RCU pointer outlives a burst, and messages of a
 * session that is gone end, even if another one has its index by then.
 *
 * Pair of atomics: `done` is stored by the worker that opened (release, after `authentic` and the packets'
 * bytes) and loaded by the one that owns the job (acquire). The ring orders what is in the job before.
 */
#include "dataplane/tunnel_share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/spread.h"

#define JOBS	    32 /* of a worker; a power of two */
#define FULL	    16 /* so many wait: nothing more is received */
#define AT_ONCE	    2  /* given to one worker, not yet back */
#define SHARE_COUNT 32 /* smaller bursts show that there is time */
#define SHARE_BYTES                                                                                          \
	(SHARE_COUNT * 256u) /* with fewer to open, the way to another core costs more than it saves */

struct job {
	struct tunnel_opening o; /* kp and peer of its sessions count only within a burst */
	uint32_t receivers[WORKER_BURST];
	uint64_t births_ns[WORKER_BURST];
	unsigned owner; /* who gave it */
	uint64_t authentic;
	unsigned helper; /* who opens it */
	_Atomic bool done;
} __attribute__((aligned(RTE_CACHE_LINE_SIZE)));

struct tunnel_share {
	struct rte_ring *ring;	    /* jobs that others gave; many producers */
	unsigned first, n;	    /* of jobs: those that wait, in their order */
	unsigned given[WORKER_MAX]; /* to each worker, not yet back */
	struct job jobs[JOBS];
};

int tunnel_share_create(struct worker *w, unsigned workers)
{
	char name[RTE_RING_NAMESIZE];
	size_t size = RTE_ALIGN(sizeof(struct tunnel_share), RTE_CACHE_LINE_SIZE);

	if (workers < 2)
		return 0;
	w->share = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (!w->share)
		return ERR_NOMEM;
	memset(w->share, 0, size);
	snprintf(name, sizeof(name), "open-by-worker-%u", w->id);
	w->share->ring = rte_ring_create(name, WORKER_MAX * JOBS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	return w->share->ring ? 0 : ERR_NOMEM;
}

void tunnel_share_destroy(struct worker *w)
{
	if (!w->share)
		return;
	rte_ring_free(w->share->ring);
	free(w->share);
	w->share = NULL;
}

bool tunnel_share_is_full(const struct worker *w)
{
	return w->share && w->share->n >= FULL;
}

bool tunnel_share_is_idle(const struct worker *w)
{
	return !w->share || (w->share->n == 0 && rte_ring_empty(w->share->ring));
}

static bool is_large(const struct tunnel_opening *o)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < o->n; i++)
		bytes += o->lens[i];
	return o->n >= SHARE_COUNT && bytes >= SHARE_BYTES;
}

/* A worker that has not too much of ours yet, nobody's waiting, and time; else ourselves. Hints all: what it
 * is given all the same is opened later, no more. */
static unsigned choose_helper(const struct worker *w)
{
	for (unsigned i = 1; i < worker_count; i++) {
		unsigned id = (w->id + i) % worker_count;
		const struct worker *other = worker_table[id];

		if (w->share->given[id] < AT_ONCE && rte_ring_empty(other->share->ring) &&
		    !(other->spread && spread_is_saturated(other)))
			return id;
	}
	return w->id;
}

/* gone: bits of messages without a session, which are not authentic whatever the cipher says. */
static void open_job(struct job *job, uint64_t gone)
{
	job->authentic = tunnel_decipher(&job->o) & ~gone;
	atomic_store_explicit(&job->done, true, memory_order_release);
}

bool tunnel_share_opening(struct worker *w, const struct tunnel_opening *o)
{
	struct tunnel_share *s = w->share;
	bool large = s && is_large(o);
	struct job *job;

	if (!s || (s->n == 0 && !large))
		return false;
	if (s->n == JOBS) {
		worker_drop(w, (struct rte_mbuf **)(uintptr_t)o->pkts, o->n, DROP_WORKER_QUEUE);
		return true;
	}
	job = &s->jobs[(s->first + s->n++) % JOBS];
	job->o = *o;
	job->owner = w->id;
	for (unsigned i = 0; i < o->n_sessions; i++) {
		job->receivers[i] = o->sessions[i].kp->local_index;
		job->births_ns[i] = o->sessions[i].kp->birth_ns;
	}
	atomic_store_explicit(&job->done, false, memory_order_relaxed);
	job->helper = large ? choose_helper(w) : w->id;
	if (job->helper == w->id || rte_ring_enqueue(worker_table[job->helper]->share->ring, job) != 0) {
		job->helper = w->id;
		open_job(job, 0);
		return true;
	}
	s->given[job->helper]++;
	worker_wake(worker_table[job->helper]);
	return true;
}

/* The session as it is now; NULL: it is gone, or another one has its index. */
static struct tunnel_keypair *find_session(const struct job *job, unsigned i)
{
	struct tunnel_keypair *kp = tunnel_keypair_by_receiver(job->receivers[i]);

	return kp && kp->birth_ns == job->births_ns[i] && kp->owner == job->owner ? kp : NULL;
}

/* The sessions as they are now; those that are gone keep no messages: these end. */
static void find_sessions(struct worker *w, struct job *job)
{
	struct tunnel_opening *o = &job->o;
	unsigned kept = 0;

	for (unsigned i = 0; i < o->n_sessions; i++) {
		struct tunnel_session *s = &o->sessions[i];

		s->kp = find_session(job, i);
		s->peer = s->kp ? tunnel_peer_by_index(s->kp->peer) : NULL;
		if (s->peer)
			o->sessions[kept++] = *s;
		else
			worker_drop(w, o->pkts + s->from, s->to - s->from, DROP_TUNNEL_NO_SESSION);
	}
	o->n_sessions = kept;
}

/* For another worker: nothing is done to a session, its key is read. */
static void help(struct job *job)
{
	static struct tunnel_keypair nobody; /* its key is known to all */
	uint64_t gone = 0;

	for (unsigned i = 0; i < job->o.n_sessions; i++) {
		struct tunnel_session *s = &job->o.sessions[i];

		s->kp = find_session(job, i);
		if (s->kp)
			continue;
		s->kp = &nobody;
		for (unsigned m = s->from; m < s->to; m++)
			gone |= UINT64_C(1) << m;
	}
	open_job(job, gone);
}

static bool deliver_ready(struct worker *w)
{
	struct tunnel_share *s = w->share;
	bool any = false;

	while (s->n) {
		struct job *job = &s->jobs[s->first];

		if (!atomic_load_explicit(&job->done, memory_order_acquire))
			break;
		if (job->helper != w->id)
			s->given[job->helper]--;
		find_sessions(w, job);
		tunnel_deliver(w, &job->o, job->authentic);
		s->first = (s->first + 1) % JOBS;
		s->n--;
		any = true;
	}
	return any;
}

bool tunnel_share_run(struct worker *w)
{
	bool any = deliver_ready(w);
	void *job;

	if (rte_ring_dequeue(w->share->ring, &job) == 0) {
		help(job);
		any = true;
	}
	return any || w->share->n; /* what was given is soon back: no sleep */
}
