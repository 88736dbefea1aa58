/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the monitor thread takes to move what a dead WAN carried: its own functions, called as its loop
 * calls them, on a forwarding table of as many routes as asked for.
 *
 *   fib_switch --routes FILE [--max N] [--groups N] [--switches N]
 *
 * The routes are spread over the groups, each of them "wan1, else wan2". A switch is wan1's link going down:
 * the verdict on its line, the new active line, every group re-pointed, the event. Before each one the caches
 * are swept, so that a small table has no advantage but its size. All routes are looked up before and after
 * the first and the last switch. Prints "switch-us MEDIAN routes N groups N".
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/routes.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/worker.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define SWEEP_LEN    (128u << 20) /* bytes, more than the last cache holds */
#define GROUPS_MAX   60000
#define SWITCHES_MAX 10000
#define BURST	     64

struct bench {
	struct bench_routes routes;
	unsigned groups, switches;
	uint32_t index[GROUPS_MAX];
	struct iface *wan[2];
	struct nexthop via[2];
	uint8_t *sweep;
	double took_us[SWITCHES_MAX];
};

static int fail(const char *what)
{
	fprintf(stderr, "fib_switch: %s\n", what);
	return ERR_IO;
}

static int open_wan(struct bench *b, unsigned i)
{
	struct fibmsg_port config = {
	    .role = FIBMSG_ROLE_WAN, .queues = 1, .mac = {2, 0, 0, 0, 0, (uint8_t)(1 + i)}};
	struct err_msg msg = {""};

	snprintf(config.name, sizeof(config.name), "wan%u", i + 1);
	snprintf(config.device, sizeof(config.device), "net_null%u,no-rx=1", i);
	if (iface_add(IFACE_PORT, config.name, &b->wan[i]) != 0)
		return fail("no interface");
	b->wan[i]->role = FIBMSG_ROLE_WAN;
	b->wan[i]->table = fibmsg_line_table(config.name);
	if (port_open(&config, b->wan[i], &msg) != 0)
		return fail(msg.text);
	b->via[i] =
	    (struct nexthop){.kind = NEXTHOP_CONNECTED, .iface = b->wan[i]->index, .role = FIBMSG_ROLE_WAN};
	return 0;
}

/* As if new: no verdict yet, which is as good as up, on a link that is up. */
static int renew_line(struct bench *b, unsigned i)
{
	struct fibmsg_line l = {.preference = (uint16_t)(i + 1),
	    .interval_ms = 100,
	    .timeout_ms = 200,
	    .hold_down_ms = 1000,
	    .down_after = 4,
	    .n_targets = 1,
	    .targets = {{IP_V4, {203, 0, 113, 1}}}};
	struct monitor_event e;

	snprintf(l.port, sizeof(l.port), "wan%u", i + 1);
	monitor_line_del(l.port);
	if (monitor_line_set(&l, b->wan[i]->index) != 0)
		return fail("no line");
	while (monitor_next_event(&e))
		;
	return 0;
}

static int install(struct bench *b)
{
	struct monitor_member members[2] = {{&b->via[0], 1}, {&b->via[1], 1}};

	for (unsigned g = 0; g < b->groups; g++) {
		if (group_index_alloc(&b->index[g]) != 0 ||
		    monitor_group_set(b->index[g], 1000 + g, FIBMSG_GROUP_ORDERED, members, 2) != 0)
			return fail("no group");
	}
	for (size_t i = 0; i < b->routes.n; i++) {
		const struct ip_prefix *p = &b->routes.v[i];

		if (fib_set(FIBMSG_OVERLAY, p, FIB_CONTROL, b->index[i % b->groups]) != 0)
			return fail("a route is refused");
	}
	return 0;
}

/* Do all routes leave by this WAN? */
static int verify(const struct bench *b, unsigned wan)
{
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);

	for (size_t i = 0; i < b->routes.n; i++) {
		const struct ip_prefix *p = &b->routes.v[i];
		uint32_t group = 0;

		if (p->addr.family == IP_V4)
			fib_lookup4(t, (const uint32_t[]){ip_addr_be32(&p->addr)}, &group, 1);
		else
			fib_lookup6(t, (const uint8_t(*)[16])p->addr.b, &group, 1);
		if (group == 0 || group_pick(group, (uint32_t)i) != &b->via[wan])
			return fail("a route leaves by the wrong WAN");
	}
	return 0;
}

static void sweep_caches(struct bench *b)
{
	for (size_t i = 0; i < SWEEP_LEN; i += 64)
		b->sweep[i]++;
}

static int compare_double(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct bench *b)
{
	for (unsigned i = 0; i < b->switches; i++) {
		const bool looked_at = i == 0 || i == b->switches - 1;
		uint64_t from;

		if (renew_line(b, 0) != 0 || (looked_at && verify(b, 0) != 0))
			return ERR_IO;
		sweep_caches(b);
		from = nsec_monotonic();
		monitor_link_set(b->wan[0]->index, false);
		b->took_us[i] = (double)(nsec_monotonic() - from) / 1e3;
		if (looked_at && verify(b, 1) != 0)
			return ERR_IO;
		rcu_quiescent_state();
	}
	return 0;
}

static int run(struct bench *b)
{
	struct err_msg msg = {""};

	rcu_register_thread();
	group_init();
	b->sweep = calloc(1, SWEEP_LEN);
	if (!b->sweep || fib_init() != 0 || workers_create(1, 8192, &msg) != 0 || monitor_start(false) != 0)
		return fail("no memory");
	if (open_wan(b, 0) != 0 || open_wan(b, 1) != 0 || renew_line(b, 1) != 0 || renew_line(b, 0) != 0 ||
	    install(b) != 0 || measure(b) != 0)
		return ERR_IO;
	qsort(b->took_us, b->switches, sizeof(b->took_us[0]), compare_double);
	printf("switch-us %.3f routes %zu groups %u\n", b->took_us[b->switches / 2], b->routes.n, b->groups);
	return 0;
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"routes", required_argument, NULL, 'r'},
	    {"max", required_argument, NULL, 'm'}, {"groups", required_argument, NULL, 'g'},
	    {"switches", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	const char *path[2] = {NULL, NULL};
	unsigned n_paths = 0, max = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'r' && n_paths < 2)
			path[n_paths++] = optarg;
		else if (opt == 'm')
			max = (unsigned)atoi(optarg);
		else if (opt == 'g')
			b->groups = (unsigned)atoi(optarg);
		else if (opt == 's')
			b->switches = (unsigned)atoi(optarg);
		else
			return -1;
	}
	for (unsigned i = 0; i < n_paths; i++)
		if (bench_routes_read(&b->routes, path[i], max) != 0)
			return fail("the file of routes cannot be read");
	bench_routes_sort(&b->routes);
	return b->routes.n && b->groups && b->groups <= GROUPS_MAX && b->switches &&
		       b->switches <= SWITCHES_MAX
		   ? 0
		   : -1;
}

int main(int argc, char **argv)
{
	static struct bench b = {.groups = 10, .switches = 100};
	struct eal_config config = {.workers = 1, .mem_mib = 96};
	struct err_msg msg = {""};
	char prefix[32];
	int err;

	if (parse(&b, argc, argv) != 0) {
		fprintf(
		    stderr, "fib_switch: --routes FILE [--max N] [--groups 1-60000] [--switches 1-10000]\n");
		return 2;
	}
	log_init("fib_switch", LOG_LEVEL_ERR);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.prefix = prefix;
	err = eal_start(&config, &msg);
	if (err)
		return fail(msg.text) ? 1 : 1;
	err = run(&b);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0); /* tables go with the process */
}
