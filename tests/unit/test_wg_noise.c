/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/wg_noise: the transcript of an independent implementation byte for byte, two
 * ends against each other, and everything that must not pass: other keys, flipped
 * bits in each byte, replays, points of low order, calls out of order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/wg_noise.h"
#include "tests/unit/hex.h"
#include "tests/unit/wg_transcript.h"

#define NOW_NS 1700000000033554432ull

struct end {
	struct wg_noise_identity id;
	struct wg_noise_peer peer;
	struct wg_noise_handshake hs;
	struct wg_noise_keys keys;
	unsigned finds;
};

static struct wg_noise_peer *find_peer(void *arg, const uint8_t public_key[32])
{
	struct end *e = arg;

	e->finds++;
	return memcmp(e->peer.public_key, public_key, 32) == 0 ? &e->peer : NULL;
}

static void make_ends(struct end *i, struct end *r, bool psk)
{
	uint8_t key[32];

	memset(i, 0, sizeof(*i));
	memset(r, 0, sizeof(*r));
	hex_parse(transcript_static_i, key, 32);
	wg_noise_set_identity(&i->id, key);
	hex_parse(transcript_static_r, key, 32);
	wg_noise_set_identity(&r->id, key);
	assert_int_equal(wg_noise_set_peer(&i->peer, &i->id, r->id.public_key), 0);
	assert_int_equal(wg_noise_set_peer(&r->peer, &r->id, i->id.public_key), 0);
	if (psk) {
		hex_parse(transcript_preshared, i->peer.preshared_key, 32);
		hex_parse(transcript_preshared, r->peer.preshared_key, 32);
	}
}

static int send_initiation(struct end *i, struct wg_wire_initiation *msg)
{
	uint8_t ephemeral[32];

	hex_parse(transcript_ephemeral_i, ephemeral, 32);
	return wg_noise_create_initiation(&i->hs, &i->id, &i->peer, ephemeral, 0x11223344, NOW_NS, msg);
}

static int receive_initiation(struct end *r, const struct wg_wire_initiation *msg)
{
	struct wg_noise_peer *peer = NULL;
	int err = wg_noise_consume_initiation(&r->hs, &r->id, find_peer, r, msg, &peer);

	assert_true(err ? !peer : peer == &r->peer);
	return err;
}

static int send_response(struct end *r, struct wg_wire_response *msg)
{
	uint8_t ephemeral[32];

	hex_parse(transcript_ephemeral_r, ephemeral, 32);
	return wg_noise_create_response(&r->hs, &r->peer, ephemeral, 0xa1b2c3d4, msg);
}

static void check_transcript(bool psk, const char *initiation, const char *response,
    const char *initiator_key, const char *responder_key, const char *data)
{
	uint8_t want[148], opened[64];
	struct wg_wire_initiation msg1;
	struct wg_wire_response msg2;
	struct end i, r;
	size_t len;

	make_ends(&i, &r, psk);
	assert_int_equal(send_initiation(&i, &msg1), 0);
	hex_parse(initiation, want, sizeof(want));
	assert_memory_equal(&msg1, want, offsetof(struct wg_wire_initiation, mac1));
	assert_int_equal(receive_initiation(&r, &msg1), 0);
	assert_int_equal(send_response(&r, &msg2), 0);
	hex_parse(response, want, sizeof(want));
	assert_memory_equal(&msg2, want, offsetof(struct wg_wire_response, mac1));
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg2), 0);
	assert_int_equal(wg_noise_derive_keys(&i.hs, &i.keys), 0);
	assert_int_equal(wg_noise_derive_keys(&r.hs, &r.keys), 0);
	hex_parse(initiator_key, want, 32);
	assert_memory_equal(i.keys.sending, want, 32);
	assert_memory_equal(r.keys.receiving, want, 32);
	hex_parse(responder_key, want, 32);
	assert_memory_equal(i.keys.receiving, want, 32);
	assert_memory_equal(r.keys.sending, want, 32);
	assert_true(i.keys.initiator && !r.keys.initiator);
	assert_true(i.keys.local_index == 0x11223344 && i.keys.remote_index == 0xa1b2c3d4);
	assert_true(r.keys.local_index == 0xa1b2c3d4 && r.keys.remote_index == 0x11223344);
	assert_true(crypto_is_zero(&i.hs, sizeof(i.hs)) && crypto_is_zero(&r.hs, sizeof(r.hs)));
	len = hex_parse(data, want, sizeof(want));
	assert_int_equal(crypto_open_aead(opened, r.keys.receiving, 7, want + 16, len - 16, NULL, 0), 0);
	assert_int_equal(opened[0], 0x45);
}

static void test_transcript(void **state)
{
	check_transcript(false, transcript_plain_initiation, transcript_plain_response,
	    transcript_plain_initiator_key, transcript_plain_responder_key, transcript_plain_data);
}

static void test_transcript_psk(void **state)
{
	check_transcript(true, transcript_psk_initiation, transcript_psk_response,
	    transcript_psk_initiator_key, transcript_psk_responder_key, transcript_psk_data);
}

/* Every bit of what the noise part covers; a failure must leave no trace at the receiver. */
static void test_flipped_initiation(void **state)
{
	struct wg_wire_initiation msg, bad;
	struct end i, r, before;

	make_ends(&i, &r, false);
	assert_int_equal(send_initiation(&i, &msg), 0);
	for (size_t bit = 8 * 8; bit < 8 * offsetof(struct wg_wire_initiation, mac1); bit++) {
		/* X25519 ignores the highest bit of a point (RFC 7748 §5); the hash does not. */
		bad = msg;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		before = r;
		assert_int_equal(receive_initiation(&r, &bad), ERR_AUTH);
		before.finds = r.finds;
		assert_memory_equal(&r, &before, sizeof(r));
	}
	assert_int_equal(receive_initiation(&r, &msg), 0);
}

static void test_flipped_response(void **state)
{
	struct wg_wire_initiation msg1;
	struct wg_wire_response msg, bad;
	struct end i, r, before;

	make_ends(&i, &r, true);
	assert_int_equal(send_initiation(&i, &msg1), 0);
	assert_int_equal(receive_initiation(&r, &msg1), 0);
	assert_int_equal(send_response(&r, &msg), 0);
	before = i;
	for (size_t bit = 8 * 12; bit < 8 * offsetof(struct wg_wire_response, mac1); bit++) {
		bad = msg;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &bad), ERR_AUTH);
		assert_memory_equal(&i, &before, sizeof(i));
	}
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg), 0);
	/* And only once. */
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg), ERR_INVALID);
}

static void test_wrong_keys(void **state)
{
	struct wg_wire_initiation msg1;
	struct wg_wire_response msg2;
	struct end i, r, other;

	make_ends(&i, &r, true);
	assert_int_equal(send_initiation(&i, &msg1), 0);
	/* Another responder cannot read it. */
	make_ends(&i, &other, true);
	wg_noise_set_identity(&other.id, i.peer.preshared_key);
	assert_int_equal(receive_initiation(&other, &msg1), ERR_AUTH);
	assert_int_equal(other.finds, 0);
	/* A stranger's static key. */
	other = r;
	other.peer.public_key[5] ^= 1;
	assert_int_equal(receive_initiation(&other, &msg1), ERR_NOENT);
	/* Another preshared key shows in the response. */
	assert_int_equal(send_initiation(&i, &msg1), 0);
	r.peer.preshared_key[31] ^= 1;
	assert_int_equal(receive_initiation(&r, &msg1), 0);
	assert_int_equal(send_response(&r, &msg2), 0);
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg2), ERR_AUTH);
	assert_int_equal(i.hs.state, WG_NOISE_SENT_INITIATION);
}

static void test_replayed_initiation(void **state)
{
	struct wg_wire_initiation first, second;
	struct end i, r;

	make_ends(&i, &r, false);
	assert_int_equal(send_initiation(&i, &first), 0);
	assert_int_equal(send_initiation(&i, &second), 0); /* same clock: one nanosecond later */
	assert_int_equal(receive_initiation(&r, &second), 0);
	assert_int_equal(receive_initiation(&r, &second), ERR_EXISTS);
	assert_int_equal(receive_initiation(&r, &first), ERR_EXISTS);
	assert_memory_equal(r.peer.received_timestamp, i.peer.sent_timestamp, WG_WIRE_TIMESTAMP_LEN);
}

static void test_timestamps(void **state)
{
	uint8_t zero[12] = {0}, a[12], b[12], want[12];

	wg_noise_next_timestamp(a, zero, NOW_NS + 1000000);
	hex_parse("400000006553f10a 02000000", want, 12); /* coarse: both give the same 16 ms */
	assert_memory_equal(a, want, 12);
	wg_noise_next_timestamp(b, a, NOW_NS);
	want[11] = 1;
	assert_memory_equal(b, want, 12);
	/* The clock stepped back by a year. */
	wg_noise_next_timestamp(a, b, NOW_NS - 365ull * 86400 * 1000000000);
	want[11] = 2;
	assert_memory_equal(a, want, 12);
	memset(a, 0xff, 12);
	a[0] = 0x40;
	wg_noise_next_timestamp(b, a, NOW_NS);
	hex_parse("410000000000000000000000", want, 12);
	assert_memory_equal(b, want, 12);
	/* In place. */
	wg_noise_next_timestamp(b, b, NOW_NS);
	want[11] = 1;
	assert_memory_equal(b, want, 12);
}

static void test_low_order(void **state)
{
	uint8_t point[32] = {1}, ephemeral[32] = {7};
	struct wg_wire_initiation msg1;
	struct wg_wire_response msg2;
	struct end i, r;

	make_ends(&i, &r, false);
	assert_int_equal(wg_noise_set_peer(&i.peer, &i.id, point), ERR_INVALID);
	assert_memory_equal(i.peer.public_key, r.id.public_key, 32);
	assert_int_equal(send_initiation(&i, &msg1), 0);
	memcpy(msg1.ephemeral, point, 32);
	assert_int_equal(receive_initiation(&r, &msg1), ERR_AUTH);
	memcpy(i.peer.public_key, point, 32);
	assert_int_equal(
	    wg_noise_create_initiation(&i.hs, &i.id, &i.peer, ephemeral, 1, NOW_NS, &msg1), ERR_AUTH);
	make_ends(&i, &r, false);
	assert_int_equal(send_initiation(&i, &msg1), 0);
	assert_int_equal(receive_initiation(&r, &msg1), 0);
	assert_int_equal(send_response(&r, &msg2), 0);
	memcpy(msg2.ephemeral, point, 32);
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg2), ERR_AUTH);
}

static void test_out_of_order(void **state)
{
	struct wg_wire_response msg2;
	struct end i, r;

	make_ends(&i, &r, false);
	assert_int_equal(send_response(&r, &msg2), ERR_INVALID);
	memset(&msg2, 0, sizeof(msg2));
	assert_int_equal(wg_noise_consume_response(&i.hs, &i.id, &i.peer, &msg2), ERR_INVALID);
	assert_int_equal(wg_noise_derive_keys(&i.hs, &i.keys), ERR_INVALID);
}

/* The length rules of every kind: each truncation and one byte more. */
static void test_wire_types(void **state)
{
	static const struct {
		uint8_t type;
		size_t len;
	} kinds[] = {{1, 148}, {2, 92}, {3, 64}};
	uint8_t data[200] = {0};

	for (size_t k = 0; k < 3; k++) {
		data[0] = kinds[k].type;
		for (size_t len = 0; len < sizeof(data); len++)
			assert_int_equal(
			    wg_wire_type(data, len), len == kinds[k].len ? kinds[k].type : WG_WIRE_INVALID);
		for (size_t i = 1; i < 4; i++) {
			data[i] = 1;
			assert_int_equal(wg_wire_type(data, kinds[k].len), WG_WIRE_INVALID);
			data[i] = 0;
		}
	}
	data[0] = 4;
	for (size_t len = 0; len < sizeof(data); len++)
		assert_int_equal(wg_wire_type(data, len), len >= 32 ? WG_WIRE_DATA : WG_WIRE_INVALID);
	for (unsigned type = 0; type < 256; type++) {
		data[0] = (uint8_t)type;
		if (type < 1 || type > 4)
			assert_int_equal(wg_wire_type(data, 148), WG_WIRE_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transcript),
	    cmocka_unit_test(test_transcript_psk),
	    cmocka_unit_test(test_flipped_initiation),
	    cmocka_unit_test(test_flipped_response),
	    cmocka_unit_test(test_wrong_keys),
	    cmocka_unit_test(test_replayed_initiation),
	    cmocka_unit_test(test_timestamps),
	    cmocka_unit_test(test_low_order),
	    cmocka_unit_test(test_out_of_order),
	    cmocka_unit_test(test_wire_types),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
