/* SPDX-License-Identifier: BSD-3-Clause */
/* The state on disk: round trip, changes while it is written, every truncation, every flipped byte, a full
 * disk. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/state.h"
#include "lib/nsec.h"

static char dir[] = "/tmp/byway-test-state-XXXXXX";
static char path[128];
static struct store *store;

static void note(void *arg, enum store_origin origin, const uint8_t *datagram, size_t len)
{
	state_note_batch(origin, datagram, len);
}

static struct store *new_store(void)
{
	const struct store_backend backend = {.committed = note};
	struct store *s = store_new(&backend, 7);

	assert_non_null(s);
	return s;
}

static int setup(void **state)
{
	unlink(path);
	store = new_store();
	return state_start(dir, store, NULL);
}

static int teardown(void **state)
{
	state_stop();
	store_free(store);
	return 0;
}

static void apply(struct store *s, enum store_origin origin, const struct fibmsg *m)
{
	uint8_t datagram[2048];
	struct fibmsg_ack ack;
	struct buf_writer w;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 0, 0);
	assert_int_equal(fibmsg_append(&w, m, NULL), 0);
	if (store_apply_batch(s, datagram, buf_writer_len(&w), origin, &ack))
		fail_msg("%s", ack.text);
}

static void add_port(const char *name, const char *device)
{
	struct fibmsg m = {.type = FIBMSG_SET_PORT};

	snprintf(m.u.port.name, sizeof(m.u.port.name), "%s", name);
	snprintf(m.u.port.device, sizeof(m.u.port.device), "%s", device);
	apply(store, STORE_CONTROL, &m);
}

static void add_group(uint32_t id)
{
	struct fibmsg nh = {.type = FIBMSG_SET_NEXTHOP}, group = {.type = FIBMSG_SET_GROUP};

	nh.u.nexthop.id = id;
	nh.u.nexthop.kind = FIBMSG_NH_UNREACHABLE;
	apply(store, STORE_CONTROL, &nh);
	group.u.group.id = id;
	group.u.group.n_members = 1;
	group.u.group.members[0].nexthop = id;
	apply(store, STORE_CONTROL, &group);
}

static struct ip_prefix numbered(uint32_t i)
{
	struct ip_addr a = ip_addr_v4(__builtin_bswap32(0x0a000000u + i));

	return ip_prefix_host(&a);
}

static void add_route(uint32_t i, uint32_t group)
{
	struct fibmsg m = {.type = FIBMSG_SET_ROUTE};

	m.u.route.prefix = numbered(i);
	m.u.route.group = group;
	apply(store, STORE_CONTROL, &m);
}

static void del_route(uint32_t i)
{
	struct fibmsg m = {.type = FIBMSG_DEL_ROUTE};

	m.u.table_key.prefix = numbered(i);
	apply(store, STORE_CONTROL, &m);
}

static unsigned total(const struct store *s)
{
	unsigned n = 0;

	for (int class = 0; class < STORE_CLASSES; class ++)
		n += store_count(s, (enum store_class) class);
	return n;
}

/* Ticks until the file is in place. */
static void run_until_written(uint64_t *now)
{
	struct stat st;

	for (int i = 0; i < 5000; i++) {
		uint64_t at = state_tick(*now);

		if (at == UINT64_MAX && stat(path, &st) == 0)
			return;
		if (at > *now)
			*now = at;
		if (at > *now - 1)
			usleep(1000); /* the helper thread's turn */
	}
	fail_msg("the state was not written");
}

static void expect_loaded_equals(const struct store *want)
{
	struct store *back = store_new(NULL, 9);
	struct err_msg msg;

	if (state_load(path, back, &msg))
		fail_msg("%s", msg.text);
	assert_int_equal(total(back), total(want));
	assert_int_equal(store_count(back, STORE_ROUTE), store_count(want, STORE_ROUTE));
	store_free(back);
}

static void test_round_trip(void **state)
{
	struct fibmsg router = {.type = FIBMSG_SET_ROUTER};
	struct store *back = store_new(NULL, 9);
	uint64_t now = NSEC_PER_SEC;

	assert_int_equal(store_sync_begin(store, 42, NULL), 0);
	snprintf(router.u.router.name, sizeof(router.u.router.name), "home");
	apply(store, STORE_UAPI, &router); /* an origin of its own */
	add_port("lan", "eth0");
	add_group(1);
	for (uint32_t i = 0; i < 10000; i++)
		add_route(i, 1);
	run_until_written(&now);
	expect_loaded_equals(store);
	assert_int_equal(state_load(path, back, NULL), 0);
	assert_int_equal(store_generation(back), 42);
	assert_int_equal(store_id_base(back), 2);
	assert_int_equal(store_first(back, STORE_ROUTER)->origin, STORE_UAPI);
	assert_int_equal(store_first(back, STORE_PORT)->origin, STORE_CONTROL);
	store_free(back);
}

static void test_waits_a_second(void **state)
{
	uint64_t now = NSEC_PER_SEC;
	struct stat st;

	assert_false(state_is_written());	       /* loaded is not written */
	assert_int_equal(state_tick(now), UINT64_MAX); /* nothing to write, nothing to wake for */
	add_port("lan", "eth0");
	assert_int_equal(state_tick(now), now + NSEC_PER_SEC);
	assert_int_equal(state_tick(now + NSEC_PER_SEC / 2), now + NSEC_PER_SEC);
	assert_int_equal(stat(path, &st), -1);
}

/* A full table that takes a second or two is not written twice; what never rests is written all the same. */
static void test_waits_while_changes_come(void **state)
{
	const uint64_t start = NSEC_PER_SEC;
	uint64_t now = start, at = 0;
	struct stat st;

	add_port("lan", "eth0");
	add_group(1);
	for (uint32_t i = 0; i < 40 && at != now; i++) {
		add_route(i, 1);
		at = state_tick(now);
		assert_true(at >= now && at <= start + 3 * NSEC_PER_SEC);
		assert_true(at == now || at == start + 3 * NSEC_PER_SEC || at == now + NSEC_PER_SEC);
		if (at != now)
			now += NSEC_PER_SEC / 10;
	}
	assert_int_equal(now, start + 3 * NSEC_PER_SEC); /* then it begins */
	run_until_written(&now);
	assert_int_equal(stat(path, &st), 0);
	expect_loaded_equals(store);
}

/* Routes and what they name come and go between the slices: the file must replay to what is there at its end.
 */
static void test_changes_while_writing(void **state)
{
	uint64_t now = NSEC_PER_SEC, random = 5;

	add_group(1);
	for (uint32_t i = 0; i < 20000; i++)
		add_route(i, 1);
	state_tick(now);
	now += NSEC_PER_SEC;
	for (uint32_t round = 0; round < 4; round++) {
		state_tick(now); /* the first begins, the others write a slice each */
		add_group(100 + round);
		for (int k = 0; k < 200; k++) {
			add_route((uint32_t)(unit_random(&random) % 30000), 100 + round);
			del_route((uint32_t)(unit_random(&random) % 30000));
		}
	}
	run_until_written(&now);
	expect_loaded_equals(store);
}

static size_t read_file(uint8_t **bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, *bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	return (size_t)st.st_size;
}

static void write_file(const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void expect_refused(void)
{
	struct store *back = store_new(NULL, 9);
	struct err_msg msg = {""};

	assert_true(state_load(path, back, &msg) < 0);
	assert_true(msg.text[0] != '\0');
	assert_int_equal(total(back), 0);
	store_free(back);
}

static void test_torn_files_are_refused(void **state)
{
	uint64_t now = NSEC_PER_SEC;
	uint8_t *bytes;
	size_t len;

	add_port("lan", "eth0");
	add_group(1);
	for (uint32_t i = 0; i < 20; i++)
		add_route(i, 1);
	run_until_written(&now);
	len = read_file(&bytes);
	for (size_t cut = 0; cut < len; cut++) {
		write_file(bytes, cut);
		expect_refused();
	}
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 0x40;
		write_file(bytes, len);
		expect_refused();
		bytes[at] ^= 0x40;
	}
	write_file(bytes, len);
	expect_loaded_equals(store);
	free(bytes);
}

static int fail_port(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
    struct err_msg *msg)
{
	if (now && now->type == FIBMSG_SET_PORT && strcmp(now->u.port.name, "gone") == 0)
		return err_set(msg, ERR_NOENT, "no such device");
	return 0;
}

/* A device that is not there any more costs its port, and what names it, not the rest. */
static void test_lost_device(void **state)
{
	const struct store_backend backend = {.object = fail_port};
	struct fibmsg address = {.type = FIBMSG_SET_ADDRESS};
	struct store *back = store_new(&backend, 9);
	uint64_t now = NSEC_PER_SEC;

	add_port("lan", "eth0");
	add_port("gone", "eth1");
	snprintf(address.u.address.iface, sizeof(address.u.address.iface), "gone");
	assert_int_equal(ip_ifaddr_parse("10.9.0.1/24", &address.u.address.address, NULL), 0);
	apply(store, STORE_CONTROL, &address);
	run_until_written(&now);
	assert_int_equal(state_load(path, back, NULL), 0);
	assert_int_equal(store_count(back, STORE_PORT), 1);
	assert_int_equal(store_count(back, STORE_ADDRESS), 0);
	store_free(back);
}

static void test_full_disk_is_survived(void **state)
{
	uint64_t now = NSEC_PER_SEC, at;
	char name[160];

	snprintf(name, sizeof(name), "%s/fib.state.new", dir);
	assert_int_equal(symlink("/dev/full", name), 0);
	add_port("lan", "eth0");
	at = state_tick(now);
	at = state_tick(at);
	assert_true(at > now + 10 * NSEC_PER_SEC); /* later, not at once */
	run_until_written(&at);
	expect_loaded_equals(store);
}

/* Where the file cannot be put in its place the state is not taken for written: it is tried again, later. */
static void test_failed_rename_is_survived(void **state)
{
	uint64_t now = NSEC_PER_SEC, at = now;

	assert_int_equal(mkdir(path, 0700), 0);
	add_port("lan", "eth0");
	for (int i = 0; i < 5000 && at != UINT64_MAX && at < now + 10 * NSEC_PER_SEC; i++) {
		at = state_tick(at);
		usleep(1000);
	}
	assert_true(at != UINT64_MAX && at > now + 10 * NSEC_PER_SEC);
	assert_false(state_is_written());
	rmdir(path);
	run_until_written(&at);
	assert_true(state_is_written());
	expect_loaded_equals(store);
}

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/fib.state", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_waits_a_second, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_waits_while_changes_come, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changes_while_writing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_torn_files_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lost_device, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_full_disk_is_survived, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_rename_is_survived, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
