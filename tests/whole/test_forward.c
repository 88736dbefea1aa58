/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding from port to port: TTL and checksum, link headers, neighbours, groups, the rule of lines.
 */
#include <arpa/inet.h>

#include "tests/whole/whole.h"

#define FLOWS 200

static struct whole_port lan, wan1, wan2;
static uint8_t frame[2048];

static int open_ports(void **state)
{
	static const char *const lan_addresses[] = {"10.1.0.1/24", "fd00:1::1/64"};

	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan1, "wan1", FIBMSG_ROLE_WAN);
	whole_port_open(&wan2, "wan2", FIBMSG_ROLE_WAN);
	whole_port_addresses(&lan, lan_addresses, 2);
	whole_route(FIBMSG_OVERLAY, "0.0.0.0/0", &wan1.via);
	whole_route(FIBMSG_OVERLAY, "::/0", &wan1.via);
	whole_route(FIBMSG_OVERLAY, "10.1.0.0/24", &lan.via);
	whole_route(FIBMSG_OVERLAY, "fd00:1::/64", &lan.via);
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan1);
	whole_port_close(&wan2);
	return whole_stop(state);
}

/* Sends the UDP packet into the lan and returns what left by `out`. */
static struct whole_packet pass(const struct whole_udp *udp, struct whole_port *out)
{
	whole_send(&lan, frame, whole_udp(frame, &lan, udp));
	whole_run();
	return whole_receive(out);
}

static void test_ip4(void **state)
{
	for (unsigned ttl = 2; ttl < 256; ttl++) {
		struct whole_udp udp = {
		    .src = "10.1.0.5", .dst = "192.0.2.1", .ttl = (uint8_t)ttl, .data_len = ttl};
		struct whole_packet got = pass(&udp, &wan1);
		const struct wire_ip4 *ip = whole_ip4(&got);

		assert_int_equal(ip->ttl, ttl - 1);
		whole_check_sums((const uint8_t *)ip, got.len - sizeof(struct wire_eth));
		assert_memory_equal(
		    got.data + 34, frame + 34, got.len - 34); /* past the header nothing changes */
		whole_free(&got);
	}
}

static void test_ip6(void **state)
{
	struct whole_udp udp = {.src = "fd00:1::5", .dst = "2001:db8::1", .ttl = 9, .data_len = 100};
	struct whole_packet got = pass(&udp, &wan1);
	const struct wire_ip6 *ip = whole_ip6(&got);

	assert_int_equal(ip->hop_limit, 8);
	whole_check_sums((const uint8_t *)ip, got.len - sizeof(struct wire_eth));
	whole_free(&got);
}

static void test_link_header(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1"};
	struct whole_packet got = pass(&udp, &wan1);
	const struct wire_eth *eth = (const struct wire_eth *)got.data;
	uint64_t mac = atomic_load(&wan1.neighbour.mac);

	assert_memory_equal(eth->src, wan1.ifc->port->mac, 6);
	assert_memory_equal(eth->dst, &mac, 6);
	whole_free(&got);
}

/* RFC 894: padding of a short frame is no part of the packet and does not travel on. */
static void test_padding(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 1};
	size_t len = whole_udp(frame, &lan, &udp);
	struct whole_packet got;

	memset(frame + len, 0xee, ETH_MIN_LEN - len);
	whole_send(&lan, frame, ETH_MIN_LEN);
	whole_run();
	got = whole_receive(&wan1);
	assert_int_equal(got.len, len);
	whole_free(&got);
}

static void test_burst_keeps_order(void **state)
{
	for (uint16_t i = 0; i < 150; i++) {
		struct whole_udp udp = {.src = "10.1.0.5",
		    .dst = i % 3 ? "192.0.2.1" : "10.1.0.9",
		    .src_port = (uint16_t)(i + 1)};

		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
	}
	whole_run();
	for (uint16_t i = 0; i < 150; i++) {
		struct whole_packet got = whole_receive(i % 3 ? &wan1 : &lan);
		const struct wire_udp *udp = (const struct wire_udp *)(whole_ip4(&got) + 1);

		assert_int_equal(ntohs(udp->src_port_be), i + 1);
		whole_free(&got);
	}
	assert_true(whole_silent(&lan) && whole_silent(&wan1));
}

static void test_unknown_neighbour(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .ttl = 7};
	uint64_t mac = atomic_exchange(&wan1.neighbour.mac, 0);
	struct whole_packet got = pass(&udp, &wan1), held;
	struct rte_mbuf *again;

	assert_null(got.data);
	held = whole_to_slow();
	assert_non_null(held.data);
	assert_int_equal(held.meta.op, PKT_RESOLVE);
	assert_int_equal(held.meta.out, wan1.ifc->index);
	atomic_store(&wan1.neighbour.mac, mac);
	/* what the slow thread gives back once the neighbour answered */
	again = whole_mbuf(held.data, held.len);
	*pkt_meta(again) = held.meta;
	pkt_meta(again)->op = PKT_RESOLVED;
	whole_free(&held);
	worker_inject(whole_worker, &again, 1);
	whole_run();
	got = whole_receive(&wan1);
	assert_int_equal(whole_ip4(&got)->ttl, 6); /* decremented once */
	whole_check_sums((const uint8_t *)whole_ip4(&got), got.len - sizeof(struct wire_eth));
	whole_free(&got);
}

static void test_connected(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "198.51.100.77"};
	struct whole_packet held;
	struct ip_addr want;

	whole_route(FIBMSG_OVERLAY, "198.51.100.0/24", &wan2.connected);
	assert_null(pass(&udp, &wan2).data);
	held = whole_to_slow();
	assert_int_equal(held.meta.op, PKT_RESOLVE);
	assert_int_equal(held.meta.out, wan2.ifc->index);
	assert_int_equal(ip_addr_parse("198.51.100.77", &want, NULL), 0);
	assert_true(ip_addr_equal(&held.meta.addr, &want));
	whole_free(&held);
	whole_unroute(FIBMSG_OVERLAY, "198.51.100.0/24");
}

static void test_group_moves(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "203.0.113.1"};
	uint32_t group = whole_route(FIBMSG_OVERLAY, "203.0.113.0/24", &wan1.via);
	struct whole_packet got = pass(&udp, &wan1);

	assert_non_null(got.data);
	whole_free(&got);
	atomic_store_explicit(&group_forward[group], (uintptr_t)&wan2.via, memory_order_release);
	got = pass(&udp, &wan2);
	assert_non_null(got.data);
	assert_true(whole_silent(&wan1));
	whole_free(&got);
	atomic_store_explicit(&group_forward[group], (uintptr_t)&nexthop_none_live, memory_order_release);
	whole_forget_drops();
	assert_null(pass(&udp, &wan2).data);
	assert_int_equal(whole_drops(DROP_NEXTHOP_DEAD), 1);
	got = whole_receive(&lan); /* the ICMP error */
	whole_free(&got);
	whole_unroute(FIBMSG_OVERLAY, "203.0.113.0/24");
}

/* A weighted group: the packets of a flow stay together, the flows spread. */
static void test_weighted_group(void **state)
{
	static struct group_buckets half;
	uint32_t group = whole_route(FIBMSG_OVERLAY, "203.0.113.0/24", &wan1.via);
	unsigned by1 = 0, by2 = 0;

	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		half.bucket[i] = i % 2;
	half.member[0] = &wan2.via;
	half.member[1] = &wan1.via;
	atomic_store_explicit(&group_forward[group], (uintptr_t)&half | 1, memory_order_release);
	for (uint16_t flow = 0; flow < FLOWS; flow++) {
		struct whole_udp udp = {
		    .src = "10.1.0.5", .dst = "203.0.113.1", .src_port = (uint16_t)(1000 + flow)};
		struct whole_packet first = pass(&udp, &wan1), second = pass(&udp, &wan1);

		assert_int_equal(first.data == NULL, second.data == NULL);
		by1 += first.data != NULL;
		whole_free(&first);
		whole_free(&second);
		first = whole_receive(&wan2);
		second = whole_receive(&wan2);
		assert_int_equal(first.data == NULL, second.data == NULL);
		by2 += first.data != NULL;
		whole_free(&first);
		whole_free(&second);
	}
	assert_int_equal(by1 + by2, FLOWS);
	assert_in_range(by1, FLOWS / 4, FLOWS * 3 / 4);
	whole_unroute(FIBMSG_OVERLAY, "203.0.113.0/24");
}

/* What speaks from wan2's prefix leaves by wan2, though the default points to wan1. */
static void test_source_of_a_line(void **state)
{
	struct whole_udp udp = {.src = "2001:db8:2:100::7", .dst = "2001:db8:ffff::1"};
	struct whole_udp inside = {.src = "2001:db8:2:100::7", .dst = "fd00:1::9"};
	struct ip_prefix prefix;
	struct whole_packet got;

	assert_int_equal(ip_prefix_parse("2001:db8:2:100::/56", &prefix, NULL), 0);
	assert_int_equal(fib_set(FIB_SOURCES, &prefix, FIB_CONTROL, wan2.ifc->index), 0);
	whole_route(FIBMSG_OVERLAY, "2001:db8:2:100::/64", &lan.via);
	whole_forget_drops();
	assert_null(pass(&udp, &wan1).data); /* wan2 has no way yet: unreachable, not by wan1 */
	assert_int_equal(whole_drops(DROP_NO_ROUTE), 1);
	got = whole_receive(&lan); /* which the sender learns */
	assert_int_equal(whole_ip6(&got)->next_header, IP_PROTO_ICMP6);
	whole_free(&got);
	whole_route(wan2.ifc->table, "::/0", &wan2.via);
	got = pass(&udp, &wan2);
	assert_non_null(got.data);
	assert_true(whole_silent(&wan1));
	whole_free(&got);
	got = pass(&inside, &lan); /* the rule is about WANs only */
	assert_non_null(got.data);
	whole_free(&got);
	udp.src = "2001:db8:3::7";
	got = pass(&udp, &wan1);
	assert_non_null(got.data);
	whole_free(&got);
	assert_int_equal(fib_del(FIB_SOURCES, &prefix, FIB_CONTROL), 0);
	whole_unroute(wan2.ifc->table, "::/0");
	whole_unroute(FIBMSG_OVERLAY, "2001:db8:2:100::/64");
}

/* The host's own packets keep their TTL. */
static void test_from_host(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.1", .dst = "192.0.2.1", .ttl = 1};
	size_t len = whole_udp(frame, &lan, &udp);
	struct rte_mbuf *m = whole_mbuf(frame + sizeof(struct wire_eth), len - sizeof(struct wire_eth));
	struct whole_packet got;

	pkt_meta(m)->op = PKT_FORWARD;
	pkt_meta(m)->in = lan.ifc->index;
	worker_inject(whole_worker, &m, 1);
	whole_run();
	got = whole_receive(&wan1);
	assert_int_equal(whole_ip4(&got)->ttl, 1);
	whole_free(&got);
}

static void test_frame_of_host(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.1", .dst = "10.1.0.5"};
	size_t len = whole_udp(frame, &lan, &udp);
	struct rte_mbuf *m = whole_mbuf(frame, len);
	struct whole_packet got;

	pkt_meta(m)->op = PKT_TX_FRAME;
	pkt_meta(m)->out = lan.ifc->index;
	worker_inject(whole_worker, &m, 1);
	whole_run();
	got = whole_receive(&lan);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, frame, len);
	whole_free(&got);
}

static void test_counters(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 58};
	struct worker_counters in = workers_iface_counters(lan.ifc->index),
			       out = workers_iface_counters(wan1.ifc->index);
	struct fibmsg_row_port row;
	struct whole_packet got = pass(&udp, &wan1);

	assert_int_equal(workers_iface_counters(lan.ifc->index).rx_packets, in.rx_packets + 1);
	assert_int_equal(workers_iface_counters(lan.ifc->index).rx_bytes, in.rx_bytes + 100);
	assert_int_equal(workers_iface_counters(wan1.ifc->index).tx_packets, out.tx_packets + 1);
	assert_int_equal(workers_iface_counters(wan1.ifc->index).tx_bytes, out.tx_bytes + 100);
	assert_int_equal(port_row(wan1.ifc, &row), 0);
	assert_string_equal(row.name, "wan1");
	assert_int_equal(row.tx_packets, out.tx_packets + 1);
	whole_free(&got);
}

static void test_transmit_queue_full(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1"};
	struct whole_packet got;
	unsigned sent = 0;

	whole_forget_drops();
	for (unsigned i = 0; i < 400; i++) {
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
		whole_run();
	}
	while ((got = whole_receive(&wan1)).data) {
		whole_free(&got);
		sent++;
	}
	assert_true(sent < 400);
	assert_int_equal(whole_drops(DROP_TX_FULL), 400 - sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ip4),
	    cmocka_unit_test(test_ip6),
	    cmocka_unit_test(test_link_header),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_burst_keeps_order),
	    cmocka_unit_test(test_unknown_neighbour),
	    cmocka_unit_test(test_connected),
	    cmocka_unit_test(test_group_moves),
	    cmocka_unit_test(test_weighted_group),
	    cmocka_unit_test(test_source_of_a_line),
	    cmocka_unit_test(test_from_host),
	    cmocka_unit_test(test_frame_of_host),
	    cmocka_unit_test(test_counters),
	    cmocka_unit_test(test_transmit_queue_full),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
