/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probes: ICMP echo requests (RFC 792; RFC 4443 §4.1) built here and handed to the workers as whole frames,
 * for a line to the gateway's link-layer address whatever the tables say, for a peer into its
 * tunnel; and the replies that workers recognised. Monitor thread.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/monitor_internal.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

#define ECHO_LEN (sizeof(struct wire_icmp) + sizeof(struct monitor_probe))
#define TTL	 255

static struct {
	uint16_t ident;
	uint64_t cookie;
} self;

uint16_t monitor_ident(void)
{
	return self.ident;
}

int monitor_probe_start(void)
{
	if (getrandom(&self, sizeof(self), 0) != (ssize_t)sizeof(self))
		return ERR_IO;
	return 0;
}

static void fill_echo(void *at, const struct monitor_probe *probe, uint8_t type, uint16_t seq)
{
	struct wire_icmp *icmp = at;

	*icmp = (struct wire_icmp){.type = type};
	icmp->u.echo.ident_be = htons(self.ident);
	icmp->u.echo.seq_be = htons(seq);
	memcpy(icmp + 1, probe, sizeof(*probe));
}

static void put_ip4(struct rte_mbuf *pkt, const struct ip_addr *src, const struct ip_addr *dst,
    const struct monitor_probe *probe, uint16_t seq)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)rte_pktmbuf_append(pkt, sizeof(*ip) + ECHO_LEN);
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);

	*ip = (struct wire_ip4){
	    .version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons(sizeof(*ip) + ECHO_LEN),
	    .frag_be = htons(IP4_DF),
	    .ttl = TTL,
	    .proto = IP_PROTO_ICMP,
	    .src_be = ip_addr_be32(src),
	    .dst_be = ip_addr_be32(dst),
	};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	fill_echo(icmp, probe, ICMP_TYPE_ECHO, seq);
	icmp->csum = csum_fold(csum_add(0, icmp, ECHO_LEN));
}

static void put_ip6(struct rte_mbuf *pkt, const struct ip_addr *src, const struct ip_addr *dst,
    const struct monitor_probe *probe, uint16_t seq)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)rte_pktmbuf_append(pkt, sizeof(*ip) + ECHO_LEN);
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);
	uint32_t sum = csum_pseudo6(src->b, dst->b, IP_PROTO_ICMP6, ECHO_LEN); /* RFC 4443 §2.3 */

	*ip = (struct wire_ip6){
	    .version_class_flow_be = htonl(IP6_VERSION),
	    .payload_len_be = htons(ECHO_LEN),
	    .next_header = IP_PROTO_ICMP6,
	    .hop_limit = TTL,
	};
	memcpy(ip->src, src->b, 16);
	memcpy(ip->dst, dst->b, 16);
	fill_echo(icmp, probe, ICMP6_TYPE_ECHO, seq);
	icmp->csum = csum_fold(csum_add(sum, icmp, ECHO_LEN));
}

/* An empty packet with its meta cleared; NULL: no buffer, the round counts as lost. */
static struct rte_mbuf *new_packet(enum pkt_op op, uint16_t out)
{
	struct rte_mbuf *pkt = worker_pool ? rte_pktmbuf_alloc(worker_pool) : NULL;
	struct pkt_meta *m;

	if (!pkt)
		return NULL;
	m = pkt_meta(pkt);
	memset(m, 0, sizeof(*m));
	m->op = (uint8_t)op;
	m->out = out;
	m->peer = UINT16_MAX;
	return pkt;
}

static void put_ip(struct rte_mbuf *pkt, const struct ip_addr *src, const struct ip_addr *dst,
    const struct monitor_probe *probe, uint16_t seq)
{
	if (dst->family == IP_V4)
		put_ip4(pkt, src, dst, probe, seq);
	else
		put_ip6(pkt, src, dst, probe, seq);
}

static void put_link_header(struct rte_mbuf *pkt, const struct port *port, uint64_t mac, uint8_t family)
{
	struct wire_eth *eth = (struct wire_eth *)rte_pktmbuf_append(pkt, sizeof(*eth));

	memcpy(eth->dst, &mac, 6);
	memcpy(eth->src, port->mac, 6);
	eth->type_be = htons(family == IP_V4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
}

static void pad_frame(struct rte_mbuf *pkt)
{
	uint16_t short_by = pkt->data_len < ETH_MIN_LEN ? (uint16_t)(ETH_MIN_LEN - pkt->data_len) : 0;

	if (short_by)
		memset(rte_pktmbuf_append(pkt, short_by), 0, short_by);
}

static void send_to_target(
    const struct monitor_line *l, const struct iface *ifc, unsigned target, uint16_t seq)
{
	const struct port *port = rcu_dereference(ifc->port);
	/* pair: the slow thread's release when the neighbour answered */
	uint64_t mac = atomic_load_explicit(&l->via[target]->mac, memory_order_acquire);
	const struct ip_addr *dst = &l->line.params.targets[target];
	struct monitor_probe probe = {.magic_be = htonl(MONITOR_MAGIC),
	    .object_be = htons(l->slot),
	    .kind = MONITOR_PROBE_LINE,
	    .target = (uint8_t)target,
	    .cookie = self.cookie};
	struct ip_addr src;
	struct rte_mbuf *pkt;

	if (!port || !(mac & NEIGH_MAC_VALID) || !iface_source(ifc, dst->family, dst, &src))
		return;
	pkt = new_packet(PKT_TX_FRAME, l->iface);
	if (!pkt)
		return;
	put_link_header(pkt, port, mac, dst->family);
	put_ip(pkt, &src, dst, &probe, seq);
	pad_frame(pkt);
	worker_inject(worker_for(l->slot), &pkt, 1);
}

void monitor_probe_line(const struct monitor_line *l, uint16_t seq)
{
	const struct iface *ifc = iface_by_index(l->iface);

	for (unsigned i = 0; ifc && i < l->line.params.n_targets; i++)
		send_to_target(l, ifc, i, seq);
}

void monitor_probe_peer(const struct monitor_peer *p, uint16_t seq)
{
	const struct iface *ifc = iface_by_index(p->iface);
	struct monitor_probe probe = {.magic_be = htonl(MONITOR_MAGIC),
	    .object_be = htons(p->index),
	    .kind = MONITOR_PROBE_PEER,
	    .cookie = self.cookie};
	struct ip_addr src;
	struct rte_mbuf *pkt;

	if (!ifc)
		return;
	/* an unnumbered tunnel speaks from what the router prefers */
	if (!iface_source(ifc, p->target.family, &p->target, &src) &&
	    !iface_router_source(p->target.family, &p->target, &src))
		return;
	pkt = new_packet(PKT_TUNNEL_OUT, p->iface);
	if (!pkt)
		return;
	pkt_meta(pkt)->peer = p->index;
	put_ip(pkt, &src, &p->target, &probe, seq);
	worker_inject(worker_for(p->index), &pkt, 1);
}

/* An echo reply as the workers let it through, checked whole: who sent it, and that it is not damaged. */
struct reply {
	struct ip_addr src;
	uint16_t seq;
	struct monitor_probe probe;
};

static bool parse_reply(const struct rte_mbuf *pkt, struct reply *r)
{
	const struct pkt_meta *m = pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);
	const uint8_t *ip = rte_pktmbuf_mtod(pkt, const uint8_t *);
	const struct wire_icmp *icmp = (const struct wire_icmp *)(ip + m->l4_off);
	uint32_t sum = 0;
	size_t len;

	if (!m->l4_off || m->l4_off + ECHO_LEN > pkt->data_len)
		return false;
	len = pkt->data_len - (size_t)m->l4_off;
	if (m->family == IP_V4) {
		const struct wire_ip4 *h = (const struct wire_ip4 *)ip;

		r->src = ip_addr_v4(h->src_be);
	} else {
		const struct wire_ip6 *h = (const struct wire_ip6 *)ip;

		r->src = ip_addr_v6(h->src);
		sum = csum_pseudo6(h->src, h->dst, IP_PROTO_ICMP6, (uint32_t)len);
	}
	if (csum_fold(csum_add(sum, icmp, len)) != 0)
		return false;
	r->seq = ntohs(icmp->u.echo.seq_be);
	memcpy(&r->probe, icmp + 1, sizeof(r->probe));
	return r->probe.cookie == self.cookie;
}

static bool is_from(const struct line *l, unsigned target, const struct ip_addr *src)
{
	return target < l->params.n_targets && ip_addr_equal(&l->params.targets[target], src);
}

/* It must come back on the way that is judged: a reply on another interface proves nothing about this one. */
static bool accept_reply(const struct reply *r, uint16_t in, uint64_t now_ns)
{
	unsigned object = ntohs(r->probe.object_be), target = r->probe.target;
	struct monitor_line *l = object < MONITOR_LINES ? monitor_lines[object] : NULL;
	struct monitor_peer *p = monitor_peers[object];

	if (r->probe.kind == MONITOR_PROBE_LINE)
		return l && l->iface == in && is_from(&l->line, target, &r->src) &&
		       line_reply(&l->line, target, r->seq, now_ns);
	if (r->probe.kind == MONITOR_PROBE_PEER)
		return p && p->probed && p->iface == in && is_from(&p->line, target, &r->src) &&
		       line_reply(&p->line, target, r->seq, now_ns);
	return false;
}

void monitor_probe_receive(struct rte_mbuf *pkt, uint64_t now_ns)
{
	struct reply r;

	if (parse_reply(pkt, &r) && accept_reply(&r, pkt_meta(pkt)->in, now_ns))
		rte_pktmbuf_free(pkt);
	else
		worker_drop_shared(&pkt, 1, DROP_PROBE_UNKNOWN);
}
