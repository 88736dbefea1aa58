/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole cores talking to each other: sessions, exchange, collision, timers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bgp_sim.h"

static void two(struct sim *sim, uint32_t as0, uint32_t as1)
{
	struct bgp_peer_config to0 = {.as = as0}, to1 = {.as = as1};

	sim_init(sim);
	sim_add(sim, 0, as0, "10.0.0.1");
	sim_add(sim, 1, as1, "10.0.0.2");
	sim_peer(sim, 0, 1, &to1, &to0);
}

static void test_establish(void **state)
{
	struct sim sim;
	struct bgp_peer_info info;

	(void)state;
	two(&sim, 65001, 4200000002u);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim_state(&sim, 1, 0), BGP_ESTABLISHED);
	assert_int_equal(sim.node[0].ups, 1);
	info = sim_info(&sim, 0, 1);
	assert_int_equal(info.received.as, 4200000002u);
	assert_int_equal(info.hold_time_s, 90);
	assert_true(info.family[BGP_IPV4].eor_received && info.family[BGP_IPV6].eor_received);
	assert_true(info.family[BGP_IPV4].eor_sent && info.external);
	sim_run(&sim, 1000 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim.node[0].downs, 0);
	info = sim_info(&sim, 0, 1);
	assert_in_range(info.in[4], 33, 50); /* KEEPALIVEs: every 22 to 30 s */
	sim_free(&sim);
}

static void test_exchange(void **state)
{
	struct bgp_path_info p;
	struct bgp_attrs_info a;
	struct sim sim;
	char text[64];

	(void)state;
	two(&sim, 65001, 4200000002u);
	sim.chunk = 7;
	sim_announce(&sim, 0, "10.1.0.0/24");
	sim_announce(&sim, 0, "fd00:1::/64");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "fd00:2::/48");
	sim_run(&sim, NSEC_PER_SEC);
	assert_true(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_true(p.active && p.external && p.reason == BGP_REASON_BEST);
	bgp_attrs_get_info(p.attrs, &a);
	assert_true(ip_addr_equal(&a.next_hop, &sim.node[1].addr));
	assert_string_equal(bgp_attrs_format_path(p.attrs, text, sizeof(text)), "4200000002");
	assert_false(a.has_local_pref);
	assert_true(sim_path(&sim, 0, "fd00:2::/48", 0, &p));
	bgp_attrs_get_info(p.attrs, &a);
	assert_string_equal(ip_addr_format(&a.next_hop, text), "fd00::2");
	assert_int_equal(sim_paths(&sim, 1, "10.1.0.0/24"), 1);
	assert_int_equal(sim_paths(&sim, 1, "fd00:1::/64"), 1);
	sim_withdraw(&sim, 1, "10.2.0.0/16");
	sim_withdraw(&sim, 1, "fd00:2::/48");
	sim_run(&sim, NSEC_PER_SEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_false(sim_path(&sim, 0, "fd00:2::/48", 0, &p));
	sim_free(&sim);
}

static void test_ibgp(void **state)
{
	struct bgp_peer_config internal = {.as = 65001}, external = {.as = 65002}, to1 = {.as = 65001};
	struct bgp_path_info p;
	struct bgp_attrs_info a;
	struct sim sim;

	(void)state;
	/* 3 (65002) -- 0 == 1 == 2 (65001), no session between 0 and 2 */
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65001, "10.0.0.2");
	sim_add(&sim, 2, 65001, "10.0.0.3");
	sim_add(&sim, 3, 65002, "10.0.0.4");
	sim_peer(&sim, 0, 1, &internal, &internal);
	sim_peer(&sim, 1, 2, &internal, &internal);
	sim_peer(&sim, 0, 3, &external, &to1);
	sim_announce(&sim, 3, "10.3.0.0/16");
	sim_announce(&sim, 0, "10.1.0.0/16");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_true(sim_path(&sim, 1, "10.3.0.0/16", 0, &p));
	bgp_attrs_get_info(p.attrs, &a);
	assert_false(p.external);
	assert_true(ip_addr_equal(&a.next_hop, &sim.node[3].addr)); /* unchanged to an internal peer */
	assert_true(a.has_local_pref && a.local_pref == 100);
	assert_int_equal(sim_paths(&sim, 2, "10.3.0.0/16"), 0); /* not from internal to internal */
	assert_int_equal(sim_paths(&sim, 3, "10.1.0.0/16"), 1);
	internal.next_hop_self = true;
	sim_set_peer(&sim, 0, 1, &internal);
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim.node[0].downs, 0);
	assert_true(sim_path(&sim, 1, "10.3.0.0/16", 0, &p));
	bgp_attrs_get_info(p.attrs, &a);
	assert_true(ip_addr_equal(&a.next_hop, &sim.node[0].addr));
	sim_free(&sim);
}

static void test_default_deny(void **state)
{
	struct bgp_peer_config to0 = {.as = 65001},
			       to1 = {.as = 65002, .import_filter = "-", .export_filter = "-"};
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65002, "10.0.0.2");
	sim_peer(&sim, 0, 1, &to1, &to0);
	sim_announce(&sim, 0, "10.1.0.0/16");
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_false(sim_path(&sim, 1, "10.1.0.0/16", 0, &p));
	assert_true(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_true(!p.active && p.reason == BGP_REASON_NO_POLICY);
	assert_int_equal(sim_info(&sim, 0, 1).family[BGP_IPV4].filtered, 1);
	/* A policy given later is applied to what was kept, without a new session. */
	strcpy(to1.import_filter, "all");
	sim_set_peer(&sim, 0, 1, &to1);
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim_paths(&sim, 0, "10.2.0.0/16"), 1);
	assert_int_equal(sim.node[0].downs, 0);
	assert_int_equal(sim_info(&sim, 0, 1).family[BGP_IPV4].accepted, 1);
	sim_free(&sim);
}

/* Both connect at the same moment: one connection remains, the higher identifier's. */
static void test_collision(void **state)
{
	struct sim sim;
	struct bgp_peer_info info;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		two(&sim, 65001, 65002);
		sim.chunk = i ? 1 : 0;
		sim_run(&sim, 300 * NSEC_PER_SEC);
		info = sim_info(&sim, 0, 1);
		assert_int_equal(info.state, BGP_ESTABLISHED);
		assert_int_equal(sim_state(&sim, 1, 0), BGP_ESTABLISHED);
		assert_int_equal(sim.node[0].downs + sim.node[1].downs, 0);
		assert_int_equal(sim.node[0].ups, 1);
		assert_int_equal(
		    info.local.port, 179); /* 10.0.0.2 is higher: its connection, which came to us */
		assert_false(info.error_in.there);
		sim_free(&sim);
	}
}

static void test_hold_timer(void **state)
{
	struct bgp_peer_config to0 = {.as = 65001, .hold_time_s = 9}, to1 = {.as = 65002, .hold_time_s = 30};
	struct sim sim;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65002, "10.0.0.2");
	sim_peer(&sim, 0, 1, &to1, &to0);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_run(&sim, 30 * NSEC_PER_SEC);
	assert_int_equal(sim_info(&sim, 0, 1).hold_time_s, 9);
	sim_cut(&sim, 1);
	sim_run(&sim, 5 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim_paths(&sim, 0, "10.2.0.0/16"), 1);
	sim_run(&sim, 5 * NSEC_PER_SEC);
	assert_int_equal(sim.node[0].downs, 1);
	assert_int_equal(sim_paths(&sim, 0, "10.2.0.0/16"), 0); /* an expired timer is no graceful restart */
	assert_int_equal(sim_info(&sim, 0, 1).error_out.code, 4);
	sim_mend(&sim, 1);
	sim_run(&sim, 120 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim_paths(&sim, 0, "10.2.0.0/16"), 1);
	sim_free(&sim);
}

static void test_wrong_as(void **state)
{
	struct bgp_peer_config to0 = {.as = 65001}, to1 = {.as = 65003};
	struct bgp_peer_info info;
	struct sim sim;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65002, "10.0.0.2");
	sim_peer(&sim, 0, 1, &to1, &to0);
	sim_run(&sim, 60 * NSEC_PER_SEC);
	info = sim_info(&sim, 0, 1);
	assert_int_not_equal(info.state, BGP_ESTABLISHED);
	assert_int_equal(info.error_out.code, 2);
	assert_int_equal(info.error_out.subcode, 2);
	info = sim_info(&sim, 1, 0);
	assert_int_equal(info.error_in.code, 2);
	assert_string_equal(info.error_in.text, "OPEN Message Error/Bad Peer AS");
	/* Attempts become rarer while the error repeats. */
	assert_in_range(info.out[1], 2, 12);
	sim_free(&sim);
}

static void test_reset_and_remove(void **state)
{
	struct sim sim;
	struct bgp_totals totals;

	(void)state;
	two(&sim, 65001, 65002);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 0, "10.1.0.0/16");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(bgp_peer_reset(sim.node[0].bgp, "n1", sim.now_ns), 0);
	sim_run(&sim, 60 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim.node[1].downs, 1);
	assert_int_equal(sim_info(&sim, 1, 0).error_in.subcode, 4);
	assert_int_equal(bgp_filter_remove(sim.node[0].bgp, "all"), ERR_BUSY);
	assert_int_equal(bgp_peer_remove(sim.node[0].bgp, "n1", sim.now_ns), 0);
	assert_int_equal(bgp_peer_remove(sim.node[0].bgp, "n1", sim.now_ns), ERR_NOENT);
	assert_int_equal(bgp_filter_remove(sim.node[0].bgp, "all"), 0);
	sim_run(&sim, 10 * NSEC_PER_SEC);
	assert_null(bgp_peer_next_name(sim.node[0].bgp, NULL));
	bgp_get_totals(sim.node[0].bgp, &totals);
	assert_int_equal(totals.paths[BGP_IPV4], 1); /* our own */
	assert_int_equal(sim_info(&sim, 1, 0).error_in.subcode, 3);
	assert_int_equal(sim_paths(&sim, 1, "10.1.0.0/16"), 0);
	sim_free(&sim);
}

/* A session that no change touches stays up; a new hold time resets it. */
static void test_reload(void **state)
{
	struct bgp_peer_config to1 = {.as = 65002};
	struct sim sim;

	(void)state;
	two(&sim, 65001, 65002);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	sim_set_peer(&sim, 0, 1, &to1);
	to1.max_prefixes = 100;
	sim_set_peer(&sim, 0, 1, &to1);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim.node[0].downs + sim.node[1].downs, 0);
	to1.hold_time_s = 30;
	sim_set_peer(&sim, 0, 1, &to1);
	sim_run(&sim, 60 * NSEC_PER_SEC);
	assert_int_equal(sim.node[1].downs, 1);
	assert_int_equal(sim_info(&sim, 1, 0).error_in.subcode, 6);
	assert_int_equal(sim_info(&sim, 1, 0).hold_time_s, 30);
	to1.disabled = true;
	sim_set_peer(&sim, 0, 1, &to1);
	sim_run(&sim, 60 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_IDLE);
	assert_int_equal(sim_info(&sim, 1, 0).error_in.subcode, 2);
	to1.disabled = false;
	sim_set_peer(&sim, 0, 1, &to1);
	sim_run(&sim, 100 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	sim_free(&sim);
}

static void test_route_refresh(void **state)
{
	struct sim sim;
	uint64_t before;

	(void)state;
	two(&sim, 65001, 65002);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "fd00:2::/48");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	before = sim_info(&sim, 0, 1).in[2];
	assert_int_equal(bgp_peer_refresh(sim.node[0].bgp, "n1", sim.now_ns), 0);
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim_info(&sim, 1, 0).in[5], 2);
	assert_int_equal(sim_info(&sim, 0, 1).in[2], before + 2);
	assert_int_equal(sim.node[0].downs, 0);
	sim_free(&sim);
}

static void test_max_prefixes(void **state)
{
	struct bgp_peer_config to0 = {.as = 65001}, to1 = {.as = 65002, .max_prefixes = 2};
	struct sim sim;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65002, "10.0.0.2");
	sim_peer(&sim, 0, 1, &to1, &to0);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "10.3.0.0/16");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim.node[0].downs, 0);
	sim_announce(&sim, 1, "10.4.0.0/16");
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim.node[0].downs, 1);
	assert_int_equal(sim_info(&sim, 1, 0).error_in.code, 6);
	assert_int_equal(sim_info(&sim, 1, 0).error_in.subcode, 1);
	assert_int_equal(sim_paths(&sim, 0, "10.2.0.0/16"), 0);
	sim_free(&sim);
}

/* A thousand flaps before anybody looks are one change for the FIB and one UPDATE for the peer. */
static void test_flapping(void **state)
{
	struct bgp_route_change changes[8];
	struct bgp_action action;
	struct sim sim;
	unsigned i;
	uint64_t before;

	(void)state;
	two(&sim, 65001, 65002);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	sim.node[1].routes = 0;
	before = sim_info(&sim, 1, 0).in[2];
	for (i = 0; i < 1000; i++) {
		sim_announce(&sim, 0, "10.1.0.0/16");
		bgp_tick(sim.node[0].bgp, sim.now_ns);
		sim_withdraw(&sim, 0, "10.1.0.0/16");
		bgp_tick(sim.node[0].bgp, sim.now_ns);
	}
	sim_announce(&sim, 0, "10.1.0.0/16");
	bgp_tick(sim.node[0].bgp, sim.now_ns);
	assert_int_equal(bgp_routes_pull(sim.node[0].bgp, changes, 8), 1);
	assert_true(changes[0].local && changes[0].n_paths == 0);
	assert_int_equal(bgp_routes_pull(sim.node[0].bgp, changes, 8), 0);
	(void)action;
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim_info(&sim, 1, 0).in[2], before + 1);
	assert_int_equal(sim.node[1].routes, 1);
	sim_free(&sim);
}

/* Twenty thousand prefixes in slices, then the peer goes: nothing is left behind. */
static void test_many(void **state)
{
	struct sim sim;
	struct bgp_totals totals;
	struct ip_prefix p = sim_prefix("20.0.0.0/24");
	unsigned i;

	(void)state;
	two(&sim, 65001, 65002);
	for (i = 0; i < 20000; i++) {
		p.addr = ip_addr_v4(__builtin_bswap32(0x14000000u + (i << 8)));
		assert_int_equal(bgp_local_add(sim.node[1].bgp, &p, BGP_SOURCE_STATIC), 0);
	}
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim_info(&sim, 0, 1).family[BGP_IPV4].accepted, 20000);
	assert_int_equal(sim_info(&sim, 1, 0).family[BGP_IPV4].sent, 20000);
	assert_int_equal(sim.node[0].routes, 20000);
	assert_in_range(
	    sim_info(&sim, 0, 1).in[2], 20, 60); /* packed by attributes: 1000 prefixes of 4 bytes each */
	bgp_peer_remove(sim.node[1].bgp, "n0", sim.now_ns);
	sim_run(&sim, NSEC_PER_MSEC);
	bgp_get_totals(sim.node[0].bgp, &totals);
	assert_int_equal(totals.prefixes[BGP_IPV4], 0);
	assert_int_equal(totals.paths[BGP_IPV4], 0);
	assert_int_equal(sim.node[0].routes, 40000);
	sim_free(&sim);
}

static void test_shutdown(void **state)
{
	struct sim sim;

	(void)state;
	two(&sim, 65001, 65002);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	bgp_shutdown(sim.node[0].bgp, true, sim.now_ns);
	sim_run(&sim, NSEC_PER_SEC);
	assert_int_equal(sim.node[1].downs, 1);
	assert_string_equal(sim.node[1].last_down, "peer says: Cease/Administrative Shutdown");
	assert_int_equal(sim_state(&sim, 0, 1), BGP_IDLE);
	sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_establish),
	    cmocka_unit_test(test_exchange),
	    cmocka_unit_test(test_ibgp),
	    cmocka_unit_test(test_default_deny),
	    cmocka_unit_test(test_collision),
	    cmocka_unit_test(test_hold_timer),
	    cmocka_unit_test(test_wrong_as),
	    cmocka_unit_test(test_reset_and_remove),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_route_refresh),
	    cmocka_unit_test(test_max_prefixes),
	    cmocka_unit_test(test_flapping),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
