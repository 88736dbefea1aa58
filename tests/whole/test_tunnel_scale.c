/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many peers on one tunnel, many tunnels, many prefixes of one peer; and peers that come and go while others'
 * packets pass. What each costs is printed: time of the slow thread, memory.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "tests/whole/tunnel_rig.h"

#define PEERS	 1000
#define TUNNELS	 1000
#define PREFIXES 130560u
#define ETH	 sizeof(struct wire_eth)

/* The slow thread's steps may take so long at the most, sanitizers and a busy machine included. */
#define STEP_MAX_NS (200 * NSEC_PER_MSEC)

static struct remote remotes[PEERS];
static char addresses[PEERS][16], inner[PEERS][16];

static struct nexthop *route_to_friend(void)
{
	static struct nexthop nh;

	nh = (struct nexthop){.kind = NEXTHOP_TUNNEL, .iface = iface_by_name("friend")->index};
	return &nh;
}

static double ms(uint64_t ns)
{
	return (double)ns / (double)NSEC_PER_MSEC;
}

/* What this process holds, in KiB. */
static long held_kib(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void add_allowed(const char *tunnel, const uint8_t key[32], const char *prefix)
{
	struct fibmsg_allowed_ip a = {0};
	struct err_msg msg = {""};

	snprintf(a.tunnel, sizeof(a.tunnel), "%s", tunnel);
	memcpy(a.key, key, sizeof(a.key));
	assert_int_equal(ip_prefix_parse(prefix, &a.prefix, NULL), 0);
	if (tunnel_allowed_ip_set(&a, &msg))
		fail_msg("%s", msg.text);
}

/* The tunnel "friend" without a peer; its public key. */
static void make_tunnel(uint8_t public_key[32])
{
	struct fibmsg_tunnel t;
	struct wg_noise_identity here;
	struct err_msg msg = {""};
	uint8_t key[32];

	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&here, key);
	memcpy(public_key, here.public_key, 32);
	write_key(key_path, key, 0600);
	t = tunnel_config();
	if (tunnel_set(&t, &msg))
		fail_msg("%s", msg.text);
}

/* The nth remote becomes `remote`, with an address of its own. */
static void make_remote(unsigned n, const uint8_t us[32])
{
	uint8_t key[32];

	memset(&remote, 0, sizeof(remote));
	snprintf(addresses[n], sizeof(addresses[n]), "198.51.%u.%u", 100 + n / 250, n % 250 + 1);
	snprintf(inner[n], sizeof(inner[n]), "10.2.%u.%u", n / 250, n % 250 + 1);
	remote.address = addresses[n];
	remote.ours = "192.0.2.10";
	remote.port = (uint16_t)(40000 + n);
	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&remote.id, key);
	assert_int_equal(wg_noise_set_peer(&remote.peer, &remote.id, us), 0);
	memcpy(remote.peer.preshared_key, preshared, 32);
	wg_cookie_init_maker(&remote.cookies, us);
}

static void add_peer(unsigned n)
{
	struct fibmsg_peer p = peer_config();
	struct err_msg msg = {""};

	snprintf(p.name, sizeof(p.name), "peer%u", n);
	if (tunnel_peer_set(&p, &msg))
		fail_msg("%s", msg.text);
	add_allowed("friend", p.key, inner[n]);
}

/* As a stock peer does: what comes under load is answered by a cookie, and sent again with it. */
static void shake_hands(void)
{
	struct wg_wire_initiation out;
	struct wg_wire_cookie_reply reply;
	struct wg_wire_response in;
	size_t len;

	for (unsigned tries = 0; tries < 3; tries++) {
		make_initiation(&out);
		send_message(&out, sizeof(out));
		len = receive_message();
		if (len != sizeof(reply))
			break;
		memcpy(&reply, message, sizeof(reply));
		assert_int_equal(wg_cookie_consume_reply(&remote.cookies, &reply, clock_ns), 0);
	}
	assert_int_equal(len, sizeof(in));
	memcpy(&in, message, sizeof(in));
	assert_int_equal(wg_noise_consume_response(&remote.hs, &remote.id, &remote.peer, &in), 0);
	assert_int_equal(wg_noise_derive_keys(&remote.hs, &remote.keys), 0);
	send_data("", 0);
}

/* A packet each way: from the nth remote's address to the LAN, and back to it. */
static void pass_packets(unsigned n)
{
	struct whole_packet got;
	const uint8_t *packet;
	size_t len;

	packet = inner_packet(inner[n], "10.1.0.5", 100, &len);
	send_data(packet, len);
	got = whole_receive(&lan);
	assert_int_equal(got.len, len + ETH);
	whole_free(&got);
	send_from_lan("10.1.0.5", inner[n], 100);
	len = receive_message();
	assert_true(len > 0);
	open_data(len);
}

static void make_peers(void)
{
	uint64_t start, added, slowest = 0;
	long before = held_kib();
	uint8_t us[32];

	make_tunnel(us);
	start = nsec_monotonic();
	for (unsigned n = 0; n < PEERS; n++) {
		uint64_t at;

		make_remote(n, us);
		at = nsec_monotonic();
		add_peer(n);
		slowest = nsec_monotonic() - at > slowest ? nsec_monotonic() - at : slowest;
		remotes[n] = remote;
	}
	added = nsec_monotonic() - start;
	print_message(
	    "%u peers: added in %.1f ms with their keys made, the slowest in %.2f ms, %ld KiB each\n", PEERS,
	    ms(added), ms(slowest), (held_kib() - before) / PEERS);
	assert_true(slowest < STEP_MAX_NS);
	route_into_tunnel();
}

static void test_peers(void **state)
{
	uint64_t start, all, tick;

	make_peers();
	start = nsec_monotonic();
	for (unsigned n = 0; n < PEERS; n++) {
		remote = remotes[n];
		shake_hands();
		remotes[n] = remote;
	}
	all = nsec_monotonic() - start;
	for (unsigned n = 0; n < PEERS; n++) {
		remote = remotes[n];
		pass_packets(n);
	}
	start = nsec_monotonic();
	tunnel_tick(start);
	tunnel_lines_changed();
	tick = nsec_monotonic() - start;
	print_message("%u handshakes, both ends: %.1f ms; a look at all timers and lines: %.3f ms\n", PEERS,
	    ms(all), ms(tick));
	assert_true(tick < STEP_MAX_NS);
}

static bool has_way_to(const char *address)
{
	send_from_lan("10.1.0.5", address, 10);
	return whole_drops(DROP_TUNNEL_NO_PEER) == 0;
}

/* A removed peer's prefixes go in slices; what another peer is given meanwhile stays. */
static void check_leaving(const uint8_t us[32], uint64_t removed_ns)
{
	uint64_t start, slowest = 0, turns = 0, next;

	whole_forget_drops();
	make_remote(2, us);
	add_peer(2);
	add_allowed("friend", remote.id.public_key, "100.0.0.16/28");
	assert_true(has_way_to("100.0.0.17"));
	assert_false(has_way_to("100.0.0.1"));
	assert_false(has_way_to("100.31.223.255"));
	do {
		start = nsec_monotonic();
		next = tunnel_tick(start);
		slowest = nsec_monotonic() - start > slowest ? nsec_monotonic() - start : slowest;
		turns++;
	} while (next <= start && turns < 1000);
	print_message("their peer removed in %.2f ms, they in %lu turns of at most %.2f ms\n", ms(removed_ns),
	    (unsigned long)turns, ms(slowest));
	assert_true(turns > 100 && removed_ns < STEP_MAX_NS && slowest < STEP_MAX_NS);
	assert_true(has_way_to("100.0.0.17"));
	assert_false(has_way_to("100.0.0.1"));
}

/* One peer with as many prefixes as an import may bring: set, moved to another peer, gone. */
static void test_prefixes(void **state)
{
	struct fibmsg_allowed_ip a = {.tunnel = "friend"};
	uint64_t start, slowest = 0, took[3], removed;
	struct err_msg msg = {""};
	uint8_t us[32], keys[2][32];
	long before;

	make_tunnel(us);
	whole_route(FIBMSG_OVERLAY, "100.0.0.0/8", route_to_friend());
	for (unsigned n = 0; n < 2; n++) {
		make_remote(n, us);
		add_peer(n);
		memcpy(keys[n], remote.id.public_key, 32);
	}
	before = held_kib();
	for (unsigned pass = 0; pass < 3; pass++) {
		uint64_t begin = nsec_monotonic();

		memcpy(a.key, keys[pass % 2], 32);
		for (uint32_t i = 0; i < PREFIXES; i++) {
			a.prefix = (struct ip_prefix){ip_addr_v4(htonl(0x64000000 + i * 16)), 28};
			start = nsec_monotonic();
			assert_int_equal(tunnel_allowed_ip_set(&a, &msg), 0);
			slowest = nsec_monotonic() - start > slowest ? nsec_monotonic() - start : slowest;
		}
		took[pass] = nsec_monotonic() - begin;
	}
	print_message(
	    "%u prefixes: set in %.0f ms, moved in %.0f and %.0f ms, the slowest %.2f ms, %ld KiB\n",
	    PREFIXES, ms(took[0]), ms(took[1]), ms(took[2]), ms(slowest), held_kib() - before);
	assert_true(slowest < STEP_MAX_NS);
	start = nsec_monotonic();
	assert_int_equal(tunnel_peer_del("friend", keys[0]), 0);
	removed = nsec_monotonic() - start;
	check_leaving(us, removed);
}

static int end_prefixes(void **state)
{
	whole_unroute(FIBMSG_OVERLAY, "100.0.0.0/8");
	return end_test(state);
}

static void test_tunnels(void **state)
{
	struct fibmsg_tunnel t = tunnel_config();
	uint64_t start, slowest = 0, all, lines;
	struct err_msg msg = {""};
	uint8_t us[32];
	long before = held_kib();

	make_tunnel(us);
	start = nsec_monotonic();
	for (unsigned n = 0; n < TUNNELS - 1; n++) {
		uint64_t at = nsec_monotonic();
		struct fibmsg_peer p;

		snprintf(t.name, sizeof(t.name), "t%u", n);
		t.listen_port = (uint16_t)(20000 + n);
		if (tunnel_set(&t, &msg))
			fail_msg("%s", msg.text);
		make_remote(n, us);
		p = peer_config();
		memcpy(p.tunnel, t.name, sizeof(p.tunnel));
		p.any = 1;
		if (tunnel_peer_set(&p, &msg))
			fail_msg("%s", msg.text);
		slowest = nsec_monotonic() - at > slowest ? nsec_monotonic() - at : slowest;
	}
	all = nsec_monotonic() - start;
	start = nsec_monotonic();
	tunnel_lines_changed();
	lines = nsec_monotonic() - start;
	print_message("%u tunnels with a peer each: %.0f ms, the slowest in %.2f ms, %ld KiB each; a change "
		      "of lines %.2f "
		      "ms\n",
	    TUNNELS, ms(all), ms(slowest), (held_kib() - before) / TUNNELS, ms(lines));
	assert_true(slowest < STEP_MAX_NS && lines < STEP_MAX_NS);
	for (unsigned n = 0; n < TUNNELS - 1; n++) {
		snprintf(t.name, sizeof(t.name), "t%u", n);
		assert_int_equal(tunnel_del(t.name), 0);
	}
}

/* --- others' packets while peers come and go --- */

static _Atomic bool feeding;
static uint64_t sent, arrived, longest_gap_ns;

/* Packets of the LAN for the first peer, a few at a time, and how long none came out of the WAN. */
static void *feed(void *arg)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = inner[0], .data_len = 200};
	uint64_t last = nsec_monotonic();
	size_t len = whole_udp(frame, &lan, &udp);
	struct whole_packet got;

	while (atomic_load(&feeding)) {
		if (rte_ring_count(lan.to) < 8) {
			whole_send(&lan, frame, len);
			sent++;
		}
		while ((got = whole_receive(&wan1)).data) {
			uint64_t now = nsec_monotonic();

			longest_gap_ns = now - last > longest_gap_ns ? now - last : longest_gap_ns;
			last = now;
			arrived++;
			whole_free(&got);
		}
	}
	return NULL;
}

static void feed_while(void (*change)(const uint8_t us[32]), const uint8_t us[32])
{
	pthread_t feeder;

	sent = arrived = longest_gap_ns = 0;
	atomic_store(&feeding, true);
	assert_int_equal(workers_launch(), 0);
	assert_int_equal(pthread_create(&feeder, NULL, feed, NULL), 0);
	change(us);
	atomic_store(&feeding, false);
	pthread_join(feeder, NULL);
	workers_stop();
}

static void change_nothing(const uint8_t us[32])
{
	for (unsigned i = 0; i < 50; i++) {
		usleep(10000);
		rcu_quiescent_state();
	}
}

/* A peer with 500 prefixes comes and goes, again and again. */
static void change_peers(const uint8_t us[32])
{
	uint64_t until = nsec_monotonic() + NSEC_PER_SEC / 2;
	struct remote first = remote;
	unsigned rounds = 0;
	char prefix[32];

	while (nsec_monotonic() < until) {
		make_remote(PEERS - 1, us);
		add_peer(PEERS - 1);
		for (unsigned i = 0; i < 500; i++) {
			snprintf(prefix, sizeof(prefix), "100.%u.%u.0/24", i / 250, i % 250);
			add_allowed("friend", remote.id.public_key, prefix);
		}
		assert_int_equal(tunnel_peer_del("friend", remote.id.public_key), 0);
		rcu_quiescent_state();
		rounds++;
	}
	remote = first;
	print_message("%u times a peer with 501 prefixes came and went\n", rounds);
}

static void test_under_traffic(void **state)
{
	uint64_t quiet_gap_ns, quiet;
	struct rte_mbuf *pkt;
	uint8_t us[32];

	make_tunnel(us);
	make_remote(0, us);
	add_peer(0);
	route_into_tunnel();
	shake_hands();
	feed_while(change_nothing, us);
	quiet_gap_ns = longest_gap_ns;
	quiet = arrived;
	feed_while(change_peers, us);
	run();
	while (rte_ring_dequeue(slow_ring, (void **)&pkt) == 0)
		rte_pktmbuf_free(pkt);
	print_message(
	    "%lu packets of another passed, the longest gap %.2f ms; %lu and %.2f ms when nothing changed\n",
	    (unsigned long)arrived, ms(longest_gap_ns), (unsigned long)quiet, ms(quiet_gap_ns));
	assert_true(arrived > 0 && arrived + 300 >= sent);
	assert_int_equal(whole_drops(DROP_TUNNEL_NO_PEER), 0);
	assert_int_equal(whole_drops(DROP_TUNNEL_QUEUE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_peers, end_test),
	    cmocka_unit_test_teardown(test_prefixes, end_prefixes),
	    cmocka_unit_test_teardown(test_tunnels, end_test),
	    cmocka_unit_test_teardown(test_under_traffic, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
