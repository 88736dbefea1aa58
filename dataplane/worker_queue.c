/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that change the thread, and packets that end: rings from and to workers, and the
 * counters of what was lost. Enqueueing never blocks; what does not fit is counted and freed.
 *
 * Pairs of atomics: `asleep` of a consumer (worker, slow thread, monitor thread) is stored by it
 * before it looks into its ring a last time, and loaded by producers after their enqueue,
 * with a seq_cst fence between; whoever takes it back writes the eventfd, so that one sleep costs one call;
 * drops[] has one writer, the slow thread sums it (both relaxed).
 */
#include <unistd.h>

#include "dataplane/monitor.h"
#include "dataplane/slow.h"
#include "dataplane/worker.h"

/* Counted by threads that are no worker; many writers, relaxed. */
static _Atomic uint64_t shared_drops[DROP_REASONS];

void worker_drop(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason reason)
{
	worker_count_drop(w, reason, n);
	rte_pktmbuf_free_bulk(pkts, n);
}

void worker_drop_shared(struct rte_mbuf **pkts, unsigned n, enum drop_reason reason)
{
	atomic_fetch_add_explicit(&shared_drops[reason], n, memory_order_relaxed);
	rte_pktmbuf_free_bulk(pkts, n);
}

/* Enqueues what fits, wakes the consumer, returns how many went. */
static unsigned hand_over(
    struct rte_ring *ring, int wake_fd, _Atomic bool *asleep, struct rte_mbuf **pkts, unsigned n)
{
	const uint64_t one = 1;
	unsigned done = ring ? rte_ring_enqueue_burst(ring, (void **)pkts, n, NULL) : 0;

	atomic_thread_fence(memory_order_seq_cst);
	if (done && atomic_load_explicit(asleep, memory_order_relaxed) &&
	    atomic_exchange_explicit(asleep, false, memory_order_relaxed) &&
	    write(wake_fd, &one, sizeof(one)) < 0)
		return done; /* EAGAIN: the counter is full of wake-ups already */
	return done;
}

void worker_to_slow(struct worker *w, struct rte_mbuf **pkts, unsigned n, enum drop_reason full)
{
	unsigned done = hand_over(slow_ring, slow_wake_fd, &slow_asleep, pkts, n);

	if (done < n)
		worker_drop(w, pkts + done, n - done, full);
}

void worker_to_monitor(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	unsigned done = hand_over(monitor_ring, monitor_wake_fd, &monitor_asleep, pkts, n);

	if (done < n)
		worker_drop(w, pkts + done, n - done, DROP_PROBE_QUEUE);
}

void worker_to_worker(struct worker *w, struct worker *to, struct rte_mbuf **pkts, unsigned n)
{
	(void)worker_to_ring(w, to, to->from_workers, pkts, n);
}

unsigned worker_to_ring(
    struct worker *w, struct worker *to, struct rte_ring *ring, struct rte_mbuf **pkts, unsigned n)
{
	unsigned done = hand_over(ring, to->wake_fd, &to->asleep, pkts, n);

	if (done < n)
		worker_drop(w, pkts + done, n - done, DROP_WORKER_QUEUE);
	return done;
}

void worker_inject(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	unsigned done = hand_over(w->from_slow, w->wake_fd, &w->asleep, pkts, n);

	if (done < n)
		worker_drop_shared(pkts + done, n - done, DROP_WORKER_QUEUE);
}

struct worker *worker_for(uint32_t hash)
{
	return worker_table[hash % worker_count];
}

uint64_t workers_drop_count(enum drop_reason reason)
{
	uint64_t sum = atomic_load_explicit(&shared_drops[reason], memory_order_relaxed);

	for (unsigned i = 0; i < worker_count; i++)
		sum += atomic_load_explicit(&worker_table[i]->drops[reason], memory_order_relaxed);
	return sum;
}

struct worker_counters workers_iface_counters(uint16_t iface)
{
	struct worker_counters sum = {0};

	for (unsigned i = 0; i < worker_count; i++) {
		const struct worker_counters *c = &worker_table[i]->ifaces[iface];

		sum.rx_packets += __atomic_load_n(&c->rx_packets, __ATOMIC_RELAXED);
		sum.rx_bytes += __atomic_load_n(&c->rx_bytes, __ATOMIC_RELAXED);
		sum.tx_packets += __atomic_load_n(&c->tx_packets, __ATOMIC_RELAXED);
		sum.tx_bytes += __atomic_load_n(&c->tx_bytes, __ATOMIC_RELAXED);
	}
	return sum;
}
