/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The burst cipher for SSE4.1: four ChaCha20 blocks abreast; Poly1305 packet by packet in 64-bit words.
 * Workers; nothing is kept between calls.
 */
#include <smmintrin.h>

#define LANES	  4u
#define GROUP	  2u
#define SLOTS	  2u /* of four double rounds each, with eight blocks of Poly1305 */
#define SCRUB_LEN 3072u

#include "lib/aead_form.h"
#include "lib/err.h"
#include "lib/isa.h"

typedef __m128i vec;

#define ADD(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)

INLINE vec rotate_left(vec v, int bits)
{
	if (bits == 16)
		return _mm_shuffle_epi8(
		    v, _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
	if (bits == 8)
		return _mm_shuffle_epi8(
		    v, _mm_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
	return _mm_or_si128(_mm_slli_epi32(v, bits), _mm_srli_epi32(v, 32 - bits));
}

#define ROUND_STEP(x, a, b, c, bits) (x[a] = ADD(x[a], x[b]), x[c] = rotate_left(XOR(x[c], x[a]), bits))

/* Two quarter rounds side by side (RFC 8439 §2.1). */
#define QUARTERS(x, a, b, c, d, e, f, g, h)                                                                  \
	do {                                                                                                 \
		ROUND_STEP(x, a, b, d, 16);                                                                  \
		ROUND_STEP(x, e, f, h, 16);                                                                  \
		ROUND_STEP(x, c, d, b, 12);                                                                  \
		ROUND_STEP(x, g, h, f, 12);                                                                  \
		ROUND_STEP(x, a, b, d, 8);                                                                   \
		ROUND_STEP(x, e, f, h, 8);                                                                   \
		ROUND_STEP(x, c, d, b, 7);                                                                   \
		ROUND_STEP(x, g, h, f, 7);                                                                   \
	} while (0)

INLINE void double_round(vec *x)
{
	QUARTERS(x, 0, 4, 8, 12, 1, 5, 9, 13);
	QUARTERS(x, 2, 6, 10, 14, 3, 7, 11, 15);
	QUARTERS(x, 0, 5, 10, 15, 1, 6, 11, 12);
	QUARTERS(x, 2, 7, 8, 13, 3, 4, 9, 14);
}

/* Ten double rounds, and Poly1305's multiplications between them. */
INLINE void rounds_with_mac(vec *x, const struct chunk *chunks)
{
	for (unsigned k = 0; k < SLOTS; k++) {
		struct poly1305 mac;

		if (!chunks[k].mac) {
			for (unsigned i = 0; i < 4; i++)
				double_round(x);
			continue;
		}
		mac = *chunks[k].mac;
		for (unsigned i = 0; i < 4; i++) {
			const uint8_t *m = chunks[k].from + i * 2 * POLY_BLOCK_LEN;

			QUARTERS(x, 0, 4, 8, 12, 1, 5, 9, 13);
			QUARTERS(x, 2, 6, 10, 14, 3, 7, 11, 15);
			poly_add_block(&mac, m + 0 * POLY_BLOCK_LEN);
			QUARTERS(x, 0, 5, 10, 15, 1, 6, 11, 12);
			QUARTERS(x, 2, 7, 8, 13, 3, 4, 9, 14);
			poly_add_block(&mac, m + 1 * POLY_BLOCK_LEN);
		}
		*chunks[k].mac = mac;
	}
	double_round(x);
	double_round(x);
}

INLINE void xor16(uint8_t *at, vec stream)
{
	_mm_storeu_si128((vec *)at, XOR(stream, _mm_loadu_si128((const vec *)at)));
}

/* Four words of four lanes to their places, `offset` bytes into each lane's block. */
INLINE void xor_words(uint8_t *const *at, unsigned offset, const vec *x)
{
	vec a = _mm_unpacklo_epi32(x[0], x[1]), b = _mm_unpackhi_epi32(x[0], x[1]);
	vec c = _mm_unpacklo_epi32(x[2], x[3]), d = _mm_unpackhi_epi32(x[2], x[3]);

	xor16(at[0] + offset, _mm_unpacklo_epi64(a, c));
	xor16(at[1] + offset, _mm_unpackhi_epi64(a, c));
	xor16(at[2] + offset, _mm_unpacklo_epi64(b, d));
	xor16(at[3] + offset, _mm_unpackhi_epi64(b, d));
}

INLINE vec word(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return _mm_set1_epi32(v);
}

/* One block in each lane, added to the 64 bytes at[lane]. */
INLINE void chacha4(const uint8_t *key, vec counter, vec nonce_lo, vec nonce_hi, uint8_t *const *at,
    const struct chunk *chunks)
{
	static const int32_t sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	vec x[16];

	for (unsigned i = 0; i < 4; i++)
		x[i] = _mm_set1_epi32(sigma[i]);
	for (unsigned i = 0; i < 8; i++)
		x[4 + i] = word(key + 4 * i);
	x[12] = counter;
	x[13] = _mm_setzero_si128();
	x[14] = nonce_lo;
	x[15] = nonce_hi;
	if (chunks)
		rounds_with_mac(x, chunks);
	else
		for (unsigned i = 0; i < 10; i++)
			double_round(x);
	for (unsigned i = 0; i < 4; i++)
		x[i] = ADD(x[i], _mm_set1_epi32(sigma[i]));
	xor_words(at, 0, x);
	for (unsigned i = 0; i < 8; i++)
		x[4 + i] = ADD(x[4 + i], word(key + 4 * i));
	xor_words(at, 16, x + 4);
	xor_words(at, 32, x + 8);
	x[12] = ADD(x[12], counter);
	x[14] = ADD(x[14], nonce_lo);
	x[15] = ADD(x[15], nonce_hi);
	xor_words(at, 48, x + 12);
}

static void chacha_lanes(const uint8_t *key, const struct lanes *lanes, const struct chunk *chunks)
{
	chacha4(key, _mm_load_si128((const vec *)lanes->counter),
	    _mm_loadu_si128((const vec *)lanes->nonce_lo), _mm_loadu_si128((const vec *)lanes->nonce_hi),
	    lanes->at, chunks);
}

static void chacha_straight(
    const uint8_t *key, uint64_t nonce, uint32_t counter, uint8_t *at, const struct chunk *chunks)
{
	uint8_t *lanes[LANES];

	for (unsigned i = 0; i < LANES; i++)
		lanes[i] = at + i * BLOCK_LEN;
	chacha4(key, ADD(_mm_set1_epi32((int)counter), _mm_setr_epi32(0, 1, 2, 3)),
	    _mm_set1_epi32((int)nonce), _mm_set1_epi32((int)(nonce >> 32)), lanes, chunks);
}

static void mac_group(const struct mac_job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		poly_authenticate(jobs[i].tag, jobs[i].otk, jobs[i].data, jobs[i].len);
}

static void wipe_registers(void)
{
	__asm__ volatile(
	    "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\t"
	    "pxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\tpxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\t"
	    "pxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\tpxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
	    "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\tpxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15"
	    :
	    :
	    : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
	    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static int probe(void)
{
	return isa_selected() >= ISA_SSE ? 0 : ERR_UNSUPPORTED;
}

const struct aead_burst_backend aead_burst_sse = {"sse", probe, seal, open, NULL, NULL};
