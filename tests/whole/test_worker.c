/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker as a thread: it sleeps when idle, wakes for a packet of another thread, and gives up a port
 * at run time without losing what came before.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/nsec.h"
#include "tests/whole/whole.h"

#define WAKES	   200
#define IDLE_US	   300000
#define PATIENCE_S 5

static struct whole_port lan, wan;
static uint8_t frame[2048];

static int open_ports(void **state)
{
	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan, "wan", FIBMSG_ROLE_WAN);
	whole_route(FIBMSG_OVERLAY, "0.0.0.0/0", &wan.via);
	return workers_launch();
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	workers_stop();
	return whole_stop(state);
}

/* What comes out within some seconds. */
static struct whole_packet wait_for(struct whole_port *p)
{
	uint64_t end = nsec_monotonic() + PATIENCE_S * NSEC_PER_SEC;
	struct whole_packet got;

	do {
		got = whole_receive(p);
		if (!got.data)
			usleep(20);
	} while (!got.data && nsec_monotonic() < end);
	return got;
}

static void test_port_without_descriptor(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1"};
	struct whole_packet got;

	for (unsigned i = 0; i < 20; i++) {
		usleep(5000); /* long enough for it to nap */
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
		got = wait_for(&wan);
		assert_non_null(got.data);
		whole_free(&got);
	}
}

/* Without any port only the eventfd can wake it: a wake-up that got lost would time out here. */
static void test_wake_up(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.1", .dst = "10.1.0.5"};
	struct rte_mbuf *m;
	struct whole_packet got;
	uint64_t seed = 7;

	workers_remove_port(lan.ifc->port);
	workers_remove_port(wan.ifc->port);
	for (unsigned i = 0; i < WAKES; i++) {
		m = whole_mbuf(frame, whole_udp(frame, &lan, &udp));
		pkt_meta(m)->op = PKT_TX_FRAME;
		pkt_meta(m)->out = lan.ifc->index;
		worker_inject(whole_worker, &m, 1);
		got = wait_for(&lan);
		assert_non_null(got.data);
		whole_free(&got);
		usleep(
		    (useconds_t)(unit_random(&seed) % 100)); /* about as long as it spins before it sleeps */
	}
	assert_int_equal(workers_add_port(lan.ifc->port), 0);
	assert_int_equal(workers_add_port(wan.ifc->port), 0);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* A worker that only naps costs less than a fifth of a core even under a sanitizer; one that spins, all of
 * it. */
static void test_idle(void **state)
{
	uint64_t before;

	usleep(20000);
	before = cpu_ns();
	usleep(IDLE_US);
	assert_true(cpu_ns() - before < IDLE_US * NSEC_PER_USEC / 5);
}

/* A port that goes while packets stream leaves the worker, and its buffers come back. */
static void test_port_goes(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1"};
	static struct whole_port extra;
	struct whole_packet got;

	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "extra%u", i);
		whole_port_open(&extra, name, FIBMSG_ROLE_LAN);
		for (unsigned k = 0; k < 10; k++)
			whole_send(&extra, frame, whole_udp(frame, &extra, &udp));
		for (unsigned k = 0; k < 10; k++) {
			got = wait_for(&wan);
			assert_non_null(got.data);
			whole_free(&got);
		}
		whole_port_close(&extra);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_port_without_descriptor),
	    cmocka_unit_test(test_wake_up),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_port_goes),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
