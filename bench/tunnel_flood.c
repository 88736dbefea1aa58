/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What forged handshakes cost a tunnel's data: a worker opens messages of a peer between which initiations of
 * strangers come, while the slow thread (this one) does what it does in the router.
 *
 *   tunnel_flood --forge mac1|cookie|noise [--rate N] [--cpu N] [--slow-cpu N] [--len N] [--packets N]
 * [--millis N]
 *
 * --forge mac1: random bytes; cookie: a good mac1, which who knows the public key can make, and no cookie:
 * each is worth a reply; noise: no messages at all, what any other packet costs. --rate: so many a second,
 * from as many addresses. Rounds with and without them take turns; a round puts all packets on the wire at
 * once and ends with the last of the data.
 *
 * Prints "packets-per-second X at-rest Y forged-per-second N slow-ns N answers N dropped N": medians of the
 * rounds; CPU time of the slow thread for each forged one; cookie replies, and what the queue had no room
 * for.
 */
#include <dirent.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "bench/tunnel_rig.h"
#include "dataplane/eal.h"
#include "dataplane/port.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel.h"
#include "lib/log.h"
#include "lib/nsec.h"
#include "lib/wg_cookie.h"

#define MAX_PACKETS 16384
#define MAX_FORGED  8192
#define MAX_ROUNDS  4096
#define WARM_ROUNDS 8
#define MBUF_BYTES  2560
#define TABLES_MIB  96
#define STRANGERS   0x64400000u /* 100.64.0.0 and on */
#define PATIENCE_NS (2 * NSEC_PER_SEC)

struct rounds {
	unsigned n;
	double per_second[MAX_ROUNDS];
};

struct bench {
	struct tunnel_rig rig;
	unsigned millis, rate;
	uint16_t len;
	const char *cpu;
	int slow_cpu;
	const char *forge;
	struct wg_wire_initiation forged[MAX_FORGED];
	struct rte_mbuf *waiting[MAX_PACKETS + MAX_FORGED];
	struct rounds rest, flood;
	double rest_s; /* the last round without strangers */
	uint64_t n_forged, answers, slow_ns;
	double flood_s, last_s; /* all rounds with strangers, the last one */
};

static _Atomic unsigned sent;	  /* the worker adds (relaxed), the main thread looks on */
static _Atomic uint64_t last_tsc; /* when the last was sent: release, acquire */

static int fail(const char *what)
{
	fprintf(stderr, "tunnel_flood: %s\n", what);
	return ERR_IO;
}

/* Of the driver's transmit function, at the lan. */
static uint16_t note_sent(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t n, void *arg)
{
	const struct bench *b = arg;

	if (atomic_fetch_add_explicit(&sent, n, memory_order_relaxed) + n == b->rig.packets)
		atomic_store_explicit(&last_tsc, rte_rdtsc(), memory_order_release);
	return n;
}

static void make_forged(struct bench *b)
{
	struct wg_cookie_maker maker;

	wg_cookie_init_maker(&maker, b->rig.tunnel->tunnel->identity.public_key);
	for (unsigned i = 0; i < MAX_FORGED; i++) {
		crypto_fill_random(&b->forged[i], sizeof(b->forged[i]));
		memset(b->forged[i].type, 0, sizeof(b->forged[i].type));
		b->forged[i].type[0] = strcmp(b->forge, "noise") == 0 ? UINT8_MAX : WG_WIRE_INITIATION;
		if (strcmp(b->forge, "cookie") == 0)
			wg_cookie_stamp_macs(&maker, &b->forged[i], sizeof(b->forged[i]), nsec_monotonic());
	}
}

/* The data, and evenly between it so many strangers. */
static int fill(struct bench *b, unsigned forged)
{
	unsigned total = b->rig.packets + forged, data = 0, other = 0;

	for (unsigned i = 0; i < total; i++) {
		b->waiting[i] = rte_pktmbuf_alloc(worker_pool);
		if (!b->waiting[i])
			return fail("packet buffers exhausted");
		if ((uint64_t)(i + 1) * forged / total > other) {
			tunnel_rig_message(&b->rig, &b->forged[other], sizeof(b->forged[0]),
			    STRANGERS + (uint32_t)(b->n_forged % (1 << 20)) + other, b->waiting[i]);
			other++;
		} else {
			tunnel_rig_sealed(&b->rig, data++, b->waiting[i]);
		}
	}
	b->n_forged += other;
	return 0;
}

static unsigned drain(struct rte_ring *ring)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (; rte_ring_dequeue(ring, (void **)&m) == 0; n++)
		rte_pktmbuf_free(m);
	return n;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* As the slow thread, until the data is out and a while longer, so that each round begins with nothing
 * waiting. */
static void serve(const struct bench *b)
{
	uint64_t end_ns = nsec_monotonic() + PATIENCE_NS;

	while (
	    atomic_load_explicit(&sent, memory_order_relaxed) < b->rig.packets && nsec_monotonic() < end_ns)
		slow_run_once(1);
	for (unsigned i = 0; i < 3; i++)
		slow_run_once(1);
}

static int run_round(struct bench *b, unsigned forged, double *seconds)
{
	uint64_t from, cpu_ns;
	int err = fill(b, forged);

	if (err)
		return err;
	atomic_store_explicit(&sent, 0, memory_order_relaxed);
	cpu_ns = own_cpu_ns();
	from = rte_rdtsc();
	rte_ring_enqueue_bulk(b->rig.wan_in[0], (void **)b->waiting, b->rig.packets + forged, NULL);
	worker_wake(worker_table[0]);
	serve(b);
	*seconds =
	    (double)(atomic_load_explicit(&last_tsc, memory_order_acquire) - from) / (double)rte_get_tsc_hz();
	if (forged)
		b->slow_ns += own_cpu_ns() - cpu_ns;
	b->answers += drain(b->rig.wan_out[0]);
	return drain(b->rig.lan_out[0]) == b->rig.packets
		   ? 0
		   : fail("packets were lost: the figure would mean nothing");
}

static int run_pair(struct bench *b)
{
	unsigned forged;
	double flood_s;

	if (run_round(b, 0, &b->rest_s) != 0)
		return ERR_IO;
	forged = (unsigned)(b->rate * (b->last_s > 0 ? b->last_s : b->rest_s));
	if (run_round(b, forged < MAX_FORGED ? forged : MAX_FORGED, &flood_s) != 0)
		return ERR_IO;
	b->rest.per_second[b->rest.n++] = b->rig.packets / b->rest_s;
	b->flood.per_second[b->flood.n++] = b->rig.packets / flood_s;
	b->flood_s += flood_s;
	b->last_s = flood_s;
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(struct rounds *r)
{
	qsort(r->per_second, r->n, sizeof(r->per_second[0]), compare);
	return r->per_second[r->n / 2];
}

static int measure(struct bench *b)
{
	uint64_t end_ns;

	if (!rte_eth_add_tx_callback(b->rig.lan->port->dpdk_id, 0, note_sent, b))
		return fail("this DPDK has no callbacks");
	if (workers_launch() != 0)
		return fail("the worker does not start");
	for (unsigned i = 0; i < WARM_ROUNDS; i++)
		if (run_pair(b) != 0)
			return ERR_IO;
	b->rest.n = b->flood.n = 0;
	b->n_forged = b->answers = b->slow_ns = 0;
	b->flood_s = 0;
	end_ns = nsec_monotonic() + b->millis * NSEC_PER_MSEC;
	while (nsec_monotonic() < end_ns && b->rest.n < MAX_ROUNDS)
		if (run_pair(b) != 0)
			return ERR_IO;
	workers_stop();
	printf("packets-per-second %.0f at-rest %.0f forged-per-second %.0f slow-ns %.0f answers %.3f "
	       "dropped %.3f rounds %u\n",
	    median(&b->flood), median(&b->rest), (double)b->n_forged / b->flood_s,
	    (double)b->slow_ns / (double)b->n_forged, (double)b->answers / (double)b->n_forged,
	    (double)workers_drop_count(DROP_HANDSHAKE_QUEUE) / (double)b->n_forged, b->rest.n);
	return 0;
}

/* The slow thread's CPU; where the worker's is. */
static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0
							    : fail("--slow-cpu: there is no such CPU for us");
}

/* With what the slow thread keeps there: files, no folders. */
static void remove_directory(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0); /* not itself, nor its parent: no files */
	if (d)
		closedir(d);
	rmdir(path);
}

static int run(struct bench *b, const char *directory)
{
	struct slow_config config = {.run_dir = directory, .state_dir = directory};
	struct err_msg msg = {""};

	if (pin(b->slow_cpu) != 0)
		return ERR_IO;
	if (slow_start(&config, &msg) != 0)
		return fail(msg.text);
	if (tunnel_rig_open(&b->rig) != 0)
		return ERR_IO;
	for (unsigned i = 0; i < b->rig.packets; i++)
		if (tunnel_rig_make(&b->rig, i, b->len) != 0)
			return ERR_IO;
	make_forged(b);
	return measure(b);
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"forge", required_argument, NULL, 'f'},
	    {"rate", required_argument, NULL, 'r'}, {"cpu", required_argument, NULL, 'c'},
	    {"slow-cpu", required_argument, NULL, 's'}, {"len", required_argument, NULL, 'l'},
	    {"packets", required_argument, NULL, 'p'}, {"millis", required_argument, NULL, 'm'},
	    {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = (unsigned)strtoul(optarg, NULL, 10);

		if (opt == 'f')
			b->forge = optarg;
		else if (opt == 'r')
			b->rate = number;
		else if (opt == 'c')
			b->cpu = optarg;
		else if (opt == 's')
			b->slow_cpu = (int)number;
		else if (opt == 'l')
			b->len = (uint16_t)number;
		else if (opt == 'p')
			b->rig.packets = number;
		else if (opt == 'm')
			b->millis = number;
		else
			return ERR_INVALID;
	}
	if (b->rig.packets < 64 || b->rig.packets > MAX_PACKETS || b->len < 46 || b->len > 1420 ||
	    b->rate == 0)
		return fail(
		    "expected --packets 64 to 16384, --len 46 to 1420, --rate of at least one a second");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {
	    .rig = {.workers = 1, .peers = 1, .packets = 8192, .strangers = MAX_FORGED, .to_lan = true},
	    .millis = 500,
	    .rate = 100000,
	    .forge = "mac1",
	    .len = 1420,
	    .cpu = "0",
	    .slow_cpu = -1};
	char prefix[32], directory[] = "/tmp/byway-bench-XXXXXX";
	struct eal_config config = {.prefix = prefix, .workers = 1};
	struct err_msg msg;
	int err;

	if (parse(&b, argc, argv) != 0)
		return 2;
	log_init("tunnel_flood", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.cpus = b.cpu;
	config.mem_mib = TABLES_MIB + (b.rig.packets + b.rig.strangers) / 1024 * MBUF_BYTES / 1024 + 8;
	if (!mkdtemp(directory))
		return fail("no place for a directory in /tmp") != 0;
	err = eal_start(&config, &msg) == 0 ? run(&b, directory) : fail(msg.text);
	fflush(stdout);
	eal_stop();
	remove_directory(directory);
	_exit(err ? 1 : 0);
}
