/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: run to completion over bursts, one thread each (an lcore), one RCU quiescent state
 * per loop. A worker never allocates, locks, logs or makes a system call for a packet (AF_XDP's
 * tx wake-up aside). Idle, it goes offline and sleeps in poll(2) on its ports' descriptors and
 * its eventfd.
 *
 * Stages are plain functions (worker, mbufs, n), one file a stage:
 *   classify.c -> forward.c -> host.c | rewrite.c | tunnel_encap.c | icmp.c ...
 */
#ifndef BYWAY_DATAPLANE_WORKER_H
#define BYWAY_DATAPLANE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/drop.h"
#include "dataplane/iface.h"
#include "dataplane/pkt.h"
#include "lib/err.h"

#define WORKER_MAX   8
#define WORKER_BURST 64
#define WORKER_PORTS 64

struct worker_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* A queue that a worker polls. The slow thread publishes port (RCU) after queue; NULL: the slot is free. */
struct worker_slot {
	struct port *port;
	uint16_t queue;
	bool spread; /* its frames are handed out to other workers, too (spread.h) */
};

struct worker {
	unsigned id;
	uint16_t burst;	 /* frames taken from a queue at once: WORKER_BURST but in benchmarks; constant once launched */
	uint64_t now_ns; /* read once in a few loops: no older than those */
	unsigned clock_loops; /* since a loop without work */
	struct rte_ring *from_slow; /* many producers (slow and monitor thread) -> this worker */
	struct rte_ring *from_workers; /* packets of sessions that this worker owns */
	int wake_fd;	 /* eventfd; written by whoever enqueues while asleep is set */
	_Atomic bool asleep;
	/* Counters have one writer (this worker, relaxed) and are summed by the slow thread. */
	_Atomic uint64_t drops[DROP_REASONS];
	struct worker_counters ifaces[IFACE_MAX];
	struct rte_mempool *pool;
	struct worker_tx *tx;	  /* buffered frames per port, flushed once a loop */
	struct express *express;  /* what groups mean (express.h); NULL: all packets go by the stages */
	struct express_tunnel_way *tunnel_ways; /* by peer index (express_encap.c) */
	struct tunnel_share *share; /* NULL: the only worker */
	struct spread *spread;	  /* NULL: the only worker */
	struct reassembly *reassembly; /* fragments for tunnels (reassembly.h) */
	uint64_t reassembly_due_ns;    /* when to look for old ones; UINT64_MAX: there are none */
	struct worker_slot slots[WORKER_PORTS];
	unsigned next_slot; /* of its own: where the next loop begins to poll */
	unsigned n_slots; /* none is used at or after it; slow thread writes, the worker reads it as a hint */
	/* Token bucket of ICMP errors (icmp.c). */
	uint64_t icmp_filled_ns, icmp_tokens_ns;
	uint64_t too_big_ns; /* when one about a tunnel was last handed on (tunnel_pmtu.c) */
};

extern struct worker *worker_table[WORKER_MAX];
extern unsigned worker_count;
/* The one pool of packet buffers: AF_XDP sends without a copy what comes from the pool it registered. */
extern struct rte_mempool *worker_pool;

/* Main thread, once, after eal_start: n workers and the pool (mbufs buffers). ERR_NOMEM, ERR_RANGE, with a sentence. */
int workers_create(unsigned n, unsigned mbufs, struct err_msg *msg);
/* Main thread: worker i onto lcore i + 1. Tests without threads call worker_run_once instead. ERR_IO. */
int workers_launch(void);
/* Main thread: ends the launched workers and waits for them. */
void workers_stop(void);
/* Main thread: frees what workers_create made. */
void workers_destroy(void);
/* Slow thread: let workers poll a started port; and no more: returns after a grace period, nobody uses it then.
 * ERR_FULL: nothing changed. */
int workers_add_port(struct port *port);
void workers_remove_port(struct port *port);
/* Slow thread: sums over the workers. */
uint64_t workers_drop_count(enum drop_reason reason);
struct worker_counters workers_iface_counters(uint16_t iface);

/* One loop of work without sleeping; true when anything was done. Also the tests' way in. */
bool worker_run_once(struct worker *w);
/* Counts a loss whose packet is freed elsewhere or was never made. */
static inline void worker_count_drop(struct worker *w, enum drop_reason reason, unsigned n)
{
	uint64_t was = atomic_load_explicit(&w->drops[reason], memory_order_relaxed);

	atomic_store_explicit(&w->drops[reason], was + n, memory_order_relaxed);
}
/* Frees the packets and counts each under the reason. */
void worker_drop(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason reason);
/* The same by a thread that is no worker. */
void worker_drop_shared(struct rte_mbuf **pkts, unsigned n, enum drop_reason reason);
/* To the slow thread (op set in the meta); counts `full` when the ring is full. */
void worker_to_slow(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason full);
/* To the monitor thread. */
void worker_to_monitor(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* To another worker's from_workers ring (op set); counts WORKER_QUEUE. */
void worker_to_worker(struct worker *w, struct worker *to, struct rte_mbuf **pkts, unsigned n);
/* The same to any ring that it empties; returns how many of the first went. */
unsigned worker_to_ring(
    struct worker *w, struct worker *to, struct rte_ring *ring, struct rte_mbuf **pkts, unsigned n);
/* Slow and monitor thread: hand packets (op set) to a worker and wake it. Frees and counts what does not fit. */
void worker_inject(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* Any thread: wakes it if it sleeps; after an enqueue to one of its rings. */
void worker_wake(struct worker *w);
/* Worker: count packets of an interface. */
static inline void worker_count_rx(struct worker *w, uint16_t iface, uint64_t packets, uint64_t bytes)
{
	struct worker_counters *c = &w->ifaces[iface];

	__atomic_store_n(&c->rx_packets, c->rx_packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&c->rx_bytes, c->rx_bytes + bytes, __ATOMIC_RELAXED);
}
static inline void worker_count_tx(struct worker *w, uint16_t iface, uint64_t packets, uint64_t bytes)
{
	struct worker_counters *c = &w->ifaces[iface];

	__atomic_store_n(&c->tx_packets, c->tx_packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&c->tx_bytes, c->tx_bytes + bytes, __ATOMIC_RELAXED);
}
/* Which worker serves this flow of the host's or this receiver index. */
struct worker *worker_for(uint32_t hash);

/* Packets that crossed a ring, by their op (inject.c). */
void inject_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);

/* Stages, in the order a packet meets them. Each consumes all packets it is given, WORKER_BURST at the most. */
void classify_frames(struct worker *w, struct iface *in, struct rte_mbuf **pkts, unsigned n); /* from a port */
void classify_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n); /* data at the IP header, meta.in set (after decap) */
void forward_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);  /* meta.table: look up, TTL, dispatch by next hop */
void forward_resolved(struct worker *w, struct rte_mbuf **pkts, unsigned n); /* meta.nh is chosen: dispatch only */
void host_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);     /* for this host: tunnel, probe, or: */
void host_deliver(struct worker *w, struct rte_mbuf **pkts, unsigned n);     /* to the host interface of meta.in; data at the IP header */
void host_deliver_frames(struct worker *w, struct rte_mbuf **pkts, unsigned n); /* the same, data at the link header */
void rewrite_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);  /* NEXTHOP_VIA: link header, to tx */
void tx_frames(struct worker *w, struct iface *out, struct rte_mbuf **pkts, unsigned n);
void tx_frames_counted(struct worker *w, struct iface *out, struct rte_mbuf **pkts, unsigned n, uint64_t bytes); /* their sum is known */
void tx_flush(struct worker *w);
/* The queues behind tx_frames; workers_create and workers_destroy call them. ERR_NOMEM. */
int tx_create(struct worker *w);
void tx_destroy(struct worker *w);

/* Slow thread: ICMP errors a second of all workers together; 0: the default, 100. */
void icmp_set_rate(unsigned per_second);
/* ICMP errors about a packet (RFC 1812 4.3, RFC 4443 2.4): consumes it, rate-limited. mtu only for too big. */
enum icmp_error { ICMP_TIME_EXCEEDED, ICMP_NO_ROUTE, ICMP_HOST_UNREACHABLE, ICMP_PROHIBITED, ICMP_TOO_BIG };
void icmp_send_error(struct worker *w, struct rte_mbuf *pkt, enum icmp_error what, uint16_t mtu, enum drop_reason reason);

#endif
