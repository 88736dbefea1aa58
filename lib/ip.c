/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, prefixes and endpoints. Pure; any thread.
 */
#include "lib/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct ip_addr ip_addr_v4(uint32_t be)
{
	struct ip_addr a = {.family = IP_V4};

	memcpy(a.b, &be, 4);
	return a;
}

struct ip_addr ip_addr_v6(const uint8_t b[16])
{
	struct ip_addr a = {.family = IP_V6};

	memcpy(a.b, b, 16);
	return a;
}

uint32_t ip_addr_be32(const struct ip_addr *a)
{
	uint32_t be;

	memcpy(&be, a->b, 4);
	return be;
}

unsigned ip_family_bits(uint8_t family)
{
	return family == IP_V4 ? 32 : family == IP_V6 ? 128 : 0;
}

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_cmp(a, b) == 0;
}

int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, ip_family_bits(a->family) / 8);
}

bool ip_addr_is_zero(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, ip_family_bits(a->family) / 8) == 0;
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_addr_equal(&a->addr, &b->addr);
}

int ip_prefix_cmp(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int c = ip_addr_cmp(&a->addr, &b->addr);

	return c ? c : (int)a->len - (int)b->len;
}

bool ip_prefix_contains_addr(const struct ip_prefix *p, const struct ip_addr *a)
{
	unsigned whole = p->len / 8u, rest = p->len % 8u;
	unsigned mask = 0xff00u >> rest & 0xffu;

	if (p->addr.family != a->family || p->len > ip_family_bits(a->family))
		return false;
	if (memcmp(p->addr.b, a->b, whole) != 0)
		return false;
	return !rest || ((p->addr.b[whole] ^ a->b[whole]) & mask) == 0;
}

bool ip_prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	return inner->len >= outer->len && ip_prefix_contains_addr(outer, &inner->addr);
}

struct ip_prefix ip_prefix_mask(const struct ip_prefix *p)
{
	struct ip_prefix m = *p;
	unsigned whole = p->len / 8u, rest = p->len % 8u;

	if (p->len >= 128)
		return m;
	if (rest) {
		m.addr.b[whole] = (uint8_t)(m.addr.b[whole] & 0xff00u >> rest);
		whole++;
	}
	memset(m.addr.b + whole, 0, sizeof(m.addr.b) - whole);
	return m;
}

struct ip_prefix ip_prefix_host(const struct ip_addr *a)
{
	return (struct ip_prefix){.addr = *a, .len = (uint8_t)ip_family_bits(a->family)};
}

static bool in_list(const struct ip_addr *a, const struct ip_prefix *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_prefix_contains_addr(&list[i], a))
			return true;
	return false;
}

#define IN_LIST(a, list) in_list(a, list, sizeof(list) / sizeof((list)[0]))

bool ip_addr_is_multicast(const struct ip_addr *a)
{
	static const struct ip_prefix list[] = {
	    {{IP_V4, {224}}, 4},  /* RFC 5771 §3 */
	    {{IP_V6, {0xff}}, 8}, /* RFC 4291 §2.7 */
	};

	return IN_LIST(a, list);
}

bool ip_addr_is_link_local(const struct ip_addr *a)
{
	static const struct ip_prefix list[] = {
	    {{IP_V4, {169, 254}}, 16},	 /* RFC 3927 §2.1 */
	    {{IP_V6, {0xfe, 0x80}}, 10}, /* RFC 4291 §2.5.6 */
	};

	return IN_LIST(a, list);
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	static const struct ip_prefix list[] = {
	    {{IP_V4, {127}}, 8},	/* RFC 1122 §3.2.1.3(g) */
	    {{IP_V6, {[15] = 1}}, 128}, /* RFC 4291 §2.5.3 */
	};

	return IN_LIST(a, list);
}

bool ip_addr_is_private(const struct ip_addr *a)
{
	static const struct ip_prefix list[] = {
	    {{IP_V4, {10}}, 8},								   /* RFC 1918 §3 */
	    {{IP_V4, {172, 16}}, 12}, {{IP_V4, {192, 168}}, 16}, {{IP_V4, {100, 64}}, 10}, /* RFC 6598 §7 */
	    {{IP_V6, {0xfc}}, 7}, /* RFC 4193 §3.1 */
	};

	return IN_LIST(a, list);
}
