/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow thread with its FIB socket, store and state on disk, driven from this thread (slow_run_once)
 * by a control made here; ports are DPDK's null devices, there are no host interfaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/apply.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/slow.h"
#include "dataplane/worker.h"
#include "lib/nsec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char dir[] = "/tmp/byway-test-slow-XXXXXX";
static int fd = -1;
static uint32_t seq;

/* --- a control --- */

static void slow_start_here(void)
{
	struct slow_config config = {.run_dir = dir, .state_dir = dir};
	struct err_msg msg = {""};

	if (slow_start(&config, &msg))
		fail_msg("%s", msg.text);
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/fib.sock", dir);
	assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

static void say_bytes(int s, const void *bytes, size_t len)
{
	assert_int_equal(send(s, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static uint32_t say(int s, const struct fibmsg *m, unsigned n)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	struct buf_writer w;
	struct err_msg msg;

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, ++seq, 0);
	for (unsigned i = 0; i < n; i++)
		if (fibmsg_append(&w, &m[i], &msg))
			fail_msg("%s", msg.text);
	say_bytes(s, bytes, buf_writer_len(&w));
	return seq;
}

/* The next datagram, while the slow thread runs; 0: the connection was closed. */
static size_t hear_bytes(int s, uint8_t *bytes, size_t size)
{
	for (int turn = 0; turn < 2000; turn++) {
		ssize_t n = recv(s, bytes, size, MSG_DONTWAIT);

		if (n >= 0)
			return (size_t)n;
		assert_int_equal(slow_run_once(5), 0);
	}
	fail_msg("no answer");
	return 0;
}

/* The first message of the next datagram that is no event. */
static uint32_t hear(int s, struct fibmsg *m)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	struct fibmsg_header h;
	struct buf_reader r;
	size_t n;

	do {
		n = hear_bytes(s, bytes, sizeof(bytes));
		assert_true(n > 0);
		buf_reader_init(&r, bytes, n);
		assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
		assert_int_equal(fibmsg_read(&r, m, NULL), 0);
	} while (h.seq == 0);
	return h.seq;
}

static void expect_ack(int s, uint32_t want, int code)
{
	struct fibmsg m;

	assert_int_equal(hear(s, &m), want);
	assert_int_equal(m.type, FIBMSG_ACK);
	if ((int)m.u.ack.code != -code)
		fail_msg("code %u: %s", m.u.ack.code, m.u.ack.text);
}

static void greet(int s, struct fibmsg_hello_reply *reply)
{
	struct fibmsg m = {.type = FIBMSG_HELLO};
	uint32_t said;

	m.u.hello.version = FIBMSG_VERSION;
	snprintf(m.u.hello.program, sizeof(m.u.hello.program), "test");
	said = say(s, &m, 1);
	assert_int_equal(hear(s, &m), said);
	assert_int_equal(m.type, FIBMSG_HELLO_REPLY);
	if (reply)
		*reply = m.u.hello_reply;
}

/* --- messages --- */

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_ifaddr_parse(text, &p, NULL), 0);
	return p;
}

static struct fibmsg port(const char *name, const char *device, bool wan)
{
	struct fibmsg m = {.type = FIBMSG_SET_PORT};

	snprintf(m.u.port.name, sizeof(m.u.port.name), "%s", name);
	snprintf(m.u.port.device, sizeof(m.u.port.device), "%s", device);
	m.u.port.role = wan ? FIBMSG_ROLE_WAN : FIBMSG_ROLE_LAN;
	m.u.port.table = wan ? fibmsg_line_table(name) : 0;
	return m;
}

static struct fibmsg address(const char *iface, const char *text)
{
	struct fibmsg m = {.type = FIBMSG_SET_ADDRESS};

	snprintf(m.u.address.iface, sizeof(m.u.address.iface), "%s", iface);
	m.u.address.address = prefix(text);
	return m;
}

static struct fibmsg nexthop(uint32_t id, uint8_t kind, const char *iface)
{
	struct fibmsg m = {.type = FIBMSG_SET_NEXTHOP};

	m.u.nexthop.id = id;
	m.u.nexthop.kind = kind;
	snprintf(m.u.nexthop.iface, sizeof(m.u.nexthop.iface), "%s", iface);
	return m;
}

static struct fibmsg via(uint32_t id, const char *iface, const char *gateway)
{
	struct fibmsg m = nexthop(id, FIBMSG_NH_VIA, iface);

	assert_int_equal(ip_addr_parse(gateway, &m.u.nexthop.gateway, NULL), 0);
	return m;
}

static struct fibmsg group(uint32_t id, uint32_t member)
{
	struct fibmsg m = {.type = FIBMSG_SET_GROUP};

	m.u.group.id = id;
	m.u.group.n_members = 1;
	m.u.group.members[0].nexthop = member;
	return m;
}

static struct fibmsg route(uint32_t table, const char *text, uint32_t id)
{
	struct fibmsg m = {.type = FIBMSG_SET_ROUTE};

	m.u.route.table = table;
	m.u.route.prefix = prefix(text);
	m.u.route.group = id;
	return m;
}

static struct fibmsg sync_message(uint16_t type, uint64_t generation)
{
	struct fibmsg m = {.type = type};

	m.u.sync.generation = generation;
	return m;
}

static void sync_home(int s, uint64_t generation)
{
	const struct fibmsg home[] = {port("wan1", "net_null0", true), port("lan", "net_null1", false),
	    address("lan", "10.1.0.1/24"), address("wan1", "192.0.2.10/24"), via(1, "wan1", "192.0.2.1"),
	    nexthop(2, FIBMSG_NH_CONNECTED, "lan"), group(1, 1), group(2, 2), route(0, "0.0.0.0/0", 1),
	    route(0, "10.1.0.0/24", 2)};
	struct fibmsg begin = sync_message(FIBMSG_SYNC_BEGIN, generation);
	struct fibmsg end = sync_message(FIBMSG_SYNC_END, generation);

	expect_ack(s, say(s, &begin, 1), 0);
	expect_ack(s, say(s, home, COUNT(home)), 0);
	expect_ack(s, say(s, &end, 1), 0);
}

/* What an IPv4 destination in the overlay leads to now. */
static const struct nexthop *look_up(const char *text)
{
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);
	struct ip_prefix p = prefix(text);
	uint32_t dst_be = ip_addr_be32(&p.addr), index = 0;

	monitor_run_once(nsec_monotonic()); /* links */
	if (t)
		fib_lookup4(t, &dst_be, &index, 1);
	return group_pick(index, 0);
}

/* --- tests --- */

static int setup(void **state)
{
	slow_start_here();
	fd = dial();
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	if (fd >= 0)
		close(fd);
	slow_stop();
	snprintf(path, sizeof(path), "%s/fib.state", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/peers", dir);
	unlink(path);
	return 0;
}

static void test_sync_makes_it_forward(void **state)
{
	struct fibmsg_hello_reply reply;
	struct iface *lan;

	greet(fd, &reply);
	assert_int_equal(reply.generation, 0);
	assert_int_equal(reply.id_base, 1);
	sync_home(fd, 77);
	lan = iface_by_name("lan");
	assert_non_null(lan);
	assert_non_null(lan->port);
	assert_int_equal(lan->addresses->n, 1);
	assert_int_equal(look_up("8.8.8.8")->kind, NEXTHOP_VIA);
	assert_int_equal(look_up("10.1.0.7")->kind, NEXTHOP_CONNECTED);
	assert_int_equal(look_up("10.1.0.1")->kind, NEXTHOP_HOST);
	assert_int_equal(look_up("192.0.2.10")->kind, NEXTHOP_HOST);
}

static void test_sync_sweeps(void **state)
{
	struct fibmsg begin = sync_message(FIBMSG_SYNC_BEGIN, 78), end = sync_message(FIBMSG_SYNC_END, 78);
	struct fibmsg lan = port("lan", "net_null1", false);

	greet(fd, NULL);
	sync_home(fd, 77);
	expect_ack(fd, say(fd, &begin, 1), 0);
	expect_ack(fd, say(fd, &lan, 1), 0);
	expect_ack(fd, say(fd, &end, 1), 0);
	assert_null(iface_by_name("wan1"));
	assert_non_null(iface_by_name("lan"));
	assert_int_equal(look_up("8.8.8.8")->kind, NEXTHOP_NO_ROUTE);
	assert_int_equal(look_up("10.1.0.1")->kind, NEXTHOP_NO_ROUTE);
}

static void test_port_changes_keep_its_interface(void **state)
{
	struct fibmsg m = port("wan1", "net_null7", true);
	uint16_t index;

	greet(fd, NULL);
	sync_home(fd, 77);
	index = iface_by_name("wan1")->index;
	expect_ack(fd, say(fd, &m, 1), 0); /* another device */
	assert_int_equal(iface_by_name("wan1")->index, index);
	assert_string_equal(iface_by_name("wan1")->port->device, "net_null7");
	assert_int_equal(look_up("8.8.8.8")->iface, index);
	m.u.port.mtu = 1400;
	expect_ack(fd, say(fd, &m, 1), 0);
	assert_int_equal(iface_by_name("wan1")->mtu, 1400);
}

static void test_failed_port_takes_the_batch_back(void **state)
{
	const struct fibmsg batch[] = {port("good", "net_null3", false), address("good", "10.3.0.1/24"),
	    port("bad", "net_nosuchdriver0", false)};
	struct fibmsg m;

	greet(fd, NULL);
	say(fd, batch, COUNT(batch));
	hear(fd, &m);
	assert_int_equal(m.type, FIBMSG_ACK);
	assert_int_not_equal(m.u.ack.code, 0);
	assert_int_equal(m.u.ack.index, 2);
	assert_non_null(strstr(m.u.ack.text, "net_nosuchdriver0"));
	assert_null(iface_by_name("good"));
	assert_int_equal(look_up("10.3.0.1")->kind, NEXTHOP_NO_ROUTE);
}

static void test_state_survives(void **state)
{
	struct fibmsg_hello_reply reply;

	greet(fd, NULL);
	sync_home(fd, 77);
	close(fd);
	slow_stop();
	slow_start_here();
	/* Without any control. */
	assert_int_equal(look_up("8.8.8.8")->kind, NEXTHOP_VIA);
	assert_int_equal(look_up("10.1.0.1")->kind, NEXTHOP_HOST);
	fd = dial();
	greet(fd, &reply);
	assert_int_equal(reply.generation, 77);
	assert_int_equal(reply.id_base, 3);
	sync_home(fd, 79);
	assert_int_equal(look_up("8.8.8.8")->kind, NEXTHOP_VIA);
}

static unsigned count_rows(int s, uint8_t kind, uint16_t type)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	struct fibmsg q = {.type = FIBMSG_QUERY}, m;
	unsigned rows = 0;

	q.u.query_msg.kind = kind;
	say(s, &q, 1);
	for (;;) {
		size_t n = hear_bytes(s, bytes, sizeof(bytes));
		struct fibmsg_header h;
		struct buf_reader r;

		buf_reader_init(&r, bytes, n);
		assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
		for (unsigned i = 0; i < h.count; i++) {
			assert_int_equal(fibmsg_read(&r, &m, NULL), 0);
			if (m.type == FIBMSG_END)
				return rows;
			if (h.seq != 0)
				assert_int_equal(m.type, type);
			rows += h.seq != 0;
		}
	}
}

static void test_queries(void **state)
{
	struct fibmsg q = {.type = FIBMSG_QUERY}, m;

	greet(fd, NULL);
	sync_home(fd, 77);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_PORTS, FIBMSG_ROW_PORT), 2);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_ADDRESSES, FIBMSG_ROW_ADDRESS), 2);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_ROUTES, FIBMSG_ROW_ROUTE), 4);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_GROUPS, FIBMSG_ROW_GROUP), 2);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_NEIGHBOURS, FIBMSG_ROW_NEIGHBOUR), 1);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_DROPS, FIBMSG_ROW_DROP), DROP_REASONS);
	assert_int_equal(count_rows(fd, FIBMSG_QUERY_VERSION, FIBMSG_ROW_VERSION), 1);
	q.u.query_msg.kind = 99;
	say(fd, &q, 1);
	hear(fd, &m);
	assert_int_equal(m.type, FIBMSG_END);
	assert_int_equal(m.u.end.code, -ERR_RANGE);
}

#define MANY 60000u

/* More rows than the socket holds, read late, with batches in between. */
static void test_listing_streams(void **state)
{
	static struct fibmsg batch[2000];
	struct fibmsg q = {.type = FIBMSG_QUERY}, m;
	static uint8_t bytes[FIBMSG_MAX_LEN];
	unsigned rows = 0, acks = 0;

	greet(fd, NULL);
	sync_home(fd, 77);
	for (uint32_t i = 0; i < MANY; i += COUNT(batch)) {
		for (uint32_t k = 0; k < COUNT(batch); k++) {
			batch[k] = route(0, "20.0.0.0/32", 1);
			batch[k].u.route.prefix.addr =
			    ip_addr_v4(__builtin_bswap32(0x14000000u + (i + k) * 4));
		}
		expect_ack(fd, say(fd, batch, COUNT(batch)), 0);
	}
	q.u.query_msg.kind = FIBMSG_QUERY_ROUTES;
	say(fd, &q, 1);
	for (int i = 0; i < 50; i++)
		slow_run_once(1); /* fills the socket */
	say(fd, batch, 1);
	for (m.type = 0; m.type != FIBMSG_END;) {
		size_t n = hear_bytes(fd, bytes, sizeof(bytes));
		struct fibmsg_header h;
		struct buf_reader r;

		buf_reader_init(&r, bytes, n);
		assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
		for (unsigned i = 0; i < h.count; i++) {
			assert_int_equal(fibmsg_read(&r, &m, NULL), 0);
			rows += m.type == FIBMSG_ROW_ROUTE;
			acks += m.type == FIBMSG_ACK;
		}
	}
	assert_int_equal(rows, MANY + 4);
	assert_int_equal(acks, 1);
}

static void test_newcomer_takes_over(void **state)
{
	uint8_t bytes[64];
	int second = dial();

	greet(fd, NULL);
	sync_home(fd, 77);
	greet(second, NULL);
	while (hear_bytes(fd, bytes, sizeof(bytes)) > 0)
		;
	sync_home(second, 80);
	close(second);
}

/* The sweep that one control asked for is not answered to the next. */
static void test_sweep_outlives_its_control(void **state)
{
	struct fibmsg begin = sync_message(FIBMSG_SYNC_BEGIN, 81), end = sync_message(FIBMSG_SYNC_END, 81);
	struct fibmsg m = {.type = FIBMSG_HELLO};
	uint32_t said;
	int second;

	greet(fd, NULL);
	sync_home(fd, 77);
	expect_ack(fd, say(fd, &begin, 1), 0);
	say(fd, &end, 1);
	second = dial();
	m.u.hello.version = FIBMSG_VERSION;
	said = say(second, &m, 1);
	slow_run_once(5);
	slow_run_once(5); /* SYNC_END and the newcomer's HELLO were read; the sweep takes longer */
	close(fd);
	fd = second;
	assert_int_equal(hear(fd, &m), said);
	assert_int_equal(m.type, FIBMSG_HELLO_REPLY);
	sync_home(fd, 82);
	assert_int_equal(look_up("8.8.8.8")->kind, NEXTHOP_VIA);
}

static void test_garbage_is_refused_with_a_reason(void **state)
{
	unsigned state_bits = 12345;

	for (int round = 0; round < 300; round++) {
		uint8_t bytes[4096], answer[4096];
		size_t len = 1 + (size_t)(rand_r(&state_bits) % 600);
		int s = dial();

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)rand_r(&state_bits);
		if (round % 2) {
			greet(s, NULL);
			memcpy(bytes, "BYFB\0\0\0\1\0\1\2\0", 12); /* a good header, garbage behind it */
		}
		say_bytes(s, bytes, len);
		size_t n = hear_bytes(s, answer, sizeof(answer));
		if (n > 0) { /* an ACK that says why, then the end */
			struct fibmsg_header h;
			struct buf_reader r;
			struct fibmsg m;

			buf_reader_init(&r, answer, n);
			assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
			assert_int_equal(fibmsg_read(&r, &m, NULL), 0);
			assert_int_equal(m.type, FIBMSG_ACK);
			assert_int_not_equal(m.u.ack.code, 0);
			assert_true(m.u.ack.text[0] != '\0');
			assert_int_equal(hear_bytes(s, answer, sizeof(answer)), 0);
		}
		close(s);
	}
}

static void test_wrong_version_is_told(void **state)
{
	struct fibmsg m = {.type = FIBMSG_HELLO};
	uint8_t bytes[512];

	m.u.hello.version = 999;
	say(fd, &m, 1);
	hear(fd, &m);
	assert_int_equal(m.type, FIBMSG_HELLO_REPLY);
	assert_int_equal(m.u.hello_reply.version, FIBMSG_VERSION);
	hear(fd, &m);
	assert_int_equal(m.type, FIBMSG_ACK);
	assert_int_equal(m.u.ack.code, -ERR_UNSUPPORTED);
	assert_int_equal(hear_bytes(fd, bytes, sizeof(bytes)), 0);
}

/* A neighbour of the lan: packets wait, are released when it answers, and its host route serves the next one.
 */
static void test_neighbour_resolves(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct rte_mbuf *pkt, *out[4];
	struct ip_prefix p = prefix("10.1.0.7/32");
	uint8_t *ip;

	greet(fd, NULL);
	sync_home(fd, 77);
	pkt = rte_pktmbuf_alloc(worker_pool);
	assert_non_null(pkt);
	memset(pkt_meta(pkt), 0, sizeof(struct pkt_meta));
	assert_non_null(rte_pktmbuf_append(pkt, 20));
	ip = rte_pktmbuf_mtod(pkt, uint8_t *);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	memcpy(ip + 16, p.addr.b, 4);
	pkt_meta(pkt)->op = PKT_RESOLVE;
	pkt_meta(pkt)->out = iface_by_name("lan")->index;
	pkt_meta(pkt)->addr = p.addr;
	neigh_hold(pkt);
	assert_int_equal(rte_ring_count(worker_table[0]->from_slow), 0);
	neigh_learn(iface_by_name("lan")->index, &p.addr, mac);
	assert_int_equal(rte_ring_dequeue_burst(worker_table[0]->from_slow, (void **)out, 4, NULL), 1);
	assert_ptr_equal(out[0], pkt);
	assert_int_equal(pkt_meta(pkt)->op, PKT_RESOLVED);
	assert_int_equal(look_up("10.1.0.7")->kind, NEXTHOP_VIA);
	assert_memory_equal(&look_up("10.1.0.7")->neigh->mac, mac, 6);
	neigh_learn(iface_by_name("lan")->index, &p.addr, NULL); /* it is gone */
	assert_int_equal(look_up("10.1.0.7")->kind, NEXTHOP_CONNECTED);
	neigh_hold(pkt); /* it was known: it is asked once more before anybody is refused */
	assert_int_equal(rte_ring_count(worker_table[0]->from_slow), 0);
	neigh_learn(iface_by_name("lan")->index, &p.addr, NULL);
	assert_int_equal(rte_ring_dequeue_burst(worker_table[0]->from_slow, (void **)out, 4, NULL), 1);
	assert_int_equal(pkt_meta(pkt)->op, PKT_UNRESOLVED);
	neigh_hold(pkt); /* right after that failure: no waiting, the sender is told */
	assert_int_equal(rte_ring_dequeue_burst(worker_table[0]->from_slow, (void **)out, 4, NULL), 1);
	assert_int_equal(pkt_meta(pkt)->op, PKT_UNRESOLVED);
	rte_pktmbuf_free(pkt);
}

/* --- sleeping and waking --- */

static unsigned sunk;

static void sink(struct rte_mbuf *pkt)
{
	sunk++;
	rte_pktmbuf_free(pkt);
}

/* A worker's thread: each packet is handed over while the slow thread sleeps, or is about to. */
static void *hand_over(void *arg)
{
	for (int i = 0; i < 200; i++) {
		struct rte_mbuf *pkt = rte_pktmbuf_alloc(worker_pool);

		memset(pkt_meta(pkt), 0, sizeof(struct pkt_meta));
		pkt_meta(pkt)->op = PKT_TO_HOST;
		worker_to_slow(worker_table[0], &pkt, 1, DROP_HOST_QUEUE);
		usleep((useconds_t)(i % 7) * 100);
	}
	return NULL;
}

static void test_worker_wakes_it(void **state)
{
	uint64_t start = nsec_monotonic();
	pthread_t thread;

	hostif_sink = sink;
	sunk = 0;
	assert_int_equal(pthread_create(&thread, NULL, hand_over, NULL), 0);
	while (sunk < 200) /* a wake-up that is lost costs half a second each */
		assert_int_equal(slow_run_once(500), 0);
	pthread_join(thread, NULL);
	hostif_sink = NULL;
	assert_true(nsec_monotonic() - start < 3 * NSEC_PER_SEC);
}

static void quit_from_signal(int sig)
{
	slow_quit();
}

static void test_quits_from_a_signal(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
	uint64_t start = nsec_monotonic();

	signal(SIGALRM, quit_from_signal);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(slow_run(), 0);
	assert_true(nsec_monotonic() - start < 3 * NSEC_PER_SEC);
	signal(SIGALRM, SIG_DFL);
}

/* Nothing to do: it must sleep, not turn. */
static void test_sleeps_when_idle(void **state)
{
	struct rusage before, after;
	uint64_t end = nsec_monotonic() + NSEC_PER_SEC / 2;

	while (nsec_monotonic() < end)
		slow_run_once(100);
	getrusage(RUSAGE_THREAD, &before);
	end = nsec_monotonic() + NSEC_PER_SEC;
	while (nsec_monotonic() < end)
		slow_run_once(-1); /* only its own deadlines wake it */
	getrusage(RUSAGE_THREAD, &after);
	assert_true(after.ru_nvcsw - before.ru_nvcsw < 20);
}

static int start_all(void **state)
{
	struct eal_config config = {.prefix = "byway-test-slow", .workers = 1, .mem_mib = 96};
	struct err_msg msg = {""};

	if (eal_start(&config, &msg) || !mkdtemp(dir)) {
		print_error("%s\n", msg.text);
		return -1;
	}
	rcu_register_thread();
	group_init();
	return fib_init() || workers_create(1, 4096, &msg);
}

static int stop_all(void **state)
{
	rcu_settle();
	workers_destroy();
	fib_fini();
	rcu_unregister_thread();
	eal_stop();
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_sync_makes_it_forward, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sync_sweeps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_port_changes_keep_its_interface, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_port_takes_the_batch_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_state_survives, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_listing_streams, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_newcomer_takes_over, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sweep_outlives_its_control, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_garbage_is_refused_with_a_reason, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_version_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_neighbour_resolves, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_worker_wakes_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_quits_from_a_signal, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sleeps_when_idle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
