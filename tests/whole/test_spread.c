/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software spreading: ports with one queue, three workers. The order of each flow, who takes part, what the
 * counters say, when buckets move, and a port that goes while its frames wait at other workers.
 */
#include "dataplane/spread.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "dataplane/tunnel_peer.h"
#include "lib/nsec.h"
#include "tests/whole/whole.h"

#define WORKERS	    3
#define FLOWS	    60
#define EACH	    40
#define FIRST_PORT  20000
#define TUNNEL_PORT 51820
#define PATIENCE_S  20

static struct whole_port lan, wan;
static uint8_t frame[2048];
static uint32_t next_sent[FLOWS], next_seen[FLOWS];
static uint64_t seed = 11;

static int open_ports(void **state)
{
	whole_workers = WORKERS;
	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	whole_port_open(&wan, "wan", FIBMSG_ROLE_LAN);
	whole_route(FIBMSG_OVERLAY, "0.0.0.0/0", &wan.via);
	return 0;
}

static int close_ports(void **state)
{
	whole_port_close(&lan);
	whole_port_close(&wan);
	return whole_stop(state);
}

/* The workers do not run. */
static void set_mode(enum spread_mode mode)
{
	spread_mode = mode;
	for (unsigned i = 0; i < worker_count; i++) {
		spread_destroy(worker_table[i]);
		assert_int_equal(spread_create(worker_table[i], worker_count), 0);
	}
}

static struct worker *receiver(const struct whole_port *p)
{
	return worker_table[p->ifc->index % WORKERS];
}

static void run_all(void)
{
	for (bool any = true; any;) {
		any = false;
		for (unsigned i = 0; i < worker_count; i++)
			any |= worker_run_once(worker_table[i]);
		rcu_quiescent_state();
	}
}

/* The next packet of a flow; its number stands at its end. */
static void send_flow(struct whole_port *p, unsigned flow)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 16};
	size_t len;

	udp.src_port = (uint16_t)(FIRST_PORT + flow);
	udp.dst_port = 443;
	len = whole_udp(frame, p, &udp);
	memcpy(frame + len - 4, &next_sent[flow], 4);
	next_sent[flow]++;
	whole_send(p, frame, len);
}

/* Takes what came out; it must be the next of its flow. Returns how many. */
static unsigned check_order(void)
{
	unsigned n = 0;

	for (struct whole_packet got = whole_receive(&wan); got.data; got = whole_receive(&wan)) {
		const struct wire_udp *udp = (const struct wire_udp *)(whole_ip4(&got) + 1);
		unsigned flow = ntohs(udp->src_port_be) - FIRST_PORT;
		uint32_t number;

		assert_true(flow < FLOWS);
		memcpy(&number, got.data + got.len - 4, 4);
		assert_int_equal(number, next_seen[flow]);
		next_seen[flow]++;
		whole_free(&got);
		n++;
	}
	return n;
}

static uint64_t received_by(unsigned worker, const struct whole_port *p)
{
	return worker_table[worker]->ifaces[p->ifc->index].rx_packets;
}

static void test_order_and_counters(void **state)
{
	uint64_t before[WORKERS], rx = workers_iface_counters(lan.ifc->index).rx_packets;
	uint64_t tx = workers_iface_counters(wan.ifc->index).tx_packets;
	unsigned seen = 0;

	set_mode(SPREAD_ALWAYS);
	for (unsigned i = 0; i < WORKERS; i++)
		before[i] = received_by(i, &lan);
	for (unsigned k = 0; k < EACH; k++) {
		for (unsigned flow = 0; flow < FLOWS; flow++)
			send_flow(&lan, flow);
		for (unsigned i = 0; i < 7; i++) { /* in no order at all, and not to the end */
			worker_run_once(worker_table[unit_random(&seed) % WORKERS]);
			seen += check_order();
		}
		while (!rte_ring_empty(lan.to))
			worker_run_once(receiver(&lan));
	}
	run_all();
	seen += check_order();
	assert_int_equal(seen, FLOWS * EACH);
	assert_int_equal(workers_iface_counters(lan.ifc->index).rx_packets - rx, FLOWS * EACH);
	assert_int_equal(workers_iface_counters(wan.ifc->index).tx_packets - tx, FLOWS * EACH);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(received_by(i, &lan) - before[i] > EACH); /* more than one flow each */
	assert_int_equal(whole_drops(DROP_WORKER_QUEUE), 0);
}

/* How many workers a function's frames reached. */
static unsigned count_workers(void (*send)(void))
{
	uint64_t before[WORKERS];
	unsigned n = 0;
	struct whole_packet got;

	for (unsigned i = 0; i < WORKERS; i++)
		before[i] = received_by(i, &lan);
	send();
	run_all();
	for (unsigned i = 0; i < WORKERS; i++)
		n += received_by(i, &lan) != before[i];
	for (got = whole_receive(&wan); got.data; got = whole_receive(&wan))
		whole_free(&got);
	return n;
}

static void send_one_flow(void)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .src_port = 1, .dst_port = 2};

	for (unsigned i = 0; i < 20; i++)
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
}

/* Ports of a first fragment, and whatever lies there in a later one. */
static void send_fragments(void)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .data_len = 32};

	for (unsigned i = 0; i < 100; i++) {
		udp.src_port = (uint16_t)(1000 + i);
		udp.frag = (uint16_t)(i == 0 ? IP4_MF : i % 2 ? IP4_MF | (4 * i) : 4 * i);
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
	}
}

static void send_many6(void)
{
	struct whole_udp udp = {.src = "fd00::5", .dst = "2001:db8:5::1", .dst_port = 443};

	for (unsigned i = 0; i < 100; i++) {
		udp.src_port = (uint16_t)(1000 + i);
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
	}
}

static void send_to_tunnel(void)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "192.0.2.1", .dst_port = TUNNEL_PORT};

	for (unsigned i = 0; i < 100; i++) {
		udp.src_port = (uint16_t)(1000 + i);
		whole_send(&lan, frame, whole_udp(frame, &lan, &udp));
	}
}

static void test_flows(void **state)
{
	uint64_t before = received_by(receiver(&lan)->id, &lan);

	set_mode(SPREAD_ALWAYS);
	whole_route(FIBMSG_OVERLAY, "2001:db8::/32", &wan.via);
	assert_int_equal(count_workers(send_one_flow), 1);
	assert_int_equal(count_workers(send_fragments), 1);
	assert_int_equal(count_workers(send_many6), WORKERS);
	/* the owner of a session is the tunnel's to find */
	assert_int_equal(count_workers(send_to_tunnel), WORKERS);
	tunnel_table_set_port(TUNNEL_PORT, lan.ifc->index);
	before = received_by(receiver(&lan)->id, &lan);
	assert_int_equal(count_workers(send_to_tunnel), 1);
	assert_int_equal(received_by(receiver(&lan)->id, &lan) - before, 100);
	tunnel_table_set_port(TUNNEL_PORT, 0);
	set_mode(SPREAD_OFF);
	assert_false(spread_is_wanted(1));
	whole_unroute(FIBMSG_OVERLAY, "2001:db8::/32");
}

static void test_wanted(void **state)
{
	enum spread_mode mode;

	set_mode(SPREAD_AUTO);
	assert_true(spread_is_wanted(1));
	assert_true(spread_is_wanted(WORKERS - 1));
	assert_false(spread_is_wanted(WORKERS));
	assert_int_equal(spread_parse_mode("always", &mode), 0);
	assert_int_equal(mode, SPREAD_ALWAYS);
	assert_int_equal(spread_parse_mode("", &mode), ERR_INVALID);
}

/* Frames wait at two other workers when their port goes: counted, and given back. */
static void test_port_goes(void **state)
{
	static struct whole_port extra;
	uint64_t at_home;

	set_mode(SPREAD_ALWAYS);
	whole_port_open(&extra, "extra", FIBMSG_ROLE_LAN);
	whole_forget_drops();
	for (unsigned flow = 0; flow < FLOWS; flow++)
		send_flow(&extra, flow);
	worker_run_once(receiver(&extra));
	at_home = received_by(receiver(&extra)->id, &extra);
	assert_true(at_home < FLOWS);
	whole_port_close(&extra);
	run_all();
	assert_int_equal(whole_drops(DROP_TX_DOWN), FLOWS - at_home);
	for (struct whole_packet got = whole_receive(&wan); got.data; got = whole_receive(&wan))
		whole_free(&got);
	memcpy(next_seen, next_sent, sizeof(next_seen));
}

/* Full bursts for some loops of the receiver, each of which takes at least so long. */
static void saturate(unsigned loops, unsigned loop_us)
{
	for (unsigned i = 0; i < loops; i++) {
		for (unsigned k = 0; k < WORKER_BURST; k++)
			send_flow(&lan, (unsigned)(unit_random(&seed) % FLOWS));
		if (loop_us)
			usleep(loop_us);
		for (unsigned k = 0; k < WORKERS; k++)
			worker_run_once(worker_table[(receiver(&lan)->id + k) % WORKERS]);
		rcu_quiescent_state();
		check_order();
	}
}

/* As long as frames still come out, and a moment without any. */
static void idle_until_home(void)
{
	uint64_t end = nsec_monotonic() + PATIENCE_S * NSEC_PER_SEC;

	while (spread_count_away(receiver(&lan)) && nsec_monotonic() < end) {
		for (unsigned i = 0; i < WORKERS; i++)
			worker_run_once(worker_table[i]);
		rcu_quiescent_state();
		check_order();
	}
}

static void check_all_arrived(void)
{
	run_all();
	check_order();
	assert_memory_equal(next_seen, next_sent, sizeof(next_seen));
}

/* A worker that has too much gives flows away, and takes them back when it has time: no flow out of order. */
static void test_load(void **state)
{
	set_mode(SPREAD_AUTO);
	for (unsigned i = 0; i < 50; i++) { /* few frames: all stay */
		send_flow(&lan, i % FLOWS);
		usleep(100);
		run_all();
	}
	check_order();
	assert_int_equal(spread_count_away(receiver(&lan)), 0);
	for (unsigned i = 0; i < 20 && !spread_count_away(receiver(&lan)); i++)
		saturate(1, 2000);
	for (unsigned i = 0; i < 10000 && spread_count_away(receiver(&lan)) < SPREAD_BUCKETS / 2; i++)
		saturate(1, 0); /* much faster: it pays */
	assert_true(spread_count_away(receiver(&lan)) >= SPREAD_BUCKETS / 2);
	idle_until_home();
	assert_int_equal(spread_count_away(receiver(&lan)), 0);
	check_all_arrived();
}

/* Where the other workers make it no faster all flows come home. */
static void test_trial_fails(void **state)
{
	bool gave = false;

	set_mode(SPREAD_AUTO);
	for (unsigned i = 0; i < 20 && !gave; i++) {
		saturate(1, 1000);
		gave = spread_count_away(receiver(&lan)) > 0;
	}
	assert_true(gave);
	for (unsigned i = 0; i < 100 && spread_count_away(receiver(&lan)); i++)
		saturate(1, 2000);
	assert_int_equal(spread_count_away(receiver(&lan)), 0);
	check_all_arrived();
}

/* The same as threads: the order holds whatever the scheduler does. */
static void test_threads(void **state)
{
	uint64_t end = nsec_monotonic() + PATIENCE_S * NSEC_PER_SEC;
	unsigned seen = 0, sent = 0;

	set_mode(SPREAD_ALWAYS);
	assert_int_equal(workers_launch(), 0);
	for (unsigned k = 0; k < 10 * EACH; k++) {
		for (unsigned flow = 0; flow < FLOWS; flow++)
			send_flow(&lan, flow);
		sent += FLOWS;
		/* what is on its way must fit the wire out of the port, or some would be lost there */
		while (sent - seen > 2 * FLOWS && nsec_monotonic() < end)
			seen += check_order();
	}
	while (seen < 10 * EACH * FLOWS && nsec_monotonic() < end)
		seen += check_order();
	workers_stop();
	assert_int_equal(whole_drops(DROP_WORKER_QUEUE), 0);
	assert_int_equal(seen, 10 * EACH * FLOWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wanted),
	    cmocka_unit_test(test_order_and_counters),
	    cmocka_unit_test(test_flows),
	    cmocka_unit_test(test_port_goes),
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_trial_fails),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
