/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of a peer that were cut on the way: joined in any order, over both families, by the worker that a
 * datagram belongs to; and what strangers cannot do with fragments. Two workers.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/reassembly.h"
#include "lib/csum.h"
#include "tests/whole/tunnel_rig.h"

#define ETH  sizeof(struct wire_eth)
#define DATA 1000 /* bytes of the UDP data inside of what the peer sends */

/* A message of the peer, whole, as an IP packet; and the packet inside. */
static uint8_t whole[2048], inside[2048];
static size_t whole_len, inside_len;
static uint32_t next_id = 7;

static int open_two(void **state)
{
	whole_workers = 2;
	return open_all(state);
}

static void let_time_pass(void)
{
	for (unsigned i = 0; i < 2; i++) {
		worker_table[i]->now_ns = nsec_monotonic() + REASSEMBLY_NS + NSEC_PER_SEC;
		reassembly_expire(worker_table[i]);
	}
}

static int end_reassembly(void **state)
{
	let_time_pass();
	return end_test(state);
}

/* The next message, with an identification of its own. */
static void make_message(void)
{
	struct whole_udp udp = {
	    .src = remote.address, .dst = remote.ours, .src_port = remote.port, .dst_port = PORT};
	const uint8_t *inner = inner_packet("10.2.0.5", "10.1.0.5", DATA, &inside_len);
	size_t len;

	memcpy(inside, inner, inside_len);
	udp.data_len = seal(inner, inside_len, remote.counter++);
	len = whole_udp(frame, &wan1, &udp);
	memcpy(frame + len - udp.data_len, message, udp.data_len);
	whole_len = len - ETH;
	memcpy(whole, frame + ETH, whole_len);
	next_id++;
}

static void make_session(bool six)
{
	make_pair(six ? "2001:db8:7::7" : "198.51.100.7", six ? "2001:db8:1::10" : "192.0.2.10", NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
	make_message();
	to_host = 0;
}

static size_t header(void)
{
	return whole[0] >> 4 == 4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
}

/* What of the upper layer of `whole` lies at [from, to), as a fragment onto the wire. */
static void send_part(size_t from, size_t to, bool more, uint32_t id)
{
	uint8_t buf[2048], *ip = buf + ETH, *at = ip + header();

	memcpy(buf, frame, ETH);
	memcpy(ip, whole, header());
	if (ip[0] >> 4 == 4) {
		struct wire_ip4 *ip4 = (struct wire_ip4 *)ip;

		ip4->id_be = htons((uint16_t)id);
		ip4->frag_be = htons((uint16_t)(from / 8 | (more ? IP4_MF : 0)));
		ip4->total_len_be = htons((uint16_t)(header() + to - from));
		whole_fix_checksum(ip);
	} else {
		struct wire_ip6 *ip6 = (struct wire_ip6 *)ip;

		*(struct wire_ip6_frag *)at = (struct wire_ip6_frag){.next_header = IP_PROTO_UDP,
		    .frag_be = htons((uint16_t)(from | more)),
		    .id_be = htonl(id)};
		at += sizeof(struct wire_ip6_frag);
		ip6->next_header = IP_PROTO_FRAGMENT;
		ip6->payload_len_be = htons((uint16_t)(sizeof(struct wire_ip6_frag) + to - from));
	}
	memcpy(at, whole + header() + from, to - from);
	whole_send(&wan1, buf, (size_t)(at - buf) + to - from);
	run();
}

/* The nth of parts of 400 bytes. */
static void send_nth(unsigned n, uint32_t id)
{
	size_t end = whole_len - header(), from = n * 400, to = from + 400 < end ? from + 400 : end;

	send_part(from, to, to < end, id);
}

#define PARTS 3

static bool arrived(void)
{
	struct whole_packet got = whole_receive(&lan);
	bool good = got.len == inside_len + ETH;

	if (good)
		assert_memory_equal(got.data + ETH + 20, inside + 20, inside_len - 20);
	assert_true(good || !got.data);
	whole_free(&got);
	return good;
}

/* Each order of the parts, over many identifications, so that both workers have their share. */
static void check_orders(bool six)
{
	static const uint8_t orders[][PARTS] = {
	    {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	make_session(six);
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < PARTS; i++) {
			assert_false(arrived());
			send_nth(orders[round % 6][i], next_id);
		}
		assert_true(arrived());
		make_message();
	}
}

static void test_orders_v4(void **state)
{
	check_orders(false);
}

static void test_orders_v6(void **state)
{
	check_orders(true);
}

/* Of two datagrams whose parts come mixed each is joined; another source's with the same identification too.
 */
static void test_mixed(void **state)
{
	uint8_t first[2048];
	size_t first_len;

	make_session(false);
	memcpy(first, whole, sizeof(first));
	first_len = whole_len;
	send_nth(0, 100);
	send_nth(2, 100);
	make_message();
	send_nth(0, 101);
	send_nth(1, 101);
	memcpy(whole, first, sizeof(first));
	whole_len = first_len;
	send_nth(1, 100);
	assert_true(arrived());
	make_message();
	((struct wire_ip4 *)whole)->src_be ^= htonl(1);
	send_nth(2, 101);
	assert_false(arrived());
}

/* RFC 5722 §4: one that repeats is dropped; one that overlaps takes its datagram with it. */
static void test_overlap(void **state)
{
	size_t end;

	make_session(false);
	end = whole_len - header();
	send_nth(0, 1);
	send_nth(0, 1);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 1);
	send_nth(1, 1);
	send_nth(2, 1);
	assert_true(arrived());
	make_message();
	send_nth(0, 2);
	send_part(392, 792, true, 2);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 2);
	send_nth(1, 2);
	send_nth(2, 2);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 2);
	assert_false(arrived());
	/* the same bytes, another content */
	send_nth(0, 3);
	whole[100] ^= 1;
	send_nth(0, 3);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 2);
	whole[100] ^= 1;
	/* two ends; something behind the end */
	send_nth(0, 4);
	send_nth(2, 4);
	send_part(400, end - 8, false, 4);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 3);
	send_nth(0, 5);
	send_part(408, 800, false, 5);
	send_nth(2, 5);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 3);
	assert_false(arrived());
}

/* The same before anybody knows whose it is, and one larger than we join: the host gets all of it. */
static void test_left_to_host(void **state)
{
	uint8_t buf[200];
	struct wire_ip4 *ip = (struct wire_ip4 *)(buf + ETH);

	make_session(false);
	((struct wire_udp *)(whole + header()))->dst_port_be = htons(9);
	send_part(400, 800, false, 5);
	send_nth(2, 5);
	send_nth(0, 5);
	assert_int_equal(to_host, 3);
	memcpy(buf, frame, ETH);
	memcpy(ip, whole, 120);
	ip->total_len_be = htons(120);
	ip->id_be = htons(6);
	ip->frag_be = htons(500); /* its last */
	whole_fix_checksum((uint8_t *)ip);
	whole_send(&wan1, buf, ETH + 120);
	run();
	send_nth(1, 6);
	send_nth(0, 6);
	assert_int_equal(to_host, 6);
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP) + whole_drops(DROP_FRAGMENT_SIZE), 0);
}

/* Lengths that no fragment may have: RFC 791 §3.2, RFC 8200 §4.5. */
static void test_lengths(void **state)
{
	make_session(false);
	send_part(0, 401, true, 1);
	send_part(400, 400, true, 1);
	((struct wire_ip4 *)whole)->version_ihl = IP4_VERSION_IHL;
	assert_int_equal(whole_drops(DROP_FRAGMENT_INVALID), 2);
	/* beyond 64 KiB, beyond a buffer: the bytes come from elsewhere, the offset counts */
	send_nth(0, 2);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t buf[200];
		struct wire_ip4 *ip = (struct wire_ip4 *)(buf + ETH);

		memcpy(buf, frame, ETH);
		memcpy(ip, whole, 120);
		ip->total_len_be = htons(120);
		ip->id_be = htons(2);
		ip->frag_be = htons(i ? 0x1fff : 250);
		whole_fix_checksum((uint8_t *)ip);
		whole_send(&wan1, buf, ETH + 120);
		run();
	}
	assert_int_equal(whole_drops(DROP_FRAGMENT_INVALID), 1);
	assert_int_equal(whole_drops(DROP_FRAGMENT_SIZE), 2);
}

/* What is not a tunnel's goes to the host as it came, whatever the order. */
static void test_host(void **state)
{
	struct wire_udp *udp;

	make_session(false);
	udp = (struct wire_udp *)(whole + header());
	udp->dst_port_be = htons(9);
	for (unsigned first = 0; first < PARTS; first++) {
		to_host = 0;
		for (unsigned i = 0; i < PARTS; i++)
			send_nth((first + i) % PARTS, 50 + first);
		assert_int_equal(to_host, PARTS);
	}
	assert_false(arrived());
	assert_int_equal(whole_drops(DROP_FRAGMENT_OVERLAP), 0);
}

/* RFC 3168 §5.3: congestion that one piece met is the whole's. */
static void test_congestion(void **state)
{
	struct whole_packet got;
	uint8_t inner[2048];
	size_t len;

	make_session(false);
	memcpy(inner, inside, inside_len);
	inner[1] = 2; /* ECT(0) */
	whole_fix_checksum(inner);
	len = seal(inner, inside_len, remote.counter++);
	memcpy(whole + whole_len - len, message, len);
	send_nth(0, 1);
	send_nth(2, 1);
	whole[1] = 3;
	send_nth(1, 1);
	got = whole_receive(&lan);
	assert_non_null(got.data);
	assert_int_equal(got.data[ETH + 1] & 3, 3);
	whole_free(&got);
}

/* Times out, and gives back what it held. */
static void test_time(void **state)
{
	unsigned before;

	make_session(false);
	before = rte_mempool_in_use_count(worker_pool);
	send_nth(0, 1);
	send_nth(1, 1);
	assert_int_equal(rte_mempool_in_use_count(worker_pool), before + 1);
	let_time_pass();
	assert_int_equal(rte_mempool_in_use_count(worker_pool), before);
	assert_int_equal(whole_drops(DROP_FRAGMENT_LOST), 2);
	send_nth(2, 1);
	assert_false(arrived());
}

/* A flood of first fragments holds so many buffers and no more; a peer's own still pass. */
static void test_flood(void **state)
{
	unsigned before;

	make_session(false);
	before = rte_mempool_in_use_count(worker_pool);
	for (uint32_t id = 1000; id < 6000; id++)
		send_nth(0, id);
	assert_true(rte_mempool_in_use_count(worker_pool) - before <= 2 * REASSEMBLY_SLOTS);
	assert_int_equal(
	    whole_drops(DROP_FRAGMENT_FULL) + rte_mempool_in_use_count(worker_pool) - before, 5000);
	for (unsigned i = 0; i < PARTS; i++)
		send_nth(i, next_id);
	assert_true(arrived());
	let_time_pass();
	assert_int_equal(rte_mempool_in_use_count(worker_pool), before);
}

/* Cuts at random, beginning with any of them, some lost: what is complete arrives, nothing else does. */
static void check_random(bool six)
{
	make_session(six);
	for (unsigned round = 0; round < 400; round++) {
		size_t end = whole_len - header(), cuts[32], n = 0, lost;

		for (size_t at = 0; at < end && n < 31; at += 8 * (1 + (size_t)(random() % 40)))
			cuts[n++] = at;
		cuts[n] = end;
		lost = (size_t)(random() % 3 ? (long)n : random() % (long)n); /* n: none */
		for (size_t step = 0, i = (size_t)(random() % (long)n); step < n; step++, i = (i + 1) % n)
			if (i != lost)
				send_part(cuts[i], cuts[i + 1], i + 1 < n, next_id);
		assert_int_equal(arrived(), lost == n);
		make_message();
	}
}

static void test_random_v4(void **state)
{
	check_random(false);
}

static void test_random_v6(void **state)
{
	check_random(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_orders_v4, end_reassembly),
	    cmocka_unit_test_teardown(test_orders_v6, end_reassembly),
	    cmocka_unit_test_teardown(test_mixed, end_reassembly),
	    cmocka_unit_test_teardown(test_overlap, end_reassembly),
	    cmocka_unit_test_teardown(test_left_to_host, end_reassembly),
	    cmocka_unit_test_teardown(test_lengths, end_reassembly),
	    cmocka_unit_test_teardown(test_host, end_reassembly),
	    cmocka_unit_test_teardown(test_congestion, end_reassembly),
	    cmocka_unit_test_teardown(test_time, end_reassembly),
	    cmocka_unit_test_teardown(test_flood, end_reassembly),
	    cmocka_unit_test_teardown(test_random_v4, end_reassembly),
	    cmocka_unit_test_teardown(test_random_v6, end_reassembly),
	};

	return cmocka_run_group_tests(tests, open_two, close_all);
}
