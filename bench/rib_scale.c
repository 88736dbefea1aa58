/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control's RIB by itself with a full table, as BGP over many next hops gives it.
 *
 *   rib_scale --routes FILE [--routes FILE] [--gateways N]
 *
 * Routes are spread over the gateways, which are looked up and lead to one of two neighbours. Prints one
 * "word value" a line:
 *   set-ns, again-ns     rib_set of a new route in the order of the file, and of the same once more
 *   random-ns            rib_remove and rib_set of a route chosen at random, for both
 *   pull-ns              rib_next_message, a route
 *   move-ms              half of the gateways lead to the other neighbour: from that on until all is pulled
 *   move-messages        what the dataplane is told then
 *   bytes                memory a route
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>

#include "bench/routes.h"
#include "control/rib.h"
#include "lib/nsec.h"

#define FLAPS 500000

struct bench {
	struct bench_routes routes;
	unsigned gateways;
	struct rib *rib;
};

static size_t memory_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static double ns_each(uint64_t from, size_t n)
{
	return (double)(nsec_monotonic() - from) / (double)n;
}

static void set_all(struct bench *b)
{
	for (size_t i = 0; i < b->routes.n; i++) {
		struct rib_gateway g = {.kind = FIBMSG_NH_VIA};

		g.addr = ip_addr_v4(0x0a640000u + (uint32_t)(i * 7919 % b->gateways)); /* 10.100.x.y */
		rib_set(b->rib, FIBMSG_OVERLAY, &b->routes.v[i], RIB_IBGP, 0, RIB_DISTANCE_IBGP, &g, 1);
	}
}

/* Even gateways by 10.0.0.1; odd ones by 10.0.0.2, or all by that. */
static void set_ways(struct bench *b, bool moved)
{
	for (unsigned i = 0; i < b->gateways; i++) {
		struct ip_prefix p = {.addr = ip_addr_v4(0x0a640000u + i), .len = 32};
		struct rib_gateway g = {.kind = FIBMSG_NH_VIA, .iface = "lan"};

		g.addr = ip_addr_v4(0x0a000001u + (moved || i % 2));
		rib_set(b->rib, FIBMSG_OVERLAY, &p, RIB_STATIC, 0, RIB_DISTANCE_STATIC, &g, 1);
	}
}

static size_t pull_all(struct bench *b)
{
	struct fibmsg m;
	size_t n = 0;

	while (rib_next_message(b->rib, &m))
		n++;
	return n;
}

static void flap_random(struct bench *b, unsigned n)
{
	uint64_t x = 88172645463325252ull;

	while (n-- > 0) {
		struct rib_gateway g = {.kind = FIBMSG_NH_VIA};
		size_t i;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		i = (size_t)(x % b->routes.n);
		g.addr = ip_addr_v4(0x0a640000u + (uint32_t)(i * 7919 % b->gateways));
		rib_remove(b->rib, FIBMSG_OVERLAY, &b->routes.v[i], RIB_IBGP, 0);
		rib_set(b->rib, FIBMSG_OVERLAY, &b->routes.v[i], RIB_IBGP, 0, RIB_DISTANCE_IBGP, &g, 1);
	}
}

static void run(struct bench *b)
{
	const struct rib_env env = {0};
	const size_t before = memory_in_use();
	uint64_t from;
	size_t n;

	b->rib = rib_new(&env);
	set_ways(b, false);
	from = nsec_monotonic();
	set_all(b);
	printf("set-ns %.1f\n", ns_each(from, b->routes.n));
	from = nsec_monotonic();
	n = pull_all(b);
	printf("pull-ns %.1f\n", ns_each(from, n));
	printf("bytes %.1f\n", (double)(memory_in_use() - before) / (double)b->routes.n);
	from = nsec_monotonic();
	set_all(b);
	printf("again-ns %.1f\n", ns_each(from, b->routes.n));
	from = nsec_monotonic();
	flap_random(b, FLAPS);
	printf("random-ns %.1f\n", ns_each(from, FLAPS));
	pull_all(b);
	set_ways(b, true);
	from = nsec_monotonic();
	n = pull_all(b);
	printf("move-ms %.3f\n", (double)(nsec_monotonic() - from) / 1e6);
	printf("move-messages %zu\n", n);
	rib_free(b->rib);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"routes", required_argument, NULL, 'r'},
	    {"gateways", required_argument, NULL, 'g'}, {NULL, 0, NULL, 0}};
	struct bench b = {.gateways = 1000};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'r' && bench_routes_read(&b.routes, optarg, 0) == 0)
			continue;
		if (opt != 'g') {
			fprintf(stderr, "rib_scale: --routes FILE [--gateways N]\n");
			return 2;
		}
		b.gateways = (unsigned)atoi(optarg);
	}
	bench_routes_sort(&b.routes);
	if (b.routes.n == 0 || b.gateways == 0 || b.gateways > 65536)
		return 2;
	run(&b);
	return 0;
}
