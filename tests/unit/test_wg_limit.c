/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_limit: rates, what counts as one source, and floods of sources. */
#include "tests/unit/unit.h"

#include <string.h>

#include "lib/wg_limit.h"

#define T0 (1000 * NSEC_PER_SEC)

static struct wg_limit limit;

static int set_up(void **state)
{
	static const uint8_t random[CRYPTO_KEY_LEN] = {1, 2, 3};

	wg_limit_init(&limit, random);
	return 0;
}

static bool allow(const char *text, uint64_t now_ns)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a, NULL), 0);
	return wg_limit_allow(&limit, &a, now_ns);
}

/* Five at once, then one each 50 ms; a quarter of a second makes the burst whole again. */
static void test_rate(void **state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 5; i++)
		assert_true(allow("192.0.2.1", T0));
	assert_false(allow("192.0.2.1", T0));
	assert_false(allow("192.0.2.1", T0 + 50 * NSEC_PER_MSEC - 1));
	assert_true(allow("192.0.2.1", T0 + 50 * NSEC_PER_MSEC));
	assert_false(allow("192.0.2.1", T0 + 50 * NSEC_PER_MSEC));
	for (unsigned i = 0; i < 5; i++)
		assert_true(allow("192.0.2.1", T0 + NSEC_PER_SEC));
	assert_false(allow("192.0.2.1", T0 + NSEC_PER_SEC));
	/* Ten seconds of a flood: 20 a second. */
	for (unsigned i = 0; i < 100000; i++)
		n += allow("192.0.2.2", T0 + i * (NSEC_PER_SEC / 10000));
	assert_in_range(n, 200, 205);
}

/* An IPv4 address; an IPv6 /64. */
static void test_sources(void **state)
{
	for (unsigned i = 0; i < 5; i++) {
		assert_true(allow("192.0.2.1", T0));
		assert_true(allow(i % 2 ? "2001:db8:0:1::1" : "2001:db8:0:1:ffff::2", T0));
	}
	assert_false(allow("192.0.2.1", T0));
	assert_true(allow("192.0.2.2", T0));
	assert_false(allow("2001:db8:0:1:8000::", T0));
	assert_true(allow("2001:db8:0:2::1", T0));
	assert_true(allow("2001:db8::1", T0));
}

/* More sources than there is room for: refused, nobody known gets more for it, and all is free soon after. */
static void test_flood_of_sources(void **state)
{
	struct ip_addr a = {.family = IP_V6, .b = {0x20, 0x01}};
	unsigned n = 0;

	for (unsigned i = 0; i < 5; i++)
		assert_true(allow("192.0.2.1", T0));
	for (uint32_t i = 0; i < 100000; i++) {
		memcpy(a.b + 4, &i, sizeof(i));
		n += wg_limit_allow(&limit, &a, T0 + i);
	}
	assert_in_range(n, WG_LIMIT_SETS * WG_LIMIT_WAYS - 100, WG_LIMIT_SETS * WG_LIMIT_WAYS);
	assert_false(allow("192.0.2.1", T0 + NSEC_PER_MSEC));
	n = 0;
	for (uint32_t i = 200000; i < 200500; i++) {
		memcpy(a.b + 4, &i, sizeof(i));
		n += wg_limit_allow(&limit, &a, T0 + NSEC_PER_SEC / 4);
	}
	assert_int_equal(n, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_rate, set_up),
	    cmocka_unit_test_setup(test_sources, set_up),
	    cmocka_unit_test_setup(test_flood_of_sources, set_up),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
