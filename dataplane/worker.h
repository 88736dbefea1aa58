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

#define WORKER_MAX   8
#define WORKER_BURST 64
#define WORKER_PORTS 64

struct worker_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

struct worker {
	unsigned id;
	uint64_t now_ns; /* read once a loop */
	struct rte_ring *from_slow; /* many producers (slow and monitor thread) -> this worker */
	struct rte_ring *from_workers; /* packets of sessions that this worker owns */
	int wake_fd;	 /* eventfd; written by whoever enqueues while asleep is set */
	_Atomic bool asleep;
	/* Counters have one writer (this worker, relaxed) and are summed by the slow thread. */
	_Atomic uint64_t drops[DROP_REASONS];
	struct worker_counters ifaces[IFACE_MAX];
	struct rte_mempool *pool;
	struct worker_tx *tx;	  /* buffered frames per port, flushed once a loop */
	struct worker_ports *ports; /* what it polls; RCU, changed by the slow thread */
};

extern struct worker *worker_table[WORKER_MAX];
extern unsigned worker_count;

/* One loop of work without sleeping; true when anything was done. Also the tests' way in. */
bool worker_run_once(struct worker *w);
/* Frees the packets and counts each under the reason. */
void worker_drop(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason reason);
/* To the slow thread (op set in the meta); counts `full` when the ring is full. */
void worker_to_slow(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason full);
/* To the monitor thread. */
void worker_to_monitor(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* Slow and monitor thread: hand packets (op set) to a worker and wake it. Frees and counts what does not fit. */
void worker_inject(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* Which worker serves this flow of the host's or this receiver index. */
struct worker *worker_for(uint32_t hash);

/* Stages, in the order a packet meets them. Each consumes all packets it is given. */
void classify_frames(struct worker *w, struct iface *in, struct rte_mbuf **pkts, unsigned n); /* from a port */
void classify_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n); /* data at the IP header, meta.in set (after decap) */
void forward_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);  /* meta.table: look up, TTL, dispatch by next hop */
void forward_resolved(struct worker *w, struct rte_mbuf **pkts, unsigned n); /* meta.nh is chosen: dispatch only */
void host_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);     /* for this host */
void rewrite_packets(struct worker *w, struct rte_mbuf **pkts, unsigned n);  /* NEXTHOP_VIA: link header, to tx */
void tx_frames(struct worker *w, struct iface *out, struct rte_mbuf **pkts, unsigned n);
void tx_flush(struct worker *w);

/* ICMP errors about a packet (RFC 1812 4.3, RFC 4443 2.4): consumes it, rate-limited. mtu only for too big. */
enum icmp_error { ICMP_TIME_EXCEEDED, ICMP_NO_ROUTE, ICMP_HOST_UNREACHABLE, ICMP_PROHIBITED, ICMP_TOO_BIG };
void icmp_send_error(struct worker *w, struct rte_mbuf *pkt, enum icmp_error what, uint16_t mtu, enum drop_reason reason);

#endif
