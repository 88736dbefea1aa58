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

#if defined(__x86_64__) && !defined(POLY_PLAIN_C)
/*
 * The same over 16 bytes of memory. By hand, since gcc 12 spends 67 instructions on what 29 do, and between
 * the rounds of a kernel instructions are what is scarce: 1420 bytes in AVX2 bursts of 32 take 1,712 cycles
 * instead of 1,934 (TSC).
 */
#ifdef __BMI2__
#define POLY_MULTIPLY                                                                                        \
	"movq %[r0], %%rdx\n\t"                                                                              \
	"mulxq %[h0], %[a0], %[a1]\n\t"                                                                      \
	"mulxq %[h1], %[b0], %[b1]\n\t"                                                                      \
	"movq %[r1], %%rdx\n\t"                                                                              \
	"mulxq %[h0], %[h0], %%rax\n\t"                                                                      \
	"addq %[h0], %[b0]\n\t"                                                                              \
	"adcq %%rax, %[b1]\n\t"                                                                              \
	"movq %[s1], %%rdx\n\t"                                                                              \
	"mulxq %[h1], %[h1], %%rax\n\t"                                                                      \
	"addq %[h1], %[a0]\n\t"                                                                              \
	"adcq %%rax, %[a1]\n\t"                                                                              \
	"imulq %[h2], %%rdx\n\t"
#else
#define POLY_MULTIPLY                                                                                        \
	"movq %[r0], %%rax\n\t"                                                                              \
	"mulq %[h0]\n\t"                                                                                     \
	"movq %%rax, %[a0]\n\t"                                                                              \
	"movq %%rdx, %[a1]\n\t"                                                                              \
	"movq %[r0], %%rax\n\t"                                                                              \
	"mulq %[h1]\n\t"                                                                                     \
	"movq %%rax, %[b0]\n\t"                                                                              \
	"movq %%rdx, %[b1]\n\t"                                                                              \
	"movq %[r1], %%rax\n\t"                                                                              \
	"mulq %[h0]\n\t"                                                                                     \
	"addq %%rax, %[b0]\n\t"                                                                              \
	"adcq %%rdx, %[b1]\n\t"                                                                              \
	"movq %[s1], %%rax\n\t"                                                                              \
	"mulq %[h1]\n\t"                                                                                     \
	"addq %%rax, %[a0]\n\t"                                                                              \
	"adcq %%rdx, %[a1]\n\t"                                                                              \
	"movq %[s1], %%rdx\n\t"                                                                              \
	"imulq %[h2], %%rdx\n\t"
#endif

static inline __attribute__((always_inline)) void poly_add_block(struct poly1305 *p, const uint8_t *m)
{
	uint64_t a0, a1, b0, b1;

	/* b:a = (h1:h0) r without the words above; rdx = h2 s1; then h2 r0 on top, and what is above 2^130
	 * folded */
	__asm__(
	    "addq (%[m]), %[h0]\n\t"
	    "adcq 8(%[m]), %[h1]\n\t"
	    "adcq $1, %[h2]\n\t" POLY_MULTIPLY "imulq %[r0], %[h2]\n\t"
	    "addq %%rdx, %[b0]\n\t"
	    "adcq %[h2], %[b1]\n\t"
	    "addq %[a1], %[b0]\n\t"
	    "adcq $0, %[b1]\n\t"
	    "movq %[b1], %%rax\n\t"
	    "movl %k[b1], %k[h2]\n\t"
	    "shrq $2, %%rax\n\t"
	    "andq $-4, %[b1]\n\t"
	    "andl $3, %k[h2]\n\t"
	    "addq %[b1], %%rax\n\t"
	    "addq %%rax, %[a0]\n\t"
	    "adcq $0, %[b0]\n\t"
	    "adcq $0, %[h2]"
	    : [h0] "+&r"(p->h0), [h1] "+&r"(p->h1), [h2] "+&r"(p->h2), [a0] "=&r"(a0), [a1] "=&r"(a1),
	    [b0] "=&r"(b0), [b1] "=&r"(b1)
	    : [r0] "rm"(p->r0), [r1] "rm"(p->r1), [s1] "rm"(p->s1), [m] "r"(m), "m"(*(const uint8_t(*)[16])m)
	    : "rax", "rdx", "cc");
	p->h0 = a0;
	p->h1 = b0;
}
#else
static inline __attribute__((always_inline)) void poly_add_block(struct poly1305 *p, const uint8_t *m)
{
	poly_add_words(p, poly_load64(m), poly_load64(m + 8));
}
#endif

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
