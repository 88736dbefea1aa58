/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE: vectors by hand, round trips, every truncation, and the table of RFC 7606:
 * what is wrong with an attribute, and what must be done about it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_nlri.h"
#include "bgp/bgp_update.h"
#include "bgp/bgp_wire.h"

#define MAX_BODY 600

static struct bgp_attr_build scratch;

/* A body from its three fields. */
static size_t make(uint8_t *body, const void *withdrawn, size_t n_withdrawn, const void *attrs,
    size_t n_attrs, const void *nlri, size_t n_nlri)
{
	struct buf_writer w;

	buf_writer_init(&w, body, MAX_BODY);
	buf_write_be16(&w, (uint16_t)n_withdrawn);
	buf_write_bytes(&w, withdrawn, n_withdrawn);
	buf_write_be16(&w, (uint16_t)n_attrs);
	buf_write_bytes(&w, attrs, n_attrs);
	buf_write_bytes(&w, nlri, n_nlri);
	assert_int_equal(w.err, 0);
	return buf_writer_len(&w);
}

static struct bgp_update_context context(bool external)
{
	return (struct bgp_update_context){
	    .attr = {.as4 = true, .external = external, .first_as = external ? 65001 : 0},
	    .families = BGP_FAMILY_ALL,
	};
}

static void parse(bool external, const uint8_t *body, size_t len, struct bgp_update *out)
{
	struct bgp_update_context c = context(external);

	bgp_update_parse(&c, body, len, &scratch, out);
}

/* ORIGIN IGP, AS_PATH 65001 65002, NEXT_HOP 10.0.0.9 */
#define ORIGIN	 0x40, 1, 1, 0
#define AS_PATH	 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea
#define NEXT_HOP 0x40, 3, 4, 10, 0, 0, 9
#define GLOBAL6	 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9
#define LINK6	 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define REACH6	 0x80, 14, 28, 0, 2, 1, 16, GLOBAL6, 0, 48, 0xfd, 0, 0, 0, 0, 1
static const uint8_t base[] = {ORIGIN, AS_PATH, NEXT_HOP};
static const uint8_t net[] = {24, 10, 1, 2}; /* 10.1.2.0/24 */

static struct ip_prefix first_prefix(const struct bgp_update_part *part)
{
	struct buf_reader r = part->prefixes;
	struct ip_prefix p = {0};

	assert_int_equal(bgp_nlri_read(&r, part->family, &p), 0);
	return p;
}

static void test_plain(void **state)
{
	static const uint8_t withdrawn[] = {16, 10, 9, 0}; /* and 0.0.0.0/0 */
	uint8_t body[MAX_BODY];
	struct bgp_update u;
	struct ip_prefix p;
	char text[IP_PREFIX_STRLEN];
	size_t len = make(body, withdrawn, 4, base, sizeof(base), net, sizeof(net));

	(void)state;
	parse(true, body, len, &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	p = first_prefix(&u.reach[BGP_UPDATE_PLAIN]);
	assert_string_equal(ip_prefix_format(&p, text), "10.1.2.0/24");
	p = first_prefix(&u.withdrawn[BGP_UPDATE_PLAIN]);
	assert_string_equal(ip_prefix_format(&p, text), "10.9.0.0/16");
	assert_string_equal(ip_addr_format(&u.reach[BGP_UPDATE_PLAIN].next_hop, text), "10.0.0.9");
	assert_false(u.end_of_rib[0] || u.end_of_rib[1]);
}

static void test_mp(void **state)
{
	static const uint8_t attrs[] = {REACH6, ORIGIN, AS_PATH};
	static const uint8_t both[] = {0x80, 14, 38, 0, 2, 1, 32, GLOBAL6, LINK6, 0, 0, ORIGIN, AS_PATH};
	static const uint8_t unreach[] = {0x80, 15, 10, 0, 2, 1, 48, 0xfd, 0, 0, 0, 0, 1};
	uint8_t body[MAX_BODY];
	struct bgp_update u;
	struct ip_prefix p;
	char text[IP_PREFIX_STRLEN];

	(void)state;
	parse(true, body, make(body, NULL, 0, attrs, sizeof(attrs), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	p = first_prefix(&u.reach[BGP_UPDATE_MP]);
	assert_string_equal(ip_prefix_format(&p, text), "fd00:0:1::/48");
	assert_string_equal(ip_addr_format(&u.reach[BGP_UPDATE_MP].next_hop, text), "fd00::9");
	assert_int_equal(u.reach[BGP_UPDATE_MP].link_local.family, IP_NONE);
	parse(true, body, make(body, NULL, 0, both, sizeof(both), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	assert_string_equal(ip_addr_format(&u.reach[BGP_UPDATE_MP].link_local, text), "fe80::1");
	parse(true, body, make(body, NULL, 0, unreach, sizeof(unreach), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	p = first_prefix(&u.withdrawn[BGP_UPDATE_MP]);
	assert_string_equal(ip_prefix_format(&p, text), "fd00:0:1::/48");
}

static void test_end_of_rib(void **state)
{
	static const uint8_t mp6[] = {0x80, 15, 3, 0, 2, 1}, mp4[] = {0x80, 15, 3, 0, 1, 1},
			     other[] = {0x80, 15, 3, 0, 1, 128};
	static const uint8_t with_more[] = {0x80, 15, 3, 0, 2, 1, ORIGIN};
	uint8_t body[MAX_BODY];
	struct bgp_update u;

	(void)state;
	parse(true, body, make(body, NULL, 0, NULL, 0, NULL, 0), &u);
	assert_true(u.end_of_rib[BGP_IPV4] && !u.end_of_rib[BGP_IPV6]);
	parse(true, body, make(body, NULL, 0, mp6, sizeof(mp6), NULL, 0), &u);
	assert_true(u.end_of_rib[BGP_IPV6] && !u.end_of_rib[BGP_IPV4]);
	parse(true, body, make(body, NULL, 0, mp4, sizeof(mp4), NULL, 0), &u);
	assert_true(u.end_of_rib[BGP_IPV4]);
	parse(true, body, make(body, NULL, 0, other, sizeof(other), NULL, 0), &u);
	assert_false(u.end_of_rib[0] || u.end_of_rib[1]);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	parse(true, body, make(body, NULL, 0, with_more, sizeof(with_more), NULL, 0), &u);
	assert_false(u.end_of_rib[0] || u.end_of_rib[1]);
	parse(true, body, make(body, net, sizeof(net), mp6, sizeof(mp6), NULL, 0), &u);
	assert_false(u.end_of_rib[0] || u.end_of_rib[1]);
}

#define BYTES(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* One attribute beside the well-formed mandatory ones (or instead of the one of its type), with an IPv4
 * prefix. */
static const struct {
	const char *what;
	uint8_t attr[80];
	size_t len;
	enum bgp_reaction external, internal;
} malformed[] = {
    {"ORIGIN of two bytes, 7.1", BYTES(0x40, 1, 2, 0, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"ORIGIN empty", BYTES(0x40, 1, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"ORIGIN 3", BYTES(0x40, 1, 1, 3), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"ORIGIN optional, 3 c", BYTES(0xc0, 1, 1, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"ORIGIN extended length", BYTES(0x50, 1, 0, 1, 0), BGP_REACT_NONE, BGP_REACT_NONE},
    {"AS_PATH segment overruns, 7.2", BYTES(0x40, 2, 6, 2, 2, 0, 0, 0xfd, 0xe9), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH one byte left", BYTES(0x40, 2, 7, 2, 1, 0, 0, 0xfd, 0xe9, 2), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH empty segment", BYTES(0x40, 2, 8, 2, 1, 0, 0, 0xfd, 0xe9, 2, 0), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH unknown segment", BYTES(0x40, 2, 6, 5, 1, 0, 0, 0xfd, 0xe9), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH confederation, 5065", BYTES(0x40, 2, 6, 3, 1, 0, 0, 0xfd, 0xe9), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH with AS 0, 7607", BYTES(0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0, 0), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS_PATH begins with another AS", BYTES(0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe8), BGP_REACT_WITHDRAW,
	BGP_REACT_NONE},
    {"AS_PATH empty", BYTES(0x40, 2, 0), BGP_REACT_WITHDRAW, BGP_REACT_NONE},
    {"AS_PATH with a set", BYTES(0x40, 2, 12, 2, 1, 0, 0, 0xfd, 0xe9, 1, 1, 0, 0, 0, 7), BGP_REACT_NONE,
	BGP_REACT_NONE},
    {"NEXT_HOP of three, 7.3", BYTES(0x40, 3, 3, 10, 0, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"NEXT_HOP of five", BYTES(0x40, 3, 5, 10, 0, 0, 9, 9), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"NEXT_HOP 0.0.0.0", BYTES(0x40, 3, 4, 0, 0, 0, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"NEXT_HOP multicast", BYTES(0x40, 3, 4, 224, 0, 0, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"NEXT_HOP loopback", BYTES(0x40, 3, 4, 127, 0, 0, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MED of three, 7.4", BYTES(0x80, 4, 3, 0, 0, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MED transitive", BYTES(0xc0, 4, 4, 0, 0, 0, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"LOCAL_PREF of three, 7.5", BYTES(0x40, 5, 3, 0, 0, 1), BGP_REACT_NONE, BGP_REACT_WITHDRAW},
    {"LOCAL_PREF", BYTES(0x40, 5, 4, 0, 0, 0, 1), BGP_REACT_NONE, BGP_REACT_NONE},
    {"ATOMIC_AGGREGATE of one, 7.6", BYTES(0x40, 6, 1, 0), BGP_REACT_DISCARD, BGP_REACT_DISCARD},
    {"AGGREGATOR of six, 7.7", BYTES(0xc0, 7, 6, 0xfd, 0xe9, 1, 1, 1, 1), BGP_REACT_DISCARD,
	BGP_REACT_DISCARD},
    {"AGGREGATOR of seven", BYTES(0xc0, 7, 7, 0, 0, 0xfd, 0xe9, 1, 1, 1), BGP_REACT_DISCARD,
	BGP_REACT_DISCARD},
    {"AGGREGATOR of AS 0, 7607", BYTES(0xc0, 7, 8, 0, 0, 0, 0, 1, 1, 1, 1), BGP_REACT_DISCARD,
	BGP_REACT_DISCARD},
    {"COMMUNITIES empty, 7.8", BYTES(0xc0, 8, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"COMMUNITIES of five", BYTES(0xc0, 8, 5, 0, 0, 0, 0, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"COMMUNITIES partial", BYTES(0xe0, 8, 4, 0, 0, 0, 1), BGP_REACT_NONE, BGP_REACT_NONE},
    {"ORIGINATOR_ID of five, 7.9", BYTES(0x80, 9, 5, 1, 1, 1, 1, 1), BGP_REACT_NONE, BGP_REACT_WITHDRAW},
    {"CLUSTER_LIST of five, 7.10", BYTES(0x80, 10, 5, 1, 1, 1, 1, 1), BGP_REACT_NONE, BGP_REACT_WITHDRAW},
    {"CLUSTER_LIST empty", BYTES(0x80, 10, 0), BGP_REACT_NONE, BGP_REACT_WITHDRAW},
    {"extended communities of nine, 7.14", BYTES(0xc0, 16, 9, 0, 2, 3, 4, 5, 6, 7, 8, 9), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"AS4_PATH from a 4-byte speaker, 6793 6", BYTES(0xc0, 17, 1, 9), BGP_REACT_NONE, BGP_REACT_NONE},
    {"AS4_AGGREGATOR from a 4-byte speaker", BYTES(0xc0, 18, 1, 9), BGP_REACT_NONE, BGP_REACT_NONE},
    {"IPv6 extended communities, 7.15", BYTES(0xc0, 25, 8, 1, 2, 3, 4, 5, 6, 7, 8), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"large communities of eight, 8092 5", BYTES(0xc0, 32, 8, 1, 2, 3, 4, 5, 6, 7, 8), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"only to customer of three, 9234 5", BYTES(0xc0, 35, 3, 0, 0, 1), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"entropy label", BYTES(0xc0, 28, 0), BGP_REACT_NONE, BGP_REACT_NONE},
    {"BGP-LS", BYTES(0x80, 29, 2, 1, 2), BGP_REACT_NONE, BGP_REACT_NONE},
    {"prefix SID", BYTES(0xc0, 40, 1, 1), BGP_REACT_NONE, BGP_REACT_NONE},
    {"ATTR_SET", BYTES(0xc0, 128, 4, 0, 0, 0, 0), BGP_REACT_NONE, BGP_REACT_NONE},
    {"unknown optional", BYTES(0x80, 200, 1, 1), BGP_REACT_NONE, BGP_REACT_NONE},
    {"unknown well-known", BYTES(0x40, 200, 1, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"type 0", BYTES(0xc0, 0, 1, 1), BGP_REACT_DISCARD, BGP_REACT_DISCARD},
    {"MED twice, 3 g", BYTES(0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 4, 0, 0, 0, 2), BGP_REACT_DISCARD,
	BGP_REACT_DISCARD},
    {"MED twice, the second malformed", BYTES(0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 1, 0), BGP_REACT_DISCARD,
	BGP_REACT_DISCARD},
    {"two errors, the stronger counts, 3 h", BYTES(0x40, 6, 1, 0, 0x80, 4, 1, 0), BGP_REACT_WITHDRAW,
	BGP_REACT_WITHDRAW},
    {"overruns the attributes, 4", BYTES(0xc0, 99, 9, 1), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"header cut, 4", BYTES(0xc0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"extended length cut", BYTES(0xd0, 99, 0), BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MP_REACH empty, 7.11", BYTES(0x80, 14, 0), BGP_REACT_RESET, BGP_REACT_RESET},
    {"MP_REACH next hop of 15", BYTES(0x80, 14, 5, 0, 2, 1, 15, 0), BGP_REACT_RESET, BGP_REACT_RESET},
    {"MP_REACH next hop overruns", BYTES(0x80, 14, 6, 0, 2, 1, 16, 0xfd, 0), BGP_REACT_RESET,
	BGP_REACT_RESET},
    {"MP_REACH prefix of 129 bits, 5.3", BYTES(0x80, 14, 22, 0, 2, 1, 16, GLOBAL6, 0, 129), BGP_REACT_RESET,
	BGP_REACT_RESET},
    {"MP_REACH prefix cut", BYTES(0x80, 14, 23, 0, 2, 1, 16, GLOBAL6, 0, 48, 0xfd), BGP_REACT_RESET,
	BGP_REACT_RESET},
    {"MP_REACH twice, 3 g", BYTES(REACH6, REACH6), BGP_REACT_RESET, BGP_REACT_RESET},
    {"MP_REACH transitive", BYTES(0xc0, 14, 28, 0, 2, 1, 16, GLOBAL6, 0, 48, 0xfd, 0, 0, 0, 0, 1),
	BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MP_REACH next hop ::",
	BYTES(0x80, 14, 22, 0, 2, 1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MP_REACH next hop v4-mapped",
	BYTES(0x80, 14, 22, 0, 2, 1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 1, 1, 1, 0, 0),
	BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MP_REACH next hop multicast",
	BYTES(0x80, 14, 22, 0, 2, 1, 16, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0),
	BGP_REACT_WITHDRAW, BGP_REACT_WITHDRAW},
    {"MP_REACH next hop link-local alone", BYTES(0x80, 14, 22, 0, 2, 1, 16, LINK6, 0, 0), BGP_REACT_NONE,
	BGP_REACT_NONE},
    {"MP_REACH next hop link-local twice", BYTES(0x80, 14, 38, 0, 2, 1, 32, LINK6, LINK6, 0, 0),
	BGP_REACT_NONE, BGP_REACT_NONE},
    {"MP_REACH of another family", BYTES(0x80, 14, 7, 0, 25, 65, 1, 9, 9, 9), BGP_REACT_NONE, BGP_REACT_NONE},
    {"MP_UNREACH of two bytes", BYTES(0x80, 15, 2, 0, 2), BGP_REACT_RESET, BGP_REACT_RESET},
    {"MP_UNREACH prefix cut", BYTES(0x80, 15, 5, 0, 2, 1, 48, 1), BGP_REACT_RESET, BGP_REACT_RESET},
};

/* The mandatory attributes, but for the type that the case brings itself. */
static size_t put_base(uint8_t *out, uint8_t without)
{
	static const uint8_t parts[3][14] = {{ORIGIN}, {AS_PATH}, {NEXT_HOP}};
	size_t used = 0, i;

	for (i = 0; i < 3; i++) {
		size_t len = 3u + parts[i][2];

		if (parts[i][1] == without)
			continue;
		memcpy(out + used, parts[i], len);
		used += len;
	}
	return used;
}

static void test_malformed(void **state)
{
	uint8_t attrs[MAX_BODY], body[MAX_BODY];
	struct bgp_update u;
	size_t i, used, len;
	unsigned external;

	(void)state;
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		used = put_base(attrs, malformed[i].attr[1]);
		memcpy(attrs + used, malformed[i].attr, malformed[i].len);
		len = make(body, NULL, 0, attrs, used + malformed[i].len, net, sizeof(net));
		for (external = 0; external < 2; external++) {
			enum bgp_reaction expected = external ? malformed[i].external : malformed[i].internal;

			parse(external, body, len, &u);
			if (u.reaction != expected)
				fail_msg("%s (%s): reaction %d, expected %d: %s", malformed[i].what,
				    external ? "external" : "internal", u.reaction, expected, u.fault.text);
			if (expected == BGP_REACT_RESET)
				assert_int_equal(u.fault.code, BGP_ERROR_UPDATE);
		}
	}
}

/* RFC 7606 §5.2: the same errors beside no reachable prefix end the session, unless they are only discarded.
 */
static void test_malformed_without_nlri(void **state)
{
	static const uint8_t origin[] = {0x40, 1, 1, 9}, atomic[] = {0x40, 6, 1, 0};
	uint8_t body[MAX_BODY];
	struct bgp_update u;

	(void)state;
	parse(true, body, make(body, net, sizeof(net), origin, sizeof(origin), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_RESET);
	parse(true, body, make(body, net, sizeof(net), atomic, sizeof(atomic), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_DISCARD);
}

static void test_missing(void **state)
{
	static const uint8_t types[] = {BGP_ATTR_ORIGIN, BGP_ATTR_AS_PATH, BGP_ATTR_NEXT_HOP};
	static const uint8_t reach[] = {REACH6, ORIGIN};
	uint8_t attrs[100], body[MAX_BODY];
	struct bgp_update u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types); i++) {
		size_t used = put_base(attrs, types[i]);

		parse(true, body, make(body, NULL, 0, attrs, used, net, sizeof(net)), &u);
		assert_int_equal(u.reaction, BGP_REACT_WITHDRAW); /* RFC 7606 §3 d */
		assert_int_equal(u.fault.subcode, BGP_UPDATE_MISSING);
	}
	parse(true, body, make(body, NULL, 0, reach, sizeof(reach), NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_WITHDRAW);
}

static void test_fields(void **state)
{
	static const uint8_t long_prefix[] = {33, 1, 2, 3, 4, 5}, cut[] = {24, 1, 2};
	uint8_t body[MAX_BODY];
	struct bgp_update u;
	size_t len;

	(void)state;
	parse(true, body, make(body, NULL, 0, base, sizeof(base), long_prefix, sizeof(long_prefix)), &u);
	assert_int_equal(u.reaction, BGP_REACT_RESET);
	assert_int_equal(u.fault.subcode, BGP_UPDATE_NETWORK);
	parse(true, body, make(body, cut, sizeof(cut), NULL, 0, NULL, 0), &u);
	assert_int_equal(u.reaction, BGP_REACT_RESET);
	len = make(body, NULL, 0, base, sizeof(base), net, sizeof(net));
	body[1] = 200; /* withdrawn length */
	parse(true, body, len, &u);
	assert_int_equal(u.reaction, BGP_REACT_RESET);
	assert_int_equal(u.fault.subcode, BGP_UPDATE_ATTR_LIST);
}

/* No truncation is taken for a whole message that announces the prefix, and none reads past its end (ASan).
 */
static void test_truncated(void **state)
{
	static const uint8_t attrs[] = {REACH6, ORIGIN, AS_PATH, NEXT_HOP, 0xc0, 8, 4, 0, 1, 0, 2};
	uint8_t body[MAX_BODY], *exact;
	struct bgp_update u;
	size_t len = make(body, NULL, 0, attrs, sizeof(attrs), net, sizeof(net)), n;

	(void)state;
	for (n = 0; n < len; n++) {
		exact = test_malloc(n ? n : 1);
		memcpy(exact, body, n);
		parse(true, exact, n, &u);
		if (n == len - sizeof(net))
			assert_int_equal(
			    u.reaction, BGP_REACT_NONE); /* a whole message again: no IPv4 prefix */
		else
			assert_int_equal(u.reaction, BGP_REACT_RESET);
		test_free(exact);
	}
}

/* Every attribute kept comes out again as it went in; unknown transitive ones marked partial. */
static void test_round_trip(void **state)
{
	static const uint8_t attrs[] = {ORIGIN, AS_PATH, NEXT_HOP, 0x80, 4, 4, 0, 0, 0, 5, 0x40, 5, 4, 0, 0,
	    0, 100, 0x40, 6, 0, 0xc0, 7, 8, 0, 0, 0xfd, 0xea, 1, 1, 1, 1, 0xc0, 8, 8, 0xfd, 0xe9, 0, 1, 0xff,
	    0xff, 0xff, 1, 0xc0, 16, 8, 0, 2, 0xfd, 0xe9, 0, 0, 0, 1, 0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0,
	    0, 0, 3, 0xe0, 99, 3, 'x', 'y', 'z'};
	static const struct bgp_mem libc;
	struct ip_prefix prefix = {.addr = ip_addr_v4(0), .len = 0};
	const struct ip_prefix *prefixes[1] = {&prefix};
	uint8_t body[MAX_BODY], msg[BGP_MSG_MAX];
	struct bgp_attr_table table;
	struct bgp_heap heap;
	struct bgp_attrs *set, *same;
	struct buf_writer w;
	struct bgp_update u;
	char text[200];

	(void)state;
	bgp_mem_init(&heap, &libc);
	assert_int_equal(bgp_attr_table_init(&table, &heap), 0);
	parse(false, body, make(body, NULL, 0, attrs, sizeof(attrs), net, sizeof(net)), &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &set), 0);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &same), 0);
	assert_ptr_equal(set, same);
	assert_string_equal(bgp_attrs_format_path(set, text, sizeof(text)), "65001 65002");
	assert_string_equal(bgp_attrs_format_communities(set, text, sizeof(text)),
	    "65001:1 65535:65281 1:2:3 0x0002fde900000001");
	assert_true(bgp_attr_has_community(set, BGP_COMMUNITY_NO_EXPORT));
	buf_writer_init(&w, msg, sizeof(msg));
	assert_int_equal(bgp_update_write_reach(&w, BGP_IPV4, set, true, prefixes, 1), 1);
	assert_int_equal(buf_writer_len(&w), BGP_UPDATE_MIN_LEN + sizeof(attrs) + 1);
	assert_memory_equal(msg + BGP_UPDATE_MIN_LEN, attrs, sizeof(attrs));
	bgp_attr_release(&table, set);
	bgp_attr_release(&table, same);
	bgp_attr_table_free(&table);
	assert_int_equal(heap.used, 0);
}

/* RFC 6793: to a 2-byte speaker AS_TRANS and AS4_PATH; from one, both put together again. */
static void test_two_byte_speaker(void **state)
{
	static const uint8_t attrs[] = {ORIGIN, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0xfa, 0x56, 0xea, 0x02,
	    NEXT_HOP, 0xc0, 7, 8, 0xfa, 0x56, 0xea, 0x02, 1, 1, 1, 1};
	static const uint8_t narrow[] = {ORIGIN, 0x40, 2, 6, 2, 2, 0xfd, 0xe9, 0x5b, 0xa0, NEXT_HOP, 0xc0, 7,
	    6, 0x5b, 0xa0, 1, 1, 1, 1, 0xc0, 17, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0xfa, 0x56, 0xea, 0x02, 0xc0, 18,
	    8, 0xfa, 0x56, 0xea, 0x02, 1, 1, 1, 1};
	/* The path grew by one AS on the way through 2-byte speakers. */
	static const uint8_t longer[] = {ORIGIN, 0x40, 2, 8, 2, 3, 0, 9, 0xfd, 0xe9, 0x5b, 0xa0, NEXT_HOP,
	    0xc0, 17, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0xfa, 0x56, 0xea, 0x02};
	static const struct bgp_mem libc;
	struct bgp_update_context as2 = {.families = BGP_FAMILY_ALL};
	struct ip_prefix prefix = {.addr = ip_addr_v4(0), .len = 0};
	const struct ip_prefix *prefixes[1] = {&prefix};
	uint8_t body[MAX_BODY], msg[BGP_MSG_MAX];
	struct bgp_attr_table table;
	struct bgp_heap heap;
	struct bgp_attrs *set, *same;
	struct buf_writer w;
	struct bgp_update u;
	char text[100];

	(void)state;
	bgp_mem_init(&heap, &libc);
	assert_int_equal(bgp_attr_table_init(&table, &heap), 0);
	parse(false, body, make(body, NULL, 0, attrs, sizeof(attrs), net, sizeof(net)), &u);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &set), 0);
	buf_writer_init(&w, msg, sizeof(msg));
	assert_int_equal(bgp_update_write_reach(&w, BGP_IPV4, set, false, prefixes, 1), 1);
	assert_memory_equal(msg + BGP_UPDATE_MIN_LEN, narrow, sizeof(narrow));
	bgp_update_parse(
	    &as2, body, make(body, NULL, 0, narrow, sizeof(narrow), net, sizeof(net)), &scratch, &u);
	assert_int_equal(u.reaction, BGP_REACT_NONE);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &same), 0);
	assert_ptr_equal(set, same);
	bgp_attr_release(&table, same);
	bgp_attr_release(&table, set);
	bgp_update_parse(
	    &as2, body, make(body, NULL, 0, longer, sizeof(longer), net, sizeof(net)), &scratch, &u);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &set), 0);
	assert_string_equal(bgp_attrs_format_path(set, text, sizeof(text)), "9 65001 4200000002");
	bgp_attr_release(&table, set);
	bgp_attr_table_free(&table);
}

/* Many prefixes fill messages to the last byte that fits, and not one more. */
static void test_packing(void **state)
{
	static const struct bgp_mem libc;
	static struct ip_prefix many[2000];
	static const struct ip_prefix *prefixes[2000];
	static uint8_t msg[3 * BGP_MSG_MAX];
	struct bgp_attr_table table;
	struct bgp_heap heap;
	struct bgp_attrs *set;
	struct buf_writer w;
	size_t i, first;

	(void)state;
	bgp_mem_init(&heap, &libc);
	assert_int_equal(bgp_attr_table_init(&table, &heap), 0);
	bgp_attr_build_init(&scratch);
	scratch.core.next_hop = ip_addr_v4(0x0900000a);
	assert_int_equal(bgp_attr_intern(&table, &scratch, &set), 0);
	for (i = 0; i < 2000; i++) {
		many[i] =
		    (struct ip_prefix){.addr = ip_addr_v4(__builtin_bswap32((uint32_t)i << 8)), .len = 24};
		prefixes[i] = &many[i];
	}
	buf_writer_init(&w, msg, sizeof(msg));
	/* 23 of header and lengths, 4 ORIGIN, 3 AS_PATH, 7 NEXT_HOP; 4 a prefix */
	first = bgp_update_write_reach(&w, BGP_IPV4, set, true, prefixes, 2000);
	assert_int_equal(first, (BGP_MSG_MAX - 37) / 4);
	assert_int_equal(buf_writer_len(&w), 37 + first * 4);
	assert_int_equal(bgp_update_write_withdrawn(&w, BGP_IPV4, prefixes, 2000), (BGP_MSG_MAX - 23) / 4);
	buf_writer_init(&w, msg, 37 + 3);
	assert_int_equal(bgp_update_write_reach(&w, BGP_IPV4, set, true, prefixes, 2000), 0);
	assert_int_equal(buf_writer_len(&w), 0);
	bgp_attr_release(&table, set);
	bgp_attr_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_mp),
	    cmocka_unit_test(test_end_of_rib),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_malformed_without_nlri),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_two_byte_speaker),
	    cmocka_unit_test(test_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
