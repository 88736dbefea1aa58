/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage before the last: a link header for the neighbour, or a place in the queue of packets
 * that wait until the neighbour is known. Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

static void ask_for_neighbour(struct worker *w, struct rte_mbuf *pkt, const struct nexthop *nh)
{
	struct pkt_meta *m = pkt_meta(pkt);

	m->op = PKT_RESOLVE;
	m->out = nh->iface;
	m->addr = nh->neigh->addr;
	worker_to_slow(w, &pkt, 1, DROP_NEIGHBOUR_QUEUE);
}

/* One packet; false when it was not sent on and is consumed. */
static bool rewrite(struct worker *w, struct rte_mbuf *pkt, const struct nexthop *nh, const struct port *port)
{
	uint64_t mac = atomic_load_explicit(&nh->neigh->mac, memory_order_acquire); /* neigh.c releases */
	struct wire_eth *eth;

	if (!(mac & NEIGH_MAC_VALID)) {
		ask_for_neighbour(w, pkt, nh);
		return false;
	}
	eth = (struct wire_eth *)rte_pktmbuf_prepend(pkt, sizeof(*eth));
	if (!eth) {
		worker_drop(w, &pkt, 1, DROP_HEADROOM);
		return false;
	}
	memcpy(eth->dst, &mac, 6);
	memcpy(eth->src, port->mac, 6);
	eth->type_be = htons(pkt_meta(pkt)->family == IP_V4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	return true;
}

/* Packets that leave by one interface. */
static void rewrite_run(struct worker *w, uint16_t index, struct rte_mbuf **pkts, unsigned n)
{
	struct iface *out = iface_by_index(index);
	const struct port *port = out ? rcu_dereference(out->port) : NULL;
	struct rte_mbuf *ready[WORKER_BURST];
	unsigned n_ready = 0;

	if (!port) {
		worker_drop(w, pkts, n, DROP_TX_DOWN);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (rewrite(w, pkts[i], pkt_meta(pkts[i])->nh, port))
			ready[n_ready++] = pkts[i];
	if (n_ready)
		tx_frames(w, out, ready, n_ready);
}

void rewrite_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	unsigned from = 0;

	for (unsigned i = 1; i <= n; i++) {
		uint16_t out = pkt_meta(pkts[from])->nh->iface;

		if (i < n && pkt_meta(pkts[i])->nh->iface == out)
			continue;
		rewrite_run(w, out, pkts + from, i - from);
		from = i;
	}
}
