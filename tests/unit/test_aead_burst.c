/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each form of the burst cipher against libsodium and OpenSSL: lengths, bursts, alignments, failures at every
 * place of a burst, every bit flipped. BYWAY_AEAD_SWEEP=full takes every length of 0-2048 with every burst of
 * 1-64 (minutes), otherwise each length meets two bursts.
 */
#include <openssl/evp.h>

#include "lib/aead_burst_internal.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "tests/unit/aead_edges.h"
#include "tests/unit/unit.h"

#define LEN_MAX 2048u

static void seal_chosen(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	aead_burst_seal(key, counters, data, lens, n);
}

static uint64_t open_chosen(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	return aead_burst_open(key, counters, data, lens, n);
}

static int probe_sodium(void)
{
	return aead_burst_init("sodium");
}

static const struct aead_burst_backend by_table = {"sodium", probe_sodium, seal_chosen, open_chosen, NULL, NULL};

static const struct aead_burst_backend *const forms[] = {
#ifdef __x86_64__
    &aead_burst_avx512_ifma,
    &aead_burst_avx2,
    &aead_burst_sse,
#endif
    &aead_burst_portable,
    &by_table,
};

static EVP_CIPHER_CTX *evp;

struct packet {
	uint8_t *base, *data; /* data ends where the memory does: the sanitizer sees a byte too far */
	uint8_t *plain, *sealed;
};

struct burst {
	struct packet packets[AEAD_BURST_MAX];
	uint8_t *data[AEAD_BURST_MAX];
	uint64_t counters[AEAD_BURST_MAX];
	uint32_t lens[AEAD_BURST_MAX];
	uint8_t key[AEAD_BURST_KEY_LEN];
	unsigned n;
};

static void seal_openssl(uint8_t *out, const uint8_t *key, uint64_t counter, const uint8_t *in, int len)
{
	uint8_t nonce[12] = {0};
	int done;

	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (8 * i));
	assert_true(EVP_EncryptInit_ex(evp, NULL, NULL, key, nonce));
	assert_true(EVP_EncryptUpdate(evp, out, &done, in, len) && done == len);
	assert_true(EVP_EncryptFinal_ex(evp, out + len, &done));
	assert_true(EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_GET_TAG, 16, out + len));
}

static uint64_t random_counter(uint64_t *state)
{
	static const uint64_t edges[] = {0, 1, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
	    0x8000000000000000, UINT64_MAX - 1, UINT64_MAX, UINT64_C(0xffffffff00000000)};
	uint64_t random = unit_random(state);

	return random % 4 == 0 ? edges[random / 4 % UNIT_COUNT(edges)] : random;
}

/* lens and n are set; makes the rest, sealed by libsodium and by OpenSSL alike. */
static void make_burst(struct burst *b, uint64_t *state)
{
	uint8_t check[LEN_MAX + 16];

	for (unsigned i = 0; i < sizeof(b->key); i++)
		b->key[i] = (uint8_t)(unit_random(state) >> 32);
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		uint32_t len = b->lens[i], off = (uint32_t)(unit_random(state) >> 32) % 16;

		b->counters[i] = random_counter(state);
		p->base = malloc(off + len + 16u);
		p->plain = malloc(len + 8u);
		p->sealed = malloc(len + 16u);
		b->data[i] = p->data = p->base + off;
		for (uint32_t at = 0; at < len; at += 8) {
			uint64_t random = unit_random(state);

			memcpy(p->plain + at, &random, 8);
		}
		crypto_seal_aead(p->sealed, b->key, b->counters[i], p->plain, len, NULL, 0);
		seal_openssl(check, b->key, b->counters[i], p->plain, (int)len);
		assert_memory_equal(check, p->sealed, len + 16u);
	}
}

static void free_burst(struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		free(b->packets[i].base);
		free(b->packets[i].plain);
		free(b->packets[i].sealed);
	}
}

static uint64_t all_of(unsigned n)
{
	return n == 64 ? ~0ull : (1ull << n) - 1;
}

static void check_seal(const struct aead_burst_backend *form, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++)
		memcpy(b->data[i], b->packets[i].plain, b->lens[i]);
	form->seal(b->key, b->counters, b->data, b->lens, b->n);
	for (unsigned i = 0; i < b->n; i++)
		if (memcmp(b->data[i], b->packets[i].sealed, b->lens[i] + 16u) != 0)
			fail_msg(
			    "%s seals packet %u of %u, length %u, wrongly", form->name, i, b->n, b->lens[i]);
}

/* No eight bytes of the plaintext in their place; fewer may be equal by chance. */
static void check_nothing_released(const struct aead_burst_backend *form, const struct burst *b, unsigned i)
{
	for (uint32_t at = 0; at + 8 <= b->lens[i]; at++)
		if (memcmp(b->data[i] + at, b->packets[i].plain + at, 8) == 0)
			fail_msg("%s releases plaintext of a wrong packet: %u of %u, byte %u of %u",
			    form->name, i, b->n, at, b->lens[i]);
}

/* broken: packets in which one bit is wrong, flips[i] says which. */
static void check_open(
    const struct aead_burst_backend *form, struct burst *b, uint64_t broken, const uint32_t *flips)
{
	uint64_t authentic;

	for (unsigned i = 0; i < b->n; i++) {
		memcpy(b->data[i], b->packets[i].sealed, b->lens[i] + 16u);
		if (broken >> i & 1)
			b->data[i][flips[i] / 8] ^= (uint8_t)(1u << flips[i] % 8);
	}
	authentic = form->open(b->key, b->counters, b->data, b->lens, b->n);
	if (authentic != (all_of(b->n) & ~broken))
		fail_msg("%s opens %#llx of %u packets, broken are %#llx", form->name,
		    (unsigned long long)authentic, b->n, (unsigned long long)broken);
	for (unsigned i = 0; i < b->n; i++) {
		if (broken >> i & 1)
			check_nothing_released(form, b, i);
		else if (memcmp(b->data[i], b->packets[i].plain, b->lens[i]) != 0)
			fail_msg(
			    "%s opens packet %u of %u, length %u, wrongly", form->name, i, b->n, b->lens[i]);
	}
}

static void check_forms(struct burst *b, uint64_t broken, const uint32_t *flips)
{
	for (unsigned i = 0; i < UNIT_COUNT(forms); i++) {
		if (forms[i]->probe())
			continue;
		check_seal(forms[i], b);
		check_open(forms[i], b, 0, NULL);
		if (broken)
			check_open(forms[i], b, broken, flips);
	}
}

/* n lengths, one of them len at a random place, the others in one of several relations to it. */
static void choose_lens(struct burst *b, uint32_t len, unsigned n, uint64_t *state)
{
	uint64_t kind = unit_random(state) >> 60;

	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		uint32_t random = (uint32_t)(unit_random(state) >> 32);

		if (kind < 4)
			b->lens[i] = len;
		else if (kind < 8)
			b->lens[i] = random % (len + 1);
		else if (kind < 10)
			b->lens[i] = (random % (len + 1)) & ~15u;
		else if (kind < 13)
			b->lens[i] = random % 2 ? len : random / 2 % 100;
		else
			b->lens[i] = random % (LEN_MAX + 1);
	}
	b->lens[(unit_random(state) >> 32) % n] = len;
}

static void sweep_one(uint32_t len, unsigned n, uint64_t *state)
{
	uint32_t flips[AEAD_BURST_MAX];
	uint64_t broken = 0;
	struct burst b;

	choose_lens(&b, len, n, state);
	make_burst(&b, state);
	if (len % 4 == 0)
		broken = unit_random(state) & all_of(n);
	for (unsigned i = 0; i < n; i++)
		flips[i] = (uint32_t)(unit_random(state) >> 32) % (8 * (b.lens[i] + 16));
	check_forms(&b, broken, flips);
	free_burst(&b);
}

static void test_lengths_and_bursts(void **state)
{
	const char *how = getenv("BYWAY_AEAD_SWEEP");
	uint64_t random = 0x5eed;

	for (uint32_t len = 0; len <= LEN_MAX; len++) {
		if (how && strcmp(how, "full") == 0) {
			for (unsigned n = 1; n <= AEAD_BURST_MAX; n++)
				sweep_one(len, n, &random);
		} else {
			sweep_one(len, 1 + len % 9, &random);
			sweep_one(len, 1 + (len * 37) % AEAD_BURST_MAX, &random);
		}
	}
}

/* One wrong packet at each place of each burst. */
static void test_wrong_tag_anywhere(void **state)
{
	uint64_t random = 0x7a6;
	struct burst b;

	for (b.n = 1; b.n <= AEAD_BURST_MAX; b.n++) {
		uint32_t flips[AEAD_BURST_MAX];

		for (unsigned i = 0; i < b.n; i++)
			b.lens[i] = (uint32_t)(unit_random(&random) >> 32) % 150;
		make_burst(&b, &random);
		for (unsigned i = 0; i < b.n; i++)
			flips[i] = b.lens[i] * 8 + (uint32_t)(unit_random(&random) >> 32) % 128;
		for (unsigned k = 0; k < UNIT_COUNT(forms); k++) {
			if (forms[k]->probe())
				continue;
			for (unsigned i = 0; i < b.n; i++)
				check_open(forms[k], &b, 1ull << i, flips);
			check_open(forms[k], &b, all_of(b.n), flips);
		}
		free_burst(&b);
	}
}

/* Each bit of a packet and its tag in turn, 64 of them a burst. */
static void test_flipped_bits(void **state)
{
	static const uint32_t lens[] = {0, 1, 15, 16, 17, 63, 64, 65, 129, 520};
	uint64_t random = 0xb17;

	for (unsigned k = 0; k < UNIT_COUNT(lens); k++) {
		uint32_t bits = 8 * (lens[k] + 16), flips[AEAD_BURST_MAX];
		struct burst b = {.n = AEAD_BURST_MAX};

		for (unsigned i = 0; i < b.n; i++)
			b.lens[i] = lens[k];
		make_burst(&b, &random);
		for (uint32_t first = 0; first < bits; first += AEAD_BURST_MAX) {
			for (unsigned i = 0; i < b.n; i++)
				flips[i] = (first + i) % bits;
			for (unsigned f = 0; f < UNIT_COUNT(forms); f++)
				if (!forms[f]->probe())
					check_open(forms[f], &b, all_of(b.n), flips);
		}
		free_burst(&b);
	}
}

/* Another counter or another key opens nothing. */
static void test_wrong_counter_and_key(void **state)
{
	struct burst b = {.n = 9};
	uint64_t random = 0xc0;

	for (unsigned i = 0; i < b.n; i++)
		b.lens[i] = 40 * i;
	make_burst(&b, &random);
	for (unsigned f = 0; f < UNIT_COUNT(forms); f++) {
		if (forms[f]->probe())
			continue;
		for (unsigned bit = 0; bit < 64; bit++) {
			for (unsigned i = 0; i < b.n; i++) {
				memcpy(b.data[i], b.packets[i].sealed, b.lens[i] + 16u);
				b.counters[i] ^= 1ull << bit;
			}
			assert_int_equal(forms[f]->open(b.key, b.counters, b.data, b.lens, b.n), 0);
			for (unsigned i = 0; i < b.n; i++)
				b.counters[i] ^= 1ull << bit;
		}
		for (unsigned bit = 0; bit < 256; bit++) {
			b.key[bit / 8] ^= (uint8_t)(1u << bit % 8);
			for (unsigned i = 0; i < b.n; i++)
				memcpy(b.data[i], b.packets[i].sealed, b.lens[i] + 16u);
			assert_int_equal(forms[f]->open(b.key, b.counters, b.data, b.lens, b.n), 0);
			b.key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	free_burst(&b);
}

static void test_nothing(void **state)
{
	const uint8_t key[AEAD_BURST_KEY_LEN] = {0};

	aead_burst_seal(key, NULL, NULL, NULL, 0);
	assert_int_equal(aead_burst_open(key, NULL, NULL, NULL, 0), 0);
}

/*
 * Packets whose Poly1305 sum ends at the edges of its reduction (see gen_aead_edges.py): 0-4, where a sum may
 * still stand above the prime, the prime's own neighbourhood, and limbs of all ones. Each alone and in
 * bursts.
 */
static void test_poly1305_edges(void **state)
{
	for (unsigned n = 1; n <= AEAD_EDGES; n += n < 4 ? 1 : 5)
		for (unsigned f = 0; f < UNIT_COUNT(forms); f++) {
			if (forms[f]->probe())
				continue;
			for (unsigned from = 0; from + n <= AEAD_EDGES; from++) {
				uint8_t room[AEAD_EDGES][AEAD_EDGE_LEN + 16], *data[AEAD_EDGES];
				uint64_t counters[AEAD_EDGES];
				uint32_t lens[AEAD_EDGES];

				for (unsigned i = 0; i < n; i++) {
					const struct aead_edge *e = &aead_edges[from + i];

					memcpy(room[i], e->sealed, e->len + 16);
					data[i] = room[i];
					counters[i] = e->counter;
					lens[i] = e->len;
				}
				assert_true(
				    forms[f]->open(aead_edge_key, counters, data, lens, n) == all_of(n));
				forms[f]->seal(aead_edge_key, counters, data, lens, n);
				for (unsigned i = 0; i < n; i++)
					assert_memory_equal(
					    room[i], aead_edges[from + i].sealed, lens[i] + 16);
			}
		}
}

/* RFC 8439 §A.1 #2 and §A.2 #2: key streams that begin with block 1. */
static void test_rfc8439(void **state)
{
	static const char text[] =
	    "Any submission to the IETF intended by the Contributor for publication as all or part of an "
	    "IETF "
	    "Internet-Draft or RFC and any statement made within the context of an IETF activity is "
	    "considered "
	    "an \"IETF Contribution\". Such statements include oral statements in IETF sessions, as well as "
	    "written and electronic communications made at any time or place, which are addressed to";
	static const uint8_t a1_2[] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c,
	    0x73, 0x2d, 0x08, 0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e,
	    0x32, 0xee, 0x7a, 0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0,
	    0x74, 0xd8, 0x39, 0xd5, 0x31, 0xed, 0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f,
	    0x4b, 0x79, 0x4d, 0x6f};
	static const uint8_t a2_2[] = {0xa3, 0xfb, 0xf0, 0x7d, 0xf3, 0xfa, 0x2f, 0xde, 0x4f, 0x37, 0x6c, 0xa2,
	    0x3e, 0x82, 0x73, 0x70, 0x41, 0x60, 0x5d, 0x9f, 0x4f, 0x4f, 0x57, 0xbd, 0x8c, 0xff, 0x2c, 0x1d,
	    0x4b, 0x79, 0x55, 0xec, 0x2a, 0x97, 0x94, 0x8b, 0xd3, 0x72, 0x29, 0x15, 0xc8, 0xf3, 0xd3, 0x37,
	    0xf7, 0xd3, 0x70, 0x05, 0x0e, 0x9e, 0x96, 0xd6, 0x47, 0xb7, 0xc3, 0x9f, 0x56, 0xe0, 0x31, 0xca,
	    0x5e, 0xb6, 0x25, 0x0d, 0x40, 0x42, 0xe0, 0x27, 0x85, 0xec, 0xec, 0xfa, 0x4b, 0x4b, 0xb5, 0xe8,
	    0xea, 0xd0, 0x44, 0x0e, 0x20, 0xb6, 0xe8, 0xdb, 0x09, 0xd8, 0x81, 0xa7, 0xc6, 0x13, 0x2f, 0x42,
	    0x0e, 0x52, 0x79, 0x50, 0x42, 0xbd, 0xfa, 0x77, 0x73, 0xd8, 0xa9, 0x05, 0x14, 0x47, 0xb3, 0x29,
	    0x1c, 0xe1, 0x41, 0x1c, 0x68, 0x04, 0x65, 0x55, 0x2a, 0xa6, 0xc4, 0x05, 0xb7, 0x76, 0x4d, 0x5e,
	    0x87, 0xbe, 0xa8, 0x5a, 0xd0, 0x0f, 0x84, 0x49, 0xed, 0x8f, 0x72, 0xd0, 0xd6, 0x62, 0xab, 0x05,
	    0x26, 0x91, 0xca, 0x66, 0x42, 0x4b, 0xc8, 0x6d, 0x2d, 0xf8, 0x0e, 0xa4, 0x1f, 0x43, 0xab, 0xf9,
	    0x37, 0xd3, 0x25, 0x9d, 0xc4, 0xb2, 0xd0, 0xdf, 0xb4, 0x8a, 0x6c, 0x91, 0x39, 0xdd, 0xd7, 0xf7,
	    0x69, 0x66, 0xe9, 0x28, 0xe6, 0x35, 0x55, 0x3b, 0xa7, 0x6c, 0x5c, 0x87, 0x9d, 0x7b, 0x35, 0xd4,
	    0x9e, 0xb2, 0xe6, 0x2b, 0x08, 0x71, 0xcd, 0xac, 0x63, 0x89, 0x39, 0xe2, 0x5e, 0x8a, 0x1e, 0x0e,
	    0xf9, 0xd5, 0x28, 0x0f, 0xa8, 0xca, 0x32, 0x8b, 0x35, 0x1c, 0x3c, 0x76, 0x59, 0x89, 0xcb, 0xcf,
	    0x3d, 0xaa, 0x8b, 0x6c, 0xcc, 0x3a, 0xaf, 0x9f, 0x39, 0x79, 0xc9, 0x2b, 0x37, 0x20, 0xfc, 0x88,
	    0xdc, 0x95, 0xed, 0x84, 0xa1, 0xbe, 0x05, 0x9c, 0x64, 0x99, 0xb9, 0xfd, 0xa2, 0x36, 0xe7, 0xe8,
	    0x18, 0xb0, 0x4b, 0x0b, 0xc3, 0x9c, 0x1e, 0x87, 0x6b, 0x19, 0x3b, 0xfe, 0x55, 0x69, 0x75, 0x3f,
	    0x88, 0x12, 0x8c, 0xc0, 0x8a, 0xaa, 0x9b, 0x63, 0xd1, 0xa1, 0x6f, 0x80, 0xef, 0x25, 0x54, 0xd7,
	    0x18, 0x9c, 0x41, 0x1f, 0x58, 0x69, 0xca, 0x52, 0xc5, 0xb8, 0x3f, 0xa3, 0x6f, 0xf2, 0x16, 0xb9,
	    0xc1, 0xd3, 0x00, 0x62, 0xbe, 0xbc, 0xfd, 0x2d, 0xc5, 0xbc, 0xe0, 0x91, 0x19, 0x34, 0xfd, 0xa7,
	    0x9a, 0x86, 0xf6, 0xe6, 0x98, 0xce, 0xd7, 0x59, 0xc3, 0xff, 0x9b, 0x64, 0x77, 0x33, 0x8f, 0x3d,
	    0xa4, 0xf9, 0xcd, 0x85, 0x14, 0xea, 0x99, 0x82, 0xcc, 0xaf, 0xb3, 0x41, 0xb2, 0x38, 0x4d, 0xd9,
	    0x02, 0xf3, 0xd1, 0xab, 0x7a, 0xc6, 0x1d, 0xd2, 0x9c, 0x6f, 0x21, 0xba, 0x5b, 0x86, 0x2f, 0x37,
	    0x30, 0xe3, 0x7c, 0xfd, 0xc4, 0xfd, 0x80, 0x6c, 0x22, 0xf2, 0x21};
	uint8_t key[AEAD_BURST_KEY_LEN] = {0}, room[sizeof(text) + 16], *data[1] = {room};
	uint64_t counter;
	uint32_t len;

	for (unsigned f = 0; f < UNIT_COUNT(forms); f++) {
		if (forms[f]->probe())
			continue;
		key[31] = 0;
		counter = 0;
		len = sizeof(a1_2);
		memset(room, 0, sizeof(room));
		forms[f]->seal(key, &counter, data, &len, 1);
		assert_memory_equal(room, a1_2, sizeof(a1_2));
		key[31] = 1;
		counter = UINT64_C(2) << 56; /* the nonce's last byte */
		len = sizeof(text) - 1;
		assert_int_equal(len, sizeof(a2_2));
		memcpy(room, text, len);
		forms[f]->seal(key, &counter, data, &len, 1);
		assert_memory_equal(room, a2_2, sizeof(a2_2));
	}
}

static void test_choice(void **state)
{
	assert_int_equal(aead_burst_init("no such"), ERR_NOENT);
	for (unsigned f = 0; f < UNIT_COUNT(forms); f++) {
		if (forms[f]->probe()) {
			assert_int_equal(aead_burst_init(forms[f]->name), ERR_UNSUPPORTED);
			continue;
		}
		assert_int_equal(aead_burst_init(forms[f]->name), 0);
		assert_string_equal(aead_burst_name(), forms[f]->name);
	}
	assert_int_equal(aead_burst_init(NULL), 0);
	assert_non_null(aead_burst_name());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths_and_bursts),
	    cmocka_unit_test(test_wrong_tag_anywhere),
	    cmocka_unit_test(test_flipped_bits),
	    cmocka_unit_test(test_wrong_counter_and_key),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_poly1305_edges),
	    cmocka_unit_test(test_rfc8439),
	    cmocka_unit_test(test_choice),
	};
	int failed;

	evp = EVP_CIPHER_CTX_new();
	if (crypto_init() || !evp || !EVP_EncryptInit_ex(evp, EVP_chacha20_poly1305(), NULL, NULL, NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	EVP_CIPHER_CTX_free(evp);
	return failed;
}
