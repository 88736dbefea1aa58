/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Poly1305 (RFC 8439 §2.5) of eight packets in lockstep, one a 64-bit lane, over ciphertext without
 * associated data (§2.8). All end together: a shorter packet begins later, its lane stays zero until then. So
 * a block's power of the key is the same in all lanes, four blocks are multiplied for one reduction, and the
 * block of the lengths is the last of all. For aead_avx512.c alone.
 */
#ifndef BYWAY_LIB_AEAD_AVX512_MAC_H
#define BYWAY_LIB_AEAD_AVX512_MAC_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_LANES     8u
#define MAC_BLOCK_LEN 16u
#define CHUNK_BLOCKS  4u
#define CHUNK_LEN     64
#define MAC_GROUPS    2u

/* Measured, or near it: when Poly1305 of a packet goes alone (count_alone). */
#define ALONE_POWERS_CYCLES   120
#define ALONE_CYCLES	      90
#define ALONE_BLOCK_CYCLES    3
#define ALONE_BLOCKS_MIN      24
#define LOCKSTEP_BLOCK_CYCLES 22

/* Eight packets; faster, the less they differ in length. The first few may go alone, each by itself in all
 * lanes. */
struct mac_lanes {
	const uint8_t *data[MAC_LANES];
	_Alignas(64) int64_t lens[MAC_LANES]; /* bytes */
	_Alignas(64) int64_t blocks[MAC_LANES];
	int64_t most, least; /* of blocks */
	unsigned alone;	     /* so many; data, lens and blocks above are then a copy of another lane's */
	bool all_alone;	     /* no lane goes in lockstep */
	const uint8_t *alone_data[MAC_LANES];
	_Alignas(64) int64_t whole_lens[MAC_LANES]; /* each packet's own, for the last block */
	const uint32_t *keys;			    /* word w of lane l at w * stride + l */
	unsigned stride;
};

/* Cycles, roughly: what a packet costs alone, and what lanes in lockstep cost that are as long as this one.
 */
static int64_t cost_alone(int64_t blocks)
{
	return ALONE_CYCLES + blocks * ALONE_BLOCK_CYCLES;
}

static int64_t cost_lockstep(int64_t blocks)
{
	return blocks * LOCKSTEP_BLOCK_CYCLES;
}

/* How many of a group's packets had better go alone: few that are much longer than the rest. */
static unsigned count_alone(const int64_t blocks[MAC_LANES], unsigned n)
{
	int64_t best = cost_lockstep(blocks[0]), alone = ALONE_POWERS_CYCLES;
	unsigned k = 0;

	if (blocks[0] < ALONE_BLOCKS_MIN || (n == MAC_LANES && blocks[0] < 2 * blocks[n - 1]))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		int64_t cost;

		alone += cost_alone(blocks[i]);
		cost = alone + (i + 1 < n ? cost_lockstep(blocks[i + 1]) : 0);
		if (cost < best) {
			best = cost;
			k = i + 1;
		}
	}
	return k;
}

static void set_alone(struct mac_lanes *m)
{
	for (unsigned i = 0; i < m->alone; i++) {
		unsigned other = m->all_alone ? i : m->alone;

		m->alone_data[i] = m->data[i];
		m->data[i] = m->data[other];
		m->lens[i] = m->lens[other];
		m->blocks[i] = m->blocks[other];
	}
}

/* The key's words 2i and 2i+1 as one number of 64 bits a lane. */
INLINED __m512i mac_load_key(const struct mac_lanes *m, unsigned i)
{
	const uint32_t *low = m->keys + 2 * i * m->stride;
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(low + m->stride));

	return _mm512_or_si512(_mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)low)),
	    _mm512_slli_epi64(_mm512_cvtepu32_epi64(high), 32));
}

/* From 64 bytes of each packet to the halves of its four blocks, by lane. */
INLINED void mac_transpose(
    const __m512i rows[MAC_LANES], __m512i low[CHUNK_BLOCKS], __m512i high[CHUNK_BLOCKS])
{
	__m512i *const out[2] = {low, high};
	__m512i pairs[2][4];

	for (unsigned i = 0; i < 4; i++) {
		pairs[0][i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
		pairs[1][i] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
	}
	for (unsigned h = 0; h < 2; h++) {
		__m512i a = _mm512_shuffle_i64x2(pairs[h][0], pairs[h][1], 0x44);
		__m512i b = _mm512_shuffle_i64x2(pairs[h][2], pairs[h][3], 0x44);
		__m512i c = _mm512_shuffle_i64x2(pairs[h][0], pairs[h][1], 0xee);
		__m512i d = _mm512_shuffle_i64x2(pairs[h][2], pairs[h][3], 0xee);

		out[h][0] = _mm512_shuffle_i64x2(a, b, 0x88);
		out[h][1] = _mm512_shuffle_i64x2(a, b, 0xdd);
		out[h][2] = _mm512_shuffle_i64x2(c, d, 0x88);
		out[h][3] = _mm512_shuffle_i64x2(c, d, 0xdd);
	}
}

/* Those of the 64 bytes from offset that are in the packet. */
INLINED __mmask64 mac_mask(int64_t offset, int64_t len)
{
	int64_t before = offset < 0 ? -offset : 0, end = len - offset;
	uint64_t from, to;

	before = before > CHUNK_LEN ? CHUNK_LEN : before;
	end = end > CHUNK_LEN ? CHUNK_LEN : end;
	end = end < before ? before : end;
	from = before == CHUNK_LEN ? 0 : ~UINT64_C(0) << (before & (CHUNK_LEN - 1));
	to = end == CHUNK_LEN ? ~UINT64_C(0) : (UINT64_C(1) << (end & (CHUNK_LEN - 1))) - 1;
	return from & to;
}

/* The chunk that begins at so many blocks before each packet's end. */
INLINED void mac_load_full(const struct mac_lanes *m, int64_t left, struct poly_number blocks[CHUNK_BLOCKS])
{
	const __m512i top = _mm512_set1_epi64(POLY_TOP);
	__m512i rows[MAC_LANES], low[CHUNK_BLOCKS], high[CHUNK_BLOCKS];

	for (unsigned i = 0; i < MAC_LANES; i++)
		rows[i] = _mm512_loadu_si512(m->data[i] + (m->blocks[i] - left) * MAC_BLOCK_LEN);
	mac_transpose(rows, low, high);
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++)
		blocks[i] = poly_split(low[i], high[i], top);
}

/* The same where a packet has not begun, or ends within a block. */
INLINED void mac_load_masked(const struct mac_lanes *m, int64_t left, struct poly_number blocks[CHUNK_BLOCKS])
{
	const __m512i zero = _mm512_setzero_si512(), all = _mm512_set1_epi64(-1);
	const __m512i at = _mm512_sub_epi64(_mm512_load_si512(m->blocks), _mm512_set1_epi64(left));
	const __m512i offset = _mm512_slli_epi64(at, 4);
	const __m512i end = _mm512_add_epi64(offset, _mm512_set1_epi64(CHUNK_LEN));
	const __m512i beyond = _mm512_max_epi64(_mm512_sub_epi64(end, _mm512_load_si512(m->lens)), zero);
	__m512i rows[MAC_LANES], low[CHUNK_BLOCKS], high[CHUNK_BLOCKS];
	_Alignas(64) uint64_t masks[MAC_LANES];

	/* a shift by 64 or more leaves nothing */
	_mm512_store_si512(masks,
	    _mm512_and_si512(_mm512_sllv_epi64(all, _mm512_max_epi64(_mm512_sub_epi64(zero, offset), zero)),
		_mm512_srlv_epi64(all, beyond)));
	for (unsigned i = 0; i < MAC_LANES; i++) {
		uintptr_t from = (uintptr_t)m->data[i] + (uintptr_t)((m->blocks[i] - left) * MAC_BLOCK_LEN);

		rows[i] = _mm512_maskz_loadu_epi8(masks[i], (const void *)from);
	}
	mac_transpose(rows, low, high);
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++) {
		__mmask8 there = _mm512_cmpge_epi64_mask(at, _mm512_set1_epi64(-(int64_t)i));

		blocks[i] = poly_split(low[i], high[i], _mm512_maskz_set1_epi64(there, POLY_TOP));
	}
}

/* h and four blocks on; powers[i] is the key to the i+1. */
INLINED struct poly_number mac_absorb(struct poly_number h, const struct poly_number blocks[CHUNK_BLOCKS],
    const struct poly_factor powers[CHUNK_BLOCKS])
{
	struct poly_sum sum;

	poly_clear(&sum);
	poly_add_product(&sum, blocks[3], &powers[0]);
	poly_add_product(&sum, blocks[2], &powers[1]);
	poly_add_product(&sum, blocks[1], &powers[2]);
	poly_add_product(&sum, poly_add(h, blocks[0]), &powers[3]); /* h is what takes longest to be known */
	return poly_reduce(sum);
}

INLINED struct poly_number mac_multiply(struct poly_number a, const struct poly_factor *f)
{
	struct poly_sum sum;

	poly_clear(&sum);
	poly_add_product(&sum, a, f);
	return poly_reduce(sum);
}

/* Up to four blocks a packet: two at a time. */
INLINED void mac_short(const struct mac_lanes *m, unsigned groups,
    struct poly_factor powers[MAC_GROUPS][CHUNK_BLOCKS], const bool ragged[MAC_GROUPS],
    struct poly_number h[MAC_GROUPS])
{
	struct poly_number blocks[MAC_GROUPS][CHUNK_BLOCKS];
	struct poly_sum sum[MAC_GROUPS];

	for (unsigned g = 0; g < groups; g++) {
		if (!ragged[g] && m[g].least == CHUNK_BLOCKS)
			mac_load_full(&m[g], CHUNK_BLOCKS, blocks[g]);
		else
			mac_load_masked(&m[g], CHUNK_BLOCKS, blocks[g]);
	}
	for (unsigned g = 0; g < groups; g++) {
		poly_clear(&sum[g]);
		poly_add_product(&sum[g], blocks[g][0], &powers[g][1]);
		poly_add_product(&sum[g], blocks[g][1], &powers[g][0]);
		h[g] = poly_reduce(sum[g]);
	}
	for (unsigned g = 0; g < groups; g++) {
		poly_clear(&sum[g]);
		poly_add_product(&sum[g], blocks[g][3], &powers[g][0]);
		poly_add_product(&sum[g], poly_add(h[g], blocks[g][2]), &powers[g][1]);
		h[g] = poly_reduce(sum[g]);
	}
}

INLINED struct poly_number mac_long(
    const struct mac_lanes *m, const struct poly_factor powers[CHUNK_BLOCKS], bool ragged)
{
	struct poly_number blocks[CHUNK_BLOCKS], h;
	int64_t left = (m->most + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS * CHUNK_BLOCKS;
	int64_t last = ragged ? CHUNK_BLOCKS : 0;

	for (unsigned i = 0; i < LIMBS; i++)
		h.limb[i] = _mm512_setzero_si512();
	for (; left > m->least; left -= CHUNK_BLOCKS) {
		mac_load_masked(m, left, blocks);
		h = mac_absorb(h, blocks, powers);
	}
	for (; left > last; left -= CHUNK_BLOCKS) {
		mac_load_full(m, left, blocks);
		h = mac_absorb(h, blocks, powers);
	}
	if (left > 0) {
		mac_load_masked(m, left, blocks);
		h = mac_absorb(h, blocks, powers);
	}
	return h;
}

/* Powers of the keys, for lanes that go alone: power i+1, limb by limb, and the sixteenth. */
struct mac_powers {
	_Alignas(64) uint64_t first[8][LIMBS][MAC_LANES], sixteenth[LIMBS][MAC_LANES];
};

INLINED void mac_store(uint64_t out[LIMBS][MAC_LANES], struct poly_number a)
{
	for (unsigned i = 0; i < LIMBS; i++)
		_mm512_store_si512(out[i], a.limb[i]);
}

INLINED struct poly_factor mac_spread(const uint64_t power[LIMBS][MAC_LANES], unsigned lane)
{
	struct poly_number a;

	for (unsigned i = 0; i < LIMBS; i++)
		a.limb[i] = _mm512_set1_epi64((int64_t)power[i][lane]);
	return poly_make_factor(a);
}

/* Eight blocks of one packet, in lanes 0, 4, 1, 5, 2, 6, 3, 7, as pairs of halves come. */
INLINED struct poly_number mac_load_eight(const uint8_t *data, int64_t offset, int64_t len)
{
	const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
	uintptr_t at = (uintptr_t)data + (uintptr_t)offset;
	__m512i a, b, top = _mm512_set1_epi64(POLY_TOP);

	if (offset >= 0 && offset + 2 * CHUNK_LEN <= len) {
		a = _mm512_loadu_si512((const void *)at);
		b = _mm512_loadu_si512((const void *)(at + CHUNK_LEN));
	} else {
		__m512i from = _mm512_set1_epi64(-(offset / (int)MAC_BLOCK_LEN));

		a = _mm512_maskz_loadu_epi8(mac_mask(offset, len), (const void *)at);
		b = _mm512_maskz_loadu_epi8(
		    mac_mask(offset + CHUNK_LEN, len), (const void *)(at + CHUNK_LEN));
		top = _mm512_maskz_mov_epi64(_mm512_cmpge_epi64_mask(order, from), top);
	}
	return poly_split(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), top);
}

/*
 * One packet, eight blocks a step, two steps for one reduction; it ends with a step, and what it lacks of the
 * first one is zero. sum takes its limbs, in this lane.
 */
static void mac_one_alone(const uint8_t *data, int64_t len, const struct mac_powers *powers, unsigned lane,
    uint64_t sums[LIMBS][MAC_LANES])
{
	const __m512i last =
	    _mm512_setr_epi64(7, 3, 6, 2, 5, 1, 4, 0); /* powers of the last eight blocks, less one */
	const struct poly_factor eighth = mac_spread(powers->first[7], lane);
	const struct poly_factor sixteenth = mac_spread(powers->sixteenth, lane);
	int64_t blocks = (len + MAC_BLOCK_LEN - 1) / MAC_BLOCK_LEN, steps = (blocks + 7) / 8;
	int64_t offset = (blocks - steps * 8) * MAC_BLOCK_LEN;
	struct poly_number h = mac_load_eight(data, offset, len), ends;
	struct poly_factor final;

	offset += 2 * CHUNK_LEN;
	if (steps % 2 == 0) {
		h = poly_add(mac_multiply(h, &eighth), mac_load_eight(data, offset, len));
		offset += 2 * CHUNK_LEN;
	}
	for (; offset < len; offset += 4 * CHUNK_LEN) {
		struct poly_sum sum;

		poly_clear(&sum);
		poly_add_product(&sum, mac_load_eight(data, offset, len), &eighth);
		poly_add_product(&sum, h, &sixteenth);
		h = poly_add(poly_reduce(sum), mac_load_eight(data, offset + 2 * CHUNK_LEN, len));
	}
	for (unsigned i = 0; i < LIMBS; i++)
		ends.limb[i] = _mm512_i64gather_epi64(
		    _mm512_add_epi64(_mm512_mullo_epi64(last, _mm512_set1_epi64(LIMBS * MAC_LANES)),
			_mm512_set1_epi64(i * MAC_LANES + lane)),
		    powers->first, 8);
	final = poly_make_factor(ends);
	h = mac_multiply(h, &final);
	for (unsigned i = 0; i < LIMBS; i++)
		sums[i][lane] = (uint64_t)_mm512_reduce_add_epi64(h.limb[i]);
}

/* The lanes that go alone, over what the others came to. powers: as for mac_absorb. */
static __attribute__((noinline)) void mac_alone(
    const struct mac_lanes *m, const struct poly_factor powers[CHUNK_BLOCKS], struct poly_number *h)
{
	_Alignas(64) uint64_t sums[LIMBS][MAC_LANES] = {{0}};
	struct poly_number number[CHUNK_BLOCKS], eighth;
	struct mac_powers all;
	struct poly_factor f;

	for (unsigned i = 0; i < CHUNK_BLOCKS; i++) {
		memcpy(number[i].limb, powers[i].limb, sizeof(number[i].limb));
		mac_store(all.first[i], number[i]);
		eighth = mac_multiply(number[i], &powers[3]);
		mac_store(all.first[4 + i], eighth);
	}
	f = poly_make_factor(eighth);
	mac_store(all.sixteenth, mac_multiply(eighth, &f));
	for (unsigned i = 0; i < m->alone; i++)
		mac_one_alone(m->alone_data[i], m->whole_lens[i], &all, i, sums);
	for (unsigned i = 0; i < LIMBS; i++)
		h->limb[i] = _mm512_mask_mov_epi64(
		    h->limb[i], (__mmask8)((1u << m->alone) - 1), _mm512_load_si512(sums[i]));
}

/*
 * §2.5, §2.8: the tags, as two halves a lane. Groups of eight go stage by stage, so that one computes while
 * the other waits for its own results.
 */
INLINED void mac_groups(const struct mac_lanes *m, unsigned groups, bool is_long, __m512i low[MAC_GROUPS],
    __m512i high[MAC_GROUPS])
{
	struct poly_number r[MAC_GROUPS], square[MAC_GROUPS], h[MAC_GROUPS] = {0};
	struct poly_factor powers[MAC_GROUPS][CHUNK_BLOCKS];
	bool ragged[MAC_GROUPS];

	for (unsigned g = 0; g < groups; g++) {
		__m512i r0 = _mm512_and_si512(mac_load_key(&m[g], 0), _mm512_set1_epi64(0x0ffffffc0fffffff));
		__m512i r1 = _mm512_and_si512(mac_load_key(&m[g], 1), _mm512_set1_epi64(0x0ffffffc0ffffffc));

		r[g] = poly_split(r0, r1, _mm512_setzero_si512());
		powers[g][0] = poly_make_factor(r[g]);
		ragged[g] = _mm512_test_epi64_mask(
		    _mm512_load_si512(m[g].lens), _mm512_set1_epi64(MAC_BLOCK_LEN - 1));
	}
	for (unsigned g = 0; g < groups; g++) {
		square[g] = mac_multiply(r[g], &powers[g][0]);
		powers[g][1] = poly_make_factor(square[g]);
	}
	for (unsigned g = 0; is_long && g < groups; g++) {
		powers[g][2] = poly_make_factor(mac_multiply(square[g], &powers[g][0]));
		powers[g][3] = poly_make_factor(mac_multiply(square[g], &powers[g][1]));
	}
	if (is_long)
		for (unsigned g = 0; g < groups; g++) {
			if (!m[g].all_alone)
				h[g] = mac_long(&m[g], powers[g], ragged[g]);
			if (m[g].alone)
				mac_alone(&m[g], powers[g], &h[g]);
		}
	else
		mac_short(m, groups, powers, ragged, h);
	for (unsigned g = 0; g < groups; g++) {
		h[g] = poly_add(h[g], poly_split(_mm512_setzero_si512(), _mm512_load_si512(m[g].whole_lens),
					  _mm512_set1_epi64(POLY_TOP)));
		h[g] = mac_multiply(h[g], &powers[g][0]);
	}
	for (unsigned g = 0; g < groups; g++) {
		__m512i s0 = mac_load_key(&m[g], 2), s1 = mac_load_key(&m[g], 3);

		poly_join(h[g], &low[g], &high[g]);
		low[g] = _mm512_add_epi64(low[g], s0);
		high[g] = _mm512_add_epi64(high[g], s1);
		high[g] = _mm512_mask_add_epi64(
		    high[g], _mm512_cmplt_epu64_mask(low[g], s0), high[g], _mm512_set1_epi64(1));
	}
}

/* More than four blocks in a packet. */
static bool mac_is_long(const struct mac_lanes *m, unsigned groups)
{
	bool is_long = false;

	for (unsigned g = 0; g < groups; g++)
		is_long |= m[g].most > CHUNK_BLOCKS || m[g].alone;
	return is_long;
}

/* By themselves, because of their frames: what a call leaves on the stack is wiped as deep as it went. */
static __attribute__((noinline)) void mac_one_short(const struct mac_lanes *m, __m512i *low, __m512i *high)
{
	mac_groups(m, 1, false, low, high);
}

static __attribute__((noinline)) void mac_two_short(
    const struct mac_lanes m[MAC_GROUPS], __m512i low[MAC_GROUPS], __m512i high[MAC_GROUPS])
{
	mac_groups(m, MAC_GROUPS, false, low, high);
}

static __attribute__((noinline)) void mac_one_long(const struct mac_lanes *m, __m512i *low, __m512i *high)
{
	mac_groups(m, 1, true, low, high);
}

static __attribute__((noinline)) void mac_two_long(
    const struct mac_lanes m[MAC_GROUPS], __m512i low[MAC_GROUPS], __m512i high[MAC_GROUPS])
{
	mac_groups(m, MAC_GROUPS, true, low, high);
}

#endif
