/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles a packet of plain forwarding: one worker, one memory port whose far end is its near end, so that
 * packets circle through all stages. No kernel, no NIC. bench/run calls it and sets its figure beside
 * testpmd's.
 *
 *   forward [--packets N] [--millis N] [--routes FILE] [--macswap]      FILE: one prefix a line
 *
 * --macswap measures the baseline instead: the same port and buffers, addresses swapped, no router.
 *
 * Prints "cycles-per-packet X packets N routes N". TTLs are renewed outside the clock.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/worker.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define FRAME_LEN  60  /* 64 on the wire */
#define LAPS	   200 /* of each packet between two renewals of its TTL */
#define MAX_ROUTES 2000000
#define MAX_MBUFS  16384

struct bench {
	unsigned packets, millis;
	const char *routes;
	bool macswap;
	struct ip_prefix *table;
	size_t n_routes;
	struct rte_ring *wire;
	struct iface *ifc;
	struct neigh neighbour;
	struct nexthop via;
};

static int fail(const char *what)
{
	fprintf(stderr, "forward: %s\n", what);
	return ERR_IO;
}

static uint64_t next_random(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	return s ^= s << 17;
}

static int load_routes(struct bench *b)
{
	FILE *f = b->routes ? fopen(b->routes, "re") : NULL;
	char line[128];

	b->table = calloc(MAX_ROUTES, sizeof(*b->table));
	if (!b->table)
		return fail("no memory");
	if (!f) {
		ip_prefix_parse("0.0.0.0/0", &b->table[b->n_routes++], NULL);
		return b->routes ? fail("the file of routes cannot be read") : 0;
	}
	while (b->n_routes < MAX_ROUTES && fgets(line, sizeof(line), f)) {
		struct ip_prefix *p = &b->table[b->n_routes];

		line[strcspn(line, " \t\n")] = 0;
		/* only what hosts may use: the first stage drops the rest */
		if (ip_prefix_parse(line, p, NULL) == 0 && p->addr.family == IP_V4 && p->addr.b[0] > 0 &&
		    p->addr.b[0] < 224 && p->addr.b[0] != 127 &&
		    !(p->addr.b[0] == 169 && p->addr.b[1] == 254))
			b->n_routes++;
	}
	fclose(f);
	return b->n_routes ? 0 : fail("no IPv4 prefix in the file of routes");
}

static int install_routes(struct bench *b)
{
	uint32_t group;

	if (group_index_alloc(&group) != 0)
		return fail("no group");
	atomic_store_explicit(&group_forward[group], (uintptr_t)&b->via, memory_order_release);
	for (size_t i = 0; i < b->n_routes; i++)
		if (fib_set(FIBMSG_OVERLAY, &b->table[i], FIB_CONTROL, group) != 0)
			return fail("a route is refused");
	return 0;
}

static int open_port(struct bench *b)
{
	struct fibmsg_port config = {
	    .name = "loop", .device = "net_ring_loop", .queues = 1, .mac = {2, 0, 0, 0, 0, 1}};
	struct err_msg msg;
	uint64_t mac = 0;

	b->wire = rte_ring_create("wire", MAX_MBUFS * 2, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!b->wire || rte_eth_from_rings("loop", &b->wire, 1, &b->wire, 1, 0) < 0)
		return fail("no ring port");
	if (iface_add(IFACE_PORT, "loop", &b->ifc) != 0 || port_open(&config, b->ifc, &msg) != 0)
		return fail("the port does not open");
	memcpy(&mac, config.mac, 6);
	b->neighbour = (struct neigh){.iface = b->ifc->index, .mac = mac | NEIGH_MAC_VALID};
	b->via = (struct nexthop){.kind = NEXTHOP_VIA, .iface = b->ifc->index, .neigh = &b->neighbour};
	return 0;
}

/* A UDP frame to a random address that some route covers. */
static int add_packet(struct bench *b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker_pool);
	const struct ip_prefix *p = &b->table[next_random() % b->n_routes];
	uint32_t mask = p->len ? ~(uint32_t)0 << (32 - p->len) : 0;
	uint32_t dst = ntohl(ip_addr_be32(&p->addr)) | ((uint32_t)next_random() & ~mask);
	struct wire_eth *eth;
	struct wire_ip4 *ip;

	if (!m)
		return fail("packet buffers exhausted");
	if (p->len == 0)
		dst = 0xc6120000u | (dst & 0xffff); /* RFC 2544's */
	eth = (struct wire_eth *)rte_pktmbuf_append(m, FRAME_LEN);
	memset(eth, 0, FRAME_LEN);
	ip = (struct wire_ip4 *)(eth + 1);
	memcpy(eth->dst, b->ifc->port->mac, 6);
	eth->type_be = htons(ETH_TYPE_IP4);
	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons(FRAME_LEN - sizeof(*eth)),
	    .ttl = 255,
	    .proto = IP_PROTO_UDP,
	    .src_be = htonl(0x0a000001),
	    .dst_be = htonl(dst)};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	return rte_ring_enqueue(b->wire, m) == 0 ? 0 : fail("the wire is full");
}

static void renew_ttl(struct bench *b)
{
	static struct rte_mbuf *all[MAX_MBUFS];
	unsigned n = rte_ring_dequeue_burst(b->wire, (void **)all, MAX_MBUFS, NULL);

	for (unsigned i = 0; i < n; i++) {
		struct wire_ip4 *ip =
		    rte_pktmbuf_mtod_offset(all[i], struct wire_ip4 *, sizeof(struct wire_eth));

		ip->ttl = 255;
		ip->csum = 0;
		ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	}
	rte_ring_enqueue_burst(b->wire, (void **)all, n, NULL);
}

/* Cycles that this thread had, whatever else runs on the machine. */
static uint64_t own_cycles(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)(((double)ts.tv_sec + (double)ts.tv_nsec / 1e9) * (double)rte_get_tsc_hz());
}

/* One burst through no router at all: what the ports and the buffers themselves cost. */
static uint64_t swap_macs(const struct bench *b)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	uint16_t n = rte_eth_rx_burst(b->ifc->port->dpdk_id, 0, pkts, WORKER_BURST);

	for (uint16_t i = 0; i < n; i++) {
		struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], struct wire_eth *);
		uint8_t was[6];

		memcpy(was, eth->dst, 6);
		memcpy(eth->dst, eth->src, 6);
		memcpy(eth->src, was, 6);
	}
	return rte_eth_tx_burst(b->ifc->port->dpdk_id, 0, pkts, n);
}

static uint64_t route(const struct bench *b)
{
	uint64_t before = workers_iface_counters(b->ifc->index).tx_packets;

	worker_run_once(worker_table[0]);
	rcu_quiescent_state();
	return workers_iface_counters(b->ifc->index).tx_packets - before;
}

/* Cycles a packet; the median lap would hide the table's misses, so it is the mean of all laps. */
static int measure(struct bench *b, double *result)
{
	uint64_t end = nsec_monotonic() + b->millis * NSEC_PER_MSEC, cycles = 0, sent = 0;

	while (nsec_monotonic() < end) {
		uint64_t start = own_cycles();

		for (unsigned i = 0; i < LAPS * b->packets / WORKER_BURST; i++)
			sent += b->macswap ? swap_macs(b) : route(b);
		cycles += own_cycles() - start;
		renew_ttl(b);
	}
	if (sent == 0 || rte_ring_count(b->wire) != b->packets)
		return fail("packets were lost: the figure would mean nothing");
	*result = (double)cycles / (double)sent;
	return 0;
}

static int run(struct bench *b)
{
	struct err_msg msg = {""};
	double result;

	rcu_register_thread();
	group_init();
	if (fib_init() != 0 || workers_create(1, MAX_MBUFS, &msg) != 0)
		return fail(msg.text);
	if (load_routes(b) != 0 || open_port(b) != 0 || install_routes(b) != 0)
		return ERR_IO;
	for (unsigned i = 0; i < b->packets; i++)
		if (add_packet(b) != 0)
			return ERR_IO;
	for (unsigned i = 0; i < 1000; i++)
		worker_run_once(worker_table[0]);
	renew_ttl(b);
	if (measure(b, &result) != 0)
		return ERR_IO;
	printf("cycles-per-packet %.2f packets %u routes %zu\n", result, b->packets, b->n_routes);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"routes", required_argument, NULL, 'r'},
	    {"macswap", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	struct bench b = {.packets = 256, .millis = 500};
	struct eal_config config = {.prefix = "byway-bench", .workers = 1, .mem_mib = 96};
	char prefix[32];
	struct err_msg msg;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'p')
			b.packets = (unsigned)atoi(optarg);
		else if (opt == 'm')
			b.millis = (unsigned)atoi(optarg);
		else if (opt == 'r')
			b.routes = optarg;
		else if (opt == 's')
			b.macswap = true;
		else
			return 2;
	}
	if (b.packets < WORKER_BURST || b.packets > MAX_MBUFS / 2 || b.millis == 0)
		return fail("--packets 64 to 8192, --millis from 1") ? 2 : 2;
	log_init("forward", LOG_LEVEL_WARN);
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
