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
 *   --against NAME  also this one, in turns
 *   --burst N       keys a call, 64                              --keys N       4194304
 *   --millis N      1000                                         --values N     distinct values, 256
 *   --max-routes N  so many of the table's                       --touch N      bytes written of each buffer,
 * 1536
 *   --readers N     0 or 1                                       --rate N       updates a second
 *
 *   --elsewhere     churn: the updates are made in another table of the same routes
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
#define SIDES_MAX   2
#define TURN	    3	/* laps */
#define COLD_TURN   0.1 /* seconds */
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

/* Hash over the values of all keys, in order; equal for engines that agree. */
static uint64_t sum_values(const struct lpm_side *s, unsigned burst)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + burst <= s->keys.n; i += burst) {
		s->e->lookup(s->t, (uint8_t *)s->keys.addrs + i * s->keys.size, values, burst);
		for (unsigned j = 0; j < burst; j++)
			sum = sum * 0x100000001b3u + (s->e->wide ? values[j] : ((uint32_t *)values)[j]);
	}
	return sum;
}

/* Seconds of one lap over all keys, on this thread's own clock. */
static double run_lap(const struct lpm_side *s, unsigned burst)
{
	double start = own_seconds();

	for (size_t i = 0; i + burst <= s->keys.n; i += burst)
		s->e->lookup(s->t, (uint8_t *)s->keys.addrs + i * s->keys.size, values, burst);
	return own_seconds() - start;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Lookups a second of the median lap of each side. */
static void measure_laps(
    const struct lpm_side *sides, unsigned n_sides, unsigned burst, unsigned millis, double *rates)
{
	static double laps[SIDES_MAX][LAPS_MAX];
	double end = wall_seconds() + n_sides * millis / 1e3;
	unsigned n = 0;

	do {
		for (unsigned s = 0; s < n_sides; s++) {
			(void)run_lap(&sides[s], burst);
			for (unsigned i = 0; i < TURN; i++)
				laps[s][n + i] = run_lap(&sides[s], burst);
		}
		n += TURN;
	} while (n + TURN <= LAPS_MAX && wall_seconds() < end);
	for (unsigned s = 0; s < n_sides; s++) {
		qsort(laps[s], n, sizeof(laps[s][0]), compare_doubles);
		rates[s] = (double)(sides[s].keys.n / burst * burst) / laps[s][n / 2];
	}
}

/* The fastest of the engine's forms on these keys. */
static const char *find_best(const struct lpm_side *s, unsigned burst)
{
	const char *best = NULL;
	double rate, most = 0;

	for (unsigned i = 0; s->e->forms[i]; i++) {
		if (s->e->select(s->t, s->e->forms[i]) != 0)
			continue;
		measure_laps(s, 1, burst, 150, &rate);
		if (rate > most) {
			most = rate;
			best = s->e->forms[i];
		}
	}
	return best;
}

/* Its table loaded, its keys made, its form selected. */
static int open_side(struct lpm_side *s, const char *engine, const char *form, const struct lpm_options *o,
    const struct lpm_table *table)
{
	s->e = lpm_engine_find(engine, o->family);
	if (!s->e) {
		fprintf(stderr, "lpm: there is no engine '%s' for IPv%u\n", engine, o->family);
		return ERR_INVALID;
	}
	if (s->e->dpdk && lpm_eal_start(!o->small_pages) != 0)
		return ERR_IO;
	if (lpm_keys_make(table, o->n_keys, s->e->host_order, &s->keys) != 0)
		return ERR_NOMEM;
	s->t = s->e->create(table);
	if (!s->t)
		return ERR_NOMEM;
	if (strcmp(form, "best") == 0)
		form = find_best(s, o->burst);
	if (!form || s->e->select(s->t, form) != 0) {
		fprintf(stderr, "lpm: %s does not look up as '%s' here\n", engine, form ? form : "best");
		return ERR_UNSUPPORTED;
	}
	printf("engine %s form %s routes %zu\n", engine, form, table->n);
	return 0;
}

static void print_rates(const double *rates, unsigned n_sides)
{
	printf("lookups-per-second %.0f\n", rates[0]);
	if (n_sides > 1)
		printf("against-lookups-per-second %.0f\n", rates[1]);
}

static int run_lookup(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	double rates[SIDES_MAX] = {0};

	for (unsigned s = 1; s < n_sides; s++)
		if (sum_values(&sides[s], o->burst) != sum_values(&sides[0], o->burst)) {
			fprintf(stderr, "lpm: the engines do not agree; compare names an address\n");
			return ERR_PROTO;
		}
	measure_laps(sides, n_sides, o->burst, o->millis, rates);
	print_rates(rates, n_sides);
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

/* callgrind counts what happens in here, and nothing else: see cases_lpm.py. */
static __attribute__((noinline)) void lpm_count_lap(const struct lpm_side *s, unsigned burst)
{
	(void)run_lap(s, burst);
}

static int run_count(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	(void)run_lap(sides, o->burst);
	lpm_count_lap(sides, o->burst);
	printf("lookups %zu\n", sides->keys.n / o->burst * o->burst);
	return 0;
}

struct cold {
	uint8_t *ring;
	size_t at; /* in the ring */
	uint64_t overhead, interrupted;
	uint64_t cycles[SIDES_MAX], done[SIDES_MAX];
	size_t key[SIDES_MAX];
};

/* One burst between packets; the cycles of the lookup. */
static uint64_t look_up_cold(
    struct cold *c, const struct lpm_side *side, size_t *key, const struct lpm_options *o)
{
	const uint8_t *keys;
	uint64_t start, took;
	unsigned aux;

	pass_packets(c->ring, &c->at, o->burst, o->touch);
	*key = *key + o->burst > side->keys.n ? 0 : *key;
	keys = (uint8_t *)side->keys.addrs + *key * side->keys.size;
	*key += o->burst;
	/* the keys stand in the packets, which a router has just read */
	for (unsigned i = 0; i < o->burst * side->keys.size; i += 64)
		_mm_prefetch((const char *)keys + i, _MM_HINT_T0);
	_mm_mfence();
	start = __rdtscp(&aux);
	_mm_lfence();
	side->e->lookup(side->t, (void *)(uintptr_t)keys, values, o->burst);
	took = __rdtscp(&aux) - start;
	_mm_lfence();
	return took > c->overhead ? took - c->overhead : 0;
}

/* A turn of one side: first as many bursts as the whole ring is long, not counted, then as long as a turn is.
 */
static void turn_cold(struct cold *c, const struct lpm_side *side, unsigned s, const struct lpm_options *o)
{
	double end;

	for (size_t i = 0; i < RING_LEN / BUFFER_LEN; i += o->burst)
		(void)look_up_cold(c, side, &c->key[s], o);
	end = wall_seconds() + COLD_TURN;
	while (wall_seconds() < end)
		for (unsigned i = 0; i < 64; i++) {
			uint64_t took = look_up_cold(c, side, &c->key[s], o);

			if (took > BURST_LIMIT) {
				c->interrupted++;
				continue;
			}
			c->cycles[s] += took;
			c->done[s] += o->burst;
		}
}

static int run_cold(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	struct cold c = {.ring = lpm_pages_alloc(RING_LEN), .overhead = clock_cycles()};
	double rates[SIDES_MAX] = {0}, hz = tsc_hz(), end;

	if (!c.ring)
		return ERR_NOMEM;
	end = wall_seconds() + n_sides * o->millis / 1e3;
	do {
		for (unsigned s = 0; s < n_sides; s++)
			turn_cold(&c, &sides[s], s, o);
	} while (wall_seconds() < end);
	for (unsigned s = 0; s < n_sides; s++) {
		rates[s] = (double)c.done[s] / ((double)c.cycles[s] / hz);
		printf("%scycles-per-lookup %.2f\n", s ? "against-" : "",
		    (double)c.cycles[s] / (double)c.done[s]);
	}
	print_rates(rates, n_sides);
	printf(
	    "clock-overhead %lu interrupted %lu\n", (unsigned long)c.overhead, (unsigned long)c.interrupted);
	return 0;
}

static int run_memory(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table)
{
	struct lpm_bytes b = {0};

	sides->e->memory(sides->t, table, &b);
	printf("bytes %zu least %zu control %zu\n", b.tables, b.least, b.control);
	return 0;
}

static const struct mode {
	const char *name;
	bool writes, in_turns;
	int (*run)(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
	    const struct lpm_table *table);
} modes[] = {
    {"lookup", false, true, run_lookup},
    {"cold", false, true, run_cold},
    {"memory", false, false, run_memory},
    {"count", false, false, run_count},
    {"update", true, false, lpm_run_update},
    {"churn", true, false, lpm_run_churn},
};

static int run_mode(const struct mode *m, const struct lpm_options *o, const struct lpm_table *table)
{
	struct lpm_side sides[SIDES_MAX];
	unsigned n = o->against ? 2 : 1;
	int err = m->writes ? lpm_place_writer(o->readers) : 0;

	if (n > 1 && !m->in_turns) {
		fprintf(stderr, "lpm: %s takes one engine\n", m->name);
		return ERR_INVALID;
	}
	if (!err)
		err = open_side(&sides[0], o->engine, o->form, o, table);
	if (!err && n > 1)
		err = open_side(&sides[1], o->against, "best", o, table);
	if (!err && m->writes && !sides->e->set) {
		fprintf(stderr, "lpm: %s cannot be changed\n", o->engine);
		err = ERR_INVALID;
	}
	return err ? err : m->run(sides, n, o, table);
}

static int run(const char *name, const struct lpm_options *o, struct lpm_table *table)
{
	if (strcmp(name, "compare") == 0)
		return lpm_eal_start(true) == 0 ? lpm_run_compare(o, table) : ERR_IO;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(name, modes[i].name) == 0)
			return run_mode(&modes[i], o, table);
	fprintf(stderr, "lpm: there is no mode '%s'\n", name);
	return ERR_INVALID;
}

static const struct option long_options[] = {{"engine", required_argument, NULL, 'e'},
    {"form", required_argument, NULL, 'f'}, {"against", required_argument, NULL, 'a'},
    {"family", required_argument, NULL, '4'}, {"routes", required_argument, NULL, 'r'},
    {"random", required_argument, NULL, 'x'}, {"burst", required_argument, NULL, 'b'},
    {"keys", required_argument, NULL, 'k'}, {"millis", required_argument, NULL, 'm'},
    {"values", required_argument, NULL, 'v'}, {"max-routes", required_argument, NULL, 'n'},
    {"touch", required_argument, NULL, 't'}, {"readers", required_argument, NULL, 'R'},
    {"rate", required_argument, NULL, 'u'}, {"elsewhere", no_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};

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
	case 'a':
		o->against = text;
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
	case 'w':
		o->elsewhere = true;
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
	o.small_pages = optind < argc && strcmp(argv[optind], "count") == 0;
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
