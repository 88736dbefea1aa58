/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The burst cipher in plain C, packet by packet: for machines without a better form, and as what the others
 * are read against. RFC 8439 §2.3-2.8. Workers; nothing is kept between calls.
 */
#include <string.h>

#define POLY_PLAIN_C

#include "lib/aead_burst_internal.h"
#include "lib/aead_poly1305.h"
#include "lib/aead_secret.h"

#define SCRUB_LEN  1024 /* tests/unit/test_aead_stack.c */
#define BLOCK_LEN  64u
#define DIAG_WORDS 16u

struct chacha {
	uint32_t input[DIAG_WORDS];
};

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t rotate(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

/* RFC 8439 §2.1 */
static inline void quarter_round(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

static void chacha_begin(struct chacha *c, const uint8_t *key, uint64_t nonce)
{
	static const uint32_t sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(c->input, sigma, sizeof(sigma));
	for (unsigned i = 0; i < 8; i++)
		c->input[4 + i] = load32(key + 4 * i);
	c->input[12] = c->input[13] = 0;
	c->input[14] = (uint32_t)nonce;
	c->input[15] = (uint32_t)(nonce >> 32);
}

/* The next block of key stream; the counter goes on. */
static void chacha_make_block(struct chacha *c, uint8_t stream[BLOCK_LEN])
{
	uint32_t x[DIAG_WORDS];

	memcpy(x, c->input, sizeof(x));
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 4; k++)
			quarter_round(x, k, 4 + k, 8 + k, 12 + k);
		for (unsigned k = 0; k < 4; k++)
			quarter_round(x, k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4);
	}
	for (unsigned i = 0; i < DIAG_WORDS; i++)
		store32(stream + 4 * i, x[i] + c->input[i]);
	c->input[12]++;
}

static void chacha_apply(struct chacha *c, uint8_t *data, uint32_t len, uint8_t stream[BLOCK_LEN])
{
	while (len > 0) {
		uint32_t part = len < BLOCK_LEN ? len : BLOCK_LEN;

		chacha_make_block(c, stream);
		for (uint32_t i = 0; i < part; i++)
			data[i] ^= stream[i];
		data += part;
		len -= part;
	}
}

/* What a call works with. */
struct work {
	struct chacha c;
	uint8_t otk[BLOCK_LEN], stream[BLOCK_LEN], tag[AEAD_BURST_TAG_LEN];
};

/* What the calls below the caller left in their frames. */
static __attribute__((noinline)) void scrub_stack(void)
{
	uint8_t below[SCRUB_LEN];

	memset(below, 0, sizeof(below));
	__asm__ volatile("" : : "r"(below) : "memory");
}

static void wipe(struct work *w)
{
	memset(w, 0, sizeof(*w));
	__asm__ volatile("" : : "r"(w) : "memory");
	scrub_stack();
}

static __attribute__((noinline)) void seal_packets(struct work *w, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		chacha_begin(&w->c, key, counters[i]);
		chacha_make_block(&w->c, w->otk);
		chacha_apply(&w->c, data[i], lens[i], w->stream);
		poly_authenticate(data[i] + lens[i], w->otk, data[i], lens[i]);
	}
}

static __attribute__((noinline)) uint64_t open_packets(struct work *w, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint64_t authentic = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t right;

		chacha_begin(&w->c, key, counters[i]);
		chacha_make_block(&w->c, w->otk);
		poly_authenticate(w->tag, w->otk, data[i], lens[i]);
		right = poly_equal_tags(w->tag, data[i] + lens[i]);
		aead_declassify(&right, sizeof(right));
		authentic |= right << i;
		if (right)
			chacha_apply(&w->c, data[i], lens[i], w->stream);
	}
	return authentic;
}

static void seal(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct work w;

	seal_packets(&w, key, counters, data, lens, n);
	wipe(&w);
}

static uint64_t open(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint64_t authentic;
	struct work w;

	authentic = open_packets(&w, key, counters, data, lens, n);
	wipe(&w);
	return authentic;
}

static int probe(void)
{
	return 0;
}

const struct aead_burst_backend aead_burst_portable = {"portable", probe, seal, open, NULL, NULL};
