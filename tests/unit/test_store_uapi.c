/* SPDX-License-Identifier: BSD-3-Clause */
/* The object store between its two masters: what control names and what `wg set` makes and changes; and
 * batches of several datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/store.h"
#include "tests/unit/unit.h"

static struct store *store;
static unsigned commits, steps, fail_at;

static int count_object(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
    struct err_msg *msg)
{
	steps++;
	return fail_at && --fail_at == 0 ? err_set(msg, ERR_IO, "the device is gone") : 0;
}

static void count_commit(void *arg, enum store_origin origin, const uint8_t *datagram, size_t len)
{
	commits++;
}

static int setup(void **state)
{
	const struct store_backend backend = {NULL, count_object, NULL, count_commit, NULL};

	commits = steps = fail_at = 0;
	store = store_new(&backend, 42);
	return store ? 0 : -1;
}

static int teardown(void **state)
{
	store_free(store);
	return 0;
}

/* --- messages --- */

static struct fibmsg tunnel(const char *name, uint16_t listen_port)
{
	struct fibmsg m = {.type = FIBMSG_SET_TUNNEL};

	snprintf(m.u.tunnel.name, sizeof(m.u.tunnel.name), "%s", name);
	snprintf(m.u.tunnel.key_path, sizeof(m.u.tunnel.key_path), "/etc/key");
	m.u.tunnel.listen_port = listen_port;
	return m;
}

static struct fibmsg peer(const char *name, uint8_t key, uint16_t keepalive_s)
{
	struct fibmsg m = {.type = FIBMSG_SET_PEER};

	snprintf(m.u.peer.tunnel, sizeof(m.u.peer.tunnel), "%s", name);
	m.u.peer.key[0] = key;
	m.u.peer.keepalive_s = keepalive_s;
	return m;
}

static struct fibmsg del_peer(const char *name, uint8_t key)
{
	struct fibmsg m = {.type = FIBMSG_DEL_PEER};

	snprintf(m.u.peer_key.tunnel, sizeof(m.u.peer_key.tunnel), "%s", name);
	m.u.peer_key.key[0] = key;
	return m;
}

static struct fibmsg allowed(uint16_t type, const char *name, uint8_t key, const char *text)
{
	struct fibmsg m = {.type = type};

	snprintf(m.u.allowed_ip.tunnel, sizeof(m.u.allowed_ip.tunnel), "%s", name);
	m.u.allowed_ip.key[0] = key;
	assert_int_equal(ip_prefix_parse(text, &m.u.allowed_ip.prefix, NULL), 0);
	return m;
}

static struct store_datagram datagram(uint8_t *bytes, size_t size, const struct fibmsg *m, unsigned n)
{
	struct buf_writer w;

	buf_writer_init(&w, bytes, size);
	fibmsg_begin(&w, 7, 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fibmsg_append(&w, &m[i], NULL), 0);
	return (struct store_datagram){bytes, buf_writer_len(&w)};
}

static int apply(enum store_origin origin, const struct fibmsg *m, unsigned n)
{
	uint8_t bytes[4096];
	struct store_datagram d = datagram(bytes, sizeof(bytes), m, n);
	struct fibmsg_ack ack;

	return store_apply_batches(store, &d, 1, origin, &ack);
}

#define APPLY(origin, ...)                                                                                   \
	do {                                                                                                 \
		struct fibmsg list_[] = {__VA_ARGS__};                                                       \
		assert_int_equal(apply(origin, list_, UNIT_COUNT(list_)), 0);                                \
	} while (0)

static const struct store_object *find_peer(uint8_t key)
{
	const uint8_t bytes[32] = {key};
	const char name[FIBMSG_NAME] = "wg0";
	struct store_key k;

	store_key_peer(name, bytes, &k);
	return store_find(store, &k);
}

static uint16_t keepalive_of(uint8_t key)
{
	struct fibmsg m;

	assert_non_null(find_peer(key));
	store_decode(find_peer(key), &m);
	return m.u.peer.keepalive_s;
}

/* --- who wins --- */

static void test_change_holds_until_control_names_it(void **state)
{
	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25));
	assert_int_equal(find_peer(1)->origin, STORE_CONTROL);
	assert_false(find_peer(1)->changed);
	APPLY(STORE_UAPI, peer("wg0", 1, 5));
	assert_int_equal(find_peer(1)->origin, STORE_CONTROL);
	assert_true(find_peer(1)->changed);
	assert_int_equal(keepalive_of(1), 5);
	APPLY(STORE_CONTROL, peer("wg0", 1, 25));
	assert_int_equal(keepalive_of(1), 25);
	assert_false(find_peer(1)->changed);
}

static void test_refused_change_leaves_no_mark(void **state)
{
	struct fibmsg bad[] = {peer("wg0", 1, 5), peer("wg9", 2, 5)};

	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25));
	assert_int_equal(apply(STORE_UAPI, bad, 2), ERR_NOENT);
	assert_false(find_peer(1)->changed);
	assert_int_equal(keepalive_of(1), 25);
}

static void test_sync_keeps_what_uapi_made(void **state)
{
	struct err_msg msg;

	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25));
	APPLY(STORE_UAPI, peer("wg0", 2, 0), allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 2, "10.2.0.0/16"),
	    allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"));
	assert_int_equal(store_sync_begin(store, 9, &msg), 0);
	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25));
	assert_int_equal(store_sync_end(store, 9, &msg), 0);
	while (store_sweep(store))
		;
	assert_int_equal(store_count(store, STORE_PEER), 2);
	assert_int_equal(store_count(store, STORE_ALLOWED_IP), 2);
	assert_int_equal(find_peer(2)->origin, STORE_UAPI);
}

static void test_control_takes_users_of_uapi_along(void **state)
{
	struct fibmsg del = {.type = FIBMSG_DEL_TUNNEL};

	snprintf(del.u.name.name, sizeof(del.u.name.name), "wg0");
	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25));
	APPLY(STORE_UAPI, allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"), peer("wg0", 2, 0),
	    allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 2, "10.2.0.0/16"),
	    allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 2, "10.4.0.0/16"));
	APPLY(STORE_CONTROL, del_peer("wg0", 1));
	assert_null(find_peer(1));
	assert_int_equal(store_count(store, STORE_ALLOWED_IP), 2);
	APPLY(STORE_CONTROL, del);
	for (unsigned class = 0; class < STORE_CLASSES; class ++)
		assert_int_equal(store_count(store, (enum store_class) class), 0);
}

/* A peer with allowed-IPs of control's does not go by a stray removal of `wg set`'s. */
static void test_uapi_names_all_that_goes(void **state)
{
	struct fibmsg del = del_peer("wg0", 1);

	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25),
	    allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"));
	assert_int_equal(apply(STORE_UAPI, &del, 1), ERR_BUSY);
	APPLY(STORE_UAPI, allowed(FIBMSG_DEL_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"), del);
	assert_null(find_peer(1));
}

static void test_moved_allowed_ip_is_uapis(void **state)
{
	APPLY(STORE_CONTROL, tunnel("wg0", 51820), peer("wg0", 1, 25),
	    allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"));
	APPLY(STORE_UAPI, peer("wg0", 2, 0), allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 2, "10.3.0.0/16"));
	assert_int_equal(store_first(store, STORE_ALLOWED_IP)->origin, STORE_UAPI);
	APPLY(STORE_CONTROL, allowed(FIBMSG_SET_ALLOWED_IP, "wg0", 1, "10.3.0.0/16"));
	assert_int_equal(store_first(store, STORE_ALLOWED_IP)->origin, STORE_CONTROL);
	assert_int_equal(store_count(store, STORE_ALLOWED_IP), 1);
}

/* --- several datagrams --- */

static void test_datagrams_are_one_batch(void **state)
{
	struct fibmsg first[] = {tunnel("wg0", 51820), peer("wg0", 1, 25)}, second[] = {peer("wg0", 2, 1)},
		      bad[] = {peer("wg0", 3, 1), peer("wg9", 4, 1)};
	uint8_t a[4096], b[4096], c[4096];
	struct store_datagram d[] = {datagram(a, sizeof(a), first, 2), datagram(b, sizeof(b), second, 1),
	    datagram(c, sizeof(c), bad, 2)};
	struct fibmsg_ack ack;

	assert_int_equal(store_apply_batches(store, d, 3, STORE_UAPI, &ack), ERR_NOENT);
	assert_int_equal(ack.index, 1);
	assert_non_null(strstr(ack.text, "tunnel wg9"));
	assert_int_equal(store_count(store, STORE_TUNNEL), 0);
	assert_int_equal(commits + steps, 0);
	assert_int_equal(store_apply_batches(store, d, 2, STORE_UAPI, &ack), 0);
	assert_int_equal(store_count(store, STORE_PEER), 2);
	assert_int_equal(commits, 2);
	assert_int_equal(store_apply_batches(store, d, 0, STORE_UAPI, &ack), 0);
}

static void test_failed_step_takes_earlier_datagrams_back(void **state)
{
	struct fibmsg first[] = {tunnel("wg0", 51820), peer("wg0", 1, 25)}, second[] = {peer("wg0", 2, 1)};
	uint8_t a[4096], b[4096];
	struct store_datagram d[] = {datagram(a, sizeof(a), first, 2), datagram(b, sizeof(b), second, 1)};
	struct fibmsg_ack ack;

	fail_at = 3;
	assert_int_equal(store_apply_batches(store, d, 2, STORE_UAPI, &ack), ERR_IO);
	assert_int_equal(store_count(store, STORE_TUNNEL) + store_count(store, STORE_PEER), 0);
	assert_int_equal(steps, 5); /* three there, two back */
	assert_int_equal(commits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_change_holds_until_control_names_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused_change_leaves_no_mark, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sync_keeps_what_uapi_made, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_control_takes_users_of_uapi_along, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_uapi_names_all_that_goes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_moved_allowed_ip_is_uapis, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_datagrams_are_one_batch, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_step_takes_earlier_datagrams_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
