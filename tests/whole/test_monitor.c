/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor thread's work with real frames: probes leave by the ports, a far side answers them or does
 * not, and groups move. Neighbours, links and the tunnels' encapsulation are the test's (linker wraps).
 * One file though it is long: the far side and its clock are half of it, and each test needs them.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "dataplane/tunnel.h"
#include "lib/csum.h"
#include "lib/nsec.h"
#include "tests/whole/whole.h"

#define MS     NSEC_PER_MSEC
#define GROUPS 2000
#define PEER   7

static struct whole_port wan[2], lan;
static bool answers[2], link_state[IFACE_MAX], tunnel_answers;
static struct iface *tunnel;
static uint64_t now_ns;
static unsigned probes[2], held;

/* --- what the test stands in for --- */

bool __wrap_port_link_up(const struct port *p);
struct neigh *__wrap_neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed);
void __wrap_neigh_put(struct neigh *n);
uint16_t __wrap_tunnel_peer_index(const struct tunnel_peer *p);
void __wrap_tunnel_encap(struct worker *w, struct rte_mbuf **pkts, unsigned n);

static unsigned links_asked;

bool __wrap_port_link_up(const struct port *p)
{
	links_asked++;
	return link_state[p->iface];
}

struct neigh *__wrap_neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed)
{
	held++;
	return &(iface == wan[0].ifc->index ? &wan[0] : &wan[1])->neighbour;
}

void __wrap_neigh_put(struct neigh *n)
{
	held--;
}

uint16_t __wrap_tunnel_peer_index(const struct tunnel_peer *p)
{
	return (uint16_t)(uintptr_t)p;
}

/* Turns an echo request around: ip is its IP header, len what follows from there. */
static void turn_around(uint8_t *ip, size_t len)
{
	struct wire_ip4 *h4 = (struct wire_ip4 *)ip;
	struct wire_ip6 *h6 = (struct wire_ip6 *)ip;
	bool v4 = ip[0] >> 4 == 4;
	size_t l4 = v4 ? sizeof(*h4) : sizeof(*h6);
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + l4);
	uint8_t src[16];

	assert_int_equal(icmp->type, v4 ? ICMP_TYPE_ECHO : ICMP6_TYPE_ECHO);
	if (v4) {
		uint32_t was = h4->src_be;

		h4->src_be = h4->dst_be;
		h4->dst_be = was;
		len = ntohs(h4->total_len_be);
	} else {
		memcpy(src, h6->src, 16);
		memcpy(h6->src, h6->dst, 16);
		memcpy(h6->dst, src, 16);
		len = sizeof(*h6) + ntohs(h6->payload_len_be);
	}
	icmp->type = v4 ? ICMP_TYPE_ECHO_REPLY : ICMP6_TYPE_ECHO_REPLY;
	icmp->csum = 0;
	icmp->csum = csum_fold(csum_add(
	    v4 ? 0 : csum_pseudo6(h6->src, h6->dst, IP_PROTO_ICMP6, (uint32_t)(len - l4)), icmp, len - l4));
}

void __wrap_tunnel_encap(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);

		assert_int_equal(m->out, tunnel->index);
		assert_int_equal(m->peer, PEER);
		if (!tunnel_answers) {
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		turn_around(rte_pktmbuf_mtod(pkts[i], uint8_t *), pkts[i]->data_len);
		m->in = tunnel->index;
		worker_to_monitor(w, &pkts[i], 1);
	}
}

/* --- time and the far side --- */

static void serve(unsigned i)
{
	struct whole_packet p;

	while ((p = whole_receive(&wan[i])).data) {
		struct wire_eth *eth = (struct wire_eth *)p.data;
		uint8_t mac[6];

		probes[i]++;
		assert_true(p.len >= ETH_MIN_LEN);
		if (answers[i]) {
			memcpy(mac, eth->dst, 6);
			memcpy(eth->dst, eth->src, 6);
			memcpy(eth->src, mac, 6);
			turn_around(p.data + sizeof(*eth), p.len - sizeof(*eth));
			whole_send(&wan[i], p.data, p.len);
		}
		whole_free(&p);
	}
}

static void pass(uint64_t duration_ns)
{
	for (uint64_t end = now_ns + duration_ns; now_ns < end; now_ns += MS) {
		monitor_run_once(now_ns);
		whole_run();
		serve(0);
		serve(1);
		whole_run();
	}
}

static struct monitor_event last;

/* Takes all events that wait; last is the newest of the object. */
static unsigned take_events(const char *object)
{
	struct monitor_event e;
	unsigned n = 0;

	while (monitor_next_event(&e))
		if (strcmp(e.object, object) == 0) {
			last = e;
			n++;
		}
	return n;
}

static void line_config(unsigned i, struct fibmsg_line *l)
{
	*l = (struct fibmsg_line){.preference = (uint16_t)(i + 1),
	    .interval_ms = 100,
	    .timeout_ms = 200,
	    .hold_down_ms = 1000,
	    .down_after = 4,
	    .n_targets = 2,
	    .targets = {{IP_V4, {203, 0, 113, 1}}, {IP_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}}};
	snprintf(l->port, sizeof(l->port), "wan%u", i + 1);
	l->gateway4 = (struct ip_addr){IP_V4, {192, 0, (uint8_t)(2 + i), 1}};
	l->gateway6 = (struct ip_addr){IP_V6, {0xfe, 0x80, [15] = 1}};
}

static int start(void **state)
{
	struct fibmsg_line l;

	now_ns = nsec_monotonic();
	assert_int_equal(monitor_start(false), 0);
	for (unsigned i = 0; i < 2; i++) {
		answers[i] = true;
		link_state[wan[i].ifc->index] = true;
		line_config(i, &l);
		assert_int_equal(monitor_line_set(&l, wan[i].ifc->index), 0);
		probes[i] = 0;
	}
	link_state[lan.ifc->index] = true;
	tunnel_answers = true;
	pass(500 * MS);
	return 0;
}

static int stop(void **state)
{
	take_events("");
	monitor_stop();
	assert_int_equal(held, 0);
	rcu_settle();
	answers[0] = answers[1] = false;
	whole_run();
	serve(0);
	serve(1);
	for (struct whole_packet p; (p = whole_to_monitor()).data;)
		whole_free(&p);
	return 0;
}

static const struct nexthop *serves(uint32_t index)
{
	return group_pick(index, 0);
}

static uint32_t ordered(struct nexthop *a, struct nexthop *b)
{
	struct monitor_member m[] = {{a, 1}, {b, 1}};
	uint32_t index;

	assert_int_equal(group_index_alloc(&index), 0);
	assert_int_equal(monitor_group_set(index, 1000 + index, FIBMSG_GROUP_ORDERED, m, 2), 0);
	return index;
}

static void group_done(uint32_t index)
{
	monitor_group_del(index);
	assert_int_equal(serves(index)->kind, NEXTHOP_NO_ROUTE);
	group_index_free(index);
}

/* --- the tests --- */

static void probes_go_to_the_gateway(void **state)
{
	struct whole_packet p;
	unsigned families = 0;

	answers[0] = answers[1] = false;
	now_ns += 100 * MS;
	monitor_run_once(now_ns);
	whole_run();
	while ((p = whole_receive(&wan[1])).data) {
		const struct wire_eth *eth = (const struct wire_eth *)p.data;
		uint64_t mac = atomic_load(&wan[1].neighbour.mac);

		assert_memory_equal(eth->dst, &mac, 6);
		assert_memory_equal(eth->src, wan[1].ifc->port->mac, 6);
		if (eth->type_be == htons(ETH_TYPE_IP4)) {
			const struct wire_ip4 *ip = (const struct wire_ip4 *)(eth + 1);

			whole_check_sums((const uint8_t *)ip, ntohs(ip->total_len_be));
			assert_int_equal(ip->src_be, inet_addr("192.0.3.10"));
			assert_int_equal(ip->dst_be, inet_addr("203.0.113.1"));
			assert_int_equal(ip->ttl, 255);
			families |= 1;
		} else {
			const struct wire_ip6 *ip = (const struct wire_ip6 *)(eth + 1);

			whole_check_sums((const uint8_t *)ip, sizeof(*ip) + ntohs(ip->payload_len_be));
			assert_int_equal(ip->hop_limit, 255);
			families |= 2;
		}
		whole_free(&p);
	}
	assert_int_equal(families, 3);
}

static void lines_come_up_and_one_is_active(void **state)
{
	struct fibmsg_row_line row;

	assert_int_equal(take_events("wan1"), 2); /* as set, then by the first answer */
	assert_int_equal(last.verdict, FIBMSG_VERDICT_UP);
	assert_int_equal(monitor_active_line(), wan[0].ifc->index);
	assert_true(monitor_line_alive(wan[0].ifc->index) && monitor_line_alive(wan[1].ifc->index));
	assert_true(atomic_load(&wan[0].ifc->up));
	assert_int_equal(monitor_line_row(1, &row), 0);
	assert_string_equal(row.port, "wan2");
	assert_int_equal(row.verdict, FIBMSG_VERDICT_UP);
	assert_int_equal(row.active, 0);
	assert_in_range(row.probes_sent, 8, 12);
	assert_int_equal(row.loss_permille, 0);
	assert_int_equal(monitor_line_row(2, &row), ERR_NOENT);
	assert_int_equal(probes[0], probes[1]);
}

static void a_silent_line_moves_all_groups(void **state)
{
	static uint32_t index[GROUPS];
	struct fibmsg_row_event row;
	struct fibmsg_row_group group;

	for (unsigned i = 0; i < GROUPS; i++) {
		index[i] = ordered(&wan[0].via, &wan[1].via);
		assert_ptr_equal(serves(index[i]), &wan[0].via);
	}
	take_events("");
	answers[0] = false;
	pass(700 * MS);
	for (unsigned i = 0; i < GROUPS; i++)
		assert_ptr_equal(serves(index[i]), &wan[1].via);
	assert_int_equal(take_events("wan1"), 1);
	assert_int_equal(last.verdict, FIBMSG_VERDICT_DOWN);
	assert_int_equal(last.groups_moved, GROUPS);
	assert_string_equal(
	    last.reason, "4 probes in a row unanswered for 500 ms by 203.0.113.1 and 2001:db8::1");
	assert_int_equal(monitor_active_line(), wan[1].ifc->index);
	assert_int_equal(monitor_event_row(0, &row), 0);
	assert_int_equal(monitor_group_row(index[0], &group), 0);
	assert_int_equal(group.active, 1);
	assert_non_null(strstr(group.members, "wan1 via"));
	assert_non_null(strstr(group.members, "(down), wan2 via"));

	answers[0] = true;
	pass(800 * MS);
	assert_ptr_equal(serves(index[0]), &wan[1].via); /* held down */
	pass(400 * MS);
	for (unsigned i = 0; i < GROUPS; i++)
		assert_ptr_equal(serves(index[i]), &wan[0].via);
	assert_int_equal(take_events("wan1"), 1);
	assert_non_null(strstr(last.reason, "answers again for 1.0 s"));
	for (unsigned i = 0; i < GROUPS; i++)
		group_done(index[i]);
}

static void a_silent_gateway_is_named(void **state)
{
	uint64_t mac = atomic_exchange(&wan[0].neighbour.mac, 0);
	struct fibmsg_row_line row;

	probes[0] = 0;
	pass(700 * MS);
	assert_int_equal(probes[0], 0); /* nowhere to send them */
	take_events("wan1");
	assert_string_equal(last.reason,
	    "4 probes in a row unanswered for 500 ms by 203.0.113.1 and 2001:db8::1; "
	    "no gateway answers ARP or ND");
	assert_int_equal(monitor_line_row(0, &row), 0);
	assert_string_equal(row.reason, last.reason);
	atomic_store(&wan[0].neighbour.mac, mac);
}

static void a_fallen_link_moves_at_the_next_poll(void **state)
{
	uint32_t g = ordered(&wan[0].via, &wan[1].via);

	link_state[wan[0].ifc->index] = false;
	pass(6 * MS);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_false(atomic_load(&wan[0].ifc->up));
	take_events("wan1");
	assert_string_equal(last.reason, "link down");
	group_done(g);
}

static void the_least_bad_serves(void **state)
{
	uint32_t g = ordered(&wan[0].via, &wan[1].via);

	answers[0] = answers[1] = false;
	pass(1000 * MS);
	assert_ptr_equal(serves(g), &wan[0].via); /* both silent: the preferred one, not nothing */
	answers[1] = true;
	pass(300 * MS);
	assert_ptr_equal(serves(g), &wan[1].via); /* answers again, though held down */
	link_state[wan[0].ifc->index] = link_state[wan[1].ifc->index] = false;
	pass(10 * MS);
	assert_int_equal(serves(g)->kind, NEXTHOP_NONE_LIVE);
	group_done(g);
}

static void an_override_moves_at_once(void **state)
{
	uint32_t g = ordered(&wan[0].via, &wan[1].via);
	struct fibmsg_line l;

	line_config(0, &l);
	l.override_to = FIBMSG_OVERRIDE_DOWN;
	assert_int_equal(monitor_line_set(&l, wan[0].ifc->index), 0);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_int_equal(monitor_active_line(), wan[1].ifc->index);
	l.override_to = FIBMSG_OVERRIDE_AUTO;
	assert_int_equal(monitor_line_set(&l, wan[0].ifc->index), 0);
	assert_ptr_equal(serves(g), &wan[0].via);
	l.timeout_ms = 0;
	assert_int_equal(monitor_line_set(&l, wan[0].ifc->index), ERR_RANGE);
	assert_ptr_equal(serves(g), &wan[0].via);
	monitor_line_del("wan1"); /* a port without a line is as good as its link */
	assert_ptr_equal(serves(g), &wan[0].via);
	assert_int_equal(monitor_active_line(), wan[1].ifc->index);
	group_done(g);
}

static void answers_on_another_way_prove_nothing(void **state)
{
	struct whole_packet p;
	uint64_t before = whole_drops(DROP_PROBE_UNKNOWN);

	answers[0] = false;
	for (unsigned i = 0; i < 12; i++) {
		now_ns += 100 * MS;
		monitor_run_once(now_ns);
		whole_run();
		while ((p = whole_receive(&wan[0])).data) { /* wan1's probes are answered on wan2 */
			struct wire_eth *eth = (struct wire_eth *)p.data;

			memcpy(eth->dst, wan[1].ifc->port->mac, 6);
			turn_around(p.data + sizeof(*eth), p.len - sizeof(*eth));
			whole_send(&wan[1], p.data, p.len);
			whole_free(&p);
		}
		serve(1);
		whole_run();
	}
	monitor_run_once(now_ns);
	take_events("wan1");
	assert_int_equal(last.verdict, FIBMSG_VERDICT_DOWN);
	assert_true(whole_drops(DROP_PROBE_UNKNOWN) >= 20);
	assert_int_equal(before, 0);
}

static unsigned count_asked(uint64_t duration_ns)
{
	links_asked = 0;
	pass(duration_ns);
	return links_asked;
}

static void set_netdev(bool netdev)
{
	wan[0].ifc->port->netdev = wan[1].ifc->port->netdev = lan.ifc->port->netdev = netdev;
}

/* The kernel tells of its own devices, but late when it told of one before: seldom is not never. */
static void links_are_asked_seldom_in_quiet_times(void **state)
{
	unsigned often;

	pass(3000 * MS);
	often = count_asked(1000 * MS);
	set_netdev(true);
	pass(3000 * MS);
	assert_in_range(count_asked(1000 * MS) * 8, often / 2, often);
	take_events("wan1");
	link_state[wan[0].ifc->index] = false;
	pass(60 * MS);
	take_events("wan1");
	assert_int_equal(last.verdict, FIBMSG_VERDICT_DOWN);
	/* What was found so may change again, which nobody tells for a while. */
	assert_in_range(count_asked(1000 * MS), often - often / 8, often + often / 8);
	pass(2000 * MS);
	assert_in_range(count_asked(1000 * MS) * 8, often / 2, often);
	set_netdev(false);
}

/* Every bit of an answer matters, but for what lies outside of it: none of the damaged ones counts. */
static void damaged_answers_are_dropped(void **state)
{
	struct whole_packet p;
	unsigned refused = 0;

	answers[0] = answers[1] = false;
	for (unsigned bit = 0; bit < 16 * 8; bit++) {
		now_ns += 100 * MS;
		monitor_run_once(now_ns);
		whole_run();
		while ((p = whole_receive(&wan[0])).data) {
			struct wire_eth *eth = (struct wire_eth *)p.data;
			size_t probe = sizeof(*eth) + sizeof(struct wire_ip4) + sizeof(struct wire_icmp);

			if (eth->type_be == htons(ETH_TYPE_IP4)) {
				memcpy(eth->dst, eth->src, 6);
				p.data[probe + bit / 8] ^= (uint8_t)(1u << bit % 8);
				turn_around(p.data + sizeof(*eth), p.len - sizeof(*eth));
				whole_send(&wan[0], p.data, p.len);
				refused++;
			}
			whole_free(&p);
		}
		serve(1);
		whole_run();
		for (struct whole_packet host;
		     (host = whole_to_slow()).data;) /* without our magic: the host's */
			whole_free(&host);
	}
	monitor_run_once(now_ns);
	assert_int_equal(refused, 128);
	take_events("wan1");
	assert_int_equal(last.verdict, FIBMSG_VERDICT_DOWN);
}

static void weighted_groups_share(void **state)
{
	struct monitor_member m[] = {{&wan[0].via, 3}, {&wan[1].via, 1}};
	const struct nexthop *before[GROUP_BUCKETS];
	unsigned first = 0, moved = 0;
	uint32_t g;

	assert_int_equal(group_index_alloc(&g), 0);
	assert_int_equal(monitor_group_set(g, 5, FIBMSG_GROUP_WEIGHTED, m, 2), 0);
	for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
		before[i] = group_pick(g, i);
		first += before[i] == &wan[0].via;
	}
	assert_int_equal(first, GROUP_BUCKETS * 3 / 4);
	link_state[wan[1].ifc->index] = false;
	pass(6 * MS);
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		assert_ptr_equal(group_pick(g, i), &wan[0].via);
	monitor_line_del("wan2");
	link_state[wan[1].ifc->index] = true;
	pass(110 * MS);
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		moved += group_pick(g, i) != before[i];
	assert_int_equal(moved, 0);
	group_done(g);
}

static void tunnel_peers_follow_probe_and_line(void **state)
{
	struct fibmsg_peer peer = {.tunnel = "friend1",
	    .name = "friend",
	    .probe = {IP_V4, {10, 255, 1, 1}},
	    .interval_ms = 100,
	    .timeout_ms = 200,
	    .hold_down_ms = 1000,
	    .down_after = 4};
	struct nexthop way = {
	    .kind = NEXTHOP_TUNNEL, .iface = tunnel->index, .peer = (void *)(uintptr_t)PEER};
	struct nexthop any = {.kind = NEXTHOP_TUNNEL, .iface = tunnel->index};
	uint32_t g, h;
	struct fibmsg_row_peer row;

	g = ordered(&way, &wan[1].via);
	h = ordered(&any, &wan[1].via);
	assert_ptr_equal(serves(g), &wan[1].via); /* no such peer */
	assert_int_equal(monitor_peer_set(&peer, tunnel->index, PEER, "wan1", false), 0);
	pass(300 * MS);
	assert_ptr_equal(serves(g), &way);
	assert_ptr_equal(serves(h), &any);
	assert_true(monitor_peer_usable(PEER) && atomic_load(&tunnel->up));
	take_events("friend1/friend");
	assert_true(last.usable && last.peer_index == PEER);
	assert_string_equal(strchr(last.reason, ' '), " answers in 1 ms");

	tunnel_answers = false;
	pass(700 * MS);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_ptr_equal(serves(h), &wan[1].via);
	assert_int_equal(monitor_peer_verdict(PEER, &row), 0);
	assert_int_equal(row.verdict, FIBMSG_VERDICT_DOWN);
	assert_string_equal(row.reason, "4 probes in a row unanswered for 500 ms by 10.255.1.1");
	take_events("");
	tunnel_answers = true;
	pass(300 * MS);
	assert_int_equal(take_events("friend1/friend"), 1); /* its routes may return before it serves again */
	assert_true(last.usable && last.verdict == FIBMSG_VERDICT_DOWN);
	assert_ptr_equal(serves(g), &wan[1].via);
	pass(1000 * MS);
	assert_ptr_equal(serves(g), &way);

	take_events("");
	link_state[wan[0].ifc->index] = false; /* bound: cannot be better than its line */
	pass(6 * MS);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_int_equal(take_events("friend1/friend"), 1);
	assert_false(last.usable);
	assert_string_equal(last.reason, "wan1 is down");
	assert_int_equal(
	    monitor_peer_set(&peer, tunnel->index, PEER, "wan1", true), 0); /* falls back to wan2 */
	assert_ptr_equal(serves(g), &way);
	assert_int_equal(monitor_peer_set(&peer, tunnel->index, PEER, "wan1", false), 0);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_int_equal(
	    monitor_peer_set(&peer, tunnel->index, PEER, "", false), 0); /* follows: wan2 carries it */
	assert_ptr_equal(serves(g), &way);
	peer.probe.family = IP_NONE;
	assert_int_equal(monitor_peer_set(&peer, tunnel->index, PEER, "wan2", false), 0);
	assert_ptr_equal(serves(g), &way);
	monitor_peer_del(PEER);
	assert_ptr_equal(serves(g), &wan[1].via);
	assert_false(monitor_peer_usable(PEER));
	assert_int_equal(monitor_peer_verdict(PEER, &row), ERR_NOENT);
	group_done(g);
	group_done(h);
}

/* Dead and spare members are named as well as the one that serves; a tunnel without a peer names none. */
static void groups_name_their_peers(void **state)
{
	struct nexthop to[3], other;
	uint32_t g;

	for (unsigned i = 0; i < 3; i++)
		to[i] = (struct nexthop){.kind = NEXTHOP_TUNNEL,
		    .iface = tunnel->index,
		    .peer = (void *)(uintptr_t)(i < 2 ? 100 + i : 0)};
	other = to[1];
	other.peer = (void *)(uintptr_t)200;
	g = ordered(&to[0], &to[1]);
	assert_ptr_equal(serves(g), &nexthop_none_live);
	assert_true(group_names_peer(g, 100) && group_names_peer(g, 101));
	assert_false(group_names_peer(g, 102) || group_names_peer(g, 0));
	monitor_nexthop_replace(&to[1], &other);
	assert_true(group_names_peer(g, 100) && group_names_peer(g, 200));
	assert_false(group_names_peer(g, 101));
	group_done(g);
	assert_false(group_names_peer(g, 100) || group_names_peer(g, 200));
	g = ordered(&wan[0].via, &to[2]);
	assert_null(group_peers[g]);
	group_done(g);
}

static void a_next_hop_is_replaced_in_place(void **state)
{
	struct nexthop other = wan[0].via;
	uint32_t g = ordered(&wan[0].via, &wan[1].via), index;

	monitor_nexthop_replace(&wan[0].via, &other);
	assert_ptr_equal(serves(g), &other);
	monitor_nexthop_replace(&other, &wan[0].via);
	assert_ptr_equal(serves(g), &wan[0].via);
	group_done(g);
	index = GROUP_MAX;
	assert_int_equal(monitor_group_set(index, 1, 0, NULL, 0), ERR_RANGE);
	assert_int_equal(monitor_group_set(GROUP_HOST, 1, 0, NULL, 0), ERR_RANGE);
}

/* Nobody takes events for long: none of the last states is lost. */
static void a_full_ring_loses_no_verdict(void **state)
{
	struct fibmsg_line l;

	line_config(0, &l);
	for (unsigned i = 0; i < 300; i++) {
		l.override_to = i % 2 ? FIBMSG_OVERRIDE_AUTO : FIBMSG_OVERRIDE_DOWN;
		assert_int_equal(monitor_line_set(&l, wan[0].ifc->index), 0);
	}
	l.override_to = FIBMSG_OVERRIDE_DOWN;
	assert_int_equal(monitor_line_set(&l, wan[0].ifc->index), 0);
	assert_true(take_events("wan1") > 100);
	pass(2 * MS);
	take_events("wan1");
	assert_int_equal(last.verdict, FIBMSG_VERDICT_DOWN);
}

/* The thread itself: calls return done, time passes by itself, it stops. */
static void runs_as_a_thread(void **state)
{
	struct fibmsg_line l;
	uint32_t g;

	monitor_stop();
	answers[0] = answers[1] = false;
	assert_int_equal(monitor_start(true), 0);
	for (unsigned i = 0; i < 2; i++) /* ports without lines: the links decide */
		monitor_link_set(wan[i].ifc->index, true);
	for (unsigned i = 0; i < 1000; i++) {
		g = ordered(&wan[0].via, &wan[1].via);
		assert_ptr_equal(serves(g), &wan[0].via);
		group_done(g);
	}
	for (unsigned i = 0; i < 2; i++) {
		line_config(i, &l);
		l.interval_ms = 20;
		l.timeout_ms = 40;
		assert_int_equal(monitor_line_set(&l, wan[i].ifc->index), 0);
	}
	g = ordered(&wan[0].via, &wan[1].via);
	for (unsigned i = 0; i < 3000 && monitor_active_line() != wan[1].ifc->index; i++) {
		struct timespec ms = {.tv_nsec = 1000000};

		answers[1] = true;
		whole_run();
		serve(0);
		serve(1);
		whole_run();
		rcu_thread_offline();
		nanosleep(&ms, NULL);
		rcu_thread_online();
	}
	assert_int_equal(monitor_active_line(), wan[1].ifc->index);
	assert_ptr_equal(serves(g), &wan[1].via);
	group_done(g);
}

static int open_ports(void **state)
{
	static const char *const addresses[2][2] = {
	    {"192.0.2.10/24", "2001:db8:1::10/64"}, {"192.0.3.10/24", "2001:db8:2::10/64"}};
	struct ip_prefix inner = {{IP_V4, {10, 255, 1}}, 31};

	if (whole_start(state) != 0)
		return -1;
	whole_port_open(&wan[0], "wan1", FIBMSG_ROLE_WAN);
	whole_port_open(&wan[1], "wan2", FIBMSG_ROLE_WAN);
	whole_port_open(&lan, "lan", FIBMSG_ROLE_LAN);
	for (unsigned i = 0; i < 2; i++) {
		whole_port_addresses(&wan[i], addresses[i], 2);
		for (unsigned j = 0; j < 2; j++) {
			struct ip_prefix p;
			char text[IP_ADDR_STRLEN];

			ip_ifaddr_parse(addresses[i][j], &p, NULL);
			whole_local(ip_addr_format(&p.addr, text));
		}
	}
	assert_int_equal(iface_add(IFACE_TUNNEL, "friend1", &tunnel), 0);
	return iface_set_addresses(tunnel, &inner, 1);
}

static int close_ports(void **state)
{
	iface_del(tunnel);
	whole_port_close(&wan[0]);
	whole_port_close(&wan[1]);
	whole_port_close(&lan);
	return whole_stop(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(lines_come_up_and_one_is_active),
	    TEST(probes_go_to_the_gateway),
	    TEST(a_silent_line_moves_all_groups),
	    TEST(a_silent_gateway_is_named),
	    TEST(a_fallen_link_moves_at_the_next_poll),
	    TEST(links_are_asked_seldom_in_quiet_times),
	    TEST(the_least_bad_serves),
	    TEST(an_override_moves_at_once),
	    TEST(answers_on_another_way_prove_nothing),
	    TEST(damaged_answers_are_dropped),
	    TEST(weighted_groups_share),
	    TEST(tunnel_peers_follow_probe_and_line),
	    TEST(a_next_hop_is_replaced_in_place),
	    TEST(groups_name_their_peers),
	    TEST(a_full_ring_loses_no_verdict),
	    TEST(runs_as_a_thread),
	};

	return cmocka_run_group_tests(tests, open_ports, close_ports);
}
