/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Set-up of the benchmarks of the packet path. One thread.
 */
#include "bench/setup.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/port.h"
#include "lib/err.h"

int setup_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	return ERR_IO;
}

int setup_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0
		   ? 0
		   : setup_fail("--cpu: there is no such CPU for us");
}

static void make_next_hop(struct setup *s, unsigned i, const struct iface *ifc)
{
	uint64_t mac = 0;

	memcpy(&mac, ifc->port->mac, 6);
	s->neighbours[i] = (struct neigh){.iface = ifc->index, .mac = mac | NEIGH_MAC_VALID};
	s->vias[i] = (struct nexthop){.kind = NEXTHOP_VIA, .iface = ifc->index, .neigh = &s->neighbours[i]};
}

/* Members that follow each other have their buckets in turn. */
static uintptr_t make_share(struct setup *s, unsigned i)
{
	struct group_buckets *b = &s->shares[i];

	for (unsigned m = 0; m < s->members; m++)
		b->member[m] = &s->vias[(i + m) % s->n];
	for (unsigned k = 0; k < GROUP_BUCKETS; k++)
		b->bucket[k] = (uint8_t)(k % s->members);
	return (uintptr_t)b | 1;
}

int setup_make_next_hops(struct setup *s, struct iface *const *ports, unsigned n_ports)
{
	for (unsigned i = 0; i < s->n; i++)
		make_next_hop(s, i, ports[i % n_ports]);
	for (unsigned i = 0; i < s->n; i++) {
		if (group_index_alloc(&s->groups[i]) != 0)
			return setup_fail("no group");
		atomic_store_explicit(&group_forward[s->groups[i]],
		    s->members > 1 ? make_share(s, i) : (uintptr_t)&s->vias[i], memory_order_release);
	}
	return 0;
}

int setup_install_routes(const struct setup *s, const struct traffic *t)
{
	for (size_t i = 0; i < t->n_routes; i++)
		if (fib_set(FIBMSG_OVERLAY, &t->routes[i], FIB_CONTROL, s->groups[traffic_random() % s->n]) !=
		    0)
			return setup_fail("a route is refused");
	return 0;
}

int setup_add_packets(
    struct traffic *t, struct rte_mempool *pool, const uint8_t mac[6], struct rte_ring *wire, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = traffic_packet(t, pool, mac);

		if (!m || rte_ring_enqueue(wire, m) != 0)
			return setup_fail("packet buffers exhausted");
	}
	return 0;
}
