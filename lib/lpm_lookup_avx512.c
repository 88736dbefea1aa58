/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups sixteen addresses abreast, four such groups in turn so that their loads overlap. Compiled for
 * AVX-512 F, BW, DQ and VL, and once more with VPOPCNTDQ, which the first such machines lack.
 *
 * A gather loads each element by itself, aligned, which is atomic on x86 and no weaker than acquire; what
 * it loads is followed by data dependence alone.
 */
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "lib/lpm_lookup.h"

#define GROUP  16u /* addresses of a vector */
#define GROUPS 4u

#ifdef __AVX512VPOPCNTDQ__

static inline __m512i popcount64(__m512i v)
{
	return _mm512_popcnt_epi64(v);
}

#else

static inline __m512i popcount64(__m512i v)
{
	const __m512i of_nibble =
	    _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
	const __m512i low = _mm512_set1_epi8(15);
	__m512i a = _mm512_shuffle_epi8(of_nibble, _mm512_and_si512(v, low));
	__m512i b = _mm512_shuffle_epi8(of_nibble, _mm512_and_si512(_mm512_srli_epi16(v, 4), low));

	return _mm512_sad_epu8(_mm512_add_epi8(a, b), _mm512_setzero_si512());
}

#endif

/* How many entries begin at or before each slot, of eight nodes. */
static inline __m256i count_starts(const uint64_t *base, __mmask8 lanes, __m256i place, __m512i slot)
{
	__m512i starts = _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), lanes, place, base, 8);
	__m512i upto = _mm512_sub_epi64(_mm512_sllv_epi64(_mm512_set1_epi64(2), slot), _mm512_set1_epi64(1));

	return _mm512_cvtepi64_epi32(popcount64(_mm512_and_si512(starts, upto)));
}

/* One node further, where the entry is a child. slot: of the first eight and of the last eight, 64 bits each.
 */
static inline __m512i step(
    const uint64_t *base, __m512i entry, __mmask16 lanes, __m512i slot_low, __m512i slot_high)
{
	__m512i place = _mm512_maskz_and_epi32(lanes, entry, _mm512_set1_epi32((int)LPM_PLACE));
	__mmask16 wide = _mm512_mask_testn_epi32_mask(lanes, entry, _mm512_set1_epi32((int)LPM_NARROW));
	__m256i low = count_starts(base, (__mmask8)lanes, _mm512_castsi512_si256(place), slot_low);
	__m256i high =
	    count_starts(base, (__mmask8)(lanes >> 8), _mm512_extracti64x4_epi64(place, 1), slot_high);
	__m512i count = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
	/* in halves of a word: the bitmap has four, and the count is 1 for the first entry */
	__m512i index = _mm512_sub_epi32(count, _mm512_set1_epi32(1));
	__m512i halves = _mm512_mask_add_epi32(index, wide, index, index);
	__m512i at =
	    _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(place, 2), halves), _mm512_set1_epi32(4));

	entry = _mm512_mask_i32gather_epi32(entry, lanes, at, base, 2);
	return _mm512_mask_and_epi32(entry, lanes & (__mmask16)~wide, entry, _mm512_set1_epi32(0xffff));
}

static inline __mmask16 children(__m512i entry)
{
	return _mm512_movepi32_mask(entry);
}

/* The lanes of a group that hold addresses, of n in all. */
static inline __mmask16 lanes_of(unsigned n, unsigned group)
{
	unsigned left = n - group * GROUP;

	return (__mmask16)(left >= GROUP ? 0xffff : (1u << left) - 1);
}

static inline __m512i slot4(__m512i key, unsigned half)
{
	__m512i slot = _mm512_srli_epi32(key, 26);

	return _mm512_cvtepu32_epi64(
	    half ? _mm512_extracti64x4_epi64(slot, 1) : _mm512_castsi512_si256(slot));
}

static inline void burst4(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	const __m512i swap =
	    _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
	const __m128i skip = _mm_cvtsi32_si128((int)(32 - r->root_bits));
	const __m128i past = _mm_cvtsi32_si128((int)r->root_bits);
	unsigned groups = (n + GROUP - 1) / GROUP;
	__m512i key[GROUPS], entry[GROUPS];
	bool deeper = true;

	for (unsigned g = 0; g < groups; g++) {
		key[g] =
		    _mm512_shuffle_epi8(_mm512_maskz_loadu_epi32(lanes_of(n, g), addrs_be + g * GROUP), swap);
		entry[g] = _mm512_i32gather_epi32(_mm512_srl_epi32(key[g], skip), r->base, 4);
		key[g] = _mm512_sll_epi32(key[g], past);
	}
	while (deeper) {
		deeper = false;
		for (unsigned g = 0; g < groups; g++) {
			__mmask16 lanes = children(entry[g]);

			if (!lanes)
				continue;
			entry[g] = step(r->base, entry[g], lanes, slot4(key[g], 0), slot4(key[g], 1));
			key[g] = _mm512_slli_epi32(key[g], LPM_STRIDE);
			deeper |= children(entry[g]) != 0;
		}
	}
	for (unsigned g = 0; g < groups; g++)
		_mm512_mask_storeu_epi32(values + g * GROUP, lanes_of(n, g), entry[g]);
}

static void lookup4(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	const unsigned burst = GROUP * GROUPS;

	for (; n >= burst; n -= burst, addrs_be += burst, values += burst)
		burst4(r, addrs_be, values, burst);
	if (n)
		burst4(r, addrs_be, values, n);
}

/* Eight addresses as their first and their last 64 bits, the first byte highest. */
struct eight {
	__m512i hi, lo;
};

static inline struct eight load_eight(const uint8_t (*addrs)[16], unsigned n)
{
	const __m512i swap =
	    _mm512_broadcast_i32x4(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
	unsigned words = n >= 8 ? 16 : n * 2;
	__mmask8 first = (__mmask8)(words >= 8 ? 0xff : (1u << words) - 1);
	__mmask8 second = (__mmask8)(words >= 8 ? (1u << (words - 8)) - 1 : 0);
	__m512i a = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi64(first, addrs), swap);
	__m512i b = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi64(second, addrs + 4), swap);

	return (struct eight){_mm512_permutex2var_epi64(a, even, b), _mm512_permutex2var_epi64(a, odd, b)};
}

/* The slots of eight addresses after so many bits. */
static inline __m512i slot6(const struct eight *a, unsigned used)
{
	const __m128i past = _mm_cvtsi32_si128((int)(used % 60));
	__m512i window = a->hi;

	if (used >= 120)
		window = _mm512_slli_epi64(a->lo, 56);
	else if (used >= 60)
		window = _mm512_or_si512(_mm512_slli_epi64(a->hi, 60), _mm512_srli_epi64(a->lo, 4));
	return _mm512_srli_epi64(_mm512_sll_epi64(window, past), 58);
}

/* Bits from..from+count-1 of sixteen addresses, within their first 64. */
static inline __m512i bits6(const struct eight *low, const struct eight *high, unsigned from, unsigned count)
{
	const __m128i past = _mm_cvtsi32_si128((int)from), skip = _mm_cvtsi32_si128((int)(64 - count));
	__m256i a = _mm512_cvtepi64_epi32(_mm512_srl_epi64(_mm512_sll_epi64(low->hi, past), skip));
	__m256i b = _mm512_cvtepi64_epi32(_mm512_srl_epi64(_mm512_sll_epi64(high->hi, past), skip));

	return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

/* Through the direct nodes; *lanes: where there was one. */
static inline __m512i step_direct(const struct lpm_region *r, __m512i entry, const struct eight *low,
    const struct eight *high, __mmask16 *lanes)
{
	const __m512i direct = _mm512_set1_epi32((int)LPM_DIRECT), place = _mm512_set1_epi32((int)LPM_PLACE);
	__m512i at = _mm512_slli_epi32(_mm512_and_si512(entry, place), 1);

	*lanes = children(entry) & _mm512_test_epi32_mask(entry, direct);
	at = _mm512_add_epi32(at, bits6(low, high, r->root_bits, LPM_DIRECT_BITS));
	return _mm512_mask_i32gather_epi32(entry, *lanes, at, r->base, 4);
}

static inline void burst6(
    const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	unsigned groups = (n + GROUP - 1) / GROUP;
	struct eight low[GROUPS], high[GROUPS];
	__mmask16 direct[GROUPS], lanes;
	__m512i entry[GROUPS];
	bool deeper = true;

	for (unsigned g = 0; g < groups; g++) {
		unsigned left = n - g * GROUP;

		low[g] = load_eight(addrs + g * GROUP, left);
		high[g] = load_eight(addrs + g * GROUP + 8, left > 8 ? left - 8 : 0);
		entry[g] = _mm512_i32gather_epi32(bits6(&low[g], &high[g], 0, r->root_bits), r->base, 4);
	}
	for (unsigned g = 0; g < groups; g++)
		entry[g] = step_direct(r, entry[g], &low[g], &high[g], &direct[g]);
	for (unsigned used = r->root_bits; deeper; used += LPM_STRIDE) {
		deeper = false;
		for (unsigned g = 0; g < groups; g++) {
			lanes = children(entry[g]);
			deeper |= lanes != 0;
			if (used < r->root_bits + LPM_DIRECT_BITS) /* those are ahead */
				lanes &= (__mmask16)~direct[g];
			if (lanes)
				entry[g] = step(
				    r->base, entry[g], lanes, slot6(&low[g], used), slot6(&high[g], used));
		}
	}
	for (unsigned g = 0; g < groups; g++)
		_mm512_mask_storeu_epi32(values + g * GROUP, lanes_of(n, g), entry[g]);
}

static void lookup6(const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	const unsigned burst = GROUP * GROUPS;

	for (; n >= burst; n -= burst, addrs += burst, values += burst)
		burst6(r, addrs, values, burst);
	if (n)
		burst6(r, addrs, values, n);
}

#ifdef __AVX512VPOPCNTDQ__
const struct lpm_form lpm_form_avx512_vpopcntdq = {lookup4, lookup6};
#else
const struct lpm_form lpm_form_avx512 = {lookup4, lookup6};
#endif
