/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/nsec: durations for people; the clocks move. */
#include "lib/nsec.h"

#include "tests/unit/unit.h"

static void formats_each_scale(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
	    {0, "0 ns"},
	    {999, "999 ns"},
	    {850 * NSEC_PER_USEC, "850 µs"},
	    {NSEC_PER_MSEC - 1, "999 µs"},
	    {12 * NSEC_PER_MSEC, "12 ms"},
	    {NSEC_PER_SEC, "1.0 s"},
	    {3249 * NSEC_PER_MSEC, "3.2 s"},
	    {60 * NSEC_PER_SEC - 1, "59.9 s"},
	    {250 * NSEC_PER_SEC, "4 m 10 s"},
	    {(2 * 3600 + 3 * 60) * NSEC_PER_SEC, "2 h 3 m"},
	    {(5 * 24 + 4) * 3600 * NSEC_PER_SEC, "5 d 4 h"},
	    {UINT64_MAX, "213503 d 23 h"},
	};
	char buf[NSEC_STRLEN];

	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		assert_string_equal(nsec_format(cases[i].ns, buf), cases[i].text);
}

static void the_clocks_move(void **state)
{
	uint64_t from = nsec_monotonic();

	while (nsec_monotonic() == from)
		;
	assert_true(nsec_monotonic() > from);
	assert_true(nsec_realtime() > UINT64_C(1600000000) * NSEC_PER_SEC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats_each_scale),
	    cmocka_unit_test(the_clocks_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
