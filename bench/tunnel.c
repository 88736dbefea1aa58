/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles a packet of the tunnel's whole path: from a memory port through lookup, cipher and outer lookup to
 * the other port, one worker. Packets are put on the wire and taken off outside the clock.
 *
 *   tunnel --direction encap|decap [--len N|imix] [--packets N] [--peers N] [--routes FILE] [--millis N]
 *          [--cpu N] [--cipher NAME|none] [--bare] [--stages]
 *
 * --len: bytes of the inner packets; imix: 64, 570 and 1420 at 7:4:1. --peers: packets go round them.
 * --cipher: a back end of lib/aead_burst; none: nothing is sealed, what remains is the path. --bare: the
 * cipher alone over the same bytes in the same buffers, 32 at a call: the baseline. --stages: without the
 * short way.
 *
 * Prints "cycles-per-packet X mean Y cipher NAME packets N peers N": the median of all rounds and their mean.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "bench/tunnel_rig.h"
#include "dataplane/aead_ipsec_mb.h"
#include "dataplane/eal.h"
#include "lib/aead_burst.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define MAX_PACKETS 16384
#define MAX_ROUNDS  65536
#define BARE_BURST  32
#define WARM_ROUNDS 20
#define MBUF_BYTES  2560
#define TABLES_MIB  64

struct bench {
	struct tunnel_rig rig;
	unsigned millis;
	uint16_t len; /* 0: imix */
	int cpu;
	const char *cipher;
	bool bare, stages;
	unsigned n_rounds;
	uint64_t rounds[MAX_ROUNDS]; /* cycles */
};

static void seal_nothing(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
}

static uint64_t open_nothing(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	return n ? UINT64_MAX >> (64 - n) : 0;
}

static int probe_nothing(void)
{
	return 0;
}

static const struct aead_burst_backend none = {"none", probe_nothing, seal_nothing, open_nothing, NULL, NULL};

static int fail(const char *what)
{
	fprintf(stderr, "tunnel: %s\n", what);
	return ERR_IO;
}

static uint16_t pick_len(const struct bench *b, unsigned i)
{
	static const uint16_t imix[12] = {64, 570, 64, 64, 570, 64, 1420, 64, 570, 64, 570, 64};

	return b->len ? b->len : imix[i % 12];
}

/* Fresh packets on the wire of the port that they come by. */
static int fill(struct bench *b)
{
	struct rte_ring *in = b->rig.to_lan ? b->rig.wan_in[0] : b->rig.lan_in[0];
	struct rte_mbuf *m;

	for (unsigned i = 0; i < b->rig.packets; i++) {
		m = rte_pktmbuf_alloc(worker_pool);
		if (!m)
			return fail("packet buffers exhausted");
		if (b->rig.to_lan)
			tunnel_rig_sealed(&b->rig, i, m);
		else
			tunnel_rig_plain(&b->rig, i, m);
		rte_ring_enqueue(in, m);
	}
	return 0;
}

static int drain(struct rte_ring *ring, unsigned expected)
{
	struct rte_mbuf *m;

	for (; rte_ring_dequeue(ring, (void **)&m) == 0; expected--)
		rte_pktmbuf_free(m);
	return expected ? fail("packets were lost: the figure would mean nothing") : 0;
}

static void run_path(const struct bench *b)
{
	for (unsigned i = 0; i < b->rig.packets; i += WORKER_BURST) {
		worker_run_once(worker_table[0]);
		rcu_quiescent_state();
	}
}

/* The cipher as a program would call it that has nothing else to do. */
static int run_cipher(struct bench *b)
{
	for (unsigned i = 0; i < b->rig.packets; i += BARE_BURST) {
		uint64_t counters[BARE_BURST];
		uint8_t *data[BARE_BURST];
		uint32_t lens[BARE_BURST];

		for (unsigned k = 0; k < BARE_BURST; k++) {
			const struct tunnel_rig_packet *p = &b->rig.made[i + k];

			counters[k] = p->counter;
			data[k] = p->data;
			lens[k] = p->data_len;
		}
		if (!b->rig.to_lan)
			aead_burst_seal(b->rig.key[0], counters, data, lens, BARE_BURST);
		else if (aead_burst_open(b->rig.key[0], counters, data, lens, BARE_BURST) != UINT32_MAX)
			return fail("a message does not open");
	}
	return 0;
}

static int run_round(struct bench *b, uint64_t *cycles)
{
	struct rte_ring *in = b->rig.to_lan ? b->rig.wan_in[0] : b->rig.lan_in[0];
	struct rte_ring *out = b->rig.to_lan ? b->rig.lan_out[0] : b->rig.wan_out[0];
	uint64_t from;
	int err = fill(b);

	if (err)
		return err;
	from = rte_rdtsc_precise();
	if (b->bare)
		err = run_cipher(b);
	else
		run_path(b);
	*cycles = rte_rdtsc_precise() - from;
	return err ? err : drain(b->bare ? in : out, b->rig.packets);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(struct bench *b)
{
	double n = b->rig.packets, sum = 0;

	for (unsigned i = 0; i < b->n_rounds; i++)
		sum += (double)b->rounds[i];
	qsort(b->rounds, b->n_rounds, sizeof(b->rounds[0]), compare);
	printf("cycles-per-packet %.1f mean %.1f cipher %s packets %u peers %u rounds %u\n",
	    (double)b->rounds[b->n_rounds / 2] / n, sum / n / b->n_rounds, aead_burst_name(), b->rig.packets,
	    b->rig.peers, b->n_rounds);
}

static int run(struct bench *b)
{
	uint64_t end_ns, unused;

	aead_ipsec_mb_register();
	if (b->cipher && strcmp(b->cipher, none.name) == 0)
		aead_burst_add(&none); /* else it would be chosen: it is the fastest */
	if (aead_burst_init(b->cipher) != 0)
		return fail("--cipher: there is no such back end, or this machine cannot run it");
	if (tunnel_rig_open(&b->rig) != 0)
		return ERR_IO;
	if (b->stages)
		worker_table[0]->express = NULL;
	for (unsigned i = 0; i < b->rig.packets; i++)
		if (tunnel_rig_make(&b->rig, i, pick_len(b, i)) != 0)
			return ERR_IO;
	for (unsigned i = 0; i < WARM_ROUNDS; i++)
		if (run_round(b, &unused) != 0)
			return ERR_IO;
	end_ns = nsec_monotonic() + b->millis * NSEC_PER_MSEC;
	while (nsec_monotonic() < end_ns && b->n_rounds < MAX_ROUNDS)
		if (run_round(b, &b->rounds[b->n_rounds++]) != 0)
			return ERR_IO;
	report(b);
	return 0;
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"direction", required_argument, NULL, 'd'},
	    {"len", required_argument, NULL, 'l'}, {"packets", required_argument, NULL, 'p'},
	    {"peers", required_argument, NULL, 'P'}, {"routes", required_argument, NULL, 'r'},
	    {"millis", required_argument, NULL, 'm'}, {"cpu", required_argument, NULL, 'c'},
	    {"cipher", required_argument, NULL, 'C'}, {"bare", no_argument, NULL, 'B'},
	    {"stages", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (opt == 'd')
			b->rig.to_lan = strcmp(optarg, "decap") == 0;
		else if (opt == 'l')
			b->len = (uint16_t)number; /* imix: 0 */
		else if (opt == 'p')
			b->rig.packets = number;
		else if (opt == 'P')
			b->rig.peers = number;
		else if (opt == 'r')
			b->rig.routes = optarg;
		else if (opt == 'm')
			b->millis = number;
		else if (opt == 'c')
			b->cpu = (int)number;
		else if (opt == 'C')
			b->cipher = optarg;
		else if (opt == 'B')
			b->bare = true;
		else if (opt == 's')
			b->stages = true;
		else
			return ERR_INVALID;
	}
	if (b->rig.packets == 0 || b->rig.packets % WORKER_BURST || b->rig.packets > MAX_PACKETS)
		return fail("--packets: expected a multiple of 64, at most 16384");
	if (b->rig.peers == 0 || b->rig.peers > TUNNEL_RIG_PEERS || (b->bare && b->rig.peers > 1))
		return fail("--peers: expected 1 to 1024, and 1 with --bare");
	if (b->len && (b->len < 46 || b->len > 1420))
		return fail("--len: expected 46 to 1420, or imix");
	return 0;
}

/* Before anything is allocated: the memory is then near the core. */
static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : fail("--cpu: there is no such CPU for us");
}

int main(int argc, char **argv)
{
	static struct bench b = {.rig = {.workers = 1, .peers = 1, .packets = 256}, .millis = 500, .cpu = -1};
	char prefix[32];
	struct eal_config config = {.prefix = prefix, .workers = 1};
	struct err_msg msg;
	int err;

	if (parse(&b, argc, argv) != 0)
		return 2;
	log_init("tunnel", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.mem_mib = TABLES_MIB + b.rig.packets / 1024 * MBUF_BYTES / 1024;
	err = pin(b.cpu);
	if (!err && eal_start(&config, &msg) != 0)
		err = fail(msg.text);
	if (!err)
		err = run(&b);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0); /* tables go with the process */
}
