/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets and clocks of the benchmarks of the packet path. One thread.
 */
#include "bench/traffic.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "lib/csum.h"
#include "lib/ip_wire.h"

#define MAX_ROUTES  2000000
#define TTL	    255
#define LAPS	    200 /* TTLs last for 254 */
#define MIN_LAPS    8
#define LAP_PACKETS 2000000 /* a stretch of the clock is about so many packets, if that is enough laps */
#define RENEW_BURST 256
#define ADDRESSES   (1u << 20)

uint64_t traffic_random(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	return s ^= s << 17;
}

/* What a router forwards to: no loopback, link scope, multicast, and of IPv6 only global unicast. */
static bool is_usable(const struct ip_prefix *p, uint8_t family)
{
	if (p->addr.family != family)
		return false;
	if (family == IP_V6)
		return p->addr.b[0] >> 5 == 1;
	return p->addr.b[0] > 0 && p->addr.b[0] < 224 && p->addr.b[0] != 127 &&
	       !(p->addr.b[0] == 169 && p->addr.b[1] == 254);
}

static int read_routes(struct traffic *t, FILE *f)
{
	char line[128];

	while (t->n_routes < MAX_ROUTES && fgets(line, sizeof(line), f)) {
		struct ip_prefix *p = &t->routes[t->n_routes];

		line[strcspn(line, " \t\n")] = 0;
		if (ip_prefix_parse(line, p, NULL) == 0 && is_usable(p, t->family))
			t->n_routes++;
	}
	return t->n_routes ? 0 : ERR_NOENT;
}

/* A random address behind a random route. */
static struct ip_addr random_address(const struct traffic *t)
{
	const struct ip_prefix *p = &t->routes[traffic_random() % t->n_routes];
	unsigned bytes = ip_family_bits(t->family) / 8;
	struct ip_addr a = p->addr;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned fixed = p->len > i * 8 ? p->len - i * 8 : 0;

		if (fixed < 8)
			a.b[i] = (uint8_t)(a.b[i] | (traffic_random() & (0xffu >> fixed)));
	}
	if (p->len == 0) { /* RFC 2544's and RFC 3849's: a host may have them */
		a.b[0] = t->family == IP_V4 ? 198 : 0x20;
		a.b[1] = t->family == IP_V4 ? 18 : 0x01;
	}
	return a;
}

static int make_addresses(struct traffic *t)
{
	t->addresses = calloc(ADDRESSES, sizeof(*t->addresses));
	if (!t->addresses)
		return ERR_NOMEM;
	for (size_t i = 0; i < ADDRESSES; i++)
		memcpy(t->addresses[i], random_address(t).b, sizeof(t->addresses[i]));
	return 0;
}

static const uint8_t *next_address(struct traffic *t)
{
	return t->addresses[t->next_address++ % ADDRESSES];
}

int traffic_load(struct traffic *t, uint8_t family, const char *path)
{
	FILE *f = path ? fopen(path, "re") : NULL;
	int err = 0;

	*t = (struct traffic){.family = family, .routes = calloc(MAX_ROUTES, sizeof(*t->routes))};
	if (!t->routes)
		err = ERR_NOMEM;
	else if (path && !f)
		err = ERR_IO;
	else if (f)
		err = read_routes(t, f);
	else
		t->routes[t->n_routes++].addr.family = family;
	if (f)
		fclose(f);
	if (!err)
		err = make_addresses(t);
	if (err)
		traffic_unload(t);
	return err;
}

void traffic_unload(struct traffic *t)
{
	free(t->routes);
	free(t->addresses);
	*t = (struct traffic){0};
}

static size_t put_ip4(void *at, struct traffic *t, uint16_t len)
{
	struct wire_ip4 *ip = at;

	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons(len),
	    .ttl = TTL,
	    .proto = IP_PROTO_UDP,
	    .src_be = htonl(0x0a000000u | (uint32_t)(traffic_random() % 0xfffffe + 1))};
	memcpy(&ip->dst_be, next_address(t), 4);
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	return sizeof(*ip);
}

static size_t put_ip6(void *at, struct traffic *t, uint16_t len)
{
	struct wire_ip6 *ip = at;
	uint64_t host = traffic_random();

	*ip = (struct wire_ip6){.version_class_flow_be = htonl(IP6_VERSION),
	    .payload_len_be = htons((uint16_t)(len - sizeof(*ip))),
	    .next_header = IP_PROTO_UDP,
	    .hop_limit = TTL,
	    .src = {0xfd}};
	memcpy(ip->src + 8, &host, 8);
	memcpy(ip->dst, next_address(t), 16);
	return sizeof(*ip);
}

struct rte_mbuf *traffic_packet(struct traffic *t, struct rte_mempool *pool, const uint8_t mac[6])
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	size_t header = t->family == IP_V4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
	uint16_t len = (uint16_t)(header + sizeof(struct wire_udp));
	struct wire_eth *eth;
	struct wire_udp *udp;
	uint8_t *at;

	if (!m)
		return NULL;
	if (len + sizeof(*eth) < ETH_MIN_LEN)
		len = (uint16_t)(ETH_MIN_LEN - sizeof(*eth));
	eth = (struct wire_eth *)rte_pktmbuf_append(m, (uint16_t)(len + sizeof(*eth)));
	memset(eth, 0, len + sizeof(*eth));
	memcpy(eth->dst, mac, 6);
	eth->type_be = htons(t->family == IP_V4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	at = (uint8_t *)(eth + 1);
	at += t->family == IP_V4 ? put_ip4(at, t, len) : put_ip6(at, t, len);
	udp = (struct wire_udp *)at;
	udp->src_port_be = (uint16_t)traffic_random();
	udp->dst_port_be = htons(9); /* discard */
	udp->len_be = htons((uint16_t)(len - header));
	return m;
}

static void renew(struct traffic *t, struct rte_mbuf *m, bool fresh)
{
	struct wire_eth *eth = rte_pktmbuf_mtod(m, struct wire_eth *);
	struct wire_ip4 *ip = (struct wire_ip4 *)(eth + 1);
	struct wire_ip6 *ip6 = (struct wire_ip6 *)(eth + 1);

	if (t->family == IP_V6) {
		ip6->hop_limit = TTL;
		if (fresh)
			memcpy(ip6->dst, next_address(t), sizeof(ip6->dst));
		return;
	}
	if (fresh)
		memcpy(&ip->dst_be, next_address(t), sizeof(ip->dst_be));
	ip->ttl = TTL;
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

unsigned traffic_renew(struct traffic *t, struct rte_ring *wire, bool fresh)
{
	struct rte_mbuf *pkts[RENEW_BURST];
	unsigned all = rte_ring_count(wire), left = all;

	while (left) {
		unsigned n = rte_ring_dequeue_burst(
		    wire, (void **)pkts, left < RENEW_BURST ? left : RENEW_BURST, NULL);

		for (unsigned i = 0; i < n; i++)
			renew(t, pkts[i], fresh);
		rte_ring_enqueue_burst(wire, (void **)pkts, n, NULL);
		left -= n;
	}
	return all;
}

unsigned traffic_laps(unsigned packets, bool fresh)
{
	unsigned laps = LAP_PACKETS / packets;

	return fresh ? 1 : laps > LAPS ? LAPS : laps < MIN_LAPS ? MIN_LAPS : laps;
}

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void traffic_clock_start(struct traffic_clock *c)
{
	c->from_ns = thread_ns();
	c->from_tsc = rte_rdtsc_precise();
}

void traffic_clock_stop(struct traffic_clock *c)
{
	c->tsc += rte_rdtsc_precise() - c->from_tsc;
	c->cpu_ns += thread_ns() - c->from_ns;
}

void traffic_clock_print(const struct traffic_clock *c, uint64_t packets)
{
	double own = (double)c->cpu_ns * (double)rte_get_tsc_hz() / 1e9;

	printf("cycles-per-packet %.2f cpu-cycles-per-packet %.2f", (double)c->tsc / (double)packets,
	    own / (double)packets);
}
