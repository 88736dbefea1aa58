/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about too big a packet: known ones are read, every truncation and every changed bit is survived.
 * They lie in buffers of exactly their size.
 */
#include "dataplane/too_big.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "tests/unit/hex.h"
#include "tests/unit/unit.h"

/* By RFC 1191 §4 and RFC 4443 §3.2: a path of 1300 bytes, quotes with 32 and 16 bytes of UDP payload.
 * Checksums are put right when they are loaded. */
static const char vector4[] = "45c0 0058 1234 0000 4001 0000 cb007101 c000020a"
			      "0304 0000 00000514"
			      "4500 05c0 abcd 4000 3f11 0000 c000020a c6336407 ca6d 9c40 05ac 0000"
			      "04000000 4d000000 0700000000000000 00112233445566778899aabbccddeeff";
static const char vector6[] =
    "6000 0000 0048 3a40 20010db8009900000000000000000001 20010db8000100000000000000000010"
    "0200 0000 00000514"
    "6000 0000 0598 1140 20010db8000100000000000000000010 20010db8000700000000000000000007"
    "ca6d 9c40 0598 1234 04000000 4d000000 0700000000000000";

static size_t load(const char *hex, uint8_t p[256])
{
	return hex_parse(hex, p, 256);
}

static void fix_sum(uint8_t *p, size_t len)
{
	bool six = p[0] >> 4 == 6;
	size_t l4 = six ? 40 : 20;
	uint32_t sum = six ? csum_pseudo6(p + 8, p + 24, IP_PROTO_ICMP6, (uint32_t)(len - l4)) : 0;

	memset(p + l4 + 2, 0, 2);
	sum = csum_fold(csum_add(sum, p + l4, len - l4));
	memcpy(p + l4 + 2, &(uint16_t){(uint16_t)sum}, 2);
}

static bool parse(const uint8_t *p, size_t len, struct too_big *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool six = p[0] >> 4 == 6, good;

	assert_non_null(copy);
	memcpy(copy, p, len);
	good = too_big_parse(copy, len, six ? IP_V6 : IP_V4, six ? 40 : 20, out);
	free(copy); /* payload points to freed memory: nobody reads it here */
	return good;
}

static void check(const char *hex, const char *from, const char *to, uint32_t quoted, size_t payload)
{
	char text[IP_ENDPOINT_STRLEN];
	struct too_big b, unused = {.mtu = 77};
	uint8_t p[256];
	size_t len = load(hex, p), l4 = p[0] >> 4 == 6 ? 40 : 20;
	size_t least = l4 * 2 + 8 + 8;

	fix_sum(p, len);
	assert_true(parse(p, len, &b));
	assert_int_equal(b.mtu, 1300);
	assert_string_equal(ip_endpoint_format(&b.from, text), from);
	assert_string_equal(ip_endpoint_format(&b.to, text), to);
	assert_int_equal(b.quoted_len, quoted);
	assert_int_equal(b.payload_len, payload);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t q[256];

		memcpy(q, p, cut);
		if (cut >= l4 + 8)
			fix_sum(q, cut);
		assert_int_equal(parse(q[0] ? q : p, cut, &unused), cut >= least);
	}
	unused.mtu = 77;
	for (size_t bit = l4 * 8; bit < len * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(parse(p, len, &unused)); /* the checksum */
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(unused.mtu, 77); /* untouched */
}

static void reads_ipv4(void **state)
{
	check(vector4, "192.0.2.10:51821", "198.51.100.7:40000", 1472, 32);
}

static void reads_ipv6(void **state)
{
	check(vector6, "[2001:db8:1::10]:51821", "[2001:db8:7::7]:40000", 1472, 16);
}

/* Another type or code, a quote that is no datagram as ours are. */
static void refuses_others(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes4[] = {{20, 11}, {21, 3}, {28, 0x46}, {28, 0x65}, {35, 1}, {37, 6}},
	  changes6[] = {{40, 1}, {48, 0x45}, {54, 44}};
	struct too_big b;
	uint8_t p[256];
	size_t len;

	for (size_t i = 0; i < sizeof(changes4) / sizeof(changes4[0]); i++) {
		len = load(vector4, p);
		p[changes4[i].at] = changes4[i].value;
		fix_sum(p, len);
		assert_false(parse(p, len, &b));
	}
	for (size_t i = 0; i < sizeof(changes6) / sizeof(changes6[0]); i++) {
		len = load(vector6, p);
		p[changes6[i].at] = changes6[i].value;
		fix_sum(p, len);
		assert_false(parse(p, len, &b));
	}
	len = load(vector4, p);
	fix_sum(p, len);
	assert_false(too_big_parse(p, len, IP_V4, 0, &b)); /* a later fragment has no upper layer */
	assert_false(too_big_parse(p, len, IP_V4, len + 1, &b));
}

/* RFC 1191 §7.1. */
static void guesses_downwards(void **state)
{
	assert_int_equal(too_big_guess_mtu(1500), 1492);
	assert_int_equal(too_big_guess_mtu(1492), 1280);
	assert_int_equal(too_big_guess_mtu(1281), 1280);
	assert_int_equal(too_big_guess_mtu(1280), 1006);
	assert_int_equal(too_big_guess_mtu(65535), 32000);
	assert_int_equal(too_big_guess_mtu(100), 68);
	assert_int_equal(too_big_guess_mtu(0), 68);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_ipv4),
	    cmocka_unit_test(reads_ipv6),
	    cmocka_unit_test(refuses_others),
	    cmocka_unit_test(guesses_downwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
