/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_session: round trip, every truncation, fields that cannot be. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/wg_session.h"

static uint8_t bytes[2 * WG_SESSION_ROOM];

static struct wg_session make_session(void)
{
	struct wg_session s;

	memset(&s, 0, sizeof(s));
	memcpy(s.tunnel, "fifteen-letters", 16);
	crypto_fill_random(s.own_key, sizeof(s.own_key));
	crypto_fill_random(s.peer_key, sizeof(s.peer_key));
	s.port = 51820;
	s.handshake_ns = 1;
	s.handshake_realtime_ns = UINT64_MAX;
	s.rx_bytes = 2;
	s.tx_bytes = 3;
	s.last_rx_ns = 4;
	s.last_tx_ns = 5;
	s.unanswered_rx_ns = 6;
	s.unanswered_tx_ns = 7;
	for (unsigned i = 0; i < WG_SESSION_ROLES; i += 2) {
		struct wg_session_keys *k = &s.keys[i];

		k->present = true;
		k->initiator = i == 0;
		k->confirmed = i == 0;
		crypto_fill_random(k->sending, sizeof(k->sending));
		crypto_fill_random(k->receiving, sizeof(k->receiving));
		k->local_index = 0xfffffff0u + i;
		k->remote_index = i;
		k->birth_ns = 1000;
		k->send_counter = UINT64_MAX - i;
		for (uint64_t c = 0; c < 9000; c += 3)
			assert_true(wg_replay_accept_counter(&k->replay, c));
	}
	return s;
}

static size_t write_session(const struct wg_session *s)
{
	struct buf_writer w;

	buf_writer_init(&w, bytes, sizeof(bytes));
	wg_session_write_head(&w);
	wg_session_write(&w, s);
	assert_int_equal(w.err, 0);
	return buf_writer_len(&w);
}

/* In a buffer of the exact size, so that the sanitizer sees a byte too far. */
static int read_session(size_t len, struct wg_session *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct buf_reader r;
	int err;

	memcpy(copy, bytes, len);
	buf_reader_init(&r, copy, len);
	err = wg_session_read_head(&r);
	if (!err)
		err = wg_session_read(&r, out);
	if (!err)
		assert_int_equal(buf_reader_left(&r), 0);
	free(copy);
	return err;
}

static void test_round_trip(void **state)
{
	struct wg_session s = make_session(), got;
	size_t len = write_session(&s);

	assert_int_equal(read_session(len, &got), 0);
	assert_memory_equal(&got, &s, sizeof(s));
	memset(&s.keys, 0, sizeof(s.keys));
	len = write_session(&s);
	assert_int_equal(read_session(len, &got), 0);
	assert_memory_equal(&got, &s, sizeof(s));
}

static void test_truncated(void **state)
{
	struct wg_session s = make_session(), got;
	size_t len = write_session(&s);

	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(read_session(cut, &got), ERR_TRUNCATED);
	assert_true(crypto_is_zero(&got, sizeof(got)));
}

static void test_refused(void **state)
{
	struct wg_session s = make_session(), got;
	size_t len = write_session(&s), flags = WG_SESSION_HEAD_LEN + 16 + 64 + 2 + 64;

	bytes[0] ^= 1;
	assert_int_equal(read_session(len, &got), ERR_UNSUPPORTED);
	bytes[0] ^= 1;
	bytes[7]++;
	assert_int_equal(read_session(len, &got), ERR_UNSUPPORTED);
	bytes[7]--;
	bytes[flags] = 15;
	assert_int_equal(read_session(len, &got), ERR_INVALID);
	bytes[flags] = 6;
	assert_int_equal(read_session(len, &got), ERR_INVALID);
	bytes[flags] = 7;
	bytes[WG_SESSION_HEAD_LEN + 15] = 'x'; /* no end of the name */
	assert_int_equal(read_session(len, &got), ERR_INVALID);
	s.keys[0].local_index = 0;
	assert_int_equal(read_session(write_session(&s), &got), ERR_INVALID);
	s.keys[0].local_index = 1;
	s.keys[0].replay.next = UINT64_MAX;
	assert_int_equal(read_session(write_session(&s), &got), ERR_INVALID);
	assert_true(crypto_is_zero(&got, sizeof(got)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_refused),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
