/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of back ends, the one that goes packet by packet through crypto.h, and which of them serves what
 * kind of burst: no form is the best for one packet and for sixty-four. `choices` is written by
 * aead_burst_init before any worker thread exists and only read afterwards.
 */
#include "lib/aead_burst.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aead_burst_internal.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/isa.h"
#include "lib/nsec.h"

static_assert(AEAD_BURST_KEY_LEN == CRYPTO_KEY_LEN && AEAD_BURST_TAG_LEN == CRYPTO_TAG_LEN, "one cipher");

#define BACKENDS_MAX 16

static int probe_sodium(void)
{
	return 0;
}

static void seal_sodium(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		crypto_seal_aead(data[i], key, counters[i], data[i], lens[i], NULL, 0);
}

static uint64_t open_sodium(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint64_t authentic = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t sealed_len = (size_t)lens[i] + CRYPTO_TAG_LEN;

		if (!crypto_open_aead(data[i], key, counters[i], data[i], sealed_len, NULL, 0))
			authentic |= 1ull << i;
	}
	return authentic;
}

static const struct aead_burst_backend sodium = {
    "sodium", probe_sodium, seal_sodium, open_sodium, NULL, NULL};

static const struct aead_burst_backend *backends[BACKENDS_MAX] = {
#ifdef __x86_64__
    &aead_burst_avx512_ifma,
    &aead_burst_avx2,
    &aead_burst_sse,
#endif
    &sodium,
    &aead_burst_portable,
};

/* Kinds of bursts: up to so many packets, tried with so many; of up to so many bytes on average, likewise. */
static const struct {
	uint32_t packets, tried;
} counts[] = {{1, 1}, {4, 3}, {15, 8}, {AEAD_BURST_MAX, 32}};

static const struct {
	uint32_t len, tried;
} sizes[] = {{128, 64}, {640, 384}, {UINT32_MAX, 1424}};

#define COUNTS	  (sizeof(counts) / sizeof(counts[0]))
#define SIZES	  (sizeof(sizes) / sizeof(sizes[0]))
#define TRIES	  5u
#define TRY_BYTES 8192u /* at least so many are sealed between two looks at the clock */
#define HOPELESS  2u	/* so many times slower at the first try */

static_assert(COUNTS * SIZES == AEAD_BURST_CHOICES, "one choice a kind");

static struct {
	const struct aead_burst_backend *backend;
	uint64_t seal_ns;
} choices[COUNTS][SIZES];

/* What choices were measured under; a second aead_burst_init need not measure again. */
static int measured_isa = -1;

int aead_burst_add(const struct aead_burst_backend *backend)
{
	for (unsigned i = 0; i < BACKENDS_MAX; i++) {
		if (backends[i])
			continue;
		backends[i] = backend;
		return 0;
	}
	return ERR_FULL;
}

static void choose(unsigned count, unsigned size, const struct aead_burst_backend *backend, uint64_t seal_ns)
{
	choices[count][size].backend = backend;
	choices[count][size].seal_ns = seal_ns;
}

/* Nanoseconds a packet, of the best of some tries; gives up early on what is slower than best by far. */
static uint64_t try_backend(
    const struct aead_burst_backend *b, unsigned count, unsigned size, uint8_t *memory, uint64_t best)
{
	static const uint8_t key[AEAD_BURST_KEY_LEN];
	uint64_t counters[AEAD_BURST_MAX], least = UINT64_MAX;
	uint8_t *data[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
	unsigned n = counts[count].tried, len = sizes[size].tried, calls = 1 + TRY_BYTES / (n * len);

	for (unsigned i = 0; i < n; i++) {
		counters[i] = i;
		data[i] = memory + (size_t)i * (len + AEAD_BURST_TAG_LEN);
		lens[i] = len;
	}
	b->seal(key, counters, data, lens, n); /* once for the caches and the clock of wide vectors */
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t start = nsec_monotonic(), taken;

		for (unsigned k = 0; k < calls; k++)
			b->seal(key, counters, data, lens, n);
		taken = (nsec_monotonic() - start) / calls / n;
		least = taken < least ? taken : least;
		if (least / HOPELESS > best)
			break;
	}
	return least;
}

static int measure_backends(void)
{
	size_t len = (size_t)AEAD_BURST_MAX * (sizes[SIZES - 1].tried + AEAD_BURST_TAG_LEN);
	uint8_t *memory = calloc(1, len);

	if (!memory)
		return ERR_NOMEM;
	for (unsigned c = 0; c < COUNTS; c++)
		for (unsigned s = 0; s < SIZES; s++) {
			choose(c, s, NULL, UINT64_MAX);
			for (unsigned i = 0; i < BACKENDS_MAX && backends[i]; i++) {
				uint64_t ns, best = choices[c][s].seal_ns;

				if (backends[i]->probe() != 0)
					continue;
				ns = try_backend(backends[i], c, s, memory, best);
				if (ns < best)
					choose(c, s, backends[i], ns);
			}
		}
	free(memory);
	measured_isa = (int)isa_selected();
	return 0;
}

int aead_burst_init(const char *name)
{
	if (!name)
		return measured_isa == (int)isa_selected() ? 0 : measure_backends();
	for (unsigned i = 0; i < BACKENDS_MAX && backends[i]; i++) {
		if (strcmp(name, backends[i]->name) != 0)
			continue;
		if (backends[i]->probe() != 0)
			return ERR_UNSUPPORTED;
		for (unsigned k = 0; k < COUNTS * SIZES; k++)
			choose(k / SIZES, k % SIZES, backends[i], 0);
		measured_isa = -1;
		return 0;
	}
	return ERR_NOENT;
}

/* Before aead_burst_init, the one that every machine can run. */
static const struct aead_burst_backend *serving(unsigned count, unsigned size)
{
	const struct aead_burst_backend *b = choices[count][size].backend;

	return b ? b : &sodium;
}

const char *aead_burst_name(void)
{
	return serving(COUNTS - 1, SIZES - 1)->name;
}

void aead_burst_get_choice(unsigned i, struct aead_burst_choice *out)
{
	assert(i < AEAD_BURST_CHOICES);
	out->packets = counts[i / SIZES].packets;
	out->len = sizes[i % SIZES].len;
	out->name = serving(i / SIZES, i % SIZES)->name;
	out->seal_ns = choices[i / SIZES][i % SIZES].seal_ns;
}

static bool same_choices(unsigned count, unsigned other)
{
	for (unsigned i = 0; i < SIZES; i++)
		if (serving(count, i) != serving(other, i))
			return false;
	return true;
}

const char *aead_burst_describe(char *buf, size_t len)
{
	size_t at = 0;
	unsigned first = 1;

	static_assert(SIZES == 3, "as many names");
	buf[0] = '\0';
	for (unsigned c = 0; c < COUNTS && at < len; c++) {
		const char *a = serving(c, 0)->name, *b = serving(c, 1)->name, *d = serving(c, 2)->name;
		bool one = strcmp(a, b) == 0 && strcmp(b, d) == 0;

		if (c + 1 < COUNTS && same_choices(c, c + 1))
			continue;
		at += (size_t)snprintf(buf + at, len - at, "%s%u", at ? ", " : "", first);
		if (at < len && counts[c].packets > first)
			at += (size_t)snprintf(buf + at, len - at, "-%u", counts[c].packets);
		if (at < len)
			at += one ? (size_t)snprintf(buf + at, len - at, ": %s", a)
				  : (size_t)snprintf(buf + at, len - at, ": %s/%s/%s", a, b, d);
		first = counts[c].packets + 1;
	}
	return buf;
}

static const struct aead_burst_backend *find_choice(const uint32_t *lens, unsigned n)
{
	unsigned count = 0, size = 0;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += lens[i];
	while (n > counts[count].packets)
		count++;
	while (sum > (uint64_t)sizes[size].len * n)
		size++;
	return serving(count, size);
}

void aead_burst_seal(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	assert(n <= AEAD_BURST_MAX);
	if (n)
		find_choice(lens, n)->seal(key, counters, data, lens, n);
}

uint64_t aead_burst_open(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters,
    uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	assert(n <= AEAD_BURST_MAX);
	return n ? find_choice(lens, n)->open(key, counters, data, lens, n) : 0;
}

/* Packets from i on that have the key of packet i. */
static unsigned run_of(const uint8_t *const *keys, unsigned i, unsigned n)
{
	unsigned to = i + 1;

	while (to < n && keys[to] == keys[i])
		to++;
	return to - i;
}

void aead_burst_seal_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	assert(n <= AEAD_BURST_MAX);
	if (n && run_of(keys, 0, n) < n && find_choice(lens, n)->seal_each) {
		find_choice(lens, n)->seal_each(keys, counters, data, lens, n);
		return;
	}
	for (unsigned i = 0, run; i < n; i += run) {
		run = run_of(keys, i, n);
		aead_burst_seal(keys[i], counters + i, data + i, lens + i, run);
	}
}

uint64_t aead_burst_open_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	uint64_t authentic = 0;

	assert(n <= AEAD_BURST_MAX);
	if (n && run_of(keys, 0, n) < n && find_choice(lens, n)->open_each)
		return find_choice(lens, n)->open_each(keys, counters, data, lens, n);
	for (unsigned i = 0, run; i < n; i += run) {
		run = run_of(keys, i, n);
		authentic |= aead_burst_open(keys[i], counters + i, data + i, lens + i, run) << i;
	}
	return authentic;
}
