/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker has which bucket: judged each JUDGE_NS by who polls a port, from how full its bursts are and
 * how much waits at the others. Workers only.
 */
#include "dataplane/spread_internal.h"
#include "lib/nsec.h"

#define JUDGE_NS   (100 * NSEC_PER_USEC)
#define TRIAL_NS   (2 * NSEC_PER_MSEC) /* a rate is taken over so long */
#define RETRY_NS   NSEC_PER_SEC	       /* after a trial that failed */
#define RECHECK_NS (10 * NSEC_PER_SEC) /* what paid once need not pay for ever */
#define PAYS	   1.1		       /* times as many packets */
#define MOVE	   8		       /* buckets at once */
#define LOW	   128		       /* packets in a worker's ring: it has time for more */
#define HIGH	   1024		       /* it has too much */
#define NOBODY	   WORKER_MAX

unsigned spread_count_away(const struct worker *w)
{
	return w->spread ? w->spread->away : 0;
}

bool spread_takes_rates(const struct worker *w)
{
	return w->spread->receives;
}

bool spread_is_paused(const struct worker *w)
{
	return w->spread->waits_for != 0;
}

/* Packets of ours that a worker has not sent on yet. */
static uint32_t on_the_way(const struct worker *w, unsigned to, uint32_t given)
{
	return given - atomic_load_explicit(&worker_table[to]->spread->done[w->id], memory_order_acquire);
}

static bool may_come_home(const struct worker *w, unsigned b)
{
	const struct spread *s = w->spread;

	return s->to[b] != w->id && (int32_t)on_the_way(w, s->to[b], s->last[b]) <= 0;
}

/* From one worker, or (NOBODY) from any. Our own ring is empty. */
static void take_back(struct worker *w, unsigned from, unsigned n)
{
	struct spread *s = w->spread;

	for (unsigned i = 0; i < SPREAD_BUCKETS && n > 0; i++) {
		unsigned b = s->next++ % SPREAD_BUCKETS;

		if ((from != NOBODY && s->to[b] != from) || !may_come_home(w, b))
			continue;
		s->to[b] = (uint8_t)w->id;
		s->away--;
		n--;
	}
}

/* All that this worker received before has left: it does one burst after the other. */
static void give_away(struct worker *w, unsigned to, unsigned n)
{
	struct spread *s = w->spread;

	for (unsigned i = 0; i < SPREAD_BUCKETS && n > 0; i++) {
		unsigned b = s->next++ % SPREAD_BUCKETS;

		if (s->to[b] != w->id)
			continue;
		s->to[b] = (uint8_t)to;
		s->last[b] = s->given[to];
		s->away++;
		n--;
	}
}

/* The worker with the least to do, if it has time, and the one with too much. */
static void look_around(const struct worker *w, unsigned *least, unsigned *most)
{
	unsigned low = LOW, high = HIGH;

	*least = *most = NOBODY;
	for (unsigned i = 0; i < worker_count; i++) {
		const struct worker *other = worker_table[i];
		unsigned waiting = rte_ring_count(other->spread->ring);

		if (i == w->id)
			continue;
		if (waiting < low && !atomic_load_explicit(&other->spread->saturated, memory_order_relaxed)) {
			low = waiting;
			*least = i;
		}
		if (waiting > high && on_the_way(w, i, w->spread->given[i])) {
			high = waiting;
			*most = i;
		}
	}
}

static void move_buckets(struct worker *w, bool saturated, bool idle)
{
	struct spread *s = w->spread;
	unsigned least, most;

	look_around(w, &least, &most);
	if (saturated && least != NOBODY)
		give_away(w, least, MOVE);
	else if (!saturated && most != NOBODY)
		s->waits_for = 1u << most; /* flows that never pause could not come home otherwise */
	else if (idle && s->away && rte_ring_empty(w->from_workers))
		take_back(w, NOBODY, MOVE);
}

static void enter(struct worker *w, enum phase phase)
{
	struct spread *s = w->spread;

	s->phase = phase;
	s->since_ns = w->now_ns;
	s->received = 0;
}

static void call_all_home(struct worker *w)
{
	w->spread->waits_for = (1u << worker_count) - 1;
	enter(w, HOME);
}

static void step(struct worker *w, bool saturated, bool idle)
{
	struct spread *s = w->spread;
	uint64_t lasted_ns = w->now_ns - s->since_ns;
	double rate = (double)s->received / (double)(lasted_ns + 1);

	switch (s->phase) {
	case HOME:
		if (!saturated || s->since_ns == 0)
			enter(w, HOME);
		else if (lasted_ns >= TRIAL_NS && w->now_ns >= s->retry_ns) {
			s->home_rate = rate;
			enter(w, SETTLE);
		}
		break;
	case SETTLE:
		if (lasted_ns >= TRIAL_NS)
			enter(w, TRIAL);
		break;
	case TRIAL:
		if (lasted_ns < TRIAL_NS)
			break;
		enter(w, SPREAD);
		if (rate >= s->home_rate * PAYS)
			break;
		s->retry_ns = w->now_ns + RETRY_NS;
		call_all_home(w);
		break;
	case SPREAD:
		if (s->away == 0)
			enter(w, HOME);
		else if (lasted_ns >= RECHECK_NS)
			call_all_home(w);
		break;
	}
	if (s->phase != HOME)
		move_buckets(w, saturated, idle);
}

/* Paused: when nothing is on the way any more, flows that never pause may come home, too. */
static void catch_up(struct worker *w)
{
	struct spread *s = w->spread;
	bool all = s->waits_for & 1u << w->id;

	for (unsigned i = 0; i < worker_count; i++)
		if (i != w->id && s->waits_for & 1u << i && on_the_way(w, i, s->given[i]))
			return;
	if (!rte_ring_empty(w->from_workers))
		return;
	take_back(w, all ? NOBODY : (unsigned)__builtin_ctz(s->waits_for), all ? SPREAD_BUCKETS : MOVE);
	s->waits_for = 0;
}

static void judge(struct worker *w)
{
	struct spread *s = w->spread;
	bool saturated, idle;

	s->loops++;
	s->full += s->most >= w->burst;
	s->empty += s->most == 0;
	if (w->now_ns - s->judged_ns < JUDGE_NS)
		return;
	s->judged_ns = w->now_ns;
	saturated = s->full * 4 >= s->loops * 3;
	idle = s->empty * 2 >= s->loops;
	s->loops = s->full = s->empty = 0;
	atomic_store_explicit(&s->saturated, saturated, memory_order_relaxed);
	if (spread_mode == SPREAD_AUTO)
		step(w, saturated, idle);
}

static void report(struct worker *w)
{
	struct spread *s = w->spread;

	s->took = false;
	for (unsigned i = 0; i < worker_count; i++)
		atomic_store_explicit(&s->done[i], s->taken[i], memory_order_release);
}

void spread_note(struct worker *w, unsigned n)
{
	struct spread *s = w->spread;

	s->polled = s->receives = true;
	s->received += n;
	s->most = RTE_MAX(s->most, n);
}

void spread_finish(struct worker *w)
{
	struct spread *s = w->spread;

	if (s->took)
		report(w);
	if (s->waits_for)
		catch_up(w);
	else if (s->polled)
		judge(w);
	s->polled = false;
	s->most = 0;
}
