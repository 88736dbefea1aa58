/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rig that tunnel_rig.h describes.
 */
#include "tests/whole/tunnel_rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/csum.h"

struct whole_port lan, wan1, wan2;
uint16_t active_line;
struct remote remote;
uint8_t frame[2048], message[2048];
char directory[] = "/tmp/byway-tunnel-XXXXXX", key_path[64];
uint8_t preshared[32];
uint64_t clock_ns;
const char *bound_line = "wan1";
unsigned to_host;

static char psk_path[64];
static struct nexthop into_tunnel;

uint16_t __wrap_monitor_active_line(void);
uint16_t __wrap_monitor_active_line(void)
{
	return active_line;
}

void write_key(const char *path, const uint8_t key[32], mode_t mode)
{
	char text[CRYPTO_KEY_STRLEN + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	crypto_format_base64(text, key);
	text[44] = '\n';
	assert_true(fd >= 0 && write(fd, text, 45) == 45);
	crypto_wipe(text, sizeof(text));
	fchmod(fd, mode);
	close(fd);
}

struct fibmsg_tunnel tunnel_config(void)
{
	struct fibmsg_tunnel t = {.name = "friend", .listen_port = PORT, .mss_clamp = 1};

	snprintf(t.line, sizeof(t.line), "%s", bound_line);

	memcpy(t.key_path, key_path, sizeof(key_path));
	return t;
}

struct fibmsg_peer peer_config(void)
{
	struct fibmsg_peer p = {.tunnel = "friend", .name = "them"};

	memcpy(p.key, remote.id.public_key, sizeof(p.key));
	memcpy(p.psk_path, psk_path, sizeof(psk_path));
	return p;
}

/* A fresh tunnel and a fresh remote that know each other; allowed NULL: any. */
void make_pair(const char *address, const char *ours, const char *endpoint, const char *allowed)
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
	crypto_wipe(key, sizeof(key)); /* test_tunnel_secrets.c looks for copies of keys */
	crypto_wipe(&here, sizeof(here));
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

int open_all(void **state)
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

int close_all(void **state)
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

void route_into_tunnel(void)
{
	into_tunnel = (struct nexthop){.kind = NEXTHOP_TUNNEL, .iface = iface_by_name("friend")->index};
	whole_route(FIBMSG_OVERLAY, "10.2.0.0/16", &into_tunnel);
	whole_route(FIBMSG_OVERLAY, "fd00:2::/48", &into_tunnel);
}

int end_test(void **state)
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
int end_flood(void **state)
{
	usleep(1200000);
	return end_test(state);
}

/* Worker and slow thread in turn until neither has anything to do. */
void run(void)
{
	struct rte_mbuf *pkt;
	bool any = true;

	while (any) {
		clock_ns = nsec_monotonic();
		tunnel_tick(clock_ns);
		whole_run();
		for (unsigned i = 1; i < worker_count; i++)
			while (worker_run_once(worker_table[i]))
				;
		whole_run();
		any = false;
		for (unsigned i = 1; i < worker_count; i++)
			any |= worker_run_once(worker_table[i]);
		while (rte_ring_dequeue(slow_ring, (void **)&pkt) == 0) {
			uint8_t op = pkt_meta(pkt)->op;

			any = true;
			if (op == PKT_TO_HOST) {
				to_host++;
				rte_pktmbuf_free(pkt);
				continue;
			}
			assert_true(op == PKT_HANDSHAKE || op == PKT_NEED_SESSION || op == PKT_TUNNEL_EVENT ||
				    op == PKT_TOO_BIG);
			tunnel_handle(pkt);
		}
	}
}

/* A WireGuard message from the remote to our port. */
void send_message(const void *data, size_t len)
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
size_t receive_message_at(struct whole_port *port)
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

size_t receive_message(void)
{
	return receive_message_at(&wan1);
}

static struct wg_noise_peer *find_us(void *arg, const uint8_t public_key[32])
{
	return memcmp(remote.peer.public_key, public_key, 32) == 0 ? &remote.peer : NULL;
}

/* The remote answers the initiation that lies in `message`. */
void answer_initiation(void)
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

void make_initiation(struct wg_wire_initiation *out)
{
	uint8_t ephemeral[32];

	crypto_fill_random(ephemeral, sizeof(ephemeral));
	assert_int_equal(wg_noise_create_initiation(
			     &remote.hs, &remote.id, &remote.peer, ephemeral, 99, nsec_realtime(), out),
	    0);
	wg_cookie_stamp_macs(&remote.cookies, out, sizeof(*out), clock_ns);
}

/* The remote as initiator, up to its keys; the dataplane has not seen them used yet. */
void initiate(void)
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
size_t seal(const void *inner, size_t len, uint64_t counter)
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

void send_data(const void *inner, size_t len)
{
	size_t message_len = seal(inner, len, remote.counter++);

	send_message(message, message_len);
}

/* Opens the data message in `message`; returns the padded length, inner in place at message + 16. */
size_t open_data(size_t len)
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
const uint8_t *inner_packet(const char *src, const char *dst, size_t data_len, size_t *len)
{
	static uint8_t buf[2048];
	struct whole_udp udp = {.src = src, .dst = dst, .src_port = 7, .dst_port = 9, .data_len = data_len};

	*len = whole_udp(buf, &lan, &udp) - sizeof(struct wire_eth);
	return buf + sizeof(struct wire_eth);
}

/* A good packet from the remote's LAN, which must come out at ours. */
void send_good_data(void)
{
	size_t len;
	const uint8_t *inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
	struct whole_packet got;

	send_data(inner, len);
	got = whole_receive(&lan);
	assert_int_equal(got.len, len + sizeof(struct wire_eth));
	whole_free(&got);
}

size_t send_from_lan(const char *src, const char *dst, size_t data_len)
{
	struct whole_udp udp = {.src = src, .dst = dst, .src_port = 7, .dst_port = 9, .data_len = data_len};
	size_t len = whole_udp(frame, &lan, &udp);

	whole_send(&lan, frame, len);
	run();
	return len - sizeof(struct wire_eth);
}

/* Both ways once, v4 and v6, with lengths around the padding. */
void check_data(void)
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
