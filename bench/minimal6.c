/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The baseline of forward6: the least that may be called an IPv6 router, around DPDK's rte_fib6, on the same
 * ring port and with the same packets and routes as bench/forward. A burst is received, its headers
 * prefetched, checked for ethertype, version and hop limit, all destinations looked up in one bulk call, hop
 * limits counted down, link headers written, the burst sent. No counters, no neighbours, no errors sent: what
 * fails is dropped.
 *
 *   minimal6 [--packets N] [--burst N] [--next-hops N] [--millis N] [--routes FILE] [--cpu N] [--fresh]
 *
 * Of the trie's lookups (scalar, AVX-512) the one that is faster here, tried on these very packets. Prints as
 * forward does, and which.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_fib6.h>
#include <rte_prefetch.h>
#include <rte_vect.h>

#include "bench/setup.h"
#include "dataplane/eal.h"
#include "lib/ip_wire.h"
#include "lib/nsec.h"

#define BURST_MAX   64
#define MAX_PACKETS 524288
#define SPARE_MBUFS 1024
#define MBUF_BYTES  2560
#define TABLES_MIB  1024
#define MAX_ROUTES  1048576
#define TBL8S	    262144
#define NO_ROUTE    INT32_MAX /* the largest next hop that its 4-byte entries hold */

struct bench {
	unsigned packets, burst, next_hops, millis;
	int cpu;
	const char *routes;
	bool fresh;
	struct traffic traffic;
	struct rte_ring *wire;
	struct rte_mempool *pool;
	struct rte_fib6 *fib;
	uint16_t port;
	uint8_t headers[SETUP_NEXT_HOPS][16]; /* link header of a next hop, readable as 16 bytes */
};

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};

static int open_port(struct bench *b)
{
	struct rte_eth_conf conf = {0};
	int id;

	b->pool = rte_pktmbuf_pool_create(
	    "packets", b->packets + SPARE_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	b->wire = rte_ring_create(
	    "wire", rte_align32pow2(b->packets + 1), SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	id = b->pool && b->wire ? rte_eth_from_rings("loop", &b->wire, 1, &b->wire, 1, 0) : -1;
	if (id < 0)
		return setup_fail("no ring port");
	b->port = (uint16_t)id;
	if (rte_eth_dev_configure(b->port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(b->port, 0, 1024, 0, NULL, b->pool) != 0 ||
	    rte_eth_tx_queue_setup(b->port, 0, 1024, 0, NULL) != 0 || rte_eth_dev_start(b->port) != 0)
		return setup_fail("the port does not start");
	return 0;
}

static int install_routes(struct bench *b)
{
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE,
	    .default_nh = NO_ROUTE,
	    .max_routes = MAX_ROUTES,
	    .trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = TBL8S}};
	struct wire_eth eth = {.type_be = htons(ETH_TYPE_IP6)};

	memcpy(eth.dst, own_mac, 6); /* so that it comes back as ours to forward */
	memcpy(eth.src, own_mac, 6);
	for (unsigned i = 0; i < b->next_hops; i++)
		memcpy(b->headers[i], &eth, sizeof(eth));
	b->fib = rte_fib6_create("minimal6", SOCKET_ID_ANY, &conf);
	if (!b->fib)
		return setup_fail("rte_fib6 has no memory");
	for (size_t i = 0; i < b->traffic.n_routes; i++) {
		const struct ip_prefix *p = &b->traffic.routes[i];

		if (rte_fib6_add(b->fib, p->addr.b, p->len, traffic_random() % b->next_hops) != 0)
			return setup_fail("rte_fib6 refuses a route");
	}
	return 0;
}

/* What may be forwarded moves to the front; returns how many that are, their destinations in dst. */
static unsigned check_burst(struct rte_mbuf **pkts, unsigned n, uint8_t (*dst)[16])
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], const struct wire_eth *);
		const struct wire_ip6 *ip = (const struct wire_ip6 *)(eth + 1);

		if (rte_pktmbuf_data_len(pkts[i]) < sizeof(*eth) + sizeof(*ip) ||
		    eth->type_be != htons(ETH_TYPE_IP6) ||
		    (ip->version_class_flow_be & htonl(0xf0000000)) != htonl(IP6_VERSION) ||
		    ip->hop_limit <= 1) {
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		memcpy(dst[good], ip->dst, 16);
		pkts[good++] = pkts[i];
	}
	return good;
}

static unsigned send_burst(
    const struct bench *b, struct rte_mbuf **pkts, const uint64_t *next_hops, unsigned n)
{
	unsigned good = 0, sent;

	for (unsigned i = 0; i < n; i++) {
		struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], struct wire_eth *);

		if (next_hops[i] == NO_ROUTE) {
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		((struct wire_ip6 *)(eth + 1))->hop_limit--;
		memcpy(eth, b->headers[next_hops[i]], sizeof(*eth));
		pkts[good++] = pkts[i];
	}
	sent = rte_eth_tx_burst(b->port, 0, pkts, (uint16_t)good);
	if (sent < good)
		rte_pktmbuf_free_bulk(pkts + sent, good - sent);
	return sent;
}

static unsigned route_burst(const struct bench *b)
{
	struct rte_mbuf *pkts[BURST_MAX];
	uint64_t next_hops[BURST_MAX];
	uint8_t dst[BURST_MAX][16];
	unsigned n = rte_eth_rx_burst(b->port, 0, pkts, (uint16_t)b->burst);

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	n = check_burst(pkts, n, dst);
	rte_fib6_lookup_bulk(b->fib, dst, next_hops, (int)n);
	return send_burst(b, pkts, next_hops, n);
}

static uint64_t circle(const struct bench *b, unsigned laps)
{
	unsigned loops = laps * (b->packets / b->burst);
	uint64_t sent = 0;

	for (unsigned i = 0; i < loops; i++)
		sent += route_burst(b);
	return sent;
}

static int measure(struct bench *b, uint64_t millis, struct traffic_clock *clock, uint64_t *sent)
{
	unsigned laps = traffic_laps(b->packets, b->fresh);
	uint64_t end_ns;

	circle(b, laps); /* caches and branches learn */
	traffic_renew(&b->traffic, b->wire, b->fresh);
	*sent = 0;
	end_ns = nsec_monotonic() + millis * NSEC_PER_MSEC;
	while (nsec_monotonic() < end_ns) {
		traffic_clock_start(clock);
		*sent += circle(b, laps);
		traffic_clock_stop(clock);
		if (traffic_renew(&b->traffic, b->wire, b->fresh) != b->packets)
			return setup_fail("packets were lost: the figure would mean nothing");
	}
	return *sent ? 0 : setup_fail("nothing was sent");
}

/* Tries each lookup and leaves the fastest in force. */
static int choose_lookup(struct bench *b, const char **name)
{
	static const struct {
		const char *name;
		enum rte_fib6_lookup_type type;
	} types[] = {{"scalar", RTE_FIB6_LOOKUP_TRIE_SCALAR}, {"avx512", RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512}};
	double best = 0, each;
	unsigned chosen = 0;
	uint64_t sent;

	/* DPDK holds itself to 256 bits otherwise */
	(void)rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
	for (unsigned i = 0; i < RTE_DIM(types); i++) {
		struct traffic_clock clock = {0};

		if (rte_fib6_select_lookup(b->fib, types[i].type) != 0)
			continue;
		if (measure(b, b->millis / 4 + 1, &clock, &sent) != 0)
			return ERR_IO;
		each = (double)clock.tsc / (double)sent;
		if (best > 0 && each >= best)
			continue;
		best = each;
		chosen = i;
	}
	*name = types[chosen].name;
	return rte_fib6_select_lookup(b->fib, types[chosen].type) == 0 ? 0 : setup_fail("no lookup");
}

static int run(struct bench *b)
{
	struct traffic_clock clock = {0};
	const char *lookup;
	uint64_t sent;

	if (traffic_load(&b->traffic, IP_V6, b->routes) != 0)
		return setup_fail("no IPv6 route in the file, or no such file");
	if (open_port(b) != 0 || install_routes(b) != 0 ||
	    setup_add_packets(&b->traffic, b->pool, own_mac, b->wire, b->packets) != 0 ||
	    choose_lookup(b, &lookup) != 0 || measure(b, b->millis, &clock, &sent) != 0)
		return ERR_IO;
	traffic_clock_print(&clock, sent);
	printf(" packets %u burst %u routes %zu next-hops %u huge %d fresh %d lookup %s\n", b->packets,
	    b->burst, b->traffic.n_routes, b->next_hops, eal_hugepages(), b->fresh, lookup);
	return 0;
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"packets", required_argument, NULL, 'p'},
	    {"millis", required_argument, NULL, 'm'}, {"routes", required_argument, NULL, 'r'},
	    {"burst", required_argument, NULL, 'b'}, {"next-hops", required_argument, NULL, 'n'},
	    {"cpu", required_argument, NULL, 'c'}, {"fresh", no_argument, NULL, 'F'}, {NULL, 0, NULL, 0}};
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
			b->next_hops = number;
		else if (opt == 'c')
			b->cpu = (int)number;
		else if (opt == 'r')
			b->routes = optarg;
		else if (opt == 'F')
			b->fresh = true;
		else
			return ERR_INVALID;
	}
	if (b->burst == 0 || b->burst > BURST_MAX || b->packets < b->burst || b->packets > MAX_PACKETS ||
	    b->next_hops == 0 || b->next_hops > SETUP_NEXT_HOPS || b->millis == 0)
		return setup_fail(
		    "--burst 1 to 64, --packets a burst to 524288, --next-hops 1 to 4096, --millis from 1");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {
	    .packets = 256, .burst = BURST_MAX, .next_hops = 64, .millis = 500, .cpu = -1};
	char prefix[32];
	struct eal_config config = {.prefix = prefix, .workers = 1};
	struct err_msg msg;
	int err;

	if (parse(&b, argc, argv) != 0)
		return 2;
	snprintf(prefix, sizeof(prefix), "byway-bench-%d", (int)getpid());
	config.mem_mib = TABLES_MIB + (b.packets + SPARE_MBUFS) / 1024 * MBUF_BYTES / 1024;
	err = setup_pin(b.cpu);
	if (!err && eal_start(&config, &msg) != 0)
		err = setup_fail(msg.text);
	if (!err)
		err = run(&b);
	fflush(stdout);
	eal_stop();
	_exit(err ? 1 : 0);
}
