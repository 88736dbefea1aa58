/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decision: each step of RFC 4271 §9.1.2.2 decides once, and says so. A core with
 * passive peers, fed with UPDATEs that are written by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_open.h"
#include "bgp/bgp_update.h"
#include "bgp/bgp_wire.h"
#include "bgp_sim.h"

#define PEERS 6

struct fail {
	size_t used;
	unsigned countdown; /* the allocation that fails; 0: none */
	bool failed;
};

struct core {
	struct bgp *bgp;
	struct fail mem;
	uint64_t now_ns, conn[PEERS];
};

/* Peers 0..3 external (65100, 65100, 65102, 65103), 4 and 5 internal. */
static const uint32_t as_of[PEERS] = {65100, 65100, 65102, 65103, 65001, 65001};

static void *resize(void *arg, void *ptr, size_t old_size, size_t new_size)
{
	struct fail *f = arg;
	void *grown = NULL;

	if (new_size > old_size && f->countdown && --f->countdown == 0) {
		f->failed = true;
		return NULL;
	}
	if (new_size)
		grown = realloc(ptr, new_size);
	else
		free(ptr);
	f->used += new_size - old_size;
	return grown;
}

static const char *name_of(unsigned peer)
{
	static char names[PEERS][8];

	snprintf(names[peer], sizeof(names[peer]), "p%u", peer);
	return names[peer];
}

static void pull(struct core *c)
{
	static uint8_t out[8192];
	struct bgp_action action;
	struct bgp_route_change changes[8];

	while (bgp_tick(c->bgp, c->now_ns))
		;
	while (bgp_action_next(c->bgp, &action)) {
		while (action.kind == BGP_ACTION_SEND &&
		       bgp_conn_output(c->bgp, action.conn, out, sizeof(out), c->now_ns))
			;
	}
	while (bgp_routes_pull(c->bgp, changes, 8))
		;
}

static void establish(struct core *c, unsigned peer, uint32_t router_id)
{
	struct ip_endpoint local = {sim_addr("10.0.0.100"), 179}, remote = {sim_addr("10.0.0.1"), 4000};
	struct bgp_open open = {.router_id = router_id,
	    .caps = {.families = BGP_FAMILY_ALL,
		.as4 = true,
		.as = as_of[peer],
		.hold_time_s = 90,
		.refresh = true}};
	uint8_t room[256];
	struct buf_writer w;

	remote.addr.b[3] = (uint8_t)(peer + 1);
	if (bgp_conn_accept(c->bgp, &local, &remote, "", c->now_ns, &c->conn[peer]) != 0)
		return;
	buf_writer_init(&w, room, sizeof(room));
	bgp_open_write(&w, &open);
	bgp_msg_write_keepalive(&w);
	bgp_conn_input(c->bgp, c->conn[peer], room, buf_writer_len(&w), c->now_ns);
}

static int make(struct core *c)
{
	struct bgp_config config = {.as = 65001, .router_id = 100, .mem = {resize, &c->mem}};
	const struct bgp_rule all = {.action = BGP_RULE_ACCEPT};
	unsigned i;
	int err;

	c->now_ns = NSEC_PER_SEC;
	err = bgp_new(&config, c->now_ns, &c->bgp, NULL);
	if (err)
		return err;
	err = bgp_filter_set(c->bgp, "all", &all, 1, NULL);
	for (i = 0; i < PEERS && !err; i++) {
		struct bgp_peer_config peer = {.as = as_of[i],
		    .address = sim_addr("10.0.0.1"),
		    .passive = true,
		    .import_filter = "all",
		    .export_filter = "all"};

		peer.address.b[3] = (uint8_t)(i + 1);
		err = bgp_peer_set(c->bgp, name_of(i), &peer, c->now_ns, NULL);
	}
	return err;
}

static void start(struct core *c)
{
	unsigned i;

	memset(c, 0, sizeof(*c));
	assert_int_equal(make(c), 0);
	for (i = 0; i < PEERS; i++)
		establish(c, i, i + 1);
	pull(c);
}

static void stop(struct core *c)
{
	bgp_free(c->bgp);
	assert_int_equal(c->mem.used, 0);
}

struct path {
	unsigned peer;
	const char *next_hop; /* NULL: 10.0.0.(peer + 1) */
	uint32_t local_pref, med;
	unsigned prepend; /* more than the peer's own AS, or of 65200 for an internal one */
	uint8_t origin;
	bool has_med;
	uint32_t first; /* of an internal path: its first AS; 0: none */
};

static void announce(struct core *c, const struct path *p)
{
	static struct bgp_attr_build build;
	static const struct bgp_mem libc;
	struct ip_prefix prefix = sim_prefix("10.50.0.0/16");
	const struct ip_prefix *prefixes[1] = {&prefix};
	struct bgp_attr_table table;
	struct bgp_heap heap;
	struct bgp_attrs *attrs;
	uint8_t room[BGP_MSG_MAX];
	struct buf_writer w;
	char hop[20];

	bgp_mem_init(&heap, &libc);
	assert_int_equal(bgp_attr_table_init(&table, &heap), 0);
	bgp_attr_build_init(&build);
	snprintf(hop, sizeof(hop), "10.0.0.%u", p->peer + 1);
	build.core.next_hop = sim_addr(p->next_hop ? p->next_hop : hop);
	build.core.origin = p->origin;
	build.core.med = p->med;
	build.core.has_med = p->has_med;
	build.core.has_local_pref = p->local_pref != 0;
	build.core.local_pref = p->local_pref;
	bgp_attr_build_prepend(&build, 65200, p->prepend);
	if (as_of[p->peer] != 65001)
		bgp_attr_build_prepend(&build, as_of[p->peer], 1);
	else if (p->first)
		bgp_attr_build_prepend(&build, p->first, 1);
	assert_int_equal(bgp_attr_intern(&table, &build, &attrs), 0);
	buf_writer_init(&w, room, sizeof(room));
	assert_int_equal(bgp_update_write_reach(&w, BGP_IPV4, attrs, true, prefixes, 1), 1);
	bgp_attr_release(&table, attrs);
	bgp_attr_table_free(&table);
	bgp_conn_input(c->bgp, c->conn[p->peer], room, buf_writer_len(&w), c->now_ns);
}

/* The place-th path of the prefix. */
static bool look(struct core *c, unsigned place, struct bgp_path_info *out)
{
	struct bgp_route_query query = {.match = BGP_MATCH_EXACT, .prefix = sim_prefix("10.50.0.0/16")};
	struct bgp_route_cursor cursor = {0};
	unsigned i = 0;

	while (bgp_route_next(c->bgp, &query, &cursor, out)) {
		if (i++ == place)
			return true;
	}
	return false;
}

static void test_steps(void **state)
{
	static const struct {
		struct path win, lose;
		enum bgp_step step;
	} cases[] = {
	    {{.peer = 4, .local_pref = 200, .prepend = 9}, {.peer = 0}, BGP_STEP_LOCAL_PREF},
	    {{.peer = 2}, {.peer = 0, .prepend = 1}, BGP_STEP_PATH_LEN},
	    {{.peer = 2}, {.peer = 0, .origin = BGP_ORIGIN_EGP}, BGP_STEP_ORIGIN},
	    {{.peer = 2, .origin = BGP_ORIGIN_EGP}, {.peer = 0, .origin = BGP_ORIGIN_INCOMPLETE},
		BGP_STEP_ORIGIN},
	    {{.peer = 1, .has_med = true, .med = 5}, {.peer = 0, .has_med = true, .med = 6}, BGP_STEP_MED},
	    {{.peer = 1}, {.peer = 0, .has_med = true, .med = 6}, BGP_STEP_MED}, /* missing is the best */
	    /* other neighbours: MED does not count */
	    {{.peer = 0, .has_med = true, .med = 6}, {.peer = 2, .has_med = true, .med = 5},
		BGP_STEP_ROUTER_ID},
	    {{.peer = 3}, {.peer = 4, .local_pref = 100, .first = 65200}, BGP_STEP_EXTERNAL},
	    {{.peer = 2}, {.peer = 3}, BGP_STEP_ROUTER_ID},
	    {{.peer = 4, .next_hop = "10.9.0.1"}, {.peer = 5, .next_hop = "10.9.0.2"}, BGP_STEP_ROUTER_ID},
	};
	struct bgp_path_info best, second;
	struct core c;
	size_t i;
	unsigned order;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (order = 0; order < 2; order++) {
			start(&c);
			announce(&c, order ? &cases[i].win : &cases[i].lose);
			announce(&c, order ? &cases[i].lose : &cases[i].win);
			pull(&c);
			assert_true(look(&c, 0, &best));
			assert_string_equal(best.peer, name_of(cases[i].win.peer));
			assert_true(best.reason == BGP_REASON_BEST && best.active && best.rank == 0);
			assert_int_equal(best.step, cases[i].step);
			assert_string_equal(best.versus, name_of(cases[i].lose.peer));
			assert_true(look(&c, 1, &second));
			assert_string_equal(second.peer, name_of(cases[i].lose.peer));
			assert_true(second.reason == BGP_REASON_BACKUP && second.active && second.rank == 1);
			assert_int_equal(second.step, cases[i].step);
			assert_string_equal(second.versus, name_of(cases[i].win.peer));
			assert_false(look(&c, 2, &second));
			stop(&c);
		}
	}
}

static void test_cost(void **state)
{
	struct ip_addr near = sim_addr("10.9.0.2"), far = sim_addr("10.9.0.1");
	struct bgp_path_info best;
	struct core c;

	(void)state;
	start(&c);
	announce(&c, &(struct path){.peer = 4, .next_hop = "10.9.0.1"});
	announce(&c, &(struct path){.peer = 5, .next_hop = "10.9.0.2"});
	assert_int_equal(bgp_next_hop_set(c.bgp, &far, true, 20), 0);
	assert_int_equal(bgp_next_hop_set(c.bgp, &near, true, 10), 0);
	pull(&c);
	assert_true(look(&c, 0, &best));
	assert_string_equal(best.peer, "p5");
	assert_int_equal(best.step, BGP_STEP_COST);
	assert_int_equal(bgp_next_hop_set(c.bgp, &near, false, 10), 0);
	pull(&c);
	assert_true(look(&c, 0, &best));
	assert_string_equal(best.peer, "p4");
	assert_true(look(&c, 1, &best));
	assert_true(!best.active && best.reason == BGP_REASON_NEXT_HOP_DOWN);
	stop(&c);
}

/* The same identifier behind two addresses: the lower address. */
static void test_address(void **state)
{
	struct bgp_path_info best;
	struct core c;

	(void)state;
	memset(&c, 0, sizeof(c));
	assert_int_equal(make(&c), 0);
	establish(&c, 2, 7);
	establish(&c, 3, 7);
	announce(&c, &(struct path){.peer = 3});
	announce(&c, &(struct path){.peer = 2});
	pull(&c);
	assert_true(look(&c, 0, &best));
	assert_string_equal(best.peer, "p2");
	assert_int_equal(best.step, BGP_STEP_ADDRESS);
	stop(&c);
}

/* RFC 4271 §9.1.2.2 c: with MED the outcome must not depend on the order of arrival. */
static void test_med_order(void **state)
{
	/* a beats b by MED; b beats d by router id, d beats a by router id in pairs: only grouping is stable
	 */
	static const struct path paths[3] = {
	    {.peer = 1, .has_med = true, .med = 1}, {.peer = 0, .has_med = true, .med = 9}, {.peer = 2}};
	static const unsigned orders[6][3] = {
	    {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct bgp_path_info info;
	struct core c;
	unsigned i, j;

	(void)state;
	for (i = 0; i < 6; i++) {
		start(&c);
		for (j = 0; j < 3; j++)
			announce(&c, &paths[orders[i][j]]);
		pull(&c);
		assert_true(look(&c, 0, &info));
		assert_string_equal(info.peer, "p1");
		assert_true(look(&c, 1, &info));
		assert_string_equal(info.peer, "p0"); /* next contest: p0 against p2, by router id */
		assert_int_equal(info.step, BGP_STEP_MED);
		assert_true(look(&c, 2, &info));
		assert_string_equal(info.peer, "p2");
		stop(&c);
	}
}

static void test_distinct_next_hops(void **state)
{
	struct bgp_path_info info;
	struct core c;
	unsigned i;

	(void)state;
	start(&c);
	for (i = 0; i < PEERS; i++)
		announce(
		    &c, &(struct path){.peer = i, .next_hop = i == 1 ? "10.0.0.1" : NULL, .first = 65200});
	pull(&c);
	for (i = 0; i < PEERS; i++) {
		assert_true(look(&c, i, &info));
		if (info.active)
			assert_true(i < BGP_PATHS_MAX && info.rank == i);
		if (strcmp(info.peer, "p1") == 0)
			assert_true(!info.active && info.reason == BGP_REASON_DUPLICATE);
	}
	assert_false(look(&c, PEERS, &info));
	stop(&c);
}

/* A tunnel goes down: the peer's paths are out of use before BGP notices, and come back with it. */
static void test_peer_usable(void **state)
{
	struct bgp_route_change change[2];
	struct bgp_path_info info;
	struct core c;

	(void)state;
	start(&c);
	announce(&c, &(struct path){.peer = 0});
	announce(&c, &(struct path){.peer = 2});
	while (bgp_tick(c.bgp, c.now_ns))
		;
	assert_int_equal(bgp_routes_pull(c.bgp, change, 2), 1);
	assert_int_equal(change[0].n_paths, 2);
	assert_string_equal(change[0].paths[0].peer, "p0");
	assert_string_equal(change[0].paths[1].peer, "p2");
	assert_int_equal(bgp_peer_set_usable(c.bgp, "p0", false), 0);
	while (bgp_tick(c.bgp, c.now_ns))
		;
	assert_int_equal(bgp_routes_pull(c.bgp, change, 2), 1);
	assert_int_equal(change[0].n_paths, 1);
	assert_string_equal(change[0].paths[0].peer, "p2");
	assert_true(look(&c, 1, &info));
	assert_int_equal(info.reason, BGP_REASON_NEXT_HOP_DOWN);
	assert_int_equal(bgp_peer_set_usable(c.bgp, "p0", true), 0);
	pull(&c);
	assert_true(look(&c, 0, &info));
	assert_string_equal(info.peer, "p0");
	bgp_routes_repeat(c.bgp);
	assert_int_equal(bgp_routes_pull(c.bgp, change, 2), 1);
	assert_int_equal(bgp_peer_set_usable(c.bgp, "nobody", true), ERR_NOENT);
	stop(&c);
}

static void test_own_route_wins(void **state)
{
	struct ip_prefix prefix = sim_prefix("10.50.0.0/16");
	struct bgp_route_change change[2];
	struct bgp_path_info info;
	struct core c;

	(void)state;
	start(&c);
	announce(&c, &(struct path){.peer = 4, .local_pref = 900});
	pull(&c);
	assert_int_equal(bgp_local_add(c.bgp, &prefix, BGP_SOURCE_NETWORK), 0);
	assert_int_equal(bgp_local_add(c.bgp, &prefix, BGP_SOURCE_CONNECTED), 0);
	while (bgp_tick(c.bgp, c.now_ns))
		;
	assert_int_equal(bgp_routes_pull(c.bgp, change, 2), 1);
	assert_true(change[0].local && change[0].n_paths == 0);
	assert_true(look(&c, 0, &info));
	assert_true(info.local && info.step == BGP_STEP_LOCAL);
	assert_int_equal(bgp_local_remove(c.bgp, &prefix, BGP_SOURCE_NETWORK), 0);
	assert_int_equal(bgp_local_remove(c.bgp, &prefix, BGP_SOURCE_NETWORK), ERR_NOENT);
	pull(&c);
	assert_true(look(&c, 0, &info));
	assert_true(info.local); /* the other source still stands */
	assert_int_equal(bgp_local_remove(c.bgp, &prefix, BGP_SOURCE_CONNECTED), 0);
	pull(&c);
	assert_true(look(&c, 0, &info));
	assert_string_equal(info.peer, "p4");
	prefix.addr.b[3] = 1;
	assert_int_equal(bgp_local_add(c.bgp, &prefix, BGP_SOURCE_NETWORK), ERR_INVALID);
	stop(&c);
}

static void test_loops(void **state)
{
	struct bgp_path_info info;
	struct bgp_totals totals;
	struct core c;

	(void)state;
	start(&c);
	announce(&c, &(struct path){.peer = 4, .first = 65001});
	announce(&c, &(struct path){.peer = 0, .next_hop = "10.0.0.100"});
	pull(&c);
	assert_true(look(&c, 0, &info));
	assert_int_equal(info.reason, BGP_REASON_AS_LOOP);
	assert_true(look(&c, 1, &info));
	assert_int_equal(info.reason, BGP_REASON_NEXT_HOP_OURS);
	bgp_get_totals(c.bgp, &totals);
	assert_int_equal(totals.refused[BGP_REASON_AS_LOOP], 1);
	assert_int_equal(totals.paths[BGP_IPV4], 2);
	stop(&c);
}

/* Every allocation in turn fails: nothing breaks, nothing leaks, and the core goes on. */
static void test_no_memory(void **state)
{
	struct ip_prefix prefix = sim_prefix("10.60.0.0/16");
	struct core c;
	unsigned n, i;

	(void)state;
	for (n = 1;; n++) {
		memset(&c, 0, sizeof(c));
		c.mem.countdown = n;
		if (make(&c) == 0) {
			for (i = 0; i < PEERS; i++)
				establish(&c, i, i + 1);
			pull(&c);
			for (i = 0; i < PEERS; i++)
				announce(
				    &c, &(struct path){.peer = i, .first = 65200, .has_med = true, .med = i});
			bgp_local_add(c.bgp, &prefix, BGP_SOURCE_STATIC);
			pull(&c);
			bgp_peer_remove(c.bgp, "p0", c.now_ns);
			pull(&c);
		}
		bgp_free(c.bgp);
		assert_int_equal(c.mem.used, 0);
		if (!c.mem.failed)
			break;
	}
	assert_true(n > 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_steps),
	    cmocka_unit_test(test_cost),
	    cmocka_unit_test(test_address),
	    cmocka_unit_test(test_med_order),
	    cmocka_unit_test(test_distinct_next_hops),
	    cmocka_unit_test(test_peer_usable),
	    cmocka_unit_test(test_own_route_wins),
	    cmocka_unit_test(test_loops),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
