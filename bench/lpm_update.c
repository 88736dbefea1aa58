/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Updates while somebody reads. The main thread writes; the reader is a thread of its own on another CPU.
 * Both are registered with RCU as the dataplane's threads are: the reader reports a quiescent state after
 * each burst.
 *
 * Pair of atomics: stop is written by the main thread and read by the reader, which counts its bursts in
 * looked_up for the main thread; relaxed, nothing hangs on their order.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/lpm.h"
#include "dataplane/rcu.h"
#include "lib/err.h"
#include "lib/nsec.h"

#define BATCH	  256	/* routes that are away at a time */
#define CHOICE	  65536 /* routes that change at all */
#define SETTLE_MS 50

struct reader {
	const struct lpm_side *side;
	unsigned burst;
	atomic_bool stop;
	_Atomic uint64_t looked_up;
	pthread_t thread;
};

struct progress {
	uint64_t looked_up;
	double seconds;
};

static unsigned reader_cpu;

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	const struct lpm_keys *keys = &r->side->keys;
	uint64_t values[LPM_BURST_MAX], done = 0;

	pin(reader_cpu);
	rcu_register_thread();
	for (size_t i = 0; !atomic_load_explicit(&r->stop, memory_order_relaxed); i += r->burst) {
		if (i + r->burst > keys->n)
			i = 0;
		r->side->e->lookup(r->side->t, (uint8_t *)keys->addrs + i * keys->size, values, r->burst);
		done += r->burst;
		atomic_store_explicit(&r->looked_up, done, memory_order_relaxed);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

int lpm_place_writer(unsigned readers)
{
	unsigned cpus[2], n = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return ERR_IO;
	for (unsigned i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	if (n <= readers) {
		fprintf(stderr, "lpm: a reader and a writer need two CPUs\n");
		return ERR_UNSUPPORTED;
	}
	pin(cpus[0]);
	reader_cpu = cpus[n - 1];
	return 0;
}

static int start_reader(struct reader *r)
{
	return pthread_create(&r->thread, NULL, read_on, r) == 0 ? 0 : ERR_NOMEM;
}

/* What the reader has looked up so far, and the time that it had for it, whatever else ran on its CPU. */
static void read_reader(struct reader *r, struct progress *out)
{
	struct timespec ts = {0};
	clockid_t its_clock;

	if (pthread_getcpuclockid(r->thread, &its_clock) == 0)
		(void)clock_gettime(its_clock, &ts);
	out->looked_up = atomic_load_explicit(&r->looked_up, memory_order_relaxed);
	out->seconds = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double lookups_per_second(struct reader *r, const struct progress *before)
{
	struct progress now;

	read_reader(r, &now);
	return (double)(now.looked_up - before->looked_up) / (now.seconds - before->seconds);
}

static void stop_reader(struct reader *r)
{
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	rcu_thread_offline();
	pthread_join(r->thread, NULL);
	rcu_thread_online();
}

/* Routes of the table, chosen at random, none twice, in an order of their own. */
static struct lpm_route *choose_routes(const struct lpm_table *t, size_t *n)
{
	size_t *order = calloc(t->n, sizeof(*order));
	struct lpm_route *chosen;
	uint64_t seed = 3;

	*n = t->n < CHOICE ? t->n : CHOICE;
	chosen = calloc(*n, sizeof(*chosen));
	for (size_t i = 0; order && i < t->n; i++)
		order[i] = i;
	for (size_t i = 0; order && chosen && i < *n; i++) {
		size_t j = i + lpm_random(&seed) % (t->n - i), was = order[j];

		order[j] = order[i];
		chosen[i] = t->routes[was];
	}
	free(order);
	return chosen;
}

/*
 * Withdraws a batch, announces it again with the next of the table's values: 2 * n calls. The batch begins at
 * *at, which moves on.
 */
static int change_batch(const struct lpm_side *s, struct lpm_route *routes, size_t n_routes, size_t *at,
    size_t n, uint32_t n_values)
{
	int err = 0;

	if (*at + n > n_routes)
		*at = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = s->e->del(s->t, &routes[*at + i]);
	for (size_t i = 0; i < n && !err; i++) {
		routes[*at + i].value = 1 + routes[*at + i].value % n_values;
		err = s->e->set(s->t, &routes[*at + i]);
	}
	if (err)
		fprintf(stderr, "lpm: an update is refused: %s\n", err_text(err));
	*at += n;
	rcu_quiescent_state();
	return err;
}

int lpm_run_update(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	struct reader r = {.side = sides, .burst = o->burst};
	size_t n_routes, at = 0, n, batch;
	struct lpm_route *routes = choose_routes(table, &n_routes);
	int err = routes ? 0 : ERR_NOMEM;
	struct progress before = {0};
	uint64_t start, now;

	if (!err && o->readers)
		err = start_reader(&r);
	if (err)
		return err;
	batch = n_routes < BATCH ? n_routes : BATCH;
	usleep(SETTLE_MS * 1000);
	start = now = nsec_monotonic();
	if (o->readers)
		read_reader(&r, &before);
	for (n = 0; !err && now - start < o->millis * NSEC_PER_MSEC; n += 2 * batch) {
		err = change_batch(sides, routes, n_routes, &at, batch, o->n_values);
		now = nsec_monotonic();
	}
	if (!err)
		printf("updates-per-second %.0f lookups-per-second %.0f\n",
		    (double)n * 1e9 / (double)(now - start),
		    o->readers ? lookups_per_second(&r, &before) : 0);
	if (o->readers)
		stop_reader(&r);
	free(routes);
	return err;
}

/* Sleeps until so many updates are due; a writer that cannot keep up says so. Elsewhere: what the reader
 * still loses is the machine's. */
int lpm_run_churn(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	struct reader r = {.side = sides, .burst = o->burst};
	size_t n_routes, at = 0, n = 0, batch = 32;
	struct lpm_route *routes = choose_routes(table, &n_routes);
	struct lpm_side changed = *sides;
	struct progress before = {0};
	uint64_t start, now;
	double reached;
	int err;

	if (o->elsewhere)
		changed.t = changed.e->create(table);
	err = routes && changed.t ? start_reader(&r) : ERR_NOMEM;
	if (err)
		return err;
	usleep(SETTLE_MS * 1000);
	start = now = nsec_monotonic();
	read_reader(&r, &before);
	while (!err && now - start < o->millis * NSEC_PER_MSEC) {
		if ((double)n < (double)o->rate * (double)(now - start) / 1e9) {
			err = change_batch(&changed, routes, n_routes, &at,
			    batch < n_routes ? batch : n_routes, o->n_values);
			n += 2 * batch;
		} else {
			rcu_thread_offline();
			usleep(100);
			rcu_thread_online();
		}
		now = nsec_monotonic();
	}
	reached = (double)n * 1e9 / (double)(now - start);
	printf("lookups-per-second %.0f updates-per-second %.0f\n", lookups_per_second(&r, &before), reached);
	stop_reader(&r);
	free(routes);
	if (!err && reached < 0.9 * (double)o->rate) {
		fprintf(stderr, "lpm: the writer reached %.0f updates a second instead of %lu\n", reached,
		    o->rate);
		return ERR_BUSY;
	}
	return err;
}
