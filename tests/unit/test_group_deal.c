/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resilient hashing of groups: shares by weight, who moves when a member dies or returns, and that the result
 * depends on weights and ids alone.
 */
#include "dataplane/group_deal.h"

#include "tests/unit/unit.h"

#define ROUNDS 300

static uint64_t seed = 5;
static struct group_deal deal, other;

static void count(const uint8_t bucket[GROUP_BUCKETS], unsigned shares[FIBMSG_MEMBERS])
{
	memset(shares, 0, FIBMSG_MEMBERS * sizeof(*shares));
	for (unsigned b = 0; b < GROUP_BUCKETS; b++)
		shares[bucket[b]]++;
}

static unsigned make_members(struct group_share *m)
{
	unsigned n = 2 + (unsigned)(unit_random(&seed) % (FIBMSG_MEMBERS - 1));

	for (unsigned i = 0; i < n; i++)
		m[i] = (struct group_share){
		    .id = (uint32_t)unit_random(&seed), .weight = (uint16_t)(1 + unit_random(&seed) % 40)};
	return n;
}

/* To one bucket, whatever the weights; a light member next to a heavy one still has a bucket. */
static void test_shares(void **state)
{
	struct group_share m[FIBMSG_MEMBERS];
	unsigned shares[FIBMSG_MEMBERS];
	uint8_t bucket[GROUP_BUCKETS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = make_members(m), total = 0;

		for (unsigned i = 0; i < n; i++)
			total += m[i].weight;
		group_deal_make(&deal, m, n);
		group_deal_fill(&deal, (1u << n) - 1, bucket);
		count(bucket, shares);
		for (unsigned i = 0; i < n; i++) {
			assert_true(shares[i] * total < (m[i].weight * GROUP_BUCKETS) + total);
			assert_true(shares[i] * total + total > m[i].weight * GROUP_BUCKETS);
		}
	}
	m[0] = (struct group_share){1, UINT16_MAX};
	for (unsigned i = 1; i < FIBMSG_MEMBERS; i++)
		m[i] = (struct group_share){1 + i, 1};
	group_deal_make(&deal, m, FIBMSG_MEMBERS);
	group_deal_fill(&deal, UINT16_MAX, bucket);
	count(bucket, shares);
	for (unsigned i = 1; i < FIBMSG_MEMBERS; i++)
		assert_int_equal(shares[i], 1);
	m[1].weight = 0;
	group_deal_make(&deal, m, 2);
	group_deal_fill(&deal, 3, bucket);
	count(bucket, shares);
	assert_int_equal(shares[0], GROUP_BUCKETS);
	group_deal_fill(&deal, 2, bucket);
	count(bucket, shares);
	assert_int_equal(shares[1], GROUP_BUCKETS);
}

/* Members die and return at random: a bucket whose member lives, before and after, stays with it, but for
 * those that the returned one has back. */
static void test_resilience(void **state)
{
	struct group_share m[FIBMSG_MEMBERS];
	uint8_t home[GROUP_BUCKETS], was[GROUP_BUCKETS], now[GROUP_BUCKETS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = make_members(m);
		uint32_t all = (1u << n) - 1, set = all;

		group_deal_make(&deal, m, n);
		group_deal_fill(&deal, all, home);
		memcpy(was, home, sizeof(was));
		for (unsigned step = 0; step < 20; step++) {
			uint32_t flip = 1u << unit_random(&seed) % n;

			if (!(set ^ flip))
				continue;
			set ^= flip;
			group_deal_fill(&deal, set, now);
			for (unsigned b = 0; b < GROUP_BUCKETS; b++) {
				assert_true(set & 1u << now[b]);
				if (now[b] == was[b])
					continue;
				/* away from the dead, or to the returned */
				assert_true(set & flip ? flip == 1u << now[b] : flip == 1u << was[b]);
			}
			memcpy(was, now, sizeof(was));
		}
		group_deal_fill(&deal, all, now);
		assert_memory_equal(now, home, sizeof(now));
	}
}

/* The flows of a dead member go to all others, by their weights: within what chance allows of 128 buckets. */
static void test_dead_spread(void **state)
{
	struct group_share m[] = {{10, 4}, {11, 2}, {12, 1}, {13, 1}};
	unsigned before[FIBMSG_MEMBERS], after[FIBMSG_MEMBERS], sum[4] = {0};
	uint8_t bucket[GROUP_BUCKETS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 4; i++)
			m[i].id = (uint32_t)unit_random(&seed);
		group_deal_make(&deal, m, 4);
		group_deal_fill(&deal, 15, bucket);
		count(bucket, before);
		group_deal_fill(&deal, 14, bucket);
		count(bucket, after);
		for (unsigned i = 1; i < 4; i++) {
			assert_true(after[i] > before[i]);
			sum[i] += after[i] - before[i];
		}
	}
	/* 128 buckets a round, 2 : 1 : 1 */
	assert_in_range(sum[1] / ROUNDS, 60, 68);
	assert_in_range(sum[2] / ROUNDS, 29, 35);
	assert_in_range(sum[3] / ROUNDS, 29, 35);
}

/* Neither the order of the list nor what was there before matters; a new member takes little more than its
 * share. */
static void test_deterministic(void **state)
{
	struct group_share m[] = {{7, 1}, {8, 1}, {9, 1}, {10, 1}}, turned[] = {{9, 1}, {7, 1}, {8, 1}};
	uint8_t a[GROUP_BUCKETS], b[GROUP_BUCKETS];
	unsigned same = 0, moved = 0;

	group_deal_make(&deal, m, 3);
	group_deal_fill(&deal, 7, a);
	group_deal_make(&other, turned, 3);
	group_deal_fill(&other, 7, b);
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		same += m[a[i]].id == turned[b[i]].id;
	assert_true(
	    same >= GROUP_BUCKETS - 4); /* the bucket that does not divide by three may be another's */
	group_deal_make(&other, m, 4);
	group_deal_fill(&other, 15, b);
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		moved += a[i] != b[i];
	assert_in_range(moved, GROUP_BUCKETS / 4, GROUP_BUCKETS / 3);
}

/* Each bucket is reached, and hashes that differ in any one byte alone spread. */
static void test_hash_to_bucket(void **state)
{
	for (unsigned shift = 0; shift < 32; shift += 8) {
		bool seen[GROUP_BUCKETS] = {false};

		for (uint32_t i = 0; i < 256; i++)
			seen[group_bucket_of(i << shift)] = true;
		for (unsigned b = 0; b < GROUP_BUCKETS; b++)
			assert_true(seen[b]);
	}
	for (uint32_t i = 0; i < GROUP_BUCKETS; i++)
		assert_int_equal(group_bucket_of(i), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shares),
	    cmocka_unit_test(test_resilience),
	    cmocka_unit_test(test_dead_spread),
	    cmocka_unit_test(test_deterministic),
	    cmocka_unit_test(test_hash_to_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
