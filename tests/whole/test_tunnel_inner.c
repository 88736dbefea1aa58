/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a tunnel does to the packets it carries: length, MTU, MSS, congestion marks.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/csum.h"
#include "lib/err.h"
#include "tests/whole/tunnel_rig.h"

/* Authentic, but no packet inside. */
static void test_inner_malformed(void **state)
{
	uint8_t inner[64] = {0x45, 0, 0, 100};

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	initiate();
	send_data(inner, 64); /* says 100 bytes */
	inner[3] = 10;
	send_data(inner, 64); /* shorter than its header */
	inner[0] = 0x95;
	send_data(inner, 64); /* version 9 */
	send_data("\x60", 1);
	assert_int_equal(whole_drops(DROP_TUNNEL_INNER), 4);
	assert_true(whole_silent(&lan));
}

static void test_mtu_and_mss(void **state)
{
	struct wire_tcp *tcp;
	struct whole_packet got;
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	assert_int_equal(atomic_load(&iface_by_name("friend")->mtu), 1420);
	/* The largest fits, one more comes back. */
	send_from_lan("fd00:1::5", "fd00:2::5", 1420 - 48);
	len = receive_message();
	assert_int_equal(len, 1420 + 32);
	send_from_lan("fd00:1::5", "fd00:2::5", 1420 - 47);
	assert_int_equal(receive_message(), 0);
	assert_int_equal(whole_drops(DROP_TOO_BIG), 1);
	got = whole_receive(&lan);
	assert_non_null(got.data);
	whole_free(&got);
	/* A SYN that asks for 1460. */
	len = whole_udp(frame, &lan,
	    &(struct whole_udp){.src = "10.1.0.5", .dst = "10.2.0.5", .data_len = 16}); /* 24 with UDP's 8 */
	((struct wire_ip4 *)(frame + 14))->proto = IP_PROTO_TCP;
	whole_fix_checksum(frame + 14);
	tcp = (struct wire_tcp *)(frame + 34);
	memset(tcp, 0, 24);
	tcp->data_offset = 6 << 4;
	tcp->flags = TCP_SYN;
	memcpy(tcp + 1, "\x02\x04\x05\xb4", 4);
	tcp->csum = csum_fold(csum_add(csum_pseudo4(frame + 26, frame + 30, IP_PROTO_TCP, 24), tcp, 24));
	whole_send(&lan, frame, len);
	run();
	len = receive_message();
	assert_true(len > 0);
	open_data(len);
	assert_memory_equal(message + 16 + 40, "\x02\x04\x05\x64", 4); /* 1380 */
	assert_int_equal(
	    csum_fold(csum_add(csum_pseudo4(message + 28, message + 32, IP_PROTO_TCP, 24), message + 36, 24)),
	    0);
}

/* Congestion marks of the outer way reach the inner packet that can carry them (RFC 6040 §4.2). */
static void test_ecn(void **state)
{
	const uint8_t *inner;
	struct whole_packet got;
	uint8_t marked[2048];
	size_t len, message_len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		struct whole_udp udp = {
		    .src = remote.address, .dst = remote.ours, .src_port = remote.port, .dst_port = PORT};
		struct wire_ip4 *outer = (struct wire_ip4 *)(frame + 14);

		inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
		memcpy(marked, inner, len);
		marked[1] = ecn;
		whole_fix_checksum(marked);
		message_len = seal(marked, len, remote.counter++);
		udp.data_len = message_len;
		len = whole_udp(frame, &wan1, &udp);
		memcpy(frame + len - message_len, message, message_len);
		outer->tos = 3;
		whole_fix_checksum(frame + 14);
		whole_send(&wan1, frame, len);
		run();
		got = whole_receive(&lan);
		assert_non_null(got.data);
		assert_int_equal(got.data[15] & 3, ecn ? 3 : 0);
		assert_int_equal(csum_fold(csum_add(0, got.data + 14, 20)), 0);
		whole_free(&got);
	}
}

/* RFC 6040 §4.1: the ECN field goes outwards as it is; the DSCP stays inside. */
static void test_ecn_outwards(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.2.0.5", .data_len = 20};
	struct wire_ip4 *inner = (struct wire_ip4 *)(frame + sizeof(struct wire_eth));
	struct whole_packet got;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		size_t len = whole_udp(frame, &lan, &udp);

		inner->tos = (uint8_t)(0xb8 | ecn); /* expedited forwarding */
		whole_fix_checksum((uint8_t *)inner);
		whole_send(&lan, frame, len);
		run();
		got = whole_receive(&wan1);
		assert_non_null(got.data);
		assert_int_equal(whole_ip4(&got)->tos, ecn);
		whole_free(&got);
	}
}

/* A SYN whose MSS option begins at an odd byte: value and checksum are right all the same. */
static void test_mss_at_odd_offset(void **state)
{
	static const uint8_t options[] = {1, 2, 4, 0x05, 0xb4, 1, 1, 0};
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.2.0.5", .data_len = 20};
	struct wire_tcp *tcp = (struct wire_tcp *)(frame + 34);
	uint8_t *inner = message + sizeof(struct wg_wire_data);
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	len = whole_udp(frame, &lan, &udp);
	((struct wire_ip4 *)(frame + 14))->proto = IP_PROTO_TCP;
	whole_fix_checksum(frame + 14);
	memset(tcp, 0, sizeof(*tcp));
	tcp->data_offset = 7 << 4;
	tcp->flags = TCP_SYN;
	memcpy(tcp + 1, options, sizeof(options));
	tcp->csum = csum_fold(csum_add(csum_pseudo4(frame + 26, frame + 30, IP_PROTO_TCP, 28), tcp, 28));
	whole_send(&lan, frame, len);
	run();
	len = receive_message();
	assert_true(len > 0);
	open_data(len);
	assert_memory_equal(inner + 40, "\x01\x02\x04\x05\x64\x01\x01\x00", 8); /* 1380 */
	assert_int_equal(
	    csum_fold(csum_add(csum_pseudo4(inner + 12, inner + 16, IP_PROTO_TCP, 28), inner + 20, 28)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_inner_malformed, end_test),
	    cmocka_unit_test_teardown(test_mtu_and_mss, end_test),
	    cmocka_unit_test_teardown(test_ecn, end_test),
	    cmocka_unit_test_teardown(test_ecn_outwards, end_test),
	    cmocka_unit_test_teardown(test_mss_at_odd_offset, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
