/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inner packets that are larger than the way to their peer carries in one piece: cut before they are sealed,
 * or sent back. Workers only; tunnel_encap.c calls it where a path has a limit.
 *
 * A piece is an IP packet of its own inside the tunnel: the host at which the packet ends joins it, and
 * nothing on the outer way has to pass fragments, which many providers do not.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/fragment.h"
#include "dataplane/tunnel_peer.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

/* What goes on, in order, a burst at a time. */
struct outlet {
	struct worker *w;
	uint16_t peer;
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
};

uint16_t tunnel_fit_mtu(const struct tunnel_peer *p)
{
	const struct tunnel_path *path = rcu_dereference(p->path);
	uint16_t mtu = atomic_load_explicit(&p->tunnel->iface->mtu, memory_order_relaxed);

	return path && path->inner_mtu < mtu ? path->inner_mtu : mtu;
}

static void flush(struct outlet *o)
{
	unsigned n = o->n;

	o->n = 0;
	if (n)
		tunnel_encap(o->w, o->pkts, n);
}

static void add(struct outlet *o, struct rte_mbuf *pkt)
{
	if (o->n == WORKER_BURST)
		flush(o);
	pkt_meta(pkt)->op = PKT_TUNNEL_OUT;
	pkt_meta(pkt)->peer = o->peer;
	o->pkts[o->n++] = pkt;
}

static bool is_v6(const struct rte_mbuf *pkt)
{
	return pkt->data_len && *rte_pktmbuf_mtod(pkt, const uint8_t *) >> 4 == 6;
}

/* RFC 8200 §5: any link carries IPv6 packets of 1280 bytes; such are cut outside if need be
 * (tunnel_outer_cut). */
static bool is_too_large(const struct rte_mbuf *pkt, uint16_t mtu)
{
	return pkt->pkt_len > mtu && !(is_v6(pkt) && pkt->pkt_len <= IP6_MIN_MTU);
}

/*
 * DF is the sender's wish to be told the size. A tunnel with `fragment: inner` is to carry 1500 bytes
 * whatever becomes of such messages, so it cuts all the same. RFC 6864 §4.1: the identification of a packet
 * with DF need not be unique (often it is 0); that of pieces must be, so it gets a new one.
 */
static void allow_cutting(const struct worker *w, struct rte_mbuf *pkt)
{
	static _Thread_local uint16_t next_id; /* workers begin apart */
	struct wire_ip4 *ip = rte_pktmbuf_mtod(pkt, struct wire_ip4 *);

	if (!(ip->frag_be & htons(IP4_DF)))
		return;
	ip->id_be = htons((uint16_t)(next_id++ + w->id * (UINT16_MAX / WORKER_MAX)));
	ip->frag_be &= htons((uint16_t)~IP4_DF);
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, (size_t)(ip->version_ihl & 15) * 4));
}

static void fit(struct outlet *o, const struct tunnel *t, struct rte_mbuf *pkt, uint16_t mtu)
{
	bool cut_all = atomic_load_explicit(&t->cut_inner, memory_order_relaxed);
	struct rte_mbuf *pieces[FRAGMENT_MAX];
	unsigned n;

	if (is_v6(pkt) ||
	    (!cut_all && rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->frag_be & htons(IP4_DF))) {
		if (is_v6(pkt) && mtu < IP6_MIN_MTU)
			mtu = IP6_MIN_MTU;
		icmp_send_error(o->w, pkt, ICMP_TOO_BIG, mtu, DROP_TOO_BIG);
		return;
	}
	allow_cutting(o->w, pkt);
	n = fragment_packet(o->w, pkt, mtu, pieces);
	for (unsigned i = 0; i < n; i++)
		add(o, pieces[i]);
}

bool tunnel_fit_packets(struct worker *w, const struct tunnel_peer *p, const struct tunnel_path *path,
    struct rte_mbuf **pkts, unsigned n)
{
	struct outlet o = {.w = w, .peer = p->index};
	uint16_t mtu = path->inner_mtu;
	unsigned first = 0;

	while (first < n && !is_too_large(pkts[first], mtu))
		first++;
	if (first == n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (is_too_large(pkts[i], mtu))
			fit(&o, p->tunnel, pkts[i], mtu);
		else
			add(&o, pkts[i]);
	}
	flush(&o);
	return true;
}
