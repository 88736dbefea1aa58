/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The WireGuard handshake, Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (paper
 * §5.4.2-§5.4.5), as pure functions: messages, time and random bytes in,
 * messages and keys out. Called by the dataplane's slow thread, which owns the
 * structs; mac1 and mac2 are wg_cookie's.
 *
 * A function that fails leaves its outputs and the peer as they were, and wipes
 * what it worked with. The structs hold secrets: wipe them with crypto_wipe.
 */
#ifndef BYWAY_LIB_WG_NOISE_H
#define BYWAY_LIB_WG_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/crypto.h"
#include "lib/wg_wire.h"

/* The static key pair of one end (of a tunnel). */
struct wg_noise_identity {
	uint8_t private_key[CRYPTO_KEY_LEN];
	uint8_t public_key[CRYPTO_KEY_LEN];
};

/* What is known of the other end, between handshakes, too. */
struct wg_noise_peer {
	uint8_t public_key[CRYPTO_KEY_LEN];
	uint8_t preshared_key[CRYPTO_KEY_LEN];		   /* zero: none */
	uint8_t static_shared[CRYPTO_KEY_LEN];		   /* X25519 of both static keys */
	uint8_t received_timestamp[WG_WIRE_TIMESTAMP_LEN]; /* greatest TAI64N of an accepted initiation */
	uint8_t sent_timestamp[WG_WIRE_TIMESTAMP_LEN];	   /* last TAI64N sent */
};

enum wg_noise_state {
	WG_NOISE_IDLE,
	WG_NOISE_SENT_INITIATION,
	WG_NOISE_GOT_INITIATION,
	WG_NOISE_SENT_RESPONSE,
	WG_NOISE_GOT_RESPONSE,
};

/* One handshake under way. */
struct wg_noise_handshake {
	enum wg_noise_state state;
	uint8_t chaining_key[CRYPTO_HASH_LEN];
	uint8_t hash[CRYPTO_HASH_LEN];
	uint8_t ephemeral_private[CRYPTO_KEY_LEN];
	uint8_t remote_ephemeral[CRYPTO_KEY_LEN];
	uint32_t local_index, remote_index;
};

/* What a finished handshake yields. */
struct wg_noise_keys {
	uint8_t sending[CRYPTO_KEY_LEN];
	uint8_t receiving[CRYPTO_KEY_LEN];
	uint32_t local_index;  /* what the peer puts into `receiver` */
	uint32_t remote_index; /* what we put there */
	bool initiator;
};

/* The peer of this static key, or NULL. arg is the caller's. */
typedef struct wg_noise_peer *(*wg_noise_find)(void *arg, const uint8_t public_key[CRYPTO_KEY_LEN]);

/* Clamps the key and computes the public one. */
void wg_noise_set_identity(struct wg_noise_identity *id, const uint8_t private_key[CRYPTO_KEY_LEN]);
/*
 * Sets the peer's static key and what follows from it; the other fields stay. To be called again when
 * the identity changes. ERR_INVALID: a point of low order, which no handshake can use.
 */
int wg_noise_set_peer(
    struct wg_noise_peer *peer, const struct wg_noise_identity *id, const uint8_t public_key[CRYPTO_KEY_LEN]);
/*
 * The TAI64N of now_realtime_ns (nanoseconds since 1970), coarsened to 16 ms so that it tells little of the
 * clock, or last plus one nanosecond where that is not later than last.
 */
void wg_noise_next_timestamp(
    uint8_t out[WG_WIRE_TIMESTAMP_LEN], const uint8_t last[WG_WIRE_TIMESTAMP_LEN], uint64_t now_realtime_ns);

/*
 * Message 1 (§5.4.2). ephemeral: 32 fresh random bytes; local_index: unique at this end. Advances
 * peer->sent_timestamp. The macs in out are zero. ERR_AUTH: the peer's key yields no secret.
 */
int wg_noise_create_initiation(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    struct wg_noise_peer *peer, const uint8_t ephemeral[CRYPTO_KEY_LEN], uint32_t local_index,
    uint64_t now_realtime_ns, struct wg_wire_initiation *out);
/*
 * The responder's side of message 1. ERR_AUTH: does not open; ERR_NOENT: static key of no peer;
 * ERR_EXISTS: timestamp not later than the greatest accepted (a replay, §5.1). On success hs is ready for
 * wg_noise_create_response, *peer is the sender and its received_timestamp has advanced.
 */
int wg_noise_consume_initiation(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    wg_noise_find find, void *arg, const struct wg_wire_initiation *msg, struct wg_noise_peer **peer);
/* Message 2 (§5.4.3) for hs of wg_noise_consume_initiation. ERR_AUTH: the initiator's keys yield no secret.
 */
int wg_noise_create_response(struct wg_noise_handshake *hs, const struct wg_noise_peer *peer,
    const uint8_t ephemeral[CRYPTO_KEY_LEN], uint32_t local_index, struct wg_wire_response *out);
/*
 * The initiator's side of message 2; the caller found hs and peer by msg->receiver. ERR_AUTH: does not open;
 * ERR_INVALID: hs waits for no response. hs keeps waiting after an error.
 */
int wg_noise_consume_response(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    const struct wg_noise_peer *peer, const struct wg_wire_response *msg);
/* Transport keys (§5.4.5) of a finished handshake, which is wiped. ERR_INVALID: it is not finished. */
int wg_noise_derive_keys(struct wg_noise_handshake *hs, struct wg_noise_keys *keys);

#endif
