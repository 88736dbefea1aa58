/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UPDATE message (RFC 4271 §4.3, 4760 §3-4) with the error handling of RFC
 * 7606. Pure functions: a message is judged whole before any of it is applied.
 */
#ifndef BYWAY_BGP_BGP_UPDATE_H
#define BYWAY_BGP_BGP_UPDATE_H

#include "bgp/bgp_attr.h"

/* Prefixes of one field; nothing to read when there are none. */
struct bgp_update_part {
	enum bgp_family family;
	struct buf_reader prefixes;
	struct ip_addr next_hop, link_local; /* of reachable ones */
};

enum {
	BGP_UPDATE_PLAIN,
	BGP_UPDATE_MP,
	BGP_UPDATE_PARTS
}; /* the fields of RFC 4271; the attributes of 4760 */

struct bgp_update {
	/*
	 * NONE, DISCARD: apply; WITHDRAW: what reach names is withdrawn too;
	 * RESET: send fault, nothing may be applied.
	 */
	enum bgp_reaction reaction;
	struct bgp_fault fault;
	struct bgp_update_part withdrawn[BGP_UPDATE_PARTS], reach[BGP_UPDATE_PARTS];
	bool end_of_rib[BGP_FAMILIES]; /* RFC 4724 §2 */
};

struct bgp_update_context {
	struct bgp_attr_context attr;
	unsigned families; /* negotiated; others are passed over (RFC 4760 §7) */
};

/* Parts point into body. build is scratch; it holds the attributes (next hops excepted) when reach is to be
 * applied. */
void bgp_update_parse(const struct bgp_update_context *context, const uint8_t *body, size_t len,
    struct bgp_attr_build *build, struct bgp_update *out);

/*
 * Writes one UPDATE that announces prefixes[0..n) with attrs, as many as fit BGP_MSG_MAX
 * and the room of w, and returns how many; 0: not even one fits. IPv4 goes into the plain field,
 * IPv6 into MP_REACH_NLRI, which then comes first (RFC 7606 §5.1).
 */
size_t bgp_update_write_reach(struct buf_writer *w, enum bgp_family family, const struct bgp_attrs *attrs,
    bool as4, const struct ip_prefix *const *prefixes, size_t n);
/* The same for withdrawn ones. With n 0 it writes the End-of-RIB marker (RFC 4724 §2) and returns 0. */
size_t bgp_update_write_withdrawn(
    struct buf_writer *w, enum bgp_family family, const struct ip_prefix *const *prefixes, size_t n);

#endif
