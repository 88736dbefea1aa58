/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments, as ip_parse hands them on: no read beyond the packet, and what they carry lies in it.
 */
#include "dataplane/ip_fragment.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/ip_parse.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_fragment f;
	struct ip_parsed ip;
	size_t header;
	uint8_t *copy;

	if (size == 0 || size > UINT16_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	header = (size_t)(copy[0] & 15) * 4;
	if (copy[0] >> 4 == 4 && header >= sizeof(struct wire_ip4) && header <= size) {
		struct wire_ip4 *ip4 = (struct wire_ip4 *)copy;

		ip4->csum = 0; /* a right checksum, which chance finds too seldom */
		ip4->csum = csum_fold(csum_add(0, copy, header));
	}
	if (ip_parse(copy, size, &ip) == IP_PARSE_OK &&
	    ip_fragment_parse(copy, ip.len, (uint8_t)ip.family, &f) == IP_FRAGMENT_PART &&
	    (f.len == 0 || f.data_off + f.len != ip.len || f.at % 8 || (f.more && f.len % 8) ||
		f.at + f.len > UINT16_MAX || (f.at == 0 && !f.more)))
		abort();
	free(copy);
	return 0;
}
