/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic modulo 2^130-5 (Poly1305, RFC 8439 §2.5) in eight 64-bit lanes, three limbs of 44, 44 and 42
 * bits, with the 52-bit multipliers of IFMA. A limb may exceed its bits a little; what is multiplied stays
 * below 2^52. For aead_avx512.c alone.
 */
#ifndef BYWAY_LIB_AEAD_AVX512_POLY44_H
#define BYWAY_LIB_AEAD_AVX512_POLY44_H

#include <immintrin.h>
#include <stdint.h>

#define LIMBS 3

struct poly_number {
	__m512i limb[LIMBS];
};

/* A number to multiply by: its limbs, and the upper two times 20, as 2^132 is 20 modulo the prime. */
struct poly_factor {
	__m512i limb[LIMBS], wrapped[LIMBS];
};

/* A sum of products: by limb, the lower 52 bits of each and the rest. */
struct poly_sum {
	__m512i low[LIMBS], high[LIMBS];
};

INLINED __m512i poly_mask(unsigned bits)
{
	return _mm512_set1_epi64((int64_t)((UINT64_C(1) << bits) - 1));
}

/* A block of sixteen bytes; top: 2^128, or zero where there is no block, as that bit of limb 2. */
INLINED struct poly_number poly_split(__m512i low, __m512i high, __m512i top)
{
	return (struct poly_number){{
	    _mm512_and_si512(low, poly_mask(44)),
	    _mm512_and_si512(_mm512_shrdi_epi64(low, high, 44), poly_mask(44)),
	    _mm512_or_si512(_mm512_srli_epi64(high, 24), top),
	}};
}

#define POLY_TOP (INT64_C(1) << 40) /* 2^128 in limb 2 */

INLINED struct poly_number poly_add(struct poly_number a, struct poly_number b)
{
	for (unsigned i = 0; i < LIMBS; i++)
		a.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
	return a;
}

INLINED struct poly_factor poly_make_factor(struct poly_number a)
{
	struct poly_factor f;

	for (unsigned i = 0; i < LIMBS; i++) {
		__m512i four = _mm512_slli_epi64(a.limb[i], 2);

		f.limb[i] = a.limb[i];
		f.wrapped[i] = _mm512_add_epi64(_mm512_slli_epi64(four, 2), four);
	}
	return f;
}

INLINED void poly_clear(struct poly_sum *s)
{
	for (unsigned i = 0; i < LIMBS; i++)
		s->low[i] = s->high[i] = _mm512_setzero_si512();
}

/* s += a * f. At most four products a sum. */
INLINED void poly_add_product(struct poly_sum *s, struct poly_number a, const struct poly_factor *f)
{
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned k = 0; k < LIMBS; k++) {
			unsigned at = (i + k) % LIMBS;
			__m512i by = i + k < LIMBS ? f->limb[k] : f->wrapped[k];

			s->low[at] = _mm512_madd52lo_epu64(s->low[at], a.limb[i], by);
			s->high[at] = _mm512_madd52hi_epu64(s->high[at], a.limb[i], by);
		}
}

/* Limbs of their bits again, but for limb 1, which may keep a carry of a few bits. */
INLINED struct poly_number poly_reduce(struct poly_sum s)
{
	const __m512i mask = poly_mask(44);
	__m512i carry, h0, h1, h2;

	carry = _mm512_srli_epi64(s.low[0], 44);
	h0 = _mm512_and_si512(s.low[0], mask);
	h1 = _mm512_add_epi64(_mm512_add_epi64(s.low[1], _mm512_slli_epi64(s.high[0], 8)), carry);
	carry = _mm512_srli_epi64(h1, 44);
	h1 = _mm512_and_si512(h1, mask);
	h2 = _mm512_add_epi64(_mm512_add_epi64(s.low[2], _mm512_slli_epi64(s.high[1], 8)), carry);
	/* 2^130 is 5; what is beyond limb 2 of the high part counts 2^140 */
	carry = _mm512_add_epi64(_mm512_srli_epi64(h2, 42), _mm512_slli_epi64(s.high[2], 10));
	h2 = _mm512_and_si512(h2, poly_mask(42));
	h0 = _mm512_add_epi64(h0, _mm512_add_epi64(carry, _mm512_slli_epi64(carry, 2)));
	h1 = _mm512_add_epi64(h1, _mm512_srli_epi64(h0, 44));
	h0 = _mm512_and_si512(h0, mask);
	return (struct poly_number){{h0, h1, h2}};
}

/* The one number below the prime, modulo 2^128, as two halves. */
INLINED void poly_join(struct poly_number h, __m512i *low, __m512i *high)
{
	const __m512i mask = poly_mask(44);
	__m512i h0 = h.limb[0], h1 = h.limb[1], h2 = h.limb[2], carry, g0, g1, g2;
	__mmask8 above;

	for (unsigned i = 0; i < 2; i++) {
		h2 = _mm512_add_epi64(h2, _mm512_srli_epi64(h1, 44));
		h1 = _mm512_and_si512(h1, mask);
		carry = _mm512_srli_epi64(h2, 42);
		h2 = _mm512_and_si512(h2, poly_mask(42));
		h0 = _mm512_add_epi64(h0, _mm512_add_epi64(carry, _mm512_slli_epi64(carry, 2)));
		h1 = _mm512_add_epi64(h1, _mm512_srli_epi64(h0, 44));
		h0 = _mm512_and_si512(h0, mask);
	}
	h2 = _mm512_add_epi64(h2, _mm512_srli_epi64(h1, 44));
	h1 = _mm512_and_si512(h1, mask);
	/* h + 5 - 2^130: where that is not negative, it is the number */
	g0 = _mm512_add_epi64(h0, _mm512_set1_epi64(5));
	g1 = _mm512_add_epi64(h1, _mm512_srli_epi64(g0, 44));
	g2 = _mm512_add_epi64(h2, _mm512_srli_epi64(g1, 44));
	above = _mm512_cmpge_epu64_mask(g2, _mm512_set1_epi64(INT64_C(1) << 42));
	h0 = _mm512_mask_mov_epi64(h0, above, _mm512_and_si512(g0, mask));
	h1 = _mm512_mask_mov_epi64(h1, above, _mm512_and_si512(g1, mask));
	h2 = _mm512_mask_mov_epi64(h2, above, g2);
	*low = _mm512_or_si512(h0, _mm512_slli_epi64(h1, 44));
	*high = _mm512_or_si512(_mm512_srli_epi64(h1, 20), _mm512_slli_epi64(h2, 24));
}

#endif
