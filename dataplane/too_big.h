/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What "fragmentation needed" (RFC 1191 §4) and "packet too big" (RFC 4443 §3.2) say, and about which UDP
 * datagram. Pure: bytes in, a verdict out; any thread. Whether it is about a datagram of ours, tunnel_pmtu.c
 * judges.
 */
#ifndef BYWAY_DATAPLANE_TOO_BIG_H
#define BYWAY_DATAPLANE_TOO_BIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct too_big {
	uint32_t mtu;		     /* bytes of an IP packet, as told; 0: an old router, it does not say */
	struct ip_endpoint from, to; /* of the quoted datagram */
	uint32_t quoted_len;	     /* bytes of the quoted IP packet, as its header says */
	const uint8_t *payload;	     /* of the quoted UDP datagram, as far as it was quoted */
	size_t payload_len;
};

/*
 * l4 bytes into the packet at p (len bytes, as ip_parse left it: no padding) an ICMP header of this family
 * begins. True, and out is filled (payload points into p), if the message has a right checksum, is one of the
 * two and quotes at least the IP and UDP headers of an unfragmented datagram without extension headers, which
 * is how ours are.
 */
bool too_big_parse(const uint8_t *p, size_t len, uint8_t family, size_t l4, struct too_big *out);

/* RFC 1191 §7: what to try when a router does not say: the next lower one of the usual MTUs. */
uint32_t too_big_guess_mtu(uint32_t quoted_len);

#endif
