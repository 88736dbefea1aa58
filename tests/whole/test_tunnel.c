/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions of a tunnel: handshakes in both roles, data both ways over IPv4 and IPv6, rekeys, roaming,
 * allowed-IPs, replays, a tunnel that follows the active line, a restart.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/csum.h"
#include "lib/err.h"
#include "tests/whole/tunnel_rig.h"

static void check_initiator(const char *address, const char *ours, const char *endpoint)
{
	size_t len;

	make_pair(address, ours, endpoint, NULL);
	route_into_tunnel();
	/* Without keys a packet waits, and asks for them. */
	for (size_t i = 0; i < 5; i++)
		send_from_lan("10.1.0.5", "10.2.0.5", 100 + i);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	answer_initiation();
	for (size_t i = 0; i < 5; i++) {
		len = receive_message();
		assert_true(len > 0);
		open_data(len);
		assert_int_equal(ntohs(((const struct wire_ip4 *)(message + 16))->total_len_be), 128 + i);
	}
	assert_int_equal(receive_message(), 0);
	check_data();
}

static void test_initiator(void **state)
{
	check_initiator("198.51.100.7", "192.0.2.10", "198.51.100.7:40000");
}

static void test_initiator_v6(void **state)
{
	check_initiator("2001:db8:7::7", "2001:db8:1::10", "[2001:db8:7::7]:40000");
}

static void test_responder(void **state)
{
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	send_from_lan("10.1.0.5", "10.2.0.5", 60); /* waits: nobody knows where the peer is */
	assert_int_equal(receive_message(), 0);
	initiate();
	/* Until the initiator has used the keys, the responder must not. */
	send_from_lan("10.1.0.5", "10.2.0.5", 61);
	assert_int_equal(receive_message(), 0);
	send_good_data();
	for (size_t i = 0; i < 2; i++) {
		len = receive_message();
		assert_true(len > 0);
		open_data(len);
		assert_int_equal(ntohs(((const struct wire_ip4 *)(message + 16))->total_len_be), 88 + i);
	}
	check_data();
}

/* §5: the old keys go on receiving, the new ones send only when they are known to be there. */
static void test_rekey(void **state)
{
	struct remote before;
	const uint8_t *inner;
	struct whole_packet got;
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	check_data();
	before = remote;
	usleep(30000); /* initiations of one peer are accepted 20 ms apart */
	initiate();
	/* Sending still goes under the old keys. */
	send_from_lan("10.1.0.5", "10.2.0.5", 30);
	len = receive_message();
	assert_true(len > 0);
	assert_int_equal(wg_wire_get_le32(message + 4), before.keys.local_index);
	/* The first message under the new keys moves it over; the old ones still receive. */
	send_data("", 0);
	check_data();
	inner = inner_packet("10.2.0.9", "10.1.0.9", 10, &len);
	remote.keys = before.keys;
	remote.counter = before.counter;
	send_data(inner, len);
	got = whole_receive(&lan);
	assert_non_null(got.data);
	whole_free(&got);
}

static void test_replay(void **state)
{
	struct whole_packet got;
	const uint8_t *inner;
	size_t len, message_len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	initiate();
	inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
	message_len = seal(inner, len, 5);
	for (unsigned i = 0; i < 3; i++)
		send_message(message, message_len);
	got = whole_receive(&lan);
	assert_non_null(got.data);
	whole_free(&got);
	assert_true(whole_silent(&lan));
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), 2);
	message_len = seal(inner, len, 9000);
	send_message(message, message_len);
	message_len = seal(inner, len, 6);
	send_message(message, message_len);
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), 1);
	got = whole_receive(&lan);
	whole_free(&got);
}

static void test_roaming(void **state)
{
	struct fibmsg_row_peer row;
	char text[IP_ENDPOINT_STRLEN];

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	remote.address = "203.0.113.99";
	remote.port = 555;
	usleep(2000);
	send_good_data();
	assert_int_equal(tunnel_peer_row(0, &row), 0);
	assert_string_equal(ip_endpoint_format(&row.endpoint, text), "203.0.113.99:555");
	assert_string_equal(row.line, "wan1");
	check_data(); /* receive_message checks where it goes */
	/* And to the other family. */
	remote.address = "2001:db8:7::7";
	remote.ours = "2001:db8:1::10";
	usleep(2000);
	send_good_data();
	check_data();
}

static void test_allowed_ips(void **state)
{
	const uint8_t *inner;
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, "10.2.5.0/24");
	route_into_tunnel();
	initiate();
	send_data("", 0);
	inner = inner_packet("10.2.6.5", "10.1.0.5", 20, &len);
	send_data(inner, len);
	inner = inner_packet("fd00:2::5", "fd00:1::5", 20, &len);
	send_data(inner, len);
	assert_true(whole_silent(&lan));
	assert_int_equal(whole_drops(DROP_TUNNEL_SOURCE), 2);
	inner = inner_packet("10.2.5.5", "10.1.0.5", 20, &len);
	send_data(inner, len);
	assert_false(whole_silent(&lan));
	send_from_lan("10.1.0.5", "10.2.6.5", 20);
	assert_int_equal(receive_message(), 0);
	assert_int_equal(whole_drops(DROP_TUNNEL_NO_PEER), 1);
	send_from_lan("10.1.0.5", "10.2.5.5", 20);
	assert_true(receive_message() > 0);
}

/* A tunnel that follows the active line: when that moves, the peer hears an authentic message from there at
 * once. */
static void test_follow(void **state)
{
	size_t len;

	bound_line = "";
	active_line = wan1.ifc->index;
	make_pair("198.51.100.7", "192.0.2.10", "198.51.100.7:40000", NULL);
	bound_line = "wan1";
	route_into_tunnel();
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	answer_initiation();
	assert_true(open_data(receive_message()) > 0);
	active_line = wan2.ifc->index;
	tunnel_lines_changed();
	run();
	remote.ours = "198.18.0.10";
	len = receive_message_at(&wan2);
	assert_true(len > 0);
	assert_int_equal(open_data(len), 0); /* a keepalive */
	/* What still comes by the old line does not pull it back. */
	usleep(2000);
	remote.ours = "192.0.2.10";
	send_good_data();
	send_from_lan("10.1.0.5", "10.2.0.5", 11);
	remote.ours = "198.18.0.10";
	assert_true(receive_message_at(&wan2) > 0);
	/* With no line alive it stays. */
	active_line = 0;
	tunnel_lines_changed();
	run();
	assert_true(whole_silent(&wan1) && whole_silent(&wan2));
	send_from_lan("10.1.0.5", "10.2.0.5", 12);
	assert_true(receive_message_at(&wan2) > 0);
	active_line = wan1.ifc->index;
	tunnel_lines_changed();
	run();
	remote.ours = "192.0.2.10";
	assert_int_equal(open_data(receive_message()), 0);
}

/* Endpoint, line and marks come back; the sent mark is ahead of everything sent. */
static void test_restart(void **state)
{
	struct err_msg msg = {""};
	struct fibmsg_row_peer row;
	char text[IP_ENDPOINT_STRLEN];
	struct wg_wire_initiation replayed;
	struct fibmsg_tunnel t;
	struct fibmsg_peer p;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	make_initiation(&replayed);
	send_message(&replayed, sizeof(replayed));
	assert_int_equal(receive_message(), sizeof(struct wg_wire_response));
	tunnel_stop();
	rcu_settle();
	assert_int_equal(tunnel_start(directory, false, &msg), 0);
	t = tunnel_config();
	p = peer_config();
	p.any = 1;
	assert_int_equal(tunnel_set(&t, &msg), 0);
	assert_int_equal(tunnel_peer_set(&p, &msg), 0);
	assert_int_equal(tunnel_peer_row(0, &row), 0);
	assert_string_equal(ip_endpoint_format(&row.endpoint, text), "198.51.100.7:40000");
	assert_string_equal(row.line, "wan1");
	/* It calls by itself, since it knows where the peer was; an old initiation is still a replay. */
	run();
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	whole_forget_drops();
	send_message(&replayed, sizeof(replayed));
	assert_int_equal(receive_message(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_initiator, end_test),
	    cmocka_unit_test_teardown(test_initiator_v6, end_test),
	    cmocka_unit_test_teardown(test_responder, end_test),
	    cmocka_unit_test_teardown(test_rekey, end_test),
	    cmocka_unit_test_teardown(test_replay, end_test),
	    cmocka_unit_test_teardown(test_roaming, end_test),
	    cmocka_unit_test_teardown(test_allowed_ips, end_test),
	    cmocka_unit_test_teardown(test_follow, end_test),
	    cmocka_unit_test_teardown(test_restart, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
