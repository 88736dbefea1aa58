/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 fragmentation (RFC 791 §3.2): the pieces put together again are the packet that came.
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
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	return whole_stop(state);
}

/* Sends what lies in frame through an MTU, and checks and joins the pieces; returns how many there were. */
static unsigned send_and_join(size_t len, uint16_t mtu)
{
	const struct wire_ip4 *sent = (const struct wire_ip4 *)(frame + ETH);
	size_t header = (size_t)(sent->version_ihl & 15) * 4,
	       first = (ntohs(sent->frag_be) & IP4_OFFSET_MASK) * 8u, at = 0;
	bool more = true;
	unsigned n = 0;
	struct whole_packet got;

	atomic_store(&wan.ifc->mtu, mtu);
	whole_send(&lan, frame, len);
	whole_run();
	while ((got = whole_receive(&wan)).data) {
		const struct wire_ip4 *ip = whole_ip4(&got);
		size_t own = (size_t)(ip->version_ihl & 15) * 4;

		assert_true(got.len - ETH <= mtu);
		whole_check_sums((const uint8_t *)ip, got.len - ETH);
		assert_int_equal(ip->id_be, sent->id_be);
		assert_int_equal(ip->ttl, 63);
		assert_true(more);
		assert_int_equal((ntohs(ip->frag_be) & IP4_OFFSET_MASK) * 8u, first + at);
		more = ntohs(ip->frag_be) & IP4_MF;
		assert_memory_equal(
		    (const uint8_t *)ip + own, frame + ETH + header + at, got.len - ETH - own);
		at += got.len - ETH - own;
		n++;
		whole_free(&got);
	}
	assert_int_equal(at, len - ETH - header);
	assert_int_equal(more, (ntohs(sent->frag_be) & IP4_MF) != 0);
	return n;
}

static void test_sizes(void **state)
{
	for (uint16_t mtu = 68; mtu < 1500; mtu = (uint16_t)(mtu + 61)) {
		struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 1400};
		unsigned n = send_and_join(whole_udp(frame, &lan, &udp), mtu);

		assert_int_equal(n, mtu >= 1428 ? 1 : (1408 + ((mtu - 20u) & ~7u) - 1) / ((mtu - 20u) & ~7u));
	}
}

/* Edges: the last byte that fits, and the first that does not. */
static void test_edges(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 572};

	assert_int_equal(send_and_join(whole_udp(frame, &lan, &udp), 600), 1);
	udp.data_len = 573;
	assert_int_equal(send_and_join(whole_udp(frame, &lan, &udp), 600), 2);
}

/* A fragment is cut again; the offsets go on from its own and MF stays. */
static void test_fragment_of_fragment(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 800, .frag = IP4_MF | 50};

	assert_int_equal(send_and_join(whole_udp(frame, &lan, &udp), 500), 2);
	udp.frag = 50;
	assert_int_equal(send_and_join(whole_udp(frame, &lan, &udp), 500), 2);
}

/* RFC 791 §3.1: an option with the copied bit is in each piece, another in the first alone. */
static void test_options(void **state)
{
	static const uint8_t options[] = {
	    0x94, 4, 0, 0 /* router alert: copied */, 0x07, 3, 4, 0 /* record route: not */};
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 400};
	size_t len = whole_udp(frame, &lan, &udp);
	struct wire_ip4 *ip = (struct wire_ip4 *)(frame + ETH);
	struct whole_packet got;

	memmove(frame + ETH + 28, frame + ETH + 20, len - ETH - 20);
	memcpy(frame + ETH + 20, options, sizeof(options));
	ip->version_ihl = 0x47;
	ip->total_len_be = htons((uint16_t)(len - ETH + 8));
	whole_fix_checksum(frame + ETH);
	atomic_store(&wan.ifc->mtu, 300);
	whole_send(&lan, frame, len + 8);
	whole_run();
	got = whole_receive(&wan);
	assert_int_equal(whole_ip4(&got)->version_ihl, 0x47);
	assert_memory_equal(whole_ip4(&got) + 1, options, 8);
	whole_free(&got);
	got = whole_receive(&wan);
	assert_int_equal(whole_ip4(&got)->version_ihl, 0x46);
	assert_memory_equal(whole_ip4(&got) + 1, options, 4);
	whole_check_sums((const uint8_t *)whole_ip4(&got), got.len - ETH);
	whole_free(&got);
	assert_true(whole_silent(&wan));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_fragment_of_fragment),
	    cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
