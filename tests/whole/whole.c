/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane on memory ports: set-up and wires.
 */
#include "tests/whole/whole.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "dataplane/eal.h"
#include "dataplane/reassembly.h"
#include "lib/log.h"

#define MBUFS	   8191
#define WIRE_SLOTS 256

struct worker *whole_worker;
unsigned whole_workers = 1;

static uint64_t seen_drops[DROP_REASONS];
static struct ip_prefix last_prefix;

int whole_start(void **state)
{
	static char prefix[32];
	struct eal_config config = {.prefix = prefix, .workers = whole_workers, .mem_mib = 64};
	struct err_msg msg = {""};

	log_init("whole", LOG_LEVEL_WARN);
	snprintf(prefix, sizeof(prefix), "byway-test-%d", (int)getpid());
	if (eal_start(&config, &msg) != 0) {
		print_error("%s\n", msg.text);
		return -1;
	}
	rcu_register_thread();
	group_init();
	if (fib_init() != 0 || workers_create(whole_workers, MBUFS, &msg) != 0) {
		print_error("%s\n", msg.text);
		return -1;
	}
	whole_worker = worker_table[0];
	slow_ring = rte_ring_create("test-slow", 1024, SOCKET_ID_ANY, 0);
	monitor_ring = rte_ring_create("test-monitor", 256, SOCKET_ID_ANY, 0);
	return slow_ring && monitor_ring ? 0 : -1;
}

int whole_stop(void **state)
{
	unsigned held;

	for (unsigned i = 0; i < worker_count; i++) {
		worker_table[i]->now_ns =
		    UINT64_MAX; /* pieces that still wait for others have waited too long */
		reassembly_expire_now(worker_table[i]);
	}
	held = rte_mempool_in_use_count(worker_pool);
	rcu_settle();
	if (held)
		print_error("%u packet buffers were not given back\n", held);
	workers_destroy();
	fib_fini();
	rte_ring_free(slow_ring);
	rte_ring_free(monitor_ring);
	rcu_unregister_thread();
	eal_stop();
	return held ? -1 : 0;
}

static uint64_t mac_word(uint8_t kind, uint8_t n)
{
	uint8_t mac[6] = {0x02, 0, 0, 0, kind, n};
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	return word | NEIGH_MAC_VALID;
}

void whole_port_open(struct whole_port *p, const char *name, uint8_t role)
{
	static uint8_t number;
	struct fibmsg_port config = {.role = role, .queues = 1, .mac = {0x02, 0, 0, 0, 0, ++number}};
	struct err_msg msg = {""};
	char ring[32];
	int err;

	memset(p, 0, sizeof(*p));
	snprintf(ring, sizeof(ring), "to-%s", name);
	p->to = rte_ring_create(ring, WIRE_SLOTS, SOCKET_ID_ANY, 0);
	snprintf(ring, sizeof(ring), "from-%s", name);
	p->from = rte_ring_create(ring, WIRE_SLOTS, SOCKET_ID_ANY, 0);
	assert_true(p->to && p->from);
	assert_true(rte_eth_from_rings(name, &p->to, 1, &p->from, 1, 0) >= 0);
	assert_int_equal(iface_add(IFACE_PORT, name, &p->ifc), 0);
	p->ifc->role = role;
	p->ifc->table = role == FIBMSG_ROLE_WAN ? fibmsg_line_table(name) : 0;
	snprintf(config.name, sizeof(config.name), "%s", name);
	snprintf(config.device, sizeof(config.device), "net_ring_%s", name);
	err = port_open(&config, p->ifc, &msg);
	if (err)
		fail_msg("%s", msg.text);
	p->neighbour = (struct neigh){.iface = p->ifc->index, .mac = mac_word(1, number)};
	p->via = (struct nexthop){
	    .kind = NEXTHOP_VIA, .iface = p->ifc->index, .role = role, .neigh = &p->neighbour};
	p->connected = (struct nexthop){.kind = NEXTHOP_CONNECTED, .iface = p->ifc->index, .role = role};
}

void whole_port_close(struct whole_port *p)
{
	uint16_t id = p->ifc->port->dpdk_id;

	port_close(p->ifc);
	iface_del(p->ifc);
	rcu_settle();
	rte_eth_dev_close(id);
	rte_ring_free(p->to);
	rte_ring_free(p->from);
}

void whole_port_addresses(struct whole_port *p, const char *const *addresses, unsigned n)
{
	struct ip_prefix a[IFACE_ADDRESSES];

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ip_ifaddr_parse(addresses[i], &a[i], NULL), 0);
	assert_int_equal(iface_set_addresses(p->ifc, a, n), 0);
}

uint32_t whole_route(uint32_t table, const char *prefix, struct nexthop *nh)
{
	uint32_t group;

	assert_int_equal(ip_prefix_parse(prefix, &last_prefix, NULL), 0);
	assert_int_equal(group_index_alloc(&group), 0);
	atomic_store_explicit(&group_forward[group], (uintptr_t)nh, memory_order_release);
	assert_int_equal(fib_set(table, &last_prefix, FIB_CONTROL, group), 0);
	return group;
}

void whole_unroute(uint32_t table, const char *prefix)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(prefix, &p, NULL), 0);
	assert_int_equal(fib_del(table, &p, FIB_CONTROL), 0);
}

void whole_local(const char *address)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(address, &p, NULL), 0);
	assert_int_equal(fib_set(FIBMSG_OVERLAY, &p, FIB_LOCAL, GROUP_HOST), 0);
}

struct rte_mbuf *whole_mbuf(const void *data, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker_pool);
	char *p;

	assert_non_null(m);
	p = rte_pktmbuf_append(m, (uint16_t)len);
	assert_non_null(p);
	memcpy(p, data, len);
	memset(pkt_meta(m), 0, sizeof(struct pkt_meta));
	return m;
}

void whole_send(struct whole_port *p, const void *frame, size_t len)
{
	struct rte_mbuf *m = whole_mbuf(frame, len);

	memset(pkt_meta(m), 0xa5, sizeof(struct pkt_meta)); /* what a driver leaves there is anything */
	assert_int_equal(rte_ring_enqueue(p->to, m), 0);
}

void whole_run(void)
{
	forward_changed(); /* tests change next hops and neighbours with bare hands */
	while (worker_run_once(whole_worker))
		rcu_quiescent_state();
	rcu_quiescent_state();
}

static struct whole_packet take(struct rte_ring *ring)
{
	struct whole_packet p = {0};
	struct rte_mbuf *m;

	if (rte_ring_dequeue(ring, (void **)&m) != 0)
		return p;
	p.len = m->data_len;
	p.data = malloc(p.len);
	p.meta = *pkt_meta(m);
	assert_non_null(p.data);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	memcpy(p.data, rte_pktmbuf_mtod(m, void *), p.len);
	rte_pktmbuf_free(m);
	return p;
}

struct whole_packet whole_receive(struct whole_port *p)
{
	return take(p->from);
}

struct whole_packet whole_to_slow(void)
{
	return take(slow_ring);
}

struct whole_packet whole_to_monitor(void)
{
	return take(monitor_ring);
}

void whole_free(struct whole_packet *p)
{
	free(p->data);
	p->data = NULL;
}

bool whole_silent(struct whole_port *p)
{
	return rte_ring_empty(p->from);
}

uint64_t whole_drops(enum drop_reason reason)
{
	uint64_t now = workers_drop_count(reason), was = seen_drops[reason];

	seen_drops[reason] = now;
	return now - was;
}

void whole_forget_drops(void)
{
	for (unsigned r = 0; r < DROP_REASONS; r++)
		(void)whole_drops((enum drop_reason)r);
}
