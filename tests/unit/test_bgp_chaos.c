/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four cores in a ring under random announcements, resets, kills, silent lines and
 * changed filters. When it is quiet again every core must know exactly what is announced.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bgp_sim.h"

#define PREFIXES 24
#define ROUNDS	 160
#define CHECKED	 8 /* rounds between two looks */

static struct sim sim;
static bool announced[SIM_NODES][PREFIXES];
static uint32_t seed;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static const char *name_of(unsigned prefix)
{
	static char text[40];

	snprintf(text, sizeof(text), prefix % 2 ? "fd00:%x::/32" : "10.%u.0.0/16", prefix);
	return text;
}

static void start_node(int node, bool restarting)
{
	struct bgp_config config = {.as = 65001 + (uint32_t)node, .restarting = restarting, .slice = 8};
	char addr[24];
	unsigned i;

	snprintf(addr, sizeof(addr), "10.0.0.%d", node + 1);
	sim_add_config(&sim, node, &config, addr);
	for (i = 0; i < PREFIXES; i++) {
		if (announced[node][i])
			sim_announce(&sim, node, name_of(i));
	}
}

static void join(int node, int other)
{
	struct bgp_peer_config c = {.as = 65001 + (uint32_t)other, .hold_time_s = 9, .restart_time_s = 30};
	char addr[24];

	snprintf(addr, sizeof(addr), "10.0.0.%d", other + 1);
	sim.node[other].addr = sim_addr(addr);
	sim_set_peer(&sim, node, other, &c);
}

static void join_neighbors(int node)
{
	join(node, (node + 1) % SIM_NODES);
	join(node, (node + 3) % SIM_NODES);
}

static void set_filter(int node, bool accept)
{
	struct bgp_prefix_range range = {.prefix = sim_prefix("10.4.0.0/16")};
	const struct bgp_rule rules[] = {
	    {.ranges = &range, .n_ranges = 1, .action = accept ? BGP_RULE_ACCEPT : BGP_RULE_REJECT},
	    {.action = BGP_RULE_ACCEPT},
	};

	assert_int_equal(bgp_filter_set(sim.node[node].bgp, "all", rules, 2, NULL), 0);
}

static void flip_prefix(int node)
{
	unsigned i = pick(PREFIXES);

	announced[node][i] = !announced[node][i];
	if (announced[node][i])
		sim_announce(&sim, node, name_of(i));
	else
		sim_withdraw(&sim, node, name_of(i));
}

static void act_at_random(void)
{
	int node = (int)pick(SIM_NODES);
	char peer[8];

	snprintf(peer, sizeof(peer), "n%d", (node + (pick(2) ? 1 : 3)) % SIM_NODES);
	switch (pick(12)) {
	case 0:
		bgp_peer_reset(sim.node[node].bgp, peer, sim.now_ns);
		break;
	case 1:
		sim_kill(&sim, node);
		start_node(node, pick(2));
		join_neighbors(node);
		break;
	case 2:
		sim_cut(&sim, node);
		break;
	case 3:
		sim_mend(&sim, node);
		break;
	case 4:
		set_filter(node, pick(2));
		break;
	case 5:
		bgp_peer_set_usable(sim.node[node].bgp, peer, pick(2));
		break;
	case 6:
		bgp_peer_refresh(sim.node[node].bgp, peer, sim.now_ns);
		break;
	default:
		flip_prefix(node);
		break;
	}
	sim_run(&sim, pick(3) ? pick(300) * NSEC_PER_MSEC : pick(40) * NSEC_PER_SEC);
}

static void calm_down(void)
{
	char peer[8];
	int node, other;

	for (node = 0; node < SIM_NODES; node++) {
		sim_mend(&sim, node);
		set_filter(node, true);
		for (other = 0; other < SIM_NODES; other++) {
			snprintf(peer, sizeof(peer), "n%d", other);
			bgp_peer_set_usable(sim.node[node].bgp, peer, true);
		}
	}
	sim_run(&sim, 900 * NSEC_PER_SEC);
}

/* Hops along the ring to the nearest core that announces it; SIM_NODES: none does. */
static unsigned distance(int node, unsigned prefix)
{
	int hops;

	for (hops = 0; hops <= SIM_NODES / 2; hops++) {
		if (announced[(node + hops) % SIM_NODES][prefix] ||
		    announced[(node + SIM_NODES - hops) % SIM_NODES][prefix])
			return (unsigned)hops;
	}
	return SIM_NODES;
}

static void check_prefix(int node, unsigned i)
{
	struct bgp_path_info p;
	struct bgp_attrs_info a;
	bool known = sim_path(&sim, node, name_of(i), 0, &p), anywhere = distance(node, i) < SIM_NODES;

	if (known != anywhere)
		fail_msg("node %d, %s: known %d, announced %d", node, name_of(i), known, anywhere);
	if (!known)
		return;
	assert_true(p.active && !p.stale);
	bgp_attrs_get_info(p.attrs, &a);
	assert_int_equal(p.local, announced[node][i]);
	assert_int_equal(a.path_len, distance(node, i)); /* the short way, not just some way */
	if (!p.local)
		assert_true(announced[a.origin_as - 65001][i]);
}

static void check_all(void)
{
	struct bgp_totals totals;
	unsigned i;
	int node;

	for (node = 0; node < SIM_NODES; node++) {
		assert_true(bgp_is_idle(sim.node[node].bgp));
		assert_int_equal(sim_state(&sim, node, (node + 1) % SIM_NODES), BGP_ESTABLISHED);
		for (i = 0; i < PREFIXES; i++)
			check_prefix(node, i);
		bgp_get_totals(sim.node[node].bgp, &totals);
		assert_true(totals.prefixes[BGP_IPV4] + totals.prefixes[BGP_IPV6] <= PREFIXES);
	}
}

static void test_chaos(void **state)
{
	unsigned run, round;
	int node;

	(void)state;
	for (run = 1; run <= 8; run++) {
		seed = run * 2654435761u;
		memset(announced, 0, sizeof(announced));
		sim_init(&sim);
		sim.chunk = run % 3 ? 0 : 23;
		for (node = 0; node < SIM_NODES; node++)
			start_node(node, false);
		for (node = 0; node < SIM_NODES; node++)
			join_neighbors(node);
		for (round = 1; round <= ROUNDS; round++) {
			act_at_random();
			if (round % CHECKED)
				continue;
			calm_down();
			check_all();
		}
		sim_free(&sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
