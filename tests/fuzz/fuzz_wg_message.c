/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * WireGuard messages: whatever comes is judged by its type and consumed by an end that waits for just
 * that; what does not authenticate leaves peer, handshake and cookies as they were. Fixed keys, so that a
 * seed of the corpus is a message that is good but for its macs.
 */
#include <string.h>

#include "lib/crypto.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "lib/wg_replay.h"
#include "tests/fuzz/fuzz.h"

#define NOW_NS 1700000000000000000ull

struct end {
	struct wg_noise_identity id;
	struct wg_noise_peer peer;
	struct wg_noise_handshake hs;
	struct wg_cookie_maker maker;
	struct wg_cookie_checker checker;
};

static struct end initiator, responder;

static void make_end(struct end *e, uint8_t ours, uint8_t theirs)
{
	uint8_t key[CRYPTO_KEY_LEN];
	struct wg_noise_identity other;

	memset(key, theirs, sizeof(key));
	wg_noise_set_identity(&other, key);
	memset(key, ours, sizeof(key));
	wg_noise_set_identity(&e->id, key);
	FUZZ_REQUIRE(wg_noise_set_peer(&e->peer, &e->id, other.public_key) == 0);
	wg_cookie_init_maker(&e->maker, other.public_key);
	wg_cookie_init_checker(&e->checker, e->id.public_key);
	wg_cookie_refresh_secret(&e->checker, key, 1);
}

static void set_up(void)
{
	static const uint8_t ephemeral[CRYPTO_KEY_LEN] = {7};
	struct wg_wire_initiation msg;

	FUZZ_REQUIRE(crypto_init() == 0);
	make_end(&initiator, 1, 2);
	make_end(&responder, 2, 1);
	FUZZ_REQUIRE(wg_noise_create_initiation(
			 &initiator.hs, &initiator.id, &initiator.peer, ephemeral, 9, NOW_NS, &msg) == 0);
	wg_cookie_stamp_macs(&initiator.maker, &msg, sizeof(msg), 2);
}

static struct wg_noise_peer *find(void *arg, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct end *e = arg;

	return memcmp(e->peer.public_key, key, CRYPTO_KEY_LEN) == 0 ? &e->peer : NULL;
}

static void try_initiation(const uint8_t *data)
{
	struct wg_noise_peer *peer = NULL;
	struct end e = responder;
	int err = wg_noise_consume_initiation(
	    &e.hs, &e.id, find, &e, (const struct wg_wire_initiation *)data, &peer);

	if (err)
		FUZZ_REQUIRE(!peer && memcmp(&e, &responder, sizeof(e)) == 0);
	else
		FUZZ_REQUIRE(peer == &e.peer && e.hs.state == WG_NOISE_GOT_INITIATION);
}

static void try_response(const uint8_t *data)
{
	struct end e = initiator;
	int err = wg_noise_consume_response(&e.hs, &e.id, &e.peer, (const struct wg_wire_response *)data);

	if (err)
		FUZZ_REQUIRE(memcmp(&e, &initiator, sizeof(e)) == 0);
}

static void try_cookie_reply(const uint8_t *data)
{
	struct end e = initiator;

	if (wg_cookie_consume_reply(&e.maker, (const struct wg_wire_cookie_reply *)data, 3))
		FUZZ_REQUIRE(memcmp(&e, &initiator, sizeof(e)) == 0);
}

static void try_data(const uint8_t *data)
{
	const struct wg_wire_data *header = (const struct wg_wire_data *)data;
	uint64_t counter = wg_wire_get_le64(header->counter);
	struct wg_replay window = {0};

	if (wg_replay_accept_counter(&window, counter))
		FUZZ_REQUIRE(!wg_replay_accept_counter(&window, counter) && window.next == counter + 1);
	else
		FUZZ_REQUIRE(counter >= WG_REJECT_AFTER_MESSAGES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ip_endpoint src = {.addr = {.family = IP_V4}, .port = 1};
	enum wg_wire_kind kind = wg_wire_type(data, size);

	if (!initiator.hs.state)
		set_up();
	(void)wg_cookie_check_macs(&responder.checker, data, size, &src, 2);
	switch (kind) {
	case WG_WIRE_INITIATION:
		try_initiation(data);
		break;
	case WG_WIRE_RESPONSE:
		try_response(data);
		break;
	case WG_WIRE_COOKIE_REPLY:
		try_cookie_reply(data);
		break;
	case WG_WIRE_DATA:
		try_data(data);
		break;
	case WG_WIRE_INVALID:
		break;
	}
	return 0;
}
