/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours: the mirror of the kernel's table, packets that wait for an answer, and host routes for
 * neighbours on connected subnets, so that a packet to one needs no second look-up. The kernel resolves; this
 * asks it and hears of it by netlink. Slow thread only; workers read neigh.mac (release here, acquire there).
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/pkt.h"
#include "dataplane/slow.h"
#include "dataplane/worker.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define BUCKETS	   1024
#define HELD_EACH  16	/* packets that wait for one neighbour */
#define HELD_TOTAL 1024 /* for all */
#define NEIGH_MAX  8192
#define TABLES	   2 /* in which a host route may lie: the overlay, and a WAN's underlay */

#define ANSWER_NS                                                                                            \
	(3 * NSEC_PER_SEC) /* the kernel asks three times, a second apart (RFC 4861 §7.2.2 alike)           \
			    */
#define REFUSE_NS    (1 * NSEC_PER_SEC)	 /* after a failure, before it is asked again */
#define CONFIRM_NS   (60 * NSEC_PER_SEC) /* without news: the kernel is asked to confirm */
#define SCAN_NS	     (5 * NSEC_PER_SEC)
#define HELD_SCAN_NS (NSEC_PER_SEC / 4) /* while packets wait */

struct entry {
	struct neigh n; /* first: the packet path knows this part */
	struct entry *next;
	unsigned users; /* next hops of control's */
	bool managed;
	uint64_t asked_ns, confirmed_ns, failed_ns; /* 0: never */
	/* Host route. */
	struct nexthop *nh;
	uint32_t group; /* dense; 0: no host route */
	uint32_t tables[TABLES];
	unsigned n_tables;
	/* Packets that wait. */
	struct rte_mbuf *held[HELD_EACH];
	unsigned n_held;
	uint64_t held_ns; /* since when */
};

static struct entry *buckets[BUCKETS];
static unsigned n_entries, n_held_total;
static uint64_t next_scan_ns;

static unsigned bucket_of(uint16_t iface, const struct ip_addr *addr)
{
	uint32_t h = iface;

	for (unsigned i = 0; i < sizeof(addr->b); i++)
		h = (h ^ addr->b[i]) * 16777619u;
	return (h ^ h >> 16) % BUCKETS;
}

static struct entry *find(uint16_t iface, const struct ip_addr *addr)
{
	struct entry *e = buckets[bucket_of(iface, addr)];

	while (e && (e->n.iface != iface || !ip_addr_equal(&e->n.addr, addr)))
		e = e->next;
	return e;
}

static struct entry *find_or_make(uint16_t iface, const struct ip_addr *addr)
{
	struct entry *e = find(iface, addr);
	unsigned b;

	if (e || n_entries >= NEIGH_MAX)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	b = bucket_of(iface, addr);
	e->n.iface = iface;
	e->n.addr = *addr;
	e->next = buckets[b];
	buckets[b] = e;
	n_entries++;
	return e;
}

static bool is_resolved(const struct entry *e)
{
	return atomic_load_explicit(&e->n.mac, memory_order_relaxed) & NEIGH_MAC_VALID;
}

static void ask(struct entry *e)
{
	struct iface *ifc = iface_by_index(e->n.iface);

	e->asked_ns = slow_now_ns();
	if (ifc)
		netlink_neigh_ask(ifc, &e->n.addr, e->managed);
}

/* --- host routes --- */

static void route_remove(struct entry *e)
{
	struct ip_prefix host = ip_prefix_host(&e->n.addr);

	if (!e->group)
		return;
	for (unsigned i = 0; i < e->n_tables; i++)
		fib_del(e->tables[i], &host, FIB_NEIGHBOUR);
	monitor_group_del(e->group);
	group_index_free(e->group);
	rcu_retire(free, e->nh);
	e->nh = NULL;
	e->group = 0;
	e->n_tables = 0;
}

static int group_make(struct entry *e)
{
	const struct iface *ifc = iface_by_index(e->n.iface);
	struct monitor_member member = {.weight = 1};
	uint32_t index;
	int rc;

	if (!ifc)
		return ERR_NOENT;
	rc = group_index_alloc(&index);
	if (rc)
		return rc;
	e->nh = calloc(1, sizeof(*e->nh));
	if (!e->nh) {
		group_index_free(index);
		return ERR_NOMEM;
	}
	e->nh->kind = NEXTHOP_VIA;
	e->nh->iface = e->n.iface;
	e->nh->role = ifc->role;
	e->nh->neigh = &e->n;
	member.nh = e->nh;
	rc = monitor_group_set(index, 0, FIBMSG_GROUP_ORDERED, &member, 1);
	if (rc) {
		group_index_free(index);
		free(e->nh);
		e->nh = NULL;
		return rc;
	}
	e->group = index;
	return 0;
}

/* A host route in the table in which a packet looked for this neighbour. */
static int route_add(struct entry *e, uint32_t table)
{
	struct ip_prefix host = ip_prefix_host(&e->n.addr);
	int rc;

	for (unsigned i = 0; i < e->n_tables; i++) {
		if (e->tables[i] == table)
			return 0;
	}
	if (e->n_tables == TABLES)
		return ERR_FULL;
	rc = e->group ? 0 : group_make(e);
	if (!rc)
		rc = fib_set(table, &host, FIB_NEIGHBOUR, e->group);
	if (!rc)
		e->tables[e->n_tables++] = table;
	return rc;
}

/* --- packets that wait --- */

/* A later fragment or any packet: is it for the neighbour itself, not through it? */
static bool is_destination(const struct rte_mbuf *pkt, const struct ip_addr *addr)
{
	const uint8_t *p = rte_pktmbuf_mtod(pkt, const uint8_t *);

	if (addr->family == IP_V4)
		return pkt->data_len >= 20 && p[0] >> 4 == 4 && memcmp(p + 16, addr->b, 4) == 0;
	return pkt->data_len >= 40 && p[0] >> 4 == 6 && memcmp(p + 24, addr->b, 16) == 0;
}

static void release(struct rte_mbuf *pkt, enum pkt_op op)
{
	struct pkt_meta *m = pkt_meta(pkt);

	m->op = (uint8_t)op;
	worker_inject(worker_for(m->flow_hash), &pkt, 1);
}

/* The neighbour is known: a connected one needs its host route first, else the packet would come back. */
static void release_resolved(struct entry *e, struct rte_mbuf *pkt)
{
	if (is_destination(pkt, &e->n.addr) && route_add(e, pkt_meta(pkt)->table)) {
		slow_drop(pkt, DROP_NEIGHBOUR_QUEUE);
		return;
	}
	release(pkt, PKT_RESOLVED);
}

static void release_all(struct entry *e, bool resolved)
{
	n_held_total -= e->n_held;
	for (unsigned i = 0; i < e->n_held; i++) {
		if (resolved)
			release_resolved(e, e->held[i]);
		else
			release(e->held[i], PKT_UNRESOLVED);
	}
	e->n_held = 0;
}

void neigh_hold(struct rte_mbuf *pkt)
{
	struct pkt_meta *m = pkt_meta(pkt);
	uint64_t now = slow_now_ns();
	struct entry *e = iface_by_index(m->out) ? find_or_make(m->out, &m->addr) : NULL;

	if (!e) {
		slow_drop(pkt, DROP_NEIGHBOUR_QUEUE);
		return;
	}
	if (is_resolved(e)) {
		release_resolved(e, pkt);
		return;
	}
	if (e->failed_ns && now - e->failed_ns < REFUSE_NS) {
		release(pkt, PKT_UNRESOLVED);
		return;
	}
	if (e->n_held == HELD_EACH || n_held_total == HELD_TOTAL) {
		slow_drop(pkt, DROP_NEIGHBOUR_QUEUE);
		return;
	}
	if (e->n_held == 0) {
		e->held_ns = now;
		ask(e);
	}
	e->held[e->n_held++] = pkt;
	n_held_total++;
}

static void fail(struct entry *e)
{
	e->failed_ns = slow_now_ns();
	release_all(e, false);
}

/*
 * One that was known gets another chance before packets are refused: the kernel says "failed" also when an
 * entry is deleted by hand, and after probes that a busy machine answered too late.
 */
static void lose(struct entry *e)
{
	bool known = is_resolved(e);

	atomic_store_explicit(&e->n.mac, 0, memory_order_release);
	forward_changed();
	route_remove(e);
	if (known)
		ask(e);
	else
		fail(e);
}

void neigh_learn(uint16_t iface, const struct ip_addr *addr, const uint8_t mac[6])
{
	struct entry *e = mac ? find_or_make(iface, addr) : find(iface, addr);
	uint64_t word = NEIGH_MAC_VALID;

	if (!e)
		return;
	if (!mac) {
		lose(e);
		return;
	}
	memcpy(&word, mac,
	    6); /* the low 48 bits lie first on the little-endian machines DPDK is built for here */
	atomic_store_explicit(&e->n.mac, word, memory_order_release);
	forward_changed();
	e->confirmed_ns = slow_now_ns();
	e->failed_ns = 0;
	release_all(e, true);
}

void neigh_expire(uint16_t iface, const struct ip_addr *addr)
{
	struct entry *e = find(iface, addr);

	if (!e)
		return;
	if (is_resolved(e))
		ask(e);
	else
		e->failed_ns = 0; /* the next packet may ask at once */
}

/* --- use, age, end --- */

struct neigh *neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed)
{
	struct entry *e = find_or_make(iface, addr);

	if (!e)
		return NULL;
	e->users++;
	if (managed && !e->managed) {
		e->managed = true;
		ask(e);
	}
	return &e->n;
}

void neigh_put(struct neigh *n)
{
	struct entry *e = (struct entry *)n;

	if (--e->users > 0 || !e->managed)
		return;
	e->managed = false;
	ask(e); /* the kernel may let it age */
}

static void entry_free(struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	release_all(e, false);
	route_remove(e);
	n_entries--;
	rcu_retire(free, e);
}

void neigh_flush(uint16_t iface)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct entry *e = buckets[b]; e; e = e->next) {
			if (e->n.iface == iface)
				route_remove(e);
		}
	}
}

void neigh_forget(uint16_t iface)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct entry **at = &buckets[b]; *at;) {
			if ((*at)->n.iface == iface && (*at)->users == 0)
				entry_free(at);
			else
				at = &(*at)->next;
		}
	}
}

void neigh_stop(void)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		while (buckets[b])
			entry_free(&buckets[b]);
	}
	next_scan_ns = 0;
}

/* What became of one entry since the last scan; false: it is of no use any more. */
static bool entry_age(struct entry *e, uint64_t now)
{
	if (e->n_held && now - e->held_ns >= ANSWER_NS)
		fail(e);
	if (is_resolved(e) && now - e->confirmed_ns >= CONFIRM_NS && now - e->asked_ns >= CONFIRM_NS)
		ask(e);
	return is_resolved(e) || e->users || e->n_held || (e->failed_ns && now - e->failed_ns < REFUSE_NS);
}

uint64_t neigh_tick(uint64_t now_ns)
{
	if (n_entries == 0)
		return UINT64_MAX;
	if (n_held_total && next_scan_ns > now_ns + HELD_SCAN_NS)
		next_scan_ns = now_ns + HELD_SCAN_NS;
	if (now_ns < next_scan_ns)
		return next_scan_ns;
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct entry **at = &buckets[b]; *at;) {
			if (entry_age(*at, now_ns))
				at = &(*at)->next;
			else
				entry_free(at);
		}
	}
	next_scan_ns = now_ns + (n_held_total ? HELD_SCAN_NS : SCAN_NS);
	return next_scan_ns;
}

/* --- queries --- */

static struct entry *entry_at(unsigned index)
{
	for (unsigned b = 0; b < BUCKETS; b++) {
		for (struct entry *e = buckets[b]; e; e = e->next) {
			if (index-- == 0)
				return e;
		}
	}
	return NULL;
}

static void fill_row(const struct entry *e, struct fibmsg_row_neighbour *row)
{
	uint64_t word = atomic_load_explicit(&e->n.mac, memory_order_relaxed);
	const struct iface *ifc = iface_by_index(e->n.iface);

	memset(row, 0, sizeof(*row));
	if (ifc)
		memcpy(row->iface, ifc->name, sizeof(row->iface));
	row->addr = e->n.addr;
	memcpy(row->mac, &word, 6);
	row->resolved = is_resolved(e);
}

int neigh_row(unsigned index, struct fibmsg_row_neighbour *row)
{
	const struct entry *e = entry_at(index);

	if (!e)
		return ERR_NOENT;
	fill_row(e, row);
	return 0;
}

/* *index counts (entry, table) pairs: entry * TABLES + table. */
int neigh_route_row(unsigned *index, struct fibmsg_row_neighbour *row, uint32_t *table)
{
	const struct entry *e;

	while ((e = entry_at(*index / TABLES))) {
		unsigned t = (*index)++ % TABLES;

		if (t >= e->n_tables)
			continue;
		fill_row(e, row);
		*table = e->tables[t];
		return 0;
	}
	return ERR_NOENT;
}
