/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6 errors: type, code, source, what they quote, when none may be sent, and how many.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "tests/whole/whole.h"

#define ETH    sizeof(struct wire_eth)
#define TOS    0xc0 /* RFC 1812 §4.3.2.5: precedence 6 */
#define QUOTE4 (576 - sizeof(struct wire_ip4) - sizeof(struct wire_icmp))
#define QUOTE6 (1280 - sizeof(struct wire_ip6) - sizeof(struct wire_icmp))

static struct whole_port lan, wan, bare;
static uint8_t frame[2048];

static int open_ports(void **state)
{
	/* the public ones come first: a private source hears from the private ones all the same */
	static const char *const addresses[] = {
	    "fe80::1/64", "203.0.113.1/24", "10.1.0.1/24", "2001:db8:aa::1/64", "fd00:1::1/64"};

	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan, "wan", FIBMSG_ROLE_WAN);
	whole_port_open(&bare, "bare", FIBMSG_ROLE_LAN); /* unnumbered */
	whole_port_addresses(&lan, addresses, UNIT_COUNT(addresses));
	whole_route(FIBMSG_OVERLAY, "192.0.2.0/24", &wan.via);
	whole_route(FIBMSG_OVERLAY, "2001:db8::/32", &wan.via);
	whole_route(FIBMSG_OVERLAY, "10.1.0.0/24", &lan.via);
	whole_route(FIBMSG_OVERLAY, "fd00:1::/64", &lan.via);
	whole_route(FIBMSG_OVERLAY, "10.5.0.0/24", &bare.via);
	whole_route(FIBMSG_OVERLAY, "10.66.0.0/16", &nexthop_unreachable);
	whole_route(FIBMSG_OVERLAY, "10.67.0.0/16", &nexthop_prohibit);
	whole_route(FIBMSG_OVERLAY, "10.68.0.0/16", &nexthop_blackhole);
	whole_route(FIBMSG_OVERLAY, "fd66::/16", &nexthop_unreachable);
	whole_route(FIBMSG_OVERLAY, "fd67::/16", &nexthop_prohibit);
	icmp_set_rate(UINT16_MAX);
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	whole_port_close(&bare);
	return whole_stop(state);
}

/* Tokens come with time: enough for each test. */
static int wait_for_tokens(void **state)
{
	usleep(1000);
	whole_forget_drops();
	return 0;
}

static struct whole_packet answer(const struct whole_udp *udp, struct whole_port *in, size_t *sent)
{
	*sent = whole_udp(frame, in, udp);
	whole_send(in, frame, *sent);
	whole_run();
	return whole_receive(in);
}

static void check_error4(
    const struct whole_packet *got, size_t sent, uint8_t type, uint8_t code, const char *from)
{
	const struct wire_ip4 *ip = whole_ip4(got);
	const struct wire_icmp *icmp = (const struct wire_icmp *)(ip + 1);
	size_t quote = sent - ETH < QUOTE4 ? sent - ETH : QUOTE4;
	struct ip_addr src;

	assert_int_equal(ip_addr_parse(from, &src, NULL), 0);
	assert_int_equal(ip->src_be, ip_addr_be32(&src));
	assert_int_equal(ip->dst_be, ((const struct wire_ip4 *)(frame + ETH))->src_be);
	assert_int_equal(ip->proto, IP_PROTO_ICMP);
	assert_int_equal(ip->tos, TOS);
	assert_int_equal(icmp->type, type);
	assert_int_equal(icmp->code, code);
	assert_int_equal(got->len, ETH + sizeof(*ip) + sizeof(*icmp) + quote);
	whole_check_sums((const uint8_t *)ip, got->len - ETH);
	/* the quoted header is the one that came, but for what forwarding did to it */
	assert_memory_equal(
	    (const uint8_t *)(icmp + 1) + sizeof(*ip), frame + ETH + sizeof(*ip), quote - sizeof(*ip));
	assert_memory_equal((const uint8_t *)(icmp + 1) + 12, frame + ETH + 12, 8);
}

static void check_error6(
    const struct whole_packet *got, size_t sent, uint8_t type, uint8_t code, const char *from)
{
	const struct wire_ip6 *ip = whole_ip6(got);
	const struct wire_icmp *icmp = (const struct wire_icmp *)(ip + 1);
	size_t quote = sent - ETH < QUOTE6 ? sent - ETH : QUOTE6;
	struct ip_addr src;

	assert_int_equal(ip_addr_parse(from, &src, NULL), 0);
	assert_memory_equal(ip->src, src.b, 16);
	assert_memory_equal(ip->dst, ((const struct wire_ip6 *)(frame + ETH))->src, 16);
	assert_int_equal(icmp->type, type);
	assert_int_equal(icmp->code, code);
	assert_int_equal(got->len, ETH + sizeof(*ip) + sizeof(*icmp) + quote);
	whole_check_sums((const uint8_t *)ip, got->len - ETH);
	assert_memory_equal(
	    (const uint8_t *)(icmp + 1) + sizeof(*ip), frame + ETH + sizeof(*ip), quote - sizeof(*ip));
}

static void test_time_exceeded(void **state)
{
	for (uint8_t ttl = 1; ttl < 2; ttl++) {
		struct whole_udp four = {.src = "10.1.0.5", .dst = "192.0.2.1", .ttl = ttl, .data_len = 20};
		struct whole_udp six = {.src = "fd00:1::5", .dst = "2001:db8::1", .ttl = ttl, .data_len = 20};
		size_t sent;
		struct whole_packet got = answer(&four, &lan, &sent);

		check_error4(&got, sent, ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_TTL, "10.1.0.1");
		whole_free(&got);
		got = answer(&six, &lan, &sent);
		check_error6(&got, sent, ICMP6_TYPE_TIME_EXCEEDED, ICMP6_CODE_HOP_LIMIT, "fd00:1::1");
		whole_free(&got);
	}
	assert_int_equal(whole_drops(DROP_TTL), 2);
	assert_true(whole_silent(&wan));
}

struct unreachable {
	const char *dst;
	uint8_t code;
	enum drop_reason reason;
};

static void test_unreachable4(void **state)
{
	static const struct unreachable cases[] = {
	    {"172.16.0.1", ICMP_CODE_NET_UNREACHABLE, DROP_NO_ROUTE},
	    {"10.66.0.1", ICMP_CODE_HOST_UNREACHABLE, DROP_UNREACHABLE},
	    {"10.67.0.1", ICMP_CODE_PROHIBITED, DROP_PROHIBIT},
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct whole_udp udp = {.src = "10.1.0.5", .dst = cases[i].dst};
		size_t sent;
		struct whole_packet got = answer(&udp, &lan, &sent);

		check_error4(&got, sent, ICMP_TYPE_UNREACHABLE, cases[i].code, "10.1.0.1");
		assert_int_equal(whole_drops(cases[i].reason), 1);
		whole_free(&got);
	}
}

static void test_unreachable6(void **state)
{
	static const struct unreachable cases[] = {
	    {"fd99::1", ICMP6_CODE_NO_ROUTE, DROP_NO_ROUTE},
	    {"fd66::1", ICMP6_CODE_ADDR_UNREACHABLE, DROP_UNREACHABLE},
	    {"fd67::1", ICMP6_CODE_PROHIBITED, DROP_PROHIBIT},
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct whole_udp udp = {.src = "fd00:1::5", .dst = cases[i].dst};
		size_t sent;
		struct whole_packet got = answer(&udp, &lan, &sent);

		check_error6(&got, sent, ICMP6_TYPE_UNREACHABLE, cases[i].code, "fd00:1::1");
		assert_int_equal(whole_drops(cases[i].reason), 1);
		whole_free(&got);
	}
}

static void test_blackhole_is_silent(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.68.0.1"};
	size_t sent;

	assert_null(answer(&udp, &lan, &sent).data);
	assert_int_equal(whole_drops(DROP_BLACKHOLE), 1);
}

static void test_too_big(void **state)
{
	struct whole_udp four = {.src = "10.1.0.5", .dst = "192.0.2.1", .frag = IP4_DF, .data_len = 1372};
	struct whole_udp six = {.src = "fd00:1::5", .dst = "2001:db8::1", .data_len = 1400};
	size_t sent;
	struct whole_packet got;

	atomic_store(&wan.ifc->mtu, 1400);
	got = answer(&four, &lan, &sent); /* exactly 1400 fits */
	assert_null(got.data);
	got = whole_receive(&wan);
	assert_int_equal(got.len, ETH + 1400);
	whole_free(&got);
	four.data_len++;
	got = answer(&four, &lan, &sent);
	check_error4(&got, sent, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAG_NEEDED, "10.1.0.1");
	assert_int_equal(ntohs(((const struct wire_icmp *)(whole_ip4(&got) + 1))->u.frag.mtu_be), 1400);
	whole_free(&got);
	got = answer(&six, &lan, &sent);
	check_error6(&got, sent, ICMP6_TYPE_TOO_BIG, 0, "fd00:1::1");
	assert_int_equal(ntohl(((const struct wire_icmp *)(whole_ip6(&got) + 1))->u.mtu_be), 1400);
	whole_free(&got);
	assert_int_equal(whole_drops(DROP_TOO_BIG), 2);
	atomic_store(&wan.ifc->mtu, 1500);
}

/* An interface without an address speaks with the router's preferred one, else with any. */
static void test_unnumbered(void **state)
{
	struct whole_udp udp = {.src = "10.5.0.5", .dst = "192.0.2.1", .ttl = 1};
	struct ip_addr preferred, none = {0};
	size_t sent;
	struct whole_packet got = answer(&udp, &bare, &sent);

	check_error4(&got, sent, ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_TTL, "10.1.0.1");
	whole_free(&got);
	assert_int_equal(ip_addr_parse("10.255.0.1", &preferred, NULL), 0);
	assert_int_equal(iface_set_router_sources(&preferred, &none), 0);
	got = answer(&udp, &bare, &sent);
	check_error4(&got, sent, ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_TTL, "10.255.0.1");
	whole_free(&got);
	assert_int_equal(iface_set_router_sources(&none, &none), 0);
}

static void expect_silence(size_t len)
{
	struct whole_packet got;

	whole_send(&lan, frame, len);
	whole_run();
	got = whole_receive(&lan);
	assert_null(got.data);
}

/* RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e) */
static void test_no_error_about(void **state)
{
	static const uint8_t errors4[] = {
	    ICMP_TYPE_UNREACHABLE, ICMP_TYPE_REDIRECT, ICMP_TYPE_TIME_EXCEEDED, ICMP_TYPE_PARAMETER, 4};
	static const uint8_t errors6[] = {1, 2, 3, 4, 100, 127, ICMP6_TYPE_ND_REDIRECT};
	struct whole_udp later = {.src = "10.1.0.5", .dst = "172.16.0.1", .frag = 100, .data_len = 20};
	struct whole_packet got;
	uint8_t data[28] = {0};

	for (size_t i = 0; i < UNIT_COUNT(errors4); i++)
		expect_silence(
		    whole_icmp(frame, &lan, "10.1.0.5", "172.16.0.1", errors4[i], 0, data, sizeof(data)));
	for (size_t i = 0; i < UNIT_COUNT(errors6); i++)
		expect_silence(
		    whole_icmp(frame, &lan, "fd00:1::5", "fd99::1", errors6[i], 0, data, sizeof(data)));
	expect_silence(whole_udp(frame, &lan, &later)); /* a later fragment */
	assert_int_equal(whole_drops(DROP_NO_ROUTE), UNIT_COUNT(errors4) + UNIT_COUNT(errors6) + 1);
	whole_send(&lan, frame,
	    whole_icmp(frame, &lan, "10.1.0.5", "172.16.0.1", ICMP_TYPE_ECHO, 0, data, sizeof(data)));
	whole_run();
	got = whole_receive(&lan); /* a question may be answered */
	assert_non_null(got.data);
	whole_free(&got);
}

static void test_rate(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .ttl = 1};
	unsigned answered = 0;
	struct whole_packet got;
	size_t sent;

	icmp_set_rate(1);
	for (unsigned i = 0; i < 100; i++) {
		got = answer(&udp, &lan, &sent);
		answered += got.data != NULL;
		whole_free(&got);
	}
	assert_in_range(answered, 0, 11); /* a burst of ten, and one a second */
	assert_int_equal(whole_drops(DROP_TTL), 100);
	assert_int_equal(whole_drops(DROP_ICMP_RATE), 100 - answered);
	icmp_set_rate(UINT16_MAX);
}

/* An error about the host's own packet goes to the host, from an address that is not its own. */
static void test_error_for_host(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.1", .dst = "172.16.0.1"};
	size_t len = whole_udp(frame, &lan, &udp);
	struct rte_mbuf *m = whole_mbuf(frame + ETH, len - ETH);
	struct whole_packet got;

	pkt_meta(m)->op = PKT_FORWARD;
	pkt_meta(m)->in = lan.ifc->index;
	worker_inject(whole_worker, &m, 1);
	whole_run();
	assert_true(whole_silent(&lan) && whole_silent(&wan));
	got = whole_to_slow();
	assert_int_equal(got.meta.op, PKT_TO_HOST);
	assert_int_equal(got.meta.in, lan.ifc->index);
	assert_memory_equal(got.data, lan.ifc->port->mac, 6);
	check_error4(&got, len, ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET_UNREACHABLE, "172.16.0.1");
	whole_free(&got);
}

/* A packet that nobody on this box asked for (a tunnel's outer one) has no one to tell. */
static void test_no_error_without_sender(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.1", .dst = "172.16.0.1"};
	size_t len = whole_udp(frame, &lan, &udp);
	struct rte_mbuf *m = whole_mbuf(frame + ETH, len - ETH);

	pkt_meta(m)->op = PKT_OUTER;
	pkt_meta(m)->table = wan.ifc->table;
	worker_inject(whole_worker, &m, 1);
	whole_run();
	assert_null(whole_to_slow().data);
	assert_true(whole_silent(&lan) && whole_silent(&wan));
	assert_int_equal(whole_drops(DROP_NO_ROUTE), 1);
}

static void test_neighbour_failed(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1"};
	uint64_t mac = atomic_exchange(&wan.neighbour.mac, 0);
	struct whole_packet held, got;
	struct rte_mbuf *m;
	size_t sent;

	assert_null(answer(&udp, &lan, &sent).data);
	held = whole_to_slow();
	m = whole_mbuf(held.data, held.len);
	*pkt_meta(m) = held.meta;
	pkt_meta(m)->op = PKT_UNRESOLVED;
	worker_inject(whole_worker, &m, 1);
	whole_run();
	got = whole_receive(&lan);
	check_error4(&got, sent, ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST_UNREACHABLE, "10.1.0.1");
	assert_int_equal(whole_drops(DROP_NEIGHBOUR_FAILED), 1);
	whole_free(&got);
	whole_free(&held);
	atomic_store(&wan.neighbour.mac, mac);
}

int main(void)
{
#define ICMP_TEST(name) cmocka_unit_test_setup(name, wait_for_tokens)
	const struct CMUnitTest tests[] = {
	    ICMP_TEST(test_time_exceeded),
	    ICMP_TEST(test_unreachable4),
	    ICMP_TEST(test_unreachable6),
	    ICMP_TEST(test_blackhole_is_silent),
	    ICMP_TEST(test_too_big),
	    ICMP_TEST(test_unnumbered),
	    ICMP_TEST(test_no_error_about),
	    ICMP_TEST(test_rate),
	    ICMP_TEST(test_error_for_host),
	    ICMP_TEST(test_no_error_without_sender),
	    ICMP_TEST(test_neighbour_failed),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
