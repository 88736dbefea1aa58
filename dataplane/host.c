/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is for this host: messages of tunnels and about their packets, answers to the monitor thread's probes,
 * and for the rest the host interface on which the kernel hears it. Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/monitor.h"
#include "dataplane/port.h"
#include "dataplane/reassembly.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

static bool is_for_tunnel(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	const struct wire_udp *udp;

	if (m->proto != IP_PROTO_UDP || m->l4_off == 0 || m->l4_off + sizeof(*udp) > pkt->data_len)
		return false;
	udp = rte_pktmbuf_mtod_offset(pkt, const struct wire_udp *, m->l4_off);
	return tunnel_by_port(ntohs(udp->dst_port_be)) != 0;
}

static bool is_probe_reply(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	const struct wire_icmp *icmp;
	uint32_t magic_be;

	if (m->l4_off == 0 || m->l4_off + sizeof(*icmp) + sizeof(magic_be) > pkt->data_len)
		return false;
	icmp = rte_pktmbuf_mtod_offset(pkt, const struct wire_icmp *, m->l4_off);
	if (!(m->proto == IP_PROTO_ICMP && icmp->type == ICMP_TYPE_ECHO_REPLY) &&
	    !(m->proto == IP_PROTO_ICMP6 && icmp->type == ICMP6_TYPE_ECHO_REPLY))
		return false;
	memcpy(&magic_be, icmp + 1, sizeof(magic_be));
	return icmp->u.echo.ident_be == htons(monitor_ident()) && magic_be == htonl(MONITOR_MAGIC);
}

void host_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *tunnel[WORKER_BURST], *part[WORKER_BURST], *probe[WORKER_BURST], *big[WORKER_BURST];
	struct rte_mbuf *rest[WORKER_BURST];
	unsigned n_tunnel = 0, n_part = 0, n_probe = 0, n_big = 0, n_rest = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);

		if (reassembly_wants(pkts[i])) {
			part[n_part++] = pkts[i];
		} else if (is_for_tunnel(pkts[i], m)) {
			tunnel[n_tunnel++] = pkts[i];
		} else if (is_probe_reply(pkts[i], m)) {
			m->op = PKT_PROBE_REPLY;
			probe[n_probe++] = pkts[i];
		} else if (tunnel_pmtu_concerns(pkts[i])) {
			big[n_big++] = pkts[i];
		} else {
			rest[n_rest++] = pkts[i];
		}
	}
	if (n_probe)
		worker_to_monitor(w, probe, n_probe);
	if (n_tunnel)
		tunnel_input(w, tunnel, n_tunnel);
	if (n_part)
		reassembly_input(w, part, n_part);
	if (n_big)
		tunnel_pmtu_take(w, big, n_big);
	if (n_rest)
		host_deliver(w, rest, n_rest);
}

/* A TAP wants a link header: the one it came with, or for what was made here one that says "to you". */
static bool add_link_header(struct rte_mbuf *pkt, const struct iface *in)
{
	struct pkt_meta *m = pkt_meta(pkt);
	const struct port *port = rcu_dereference(in->port);
	struct wire_eth *eth;

	if (m->l2_len)
		return rte_pktmbuf_prepend(pkt, m->l2_len) != NULL;
	eth = (struct wire_eth *)rte_pktmbuf_prepend(pkt, sizeof(*eth));
	if (!eth || !port)
		return false;
	memcpy(eth->dst, port->mac, 6);
	memcpy(eth->src, port->mac, 6);
	eth->src[0] ^= 0x02; /* locally administered: not the receiver's own, which bridges would refuse */
	eth->type_be = htons(m->family == IP_V4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	return true;
}

void host_deliver(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *out[WORKER_BURST];
	unsigned n_out = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);
		const struct iface *in = iface_by_index(m->in);

		m->op = PKT_TO_HOST;
		if (in && (in->kind != IFACE_PORT || add_link_header(pkts[i], in)))
			out[n_out++] = pkts[i];
		else
			worker_drop(w, &pkts[i], 1, DROP_HOST_WRITE);
	}
	if (n_out)
		worker_to_slow(w, out, n_out, DROP_HOST_QUEUE);
}

void host_deliver_frames(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pkt_meta(pkts[i])->op = PKT_TO_HOST;
	worker_to_slow(w, pkts, n, DROP_HOST_QUEUE);
}
