/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may not be forwarded: each rule of RFC 1812, RFC 4291 and RFC 8200 that the first stages hold, one
 * broken packet each, and the counter that must move.
 */
#include <arpa/inet.h>

#include "tests/whole/whole.h"

#define ETH sizeof(struct wire_eth)

static struct whole_port lan, wan;
static uint8_t frame[2048];

static int open_ports(void **state)
{
	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan, "wan", FIBMSG_ROLE_WAN);
	whole_route(FIBMSG_OVERLAY, "0.0.0.0/0", &wan.via);
	whole_route(FIBMSG_OVERLAY, "::/0", &wan.via);
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	return whole_stop(state);
}

/* Nothing may leave, and exactly this reason counts it. */
static void expect_drop(size_t len, enum drop_reason reason)
{
	struct whole_packet got;

	whole_forget_drops();
	whole_send(&lan, frame, len);
	whole_run();
	got = whole_to_slow();
	assert_null(got.data);
	assert_true(whole_silent(&wan) && whole_silent(&lan));
	for (unsigned r = 0; r < DROP_REASONS; r++)
		if (whole_drops((enum drop_reason)r) != (r == reason))
			fail_msg(
			    "expected %s, counted %s", drop_name(reason), drop_name((enum drop_reason)r));
}

static void expect_pass(size_t len)
{
	struct whole_packet got;

	whole_send(&lan, frame, len);
	whole_run();
	got = whole_receive(&wan);
	assert_non_null(got.data);
	whole_free(&got);
}

static size_t good4(void)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 40};

	return whole_udp(frame, &lan, &udp);
}

static size_t good6(void)
{
	struct whole_udp udp = {.src = "fd00:1::5", .dst = "2001:db8::1", .data_len = 40};

	return whole_udp(frame, &lan, &udp);
}

static void test_runts(void **state)
{
	for (size_t len = 1; len < ETH + 1; len++) {
		good4();
		expect_drop(len, DROP_RX_RUNT);
	}
	for (size_t len = ETH + 1; len < ETH + sizeof(struct wire_ip4); len++) {
		good4();
		expect_drop(len, DROP_RX_RUNT);
	}
	for (size_t len = ETH + 1; len < ETH + sizeof(struct wire_ip6); len++) {
		good6();
		expect_drop(len, DROP_RX_RUNT);
	}
}

static void test_link_layer(void **state)
{
	size_t len = good4();

	frame[5] ^= 0x40;
	expect_drop(len, DROP_RX_OTHER_HOST);
	len = good4();
	frame[12] = 0x81;
	frame[13] = 0x00;
	expect_drop(len, DROP_RX_VLAN);
}

/* RFC 1812 §5.2.2 */
static void test_header4(void **state)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)(frame + ETH);
	size_t len = good4();

	expect_pass(len);
	for (unsigned version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		len = good4();
		ip->version_ihl = (uint8_t)(version << 4 | 5);
		whole_fix_checksum(frame + ETH);
		expect_drop(len, DROP_IP4_HEADER);
	}
	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		len = good4();
		ip->version_ihl = 0x40 | ihl;
		expect_drop(len, DROP_IP4_HEADER);
	}
	len = good4();
	ip->total_len_be = htons((uint16_t)(len - ETH + 1)); /* longer than what came */
	whole_fix_checksum(frame + ETH);
	expect_drop(len, DROP_IP4_HEADER);
	len = good4();
	ip->total_len_be = htons(19);
	whole_fix_checksum(frame + ETH);
	expect_drop(len, DROP_IP4_HEADER);
	len = good4();
	ip->version_ihl = 0x4f; /* a header longer than the total length */
	ip->total_len_be = htons(40);
	whole_fix_checksum(frame + ETH);
	expect_drop(len, DROP_IP4_HEADER);
}

static void test_checksum4(void **state)
{
	for (size_t bit = 0; bit < sizeof(struct wire_ip4) * 8; bit++) {
		size_t len = good4();

		if (bit / 8 < 4 &&
		    bit / 8 != 1) /* version, header and total length have verdicts of their own */
			continue;
		frame[ETH + bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_drop(len, DROP_IP4_CHECKSUM);
	}
}

static void expect_addresses4(const char *src, const char *dst, enum drop_reason reason)
{
	struct whole_udp udp = {.src = src, .dst = dst};

	expect_drop(whole_udp(frame, &lan, &udp), reason);
}

/* RFC 1812 §5.3.7 */
static void test_addresses4(void **state)
{
	static const char *const sources[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255",
	    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"};
	static const char *const destinations[] = {
	    "0.0.0.0", "0.0.0.1", "127.0.0.1", "240.0.0.1", "255.255.255.254"};

	for (size_t i = 0; i < UNIT_COUNT(sources); i++)
		expect_addresses4(sources[i], "192.0.2.1", DROP_SOURCE_INVALID);
	for (size_t i = 0; i < UNIT_COUNT(destinations); i++)
		expect_addresses4("10.1.0.5", destinations[i], DROP_DESTINATION_INVALID);
	expect_addresses4("169.254.1.1", "192.0.2.1", DROP_SOURCE_INVALID); /* RFC 3927 §2.7 */
}

/* RFC 8200 §3 */
static void test_header6(void **state)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)(frame + ETH);
	size_t len = good6();

	expect_pass(len);
	ip->payload_len_be = htons((uint16_t)(len - ETH - sizeof(*ip) + 1));
	expect_drop(len, DROP_IP6_HEADER);
	len = good6();
	ip->payload_len_be = 0; /* a jumbogram */
	ip->next_header = IP_PROTO_HOPOPTS;
	expect_drop(len, DROP_IP6_HEADER);
}

static void test_addresses6(void **state)
{
	static const char *const sources[] = {"::1", "::", "ff02::1", "ff0e::1"};
	static const char *const destinations[] = {"::", "::1"};
	struct whole_udp udp = {.src = "fd00:1::5", .dst = "2001:db8::1"};

	for (size_t i = 0; i < UNIT_COUNT(sources); i++) {
		udp.src = sources[i];
		expect_drop(whole_udp(frame, &lan, &udp), DROP_SOURCE_INVALID);
	}
	udp.src = "fe80::1"; /* RFC 4291 §2.5.6 */
	expect_drop(whole_udp(frame, &lan, &udp), DROP_SOURCE_INVALID);
	udp.src = "fd00:1::5";
	for (size_t i = 0; i < UNIT_COUNT(destinations); i++) {
		udp.dst = destinations[i];
		expect_drop(whole_udp(frame, &lan, &udp), DROP_DESTINATION_INVALID);
	}
}

/* Puts extension headers of these kinds, 8 bytes each, between IPv6 and UDP. */
static size_t with_extensions(const uint8_t *kinds, unsigned n)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)(frame + ETH);
	size_t len = good6(), add = 8 * (size_t)n;
	uint8_t *p = frame + ETH + sizeof(*ip);

	memmove(p + add, p, len - ETH - sizeof(*ip));
	memset(p, 0, add);
	ip->next_header = kinds[0];
	ip->payload_len_be = htons((uint16_t)(ntohs(ip->payload_len_be) + add));
	for (unsigned i = 0; i < n; i++)
		p[i * 8] = i + 1 < n ? kinds[i + 1] : IP_PROTO_UDP;
	return len + add;
}

static void test_extensions(void **state)
{
	static const uint8_t good[] = {
	    IP_PROTO_HOPOPTS, IP_PROTO_DSTOPTS, IP_PROTO_ROUTING, IP_PROTO_FRAGMENT};
	static const uint8_t late_hop[] = {IP_PROTO_DSTOPTS, IP_PROTO_HOPOPTS};
	static const uint8_t many[] = {60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60};
	static const uint8_t one[] = {IP_PROTO_DSTOPTS};
	size_t len;

	expect_pass(with_extensions(good, UNIT_COUNT(good)));
	expect_pass(
	    with_extensions(many, UNIT_COUNT(many))); /* more than we walk: a router has no business there */
	expect_drop(with_extensions(late_hop, UNIT_COUNT(late_hop)), DROP_IP6_HEADER);
	len = with_extensions(one, 1);
	frame[ETH + sizeof(struct wire_ip6) + 1] = 200; /* ends far behind the packet */
	expect_drop(len, DROP_IP6_HEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runts),
	    cmocka_unit_test(test_link_layer),
	    cmocka_unit_test(test_header4),
	    cmocka_unit_test(test_checksum4),
	    cmocka_unit_test(test_addresses4),
	    cmocka_unit_test(test_header6),
	    cmocka_unit_test(test_addresses6),
	    cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
