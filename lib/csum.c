/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole Internet checksums. Words are summed as they lie in memory (RFC 1071
 * §2(B): the sum does not depend on the byte order). Pure; any thread.
 */
#include "lib/csum.h"

#include <arpa/inet.h>
#include <string.h>

/* Ends in at most 33 bits: two rounds reach 32. */
static uint32_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)sum;
}

uint32_t csum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t wide = sum;
	uint32_t word;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		wide += word;
	}
	word = 0;
	if (len) {
		memcpy(&word, p, len);
		wide += word;
	}
	return fold64(wide);
}

uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t csum_pseudo4(const void *src, const void *dst, uint8_t proto, uint16_t len)
{
	uint64_t sum = csum_add(csum_add(0, src, 4), dst, 4);

	return fold64(sum + htons(proto) + htons(len));
}

uint32_t csum_pseudo6(const void *src, const void *dst, uint8_t proto, uint32_t len)
{
	uint64_t sum = csum_add(csum_add(0, src, 16), dst, 16);

	return fold64(sum + htonl(len) + htonl(proto));
}
