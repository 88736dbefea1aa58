/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_timers under a fake clock. Times are seconds after T0. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/wg_replay.h"
#include "lib/wg_timers.h"

#define T0	  (1000 * NSEC_PER_SEC)
#define AT(s)	  (T0 + (uint64_t)((s)*1000) * NSEC_PER_MSEC)
#define NEVER	  UINT64_MAX
#define INITIATE  WG_TIMERS_INITIATE
#define KEEPALIVE WG_TIMERS_KEEPALIVE
#define GIVE_UP	  WG_TIMERS_GIVE_UP
#define ZERO	  WG_TIMERS_ZERO

static struct wg_timers t;
static struct wg_timer_marks m;
static uint64_t deadline;

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	memset(&m, 0, sizeof(m));
	return 0;
}

static unsigned run(uint64_t now_ns)
{
	return wg_timers_run(&t, &m, now_ns, &deadline);
}

static void test_idle(void **state)
{
	assert_int_equal(run(AT(0)), 0);
	assert_true(deadline == NEVER);
}

/* §6.4: every 5 s and up to 333 ms, for 90 s; the jitter is the caller's number. */
static void test_retries(void **state)
{
	unsigned sent = 1;
	uint64_t now = AT(0);

	assert_true(wg_timers_want_handshake(&t, now));
	wg_timers_note_initiation(&t, now, 100000000);
	assert_false(wg_timers_want_handshake(&t, AT(0)));
	for (;;) {
		unsigned due;

		assert_int_equal(run(now), 0);
		assert_true(deadline == now + 5 * NSEC_PER_SEC + 100 * NSEC_PER_MSEC);
		assert_int_equal(run(deadline - 1), 0);
		now = deadline;
		due = run(now);
		if (due == GIVE_UP)
			break;
		assert_int_equal(due, INITIATE);
		wg_timers_note_initiation(&t, now, 100000000);
		sent++;
	}
	assert_int_equal(sent, 18); /* 17 × 5.1 s = 86.7 s; the next would be past 90 s */
	assert_true(t.zero_ns == now + WG_ZERO_AFTER_NS);
	assert_true(wg_timers_want_handshake(&t, now));
}

static void test_jitter_bound(void **state)
{
	for (unsigned i = 0; i < 1000; i++) {
		wg_timers_note_initiation(&t, AT(0), i * 4294967u);
		assert_true(t.retry_ns >= AT(5) && t.retry_ns < AT(5.333));
	}
}

/* Asking again while packets keep coming prolongs the retries. */
static void test_demand_prolongs(void **state)
{
	wg_timers_want_handshake(&t, AT(0));
	wg_timers_note_initiation(&t, AT(85), 0);
	assert_false(wg_timers_want_handshake(&t, AT(86)));
	assert_int_equal(run(AT(95)), INITIATE);
	wg_timers_note_initiation(&t, AT(95), 0);
	assert_int_equal(run(AT(175)), INITIATE);
	assert_int_equal(run(AT(176)), GIVE_UP);
}

/* §6.1: no second initiation within REKEY-TIMEOUT, even after a session. */
static void test_rate(void **state)
{
	assert_true(wg_timers_want_handshake(&t, AT(0)));
	wg_timers_note_initiation(&t, AT(0), 0);
	wg_timers_note_session(&t);
	assert_false(wg_timers_want_handshake(&t, AT(4.999)));
	assert_true(wg_timers_want_handshake(&t, AT(5)));
}

static void test_session_ends(void **state)
{
	wg_timers_note_keys(&t, AT(0));
	wg_timers_note_session(&t);
	for (unsigned s = 0; s < 540; s += 10) {
		assert_int_equal(run(AT(s)), 0);
		assert_true(deadline <= AT(s + 10));
	}
	assert_int_equal(run(AT(539.999)), 0);
	assert_true(deadline == AT(540));
	assert_int_equal(run(AT(540)), ZERO);
	assert_true(deadline == NEVER);
	assert_int_equal(run(AT(540)), 0);
	/* A newer session starts anew. */
	wg_timers_note_keys(&t, AT(600));
	wg_timers_note_keys(&t, AT(700));
	assert_int_equal(run(AT(1239)), 0);
	assert_int_equal(run(AT(1240)), ZERO);
}

/*
 * As responder: the keys end 540 s after they were made, whenever the peer used them first; a handshake of
 * our own that is under way goes on when the peer does not use them.
 */
static void test_responder(void **state)
{
	wg_timers_want_handshake(&t, AT(0));
	wg_timers_note_initiation(&t, AT(0), 50);
	wg_timers_note_keys(&t, AT(3));
	assert_int_equal(run(AT(7.9)), 0);
	assert_int_equal(run(AT(8) + 50), INITIATE);
	wg_timers_note_initiation(&t, AT(8.1), 50);
	wg_timers_note_keys(&t, AT(9));
	wg_timers_note_session(&t);
	assert_int_equal(run(AT(100)), 0);
	/* §6.1: the response was a handshake message of ours, too. */
	wg_timers_note_keys(&t, AT(100));
	assert_false(wg_timers_want_handshake(&t, AT(104.9)));
	assert_true(wg_timers_want_handshake(&t, AT(105)));
	wg_timers_note_initiation(&t, AT(105), 0);
	wg_timers_note_session(&t);
	assert_int_equal(run(AT(639.9)), 0);
	assert_int_equal(run(AT(640)), ZERO);
}

/* §6.5: data came, nothing went back for 10 s. */
static void test_keepalive(void **state)
{
	wg_timers_note_keys(&t, AT(0));
	m.unanswered_rx_ns = AT(3);
	assert_int_equal(run(AT(3)), 0);
	assert_int_equal(run(AT(12.999)), 0);
	assert_true(deadline == AT(13));
	assert_int_equal(run(AT(13)), KEEPALIVE);
	m.unanswered_rx_ns = 0;
	assert_int_equal(run(AT(13)), 0);
	assert_true(deadline == AT(23));
}

/* §6.5: data went out, nothing came back for 15 s. */
static void test_silence(void **state)
{
	wg_timers_note_initiation(&t, AT(0), 0);
	wg_timers_note_keys(&t, AT(0));
	wg_timers_note_session(&t);
	m.unanswered_tx_ns = AT(20);
	assert_int_equal(run(AT(34.999)), 0);
	assert_true(deadline == AT(35) || deadline <= AT(44.999));
	assert_int_equal(run(AT(35)), INITIATE);
	wg_timers_note_initiation(&t, AT(35), 7);
	/* Under way: the retry timer rules. */
	assert_int_equal(run(AT(39)), 0);
	assert_true(deadline == AT(40) + 7);
	m.unanswered_tx_ns = 0;
	wg_timers_note_session(&t);
	assert_int_equal(run(AT(100)), 0);
}

/* The end of silence falls within 5 s after another initiation: it waits. */
static void test_silence_rate(void **state)
{
	wg_timers_note_initiation(&t, AT(18), 0);
	wg_timers_note_session(&t);
	m.unanswered_tx_ns = AT(4);
	assert_int_equal(run(AT(19)), 0);
	assert_true(deadline == AT(23));
	assert_int_equal(run(AT(23)), INITIATE);
}

static void test_persistent(void **state)
{
	t.persistent_ns = 25 * NSEC_PER_SEC;
	assert_int_equal(run(AT(0)), KEEPALIVE); /* at once, to open the way through a NAT */
	assert_true(deadline == AT(25));
	assert_int_equal(run(AT(1)), 0);
	m.last_tx_ns = AT(10);
	assert_int_equal(run(AT(25)), 0);
	assert_true(deadline == AT(35));
	m.last_rx_ns = AT(20);
	assert_int_equal(run(AT(44.999)), 0);
	assert_true(deadline == AT(45));
	assert_int_equal(run(AT(45)), KEEPALIVE);
	/* It could not be sent: not again at once. */
	assert_int_equal(run(AT(45)), 0);
	assert_true(deadline == AT(70));
}

static void test_key_limits(void **state)
{
	static const struct {
		uint64_t age_ns, counter;
		bool initiator, seals, opens, stale_send, stale_receive;
	} rows[] = {
	    {0, 0, true, true, true, false, false},
	    {120 * NSEC_PER_SEC - 1, 5, true, true, true, false, false},
	    {120 * NSEC_PER_SEC, 5, true, true, true, true, false},
	    {120 * NSEC_PER_SEC, 5, false, true, true, false, false},
	    {165 * NSEC_PER_SEC - 1, 5, true, true, true, true, false},
	    {165 * NSEC_PER_SEC, 5, true, true, true, true, true},
	    {165 * NSEC_PER_SEC, 5, false, true, true, false, false},
	    {180 * NSEC_PER_SEC - 1, 5, false, true, true, false, false},
	    {180 * NSEC_PER_SEC, 5, false, false, false, false, false},
	    {1, WG_REKEY_AFTER_MESSAGES - 1, false, true, true, false, false},
	    {1, WG_REKEY_AFTER_MESSAGES, false, true, true, true, false},
	    {1, WG_REJECT_AFTER_MESSAGES - 1, true, true, true, true, false},
	    {1, WG_REJECT_AFTER_MESSAGES, true, false, true, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t now = T0 + rows[i].age_ns;

		assert_int_equal(wg_timers_key_seals(T0, rows[i].counter, now), rows[i].seals);
		assert_int_equal(wg_timers_key_opens(T0, now), rows[i].opens);
		assert_int_equal(wg_timers_key_stale_to_send(T0, rows[i].initiator, rows[i].counter, now),
		    rows[i].stale_send);
		assert_int_equal(
		    wg_timers_key_stale_to_receive(T0, rows[i].initiator, now), rows[i].stale_receive);
	}
	/* A worker's clock a little behind the birth of the key. */
	assert_true(wg_timers_key_seals(T0, 0, T0 - 5) && wg_timers_key_opens(T0, T0 - 5));
	assert_false(wg_timers_key_stale_to_send(T0, true, 0, T0 - 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_idle, set_up),
	    cmocka_unit_test_setup(test_retries, set_up),
	    cmocka_unit_test_setup(test_jitter_bound, set_up),
	    cmocka_unit_test_setup(test_demand_prolongs, set_up),
	    cmocka_unit_test_setup(test_rate, set_up),
	    cmocka_unit_test_setup(test_session_ends, set_up),
	    cmocka_unit_test_setup(test_responder, set_up),
	    cmocka_unit_test_setup(test_keepalive, set_up),
	    cmocka_unit_test_setup(test_silence, set_up),
	    cmocka_unit_test_setup(test_silence_rate, set_up),
	    cmocka_unit_test_setup(test_persistent, set_up),
	    cmocka_unit_test_setup(test_key_limits, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
