/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where packets of other threads enter a worker's path: each op of pkt.h to its stage, in
 * runs of the same op so that bursts stay bursts. Worker only.
 */
#include "dataplane/ip_parse.h"
#include "dataplane/reassembly.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"

/*
 * What classify would have filled in; malformed packets end, but not an empty one where that is a tunnel's
 * keepalive. Returns how many are left in pkts.
 */
static unsigned parse_own(struct worker *w, struct rte_mbuf **pkts, unsigned n, bool keepalives)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);
		struct ip_parsed p;
		int reason;

		if (keepalives && pkts[i]->pkt_len == 0) {
			pkts[good++] = pkts[i];
			continue;
		}
		reason = ip_parse(rte_pktmbuf_mtod(pkts[i], const uint8_t *), pkts[i]->data_len, &p);

		if (reason != IP_PARSE_OK) {
			worker_drop(w, &pkts[i], 1, (enum drop_reason)reason);
			continue;
		}
		m->family = (uint8_t)p.family;
		m->proto = (uint8_t)p.proto;
		m->l4_off = (uint16_t)p.l4_off;
		pkts[good++] = pkts[i];
	}
	return good;
}

static void forward_own(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkt_meta(pkts[i])->flags |= PKT_FROM_HOST;
	n = parse_own(w, pkts, n, false);
	if (n)
		forward_packets(w, pkts, n);
}

static void forward_held(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkt_meta(pkts[i])->flags |= PKT_TTL_DONE;
	forward_packets(w, pkts, n);
}

static void send_frames(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	unsigned from = 0;

	for (unsigned i = 1; i <= n; i++) {
		struct iface *out;

		if (i < n && pkt_meta(pkts[i])->out == pkt_meta(pkts[from])->out)
			continue;
		out = iface_by_index(pkt_meta(pkts[from])->out);
		if (out)
			tx_frames(w, out, pkts + from, i - from);
		else
			worker_drop(w, pkts + from, i - from, DROP_TX_DOWN);
		from = i;
	}
}

/* Packets of one op. */
static void inject_run(struct worker *w, enum pkt_op op, struct rte_mbuf **pkts, unsigned n)
{
	switch (op) {
	case PKT_TX_FRAME:
		send_frames(w, pkts, n);
		break;
	case PKT_FORWARD:
	case PKT_OUTER:
		forward_own(w, pkts, n);
		break;
	case PKT_TUNNEL_OUT:
		n = parse_own(w, pkts, n, true);
		if (n)
			tunnel_encap(w, pkts, n);
		break;
	case PKT_TUNNEL_IN:
		tunnel_input(w, pkts, n);
		break;
	case PKT_FRAGMENT:
		reassembly_input(w, pkts, n);
		break;
	case PKT_RESOLVED:
		forward_held(w, pkts, n);
		break;
	case PKT_UNRESOLVED:
		for (unsigned i = 0; i < n; i++)
			icmp_send_error(w, pkts[i], ICMP_HOST_UNREACHABLE, 0, DROP_NEIGHBOUR_FAILED);
		break;
	case PKT_TO_HOST:
	case PKT_RESOLVE:
	case PKT_HANDSHAKE:
	case PKT_NEED_SESSION:
	case PKT_TOO_BIG:
	case PKT_TUNNEL_EVENT:
	case PKT_PROBE_REPLY:
		worker_drop(w, pkts, n, DROP_DESTINATION_INVALID); /* never sent to a worker */
		break;
	}
}

void inject_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	unsigned from = 0;

	for (unsigned i = 1; i <= n; i++) {
		uint8_t op = pkt_meta(pkts[from])->op;

		if (i < n && pkt_meta(pkts[i])->op == op)
			continue;
		inject_run(w, (enum pkt_op)op, pkts + from, i - from);
		from = i;
	}
}
