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

/* The block function for sixteen lanes; words[i] takes word i of each. key: its eight words, each in all
 * lanes. */
static __attribute__((noinline)) void chacha_blocks(
    const __m512i key[8], const struct lane_nonces *nonces, __m512i words[16])
{
	const __m512i c0 = _mm512_set1_epi32(0x61707865), c1 = _mm512_set1_epi32(0x3320646e);
	const __m512i c2 = _mm512_set1_epi32(0x79622d32), c3 = _mm512_set1_epi32(0x6b206574);
	const __m512i block = _mm512_load_si512(nonces->block);
	const __m512i low = _mm512_load_si512(nonces->low), high = _mm512_load_si512(nonces->high);
	__m512i x[16] = {c0, c1, c2, c3, key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
	    block, _mm512_setzero_si512(), low, high};

	/* unrolled: a loop's moves between registers cost a tenth */
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	DOUBLE_ROUND(x);
	words[0] = _mm512_add_epi32(x[0], c0);
	words[1] = _mm512_add_epi32(x[1], c1);
	words[2] = _mm512_add_epi32(x[2], c2);
	words[3] = _mm512_add_epi32(x[3], c3);
	for (unsigned i = 0; i < 8; i++)
		words[4 + i] = _mm512_add_epi32(x[4 + i], key[i]);
	words[12] = _mm512_add_epi32(x[12], block);
	words[13] = x[13];
	words[14] = _mm512_add_epi32(x[14], low);
	words[15] = _mm512_add_epi32(x[15], high);
}

/* Within each quarter of 128 bits: quarters[g][k] takes words 4g to 4g+3 of lanes k, 4+k, 8+k, 12+k. */
INLINED void transpose_quarters(const __m512i words[16], __m512i quarters[4][4])
{
	for (unsigned g = 0; g < 4; g++) {
		__m512i a = _mm512_unpacklo_epi32(words[4 * g], words[4 * g + 1]);
		__m512i b = _mm512_unpackhi_epi32(words[4 * g], words[4 * g + 1]);
		__m512i c = _mm512_unpacklo_epi32(words[4 * g + 2], words[4 * g + 3]);
		__m512i d = _mm512_unpackhi_epi32(words[4 * g + 2], words[4 * g + 3]);

		quarters[g][0] = _mm512_unpacklo_epi64(a, c);
		quarters[g][1] = _mm512_unpackhi_epi64(a, c);
		quarters[g][2] = _mm512_unpacklo_epi64(b, d);
		quarters[g][3] = _mm512_unpackhi_epi64(b, d);
	}
}

/* blocks[l] takes the 64 bytes of lane 4l+k. */
INLINED void join_quarters(__m512i quarters[4][4], unsigned k, __m512i blocks[4])
{
	__m512i a = _mm512_shuffle_i64x2(quarters[0][k], quarters[1][k], 0x44);
	__m512i b = _mm512_shuffle_i64x2(quarters[2][k], quarters[3][k], 0x44);
	__m512i c = _mm512_shuffle_i64x2(quarters[0][k], quarters[1][k], 0xee);
	__m512i d = _mm512_shuffle_i64x2(quarters[2][k], quarters[3][k], 0xee);

	blocks[0] = _mm512_shuffle_i64x2(a, b, 0x88);
	blocks[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
	blocks[2] = _mm512_shuffle_i64x2(c, d, 0x88);
	blocks[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}

/* Sixteen blocks to a kilobyte that lies in one piece. */
INLINED void xor_kilobyte(const __m512i words[16], uint8_t *data)
{
	__m512i quarters[4][4], blocks[4];

	transpose_quarters(words, quarters);
	for (unsigned k = 0; k < 4; k++) {
		join_quarters(quarters, k, blocks);
		for (unsigned l = 0; l < 4; l++) {
			uint8_t *at = data + BLOCK_LEN * (4 * l + k);

			_mm512_storeu_si512(at, _mm512_xor_si512(_mm512_loadu_si512(at), blocks[l]));
		}
	}
}

/* Each block to its own place. */
INLINED void xor_lanes(const __m512i words[16], uint8_t *const data[LANES])
{
	__m512i quarters[4][4], blocks[4];

	transpose_quarters(words, quarters);
	for (unsigned k = 0; k < 4; k++) {
		join_quarters(quarters, k, blocks);
		for (unsigned l = 0; l < 4; l++) {
			uint8_t *at = data[4 * l + k];

			_mm512_storeu_si512(at, _mm512_xor_si512(_mm512_loadu_si512(at), blocks[l]));
		}
	}
}

/* The same, of each block only the bytes of its mask. */
INLINED void xor_lanes_masked(
    const __m512i words[16], uint8_t *const data[LANES], const uint64_t masks[LANES])
{
	__m512i quarters[4][4], blocks[4];

	transpose_quarters(words, quarters);
	for (unsigned k = 0; k < 4; k++) {
		join_quarters(quarters, k, blocks);
		for (unsigned l = 0; l < 4; l++) {
			uint8_t *at = data[4 * l + k];
			__mmask64 mask = masks[4 * l + k];

			_mm512_mask_storeu_epi8(
			    at, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, at), blocks[l]));
		}
	}
}

/* The blocks themselves. */
INLINED void store_blocks(const __m512i words[16], __m512i out[LANES])
{
	__m512i quarters[4][4], blocks[4];

	transpose_quarters(words, quarters);
	for (unsigned k = 0; k < 4; k++) {
		join_quarters(quarters, k, blocks);
		for (unsigned l = 0; l < 4; l++)
			out[4 * l + k] = blocks[l];
	}
}

#endif
