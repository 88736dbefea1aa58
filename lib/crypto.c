/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only file that includes libsodium and libb2. libsodium has no BLAKE2s
 * and no counter nonces of WireGuard's layout; both are put together here.
 */
#include "lib/crypto.h"

#include <assert.h>
#include <blake2.h>
#include <sodium.h>
#include <string.h>

#include "lib/err.h"

#define HMAC_BLOCK_LEN 64

int crypto_init(void)
{
	return sodium_init() < 0 ? ERR_IO : 0;
}

void crypto_fill_random(void *out, size_t len)
{
	randombytes_buf(out, len);
}

void crypto_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

bool crypto_is_zero(const void *p, size_t len)
{
	return sodium_is_zero(p, len) == 1;
}

void crypto_digest_parts(uint8_t *out, size_t out_len, const void *key, size_t key_len,
    const struct crypto_bytes *parts, unsigned n)
{
	blake2s_state state;
	int failed;

	failed =
	    key_len > 0 ? blake2s_init_key(&state, out_len, key, key_len) : blake2s_init(&state, out_len);
	assert(!failed);
	for (unsigned i = 0; i < n; i++)
		blake2s_update(&state, parts[i].p, parts[i].len);
	failed |= blake2s_final(&state, out, out_len);
	assert(!failed);
	(void)failed;
	crypto_wipe(&state, sizeof(state));
}

void crypto_digest_bytes(
    uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *data, size_t len)
{
	const struct crypto_bytes part = {data, len};

	crypto_digest_parts(out, out_len, key, key_len, &part, 1);
}

/* RFC 2104 §2: H(key ^ opad, H(key ^ ipad, text)). */
void crypto_hmac_parts(uint8_t out[CRYPTO_HASH_LEN], const void *key, size_t key_len,
    const struct crypto_bytes *parts, unsigned n)
{
	uint8_t pad[HMAC_BLOCK_LEN] = {0}, inner[CRYPTO_HASH_LEN];
	struct crypto_bytes all[5];

	assert(n + 1 <= sizeof(all) / sizeof(all[0]));
	if (key_len > sizeof(pad))
		crypto_digest_bytes(pad, CRYPTO_HASH_LEN, NULL, 0, key, key_len);
	else if (key_len > 0)
		memcpy(pad, key, key_len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	all[0] = (struct crypto_bytes){pad, sizeof(pad)};
	for (unsigned i = 0; i < n; i++)
		all[i + 1] = parts[i];
	crypto_digest_parts(inner, sizeof(inner), NULL, 0, all, n + 1);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	all[1] = (struct crypto_bytes){inner, sizeof(inner)};
	crypto_digest_parts(out, CRYPTO_HASH_LEN, NULL, 0, all, 2);
	crypto_wipe(pad, sizeof(pad));
	crypto_wipe(inner, sizeof(inner));
}

void crypto_derive_keys(
    uint8_t *const outs[], unsigned n, const uint8_t ck[CRYPTO_HASH_LEN], const void *input, size_t input_len)
{
	const struct crypto_bytes first = {input, input_len};
	uint8_t secret[CRYPTO_HASH_LEN], block[CRYPTO_HASH_LEN];

	assert(n >= 1 && n <= 3);
	crypto_hmac_parts(secret, ck, CRYPTO_HASH_LEN, &first, 1);
	for (uint8_t i = 1; i <= n; i++) {
		const struct crypto_bytes parts[] = {{block, i == 1 ? 0 : sizeof(block)}, {&i, 1}};

		crypto_hmac_parts(block, secret, sizeof(secret), parts, 2);
		if (outs[i - 1])
			memcpy(outs[i - 1], block, sizeof(block));
	}
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(block, sizeof(block));
}

void crypto_clamp_private(uint8_t key[CRYPTO_KEY_LEN])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

void crypto_derive_public(uint8_t public_key[CRYPTO_KEY_LEN], const uint8_t private_key[CRYPTO_KEY_LEN])
{
	crypto_scalarmult_curve25519_base(public_key, private_key);
}

int crypto_agree_shared(uint8_t shared[CRYPTO_KEY_LEN], const uint8_t private_key[CRYPTO_KEY_LEN],
    const uint8_t public_key[CRYPTO_KEY_LEN])
{
	int failed = crypto_scalarmult_curve25519(shared, private_key, public_key);

	if (failed || crypto_is_zero(shared, CRYPTO_KEY_LEN)) {
		crypto_wipe(shared, CRYPTO_KEY_LEN);
		return ERR_AUTH;
	}
	return 0;
}

static void set_nonce(uint8_t nonce[12], uint64_t counter)
{
	memset(nonce, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

void crypto_seal_aead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], uint64_t counter, const void *in,
    size_t len, const void *ad, size_t ad_len)
{
	uint8_t nonce[12];

	set_nonce(nonce, counter);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

int crypto_open_aead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], uint64_t counter, const void *in,
    size_t len, const void *ad, size_t ad_len)
{
	uint8_t nonce[12];

	set_nonce(nonce, counter);
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce, key)
		   ? ERR_AUTH
		   : 0;
}

void crypto_seal_xaead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_XNONCE_LEN], const void *in, size_t len, const void *ad, size_t ad_len)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

int crypto_open_xaead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
    const void *in, size_t len, const void *ad, size_t ad_len)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce, key)
		   ? ERR_AUTH
		   : 0;
}

int crypto_parse_base64(uint8_t key[CRYPTO_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[CRYPTO_KEY_LEN];
	size_t out_len = 0;
	int err = ERR_INVALID;

	/* 44 characters with one '=' are 32 bytes and nothing else. */
	if (len != CRYPTO_KEY_STRLEN - 1 || text[len - 1] != '=' || text[len - 2] == '=')
		return ERR_INVALID;
	if (!sodium_base642bin(
		out, sizeof(out), text, len, NULL, &out_len, NULL, sodium_base64_VARIANT_ORIGINAL) &&
	    out_len == sizeof(out)) {
		memcpy(key, out, sizeof(out));
		err = 0;
	}
	crypto_wipe(out, sizeof(out));
	return err;
}

void crypto_format_base64(char text[CRYPTO_KEY_STRLEN], const uint8_t key[CRYPTO_KEY_LEN])
{
	sodium_bin2base64(text, CRYPTO_KEY_STRLEN, key, CRYPTO_KEY_LEN, sodium_base64_VARIANT_ORIGINAL);
}

int crypto_parse_hex(uint8_t key[CRYPTO_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[CRYPTO_KEY_LEN];
	size_t out_len = 0;
	int err = ERR_INVALID;

	if (len != CRYPTO_HEX_STRLEN - 1)
		return ERR_INVALID;
	if (!sodium_hex2bin(out, sizeof(out), text, len, NULL, &out_len, NULL) && out_len == sizeof(out)) {
		memcpy(key, out, sizeof(out));
		err = 0;
	}
	crypto_wipe(out, sizeof(out));
	return err;
}

void crypto_format_hex(char text[CRYPTO_HEX_STRLEN], const uint8_t key[CRYPTO_KEY_LEN])
{
	sodium_bin2hex(text, CRYPTO_HEX_STRLEN, key, CRYPTO_KEY_LEN);
}
