/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles a packet of plain forwarding: one worker, one memory port whose far end is its near end, so that
 * packets circle through all stages. No kernel, no NIC. What is measured is whole loops of the worker
 * (worker_run_once) and the quiescent state after each. bench/run calls it and sets its figure beside a
 * baseline.
 *
 *   forward [--family 4|6] [--packets N] [--burst N] [--next-hops N] [--millis N] [--routes FILE] [--cpu N]
 *           [--members N] [--fresh] [--macswap]
 *
 * FILE: one prefix a line; without, one default route. Routes are dealt out at random to so many next hops,
 * all behind the one port; --members: a route's group has so many of them, which share its flows. --fresh:
 * each packet has another destination on each lap (written outside the clock); without, as many destinations
 * as packets return again and again, and of the table only what they touch. --macswap measures the ports and
 * the buffers alone: addresses swapped, no router.
 *
 * Prints "cycles-per-packet X cpu-cycles-per-packet Y packets N burst N routes N next-hops N huge 0|1
 * fresh 0|1".
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "bench/setup.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define MAX_PACKETS 524288
#define SPARE_MBUFS 1024
#define MBUF_BYTES  2560
#define TABLES_MIB  64

struct bench {
	unsigned packets, burst, millis;
	uint8_t family;
	int cpu; /* -1: wherever the process may run */
	const char *routes;
	bool macswap, fresh;
	struct traffic traffic;
	struct rte_ring *wire;
	struct iface *ifc;
	struct setup setup;
};

static int open_port(struct bench *b)
{
	struct fibmsg_port config = {
	    .name = "loop", .device = "net_ring_loop", .queues = 1, .mac = {2, 0, 0, 0, 0, 1}};
	struct err_msg msg;

	b->wire = rte_ring_create(
	    "wire", rte_align32pow2(b->packets + 1), SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!b->wire || rte_eth_from_rings("loop", &b->wire, 1, &b->wire, 1, 0) < 0)
		return setup_fail("no ring port");
	if (iface_add(IFACE_PORT, "loop", &b->ifc) != 0 || port_open(&config, b->ifc, &msg) != 0)
		return setup_fail("the port does not open");
	return 0;
}

/* One burst through no router at all: what the ports and the buffers themselves cost. */
static void swap_macs(const struct bench *b)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	uint16_t n = rte_eth_rx_burst(b->ifc->port->dpdk_id, 0, pkts, (uint16_t)b->burst);

	for (uint16_t i = 0; i < n; i++) {
		struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], struct wire_eth *);
		uint8_t was[6];

		memcpy(was, eth->dst, 6);
		memcpy(eth->dst, eth->src, 6);
		memcpy(eth->src, was, 6);
	}
	rte_eth_tx_burst(b->ifc->port->dpdk_id, 0, pkts, n);
}

/* What the port sent since it was opened; its own count, so that it holds for both modes. */
static uint64_t count_sent(const struct bench *b)
{
	struct rte_eth_stats stats;

	return rte_eth_stats_get(b->ifc->port->dpdk_id, &stats) == 0 ? stats.opackets : 0;
}

/* Every packet's TTL falls by the laps. */
static void circle(const struct bench *b, unsigned laps)
{
	unsigned loops = laps * (b->packets / b->burst);

	for (unsigned i = 0; i < loops; i++) {
		if (b->macswap) {
			swap_macs(b);
			continue;
		}
		worker_run_once(worker_table[0]);
		rcu_quiescent_state();
	}
}

/* The mean of all laps: the median one would hide the table's misses. */
static int measure(struct bench *b, struct traffic_clock *clock, uint64_t *sent)
{
	unsigned laps = traffic_laps(b->packets, b->fresh);
	uint64_t end_ns, before;

	circle(b, laps); /* caches and branches learn */
	if (traffic_renew(&b->traffic, b->wire, b->fresh) != b->packets)
		return setup_fail("packets were lost: the figure would mean nothing");
	end_ns = nsec_monotonic() + b->millis * NSEC_PER_MSEC;
	before = count_sent(b);
	while (nsec_monotonic() < end_ns) {
		traffic_clock_start(clock);
		circle(b, laps);
		traffic_clock_stop(clock);
		if (traffic_renew(&b->traffic, b->wire, b->fresh) != b->packets)
			return setup_fail("packets were lost: the figure would mean nothing");
	}
	*sent = count_sent(b) - before;
	return *sent ? 0 : setup_fail("nothing was sent");
}

static int set_up(struct bench *b)
{
	struct err_msg msg = {""};

	rcu_register_thread();
	group_init();
	if (traffic_load(&b->traffic, b->family, b->routes) != 0)
		return setup_fail("no route of the family in the file, or no such file");
	if (fib_init() != 0 || workers_create(1, b->packets + SPARE_MBUFS, &msg) != 0)
		return setup_fail(msg.text);
	worker_table[0]->burst = (uint16_t)b->burst;
	if (open_port(b) != 0 || setup_make_next_hops(&b->setup, &b->ifc, 1) != 0 ||
	    setup_install_routes(&b->setup, &b->traffic) != 0)
		return ERR_IO;
	return setup_add_packets(&b->traffic, worker_pool, b->ifc->port->mac, b->wire, b->packets);
}

static int run(struct bench *b)
{
	struct traffic_clock clock = {0};
	uint64_t sent;

	if (set_up(b) != 0 || measure(b, &clock, &sent) != 0)
		return ERR_IO;
	traffic_clock_print(&clock, sent);
	printf(" packets %u burst %u routes %zu next-hops %u huge %d fresh %d\n", b->packets, b->burst,
	    b->traffic.n_routes, b->setup.n, eal_hugepages(), b->fresh);
	return 0;
}

static int check_options(const struct bench *b)
{
	if (b->burst == 0 || b->burst > WORKER_BURST)
		return setup_fail("--burst: expected 1 to 64");
	if (b->packets < b->burst || b->packets > MAX_PACKETS)
		return setup_fail("--packets: expected a burst to 524288");
	if (b->setup.n == 0 || b->setup.n > SETUP_NEXT_HOPS)
		return setup_fail("--next-hops: expected 1 to 4096");
	if (b->setup.members == 0 || b->setup.members > FIBMSG_MEMBERS)
		return setup_fail("--members: expected 1 to 16");
	return b->millis ? 0 : setup_fail("--millis: expected 1 or more");
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"routes", required_argument, NULL, 'r'},
	    {"burst", required_argument, NULL, 'b'}, {"next-hops", required_argument, NULL, 'n'},
	    {"family", required_argument, NULL, 'f'}, {"cpu", required_argument, NULL, 'c'},
	    {"members", required_argument, NULL, 'M'}, {"fresh", no_argument, NULL, 'F'},
	    {"macswap", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (opt == 'p')
			b->packets = number;
		else if (opt == 'm')
			b->millis = number;
		else if (opt == 'b')
			b->burst = number;
		else if (opt == 'n')
			b->setup.n = number;
		else if (opt == 'M')
			b->setup.members = number;
		else if (opt == 'f')
			b->family = number == 6 ? IP_V6 : IP_V4;
		else if (opt == 'c')
			b->cpu = (int)number;
		else if (opt == 'r')
			b->routes = optarg;
		else if (opt == 'F')
			b->fresh = true;
		else if (opt == 's')
			b->macswap = true;
		else
			return ERR_INVALID;
	}
	return check_options(b);
}

int main(int argc, char **argv)
{
	static struct bench b = {.packets = 256,
	    .burst = WORKER_BURST,
	    .setup = {.n = 64, .members = 1},
	    .millis = 500,
	    .family = IP_V4,
	    .cpu = -1};
	char prefix[32];
	struct eal_config config = {.prefix = prefix, .workers = 1};
	struct err_msg msg;
	int err;

	if (parse(&b, argc, argv) != 0)
		return 2;
	log_init("forward", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.mem_mib = TABLES_MIB + (b.packets + SPARE_MBUFS) / 1024 * MBUF_BYTES / 1024;
	err = setup_pin(b.cpu);
	if (!err && eal_start(&config, &msg) != 0)
		err = setup_fail(msg.text);
	if (!err)
		err = run(&b);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0); /* tables go with the process */
}
