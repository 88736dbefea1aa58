/* SPDX-License-Identifier: BSD-3-Clause */
/* Graceful restart (RFC 4724): helper and restarting speaker, on time and late. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bgp_sim.h"

static const struct bgp_peer_config to0 = {.as = 65001, .restart_time_s = 60};
static const struct bgp_peer_config to1 = {.as = 65002, .restart_time_s = 60};

static void two(struct sim *sim)
{
	sim_init(sim);
	sim_add(sim, 0, 65001, "10.0.0.1");
	sim_add(sim, 1, 65002, "10.0.0.2");
	sim_peer(sim, 0, 1, &to1, &to0);
	sim_announce(sim, 1, "10.2.0.0/16");
	sim_announce(sim, 1, "10.3.0.0/16");
	sim_announce(sim, 1, "fd00:2::/48");
	sim_run(sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim_paths(sim, 0, "10.3.0.0/16"), 1);
}

static void come_back(struct sim *sim, bool forwarding_kept)
{
	struct bgp_config config = {.as = 65002, .restarting = forwarding_kept};

	sim_add_config(sim, 1, &config, "10.0.0.2");
	sim_set_peer(sim, 1, 0, &to0);
}

static bool is_stale(struct sim *sim, const char *prefix)
{
	struct bgp_path_info p;

	assert_true(sim_path(sim, 0, prefix, 0, &p));
	assert_true(p.active);
	return p.stale;
}

static void test_kill_and_resume(void **state)
{
	struct bgp_path_info p;
	struct sim sim;
	size_t changes;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	changes = sim.node[0].routes;
	sim_run(&sim, 10 * NSEC_PER_SEC);
	assert_true(is_stale(&sim, "10.2.0.0/16") && is_stale(&sim, "fd00:2::/48"));
	assert_true(sim_info(&sim, 0, 1).restarting);
	assert_int_equal(sim_info(&sim, 0, 1).family[BGP_IPV4].stale, 2);
	assert_in_range(sim_info(&sim, 0, 1).restart_left_ns, 49 * NSEC_PER_SEC, 51 * NSEC_PER_SEC);
	come_back(&sim, true);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "fd00:2::/48");
	sim_run(&sim, 30 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_false(is_stale(&sim, "10.2.0.0/16") || is_stale(&sim, "fd00:2::/48"));
	assert_false(sim_path(&sim, 0, "10.3.0.0/16", 0, &p)); /* not announced anew: swept at End-of-RIB */
	assert_false(sim_info(&sim, 0, 1).restarting);
	assert_int_equal(
	    sim.node[0].routes, changes + 1); /* only the one that is gone: the others never moved */
	sim_free(&sim);
}

static void test_never_back(void **state)
{
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	sim_run(&sim, 59 * NSEC_PER_SEC);
	assert_true(is_stale(&sim, "10.2.0.0/16"));
	sim_run(&sim, 2 * NSEC_PER_SEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_false(sim_path(&sim, 0, "fd00:2::/48", 0, &p));
	sim_free(&sim);
}

/* Back, but its forwarding did not survive: no F bit, so its old routes go as soon as the session stands. */
static void test_forwarding_lost(void **state)
{
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	sim_run(&sim, 5 * NSEC_PER_SEC);
	come_back(&sim, false);
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	sim_free(&sim);
}

/* A NOTIFICATION is the end of the routes at once. */
static void test_notified_end(void **state)
{
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	bgp_shutdown(sim.node[1].bgp, true, sim.now_ns);
	sim_run(&sim, NSEC_PER_MSEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	sim_free(&sim);
}

/* Without a word: the way to end before a restart. */
static void test_silent_end(void **state)
{
	struct sim sim;

	(void)state;
	two(&sim);
	bgp_shutdown(sim.node[1].bgp, false, sim.now_ns);
	sim_run(&sim, NSEC_PER_SEC);
	assert_true(is_stale(&sim, "10.2.0.0/16"));
	sim_free(&sim);
}

/* The restarting side decides and announces nothing before all peers have told it their routes. */
static void test_deferral(void **state)
{
	struct bgp_peer_config third = {.as = 65003};
	struct bgp_config config = {.as = 65002, .restarting = true, .select_defer_ns = 15 * NSEC_PER_SEC};
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	sim_announce(&sim, 0, "10.1.0.0/16");
	sim_kill(&sim, 1);
	sim_add_config(&sim, 1, &config, "10.0.0.2");
	sim_set_peer(&sim, 1, 0, &to0);
	sim.node[2].addr = sim_addr("10.0.0.3"); /* a peer that is not there: it is waited for */
	sim_set_peer(&sim, 1, 2, &third);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_run(&sim, 10 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 1, 0), BGP_ESTABLISHED);
	assert_true(bgp_is_deferring(sim.node[1].bgp));
	assert_true(sim_path(&sim, 1, "10.1.0.0/16", 0, &p));
	assert_true(!p.active && p.reason == BGP_REASON_DEFERRED);
	assert_false(sim_info(&sim, 1, 0).family[BGP_IPV4].eor_sent);
	assert_true(is_stale(&sim, "10.2.0.0/16"));
	sim_run(&sim, 6 * NSEC_PER_SEC);
	assert_false(bgp_is_deferring(sim.node[1].bgp));
	assert_int_equal(sim_paths(&sim, 1, "10.1.0.0/16"), 1);
	assert_false(is_stale(&sim, "10.2.0.0/16"));
	assert_false(sim_path(&sim, 0, "10.3.0.0/16", 0, &p));
	sim_free(&sim);
}

/* All are back early: no need to wait for the timer. */
static void test_deferral_ends_early(void **state)
{
	struct sim sim;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	sim_run(&sim, NSEC_PER_SEC);
	come_back(&sim, true);
	sim_run(&sim, 3 * NSEC_PER_SEC);
	assert_false(bgp_is_deferring(sim.node[1].bgp));
	sim_free(&sim);
}

/* Nor for a peer that cannot be reached. */
static void test_deferral_without_the_unreachable(void **state)
{
	struct bgp_peer_config absent = {.as = 65003};
	struct sim sim;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	sim_run(&sim, NSEC_PER_SEC);
	come_back(&sim, true);
	sim.node[2].addr = sim_addr("10.0.0.3");
	sim_set_peer(&sim, 1, 2, &absent);
	sim_run(&sim, 3 * NSEC_PER_SEC);
	assert_true(bgp_is_deferring(sim.node[1].bgp));
	assert_int_equal(bgp_peer_set_usable(sim.node[1].bgp, "n2", false), 0);
	sim_run(&sim, NSEC_PER_SEC);
	assert_false(bgp_is_deferring(sim.node[1].bgp));
	sim_free(&sim);
}

/* Killed again before it told everything: what was stale already goes, what it told since is kept (§4.2). */
static void test_consecutive(void **state)
{
	struct bgp_peer_config absent = {.as = 65003};
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	sim_kill(&sim, 1);
	sim_run(&sim, NSEC_PER_SEC);
	come_back(&sim, true);
	sim.node[2].addr = sim_addr("10.0.0.3");
	sim_set_peer(&sim, 1, 2, &absent);
	sim_run(&sim, 5 * NSEC_PER_SEC); /* established, silent because it waits for the third */
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_true(is_stale(&sim, "10.2.0.0/16"));
	sim_kill(&sim, 1);
	sim_run(&sim, NSEC_PER_SEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	sim_free(&sim);
}

/* The peer is back before its death was noticed: its new OPEN ends the old session, routes stay (§4.2). */
static void test_back_unnoticed(void **state)
{
	struct sim sim;
	size_t changes;

	(void)state;
	two(&sim);
	changes = sim.node[0].routes;
	sim_cut(&sim, 1);
	sim_kill(&sim, 1);
	sim_mend(&sim, 1);
	come_back(&sim, true);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "10.3.0.0/16");
	sim_announce(&sim, 1, "fd00:2::/48");
	sim_run(&sim, 10 * NSEC_PER_SEC);
	assert_int_equal(sim_state(&sim, 0, 1), BGP_ESTABLISHED);
	assert_int_equal(sim.node[0].downs, 1);
	assert_int_equal(sim_info(&sim, 0, 1).established, 2);
	assert_int_equal(sim.node[0].routes, changes);
	sim_free(&sim);
}

static void test_switched_off(void **state)
{
	struct bgp_peer_config off = to1;
	struct bgp_path_info p;
	struct sim sim;

	(void)state;
	two(&sim);
	off.no_graceful_restart = true;
	sim_set_peer(&sim, 0, 1, &off);
	sim_run(&sim, 60 * NSEC_PER_SEC);
	assert_false(sim_info(&sim, 1, 0).received.graceful_restart);
	sim_kill(&sim, 1);
	sim_run(&sim, NSEC_PER_MSEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kill_and_resume),
	    cmocka_unit_test(test_never_back),
	    cmocka_unit_test(test_forwarding_lost),
	    cmocka_unit_test(test_notified_end),
	    cmocka_unit_test(test_silent_end),
	    cmocka_unit_test(test_deferral),
	    cmocka_unit_test(test_deferral_ends_early),
	    cmocka_unit_test(test_deferral_without_the_unreachable),
	    cmocka_unit_test(test_consecutive),
	    cmocka_unit_test(test_back_unnoticed),
	    cmocka_unit_test(test_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
