/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fragment says of itself: RFC 791 §3.2, RFC 8200 §4.5. Pure: bytes in, a verdict out; any thread.
 */
#ifndef BYWAY_DATAPLANE_IP_FRAGMENT_H
#define BYWAY_DATAPLANE_IP_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ip_fragment_kind {
	IP_FRAGMENT_NONE, /* a whole packet, or what it is cannot be seen */
	IP_FRAGMENT_PART,
	IP_FRAGMENT_BAD, /* its length or offset is one that no fragment may have */
};

struct ip_fragment {
	uint8_t src[16], dst[16]; /* IPv4 in the first four, the rest zero */
	uint32_t id_be;
	uint32_t at;	 /* bytes from the beginning of the datagram's upper layer */
	uint32_t len;	 /* bytes of that layer that are here */
	size_t data_off; /* bytes from the IP header to them */
	uint8_t family, proto;
	bool more, congested; /* MF or M; ECN says CE */
};

/* A packet of len bytes that ip_parse found good (IP_V4 or IP_V6), padding cut off. out is filled for a PART.
 */
enum ip_fragment_kind ip_fragment_parse(
    const uint8_t *p, size_t len, uint8_t family, struct ip_fragment *out);

#endif
