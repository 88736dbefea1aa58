/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups sixteen addresses abreast, four such groups in turn so that their loads overlap. Compiled for
 * AVX-512 F, BW, DQ and VL, and once more with VPOPCNTDQ, which the first such machines lack.
 *
 * A gather loads each element by itself, aligned, which is atomic on x86 and no weaker than acquire; what
 * it loads is followed by data dependence alone.
 */
#include <immintrin.h>

#include "lib/lpm_lookup.h"

#define GROUP	    16u /* addresses of a vector */
#define GROUPS	    4u
#define WINDOW_BITS 30u /* the whole strides in 32 bits of an address */

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

/* The bitmaps of the nodes that the lanes' entries name: of the first eight and of the last eight. */
struct bitmaps {
	__m512i low, high;
};

static inline struct bitmaps load_bitmaps(const uint64_t *base, __m512i entry, __mmask16 lanes)
{
	__m512i place = _mm512_and_si512(entry, _mm512_set1_epi32((int)LPM_PLACE));

	return (struct bitmaps){_mm512_mask_i32gather_epi64(_mm512_setzero_si512(), (__mmask8)lanes,
				    _mm512_castsi512_si256(place), base, 8),
	    _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), (__mmask8)(lanes >> 8),
		_mm512_extracti64x4_epi64(place, 1), base, 8)};
}

/* How many entries begin at or before each slot, of eight nodes. */
static inline __m256i count_starts(__m512i starts, __m256i slot)
{
	__m512i upto = _mm512_sub_epi64(
	    _mm512_sllv_epi64(_mm512_set1_epi64(2), _mm512_cvtepu32_epi64(slot)), _mm512_set1_epi64(1));

	return _mm512_cvtepi64_epi32(popcount64(_mm512_and_si512(starts, upto)));
}

/* What those nodes say. key: the next bits of the address, highest first. */
static inline __m512i load_entries(
    const uint64_t *base, __m512i entry, __mmask16 lanes, struct bitmaps starts, __m512i key)
{
	__m512i place = _mm512_and_si512(entry, _mm512_set1_epi32((int)LPM_PLACE));
	__mmask16 wide = _mm512_testn_epi32_mask(entry, _mm512_set1_epi32((int)LPM_NARROW));
	__m512i slot = _mm512_srli_epi32(key, 32 - LPM_STRIDE);
	__m256i low = count_starts(starts.low, _mm512_castsi512_si256(slot));
	__m256i high = count_starts(starts.high, _mm512_extracti64x4_epi64(slot, 1));
	__m512i count = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
	/* in halves of a word: the bitmap has four, and the count is 1 for the first entry */
	__m512i index = _mm512_sub_epi32(count, _mm512_set1_epi32(1));
	__m512i halves = _mm512_mask_add_epi32(index, wide, index, index);
	__m512i at =
	    _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(place, 2), halves), _mm512_set1_epi32(4));

	entry = _mm512_mask_i32gather_epi32(entry, lanes, at, base, 2);
	return _mm512_mask_and_epi32(entry, lanes & (__mmask16)~wide, entry, _mm512_set1_epi32(0xffff));
}

/* One node further, where the entry is a child. */
static inline __m512i step(const uint64_t *base, __m512i entry, __mmask16 lanes, __m512i key)
{
	return load_entries(base, entry, lanes, load_bitmaps(base, entry, lanes), key);
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

/* The order of bytes in words of 32 bits turned round. */
static inline __m512i swap_words(void)
{
	return _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

static inline void burst4(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n)
{
	const __m512i swap = swap_words();
	const __m128i skip = _mm_cvtsi32_si128((int)(32 - r->root_bits));
	const __m128i past = _mm_cvtsi32_si128((int)r->root_bits);
	unsigned groups = (n + GROUP - 1) / GROUP;
	__m512i key[GROUPS], entry[GROUPS];
	struct bitmaps starts[GROUPS];
	__mmask16 deeper = 0;

	for (unsigned g = 0; g < groups; g++) {
		key[g] =
		    _mm512_shuffle_epi8(_mm512_maskz_loadu_epi32(lanes_of(n, g), addrs_be + g * GROUP), swap);
		entry[g] = _mm512_i32gather_epi32(_mm512_srl_epi32(key[g], skip), r->base, 4);
		key[g] = _mm512_sll_epi32(key[g], past);
		deeper |= children(entry[g]);
	}
	while (deeper) {
		deeper = 0;
		for (unsigned g = 0; g < groups; g++)
			starts[g] = load_bitmaps(r->base, entry[g], children(entry[g]));
		for (unsigned g = 0; g < groups; g++) {
			entry[g] = load_entries(r->base, entry[g], children(entry[g]), starts[g], key[g]);
			key[g] = _mm512_slli_epi32(key[g], LPM_STRIDE);
			deeper |= children(entry[g]);
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

/* The first 64 bits of sixteen addresses, as two words of 32. */
struct sixteen {
	__m512i first, second;
};

/* Of which there are n. */
static inline struct sixteen load_sixteen(const uint8_t (*addrs)[16], unsigned n)
{
	const __m512i swap = swap_words();
	const __m512i pick = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
	uint32_t words = (uint32_t)((UINT64_C(1) << 2 * (n < GROUP ? n : GROUP)) - 1); /* of 64 bits */
	__m512i a = _mm512_maskz_loadu_epi64((__mmask8)words, addrs);
	__m512i b = _mm512_maskz_loadu_epi64((__mmask8)(words >> 8), addrs + 4);
	__m512i c = _mm512_maskz_loadu_epi64((__mmask8)(words >> 16), addrs + 8);
	__m512i d = _mm512_maskz_loadu_epi64((__mmask8)(words >> 24), addrs + 12);
	__m512i low = _mm512_permutex2var_epi32(a, pick, b), high = _mm512_permutex2var_epi32(c, pick, d);

	return (struct sixteen){_mm512_shuffle_epi8(_mm512_shuffle_i64x2(low, high, 0x44), swap),
	    _mm512_shuffle_epi8(_mm512_shuffle_i64x2(low, high, 0xee), swap)};
}

/* The i-th word of 32 bits of the addresses in these lanes; 0 beyond their end. */
static inline __m512i load_word(const uint8_t (*addrs)[16], __mmask16 lanes, unsigned i)
{
	const __m512i lane = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
	__m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32((int)i)), none = _mm512_setzero_si512();

	if (i > 3)
		return none;
	return _mm512_shuffle_epi8(_mm512_mask_i32gather_epi32(none, lanes, at, addrs, 4), swap_words());
}

/* Their 32 bits that follow the first `used`. */
static inline __m512i load_window(const uint8_t (*addrs)[16], __mmask16 lanes, unsigned used)
{
	const __m128i past = _mm_cvtsi32_si128((int)(used % 32)),
		      back = _mm_cvtsi32_si128((int)(32 - used % 32));

	return _mm512_or_si512(_mm512_sll_epi32(load_word(addrs, lanes, used / 32), past),
	    _mm512_srl_epi32(load_word(addrs, lanes, used / 32 + 1), back));
}

/* Through the direct nodes; *lanes: where there was one. */
static inline __m512i step_direct(const struct lpm_region *r, __m512i entry, __m512i key, __mmask16 *lanes)
{
	const __m512i direct = _mm512_set1_epi32((int)LPM_DIRECT), place = _mm512_set1_epi32((int)LPM_PLACE);
	__m512i at = _mm512_slli_epi32(_mm512_and_si512(entry, place), 1);

	*lanes = children(entry) & _mm512_test_epi32_mask(entry, direct);
	at = _mm512_add_epi32(at, _mm512_srli_epi32(key, 32 - LPM_DIRECT_BITS));
	return _mm512_mask_i32gather_epi32(entry, *lanes, at, r->base, 4);
}

/* The first nodes where the root names no direct one; these take the place of that. */
static inline __m512i step_around(const struct lpm_region *r, __m512i entry, __m512i key, __mmask16 direct)
{
	for (unsigned i = 0; i < LPM_DIRECT_BITS; i += LPM_STRIDE) {
		__mmask16 lanes = children(entry) & (__mmask16)~direct;

		if (lanes)
			entry = step(r->base, entry, lanes, _mm512_slli_epi32(key, i));
	}
	return entry;
}

/* Past the first window, where few go: the nodes beyond root_bits + WINDOW_BITS. */
static __attribute__((noinline)) void finish6(
    const struct lpm_region *r, const uint8_t (*addrs)[16], __m512i *entry, unsigned groups)
{
	for (unsigned g = 0; g < groups; g++) {
		__m512i key = _mm512_setzero_si512();
		__mmask16 lanes;

		for (unsigned used = WINDOW_BITS; (lanes = children(entry[g])); used += LPM_STRIDE) {
			if (used % WINDOW_BITS == 0)
				key = load_window(addrs + g * GROUP, lanes, r->root_bits + used);
			entry[g] = step(r->base, entry[g], lanes, key);
			key = _mm512_slli_epi32(key, LPM_STRIDE);
		}
	}
}

static inline void burst6(
    const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n)
{
	const __m128i skip = _mm_cvtsi32_si128((int)(32 - r->root_bits));
	const __m128i past = _mm_cvtsi32_si128((int)r->root_bits);
	unsigned groups = (n + GROUP - 1) / GROUP;
	__mmask16 direct[GROUPS], around = 0, deeper = 0;
	__m512i entry[GROUPS], key[GROUPS];

	for (unsigned g = 0; g < groups; g++) {
		struct sixteen a = load_sixteen(addrs + g * GROUP, n - g * GROUP);

		/* lanes without an address keep 0, which is no child */
		entry[g] = _mm512_mask_i32gather_epi32(
		    _mm512_setzero_si512(), lanes_of(n, g), _mm512_srl_epi32(a.first, skip), r->base, 4);
		key[g] = _mm512_or_si512(_mm512_sll_epi32(a.first, past), _mm512_srl_epi32(a.second, skip));
	}
	for (unsigned g = 0; g < groups; g++) {
		entry[g] = step_direct(r, entry[g], key[g], &direct[g]);
		around |= children(entry[g]) & (__mmask16)~direct[g];
	}
	for (unsigned g = 0; g < groups && around; g++)
		entry[g] = step_around(r, entry[g], key[g], direct[g]);
	for (unsigned used = LPM_DIRECT_BITS; used < WINDOW_BITS; used += LPM_STRIDE) {
		deeper = 0;
		for (unsigned g = 0; g < groups; g++) {
			entry[g] =
			    step(r->base, entry[g], children(entry[g]), _mm512_slli_epi32(key[g], used));
			deeper |= children(entry[g]);
		}
	}
	if (deeper)
		finish6(r, addrs, entry, groups);
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
