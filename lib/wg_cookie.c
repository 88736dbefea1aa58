/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyed BLAKE2s with outputs of 16 bytes, and XChaCha20-Poly1305 for the reply. */
#include "lib/wg_cookie.h"

#include <assert.h>
#include <string.h>

#include "lib/err.h"

#define MACS_LEN	 (2 * (size_t)WG_WIRE_MAC_LEN)
#define LOAD_WINDOW_NS	 (100 * NSEC_PER_MSEC)
#define LOAD_MEMORY_NS	 NSEC_PER_SEC
#define LOAD_MESSAGES	 64 /* in a window: about a tenth of a core's handshakes */
#define ADDRESS_KEY_SIZE 18

static const char mac1_label[] = "mac1----", cookie_label[] = "cookie--"; /* §5.4.4, §5.4.7 */

static void derive_label_key(uint8_t *key, const char *label, const uint8_t *public_key)
{
	const struct crypto_bytes parts[] = {{label, 8}, {public_key, CRYPTO_KEY_LEN}};

	crypto_digest_parts(key, CRYPTO_KEY_LEN, NULL, 0, parts, 2);
}

/* The cookie of an address (§5.4.7): MAC(R_m, address || port). */
static void derive_cookie(
    uint8_t cookie[WG_WIRE_COOKIE_LEN], const struct wg_cookie_checker *c, const struct ip_endpoint *src)
{
	const uint8_t port[2] = {(uint8_t)(src->port >> 8), (uint8_t)src->port};
	const struct crypto_bytes parts[] = {{src->addr.b, ip_family_bits(src->addr.family) / 8}, {port, 2}};

	crypto_digest_parts(cookie, WG_WIRE_COOKIE_LEN, c->secret, sizeof(c->secret), parts, 2);
}

void wg_cookie_init_checker(struct wg_cookie_checker *c, const uint8_t own_public_key[CRYPTO_KEY_LEN])
{
	memset(c, 0, sizeof(*c));
	derive_label_key(c->mac1_key, mac1_label, own_public_key);
	derive_label_key(c->cookie_key, cookie_label, own_public_key);
}

void wg_cookie_init_maker(struct wg_cookie_maker *m, const uint8_t peer_public_key[CRYPTO_KEY_LEN])
{
	memset(m, 0, sizeof(*m));
	derive_label_key(m->mac1_key, mac1_label, peer_public_key);
	derive_label_key(m->cookie_key, cookie_label, peer_public_key);
}

bool wg_cookie_needs_secret(const struct wg_cookie_checker *c, uint64_t now_ns)
{
	return !c->has_secret || now_ns - c->secret_ns >= WG_COOKIE_SECRET_NS;
}

void wg_cookie_refresh_secret(
    struct wg_cookie_checker *c, const uint8_t random[CRYPTO_KEY_LEN], uint64_t now_ns)
{
	if (!wg_cookie_needs_secret(c, now_ns))
		return;
	memcpy(c->secret, random, sizeof(c->secret));
	c->secret_ns = now_ns;
	c->has_secret = true;
}

void wg_cookie_stamp_macs(struct wg_cookie_maker *m, void *msg, size_t len, uint64_t now_ns)
{
	uint8_t *mac1 = (uint8_t *)msg + len - MACS_LEN, *mac2 = mac1 + WG_WIRE_MAC_LEN;

	assert(len >= MACS_LEN);
	crypto_digest_bytes(mac1, WG_WIRE_MAC_LEN, m->mac1_key, sizeof(m->mac1_key), msg, len - MACS_LEN);
	memcpy(m->last_mac1, mac1, sizeof(m->last_mac1));
	m->has_mac1 = true;
	if (m->has_cookie && now_ns - m->cookie_ns < WG_COOKIE_SECRET_NS - WG_COOKIE_LATENCY_NS)
		crypto_digest_bytes(
		    mac2, WG_WIRE_MAC_LEN, m->cookie, sizeof(m->cookie), msg, len - WG_WIRE_MAC_LEN);
	else
		memset(mac2, 0, WG_WIRE_MAC_LEN);
}

bool wg_cookie_good_mac1(const uint8_t mac1_key[CRYPTO_KEY_LEN], const void *msg, size_t len)
{
	const uint8_t *bytes = msg;
	uint8_t mac[WG_WIRE_MAC_LEN];

	if (len < MACS_LEN)
		return false;
	crypto_digest_bytes(mac, sizeof(mac), mac1_key, CRYPTO_KEY_LEN, msg, len - MACS_LEN);
	return crypto_equal(mac, bytes + len - MACS_LEN, sizeof(mac));
}

enum wg_cookie_verdict wg_cookie_check_macs(const struct wg_cookie_checker *c, const void *msg, size_t len,
    const struct ip_endpoint *src, uint64_t now_ns)
{
	uint8_t mac[WG_WIRE_MAC_LEN], cookie[WG_WIRE_COOKIE_LEN];
	const uint8_t *mac2 = (const uint8_t *)msg + len - WG_WIRE_MAC_LEN;
	bool good;

	if (!wg_cookie_good_mac1(c->mac1_key, msg, len))
		return WG_COOKIE_BAD_MAC1;
	if (wg_cookie_needs_secret(c, now_ns))
		return WG_COOKIE_GOOD_MAC1;
	derive_cookie(cookie, c, src);
	crypto_digest_bytes(mac, sizeof(mac), cookie, sizeof(cookie), msg, len - WG_WIRE_MAC_LEN);
	good = crypto_equal(mac, mac2, sizeof(mac));
	crypto_wipe(cookie, sizeof(cookie));
	return good ? WG_COOKIE_GOOD_MAC2 : WG_COOKIE_GOOD_MAC1;
}

int wg_cookie_create_reply(const struct wg_cookie_checker *c, const void *msg, size_t len,
    const struct ip_endpoint *src, const uint8_t nonce[WG_WIRE_NONCE_LEN], struct wg_wire_cookie_reply *out)
{
	const uint8_t *bytes = msg, *mac1 = bytes + len - MACS_LEN;
	uint8_t cookie[WG_WIRE_COOKIE_LEN];

	assert(len >= sizeof(struct wg_wire_response));
	if (!c->has_secret)
		return ERR_INVALID;
	memset(out->type, 0, sizeof(out->type));
	out->type[0] = WG_WIRE_COOKIE_REPLY;
	memcpy(out->receiver, bytes + 4, sizeof(out->receiver)); /* `sender` of either message */
	memcpy(out->nonce, nonce, sizeof(out->nonce));
	derive_cookie(cookie, c, src);
	crypto_seal_xaead(
	    out->sealed_cookie, c->cookie_key, nonce, cookie, sizeof(cookie), mac1, WG_WIRE_MAC_LEN);
	crypto_wipe(cookie, sizeof(cookie));
	return 0;
}

int wg_cookie_consume_reply(
    struct wg_cookie_maker *m, const struct wg_wire_cookie_reply *msg, uint64_t now_ns)
{
	uint8_t cookie[WG_WIRE_COOKIE_LEN];
	int err;

	if (!m->has_mac1)
		return ERR_INVALID;
	err = crypto_open_xaead(cookie, m->cookie_key, msg->nonce, msg->sealed_cookie,
	    sizeof(msg->sealed_cookie), m->last_mac1, sizeof(m->last_mac1));
	if (err)
		return err;
	memcpy(m->cookie, cookie, sizeof(cookie));
	m->cookie_ns = now_ns;
	m->has_cookie = true;
	m->has_mac1 = false; /* one reply a message */
	crypto_wipe(cookie, sizeof(cookie));
	return 0;
}

bool wg_cookie_note_message(struct wg_cookie_load *l, uint64_t now_ns)
{
	if (now_ns - l->window_ns >= LOAD_WINDOW_NS) {
		l->window_ns = now_ns;
		l->messages = 0;
	}
	if (++l->messages > LOAD_MESSAGES) {
		l->loaded = true;
		l->loaded_ns = now_ns;
	} else if (l->loaded && now_ns - l->loaded_ns >= LOAD_MEMORY_NS) {
		l->loaded = false;
	}
	return l->loaded;
}

bool wg_cookie_is_loaded(const struct wg_cookie_load *l, uint64_t now_ns)
{
	return l->loaded && now_ns - l->loaded_ns < LOAD_MEMORY_NS;
}
