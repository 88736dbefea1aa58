/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must not pass a tunnel, and what must not be said: damaged messages, strangers, floods, wrong keys.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/slow.h"
#include "lib/csum.h"
#include "lib/err.h"
#include "tests/whole/tunnel_rig.h"

/* Every bit of a data message and every truncation of each kind of message: counted, nothing moves. */
static void test_damaged(void **state)
{
	struct fibmsg_row_peer before, after;
	struct wg_wire_initiation initiation;
	const uint8_t *inner;
	size_t len, message_len;
	uint64_t drops = 0;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	initiate();
	send_data("", 0);
	inner = inner_packet("10.2.0.5", "10.1.0.5", 4, &len);
	message_len = seal(inner, len, 50);
	assert_int_equal(tunnel_peer_row(0, &before), 0);
	remote.port++; /* a stranger at another port must not move the endpoint either */
	for (size_t bit = 0; bit < message_len * 8; bit++) {
		message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		send_message(message, message_len);
		message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t cut = 0; cut < message_len; cut++)
		send_message(message, cut);
	make_initiation(&initiation);
	for (size_t cut = 0; cut < sizeof(initiation); cut++)
		send_message(&initiation, cut);
	for (size_t bit = 0; bit < 8 * 116; bit++) {
		((uint8_t *)&initiation)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		send_message(&initiation, sizeof(initiation));
		((uint8_t *)&initiation)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_true(whole_silent(&lan) && whole_silent(&wan1));
	assert_int_equal(tunnel_peer_row(0, &after), 0);
	after.handshake_ns = before.handshake_ns;
	assert_memory_equal(&after, &before, sizeof(after));
	drops = whole_drops(DROP_TUNNEL_MESSAGE) + whole_drops(DROP_TUNNEL_NO_SESSION) +
		whole_drops(DROP_TUNNEL_AUTH) + whole_drops(DROP_TUNNEL_REPLAY);
	assert_true(drops >= message_len * 8 + message_len + sizeof(initiation));
}

/* Initiations beyond what one should answer freely get a cookie reply; with the cookie they pass. */
static void test_under_load(void **state)
{
	struct wg_wire_initiation out;
	unsigned cookies = 0;
	size_t len;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	for (unsigned i = 0; i < 200; i++) {
		make_initiation(&out);
		send_message(&out, sizeof(out));
		len = receive_message();
		if (len != sizeof(struct wg_wire_cookie_reply))
			continue;
		if (cookies++ == 0) {
			struct wg_wire_cookie_reply reply;

			memcpy(&reply, message, sizeof(reply));
			assert_int_equal(wg_cookie_consume_reply(&remote.cookies, &reply, clock_ns), 0);
			break;
		}
	}
	assert_int_equal(cookies, 1);
	usleep(25000);
	initiate();
	send_data("", 0);
	route_into_tunnel();
	check_data();
}

/* A message that comes by wan1, and stays where the worker puts it. */
static void put_message(const char *from, const void *data, size_t len)
{
	struct whole_udp udp = {
	    .src = from, .dst = remote.ours, .src_port = 4000, .dst_port = PORT, .data_len = len};
	size_t frame_len;

	if (strcmp(from, remote.address) == 0)
		udp.src_port = remote.port;
	frame_len = whole_udp(frame, &wan1, &udp);
	memcpy(frame + frame_len - len, data, len);
	((struct wire_udp *)(frame + frame_len - len - sizeof(struct wire_udp)))->csum = 0;
	whole_send(&wan1, frame, frame_len);
	whole_run();
}

/* Initiations of strangers, who know our public key or do not. */
static void put_forged(unsigned n, bool good_mac1)
{
	struct wg_wire_initiation forged;
	struct wg_cookie_maker maker;
	char from[32];

	wg_cookie_init_maker(&maker, remote.peer.public_key);
	for (unsigned i = 0; i < n; i++) {
		crypto_fill_random(&forged, sizeof(forged));
		memcpy(forged.type, "\1\0\0", sizeof(forged.type));
		if (good_mac1)
			wg_cookie_stamp_macs(&maker, &forged, sizeof(forged), clock_ns);
		snprintf(from, sizeof(from), "203.0.%u.%u", 100 + i / 250, 1 + i % 250);
		put_message(from, &forged, sizeof(forged));
	}
}

/* The remote's initiation amid forged ones; the length of what it gets, in message. */
static size_t initiate_amid_flood(void)
{
	struct wg_wire_initiation out;
	struct whole_packet p;
	size_t len = 0;

	put_forged(100, true);
	make_initiation(&out);
	put_message(remote.address, &out, sizeof(out));
	put_forged(100, true);
	run();
	while ((p = whole_receive(&wan1)).data) {
		const struct wire_ip4 *ip = whole_ip4(&p);
		struct ip_addr want;

		assert_int_equal(ip_addr_parse(remote.address, &want, NULL), 0);
		if (memcmp(&ip->dst_be, want.b, 4) == 0) {
			assert_int_equal(len, 0);
			len = ntohs(ip->total_len_be) - sizeof(*ip) - sizeof(struct wire_udp);
			memcpy(message, p.data + p.len - len, len);
		}
		whole_free(&p);
	}
	return len;
}

/* §5.3: what is forged blindly takes no place in the queue, what is forged knowingly one of a bounded number;
 * a peer comes through by its cookie. */
static void test_flood(void **state)
{
	struct wg_wire_cookie_reply reply;
	struct whole_packet p;
	unsigned room;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	whole_forget_drops();
	put_forged(3000, false);
	assert_true(rte_ring_empty(slow_ring));
	assert_int_equal(whole_drops(DROP_HANDSHAKE_MAC1), 3000);
	room = rte_ring_get_capacity(slow_ring);
	put_forged(room + 500, true);
	assert_int_equal(whole_drops(DROP_HANDSHAKE_QUEUE), 500);
	run();
	while ((p = whole_receive(&wan1)).data)
		whole_free(&p);
	assert_int_equal(initiate_amid_flood(), sizeof(reply));
	memcpy(&reply, message, sizeof(reply));
	assert_int_equal(wg_cookie_consume_reply(&remote.cookies, &reply, clock_ns), 0);
	assert_int_equal(initiate_amid_flood(), sizeof(struct wg_wire_response));
}

/* §6.6: a cookie reply is no reason to send at once; the next initiation carries the cookie. */
static void test_cookie_is_used(void **state)
{
	struct wg_cookie_checker checker;
	struct wg_wire_cookie_reply reply;
	uint8_t secret[32] = {1}, nonce[WG_WIRE_NONCE_LEN] = {2};
	struct ip_endpoint us;

	make_pair("198.51.100.7", "192.0.2.10", "198.51.100.7:40000", NULL);
	route_into_tunnel();
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	assert_int_equal(ip_endpoint_parse("192.0.2.10:51821", &us, NULL), 0);
	wg_cookie_init_checker(&checker, remote.id.public_key);
	wg_cookie_refresh_secret(&checker, secret, clock_ns);
	assert_int_equal(
	    wg_cookie_create_reply(&checker, message, sizeof(struct wg_wire_initiation), &us, nonce, &reply),
	    0);
	send_message(&reply, sizeof(reply));
	assert_int_equal(receive_message(), 0);
	tunnel_tick(nsec_monotonic() + WG_REKEY_TIMEOUT_NS + WG_REKEY_JITTER_NS);
	whole_run();
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	assert_int_equal(
	    wg_cookie_check_macs(&checker, message, sizeof(struct wg_wire_initiation), &us, clock_ns),
	    WG_COOKIE_GOOD_MAC2);
}

/* A strange mac1, an unknown static key, a wrong preshared key. */
static void test_strangers(void **state)
{
	struct wg_wire_initiation out;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	make_initiation(&out);
	out.mac1[3] ^= 1;
	send_message(&out, sizeof(out));
	assert_int_equal(receive_message(), 0);
	wg_noise_set_identity(&remote.id, preshared);
	assert_int_equal(wg_noise_set_peer(&remote.peer, &remote.id, remote.peer.public_key), 0);
	make_initiation(&out);
	send_message(&out, sizeof(out));
	assert_int_equal(receive_message(), 0);
}

static void test_wrong_psk(void **state)
{
	struct wg_wire_initiation out;
	struct wg_wire_response in;

	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	remote.peer.preshared_key[0] ^= 1;
	make_initiation(&out);
	send_message(&out, sizeof(out));
	assert_int_equal(receive_message(), sizeof(in));
	memcpy(&in, message, sizeof(in));
	assert_int_equal(wg_noise_consume_response(&remote.hs, &remote.id, &remote.peer, &in), ERR_AUTH);
}

static void test_key_files(void **state)
{
	struct fibmsg_tunnel t = tunnel_config();
	struct err_msg msg = {""};
	uint8_t key[32] = {1};

	write_key(key_path, key, 0640);
	assert_int_equal(tunnel_set(&t, &msg), ERR_PERM);
	assert_non_null(strstr(msg.text, "0640"));
	assert_null(iface_by_name("friend"));
	chmod(key_path, 0600);
	assert_int_equal(truncate(key_path, 43), 0);
	assert_int_equal(tunnel_set(&t, &msg), ERR_INVALID);
	memcpy(t.key_path, "/nonexistent", 13);
	assert_int_equal(tunnel_set(&t, &msg), ERR_NOENT);
	assert_null(iface_by_name("friend"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_damaged, end_flood),
	    cmocka_unit_test_teardown(test_under_load, end_flood),
	    cmocka_unit_test_teardown(test_flood, end_flood),
	    cmocka_unit_test_teardown(test_cookie_is_used, end_test),
	    cmocka_unit_test_teardown(test_strangers, end_test),
	    cmocka_unit_test_teardown(test_wrong_psk, end_test),
	    cmocka_unit_test_teardown(test_key_files, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
