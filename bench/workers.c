/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets a second of several workers on memory ports, as threads on cores of their own. Each receive queue
 * of a port is the far end of a transmit queue, so that packets circle; who fills the queues deals packets
 * out by flow, as a NIC's RSS does.
 *
 *   workers --cpus LIST [--ports N | --queues N] [--spread off|auto|always] [--packets N] [--family 4|6]
 *           [--routes FILE] [--millis N] [--work N]
 *
 * LIST: one CPU a worker. --ports: one for each worker, with one queue; without, one port with a queue for
 * each worker. The second measures DPDK's driver, too: it counts what its queues pass in words side by side,
 * and workers wait for each other there (a quarter of their time). --packets: in flight for each worker. TTLs
 * are renewed as frames are received, inside the clock, since workers do not stop for it: a cost of both
 * sides of a comparison.
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

#include "bench/setup.h"
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
	unsigned packets, millis, workers, ports, queues, work; /* queues: of a port */
	uint8_t family;
	const char *routes, *cpus;
	struct traffic traffic;
	struct rte_ring *wires[WORKER_MAX][WORKER_MAX];
	struct iface *ifc[WORKER_MAX];
	struct setup setup;
};

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

static int make_wires(struct bench *b, unsigned port)
{
	char name[32];

	for (unsigned q = 0; q < b->queues; q++) {
		snprintf(name, sizeof(name), "wire-%u-%u", port, q);
		b->wires[port][q] = rte_ring_create(
		    name, rte_align32pow2(b->packets * b->workers + 1), SOCKET_ID_ANY, RING_F_SC_DEQ);
		if (!b->wires[port][q])
			return setup_fail("no memory for a wire");
	}
	return 0;
}

/* A transmit queue a worker; its far end is the receive queue that the same worker polls, as far as there are
 * queues. */
static int open_port(struct bench *b, unsigned port)
{
	struct fibmsg_port config = {.queues = (uint8_t)b->queues, .mac = {2, 0, 0, 0, 0, 1}};
	struct iface **ifc = &b->ifc[port];
	struct rte_ring *to[WORKER_MAX];
	struct err_msg msg = {""};

	snprintf(config.name, sizeof(config.name), "loop%u", port);
	snprintf(config.device, sizeof(config.device), "net_ring_%s", config.name);
	if (make_wires(b, port) != 0 || iface_add(IFACE_PORT, config.name, ifc) != 0)
		return setup_fail("no interface");
	for (unsigned q = 0; q < b->workers; q++) /* its reader: worker_setup.c */
		to[((*ifc)->index + q) % b->workers] = b->wires[port][q % b->queues];
	if (rte_eth_from_rings(config.name, b->wires[port], b->queues, to, b->workers, 0) < 0 ||
	    port_open(&config, *ifc, &msg) != 0)
		return setup_fail(msg.text);
	for (uint16_t q = 0; q < b->queues; q++)
		if (!rte_eth_add_rx_callback((*ifc)->port->dpdk_id, q, renew_ttl, NULL))
			return setup_fail("this DPDK has no callbacks");
	for (uint16_t q = 0; b->work && q < b->workers; q++)
		if (!rte_eth_add_tx_callback((*ifc)->port->dpdk_id, q, work, &b->work))
			return setup_fail("this DPDK has no callbacks");
	return 0;
}

/* By which port a packet will leave. */
static unsigned port_of(const struct bench *b, const struct rte_mbuf *m)
{
	const struct wire_eth *eth = rte_pktmbuf_mtod(m, const struct wire_eth *);
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);
	const struct nexthop *nh;
	uint32_t group, dst_be = ((const struct wire_ip4 *)(eth + 1))->dst_be;

	if (eth->type_be == htons(ETH_TYPE_IP4))
		fib_lookup4(t, &dst_be, &group, 1);
	else
		fib_lookup6(t, &((const struct wire_ip6 *)(eth + 1))->dst, &group, 1);
	nh = group_pick(group, 0);
	for (unsigned p = 0; p < b->ports; p++)
		if (b->ifc[p]->index == nh->iface)
			return p;
	return 0;
}

/* A packet that will leave by this port, so that it stays with one worker. */
static struct rte_mbuf *make_packet(struct bench *b, unsigned port)
{
	struct rte_mbuf *m;

	while ((m = traffic_packet(&b->traffic, worker_pool, b->ifc[0]->port->mac)) && port_of(b, m) != port)
		rte_pktmbuf_free(m); /* and it comes back at the next turn */
	return m;
}

/* As many on each wire. Buffers of one wire lie side by side: every other one would be in half of the core's
 * sets. */
static int add_packets(struct bench *b)
{
	unsigned each = b->packets * b->workers / b->ports / b->queues;

	for (unsigned k = 0; k < b->ports * b->queues; k++) {
		unsigned port = k / b->queues;

		for (unsigned i = 0; i < each; i++) {
			struct rte_mbuf *m = make_packet(b, port);

			if (!m || rte_ring_enqueue(b->wires[port][k % b->queues], m) != 0)
				return setup_fail("packet buffers exhausted");
		}
	}
	return 0;
}

static uint64_t sent_by(const struct bench *b, unsigned worker)
{
	uint64_t sum = 0;

	for (unsigned p = 0; p < b->ports; p++)
		sum += __atomic_load_n(
		    &worker_table[worker]->ifaces[b->ifc[p]->index].tx_packets, __ATOMIC_RELAXED);
	return sum;
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
	printf(" away %u\n", spread_count_away(worker_table[b->ifc[0]->index % b->workers]));
}

static int run(struct bench *b)
{
	struct err_msg msg = {""};

	rcu_register_thread();
	group_init();
	if (traffic_load(&b->traffic, b->family, b->routes) != 0)
		return setup_fail("no route of the family in the file, or no such file");
	if (fib_init() != 0 || workers_create(b->workers, b->packets * b->workers + SPARE_MBUFS, &msg) != 0)
		return setup_fail(msg.text);
	for (unsigned p = 0; p < b->ports; p++)
		if (open_port(b, p) != 0)
			return ERR_IO;
	if (setup_make_next_hops(&b->setup, b->ifc, b->ports) != 0 ||
	    setup_install_routes(&b->setup, &b->traffic) != 0 || add_packets(b) != 0)
		return ERR_IO;
	rcu_thread_offline();
	if (workers_launch() != 0)
		return setup_fail("the workers do not start");
	measure(b);
	workers_stop();
	for (unsigned r = 0; r < DROP_REASONS; r++)
		if (workers_drop_count((enum drop_reason)r))
			return setup_fail("packets were lost: the figure would mean nothing");
	return 0;
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"routes", required_argument, NULL, 'r'},
	    {"queues", required_argument, NULL, 'q'}, {"ports", required_argument, NULL, 'P'},
	    {"cpus", required_argument, NULL, 'c'}, {"family", required_argument, NULL, 'f'},
	    {"spread", required_argument, NULL, 's'}, {"work", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (opt == 'p')
			b->packets = number;
		else if (opt == 'm')
			b->millis = number;
		else if (opt == 'q')
			b->queues = number;
		else if (opt == 'P')
			b->ports = number;
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
		return setup_fail("--cpus: expected one CPU a worker, as in 0,1");
	for (const char *p = b->cpus; p; p = strchr(p + 1, ','))
		b->workers++;
	if (b->ports > 1)
		spread_mode = SPREAD_OFF;
	if (b->queues == 0)
		b->queues = b->ports > 1 ? 1 : b->workers;
	if (b->ports == 0 || (b->ports > 1 && (b->ports != b->workers || b->queues > 1)))
		return setup_fail("--ports: expected 1, or a port of one queue for each worker");
	if (b->workers > WORKER_MAX || b->queues > b->workers || b->packets < WORKER_BURST ||
	    b->packets > MAX_PACKETS || b->millis == 0)
		return setup_fail("at most 8 CPUs, as many queues, --packets 64 to 65536, --millis from 1");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {.packets = 256,
	    .millis = 500,
	    .family = IP_V4,
	    .ports = 1,
	    .setup = {.n = NEXT_HOPS, .members = 1}};
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
	err = eal_start(&config, &msg) == 0 ? run(&b) : setup_fail(msg.text);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0);
}
