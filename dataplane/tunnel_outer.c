/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outer headers of a tunnel: UDP in IPv4 or IPv6 without options. Workers and the slow thread.
 */
#include <arpa/inet.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "dataplane/fragment.h"
#include "dataplane/tunnel_peer.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

#define IDS_APART (UINT16_MAX / (WORKER_MAX + 1)) /* threads begin so far from each other */

/* RFC 6864 §4.1: only fragments need it to be unique. Threads that are no workers begin behind them. */
static _Thread_local uint16_t next_id = WORKER_MAX * IDS_APART;

uint8_t *tunnel_outer_payload(struct rte_mbuf *pkt, uint32_t *len)
{
	uint16_t off = pkt_meta(pkt)->l4_off, udp_len;
	struct wire_udp *udp = rte_pktmbuf_mtod_offset(pkt, struct wire_udp *, off);

	if (off == 0 || off + sizeof(*udp) > pkt->data_len)
		return NULL;
	udp_len = ntohs(udp->len_be);
	if (udp_len < sizeof(*udp) || (uint32_t)off + udp_len > pkt->data_len)
		return NULL;
	*len = udp_len - (uint32_t)sizeof(*udp);
	return (uint8_t *)(udp + 1);
}

void tunnel_outer_source(const uint8_t *ip, const uint8_t *payload, uint16_t line, struct tunnel_source *out)
{
	const struct wire_udp *udp = (const struct wire_udp *)(const void *)(payload - sizeof(*udp));

	if (*ip >> 4 == 4) {
		const struct wire_ip4 *ip4 = (const struct wire_ip4 *)(const void *)ip;

		out->remote.addr = ip_addr_v4(ip4->src_be);
		out->local = ip_addr_v4(ip4->dst_be);
	} else {
		const struct wire_ip6 *ip6 = (const struct wire_ip6 *)(const void *)ip;

		out->remote.addr = ip_addr_v6(ip6->src);
		out->local = ip_addr_v6(ip6->dst);
	}
	out->remote.port = ntohs(udp->src_port_be);
	out->port = ntohs(udp->dst_port_be);
	out->line = line;
}

bool tunnel_outer_marked(const uint8_t *ip)
{
	uint8_t tos = (uint8_t)(*ip >> 4 == 4 ? ip[1] : ip[1] >> 4);

	return (tos & IP_TOS_ECN_MASK) == IP_TOS_ECN_MASK;
}

void tunnel_outer_begin_ids(const struct worker *w)
{
	next_id = (uint16_t)(w->id * IDS_APART);
}

uint16_t tunnel_outer_next_id(void)
{
	return next_id++;
}

void tunnel_outer_sum_udp6(uint8_t *ip)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + sizeof(struct wire_ip6));

	udp->dgram_cksum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, udp);
}

/*
 * RFC 768: over IPv4 a checksum of zero says that there is none, and the AEAD guards more than it could.
 * RFC 8200 §8.1 demands one over IPv6.
 */
static void write_udp(struct wire_udp *udp, const struct tunnel_path *path, uint16_t src_port, uint16_t len)
{
	udp->src_port_be = htons(src_port);
	udp->dst_port_be = htons(path->remote.port);
	udp->len_be = htons(len);
	udp->csum = 0;
}

static void write_ip4(struct wire_ip4 *ip, const struct tunnel_path *path, uint16_t udp_len, uint8_t tos)
{
	ip->version_ihl = IP4_VERSION_IHL;
	ip->tos = tos;
	ip->total_len_be = htons((uint16_t)(udp_len + sizeof(*ip)));
	ip->id_be = htons(tunnel_outer_next_id());
	/* Where nothing was said, a narrow link on the way may cut it, as with other WireGuards. */
	ip->frag_be = path->dont_fragment && udp_len + sizeof(*ip) <= path->mtu ? htons(IP4_DF) : 0;
	ip->ttl = TUNNEL_OUTER_HOP_LIMIT;
	ip->proto = IP_PROTO_UDP;
	ip->csum = 0;
	memcpy(&ip->src_be, path->local.b, 4);
	memcpy(&ip->dst_be, path->remote.addr.b, 4);
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

static void write_ip6(struct wire_ip6 *ip, const struct tunnel_path *path, uint16_t udp_len, uint8_t tos)
{
	ip->version_class_flow_be = htonl(IP6_VERSION | (uint32_t)tos << IP6_CLASS_SHIFT);
	ip->payload_len_be = htons(udp_len);
	ip->next_header = IP_PROTO_UDP;
	ip->hop_limit = TUNNEL_OUTER_HOP_LIMIT;
	memcpy(ip->src, path->local.b, 16);
	memcpy(ip->dst, path->remote.addr.b, 16);
}

bool tunnel_outer_prepend(
    struct rte_mbuf *pkt, const struct tunnel_path *path, uint16_t src_port, uint8_t tos)
{
	bool v4 = path->remote.addr.family == IP_V4;
	uint16_t ip_len = v4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
	uint16_t udp_len = (uint16_t)(pkt->pkt_len + sizeof(struct wire_udp));
	struct pkt_meta *m = pkt_meta(pkt);
	char *ip = rte_pktmbuf_prepend(pkt, (uint16_t)(ip_len + sizeof(struct wire_udp)));
	struct wire_udp *udp;

	if (!ip)
		return false;
	udp = (struct wire_udp *)(void *)(ip + ip_len);
	write_udp(udp, path, src_port, udp_len);
	if (v4) {
		write_ip4((struct wire_ip4 *)(void *)ip, path, udp_len, tos);
	} else {
		write_ip6((struct wire_ip6 *)(void *)ip, path, udp_len, tos);
		tunnel_outer_sum_udp6((uint8_t *)ip);
	}
	m->in = 0;
	m->out = path->line;
	m->family = path->remote.addr.family;
	m->proto = IP_PROTO_UDP;
	m->l4_off = ip_len;
	m->l2_len = 0;
	m->table = path->table;
	m->flow_hash = 0;
	m->flags = PKT_FROM_HOST;
	m->nh = NULL;
	return true;
}

bool tunnel_outer_cut(struct worker *w, struct rte_mbuf *pkt, const struct tunnel_path *path)
{
	struct rte_mbuf *pieces[FRAGMENT_MAX];
	unsigned n;

	if (path->remote.addr.family == IP_V4)
		return false;
	n = fragment_own6(w, pkt, path->mtu > IP6_MIN_MTU ? path->mtu : IP6_MIN_MTU, pieces);
	if (n)
		forward_packets(w, pieces, n);
	return true;
}
