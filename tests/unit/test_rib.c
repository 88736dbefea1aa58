/* SPDX-License-Identifier: BSD-3-Clause */
/* control/rib and control/ptree: distance, resolution, order of messages, make before break, resync,
 * listings. */
#include "control/rib.h"

#include <stdio.h>

#include "control/ptree.h"
#include "tests/unit/fib_model.h"

static struct fib_model model;
static const char *faulty_iface;

static const char *fault(void *arg, const char *iface)
{
	return faulty_iface != NULL && strcmp(faulty_iface, iface) == 0 ? "is not there" : NULL;
}

static struct rib *new_rib(void)
{
	static const struct rib_env env = {.iface_fault = fault};

	memset(&model, 0, sizeof(model));
	faulty_iface = NULL;
	return rib_new(&env);
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p, NULL), 0);
	return p;
}

static struct rib_gateway gateway(uint8_t kind, const char *iface, const char *addr)
{
	struct rib_gateway g = {.kind = kind};

	if (iface != NULL)
		snprintf(g.iface, sizeof(g.iface), "%s", iface);
	if (addr != NULL)
		assert_int_equal(ip_addr_parse(addr, &g.addr, NULL), 0);
	return g;
}

static void set(
    struct rib *r, const char *text, enum rib_source source, uint8_t distance, struct rib_gateway g)
{
	const struct ip_prefix p = prefix(text);

	rib_set(r, FIBMSG_OVERLAY, &p, source, distance, distance, &g, 1);
}

static void drop(struct rib *r, const char *text, enum rib_source source, uint8_t distance)
{
	const struct ip_prefix p = prefix(text);

	rib_remove(r, FIBMSG_OVERLAY, &p, source, distance);
}

static size_t pull(struct rib *r)
{
	struct fibmsg m;
	size_t n = 0;

	while (rib_next_message(r, &m)) {
		fib_model_apply(&model, &m);
		n++;
	}
	assert_false(rib_has_messages(r));
	return n;
}

static const char *way(const char *text)
{
	static char buf[400];

	return fib_model_way(&model, FIBMSG_OVERLAY, text, buf, sizeof(buf));
}

static void lowest_distance_forwards_and_the_others_say_why(void **state)
{
	struct rib *r = new_rib();
	struct rib_route_info info[4];
	struct rib_cursor cursor = {0};
	struct ip_prefix all = {0};

	set(r, "10.0.0.0/24", RIB_EBGP, 20, gateway(FIBMSG_NH_TUNNEL, "friend1", NULL));
	set(r, "10.0.0.0/24", RIB_STATIC, 5, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.9"));
	assert_int_equal(pull(r), 5); /* the loser's group is there before it is needed */
	assert_string_equal(way("10.0.0.0/24"), "via lan 10.1.0.9");
	assert_int_equal(rib_list(r, &all, &cursor, info, 4), 2);
	assert_true(info[0].active);
	assert_string_equal(info[0].reason, "");
	assert_false(info[1].active);
	assert_string_equal(info[1].reason, "distance 20, and static has 5");
	assert_int_equal(rib_list(r, &all, &cursor, info, 4), 0);
	drop(r, "10.0.0.0/24", RIB_STATIC, 5);
	pull(r);
	assert_string_equal(way("10.0.0.0/24"), "tunnel friend1");
	drop(r, "10.0.0.0/24", RIB_EBGP, 20);
	pull(r);
	assert_int_equal(model.n_routes + model.n_groups + model.n_nexthops, 0);
	rib_free(r);
}

static void flapping_costs_one_message(void **state)
{
	struct rib *r = new_rib();

	set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.9"));
	pull(r);
	for (int i = 0; i < 1000; i++) {
		drop(r, "10.0.0.0/24", RIB_STATIC, 1);
		set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.9"));
	}
	assert_int_equal(pull(r), 0);
	drop(r, "10.0.0.0/24", RIB_STATIC, 1);
	set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.10"));
	assert_int_equal(pull(r), 5); /* next hop, group, route; then the old group and next hop go */
	rib_free(r);
}

static void gateways_are_looked_up_recursively(void **state)
{
	struct rib *r = new_rib();

	set(r, "10.9.0.0/16", RIB_IBGP, 200, gateway(FIBMSG_NH_VIA, NULL, "10.8.0.1"));
	pull(r);
	assert_string_equal(way("10.9.0.0/16"), ""); /* no way to 10.8.0.1 */
	set(r, "10.8.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, NULL, "10.1.0.9"));
	pull(r);
	assert_string_equal(way("10.9.0.0/16"), "");
	set(r, "10.1.0.0/24", RIB_CONNECTED, 0, gateway(FIBMSG_NH_CONNECTED, "lan", NULL));
	pull(r);
	assert_string_equal(way("10.8.0.0/24"), "via lan 10.1.0.9");
	assert_string_equal(way("10.9.0.0/16"), "via lan 10.1.0.9");
	/* A longer route to the gateway takes over, and goes again. */
	set(r, "10.8.0.1/32", RIB_EBGP, 20, gateway(FIBMSG_NH_TUNNEL, "friend1", NULL));
	pull(r);
	assert_string_equal(way("10.9.0.0/16"), "tunnel friend1");
	drop(r, "10.8.0.1/32", RIB_EBGP, 20);
	drop(r, "10.1.0.0/24", RIB_CONNECTED, 0);
	pull(r);
	assert_string_equal(way("10.9.0.0/16"), "");
	assert_int_equal(model.n_routes, 0);
	rib_free(r);
}

static void two_routes_cannot_hold_each_other_up(void **state)
{
	struct rib *r = new_rib();

	set(r, "10.1.0.0/16", RIB_EBGP, 20, gateway(FIBMSG_NH_VIA, NULL, "10.2.0.1"));
	set(r, "10.2.0.0/16", RIB_EBGP, 20, gateway(FIBMSG_NH_VIA, NULL, "10.1.0.1"));
	set(r, "10.1.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.3.0.1"));
	pull(r);
	assert_string_equal(way("10.1.0.0/16"), "via lan 10.3.0.1");
	drop(r, "10.1.0.1/32", RIB_STATIC, 1);
	pull(r);
	assert_int_equal(model.n_routes, 0);
	/* Nor itself, nor over the built-in default. */
	set(r, "10.4.0.0/16", RIB_EBGP, 20, gateway(FIBMSG_NH_VIA, NULL, "10.4.0.1"));
	set(r, "0.0.0.0/0", RIB_BUILTIN, 250, gateway(FIBMSG_NH_VIA, "wan1", "192.0.2.1"));
	pull(r);
	assert_string_equal(way("10.4.0.0/16"), "");
	assert_string_equal(way("0.0.0.0/0"), "via wan1 192.0.2.1");
	rib_free(r);
}

static void several_gateways_make_one_ordered_group(void **state)
{
	struct rib *r = new_rib();
	const struct ip_prefix p = prefix("10.5.0.0/16"), q = prefix("10.6.0.0/16");
	const struct rib_gateway both[] = {
	    gateway(FIBMSG_NH_TUNNEL, "friend1", NULL), gateway(FIBMSG_NH_TUNNEL, "friend2", NULL)};

	rib_set(r, FIBMSG_OVERLAY, &p, RIB_EBGP, 0, 20, both, 2);
	rib_set(r, FIBMSG_OVERLAY, &q, RIB_EBGP, 0, 20, both, 2);
	assert_int_equal(pull(r), 5); /* two next hops, one group, two routes */
	assert_string_equal(way("10.6.0.0/16"), "tunnel friend1|tunnel friend2");
	faulty_iface = "friend1";
	rib_resolve_all(r);
	pull(r);
	assert_string_equal(way("10.6.0.0/16"), "tunnel friend2");
	rib_free(r);
}

/* As many routes as there are over a gateway: what leads there is another group's members, told once. */
static void a_way_that_moves_costs_its_group_alone(void **state)
{
	struct rib *r = new_rib();
	char text[32];

	set(r, "10.200.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.1"));
	set(r, "10.200.0.2/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.2"));
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i / 250, i % 250);
		set(r, text, RIB_IBGP, 200,
		    gateway(FIBMSG_NH_VIA, NULL, i % 2 ? "10.200.0.1" : "10.200.0.2"));
	}
	assert_int_equal(pull(r), 2 + 2 + 1002);
	/* to a new next hop: it, the group, the static route's own group, its route */
	set(r, "10.200.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.3"));
	assert_in_range(pull(r), 1, 6);
	assert_string_equal(way("10.0.1.0/24"), "via lan 10.1.0.3");
	assert_string_equal(way("10.0.2.0/24"), "via lan 10.1.0.2");
	/* to where the other half is already, and back: two groups are alike meanwhile */
	for (int i = 0; i < 3; i++) {
		set(r, "10.200.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.2"));
		assert_in_range(pull(r), 1, 6);
		assert_string_equal(way("10.0.1.0/24"), "via lan 10.1.0.2");
		rib_resolve_all(r);
		assert_int_equal(pull(r), 0);
		set(r, "10.200.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.1"));
		assert_in_range(pull(r), 1, 6);
		assert_string_equal(way("10.0.1.0/24"), "via lan 10.1.0.1");
		assert_string_equal(way("10.0.2.0/24"), "via lan 10.1.0.2");
	}
	/* both at once, each to where the other was */
	set(r, "10.200.0.1/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.2"));
	set(r, "10.200.0.2/32", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.1"));
	pull(r);
	assert_string_equal(way("10.0.1.0/24"), "via lan 10.1.0.2");
	assert_string_equal(way("10.0.2.0/24"), "via lan 10.1.0.1");
	/* and nothing stays behind */
	drop(r, "10.200.0.1/32", RIB_STATIC, 1);
	drop(r, "10.200.0.2/32", RIB_STATIC, 1);
	pull(r);
	assert_int_equal(model.n_routes + model.n_groups + model.n_nexthops, 0);
	rib_free(r);
}

static void refused_objects_are_set_aside(void **state)
{
	struct rib *r = new_rib();
	struct fibmsg m;
	struct rib_cursor cursor = {0};
	struct rib_route_info info[4];
	const struct ip_prefix all = {0};

	set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.9"));
	set(r, "10.0.0.0/24", RIB_STATIC, 2, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.10"));
	assert_true(rib_next_message(r, &m));
	assert_int_equal(m.type, FIBMSG_SET_NEXTHOP);
	rib_refuse(r, &m, "no such interface");
	rib_forget_sent(r, 0, false);
	pull(r);
	assert_string_equal(way("10.0.0.0/24"), "via lan 10.1.0.10");
	assert_int_equal(rib_list(r, &all, &cursor, info, 4), 2);
	assert_string_equal(info[0].reason, "refused by the dataplane: no such interface");
	assert_true(rib_retry_refused(r));
	assert_false(rib_retry_refused(r));
	memset(&model, 0, sizeof(model));
	rib_forget_sent(r, 0, false);
	pull(r);
	assert_string_equal(way("10.0.0.0/24"), "via lan 10.1.0.9");
	rib_free(r);
}

static void a_new_dataplane_is_told_everything_above_its_ids(void **state)
{
	struct rib *r = new_rib();

	set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.9"));
	pull(r);
	memset(&model, 0, sizeof(model));
	rib_forget_sent(r, 5000, true);
	assert_int_equal(pull(r), 3);
	assert_string_equal(way("10.0.0.0/24"), "via lan 10.1.0.9");
	assert_true(model.groups[0].id >= 5000 && model.nexthops[0].id >= 5000);
	set(r, "10.0.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, "lan", "10.1.0.10"));
	pull(r);
	assert_true(model.groups[0].id >= 5000);
	rib_free(r);
}

static void local_routes_that_are_not_named_again_go(void **state)
{
	struct rib *r = new_rib();

	rib_local_begin(r);
	set(r, "10.1.0.0/24", RIB_CONNECTED, 0, gateway(FIBMSG_NH_CONNECTED, "lan", NULL));
	set(r, "10.2.0.0/24", RIB_STATIC, 1, gateway(FIBMSG_NH_VIA, NULL, "10.1.0.9"));
	rib_local_end(r);
	set(r, "10.3.0.0/24", RIB_EBGP, 20, gateway(FIBMSG_NH_VIA, NULL, "10.1.0.8"));
	pull(r);
	assert_int_equal(model.n_routes, 3);
	rib_local_begin(r);
	set(r, "10.1.0.0/24", RIB_CONNECTED, 0, gateway(FIBMSG_NH_CONNECTED, "lan", NULL));
	rib_local_end(r);
	assert_int_equal(pull(r), 3); /* the static's route, group, next hop */
	assert_int_equal(model.n_routes, 2);
	rib_remove_bgp(r);
	pull(r);
	assert_int_equal(model.n_routes, 1);
	rib_free(r);
}

/* The dataplane's group of an active route has the next hops that the listing gives it. */
static void check_group(const struct rib_route_info *info)
{
	const struct fibmsg_group *group = fib_model_group(&model, info->group);

	assert_non_null(group);
	assert_int_equal(group->n_members, info->n_hops);
	for (unsigned i = 0; i < info->n_hops; i++) {
		const struct fibmsg_nexthop *nh = fib_model_nexthop(&model, group->members[i].nexthop);

		assert_non_null(nh);
		assert_int_equal(nh->id, info->hops[i].id);
		assert_string_equal(nh->iface, info->hops[i].gateway.iface);
		assert_true(ip_addr_equal(&nh->gateway, &info->hops[i].gateway.addr));
	}
}

/* Whatever happens in whatever order: the dataplane ends with exactly what the listing calls active. */
static void random_changes_agree_with_the_listing(void **state)
{
	static const char *const ifaces[] = {"lan", "wan1", "friend1"};
	struct rib *r = new_rib();
	uint64_t seed = 12345;
	struct rib_cursor cursor = {0};
	struct rib_route_info info[16];
	const struct ip_prefix all = {0};
	size_t active = 0;
	unsigned n;

	for (int i = 0; i < 20000; i++) {
		const unsigned a = (unsigned)(unit_random(&seed) % 16),
			       len = 16 + (unsigned)(unit_random(&seed) % 3) * 8;
		const uint8_t distance = (uint8_t)(1 + unit_random(&seed) % 3);
		char text[32], addr[32];

		snprintf(text, sizeof(text),
		    len == 16	? "10.%u.0.0/%u"
		    : len == 24 ? "10.%u.1.0/%u"
				: "10.%u.1.1/%u",
		    a, len);
		snprintf(addr, sizeof(addr), "10.%u.1.1", (unsigned)(unit_random(&seed) % 16));
		if (unit_random(&seed) % 3 == 0)
			drop(r, text, RIB_STATIC, distance);
		else if (unit_random(&seed) % 2 == 0)
			set(r, text, RIB_STATIC, distance, gateway(FIBMSG_NH_VIA, NULL, addr));
		else
			set(r, text, RIB_STATIC, distance,
			    gateway(FIBMSG_NH_VIA, ifaces[unit_random(&seed) % 3], addr));
		if (unit_random(&seed) % 100 == 0) {
			const unsigned iface = (unsigned)(unit_random(&seed) % 4);

			faulty_iface = iface < 3 ? ifaces[iface] : NULL;
			rib_resolve_all(r);
		}
		if (unit_random(&seed) % 20 == 0)
			pull(r);
		if (unit_random(&seed) % 2000 == 0) {
			memset(&model, 0, sizeof(model));
			rib_forget_sent(r, 0, false);
		}
	}
	faulty_iface = NULL;
	rib_resolve_all(r);
	pull(r);
	while ((n = rib_list(r, &all, &cursor, info, 16)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			const struct fibmsg_route *route =
			    fib_model_route(&model, info[i].table, &info[i].prefix);

			active += info[i].active;
			if (!info[i].active)
				continue;
			assert_non_null(route);
			assert_int_equal(route->group, info[i].group);
			check_group(&info[i]);
		}
	}
	assert_true(active > 10);
	assert_int_equal(active, model.n_routes);
	rib_free(r);
}

static void tree_keeps_what_was_not_removed(void **state)
{
	struct ptree t = {0};
	struct ip_prefix list[600];
	uint64_t seed = 99;
	size_t n = 0;

	for (int i = 0; i < 600; i++) {
		struct ip_prefix p = {.addr = {.family = IP_V4}, .len = (uint8_t)(unit_random(&seed) % 33)};
		const uint64_t bits = unit_random(&seed);

		memcpy(p.addr.b, &bits, 4);
		p.addr.b[0] &= 3; /* close together */
		p = ip_prefix_mask(&p);
		if (ptree_find(&t, &p) == NULL)
			list[n++] = p;
		assert_non_null(ptree_insert(&t, &p, list));
	}
	for (size_t i = 0; i < n / 2; i++) { /* half of them go */
		ptree_remove(&t, ptree_find(&t, &list[i]));
		assert_null(ptree_find(&t, &list[i]));
	}
	for (size_t i = n / 2; i < n; i++)
		assert_non_null(ptree_find(&t, &list[i]));
	assert_int_equal(t.count, n - n / 2);
	ptree_clear(&t);
	assert_null(ptree_first(&t));
}

#define LARGE 30000

/* Close together, of all lengths; each index another prefix. */
static struct ip_prefix large_prefix(unsigned i)
{
	struct ip_prefix p = {.len = (uint8_t)(8 + i % 25)};
	const uint32_t bits = i * 2654435761u;

	p.addr.family = i % 2 ? IP_V4 : IP_V6;
	if (p.addr.family == IP_V6)
		p.len = (uint8_t)(p.len * 2);
	for (unsigned b = 0; b < 4; b++)
		p.addr.b[b] = (uint8_t)(bits >> (24 - 8 * b));
	p.addr.b[0] &= 7;
	p.addr.b[4] = (uint8_t)i;
	p.addr.b[5] = (uint8_t)(i >> 8);
	return ip_prefix_mask(&p);
}

static void check_order(const struct ptree *t)
{
	const struct ptree_node *node = ptree_first(t), *next;
	size_t n = node != NULL;

	for (; node != NULL && (next = ptree_next(node)) != NULL; node = next, n++)
		assert_true(ip_prefix_cmp(&node->prefix, &next->prefix) < 0);
	assert_int_equal(n, t->count);
}

/* Large enough that descents begin in the middle; whatever comes and goes, they end where they must. */
static void a_large_tree_agrees_with_a_list(void **state)
{
	static void *held[LARGE]; /* the data of each prefix, or NULL */
	struct ptree tree[2] = {{0}, {0}};
	uint64_t seed = 4;

	for (unsigned step = 0; step < 600000; step++) {
		const unsigned i = (unsigned)(unit_random(&seed) % LARGE);
		const struct ip_prefix p = large_prefix(i);
		struct ptree *t = &tree[p.addr.family == IP_V6];
		struct ptree_node *node = ptree_find(t, &p);
		/* several indices make one short prefix: the tree's data tells them apart */
		const bool own = node != NULL && node->data == &held[i];

		assert_true((held[i] != NULL) == own);
		if (node != NULL)
			assert_true(ip_prefix_equal(&node->prefix, &p) && ptree_match(t, &p) == node);
		/* it grows, then shrinks, then grows again */
		if (own && (step / 200000 == 1 || step % 3 == 0)) {
			ptree_remove(t, node);
			held[i] = NULL;
		} else if (node == NULL && (step / 200000 != 1 || step % 8 == 0)) {
			held[i] = &held[i];
			assert_ptr_equal(ptree_insert(t, &p, held[i])->data, held[i]);
		}
		if (step % 100000 == 99999) {
			check_order(&tree[0]);
			check_order(&tree[1]);
		}
	}
	assert_true(tree[0].hints != NULL && tree[1].hints != NULL);
	ptree_clear(&tree[0]);
	ptree_clear(&tree[1]);
}

static int compare_prefixes(const void *a, const void *b)
{
	return ip_prefix_cmp(a, b);
}

/* Order, seek, longest match against a linear search. */
static void tree_finds_what_a_linear_search_finds(void **state)
{
	struct ptree t = {0};
	struct ip_prefix list[400];
	uint64_t seed = 7;
	size_t n = 0, i = 0;

	for (int k = 0; k < 400; k++) {
		struct ip_prefix p = {.addr = {.family = IP_V6}, .len = (uint8_t)(unit_random(&seed) % 20)};

		p.addr.b[0] = (uint8_t)unit_random(&seed);
		p.addr.b[1] = (uint8_t)unit_random(&seed);
		p = ip_prefix_mask(&p);
		if (ptree_find(&t, &p) == NULL)
			list[n++] = p;
		ptree_insert(&t, &p, list);
	}
	qsort(list, n, sizeof(list[0]), compare_prefixes);
	for (struct ptree_node *node = ptree_first(&t); node != NULL; node = ptree_next(node))
		assert_true(i < n && ip_prefix_equal(&node->prefix, &list[i++]));
	assert_int_equal(i, n);
	for (int k = 0; k < 2000; k++) {
		struct ip_prefix p = {.addr = {.family = IP_V6}, .len = (uint8_t)(unit_random(&seed) % 129)};
		const struct ptree_node *found;
		const struct ip_prefix *longest = NULL;

		p.addr.b[0] = (uint8_t)unit_random(&seed);
		p.addr.b[1] = (uint8_t)unit_random(&seed);
		p = ip_prefix_mask(&p);
		for (i = 0; i < n && ip_prefix_cmp(&list[i], &p) < 0; i++)
			;
		found = ptree_seek(&t, &p, false);
		assert_true(
		    i == n ? found == NULL : found != NULL && ip_prefix_equal(&found->prefix, &list[i]));
		i += i < n && ip_prefix_equal(&list[i], &p);
		found = ptree_seek(&t, &p, true);
		assert_true(
		    i == n ? found == NULL : found != NULL && ip_prefix_equal(&found->prefix, &list[i]));
		for (i = 0; i < n; i++) {
			if (ip_prefix_contains(&list[i], &p) &&
			    (longest == NULL || list[i].len > longest->len))
				longest = &list[i];
		}
		found = ptree_match(&t, &p);
		assert_true(longest == NULL ? found == NULL
					    : found != NULL && ip_prefix_equal(&found->prefix, longest));
	}
	ptree_clear(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lowest_distance_forwards_and_the_others_say_why),
	    cmocka_unit_test(flapping_costs_one_message),
	    cmocka_unit_test(gateways_are_looked_up_recursively),
	    cmocka_unit_test(two_routes_cannot_hold_each_other_up),
	    cmocka_unit_test(several_gateways_make_one_ordered_group),
	    cmocka_unit_test(a_way_that_moves_costs_its_group_alone),
	    cmocka_unit_test(refused_objects_are_set_aside),
	    cmocka_unit_test(a_new_dataplane_is_told_everything_above_its_ids),
	    cmocka_unit_test(local_routes_that_are_not_named_again_go),
	    cmocka_unit_test(random_changes_agree_with_the_listing),
	    cmocka_unit_test(tree_keeps_what_was_not_removed),
	    cmocka_unit_test(tree_finds_what_a_linear_search_finds),
	    cmocka_unit_test(a_large_tree_agrees_with_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
