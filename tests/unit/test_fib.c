/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables of routes: who wins a prefix, what is refused, and a long random run against a plain list.
 */
#include "dataplane/fib.h"

#include <stdio.h>

#include "dataplane/nexthop.h"
#include "lib/err.h"
#include "tests/unit/unit.h"

#define LINE_TABLE 0x1235u

static int start(void **state)
{
	rcu_register_thread();
	return fib_init();
}

static int stop(void **state)
{
	rcu_settle();
	fib_fini();
	rcu_unregister_thread();
	return 0;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p, NULL), 0);
	return p;
}

static uint32_t look_up(uint32_t table, const char *address)
{
	const struct fib_table *t = fib_table(table);
	struct ip_addr a;
	uint32_t group = 0;

	assert_int_equal(ip_addr_parse(address, &a, NULL), 0);
	if (!t)
		return 0;
	if (a.family == IP_V4)
		fib_lookup4(t, (const uint32_t[]){ip_addr_be32(&a)}, &group, 1);
	else
		fib_lookup6(t, (const uint8_t(*)[16])a.b, &group, 1);
	return group;
}

static void test_origins(void **state)
{
	static const char *const addresses[][2] = {{"10.1.0.7/32", "10.1.0.7"}, {"fd00::7/128", "fd00::7"}};

	for (size_t i = 0; i < UNIT_COUNT(addresses); i++) {
		struct ip_prefix p = prefix(addresses[i][0]);
		const char *a = addresses[i][1];

		assert_int_equal(fib_set(0, &p, FIB_NEIGHBOUR, 7), 0);
		assert_int_equal(look_up(0, a), 7);
		assert_int_equal(fib_set(0, &p, FIB_CONTROL, 8), 0);
		assert_int_equal(look_up(0, a), 8);
		assert_int_equal(fib_set(0, &p, FIB_LOCAL, 9), 0);
		assert_int_equal(look_up(0, a), 9);
		assert_int_equal(fib_set(0, &p, FIB_CONTROL, 10), 0); /* beneath the winner */
		assert_int_equal(look_up(0, a), 9);
		assert_int_equal(fib_del(0, &p, FIB_LOCAL), 0);
		assert_int_equal(look_up(0, a), 10);
		assert_int_equal(fib_del(0, &p, FIB_CONTROL), 0);
		assert_int_equal(look_up(0, a), 7);
		assert_int_equal(fib_del(0, &p, FIB_CONTROL), ERR_NOENT);
		assert_int_equal(fib_del(0, &p, FIB_NEIGHBOUR), 0);
		assert_int_equal(look_up(0, a), 0);
		assert_int_equal(fib_del(0, &p, FIB_NEIGHBOUR), ERR_NOENT);
	}
}

static void test_refused(void **state)
{
	struct ip_prefix p = prefix("10.0.0.0/8"), host_bits = p, too_long = p, none = {0};

	host_bits.addr.b[3] = 1;
	too_long.len = 33;
	assert_int_equal(fib_set(0, &host_bits, FIB_CONTROL, 5), ERR_INVALID);
	assert_int_equal(fib_set(0, &too_long, FIB_CONTROL, 5), ERR_RANGE);
	assert_int_equal(fib_set(0, &none, FIB_CONTROL, 5), ERR_INVALID);
	assert_int_equal(fib_set(0, &p, FIB_CONTROL, 0), ERR_RANGE);
	assert_int_equal(fib_set(0, &p, FIB_CONTROL, GROUP_MAX), ERR_RANGE);
	assert_int_equal(look_up(0, "10.1.2.3"), 0);
}

/* A table lives as long as its routes; its neighbours do not notice. */
static void test_tables(void **state)
{
	struct ip_prefix p = prefix("0.0.0.0/0");

	assert_null(fib_table(LINE_TABLE));
	assert_int_equal(fib_del(LINE_TABLE, &p, FIB_CONTROL), ERR_NOENT);
	assert_int_equal(fib_set(LINE_TABLE, &p, FIB_CONTROL, 5), 0);
	assert_int_equal(look_up(LINE_TABLE, "192.0.2.1"), 5);
	assert_int_equal(look_up(0, "192.0.2.1"), 0);
	assert_int_equal(fib_del(LINE_TABLE, &p, FIB_CONTROL), 0);
	assert_null(fib_table(LINE_TABLE));
	for (uint32_t i = 0; i < 63; i++)
		assert_int_equal(fib_set(2 * i + 1, &p, FIB_CONTROL, 5), 0);
	assert_int_equal(fib_set(2 * 63 + 1, &p, FIB_CONTROL, 5), ERR_FULL);
	for (uint32_t i = 0; i < 63; i++)
		assert_int_equal(fib_del(2 * i + 1, &p, FIB_CONTROL), 0);
}

struct seen {
	unsigned n;
	uint64_t sum;
};

static int count_route(void *arg, const struct ip_prefix *p, enum fib_origin origin, uint32_t group)
{
	struct seen *s = arg;

	s->n++;
	s->sum += group;
	return group == 99;
}

static void test_walk(void **state)
{
	static const char *const routes[] = {
	    "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "11.0.0.0/8", "fd00::/8"};
	struct ip_prefix p, within = prefix("10.0.0.0/8");
	struct seen s = {0};

	for (uint32_t i = 0; i < UNIT_COUNT(routes); i++) {
		p = prefix(routes[i]);
		assert_int_equal(fib_set(0, &p, FIB_CONTROL, 10 + i), 0);
	}
	assert_int_equal(fib_walk(0, NULL, count_route, &s), 0);
	assert_int_equal(s.n, UNIT_COUNT(routes));
	assert_int_equal(s.sum, 10 + 11 + 12 + 13 + 14);
	s = (struct seen){0};
	assert_int_equal(fib_walk(0, &within, count_route, &s), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(fib_walk(LINE_TABLE, NULL, count_route, &s), 0);
	assert_int_equal(fib_set(0, &within, FIB_CONTROL, 99), 0);
	assert_int_equal(fib_walk(0, &within, count_route, &s), 1); /* the caller stopped it */
	for (uint32_t i = 0; i < UNIT_COUNT(routes); i++) {
		p = prefix(routes[i]);
		assert_int_equal(fib_del(0, &p, FIB_CONTROL), 0);
	}
}

/* 64 prefixes of 8 addresses: every set and delete against what a plain array says. */
static void test_against_array(void **state)
{
	uint32_t groups[64][FIB_ORIGINS] = {{0}};
	uint64_t seed = 42;

	for (unsigned step = 0; step < 200000; step++) {
		unsigned at = (unsigned)(unit_random(&seed) % 64),
			 origin = (unsigned)(unit_random(&seed) % FIB_ORIGINS);
		uint32_t group = (uint32_t)(unit_random(&seed) % 1000) + 1;
		struct ip_prefix p = {.addr = {.family = IP_V4, .b = {10, 0, (uint8_t)at, 0}}, .len = 24};
		char address[32];
		uint32_t want = 0;

		if (unit_random(&seed) % 2) {
			assert_int_equal(fib_set(0, &p, (enum fib_origin)origin, group), 0);
			groups[at][origin] = group;
		} else {
			assert_int_equal(
			    fib_del(0, &p, (enum fib_origin)origin), groups[at][origin] ? 0 : ERR_NOENT);
			groups[at][origin] = 0;
		}
		for (unsigned o = FIB_ORIGINS; o-- > 0;)
			want = groups[at][o] ? groups[at][o] : want;
		snprintf(address, sizeof(address), "10.0.%u.9", at);
		assert_int_equal(look_up(0, address), want);
	}
}

static void test_group_indices(void **state)
{
	static uint32_t all[GROUP_MAX];
	uint32_t index;
	unsigned n = 0;

	group_init();
	assert_int_equal(group_pick(0, 0)->kind, NEXTHOP_NO_ROUTE);
	assert_int_equal(group_pick(GROUP_HOST, 0)->kind, NEXTHOP_HOST);
	while (group_index_alloc(&all[n]) == 0) {
		assert_in_range(all[n], GROUP_HOST + 1, GROUP_MAX - 1);
		n++;
	}
	assert_int_equal(n, GROUP_MAX - GROUP_HOST - 1);
	group_index_free(all[7]);
	rcu_settle(); /* only now nobody can hold it any more */
	assert_int_equal(group_index_alloc(&index), 0);
	assert_int_equal(index, all[7]);
	assert_int_equal(group_index_alloc(&index), ERR_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_origins),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_against_array),
	    cmocka_unit_test(test_group_indices),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
