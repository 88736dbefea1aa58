/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Poly1305 (RFC 8439 §2.5) of one packet in 64-bit words, as the forms of the burst cipher share it: 130 bits
 * as 64 + 64 + the rest. Time and addresses depend on lengths alone. The caller wipes what he kept. Included
 * by lib/aead_*.c only; workers.
 */
#ifndef BYWAY_LIB_AEAD_POLY1305_H
#define BYWAY_LIB_AEAD_POLY1305_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POLY_BLOCK_LEN 16u

typedef unsigned __int128 poly_u128; /* a product of two words */

struct poly1305 {
	uint64_t h0, h1, h2; /* h2 < 8 between blocks */
	uint64_t r0, r1, s1; /* s1 = r1 * 5 / 4; r1 is a multiple of 4 */
};

static inline uint64_t poly_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void poly_store64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

/* otk: the one-time key, 32 bytes. */
static inline struct poly1305 poly_begin(const uint8_t *otk)
{
	uint64_t r0 = poly_load64(otk) & 0x0ffffffc0fffffff, r1 = poly_load64(otk + 8) & 0x0ffffffc0ffffffc;

	return (struct poly1305){.r0 = r0, .r1 = r1, .s1 = r1 + (r1 >> 2)};
}

/* h = (h + m + 2^128) r mod 2^130 - 5, partly reduced: h2 stays below 8. */
static inline __attribute__((always_inline)) void poly_add_words(struct poly1305 *p, uint64_t m0, uint64_t m1)
{
	poly_u128 a0 = (poly_u128)p->h0 + m0;
	poly_u128 a1 = (poly_u128)p->h1 + m1 + (uint64_t)(a0 >> 64);
	uint64_t h0 = (uint64_t)a0, h1 = (uint64_t)a1, h2 = p->h2 + 1 + (uint64_t)(a1 >> 64);
	poly_u128 d0 = (poly_u128)h0 * p->r0 + (poly_u128)h1 * p->s1;
	poly_u128 d1 = (poly_u128)h0 * p->r1 + (poly_u128)h1 * p->r0 + h2 * p->s1 + (uint64_t)(d0 >> 64);
	uint64_t top = h2 * p->r0 + (uint64_t)(d1 >> 64), fold = (top & ~3ull) + (top >> 2);

	a0 = (poly_u128)(uint64_t)d0 + fold;
	a1 = (poly_u128)(uint64_t)d1 + (uint64_t)(a0 >> 64);
	p->h0 = (uint64_t)a0;
	p->h1 = (uint64_t)a1;
	p->h2 = (top & 3) + (uint64_t)(a1 >> 64);
}

static inline __attribute__((always_inline)) void poly_add_block(struct poly1305 *p, const uint8_t *m)
{
	poly_add_words(p, poly_load64(m), poly_load64(m + 8));
}

/* tag = (h mod 2^130 - 5) + the key's second half, mod 2^128. h2 < 8. */
static inline void poly_finish(uint8_t *tag, uint64_t h0, uint64_t h1, uint64_t h2, const uint8_t *otk)
{
	/* h + 5 reaches 2^130 when h is not below the prime: then its low 130 bits are the result */
	poly_u128 a = (poly_u128)h0 + 5;
	uint64_t g0 = (uint64_t)a, g1, mask;

	a = (poly_u128)h1 + (uint64_t)(a >> 64);
	g1 = (uint64_t)a;
	mask = -((h2 + (uint64_t)(a >> 64)) >> 2);
	h0 ^= (h0 ^ g0) & mask;
	h1 ^= (h1 ^ g1) & mask;
	a = (poly_u128)h0 + poly_load64(otk + 16);
	h0 = (uint64_t)a;
	h1 += poly_load64(otk + 24) + (uint64_t)(a >> 64);
	poly_store64(tag, h0);
	poly_store64(tag + 8, h1);
}

/* The last `rest` bytes of a ciphertext of len bytes without associated data, and the tag (RFC 8439 §2.8). */
static inline void poly_end(
    struct poly1305 *mac, uint8_t *tag, const uint8_t *otk, const uint8_t *data, uint32_t rest, uint32_t len)
{
	uint8_t last[POLY_BLOCK_LEN] = {0};
	struct poly1305 p = *mac;

	for (; rest >= POLY_BLOCK_LEN; rest -= POLY_BLOCK_LEN, data += POLY_BLOCK_LEN)
		poly_add_block(&p, data);
	if (rest > 0) {
		memcpy(last, data, rest);
		poly_add_block(&p, last);
	}
	poly_add_words(&p, 0, len);
	poly_finish(tag, p.h0, p.h1, p.h2, otk);
}

static inline void poly_authenticate(uint8_t *tag, const uint8_t *otk, const uint8_t *data, uint32_t len)
{
	struct poly1305 p = poly_begin(otk);

	poly_end(&p, tag, otk, data, len, len);
}

/* 1 when equal, by arithmetic alone. */
static inline uint64_t poly_equal_tags(const uint8_t *a, const uint8_t *b)
{
	uint64_t differs = (poly_load64(a) ^ poly_load64(b)) | (poly_load64(a + 8) ^ poly_load64(b + 8));

	return 1 ^ ((differs | -differs) >> 63);
}

#endif
