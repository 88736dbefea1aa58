/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser of IP headers: what it finds, and that no truncation passes. Packets lie in buffers of exactly
 * their size.
 */
#include "dataplane/ip_parse.h"

#include <arpa/inet.h>

#include "dataplane/drop.h"
#include "dataplane/pkt.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "tests/unit/unit.h"

/* Parses a copy in a buffer of exactly len bytes. */
static int parse(const uint8_t *p, size_t len, struct ip_parsed *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	int verdict;

	assert_non_null(copy);
	memcpy(copy, p, len);
	verdict = ip_parse(len ? copy : copy + 1, len, out);
	free(copy);
	return verdict;
}

static size_t make4(uint8_t *p, uint8_t proto, size_t data)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)p;

	memset(p, 0, sizeof(*ip) + data);
	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons((uint16_t)(sizeof(*ip) + data)),
	    .ttl = 64,
	    .proto = proto,
	    .src_be = htonl(0x0a000001),
	    .dst_be = htonl(0xc0000201)};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	return sizeof(*ip) + data;
}

static size_t make6(uint8_t *p, uint8_t next, const uint8_t *payload, size_t len)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)p;

	*ip = (struct wire_ip6){.version_class_flow_be = htonl(IP6_VERSION),
	    .payload_len_be = htons((uint16_t)len),
	    .next_header = next,
	    .hop_limit = 64,
	    .src = {0xfd, 1},
	    .dst = {0x20, 1}};
	memcpy(p + sizeof(*ip), payload, len);
	return sizeof(*ip) + len;
}

static void test_ip4(void **state)
{
	uint8_t p[128];
	struct ip_parsed out;
	size_t len = make4(p, IP_PROTO_UDP, 30);

	assert_int_equal(parse(p, len, &out), IP_PARSE_OK);
	assert_int_equal(out.family, IP_V4);
	assert_int_equal(out.proto, IP_PROTO_UDP);
	assert_int_equal(out.l4_off, 20);
	assert_int_equal(out.len, len);
	assert_int_equal(out.flags, 0);
	assert_int_equal(parse(p, len + 20, &out), IP_PARSE_OK); /* padding behind */
	assert_int_equal(out.len, len);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(parse(p, cut, &out), IP_PARSE_OK);
}

static void test_extension_chain(void **state)
{
	static const uint8_t payload[] = {60, 0, 0, 0, 0, 0, 0, 0, /* hop-by-hop */
	    44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	   /* destination options, 16 bytes */
	    51, 0, 0, 1, 0, 0, 0, 9,				   /* fragment, the first one */
	    6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* authentication: 4-byte units without two */
	    1, 2, 3, 4};
	uint8_t p[128];
	struct ip_parsed out;
	size_t len = make6(p, IP_PROTO_HOPOPTS, payload, sizeof(payload));

	assert_int_equal(parse(p, len, &out), IP_PARSE_OK);
	assert_int_equal(out.proto, IP_PROTO_TCP);
	assert_int_equal(out.l4_off, 40 + 8 + 16 + 8 + 12);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(parse(p, cut, &out), IP_PARSE_OK);
	/* the same with the payload length telling the truth about the cut: within the headers it must not
	 * pass */
	for (size_t cut = 40; cut < 40 + 8 + 16 + 8 + 12; cut++) {
		((struct wire_ip6 *)p)->payload_len_be = htons((uint16_t)(cut - 40));
		assert_int_not_equal(parse(p, cut, &out), IP_PARSE_OK);
	}
}

static void test_later_fragment(void **state)
{
	static const uint8_t payload[] = {17, 0, 0x05, 0xd8, 0, 0, 0, 9, 1, 2, 3};
	uint8_t p[128];
	struct ip_parsed out;
	size_t len = make6(p, IP_PROTO_FRAGMENT, payload, sizeof(payload));

	assert_int_equal(parse(p, len, &out), IP_PARSE_OK);
	assert_int_equal(out.proto, IP_PROTO_UDP);
	assert_int_equal(out.l4_off, 0);
	len = make4(p, IP_PROTO_UDP, 30);
	((struct wire_ip4 *)p)->frag_be = htons(185);
	((struct wire_ip4 *)p)->csum = csum_update16(((struct wire_ip4 *)p)->csum, 0, htons(185));
	assert_int_equal(parse(p, len, &out), IP_PARSE_OK);
	assert_int_equal(out.l4_off, 0);
}

static void test_scopes(void **state)
{
	static const struct {
		uint32_t src, dst;
		uint8_t flags;
	} cases[] = {
	    {0x0a000001, 0xe0000001, PKT_LINK_DEST},
	    {0x0a000001, 0xffffffff, PKT_LINK_DEST},
	    {0xa9fe0101, 0xc0000201, PKT_LINK_SOURCE},
	    {0xa9fe0101, 0xa9fe0102, PKT_LINK_SOURCE | PKT_LINK_DEST},
	    {0x0a000001, 0xc0000201, 0},
	};
	uint8_t p[64];
	struct wire_ip4 *ip = (struct wire_ip4 *)p;
	struct ip_parsed out;

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		size_t len = make4(p, IP_PROTO_UDP, 8);

		ip->src_be = htonl(cases[i].src);
		ip->dst_be = htonl(cases[i].dst);
		ip->csum = 0;
		ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
		assert_int_equal(parse(p, len, &out), IP_PARSE_OK);
		assert_int_equal(out.flags, cases[i].flags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ip4),
	    cmocka_unit_test(test_extension_chain),
	    cmocka_unit_test(test_later_fragment),
	    cmocka_unit_test(test_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
