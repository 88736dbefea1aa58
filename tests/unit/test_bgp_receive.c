/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One core and peers that are nothing but bytes written by hand: what messages do to
 * the session and the routes, and what goes out again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_msg.h"
#include "bgp/bgp_wire.h"
#include "bgp_sim.h"

struct wire {
	struct sim sim;
	uint64_t conn[2];
	uint8_t out[2][65536]; /* what each peer was sent */
	size_t out_len[2];
};

static struct wire w;

/* From AS 65002 and 65003; IPv4 and IPv6, refresh, 4-byte AS numbers. */
static const uint8_t opens[2][38] = {{4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2, 22, 2, 20, 1, 4, 0, 1, 0, 1, 1, 4, 0,
					 2, 0, 1, 2, 0, 65, 4, 0, 0, 0xfd, 0xea},
    {4, 0xfd, 0xeb, 0, 90, 10, 0, 0, 3, 22, 2, 20, 1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4, 0, 0,
	0xfd, 0xeb}};
#define OPEN_LEN 32

static void pull(void)
{
	struct bgp *bgp = w.sim.node[0].bgp;
	struct bgp_action action;
	unsigned i;
	size_t n;

	while (bgp_tick(bgp, w.sim.now_ns))
		;
	while (bgp_action_next(bgp, &action)) {
		i = action.conn == w.conn[1];
		while (action.kind == BGP_ACTION_SEND &&
		       (n = bgp_conn_output(bgp, action.conn, w.out[i] + w.out_len[i],
			    sizeof(w.out[i]) - w.out_len[i], w.sim.now_ns)) > 0)
			w.out_len[i] += n;
	}
}

static void deliver(unsigned peer, uint8_t type, const void *body, size_t len)
{
	uint8_t msg[BGP_MSG_MAX];
	struct buf_writer out;

	buf_writer_init(&out, msg, sizeof(msg));
	bgp_msg_begin(&out, type);
	buf_write_bytes(&out, body, len);
	bgp_msg_end(&out, 0);
	bgp_conn_input(w.sim.node[0].bgp, w.conn[peer], msg, buf_writer_len(&out), w.sim.now_ns);
	pull();
}

static void connect_peer(unsigned peer)
{
	struct ip_endpoint local = {sim_addr("10.0.0.1"), 179},
			   remote = {sim_addr(peer ? "10.0.0.3" : "10.0.0.2"), 4000};

	assert_int_equal(
	    bgp_conn_accept(w.sim.node[0].bgp, &local, &remote, "", w.sim.now_ns, &w.conn[peer]), 0);
	pull();
}

static void start(unsigned n_established)
{
	struct bgp_peer_config c = {.passive = true};
	unsigned i;

	memset(&w, 0, sizeof(w));
	sim_init(&w.sim);
	sim_add(&w.sim, 0, 65001, "10.0.0.1");
	w.sim.node[1].addr = sim_addr("10.0.0.2");
	w.sim.node[2].addr = sim_addr("10.0.0.3");
	for (i = 0; i < 2; i++) {
		c.as = 65002 + i;
		sim_set_peer(&w.sim, 0, (int)i + 1, &c);
	}
	for (i = 0; i < n_established; i++) {
		connect_peer(i);
		deliver(i, BGP_MSG_OPEN, opens[i], OPEN_LEN);
		deliver(i, BGP_MSG_KEEPALIVE, NULL, 0);
		assert_int_equal(sim_state(&w.sim, 0, (int)i + 1), BGP_ESTABLISHED);
		w.out_len[i] = 0;
	}
}

/* 10.1.0.0/16: ORIGIN, AS_PATH 65002, NEXT_HOP 10.0.0.2, MED 7; origin may be wrong. */
static void announce(uint8_t origin)
{
	const uint8_t body[] = {0, 0, 0, 27, 0x40, 1, 1, origin, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3,
	    4, 10, 0, 0, 2, 0x80, 4, 4, 0, 0, 0, 7, 16, 10, 1};

	deliver(0, BGP_MSG_UPDATE, body, sizeof(body));
}

static void test_order(void **state)
{
	static const struct {
		unsigned stage; /* 0: OpenSent, 1: OpenConfirm, 2: Established */
		uint8_t type, subcode;
	} cases[] = {{0, BGP_MSG_UPDATE, 1}, {0, BGP_MSG_KEEPALIVE, 1}, {0, BGP_MSG_ROUTE_REFRESH, 1},
	    {1, BGP_MSG_UPDATE, 2}, {1, BGP_MSG_OPEN, 2}, {1, BGP_MSG_ROUTE_REFRESH, 2},
	    {2, BGP_MSG_OPEN, 3}};
	struct bgp_peer_info info;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(0);
		connect_peer(0);
		if (cases[i].stage >= 1)
			deliver(0, BGP_MSG_OPEN, opens[0], OPEN_LEN);
		if (cases[i].stage >= 2)
			deliver(0, BGP_MSG_KEEPALIVE, NULL, 0);
		deliver(0, cases[i].type, opens[0],
		    cases[i].type == BGP_MSG_KEEPALIVE ? 0
		    : cases[i].type == BGP_MSG_OPEN    ? OPEN_LEN
						       : 4);
		info = sim_info(&w.sim, 0, 1);
		assert_int_equal(info.error_out.code, BGP_ERROR_FSM);
		assert_int_equal(info.error_out.subcode, cases[i].subcode);
		assert_int_equal(info.out[BGP_MSG_NOTIFICATION], 1);
		sim_free(&w.sim);
	}
}

static void test_notification_is_not_answered(void **state)
{
	static const uint8_t cease[] = {6, 4};
	struct bgp_peer_info info;

	(void)state;
	start(1);
	deliver(0, BGP_MSG_NOTIFICATION, cease, sizeof(cease));
	info = sim_info(&w.sim, 0, 1);
	assert_int_equal(info.out[BGP_MSG_NOTIFICATION], 0);
	assert_int_equal(w.out_len[0], 0);
	assert_int_not_equal(info.state, BGP_ESTABLISHED);
	sim_free(&w.sim);
}

/* RFC 7606 §2: what was announced before goes, the session stays. */
static void test_treated_as_withdraw(void **state)
{
	struct bgp_path_info p;
	struct bgp_peer_info info;

	(void)state;
	start(1);
	announce(0);
	assert_int_equal(sim_paths(&w.sim, 0, "10.1.0.0/16"), 1);
	announce(9);
	assert_false(sim_path(&w.sim, 0, "10.1.0.0/16", 0, &p));
	info = sim_info(&w.sim, 0, 1);
	assert_int_equal(info.state, BGP_ESTABLISHED);
	assert_int_equal(info.malformed, 1);
	sim_free(&w.sim);
}

/* An UPDATE that cannot be read ends the session: nothing of it is applied. */
static void test_reset(void **state)
{
	static const uint8_t bad[] = {0, 3, 16, 10, 1, 0, 0, 33, 1, 2, 3, 4, 5};
	struct bgp_peer_info info;

	(void)state;
	start(1);
	announce(0);
	deliver(0, BGP_MSG_UPDATE, bad, sizeof(bad));
	info = sim_info(&w.sim, 0, 1);
	assert_int_equal(info.error_out.code, BGP_ERROR_UPDATE);
	assert_int_equal(info.error_out.subcode, BGP_UPDATE_NETWORK);
	assert_int_equal(w.out[0][18], BGP_MSG_NOTIFICATION);
	sim_free(&w.sim);
}

/* As it leaves to a third AS: our AS in front, ourselves as next hop, no MED (RFC 4271 §5.1.2 to §5.1.4). */
static void test_passed_on(void **state)
{
	static const uint8_t expected[] = {0, 0, 0, 24, 0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0,
	    0, 0xfd, 0xea, 0x40, 3, 4, 10, 0, 0, 1, 16, 10, 1};

	(void)state;
	start(2);
	announce(0);
	assert_int_equal(w.out_len[0], 0); /* not back to where it came from */
	assert_int_equal(w.out_len[1], BGP_HEADER_LEN + sizeof(expected));
	assert_memory_equal(w.out[1] + BGP_HEADER_LEN, expected, sizeof(expected));
	w.out_len[1] = 0;
	announce(9);
	assert_int_equal(w.out_len[1], BGP_UPDATE_MIN_LEN + 3);
	assert_memory_equal(w.out[1] + BGP_HEADER_LEN, "\x00\x03\x10\x0a\x01\x00\x00", 7);
	sim_free(&w.sim);
}

/* A path through the peer's own AS is not told to it: it would drop it anyway. */
static void test_not_into_a_loop(void **state)
{
	const uint8_t body[] = {0, 0, 0, 24, 0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0xfd,
	    0xeb, 0x40, 3, 4, 10, 0, 0, 2, 16, 10, 1};

	(void)state;
	start(2);
	deliver(0, BGP_MSG_UPDATE, body, sizeof(body));
	assert_int_equal(sim_paths(&w.sim, 0, "10.1.0.0/16"), 1);
	assert_int_equal(w.out_len[1], 0);
	sim_free(&w.sim);
}

/* RFC 1997: a route with NO_EXPORT or NO_ADVERTISE does not leave to another AS; any other community travels.
 */
static void test_well_known_communities(void **state)
{
	static const uint32_t communities[] = {BGP_COMMUNITY_NO_EXPORT, BGP_COMMUNITY_NO_ADVERTISE,
	    BGP_COMMUNITY_NO_EXPORT_SUBCONFED, 0xfdea0007};
	uint8_t body[] = {0, 0, 0, 27, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 10, 0,
	    0, 2, 0xc0, 8, 4, 0, 0, 0, 0, 16, 10, 1};
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint32_t be = __builtin_bswap32(communities[i]);

		start(2);
		memcpy(body + 27, &be, 4);
		deliver(0, BGP_MSG_UPDATE, body, sizeof(body));
		assert_int_equal(sim_paths(&w.sim, 0, "10.1.0.0/16"), 1);
		assert_int_equal(w.out_len[1] != 0, i == 3);
		sim_free(&w.sim);
	}
}

/* RFC 4456 §8: what route reflectors add within their AS does not leave ours. */
static void test_reflection_attributes(void **state)
{
	static const uint8_t body[] = {0, 0, 0, 35, 0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 0, 0, 2, 0x40,
	    5, 4, 0, 0, 0, 100, 0x80, 9, 4, 1, 1, 1, 1, 0x80, 10, 4, 2, 2, 2, 2, 16, 10, 1};
	static const uint8_t expected[] = {0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9,
	    0x40, 3, 4, 10, 0, 0, 1, 16, 10, 1};
	struct bgp_peer_config internal = {.as = 65001, .passive = true};
	uint8_t open[OPEN_LEN];

	(void)state;
	start(2);
	sim_set_peer(&w.sim, 0, 1, &internal);
	pull();
	memcpy(open, opens[0], OPEN_LEN);
	open[2] = open[OPEN_LEN - 1] = 0xe9;
	connect_peer(0);
	deliver(0, BGP_MSG_OPEN, open, OPEN_LEN);
	deliver(0, BGP_MSG_KEEPALIVE, NULL, 0);
	w.out_len[1] = 0;
	deliver(0, BGP_MSG_UPDATE, body, sizeof(body));
	assert_int_equal(w.out_len[1], BGP_HEADER_LEN + sizeof(expected));
	assert_memory_equal(w.out[1] + BGP_HEADER_LEN, expected, sizeof(expected));
	sim_free(&w.sim);
}

/* RFC 7606 §5.1: MP_REACH_NLRI is the first attribute. */
static void test_mp_reach_first(void **state)
{
	static const uint8_t head[] = {0x90, 14, 0, 26, 0, 2, 1, 16};

	(void)state;
	start(1);
	sim_announce(&w.sim, 0, "fd00:1::/32");
	pull();
	assert_true(w.out_len[0] > BGP_UPDATE_MIN_LEN + sizeof(head));
	assert_memory_equal(w.out[0] + BGP_UPDATE_MIN_LEN, head, sizeof(head));
	sim_free(&w.sim);
}

/* RFC 6286 §2.2: our identifier is an error within our AS only. */
static void test_same_identifier(void **state)
{
	struct bgp_peer_config internal = {.as = 65001, .passive = true};
	struct bgp_peer_info info;
	uint8_t open[OPEN_LEN];

	(void)state;
	start(0);
	connect_peer(0);
	memcpy(open, opens[0], OPEN_LEN);
	open[8] = 1; /* 10.0.0.1 */
	deliver(0, BGP_MSG_OPEN, open, OPEN_LEN);
	deliver(0, BGP_MSG_KEEPALIVE, NULL, 0);
	assert_int_equal(sim_state(&w.sim, 0, 1), BGP_ESTABLISHED);
	sim_free(&w.sim);
	start(0);
	sim_set_peer(&w.sim, 0, 1, &internal);
	connect_peer(0);
	open[2] = open[OPEN_LEN - 1] = 0xe9; /* AS 65001 */
	deliver(0, BGP_MSG_OPEN, open, OPEN_LEN);
	info = sim_info(&w.sim, 0, 1);
	assert_int_equal(info.error_out.code, BGP_ERROR_OPEN);
	assert_int_equal(info.error_out.subcode, BGP_OPEN_IDENTIFIER);
	sim_free(&w.sim);
}

/* RFC 4271 §4.2: a hold time of 0 means that nobody has to say anything, for ever. */
static void test_hold_time_zero(void **state)
{
	uint8_t open[OPEN_LEN];

	(void)state;
	start(0);
	connect_peer(0);
	memcpy(open, opens[0], OPEN_LEN);
	open[4] = 0;
	deliver(0, BGP_MSG_OPEN, open, OPEN_LEN);
	deliver(0, BGP_MSG_KEEPALIVE, NULL, 0);
	w.out_len[0] = 0;
	w.sim.now_ns += 86400 * NSEC_PER_SEC;
	pull();
	assert_int_equal(sim_state(&w.sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(w.out_len[0], 0);
	sim_free(&w.sim);
}

/* RFC 4271 §8.2.2: who never sends an OPEN is given four minutes. */
static void test_no_open(void **state)
{
	(void)state;
	start(0);
	connect_peer(0);
	w.sim.now_ns += 239 * NSEC_PER_SEC;
	pull();
	assert_int_equal(sim_state(&w.sim, 0, 1), BGP_OPENSENT);
	w.sim.now_ns += NSEC_PER_SEC;
	pull();
	assert_int_equal(sim_info(&w.sim, 0, 1).error_out.code, BGP_ERROR_HOLD_TIMER);
	sim_free(&w.sim);
}

/* RFC 2545 §3: the link-local address goes behind the global one. */
static void test_link_local_next_hop(void **state)
{
	struct bgp_peer_config c = {.as = 65002, .passive = true, .link_local = sim_addr("fe80::1")};
	struct ip_addr global = sim_addr("fd00::1");
	const uint8_t *hop = w.out[0] + BGP_UPDATE_MIN_LEN + 7;

	(void)state;
	start(0);
	sim_set_peer(&w.sim, 0, 1, &c);
	connect_peer(0);
	deliver(0, BGP_MSG_OPEN, opens[0], OPEN_LEN);
	deliver(0, BGP_MSG_KEEPALIVE, NULL, 0);
	w.out_len[0] = 0;
	sim_announce(&w.sim, 0, "fd00:1::/32");
	pull();
	assert_true(w.out_len[0] > BGP_UPDATE_MIN_LEN + 40);
	assert_int_equal(hop[0], 32);
	assert_memory_equal(hop + 1, global.b, 16);
	assert_memory_equal(hop + 17, c.link_local.b, 16);
	sim_free(&w.sim);
}

static void test_martians(void **state)
{
	static const struct {
		uint8_t nlri[5], len;
		const char *prefix;
		enum bgp_reason reason;
	} cases[] = {
	    {{8, 224}, 2, "224.0.0.0/8", BGP_REASON_MARTIAN},
	    {{8, 127}, 2, "127.0.0.0/8", BGP_REASON_MARTIAN},
	    {{16, 169, 254}, 3, "169.254.0.0/16", BGP_REASON_MARTIAN},
	    {{0}, 1, "0.0.0.0/0", BGP_REASON_DEFAULT_ROUTE},
	    {{1, 128}, 2, "128.0.0.0/1", BGP_REASON_DEFAULT_ROUTE},
	    {{8, 10}, 2, "10.0.0.0/8", BGP_REASON_BEST},
	};
	static const uint8_t attrs[] = {
	    0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 10, 0, 0, 2};
	struct bgp_path_info p;
	uint8_t body[40];
	size_t i;

	(void)state;
	start(1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(body, attrs, sizeof(attrs));
		memcpy(body + sizeof(attrs), cases[i].nlri, cases[i].len);
		deliver(0, BGP_MSG_UPDATE, body, sizeof(attrs) + cases[i].len);
		assert_true(sim_path(&w.sim, 0, cases[i].prefix, 0, &p));
		assert_int_equal(p.reason, cases[i].reason);
		assert_int_equal(p.active, cases[i].reason == BGP_REASON_BEST);
	}
	sim_free(&w.sim);
}

/* A peer that never reads costs a set, not a queue; its keepalives stay single. */
static void test_never_reads(void **state)
{
	struct bgp *bgp;
	struct bgp_totals before, after;
	struct ip_prefix p = sim_prefix("20.0.0.0/24");
	struct bgp_action action;
	unsigned i, round;

	(void)state;
	start(1);
	bgp = w.sim.node[0].bgp;
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 100; i++) {
			p.addr = ip_addr_v4(__builtin_bswap32(0x14000000u + (i << 8)));
			if (round % 2)
				bgp_local_remove(bgp, &p, BGP_SOURCE_STATIC);
			else
				bgp_local_add(bgp, &p, BGP_SOURCE_STATIC);
		}
		while (bgp_tick(bgp, w.sim.now_ns))
			;
		while (bgp_action_next(bgp, &action))
			;
		bgp_get_totals(bgp, round ? &after : &before);
	}
	assert_true(after.memory <= before.memory);
	assert_int_equal(sim_info(&w.sim, 0, 1).family[BGP_IPV4].unsent, 100);
	sim_free(&w.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_notification_is_not_answered),
	    cmocka_unit_test(test_treated_as_withdraw),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_passed_on),
	    cmocka_unit_test(test_not_into_a_loop),
	    cmocka_unit_test(test_well_known_communities),
	    cmocka_unit_test(test_reflection_attributes),
	    cmocka_unit_test(test_mp_reach_first),
	    cmocka_unit_test(test_same_identifier),
	    cmocka_unit_test(test_hold_time_zero),
	    cmocka_unit_test(test_no_open),
	    cmocka_unit_test(test_link_local_next_hop),
	    cmocka_unit_test(test_martians),
	    cmocka_unit_test(test_never_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
