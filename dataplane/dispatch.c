/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a packet whose next hop is chosen: into a tunnel, to a neighbour, to the slow
 * thread that finds the neighbour, or an ICMP error. Checks the MTU of the way out. Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/fragment.h"
#include "dataplane/nexthop.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

struct ways {
	unsigned n_via, n_tunnel;
	struct rte_mbuf *via[WORKER_BURST], *tunnel[WORKER_BURST];
};

/* The destination itself is the neighbour: the slow thread resolves it and installs its host route. */
static void ask_for_destination(struct worker *w, struct rte_mbuf *pkt, const struct nexthop *nh)
{
	struct pkt_meta *m = pkt_meta(pkt);

	m->op = PKT_RESOLVE;
	m->out = nh->iface;
	m->addr = m->family == IP_V4 ? ip_addr_v4(rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->dst_be)
				     : ip_addr_v6(rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->dst);
	worker_to_slow(w, &pkt, 1, DROP_NEIGHBOUR_QUEUE);
}

static void dispatch(struct worker *w, struct ways *ways, struct rte_mbuf *pkt, const struct nexthop *nh)
{
	switch (nh->kind) {
	case NEXTHOP_VIA:
		ways->via[ways->n_via++] = pkt;
		break;
	case NEXTHOP_TUNNEL:
		ways->tunnel[ways->n_tunnel++] = pkt;
		break;
	case NEXTHOP_CONNECTED:
		ask_for_destination(w, pkt, nh);
		break;
	case NEXTHOP_HOST:
		host_packets(w, &pkt, 1);
		break;
	case NEXTHOP_UNREACHABLE:
		icmp_send_error(w, pkt, ICMP_HOST_UNREACHABLE, 0, DROP_UNREACHABLE);
		break;
	case NEXTHOP_PROHIBIT:
		icmp_send_error(w, pkt, ICMP_PROHIBITED, 0, DROP_PROHIBIT);
		break;
	case NEXTHOP_BLACKHOLE:
		worker_drop(w, &pkt, 1, DROP_BLACKHOLE);
		break;
	case NEXTHOP_NO_ROUTE:
		icmp_send_error(w, pkt, ICMP_NO_ROUTE, 0, DROP_NO_ROUTE);
		break;
	case NEXTHOP_NONE_LIVE:
		icmp_send_error(w, pkt, ICMP_HOST_UNREACHABLE, 0, DROP_NEXTHOP_DEAD);
		break;
	}
}

static void send_ways(struct worker *w, struct ways *ways)
{
	if (ways->n_via)
		rewrite_packets(w, ways->via, ways->n_via);
	if (ways->n_tunnel)
		tunnel_encap(w, ways->tunnel, ways->n_tunnel);
	ways->n_via = ways->n_tunnel = 0;
}

/*
 * Larger than the way out: RFC 791 §3.2 lets an IPv4 packet without DF be cut; any other goes back
 * (RFC 1191 §4, RFC 8201 §4).
 */
static void handle_too_big(
    struct worker *w, struct ways *ways, struct rte_mbuf *pkt, const struct nexthop *nh, uint16_t mtu)
{
	struct rte_mbuf *pieces[FRAGMENT_MAX];
	unsigned n;

	if (pkt_meta(pkt)->family == IP_V6 ||
	    rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->frag_be & htons(IP4_DF)) {
		icmp_send_error(w, pkt, ICMP_TOO_BIG, mtu, DROP_TOO_BIG);
		return;
	}
	n = fragment_packet(w, pkt, mtu, pieces);
	for (unsigned i = 0; i < n; i++) {
		if (ways->n_via == WORKER_BURST || ways->n_tunnel == WORKER_BURST)
			send_ways(w, ways);
		dispatch(w, ways, pieces[i], nh);
	}
}

static bool has_mtu(const struct nexthop *nh)
{
	return nh->kind == NEXTHOP_VIA || nh->kind == NEXTHOP_TUNNEL || nh->kind == NEXTHOP_CONNECTED;
}

/* MTU of the way out, remembered for the burst: most packets of one leave alike. */
static uint16_t mtu_of(const struct nexthop *nh, const struct nexthop **last, uint16_t *mtu)
{
	if (nh != *last) {
		const struct iface *out = iface_by_index(nh->iface);

		*mtu = out ? atomic_load_explicit(&out->mtu, memory_order_relaxed) : UINT16_MAX;
		*last = nh;
	}
	return *mtu;
}

void forward_resolved(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	const struct nexthop *last = NULL;
	struct ways ways;
	uint16_t mtu = 0;

	ways.n_via = ways.n_tunnel = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct nexthop *nh = pkt_meta(pkts[i])->nh;

		if (ways.n_via == WORKER_BURST || ways.n_tunnel == WORKER_BURST)
			send_ways(w, &ways);
		if (has_mtu(nh) && pkts[i]->pkt_len > mtu_of(nh, &last, &mtu))
			handle_too_big(w, &ways, pkts[i], nh, mtu);
		else
			dispatch(w, &ways, pkts[i], nh);
	}
	send_ways(w, &ways);
}
