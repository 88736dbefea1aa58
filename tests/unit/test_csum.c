/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/csum against RFC 1071's example, real packets, and a byte-wise reference. */
#include "lib/csum.h"

#include <arpa/inet.h>

#include "tests/unit/unit.h"

/* The sum as RFC 1071 §1 defines it, big-endian words, in host order. */
static uint16_t reference(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static void matches_the_rfc_example(void **state)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}; /* RFC 1071 §3 */

	assert_int_equal(ntohs(csum_fold(csum_add(0, data, sizeof(data)))), (uint16_t)~0xddf2);
}

static void verifies_an_ipv4_header(void **state)
{
	static const uint8_t hdr[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8,
	    0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

	assert_int_equal(csum_fold(csum_add(0, hdr, sizeof(hdr))), 0);
}

static void agrees_with_the_reference(void **state)
{
	static uint8_t data[70000];
	uint64_t seed = 7;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)unit_random(&seed);
	for (size_t len = 0; len < 300; len++)
		for (size_t from = 0; from < 4; from++)
			assert_int_equal(
			    ntohs(csum_fold(csum_add(0, data + from, len))), reference(data + from, len));
	assert_int_equal(ntohs(csum_fold(csum_add(0, data, sizeof(data)))), reference(data, sizeof(data)));
	memset(data, 0xff, sizeof(data));
	assert_int_equal(ntohs(csum_fold(csum_add(0, data, sizeof(data)))), reference(data, sizeof(data)));
}

static void continues_over_parts(void **state)
{
	uint8_t data[64];
	uint64_t seed = 9;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)unit_random(&seed);
	for (size_t cut = 0; cut <= sizeof(data); cut += 2)
		assert_int_equal(csum_fold(csum_add(csum_add(0, data, cut), data + cut, sizeof(data) - cut)),
		    csum_fold(csum_add(0, data, sizeof(data))));
}

/* An echo request over IPv6 and a UDP datagram over IPv4, pseudo-headers spelled out. */
static void sums_the_pseudo_headers(void **state)
{
	uint8_t p4[] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0x12, 0x34};
	uint8_t p6[40] = {0xfd, [15] = 1, [16] = 0xfd, [31] = 2, [32] = 0, 1, 2, 3, [39] = 58};

	assert_int_equal(
	    csum_fold(csum_pseudo4(p4, p4 + 4, 17, 0x1234)), csum_fold(csum_add(0, p4, sizeof(p4))));
	assert_int_equal(
	    csum_fold(csum_pseudo6(p6, p6 + 16, 58, 0x00010203)), csum_fold(csum_add(0, p6, sizeof(p6))));
}

static void updates_like_a_whole_sum(void **state)
{
	uint8_t data[40];
	uint64_t seed = 11;

	for (unsigned i = 0; i < 200000; i++) {
		size_t at = unit_random(&seed) % 19 * 2 + 2;
		uint16_t csum, old, new = (uint16_t)unit_random(&seed);

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)unit_random(&seed);
		csum = csum_fold(csum_add(0, data, sizeof(data)));
		memcpy(&old, data + at, 2);
		memcpy(data + at, &new, 2);
		assert_int_equal(csum_update16(csum, old, new), csum_fold(csum_add(0, data, sizeof(data))));
	}
}

/* RFC 1624 §4: the case in which the method of RFC 1141 yields -0 instead of +0. */
static void updates_the_rfc_1624_corner(void **state)
{
	assert_int_equal(csum_update16(htons(0xdd2f), htons(0x5555), htons(0x3285)), htons(0x0000));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches_the_rfc_example),
	    cmocka_unit_test(verifies_an_ipv4_header),
	    cmocka_unit_test(agrees_with_the_reference),
	    cmocka_unit_test(continues_over_parts),
	    cmocka_unit_test(sums_the_pseudo_headers),
	    cmocka_unit_test(updates_like_a_whole_sum),
	    cmocka_unit_test(updates_the_rfc_1624_corner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
