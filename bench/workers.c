/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets a second of several workers on one memory port, as threads on cores of their own. Each receive
 * queue of the port is the far end of a transmit queue, so that packets circle; who fills the queues deals
 * packets out by flow, as a NIC's RSS does.
 *
 *   workers --cpus LIST [--queues N] [--spread off|auto|always] [--packets N] [--family 4|6] [--routes FILE]
 *           [--millis N] [--work N]
 *
 * LIST: one CPU a worker. --packets: in flight for each worker. TTLs are renewed as frames are received,
 * inside the clock, since workers do not stop for it: a cost of both sides of a comparison.
 *
 * --work: so many cycles go by for each packet as it is sent, by the worker that sends it: what sealing it
 * would take.
 *
 * Prints "packets-per-second X workers N queues N share A,B,... away N": how much each worker sent, and how
 * many buckets the receiving one gave away.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "bench/traffic.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/spread.h"
#include "dataplane/worker.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define MAX_PACKETS 65536 /* of a worker */
#define SPARE_MBUFS 2048
#define MBUF_BYTES  2560
#define TABLES_MIB  64
#define NEXT_HOPS   64
#define WARM_UP_MS  300
#define LOW_TTL	    64

struct bench {
	unsigned packets, millis, workers, queues, work;
	uint8_t family;
	const char *routes, *cpus;
	struct traffic traffic;
	struct rte_ring *wires[WORKER_MAX];
	struct iface *ifc;
	struct neigh neighbours[NEXT_HOPS];
	struct nexthop vias[NEXT_HOPS];
	uint32_t groups[NEXT_HOPS];
};

static int fail(const char *what)
{
	fprintf(stderr, "workers: %s\n", what);
	return ERR_IO;
}

/* Of the driver's receive function: the far end gives each packet a new life. */
static uint16_t renew_ttl(
    uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t n, uint16_t max, void *arg)
{
	for (uint16_t i = 0; i < n; i++) {
		struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], struct wire_eth *);
		struct wire_ip4 *ip = (struct wire_ip4 *)(eth + 1);

		if (eth->type_be == htons(ETH_TYPE_IP6)) {
			((struct wire_ip6 *)(eth + 1))->hop_limit = 255;
		} else if (ip->ttl < LOW_TTL) {
			ip->ttl = 255;
			ip->csum = 0;
			ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
		}
	}
	return n;
}

/* Of the driver's transmit function. */
static uint16_t work(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t n, void *arg)
{
	uint64_t end = rte_rdtsc() + (uint64_t)n * *(const unsigned *)arg;

	while (rte_rdtsc() < end)
		rte_pause();
	return n;
}

/* A transmit queue a worker; its far end is the receive queue that the same worker polls, as far as there are
 * queues. */
static int open_port(struct bench *b)
{
	struct fibmsg_port config = {.name = "loop",
	    .device = "net_ring_loop",
	    .queues = (uint8_t)b->queues,
	    .mac = {2, 0, 0, 0, 0, 1}};
	struct rte_ring *to[WORKER_MAX];
	struct err_msg msg = {""};
	char name[32];

	if (iface_add(IFACE_PORT, "loop", &b->ifc) != 0)
		return fail("no interface");
	for (unsigned i = 0; i < b->queues; i++) {
		snprintf(name, sizeof(name), "wire-%u", i);
		b->wires[i] = rte_ring_create(
		    name, rte_align32pow2(b->packets * b->workers + 1), SOCKET_ID_ANY, RING_F_SC_DEQ);
		if (!b->wires[i])
			return fail("no memory for a wire");
	}
	for (unsigned q = 0; q < b->workers; q++) /* its reader: worker_setup.c */
		to[(b->ifc->index + q) % b->workers] = b->wires[q % b->queues];
	if (rte_eth_from_rings("loop", b->wires, b->queues, to, b->workers, 0) < 0 ||
	    port_open(&config, b->ifc, &msg) != 0)
		return fail(msg.text);
	for (uint16_t q = 0; q < b->queues; q++)
		if (!rte_eth_add_rx_callback(b->ifc->port->dpdk_id, q, renew_ttl, NULL))
			return fail("this DPDK has no callbacks");
	for (uint16_t q = 0; b->work && q < b->workers; q++)
		if (!rte_eth_add_tx_callback(b->ifc->port->dpdk_id, q, work, &b->work))
			return fail("this DPDK has no callbacks");
	return 0;
}

static int install_routes(struct bench *b)
{
	uint64_t mac = 0;

	memcpy(&mac, b->ifc->port->mac, 6);
	for (unsigned i = 0; i < NEXT_HOPS; i++) {
		b->neighbours[i] = (struct neigh){.iface = b->ifc->index, .mac = mac | NEIGH_MAC_VALID};
		b->vias[i] =
		    (struct nexthop){.kind = NEXTHOP_VIA, .iface = b->ifc->index, .neigh = &b->neighbours[i]};
		if (group_index_alloc(&b->groups[i]) != 0)
			return fail("no group");
		atomic_store_explicit(
		    &group_forward[b->groups[i]], (uintptr_t)&b->vias[i], memory_order_release);
	}
	for (size_t i = 0; i < b->traffic.n_routes; i++)
		if (fib_set(FIBMSG_OVERLAY, &b->traffic.routes[i], FIB_CONTROL,
			b->groups[traffic_random() % NEXT_HOPS]) != 0)
			return fail("a route is refused");
	return 0;
}

static int add_packets(struct bench *b)
{
	for (unsigned i = 0; i < b->packets * b->workers; i++) {
		struct rte_mbuf *m = traffic_packet(&b->traffic, worker_pool, b->ifc->port->mac);

		if (!m || rte_ring_enqueue(b->wires[i % b->queues], m) != 0)
			return fail("packet buffers exhausted");
	}
	return 0;
}

static uint64_t sent_by(const struct bench *b, unsigned worker)
{
	return __atomic_load_n(&worker_table[worker]->ifaces[b->ifc->index].tx_packets, __ATOMIC_RELAXED);
}

static void measure(const struct bench *b)
{
	uint64_t before[WORKER_MAX], from_ns, took_ns, sum = 0;

	usleep(WARM_UP_MS * 1000);
	from_ns = nsec_monotonic();
	for (unsigned i = 0; i < b->workers; i++)
		before[i] = sent_by(b, i);
	usleep(b->millis * 1000);
	took_ns = nsec_monotonic() - from_ns;
	for (unsigned i = 0; i < b->workers; i++) {
		before[i] = sent_by(b, i) - before[i];
		sum += before[i];
	}
	printf("packets-per-second %.0f workers %u queues %u share ",
	    (double)sum * (double)NSEC_PER_SEC / (double)took_ns, b->workers, b->queues);
	for (unsigned i = 0; i < b->workers; i++)
		printf("%s%.2f", i ? "," : "", sum ? (double)before[i] / (double)sum : 0);
	printf(" away %u\n", spread_count_away(worker_table[b->ifc->index % b->workers]));
}

static int run(struct bench *b)
{
	struct err_msg msg = {""};

	rcu_register_thread();
	group_init();
	if (traffic_load(&b->traffic, b->family, b->routes) != 0)
		return fail("no route of the family in the file, or no such file");
	if (fib_init() != 0 || workers_create(b->workers, b->packets * b->workers + SPARE_MBUFS, &msg) != 0)
		return fail(msg.text);
	if (open_port(b) != 0 || install_routes(b) != 0 || add_packets(b) != 0)
		return ERR_IO;
	rcu_thread_offline();
	if (workers_launch() != 0)
		return fail("the workers do not start");
	measure(b);
	workers_stop();
	for (unsigned r = 0; r < DROP_REASONS; r++)
		if (workers_drop_count((enum drop_reason)r))
			return fail("packets were lost: the figure would mean nothing");
	return 0;
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"routes", required_argument, NULL, 'r'},
	    {"queues", required_argument, NULL, 'q'}, {"cpus", required_argument, NULL, 'c'},
	    {"family", required_argument, NULL, 'f'}, {"spread", required_argument, NULL, 's'},
	    {"work", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (opt == 'p')
			b->packets = number;
		else if (opt == 'm')
			b->millis = number;
		else if (opt == 'q')
			b->queues = number;
		else if (opt == 'f')
			b->family = number == 6 ? IP_V6 : IP_V4;
		else if (opt == 'w')
			b->work = number;
		else if (opt == 'r')
			b->routes = optarg;
		else if (opt == 'c')
			b->cpus = optarg;
		else if (opt == 's' && spread_parse_mode(optarg, &spread_mode) == 0)
			continue;
		else
			return ERR_INVALID;
	}
	if (!b->cpus)
		return fail("--cpus: expected one CPU a worker, as in 0,1");
	for (const char *p = b->cpus; p; p = strchr(p + 1, ','))
		b->workers++;
	if (b->queues == 0)
		b->queues = b->workers;
	if (b->workers > WORKER_MAX || b->queues > b->workers || b->packets < WORKER_BURST ||
	    b->packets > MAX_PACKETS || b->millis == 0)
		return fail("at most 8 CPUs, as many queues, --packets 64 to 65536, --millis from 1");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {.packets = 256, .millis = 500, .family = IP_V4};
	char prefix[32];
	struct eal_config config = {.prefix = prefix};
	struct err_msg msg;
	int err = parse(&b, argc, argv);

	if (err)
		return 2;
	log_init("workers", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.cpus = b.cpus;
	config.workers = b.workers;
	config.mem_mib = TABLES_MIB + (b.packets * b.workers + SPARE_MBUFS) / 1024 * MBUF_BYTES / 1024;
	err = eal_start(&config, &msg) == 0 ? run(&b) : fail(msg.text);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0);
}
