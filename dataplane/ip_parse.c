/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validates IPv4 and IPv6 headers. Pure; called by the workers for each packet.
 */
#include "dataplane/ip_parse.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/pkt.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

/* Sources that no packet may have, RFC 1812 §5.3.7. 0.0.0.0 speaks within its link only (DHCP). */
static int check_addresses4(uint32_t src, uint32_t dst, struct ip_parsed *out)
{
	bool group = dst >= 0xe0000000u && dst < 0xf0000000u;
	bool broadcast = dst == 0xffffffffu;

	if (src >> 24 == 127 || src >= 0xe0000000u)
		return DROP_SOURCE_INVALID;
	if (src >> 24 == 0 && !(src == 0 && (group || broadcast)))
		return DROP_SOURCE_INVALID;
	if (dst >> 24 == 0 || dst >> 24 == 127 || (dst >= 0xf0000000u && !broadcast))
		return DROP_DESTINATION_INVALID;
	if (src >> 16 == 0xa9fe) /* RFC 3927 §2.7: a router does not forward it */
		out->flags |= PKT_LINK_SOURCE;
	if (group || broadcast || dst >> 16 == 0xa9fe)
		out->flags |= PKT_LINK_DEST;
	return IP_PARSE_OK;
}

/* A header without options, which nearly all are, is five words: RFC 1071 lets them be added in any size. */
static bool checksum_holds(const uint8_t *p, size_t header_len)
{
	uint32_t words[5];
	uint64_t sum = 0;

	if (header_len != sizeof(words))
		return csum_fold(csum_add(0, p, header_len)) == 0;
	memcpy(words, p, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		sum += words[i];
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static int parse4(const uint8_t *p, size_t len, struct ip_parsed *out)
{
	const struct wire_ip4 *ip = (const struct wire_ip4 *)p;
	size_t header_len, total;

	if (len < sizeof(*ip))
		return DROP_RX_RUNT;
	header_len = (size_t)(ip->version_ihl & 0xf) * 4;
	total = ntohs(ip->total_len_be);
	if (header_len < sizeof(*ip) || total < header_len ||
	    total > len) /* RFC 1812 §5.2.2 (1), (3), (4), (5) */
		return DROP_IP4_HEADER;
	if (!checksum_holds(p, header_len)) /* (2) */
		return DROP_IP4_CHECKSUM;
	out->family = IP_V4;
	out->proto = ip->proto;
	out->len = (unsigned)total;
	out->l4_off = ip->frag_be & htons(IP4_OFFSET_MASK) ? 0 : (unsigned)header_len;
	return check_addresses4(ntohl(ip->src_be), ntohl(ip->dst_be), out);
}

static bool is_unspecified6(const uint8_t *a)
{
	static const uint8_t zero[16];

	return memcmp(a, zero, 16) == 0;
}

static bool is_loopback6(const uint8_t *a)
{
	static const uint8_t loopback[16] = {[15] = 1};

	return memcmp(a, loopback, 16) == 0;
}

static bool is_link_local6(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* RFC 4291 §2.5.2, §2.5.3, §2.7: :: and ::1 never leave a node, a group is no source. */
static int check_addresses6(const uint8_t *src, const uint8_t *dst, struct ip_parsed *out)
{
	bool group = dst[0] == 0xff;

	if (src[0] == 0xff || is_loopback6(src) || (is_unspecified6(src) && !group))
		return DROP_SOURCE_INVALID;
	if (is_unspecified6(dst) || is_loopback6(dst))
		return DROP_DESTINATION_INVALID;
	if (is_link_local6(src)) /* RFC 4291 §2.5.6 */
		out->flags |= PKT_LINK_SOURCE;
	if (group || is_link_local6(dst))
		out->flags |= PKT_LINK_DEST;
	return IP_PARSE_OK;
}

static bool is_extension(uint8_t next)
{
	return next == IP_PROTO_HOPOPTS || next == IP_PROTO_ROUTING || next == IP_PROTO_DSTOPTS ||
	       next == IP_PROTO_FRAGMENT || next == IP_PROTO_AH;
}

/* Bytes of the extension header at p; 0 when it does not end within len. */
static size_t extension_len(uint8_t kind, const uint8_t *p, size_t len)
{
	const struct wire_ip6_ext *ext = (const struct wire_ip6_ext *)p;
	size_t n;

	if (len < 8)
		return 0;
	if (kind == IP_PROTO_FRAGMENT)
		return sizeof(struct wire_ip6_frag);
	n = kind == IP_PROTO_AH ? ((size_t)ext->len_units + 2) * 4 : IP6_EXT_LEN(ext->len_units);
	return n <= len ? n : 0;
}

/*
 * RFC 8200 §4: finds the upper layer. A router has no business with most of it, so an unknown or
 * overlong chain is forwarded with the upper layer unknown; one that ends within a header is malformed
 * (RFC 7112 §5 for a first fragment).
 */
static int walk_extensions(const uint8_t *p, size_t len, uint8_t next, struct ip_parsed *out)
{
	size_t at = 0;

	for (unsigned i = 0; i < IP_PARSE_EXT_MAX && is_extension(next); i++) {
		size_t n = extension_len(next, p + at, len - at);

		if (n == 0 || (next == IP_PROTO_HOPOPTS && i > 0)) /* RFC 8200 §4.1: hop-by-hop comes first */
			return DROP_IP6_HEADER;
		if (next == IP_PROTO_FRAGMENT &&
		    ((const struct wire_ip6_frag *)(p + at))->frag_be & htons(IP6_FRAG_OFFSET_MASK)) {
			out->proto = p[at];
			out->l4_off = 0;
			return IP_PARSE_OK;
		}
		next = p[at];
		at += n;
	}
	out->proto = next;
	out->l4_off = is_extension(next) ? 0 : (unsigned)(sizeof(struct wire_ip6) + at);
	return IP_PARSE_OK;
}

static int parse6(const uint8_t *p, size_t len, struct ip_parsed *out)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)p;
	size_t payload;
	int verdict;

	if (len < sizeof(*ip))
		return DROP_RX_RUNT;
	payload = ntohs(ip->payload_len_be);
	if (payload > len - sizeof(*ip))
		return DROP_IP6_HEADER;
	if (payload == 0 &&
	    ip->next_header == IP_PROTO_HOPOPTS) /* a jumbogram (RFC 2675 §3) does not fit a buffer */
		return DROP_IP6_HEADER;
	out->family = IP_V6;
	out->len = (unsigned)(sizeof(*ip) + payload);
	verdict = walk_extensions(p + sizeof(*ip), payload, ip->next_header, out);
	return verdict == IP_PARSE_OK ? check_addresses6(ip->src, ip->dst, out) : verdict;
}

int ip_parse(const uint8_t *p, size_t len, struct ip_parsed *out)
{
	*out = (struct ip_parsed){0};
	if (len == 0)
		return DROP_RX_RUNT;
	switch (p[0] >> 4) {
	case 4:
		return parse4(p, len, out);
	case 6:
		return parse6(p, len, out);
	}
	return DROP_IP4_HEADER; /* RFC 1812 §5.2.2 (3): a version that nobody knows */
}
