/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mac1, mac2 and cookie replies of WireGuard (paper §5.3, §5.4.4, §5.4.7): who
 * does not know our public key gets no answer, and under load who cannot be
 * reached at its address gets no handshake. Pure; the slow thread owns the structs.
 */
#ifndef BYWAY_LIB_WG_COOKIE_H
#define BYWAY_LIB_WG_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/crypto.h"
#include "lib/ip.h"
#include "lib/nsec.h"
#include "lib/wg_wire.h"

#define WG_COOKIE_SECRET_NS  (120 * NSEC_PER_SEC) /* the secret R_m changes as often (§5.4.7) */
#define WG_COOKIE_LATENCY_NS (5 * NSEC_PER_SEC)	  /* a cookie is not used in the last seconds of its life */

/* The end that receives handshake messages: one for each identity. */
struct wg_cookie_checker {
	uint8_t mac1_key[CRYPTO_KEY_LEN];
	uint8_t cookie_key[CRYPTO_KEY_LEN];
	uint8_t secret[CRYPTO_KEY_LEN];
	uint64_t secret_ns; /* when it was made */
	bool has_secret;
};

/* The end that sends them: one for each peer. */
struct wg_cookie_maker {
	uint8_t mac1_key[CRYPTO_KEY_LEN];
	uint8_t cookie_key[CRYPTO_KEY_LEN];
	uint8_t cookie[WG_WIRE_COOKIE_LEN];
	uint8_t last_mac1[WG_WIRE_MAC_LEN];
	uint64_t cookie_ns; /* when it came */
	bool has_cookie, has_mac1;
};

/* Are there more handshake messages than one should answer freely? Counted over 100 ms, remembered for 1 s.
 */
struct wg_cookie_load {
	uint64_t window_ns, loaded_ns;
	unsigned messages;
	bool loaded;
};

enum wg_cookie_verdict {
	WG_COOKIE_BAD_MAC1,  /* drop without an answer */
	WG_COOKIE_GOOD_MAC1, /* under load: answer with a cookie reply, else go on */
	WG_COOKIE_GOOD_MAC2, /* its source address is its own: go on */
};

void wg_cookie_init_checker(struct wg_cookie_checker *c, const uint8_t own_public_key[CRYPTO_KEY_LEN]);
void wg_cookie_init_maker(struct wg_cookie_maker *m, const uint8_t peer_public_key[CRYPTO_KEY_LEN]);
/* Is there no secret, or one too old at now_ns (monotonic)? */
bool wg_cookie_needs_secret(const struct wg_cookie_checker *c, uint64_t now_ns);
/* Takes 32 fresh random bytes as the secret if there is none yet or it is too old at now_ns (monotonic). */
void wg_cookie_refresh_secret(
    struct wg_cookie_checker *c, const uint8_t random[CRYPTO_KEY_LEN], uint64_t now_ns);

/*
 * Fills mac1 and mac2, the last 32 of len bytes of an initiation or response; mac2 is zero without a
 * fresh cookie (§5.4.4).
 */
void wg_cookie_stamp_macs(struct wg_cookie_maker *m, void *msg, size_t len, uint64_t now_ns);
/*
 * Is mac1 of an initiation or response of len bytes good? mac1_key: of the checker; it follows from the
 * public key, so any thread may have a copy. Constant time in the mac.
 */
bool wg_cookie_good_mac1(const uint8_t mac1_key[CRYPTO_KEY_LEN], const void *msg, size_t len);
/* Judges the macs of an initiation or response of len bytes that came from src; constant time in the macs. */
enum wg_cookie_verdict wg_cookie_check_macs(const struct wg_cookie_checker *c, const void *msg, size_t len,
    const struct ip_endpoint *src, uint64_t now_ns);
/*
 * The answer to an initiation or response of len bytes from src whose mac1 is good; nonce: 24 fresh random
 * bytes. ERR_INVALID without a secret (wg_cookie_refresh_secret comes first).
 */
int wg_cookie_create_reply(const struct wg_cookie_checker *c, const void *msg, size_t len,
    const struct ip_endpoint *src, const uint8_t nonce[WG_WIRE_NONCE_LEN], struct wg_wire_cookie_reply *out);
/*
 * Takes the cookie of a reply to the last message stamped. ERR_INVALID: no message waits for one;
 * ERR_AUTH: does not open. Either leaves the maker as it was.
 */
int wg_cookie_consume_reply(
    struct wg_cookie_maker *m, const struct wg_wire_cookie_reply *msg, uint64_t now_ns);

/* Counts a handshake message; true while there is load. Start with a zeroed struct. */
bool wg_cookie_note_message(struct wg_cookie_load *l, uint64_t now_ns);
/* Is there load, as of the last message? */
bool wg_cookie_is_loaded(const struct wg_cookie_load *l, uint64_t now_ns);

#endif
