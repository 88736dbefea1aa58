/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dataplane's memory in a few lines: takes SET and DEL messages and fails the test when one breaks the
 * order of the contract (names what is not there, removes what is in use). Test programs only.
 */
#ifndef BYWAY_TESTS_UNIT_FIB_MODEL_H
#define BYWAY_TESTS_UNIT_FIB_MODEL_H

#include "lib/fibmsg.h"
#include "tests/unit/unit.h"

#define FIB_MODEL_MAX 4096

struct fib_model {
	struct fibmsg_nexthop nexthops[FIB_MODEL_MAX];
	struct fibmsg_group groups[FIB_MODEL_MAX];
	struct fibmsg_route routes[FIB_MODEL_MAX];
	size_t n_nexthops, n_groups, n_routes, n_other, n_messages;
};

static inline struct fibmsg_nexthop *fib_model_nexthop(struct fib_model *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_nexthops; i++) {
		if (m->nexthops[i].id == id)
			return &m->nexthops[i];
	}
	return NULL;
}

static inline struct fibmsg_group *fib_model_group(struct fib_model *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_groups; i++) {
		if (m->groups[i].id == id)
			return &m->groups[i];
	}
	return NULL;
}

static inline struct fibmsg_route *fib_model_route(
    struct fib_model *m, uint32_t table, const struct ip_prefix *p)
{
	for (size_t i = 0; i < m->n_routes; i++) {
		if (m->routes[i].table == table && ip_prefix_equal(&m->routes[i].prefix, p))
			return &m->routes[i];
	}
	return NULL;
}

static inline void fib_model_set_group(struct fib_model *m, const struct fibmsg_group *g)
{
	struct fibmsg_group *old = fib_model_group(m, g->id);

	assert_true(g->n_members > 0);
	for (unsigned i = 0; i < g->n_members; i++)
		assert_non_null(fib_model_nexthop(m, g->members[i].nexthop));
	if (old == NULL) {
		assert_true(m->n_groups < FIB_MODEL_MAX);
		old = &m->groups[m->n_groups++];
	}
	*old = *g;
}

static inline void fib_model_set_route(struct fib_model *m, const struct fibmsg_route *r)
{
	struct fibmsg_route *old = fib_model_route(m, r->table, &r->prefix);

	assert_non_null(fib_model_group(m, r->group));
	assert_true(m->n_routes < FIB_MODEL_MAX);
	if (old == NULL)
		old = &m->routes[m->n_routes++];
	*old = *r;
}

static inline void fib_model_del_nexthop(struct fib_model *m, uint32_t id)
{
	struct fibmsg_nexthop *nh = fib_model_nexthop(m, id);

	assert_non_null(nh);
	for (size_t i = 0; i < m->n_groups; i++) {
		for (unsigned j = 0; j < m->groups[i].n_members; j++)
			assert_int_not_equal(m->groups[i].members[j].nexthop, id);
	}
	*nh = m->nexthops[--m->n_nexthops];
}

static inline void fib_model_del_group(struct fib_model *m, uint32_t id)
{
	struct fibmsg_group *g = fib_model_group(m, id);

	assert_non_null(g);
	for (size_t i = 0; i < m->n_routes; i++)
		assert_int_not_equal(m->routes[i].group, id);
	*g = m->groups[--m->n_groups];
}

static inline void fib_model_apply(struct fib_model *m, const struct fibmsg *msg)
{
	struct fibmsg_route *route;

	m->n_messages++;
	switch (msg->type) {
	case FIBMSG_SET_NEXTHOP:
		assert_null(fib_model_nexthop(m, msg->u.nexthop.id));
		m->nexthops[m->n_nexthops++] = msg->u.nexthop;
		break;
	case FIBMSG_SET_GROUP:
		fib_model_set_group(m, &msg->u.group);
		break;
	case FIBMSG_SET_ROUTE:
		fib_model_set_route(m, &msg->u.route);
		break;
	case FIBMSG_DEL_NEXTHOP:
		fib_model_del_nexthop(m, msg->u.id.id);
		break;
	case FIBMSG_DEL_GROUP:
		fib_model_del_group(m, msg->u.id.id);
		break;
	case FIBMSG_DEL_ROUTE:
		route = fib_model_route(m, msg->u.table_key.table, &msg->u.table_key.prefix);
		assert_non_null(route);
		*route = m->routes[--m->n_routes];
		break;
	default:
		m->n_other++;
		break;
	}
}

/* "via 10.0.0.1 lan|tunnel friend1": the members of a route's group in words; "" without the route. */
static inline const char *fib_model_way(
    struct fib_model *m, uint32_t table, const char *prefix_text, char *buf, size_t size)
{
	static const char *const kinds[] = {"via", "on", "tunnel", "unreachable", "prohibit", "blackhole"};
	struct ip_prefix prefix;
	struct fibmsg_route *route;
	struct fibmsg_group *group;
	size_t used = 0;

	assert_int_equal(ip_prefix_parse(prefix_text, &prefix, NULL), 0);
	route = fib_model_route(m, table, &prefix);
	buf[0] = '\0';
	if (route == NULL)
		return buf;
	group = fib_model_group(m, route->group);
	for (unsigned i = 0; i < group->n_members; i++) {
		const struct fibmsg_nexthop *nh = fib_model_nexthop(m, group->members[i].nexthop);
		char addr[IP_ADDR_STRLEN] = "";

		if (nh->gateway.family != IP_NONE)
			ip_addr_format(&nh->gateway, addr);
		used += (size_t)snprintf(buf + used, size - used, "%s%s%s%s%s%s", i > 0 ? "|" : "",
		    kinds[nh->kind], nh->iface[0] != '\0' ? " " : "", nh->iface, addr[0] != '\0' ? " " : "",
		    addr);
	}
	return buf;
}

#endif
