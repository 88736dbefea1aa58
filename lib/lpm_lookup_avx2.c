/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups eight addresses abreast, eight such groups in turn so that their loads overlap. Compiled for
 * AVX2. What is said of gathers in lpm_lookup_avx512.c holds here.
 */
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "lib/lpm_lookup.h"

#define GROUP  8u /* addresses of a vector */
#define GROUPS 8u
#define BURST  (GROUP * GROUPS)

static inline __m256i popcount64(__m256i v)
{
	const __m256i of_nibble =
	    _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
	const __m256i low = _mm256_set1_epi8(15);
	__m256i a = _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(v, low));
	__m256i b = _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));

	return _mm256_sad_epu8(_mm256_add_epi8(a, b), _mm256_setzero_si256());
}

static inline __m256i children(__m256i entry)
{
	return _mm256_srai_epi32(entry, 31); /* LPM_CHILD is the sign */
}

static inline bool any(__m256i lanes)
{
	return _mm256_movemask_epi8(lanes) != 0;
}

/* How many entries begin at or before each slot, of four nodes; lanes and slot of 64 bits each. */
static inline __m256i count_starts(const uint64_t *base, __m128i lanes, __m128i place, __m256i slot)
{
	__m256i starts = _mm256_mask_i32gather_epi64(
	    _mm256_setzero_si256(), (const long long *)base, place, _mm256_cvtepi32_epi64(lanes), 8);
	__m256i upto =
	    _mm256_sub_epi64(_mm256_sllv_epi64(_mm256_set1_epi64x(2), slot), _mm256_set1_epi64x(1));

	return popcount64(_mm256_and_si256(starts, upto));
}

/* The low halves of two times four words, in order. */
static inline __m256i narrow64(__m256i low, __m256i high)
{
	__m256i mixed = _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xaa);

	return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

/* One node further in these lanes. slot: of the first four and of the last four, 64 bits each. */
static inline __m256i step(
    const uint64_t *base, __m256i entry, __m256i lanes, __m256i slot_low, __m256i slot_high)
{
	const __m256i halfword = _mm256_set1_epi32(0xffff);
	__m256i place = _mm256_and_si256(_mm256_and_si256(entry, lanes), _mm256_set1_epi32((int)LPM_PLACE));
	__m256i wide = _mm256_cmpeq_epi32(
	    _mm256_and_si256(entry, _mm256_set1_epi32((int)LPM_NARROW)), _mm256_setzero_si256());
	__m256i low =
	    count_starts(base, _mm256_castsi256_si128(lanes), _mm256_castsi256_si128(place), slot_low);
	__m256i high = count_starts(
	    base, _mm256_extracti128_si256(lanes, 1), _mm256_extracti128_si256(place, 1), slot_high);
	/* in halves of a word: the bitmap has four, and the count is 1 for the first entry */
	__m256i index = _mm256_sub_epi32(narrow64(low, high), _mm256_set1_epi32(1));
	__m256i halves = _mm256_add_epi32(index, _mm256_and_si256(index, wide));
	__m256i at =
	    _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(place, 2), halves), _mm256_set1_epi32(4));
	__m256i keep =
	    _mm256_or_si256(halfword, _mm256_or_si256(wide, _mm256_xor_si256(lanes, _mm256_set1_epi32(-1))));

	return _mm256_and_si256(_mm256_mask_i32gather_epi32(entry, (const int *)base, at, lanes, 2), keep);
}

static inline __m256i slot4(__m256i key, int half)
{
	__m256i slot = _mm256_srli_epi32(key, 26);

	return _mm256_cvtepu32_epi64(half ? _mm256_extracti128_si256(slot, 1) : _mm256_castsi256_si128(slot));
}

/* values: of whole groups. */
static inline void burst4(
    const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned groups)
{
	const __m256i swap =
	    _mm256_broadcastsi128_si256(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
	const __m128i skip = _mm_cvtsi32_si128((int)(32 - r->root_bits));
	const __m128i past = _mm_cvtsi32_si128((int)r->root_bits);
	__m256i key[GROUPS], entry[GROUPS], lanes;
	bool deeper = true;

	for (unsigned g = 0; g < groups; g++) {
		key[g] =
		    _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(addrs_be + g * GROUP)), swap);
		entry[g] = _mm256_i32gather_epi32((const int *)r->base, _mm256_srl_epi32(key[g], skip), 4);
		key[g] = _mm256_sll_epi32(key[g], past);
	}
	while (deeper) {
		deeper = false;
		for (unsigned g = 0; g < groups; g++) {
			lanes = children(entry[g]);
			if (!any(lanes))
				continue;
			entry[g] = step(r->base, entry[g], lanes, slot4(key[g], 0), slot4(key[g], 1));
			key[g] = _mm256_slli_epi32(key[g], LPM_STRIDE);
			deeper |= any(children(entry[g]));
		}
	}
	for (unsigned g = 0; g < groups; g++)
		_mm256_storeu_si256((__m256i *)(values + g * GROUP), entry[g]);
}

static void lookup4(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	uint32_t addrs[BURST], found[BURST];

	for (; n >= BURST; n -= BURST, addrs_be += BURST, values += BURST)
		burst4(r, addrs_be, values, GROUPS);
	if (n == 0)
		return;
	memset(addrs, 0, sizeof(addrs));
	memcpy(addrs, addrs_be, n * sizeof(*addrs));
	burst4(r, addrs, found, (n + GROUP - 1) / GROUP);
	memcpy(values, found, n * sizeof(*values));
}

/* Four addresses as their first and their last 64 bits, the first byte highest. */
struct four {
	__m256i hi, lo;
};

static inline struct four load_four(const uint8_t (*addrs)[16])
{
	const __m256i swap =
	    _mm256_broadcastsi128_si256(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
	__m256i a = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)addrs), swap);
	__m256i b = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(addrs + 2)), swap);

	return (struct four){_mm256_permute4x64_epi64(_mm256_unpacklo_epi64(a, b), 0xd8),
	    _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(a, b), 0xd8)};
}

/* The slots of four addresses after so many bits. */
static inline __m256i slot6(const struct four *a, unsigned used)
{
	const __m128i past = _mm_cvtsi32_si128((int)(used % 60));
	__m256i window = a->hi;

	if (used >= 120)
		window = _mm256_slli_epi64(a->lo, 56);
	else if (used >= 60)
		window = _mm256_or_si256(_mm256_slli_epi64(a->hi, 60), _mm256_srli_epi64(a->lo, 4));
	return _mm256_srli_epi64(_mm256_sll_epi64(window, past), 58);
}

/* Bits from..from+count-1 of eight addresses, within their first 64. */
static inline __m256i bits6(const struct four *low, const struct four *high, unsigned from, unsigned count)
{
	const __m128i past = _mm_cvtsi32_si128((int)from), skip = _mm_cvtsi32_si128((int)(64 - count));

	return narrow64(_mm256_srl_epi64(_mm256_sll_epi64(low->hi, past), skip),
	    _mm256_srl_epi64(_mm256_sll_epi64(high->hi, past), skip));
}

/* Through the direct nodes; *lanes: where there was one. */
static inline __m256i step_direct(const struct lpm_region *r, __m256i entry, const struct four *low,
    const struct four *high, __m256i *lanes)
{
	const __m256i place = _mm256_set1_epi32((int)LPM_PLACE);
	__m256i at = _mm256_slli_epi32(_mm256_and_si256(entry, place), 1);

	/* LPM_DIRECT moved to the sign */
	*lanes = _mm256_and_si256(children(entry), children(_mm256_slli_epi32(entry, 2)));
	at = _mm256_add_epi32(at, bits6(low, high, r->root_bits, LPM_DIRECT_BITS));
	return _mm256_mask_i32gather_epi32(entry, (const int *)r->base, at, *lanes, 4);
}

static inline void burst6(
    const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned groups)
{
	struct four low[GROUPS], high[GROUPS];
	__m256i entry[GROUPS], direct[GROUPS], lanes;
	bool deeper = true;

	for (unsigned g = 0; g < groups; g++) {
		low[g] = load_four(addrs + g * GROUP);
		high[g] = load_four(addrs + g * GROUP + 4);
		entry[g] = _mm256_i32gather_epi32(
		    (const int *)r->base, bits6(&low[g], &high[g], 0, r->root_bits), 4);
	}
	for (unsigned g = 0; g < groups; g++)
		entry[g] = step_direct(r, entry[g], &low[g], &high[g], &direct[g]);
	for (unsigned used = r->root_bits; deeper; used += LPM_STRIDE) {
		deeper = false;
		for (unsigned g = 0; g < groups; g++) {
			lanes = children(entry[g]);
			deeper |= any(lanes);
			if (used < r->root_bits + LPM_DIRECT_BITS) /* those are ahead */
				lanes = _mm256_andnot_si256(direct[g], lanes);
			if (any(lanes))
				entry[g] = step(
				    r->base, entry[g], lanes, slot6(&low[g], used), slot6(&high[g], used));
		}
	}
	for (unsigned g = 0; g < groups; g++)
		_mm256_storeu_si256((__m256i *)(values + g * GROUP), entry[g]);
}

static void lookup6(const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	uint8_t some[BURST][16];
	uint32_t found[BURST];

	for (; n >= BURST; n -= BURST, addrs += BURST, values += BURST)
		burst6(r, addrs, values, GROUPS);
	if (n == 0)
		return;
	memset(some, 0, sizeof(some));
	memcpy(some, addrs, n * sizeof(*some));
	burst6(r, (const uint8_t(*)[16])some, found, (n + GROUP - 1) / GROUP);
	memcpy(values, found, n * sizeof(*values));
}

const struct lpm_form lpm_form_avx2 = {lookup4, lookup6};
