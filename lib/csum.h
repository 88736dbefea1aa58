/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum: whole (RFC 1071), incremental (RFC 1624 eqn. 3), and
 * over the pseudo-headers of IPv4 and IPv6 (RFC 8200 §8.1). Pure; any thread.
 */
#ifndef BYWAY_LIB_CSUM_H
#define BYWAY_LIB_CSUM_H

#include <stddef.h>
#include <stdint.h>

/* One's-complement sum of len bytes added to sum (host accumulator, start with 0). */
uint32_t csum_add(uint32_t sum, const void *data, size_t len);
/* Folds and complements; the value to store, in network order as it lies in memory. */
uint16_t csum_fold(uint32_t sum);
/* Pseudo-header sum; src and dst of 4 or 16 bytes, len in bytes, proto the upper protocol. */
uint32_t csum_pseudo4(const void *src, const void *dst, uint8_t proto, uint16_t len);
uint32_t csum_pseudo6(const void *src, const void *dst, uint8_t proto, uint32_t len);

/* RFC 1624: checksum after a 16-bit word changed; all values as they lie in memory. */
static inline uint16_t csum_update16(uint16_t csum, uint16_t old_word, uint16_t new_word)
{
	uint32_t sum = (uint32_t)(uint16_t)~csum + (uint32_t)(uint16_t)~old_word + new_word;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
