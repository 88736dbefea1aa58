/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the fields of fragments. Pure; workers call it for fragments that are for this host.
 */
#include "dataplane/ip_fragment.h"

#include <arpa/inet.h>
#include <string.h>

#include "dataplane/ip_parse.h"
#include "lib/ip.h"
#include "lib/ip_wire.h"

#define ECN_CE 3u

static enum ip_fragment_kind parse4(const uint8_t *p, size_t len, struct ip_fragment *out)
{
	const struct wire_ip4 *ip = (const struct wire_ip4 *)p;
	uint16_t frag = ntohs(ip->frag_be);

	if (!(frag & (IP4_MF | IP4_OFFSET_MASK)))
		return IP_FRAGMENT_NONE;
	memcpy(out->src, &ip->src_be, 4);
	memcpy(out->dst, &ip->dst_be, 4);
	out->id_be = ip->id_be;
	out->at = (frag & IP4_OFFSET_MASK) * 8u;
	out->more = frag & IP4_MF;
	out->data_off = (size_t)(ip->version_ihl & 15) * 4;
	out->proto = ip->proto;
	out->congested = (ip->tos & IP_TOS_ECN_MASK) == ECN_CE;
	return IP_FRAGMENT_PART;
}

/* The fragment header stands behind those that each router on the way may read (RFC 8200 §4.5). */
static enum ip_fragment_kind parse6(const uint8_t *p, size_t len, struct ip_fragment *out)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)p;
	const struct wire_ip6_frag *frag;
	uint8_t next = ip->next_header;
	size_t at = sizeof(*ip);

	for (unsigned i = 0; i < IP_PARSE_EXT_MAX && next != IP_PROTO_FRAGMENT; i++) {
		if ((next != IP_PROTO_HOPOPTS && next != IP_PROTO_ROUTING && next != IP_PROTO_DSTOPTS) ||
		    at + sizeof(struct wire_ip6_ext) > len)
			return IP_FRAGMENT_NONE;
		next = p[at];
		at += IP6_EXT_LEN(p[at + 1]);
	}
	if (next != IP_PROTO_FRAGMENT || at + sizeof(*frag) > len)
		return IP_FRAGMENT_NONE;
	frag = (const struct wire_ip6_frag *)(p + at);
	memcpy(out->src, ip->src, 16);
	memcpy(out->dst, ip->dst, 16);
	out->id_be = frag->id_be;
	out->at = ntohs(frag->frag_be) & IP6_FRAG_OFFSET_MASK;
	out->more = frag->frag_be & htons(IP6_FRAG_MORE);
	out->data_off = at + sizeof(*frag);
	out->proto = frag->next_header;
	out->congested = (ntohl(ip->version_class_flow_be) >> IP6_CLASS_SHIFT & IP_TOS_ECN_MASK) == ECN_CE;
	/* RFC 8200 §4.5: offset 0 and nothing more to come is a whole packet */
	return out->at || out->more ? IP_FRAGMENT_PART : IP_FRAGMENT_NONE;
}

enum ip_fragment_kind ip_fragment_parse(const uint8_t *p, size_t len, uint8_t family, struct ip_fragment *out)
{
	struct ip_fragment f = {.family = family};
	enum ip_fragment_kind kind = family == IP_V4 ? parse4(p, len, &f) : parse6(p, len, &f);

	if (kind != IP_FRAGMENT_PART)
		return kind;
	if (f.data_off > len)
		return IP_FRAGMENT_BAD;
	f.len = (uint32_t)(len - f.data_off);
	/* RFC 791 §3.2, RFC 8200 §4.5: all but the last are multiples of 8, and no datagram exceeds 64 KiB */
	if (f.len == 0 || (f.more && f.len % 8) || f.at + f.len > UINT16_MAX)
		return IP_FRAGMENT_BAD;
	*out = f;
	return IP_FRAGMENT_PART;
}
