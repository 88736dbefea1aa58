/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage that chooses the way: destinations of the burst are looked up together, a next hop
 * is picked from each group, and the rule of lines is applied (a source of a WAN's prefix leaves by
 * that WAN). Then TTL; what to do with the choice is dispatch.c's. Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/flow.h"
#include "dataplane/nexthop.h"
#include "dataplane/worker.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

/* Destinations of one table and family, gathered for one bulk lookup. */
struct gather {
	unsigned n4, n6;
	uint8_t at4[WORKER_BURST], at6[WORKER_BURST]; /* index in the burst */
	uint32_t dst4[WORKER_BURST];
	uint8_t dst6[WORKER_BURST][16];
};
static_assert(WORKER_BURST <= 256, "indices of a burst fit a byte");

static void gather_add(struct gather *g, const struct rte_mbuf *pkt, unsigned at)
{
	if (pkt_meta((struct rte_mbuf *)(uintptr_t)pkt)->family == IP_V4) {
		g->at4[g->n4] = (uint8_t)at;
		g->dst4[g->n4++] = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->dst_be;
	} else {
		g->at6[g->n6] = (uint8_t)at;
		memcpy(g->dst6[g->n6++], rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->dst, 16);
	}
}

static void gather_lookup(struct gather *g, uint32_t table, uint32_t *groups)
{
	const struct fib_table *t = fib_table(table);
	uint32_t found[WORKER_BURST];

	if (!t)
		return; /* groups stay 0: no route */
	if (g->n4) {
		fib_lookup4(t, g->dst4, found, g->n4);
		for (unsigned i = 0; i < g->n4; i++)
			groups[g->at4[i]] = found[i];
	}
	if (g->n6) {
		fib_lookup6(t, (const uint8_t(*)[16])g->dst6, found, g->n6);
		for (unsigned i = 0; i < g->n6; i++)
			groups[g->at6[i]] = found[i];
	}
}

/* A burst has one table as a rule; each further one costs one more pass. */
static void lookup_burst(struct rte_mbuf **pkts, unsigned n, uint32_t *groups)
{
	uint64_t left = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;

	memset(groups, 0, n * sizeof(*groups));
	while (left) {
		uint32_t table = pkt_meta(pkts[__builtin_ctzll(left)])->table;
		struct gather g;

		g.n4 = g.n6 = 0;
		for (uint64_t rest = left; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);

			if (pkt_meta(pkts[i])->table != table)
				continue;
			gather_add(&g, pkts[i], i);
			left &= ~(UINT64_C(1) << i);
		}
		gather_lookup(&g, table, groups);
	}
}

/* The packets of a flow take one way. Made only where a group asks for it; 0 says "not made yet". */
static uint32_t flow_hash(const struct rte_mbuf *pkt, struct pkt_meta *m)
{
	if (m->flow_hash == 0)
		m->flow_hash = flow_hash_packet(rte_pktmbuf_mtod(pkt, const uint8_t *), pkt->data_len,
		    m->family == IP_V6, m->proto, m->l4_off);
	return m->flow_hash;
}

static const struct nexthop *pick(const struct rte_mbuf *pkt, struct pkt_meta *m, uint32_t group)
{
	if (atomic_load_explicit(&group_forward[group], memory_order_relaxed) & 1)
		return group_pick(group, flow_hash(pkt, m));
	return group_pick(group, 0);
}

/* The line that a source belongs to, as an interface index; 0: none. */
static uint32_t line_of_source(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	const struct fib_table *t = fib_table(FIB_SOURCES);
	uint32_t line = 0;

	if (!t)
		return 0;
	if (m->family == IP_V4)
		fib_lookup4(
		    t, (const uint32_t[]){rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->src_be}, &line, 1);
	else
		fib_lookup6(t, &rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->src, &line, 1);
	return line;
}

/*
 * A packet about to leave by a WAN whose source belongs to another: that other's provider would
 * take it and this one would drop it, so the other's underlay decides.
 */
static const struct nexthop *keep_to_line(struct rte_mbuf *pkt, struct pkt_meta *m, const struct nexthop *nh)
{
	uint32_t line = line_of_source(pkt, m), group;
	const struct iface *ifc;

	if (line == 0 || line == nh->iface || m->table != FIBMSG_OVERLAY)
		return nh;
	ifc = iface_by_index((uint16_t)line);
	if (!ifc || ifc->table == FIBMSG_OVERLAY)
		return nh;
	m->table = ifc->table;
	lookup_burst(&pkt, 1, &group);
	return pick(pkt, m, group);
}

static bool leaves(const struct nexthop *nh)
{
	return nh->kind == NEXTHOP_VIA || nh->kind == NEXTHOP_CONNECTED || nh->kind == NEXTHOP_TUNNEL;
}

/*
 * RFC 1812 §5.3.1 and RFC 8200 §3. The checksum follows by RFC 1624: only the word of TTL and protocol
 * changed. That word is read and written whole: a byte stored and read back as part of a word stalls (bench:
 * 10 cycles a packet).
 */
static bool decrement_ttl(struct rte_mbuf *pkt, struct pkt_meta *m)
{
	struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, struct wire_ip4 *);
	struct wire_ip6 *ip6 = rte_pktmbuf_mtod(pkt, struct wire_ip6 *);
	uint16_t before, after;

	if (m->flags & (PKT_FROM_HOST | PKT_TTL_DONE))
		return true;
	m->flags |= PKT_TTL_DONE;
	if (m->family == IP_V6) {
		if (ip6->hop_limit <= 1)
			return false;
		ip6->hop_limit--;
		return true;
	}
	memcpy(&before, &ip4->ttl, 2);
	if (ntohs(before) >> 8 <= 1)
		return false;
	after = htons((uint16_t)(ntohs(before) - (1 << 8)));
	memcpy(&ip4->ttl, &after, 2);
	ip4->csum = csum_update16(ip4->csum, before, after);
	return true;
}

/* Checks that only a packet which goes on has to pass; false: it was consumed. */
static bool may_leave(struct worker *w, struct rte_mbuf *pkt, struct pkt_meta *m)
{
	if (m->flags & PKT_LINK_SOURCE && !(m->flags & PKT_FROM_HOST)) {
		worker_drop(w, &pkt, 1, DROP_SOURCE_INVALID);
		return false;
	}
	if (!decrement_ttl(pkt, m)) {
		icmp_send_error(w, pkt, ICMP_TIME_EXCEEDED, 0, DROP_TTL);
		return false;
	}
	return true;
}

void forward_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *go[WORKER_BURST], *host[WORKER_BURST];
	uint32_t groups[WORKER_BURST];
	unsigned n_go = 0, n_host = 0;

	lookup_burst(pkts, n, groups);
	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);
		const struct nexthop *nh = pick(pkts[i], m, groups[i]);

		if (nh->role == FIBMSG_ROLE_WAN && nh->kind != NEXTHOP_TUNNEL)
			nh = keep_to_line(pkts[i], m, nh);
		m->nh = nh;
		if (nh->kind == NEXTHOP_HOST)
			host[n_host++] = pkts[i];
		else if (!leaves(nh) || may_leave(w, pkts[i], m))
			go[n_go++] = pkts[i];
	}
	if (n_host)
		host_packets(w, host, n_host);
	if (n_go)
		forward_resolved(w, go, n_go);
}
