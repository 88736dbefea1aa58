/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading UPDATE messages; see bgp_update.h. Writing: bgp_update_write.c. */
#include "bgp/bgp_update.h"

#include <string.h>

#include "bgp/bgp_nlri.h"
#include "bgp/bgp_wire.h"

static void react(
    struct bgp_attr_result *result, enum bgp_reaction reaction, unsigned subcode, const char *what)
{
	struct bgp_fault fault;

	bgp_fault_set(&fault, BGP_ERROR_UPDATE, subcode, NULL, 0, "%s", what);
	bgp_attr_react(result, reaction, &fault);
}

/* May an IPv4 packet be sent there (RFC 4271 §6.3 "valid IP host address")? */
static bool next_hop_is_valid4(const struct ip_addr *a)
{
	return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
}

static bool next_hop_is_valid6(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[12];

	/* v4-mapped and v4-compatible, which cover :: and ::1 too */
	return memcmp(a->b, mapped, 12) != 0 && memcmp(a->b, zero, 12) != 0 && !ip_addr_is_multicast(a);
}

/*
 * RFC 2545 §3: a global address, and where the link is shared a link-local one behind
 * it. Speakers without global addresses send the link-local alone, twice, or behind ::.
 */
static bool parse_next_hop6(struct buf_reader *r, size_t len, struct bgp_update_part *part)
{
	uint8_t b[32] = {0};
	struct ip_addr first, second;

	buf_read_bytes(r, b, len);
	first = ip_addr_v6(b);
	second = ip_addr_v6(b + 16);
	if (len == 32 && ip_addr_is_link_local(&second))
		part->link_local = second;
	if (ip_addr_is_link_local(&first))
		part->link_local = first;
	if (part->link_local.family && (ip_addr_is_zero(&first) || ip_addr_is_link_local(&first)))
		part->next_hop = part->link_local;
	else
		part->next_hop = first;
	return next_hop_is_valid6(&part->next_hop);
}

/* AFI and SAFI of both MP attributes. False: not ours to read, or not there. */
static bool parse_mp_family(const struct bgp_update_context *context, struct buf_reader *r,
    struct bgp_update_part *part, struct bgp_attr_result *result)
{
	uint16_t afi = buf_read_be16(r);
	uint8_t safi = buf_read_u8(r);

	if (r->err) {
		react(result, BGP_REACT_RESET, BGP_UPDATE_OPTIONAL, "MP attribute without AFI and SAFI");
		return false;
	}
	return bgp_family_parse(afi, safi, &part->family) == 0 &&
	       (context->families & BGP_FAMILY_BIT(part->family));
}

static void parse_mp_reach(
    const struct bgp_update_context *context, struct bgp_update_part *part, struct bgp_attr_result *result)
{
	struct buf_reader r = result->mp_reach;
	uint8_t len;
	bool valid;

	if (!bgp_attr_was_seen(result, BGP_ATTR_MP_REACH) || !parse_mp_family(context, &r, part, result))
		return;
	len = buf_read_u8(&r);
	if (part->family == BGP_IPV4 ? len != 4 : len != 16 && len != 32) {
		react(result, BGP_REACT_RESET, BGP_UPDATE_OPTIONAL,
		    "MP_REACH_NLRI next hop length"); /* RFC 7606 §7.11 */
		return;
	}
	if (part->family == BGP_IPV4) {
		part->next_hop.family = IP_V4;
		buf_read_bytes(&r, part->next_hop.b, 4);
		valid = next_hop_is_valid4(&part->next_hop);
	} else {
		valid = parse_next_hop6(&r, len, part);
	}
	buf_read_u8(&r); /* reserved, RFC 4760 §3 */
	if (r.err || bgp_nlri_check(r, part->family) != 0) {
		react(result, BGP_REACT_RESET, BGP_UPDATE_OPTIONAL,
		    "MP_REACH_NLRI cannot be read"); /* RFC 7606 §5.3 */
		return;
	}
	if (!valid)
		react(result, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL,
		    "MP_REACH_NLRI next hop is no host address");
	part->prefixes = r;
}

static void parse_mp_unreach(
    const struct bgp_update_context *context, struct bgp_update_part *part, struct bgp_attr_result *result)
{
	struct buf_reader r = result->mp_unreach;

	if (!bgp_attr_was_seen(result, BGP_ATTR_MP_UNREACH) || !parse_mp_family(context, &r, part, result))
		return;
	if (bgp_nlri_check(r, part->family) != 0)
		react(result, BGP_REACT_RESET, BGP_UPDATE_OPTIONAL,
		    "MP_UNREACH_NLRI cannot be read"); /* RFC 7606 §5.3 */
	else
		part->prefixes = r;
}

/* RFC 7606 §3 d: a missing mandatory attribute means withdraw. */
static void check_mandatory(
    const struct bgp_update *update, struct bgp_attr_result *result, const struct bgp_attr_build *build)
{
	bool plain = buf_reader_left(&update->reach[BGP_UPDATE_PLAIN].prefixes);

	if (!plain && !buf_reader_left(&update->reach[BGP_UPDATE_MP].prefixes))
		return;
	if (!bgp_attr_was_seen(result, BGP_ATTR_ORIGIN))
		react(result, BGP_REACT_WITHDRAW, BGP_UPDATE_MISSING, "ORIGIN is missing");
	if (!bgp_attr_was_seen(result, BGP_ATTR_AS_PATH))
		react(result, BGP_REACT_WITHDRAW, BGP_UPDATE_MISSING, "AS_PATH is missing");
	if (plain && !bgp_attr_was_seen(result, BGP_ATTR_NEXT_HOP))
		react(result, BGP_REACT_WITHDRAW, BGP_UPDATE_MISSING, "NEXT_HOP is missing");
	else if (plain && !next_hop_is_valid4(&build->core.next_hop))
		react(result, BGP_REACT_WITHDRAW, BGP_UPDATE_NEXT_HOP, "NEXT_HOP is no host address");
}

static bool seen_only_unreach(const struct bgp_attr_result *result)
{
	return result->seen[0] == 1ull << BGP_ATTR_MP_UNREACH && !result->seen[1] && !result->seen[2] &&
	       !result->seen[3];
}

/* RFC 4724 §2: nothing at all, or an MP_UNREACH_NLRI without prefixes and nothing else. */
static void find_end_of_rib(const struct bgp_update_context *context, struct bgp_update *out, size_t len,
    const struct bgp_attr_result *result)
{
	struct buf_reader r = result->mp_unreach;
	uint16_t afi;
	uint8_t safi;
	enum bgp_family family;

	if (len == BGP_UPDATE_MIN_LEN - BGP_HEADER_LEN)
		out->end_of_rib[BGP_IPV4] = true;
	if (buf_reader_left(&out->withdrawn[BGP_UPDATE_PLAIN].prefixes) ||
	    buf_reader_left(&out->reach[BGP_UPDATE_PLAIN].prefixes))
		return;
	if (!seen_only_unreach(result) || buf_reader_left(&r) != 3)
		return;
	afi = buf_read_be16(&r);
	safi = buf_read_u8(&r);
	if (bgp_family_parse(afi, safi, &family) == 0 && (context->families & BGP_FAMILY_BIT(family)))
		out->end_of_rib[family] = true;
}

/* The three fields of RFC 4271 §4.3; the rest of the body are prefixes. */
static bool split_fields(const uint8_t *body, size_t len, struct bgp_update *out, struct buf_reader *attrs,
    struct bgp_attr_result *result)
{
	struct buf_reader r;

	buf_reader_init(&r, body, len);
	out->withdrawn[BGP_UPDATE_PLAIN].prefixes = buf_read_sub(&r, buf_read_be16(&r));
	*attrs = buf_read_sub(&r, buf_read_be16(&r));
	out->reach[BGP_UPDATE_PLAIN].prefixes = r;
	if (r.err) {
		react(result, BGP_REACT_RESET, BGP_UPDATE_ATTR_LIST,
		    "lengths overrun the message"); /* RFC 7606 §3 a */
		return false;
	}
	if (bgp_nlri_check(out->withdrawn[BGP_UPDATE_PLAIN].prefixes, BGP_IPV4) != 0 ||
	    bgp_nlri_check(r, BGP_IPV4) != 0) {
		react(result, BGP_REACT_RESET, BGP_UPDATE_NETWORK,
		    "prefixes cannot be read"); /* RFC 7606 §5.3 */
		return false;
	}
	return true;
}

static void drop_part(struct bgp_update_part *part)
{
	buf_reader_init(&part->prefixes, NULL, 0);
}

void bgp_update_parse(const struct bgp_update_context *context, const uint8_t *body, size_t len,
    struct bgp_attr_build *build, struct bgp_update *out)
{
	struct bgp_attr_result result = {0}, split = {0};
	struct buf_reader attrs;
	bool reachable;

	memset(out, 0, sizeof(*out));
	if (!split_fields(body, len, out, &attrs, &split)) {
		out->reaction = split.reaction;
		out->fault = split.fault;
		return;
	}
	bgp_attr_parse(&context->attr, attrs.p, buf_reader_left(&attrs), build, &result);
	parse_mp_reach(context, &out->reach[BGP_UPDATE_MP], &result);
	parse_mp_unreach(context, &out->withdrawn[BGP_UPDATE_MP], &result);
	check_mandatory(out, &result, build);
	find_end_of_rib(context, out, len, &result);
	out->reach[BGP_UPDATE_PLAIN].next_hop = build->core.next_hop;
	reachable = buf_reader_left(&out->reach[BGP_UPDATE_PLAIN].prefixes) ||
		    bgp_attr_was_seen(&result, BGP_ATTR_MP_REACH);
	/* RFC 7606 §5.2: an error worse than discard beside no reachable prefix cannot be trusted to be only
	 * that. */
	if (result.reaction == BGP_REACT_WITHDRAW && !reachable)
		result.reaction = BGP_REACT_RESET;
	if (!(context->families & BGP_FAMILY_BIT(BGP_IPV4))) {
		drop_part(&out->withdrawn[BGP_UPDATE_PLAIN]);
		drop_part(&out->reach[BGP_UPDATE_PLAIN]);
	}
	out->reaction = result.reaction;
	out->fault = result.fault;
}
