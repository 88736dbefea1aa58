/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first stage: what a frame or a decapsulated packet is, and whether it may be. Fills the
 * packet's meta and sorts the burst: to forward, to the host, or dropped. What of the
 * forwarded is for this host, the tables know (forward.c). Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/express.h"
#include "dataplane/ip_parse.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

/* A burst being sorted. */
struct sorter {
	struct worker *w;
	unsigned n_forward, n_packets, n_frames;
	struct rte_mbuf *forward[WORKER_BURST]; /* to the tables */
	struct rte_mbuf *packets[WORKER_BURST]; /* to the host: IP of link scope or for a group */
	struct rte_mbuf *frames[WORKER_BURST]; /* to the host: ARP and other ethertypes, at the link header */
};

/* Leaves the arrays as they are: zeroing them costs more than a packet. */
static void begin(struct sorter *s, struct worker *w)
{
	s->w = w;
	s->n_forward = s->n_packets = s->n_frames = 0;
}

/* The packet's data begins at the IP header. group: it came as a link-layer broadcast or multicast. */
static void sort_packet(struct sorter *s, struct rte_mbuf *pkt, bool group)
{
	struct pkt_meta *m = pkt_meta(pkt);
	struct ip_parsed p;
	int reason = ip_parse(rte_pktmbuf_mtod(pkt, const uint8_t *), pkt->data_len, &p);

	if (reason != IP_PARSE_OK) {
		worker_drop(s->w, &pkt, 1, (enum drop_reason)reason);
		return;
	}
	pkt->data_len = (uint16_t)p.len; /* Ethernet's padding is no part of it */
	pkt->pkt_len = p.len;
	m->family = (uint8_t)p.family;
	m->proto = (uint8_t)p.proto;
	m->l4_off = (uint16_t)p.l4_off;
	m->flags = (uint8_t)p.flags;
	/* RFC 1812 §5.3.4: what came as a link-layer broadcast is not forwarded */
	if (group || p.flags & PKT_LINK_DEST)
		s->packets[s->n_packets++] = pkt;
	else
		s->forward[s->n_forward++] = pkt;
}

/* In the order in which a host would rather have it: its own first. */
static void finish(struct sorter *s)
{
	if (s->n_frames)
		host_deliver_frames(s->w, s->frames, s->n_frames);
	if (s->n_packets)
		host_packets(s->w, s->packets, s->n_packets);
	if (s->n_forward)
		forward_packets(s->w, s->forward, s->n_forward);
}

static void sort_frame(
    struct sorter *s, const struct iface *in, const struct port *port, struct rte_mbuf *pkt)
{
	const struct wire_eth *eth = rte_pktmbuf_mtod(pkt, const struct wire_eth *);
	struct pkt_meta *m = pkt_meta(pkt);
	bool group;

	memset(m, 0, sizeof(*m));
	m->in = in->index;
	if (pkt->data_len < sizeof(*eth)) {
		worker_drop(s->w, &pkt, 1, DROP_RX_RUNT);
		return;
	}
	group = eth->dst[0] & 1;
	if (!group && memcmp(eth->dst, port->mac, 6) != 0) {
		worker_drop(s->w, &pkt, 1, DROP_RX_OTHER_HOST);
		return;
	}
	switch (ntohs(eth->type_be)) {
	case ETH_TYPE_IP4:
	case ETH_TYPE_IP6:
		m->l2_len = sizeof(*eth);
		rte_pktmbuf_adj(pkt, sizeof(*eth));
		sort_packet(s, pkt, group);
		break;
	case ETH_TYPE_VLAN:
	case ETH_TYPE_QINQ:
		worker_drop(s->w, &pkt, 1, DROP_RX_VLAN);
		break;
	default:
		s->frames[s->n_frames++] = pkt;
	}
}

void classify_frames(struct worker *w, struct iface *in, struct rte_mbuf **pkts, unsigned n)
{
	const struct port *port = rcu_dereference(in->port);
	uint64_t bytes;
	struct sorter s;
	unsigned left;

	if (!port) {
		worker_drop(w, pkts, n, DROP_TX_DOWN);
		return;
	}
	left = express_frames(w, port, pkts, n, &bytes);
	worker_count_rx(w, in->index, n, bytes);
	if (left == 0)
		return;
	begin(&s, w);
	for (unsigned i = 0; i < left; i++)
		sort_frame(&s, in, port, pkts[i]);
	finish(&s);
}

void classify_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct sorter s;

	begin(&s, w);
	for (unsigned i = 0; i < n; i++) {
		pkt_meta(pkts[i])->l2_len = 0;
		pkt_meta(pkts[i])->table = FIBMSG_OVERLAY;
		sort_packet(&s, pkts[i], false);
	}
	finish(&s);
}
