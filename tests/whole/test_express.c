/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of plain packets: what it forwards leaves as the stages would have sent it, and what
 * it does not is left to them. Bursts of frames, valid ones and such with anything changed, go
 * through the same dataplane twice, with the short way and without; and the forms of its judgement are held
 * against each other.
 */
#include "tests/whole/whole.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/express.h"
#include "lib/isa.h"

#define BURSTS	  20000
#define MAX_BURST 40
#define MAX_OUT	  256

static struct whole_port lan, wan1, wan2, lan2;
static struct nexthop other, unknown;
static struct neigh no_neighbour;
static struct express *express;
static struct group_buckets shared;
static uint64_t seed = 11;

static uint64_t dice(uint64_t sides)
{
	return (unit_random(&seed) >> 16) % sides;
}

/* A route to a group of several, as the monitor thread publishes them. */
static void route_to_several(const char *prefix)
{
	uint32_t group = whole_route(FIBMSG_OVERLAY, prefix, &lan2.via);

	atomic_store_explicit(&group_forward[group], (uintptr_t)&shared | 1, memory_order_release);
	forward_changed();
}

static int start(void **state)
{
	static const char *const own[] = {"10.1.0.1/24", "2001:db8:1::1/64"};
	int err = whole_start(state);
	struct ip_prefix p;

	if (err)
		return err;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&lan2, "lan2", FIBMSG_ROLE_LAN);
	whole_port_open(&wan1, "wan1", FIBMSG_ROLE_WAN);
	whole_port_open(&wan2, "wan2", FIBMSG_ROLE_WAN);
	whole_port_addresses(&lan, own, 2);
	whole_local("10.1.0.1/32");
	whole_local("2001:db8:1::1/128");
	no_neighbour.iface = lan2.ifc->index;
	unknown = (struct nexthop){.kind = NEXTHOP_VIA, .iface = lan2.ifc->index, .neigh = &no_neighbour};
	other = (struct nexthop){.kind = NEXTHOP_UNREACHABLE};
	whole_route(FIBMSG_OVERLAY, "10.2.0.0/16", &lan2.via);
	whole_route(FIBMSG_OVERLAY, "10.2.3.0/24", &wan1.via);
	whole_route(FIBMSG_OVERLAY, "10.3.0.0/16", &lan2.connected);
	whole_route(FIBMSG_OVERLAY, "10.4.0.0/16", &nexthop_blackhole);
	whole_route(FIBMSG_OVERLAY, "10.5.0.0/16", &unknown);
	whole_route(FIBMSG_OVERLAY, "10.6.0.0/16", &other);
	whole_route(FIBMSG_OVERLAY, "198.51.0.0/16", &wan1.via);
	whole_route(FIBMSG_OVERLAY, "169.254.0.0/16", &lan2.via);
	whole_route(FIBMSG_OVERLAY, "2001:db8:2::/48", &lan2.via);
	whole_route(FIBMSG_OVERLAY, "2001:db8:3::/48", &wan1.via);
	whole_route(FIBMSG_OVERLAY, "fd00::/8", &lan2.via);
	whole_route(FIBMSG_OVERLAY, "2001:db8:4::/48", &unknown);
	whole_route(fibmsg_line_table("wan2"), "0.0.0.0/0", &wan2.via);
	whole_route(fibmsg_line_table("wan2"), "::/0", &wan2.via);
	shared = (struct group_buckets){.member = {&lan2.via, &wan1.via, &wan2.via, &unknown, &other}};
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		shared.bucket[i] = (uint8_t)(i % 16 < 2 ? 3 + i % 2 : i % 3);
	route_to_several("10.8.0.0/16");
	route_to_several("2001:db8:8::/48");
	/* a source of the second line */
	assert_int_equal(ip_prefix_parse("192.0.2.0/24", &p, NULL), 0);
	assert_int_equal(fib_set(FIB_SOURCES, &p, FIB_LOCAL, wan2.ifc->index), 0);
	assert_int_equal(ip_prefix_parse("2001:db8:9::/48", &p, NULL), 0);
	assert_int_equal(fib_set(FIB_SOURCES, &p, FIB_LOCAL, wan2.ifc->index), 0);
	atomic_store(&lan2.ifc->mtu, 600);
	icmp_set_rate(1000000000); /* else the second time would be out of tokens */
	express = whole_worker->express;
	return 0;
}

static int stop(void **state)
{
	whole_worker->express = express;
	return whole_stop(state);
}

struct frame {
	uint8_t bytes[2048];
	size_t len;
};

static void spoil(struct frame *f, bool ip4)
{
	size_t at = dice(5) ? 14 + dice(40) : dice(14);

	if (dice(6) == 0) {
		f->len = dice(f->len) + 1;
	} else if (dice(6) == 0) {
		f->len += dice(30);
	} else {
		f->bytes[at] = (uint8_t)(f->bytes[at] ^ (dice(2) ? dice(256) : UINT64_C(1) << dice(8)));
		if (ip4 && dice(4) &&
		    (f->bytes[14] & 15) >= 5) /* most faults would hide behind the checksum's */
			whole_fix_checksum(f->bytes + 14);
	}
}

static const char *const dst4[] = {"10.2.0.9", "10.2.3.4", "10.8.0.4", "198.51.100.7", "10.3.0.9", "10.4.0.9",
    "10.5.0.9", "10.6.0.9", "10.1.0.1", "172.16.0.1", "169.254.3.3", "10.2.77.1", "10.8.7.7"};
static const char *const src4[] = {"10.1.0.5", "10.1.0.77", "192.0.2.5", "169.254.1.1"};
static const char *const dst6[] = {"2001:db8:2::9", "2001:db8:3::4", "2001:db8:8::4", "fd00::17",
    "2001:db8:4::2", "2001:db8:1::1", "64:ff9b::1"};
static const char *const src6[] = {"2001:db8:1::5", "fd00::99", "2001:db8:9::5", "fe80::4"};

static void make_frame(struct frame *f)
{
	bool ip4 = dice(2);
	struct whole_udp udp = {.src = ip4 ? src4[dice(UNIT_COUNT(src4))] : src6[dice(UNIT_COUNT(src6))],
	    .dst = ip4 ? dst4[dice(UNIT_COUNT(dst4))] : dst6[dice(UNIT_COUNT(dst6))],
	    .ttl = (uint8_t)(dice(8) ? 1 + dice(255) : 1 + dice(2)),
	    .data_len = dice(10) ? dice(60) : dice(1200),
	    .frag = ip4 && dice(12) == 0 ? (uint16_t)(dice(2) * IP4_MF + dice(3)) : 0,
	    .src_port = (uint16_t)(1 + dice(99)),
	    .dst_port = 9};

	f->len = whole_udp(f->bytes, &lan, &udp);
	memset(f->bytes + f->len, 0x33, sizeof(f->bytes) - f->len);
	if (f->len < 60 && dice(2))
		f->len = 60; /* as Ethernet pads */
	if (dice(3) == 0)
		spoil(f, ip4);
}

/* Bursts in which most packets go one way, as they mostly do: loops over many at once need that. */
static void make_plain_burst(struct frame *frames, unsigned n)
{
	bool ip4 = dice(2);
	const char *dst = ip4 ? dst4[dice(4)] : dst6[dice(4)];
	unsigned sources = 1 + (unsigned)dice(3);

	for (unsigned i = 0; i < n; i++) {
		struct whole_udp udp = {.src = ip4 ? src4[dice(sources)] : src6[dice(sources)],
		    .dst = dst,
		    .ttl = (uint8_t)(dice(60) ? 2 + dice(254) : 1),
		    .data_len = dice(90) ? dice(60) : dice(1200),
		    .src_port = (uint16_t)(1 + dice(99)),
		    .dst_port = 9};

		frames[i].len = whole_udp(frames[i].bytes, &lan, &udp);
	}
}

static void make_burst(struct frame *frames, unsigned n)
{
	if (dice(3) == 0) {
		make_plain_burst(frames, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		make_frame(&frames[i]);
}

/* What came out, in any order: the short way may overtake the long one within a burst. */
struct outcome {
	unsigned n;
	struct frame frames[MAX_OUT]; /* the first byte of each says where */
	uint64_t drops[DROP_REASONS], rx_packets, rx_bytes, tx_packets[4], tx_bytes[4];
};

static void keep(struct outcome *o, uint8_t where, struct whole_packet *p)
{
	struct frame *f = &o->frames[o->n++];

	assert_true(o->n < MAX_OUT && p->len < sizeof(f->bytes) - 1);
	f->bytes[0] = where;
	memcpy(f->bytes + 1, p->data, p->len);
	f->len = p->len + 1;
	whole_free(p);
}

static int compare_frames(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, x->len);
}

static void collect(struct outcome *o)
{
	struct whole_port *const ports[] = {&lan, &lan2, &wan1, &wan2};
	struct whole_packet p;

	o->n = 0;
	for (uint8_t i = 0; i < 4; i++) {
		struct worker_counters c = workers_iface_counters(ports[i]->ifc->index);

		while ((p = whole_receive(ports[i])).data)
			keep(o, i, &p);
		o->tx_packets[i] = c.tx_packets;
		o->tx_bytes[i] = c.tx_bytes;
	}
	while ((p = whole_to_slow()).data)
		keep(o, 4, &p);
	while ((p = whole_to_monitor()).data)
		keep(o, 5, &p);
	qsort(o->frames, o->n, sizeof(*o->frames), compare_frames);
	for (unsigned r = 0; r < DROP_REASONS; r++)
		o->drops[r] = workers_drop_count((enum drop_reason)r);
	o->rx_packets = workers_iface_counters(lan.ifc->index).rx_packets;
	o->rx_bytes = workers_iface_counters(lan.ifc->index).rx_bytes;
}

static void run(const struct frame *frames, unsigned n, bool with, struct outcome *out)
{
	static struct outcome before;

	whole_worker->express = with ? express : NULL;
	collect(&before);
	for (unsigned i = 0; i < n; i++)
		whole_send(&lan, frames[i].bytes, frames[i].len);
	whole_run();
	collect(out);
	for (unsigned r = 0; r < DROP_REASONS; r++)
		out->drops[r] -= before.drops[r];
	out->rx_packets -= before.rx_packets;
	out->rx_bytes -= before.rx_bytes;
	for (unsigned i = 0; i < 4; i++) {
		out->tx_packets[i] -= before.tx_packets[i];
		out->tx_bytes[i] -= before.tx_bytes[i];
	}
}

static void compare_both_ways(unsigned bursts)
{
	static struct outcome with, without;
	static struct frame frames[MAX_BURST];
	uint64_t forwarded = 0;

	for (unsigned b = 0; b < bursts; b++) {
		unsigned n = 1 + (unsigned)dice(MAX_BURST);

		make_burst(frames, n);
		run(frames, n, true, &with);
		run(frames, n, false, &without);
		assert_int_equal(with.n, without.n);
		for (unsigned i = 0; i < with.n; i++)
			if (compare_frames(&with.frames[i], &without.frames[i]) != 0)
				fail_msg("burst %u: frame %u of %u differs (to %u and %u)", b, i, with.n,
				    with.frames[i].bytes[0], without.frames[i].bytes[0]);
		assert_memory_equal(
		    with.drops, without.drops, sizeof(with) - offsetof(struct outcome, drops));
		forwarded += with.tx_packets[1] + with.tx_packets[2];
	}
	assert_true(forwarded > bursts);
}

static void both_ways_agree(void **state)
{
	compare_both_ways(BURSTS);
}

/* As on a machine without the instructions. */
static void both_ways_agree_in_scalar_form(void **state)
{
	assert_int_equal(isa_select("scalar"), 0);
	compare_both_ways(BURSTS / 4);
	assert_int_equal(isa_select(NULL), 0);
}

/* Takes the short way: no meta is written. */
static void plain_packets_take_it(void **state)
{
	const char *const dst[] = {"10.2.0.9", "198.51.100.7", "fd00::17", "2001:db8:3::4"};
	uint8_t frame[2048];

	whole_worker->express = express;
	for (unsigned i = 0; i < 4; i++) {
		struct whole_udp udp = {.src = i < 2 ? "10.1.0.5" : "2001:db8:1::5", .dst = dst[i]};
		struct whole_packet got;

		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
		whole_run();
		got = whole_receive(i % 2 ? &wan1 : &lan2);
		assert_non_null(got.data);
		assert_int_equal(got.meta.l2_len, 0xa5);
		whole_free(&got);
	}
}

/* Forgets what went to a port and to the slow thread. */
static void drain(struct whole_port *port)
{
	struct whole_packet p;

	while ((p = whole_receive(port)).data)
		whole_free(&p);
	while ((p = whole_to_slow()).data)
		whole_free(&p);
}

/* A group of several is no reason for the stages, and its flows go several ways. */
static void flows_of_a_group_take_it(void **state)
{
	struct whole_port *const ports[] = {&lan2, &wan1, &wan2};
	unsigned seen[3] = {0};
	uint8_t frame[2048];

	whole_worker->express = express;
	for (uint16_t flow = 1; flow <= 60; flow++) {
		struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.8.0.9", .src_port = flow};

		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
	}
	whole_run();
	for (unsigned i = 0; i < 3; i++) {
		struct whole_packet got;

		while ((got = whole_receive(ports[i])).data) {
			assert_int_equal(got.meta.l2_len, 0xa5);
			seen[i]++;
			whole_free(&got);
		}
		assert_true(seen[i] > 5);
	}
	/* the flows whose members are the stages' matter */
	drain(&lan);
}

/* What a group means changes: the very next packet follows. */
static void follows_at_once(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.7.0.9"};
	uint32_t group = whole_route(FIBMSG_OVERLAY, "10.7.0.0/16", &lan2.via);
	uint8_t frame[2048];
	size_t len = whole_udp(frame, &lan, &udp);
	struct whole_packet got;

	for (unsigned i = 0; i < 6; i++) {
		struct whole_port *to = i % 2 ? &wan1 : &lan2;

		atomic_store_explicit(&group_forward[group], (uintptr_t)&to->via, memory_order_release);
		forward_changed();
		whole_send(&lan, frame, len);
		assert_true(worker_run_once(whole_worker));
		got = whole_receive(to);
		assert_non_null(got.data);
		whole_free(&got);
	}
}

/* Each form of the judgement says the same of each packet. */
static void forms_agree(void **state)
{
	static struct frame frames[WORKER_BURST];
	static struct express_burst a, b;
	struct rte_mbuf *pkts[WORKER_BURST];
	uint64_t good, seen = 0;

#ifdef __x86_64__
	if (isa_selected() < ISA_AVX512)
		skip();
	for (unsigned k = 0; k < BURSTS; k++) {
		unsigned n = 1 + (unsigned)dice(WORKER_BURST);

		make_burst(frames, n);
		for (unsigned i = 0; i < n; i++) {
			pkts[i] = whole_mbuf(frames[i].bytes, frames[i].len);
		}
		express_judge(lan.ifc->port, pkts, n, &a);
		express_judge_avx512(lan.ifc->port, pkts, n, &b);
		assert_int_equal(a.good4, b.good4);
		assert_int_equal(a.good6, b.good6);
		assert_int_equal(a.bytes, b.bytes);
		good = a.good4 | a.good6;
		assert_int_equal(a.padded & good, b.padded & good);
		seen |= good;
		for (; good; good &= good - 1) {
			unsigned i = (unsigned)__builtin_ctzll(good);

			assert_int_equal(a.len[i], b.len[i]);
			assert_int_equal(a.word[i], b.word[i]);
			assert_ptr_equal(a.frame[i], b.frame[i]);
			if (a.good4 >> i & 1) {
				assert_int_equal(a.dst4_be[i], b.dst4_be[i]);
				assert_int_equal(a.src4_be[i], b.src4_be[i]);
			} else {
				assert_memory_equal(a.dst6[i], b.dst6[i], 16);
			}
		}
		rte_pktmbuf_free_bulk(pkts, n);
	}
	assert_true(seen == UINT64_MAX);
#else
	skip();
#endif
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ways_agree),
	    cmocka_unit_test(both_ways_agree_in_scalar_form),
	    cmocka_unit_test(plain_packets_take_it),
	    cmocka_unit_test(flows_of_a_group_take_it),
	    cmocka_unit_test(follows_at_once),
	    cmocka_unit_test(forms_agree),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
