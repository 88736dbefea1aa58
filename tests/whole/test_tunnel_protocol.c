/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of WireGuard that need time to pass (paper §6) or an adversary's patience (§5): under a clock
 * that the test moves.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/tunnel_peer.h"
#include "lib/err.h"
#include "tests/whole/tunnel_rig.h"

#define SECONDS(n) ((uint64_t)((n)*1000) * NSEC_PER_MSEC)

static uint64_t skipped_ns;
static int64_t stepped_ns; /* the wall clock alone */

uint64_t __wrap_nsec_monotonic(void);
uint64_t __wrap_nsec_realtime(void);

uint64_t __wrap_nsec_monotonic(void)
{
	return SECONDS(1000) + skipped_ns;
}

uint64_t __wrap_nsec_realtime(void)
{
	return (uint64_t)((int64_t)(1500000000 * NSEC_PER_SEC + skipped_ns) + stepped_ns);
}

/* Time passes, in steps that leave the timers their turn. */
static void pass(uint64_t ns)
{
	while (ns) {
		uint64_t step = ns < NSEC_PER_SEC / 10 ? ns : NSEC_PER_SEC / 10;

		skipped_ns += step;
		ns -= step;
		run();
	}
}

/* The length of the next message within this time; 0: none came. */
static size_t await_message(uint64_t ns)
{
	size_t len = receive_message();

	for (uint64_t at = 0; !len && at < ns; at += NSEC_PER_SEC / 10) {
		pass(NSEC_PER_SEC / 10);
		len = receive_message();
	}
	return len;
}

static void set_pair(const char *endpoint)
{
	make_pair("198.51.100.7", "192.0.2.10", endpoint, NULL);
	route_into_tunnel();
}

/* A pair with a session of which we are the initiator, or the responder. */
static void set_session(bool initiator)
{
	set_pair(initiator ? "198.51.100.7:40000" : NULL);
	if (!initiator) {
		initiate();
		send_data("", 0);
		return;
	}
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	answer_initiation();
	assert_true(open_data(receive_message()) > 0);
}

static struct tunnel_peer *the_peer(void)
{
	struct tunnel_peer *p = tunnel_peer_find("friend", remote.id.public_key);

	assert_non_null(p);
	return p;
}

/* Of workers and slow thread since the last call for this reason. */
static uint64_t drops(enum drop_reason reason)
{
	static uint64_t before[DROP_REASONS];
	uint64_t slow = slow_drop_count(reason), n = slow - before[reason];

	before[reason] = slow;
	return n + whole_drops(reason);
}

static int begin(void **state)
{
	for (unsigned i = 0; i < DROP_REASONS; i++)
		drops((enum drop_reason)i);
	skipped_ns += SECONDS(2); /* no load is left of the test before */
	run();
	return 0;
}

/* §6.4: initiations 5 to 5.333 s apart for 90 s, then silence; what waited is dropped and counted. */
static void test_retries_end(void **state)
{
	unsigned sent = 0;
	uint64_t last_ns = 0;

	set_pair("198.51.100.7:40000");
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	for (unsigned i = 0; i < 2000; i++) {
		if (receive_message()) {
			uint64_t gap_ns = nsec_monotonic() - last_ns;

			if (sent)
				assert_in_range(gap_ns, SECONDS(5), SECONDS(5.433));
			last_ns = nsec_monotonic();
			sent++;
		}
		pass(NSEC_PER_SEC / 10);
	}
	assert_in_range(sent, 17, 18);
	assert_int_equal(drops(DROP_TUNNEL_QUEUE), 1);
	assert_int_equal(atomic_load(&the_peer()->queued), 0);
	/* Somebody asks again: at once. */
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
}

/* Of more packets than can wait the newest go on when the session comes, in their order. */
static void test_newest_wait(void **state)
{
	unsigned n = 0;
	size_t last = 0, len;

	set_pair("198.51.100.7:40000");
	for (size_t i = 0; i < 400; i++) {
		send_from_lan("10.1.0.5", "10.2.0.5", 100 + i);
		skipped_ns += 20 * NSEC_PER_MSEC;
	}
	assert_int_equal(atomic_load(&the_peer()->queued), TUNNEL_WAITING);
	/* 400 × 20 ms: there was a repetition. */
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	answer_initiation();
	while ((len = receive_message())) {
		size_t inner;

		open_data(len);
		inner = ntohs(((const struct wire_ip4 *)(message + 16))->total_len_be);
		assert_true(inner > last);
		last = inner;
		n++;
	}
	assert_int_equal(n, TUNNEL_WAITING);
	assert_int_equal(last, 28 + 499);
	assert_int_equal(drops(DROP_TUNNEL_QUEUE), 400 - TUNNEL_WAITING);
}

/* Others' packets have taken all the room there is: this one is lost, but its peer is called. */
static void test_full_queue_still_calls(void **state)
{
	struct fibmsg_peer others = {.tunnel = "friend", .name = "others"};
	struct err_msg msg = {""};

	set_pair("198.51.100.7:40000");
	for (uint8_t k = 1; k <= TUNNEL_WAITING_ALL / TUNNEL_WAITING; k++) {
		struct tunnel_peer *p;

		memset(others.key, k, sizeof(others.key));
		assert_int_equal(tunnel_peer_set(&others, &msg), 0);
		p = tunnel_peer_find("friend", others.key);
		for (unsigned i = 0; i < TUNNEL_WAITING; i++)
			tunnel_queue_add(p, whole_mbuf("", 1));
	}
	run();
	assert_int_equal(receive_message(), 0);
	tunnel_queue_add(the_peer(), whole_mbuf("", 1));
	run();
	assert_int_equal(atomic_load(&the_peer()->queued), 0);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
}

/* Marks that could not be written are not taken for written: soon they are. */
static void test_marks_after_a_failed_write(void **state)
{
	char path[128], fresh[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/peers", directory);
	snprintf(fresh, sizeof(fresh), "%s/peers.new", directory);
	set_pair("198.51.100.7:40000");
	pass(SECONDS(2));
	unlink(path);
	assert_int_equal(mkdir(fresh, 0700), 0);
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	assert_true(crypto_is_zero(the_peer()->stored_timestamp, WG_WIRE_TIMESTAMP_LEN));
	pass(SECONDS(12));
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(rmdir(fresh), 0);
	pass(SECONDS(12));
	assert_int_equal(stat(path, &st), 0);
	assert_true(memcmp(the_peer()->stored_timestamp, the_peer()->noise.sent_timestamp,
			WG_WIRE_TIMESTAMP_LEN) > 0);
}

/* §6.2: after 120 s the initiator renews the key when it sends, the responder leaves it to the other. */
static void test_rekey_after_time(void **state)
{
	set_session(true);
	pass(SECONDS(119));
	while (receive_message())
		;
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(open_data(receive_message()) > 0);
	assert_int_equal(receive_message(), 0);
	send_data("", 0); /* heard: no silence */
	pass(SECONDS(2));
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(open_data(receive_message()) > 0);
	assert_int_equal(await_message(SECONDS(1)), sizeof(struct wg_wire_initiation));
	answer_initiation();
	assert_int_equal(open_data(receive_message()), 0);
	end_test(state);

	set_session(false);
	pass(SECONDS(130));
	while (receive_message())
		;
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(open_data(receive_message()) > 0);
	assert_int_equal(await_message(SECONDS(1)), 0);
}

/* §6.2: the initiator that only receives renews the key 15 s before its end. */
static void test_rekey_when_receiving(void **state)
{
	set_session(true);
	send_data("", 0);
	pass(SECONDS(164));
	assert_int_equal(receive_message(), 0);
	send_good_data();
	assert_int_equal(receive_message(), 0);
	pass(SECONDS(2));
	send_good_data();
	assert_int_equal(await_message(SECONDS(1)), sizeof(struct wg_wire_initiation));
}

/* Data under the previous key, however old that is, is no reason to renew a current one that is fresh. */
static void test_previous_key_is_old(void **state)
{
	struct remote before;

	set_session(true);
	pass(SECONDS(150));
	before = remote;
	while (receive_message())
		;
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(receive_message() > 0);
	assert_int_equal(await_message(SECONDS(1)), sizeof(struct wg_wire_initiation));
	answer_initiation();
	while (receive_message())
		;
	pass(SECONDS(20));
	while (receive_message())
		;
	remote.keys = before.keys;
	remote.counter = before.counter;
	send_good_data(); /* 170 s old, and good for 10 s more */
	assert_int_equal(await_message(SECONDS(4)), 0);
}

/* §6.1: nothing is sealed or opened under a key of 180 s; §6.3: after 540 s nothing is left of any. */
static void test_keys_end(void **state)
{
	size_t len, inner_len;
	const uint8_t *inner;

	set_session(false);
	pass(SECONDS(179));
	send_good_data();
	pass(SECONDS(1.1));
	while (receive_message())
		;
	inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &inner_len);
	send_data(inner, inner_len);
	assert_true(whole_silent(&lan));
	assert_int_equal(whole_drops(DROP_TUNNEL_EXPIRED), 1);
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	len = receive_message();
	assert_int_equal(len, sizeof(struct wg_wire_initiation));
	assert_non_null(the_peer()->current);
	assert_false(crypto_is_zero(&the_peer()->handshake, sizeof(struct wg_noise_handshake)));
	pass(SECONDS(361));
	assert_null(the_peer()->current);
	assert_null(the_peer()->previous);
	assert_null(the_peer()->next);
	assert_true(crypto_is_zero(&the_peer()->handshake, sizeof(struct wg_noise_handshake)));
	send_data(inner, inner_len);
	assert_int_equal(whole_drops(DROP_TUNNEL_NO_SESSION), 1);
}

/* §6.1, §6.2: renewed after 2^60 messages, and not one more than 2^64 - 8,130, however often it is tried. */
static void test_message_limits(void **state)
{
	struct tunnel_keypair *kp;
	size_t len;

	set_session(false);
	pass(SECONDS(6));
	kp = the_peer()->current;
	atomic_store(&kp->send_counter, WG_REKEY_AFTER_MESSAGES);
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(open_data(receive_message()) > 0);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	atomic_store(&kp->send_counter, WG_REJECT_AFTER_MESSAGES - 3);
	for (unsigned i = 0; i < 300; i++)
		send_from_lan("10.1.0.5", "10.2.0.5", 10);
	while ((len = receive_message()))
		if (wg_wire_type(message, len) == WG_WIRE_DATA)
			assert_true(wg_wire_get_le64(((struct wg_wire_data *)message)->counter) <
				    WG_REJECT_AFTER_MESSAGES);
	atomic_store(&kp->send_counter, UINT64_MAX - 5);
	for (unsigned i = 0; i < 20; i++)
		send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(atomic_load(&kp->send_counter) == UINT64_MAX - 5);
	assert_int_equal(receive_message(), 0);
	/* The other way: a counter at the limit does not open. */
	seal("", 0, WG_REJECT_AFTER_MESSAGES);
	send_message(message, 32);
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), 1);
	seal("", 0, WG_REJECT_AFTER_MESSAGES - 1);
	send_message(message, 32);
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), 0);
}

/* §6.5: data is answered within 10 s, at least by an empty message; an empty message is not. */
static void test_passive_keepalive(void **state)
{
	set_session(false);
	send_data("", 0);
	assert_int_equal(await_message(SECONDS(12)), 0);
	send_good_data();
	assert_int_equal(await_message(SECONDS(9.9)), 0);
	assert_int_equal(open_data(await_message(SECONDS(0.3))), 0);
	assert_int_equal(await_message(SECONDS(20)), 0);
}

/* §6.5: no answer to data for 15 s: a handshake. */
static void test_silence(void **state)
{
	set_session(true);
	pass(SECONDS(6));
	send_data("", 0);
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_true(open_data(receive_message()) > 0);
	assert_int_equal(await_message(SECONDS(14.9)), 0);
	assert_int_equal(await_message(SECONDS(0.6)), sizeof(struct wg_wire_initiation));
}

/* A response that the peer never uses (it was lost, or is replayed): our own handshake goes on. */
static void test_response_is_lost(void **state)
{
	struct wg_wire_initiation crossing;

	set_pair("198.51.100.7:40000");
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	pass(SECONDS(1));
	make_initiation(&crossing);
	send_message(&crossing, sizeof(crossing));
	assert_int_equal(receive_message(), sizeof(struct wg_wire_response));
	assert_int_equal(await_message(SECONDS(4.9)), 0);
	assert_int_equal(await_message(SECONDS(0.6)), sizeof(struct wg_wire_initiation));
	answer_initiation();
	assert_true(open_data(receive_message()) > 0);
}

/* The keys are gone a moment after a handshake: what waits is not forgotten. */
static void test_waiting_is_not_forgotten(void **state)
{
	set_session(true);
	pass(SECONDS(1));
	tunnel_handshake_drop_keys(the_peer());
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), 0); /* §6.1: not within 5 s */
	assert_int_equal(await_message(SECONDS(4.5)), sizeof(struct wg_wire_initiation));
	answer_initiation();
	assert_true(open_data(receive_message()) > 0);
}

/* An initiation that comes too soon after another moves nothing, not even its timestamp's mark. */
static void test_flood_moves_nothing(void **state)
{
	uint8_t mark[WG_WIRE_TIMESTAMP_LEN];
	struct wg_wire_initiation early;

	set_pair(NULL);
	initiate();
	memcpy(mark, the_peer()->noise.received_timestamp, sizeof(mark));
	make_initiation(&early);
	send_message(&early, sizeof(early));
	assert_int_equal(drops(DROP_HANDSHAKE_FLOOD), 1);
	assert_memory_equal(mark, the_peer()->noise.received_timestamp, sizeof(mark));
	skipped_ns += 25 * NSEC_PER_MSEC;
	send_message(&early, sizeof(early));
	assert_int_equal(receive_message(), sizeof(struct wg_wire_response));
	/* §5.1: once, and never an older one. */
	skipped_ns += 25 * NSEC_PER_MSEC;
	send_message(&early, sizeof(early));
	assert_int_equal(receive_message(), 0);
	assert_int_equal(drops(DROP_HANDSHAKE_INVALID), 1);
}

/* §5.1: what we send is later than what we sent, though the wall clock was set back a year. */
static void test_clock_set_back(void **state)
{
	set_session(true);
	stepped_ns = -(int64_t)(365 * 86400 * NSEC_PER_SEC);
	pass(SECONDS(181));
	while (receive_message())
		;
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	stepped_ns = 0;
	answer_initiation(); /* checks that its timestamp is later */
	assert_true(open_data(receive_message()) > 0);
}

/* A stale message about a peer whose session is gone does not move the one that has its place. */
static void test_event_of_before(void **state)
{
	struct tunnel_event event = {.what = TUNNEL_EVENT_ROAMED};
	struct ip_endpoint before;
	struct rte_mbuf *pkt;

	set_session(false);
	before = the_peer()->remote;
	event.receiver = the_peer()->current->local_index ^ 0x10000000u;
	event.from =
	    (struct tunnel_source){.remote = before, .local = {.family = IP_V4}, .line = wan1.ifc->index};
	event.from.remote.port = 1;
	pkt = whole_mbuf(&event, sizeof(event));
	pkt_meta(pkt)->op = PKT_TUNNEL_EVENT;
	pkt_meta(pkt)->peer = the_peer()->index;
	tunnel_handle(pkt);
	assert_int_equal(the_peer()->remote.port, before.port);
	event.receiver = the_peer()->current->local_index;
	pkt = whole_mbuf(&event, sizeof(event));
	pkt_meta(pkt)->op = PKT_TUNNEL_EVENT;
	pkt_meta(pkt)->peer = the_peer()->index;
	tunnel_handle(pkt);
	assert_int_equal(the_peer()->remote.port, 1);
}

/* While a peer is heard from where it went, a lost initiation does not send its data where it was. */
static void test_lost_rekey_keeps_endpoint(void **state)
{
	size_t len;

	set_session(true);
	remote.port = 40001; /* it roams */
	pass(SECONDS(1));
	send_good_data();
	pass(SECONDS(120));
	while (receive_message())
		;
	send_good_data();
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	for (unsigned i = 0; i < 200; i++) {
		if (i % 20 == 0)
			send_good_data();
		send_from_lan("10.1.0.5", "10.2.0.5", 10);
		while ((len = receive_message())) /* checks the port that it goes to */
			;
		pass(NSEC_PER_SEC / 10);
	}
}

/* Both ends call at the same time: each answers, and there is one session in the end. */
static void test_crossing_initiations(void **state)
{
	struct wg_wire_initiation theirs, ours;
	struct wg_noise_handshake mine;
	struct wg_wire_response in;

	set_pair("198.51.100.7:40000");
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(ours));
	memcpy(&ours, message, sizeof(ours));
	make_initiation(&theirs);
	mine = remote.hs;
	send_message(&theirs, sizeof(theirs));
	assert_int_equal(receive_message(), sizeof(in));
	memcpy(&in, message, sizeof(in));
	memcpy(message, &ours, sizeof(ours));
	answer_initiation();
	assert_true(open_data(receive_message()) > 0);
	/* Our side of the other one serves as well. */
	remote.hs = mine;
	assert_int_equal(wg_noise_consume_response(&remote.hs, &remote.id, &remote.peer, &in), 0);
	assert_int_equal(wg_noise_derive_keys(&remote.hs, &remote.keys), 0);
	remote.counter = 0;
	send_good_data();
}

/* All that an unauthenticated message could move. */
struct snapshot {
	struct wg_noise_peer noise;
	struct wg_noise_handshake handshake;
	struct wg_cookie_maker cookies;
	struct ip_endpoint remote, learned;
	const void *current, *previous, *next, *path;
	uint64_t rx_bytes, last_rx_ns;
};

static struct snapshot take_snapshot(void)
{
	struct tunnel_peer *p = the_peer();
	struct snapshot s;

	memset(&s, 0, sizeof(s));
	s.noise = p->noise;
	s.handshake = p->handshake;
	s.cookies = p->cookies;
	s.remote = p->remote;
	s.learned = p->learned;
	s.current = p->current;
	s.previous = p->previous;
	s.next = p->next;
	s.path = p->path;
	s.rx_bytes = atomic_load(&p->rx_bytes);
	s.last_rx_ns = atomic_load(&p->marks.last_rx_ns);
	return s;
}

/* Sent from another port, and slowly enough to be no load: nobody answers, nothing moves. */
static void send_in_vain(const struct snapshot *before, const void *data, size_t len)
{
	struct snapshot after;

	skipped_ns += 2 * NSEC_PER_MSEC;
	remote.port++;
	send_message(data, len);
	remote.port--;
	after = take_snapshot();
	assert_memory_equal(before, &after, sizeof(after));
	assert_true(whole_silent(&wan1) && whole_silent(&lan));
}

/* With macs put right again, so that what lies behind them is seen; macs false: as it is. */
static void send_flipped(const struct snapshot *before, const void *data, size_t len, size_t bit, bool macs)
{
	uint8_t copy[sizeof(struct wg_wire_initiation)];

	memcpy(copy, data, len);
	copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (macs)
		wg_cookie_stamp_macs(&remote.cookies, copy, len, clock_ns);
	send_in_vain(before, copy, len);
}

static uint64_t handshake_drops(void)
{
	return drops(DROP_HANDSHAKE_MAC1) + drops(DROP_HANDSHAKE_INVALID) + drops(DROP_TUNNEL_MESSAGE);
}

/* Every bit and every truncation of an initiation; the sender's index is bound by mac1 alone. */
static void test_damaged_initiation(void **state)
{
	struct wg_wire_initiation msg;
	struct snapshot before;
	uint64_t n = 0;

	set_pair(NULL);
	make_initiation(&msg);
	before = take_snapshot();
	for (size_t bit = 0; bit < 8 * offsetof(struct wg_wire_initiation, mac2); bit++, n++)
		send_flipped(&before, &msg, sizeof(msg), bit, false);
	for (size_t bit = 0; bit < 8 * offsetof(struct wg_wire_initiation, mac1); bit++)
		if (bit < 8 * 4 || bit >= 8 * 8) {
			send_flipped(&before, &msg, sizeof(msg), bit, true);
			n++;
		}
	for (size_t len = 0; len < sizeof(msg); len++, n++)
		send_in_vain(&before, &msg, len);
	assert_int_equal(handshake_drops(), n);
	send_message(&msg, sizeof(msg));
	assert_int_equal(receive_message(), sizeof(struct wg_wire_response));
}

static struct wg_noise_peer *find_us(void *arg, const uint8_t public_key[CRYPTO_KEY_LEN])
{
	return memcmp(remote.peer.public_key, public_key, CRYPTO_KEY_LEN) == 0 ? &remote.peer : NULL;
}

/* The same of a response and of a cookie reply to our initiation. */
static void test_damaged_answers(void **state)
{
	struct wg_wire_cookie_reply reply;
	struct wg_cookie_checker checker;
	struct wg_wire_initiation in;
	struct wg_wire_response msg;
	struct wg_noise_peer *peer = &remote.peer;
	uint8_t random[CRYPTO_KEY_LEN] = {1};
	struct snapshot before;
	struct ip_endpoint us;
	uint64_t n = 0;

	set_pair("198.51.100.7:40000");
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(in));
	memcpy(&in, message, sizeof(in));
	assert_int_equal(ip_endpoint_parse("192.0.2.10:51821", &us, NULL), 0);
	wg_cookie_init_checker(&checker, remote.id.public_key);
	wg_cookie_refresh_secret(&checker, random, clock_ns);
	assert_int_equal(wg_cookie_create_reply(&checker, &in, sizeof(in), &us, random, &reply), 0);
	assert_int_equal(wg_noise_consume_initiation(&remote.hs, &remote.id, find_us, NULL, &in, &peer), 0);
	assert_int_equal(wg_noise_create_response(&remote.hs, &remote.peer, random, 77, &msg), 0);
	wg_cookie_stamp_macs(&remote.cookies, &msg, sizeof(msg), clock_ns);
	before = take_snapshot();
	for (size_t bit = 0; bit < 8 * sizeof(reply); bit++, n++)
		send_flipped(&before, &reply, sizeof(reply), bit, false);
	for (size_t len = 0; len < sizeof(reply); len++, n++)
		send_in_vain(&before, &reply, len);
	for (size_t bit = 0; bit < 8 * offsetof(struct wg_wire_response, mac2); bit++, n++)
		send_flipped(&before, &msg, sizeof(msg), bit, false);
	for (size_t bit = 0; bit < 8 * offsetof(struct wg_wire_response, mac1); bit++)
		if (bit < 8 * 4 || bit >= 8 * 8) {
			send_flipped(&before, &msg, sizeof(msg), bit, true);
			n++;
		}
	for (size_t len = 0; len < sizeof(msg); len++, n++)
		send_in_vain(&before, &msg, len);
	assert_int_equal(handshake_drops(), n);
	assert_int_equal(wg_noise_derive_keys(&remote.hs, &remote.keys), 0);
	send_message(&msg, sizeof(msg));
	assert_true(open_data(receive_message()) > 0);
}

/* §6.1 of the handshake's arithmetic: ephemerals of low order make no session, with whatever mac. */
static void test_low_order(void **state)
{
	static const uint8_t points[][CRYPTO_KEY_LEN] = {
	    {0},
	    {1},
	    {0xec, [1 ... 30] = 0xff, 0x7f},
	    {0xed, [1 ... 30] = 0xff, 0x7f},
	    {0xee, [1 ... 30] = 0xff, 0x7f},
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8,
		0x00},
	    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11,
		0x57},
	};
	struct wg_wire_response response = {.type = {WG_WIRE_RESPONSE}};
	struct wg_wire_initiation msg;
	struct snapshot before;
	struct fibmsg_peer peer;
	struct err_msg why = {""};

	set_pair("198.51.100.7:40000");
	send_from_lan("10.1.0.5", "10.2.0.5", 10);
	assert_int_equal(receive_message(), sizeof(msg));
	memcpy(response.receiver, message + 4, 4);
	peer = peer_config();
	before = take_snapshot();
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		make_initiation(&msg);
		memcpy(msg.ephemeral, points[i], sizeof(points[i]));
		wg_cookie_stamp_macs(&remote.cookies, &msg, sizeof(msg), clock_ns);
		send_in_vain(&before, &msg, sizeof(msg));
		memcpy(response.ephemeral, points[i], sizeof(points[i]));
		wg_cookie_stamp_macs(&remote.cookies, &response, sizeof(response), clock_ns);
		send_in_vain(&before, &response, sizeof(response));
		memcpy(peer.key, points[i], sizeof(points[i]));
		assert_int_equal(tunnel_peer_check(&peer, &why), ERR_INVALID);
	}
	assert_int_equal(drops(DROP_HANDSHAKE_INVALID), 2 * sizeof(points) / sizeof(points[0]));
}

/* §5.3: under load a source that has shown its cookie gets 5 handshakes at once and 20 a second, not more. */
static void test_rate_under_load(void **state)
{
	struct wg_wire_cookie_reply reply;
	struct wg_wire_initiation msg;
	unsigned answered = 0;
	uint64_t began_ns;
	size_t len = 0;

	set_pair(NULL);
	while (len != sizeof(reply)) {
		make_initiation(&msg);
		send_message(&msg, sizeof(msg));
		len = receive_message();
	}
	memcpy(&reply, message, sizeof(reply));
	assert_int_equal(wg_cookie_consume_reply(&remote.cookies, &reply, clock_ns), 0);
	drops(DROP_HANDSHAKE_FLOOD);
	began_ns = nsec_monotonic();
	for (unsigned i = 0; i < 1000; i++) { /* one a millisecond, of which a peer has one each 20 ms */
		skipped_ns += NSEC_PER_MSEC;
		make_initiation(&msg);
		send_message(&msg, sizeof(msg));
		len = receive_message();
		assert_true(len == 0 || len == sizeof(struct wg_wire_response));
		answered += len > 0;
	}
	/* The work itself takes time, too. */
	assert_in_range(answered, 5, 5 + 20 * (nsec_monotonic() - began_ns) / NSEC_PER_SEC);
	assert_int_equal(drops(DROP_HANDSHAKE_FLOOD), 1000 - answered);
	/* Another address has its own. */
	remote.address = "198.51.100.8";
	skipped_ns += 25 * NSEC_PER_MSEC;
	make_initiation(&msg);
	send_message(&msg, sizeof(msg));
	assert_int_equal(receive_message(), sizeof(reply)); /* the cookie is not its */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_retries_end, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_newest_wait, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_full_queue_still_calls, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_marks_after_a_failed_write, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_rekey_after_time, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_rekey_when_receiving, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_previous_key_is_old, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_keys_end, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_message_limits, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_passive_keepalive, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_silence, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_response_is_lost, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_waiting_is_not_forgotten, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_flood_moves_nothing, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_clock_set_back, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_event_of_before, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_lost_rekey_keeps_endpoint, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_crossing_initiations, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_damaged_initiation, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_damaged_answers, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_low_order, begin, end_test),
	    cmocka_unit_test_setup_teardown(test_rate_under_load, begin, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
