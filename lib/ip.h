/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 and IPv6 addresses, prefixes and endpoints: parse, print, compare.
 * Pure; any thread. Addresses are in network order; unused bytes are zero, so
 * that memcmp over the bytes compares within one family.
 */
#ifndef BYWAY_LIB_IP_H
#define BYWAY_LIB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t b[16];  /* IPv4 in the first four */
};

struct ip_prefix {
	struct ip_addr addr; /* host bits zero unless said otherwise (interface addresses keep them) */
	uint8_t len;         /* bits: 0-32 or 0-128 */
};

struct ip_endpoint {
	struct ip_addr addr;
	uint16_t port; /* host order */
};

#define IP_ADDR_STRLEN     46
#define IP_PREFIX_STRLEN   50
#define IP_ENDPOINT_STRLEN 56

struct ip_addr ip_addr_v4(uint32_t be);
struct ip_addr ip_addr_v6(const uint8_t b[16]);
uint32_t ip_addr_be32(const struct ip_addr *a); /* IPv4 only */
unsigned ip_family_bits(uint8_t family);        /* 32, 128, or 0 */

/* "10.0.0.1", "2001:db8::1". ERR_INVALID with a sentence in msg (may be NULL). */
int ip_addr_parse(const char *text, struct ip_addr *out, struct err_msg *msg);
/* "10.0.0.0/8"; a bare address is a host prefix. Host bits set: ERR_INVALID. */
int ip_prefix_parse(const char *text, struct ip_prefix *out, struct err_msg *msg);
/* "10.0.0.1/24": an interface address; host bits are kept. */
int ip_ifaddr_parse(const char *text, struct ip_prefix *out, struct err_msg *msg);
/* "10.0.0.1:51820", "[2001:db8::1]:51820". */
int ip_endpoint_parse(const char *text, struct ip_endpoint *out, struct err_msg *msg);

/* Each returns buf. Sizes: the _STRLEN above. RFC 5952 for IPv6. */
const char *ip_addr_format(const struct ip_addr *a, char *buf);
const char *ip_prefix_format(const struct ip_prefix *p, char *buf);
const char *ip_endpoint_format(const struct ip_endpoint *e, char *buf);

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b);
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b); /* family, then bytes */
bool ip_addr_is_zero(const struct ip_addr *a);                     /* IP_NONE or all bytes zero */
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
int ip_prefix_cmp(const struct ip_prefix *a, const struct ip_prefix *b); /* address, then shorter first */
bool ip_prefix_contains_addr(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner); /* equal counts */
struct ip_prefix ip_prefix_mask(const struct ip_prefix *p); /* host bits cleared */
struct ip_prefix ip_prefix_host(const struct ip_addr *a);   /* /32 or /128 */

bool ip_addr_is_multicast(const struct ip_addr *a);
bool ip_addr_is_link_local(const struct ip_addr *a); /* 169.254/16, fe80::/10 */
bool ip_addr_is_loopback(const struct ip_addr *a);
bool ip_addr_is_private(const struct ip_addr *a); /* RFC 1918, RFC 6598, RFC 4193 */

#endif
