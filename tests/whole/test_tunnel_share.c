/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers open the messages of one peer: all come out once and in their order, whichever worker is
 * faster; replays and damaged ones end as ever; a session may end while its messages are with the other
 * worker.
 */
#include <arpa/inet.h>

#include "dataplane/tunnel_peer.h"
#include "lib/csum.h"
#include "tests/whole/tunnel_rig.h"

#define MESSAGES 200
#define INNER	 600

static uint64_t seed = 21;

static int open_two(void **state)
{
	whole_workers = 2;
	return open_all(state);
}

static void send_numbered(unsigned number, uint64_t counter, bool damage)
{
	struct whole_udp udp = {
	    .src = remote.address, .dst = remote.ours, .src_port = remote.port, .dst_port = PORT};
	uint8_t inner[2048];
	const uint8_t *packet;
	size_t len;

	packet = inner_packet("10.2.0.5", "10.1.0.5", INNER, &len);
	memcpy(inner, packet, len);
	memcpy(inner + 28, &number, sizeof(number));
	udp.data_len = seal(inner, len, counter);
	len = whole_udp(frame, &wan1, &udp);
	memcpy(frame + len - udp.data_len, message, udp.data_len);
	memset(frame + 14 + 20 + 6, 0, 2);
	if (damage)
		frame[len - 30] ^= 1;
	whole_send(&wan1, frame, len);
}

/* Both run, in an order of chance, until nothing moves. */
static void run_both(void)
{
	for (unsigned idle = 0; idle < 8;) {
		bool any = worker_run_once(worker_table[(unit_random(&seed) >> 20) % 2]);

		idle = any ? 0 : idle + 1;
		rcu_quiescent_state();
	}
	for (bool any = true; any;) {
		any = worker_run_once(worker_table[0]);
		any |= worker_run_once(worker_table[1]);
	}
}

static unsigned take_in_order(unsigned next)
{
	struct whole_packet got;
	unsigned number, n = 0;

	for (; (got = whole_receive(&lan)).data; n++) {
		memcpy(&number, got.data + 14 + 28, sizeof(number));
		assert_true(number >= next);
		next = number + 1;
		whole_free(&got);
	}
	return n;
}

/* With the session at either worker. */
static void begin(void)
{
	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	initiate();
	send_data("", 0);
	run_both();
	whole_forget_drops();
}

static void test_in_order(void **state)
{
	begin();
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < MESSAGES; i++)
			send_numbered(i, remote.counter++, false);
		run_both();
		assert_int_equal(take_in_order(0), MESSAGES);
	}
}

static void test_replays_and_damage(void **state)
{
	begin();
	for (unsigned i = 0; i < MESSAGES; i++) {
		send_numbered(i, remote.counter, i % 10 == 3);
		if (i % 10 == 5)
			send_numbered(i, remote.counter, false);
		remote.counter++;
	}
	run_both();
	assert_int_equal(take_in_order(0), MESSAGES - MESSAGES / 10);
	assert_int_equal(whole_drops(DROP_TUNNEL_AUTH), MESSAGES / 10);
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), MESSAGES / 10);
}

/* What is with the other worker then ends there. */
static void test_session_ends(void **state)
{
	begin();
	for (unsigned i = 0; i < MESSAGES; i++)
		send_numbered(i, remote.counter++, false);
	for (unsigned i = 0; i < 4; i++)
		worker_run_once(worker_table[0]), worker_run_once(worker_table[0]);
	tunnel_del("friend");
	rcu_settle();
	run_both();
	while (whole_receive(&lan).data)
		fail_msg("a packet of a session that is gone came out");
	assert_true(whole_drops(DROP_TUNNEL_NO_SESSION) > 0);
}

/* The other worker finds no session, so it has no key: what anybody may seal with zeros must not pass, even
 * if the session is there once more when it is to be delivered. */
static void test_session_is_away(void **state)
{
	struct tunnel_keypair *kp;

	begin();
	kp = tunnel_keypair_by_receiver(remote.keys.remote_index);
	memset(remote.keys.sending, 0, sizeof(remote.keys.sending));
	for (unsigned i = 0; i < MESSAGES; i++)
		send_numbered(i, remote.counter++, false);
	for (unsigned i = 0; i < 8; i++)
		worker_run_once(worker_table[0]);
	if (kp->owner != 0)
		worker_run_once(worker_table[kp->owner]);
	tunnel_keypair_hide(kp);
	worker_run_once(worker_table[1 - kp->owner]);
	tunnel_keypair_show(kp);
	run_both();
	while (whole_receive(&lan).data)
		fail_msg("a packet without a key came out");
	assert_int_equal(whole_drops(DROP_TUNNEL_AUTH), MESSAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_in_order, end_test),
	    cmocka_unit_test_teardown(test_replays_and_damage, end_test),
	    cmocka_unit_test_teardown(test_session_ends, end_test),
	    cmocka_unit_test_teardown(test_session_is_away, end_test),
	};

	return cmocka_run_group_tests(tests, open_two, close_all);
}
