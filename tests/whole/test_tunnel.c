/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tunnel of the whole dataplane against the pure library as its peer: handshakes in both roles, data both
 * ways over IPv4 and IPv6, rekeys, roaming, allowed-IPs, replays, and what must not pass.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/tunnel.h"
#include "lib/csum.h"
#include "lib/err.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "lib/wg_timers.h"
#include "tests/whole/whole.h"

#define PORT 51821

/* The other end, at an address on the wide side of wan1. */
struct remote {
	struct wg_noise_identity id;
	struct wg_noise_peer peer; /* us */
	struct wg_noise_handshake hs;
	struct wg_noise_keys keys;
	struct wg_cookie_maker cookies;
	uint64_t counter;
	const char *address, *ours; /* the outer addresses */
	uint16_t port;
};

static struct whole_port lan, wan1, wan2;
static uint16_t active_line;
static struct remote remote;
static uint8_t frame[2048], message[2048];
static char directory[] = "/tmp/byway-tunnel-XXXXXX", key_path[64], psk_path[64];
static uint8_t preshared[32];
static uint64_t clock_ns;

uint16_t __wrap_monitor_active_line(void);
uint16_t __wrap_monitor_active_line(void)
{
	return active_line;
}

static void write_key(const char *path, const uint8_t key[32], mode_t mode)
{
	char text[CRYPTO_KEY_STRLEN + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	crypto_format_base64(text, key);
	text[44] = '\n';
	assert_true(fd >= 0 && write(fd, text, 45) == 45);
	fchmod(fd, mode);
	close(fd);
}

static const char *bound_line = "wan1"; /* of the next tunnel; "": it follows */

static struct fibmsg_tunnel tunnel_config(void)
{
	struct fibmsg_tunnel t = {.name = "friend", .listen_port = PORT, .mss_clamp = 1};

	snprintf(t.line, sizeof(t.line), "%s", bound_line);

	memcpy(t.key_path, key_path, sizeof(key_path));
	return t;
}

static struct fibmsg_peer peer_config(void)
{
	struct fibmsg_peer p = {.tunnel = "friend", .name = "them"};

	memcpy(p.key, remote.id.public_key, sizeof(p.key));
	memcpy(p.psk_path, psk_path, sizeof(psk_path));
	return p;
}

/* A fresh tunnel and a fresh remote that know each other; allowed NULL: any. */
static void make_pair(const char *address, const char *ours, const char *endpoint, const char *allowed)
{
	struct fibmsg_tunnel t = tunnel_config();
	struct fibmsg_allowed_ip a = {.tunnel = "friend"};
	struct wg_noise_identity here;
	struct fibmsg_peer p;
	struct err_msg msg = {""};
	uint8_t key[32];

	memset(&remote, 0, sizeof(remote));
	remote.address = address;
	remote.ours = ours;
	remote.port = 40000;
	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&here, key);
	write_key(key_path, key, 0600);
	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&remote.id, key);
	assert_int_equal(wg_noise_set_peer(&remote.peer, &remote.id, here.public_key), 0);
	memcpy(remote.peer.preshared_key, preshared, 32);
	wg_cookie_init_maker(&remote.cookies, here.public_key);
	if (tunnel_set(&t, &msg))
		fail_msg("%s", msg.text);
	p = peer_config();
	p.any = !allowed;
	if (endpoint)
		assert_int_equal(ip_endpoint_parse(endpoint, &p.endpoint, NULL), 0);
	if (tunnel_peer_set(&p, &msg))
		fail_msg("%s", msg.text);
	memcpy(a.key, p.key, sizeof(a.key));
	if (allowed) {
		assert_int_equal(ip_prefix_parse(allowed, &a.prefix, NULL), 0);
		assert_int_equal(tunnel_allowed_ip_set(&a, &msg), 0);
	}
	whole_forget_drops();
}

static struct nexthop into_tunnel;

static int open_all(void **state)
{
	static const char *const lan_addresses[] = {"10.1.0.1/24", "fd00:1::1/64"};
	static const char *const wan_addresses[] = {"192.0.2.10/24", "2001:db8:1::10/64"};
	struct err_msg msg = {""};

	if (whole_start(state) != 0 || !mkdtemp(directory))
		return -1;
	snprintf(key_path, sizeof(key_path), "%s/key", directory);
	snprintf(psk_path, sizeof(psk_path), "%s/psk", directory);
	if (tunnel_start(directory, false, &msg)) {
		print_error("%s\n", msg.text);
		return -1;
	}
	crypto_fill_random(preshared, sizeof(preshared));
	write_key(psk_path, preshared, 0600);
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan1, "wan1", FIBMSG_ROLE_WAN);
	whole_port_addresses(&lan, lan_addresses, 2);
	whole_port_open(&wan2, "wan2", FIBMSG_ROLE_WAN);
	whole_port_addresses(&wan1, wan_addresses, 2);
	whole_port_addresses(&wan2, (const char *const[]){"198.18.0.10/24", "2001:db8:2::10/64"}, 2);
	for (unsigned i = 0; i < 2; i++) {
		whole_route(wan1.ifc->table, i ? "::/0" : "0.0.0.0/0", &wan1.via);
		whole_route(wan2.ifc->table, i ? "::/0" : "0.0.0.0/0", &wan2.via);
		whole_route(FIBMSG_OVERLAY, i ? "fd00:1::/64" : "10.1.0.0/24", &lan.via);
	}
	whole_local("192.0.2.10/32");
	whole_local("2001:db8:1::10/128");
	whole_local("198.18.0.10/32");
	return 0;
}

static void remove_file(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static int close_all(void **state)
{
	tunnel_stop();
	remove_file("key");
	remove_file("psk");
	remove_file("peers");
	rmdir(directory);
	whole_port_close(&lan);
	whole_port_close(&wan1);
	whole_port_close(&wan2);
	return whole_stop(state);
}

static void route_into_tunnel(void)
{
	into_tunnel = (struct nexthop){.kind = NEXTHOP_TUNNEL, .iface = iface_by_name("friend")->index};
	whole_route(FIBMSG_OVERLAY, "10.2.0.0/16", &into_tunnel);
	whole_route(FIBMSG_OVERLAY, "fd00:2::/48", &into_tunnel);
}

static int end_test(void **state)
{
	struct whole_packet p;

	if (into_tunnel.iface) {
		whole_unroute(FIBMSG_OVERLAY, "10.2.0.0/16");
		whole_unroute(FIBMSG_OVERLAY, "fd00:2::/48");
		into_tunnel.iface = 0;
	}
	tunnel_del("friend");
	rcu_settle();
	for (unsigned i = 0; i < 2; i++)
		while ((p = whole_receive(i ? &lan : &wan1)).data)
			whole_free(&p);
	return 0;
}

/* After a test that floods: the load is forgotten after a second. */
static int end_flood(void **state)
{
	usleep(1200000);
	return end_test(state);
}

/* Worker and slow thread in turn until neither has anything to do. */
static void run(void)
{
	struct rte_mbuf *pkt;
	bool any = true;

	while (any) {
		clock_ns = nsec_monotonic();
		tunnel_tick(clock_ns);
		whole_run();
		any = false;
		while (rte_ring_dequeue(slow_ring, (void **)&pkt) == 0) {
			uint8_t op = pkt_meta(pkt)->op;

			assert_true(op == PKT_HANDSHAKE || op == PKT_NEED_SESSION || op == PKT_TUNNEL_EVENT);
			tunnel_handle(pkt);
			any = true;
		}
	}
}

/* A WireGuard message from the remote to our port. */
static void send_message(const void *data, size_t len)
{
	struct whole_udp udp = {.src = remote.address,
	    .dst = remote.ours,
	    .src_port = remote.port,
	    .dst_port = PORT,
	    .data_len = len};
	size_t frame_len = whole_udp(frame, &wan1, &udp);
	uint8_t *payload = frame + frame_len - len;

	memcpy(payload, data, len);
	((struct wire_udp *)(payload - sizeof(struct wire_udp)))->csum = 0;
	whole_send(&wan1, frame, frame_len);
	run();
}

/* The next message to the remote, in message; its length, 0: none. Checks the outer headers. */
static size_t receive_message_at(struct whole_port *port)
{
	struct whole_packet p = whole_receive(port);
	const struct wire_udp *udp;
	struct ip_addr src, dst, want;
	size_t len;

	if (!p.data)
		return 0;
	if (strchr(remote.address, ':')) {
		const struct wire_ip6 *ip = whole_ip6(&p);

		src = ip_addr_v6(ip->src);
		dst = ip_addr_v6(ip->dst);
		udp = (const struct wire_udp *)(ip + 1);
		assert_int_equal(ntohs(ip->payload_len_be), p.len - 54);
		assert_int_not_equal(udp->csum, 0);
		whole_check_sums((const uint8_t *)ip, p.len - sizeof(struct wire_eth));
	} else {
		const struct wire_ip4 *ip = whole_ip4(&p);

		src = ip_addr_v4(ip->src_be);
		dst = ip_addr_v4(ip->dst_be);
		udp = (const struct wire_udp *)(ip + 1);
		assert_int_equal(csum_fold(csum_add(0, ip, sizeof(*ip))), 0);
	}
	assert_int_equal(ip_addr_parse(remote.address, &want, NULL), 0);
	assert_true(ip_addr_equal(&dst, &want));
	assert_int_equal(ip_addr_parse(remote.ours, &want, NULL), 0);
	assert_true(ip_addr_equal(&src, &want));
	assert_int_equal(ntohs(udp->dst_port_be), remote.port);
	assert_int_equal(ntohs(udp->src_port_be), PORT);
	len = ntohs(udp->len_be) - sizeof(*udp);
	assert_true((const uint8_t *)(udp + 1) + len == p.data + p.len);
	memcpy(message, udp + 1, len);
	whole_free(&p);
	return len;
}

static size_t receive_message(void)
{
	return receive_message_at(&wan1);
}

static struct wg_noise_peer *find_us(void *arg, const uint8_t public_key[32])
{
	return memcmp(remote.peer.public_key, public_key, 32) == 0 ? &remote.peer : NULL;
}

/* The remote answers the initiation that lies in `message`. */
static void answer_initiation(void)
{
	struct wg_wire_initiation in;
	struct wg_wire_response out;
	struct wg_noise_peer *peer;
	uint8_t ephemeral[32];

	memcpy(&in, message, sizeof(in));
	assert_int_equal(wg_noise_consume_initiation(&remote.hs, &remote.id, find_us, NULL, &in, &peer), 0);
	crypto_fill_random(ephemeral, sizeof(ephemeral));
	assert_int_equal(wg_noise_create_response(&remote.hs, &remote.peer, ephemeral, 77, &out), 0);
	wg_cookie_stamp_macs(&remote.cookies, &out, sizeof(out), clock_ns);
	assert_int_equal(wg_noise_derive_keys(&remote.hs, &remote.keys), 0);
	remote.counter = 0;
	send_message(&out, sizeof(out));
}

static void make_initiation(struct wg_wire_initiation *out)
{
	uint8_t ephemeral[32];

	crypto_fill_random(ephemeral, sizeof(ephemeral));
	assert_int_equal(wg_noise_create_initiation(
			     &remote.hs, &remote.id, &remote.peer, ephemeral, 99, nsec_realtime(), out),
	    0);
	wg_cookie_stamp_macs(&remote.cookies, out, sizeof(*out), clock_ns);
}

/* The remote as initiator, up to its keys; the dataplane has not seen them used yet. */
static void initiate(void)
{
	struct wg_wire_initiation out;
	struct wg_wire_response in;

	make_initiation(&out);
	send_message(&out, sizeof(out));
	assert_int_equal(receive_message(), sizeof(in));
	memcpy(&in, message, sizeof(in));
	assert_int_equal(wg_noise_consume_response(&remote.hs, &remote.id, &remote.peer, &in), 0);
	assert_int_equal(wg_noise_derive_keys(&remote.hs, &remote.keys), 0);
	remote.counter = 0;
}

/* Seals len bytes at inner, padded to 16, with this counter; returns the message's length. */
static size_t seal(const void *inner, size_t len, uint64_t counter)
{
	struct wg_wire_data *header = (struct wg_wire_data *)message;
	uint8_t padded[2048] = {0};
	size_t padded_len = (len + 15) / 16 * 16;

	memcpy(padded, inner, len);
	memset(header, 0, sizeof(*header));
	header->type[0] = WG_WIRE_DATA;
	wg_wire_set_le32(header->receiver, remote.keys.remote_index);
	wg_wire_set_le64(header->counter, counter);
	crypto_seal_aead(message + 16, remote.keys.sending, counter, padded, padded_len, NULL, 0);
	return 16 + padded_len + 16;
}

static void send_data(const void *inner, size_t len)
{
	size_t message_len = seal(inner, len, remote.counter++);

	send_message(message, message_len);
}

/* Opens the data message in `message`; returns the padded length, inner in place at message + 16. */
static size_t open_data(size_t len)
{
	const struct wg_wire_data *header = (const struct wg_wire_data *)message;

	assert_int_equal(wg_wire_type(message, len), WG_WIRE_DATA);
	assert_int_equal(wg_wire_get_le32(header->receiver), remote.keys.local_index);
	assert_int_equal(crypto_open_aead(message + 16, remote.keys.receiving,
			     wg_wire_get_le64(header->counter), message + 16, len - 16, NULL, 0),
	    0);
	return len - 32;
}

/* An inner packet from the remote's LAN to ours, without a link header. */
static const uint8_t *inner_packet(const char *src, const char *dst, size_t data_len, size_t *len)
{
	static uint8_t buf[2048];
	struct whole_udp udp = {.src = src, .dst = dst, .src_port = 7, .dst_port = 9, .data_len = data_len};

	*len = whole_udp(buf, &lan, &udp) - sizeof(struct wire_eth);
	return buf + sizeof(struct wire_eth);
}

/* A good packet from the remote's LAN, which must come out at ours. */
static void send_good_data(void)
{
	size_t len;
	const uint8_t *inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
	struct whole_packet got;

	send_data(inner, len);
	got = whole_receive(&lan);
	assert_int_equal(got.len, len + sizeof(struct wire_eth));
	whole_free(&got);
}

static size_t send_from_lan(const char *src, const char *dst, size_t data_len)
{
	struct whole_udp udp = {.src = src, .dst = dst, .src_port = 7, .dst_port = 9, .data_len = data_len};
	size_t len = whole_udp(frame, &lan, &udp);

	whole_send(&lan, frame, len);
	run();
	return len - sizeof(struct wire_eth);
}

/* Both ways once, v4 and v6, with lengths around the padding. */
static void check_data(void)
{
	static const char *const ends[][2] = {{"10.1.0.5", "10.2.0.5"}, {"fd00:1::5", "fd00:2::5"}};
	struct whole_packet got;

	for (unsigned f = 0; f < 2; f++) {
		for (size_t data = 0; data < 40; data++) {
			size_t len = send_from_lan(ends[f][0], ends[f][1], data), inner_len;
			size_t message_len = receive_message();
			const uint8_t *inner;

			assert_true(message_len > 0);
			assert_int_equal(open_data(message_len), (len + 15) / 16 * 16);
			assert_int_equal(message[16] >> 4, f ? 6 : 4);
			for (size_t i = len; i < message_len - 32; i++)
				assert_int_equal(message[16 + i], 0);
			inner = inner_packet(ends[f][1], ends[f][0], data, &inner_len);
			send_data(inner, inner_len);
			got = whole_receive(&lan);
			assert_non_null(got.data);
			assert_int_equal(got.len, inner_len + sizeof(struct wire_eth));
			whole_check_sums(got.data + sizeof(struct wire_eth), inner_len);
			whole_free(&got);
		}
	}
}

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
	    cmocka_unit_test_teardown(test_damaged, end_flood),
	    cmocka_unit_test_teardown(test_roaming, end_test),
	    cmocka_unit_test_teardown(test_allowed_ips, end_test),
	    cmocka_unit_test_teardown(test_inner_malformed, end_test),
	    cmocka_unit_test_teardown(test_mtu_and_mss, end_test),
	    cmocka_unit_test_teardown(test_ecn, end_test),
	    cmocka_unit_test_teardown(test_ecn_outwards, end_test),
	    cmocka_unit_test_teardown(test_mss_at_odd_offset, end_test),
	    cmocka_unit_test_teardown(test_under_load, end_flood),
	    cmocka_unit_test_teardown(test_follow, end_test),
	    cmocka_unit_test_teardown(test_cookie_is_used, end_test),
	    cmocka_unit_test_teardown(test_strangers, end_test),
	    cmocka_unit_test_teardown(test_wrong_psk, end_test),
	    cmocka_unit_test_teardown(test_key_files, end_test),
	    cmocka_unit_test_teardown(test_restart, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
