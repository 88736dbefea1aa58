/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets a second of one peer's tunnel over several workers, as threads on cores of their own. All messages
 * of the peer are one flow: they come by one queue, and must come out in their order.
 *
 *   tunnel_workers --cpus LIST --direction encap|decap [--len N] [--packets N] [--millis N]
 *
 * LIST: one CPU a worker. Encapsulation has a queue a worker, as a NIC that spreads flows; decapsulation has
 * one. Each round puts all packets on the wire at once and ends with the last that comes out; --packets: of a
 * round.
 *
 * Prints "packets-per-second X workers N rounds N": the median of the rounds.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "bench/tunnel_rig.h"
#include "dataplane/aead_ipsec_mb.h"
#include "dataplane/eal.h"
#include "dataplane/port.h"
#include "lib/aead_burst.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define MAX_PACKETS 16384
#define MAX_ROUNDS  4096
#define MBUF_BYTES  2560
#define TABLES_MIB  96
#define PATIENCE_NS (2 * NSEC_PER_SEC)

struct bench {
	struct tunnel_rig rig;
	unsigned millis;
	uint16_t len;
	const char *cpus;
	struct rte_mbuf *waiting[MAX_PACKETS];
	unsigned n_rounds;
	double rounds[MAX_ROUNDS]; /* packets a second */
};

static _Atomic unsigned sent;	  /* workers add (relaxed), the main thread looks on */
static _Atomic uint64_t last_tsc; /* when the last was sent */

static int fail(const char *what)
{
	fprintf(stderr, "tunnel_workers: %s\n", what);
	return ERR_IO;
}

/* Of the driver's transmit function. */
static uint16_t note_sent(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t n, void *arg)
{
	const struct bench *b = arg;

	if (atomic_fetch_add_explicit(&sent, n, memory_order_relaxed) + n == b->rig.packets)
		atomic_store_explicit(&last_tsc, rte_rdtsc(), memory_order_release);
	return n;
}

/* The number of an inner packet, behind its UDP header. */
#define NUMBER_AT (sizeof(struct wire_eth) + sizeof(struct wire_ip4) + sizeof(struct wire_udp))

static int fill(struct bench *b)
{
	for (unsigned i = 0; i < b->rig.packets; i++) {
		b->waiting[i] = rte_pktmbuf_alloc(worker_pool);
		if (!b->waiting[i])
			return fail("packet buffers exhausted");
		memcpy(b->rig.made[i].bytes + NUMBER_AT, &i, sizeof(i));
		if (b->rig.to_lan)
			tunnel_rig_sealed(&b->rig, i, b->waiting[i]);
		else
			tunnel_rig_plain(&b->rig, i, b->waiting[i]);
	}
	return 0;
}

/* All come out; out of the tunnel, in their order. */
static int drain(struct bench *b)
{
	struct rte_ring **out = b->rig.to_lan ? b->rig.lan_out : b->rig.wan_out;
	unsigned n = 0, number, expected = 0;
	struct rte_mbuf *m;

	for (unsigned q = 0; q < b->rig.workers; q++) {
		for (; rte_ring_dequeue(out[q], (void **)&m) == 0; n++) {
			memcpy(&number, rte_pktmbuf_mtod_offset(m, uint8_t *, NUMBER_AT), sizeof(number));
			if (b->rig.to_lan && number != expected++)
				return fail("packets came out of order");
			rte_pktmbuf_free(m);
		}
	}
	return n == b->rig.packets ? 0 : fail("packets were lost: the figure would mean nothing");
}

static void put_on_wire(struct bench *b)
{
	struct rte_ring **in = b->rig.to_lan ? b->rig.wan_in : b->rig.lan_in;
	unsigned part = b->rig.packets / b->rig.queues;

	for (unsigned q = 0; q < b->rig.queues; q++)
		rte_ring_enqueue_bulk(in[q], (void **)&b->waiting[q * part], part, NULL);
	for (unsigned i = 0; i < b->rig.workers; i++)
		worker_wake(worker_table[i]);
}

static int run_round(struct bench *b, double *per_second)
{
	uint64_t from, end_ns = nsec_monotonic() + PATIENCE_NS;
	int err = fill(b);

	if (err)
		return err;
	atomic_store_explicit(&sent, 0, memory_order_relaxed);
	from = rte_rdtsc();
	put_on_wire(b);
	while (
	    atomic_load_explicit(&sent, memory_order_relaxed) < b->rig.packets && nsec_monotonic() < end_ns)
		usleep(1000);
	usleep(200); /* the callback comes before the ring */
	*per_second = (double)b->rig.packets * (double)rte_get_tsc_hz() /
		      (double)(atomic_load_explicit(&last_tsc, memory_order_acquire) - from);
	return drain(b);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int measure(struct bench *b)
{
	struct iface *out = b->rig.to_lan ? b->rig.lan : b->rig.wan;
	uint64_t end_ns;
	double unused;

	for (uint16_t q = 0; q < b->rig.workers; q++)
		if (!rte_eth_add_tx_callback(out->port->dpdk_id, q, note_sent, b))
			return fail("this DPDK has no callbacks");
	if (workers_launch() != 0)
		return fail("the workers do not start");
	rcu_thread_offline();
	for (unsigned i = 0; i < 3; i++)
		if (run_round(b, &unused) != 0)
			return ERR_IO;
	end_ns = nsec_monotonic() + b->millis * NSEC_PER_MSEC;
	while (nsec_monotonic() < end_ns && b->n_rounds < MAX_ROUNDS)
		if (run_round(b, &b->rounds[b->n_rounds++]) != 0)
			return ERR_IO;
	workers_stop();
	qsort(b->rounds, b->n_rounds, sizeof(b->rounds[0]), compare);
	printf("packets-per-second %.0f workers %u rounds %u\n", b->rounds[b->n_rounds / 2], b->rig.workers,
	    b->n_rounds);
	return 0;
}

static int run(struct bench *b)
{
	aead_ipsec_mb_register();
	if (aead_burst_init(NULL) != 0 || tunnel_rig_open(&b->rig) != 0)
		return ERR_IO;
	for (unsigned i = 0; i < b->rig.packets; i++)
		if (tunnel_rig_make(&b->rig, i, b->len) != 0)
			return ERR_IO;
	return measure(b);
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"direction", required_argument, NULL, 'd'},
	    {"len", required_argument, NULL, 'l'}, {"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"cpus", required_argument, NULL, 'c'},
	    {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = (unsigned)strtoul(optarg, NULL, 10);

		if (opt == 'd')
			b->rig.to_lan = strcmp(optarg, "decap") == 0;
		else if (opt == 'l')
			b->len = (uint16_t)number;
		else if (opt == 'p')
			b->rig.packets = number;
		else if (opt == 'm')
			b->millis = number;
		else if (opt == 'c')
			b->cpus = optarg;
		else
			return ERR_INVALID;
	}
	if (!b->cpus)
		return fail("--cpus: expected one CPU a worker, as in 0,1");
	for (const char *p = b->cpus; p; p = strchr(p + 1, ','))
		b->rig.workers++;
	b->rig.queues = b->rig.to_lan ? 1 : b->rig.workers;
	if (b->rig.workers > WORKER_MAX || b->rig.packets < 64 || b->rig.packets > MAX_PACKETS ||
	    b->rig.packets % b->rig.workers || b->len < 46 || b->len > 1420)
		return fail("at most 8 CPUs, --packets 64 to 16384, a multiple of theirs, --len 46 to 1420");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {.rig = {.peers = 1, .packets = 8192}, .millis = 500, .len = 1420};
	char prefix[32];
	struct eal_config config = {.prefix = prefix};
	struct err_msg msg;
	int err;

	if (parse(&b, argc, argv) != 0)
		return 2;
	log_init("tunnel_workers", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.cpus = b.cpus;
	config.workers = b.rig.workers;
	config.mem_mib = TABLES_MIB + b.rig.packets / 1024 * MBUF_BYTES / 1024;
	err = eal_start(&config, &msg) == 0 ? run(&b) : fail(msg.text);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0);
}
