/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ChaCha20 (RFC 8439 §2.3) of sixteen blocks at once, one a 32-bit lane: vector i holds word i of all of
 * them. And the way from words to blocks, XORed where they belong. For aead_avx512.c alone.
 */
#ifndef BYWAY_LIB_AEAD_AVX512_CHACHA_H
#define BYWAY_LIB_AEAD_AVX512_CHACHA_H

#include <immintrin.h>
#include <stdint.h>

#define LANES	  16u
#define BLOCK_LEN 64u
#define INLINED	  static inline __attribute__((always_inline))

/* What differs between lanes; the first word of the nonce is zero (WireGuard §5.4.6). */
struct lane_nonces {
	_Alignas(64) uint32_t block[LANES];
	uint32_t low[LANES], high[LANES]; /* of the packet's counter */
};

/* Four quarter rounds in step, so that their latencies overlap. */
#define FOUR_HALVES(x, a, b, c, d, e, f, g, h, i, j, k, l, bits)                                             \
	x[a] = _mm512_add_epi32(x[a], x[e]);                                                                 \
	x[b] = _mm512_add_epi32(x[b], x[f]);                                                                 \
	x[c] = _mm512_add_epi32(x[c], x[g]);                                                                 \
	x[d] = _mm512_add_epi32(x[d], x[h]);                                                                 \
	x[i] = _mm512_xor_si512(x[i], x[a]);                                                                 \
	x[j] = _mm512_xor_si512(x[j], x[b]);                                                                 \
	x[k] = _mm512_xor_si512(x[k], x[c]);                                                                 \
	x[l] = _mm512_xor_si512(x[l], x[d]);                                                                 \
	x[i] = _mm512_rol_epi32(x[i], bits);                                                                 \
	x[j] = _mm512_rol_epi32(x[j], bits);                                                                 \
	x[k] = _mm512_rol_epi32(x[k], bits);                                                                 \
	x[l] = _mm512_rol_epi32(x[l], bits)

#define ROUND(x, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3)                                             \
	FOUR_HALVES(x, 0, 1, 2, 3, b0, b1, b2, b3, d0, d1, d2, d3, 16);                                      \
	FOUR_HALVES(x, c0, c1, c2, c3, d0, d1, d2, d3, b0, b1, b2, b3, 12);                                  \
	FOUR_HALVES(x, 0, 1, 2, 3, b0, b1, b2, b3, d0, d1, d2, d3, 8);                                       \
	FOUR_HALVES(x, c0, c1, c2, c3, d0, d1, d2, d3, b0, b1, b2, b3, 7)

#define DOUBLE_ROUND(x)                                                                                      \
	ROUND(x, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                                                  \
	ROUND(x, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14)

/* Sixteen blocks that were made, and where their bytes go; all of them, or of each those of its mask. */
struct output {
	_Alignas(64) __m512i words[16];
	uint8_t *data[LANES];
	uint64_t masks[LANES];
	enum output_kind {
		OUTPUT_NONE,
		OUTPUT_FULL,
		OUTPUT_MASKED,
	} kind;
};

/* Half of the way from words to blocks: quarters[k] takes words 4g to 4g+3 of lanes k, 4+k, 8+k, 12+k. */
INLINED void output_quarters(const __m512i words[16], unsigned g, __m512i quarters[4])
{
	__m512i a = _mm512_unpacklo_epi32(words[4 * g], words[4 * g + 1]);
	__m512i b = _mm512_unpackhi_epi32(words[4 * g], words[4 * g + 1]);
	__m512i c = _mm512_unpacklo_epi32(words[4 * g + 2], words[4 * g + 3]);
	__m512i d = _mm512_unpackhi_epi32(words[4 * g + 2], words[4 * g + 3]);

	quarters[0] = _mm512_unpacklo_epi64(a, c);
	quarters[1] = _mm512_unpackhi_epi64(a, c);
	quarters[2] = _mm512_unpacklo_epi64(b, d);
	quarters[3] = _mm512_unpackhi_epi64(b, d);
}

INLINED void output_xor(uint8_t *at, uint64_t mask, __m512i block, enum output_kind kind)
{
	if (kind == OUTPUT_FULL)
		_mm512_storeu_si512(at, _mm512_xor_si512(_mm512_loadu_si512(at), block));
	else
		_mm512_mask_storeu_epi8(at, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, at), block));
}

/* The other half, for lanes k, 4+k, 8+k, 12+k. */
INLINED void output_blocks(const struct output *o, __m512i quarters[4][4], unsigned k, enum output_kind kind)
{
	__m512i a = _mm512_shuffle_i64x2(quarters[0][k], quarters[1][k], 0x44);
	__m512i b = _mm512_shuffle_i64x2(quarters[2][k], quarters[3][k], 0x44);
	__m512i c = _mm512_shuffle_i64x2(quarters[0][k], quarters[1][k], 0xee);
	__m512i d = _mm512_shuffle_i64x2(quarters[2][k], quarters[3][k], 0xee);

	output_xor(o->data[k], o->masks[k], _mm512_shuffle_i64x2(a, b, 0x88), kind);
	output_xor(o->data[4 + k], o->masks[4 + k], _mm512_shuffle_i64x2(a, b, 0xdd), kind);
	output_xor(o->data[8 + k], o->masks[8 + k], _mm512_shuffle_i64x2(c, d, 0x88), kind);
	output_xor(o->data[12 + k], o->masks[12 + k], _mm512_shuffle_i64x2(c, d, 0xdd), kind);
}

/* An eighth of the work: four for the first half, four for the second. */
INLINED void output_eighth(const struct output *o, __m512i quarters[4][4], unsigned i, enum output_kind kind)
{
	if (kind == OUTPUT_NONE)
		return;
	if (i < 4)
		output_quarters(o->words, i, quarters[i]);
	else
		output_blocks(o, quarters, i - 4, kind);
}

/*
 * The block function for sixteen lanes; words[i] takes word i of each. key: its eight words, each in all
 * lanes. Between the rounds goes the output of the blocks before: its shuffles can use one port only, the
 * rotations the other one.
 */
INLINED void chacha_rounds(const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16],
    const struct output *previous, enum output_kind kind)
{
	const __m512i c0 = _mm512_set1_epi32(0x61707865), c1 = _mm512_set1_epi32(0x3320646e);
	const __m512i c2 = _mm512_set1_epi32(0x79622d32), c3 = _mm512_set1_epi32(0x6b206574);
	__m512i quarters[4][4];
	__m512i x[16] = {c0, c1, c2, c3, key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
	    _mm512_load_si512(nonces->block), _mm512_setzero_si512(), _mm512_load_si512(nonces->low),
	    _mm512_load_si512(nonces->high)};

	DOUBLE_ROUND(x); /* unrolled: a loop's moves between registers cost a tenth */
	output_eighth(previous, quarters, 0, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 1, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 2, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 3, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 4, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 5, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 6, kind);
	DOUBLE_ROUND(x);
	output_eighth(previous, quarters, 7, kind);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	words[0] = _mm512_add_epi32(x[0], c0);
	words[1] = _mm512_add_epi32(x[1], c1);
	words[2] = _mm512_add_epi32(x[2], c2);
	words[3] = _mm512_add_epi32(x[3], c3);
	for (unsigned i = 0; i < 8; i++)
		words[4 + i] = _mm512_add_epi32(x[4 + i], key[i]);
	words[12] = _mm512_add_epi32(x[12], _mm512_load_si512(nonces->block));
	words[13] = x[13];
	words[14] = _mm512_add_epi32(x[14], _mm512_load_si512(nonces->low));
	words[15] = _mm512_add_epi32(x[15], _mm512_load_si512(nonces->high));
}

static __attribute__((noinline)) void chacha_alone(
    const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16])
{
	chacha_rounds(key, nonces, words, NULL, OUTPUT_NONE);
}

static __attribute__((noinline)) void chacha_and_full(
    const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16], const struct output *previous)
{
	chacha_rounds(key, nonces, words, previous, OUTPUT_FULL);
}

static __attribute__((noinline)) void chacha_and_masked(
    const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16], const struct output *previous)
{
	chacha_rounds(key, nonces, words, previous, OUTPUT_MASKED);
}

/* Sixteen blocks, and the output of those before, which is then done. */
static void chacha_blocks(
    const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16], struct output *previous)
{
	switch (previous->kind) {
	case OUTPUT_NONE:
		chacha_alone(key, nonces, words);
		break;
	case OUTPUT_FULL:
		chacha_and_full(key, nonces, words, previous);
		break;
	case OUTPUT_MASKED:
		chacha_and_masked(key, nonces, words, previous);
		break;
	}
	previous->kind = OUTPUT_NONE;
}

/* The output of blocks behind which no others come. */
static __attribute__((noinline)) void output_all(struct output *o)
{
	__m512i quarters[4][4];

	if (o->kind == OUTPUT_NONE)
		return;
	for (unsigned i = 0; i < 8; i++) {
		if (o->kind == OUTPUT_FULL)
			output_eighth(o, quarters, i, OUTPUT_FULL);
		else
			output_eighth(o, quarters, i, OUTPUT_MASKED);
	}
	o->kind = OUTPUT_NONE;
}

#endif
