/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps carry the names of the Noise paper: mix_hash, mix_key, encrypt and
 * decrypt with the running hash as associated data. Each step works on a copy of
 * the handshake, which becomes the handshake only when all of the message is good.
 */
#include "lib/wg_noise.h"

#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/nsec.h"

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

#define TAI64_EPOCH	 0x400000000000000aull /* TAI64 label of 1970, as every implementation counts it */
#define TIMESTAMP_COARSE (1u << 24)	       /* ns, about 16 ms */

static void mix_hash(struct wg_noise_handshake *hs, const void *data, size_t len)
{
	const struct crypto_bytes parts[] = {{hs->hash, sizeof(hs->hash)}, {data, len}};

	crypto_digest_parts(hs->hash, sizeof(hs->hash), NULL, 0, parts, 2);
}

/* key NULL: only the chaining key moves (KDF1). */
static void mix_key(struct wg_noise_handshake *hs, uint8_t *key, const void *input, size_t len)
{
	uint8_t *const outs[] = {hs->chaining_key, key};

	crypto_derive_keys(outs, key ? 2 : 1, hs->chaining_key, input, len);
}

/* ERR_AUTH when the shared secret is zero. */
static int mix_shared(
    struct wg_noise_handshake *hs, uint8_t *key, const uint8_t *private_key, const uint8_t *public_key)
{
	uint8_t shared[CRYPTO_KEY_LEN];
	int err = crypto_agree_shared(shared, private_key, public_key);

	if (!err)
		mix_key(hs, key, shared, sizeof(shared));
	crypto_wipe(shared, sizeof(shared));
	return err;
}

static void mix_ephemeral(struct wg_noise_handshake *hs, const uint8_t *public_key)
{
	mix_hash(hs, public_key, CRYPTO_KEY_LEN);
	mix_key(hs, NULL, public_key, CRYPTO_KEY_LEN);
}

static void mix_preshared(struct wg_noise_handshake *hs, uint8_t *key, const uint8_t *preshared_key)
{
	uint8_t tau[CRYPTO_HASH_LEN];
	uint8_t *const outs[] = {hs->chaining_key, tau, key};

	crypto_derive_keys(outs, 3, hs->chaining_key, preshared_key, CRYPTO_KEY_LEN);
	mix_hash(hs, tau, sizeof(tau));
	crypto_wipe(tau, sizeof(tau));
}

/* out takes len + 16 bytes. */
static void encrypt_and_hash(
    struct wg_noise_handshake *hs, uint8_t *out, const uint8_t *key, const void *in, size_t len)
{
	crypto_seal_aead(out, key, 0, in, len, hs->hash, sizeof(hs->hash));
	mix_hash(hs, out, len + CRYPTO_TAG_LEN);
}

/* in holds len + 16 bytes. */
static int decrypt_and_hash(
    struct wg_noise_handshake *hs, uint8_t *out, const uint8_t *key, const uint8_t *in, size_t len)
{
	int err = crypto_open_aead(out, key, 0, in, len + CRYPTO_TAG_LEN, hs->hash, sizeof(hs->hash));

	if (!err)
		mix_hash(hs, in, len + CRYPTO_TAG_LEN);
	return err;
}

static void start_handshake(struct wg_noise_handshake *hs, const uint8_t *responder_public)
{
	memset(hs, 0, sizeof(*hs));
	crypto_digest_bytes(
	    hs->chaining_key, sizeof(hs->chaining_key), NULL, 0, construction, sizeof(construction) - 1);
	memcpy(hs->hash, hs->chaining_key, sizeof(hs->hash));
	mix_hash(hs, identifier, sizeof(identifier) - 1);
	mix_hash(hs, responder_public, CRYPTO_KEY_LEN);
}

static void set_ephemeral(struct wg_noise_handshake *hs, const uint8_t *random, uint8_t *public_key)
{
	memcpy(hs->ephemeral_private, random, CRYPTO_KEY_LEN);
	crypto_clamp_private(hs->ephemeral_private);
	crypto_derive_public(public_key, hs->ephemeral_private);
}

void wg_noise_set_identity(struct wg_noise_identity *id, const uint8_t private_key[CRYPTO_KEY_LEN])
{
	memcpy(id->private_key, private_key, sizeof(id->private_key));
	crypto_clamp_private(id->private_key);
	crypto_derive_public(id->public_key, id->private_key);
}

int wg_noise_set_peer(
    struct wg_noise_peer *peer, const struct wg_noise_identity *id, const uint8_t public_key[CRYPTO_KEY_LEN])
{
	uint8_t shared[CRYPTO_KEY_LEN];
	int err = 0;

	if (crypto_agree_shared(shared, id->private_key, public_key)) {
		err = ERR_INVALID;
		goto out;
	}
	memmove(peer->public_key, public_key, sizeof(peer->public_key));
	memcpy(peer->static_shared, shared, sizeof(peer->static_shared));
out:
	crypto_wipe(shared, sizeof(shared));
	return err;
}

void wg_noise_next_timestamp(
    uint8_t out[WG_WIRE_TIMESTAMP_LEN], const uint8_t last[WG_WIRE_TIMESTAMP_LEN], uint64_t now_realtime_ns)
{
	uint8_t now[WG_WIRE_TIMESTAMP_LEN];
	uint32_t nanoseconds = (uint32_t)(now_realtime_ns % NSEC_PER_SEC) & ~(TIMESTAMP_COARSE - 1);
	struct buf_writer w;

	buf_writer_init(&w, now, sizeof(now));
	buf_write_be64(&w, TAI64_EPOCH + now_realtime_ns / NSEC_PER_SEC);
	buf_write_be32(&w, nanoseconds);
	if (memcmp(now, last, sizeof(now)) <= 0) {
		memmove(now, last, sizeof(now));
		/* A big-endian increment; peers compare the bytes and do not mind 10^9 nanoseconds or more.
		 */
		for (size_t i = sizeof(now); i-- > 0 && ++now[i] == 0;)
			;
	}
	memcpy(out, now, sizeof(now));
}

int wg_noise_create_initiation(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    struct wg_noise_peer *peer, const uint8_t ephemeral[CRYPTO_KEY_LEN], uint32_t local_index,
    uint64_t now_realtime_ns, struct wg_wire_initiation *out)
{
	uint8_t key[CRYPTO_KEY_LEN], timestamp[WG_WIRE_TIMESTAMP_LEN];
	struct wg_wire_initiation msg = {.type = {WG_WIRE_INITIATION}};
	struct wg_noise_handshake work;
	int err;

	start_handshake(&work, peer->public_key);
	set_ephemeral(&work, ephemeral, msg.ephemeral);
	mix_ephemeral(&work, msg.ephemeral);
	err = mix_shared(&work, key, work.ephemeral_private, peer->public_key);
	if (err)
		goto out;
	encrypt_and_hash(&work, msg.sealed_static, key, id->public_key, CRYPTO_KEY_LEN);
	mix_key(&work, key, peer->static_shared, CRYPTO_KEY_LEN);
	wg_noise_next_timestamp(timestamp, peer->sent_timestamp, now_realtime_ns);
	encrypt_and_hash(&work, msg.sealed_timestamp, key, timestamp, sizeof(timestamp));
	wg_wire_set_le32(msg.sender, local_index);
	work.local_index = local_index;
	work.state = WG_NOISE_SENT_INITIATION;
	memcpy(peer->sent_timestamp, timestamp, sizeof(timestamp));
	*hs = work;
	*out = msg;
out:
	crypto_wipe(&work, sizeof(work));
	crypto_wipe(key, sizeof(key));
	return err;
}

int wg_noise_consume_initiation(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    wg_noise_find find, void *arg, const struct wg_wire_initiation *msg, struct wg_noise_peer **peer)
{
	uint8_t key[CRYPTO_KEY_LEN], static_key[CRYPTO_KEY_LEN], timestamp[WG_WIRE_TIMESTAMP_LEN];
	struct wg_noise_handshake work;
	struct wg_noise_peer *sender;
	int err;

	start_handshake(&work, id->public_key);
	mix_ephemeral(&work, msg->ephemeral);
	err = mix_shared(&work, key, id->private_key, msg->ephemeral);
	if (err)
		goto out;
	err = decrypt_and_hash(&work, static_key, key, msg->sealed_static, sizeof(static_key));
	if (err)
		goto out;
	sender = find(arg, static_key);
	if (!sender) {
		err = ERR_NOENT;
		goto out;
	}
	mix_key(&work, key, sender->static_shared, CRYPTO_KEY_LEN);
	err = decrypt_and_hash(&work, timestamp, key, msg->sealed_timestamp, sizeof(timestamp));
	if (err)
		goto out;
	/* §5.1: an initiation not newer than the newest is a replay. */
	if (memcmp(timestamp, sender->received_timestamp, sizeof(timestamp)) <= 0) {
		err = ERR_EXISTS;
		goto out;
	}
	memcpy(sender->received_timestamp, timestamp, sizeof(timestamp));
	memcpy(work.remote_ephemeral, msg->ephemeral, sizeof(work.remote_ephemeral));
	work.remote_index = wg_wire_get_le32(msg->sender);
	work.state = WG_NOISE_GOT_INITIATION;
	*hs = work;
	*peer = sender;
out:
	crypto_wipe(&work, sizeof(work));
	crypto_wipe(key, sizeof(key));
	crypto_wipe(static_key, sizeof(static_key));
	return err;
}

int wg_noise_create_response(struct wg_noise_handshake *hs, const struct wg_noise_peer *peer,
    const uint8_t ephemeral[CRYPTO_KEY_LEN], uint32_t local_index, struct wg_wire_response *out)
{
	struct wg_wire_response msg = {.type = {WG_WIRE_RESPONSE}};
	struct wg_noise_handshake work = *hs;
	uint8_t key[CRYPTO_KEY_LEN] = {0};
	int err = ERR_INVALID;

	if (hs->state != WG_NOISE_GOT_INITIATION)
		goto out;
	set_ephemeral(&work, ephemeral, msg.ephemeral);
	mix_ephemeral(&work, msg.ephemeral);
	err = mix_shared(&work, NULL, work.ephemeral_private, work.remote_ephemeral);
	if (err)
		goto out;
	err = mix_shared(&work, NULL, work.ephemeral_private, peer->public_key);
	if (err)
		goto out;
	mix_preshared(&work, key, peer->preshared_key);
	encrypt_and_hash(&work, msg.sealed_nothing, key, NULL, 0);
	wg_wire_set_le32(msg.sender, local_index);
	wg_wire_set_le32(msg.receiver, work.remote_index);
	work.local_index = local_index;
	work.state = WG_NOISE_SENT_RESPONSE;
	*hs = work;
	*out = msg;
out:
	crypto_wipe(&work, sizeof(work));
	crypto_wipe(key, sizeof(key));
	return err;
}

int wg_noise_consume_response(struct wg_noise_handshake *hs, const struct wg_noise_identity *id,
    const struct wg_noise_peer *peer, const struct wg_wire_response *msg)
{
	struct wg_noise_handshake work = *hs;
	uint8_t key[CRYPTO_KEY_LEN] = {0}, nothing[1];
	int err = ERR_INVALID;

	if (hs->state != WG_NOISE_SENT_INITIATION)
		goto out;
	mix_ephemeral(&work, msg->ephemeral);
	err = mix_shared(&work, NULL, work.ephemeral_private, msg->ephemeral);
	if (err)
		goto out;
	err = mix_shared(&work, NULL, id->private_key, msg->ephemeral);
	if (err)
		goto out;
	mix_preshared(&work, key, peer->preshared_key);
	err = decrypt_and_hash(&work, nothing, key, msg->sealed_nothing, 0);
	if (err)
		goto out;
	work.remote_index = wg_wire_get_le32(msg->sender);
	work.state = WG_NOISE_GOT_RESPONSE;
	*hs = work;
out:
	crypto_wipe(&work, sizeof(work));
	crypto_wipe(key, sizeof(key));
	return err;
}

int wg_noise_derive_keys(struct wg_noise_handshake *hs, struct wg_noise_keys *keys)
{
	bool initiator = hs->state == WG_NOISE_GOT_RESPONSE;
	uint8_t *const outs[] = {
	    initiator ? keys->sending : keys->receiving,
	    initiator ? keys->receiving : keys->sending,
	};

	if (!initiator && hs->state != WG_NOISE_SENT_RESPONSE)
		return ERR_INVALID;
	crypto_derive_keys(outs, 2, hs->chaining_key, NULL, 0);
	keys->local_index = hs->local_index;
	keys->remote_index = hs->remote_index;
	keys->initiator = initiator;
	crypto_wipe(hs, sizeof(*hs));
	return 0;
}
