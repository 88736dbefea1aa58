/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DXR (Zec, Rizzo, Mikuc 2012), IPv4, read-only: a direct table over the upper 18 to 20 bits, behind it the
 * ranges of each chunk, sorted, searched by halving. Main thread builds, any thread looks up.
 */
#include <arpa/inet.h>
#include <immintrin.h>
#include <stdlib.h>

#include "bench/lpm_candidates.h"
#include "lib/err.h"

struct dxr {
	unsigned shift;	  /* of an address to its chunk */
	uint32_t *first;  /* of each chunk: its first range; one more at the end */
	uint16_t *starts; /* within the chunk; its first is 0 */
	uint32_t *values;
	size_t n_ranges;
	bool vector;
};

static int dxr_alloc(struct dxr *d, size_t n_intervals)
{
	size_t n = n_intervals + ((size_t)1 << (32 - d->shift));

	d->first = lpm_pages_alloc((((size_t)1 << (32 - d->shift)) + 1) * 4);
	d->starts = lpm_pages_alloc(n * 2 + 4);
	d->values = lpm_pages_alloc(n * 4);
	return d->first && d->starts && d->values ? 0 : ERR_NOMEM;
}

static void dxr_fill(struct dxr *d, const struct lpm_intervals *l)
{
	uint32_t chunks = 1u << (32 - d->shift), n = 0;
	size_t at = 0; /* the last interval that starts no later than the chunk */

	for (uint32_t c = 0; c < chunks; c++) {
		uint32_t base = c << d->shift;

		while (at + 1 < l->n && (uint32_t)(l->list[at + 1].start >> 96) <= base)
			at++;
		d->first[c] = n;
		d->starts[n] = 0;
		d->values[n++] = l->list[at].value;
		while (at + 1 < l->n && (uint32_t)(l->list[at + 1].start >> 96) >> d->shift == c) {
			at++;
			d->starts[n] = (uint16_t)((uint32_t)(l->list[at].start >> 96) - base);
			d->values[n++] = l->list[at].value;
		}
	}
	d->first[chunks] = n;
	d->n_ranges = n;
}

static void *dxr_create(const struct lpm_table *t, unsigned direct_bits)
{
	struct dxr *d = calloc(1, sizeof(*d));
	struct lpm_intervals l;

	if (!d || lpm_intervals_make(t, &l) != 0)
		return NULL;
	d->shift = 32 - direct_bits;
	if (dxr_alloc(d, l.n) != 0)
		return NULL;
	dxr_fill(d, &l);
	lpm_intervals_free(&l);
	return d;
}

static void *dxr18_create(const struct lpm_table *t)
{
	return dxr_create(t, 18);
}

static void *dxr19_create(const struct lpm_table *t)
{
	return dxr_create(t, 19);
}

static void *dxr20_create(const struct lpm_table *t)
{
	return dxr_create(t, 20);
}

static int dxr_select(void *e, const char *form)
{
	return lpm_candidate_check(form, &((struct dxr *)e)->vector);
}

/* Three passes, so that the misses of a burst overlap: chunk, middle of its ranges, value. */
static void dxr_lookup_scalar(const struct dxr *d, const uint32_t *keys_be, uint32_t *values, unsigned n)
{
	uint32_t low[LPM_BURST_MAX], size[LPM_BURST_MAX];

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&d->first[ntohl(keys_be[i]) >> d->shift]);
	for (unsigned i = 0; i < n; i++) {
		uint32_t chunk = ntohl(keys_be[i]) >> d->shift;

		low[i] = d->first[chunk];
		size[i] = d->first[chunk + 1] - low[i];
		__builtin_prefetch(&d->starts[low[i] + size[i] / 2]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t offset = ntohl(keys_be[i]) & ((1u << d->shift) - 1), at = low[i];

		for (uint32_t left = size[i]; left > 1;) {
			uint32_t half = left / 2;

			at = d->starts[at + half] <= offset ? at + half : at;
			left -= half;
		}
		low[i] = at;
		__builtin_prefetch(&d->values[at]);
	}
	for (unsigned i = 0; i < n; i++)
		values[i] = d->values[low[i]];
}

struct dxr_lanes {
	__m512i offset, at, left;
};

LPM_VECTOR static inline struct dxr_lanes dxr_begin(const struct dxr *d, __m512i keys_be, __mmask16 lanes)
{
	const __m512i swap =
	    _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
	__m512i key = _mm512_shuffle_epi8(keys_be, swap), none = _mm512_setzero_si512();
	__m512i chunk = _mm512_srlv_epi32(key, _mm512_set1_epi32((int)d->shift));
	struct dxr_lanes l;

	l.offset = _mm512_and_epi32(key, _mm512_set1_epi32((1 << d->shift) - 1));
	l.at = _mm512_mask_i32gather_epi32(none, lanes, chunk, d->first, 4);
	l.left = _mm512_sub_epi32(_mm512_mask_i32gather_epi32(none, lanes, chunk, d->first + 1, 4), l.at);
	return l;
}

/* Halves what is left; false when nothing was. */
LPM_VECTOR static inline bool dxr_halve(const struct dxr *d, struct dxr_lanes *l)
{
	__mmask16 open = _mm512_cmpgt_epi32_mask(l->left, _mm512_set1_epi32(1)), right;
	__m512i half = _mm512_srli_epi32(l->left, 1), middle = _mm512_add_epi32(l->at, half), start;

	if (!open)
		return false;
	start = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), open, middle, d->starts, 2);
	start = _mm512_and_epi32(start, _mm512_set1_epi32(0xffff));
	right = _mm512_mask_cmple_epi32_mask(open, start, l->offset);
	l->at = _mm512_mask_mov_epi32(l->at, right, middle);
	l->left = _mm512_mask_sub_epi32(l->left, open, l->left, half);
	return true;
}

/* 64 keys: four vectors in step, so that their gathers overlap. */
LPM_VECTOR static void dxr_lookup_vector(
    const struct dxr *d, const uint32_t *keys_be, uint32_t *values, unsigned n)
{
	for (unsigned i = 0; i < n; i += 64) {
		struct dxr_lanes l[4];
		__mmask16 lanes[4];
		bool more = true;

		for (unsigned j = 0; j < 4; j++) {
			unsigned first = i + j * 16, count = n <= first ? 0 : n - first < 16 ? n - first : 16;

			lanes[j] = (__mmask16)((1u << count) - 1);
			l[j] = dxr_begin(d, _mm512_maskz_loadu_epi32(lanes[j], keys_be + first), lanes[j]);
		}
		while (more) {
			more = false;
			for (unsigned j = 0; j < 4; j++)
				more |= dxr_halve(d, &l[j]);
		}
		for (unsigned j = 0; j < 4; j++)
			_mm512_mask_storeu_epi32(values + i + j * 16, lanes[j],
			    _mm512_mask_i32gather_epi32(
				_mm512_setzero_si512(), lanes[j], l[j].at, d->values, 4));
	}
}

static void dxr_lookup(void *e, void *keys, void *values, unsigned n)
{
	const struct dxr *d = e;

	(d->vector ? dxr_lookup_vector : dxr_lookup_scalar)(d, keys, values, n);
}

static void dxr_memory(void *e, const struct lpm_table *t, struct lpm_bytes *out)
{
	const struct dxr *d = e;

	out->tables = out->least = (((size_t)1 << (32 - d->shift)) + 1) * 4 + d->n_ranges * 6;
}

static void dxr_destroy(void *e)
{
	struct dxr *d = e;

	free(d->first);
	free(d->starts);
	free(d->values);
	free(d);
}

#define DEFINE_DXR(bits)                                                                                     \
	const struct lpm_engine lpm_dxr##bits = {.name = "dxr" #bits,                                        \
	    .family = 4,                                                                                     \
	    .forms = lpm_candidate_forms,                                                                    \
	    .create = dxr##bits##_create,                                                                    \
	    .select = dxr_select,                                                                            \
	    .lookup = dxr_lookup,                                                                            \
	    .memory = dxr_memory,                                                                            \
	    .destroy = dxr_destroy}

DEFINE_DXR(18);
DEFINE_DXR(19);
DEFINE_DXR(20);
