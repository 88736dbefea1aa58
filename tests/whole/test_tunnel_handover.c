/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions over a planned restart: they go on with their counters and windows, or are refused whole. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/tunnel_handover.h"
#include "dataplane/tunnel_peer.h"
#include "tests/whole/tunnel_rig.h"

static void set_session(bool initiator)
{
	make_pair("198.51.100.7", "192.0.2.10", initiator ? "198.51.100.7:40000" : NULL, NULL);
	route_into_tunnel();
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

/* The end of the program; the descriptor that its successor inherits. */
static int stop(void)
{
	int fd;

	whole_unroute(FIBMSG_OVERLAY, "10.2.0.0/16");
	whole_unroute(FIBMSG_OVERLAY, "fd00:2::/48");
	tunnel_handover_begin();
	tunnel_stop();
	rcu_settle();
	fd = tunnel_handover_take_fd();
	assert_true(fd >= 0);
	assert_int_equal(tunnel_handover_take_fd(), -1);
	return fd;
}

/* The beginning of the next one, with the tunnel and the peer of before. */
static void start(int fd, const char *endpoint)
{
	struct fibmsg_tunnel t = tunnel_config();
	struct fibmsg_peer p = peer_config();
	struct err_msg msg = {""};

	p.any = 1;
	if (endpoint)
		assert_int_equal(ip_endpoint_parse(endpoint, &p.endpoint, NULL), 0);
	assert_int_equal(tunnel_start(directory, false, &msg), 0);
	tunnel_handover_open(fd);
	assert_int_equal(tunnel_set(&t, &msg), 0);
	assert_int_equal(tunnel_peer_set(&p, &msg), 0);
	tunnel_handover_close();
	route_into_tunnel();
	run();
}

static struct tunnel_peer *the_peer(void)
{
	struct tunnel_peer *p = tunnel_peer_find("friend", remote.id.public_key);

	assert_non_null(p);
	return p;
}

static void check_goes_on(bool initiator)
{
	struct fibmsg_row_peer before, after;
	uint64_t counter;
	const uint8_t *inner;
	size_t len, message_len;
	uint8_t old[256];
	int fd;

	set_session(initiator);
	check_data();
	inner = inner_packet("10.2.0.5", "10.1.0.5", 20, &len);
	message_len = seal(inner, len, 30); /* seen before */
	memcpy(old, message, message_len);
	counter = atomic_load(&the_peer()->current->send_counter);
	assert_int_equal(tunnel_peer_row(0, &before), 0);
	fd = stop();
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	start(fd, initiator ? "198.51.100.7:40000" : NULL);
	assert_int_equal(receive_message(), 0); /* nobody is called */
	assert_in_range(atomic_load(&the_peer()->current->send_counter), counter, counter + 2000);
	whole_forget_drops();
	send_message(old, message_len);
	assert_int_equal(whole_drops(DROP_TUNNEL_REPLAY), 1);
	check_data();
	assert_int_equal(receive_message(), 0);
	assert_int_equal(tunnel_peer_row(0, &after), 0);
	assert_true(after.rx_bytes > before.rx_bytes && after.tx_bytes > before.tx_bytes);
	assert_true(after.handshake_ns >= before.handshake_ns && after.handshake_ns != UINT64_MAX);
	assert_memory_equal(&after.endpoint, &before.endpoint, sizeof(before.endpoint));
}

static void test_initiator(void **state)
{
	check_goes_on(true);
}

static void test_responder(void **state)
{
	check_goes_on(false);
}

/* In the middle of a handshake: the keys that the peer has not used yet go on, too. */
static void test_unconfirmed(void **state)
{
	set_session(false);
	usleep(30000);
	initiate();
	start(stop(), NULL);
	assert_non_null(the_peer()->next);
	assert_non_null(the_peer()->current);
	send_data("", 0);
	assert_null(the_peer()->next);
	check_data();
}

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* Linux 6.3 */
#endif

/* The same bytes in memory that cannot be made executable either, as vm.memfd_noexec=1 has all of it. */
static int with_exec_seal(int fd)
{
	int other = memfd_create("more seals", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	uint8_t bytes[4096];
	ssize_t n = 0;

	if (other < 0)
		skip();
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(other, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
	assert_int_equal(
	    fcntl(other, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	close(fd);
	return other;
}

static void test_more_seals(void **state)
{
	int fd;

	set_session(true);
	fd = stop();
	start(with_exec_seal(fd), "198.51.100.7:40000");
	assert_non_null(the_peer()->current);
	assert_int_equal(receive_message(), 0);
	check_data();
}

/* Another private key in the file: its sessions are over, and a handshake begins. */
static void test_other_identity(void **state)
{
	uint8_t key[CRYPTO_KEY_LEN];
	int fd;

	set_session(true);
	fd = stop();
	crypto_fill_random(key, sizeof(key));
	write_key(key_path, key, 0600);
	start(fd, "198.51.100.7:40000");
	assert_null(the_peer()->current);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
}

static void check_refused(int fd)
{
	set_session(true);
	close(stop());
	start(fd, "198.51.100.7:40000");
	assert_null(the_peer()->current);
	assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
	end_test(NULL);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static int sealed(const void *data, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* What is not sealed, or is nothing of ours, is closed and forgotten. */
static void test_refused(void **state)
{
	const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

	check_refused(sealed("bywayss\1", 8, F_SEAL_SHRINK));
	check_refused(sealed("bywayss\2", 8, all));
	check_refused(sealed("bywayss\1friend", 14, all));
	check_refused(sealed("", 0, all));
	check_refused(open("/dev/null", O_RDONLY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_initiator, end_test),
	    cmocka_unit_test_teardown(test_responder, end_test),
	    cmocka_unit_test_teardown(test_unconfirmed, end_test),
	    cmocka_unit_test_teardown(test_more_seals, end_test),
	    cmocka_unit_test_teardown(test_other_identity, end_test),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
