/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts in which each packet has its own key, by every back end that there is: what comes out is what
 * libsodium makes of each packet alone.
 */
#include "lib/aead_burst.h"

#include <stdlib.h>

#include "lib/crypto.h"
#include "tests/unit/unit.h"

#define MOST_LEN 2048
#define KEYS	 7 /* fewer than packets: runs of one key, too */

static const char *const names[] = {"avx512-ifma", "avx512", "avx2", "sse", "portable", "sodium"};

struct burst {
	unsigned n;
	uint8_t keys[AEAD_BURST_MAX][AEAD_BURST_KEY_LEN];
	const uint8_t *key[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX];
	uint8_t *plain[AEAD_BURST_MAX], *data[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
};

/* mixed: lengths of all kinds in one burst. */
static void make_burst(struct burst *b, uint64_t *seed, unsigned n, bool mixed)
{
	uint32_t len = (uint32_t)(unit_random(seed) % MOST_LEN);

	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		unsigned own = n % 3 ? i : (unsigned)(unit_random(seed) % KEYS);

		for (unsigned k = 0; k < AEAD_BURST_KEY_LEN; k++)
			b->keys[i][k] = (uint8_t)(unit_random(seed) >> 20);
		b->key[i] = b->keys[own < i ? own : i];
		b->counters[i] = unit_random(seed);
		if (mixed)
			len = (uint32_t)(unit_random(seed) >> 9) % (unit_random(seed) % 3 ? 200 : MOST_LEN);
		b->lens[i] = len;
		b->plain[i] = malloc(len + 1);
		b->data[i] = malloc(len + AEAD_BURST_TAG_LEN); /* exactly: a sanitizer sees a step too far */
		for (uint32_t k = 0; k < len; k++)
			b->plain[i][k] = (uint8_t)(unit_random(seed) >> 13);
		memcpy(b->data[i], b->plain[i], len);
	}
}

static void check_sealed(const struct burst *b)
{
	uint8_t alone[MOST_LEN + AEAD_BURST_TAG_LEN];

	for (unsigned i = 0; i < b->n; i++) {
		crypto_seal_aead(alone, b->key[i], b->counters[i], b->plain[i], b->lens[i], NULL, 0);
		assert_memory_equal(b->data[i], alone, b->lens[i] + AEAD_BURST_TAG_LEN);
	}
}

/* Some are damaged: those alone do not open. */
static void check_opened(struct burst *b, uint64_t *seed)
{
	uint64_t broken = unit_random(seed) & unit_random(seed),
		 all = b->n == 64 ? UINT64_MAX : (UINT64_C(1) << b->n) - 1;

	for (unsigned i = 0; i < b->n; i++)
		if (broken >> i & 1)
			b->data[i][unit_random(seed) % (b->lens[i] + AEAD_BURST_TAG_LEN)] ^= 4;
	assert_true(aead_burst_open_each(b->key, b->counters, b->data, b->lens, b->n) == (all & ~broken));
	for (unsigned i = 0; i < b->n; i++)
		if (!(broken >> i & 1))
			assert_memory_equal(b->data[i], b->plain[i], b->lens[i]);
}

static void test_each(void **state)
{
	unsigned tried = 0;

	for (unsigned f = 0; f < UNIT_COUNT(names); f++) {
		uint64_t seed = 3;

		if (aead_burst_init(names[f]) != 0)
			continue;
		tried++;
		for (unsigned round = 0; round < 3 * AEAD_BURST_MAX; round++) {
			struct burst b;

			make_burst(&b, &seed, 1 + round % AEAD_BURST_MAX, round % 2);
			aead_burst_seal_each(b.key, b.counters, b.data, b.lens, b.n);
			check_sealed(&b);
			check_opened(&b, &seed);
			for (unsigned i = 0; i < b.n; i++) {
				free(b.plain[i]);
				free(b.data[i]);
			}
		}
	}
	assert_true(tried >= 2);
	aead_burst_seal_each(NULL, NULL, NULL, NULL, 0);
	assert_true(aead_burst_open_each(NULL, NULL, NULL, NULL, 0) == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each),
	};

	return crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
