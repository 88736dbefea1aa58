/* SPDX-License-Identifier: BSD-3-Clause */
/* Which back end of lib/aead_burst serves which burst: the fastest by trial, or the one that was named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/aead_burst.h"
#include "lib/crypto.h"
#include "lib/err.h"

static unsigned calls;

static int probe_here(void)
{
	return 0;
}

static int probe_elsewhere(void)
{
	return ERR_UNSUPPORTED;
}

/* Does nothing, which is the fastest, but for bursts of one packet, where it wastes time. */
static void seal_nothing(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	static volatile unsigned waste;

	calls++;
	for (unsigned i = 0; n == 1 && i < 20000; i++)
		waste++;
}

static uint64_t open_nothing(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	calls++;
	return 5;
}

static const struct aead_burst_backend nothing = {
    "nothing", probe_here, seal_nothing, open_nothing, NULL, NULL};
static const struct aead_burst_backend elsewhere = {
    "elsewhere", probe_elsewhere, seal_nothing, open_nothing, NULL, NULL};

static void test_named(void **state)
{
	struct aead_burst_choice c;
	char text[128];

	assert_int_equal(aead_burst_init("elsewhere"), ERR_UNSUPPORTED);
	assert_int_equal(aead_burst_init("nowhere"), ERR_NOENT);
	assert_int_equal(aead_burst_init("sodium"), 0);
	for (unsigned i = 0; i < AEAD_BURST_CHOICES; i++) {
		aead_burst_get_choice(i, &c);
		assert_string_equal(c.name, "sodium");
		assert_int_equal(c.seal_ns, 0);
	}
	assert_string_equal(aead_burst_describe(text, sizeof(text)), "1-64: sodium");
	assert_string_equal(aead_burst_describe(text, 6), "1-64:");
}

static void test_tried(void **state)
{
	struct aead_burst_choice c, before = {0};
	char text[128];

	assert_int_equal(aead_burst_init(NULL), 0);
	for (unsigned i = 0; i < AEAD_BURST_CHOICES; i++) {
		aead_burst_get_choice(i, &c);
		assert_true(
		    c.packets > before.packets || (c.packets == before.packets && c.len > before.len));
		if (c.packets == 1)
			assert_string_not_equal(c.name, "nothing");
		else
			assert_string_equal(c.name, "nothing");
		before = c;
	}
	assert_non_null(strstr(aead_burst_describe(text, sizeof(text)), ", 2-64: nothing"));
	assert_int_equal(c.packets, AEAD_BURST_MAX);
	assert_true(c.len == UINT32_MAX);
}

/* The kind of a burst follows from its count and its mean length. */
static void test_kinds(void **state)
{
	static const uint8_t key[AEAD_BURST_KEY_LEN];
	static uint8_t room[AEAD_BURST_MAX][AEAD_BURST_TAG_LEN];
	uint8_t *data[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX] = {0};
	uint32_t lens[AEAD_BURST_MAX] = {0};

	for (unsigned i = 0; i < AEAD_BURST_MAX; i++)
		data[i] = room[i];
	for (unsigned n = 0; n <= AEAD_BURST_MAX; n++) {
		calls = 0;
		aead_burst_seal(key, counters, data, lens, n);
		assert_int_equal(calls, n > 1);
		if (n > 1)
			assert_true(aead_burst_open(key, counters, data, lens, n) == 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_named),
	    cmocka_unit_test(test_tried),
	    cmocka_unit_test(test_kinds),
	};

	if (crypto_init() || aead_burst_add(&elsewhere) || aead_burst_add(&nothing))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
