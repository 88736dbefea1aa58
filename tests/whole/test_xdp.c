/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports on network devices: both ends of a veth pair in a namespace of our own are ports of one dataplane, so
 * that a frame goes out by AF_XDP and comes in by it. Needs root; skipped without.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include "dataplane/eal.h"
#include "lib/nsec.h"
#include "tests/whole/whole.h"

#define PACKETS	   1500
#define WINDOW	   32 /* packets on their way at a time */
#define PATIENCE_S 3

static bool privileged;
static struct iface *left, *right;
static uint8_t frame[2048];

static int command(const char *text)
{
	int status = system(text);

	if (status != 0)
		print_error("%s: %d\n", text, status);
	return status ? -1 : 0;
}

static int start(void **state)
{
	privileged = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	if (!privileged)
		return 0;
	if (command("ip link add xleft type veth peer name xright && ip link add xother type veth peer name "
		    "xfar && ip "
		    "link set lo up"))
		return -1;
	if (whole_start(state) != 0)
		return -1;
	if (iface_add(IFACE_PORT, "left", &left) != 0 || iface_add(IFACE_PORT, "right", &right) != 0)
		return -1;
	whole_local("10.1.0.1");
	return 0;
}

/* AF_XDP keeps the buffers of its fill rings until the process ends, so whole_stop's count does not apply. */
static int stop(void **state)
{
	if (!privileged || !right)
		return 0;
	port_close(left);
	port_close(right);
	rcu_settle();
	eal_stop();
	return 0;
}

static int open_netdev(struct iface *ifc, const char *device, uint16_t mtu, struct err_msg *msg)
{
	struct fibmsg_port p = {.queues = 1, .mtu = mtu};
	int err;

	snprintf(p.name, sizeof(p.name), "%s", ifc->name);
	snprintf(p.device, sizeof(p.device), "%s", device);
	err = port_check(&p, msg);
	return err ? err : port_open(&p, ifc, msg);
}

static void expect_refusal(int got, int want, const struct err_msg *msg, const char *word)
{
	assert_int_equal(got, want);
	if (!strstr(msg->text, word))
		fail_msg("'%s' does not say '%s'", msg->text, word);
}

static void open_both(void)
{
	struct err_msg msg = {""};

	if (open_netdev(left, "xleft", 0, &msg) != 0 || open_netdev(right, "xright", 0, &msg) != 0)
		fail_msg("%s", msg.text);
	assert_true(left->port->poll_fd[0] >= 0);
	assert_true(port_link_up(left->port));
}

/* Frame number i leaves by `left`. */
static void send_number(uint32_t i)
{
	struct whole_port to = {.ifc = right};
	struct whole_udp udp = {
	    .src = "10.1.0.5", .dst = "10.1.0.1", .data_len = 4 + i % 1400, .src_port = 777};
	size_t len = whole_udp(frame, &to, &udp);
	struct wire_udp *u = (struct wire_udp *)(frame + 34);
	struct rte_mbuf *m;

	memcpy(u + 1, &i, sizeof(i));
	u->csum = 0;
	m = whole_mbuf(frame, len);
	pkt_meta(m)->op = PKT_TX_FRAME;
	pkt_meta(m)->out = left->index;
	worker_inject(whole_worker, &m, 1);
}

/* The number of the next frame of ours that came in by `right`; the kernel's own chatter is passed over. */
static uint32_t receive_number(void)
{
	uint64_t end = nsec_monotonic() + PATIENCE_S * NSEC_PER_SEC;

	while (nsec_monotonic() < end) {
		struct whole_packet got;
		uint32_t number;

		whole_run();
		got = whole_to_slow();
		if (!got.data)
			usleep(50);
		if (!got.data || got.len < 46 || got.data[12] != 8 || got.data[13] != 0) {
			whole_free(&got);
			continue;
		}
		assert_int_equal(got.meta.in, right->index);
		memcpy(&number, got.data + 42, sizeof(number));
		assert_int_equal(got.len, 46 + number % 1400);
		for (size_t i = 46; i < got.len; i++)
			assert_int_equal(got.data[i], WHOLE_DATA_BYTE);
		whole_free(&got);
		return number;
	}
	fail_msg("a frame did not arrive");
	return 0;
}

static void pass_frames(unsigned n)
{
	for (uint32_t i = 0; i < n; i += WINDOW) {
		for (uint32_t k = i; k < i + WINDOW; k++)
			send_number(k);
		for (uint32_t k = i; k < i + WINDOW; k++)
			assert_int_equal(receive_number(), k);
	}
}

static void test_refused(void **state)
{
	struct err_msg msg = {""};

	if (!privileged)
		skip();
	expect_refusal(open_netdev(left, "nosuch", 0, &msg), ERR_NOENT, &msg, "nosuch");
	expect_refusal(open_netdev(left, "xleft", 9000, &msg), ERR_RANGE, &msg, "9000");
	assert_int_equal(command("ip addr add 192.0.2.9/24 dev xleft"), 0);
	expect_refusal(open_netdev(left, "xleft", 0, &msg), ERR_BUSY, &msg, "192.0.2.9");
	assert_int_equal(command("ip addr del 192.0.2.9/24 dev xleft"), 0);
}

/* return XDP_PASS: somebody else's program. */
static void test_foreign_program(void **state)
{
	static const uint64_t pass[] = {0x00000002000000b7ull, 0x95ull};
	unsigned ifindex = if_nametoindex("xother");
	struct err_msg msg = {""};
	int fd;

	if (!privileged)
		skip();
	fd = bpf_prog_load(
	    BPF_PROG_TYPE_XDP, "foreign", "GPL", (const struct bpf_insn *)(const void *)pass, 2, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach((int)ifindex, fd, 0, NULL), 0);
	expect_refusal(open_netdev(left, "xother", 0, &msg), ERR_BUSY, &msg, "foreign");
	assert_int_equal(bpf_xdp_detach((int)ifindex, 0, NULL), 0);
	close(fd);
}

static void test_frames(void **state)
{
	if (!privileged)
		skip();
	open_both();
	pass_frames(PACKETS);
}

/*
 * Buffers from the far end of the pool: with the ordinary layout of a pool AF_XDP would not have registered
 * its last two fifths, and what lies there vanishes.
 */
static void test_far_buffers(void **state)
{
	static struct rte_mbuf *held[16384];
	unsigned n;

	if (!privileged)
		skip();
	n = rte_mempool_avail_count(worker_pool) * 6 / 10;
	for (unsigned i = 0; i < n; i++) {
		held[i] = rte_pktmbuf_alloc(worker_pool);
		assert_non_null(held[i]);
	}
	pass_frames(PACKETS);
	rte_pktmbuf_free_bulk(held, n);
	pass_frames(PACKETS);
}

/* A closed port gives the netdev back to the kernel, and can be opened again. */
static void test_closed_and_opened(void **state)
{
	__u32 program = 0;

	if (!privileged)
		skip();
	for (unsigned i = 0; i < 3; i++) {
		port_close(left);
		port_close(right);
		assert_int_equal(bpf_xdp_query_id((int)if_nametoindex("xleft"), 0, &program), 0);
		assert_int_equal(program, 0);
		open_both();
		pass_frames(WINDOW * 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_foreign_program),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_far_buffers),
	    cmocka_unit_test(test_closed_and_opened),
	};
	int failed = cmocka_run_group_tests(tests, start, stop);

	fflush(stdout);
	_exit(failed); /* the driver's memory goes with the process */
}
