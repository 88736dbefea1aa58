/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cryptographic primitives of Byway, and the only door to libsodium and
 * libb2. Pure but for crypto_fill_random; any thread after crypto_init.
 * Keys are plain byte arrays of the caller, who wipes them.
 */
#ifndef BYWAY_LIB_CRYPTO_H
#define BYWAY_LIB_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_KEY_LEN	  32
#define CRYPTO_HASH_LEN	  32
#define CRYPTO_TAG_LEN	  16
#define CRYPTO_XNONCE_LEN 24
#define CRYPTO_KEY_STRLEN 45 /* base64 of a key with its NUL */
#define CRYPTO_HEX_STRLEN 65 /* hexadecimal of a key with its NUL */

/* One piece of an input that is hashed as if it lay in one run. */
struct crypto_bytes {
	const void *p;
	size_t len;
};

/* Once, before any other call and any other thread. ERR_IO when the system has no randomness. */
int crypto_init(void);

void crypto_fill_random(void *out, size_t len);
/* Zeroes memory in a way that no compiler removes. */
void crypto_wipe(void *p, size_t len);
/* Compares in time that depends on len alone. */
bool crypto_equal(const void *a, const void *b, size_t len);
bool crypto_is_zero(const void *p, size_t len);

/* BLAKE2s (RFC 7693) over n parts; out_len 1-32 bytes; key NULL with key_len 0, or 1-32 bytes. */
void crypto_digest_parts(uint8_t *out, size_t out_len, const void *key, size_t key_len,
    const struct crypto_bytes *parts, unsigned n);
/* The same over one run of bytes. */
void crypto_digest_bytes(
    uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *data, size_t len);
/* HMAC (RFC 2104) with BLAKE2s as the hash: 64-byte block, 32-byte result. */
void crypto_hmac_parts(uint8_t out[CRYPTO_HASH_LEN], const void *key, size_t key_len,
    const struct crypto_bytes *parts, unsigned n);
/*
 * KDF1, KDF2, KDF3 of the WireGuard paper §5.4: n (1-3) outputs of 32 bytes from chaining key ck and
 * input. An output may be ck itself; it is written after the last use of ck. A NULL output is skipped.
 */
void crypto_derive_keys(uint8_t *const outs[], unsigned n, const uint8_t ck[CRYPTO_HASH_LEN],
    const void *input, size_t input_len);

/* Makes 32 random bytes a Curve25519 private key in its usual clamped form (RFC 7748 §5). */
void crypto_clamp_private(uint8_t key[CRYPTO_KEY_LEN]);
void crypto_derive_public(uint8_t public_key[CRYPTO_KEY_LEN], const uint8_t private_key[CRYPTO_KEY_LEN]);
/* X25519 (RFC 7748 §5). ERR_AUTH, with shared zeroed, when the result is all zero (a point of low order,
 * §6.1). */
int crypto_agree_shared(uint8_t shared[CRYPTO_KEY_LEN], const uint8_t private_key[CRYPTO_KEY_LEN],
    const uint8_t public_key[CRYPTO_KEY_LEN]);

/*
 * ChaCha20-Poly1305 (RFC 8439) with the nonce WireGuard uses: 32 zero bits, then the counter in
 * little-endian order (paper §5.4.6). out takes len + 16 bytes when sealing, len - 16 when opening;
 * out may be in. Opening: ERR_AUTH on a wrong tag or len < 16, out then holds no plaintext.
 */
void crypto_seal_aead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], uint64_t counter, const void *in,
    size_t len, const void *ad, size_t ad_len);
int crypto_open_aead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], uint64_t counter, const void *in,
    size_t len, const void *ad, size_t ad_len);
/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a nonce of 24 bytes; otherwise as above. */
void crypto_seal_xaead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_XNONCE_LEN], const void *in, size_t len, const void *ad, size_t ad_len);
int crypto_open_xaead(uint8_t *out, const uint8_t key[CRYPTO_KEY_LEN], const uint8_t nonce[CRYPTO_XNONCE_LEN],
    const void *in, size_t len, const void *ad, size_t ad_len);

/*
 * A key as 44 characters of base64 (RFC 4648 §4). ERR_INVALID: another length, alphabet or padding,
 * or stray bits in the last character. len counts no terminator.
 */
int crypto_parse_base64(uint8_t key[CRYPTO_KEY_LEN], const char *text, size_t len);
void crypto_format_base64(char text[CRYPTO_KEY_STRLEN], const uint8_t key[CRYPTO_KEY_LEN]);
/* A key as 64 hexadecimal digits, as the UAPI writes it. ERR_INVALID. */
int crypto_parse_hex(uint8_t key[CRYPTO_KEY_LEN], const char *text, size_t len);
void crypto_format_hex(char text[CRYPTO_HEX_STRLEN], const uint8_t key[CRYPTO_KEY_LEN]);

#endif
