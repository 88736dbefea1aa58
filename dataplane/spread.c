/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software spreading of flows over workers: which bucket a frame falls into, handing over and taking. Workers
 * only, but for what spread.h says.
 */
#include "dataplane/spread_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/flow.h"
#include "dataplane/tunnel.h"
#include "lib/ip_wire.h"

#define RING_SIZE 4096
#define MINE	  SPREAD_BUCKETS /* no bucket: stays with who received it */

enum spread_mode spread_mode;

int spread_parse_mode(const char *text, enum spread_mode *out)
{
	static const char *const names[] = {
	    [SPREAD_AUTO] = "auto", [SPREAD_OFF] = "off", [SPREAD_ALWAYS] = "always"};

	for (unsigned i = 0; i < RTE_DIM(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*out = (enum spread_mode)i;
		return 0;
	}
	return ERR_INVALID;
}

static struct rte_ring *create_ring(unsigned id)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "spread-to-worker-%u", id);
	return rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
}

int spread_create(struct worker *w, unsigned workers)
{
	struct spread *s;

	if (workers < 2)
		return 0;
	s = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*s), RTE_CACHE_LINE_SIZE));
	if (!s)
		return ERR_NOMEM;
	memset(s, 0, sizeof(*s));
	s->ring = create_ring(w->id);
	if (!s->ring) {
		free(s);
		return ERR_NOMEM;
	}
	for (unsigned b = 0; b < SPREAD_BUCKETS; b++) {
		s->to[b] = (uint8_t)(spread_mode == SPREAD_ALWAYS ? b % workers : w->id);
		s->away += s->to[b] != w->id;
	}
	w->spread = s;
	return 0;
}

void spread_destroy(struct worker *w)
{
	if (!w->spread)
		return;
	rte_ring_free(w->spread->ring);
	free(w->spread);
	w->spread = NULL;
}

bool spread_is_wanted(unsigned queues)
{
	return spread_mode != SPREAD_OFF && worker_count > 1 && queues < worker_count;
}

/* --- which bucket --- */

/* Ports as they lie in the frame, 0 where there are none; *tunnel: the datagram is to one of ours. */
static uint32_t read_ports(const struct rte_mbuf *pkt, size_t off, uint8_t proto, bool *tunnel)
{
	const struct wire_udp *udp = rte_pktmbuf_mtod_offset(pkt, const struct wire_udp *, off);
	uint32_t ports;

	if ((proto != IP_PROTO_UDP && proto != IP_PROTO_TCP) || pkt->data_len < off + sizeof(ports))
		return 0;
	*tunnel = proto == IP_PROTO_UDP && tunnel_by_port(ntohs(udp->dst_port_be)) != 0;
	memcpy(&ports, udp, sizeof(ports));
	return ports;
}

static unsigned bucket4(const struct rte_mbuf *pkt)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(pkt, const uint8_t *, sizeof(struct wire_eth));
	const struct wire_ip4 *ip = (const struct wire_ip4 *)at;
	size_t header = (ip->version_ihl & 0x0fu) * 4;
	bool fragment = ip->frag_be & htons(IP4_MF | IP4_OFFSET_MASK), tunnel = false;
	uint32_t ports = 0;

	if (pkt->data_len < sizeof(struct wire_eth) + sizeof(*ip))
		return MINE;
	if (!fragment)
		ports = read_ports(pkt, sizeof(struct wire_eth) + header, ip->proto, &tunnel);
	return tunnel
		   ? MINE
		   : (unsigned)(flow_hash4(at + offsetof(struct wire_ip4, src_be), ip->proto, ports) >> 56);
}

/* Behind extension headers nothing is looked for: such packets are few, and a flow has them always or never.
 */
static unsigned bucket6(const struct rte_mbuf *pkt)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(pkt, const uint8_t *, sizeof(struct wire_eth));
	const struct wire_ip6 *ip = (const struct wire_ip6 *)at;
	bool tunnel = false;
	uint32_t ports;

	if (pkt->data_len < sizeof(struct wire_eth) + sizeof(*ip))
		return MINE;
	ports = read_ports(pkt, sizeof(struct wire_eth) + sizeof(*ip), ip->next_header, &tunnel);
	return tunnel ? MINE
		      : (unsigned)(flow_hash6(at + offsetof(struct wire_ip6, src), ip->next_header, ports) >>
				   56);
}

static unsigned bucket_of(const struct rte_mbuf *pkt)
{
	const struct wire_eth *eth = rte_pktmbuf_mtod(pkt, const struct wire_eth *);

	if (pkt->data_len < sizeof(*eth))
		return MINE;
	if (eth->type_be == htons(ETH_TYPE_IP4))
		return bucket4(pkt);
	return eth->type_be == htons(ETH_TYPE_IP6) ? bucket6(pkt) : MINE;
}

/* --- handing over and taking --- */

static void give(struct worker *w, unsigned to, struct rte_mbuf **pkts, unsigned n)
{
	struct spread *s = w->spread;
	struct worker *other = worker_table[to];
	unsigned went = worker_to_ring(w, other, other->spread->ring, pkts, n);

	s->given[to] += went;
	if (went == n)
		return;
	/* some were dropped: nobody may wait for them */
	for (unsigned b = 0; b < SPREAD_BUCKETS; b++)
		if (s->to[b] == to && (int32_t)(s->last[b] - s->given[to]) > 0)
			s->last[b] = s->given[to];
}

void spread_frames(struct worker *w, struct iface *in, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *out[WORKER_MAX][WORKER_BURST];
	unsigned n_out[WORKER_MAX] = {0};
	struct spread *s = w->spread;

	if (s->away == 0) {
		classify_frames(w, in, pkts, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (unsigned i = 0; i < n; i++) {
		unsigned b = bucket_of(pkts[i]), to = b == MINE ? w->id : s->to[b];

		out[to][n_out[to]++] = pkts[i];
		if (to == w->id)
			continue;
		s->last[b] = s->given[to] + n_out[to];
		/* where it is read anyway: the meta's line stays with who needs it */
		pkts[i]->port = in->index;
		pkts[i]->hash.usr = w->id;
	}
	for (unsigned to = 0; to < worker_count; to++)
		if (n_out[to] && to != w->id)
			give(w, to, out[to], n_out[to]);
	if (n_out[w->id])
		classify_frames(w, in, out[w->id], n_out[w->id]);
}

/* Frames of one interface. */
static void take_run(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct iface *in = iface_by_index(pkts[0]->port);

	if (in)
		classify_frames(w, in, pkts, n);
	else
		worker_drop(w, pkts, n, DROP_TX_DOWN);
}

bool spread_take(struct worker *w)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	struct spread *s = w->spread;
	unsigned n = rte_ring_dequeue_burst(s->ring, (void **)pkts, WORKER_BURST, NULL), from = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(pkts[i]);
	for (unsigned i = 0; i < n; i++) {
		s->taken[pkts[i]->hash.usr]++;
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	}
	for (unsigned i = 1; i <= n; i++) {
		if (i < n && pkts[i]->port == pkts[from]->port)
			continue;
		take_run(w, pkts + from, i - from);
		from = i;
	}
	s->took = n > 0;
	return s->took;
}

bool spread_is_saturated(const struct worker *w)
{
	/* a sleeper judges no more: what it said last may be old */
	return !atomic_load_explicit(&w->asleep, memory_order_relaxed) &&
	       atomic_load_explicit(&w->spread->saturated, memory_order_relaxed);
}

bool spread_is_empty(const struct worker *w)
{
	return rte_ring_empty(w->spread->ring);
}
