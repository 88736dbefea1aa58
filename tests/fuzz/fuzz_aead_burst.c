/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/aead_burst: each form against libsodium. An input is a seed of eight bytes for key and plaintext, then
 * five bytes a packet: length (two, at most 2048), counter (its lowest byte, and which edge it is near),
 * and the bit that is flipped before opening (0: none).
 */
#include "lib/aead_burst_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "tests/fuzz/fuzz.h"

#define SEED_LEN   8u
#define PACKET_LEN 5u
#define LEN_MAX	   2048u

static const struct aead_burst_backend *const forms[] = {
#ifdef __x86_64__
    &aead_burst_avx512_ifma,
    &aead_burst_avx2,
    &aead_burst_sse,
#endif
    &aead_burst_portable,
};

struct burst {
	uint8_t *data[AEAD_BURST_MAX], *plain[AEAD_BURST_MAX], *sealed[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX], wrong;
	uint32_t lens[AEAD_BURST_MAX], flips[AEAD_BURST_MAX];
	uint8_t key[AEAD_BURST_KEY_LEN];
	unsigned n;
};

static void fill(uint8_t *out, size_t len, uint64_t *state)
{
	for (size_t i = 0; i < len; i++) {
		*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		out[i] = (uint8_t)(*state >> 56);
	}
}

static void make_packet(struct burst *b, unsigned i, const uint8_t *in, uint64_t *state)
{
	static const uint64_t edges[] = {0, UINT64_C(0xffffff00), UINT64_C(0x7fffffffffffff00),
	    UINT64_C(0xffffffffffffff00), UINT64_C(0x0123456789abcd00)};
	uint32_t len = ((uint32_t)in[0] | (uint32_t)in[1] << 8) % (LEN_MAX + 1);

	b->lens[i] = len;
	b->counters[i] = edges[in[3] % 5] | in[2];
	b->flips[i] = in[4] ? in[4] * 8u * (len + 16) / 256 : 0;
	if (in[4])
		b->wrong |= 1ull << i;
	b->data[i] = malloc(len + 16u);
	b->plain[i] = malloc(len + 1u);
	b->sealed[i] = malloc(len + 16u);
	if (!b->data[i] || !b->plain[i] || !b->sealed[i])
		abort();
	fill(b->plain[i], len, state);
	crypto_seal_aead(b->sealed[i], b->key, b->counters[i], b->plain[i], len, NULL, 0);
}

static void check_form(const struct aead_burst_backend *form, struct burst *b)
{
	uint64_t all = b->n == 64 ? ~0ull : (1ull << b->n) - 1;

	for (unsigned i = 0; i < b->n; i++)
		memcpy(b->data[i], b->plain[i], b->lens[i]);
	form->seal(b->key, b->counters, b->data, b->lens, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		FUZZ_REQUIRE(memcmp(b->data[i], b->sealed[i], b->lens[i] + 16u) == 0);
		if (b->wrong >> i & 1)
			b->data[i][b->flips[i] / 8] ^= (uint8_t)(1u << b->flips[i] % 8);
	}
	FUZZ_REQUIRE(form->open(b->key, b->counters, b->data, b->lens, b->n) == (all & ~b->wrong));
	for (unsigned i = 0; i < b->n; i++)
		if (b->wrong >> i & 1)
			FUZZ_REQUIRE(b->lens[i] < 16 || memcmp(b->data[i], b->plain[i], b->lens[i]) != 0);
		else
			FUZZ_REQUIRE(memcmp(b->data[i], b->plain[i], b->lens[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct burst b = {.n = 0};
	uint64_t state;

	if (size < SEED_LEN || crypto_init())
		return 0;
	memcpy(&state, data, SEED_LEN);
	fill(b.key, sizeof(b.key), &state);
	for (size_t at = SEED_LEN; at + PACKET_LEN <= size && b.n < AEAD_BURST_MAX; at += PACKET_LEN)
		make_packet(&b, b.n++, data + at, &state);
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++)
		if (forms[f]->probe() == 0)
			check_form(forms[f], &b);
	for (unsigned i = 0; i < b.n; i++) {
		free(b.data[i]);
		free(b.plain[i]);
		free(b.sealed[i]);
	}
	return 0;
}
