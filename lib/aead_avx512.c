/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts of ChaCha20-Poly1305 in the sixteen lanes of AVX-512: docs/crypto.md says how. A block call makes
 * the Poly1305 keys of sixteen packets, whose words are by lane already; kilobytes of one packet are sixteen
 * blocks; all other blocks of all packets queue for lanes; Poly1305 goes over eight packets in lockstep,
 * which is why they are sorted by length. Nothing branches on a secret or takes an address from one: lengths,
 * counters and whether a tag is right are public.
 *
 * Any thread.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "lib/aead_avx512_chacha.h"
#include "lib/aead_burst_internal.h"
#include "lib/aead_secret.h"
#include "lib/err.h"
#include "lib/isa.h"
#include "lib/aead_avx512_poly44.h"
#include "lib/aead_avx512_mac.h"

#define KILOBYTE_BLOCKS LANES
#define KEY_STRIDE	(AEAD_BURST_MAX + LANES)
#define WIPE_SHORT	112 /* of the stack, in vectors: all that a call writes with packets up to 64 bytes ... \
			     */
#define WIPE_LONG	256 /* ... and with longer ones; tests/unit/test_aead_stack.c */
#define TAGS		(MAC_GROUPS * MAC_LANES)
#define SORT_BLOCKS_MAX 1023u /* longer packets are sorted as if they were so long */

/* Blocks that wait for a block call. */
struct batch {
	struct lane_nonces nonces;
	uint8_t *data[LANES];
	uint64_t masks[LANES]; /* of the block's bytes, those that the packet has */
	uint8_t packets[LANES];
	unsigned n;
	bool ragged; /* not all bytes of all blocks */
};

/* A call. Everything secret is in here, but for what the compiler keeps. */
struct work {
	_Alignas(64) __m512i key[8];
	struct output outputs[2], ahead_output;
	_Alignas(64) uint32_t mac_keys[8][KEY_STRIDE];
	/* the packets, longest first */
	uint64_t counters[AEAD_BURST_MAX];
	uint8_t *data[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
	uint8_t index[AEAD_BURST_MAX];	     /* where sorted: the caller's number */
	const uint8_t *keys[AEAD_BURST_MAX]; /* of each, if there are several */
	bool many_keys;
	unsigned n;
	bool sorted;
	uint64_t wanted; /* packets to cipher, by our number */
	/* which block is planned next; whose kilobytes are ciphered next; whose tags are made next */
	unsigned packet;
	uint32_t at; /* bytes */
	unsigned kilobytes_next, tags_next;
	uint8_t ahead_packets[LANES];
	struct batch batches[2];
	unsigned filling; /* of the batches; the other one waits */
	unsigned made;	  /* of the outputs, the one that was made last */
	bool was_long;	  /* some Poly1305 was over long packets, whose frames are deeper */
};

static uint32_t count_mac_blocks(uint32_t len)
{
	return (len + MAC_BLOCK_LEN - 1) / MAC_BLOCK_LEN;
}

/*
 * Each packet's place is the number of those that are longer, or as long and before it: two comparisons of 32
 * numbers a packet.
 */
static void sort_packets(const uint32_t *lens, unsigned n, uint8_t places[AEAD_BURST_MAX])
{
	_Alignas(64) uint16_t ranks[AEAD_BURST_MAX];
	__m512i first, second;

	for (unsigned i = 0; i < AEAD_BURST_MAX; i++) {
		uint32_t blocks = i < n ? count_mac_blocks(lens[i]) : 0;

		if (blocks > SORT_BLOCKS_MAX)
			blocks = SORT_BLOCKS_MAX;
		ranks[i] = (uint16_t)(blocks << 6 | (AEAD_BURST_MAX - 1 - i));
	}
	first = _mm512_load_si512(ranks);
	second = _mm512_load_si512(ranks + 32);
	for (unsigned i = 0; i < n; i++) {
		__m512i own = _mm512_set1_epi16((int16_t)ranks[i]);
		uint64_t longer = _mm512_cmpgt_epu16_mask(first, own);

		if (n > 32)
			longer |= (uint64_t)_mm512_cmpgt_epu16_mask(second, own) << 32;
		places[i] = (uint8_t)__builtin_popcountll(longer);
	}
}

static bool all_equal(const uint32_t *lens, unsigned n)
{
	uint32_t differ = 0;

	for (unsigned i = 1; i < n; i++)
		differ |= lens[i] ^ lens[0];
	return differ == 0;
}

static void take_packets(
    struct work *w, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint8_t places[AEAD_BURST_MAX];

	w->n = n;
	w->wanted = n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
	w->sorted = !all_equal(lens, n);
	if (!w->sorted) {
		memcpy(w->counters, counters, n * sizeof(*counters));
		memcpy(w->data, data, n * sizeof(*data));
		memcpy(w->lens, lens, n * sizeof(*lens));
		return;
	}
	sort_packets(lens, n, places);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = places[i];

		w->counters[at] = counters[i];
		w->data[at] = data[i];
		w->lens[at] = lens[i];
		w->index[at] = (uint8_t)i;
	}
}

/* Where the bytes begin that are not whole kilobytes. */
static uint32_t rest_of(uint32_t len)
{
	return len & ~(KILOBYTE_BLOCKS * BLOCK_LEN - 1);
}

static void start_batch(struct batch *b)
{
	b->n = 0;
	b->ragged = false;
}

static void start_plan(struct work *w)
{
	w->packet = 0;
	w->at = w->n ? rest_of(w->lens[0]) : 0;
	w->kilobytes_next = 0;
	w->tags_next = 0;
	w->filling = 0;
	w->made = 0;
	w->was_long = false;
	w->outputs[0].kind = OUTPUT_NONE;
	w->outputs[1].kind = OUTPUT_NONE;
	start_batch(&w->batches[0]);
	start_batch(&w->batches[1]);
}

/* Sixteen packets' counters, or those that there are, as nonces; other lanes are zero. */
static void set_nonces(const struct work *w, unsigned first, unsigned n, struct lane_nonces *nonces)
{
	const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
	__mmask16 there = (__mmask16)((1u << n) - 1);
	__m512i a = _mm512_maskz_loadu_epi64((__mmask8)there, w->counters + first);
	__m512i b = _mm512_maskz_loadu_epi64((__mmask8)(there >> 8), w->counters + first + 8);

	_mm512_store_si512(nonces->block, _mm512_setzero_si512());
	_mm512_store_si512(nonces->low, _mm512_permutex2var_epi32(a, even, b));
	_mm512_store_si512(nonces->high, _mm512_permutex2var_epi32(a, odd, b));
}

/*
 * Sixteen packets of which but one block is left each, as bursts of short packets are: the whole batch as
 * vectors. False: they are not so.
 */
static bool plan_sixteen(struct work *w, struct batch *b, unsigned limit)
{
	const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	const __m512i all = _mm512_set1_epi64(-1);
	unsigned p = w->packet;
	__m512i lens, rests, starts, masks[2];

	if (p + LANES > limit || (w->wanted >> p & 0xffff) != 0xffff || w->at != rest_of(w->lens[p]))
		return false;
	lens = _mm512_loadu_si512(w->lens + p);
	rests = _mm512_and_si512(lens, _mm512_set1_epi32(KILOBYTE_BLOCKS * BLOCK_LEN - 1));
	if (_mm512_cmpge_epu32_mask(
		_mm512_sub_epi32(rests, _mm512_set1_epi32(1)), _mm512_set1_epi32(BLOCK_LEN)))
		return false;
	starts = _mm512_sub_epi32(lens, rests);
	set_nonces(w, p, LANES, &b->nonces);
	_mm512_store_si512(
	    b->nonces.block, _mm512_add_epi32(_mm512_srli_epi32(starts, 6), _mm512_set1_epi32(1)));
	for (unsigned half = 0; half < 2; half++) {
		__m512i start = _mm512_cvtepu32_epi64(
		    half ? _mm512_extracti32x8_epi32(starts, 1) : _mm512_castsi512_si256(starts));
		__m512i rest = _mm512_cvtepu32_epi64(
		    half ? _mm512_extracti32x8_epi32(rests, 1) : _mm512_castsi512_si256(rests));

		masks[half] = _mm512_srlv_epi64(all, _mm512_sub_epi64(_mm512_set1_epi64(BLOCK_LEN), rest));
		_mm512_storeu_si512(b->masks + 8 * half, masks[half]);
		_mm512_storeu_si512(
		    b->data + 8 * half, _mm512_add_epi64(_mm512_loadu_si512(w->data + p + 8 * half), start));
	}
	_mm_storeu_si128((__m128i *)(void *)b->packets,
	    _mm512_cvtepi32_epi8(_mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)p))));
	b->ragged = _mm512_cmpneq_epi64_mask(_mm512_and_si512(masks[0], masks[1]), all);
	b->n = LANES;
	w->packet = p + LANES;
	w->at = w->packet < w->n ? rest_of(w->lens[w->packet]) : 0;
	return true;
}

/* Adds blocks of wanted packets below limit, from where the plan is, until the batch is full or they end. */
static void plan_blocks(struct work *w, struct batch *b, unsigned limit)
{
	unsigned n = b->n, p = w->packet;
	uint32_t at = w->at;

	if (n == 0 && plan_sixteen(w, b, limit))
		return;
	while (p < limit) {
		uint32_t len = w->lens[p];

		if (!(w->wanted >> p & 1))
			at = len;
		for (; at < len && n < LANES; at += BLOCK_LEN, n++) {
			uint32_t left = len - at;

			b->nonces.block[n] =
			    1 + at / BLOCK_LEN; /* RFC 8439 §2.8: block 0 made the key of the tag */
			b->nonces.low[n] = (uint32_t)w->counters[p];
			b->nonces.high[n] = (uint32_t)(w->counters[p] >> 32);
			b->data[n] = w->data[p] + at;
			b->masks[n] = _bzhi_u64(~UINT64_C(0), left < BLOCK_LEN ? left : BLOCK_LEN);
			b->packets[n] = (uint8_t)p;
			b->ragged |= left < BLOCK_LEN;
		}
		if (at < len)
			break;
		if (++p < w->n)
			at = rest_of(w->lens[p]);
	}
	b->n = n;
	w->packet = p;
	w->at = at;
}

/* Where the next blocks go; chacha_blocks does the output of those before. */
static struct output *next_output(struct work *w, struct output **previous)
{
	*previous = &w->outputs[w->made];
	w->made = 1 - w->made;
	return &w->outputs[w->made];
}

/* The bytes that a batch's blocks are for. */
static void set_output(struct output *o, struct batch *b)
{
	for (unsigned i = b->n; i < LANES; i++) {
		b->data[i] = b->data[0];
		b->masks[i] = 0;
	}
	o->kind = b->n < LANES || b->ragged ? OUTPUT_MASKED : OUTPUT_FULL;
	memcpy(o->data, b->data, sizeof(o->data));
	if (o->kind == OUTPUT_MASKED)
		memcpy(o->masks, b->masks, sizeof(o->masks));
}

static void store_mac_keys(struct work *w, unsigned first, const __m512i words[16])
{
	for (unsigned i = 0; i < 8; i++)
		_mm512_store_si512(&w->mac_keys[i][first], words[i]);
}

static void set_key(struct work *w, const uint8_t *key)
{
	for (unsigned i = 0; i < 8; i++) {
		int32_t word;

		memcpy(&word, key + 4 * i, sizeof(word));
		w->key[i] = _mm512_set1_epi32(word);
	}
}

/* Four words of sixteen keys, from this offset (bytes), by lane. */
static void turn_keys(const uint8_t *const keys[LANES], size_t offset, __m512i words[4])
{
	__m512i row[4], low01, high01, low23, high23;

	for (unsigned r = 0; r < 4; r++) {
		row[r] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(keys[r] + offset)));
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(keys[4 + r] + offset)), 1);
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(keys[8 + r] + offset)), 2);
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(keys[12 + r] + offset)), 3);
	}
	low01 = _mm512_unpacklo_epi32(row[0], row[1]);
	high01 = _mm512_unpackhi_epi32(row[0], row[1]);
	low23 = _mm512_unpacklo_epi32(row[2], row[3]);
	high23 = _mm512_unpackhi_epi32(row[2], row[3]);
	words[0] = _mm512_unpacklo_epi64(low01, low23);
	words[1] = _mm512_unpackhi_epi64(low01, low23);
	words[2] = _mm512_unpacklo_epi64(high01, high23);
	words[3] = _mm512_unpackhi_epi64(high01, high23);
}

/* The keys of the packets whose blocks are in the lanes; n of them count. */
static void set_lane_keys(struct work *w, const uint8_t packets[LANES], unsigned n)
{
	const uint8_t *keys[LANES];

	for (unsigned i = 0; i < LANES; i++)
		keys[i] = w->keys[packets[i < n ? i : 0]];
	turn_keys(keys, 0, w->key);
	turn_keys(keys, 16, w->key + 4);
}

/* The keys of the tags (RFC 8439 §2.6: block 0) of sixteen packets. */
static void make_mac_keys(struct work *w, unsigned first)
{
	struct output *previous, *made = next_output(w, &previous);
	struct lane_nonces nonces;

	set_nonces(w, first, LANES, &nonces);
	if (w->many_keys) {
		turn_keys(w->keys + first, 0, w->key);
		turn_keys(w->keys + first, 16, w->key + 4);
	}
	chacha_blocks(w->key, &nonces, made->words, previous);
	store_mac_keys(w, first, made->words);
}

/* Those of the last packets, which are not sixteen: the lanes that are left take the first blocks of data. */
static void make_last_mac_keys(struct work *w)
{
	unsigned n = w->n % LANES, first = w->n - n;
	struct batch b;

	start_batch(&b);
	set_nonces(w, first, n, &b.nonces);
	b.n = n;
	for (unsigned i = 0; i < n; i++) {
		b.data[i] = w->data[0];
		b.masks[i] = 0;
		b.packets[i] = (uint8_t)(first + i);
	}
	plan_blocks(w, &b, w->n);
	if (w->many_keys)
		set_lane_keys(w, b.packets, b.n);
	chacha_alone(w->key, &b.nonces, w->ahead_output.words);
	store_mac_keys(w, first, w->ahead_output.words);
	b.ragged = true;
	set_output(&w->ahead_output, &b);
	memcpy(w->ahead_packets, b.packets, sizeof(b.packets));
	if (b.n == n)
		w->ahead_output.kind = OUTPUT_NONE;
}

/* The blocks that were made with the last keys, where their packets are wanted. */
static void use_ahead_blocks(struct work *w)
{
	if (w->n % LANES == 0)
		return;
	for (unsigned i = w->n % LANES; i < LANES; i++)
		if (w->ahead_output.masks[i] && !(w->wanted >> w->ahead_packets[i] & 1))
			w->ahead_output.masks[i] = 0;
	output_all(&w->ahead_output);
}

static void cipher_kilobytes(struct work *w, unsigned p)
{
	const __m512i lanes = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
	const __m512i offsets = _mm512_setr_epi64(0, 64, 128, 192, 256, 320, 384, 448);
	uint32_t end = rest_of(w->lens[p]);
	struct lane_nonces nonces;

	if (w->many_keys)
		set_key(w, w->keys[p]);
	_mm512_store_si512(nonces.low, _mm512_set1_epi32((int32_t)w->counters[p]));
	_mm512_store_si512(nonces.high, _mm512_set1_epi32((int32_t)(w->counters[p] >> 32)));
	for (uint32_t at = 0; at < end; at += KILOBYTE_BLOCKS * BLOCK_LEN) {
		struct output *previous, *made = next_output(w, &previous);
		uintptr_t data = (uintptr_t)w->data[p] + at;

		_mm512_store_si512(
		    nonces.block, _mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)(at / BLOCK_LEN))));
		chacha_blocks(w->key, &nonces, made->words, previous);
		made->kind = OUTPUT_FULL;
		_mm512_store_si512(made->data, _mm512_add_epi64(offsets, _mm512_set1_epi64((int64_t)data)));
		_mm512_store_si512(
		    made->data + 8, _mm512_add_epi64(offsets, _mm512_set1_epi64((int64_t)data + 512)));
	}
}

static void cipher_batch(struct work *w, struct batch *b)
{
	struct output *previous, *made = next_output(w, &previous);

	if (w->many_keys)
		set_lane_keys(w, b->packets, b->n);
	chacha_blocks(w->key, &b->nonces, made->words, previous);
	set_output(made, b);
	start_batch(b);
}

/*
 * Ciphers the wanted packets below limit; unless they are the last, some of their blocks stay in the batches.
 * A batch waits until the next one is planned: what was just written word by word cannot be loaded as a
 * vector without a stall.
 */
static void cipher_packets(struct work *w, unsigned limit)
{
	for (; w->kilobytes_next < limit; w->kilobytes_next++)
		if (w->wanted >> w->kilobytes_next & 1 &&
		    w->lens[w->kilobytes_next] >= KILOBYTE_BLOCKS * BLOCK_LEN)
			cipher_kilobytes(w, w->kilobytes_next);
	for (;;) {
		struct batch *filling = &w->batches[w->filling], *waiting = &w->batches[1 - w->filling];

		plan_blocks(w, filling, limit);
		if (filling->n < LANES && limit < w->n)
			return;
		if (waiting->n)
			cipher_batch(w, waiting);
		if (filling->n == 0)
			return;
		w->filling = 1 - w->filling;
	}
}

/* Below limit, the first packet of which blocks are still in a batch. */
static unsigned first_unfinished(const struct work *w, unsigned limit)
{
	const struct batch *filling = &w->batches[w->filling], *waiting = &w->batches[1 - w->filling];

	if (waiting->n)
		return waiting->packets[0];
	return filling->n ? filling->packets[0] : limit;
}

/* Eight packets from first on, or those that there are: then the last of them takes all lanes that are left.
 */
static void set_lanes(const struct work *w, unsigned first, struct mac_lanes *m)
{
	unsigned n = w->n - first < MAC_LANES ? w->n - first : MAC_LANES;

	__m512i lane = _mm512_min_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(n - 1));
	__m256i there = _mm256_maskz_loadu_epi32((__mmask8)((1u << n) - 1), w->lens + first);
	__m512i lens = _mm512_permutexvar_epi64(lane, _mm512_cvtepu32_epi64(there));
	__m512i blocks = _mm512_srli_epi64(_mm512_add_epi64(lens, _mm512_set1_epi64(MAC_BLOCK_LEN - 1)), 4);

	m->keys = &w->mac_keys[0][first];
	m->stride = KEY_STRIDE;
	/* as vectors, because they are loaded as such at once */
	_mm512_store_si512(m->lens, lens);
	_mm512_store_si512(m->whole_lens, lens);
	_mm512_store_si512(m->blocks, blocks);
	for (unsigned i = 0; i < MAC_LANES; i++)
		m->data[i] = w->data[first + (i < n ? i : n - 1)];
	m->alone = count_alone(m->blocks, n);
	m->all_alone = m->alone == n;
	if (m->alone) {
		set_alone(m);
		blocks = _mm512_load_si512(m->blocks);
	}
	m->most = _mm512_reduce_max_epi64(blocks);
	m->least = _mm512_reduce_min_epi64(blocks);
}

/* Of packets from first on: the tags of up to sixteen. */
static void make_tags(struct work *w, unsigned first, uint64_t low[TAGS], uint64_t high[TAGS])
{
	struct mac_lanes m[MAC_GROUPS];
	__m512i lows[MAC_GROUPS], highs[MAC_GROUPS];
	unsigned groups = w->n - first > MAC_LANES ? 2 : 1;

	for (unsigned g = 0; g < groups; g++)
		set_lanes(w, first + g * MAC_LANES, &m[g]);
	if (!mac_is_long(m, groups)) {
		if (groups == 2)
			mac_two_short(m, lows, highs);
		else
			mac_one_short(m, lows, highs);
	} else {
		w->was_long = true;
		if (groups == 2)
			mac_two_long(m, lows, highs);
		else
			mac_one_long(m, lows, highs);
	}
	for (unsigned g = 0; g < groups; g++) {
		_mm512_storeu_si512(low + g * MAC_LANES, lows[g]);
		_mm512_storeu_si512(high + g * MAC_LANES, highs[g]);
	}
}

/* Those of packets below limit, in groups as whole as can be. */
static void append_tags(struct work *w, unsigned limit)
{
	uint64_t low[TAGS], high[TAGS];

	while (w->tags_next < limit && (w->tags_next + TAGS <= limit || limit == w->n)) {
		unsigned first = w->tags_next, end = first + TAGS < limit ? first + TAGS : limit;

		make_tags(w, first, low, high);
		for (unsigned p = first; p < end; p++) {
			memcpy(w->data[p] + w->lens[p], &low[p - first], 8);
			memcpy(w->data[p] + w->lens[p] + 8, &high[p - first], 8);
		}
		w->tags_next = end;
	}
}

/* Of packets from first to end, the authentic ones, by our number. */
static uint64_t check_tags(struct work *w, unsigned first, unsigned end)
{
	uint64_t low[TAGS], high[TAGS], authentic = 0;

	make_tags(w, first, low, high);
	for (unsigned p = first; p < end; p++) {
		uint64_t tag[2];

		memcpy(tag, w->data[p] + w->lens[p], sizeof(tag));
		authentic |= (uint64_t)(((tag[0] ^ low[p - first]) | (tag[1] ^ high[p - first])) == 0) << p;
	}
	aead_declassify(&authentic, sizeof(authentic));
	return authentic;
}

/*
 * What the compiler kept on the stack for the functions below a call, one-time keys and their powers among
 * it: nothing of it is deeper. A vector a cycle, so that short packets do not pay for the frames of long
 * ones.
 */
static inline __attribute__((always_inline)) void wipe_below(__m512i *below, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		_mm512_store_si512(&below[i], _mm512_setzero_si512());
	__asm__ volatile("" : : "r"(below) : "memory");
}

static __attribute__((noinline)) void wipe_short(void)
{
	__m512i below[WIPE_SHORT];

	wipe_below(below, WIPE_SHORT);
}

static __attribute__((noinline)) void wipe_long(void)
{
	__m512i below[WIPE_LONG];

	wipe_below(below, WIPE_LONG);
}

static void wipe_vectors(__m512i *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		_mm512_store_si512(v + i, _mm512_setzero_si512());
}

/* What a call wrote that is secret. */
static void wipe(struct work *w)
{
	wipe_vectors(w->key, 8);
	wipe_vectors(w->outputs[0].words, 16);
	wipe_vectors(w->outputs[1].words, 16);
	if (w->n % LANES)
		wipe_vectors(w->ahead_output.words, 16);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned first = 0; first < w->n; first += LANES)
			_mm512_store_si512(&w->mac_keys[i][first], _mm512_setzero_si512());
	__asm__ volatile("" : : "r"(w) : "memory");
	if (w->was_long)
		wipe_long();
	else
		wipe_short();
}

/* One key for all, which is set; or of each packet its own. */
static void take_keys(struct work *w, const uint8_t *key, const uint8_t *const *keys)
{
	w->many_keys = keys != NULL;
	if (key)
		set_key(w, key);
	for (unsigned i = 0; keys && i < w->n; i++)
		w->keys[i] = keys[w->sorted ? w->index[i] : i];
}

/* The packets and their keys are taken. */
static void seal_work(struct work *w)
{
	unsigned n = w->n;

	start_plan(w);
	if (n % LANES)
		make_last_mac_keys(w);
	use_ahead_blocks(w);
	for (unsigned first = 0; first < n; first += TAGS) {
		unsigned end = first + TAGS < n ? first + TAGS : n;

		cipher_packets(w, end);
		if (end == first + TAGS)
			make_mac_keys(w, first);
		else
			output_all(&w->outputs[w->made]);
		append_tags(w, first_unfinished(w, end)); /* while they are in the nearest cache */
	}
	wipe(w);
}

static void seal(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct work w;

	take_packets(&w, counters, data, lens, n);
	take_keys(&w, key, NULL);
	seal_work(&w);
}

static void seal_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	struct work w;

	take_packets(&w, counters, data, lens, n);
	take_keys(&w, NULL, keys);
	seal_work(&w);
}

static uint64_t open_work(struct work *w)
{
	uint64_t authentic = 0;
	unsigned n = w->n;

	start_plan(w);
	if (n % LANES)
		make_last_mac_keys(w);
	w->wanted = 0;
	for (unsigned first = 0; first < n; first += TAGS) {
		unsigned end = first + TAGS < n ? first + TAGS : n;

		if (end == first + TAGS)
			make_mac_keys(w, first);
		w->wanted |= check_tags(w, first, end);
		cipher_packets(w, end);
	}
	output_all(&w->outputs[w->made]);
	use_ahead_blocks(w);
	for (unsigned p = 0; p < n; p++)
		authentic |= (w->wanted >> p & 1) << (w->sorted ? w->index[p] : p);
	wipe(w);
	return authentic;
}

static uint64_t open_burst(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct work w;

	take_packets(&w, counters, data, lens, n);
	take_keys(&w, key, NULL);
	return open_work(&w);
}

static uint64_t open_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	struct work w;

	take_packets(&w, counters, data, lens, n);
	take_keys(&w, NULL, keys);
	return open_work(&w);
}

static int probe(void)
{
	if (isa_selected() < ISA_AVX512_VPOPCNTDQ || !__builtin_cpu_supports("avx512ifma") ||
	    !__builtin_cpu_supports("avx512vbmi2"))
		return ERR_UNSUPPORTED;
	return 0;
}

const struct aead_burst_backend aead_burst_avx512_ifma = {
    "avx512-ifma", probe, seal, open_burst, seal_each, open_each};
