/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about too big a packet, as ip_parse hands them on: no read beyond the packet, and the payload that
 * is found lies in it.
 */
#include "dataplane/too_big.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/ip_parse.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *p, const struct ip_parsed *ip)
{
	struct too_big b;

	if (!too_big_parse(p, ip->len, (uint8_t)ip->family, ip->l4_off, &b))
		return;
	if (b.payload < p || b.payload_len > ip->len || b.payload + b.payload_len != p + ip->len ||
	    b.from.addr.family != ip->family || too_big_guess_mtu(b.quoted_len) == 0)
		abort();
}

/* Right checksums, which chance finds too seldom. */
static void fix_sums(uint8_t *p, size_t size)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)p;
	size_t header = (size_t)(p[0] & 15) * 4;

	if (p[0] >> 4 == 4 && header >= sizeof(*ip) && header <= size) {
		ip->csum = 0;
		ip->csum = csum_fold(csum_add(0, p, header));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_parsed ip;
	uint8_t *copy;

	if (size == 0 || size > UINT16_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	fix_sums(copy, size);
	if (ip_parse(copy, size, &ip) == IP_PARSE_OK) {
		check(copy, &ip);
		if (ip.l4_off && ip.l4_off + sizeof(struct wire_icmp) <= ip.len) {
			struct wire_icmp *icmp = (struct wire_icmp *)(copy + ip.l4_off);
			uint32_t n = ip.len - ip.l4_off;

			icmp->csum = 0;
			icmp->csum = csum_fold(csum_add(
			    ip.family == IP_V6 ? csum_pseudo6(copy + 8, copy + 24, IP_PROTO_ICMP6, n) : 0,
			    icmp, n));
			check(copy, &ip);
		}
	}
	free(copy);
	return 0;
}
