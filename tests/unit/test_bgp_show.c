/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings and the edges of the interface: cursors, filters of listings, bad configuration, connections. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bgp_sim.h"

/* 0 (65001) -- 1 (65002), 0 -- 2 (65003); node 1 and 2 announce some of the same. */
static void three(struct sim *sim)
{
	struct bgp_peer_config to0 = {.as = 65001}, to1 = {.as = 65002}, to2 = {.as = 65003};

	sim_init(sim);
	sim_add(sim, 0, 65001, "10.0.0.1");
	sim_add(sim, 1, 65002, "10.0.0.2");
	sim_add(sim, 2, 65003, "10.0.0.3");
	sim_peer(sim, 0, 1, &to1, &to0);
	sim_peer(sim, 0, 2, &to2, &to0);
	sim_announce(sim, 1, "10.0.0.0/8");
	sim_announce(sim, 1, "10.1.0.0/16");
	sim_announce(sim, 2, "10.1.0.0/16");
	sim_announce(sim, 2, "10.1.2.0/24");
	sim_announce(sim, 2, "172.16.0.0/12");
	sim_announce(sim, 1, "fd00:1::/32");
	sim_announce(sim, 0, "10.9.0.0/16");
	sim_run(sim, 20 * NSEC_PER_SEC);
}

/* "prefix peer, prefix peer, ..." */
static const char *list(struct sim *sim, struct bgp_route_query query)
{
	static char text[1000];
	struct bgp_route_cursor cursor = {0};
	struct bgp_path_info p;
	char prefix[IP_PREFIX_STRLEN];
	size_t used = 0;

	text[0] = '\0';
	while (bgp_route_next(sim->node[0].bgp, &query, &cursor, &p)) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s", used ? ", " : "",
		    ip_prefix_format(&p.prefix, prefix), *p.peer ? p.peer : "own");
	}
	return text;
}

static void test_listings(void **state)
{
	struct ip_prefix any4 = sim_prefix("0.0.0.0/0"), any6 = sim_prefix("::/0");
	struct sim sim;

	(void)state;
	three(&sim);
	assert_string_equal(list(&sim, (struct bgp_route_query){.prefix = any4}),
	    "10.0.0.0/8 n1, 10.1.0.0/16 n1, 10.1.0.0/16 n2, 10.1.2.0/24 n2, 10.9.0.0/16 own, 172.16.0.0/12 "
	    "n2");
	assert_string_equal(list(&sim, (struct bgp_route_query){.prefix = any6}), "fd00:1::/32 n1");
	assert_string_equal(list(&sim, (struct bgp_route_query){.match = BGP_MATCH_LONGER,
					   .prefix = sim_prefix("10.1.0.0/16")}),
	    "10.1.0.0/16 n1, 10.1.0.0/16 n2, 10.1.2.0/24 n2");
	assert_string_equal(list(&sim, (struct bgp_route_query){.match = BGP_MATCH_COVERING,
					   .prefix = sim_prefix("10.1.2.3/32")}),
	    "10.0.0.0/8 n1, 10.1.0.0/16 n1, 10.1.0.0/16 n2, 10.1.2.0/24 n2");
	assert_string_equal(list(&sim, (struct bgp_route_query){.match = BGP_MATCH_EXACT,
					   .prefix = sim_prefix("10.1.0.0/16")}),
	    "10.1.0.0/16 n1, 10.1.0.0/16 n2");
	assert_string_equal(list(&sim, (struct bgp_route_query){.match = BGP_MATCH_EXACT,
					   .prefix = sim_prefix("10.1.0.0/17")}),
	    "");
	assert_string_equal(list(&sim, (struct bgp_route_query){.prefix = any4, .peer = "n2"}),
	    "10.1.0.0/16 n2, 10.1.2.0/24 n2, 172.16.0.0/12 n2");
	sim_free(&sim);
}

/* What n2 was told: not its own, the best of the others, with the attributes as sent. */
static void test_advertised(void **state)
{
	struct bgp_route_query query = {.prefix = sim_prefix("0.0.0.0/0"), .peer = "n2", .advertised = true};
	struct bgp_route_cursor cursor = {0};
	struct bgp_attrs_info a;
	struct bgp_path_info p;
	struct sim sim;
	char text[60];

	(void)state;
	three(&sim);
	assert_string_equal(list(&sim, query), "10.0.0.0/8 n1, 10.1.0.0/16 n1, 10.9.0.0/16 own");
	assert_true(bgp_route_next(sim.node[0].bgp, &query, &cursor, &p));
	bgp_attrs_get_info(p.attrs, &a);
	assert_string_equal(bgp_attrs_format_path(p.attrs, text, sizeof(text)), "65001 65002");
	assert_true(ip_addr_equal(&a.next_hop, &sim.node[0].addr));
	query.peer = "nobody";
	assert_string_equal(list(&sim, query), "");
	sim_free(&sim);
}

/* The table changes between two calls: the listing goes on behind where it was. */
static void test_cursor(void **state)
{
	struct bgp_route_query query = {.prefix = sim_prefix("0.0.0.0/0")};
	struct bgp_route_cursor cursor = {0};
	struct bgp_path_info p;
	struct sim sim;
	char text[IP_PREFIX_STRLEN];

	(void)state;
	three(&sim);
	assert_true(bgp_route_next(sim.node[0].bgp, &query, &cursor, &p));
	assert_true(bgp_route_next(sim.node[0].bgp, &query, &cursor, &p));
	assert_string_equal(ip_prefix_format(&p.prefix, text), "10.1.0.0/16");
	sim_kill(&sim, 2);
	sim_kill(&sim, 1);
	assert_int_equal(bgp_peer_remove(sim.node[0].bgp, "n1", sim.now_ns), 0);
	assert_int_equal(bgp_peer_remove(sim.node[0].bgp, "n2", sim.now_ns), 0);
	sim_run(&sim, NSEC_PER_SEC);
	assert_true(bgp_route_next(sim.node[0].bgp, &query, &cursor, &p));
	assert_string_equal(ip_prefix_format(&p.prefix, text), "10.9.0.0/16");
	assert_false(bgp_route_next(sim.node[0].bgp, &query, &cursor, &p));
	sim_free(&sim);
}

static void test_names_and_texts(void **state)
{
	struct bgp_peer_info info;
	struct sim sim;
	unsigned i;

	(void)state;
	three(&sim);
	assert_string_equal(bgp_peer_next_name(sim.node[0].bgp, NULL), "n1");
	assert_string_equal(bgp_peer_next_name(sim.node[0].bgp, "n1"), "n2");
	assert_null(bgp_peer_next_name(sim.node[0].bgp, "n2"));
	assert_int_equal(bgp_peer_get_info(sim.node[0].bgp, "n9", 0, &info), ERR_NOENT);
	for (i = 0; i < BGP_REASONS; i++)
		assert_non_null(bgp_reason_text((enum bgp_reason)i));
	for (i = 0; i < BGP_STEPS; i++)
		assert_non_null(bgp_step_text((enum bgp_step)i));
	assert_string_equal(bgp_state_text(BGP_ESTABLISHED), "Established");
	assert_string_equal(bgp_msg_text(2), "UPDATE");
	sim_free(&sim);
}

static void test_bad_configuration(void **state)
{
	const struct bgp_config wrong[] = {{.as = 0, .router_id = 1}, {.as = 23456, .router_id = 1},
	    {.as = UINT32_MAX, .router_id = 1}, {.as = 1, .router_id = 0}};
	struct bgp_peer_config good = {.address = sim_addr("10.0.0.9"), .as = 65009}, c;
	struct err_msg msg;
	struct bgp *bgp;
	struct sim sim;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_true(bgp_new(&wrong[i], 0, &bgp, &msg) < 0 && msg.text[0]);
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	bgp = sim.node[0].bgp;
	assert_int_equal(bgp_peer_set(bgp, "a", &good, sim.now_ns, &msg), 0);
	assert_int_equal(bgp_peer_set(bgp, "b", &good, sim.now_ns, &msg), ERR_EXISTS);
	assert_string_equal(msg.text, "peer b: address 10.0.0.9 is peer a already");
	good.address = sim_addr("10.0.0.8");
	assert_int_equal(bgp_peer_set(bgp, "", &good, sim.now_ns, &msg), ERR_INVALID);
	c = good;
	c.as = 0;
	assert_int_equal(bgp_peer_set(bgp, "b", &c, sim.now_ns, &msg), ERR_RANGE);
	c = good;
	c.hold_time_s = 2;
	assert_int_equal(bgp_peer_set(bgp, "b", &c, sim.now_ns, &msg), ERR_RANGE);
	c = good;
	c.restart_time_s = 4096;
	assert_int_equal(bgp_peer_set(bgp, "b", &c, sim.now_ns, &msg), ERR_RANGE);
	c = good;
	c.address = sim_addr("0.0.0.0");
	assert_int_equal(bgp_peer_set(bgp, "b", &c, sim.now_ns, &msg), ERR_INVALID);
	c = good;
	strcpy(c.import_filter, "nothing");
	assert_int_equal(bgp_peer_set(bgp, "b", &c, sim.now_ns, &msg), ERR_NOENT);
	assert_string_equal(msg.text, "peer b: no filter is named nothing");
	assert_null(bgp_peer_next_name(bgp, "a"));
	sim_free(&sim);
}

/* Strangers are refused; a peer that connects again gives up the connection on which it said nothing. */
static void test_accept(void **state)
{
	struct bgp_peer_config c = {.address = sim_addr("10.0.0.9"), .as = 65009, .passive = true};
	struct ip_endpoint local = {sim_addr("10.0.0.1"), 179}, remote = {sim_addr("10.0.0.8"), 4000};
	uint64_t first, second;
	struct sim sim;
	struct bgp *bgp;
	uint8_t room[BGP_OUTPUT_MIN];

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	bgp = sim.node[0].bgp;
	assert_int_equal(bgp_peer_set(bgp, "a", &c, sim.now_ns, NULL), 0);
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &first), ERR_NOENT);
	remote.addr = c.address;
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &first), 0);
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &second), 0);
	assert_true(first != second);
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &second), 0);
	/* Three places are taken until the old ones are closed. */
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &second), ERR_BUSY);
	sim_run(&sim, 2 * NSEC_PER_SEC);
	assert_int_equal(
	    bgp_conn_output(bgp, first, room, sizeof(room), sim.now_ns), 0); /* an id that is over */
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &second), 0);
	c.disabled = true;
	assert_int_equal(bgp_peer_set(bgp, "a", &c, sim.now_ns, NULL), 0);
	assert_int_equal(bgp_conn_accept(bgp, &local, &remote, "", sim.now_ns, &second), ERR_PERM);
	sim_free(&sim);
}

/* Peers over link-local addresses: the interface tells them apart. */
static void test_link_local(void **state)
{
	struct bgp_peer_config c = {
	    .address = sim_addr("fe80::2"), .as = 65009, .passive = true, .interface = "wg0"};
	struct ip_endpoint local = {sim_addr("fe80::1"), 179}, remote = {sim_addr("fe80::2"), 4000};
	struct bgp_peer_info info;
	struct sim sim;
	uint64_t conn;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	assert_int_equal(bgp_peer_set(sim.node[0].bgp, "a", &c, sim.now_ns, NULL), 0);
	strcpy(c.interface, "wg1");
	assert_int_equal(bgp_peer_set(sim.node[0].bgp, "b", &c, sim.now_ns, NULL), 0);
	assert_int_equal(
	    bgp_conn_accept(sim.node[0].bgp, &local, &remote, "wg2", sim.now_ns, &conn), ERR_NOENT);
	assert_int_equal(bgp_conn_accept(sim.node[0].bgp, &local, &remote, "wg1", sim.now_ns, &conn), 0);
	assert_int_equal(bgp_peer_get_info(sim.node[0].bgp, "b", sim.now_ns, &info), 0);
	assert_int_equal(info.state, BGP_OPENSENT);
	assert_int_equal(bgp_peer_get_info(sim.node[0].bgp, "a", sim.now_ns, &info), 0);
	assert_int_equal(info.state, BGP_ACTIVE);
	sim_free(&sim);
}

/* Any bytes instead of a session: an answer, a closed connection, no harm. */
static void test_garbage(void **state)
{
	struct bgp_peer_config c = {.address = sim_addr("10.0.0.9"), .as = 65009, .passive = true};
	struct ip_endpoint local = {sim_addr("10.0.0.1"), 179}, remote = {sim_addr("10.0.0.9"), 4000};
	struct bgp_peer_info info;
	struct sim sim;
	uint64_t conn;

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	assert_int_equal(bgp_peer_set(sim.node[0].bgp, "a", &c, sim.now_ns, NULL), 0);
	assert_int_equal(bgp_conn_accept(sim.node[0].bgp, &local, &remote, "", sim.now_ns, &conn), 0);
	bgp_conn_input(sim.node[0].bgp, conn, "GET / HTTP/1.0\r\n\r\n", 18, sim.now_ns);
	bgp_conn_input(sim.node[0].bgp, conn, "and more", 8, sim.now_ns);
	sim_run(&sim, 2 * NSEC_PER_SEC);
	assert_int_equal(bgp_peer_get_info(sim.node[0].bgp, "a", sim.now_ns, &info), 0);
	assert_int_equal(info.error_out.code, 1);
	assert_int_equal(info.error_out.subcode, 1);
	assert_int_equal(sim.node[0].closes, 1);
	assert_int_equal(info.out[3], 1);
	sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_listings),
	    cmocka_unit_test(test_advertised),
	    cmocka_unit_test(test_cursor),
	    cmocka_unit_test(test_names_and_texts),
	    cmocka_unit_test(test_bad_configuration),
	    cmocka_unit_test(test_accept),
	    cmocka_unit_test(test_link_local),
	    cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
