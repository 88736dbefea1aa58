/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters: length ranges, order, what rules set, and the refusal of default routes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_core.h"
#include "bgp_sim.h"

static struct bgp *make(void)
{
	struct bgp_config config = {.as = 65001, .router_id = 1};
	struct bgp *bgp;

	assert_int_equal(bgp_new(&config, 0, &bgp, NULL), 0);
	return bgp;
}

static struct bgp_verdict judge(struct bgp *bgp, const char *filter, const char *prefix)
{
	struct ip_prefix p = sim_prefix(prefix);
	struct bgp_verdict v;

	bgp_policy_judge(bgp_policy_find(bgp->filters, filter), true, &p, &v);
	return v;
}

static void test_ranges(void **state)
{
	static const struct {
		const char *prefix;
		uint8_t ge, le;
		const char *yes[3], *no[3];
	} cases[] = {
	    {"10.0.0.0/8", 0, 0, {"10.0.0.0/8"}, {"10.0.0.0/9", "11.0.0.0/8", "fd00::/8"}},
	    {"10.0.0.0/8", 16, 24, {"10.1.0.0/16", "10.1.2.0/24"},
		{"10.0.0.0/8", "10.0.0.0/15", "10.1.2.0/25"}},
	    {"10.0.0.0/8", 16, 0, {"10.1.0.0/16", "10.1.1.1/32"}, {"10.0.0.0/8", "9.1.0.0/16"}},
	    {"10.0.0.0/8", 0, 24, {"10.0.0.0/8", "10.1.2.0/24"}, {"10.1.2.0/25", "0.0.0.0/0"}},
	    {"fd00::/8", 32, 64, {"fd00:1::/32", "fd00:1::/64"}, {"fd00::/8", "fd00:1::/65", "10.1.0.0/16"}},
	};
	struct bgp *bgp = make();
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_prefix_range range = {sim_prefix(cases[i].prefix), cases[i].ge, cases[i].le};
		struct bgp_rule rule = {.ranges = &range, .n_ranges = 1, .action = BGP_RULE_ACCEPT};

		assert_int_equal(bgp_filter_set(bgp, "f", &rule, 1, NULL), 0);
		for (j = 0; j < 3 && cases[i].yes[j]; j++)
			assert_int_equal(judge(bgp, "f", cases[i].yes[j]).reason, BGP_REASON_BEST);
		for (j = 0; j < 3 && cases[i].no[j]; j++)
			assert_int_equal(judge(bgp, "f", cases[i].no[j]).reason, BGP_REASON_FILTER_END);
	}
	bgp_free(bgp);
}

static void test_rules_in_order(void **state)
{
	struct bgp_prefix_range ten = {.prefix = sim_prefix("10.0.0.0/8"), .le = 32},
				bad = {.prefix = sim_prefix("10.6.0.0/16"), .le = 32};
	const struct bgp_rule rules[] = {
	    {.ranges = &ten, .n_ranges = 1, .set_local_pref = true, .local_pref = 200, .prepend = 2},
	    {.ranges = &bad, .n_ranges = 1, .action = BGP_RULE_REJECT},
	    {.ranges = &ten,
		.n_ranges = 1,
		.set_med = true,
		.med = 7,
		.prepend = 1,
		.action = BGP_RULE_ACCEPT},
	};
	struct bgp *bgp = make();
	struct bgp_verdict v;

	(void)state;
	assert_int_equal(bgp_filter_set(bgp, "f", rules, 3, NULL), 0);
	v = judge(bgp, "f", "10.1.0.0/16");
	assert_int_equal(v.reason, BGP_REASON_BEST);
	assert_int_equal(v.rule, 3);
	assert_true(v.edit.set_local_pref && v.edit.local_pref == 200 && v.edit.set_med && v.edit.med == 7);
	assert_int_equal(v.edit.prepend, 3);
	v = judge(bgp, "f", "10.6.1.0/24");
	assert_int_equal(v.reason, BGP_REASON_FILTERED);
	assert_int_equal(v.rule, 2);
	assert_int_equal(judge(bgp, "f", "11.0.0.0/8").reason, BGP_REASON_FILTER_END);
	assert_int_equal(judge(bgp, "none", "11.0.0.0/8").reason, BGP_REASON_NO_POLICY);
	bgp_free(bgp);
}

static void test_default_routes(void **state)
{
	static const char *const guarded[] = {
	    "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "::/1", "8000::/1"};
	const struct bgp_rule all = {.action = BGP_RULE_ACCEPT};
	struct bgp_prefix_range range = {.prefix = sim_prefix("0.0.0.0/0"), .le = 32};
	const struct bgp_rule ranged = {.ranges = &range, .n_ranges = 1, .action = BGP_RULE_ACCEPT};
	struct bgp *bgp = make();
	struct bgp_verdict v;
	struct ip_prefix p;
	size_t i;

	(void)state;
	assert_int_equal(bgp_filter_set(bgp, "all", &all, 1, NULL), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(judge(bgp, "all", guarded[i]).reason, BGP_REASON_DEFAULT_ROUTE);
		p = sim_prefix(guarded[i]);
		bgp_policy_judge(NULL, false, &p, &v); /* an internal peer without a filter */
		assert_int_equal(v.reason, BGP_REASON_DEFAULT_ROUTE);
		range = (struct bgp_prefix_range){.prefix = p};
		assert_int_equal(bgp_filter_set(bgp, "named", &ranged, 1, NULL), 0);
		assert_int_equal(judge(bgp, "named", guarded[i]).reason, BGP_REASON_BEST);
	}
	assert_int_equal(judge(bgp, "all", "0.0.0.0/2").reason, BGP_REASON_BEST);
	/* 0.0.0.0/0 le 32 names the default, but not its halves. */
	range = (struct bgp_prefix_range){.prefix = sim_prefix("0.0.0.0/0"), .le = 32};
	assert_int_equal(bgp_filter_set(bgp, "named", &ranged, 1, NULL), 0);
	assert_int_equal(judge(bgp, "named", "0.0.0.0/0").reason, BGP_REASON_BEST);
	assert_int_equal(judge(bgp, "named", "128.0.0.0/1").reason, BGP_REASON_DEFAULT_ROUTE);
	bgp_free(bgp);
}

static void test_errors(void **state)
{
	static const uint8_t wrong[][2] = {{7, 0}, {0, 7}, {0, 33}, {33, 0}, {24, 16}};
	struct bgp_prefix_range range = {.prefix = sim_prefix("10.0.0.0/8")};
	const struct bgp_rule rule = {.ranges = &range, .n_ranges = 1, .action = BGP_RULE_ACCEPT};
	struct bgp *bgp = make();
	struct err_msg msg;
	char name[BGP_NAME_MAX + 1];
	size_t i;

	(void)state;
	assert_int_equal(bgp_filter_set(bgp, "f", &rule, 1, &msg), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		range.ge = wrong[i][0];
		range.le = wrong[i][1];
		assert_int_equal(bgp_filter_set(bgp, "f", &rule, 1, &msg), ERR_RANGE);
		assert_non_null(strstr(msg.text, "filter f, rule 1"));
		assert_int_equal(
		    judge(bgp, "f", "10.0.0.0/8").reason, BGP_REASON_BEST); /* the old one stays */
	}
	memset(name, 'x', sizeof(name));
	name[BGP_NAME_MAX] = '\0';
	range.ge = range.le = 0;
	assert_int_equal(bgp_filter_set(bgp, name, &rule, 1, &msg), ERR_TOOLONG);
	assert_int_equal(bgp_filter_remove(bgp, "f"), 0);
	assert_int_equal(bgp_filter_remove(bgp, "f"), ERR_NOENT);
	bgp_free(bgp);
}

/* On the wire: what import and export filters set arrives. */
static void test_between_cores(void **state)
{
	struct bgp_peer_config to0 = {.as = 65001, .export_filter = "out"},
			       to1 = {.as = 65002, .import_filter = "in"};
	struct bgp_prefix_range ten = {.prefix = sim_prefix("10.0.0.0/8"), .le = 32};
	struct bgp_rule in = {.ranges = &ten,
	    .n_ranges = 1,
	    .set_local_pref = true,
	    .local_pref = 300,
	    .action = BGP_RULE_ACCEPT};
	struct bgp_rule out = {.ranges = &ten,
	    .n_ranges = 1,
	    .set_med = true,
	    .med = 42,
	    .prepend = 2,
	    .action = BGP_RULE_ACCEPT};
	struct bgp_path_info p;
	struct bgp_attrs_info a;
	struct sim sim;
	char text[64];

	(void)state;
	sim_init(&sim);
	sim_add(&sim, 0, 65001, "10.0.0.1");
	sim_add(&sim, 1, 65002, "10.0.0.2");
	assert_int_equal(bgp_filter_set(sim.node[0].bgp, "in", &in, 1, NULL), 0);
	assert_int_equal(bgp_filter_set(sim.node[1].bgp, "out", &out, 1, NULL), 0);
	sim_peer(&sim, 0, 1, &to1, &to0);
	sim_announce(&sim, 1, "10.2.0.0/16");
	sim_announce(&sim, 1, "11.2.0.0/16");
	sim_run(&sim, 20 * NSEC_PER_SEC);
	assert_true(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	bgp_attrs_get_info(p.attrs, &a);
	assert_int_equal(a.local_pref, 300);
	assert_true(a.has_med && a.med == 42);
	assert_string_equal(bgp_attrs_format_path(p.attrs, text, sizeof(text)), "65002 65002 65002");
	assert_false(sim_path(&sim, 0, "11.2.0.0/16", 0, &p));
	/* A changed filter is applied to the session that stands, both ways. */
	in.action = BGP_RULE_REJECT;
	assert_int_equal(bgp_filter_set(sim.node[0].bgp, "in", &in, 1, NULL), 0);
	sim_run(&sim, NSEC_PER_SEC);
	assert_true(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_true(!p.active && p.reason == BGP_REASON_FILTERED && p.rule == 1);
	assert_string_equal(p.filter, "in");
	out.action = BGP_RULE_REJECT;
	assert_int_equal(bgp_filter_set(sim.node[1].bgp, "out", &out, 1, NULL), 0);
	sim_run(&sim, NSEC_PER_SEC);
	assert_false(sim_path(&sim, 0, "10.2.0.0/16", 0, &p));
	assert_int_equal(sim.node[0].downs, 0);
	sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_rules_in_order),
	    cmocka_unit_test(test_default_routes),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_between_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
