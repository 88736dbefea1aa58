/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/aead_burst against crypto's single-packet calls: sizes, bursts, failures in the middle of a burst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/aead_burst.h"
#include "lib/crypto.h"
#include "lib/err.h"

#define LEN_MAX 2048

struct burst {
	uint8_t *data[AEAD_BURST_MAX];
	uint8_t *sealed[AEAD_BURST_MAX], *plain[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
};

/* Buffers of the exact size, so that the sanitizer sees a byte too far. */
static void make_burst(struct burst *b, const uint8_t *key, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		crypto_fill_random(&b->lens[i], sizeof(b->lens[i]));
		crypto_fill_random(&b->counters[i], sizeof(b->counters[i]));
		b->lens[i] %= i % 3 == 0 ? 70 : LEN_MAX + 1;
		b->data[i] = malloc(b->lens[i] + 16u);
		b->sealed[i] = malloc(b->lens[i] + 16u);
		b->plain[i] = malloc(b->lens[i] + 16u);
		crypto_fill_random(b->plain[i], b->lens[i]);
		memcpy(b->data[i], b->plain[i], b->lens[i]);
		crypto_seal_aead(b->sealed[i], key, b->counters[i], b->plain[i], b->lens[i], NULL, 0);
	}
}

static void free_burst(struct burst *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(b->data[i]);
		free(b->sealed[i]);
		free(b->plain[i]);
	}
}

static void test_bursts(void **state)
{
	uint8_t key[AEAD_BURST_KEY_LEN];
	struct burst b;

	for (unsigned n = 0; n <= AEAD_BURST_MAX; n++) {
		uint64_t all = n == 64 ? ~0ull : (1ull << n) - 1, broken = 0;

		crypto_fill_random(key, sizeof(key));
		make_burst(&b, key, n);
		aead_burst_seal(key, b.counters, b.data, b.lens, n);
		for (unsigned i = 0; i < n; i++)
			assert_memory_equal(b.data[i], b.sealed[i], b.lens[i] + 16u);
		for (unsigned i = n / 3; i < n; i += 3) {
			b.data[i][(i * 7919u) % (b.lens[i] + 16u)] ^= (uint8_t)(1u << (i % 8));
			broken |= 1ull << i;
		}
		assert_true(aead_burst_open(key, b.counters, b.data, b.lens, n) == (all & ~broken));
		for (unsigned i = 0; i < n; i++) {
			if (!(broken >> i & 1))
				assert_memory_equal(b.data[i], b.plain[i], b.lens[i]);
			else if (b.lens[i] >= 16)
				assert_memory_not_equal(b.data[i], b.plain[i], b.lens[i]);
		}
		free_burst(&b, n);
	}
}

static void test_choice(void **state)
{
	assert_int_equal(aead_burst_init("no such"), ERR_NOENT);
	assert_int_equal(aead_burst_init("sodium"), 0);
	assert_string_equal(aead_burst_name(), "sodium");
	assert_int_equal(aead_burst_init(NULL), 0);
	assert_non_null(aead_burst_name());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_choice),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
