/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way through tunnels: bursts of packets into a tunnel and of messages out of it, valid ones and
 * such with anything changed, go through the same dataplane twice, with the short way and without. What comes
 * out is the same, counters included, but for what no two messages have in common.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/express.h"
#include "dataplane/tunnel_peer.h"
#include "dataplane/nexthop.h"
#include "lib/csum.h"
#include "tests/whole/tunnel_rig.h"

#define BURSTS	  1500
#define MAX_BURST 24
#define MAX_OUT	  256

static struct express *express;
static uint64_t seed = 5;

static uint64_t dice(uint64_t sides)
{
	return (unit_random(&seed) >> 16) % sides;
}

struct packet {
	uint8_t bytes[2048];
	size_t len;
};

struct outcome {
	unsigned n;
	struct packet packets[MAX_OUT]; /* the first byte of each says where */
	uint64_t drops[DROP_REASONS];
	struct worker_counters ifaces[3];
	uint64_t peer_rx, peer_tx;
};

static int compare_packets(const void *a, const void *b)
{
	const struct packet *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, x->len);
}

/* The message in a frame: checked, opened, and without what differs by nature. */
static void normalise(uint8_t *f, size_t len)
{
	bool ip6 = f[12] == 0x86;
	uint8_t *ip = f + sizeof(struct wire_eth), *payload = ip + (ip6 ? 40 : 20) + 8;
	struct wire_udp *udp = (struct wire_udp *)payload - 1;
	size_t message_len = len - (size_t)(payload - f);

	if (ip6) {
		whole_check_sums(ip, len - sizeof(struct wire_eth));
	} else {
		assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0);
		((struct wire_ip4 *)ip)->id_be = 0;
		((struct wire_ip4 *)ip)->csum = 0;
	}
	udp->csum = 0;
	assert_int_equal(ntohs(udp->len_be), message_len + sizeof(*udp));
	assert_int_equal(wg_wire_type(payload, message_len), WG_WIRE_DATA);
	assert_int_equal(wg_wire_get_le32(payload + 4), remote.keys.local_index);
	assert_int_equal(crypto_open_aead(payload + 16, remote.keys.receiving, wg_wire_get_le64(payload + 8),
			     payload + 16, message_len - 16, NULL, 0),
	    0);
	memset(payload + 8, 0, 8);
	memset(payload + message_len - 16, 0, 16);
}

static void keep(struct outcome *o, uint8_t where, struct whole_packet *p)
{
	struct packet *f = &o->packets[o->n++];

	assert_true(o->n < MAX_OUT && p->len < sizeof(f->bytes) - 1);
	f->bytes[0] = where;
	memcpy(f->bytes + 1, p->data, p->len);
	f->len = p->len + 1;
	if (where == 1)
		normalise(f->bytes + 1, p->len);
	whole_free(p);
}

static void collect(struct outcome *o)
{
	struct whole_port *const ports[] = {&lan, &wan1, &wan2};
	const uint16_t ifaces[3] = {lan.ifc->index, wan1.ifc->index, iface_by_name("friend")->index};
	struct fibmsg_row_peer row;
	struct whole_packet p;

	o->n = 0;
	for (uint8_t i = 0; i < 3; i++) {
		while ((p = whole_receive(ports[i])).data)
			keep(o, i, &p);
		o->ifaces[i] = workers_iface_counters(ifaces[i]);
	}
	while ((p = whole_to_slow()).data)
		keep(o, 3, &p);
	qsort(o->packets, o->n, sizeof(*o->packets), compare_packets);
	for (unsigned r = 0; r < DROP_REASONS; r++)
		o->drops[r] = workers_drop_count((enum drop_reason)r);
	assert_int_equal(tunnel_peer_row(0, &row), 0);
	o->peer_rx = row.rx_bytes;
	o->peer_tx = row.tx_bytes;
}

static void subtract(struct outcome *o, const struct outcome *before)
{
	for (unsigned r = 0; r < DROP_REASONS; r++)
		o->drops[r] -= before->drops[r];
	for (unsigned i = 0; i < 3; i++) {
		o->ifaces[i].rx_packets -= before->ifaces[i].rx_packets;
		o->ifaces[i].rx_bytes -= before->ifaces[i].rx_bytes;
		o->ifaces[i].tx_packets -= before->ifaces[i].tx_packets;
		o->ifaces[i].tx_bytes -= before->ifaces[i].tx_bytes;
	}
	o->peer_rx -= before->peer_rx;
	o->peer_tx -= before->peer_tx;
}

/* --- packets for both directions --- */

/* A TCP SYN with an MSS option in place of the datagram. */
static void make_syn(uint8_t *ip, size_t ip_len, bool ip4)
{
	struct wire_tcp *tcp = (struct wire_tcp *)(ip + (ip4 ? 20 : 40));

	if (ip_len < (ip4 ? 44 : 64))
		return;
	ip[ip4 ? 9 : 6] = IP_PROTO_TCP;
	memset(tcp, 0, 24);
	tcp->data_offset = 6 << 4;
	tcp->flags = TCP_SYN;
	memcpy(tcp + 1, "\x02\x04\x05\xb4", 4);
	if (ip4)
		whole_fix_checksum(ip);
}

/* An Ethernet frame with an inner packet, between a host of ours and one of the remote's, or elsewhere. */
static void make_inner(struct packet *f, const char *const ends[2][2], bool to_lan)
{
	static const char *const strange[] = {"10.2.77.3", "10.1.0.9", "172.16.0.9", "169.254.3.3"};
	bool ip4 = dice(2);
	const char *src = ends[ip4][to_lan], *dst = ends[ip4][!to_lan];
	struct whole_udp udp = {.src = ip4 && dice(10) == 0 ? strange[dice(4)] : src,
	    .dst = ip4 && dice(10) == 0 ? strange[dice(4)] : dst,
	    .ttl = (uint8_t)(dice(8) ? 2 + dice(250) : 1 + dice(2)),
	    .data_len = dice(8) ? dice(80) : 1340 + dice(60),
	    .frag = dice(20) ? 0 : IP4_MF,
	    .src_port = (uint16_t)(1 + dice(9)),
	    .dst_port = 9};
	uint8_t *ip = f->bytes + sizeof(struct wire_eth);

	f->len = whole_udp(f->bytes, &lan, &udp);
	if (ip4 && dice(3) == 0) {
		ip[1] = (uint8_t)dice(256);
		whole_fix_checksum(ip);
	} else if (!ip4 && dice(3) == 0) {
		ip[1] = (uint8_t)(dice(16) << 4);
	}
	if (dice(6) == 0)
		make_syn(ip, f->len - sizeof(struct wire_eth), ip4);
}

static void spoil(uint8_t *bytes, size_t *len, size_t room)
{
	size_t at = dice(*len);

	if (dice(5) == 0)
		*len = dice(*len) + 1;
	else if (dice(5) == 0 && *len + 30 < room)
		*len += dice(30);
	else
		bytes[at] = (uint8_t)(bytes[at] ^ UINT64_C(1) << dice(8));
}

static const char *const hosts[2][2] = {{"fd00:1::5", "fd00:2::5"}, {"10.1.0.5", "10.2.0.5"}};

static void make_outgoing(struct packet *f)
{
	make_inner(f, hosts, false);
	if (dice(5) == 0)
		spoil(f->bytes, &f->len, sizeof(f->bytes));
	whole_send(&lan, f->bytes, f->len);
}

/* A message from the remote; what is inside, its counter and its headers may be wrong. */
static void make_incoming(struct packet *f)
{
	struct whole_udp udp = {
	    .src = remote.address, .dst = remote.ours, .src_port = remote.port, .dst_port = PORT};
	uint64_t counter = dice(12) ? remote.counter++ : remote.counter - (remote.counter > 3);
	struct packet inner;
	bool ip6;

	make_inner(&inner, hosts, true);
	inner.len -= sizeof(struct wire_eth);
	if (dice(8) == 0)
		spoil(inner.bytes + sizeof(struct wire_eth), &inner.len, 1500);
	if (dice(12) == 0)
		inner.len = 0; /* a keepalive */
	udp.data_len = seal(inner.bytes + sizeof(struct wire_eth), inner.len, counter);
	f->len = whole_udp(f->bytes, &wan1, &udp);
	memcpy(f->bytes + f->len - udp.data_len, message, udp.data_len);
	ip6 = f->bytes[12] == 0x86;
	if (dice(3) == 0)
		f->bytes[15] = (uint8_t)(ip6 ? dice(4) << 4 : dice(4));
	if (!ip6)
		whole_fix_checksum(f->bytes + sizeof(struct wire_eth));
	memset(f->bytes + sizeof(struct wire_eth) + (ip6 ? 40 : 20) + 6, 0, 2); /* nobody looks at UDP's */
	/* not the addresses and ports: what authenticates from elsewhere is told, now and then */
	if (dice(5) == 0) {
		size_t from = f->len - udp.data_len, len = udp.data_len;

		spoil(f->bytes + from, &len, len);
		f->len = dice(2) ? from + len : f->len;
	}
	whole_send(&wan1, f->bytes, f->len);
}

/* A burst made anew from the same seed, by one way. */
static void pass(bool with, uint64_t from, void (*make)(struct packet *f), struct outcome *out)
{
	static struct outcome before;
	struct packet f;
	unsigned n;

	whole_worker->express = with ? express : NULL;
	collect(&before);
	seed = from;
	remote.counter++; /* a replay is one of this burst's own, so that both passes have the same */
	n = 1 + (unsigned)dice(MAX_BURST);
	for (unsigned i = 0; i < n; i++)
		make(&f);
	whole_run();
	collect(out);
	subtract(out, &before);
}

static void check_agreement(void (*make)(struct packet *f))
{
	static struct outcome with, without;
	uint64_t sealed = 0;

	for (unsigned b = 0; b < BURSTS; b++) {
		uint64_t from = seed;

		pass(true, from, make, &with);
		pass(false, from, make, &without);
		assert_int_equal(with.n, without.n);
		for (unsigned i = 0; i < with.n; i++)
			if (compare_packets(&with.packets[i], &without.packets[i]) != 0)
				fail_msg("burst %u: packet %u of %u differs (to %u and %u)", b, i, with.n,
				    with.packets[i].bytes[0], without.packets[i].bytes[0]);
		assert_memory_equal(
		    with.drops, without.drops, sizeof(with) - offsetof(struct outcome, drops));
		sealed += with.ifaces[2].tx_packets + with.ifaces[2].rx_packets;
	}
	assert_true(sealed > BURSTS * MAX_BURST / 8);
	whole_worker->express = express;
}

static void begin(const char *address, const char *ours, const char *allowed)
{
	express = express ? express : whole_worker->express;
	whole_worker->express = express;
	icmp_set_rate(1000000000); /* else the second time would be out of tokens */
	make_pair(address, ours, NULL, allowed);
	route_into_tunnel();
	initiate();
	send_data("", 0);
}

static void test_outgoing_agree(void **state)
{
	begin("198.51.100.7", "192.0.2.10", NULL);
	check_agreement(make_outgoing);
}

static void test_outgoing_agree_v6(void **state)
{
	begin("2001:db8:7::7", "2001:db8:1::10", NULL);
	check_agreement(make_outgoing);
}

static void test_incoming_agree(void **state)
{
	begin("198.51.100.7", "192.0.2.10", "10.2.0.0/24");
	check_agreement(make_incoming);
	check_agreement(make_outgoing);
}

static void test_incoming_agree_v6(void **state)
{
	begin("2001:db8:7::7", "2001:db8:1::10", NULL);
	check_agreement(make_incoming);
}

/*
 * A second peer, without a session, on whose list one of the strange addresses is; routes name the first,
 * which has no list. Both ways have to find the same peer, and to take the same sources from the first.
 */
static void begin_with_two(const char *address, const char *ours)
{
	static struct nexthop via;
	static struct group_peers named;
	struct fibmsg_peer p = {.tunnel = "friend", .name = "other", .key = {9, 1}};
	struct fibmsg_allowed_ip a = {.tunnel = "friend", .key = {9, 1}};
	static const char *const routes[] = {"10.2.0.0/16", "fd00:2::/48"};
	struct err_msg msg = {""};

	begin(address, ours, NULL);
	if (tunnel_peer_set(&p, &msg))
		fail_msg("%s", msg.text);
	assert_int_equal(ip_prefix_parse("10.2.77.0/24", &a.prefix, NULL), 0);
	assert_int_equal(tunnel_allowed_ip_set(&a, &msg), 0);
	via = (struct nexthop){.kind = NEXTHOP_TUNNEL,
	    .iface = iface_by_name("friend")->index,
	    .peer = tunnel_peer_find("friend", remote.id.public_key)};
	named = (struct group_peers){.n = 1, .peer = {tunnel_peer_index(via.peer)}};
	for (unsigned i = 0; i < 2; i++)
		group_peers[whole_route(FIBMSG_OVERLAY, routes[i], &via)] = &named;
}

static void test_two_peers_agree(void **state)
{
	begin_with_two("198.51.100.7", "192.0.2.10");
	check_agreement(make_outgoing);
	check_agreement(make_incoming);
	assert_true(workers_drop_count(DROP_TUNNEL_SOURCE) > 0);
}

static void test_two_peers_agree_v6(void **state)
{
	begin_with_two("2001:db8:7::7", "2001:db8:1::10");
	check_agreement(make_outgoing);
	check_agreement(make_incoming);
}

/* Both take the short way: no meta is written. */
static void test_plain_packets_take_it(void **state)
{
	struct whole_packet got;
	const uint8_t *inner;
	size_t len;

	begin("198.51.100.7", "192.0.2.10", NULL);
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	got = whole_receive(&wan1);
	assert_non_null(got.data);
	assert_int_equal(got.meta.l2_len, 0xa5);
	whole_free(&got);
	inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
	send_data(inner, len);
	got = whole_receive(&lan);
	assert_non_null(got.data);
	assert_int_equal(got.meta.l2_len, 0xa5);
	whole_free(&got);
}

/* Routes of the underlay, the endpoint and the neighbour change: the very next packet follows. */
static void test_follows_at_once(void **state)
{
	struct whole_packet got;

	begin("198.51.100.7", "192.0.2.10", NULL);
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	assert_true(receive_message() > 0);
	whole_route(wan1.ifc->table, "198.51.100.7/32", &nexthop_blackhole);
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	assert_int_equal(receive_message(), 0);
	whole_unroute(wan1.ifc->table, "198.51.100.7/32");
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	assert_true(receive_message() > 0);
	wan1.neighbour.mac ^= 0xff0000000000;
	forward_changed();
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	got = whole_receive(&wan1);
	assert_non_null(got.data);
	assert_memory_equal(got.data, &wan1.neighbour.mac, 6);
	whole_free(&got);
	wan1.neighbour.mac ^= 0xff0000000000;
	forward_changed();
	remote.address = "203.0.113.99";
	usleep(2000);
	send_good_data();
	send_from_lan("10.1.0.5", "10.2.0.5", 20);
	assert_true(receive_message() > 0); /* which looks at the address */
}

/* §6.1: a spent key stays spent, however often it is tried. */
static void test_spent_key_stays_spent(void **state)
{
	struct tunnel_keypair *kp;

	begin("198.51.100.7", "192.0.2.10", NULL);
	kp = tunnel_peer_find("friend", remote.id.public_key)->current;
	atomic_store(&kp->send_counter, UINT64_MAX - 5);
	for (unsigned i = 0; i < 20; i++)
		send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(atomic_load(&kp->send_counter) == UINT64_MAX - 5);
	for (size_t len; (len = receive_message());)
		assert_int_not_equal(wg_wire_type(message, len), WG_WIRE_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_outgoing_agree, end_test),
	    cmocka_unit_test_teardown(test_outgoing_agree_v6, end_test),
	    cmocka_unit_test_teardown(test_incoming_agree, end_test),
	    cmocka_unit_test_teardown(test_incoming_agree_v6, end_test),
	    cmocka_unit_test_teardown(test_two_peers_agree, end_test),
	    cmocka_unit_test_teardown(test_two_peers_agree_v6, end_test),
	    cmocka_unit_test_teardown(test_plain_packets_take_it, end_test),
	    cmocka_unit_test_teardown(test_follows_at_once, end_test),
	    cmocka_unit_test_teardown(test_spent_key_stays_spent, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
