/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes ICMP messages about too big a packet apart. Pure; workers and the slow thread call it.
 */
#include "dataplane/too_big.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/csum.h"
#include "lib/ip_wire.h"

static bool checksum_holds(const uint8_t *p, size_t len, uint8_t family, size_t l4)
{
	const struct wire_ip6 *ip6 = (const struct wire_ip6 *)p;
	size_t icmp_len = len - l4;
	uint32_t sum =
	    family == IP_V6 ? csum_pseudo6(ip6->src, ip6->dst, IP_PROTO_ICMP6, (uint32_t)icmp_len) : 0;

	return csum_fold(csum_add(sum, p + l4, icmp_len)) == 0;
}

/* The quoted IP header; returns its length, 0: not that of a datagram as ours are. */
static size_t parse_quoted_ip(const uint8_t *q, size_t len, uint8_t family, struct too_big *out)
{
	const struct wire_ip4 *ip4 = (const struct wire_ip4 *)q;
	const struct wire_ip6 *ip6 = (const struct wire_ip6 *)q;

	if (family == IP_V4) {
		/* a piece of a datagram does not say whose it is, but for the first one */
		if (len < sizeof(*ip4) || ip4->version_ihl != IP4_VERSION_IHL || ip4->proto != IP_PROTO_UDP ||
		    ip4->frag_be & htons(IP4_OFFSET_MASK))
			return 0;
		out->from.addr = ip_addr_v4(ip4->src_be);
		out->to.addr = ip_addr_v4(ip4->dst_be);
		out->quoted_len = ntohs(ip4->total_len_be);
		return sizeof(*ip4);
	}
	if (len < sizeof(*ip6) || q[0] >> 4 != 6 || ip6->next_header != IP_PROTO_UDP)
		return 0;
	out->from.addr = ip_addr_v6(ip6->src);
	out->to.addr = ip_addr_v6(ip6->dst);
	out->quoted_len = (uint32_t)sizeof(*ip6) + ntohs(ip6->payload_len_be);
	return sizeof(*ip6);
}

static bool parse_quoted(const uint8_t *q, size_t len, uint8_t family, struct too_big *out)
{
	size_t header = parse_quoted_ip(q, len, family, out);
	const struct wire_udp *udp = (const struct wire_udp *)(q + header);

	if (header == 0 || len - header < sizeof(*udp))
		return false;
	out->from.port = ntohs(udp->src_port_be);
	out->to.port = ntohs(udp->dst_port_be);
	out->payload = q + header + sizeof(*udp);
	out->payload_len = len - header - sizeof(*udp);
	return true;
}

bool too_big_parse(const uint8_t *p, size_t len, uint8_t family, size_t l4, struct too_big *out)
{
	const struct wire_icmp *icmp = (const struct wire_icmp *)(p + l4);
	struct too_big found = {0};

	if (l4 == 0 || l4 > len || len - l4 < sizeof(*icmp))
		return false;
	if (family == IP_V4 ? icmp->type != ICMP_TYPE_UNREACHABLE || icmp->code != ICMP_CODE_FRAG_NEEDED
			    : icmp->type != ICMP6_TYPE_TOO_BIG)
		return false;
	found.mtu = family == IP_V4 ? ntohs(icmp->u.frag.mtu_be) : ntohl(icmp->u.mtu_be);
	if (!parse_quoted(p + l4 + sizeof(*icmp), len - l4 - sizeof(*icmp), family, &found) ||
	    !checksum_holds(p, len, family, l4))
		return false;
	*out = found;
	return true;
}

uint32_t too_big_guess_mtu(uint32_t quoted_len)
{
	static const uint16_t usual[] = {32000, 17914, 8166, 4352, 2002, 1492, 1280, 1006, 508, 296};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (usual[i] < quoted_len)
			return usual[i];
	return IP4_MIN_MTU;
}
