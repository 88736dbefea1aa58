/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The burst cipher for AVX2: eight ChaCha20 blocks abreast; Poly1305 of eight packets in lockstep, as two
 * quads of 64-bit lanes whose chains overlap. Workers; nothing is kept between calls.
 */
#include <immintrin.h>

#define LANES	  8u
#define GROUP	  8u
#define SLOTS	  4u /* of two double rounds each, with eight blocks of Poly1305 */
#define SCRUB_LEN 6656u

#include "lib/aead_form.h"
#include "lib/err.h"
#include "lib/isa.h"

typedef __m256i vec;

#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)

INLINE vec rotate_left(vec v, int bits)
{
	const vec by16 =
	    _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
	const vec by8 =
	    _mm256_broadcastsi128_si256(_mm_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));

	if (bits == 16)
		return _mm256_shuffle_epi8(v, by16);
	if (bits == 8)
		return _mm256_shuffle_epi8(v, by8);
	return _mm256_or_si256(_mm256_slli_epi32(v, bits), _mm256_srli_epi32(v, 32 - bits));
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
			for (unsigned i = 0; i < 2; i++)
				double_round(x);
			continue;
		}
		mac = *chunks[k].mac;
		for (unsigned i = 0; i < 2; i++) {
			const uint8_t *m = chunks[k].from + i * 4 * POLY_BLOCK_LEN;

			QUARTERS(x, 0, 4, 8, 12, 1, 5, 9, 13);
			poly_add_block(&mac, m + 0 * POLY_BLOCK_LEN);
			QUARTERS(x, 2, 6, 10, 14, 3, 7, 11, 15);
			poly_add_block(&mac, m + 1 * POLY_BLOCK_LEN);
			QUARTERS(x, 0, 5, 10, 15, 1, 6, 11, 12);
			poly_add_block(&mac, m + 2 * POLY_BLOCK_LEN);
			QUARTERS(x, 2, 7, 8, 13, 3, 4, 9, 14);
			poly_add_block(&mac, m + 3 * POLY_BLOCK_LEN);
		}
		*chunks[k].mac = mac;
	}
	double_round(x);
	double_round(x);
}

/* Eight words of eight lanes become eight lanes of eight words. */
INLINE void transpose8(vec *x)
{
	vec a[8], b[8];

	for (unsigned i = 0; i < 4; i++) {
		a[2 * i] = _mm256_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
		a[2 * i + 1] = _mm256_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
	}
	for (unsigned i = 0; i < 8; i += 4) {
		b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
		b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
		b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
		b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
	}
	for (unsigned i = 0; i < 4; i++) {
		x[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
		x[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
	}
}

INLINE void xor32(uint8_t *at, vec stream)
{
	_mm256_storeu_si256((vec *)at, XOR(stream, _mm256_loadu_si256((const vec *)at)));
}

INLINE vec word(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return _mm256_set1_epi32(v);
}

/* One block in each lane, added to the 64 bytes at[lane]. */
INLINE void chacha8(const uint8_t *key, vec counter, vec nonce_lo, vec nonce_hi, uint8_t *const *at,
    const struct chunk *chunks)
{
	static const int32_t sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	vec x[16];

	for (unsigned i = 0; i < 4; i++)
		x[i] = _mm256_set1_epi32(sigma[i]);
	for (unsigned i = 0; i < 8; i++)
		x[4 + i] = word(key + 4 * i);
	x[12] = counter;
	x[13] = _mm256_setzero_si256();
	x[14] = nonce_lo;
	x[15] = nonce_hi;
	if (chunks)
		rounds_with_mac(x, chunks);
	else
		for (unsigned i = 0; i < 10; i++)
			double_round(x);
	for (unsigned i = 0; i < 4; i++)
		x[i] = ADD(x[i], _mm256_set1_epi32(sigma[i]));
	for (unsigned i = 0; i < 4; i++)
		x[4 + i] = ADD(x[4 + i], word(key + 4 * i));
	transpose8(x);
	for (unsigned i = 0; i < 8; i++)
		xor32(at[i], x[i]);
	for (unsigned i = 4; i < 8; i++)
		x[4 + i] = ADD(x[4 + i], word(key + 4 * i));
	x[12] = ADD(x[12], counter);
	x[14] = ADD(x[14], nonce_lo);
	x[15] = ADD(x[15], nonce_hi);
	transpose8(x + 8);
	for (unsigned i = 0; i < 8; i++)
		xor32(at[i] + 32, x[8 + i]);
}

static void chacha_lanes(const uint8_t *key, const struct lanes *lanes, const struct chunk *chunks)
{
	chacha8(key, _mm256_load_si256((const vec *)lanes->counter),
	    _mm256_loadu_si256((const vec *)lanes->nonce_lo),
	    _mm256_loadu_si256((const vec *)lanes->nonce_hi), lanes->at, chunks);
}

static void chacha_straight(
    const uint8_t *key, uint64_t nonce, uint32_t counter, uint8_t *at, const struct chunk *chunks)
{
	uint8_t *lanes[LANES];

	for (unsigned i = 0; i < LANES; i++)
		lanes[i] = at + i * BLOCK_LEN;
	chacha8(key, ADD(_mm256_set1_epi32((int)counter), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
	    _mm256_set1_epi32((int)nonce), _mm256_set1_epi32((int)(nonce >> 32)), lanes, chunks);
}

/*
 * Poly1305 of four packets: a number is five limbs of 26 bits, each in a 64-bit lane a packet. Sums h + m
 * have limbs below 2^28, r and 5 r below 2^29, so ten products stay below 2^61.
 */
struct limbs {
	vec v[5];
};

struct quad {
	struct limbs h, r, r_2; /* r, r^2 */
	vec s[5], s_2[5];	/* 5 r, 5 r^2; the first of each is not used */
};

#define LIMB_MASK _mm256_set1_epi64x(0x3ffffff)

/* 16 bytes of each of four places. */
INLINE struct limbs load_limbs(const uint8_t *const *at, vec high)
{
	vec ab = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)at[0])),
	    _mm_loadu_si128((const __m128i *)at[2]), 1);
	vec cd = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)at[1])),
	    _mm_loadu_si128((const __m128i *)at[3]), 1);
	vec lo = _mm256_unpacklo_epi64(ab, cd), hi = _mm256_unpackhi_epi64(ab, cd);
	struct limbs m;

	m.v[0] = _mm256_and_si256(lo, LIMB_MASK);
	m.v[1] = _mm256_and_si256(_mm256_srli_epi64(lo, 26), LIMB_MASK);
	m.v[2] = _mm256_and_si256(
	    _mm256_or_si256(_mm256_srli_epi64(lo, 52), _mm256_slli_epi64(hi, 12)), LIMB_MASK);
	m.v[3] = _mm256_and_si256(_mm256_srli_epi64(hi, 14), LIMB_MASK);
	m.v[4] = _mm256_or_si256(_mm256_srli_epi64(hi, 40), high);
	return m;
}

INLINE struct limbs add_limbs(const struct limbs *a, const struct limbs *b)
{
	struct limbs sum;

	for (unsigned i = 0; i < 5; i++)
		sum.v[i] = _mm256_add_epi64(a->v[i], b->v[i]);
	return sum;
}

/* sum += a r; s: 5 r. */
INLINE void multiply_add(struct limbs *sum, const struct limbs *a, const struct limbs *r, const vec *s)
{
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++) {
			vec by = k <= i ? r->v[i - k] : s[i + 5 - k];

			sum->v[i] = _mm256_add_epi64(sum->v[i], _mm256_mul_epu32(a->v[k], by));
		}
}

INLINE void carry_limb(struct limbs *x, unsigned from, unsigned to)
{
	vec c = _mm256_srli_epi64(x->v[from], 26);

	x->v[from] = _mm256_and_si256(x->v[from], LIMB_MASK);
	if (to == 0)
		c = _mm256_add_epi64(c, _mm256_slli_epi64(c, 2)); /* 2^130 = 5 */
	x->v[to] = _mm256_add_epi64(x->v[to], c);
}

/* Two chains side by side; limbs come out below 2^26, but for the second and the last: a little above. */
INLINE void carry_limbs(struct limbs *x)
{
	carry_limb(x, 3, 4);
	carry_limb(x, 0, 1);
	carry_limb(x, 4, 0);
	carry_limb(x, 1, 2);
	carry_limb(x, 2, 3);
	carry_limb(x, 0, 1);
	carry_limb(x, 3, 4);
}

INLINE void times_five(vec *s, const struct limbs *r)
{
	for (unsigned i = 0; i < 5; i++)
		s[i] = _mm256_add_epi64(r->v[i], _mm256_slli_epi64(r->v[i], 2));
}

static void quad_begin(struct quad *q, const struct mac_job *jobs)
{
	const uint8_t *at[4] = {jobs[0].otk, jobs[1].otk, jobs[2].otk, jobs[3].otk};

	/* clamped, RFC 8439 §2.5, limb by limb */
	static const int64_t clamp[5] = {0x3ffffff, 0x3ffff03, 0x3ffc0ff, 0x3f03fff, 0x00fffff};

	q->r = load_limbs(at, _mm256_setzero_si256());
	for (unsigned i = 0; i < 5; i++) {
		q->r.v[i] = _mm256_and_si256(q->r.v[i], _mm256_set1_epi64x(clamp[i]));
		q->h.v[i] = _mm256_setzero_si256();
	}
	times_five(q->s, &q->r);
}

static void quad_square(struct quad *q)
{
	memset(&q->r_2, 0, sizeof(q->r_2));
	multiply_add(&q->r_2, &q->r, &q->r, q->s);
	carry_limbs(&q->r_2);
	times_five(q->s_2, &q->r_2);
}

#define HIGH_BIT _mm256_set1_epi64x(1 << 24) /* 2^128, in the last limb */

/* h = (h + m) r */
INLINE struct limbs step_one(const struct quad *q, const uint8_t *const *at)
{
	struct limbs m = load_limbs(at, HIGH_BIT), sum = {{_mm256_setzero_si256()}};

	m = add_limbs(&m, &q->h);
	for (unsigned i = 0; i < 5; i++)
		sum.v[i] = _mm256_setzero_si256();
	multiply_add(&sum, &m, &q->r, q->s);
	carry_limbs(&sum);
	return sum;
}

/* h = (h + m) r^2 + m' r, m' being the block behind m */
INLINE void step_two(struct quad *q, const uint8_t *const *data, size_t offset)
{
	const uint8_t *at[4], *behind[4];
	struct limbs m, sum;

	for (unsigned i = 0; i < 4; i++) {
		at[i] = data[i] + offset;
		behind[i] = at[i] + POLY_BLOCK_LEN;
	}
	for (unsigned i = 0; i < 5; i++)
		sum.v[i] = _mm256_setzero_si256();
	m = load_limbs(behind, HIGH_BIT);
	multiply_add(&sum, &m, &q->r, q->s);
	m = load_limbs(at, HIGH_BIT);
	m = add_limbs(&m, &q->h);
	multiply_add(&sum, &m, &q->r_2, q->s_2);
	carry_limbs(&sum);
	q->h = sum;
}

/* What follows a packet's whole blocks: a padded one if its length asks for it, and the length. */
struct ending {
	uint8_t blocks[2 * POLY_BLOCK_LEN];
	uint32_t whole, count; /* blocks of the data; blocks in all */
};

static void make_ending(struct ending *e, const struct mac_job *job)
{
	uint32_t rest = job->len % POLY_BLOCK_LEN;
	unsigned at = rest > 0;

	memset(e->blocks, 0, sizeof(e->blocks));
	copy_tail(e->blocks, job->data + (job->len - rest), rest);
	poly_store64(e->blocks + at * POLY_BLOCK_LEN + 8, job->len);
	e->whole = job->len / POLY_BLOCK_LEN;
	e->count = e->whole + at + 1;
}

/* Block `index` of four packets, where they have one. */
static void step_some(struct quad *q, const struct mac_job *jobs, const struct ending *ends, uint32_t index)
{
	const uint8_t *at[4];
	int64_t has[4];
	struct limbs h;
	vec mask;

	for (unsigned i = 0; i < 4; i++) {
		const struct ending *e = &ends[i];

		has[i] = -(int64_t)(index < e->count);
		if (index < e->whole)
			at[i] = jobs[i].data + (size_t)index * POLY_BLOCK_LEN;
		else
			at[i] = e->blocks + (index < e->count ? (index - e->whole) * POLY_BLOCK_LEN : 0);
	}
	mask = _mm256_setr_epi64x(has[0], has[1], has[2], has[3]);
	h = step_one(q, at);
	for (unsigned i = 0; i < 5; i++)
		q->h.v[i] = _mm256_blendv_epi8(q->h.v[i], h.v[i], mask);
}

static void quad_finish(const struct quad *q, const struct mac_job *jobs, unsigned n)
{
	uint64_t h[5][4] ALIGNED;

	for (unsigned i = 0; i < 5; i++)
		_mm256_store_si256((vec *)h[i], q->h.v[i]);
	for (unsigned k = 0; k < n; k++) {
		poly_u128 low = (poly_u128)h[0][k] + ((poly_u128)h[1][k] << 26) + ((poly_u128)h[2][k] << 52);
		poly_u128 high =
		    (uint64_t)(low >> 64) + ((poly_u128)h[3][k] << 14) + ((poly_u128)h[4][k] << 40);

		poly_finish(jobs[k].tag, (uint64_t)low, (uint64_t)high, (uint64_t)(high >> 64), jobs[k].otk);
	}
	memset(h, 0, sizeof(h));
	__asm__ volatile("" : : "r"(h) : "memory");
}

/* Two quads: 5 to 8 packets; those that are missing are the first once more. */
static void mac_lockstep(const struct mac_job *jobs, unsigned n)
{
	struct mac_job all[GROUP];
	struct ending ends[GROUP];
	const uint8_t *data[GROUP];
	struct quad q[2];
	uint32_t common, longest = 0;
	unsigned quads = n > 4 ? 2 : 1;

	for (unsigned i = 0; i < 4 * quads; i++) {
		all[i] = jobs[i < n ? i : n - 1];
		data[i] = all[i].data;
		make_ending(&ends[i], &all[i]);
		if (ends[i].count > longest)
			longest = ends[i].count;
	}
	common = ends[4 * quads - 1].whole & ~1u; /* the last is the shortest */
	for (unsigned k = 0; k < quads; k++)
		quad_begin(&q[k], all + 4 * k);
	if (common > 0) {
		for (unsigned k = 0; k < quads; k++)
			quad_square(&q[k]);
		if (quads == 2)
			for (uint32_t i = 0; i < common; i += 2) {
				step_two(&q[0], data, (size_t)i * POLY_BLOCK_LEN);
				step_two(&q[1], data + 4, (size_t)i * POLY_BLOCK_LEN);
			}
		else
			for (uint32_t i = 0; i < common; i += 2)
				step_two(&q[0], data, (size_t)i * POLY_BLOCK_LEN);
	}
	for (uint32_t i = common; i < longest; i++)
		for (unsigned k = 0; k < quads; k++)
			step_some(&q[k], all + 4 * k, ends + 4 * k, i);
	for (unsigned k = 0; k < quads; k++)
		quad_finish(&q[k], all + 4 * k, n - 4 * k < 4 ? n - 4 * k : 4);
	memset(q, 0, sizeof(q));
	__asm__ volatile("" : : "r"(q) : "memory");
}

static void mac_group(const struct mac_job *jobs, unsigned n)
{
	if (n > 2) {
		mac_lockstep(jobs, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		poly_authenticate(jobs[i].tag, jobs[i].otk, jobs[i].data, jobs[i].len);
}

static void wipe_registers(void)
{
	_mm256_zeroall();
}

static int probe(void)
{
	return isa_selected() >= ISA_AVX2 && __builtin_cpu_supports("bmi2") ? 0 : ERR_UNSUPPORTED;
}

const struct aead_burst_backend aead_burst_avx2 = {"avx2", probe, seal, open, NULL, NULL};
