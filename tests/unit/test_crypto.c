/* SPDX-License-Identifier: BSD-3-Clause */
/* Known answers for lib/crypto: RFC 7693, 7748, 8439, the XChaCha draft; HMAC and KDF against Python's hmac.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/crypto.h"
#include "lib/err.h"
#include "tests/unit/hex.h"

static void fill_sequence(uint8_t *out, size_t len, uint32_t seed)
{
	uint32_t a = 0xDEAD4BADu * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		uint32_t t = a + b;

		a = b;
		b = t;
		out[i] = (uint8_t)(t >> 24);
	}
}

/* RFC 7693 Appendix E: a hash over hashes of four sizes, six lengths, with and without key. */
static void test_blake2s_self_test(void **state)
{
	static const size_t out_lens[] = {16, 20, 28, 32}, in_lens[] = {0, 3, 64, 65, 255, 1024};
	uint8_t all[4 * 6 * 2 * 32], in[1024], key[32], got[32], want[32];
	size_t used = 0;

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 6; j++) {
			fill_sequence(in, in_lens[j], (uint32_t)in_lens[j]);
			crypto_digest_bytes(all + used, out_lens[i], NULL, 0, in, in_lens[j]);
			used += out_lens[i];
			fill_sequence(key, out_lens[i], (uint32_t)out_lens[i]);
			crypto_digest_bytes(all + used, out_lens[i], key, out_lens[i], in, in_lens[j]);
			used += out_lens[i];
		}
	}
	crypto_digest_bytes(got, 32, NULL, 0, all, used);
	hex_parse("6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe", want, sizeof(want));
	assert_memory_equal(got, want, 32);
}

static void test_blake2s_parts(void **state)
{
	const struct crypto_bytes parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	uint8_t got[32], want[32];

	crypto_digest_parts(got, 32, NULL, 0, parts, 3);
	hex_parse("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982", want, sizeof(want));
	assert_memory_equal(got, want, 32);
}

static void test_hmac(void **state)
{
	const struct crypto_bytes text = {"what do ya want for nothing?", 28},
				  text2 = {"Test Using Larger Than Block-Size Key - Hash Key First", 54};
	uint8_t key[131], got[32], want[32];

	for (uint8_t i = 0; i < 32; i++)
		key[i] = i;
	crypto_hmac_parts(got, key, 32, &text, 1);
	hex_parse("14229dde9cdbd4dd31b1a703ac36832ecc9177e0ba0d4632568515aaec7e401f", want, sizeof(want));
	assert_memory_equal(got, want, 32);
	memset(key, 0xaa, sizeof(key));
	crypto_hmac_parts(got, key, sizeof(key), &text2, 1);
	hex_parse("d23d79394f53d536a096e6514447eeaabb05ded01be32c1937da6a8f7103bc4e", want, sizeof(want));
	assert_memory_equal(got, want, 32);
}

static void test_kdf(void **state)
{
	uint8_t ck[32], t1[32], t3[32], want[3][32];

	for (uint8_t i = 0; i < 32; i++)
		ck[i] = i;
	hex_parse("bbbf107737f174d3253adc079a035fde7ef930c4237fb81f2af33cbc907ba621", want[0], 32);
	hex_parse("6cb26dffa7e189ae48fb118a6fc28947d54b58ebc185a028603433583d0f01b4", want[1], 32);
	hex_parse("518b1b1a30c8c9b0ea17ec3a35b22f551cb7e8f710f6c3ce535f5955eb7db71a", want[2], 32);
	crypto_derive_keys((uint8_t *const[]){t1, NULL, t3}, 3, ck, "byway", 5);
	assert_memory_equal(t1, want[0], 32);
	assert_memory_equal(t3, want[2], 32);
	/* The chaining key may be overwritten in the same call. */
	crypto_derive_keys((uint8_t *const[]){ck, t3}, 2, ck, "byway", 5);
	assert_memory_equal(ck, want[0], 32);
	assert_memory_equal(t3, want[1], 32);
}

/* RFC 7748 §5.2: the single vector, then the iteration after 1 and 1,000 rounds. */
static void test_x25519(void **state)
{
	uint8_t k[32], u[32], got[32], want[32];

	hex_parse("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", k, 32);
	hex_parse("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", u, 32);
	hex_parse("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", want, 32);
	assert_int_equal(crypto_agree_shared(got, k, u), 0);
	assert_memory_equal(got, want, 32);
	memset(k, 0, 32);
	k[0] = 9;
	crypto_derive_public(got, k);
	hex_parse("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", want, 32);
	assert_memory_equal(got, want, 32);
	memcpy(u, k, 32);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(crypto_agree_shared(got, k, u), 0);
		memcpy(u, k, 32);
		memcpy(k, got, 32);
	}
	hex_parse("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", want, 32);
	assert_memory_equal(k, want, 32);
}

/* Points of low order: 0, 1, p - 1, p, p + 1, and one of order 8. */
static void test_x25519_low_order(void **state)
{
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	uint8_t k[32], u[32], got[32];

	memset(k, 0x55, sizeof(k));
	crypto_clamp_private(k);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		hex_parse(points[i], u, 32);
		memset(got, 0xff, sizeof(got));
		assert_int_equal(crypto_agree_shared(got, k, u), ERR_AUTH);
		assert_true(crypto_is_zero(got, 32));
	}
}

static const char rfc8439_sealed[] =
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
    "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
    "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9"
    "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
    "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
    "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38";

/* RFC 8439 Appendix A.5, whose nonce has WireGuard's form; then each byte altered, each length cut. */
static void test_aead(void **state)
{
	uint8_t key[32], ad[12], sealed[512], plain[512], again[512];
	uint64_t counter = 0x0807060504030201ull;
	size_t len;

	hex_parse("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", key, 32);
	hex_parse("f33388860000000000004e91", ad, 12);
	len = hex_parse(rfc8439_sealed, sealed, sizeof(sealed));
	assert_int_equal(len, 265 + 16);
	assert_int_equal(crypto_open_aead(plain, key, counter, sealed, len, ad, 12), 0);
	assert_memory_equal(plain, "Internet-Drafts are draft documents", 35);
	crypto_seal_aead(again, key, counter, plain, 265, ad, 12);
	assert_memory_equal(again, sealed, len);
	for (size_t i = 0; i < len; i++) {
		sealed[i] ^= 1;
		assert_int_equal(crypto_open_aead(plain, key, counter, sealed, len, ad, 12), ERR_AUTH);
		sealed[i] ^= 1;
		assert_int_equal(crypto_open_aead(plain, key, counter, sealed, i, ad, 12), ERR_AUTH);
	}
	ad[0] ^= 1;
	assert_int_equal(crypto_open_aead(plain, key, counter, sealed, len, ad, 12), ERR_AUTH);
	ad[0] ^= 1;
	assert_int_equal(crypto_open_aead(plain, key, counter + 1, sealed, len, ad, 12), ERR_AUTH);
}

/* draft-irtf-cfrg-xchacha-03 Appendix A.3.1. */
static void test_xaead(void **state)
{
	static const char text[] =
	    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
	    "for the future, sunscreen would be it.";
	uint8_t key[32], nonce[24], ad[12], want[130], got[130], plain[114];

	for (uint8_t i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (uint8_t i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	hex_parse("50515253c0c1c2c3c4c5c6c7", ad, 12);
	assert_int_equal(
	    hex_parse(
		"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4e"
		"da7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b23"
		"83565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
		want, sizeof(want)),
	    130);
	crypto_seal_xaead(got, key, nonce, text, 114, ad, 12);
	assert_memory_equal(got, want, 130);
	assert_int_equal(crypto_open_xaead(plain, key, nonce, got, 130, ad, 12), 0);
	assert_memory_equal(plain, text, 114);
	got[3] ^= 0x80;
	assert_int_equal(crypto_open_xaead(plain, key, nonce, got, 130, ad, 12), ERR_AUTH);
}

static void test_key_texts(void **state)
{
	char text[CRYPTO_KEY_STRLEN], hex[CRYPTO_HEX_STRLEN];
	uint8_t key[32], got[32];

	for (unsigned round = 0; round < 100; round++) {
		crypto_fill_random(key, sizeof(key));
		crypto_format_base64(text, key);
		assert_int_equal(strlen(text), 44);
		assert_int_equal(crypto_parse_base64(got, text, 44), 0);
		assert_memory_equal(got, key, 32);
		crypto_format_hex(hex, key);
		assert_int_equal(crypto_parse_hex(got, hex, 64), 0);
		assert_memory_equal(got, key, 32);
	}
	memset(key, 0x11, sizeof(key));
	for (size_t len = 0; len < 44; len++)
		assert_int_equal(crypto_parse_base64(got, text, len), ERR_INVALID);
	for (size_t len = 0; len < 64; len++)
		assert_int_equal(crypto_parse_hex(got, hex, len), ERR_INVALID);
	memcpy(got, key, 32);
	memset(text, 'A', 44);
	assert_int_equal(crypto_parse_base64(got, text, 44), ERR_INVALID); /* no padding: 33 bytes */
	text[43] = '=';
	assert_int_equal(crypto_parse_base64(got, text, 44), 0);
	text[42] = 'B'; /* stray bits */
	assert_int_equal(crypto_parse_base64(got, text, 44), ERR_INVALID);
	text[42] = '=';
	assert_int_equal(crypto_parse_base64(got, text, 44), ERR_INVALID);
	memcpy(text + 40, "AA*=", 4);
	assert_int_equal(crypto_parse_base64(got, text, 44), ERR_INVALID);
	hex[7] = 'g';
	assert_int_equal(crypto_parse_hex(got, hex, 64), ERR_INVALID);
}

static void test_small_tools(void **state)
{
	uint8_t a[40], b[40];

	crypto_fill_random(a, sizeof(a));
	memcpy(b, a, sizeof(b));
	assert_true(crypto_equal(a, b, sizeof(a)));
	b[39] ^= 1;
	assert_false(crypto_equal(a, b, sizeof(a)));
	assert_false(crypto_is_zero(a, sizeof(a)));
	crypto_wipe(a, sizeof(a));
	assert_true(crypto_is_zero(a, sizeof(a)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blake2s_self_test),
	    cmocka_unit_test(test_blake2s_parts),
	    cmocka_unit_test(test_hmac),
	    cmocka_unit_test(test_kdf),
	    cmocka_unit_test(test_x25519),
	    cmocka_unit_test(test_x25519_low_order),
	    cmocka_unit_test(test_aead),
	    cmocka_unit_test(test_xaead),
	    cmocka_unit_test(test_key_texts),
	    cmocka_unit_test(test_small_tools),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
