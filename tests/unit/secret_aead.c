/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does a branch or an address of the burst cipher depend on a secret? Key, plaintext, and ciphertext to be
 * opened are marked undefined, so that valgrind's memcheck, or clang's MSan in a build of its own, complains
 * of each such place. Compiled without other sanitizers, beside the forms themselves with AEAD_CHECK_SECRETS.
 *
 * secret_aead FORM    the form's seal and open: nothing may be found
 * secret_aead leaky   a function that does leak: something must be found, or the check is blind
 *
 * Exit status 3: this machine cannot run the form. Wrong results are a failure, too: 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aead_burst_internal.h"
#include "lib/aead_secret.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define BY_MSAN
#define HIDE(p, len)   __msan_poison(p, len)
#define REVEAL(p, len) __msan_unpoison(p, len)
#endif
#endif
#ifndef BY_MSAN
#include <valgrind/memcheck.h>
#define HIDE(p, len)   (void)VALGRIND_MAKE_MEM_UNDEFINED(p, len)
#define REVEAL(p, len) (void)VALGRIND_MAKE_MEM_DEFINED(p, len)
#endif

#define LEN_MAX 1500u

void aead_declassify(void *p, size_t len)
{
	REVEAL(p, len);
}

/* 1 when each byte is known as a secret: else the tool lost sight of it on the way, and its silence means
 * nothing. */
static int all_hidden(const uint8_t *p, size_t len)
{
#ifdef BY_MSAN
	for (size_t i = 0; i < len; i++)
		if (__msan_test_shadow(p + i, 1) < 0)
			return 0;
#else
	uint8_t undefined[LEN_MAX + AEAD_BURST_TAG_LEN];

	if (!RUNNING_ON_VALGRIND)
		return 1;
	if (VALGRIND_GET_VBITS(p, undefined, len) != 1)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (!undefined[i])
			return 0;
#endif
	return 1;
}

/* Compares byte by byte and stops at the first that differs: what must not be done. */
static uint64_t open_leaky(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	for (unsigned i = 0; i < 16; i++)
		if (data[0][lens[0] + i] != key[i])
			return 0;
	return 1;
}

static void seal_leaky(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	static const uint8_t box[256] = {7};

	for (uint32_t i = 0; i < lens[0]; i++)
		data[0][i] ^= box[key[i % AEAD_BURST_KEY_LEN]];
}

static int probe_leaky(void)
{
	return 0;
}

static const struct aead_burst_backend leaky = {"leaky", probe_leaky, seal_leaky, open_leaky, NULL, NULL};

static const struct aead_burst_backend *const forms[] = {SECRET_FORMS, &leaky};

static void make_lens(uint32_t *lens, unsigned n, unsigned kind)
{
	static const uint32_t several[] = {
	    0, 1, 15, 16, 64, 100, 128, 200, 256, 511, 512, 640, 1024, 1420, 1500};

	for (unsigned i = 0; i < n; i++)
		lens[i] = kind < 4 ? several[(kind * 4 + 1) % 15] : several[(i * kind) % 15];
}

/* Seals, opens, and opens once more with every third packet wrong. */
static int check_burst(const struct aead_burst_backend *form, unsigned n, unsigned kind)
{
	static uint8_t room[AEAD_BURST_MAX][LEN_MAX + AEAD_BURST_TAG_LEN];
	uint8_t key[AEAD_BURST_KEY_LEN], *data[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX], wrong = 0, all = n == 64 ? ~0ull : (1ull << n) - 1, got;
	uint32_t lens[AEAD_BURST_MAX];

	make_lens(lens, n, kind);
	memset(key, 0x5a, sizeof(key));
	for (unsigned i = 0; i < n; i++) {
		data[i] = room[i];
		counters[i] = i * 3;
		memset(data[i], (int)i, lens[i]);
		HIDE(data[i], lens[i]);
	}
	HIDE(key, sizeof(key));
	form->seal(key, counters, data, lens, n);
	for (unsigned i = 0; form != &leaky && i < n; i++)
		if (!all_hidden(data[i], lens[i] + AEAD_BURST_TAG_LEN)) {
			fprintf(stderr, "%s: packet %u of %u is no secret any more\n", form->name, i, n);
			return 1;
		}
	for (unsigned i = 0; i < n; i += 3) {
		data[i][lens[i] + i % 16] ^= 1;
		wrong |= 1ull << i;
	}
	got = form->open(key, counters, data, lens, n);
	if (form == &leaky)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		REVEAL(data[i], lens[i] + AEAD_BURST_TAG_LEN);
		for (uint32_t at = 0; !(wrong >> i & 1) && at < lens[i]; at++)
			if (data[i][at] != (uint8_t)i) {
				fprintf(stderr, "%s: byte %u of packet %u is wrong\n", form->name, at, i);
				return 1;
			}
	}
	if (got == (all & ~wrong))
		return 0;
	fprintf(stderr, "%s: opened %#llx of %u\n", form->name, (unsigned long long)got, n);
	return 1;
}

int main(int argc, char **argv)
{
	static const unsigned bursts[] = {1, 2, 3, 5, 8, 12, 33};

	for (size_t f = 0; argc == 2 && f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (strcmp(forms[f]->name, argv[1]) != 0)
			continue;
		if (forms[f]->probe())
			return 3;
		for (unsigned i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++)
			for (unsigned kind = 0; kind < 8; kind++)
				if (check_burst(forms[f], bursts[i], kind))
					return 1;
		return 0;
	}
	fprintf(stderr, "usage: %s FORM\n", argv[0]);
	return 2;
}
