/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match: lookups, updates and memory of lib/lpm4 and lib/lpm6, of DPDK's rte_fib and rte_fib6,
 * and of candidates, on the same table and the same keys. bench/cases_lpm.py calls it and sets the figures
 * beside each other. One process measures one engine, so that neither disturbs the other's memory.
 *
 *   lpm MODE --family 4|6 --routes FILE [options]
 *
 *   lookup   lookups a second, one lap after the other over all keys; the median lap
 *   cold     the same while packets pass: between two bursts as many buffers of a ring larger than L3 are
 * written; the clock runs during the lookup alone memory   bytes update   adds and deletes a second, with
 * --readers threads looking up churn    lookups a second of a reader while a writer makes --rate updates a
 * second (0: none) compare  ours and rte_fib, each answer; fails at the first difference (--random N instead
 * of --routes)
 *
 *   --engine NAME   byway (default), rte_fib, or a candidate     --form NAME    how it looks up; best: the
 * fastest
 *   --burst N       keys a call, 64                              --keys N       4194304
 *   --millis N      1000                                         --values N     distinct values, 256
 *   --max-routes N  so many of the table's                       --touch N      bytes written of each buffer,
 * 1536
 *   --readers N     0 or 1                                       --rate N       updates a second
 *
 * Prints "name value" pairs. Exit status 3: this machine lacks what the figure needs.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench/lpm.h"
#include "dataplane/rcu.h"
#include "lib/err.h"

#define LAPS_MAX    10000
#define BUFFER_LEN  2048u
#define RING_LEN    (256u << 20)
#define BURST_LIMIT 200000 /* cycles: a burst that took longer was interrupted */

static uint64_t values[LPM_BURST_MAX];
static struct lpm_table random_table;

static double own_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double wall_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint64_t lpm_sum(const struct lpm_engine *e, void *t, const struct lpm_keys *k, unsigned burst)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + burst <= k->n; i += burst) {
		e->lookup(t, (uint8_t *)k->addrs + i * k->size, values, burst);
		for (unsigned j = 0; j < burst; j++)
			sum = sum * 0x100000001b3u + (e->wide ? values[j] : ((uint32_t *)values)[j]);
	}
	return sum;
}

double lpm_lap(const struct lpm_engine *e, void *t, const struct lpm_keys *k, unsigned burst)
{
	double start = own_seconds();

	for (size_t i = 0; i + burst <= k->n; i += burst)
		e->lookup(t, (uint8_t *)k->addrs + i * k->size, values, burst);
	return own_seconds() - start;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Lookups a second of the median lap. */
static double measure_laps(
    const struct lpm_engine *e, void *t, const struct lpm_keys *k, unsigned burst, unsigned millis)
{
	static double laps[LAPS_MAX];
	double end = wall_seconds() + millis / 1e3;
	unsigned n = 0;

	do {
		laps[n++] = lpm_lap(e, t, k, burst);
	} while (n < LAPS_MAX && (n < 3 || wall_seconds() < end));
	qsort(laps, n, sizeof(laps[0]), compare_doubles);
	return (double)(k->n / burst * burst) / laps[n / 2];
}

/* The fastest of the engine's forms on these keys. */
static const char *find_best(
    const struct lpm_engine *e, void *t, const struct lpm_options *o, const struct lpm_keys *k)
{
	const char *best = NULL;
	double rate, most = 0;

	for (unsigned i = 0; e->forms[i]; i++) {
		if (e->select(t, e->forms[i]) != 0)
			continue;
		rate = measure_laps(e, t, k, o->burst, 150);
		if (rate > most) {
			most = rate;
			best = e->forms[i];
		}
	}
	return best;
}

void *lpm_engine_open(const struct lpm_engine *e, const struct lpm_options *o, const struct lpm_table *t,
    const struct lpm_keys *k)
{
	const char *form = o->form;
	void *made = e->create(t);

	if (!made)
		return NULL;
	if (strcmp(form, "best") == 0)
		form = find_best(e, made, o, k);
	if (!form || e->select(made, form) != 0) {
		fprintf(stderr, "lpm: %s does not look up as '%s' here\n", e->name, o->form);
		return NULL;
	}
	printf("engine %s form %s routes %zu\n", e->name, form, t->n);
	return made;
}

static int run_lookup(const struct lpm_engine *e, void *t, const struct lpm_options *o,
    const struct lpm_table *table, const struct lpm_keys *k)
{
	printf("sum %016lx\n", (unsigned long)lpm_sum(e, t, k, o->burst));
	printf("lookups-per-second %.0f\n", measure_laps(e, t, k, o->burst, o->millis));
	return 0;
}

/* What the two reads of the clock cost themselves. */
static uint64_t clock_cycles(void)
{
	uint64_t least = UINT64_MAX;
	unsigned aux;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t start = __rdtscp(&aux), took;

		_mm_lfence();
		took = __rdtscp(&aux) - start;
		_mm_lfence();
		least = took < least ? took : least;
	}
	return least;
}

static double tsc_hz(void)
{
	double start = wall_seconds(), now;
	uint64_t tsc = __rdtsc();

	do
		now = wall_seconds();
	while (now < start + 0.05);
	return (double)(__rdtsc() - tsc) / (now - start);
}

/* Writes one packet each into the next buffers of the ring, as a network card does. */
static void pass_packets(uint8_t *ring, size_t *at, unsigned n, unsigned touch)
{
	for (unsigned i = 0; i < n; i++) {
		memset(ring + *at, (int)i, touch);
		*at = (*at + BUFFER_LEN) % RING_LEN;
	}
}

static int run_cold(const struct lpm_engine *e, void *t, const struct lpm_options *o,
    const struct lpm_table *table, const struct lpm_keys *k)
{
	uint64_t cycles = 0, done = 0, interrupted = 0, overhead = clock_cycles();
	double hz = tsc_hz(), end = wall_seconds() + o->millis / 1e3;
	uint8_t *ring = lpm_pages_alloc(RING_LEN);
	size_t at = 0, key = 0;
	unsigned aux;

	if (!ring)
		return ERR_NOMEM;
	for (unsigned lap = 0; wall_seconds() < end || lap < 2 * RING_LEN / BUFFER_LEN / o->burst; lap++) {
		uint64_t start, took;

		pass_packets(ring, &at, o->burst, o->touch);
		key = key + o->burst > k->n ? 0 : key;
		/* the keys stand in the packets, which a router has just read */
		for (unsigned i = 0; i < o->burst * k->size; i += 64)
			_mm_prefetch((const char *)k->addrs + key * k->size + i, _MM_HINT_T0);
		_mm_mfence();
		start = __rdtscp(&aux);
		_mm_lfence();
		e->lookup(t, (uint8_t *)k->addrs + key * k->size, values, o->burst);
		took = __rdtscp(&aux) - start;
		_mm_lfence();
		key += o->burst;
		if (took > BURST_LIMIT || lap < RING_LEN / BUFFER_LEN / o->burst) {
			interrupted += took > BURST_LIMIT;
			continue;
		}
		cycles += took > overhead ? took - overhead : 0;
		done += o->burst;
	}
	printf("lookups-per-second %.0f\n", (double)done / ((double)cycles / hz));
	printf("cycles-per-lookup %.2f clock-overhead %lu interrupted %lu\n", (double)cycles / (double)done,
	    (unsigned long)overhead, (unsigned long)interrupted);
	return 0;
}

static int run_memory(const struct lpm_engine *e, void *t, const struct lpm_options *o,
    const struct lpm_table *table, const struct lpm_keys *k)
{
	struct lpm_bytes b = {0};

	e->memory(t, table, &b);
	printf("bytes %zu least %zu control %zu\n", b.tables, b.least, b.control);
	return 0;
}

static const struct mode {
	const char *name;
	bool writes;
	int (*run)(const struct lpm_engine *e, void *t, const struct lpm_options *o,
	    const struct lpm_table *table, const struct lpm_keys *k);
} modes[] = {
    {"lookup", false, run_lookup},
    {"cold", false, run_cold},
    {"memory", false, run_memory},
    {"update", true, lpm_run_update},
    {"churn", true, lpm_run_churn},
};

static int run_mode(const struct mode *m, const struct lpm_options *o, const struct lpm_table *table)
{
	const struct lpm_engine *e = lpm_engine_find(o->engine, o->family);
	struct lpm_keys keys;
	void *t;
	int err;

	if (!e || (m->writes && !e->set)) {
		fprintf(stderr, "lpm: there is no engine '%s' for IPv%u that can do '%s'\n", o->engine,
		    o->family, m->name);
		return ERR_INVALID;
	}
	if (e->dpdk && lpm_eal_start() != 0)
		return ERR_IO;
	err = m->writes ? lpm_place_writer(o->readers) : 0;
	if (err)
		return err;
	if (lpm_keys_make(table, o->n_keys, e->host_order, &keys) != 0)
		return ERR_NOMEM;
	t = lpm_engine_open(e, o, table, &keys);
	return t ? m->run(e, t, o, table, &keys) : ERR_UNSUPPORTED;
}

static int run(const char *name, const struct lpm_options *o, struct lpm_table *table)
{
	if (strcmp(name, "compare") == 0)
		return lpm_eal_start() == 0 ? lpm_run_compare(o, table) : ERR_IO;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(name, modes[i].name) == 0)
			return run_mode(&modes[i], o, table);
	fprintf(stderr, "lpm: there is no mode '%s'\n", name);
	return ERR_INVALID;
}

static const struct option long_options[] = {{"engine", required_argument, NULL, 'e'},
    {"form", required_argument, NULL, 'f'}, {"family", required_argument, NULL, '4'},
    {"routes", required_argument, NULL, 'r'}, {"random", required_argument, NULL, 'x'},
    {"burst", required_argument, NULL, 'b'}, {"keys", required_argument, NULL, 'k'},
    {"millis", required_argument, NULL, 'm'}, {"values", required_argument, NULL, 'v'},
    {"max-routes", required_argument, NULL, 'n'}, {"touch", required_argument, NULL, 't'},
    {"readers", required_argument, NULL, 'R'}, {"rate", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};

/* --random is used at once: it needs --family before it. */
static int take_option(struct lpm_options *o, int opt, const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	switch (opt) {
	case 'e':
		o->engine = text;
		return 0;
	case 'f':
		o->form = text;
		return 0;
	case 'r':
		o->routes = text;
		return 0;
	case 'x':
		return lpm_table_random(o->family, n, o->n_values, &random_table);
	case '4':
		o->family = (unsigned)n;
		return n == 4 || n == 6 ? 0 : ERR_RANGE;
	case 'b':
		o->burst = (unsigned)n;
		return n > 0 && n <= LPM_BURST_MAX ? 0 : ERR_RANGE;
	case 'k':
		o->n_keys = n;
		return n >= LPM_BURST_MAX ? 0 : ERR_RANGE;
	case 'm':
		o->millis = (unsigned)n;
		return n > 0 ? 0 : ERR_RANGE;
	case 'v':
		o->n_values = (uint32_t)n;
		return n > 0 && n < 1u << 20 ? 0 : ERR_RANGE;
	case 'n':
		o->max_routes = n;
		return n > 0 ? 0 : ERR_RANGE;
	case 't':
		o->touch = (unsigned)n;
		return n > 0 && n <= BUFFER_LEN ? 0 : ERR_RANGE;
	case 'R':
		o->readers = (unsigned)n;
		return n <= 1 ? 0 : ERR_RANGE;
	case 'u':
		o->rate = n;
		return 0;
	default:
		return ERR_INVALID;
	}
}

int main(int argc, char **argv)
{
	struct lpm_options o = {.engine = "byway",
	    .form = "default",
	    .family = 4,
	    .burst = 64,
	    .millis = 1000,
	    .touch = 1536,
	    .n_keys = 4u << 20,
	    .max_routes = SIZE_MAX,
	    .n_values = 256};
	struct lpm_table table = {0};
	int opt, err = 0;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (take_option(&o, opt, optarg ? optarg : "") != 0) {
			fprintf(stderr, "lpm: an option is unknown or out of range\n");
			return 2;
		}
	if (optind < argc && strcmp(argv[optind], "churn") == 0)
		o.readers = 1;
	if (optind + 1 != argc || !o.routes == !random_table.n) {
		fprintf(stderr, "lpm: expected MODE and --routes FILE\n");
		return 2;
	}
	rcu_register_thread();
	if (o.routes)
		err = lpm_table_load(o.routes, o.family, o.max_routes, o.n_values, &table);
	else
		table = random_table;
	if (!err)
		err = run(argv[optind], &o, &table);
	fflush(stdout);
	_exit(err == ERR_UNSUPPORTED ? LPM_STATUS_CANNOT : err ? 1 : 0); /* tables go with the process */
}
