/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wycheproof's vectors, when BYWAY_WYCHEPROOF names the folder that holds chacha20_poly1305_test.json and
 * xchacha20_poly1305_test.json (testvectors_v1 of its repository). XChaCha20 is ChaCha20 under a key and a
 * counter made of its nonce, so that its vectors without associated data reach each form of the burst cipher;
 * the others go through lib/crypto. What no call of ours can express (nonces that do not begin with 32 zero
 * bits) is counted.
 */
#include <jansson.h>
#include <sodium.h>

#include "lib/aead_burst_internal.h"
#include "lib/crypto.h"
#include "tests/unit/unit.h"

#define ROOM 1024u

static const struct aead_burst_backend *const forms[] = {
#ifdef __x86_64__
    &aead_burst_avx512_ifma,
    &aead_burst_avx2,
    &aead_burst_sse,
#endif
    &aead_burst_portable,
};

struct bytes {
	uint8_t p[ROOM];
	size_t len;
};

struct vector {
	int id;
	bool valid;
	struct bytes key, nonce, ad, plain, sealed; /* sealed: with its tag */
};

struct tally {
	unsigned burst, single, inexpressible;
};

static void read_hex(const json_t *test, const char *name, struct bytes *out, size_t at)
{
	const char *text = json_string_value(json_object_get(test, name));
	size_t len;

	assert_non_null(text);
	assert_true(strlen(text) / 2 + at <= ROOM);
	assert_int_equal(sodium_hex2bin(out->p + at, ROOM - at, text, strlen(text), NULL, &len, NULL), 0);
	out->len = at + len;
}

static void read_vector(const json_t *test, struct vector *v)
{
	v->id = (int)json_integer_value(json_object_get(test, "tcId"));
	v->valid = strcmp(json_string_value(json_object_get(test, "result")), "invalid") != 0;
	read_hex(test, "key", &v->key, 0);
	read_hex(test, "iv", &v->nonce, 0);
	read_hex(test, "aad", &v->ad, 0);
	read_hex(test, "msg", &v->plain, 0);
	read_hex(test, "ct", &v->sealed, 0);
	read_hex(test, "tag", &v->sealed, v->sealed.len);
}

static uint64_t read_le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* The vector at the last place of a burst, the same packet before it. */
static void run_burst(const struct vector *v, const uint8_t *key, uint64_t counter, unsigned n)
{
	static uint8_t room[AEAD_BURST_MAX][ROOM];
	uint32_t lens[AEAD_BURST_MAX], len = (uint32_t)v->sealed.len - 16;
	uint64_t counters[AEAD_BURST_MAX], all = (1ull << n) - 1;
	uint8_t *data[AEAD_BURST_MAX];

	for (size_t f = 0; f < UNIT_COUNT(forms); f++) {
		if (forms[f]->probe())
			continue;
		for (unsigned i = 0; i < n; i++) {
			data[i] = room[i];
			lens[i] = len;
			counters[i] = counter;
			memcpy(room[i], v->sealed.p, v->sealed.len);
		}
		if (forms[f]->open(key, counters, data, lens, n) != (v->valid ? all : 0))
			fail_msg("%s: vector %d", forms[f]->name, v->id);
		if (!v->valid)
			continue;
		for (unsigned i = 0; i < n; i++)
			assert_memory_equal(room[i], v->plain.p, len);
		forms[f]->seal(key, counters, data, lens, n);
		for (unsigned i = 0; i < n; i++)
			assert_memory_equal(room[i], v->sealed.p, v->sealed.len);
	}
}

static void check_single(const struct vector *v, int err, const uint8_t *opened, const uint8_t *sealed)
{
	if ((err == 0) != v->valid)
		fail_msg("lib/crypto: vector %d", v->id);
	if (!v->valid)
		return;
	assert_memory_equal(opened, v->plain.p, v->plain.len);
	assert_memory_equal(sealed, v->sealed.p, v->sealed.len);
}

static void run_chacha(const struct vector *v, struct tally *tally)
{
	uint8_t opened[ROOM], sealed[ROOM];
	uint64_t counter;

	if (v->nonce.len != 12 || !crypto_is_zero(v->nonce.p, 4)) {
		tally->inexpressible++;
		return;
	}
	counter = read_le64(v->nonce.p + 4);
	if (v->ad.len == 0) {
		for (unsigned n = 1; n <= 9; n++)
			run_burst(v, v->key.p, counter, n);
		tally->burst++;
	}
	crypto_seal_aead(sealed, v->key.p, counter, v->plain.p, v->plain.len, v->ad.p, v->ad.len);
	check_single(v,
	    crypto_open_aead(opened, v->key.p, counter, v->sealed.p, v->sealed.len, v->ad.p, v->ad.len),
	    opened, sealed);
	tally->single++;
}

static void run_xchacha(const struct vector *v, struct tally *tally)
{
	uint8_t opened[ROOM], sealed[ROOM], subkey[AEAD_BURST_KEY_LEN];

	if (v->nonce.len != CRYPTO_XNONCE_LEN) {
		tally->inexpressible++;
		return;
	}
	if (v->ad.len == 0) {
		crypto_core_hchacha20(subkey, v->nonce.p, v->key.p, NULL);
		for (unsigned n = 1; n <= 9; n++)
			run_burst(v, subkey, read_le64(v->nonce.p + 16), n);
		tally->burst++;
	}
	crypto_seal_xaead(sealed, v->key.p, v->nonce.p, v->plain.p, v->plain.len, v->ad.p, v->ad.len);
	check_single(v,
	    crypto_open_xaead(opened, v->key.p, v->nonce.p, v->sealed.p, v->sealed.len, v->ad.p, v->ad.len),
	    opened, sealed);
	tally->single++;
}

static void run_file(const char *name, void (*run)(const struct vector *v, struct tally *tally))
{
	static struct vector v;
	struct tally tally = {0};
	const json_t *group, *test;
	json_error_t error;
	char path[4096];
	size_t i, k;
	json_t *root;

	if (!getenv("BYWAY_WYCHEPROOF")) {
		print_message("BYWAY_WYCHEPROOF names no folder of vectors\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/%s", getenv("BYWAY_WYCHEPROOF"), name);
	root = json_load_file(path, 0, &error);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	json_array_foreach (json_object_get(root, "testGroups"), i, group)
		json_array_foreach (json_object_get(group, "tests"), k, test) {
			read_vector(test, &v);
			run(&v, &tally);
		}
	print_message(
	    "%s: %u through the forms of the burst cipher, %u through lib/crypto, %u with nonces that we "
	    "cannot express\n",
	    name, tally.burst, tally.single, tally.inexpressible);
	assert_true(tally.single > 0);
	json_decref(root);
}

static void test_wycheproof_chacha20(void **state)
{
	run_file("chacha20_poly1305_test.json", run_chacha);
}

static void test_wycheproof_xchacha20(void **state)
{
	run_file("xchacha20_poly1305_test.json", run_xchacha);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wycheproof_chacha20),
	    cmocka_unit_test(test_wycheproof_xchacha20),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
