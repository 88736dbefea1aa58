/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host interfaces, the netlink mirror and the policy rules, in a network namespace of this process's own (no
 * name, gone with it); ports are DPDK's null devices. Needs root; skipped without.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "dataplane/apply.h"
#include "dataplane/eal.h"
#include "dataplane/host.h"
#include "lib/nsec.h"

#include "tests/whole/whole.h"

static char dir[] = "/tmp/byway-test-hostif-XXXXXX";

/* --- helpers --- */

static void run(int turns)
{
	for (int i = 0; i < turns; i++)
		assert_int_equal(slow_run_once(2), 0);
	monitor_run_once(nsec_monotonic());
}

/* The output of a command of the shell, in a buffer of its own. */
static const char *shell(const char *command)
{
	static char out[16384];
	FILE *p = popen(command, "r");
	size_t n;

	assert_non_null(p);
	n = fread(out, 1, sizeof(out) - 1, p);
	out[n] = '\0';
	pclose(p);
	return out;
}

static void expect_in(const char *command, const char *part)
{
	const char *out = NULL;

	for (int i = 0; i < 100; i++) {
		run(3);
		out = shell(command);
		if (strstr(out, part))
			return;
	}
	fail_msg("%s does not say \"%s\":\n%s", command, part, out);
}

static void expect_not_in(const char *command, const char *part)
{
	run(5);
	if (strstr(shell(command), part))
		fail_msg("%s says \"%s\"", command, part);
}

static void apply(const struct fibmsg *m, unsigned n)
{
	static uint8_t datagram[FIBMSG_MAX_LEN];
	struct fibmsg_ack ack;
	struct buf_writer w;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 1, 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fibmsg_append(&w, &m[i], NULL), 0);
	if (store_apply_batch(apply_store(), datagram, buf_writer_len(&w), STORE_CONTROL, &ack))
		fail_msg("%s", ack.text);
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_ifaddr_parse(text, &p, NULL), 0);
	return p;
}

static struct fibmsg port(const char *name, const char *device, bool wan, uint8_t mac)
{
	struct fibmsg m = {.type = FIBMSG_SET_PORT};

	snprintf(m.u.port.name, sizeof(m.u.port.name), "%s", name);
	snprintf(m.u.port.device, sizeof(m.u.port.device), "%s", device);
	m.u.port.role = wan ? FIBMSG_ROLE_WAN : FIBMSG_ROLE_LAN;
	m.u.port.table = wan ? fibmsg_line_table(name) : 0;
	m.u.port.mac[0] = 2;
	m.u.port.mac[5] = mac;
	m.u.port.mtu = 1400;
	return m;
}

static struct fibmsg address(const char *iface, const char *text)
{
	struct fibmsg m = {.type = FIBMSG_SET_ADDRESS};

	snprintf(m.u.address.iface, sizeof(m.u.address.iface), "%s", iface);
	m.u.address.address = prefix(text);
	return m;
}

static void apply_home(void)
{
	struct fibmsg line = {.type = FIBMSG_SET_LINE}, router = {.type = FIBMSG_SET_ROUTER};
	struct fibmsg nh = {.type = FIBMSG_SET_NEXTHOP}, group = {.type = FIBMSG_SET_GROUP};
	struct fibmsg route = {.type = FIBMSG_SET_ROUTE};

	snprintf(router.u.router.name, sizeof(router.u.router.name), "home");
	router.u.router.source4 = prefix("10.1.0.1/32").addr;
	snprintf(line.u.line.port, sizeof(line.u.line.port), "wan1");
	line.u.line.gateway4 = prefix("192.0.2.1/32").addr;
	line.u.line.interval_ms = 100;
	line.u.line.timeout_ms = 200;
	line.u.line.hold_down_ms = 1000;
	line.u.line.down_after = 4;
	nh.u.nexthop.id = 1;
	nh.u.nexthop.kind = FIBMSG_NH_CONNECTED;
	snprintf(nh.u.nexthop.iface, sizeof(nh.u.nexthop.iface), "lan");
	group.u.group.id = 1;
	group.u.group.n_members = 1;
	group.u.group.members[0].nexthop = 1;
	route.u.route.prefix = prefix("10.1.0.0/24");
	route.u.route.group = 1;

	const struct fibmsg home[] = {router, port("wan1", "net_null0", true, 1),
	    port("lan", "net_null1", false, 2), line, address("wan1", "192.0.2.10/24"),
	    address("lan", "10.1.0.1/24"), address("lan", "fd00:1::1/64"), nh, group, route};

	apply(home, UNIT_COUNT(home));
}

static const struct nexthop *look_up(const char *text)
{
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);
	struct ip_prefix p = prefix(text);
	uint32_t dst_be = ip_addr_be32(&p.addr), index = 0;

	if (t)
		fib_lookup4(t, &dst_be, &index, 1);
	return group_pick(index, 0);
}

/* Waits until a destination leads to a next hop of this kind. */
static void expect_kind(const char *text, enum nexthop_kind kind)
{
	for (int i = 0; i < 100 && look_up(text)->kind != kind; i++)
		run(5);
	assert_int_equal(look_up(text)->kind, kind);
}

/* The next packet that the kernel gave and that begins with these bytes at an offset; the others are dropped.
 */
static struct rte_mbuf *from_host(enum pkt_op op, unsigned offset, const void *bytes, unsigned len)
{
	for (int i = 0; i < 500; i++) {
		struct rte_mbuf *pkt;

		assert_int_equal(slow_run_once(2), 0);
		while (rte_ring_dequeue(worker_table[0]->from_slow, (void **)&pkt) == 0) {
			if (pkt_meta(pkt)->op == op && pkt->data_len >= offset + len &&
			    memcmp(rte_pktmbuf_mtod_offset(pkt, char *, offset), bytes, len) == 0)
				return pkt;
			rte_pktmbuf_free(pkt);
		}
	}
	fail_msg("the kernel sent no such packet");
	return NULL;
}

/* --- tests --- */

static void start_here(void)
{
	struct slow_config config = {.run_dir = dir, .state_dir = dir, .host = true};
	struct err_msg msg = {""};

	if (slow_start(&config, &msg))
		fail_msg("%s", msg.text);
}

static int setup(void **state)
{
	start_here();
	apply_home();
	run(10);
	return 0;
}

static void drain(void)
{
	struct rte_mbuf *pkt;

	while (rte_ring_dequeue(worker_table[0]->from_slow, (void **)&pkt) == 0)
		rte_pktmbuf_free(pkt);
}

static int teardown(void **state)
{
	slow_stop();
	drain();
	shell("for i in wan1 lan byway0; do ip link del $i; done 2>&1");
	shell("ip rule flush; ip -6 rule flush; ip rule add pref 32766 table main; ip -6 rule add pref 32766 "
	      "table main");
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -f %s/*", dir);
	shell(command);
	rmdir(dir);
	return whole_stop(state);
}

static void test_interfaces(void **state)
{
	expect_in("ip -br link show byway0", "UP");
	expect_in("ip -br link show lan", "02:00:00:00:00:02");
	expect_in("ip link show wan1", "mtu 1400");
	expect_in("ip -br addr show wan1", "192.0.2.10/24");
	expect_in("ip -br addr show lan", "fd00:1::1/64");
	expect_in(
	    "cat /proc/sys/net/ipv4/conf/lan/forwarding /proc/sys/net/ipv6/conf/lan/forwarding", "0\n0\n");
	expect_not_in("ip -6 addr show byway0", "inet6");
}

static void test_rules(void **state)
{
	struct fibmsg gone = {.type = FIBMSG_DEL_LINE};

	expect_in("ip rule", "from 192.0.2.10 lookup");
	expect_in("ip rule", "from 10.1.0.1 lookup 25000");
	expect_in("ip -6 rule", "from fd00:1::1 lookup 25000");
	expect_in("ip route get 203.0.113.1", "dev byway0");
	expect_in("ip route get 203.0.113.1",
	    "src 192.0.2.10"); /* the active line: a private source would not be answered */
	expect_in("ip route get 10.9.0.1", "dev byway0 src 10.1.0.1");
	expect_in("ip route get 203.0.113.1 from 192.0.2.10", "via 192.0.2.1 dev wan1");
	expect_in("ip route get 10.9.0.1 from 192.0.2.10", "dev byway0"); /* private: the FIB decides */
	expect_in("ip route get 10.1.0.7 from 192.0.2.10", "dev lan");
	snprintf(gone.u.name.name, sizeof(gone.u.name.name), "wan1");
	apply(&gone, 1);
	expect_in("ip route get 203.0.113.1 from 192.0.2.10", "dev byway0");
	expect_not_in("ip route show table all", "via 192.0.2.1");
}

static void test_addresses_are_mirrored(void **state)
{
	expect_kind("10.1.0.1", NEXTHOP_HOST);
	shell("ip addr add 10.1.5.5/24 dev lan");
	expect_kind("10.1.5.5", NEXTHOP_HOST);
	assert_int_equal(iface_by_name("lan")->addresses->n >= 3, 1);
	shell("ip addr del 10.1.5.5/24 dev lan");
	expect_kind("10.1.5.5", NEXTHOP_NO_ROUTE);
	/* Notifications that were lost are made up for by a dump. */
	shell("ip addr add 10.1.6.6/24 dev lan");
	netlink_resync();
	expect_kind("10.1.6.6", NEXTHOP_HOST);
}

static void test_neighbours_are_mirrored(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct ip_addr a = prefix("10.1.0.7/32").addr;
	struct neigh *n = neigh_get(iface_by_name("lan")->index, &a, true);

	expect_in("ip neigh show dev lan", "10.1.0.7 managed");
	shell("ip neigh replace 10.1.0.7 lladdr 02:00:00:00:00:07 dev lan nud permanent");
	for (int i = 0; i < 100 && !(atomic_load(&n->mac) & NEIGH_MAC_VALID); i++)
		run(3);
	assert_memory_equal(&n->mac, mac, 6);
	shell("ip neigh del 10.1.0.7 dev lan");
	for (int i = 0; i < 100 && atomic_load(&n->mac) & NEIGH_MAC_VALID; i++)
		run(3);
	assert_false(atomic_load(&n->mac) & NEIGH_MAC_VALID);
	neigh_put(n);
}

/*
 * RFC 2644 §2: the kernel has a link-layer address for a subnet's broadcast. It is no neighbour, or anybody
 * could make a whole subnet answer.
 */
static void test_broadcast_is_no_neighbour(void **state)
{
	struct ip_addr a = prefix("10.1.0.255/32").addr;
	struct neigh *n = neigh_get(iface_by_name("lan")->index, &a, true);

	expect_in("ip neigh show dev lan nud noarp", "10.1.0.255");
	run(5);
	assert_false(atomic_load(&n->mac) & NEIGH_MAC_VALID);
	neigh_put(n);
}

/* The kernel asks for a neighbour on its TAP, and hears the answer that a worker hands over. */
static void test_frames_cross(void **state)
{
	static const uint8_t arp_type[2] = {0x08, 0x06}, target[4] = {10, 1, 0, 9};
	struct ip_addr a = prefix("10.1.0.9/32").addr;
	struct neigh *n = neigh_get(iface_by_name("lan")->index, &a, true);
	struct rte_mbuf *pkt = from_host(PKT_TX_FRAME, 12, arp_type, 2);
	uint8_t *p = rte_pktmbuf_mtod(pkt, uint8_t *);

	while (memcmp(p + 38, target, 4) != 0) { /* gateways are asked for, too */
		rte_pktmbuf_free(pkt);
		pkt = from_host(PKT_TX_FRAME, 12, arp_type, 2);
		p = rte_pktmbuf_mtod(pkt, uint8_t *);
	}
	assert_int_equal(pkt_meta(pkt)->out, iface_by_name("lan")->index);
	/* The answer: sender and target change places. */
	memcpy(p, p + 6, 6);
	memcpy(p + 6, "\x02\0\0\0\0\x09", 6);
	p[21] = 2;
	memcpy(p + 32, p + 22, 10);
	memcpy(p + 22, "\x02\0\0\0\0\x09", 6);
	memcpy(p + 28, target, 4);
	pkt_meta(pkt)->op = PKT_TO_HOST;
	pkt_meta(pkt)->in = iface_by_name("lan")->index;
	hostif_write(pkt);
	for (int i = 0; i < 100 && !(atomic_load(&n->mac) & NEIGH_MAC_VALID); i++)
		run(3);
	assert_memory_equal(&n->mac, "\x02\0\0\0\0\x09", 6);
	neigh_put(n);
}

static void test_host_sends_by_byway0(void **state)
{
	static const uint8_t dst[4] = {203, 0, 113, 1};
	struct rte_mbuf *pkt;

	shell("ping -c 1 -W 0.1 203.0.113.1 >/dev/null 2>&1 &");
	pkt = from_host(PKT_FORWARD, 16, dst, 4);
	assert_int_equal(pkt_meta(pkt)->table, FIBMSG_OVERLAY);
	assert_true(pkt_meta(pkt)->flags & PKT_FROM_HOST);
	rte_pktmbuf_free(pkt);
}

static void test_restart_takes_over(void **state)
{
	int before;

	run(5);
	before = hostif_ifindex(iface_by_name("lan"));
	shell("ip addr add 10.1.5.5/24 dev lan");
	slow_stop();
	drain();
	assert_non_null(strstr(shell("ip -br link show lan"), "lan")); /* it stays while nobody is there */
	start_here();
	run(10);
	assert_int_equal(hostif_ifindex(iface_by_name("lan")), before);
	expect_kind("10.1.0.1", NEXTHOP_HOST);
	expect_kind("10.1.5.5", NEXTHOP_HOST); /* the kernel's own, too */
	expect_in("ip rule", "from 192.0.2.10 lookup");
}

static void test_removed_port_takes_its_interface(void **state)
{
	assert_int_equal(store_sync_begin(apply_store(), 99, NULL), 0);
	assert_int_equal(store_sync_end(apply_store(), 99, NULL), 0);
	while (store_sweep(apply_store()))
		;
	run(5);
	expect_not_in("ip -br link", "lan");
	expect_not_in("ip -br link", "wan1");
	expect_not_in("ip rule", "192.0.2.10");
	expect_in("ip -br link", "byway0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_interfaces, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_addresses_are_mirrored, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_neighbours_are_mirrored, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_broadcast_is_no_neighbour, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_frames_cross, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_host_sends_by_byway0, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart_takes_over, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_removed_port_takes_its_interface, setup, teardown),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", W_OK) < 0) {
		puts("skipped: needs root, a network namespace and /dev/net/tun");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, whole_start, remove_dir);
}
