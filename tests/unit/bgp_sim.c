/* SPDX-License-Identifier: BSD-3-Clause */
/* Several BGP cores in one process; see bgp_sim.h. */
#include "bgp_sim.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void sim_init(struct sim *sim)
{
	memset(sim, 0, sizeof(*sim));
	sim->now_ns = 1000 * NSEC_PER_SEC;
}

void sim_free(struct sim *sim)
{
	int i;

	for (i = 0; i < SIM_NODES; i++) {
		bgp_free(sim->node[i].bgp);
		sim->node[i].bgp = NULL;
	}
	for (i = 0; i < SIM_PIPES; i++) {
		free(sim->pipe[i].end[0].bytes);
		free(sim->pipe[i].end[1].bytes);
	}
}

struct ip_prefix sim_prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p, NULL), 0);
	return p;
}

struct ip_addr sim_addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a, NULL), 0);
	return a;
}

void sim_add_config(struct sim *sim, int node, const struct bgp_config *config, const char *addr)
{
	struct bgp_config c = *config;
	const struct bgp_rule accept = {.action = BGP_RULE_ACCEPT};

	sim->node[node].addr = sim_addr(addr);
	if (!c.router_id)
		c.router_id = __builtin_bswap32(ip_addr_be32(&sim->node[node].addr));
	c.seed = (uint64_t)node + 1;
	assert_int_equal(bgp_new(&c, sim->now_ns, &sim->node[node].bgp, NULL), 0);
	assert_int_equal(bgp_filter_set(sim->node[node].bgp, "all", &accept, 1, NULL), 0);
}

void sim_add(struct sim *sim, int node, uint32_t as, const char *addr)
{
	struct bgp_config config = {.as = as};

	sim_add_config(sim, node, &config, addr);
}

void sim_set_peer(struct sim *sim, int node, int other, const struct bgp_peer_config *extra)
{
	struct bgp_peer_config c = extra ? *extra : (struct bgp_peer_config){0};
	struct err_msg msg = {{0}};
	char name[16], v6[40];
	int err;

	snprintf(name, sizeof(name), "n%d", other);
	snprintf(v6, sizeof(v6), "fd00::%d", node + 1);
	c.address = sim->node[other].addr;
	c.next_hop[BGP_IPV6] = sim_addr(v6);
	if (!*c.import_filter)
		strcpy(c.import_filter, "all");
	if (!*c.export_filter)
		strcpy(c.export_filter, "all");
	if (strcmp(c.import_filter, "-") == 0)
		*c.import_filter = '\0';
	if (strcmp(c.export_filter, "-") == 0)
		*c.export_filter = '\0';
	err = bgp_peer_set(sim->node[node].bgp, name, &c, sim->now_ns, &msg);
	if (err)
		fail_msg("%s", msg.text);
}

void sim_peer(struct sim *sim, int a, int b, const struct bgp_peer_config *extra_a,
    const struct bgp_peer_config *extra_b)
{
	sim_set_peer(sim, a, b, extra_a);
	sim_set_peer(sim, b, a, extra_b);
}

static struct sim_pipe *find_pipe(struct sim *sim, int node, uint64_t conn, int *side)
{
	int i;

	for (i = 0; i < SIM_PIPES; i++) {
		for (*side = 0; *side < 2; ++*side) {
			const struct sim_end *end = &sim->pipe[i].end[*side];

			if (sim->pipe[i].used && end->node == node && end->conn == conn)
				return &sim->pipe[i];
		}
	}
	return NULL;
}

static void connect_pipe(struct sim *sim, int node, const struct bgp_action *action)
{
	struct ip_endpoint here = {sim->node[node].addr, 40000}, there = {action->remote, 179};
	struct sim_pipe *pipe = NULL;
	int i, other = -1;
	uint64_t conn;

	for (i = 0; i < SIM_NODES; i++) {
		if (sim->node[i].bgp && ip_addr_equal(&sim->node[i].addr, &action->remote))
			other = i;
	}
	if (sim->node[node].deaf || (other >= 0 && sim->node[other].deaf))
		return;
	if (other < 0 || bgp_conn_accept(sim->node[other].bgp, &there, &here, "", sim->now_ns, &conn) != 0) {
		bgp_conn_closed(sim->node[node].bgp, action->conn, "connection refused", sim->now_ns);
		return;
	}
	for (i = 0; i < SIM_PIPES && !pipe; i++)
		pipe = sim->pipe[i].used ? NULL : &sim->pipe[i];
	assert_non_null(pipe);
	pipe->used = true;
	pipe->black_hole = false;
	pipe->end[0].node = node;
	pipe->end[0].conn = action->conn;
	pipe->end[1].node = other;
	pipe->end[1].conn = conn;
	pipe->end[0].len = pipe->end[1].len = 0;
	bgp_conn_opened(sim->node[node].bgp, action->conn, &here, &there, sim->now_ns);
}

static void deliver(struct sim *sim, struct sim_end *end)
{
	size_t at = 0, n;

	while (at < end->len && sim->node[end->node].bgp) {
		n = sim->chunk && sim->chunk < end->len - at ? sim->chunk : end->len - at;
		bgp_conn_input(sim->node[end->node].bgp, end->conn, end->bytes + at, n, sim->now_ns);
		at += n;
	}
	end->len = 0;
}

static void send_pipe(struct sim *sim, int node, uint64_t conn)
{
	static uint8_t room[65536];
	int side;
	struct sim_pipe *pipe = find_pipe(sim, node, conn, &side);
	struct sim_end *to = pipe ? &pipe->end[!side] : NULL;
	size_t n;

	while ((n = bgp_conn_output(sim->node[node].bgp, conn, room,
		    sim->chunk ? BGP_OUTPUT_MIN : sizeof(room), sim->now_ns)) > 0) {
		if (!pipe || pipe->black_hole)
			continue;
		if (to->len + n > to->cap) {
			to->cap = to->len + n;
			to->bytes = realloc(to->bytes, to->cap);
			assert_non_null(to->bytes);
		}
		memcpy(to->bytes + to->len, room, n);
		to->len += n;
	}
}

/* Bytes on the way still arrive, then the other side hears of the end. */
static void close_pipe(struct sim *sim, struct sim_pipe *pipe, int side)
{
	struct sim_end *to = &pipe->end[!side];

	pipe->used = false;
	if (pipe->black_hole || !sim->node[to->node].bgp)
		return;
	deliver(sim, to);
	bgp_conn_closed(sim->node[to->node].bgp, to->conn, "closed by the other side", sim->now_ns);
}

static void count_event(struct sim_node *node, const struct bgp_event *event)
{
	node->ups += event->kind == BGP_EVENT_UP;
	node->downs += event->kind == BGP_EVENT_DOWN;
	node->errors += event->kind == BGP_EVENT_ERROR;
	node->malformed += event->kind == BGP_EVENT_MALFORMED;
	node->restarts += event->kind == BGP_EVENT_RESTART;
	if (event->kind == BGP_EVENT_DOWN)
		memcpy(node->last_down, event->text, sizeof(node->last_down));
	if (getenv("SIM_TRACE"))
		fprintf(stderr, "%s: %s\n", event->peer, event->text);
}

static bool act(struct sim *sim, int node)
{
	struct bgp_action action;
	struct bgp_route_change changes[16];
	bool any = false;
	struct sim_pipe *pipe;
	size_t n;
	int side;

	while (bgp_action_next(sim->node[node].bgp, &action)) {
		any = true;
		switch (action.kind) {
		case BGP_ACTION_CONNECT:
			connect_pipe(sim, node, &action);
			break;
		case BGP_ACTION_CLOSE:
			sim->node[node].closes++;
			pipe = find_pipe(sim, node, action.conn, &side);
			if (pipe)
				close_pipe(sim, pipe, side);
			break;
		case BGP_ACTION_SEND:
			send_pipe(sim, node, action.conn);
			break;
		case BGP_ACTION_EVENT:
			count_event(&sim->node[node], &action.event);
			break;
		}
	}
	while ((n = bgp_routes_pull(sim->node[node].bgp, changes, 16)) > 0)
		sim->node[node].routes += n;
	return any;
}

static bool pump(struct sim *sim)
{
	bool any = false;
	int i, side;

	for (i = 0; i < SIM_NODES; i++) {
		if (sim->node[i].bgp && act(sim, i))
			any = true;
	}
	for (i = 0; i < SIM_PIPES; i++) {
		for (side = 0; side < 2; side++) {
			if (!sim->pipe[i].used || !sim->pipe[i].end[side].len)
				continue;
			any = true;
			deliver(sim, &sim->pipe[i].end[side]);
		}
	}
	for (i = 0; i < SIM_NODES; i++) {
		if (sim->node[i].bgp && bgp_deadline(sim->node[i].bgp) <= sim->now_ns) {
			bgp_tick(sim->node[i].bgp, sim->now_ns);
			any = true;
		}
	}
	return any;
}

void sim_run(struct sim *sim, uint64_t ns)
{
	uint64_t end = sim->now_ns + ns, next;
	unsigned rounds;
	int i;

	for (;;) {
		for (rounds = 0; pump(sim); rounds++)
			assert_true(rounds < 100000); /* it never comes to rest */
		next = BGP_NEVER;
		for (i = 0; i < SIM_NODES; i++) {
			if (sim->node[i].bgp && bgp_deadline(sim->node[i].bgp) < next)
				next = bgp_deadline(sim->node[i].bgp);
		}
		if (next > end)
			break;
		sim->now_ns = next;
	}
	sim->now_ns = end;
}

void sim_kill(struct sim *sim, int node)
{
	int i, side;

	bgp_free(sim->node[node].bgp);
	sim->node[node].bgp = NULL;
	for (i = 0; i < SIM_PIPES; i++) {
		for (side = 0; side < 2; side++) {
			if (sim->pipe[i].used && sim->pipe[i].end[side].node == node)
				close_pipe(sim, &sim->pipe[i], side);
		}
	}
}

void sim_cut(struct sim *sim, int node)
{
	int i;

	sim->node[node].deaf = true;
	for (i = 0; i < SIM_PIPES; i++) {
		if (sim->pipe[i].end[0].node == node || sim->pipe[i].end[1].node == node)
			sim->pipe[i].black_hole = true;
	}
}

void sim_mend(struct sim *sim, int node)
{
	sim->node[node].deaf = false;
}

void sim_announce(struct sim *sim, int node, const char *prefix)
{
	struct ip_prefix p = sim_prefix(prefix);

	assert_int_equal(bgp_local_add(sim->node[node].bgp, &p, BGP_SOURCE_NETWORK), 0);
}

void sim_withdraw(struct sim *sim, int node, const char *prefix)
{
	struct ip_prefix p = sim_prefix(prefix);

	assert_int_equal(bgp_local_remove(sim->node[node].bgp, &p, BGP_SOURCE_NETWORK), 0);
}

struct bgp_peer_info sim_info(struct sim *sim, int node, int other)
{
	struct bgp_peer_info info;
	char name[16];

	snprintf(name, sizeof(name), "n%d", other);
	assert_int_equal(bgp_peer_get_info(sim->node[node].bgp, name, sim->now_ns, &info), 0);
	return info;
}

enum bgp_state sim_state(struct sim *sim, int node, int other)
{
	return sim_info(sim, node, other).state;
}

bool sim_path(struct sim *sim, int node, const char *prefix, unsigned place, struct bgp_path_info *out)
{
	struct bgp_route_query query = {.match = BGP_MATCH_EXACT, .prefix = sim_prefix(prefix)};
	struct bgp_route_cursor cursor = {0};
	unsigned i = 0;

	while (bgp_route_next(sim->node[node].bgp, &query, &cursor, out)) {
		if (i++ == place)
			return true;
	}
	return false;
}

unsigned sim_paths(struct sim *sim, int node, const char *prefix)
{
	struct bgp_path_info info;
	unsigned i = 0, n = 0;

	while (sim_path(sim, node, prefix, i++, &info))
		n += info.active;
	return n;
}
