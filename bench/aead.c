/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sealing and opening of bursts in place: a back end of lib/aead_burst against the bare ipsec-mb, on the same
 * bytes, in turns of a few microseconds within one run, so that the machine's moods meet both.
 * bench/cases_aead.py calls it.
 *
 *   aead [--engine NAME] [--arch NAME] [--api NAME] [--open] [--len N | --imix] [--burst N] [--buffers N]
 * [--millis N]
 *
 *   --engine NAME   a back end's name; "chosen" (default): what aead_burst_init chose by its measurement
 *   --isa NAME      at most these instructions, for the engine
 *   --arch NAME     ipsec-mb's: avx512, avx2, avx, sse; default: the best
 *   --api NAME      job, nocheck, burst, direct; "best" (default): whichever is fastest for these bytes
 *   --open          opens authentic packets instead of sealing
 *   --len N         bytes a packet, 64; --imix: 64, 570 and 1420 bytes at 7:4:1, shuffled
 *   --burst N       packets a call, 32
 *   --buffers N     packet buffers that are used in turn, 64; many, so that they come from farther away
 *
 *   --choices       instead: what serves which kind of burst, and the nanoseconds a packet when it was tried
 *
 * Prints "cycles-per-packet", "against-cycles-per-packet" (of the median turn, TSC) and "api". Exit status 3:
 * not on this machine.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "dataplane/aead_ipsec_mb.h"
#include "lib/aead_burst.h"
#include "lib/crypto.h"
#include "lib/isa.h"

#define BUFFER_LEN  2048u
#define BUFFERS_MAX 65536u
#define TURNS_MAX   200000u
#define TURN_CALLS  4u
#define TRIAL	    64u /* turns for choosing the API */

static const char *const apis[] = {"job", "nocheck", "burst", "direct"};

struct side {
	bool ours;
	struct aead_ipsec_mb *mb;
	enum aead_ipsec_mb_api api;
};

struct work {
	uint8_t key[AEAD_BURST_KEY_LEN];
	uint8_t *memory;
	unsigned n_buffers, burst, millis;
	bool opens;
	uint32_t *lens; /* of each buffer */
	uint64_t *counters;
	uint8_t **data;
	unsigned at; /* the next buffer */
};

static double turns[2][TURNS_MAX];

static void seal(const struct side *s, struct work *w, unsigned at)
{
	if (s->ours)
		aead_burst_seal(w->key, w->counters + at, w->data + at, w->lens + at, w->burst);
	else
		aead_ipsec_mb_seal(
		    s->mb, s->api, w->key, w->counters + at, w->data + at, w->lens + at, w->burst);
}

static uint64_t open_burst(const struct side *s, struct work *w, unsigned at)
{
	if (s->ours)
		return aead_burst_open(w->key, w->counters + at, w->data + at, w->lens + at, w->burst);
	return aead_ipsec_mb_open(
	    s->mb, s->api, w->key, w->counters + at, w->data + at, w->lens + at, w->burst);
}

static unsigned next_buffers(struct work *w)
{
	unsigned at = w->at;

	w->at = at + 2 * w->burst <= w->n_buffers ? at + w->burst : 0;
	return at;
}

/* TSC cycles a packet of a few calls. What is opened was sealed by ipsec-mb before, outside the clock. */
static double run_turn(const struct side *s, const struct side *sealer, struct work *w)
{
	uint64_t cycles = 0;

	for (unsigned i = 0; i < TURN_CALLS; i++) {
		unsigned at = next_buffers(w);
		uint64_t start;

		if (w->opens)
			seal(sealer, w, at);
		start = __rdtsc();
		if (!w->opens)
			seal(s, w, at);
		else if ((unsigned)__builtin_popcountll(open_burst(s, w, at)) != w->burst) {
			fputs("aead: an authentic packet was refused\n", stderr);
			exit(1);
		}
		cycles += __rdtsc() - start;
	}
	return (double)cycles / TURN_CALLS / w->burst;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(values[0]), compare_doubles);
	return values[n / 2];
}

static void choose_api(struct side *theirs, struct work *w)
{
	double best = 1e300;
	enum aead_ipsec_mb_api chosen = AEAD_IPSEC_MB_JOB;

	for (unsigned i = 0; i < AEAD_IPSEC_MB_APIS; i++) {
		double cycles;

		theirs->api = (enum aead_ipsec_mb_api)i;
		for (unsigned k = 0; k < TRIAL; k++)
			turns[0][k] = run_turn(theirs, theirs, w);
		cycles = median(turns[0], TRIAL);
		if (cycles < best) {
			best = cycles;
			chosen = theirs->api;
		}
	}
	theirs->api = chosen;
}

static double wall_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void measure(const struct side *ours, const struct side *theirs, struct work *w)
{
	double end = wall_seconds() + w->millis / 1e3;
	unsigned n = 0;

	do {
		turns[0][n] = run_turn(ours, theirs, w);
		turns[1][n] = run_turn(theirs, theirs, w);
	} while (++n < TURNS_MAX && wall_seconds() < end);
	printf("cycles-per-packet %.1f\nagainst-cycles-per-packet %.1f\napi %s\n", median(turns[0], n),
	    median(turns[1], n), apis[theirs->api]);
}

static void make_work(struct work *w, unsigned len, bool imix)
{
	static const uint32_t mix[] = {64, 570, 64, 64, 570, 64, 1420, 64, 570, 64, 64, 570};
	size_t bytes = (size_t)w->n_buffers * BUFFER_LEN;

	w->memory = aligned_alloc(4096, bytes);
	w->lens = calloc(w->n_buffers, sizeof(*w->lens));
	w->counters = calloc(w->n_buffers, sizeof(*w->counters));
	w->data = calloc(w->n_buffers, sizeof(*w->data));
	if (!w->memory || !w->lens || !w->counters || !w->data) {
		fputs("aead: out of memory\n", stderr);
		exit(1);
	}
	memset(w->memory, 0x5a, bytes);
	crypto_fill_random(w->key, sizeof(w->key));
	for (unsigned i = 0; i < w->n_buffers; i++) {
		w->lens[i] = imix ? mix[i % 12] : len;
		w->counters[i] = 1000000 + i;
		w->data[i] =
		    w->memory + (size_t)i * BUFFER_LEN + 256; /* as behind an mbuf's headroom and headers */
	}
	for (unsigned i = w->n_buffers - 1; imix && i > 0; i--) {
		unsigned k = (unsigned)rand() % (i + 1); /* the same order each time */
		uint32_t swapped = w->lens[i];

		w->lens[i] = w->lens[k];
		w->lens[k] = swapped;
	}
}

struct options {
	const char *engine, *isa, *arch, *api;
	unsigned len;
	bool imix, choices;
};

static int parse(int argc, char **argv, struct options *o, struct work *w)
{
	static const struct option known[] = {{"engine", 1, NULL, 'e'}, {"isa", 1, NULL, 'i'},
	    {"arch", 1, NULL, 'a'}, {"api", 1, NULL, 'p'}, {"open", 0, NULL, 'o'}, {"len", 1, NULL, 'l'},
	    {"imix", 0, NULL, 'x'}, {"burst", 1, NULL, 'b'}, {"buffers", 1, NULL, 'n'},
	    {"millis", 1, NULL, 'm'}, {"choices", 0, NULL, 'c'}, {NULL, 0, NULL, 0}};
	unsigned *const numbers[] = {
	    ['l'] = &o->len, ['b'] = &w->burst, ['n'] = &w->n_buffers, ['m'] = &w->millis};
	const char **const texts[] = {['e'] = &o->engine, ['i'] = &o->isa, ['a'] = &o->arch, ['p'] = &o->api};
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == '?')
			return -1;
		if (opt == 'o')
			w->opens = true;
		else if (opt == 'x')
			o->imix = true;
		else if (opt == 'c')
			o->choices = true;
		else if ((size_t)opt < sizeof(texts) / sizeof(texts[0]) && texts[opt])
			*texts[opt] = optarg;
		else
			*numbers[opt] = (unsigned)strtoul(optarg, NULL, 10);
	}
	if (optind < argc || w->burst == 0 || w->burst > AEAD_BURST_MAX || o->len + 512 > BUFFER_LEN ||
	    w->n_buffers < w->burst || w->n_buffers > BUFFERS_MAX)
		return -1;
	return 0;
}

static int find_api(const char *name, struct side *theirs, struct work *w)
{
	if (strcmp(name, "best") == 0) {
		choose_api(theirs, w);
		return 0;
	}
	for (unsigned i = 0; i < AEAD_IPSEC_MB_APIS; i++)
		if (strcmp(name, apis[i]) == 0) {
			theirs->api = (enum aead_ipsec_mb_api)i;
			return 0;
		}
	return -1;
}

static void print_choices(void)
{
	for (unsigned i = 0; i < AEAD_BURST_CHOICES; i++) {
		struct aead_burst_choice c;

		aead_burst_get_choice(i, &c);
		printf("packets %u len %u name %s ns %llu\n", c.packets, c.len, c.name,
		    (unsigned long long)c.seal_ns);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.engine = "chosen", .api = "best", .len = 64};
	struct work w = {.n_buffers = 64, .burst = 32, .millis = 1000};
	struct side ours = {.ours = true}, theirs = {.ours = false};

	if (crypto_init() || parse(argc, argv, &o, &w)) {
		fputs("aead: see the beginning of bench/aead.c\n", stderr);
		return 2;
	}
	if (o.isa && isa_select(o.isa)) {
		fprintf(stderr, "aead: not on this machine: instructions %s\n", o.isa);
		return 3;
	}
	(void)aead_ipsec_mb_register(); /* where it cannot, it is not chosen */
	if (aead_ipsec_mb_new(o.arch, &theirs.mb)) {
		fprintf(stderr, "aead: not on this machine: ipsec-mb for %s\n", o.arch ? o.arch : "it");
		return 3;
	}
	if (aead_burst_init(strcmp(o.engine, "chosen") == 0 ? NULL : o.engine)) {
		fprintf(stderr, "aead: not on this machine: back end %s\n", o.engine);
		return 3;
	}
	if (o.choices) {
		print_choices();
		return 0;
	}
	make_work(&w, o.len, o.imix);
	if (find_api(o.api, &theirs, &w)) {
		fprintf(stderr, "aead: no such api: %s\n", o.api);
		return 2;
	}
	measure(&ours, &theirs, &w);
	return 0;
}
