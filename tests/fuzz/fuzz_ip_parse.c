/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of IPv4 and IPv6 as they come off the wire: no read beyond the packet, and what is found lies in
 * it.
 */
#include "dataplane/ip_parse.h"

#include <stdlib.h>
#include <string.h>

#include "lib/csum.h"
#include "lib/ip.h"
#include "lib/ip_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *p, size_t size)
{
	struct ip_parsed out;

	if (ip_parse(p, size, &out) != IP_PARSE_OK)
		return;
	if (out.len > size || out.l4_off > out.len || (out.family != IP_V4 && out.family != IP_V6))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	size_t header;

	if (size == 0 || size > UINT16_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	check(copy, size);
	header = (size_t)(copy[0] & 15) * 4;
	if (copy[0] >> 4 == 4 && header >= sizeof(struct wire_ip4) && header <= size) {
		struct wire_ip4 *ip = (struct wire_ip4 *)copy;

		ip->csum = 0; /* a right checksum, which chance finds too seldom */
		ip->csum = csum_fold(csum_add(0, copy, header));
		check(copy, size);
	}
	free(copy);
	return 0;
}
