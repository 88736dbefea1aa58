/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_cookie: mac1 of the independent transcript, the cookie's round trip, its ages, altered bits, load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "tests/unit/hex.h"
#include "tests/unit/wg_transcript.h"

static struct wg_cookie_checker checker; /* the responder's */
static struct wg_cookie_maker maker;	 /* the initiator's, towards the responder */
static struct wg_wire_initiation msg;
static struct ip_endpoint src;
static const uint64_t t0 = 1000 * NSEC_PER_SEC;

static int set_up(void **state)
{
	static const uint8_t random[32] = {1, 2, 3};
	struct wg_noise_identity id;
	uint8_t key[32];

	hex_parse(transcript_static_r, key, 32);
	wg_noise_set_identity(&id, key);
	wg_cookie_init_checker(&checker, id.public_key);
	wg_cookie_init_maker(&maker, id.public_key);
	wg_cookie_refresh_secret(&checker, random, t0);
	hex_parse(transcript_plain_initiation, (uint8_t *)&msg, sizeof(msg));
	return ip_endpoint_parse("192.0.2.1:51820", &src, NULL);
}

static enum wg_cookie_verdict check(uint64_t now_ns)
{
	return wg_cookie_check_macs(&checker, &msg, sizeof(msg), &src, now_ns);
}

static void test_mac1(void **state)
{
	uint8_t want[16];

	memcpy(want, msg.mac1, sizeof(want)); /* as the independent implementation says */
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
	memset(msg.mac1, 0, sizeof(msg.mac1));
	memset(msg.mac2, 0xff, sizeof(msg.mac2));
	assert_int_equal(check(t0), WG_COOKIE_BAD_MAC1);
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), t0);
	assert_memory_equal(msg.mac1, want, sizeof(want));
	assert_true(crypto_is_zero(msg.mac2, sizeof(msg.mac2)));
	for (size_t bit = 0; bit < 8 * (sizeof(msg) - 16); bit++) {
		((uint8_t *)&msg)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(check(t0), WG_COOKIE_BAD_MAC1);
		((uint8_t *)&msg)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t len = 0; len < sizeof(msg); len++)
		assert_int_equal(wg_cookie_check_macs(&checker, &msg, len, &src, t0), WG_COOKIE_BAD_MAC1);
}

static struct wg_wire_cookie_reply answer(void)
{
	uint8_t nonce[24] = {9};
	struct wg_wire_cookie_reply reply;

	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), t0);
	assert_int_equal(wg_cookie_create_reply(&checker, &msg, sizeof(msg), &src, nonce, &reply), 0);
	assert_int_equal(wg_wire_type((uint8_t *)&reply, sizeof(reply)), WG_WIRE_COOKIE_REPLY);
	assert_memory_equal(reply.receiver, msg.sender, 4);
	return reply;
}

static void test_cookie(void **state)
{
	struct wg_wire_cookie_reply reply = answer();

	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), 0);
	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), ERR_INVALID); /* one reply a message */
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), t0 + NSEC_PER_SEC);
	assert_int_equal(check(t0 + NSEC_PER_SEC), WG_COOKIE_GOOD_MAC2);
	src.port++;
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
	src.port--;
	src.addr.b[3]++;
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
	src.addr.b[3]--;
	for (size_t bit = 0; bit < 8 * 16; bit++) {
		msg.mac2[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
		msg.mac2[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC2);
}

static void test_cookie_v6(void **state)
{
	struct wg_wire_cookie_reply reply;

	assert_int_equal(ip_endpoint_parse("[2001:db8::7]:443", &src, NULL), 0);
	reply = answer();
	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), 0);
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), t0);
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC2);
	src.addr.b[15]++;
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
}

static void test_ages(void **state)
{
	static const uint8_t random[32] = {4};
	struct wg_wire_cookie_reply reply = answer();
	uint64_t sender_end = t0 + WG_COOKIE_SECRET_NS - WG_COOKIE_LATENCY_NS;

	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), 0);
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), sender_end - 1);
	assert_int_equal(check(sender_end - 1), WG_COOKIE_GOOD_MAC2);
	assert_int_equal(check(t0 + WG_COOKIE_SECRET_NS - 1), WG_COOKIE_GOOD_MAC2);
	assert_int_equal(check(t0 + WG_COOKIE_SECRET_NS), WG_COOKIE_GOOD_MAC1);
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), sender_end);
	assert_true(crypto_is_zero(msg.mac2, sizeof(msg.mac2)));
	/* A secret stays for its two minutes, then it changes and old cookies end. */
	wg_cookie_stamp_macs(&maker, &msg, sizeof(msg), sender_end - 1);
	wg_cookie_refresh_secret(&checker, random, t0 + WG_COOKIE_SECRET_NS - 1);
	assert_int_equal(check(t0 + WG_COOKIE_SECRET_NS - 1), WG_COOKIE_GOOD_MAC2);
	wg_cookie_refresh_secret(&checker, random, t0 + WG_COOKIE_SECRET_NS);
	assert_int_equal(check(t0 + WG_COOKIE_SECRET_NS), WG_COOKIE_GOOD_MAC1);
}

static void test_altered_reply(void **state)
{
	struct wg_wire_cookie_reply reply = answer(), bad;
	struct wg_cookie_maker before = maker, stranger = maker;

	for (size_t bit = 8 * 8; bit < 8 * sizeof(reply); bit++) {
		bad = reply;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(wg_cookie_consume_reply(&maker, &bad, t0), ERR_AUTH);
		assert_memory_equal(&maker, &before, sizeof(maker));
	}
	/* A reply to another message: its mac1 is the associated data. */
	stranger.last_mac1[0] ^= 1;
	assert_int_equal(wg_cookie_consume_reply(&stranger, &reply, t0), ERR_AUTH);
	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), 0);
}

static void test_without_secret(void **state)
{
	struct wg_wire_cookie_reply reply;
	uint8_t nonce[24] = {0};

	checker.has_secret = false;
	assert_int_equal(
	    wg_cookie_create_reply(&checker, &msg, sizeof(msg), &src, nonce, &reply), ERR_INVALID);
	assert_int_equal(check(t0), WG_COOKIE_GOOD_MAC1);
	memset(maker.last_mac1, 0, sizeof(maker.last_mac1));
	assert_int_equal(wg_cookie_consume_reply(&maker, &reply, t0), ERR_INVALID);
}

static void test_load(void **state)
{
	struct wg_cookie_load load = {0};
	uint64_t now = t0;

	/* One every 2 ms is no load. */
	for (unsigned i = 0; i < 1000; i++, now += 2 * NSEC_PER_MSEC)
		assert_false(wg_cookie_note_message(&load, now));
	/* One every millisecond is, after a window's worth, and for a second after the last excess. */
	for (unsigned i = 0; i < 200; i++, now += NSEC_PER_MSEC)
		wg_cookie_note_message(&load, now);
	assert_true(wg_cookie_note_message(&load, now));
	assert_true(wg_cookie_note_message(&load, now + 900 * NSEC_PER_MSEC));
	assert_false(wg_cookie_note_message(&load, now + 1100 * NSEC_PER_MSEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_mac1, set_up),
	    cmocka_unit_test_setup(test_cookie, set_up),
	    cmocka_unit_test_setup(test_cookie_v6, set_up),
	    cmocka_unit_test_setup(test_ages, set_up),
	    cmocka_unit_test_setup(test_altered_reply, set_up),
	    cmocka_unit_test_setup(test_without_secret, set_up),
	    cmocka_unit_test_setup(test_load, set_up),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
