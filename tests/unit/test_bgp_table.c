/* SPDX-License-Identifier: BSD-3-Clause */
/* The trie of prefixes against a plain array, and the sets of ids. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_msg.h"
#include "bgp/bgp_table.h"

#define N 400

static const struct bgp_mem libc;

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Few distinct bits, so that prefixes nest and fork often. */
static struct ip_prefix random_prefix(uint32_t *state, enum bgp_family family)
{
	struct ip_prefix p = {.addr.family = bgp_family_ip(family)};
	unsigned bits = ip_family_bits(p.addr.family), i;

	for (i = 0; i < bits / 8; i++)
		p.addr.b[i] = random_next(state) % 3 ? 0 : (uint8_t)(random_next(state) & 0x91);
	p.len = (uint8_t)(random_next(state) % (bits + 1));
	return ip_prefix_mask(&p);
}

static int compare(const void *a, const void *b)
{
	return ip_prefix_cmp(a, b);
}

static void check_order(
    const struct bgp_table *table, struct ip_prefix *list, size_t n, enum bgp_family family)
{
	struct ip_prefix at = {.addr.family = bgp_family_ip(family)};
	struct bgp_net *net = bgp_table_next(table, &at, true);
	size_t i;

	qsort(list, n, sizeof(*list), compare);
	for (i = 0; i < n; i++) {
		assert_non_null(net);
		at = bgp_table_prefix(table, net);
		assert_true(ip_prefix_equal(&at, &list[i]));
		assert_ptr_equal(bgp_table_find(table, &at), net);
		net = bgp_table_next(table, &at, false);
	}
	assert_null(net);
	assert_int_equal(table->count, n);
}

/* From any prefix, whether it is there or not. */
static void check_searches(
    const struct bgp_table *table, const struct ip_prefix *list, size_t n, const struct ip_prefix *p)
{
	struct bgp_net *net = bgp_table_next(table, p, false);
	struct ip_prefix found;
	unsigned min_len = 0;
	size_t i;

	for (i = 0; i < n && ip_prefix_cmp(&list[i], p) <= 0; i++)
		;
	assert_true((net != NULL) == (i < n));
	if (net) {
		found = bgp_table_prefix(table, net);
		assert_true(ip_prefix_equal(&found, &list[i]));
	}
	for (i = 0; i < n; i++) {
		if (!ip_prefix_contains(&list[i], p))
			continue;
		net = bgp_table_next_covering(table, p, min_len);
		assert_non_null(net);
		found = bgp_table_prefix(table, net);
		assert_true(ip_prefix_equal(&found, &list[i]));
		min_len = found.len + 1u;
	}
	assert_null(bgp_table_next_covering(table, p, min_len));
}

static void run_random(enum bgp_family family, uint32_t seed)
{
	struct bgp_table table;
	struct bgp_heap heap;
	struct ip_prefix list[N], p;
	struct bgp_net *net;
	size_t n = 0, i, step;

	bgp_mem_init(&heap, &libc);
	bgp_table_init(&table, &heap, family);
	for (step = 0; step < 3000; step++) {
		p = random_prefix(&seed, family);
		for (i = 0; i < n && !ip_prefix_equal(&list[i], &p); i++)
			;
		net = bgp_table_find(&table, &p);
		assert_true((net != NULL) == (i < n));
		if (net && random_next(&seed) % 2) {
			bgp_table_remove(&table, net);
			list[i] = list[--n];
		} else if (n < N || net) {
			assert_int_equal(bgp_table_add(&table, &p, &net), 0);
			assert_ptr_equal(bgp_table_by_id(&table, net->id), net);
			if (i == n)
				list[n++] = p;
		} else {
			i = random_next(&seed) % n;
			bgp_table_remove(&table, bgp_table_find(&table, &list[i]));
			list[i] = list[--n];
		}
		if (step % 50 == 0) {
			check_order(&table, list, n, family);
			p = random_prefix(&seed, family);
			check_searches(&table, list, n, &p);
		}
	}
	check_order(&table, list, n, family);
	assert_true(table.n_ids <= N + 1); /* ids are used again */
	bgp_table_free(&table);
	assert_int_equal(heap.used, 0);
}

static void test_random(void **state)
{
	uint32_t seed;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		run_random(BGP_IPV4, seed * 7919);
		run_random(BGP_IPV6, seed * 104729);
	}
}

static void test_set(void **state)
{
	static bool naive[20000], other[20000];
	struct bgp_set set = {0}, second = {0};
	struct bgp_heap heap;
	uint32_t seed = 12345, i, id, count = 0;

	(void)state;
	bgp_mem_init(&heap, &libc);
	assert_int_equal(bgp_set_next(&set, 0), BGP_SET_END);
	assert_false(bgp_set_has(&set, 7));
	assert_int_equal(bgp_set_reserve(&heap, &set, 5000), 0);
	assert_true(bgp_set_add(&set, 4999));
	assert_false(bgp_set_add(&set, 4999));
	assert_int_equal(bgp_set_reserve(&heap, &set, 20000), 0);
	assert_int_equal(bgp_set_reserve(&heap, &second, 20000), 0);
	assert_true(bgp_set_remove(&set, 4999));
	for (i = 0; i < 30000; i++) {
		id = random_next(&seed) % 20000;
		if (random_next(&seed) % 3 == 0) {
			assert_int_equal(bgp_set_remove(&set, id), naive[id]);
			naive[id] = false;
		} else if (id % 17 == 0) {
			assert_int_equal(bgp_set_add(&set, id), !naive[id]);
			naive[id] = true;
		} else if (id % 19 == 0) {
			bgp_set_add(&second, id);
			other[id] = true;
		}
	}
	bgp_set_merge(&set, &second);
	for (id = 0, i = bgp_set_next(&set, 0); id < 20000; id++) {
		assert_int_equal(bgp_set_has(&set, id), naive[id] || other[id]);
		if (!naive[id] && !other[id])
			continue;
		assert_int_equal(i, id);
		i = bgp_set_next(&set, id + 1);
		count++;
	}
	assert_int_equal(i, BGP_SET_END);
	assert_int_equal(set.count, count);
	bgp_set_clear(&set);
	assert_int_equal(bgp_set_next(&set, 0), BGP_SET_END);
	bgp_set_free(&heap, &set);
	bgp_set_free(&heap, &second);
	assert_int_equal(heap.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
