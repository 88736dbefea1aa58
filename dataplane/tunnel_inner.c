/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a tunnel reads and changes in the packets it carries: length, congestion mark, MSS. Data
 * begins at the inner IP header. Workers only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/tunnel_peer.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

#define ECN_CE	       3u /* RFC 3168 §5 */
#define ECN_NO_ECT     0u
#define EXTENSIONS_MAX 4 /* more than these a SYN does not carry */

static bool is_ip4(const struct rte_mbuf *pkt)
{
	return *rte_pktmbuf_mtod(pkt, const uint8_t *) >> 4 == 4;
}

bool tunnel_inner_trim(struct rte_mbuf *pkt)
{
	const struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *);
	const struct wire_ip6 *ip6 = rte_pktmbuf_mtod(pkt, const struct wire_ip6 *);
	uint32_t len;

	if (pkt->data_len >= sizeof(*ip4) && ip4->version_ihl >> 4 == 4)
		len = ntohs(ip4->total_len_be);
	else if (pkt->data_len >= sizeof(*ip6) && ip4->version_ihl >> 4 == 6)
		len = (uint32_t)sizeof(*ip6) + ntohs(ip6->payload_len_be);
	else
		return false;
	if (len < sizeof(*ip4) || len > pkt->data_len)
		return false;
	return rte_pktmbuf_trim(pkt, (uint16_t)(pkt->data_len - len)) == 0;
}

uint8_t tunnel_inner_ecn(const struct rte_mbuf *pkt)
{
	const struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *);
	const struct wire_ip6 *ip6 = rte_pktmbuf_mtod(pkt, const struct wire_ip6 *);

	if (pkt->data_len < sizeof(*ip4))
		return 0;
	if (is_ip4(pkt))
		return ip4->tos & IP_TOS_ECN_MASK;
	return (uint8_t)(ntohl(ip6->version_class_flow_be) >> IP6_CLASS_SHIFT) & IP_TOS_ECN_MASK;
}

/*
 * RFC 6040 §4.2, the row of an outer CE. An inner packet that cannot carry the mark passes unmarked, as with
 * other WireGuards, where the RFC would drop it: a provider's wrong mark must not cost the packet.
 */
void tunnel_inner_mark_congestion(struct rte_mbuf *pkt)
{
	struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, struct wire_ip4 *);
	struct wire_ip6 *ip6 = rte_pktmbuf_mtod(pkt, struct wire_ip6 *);
	uint16_t before, after;

	if (tunnel_inner_ecn(pkt) == ECN_NO_ECT)
		return;
	if (!is_ip4(pkt)) {
		ip6->version_class_flow_be |= htonl(ECN_CE << IP6_CLASS_SHIFT);
		return;
	}
	memcpy(&before, ip4, sizeof(before));
	ip4->tos |= ECN_CE;
	memcpy(&after, ip4, sizeof(after));
	ip4->csum = csum_update16(ip4->csum, before, after);
}

/*
 * Bytes to the TCP header behind the IPv6 header and what extension headers may stand before it; 0: none is
 * there. What the peer sent has not been judged yet.
 */
static size_t find_tcp6(const struct rte_mbuf *pkt)
{
	const uint8_t *ip = rte_pktmbuf_mtod(pkt, const uint8_t *);
	uint8_t next = ((const struct wire_ip6 *)ip)->next_header;
	size_t at = sizeof(struct wire_ip6);

	for (unsigned i = 0; i < EXTENSIONS_MAX && next != IP_PROTO_TCP; i++) {
		const struct wire_ip6_ext *ext = (const struct wire_ip6_ext *)(ip + at);

		if ((next != IP_PROTO_HOPOPTS && next != IP_PROTO_ROUTING && next != IP_PROTO_DSTOPTS) ||
		    at + sizeof(*ext) > pkt->data_len)
			return 0;
		next = ext->next_header;
		at += IP6_EXT_LEN(ext->len_units);
	}
	return next == IP_PROTO_TCP ? at : 0;
}

/* The TCP header of a SYN, unfragmented; NULL for all else. */
static struct wire_tcp *find_syn(struct rte_mbuf *pkt)
{
	const struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *);
	struct wire_tcp *tcp;
	size_t at;

	if (pkt->data_len < sizeof(*ip4) + sizeof(*tcp))
		return NULL;
	if (is_ip4(pkt)) {
		if (ip4->proto != IP_PROTO_TCP || ip4->frag_be & htons(IP4_OFFSET_MASK | IP4_MF))
			return NULL;
		at = (size_t)(ip4->version_ihl & 15) * 4;
	} else {
		at = find_tcp6(pkt);
		if (at == 0)
			return NULL;
	}
	if (at + sizeof(*tcp) > pkt->data_len)
		return NULL;
	tcp = rte_pktmbuf_mtod_offset(pkt, struct wire_tcp *, at);
	return tcp->flags & TCP_SYN ? tcp : NULL;
}

/* RFC 9293 §3.7.1; the checksum changes by RFC 1624, by the byte parity at which the option lies. */
static void clamp_option(struct wire_tcp *tcp, uint8_t *option, uint16_t mss)
{
	uint16_t old_be, new_be = htons(mss), old_word, new_word;

	memcpy(&old_be, option + 2, sizeof(old_be));
	if (ntohs(old_be) <= mss)
		return;
	memcpy(option + 2, &new_be, sizeof(new_be));
	old_word = old_be;
	new_word = new_be;
	if (((size_t)(option - (uint8_t *)tcp) & 1) != 0) {
		old_word = (uint16_t)(old_be << 8 | old_be >> 8);
		new_word = (uint16_t)(new_be << 8 | new_be >> 8);
	}
	tcp->csum = csum_update16(tcp->csum, old_word, new_word);
}

void tunnel_inner_clamp_mss(struct rte_mbuf *pkt, uint16_t mtu)
{
	uint16_t fixed = is_ip4(pkt) ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
	struct wire_tcp *tcp = find_syn(pkt);
	uint8_t *p, *end;

	if (!tcp || mtu <= fixed + sizeof(*tcp))
		return;
	p = (uint8_t *)(tcp + 1);
	end = (uint8_t *)tcp + (tcp->data_offset >> 4) * 4;
	if (end > rte_pktmbuf_mtod(pkt, uint8_t *) + pkt->data_len)
		return;
	while (p < end && *p != TCP_OPT_END) {
		if (*p == TCP_OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		if (p[0] == TCP_OPT_MSS && p[1] == TCP_OPT_MSS_LEN) {
			clamp_option(tcp, p, (uint16_t)(mtu - fixed - sizeof(*tcp)));
			return;
		}
		p += p[1];
	}
}
