/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forms of the burst cipher leave on the stack: below a call everything that was written is wiped,
 * to the last byte, and of the one-time keys nothing is found. Built without sanitizers, whose frames are
 * others than those that are installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "lib/aead_burst_internal.h"

#define DEPTH	 (64 * 1024)
#define PAINT	 0xa5
#define WIPED	 448 /* the least that a form wipes in a row */
#define EDGE	 64  /* below that: the return address of the wipe's own calls */
#define LEN_MAX	 4096
#define NEEDLES	 14
#define TRAILING AEAD_BURST_TAG_LEN

static const struct aead_burst_backend *const forms[] = {STACK_FORMS};

static uint8_t seen[DEPTH], buffers[AEAD_BURST_MAX][LEN_MAX + TRAILING], key[AEAD_BURST_KEY_LEN];

struct burst {
	unsigned n;
	uint64_t counters[AEAD_BURST_MAX];
	uint8_t *data[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
	const uint8_t *keys[AEAD_BURST_MAX];
};

static __attribute__((noinline)) void paint_stack(void)
{
	volatile uint8_t below[DEPTH];

	for (size_t i = 0; i < DEPTH; i++)
		below[i] = PAINT;
	__asm__ volatile("" : : "r"(below) : "memory");
}

/* Lower addresses first. */
static __attribute__((noinline)) void look_at_stack(void)
{
	volatile uint8_t below[DEPTH];

	__asm__ volatile("" : : "r"(below) : "memory");
	for (size_t i = 0; i < DEPTH; i++)
		seen[i] = below[i];
}

/* Under the deepest byte that was written nothing but the wipe wrote. */
static void check_depth(void)
{
	size_t deepest = 0, zeros = 0, at;

	while (deepest < DEPTH && seen[deepest] == PAINT)
		deepest++;
	for (at = deepest; at < DEPTH && zeros < WIPED; at++)
		zeros = seen[at] == 0 ? zeros + 1 : 0;
	if (zeros < WIPED || at - WIPED - deepest > EDGE)
		fail_msg("%zu bytes below what is wiped were written; expected none",
		    at - (zeros < WIPED ? 0 : WIPED) - deepest);
}

static uint64_t bits(unsigned __int128 v, unsigned from, unsigned n)
{
	return (uint64_t)(v >> from) & ((UINT64_C(1) << n) - 1);
}

/* A one-time key (RFC 8439 §2.6), as it is, clamped, and in limbs of 44 and 26 bits. */
static void make_needles(uint64_t counter, uint64_t needles[NEEDLES])
{
	uint8_t nonce[12] = {0};
	uint64_t words[4];
	unsigned __int128 r;
	unsigned n = 0;

	memcpy(nonce + 4, &counter, sizeof(counter));
	crypto_stream_chacha20_ietf((uint8_t *)words, sizeof(words), nonce, key);
	for (unsigned i = 0; i < 4; i++)
		needles[n++] = words[i];
	words[0] &= UINT64_C(0x0ffffffc0fffffff);
	words[1] &= UINT64_C(0x0ffffffc0ffffffc);
	needles[n++] = words[0];
	needles[n++] = words[1];
	r = (unsigned __int128)words[1] << 64 | words[0];
	for (unsigned i = 0; i < 3; i++)
		needles[n++] = bits(r, 44 * i, 44);
	for (unsigned i = 0; i < 5; i++)
		needles[n++] = bits(r, 26 * i, 26);
}

static void check_key(const struct burst *b, unsigned packet)
{
	uint64_t needles[NEEDLES];

	make_needles(b->counters[packet], needles);
	for (size_t at = 0; at + 8 <= DEPTH; at++) {
		uint64_t found;

		memcpy(&found, seen + at, sizeof(found));
		for (unsigned i = 0; i < NEEDLES; i++)
			if (found == needles[i])
				fail_msg("part %u of packet %u's one-time key is %zu bytes down", i, packet,
				    DEPTH - at);
	}
}

typedef void run(const struct aead_burst_backend *form, struct burst *b);

static void run_seal(const struct aead_burst_backend *form, struct burst *b)
{
	form->seal(key, b->counters, b->data, b->lens, b->n);
}

static void run_open(const struct aead_burst_backend *form, struct burst *b)
{
	form->open(key, b->counters, b->data, b->lens, b->n);
}

static void run_seal_each(const struct aead_burst_backend *form, struct burst *b)
{
	if (form->seal_each)
		form->seal_each(b->keys, b->counters, b->data, b->lens, b->n);
	else
		run_seal(form, b);
}

static void run_open_each(const struct aead_burst_backend *form, struct burst *b)
{
	if (form->open_each)
		form->open_each(b->keys, b->counters, b->data, b->lens, b->n);
	else
		run_open(form, b);
}

/* Once before, so that nothing is resolved on the way. */
static void check_burst(const struct aead_burst_backend *form, struct burst *b)
{
	static run *const runs[] = {run_seal, run_open, run_seal_each, run_open_each};

	for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		runs[i](form, b);
		if (i % 2) /* what was opened is sealed once more, to be authentic */
			runs[i - 1](form, b);
		paint_stack();
		runs[i](form, b);
		look_at_stack();
		check_depth();
		check_key(b, 0);
		check_key(b, b->n - 1);
		if (i % 2)
			runs[i - 1](form, b);
	}
}

/* One length for all but the first packet. */
static void fill(struct burst *b, unsigned n, uint32_t len, uint32_t first_len)
{
	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		b->counters[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
		b->data[i] = buffers[i];
		b->lens[i] = i == 0 ? first_len : len;
		b->keys[i] = key;
	}
}

static void test_stack(void **state)
{
	static const unsigned counts[] = {1, 2, 3, 8, 9, 16, 17, 32, 64};
	static const uint32_t lens[] = {0, 1, 64, 65, 128, 200, 1024, 1420};
	struct burst b;

	(void)state;
	for (unsigned f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (forms[f]->probe() != 0)
			continue;
		for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
			for (unsigned l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
				fill(&b, counts[c], lens[l], lens[l]);
				check_burst(forms[f], &b);
				fill(&b, counts[c], lens[l], LEN_MAX); /* goes alone, where that is done */
				check_burst(forms[f], &b);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_stack)};

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(17 * i + 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
