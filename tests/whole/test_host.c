/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is for this host reaches the slow thread as the host interface wants it; what is not, never does.
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
	whole_local("10.1.0.1");
	whole_local("fd00:1::1");
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	return whole_stop(state);
}

/* The frame reaches the host's interface of the port as it came. */
static void expect_host(size_t len)
{
	struct whole_packet got;

	whole_send(&lan, frame, len);
	whole_run();
	assert_true(whole_silent(&lan) && whole_silent(&wan));
	got = whole_to_slow();
	assert_non_null(got.data);
	assert_int_equal(got.meta.op, PKT_TO_HOST);
	assert_int_equal(got.meta.in, lan.ifc->index);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, frame, len);
	whole_free(&got);
}

static void test_own_addresses(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.1.0.1", .ttl = 1, .data_len = 30};

	expect_host(whole_udp(frame, &lan, &udp)); /* the last hop is here: TTL 1 arrives */
	udp = (struct whole_udp){.src = "fd00:1::5", .dst = "fd00:1::1", .ttl = 1, .data_len = 30};
	expect_host(whole_udp(frame, &lan, &udp));
}

static void test_link_scope(void **state)
{
	static const char *const pairs[][2] = {{"10.1.0.5", "224.0.0.251"}, {"10.1.0.5", "255.255.255.255"},
	    {"0.0.0.0", "255.255.255.255"}, {"169.254.3.3", "169.254.1.1"}, {"fe80::5", "fe80::1"},
	    {"fe80::5", "ff02::1"}, {"::", "ff02::1:ff00:1"}, {"fd00:1::5", "fe80::1"}};

	for (size_t i = 0; i < UNIT_COUNT(pairs); i++) {
		struct whole_udp udp = {.src = pairs[i][0], .dst = pairs[i][1], .ttl = 255, .data_len = 30};
		size_t len = whole_udp(frame, &lan, &udp);

		expect_host(len);
		memset(frame, 0xff, 6); /* and so as a link-layer broadcast */
		expect_host(len);
	}
}

/* RFC 1812 §5.3.4: a unicast packet in a link-layer broadcast is not forwarded. */
static void test_unicast_in_broadcast(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 30};
	size_t len = whole_udp(frame, &lan, &udp);

	memset(frame, 0xff, 6);
	expect_host(len);
}

static void test_other_ethertypes(void **state)
{
	memset(frame, 0, sizeof(frame));
	memset(frame, 0xff, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	expect_host(60); /* ARP */
	frame[12] = 0x88;
	frame[13] = 0xcc;
	expect_host(60); /* LLDP */
}

static void test_probe_reply(void **state)
{
	uint8_t data[16] = {MONITOR_MAGIC >> 24 & 0xff, MONITOR_MAGIC >> 16 & 0xff, MONITOR_MAGIC >> 8 & 0xff,
	    MONITOR_MAGIC & 0xff, 1, 2, 3, 4};
	struct whole_packet got;
	size_t len =
	    whole_icmp(frame, &lan, "10.1.0.5", "10.1.0.1", ICMP_TYPE_ECHO_REPLY, monitor_ident(), data, 16);

	whole_send(&lan, frame, len);
	whole_run();
	assert_null(whole_to_slow().data);
	got = whole_to_monitor();
	assert_int_equal(got.meta.op, PKT_PROBE_REPLY);
	assert_int_equal(got.meta.in, lan.ifc->index);
	assert_int_equal(got.meta.l4_off, sizeof(struct wire_ip4));
	assert_int_equal(got.len, len - ETH);
	assert_memory_equal(got.data, frame + ETH, got.len);
	whole_free(&got);
	whole_send(&lan, frame,
	    whole_icmp(frame, &lan, "fe80::5", "fe80::1", ICMP6_TYPE_ECHO_REPLY, monitor_ident(), data, 16));
	whole_run();
	got = whole_to_monitor();
	assert_non_null(got.data);
	whole_free(&got);
	/* the host's own ping, and one that happens to have our identifier */
	expect_host(whole_icmp(frame, &lan, "10.1.0.5", "10.1.0.1", ICMP_TYPE_ECHO_REPLY,
	    (uint16_t)(monitor_ident() + 1), data, 16));
	data[0] ^= 1;
	expect_host(
	    whole_icmp(frame, &lan, "10.1.0.5", "10.1.0.1", ICMP_TYPE_ECHO_REPLY, monitor_ident(), data, 16));
	expect_host(
	    whole_icmp(frame, &lan, "10.1.0.5", "10.1.0.1", ICMP_TYPE_ECHO, monitor_ident(), data, 16));
	expect_host(
	    whole_icmp(frame, &lan, "10.1.0.5", "10.1.0.1", ICMP_TYPE_ECHO_REPLY, monitor_ident(), data, 3));
}

/* The queue to the host is bounded: what does not fit is counted. */
static void test_queue_full(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.1.0.1"};
	unsigned sent = 1500, got_n = 0;
	struct whole_packet got;

	whole_forget_drops();
	for (unsigned i = 0; i < sent; i++) {
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
		whole_run();
	}
	while ((got = whole_to_slow()).data) {
		got_n++;
		whole_free(&got);
	}
	assert_true(got_n < sent);
	assert_int_equal(whole_drops(DROP_HOST_QUEUE), sent - got_n);
}

/* Frames that nobody built with care: nothing may break, and each is accounted for. */
static void test_random_frames(void **state)
{
	uint64_t seed = 88172645463325252ull, lost = 0, out = 0;
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 300};
	struct whole_udp six = {.src = "fd00:1::5", .dst = "2001:db8::1", .data_len = 300};
	struct worker_counters before = workers_iface_counters(lan.ifc->index);
	unsigned n = 20000;

	icmp_set_rate(1);
	whole_forget_drops();
	for (unsigned i = 0; i < n; i++) {
		size_t len = whole_udp(frame, &lan, i % 2 ? &udp : &six);
		struct whole_packet got;

		for (unsigned k = (unsigned)(unit_random(&seed) % 8); k > 0; k--)
			frame[6 + unit_random(&seed) % 70] = (uint8_t)unit_random(&seed);
		if (i % 4 == 0)
			len = 1 + unit_random(&seed) % len;
		if (i % 8 < 4 && i % 2 && len > 34)
			whole_fix_checksum(frame + ETH);
		whole_send(&lan, frame, len);
		whole_run();
		while ((got = whole_receive(&wan)).data || (got = whole_to_slow()).data ||
		       (got = whole_to_monitor()).data) {
			out++;
			whole_free(&got);
		}
		assert_true(whole_silent(&lan) || (got = whole_receive(&lan)).data);
	}
	for (unsigned r = 0; r < DROP_REASONS; r++)
		if (r != DROP_ICMP_RATE)
			lost += whole_drops((enum drop_reason)r);
	assert_int_equal(workers_iface_counters(lan.ifc->index).rx_packets - before.rx_packets, n);
	assert_true(out + lost >= n); /* an ICMP error or fragment is one more than came */
	assert_in_range(lost, n / 10, n);
	icmp_set_rate(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_addresses),
	    cmocka_unit_test(test_link_scope),
	    cmocka_unit_test(test_unicast_in_broadcast),
	    cmocka_unit_test(test_other_ethertypes),
	    cmocka_unit_test(test_probe_reply),
	    cmocka_unit_test(test_queue_full),
	    cmocka_unit_test(test_random_frames),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
