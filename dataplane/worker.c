/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's loop: take packets from ports and rings, run them through the stages, flush,
 * report a quiescent state; when idle, sleep.
 *
 * Pair of atomics: `asleep` and the rings of a worker. The worker stores asleep = true
 * (seq_cst) and then looks into its rings once more; a producer enqueues and then loads
 * asleep (seq_cst fence between, worker_wake). One of the two sees the other.
 */
#include "dataplane/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_launch.h>

#include "dataplane/port.h"
#include "dataplane/reassembly.h"
#include "dataplane/spread.h"
#include "dataplane/tunnel_share.h"
#include "lib/nsec.h"

#define SPIN_NS	       (30 * NSEC_PER_USEC) /* idle this long before a sleep: shorter gaps cost no system call */
#define BLIND_MIN_NS   (20 * NSEC_PER_USEC) /* naps while some port has no descriptor to wake us ... */
#define BLIND_MAX_NS   (500 * NSEC_PER_USEC)
#define BLIND_FRACTION 8 /* ... grow with the idle time */
#define CLOCK_LOOPS    4 /* busy loops to a reading of the clock: 50 cycles (bench: 0.7 a packet) */

static _Atomic bool stopping; /* main thread stores, workers load; relaxed, followed by a wake-up */

static void take_frames(
    struct worker *w, const struct worker_slot *slot, uint16_t iface, struct rte_mbuf **pkts, unsigned n)
{
	struct iface *in = iface_by_index(iface);

	if (!in)
		worker_drop(w, pkts, n, DROP_TX_DOWN);
	else if (slot->spread)
		spread_frames(w, in, pkts, n);
	else
		classify_frames(w, in, pkts, n);
}

/*
 * One burst of each port, true when any had packets; no more once too much waits to be opened: the next loop
 * goes on with the port that had its turn then.
 */
static bool poll_ports(struct worker *w)
{
	unsigned slots = CMM_LOAD_SHARED(w->n_slots);
	struct rte_mbuf *pkts[WORKER_BURST];
	unsigned at = w->next_slot < slots ? w->next_slot : 0;
	bool any = false;

	for (unsigned i = 0; i < slots; i++, at = at + 1 < slots ? at + 1 : 0) {
		const struct worker_slot *slot = &w->slots[at];
		const struct port *port = rcu_dereference(slot->port);
		uint16_t n;

		if (tunnel_share_is_full(w)) {
			any = true;
			break;
		}
		if (!port || (slot->spread && spread_is_paused(w)))
			continue;
		n = rte_eth_rx_burst(port->dpdk_id, slot->queue, pkts, w->burst);
		if (slot->spread)
			spread_note(w, n);
		if (n == 0)
			continue;
		any = true;
		take_frames(w, slot, port->iface, pkts, n);
	}
	w->next_slot = at;
	return any;
}

static bool take_ring(struct worker *w, struct rte_ring *ring)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	unsigned n = rte_ring_dequeue_burst(ring, (void **)pkts, WORKER_BURST, NULL);

	if (n == 0)
		return false;
	inject_packets(w, pkts, n);
	return true;
}

bool worker_run_once(struct worker *w)
{
	bool any;

	if (w->clock_loops++ % CLOCK_LOOPS == 0 || (w->spread && spread_takes_rates(w)))
		w->now_ns = nsec_monotonic();
	any = poll_ports(w);
	any |= take_ring(w, w->from_slow);
	if (!tunnel_share_is_full(w))
		any |= take_ring(w, w->from_workers);
	if (w->share)
		any |= tunnel_share_run(w);
	reassembly_expire(w);
	if (w->spread)
		any |= spread_take(w);
	tx_flush(w);
	if (w->spread)
		spread_finish(w);
	if (!any)
		w->clock_loops = 0;
	return any;
}

/* Fills fds with the wake-up descriptor and those of the ports; *blind: some port has none. */
static nfds_t collect_fds(const struct worker *w, struct pollfd *fds, bool *blind)
{
	unsigned slots = CMM_LOAD_SHARED(w->n_slots);
	nfds_t n = 0;

	*blind = false;
	fds[n++] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
	for (unsigned i = 0; i < slots; i++) {
		const struct port *port = rcu_dereference(w->slots[i].port);

		if (!port)
			continue;
		if (port->poll_fd[w->slots[i].queue] >= 0)
			fds[n++] = (struct pollfd){.fd = port->poll_fd[w->slots[i].queue], .events = POLLIN};
		else
			*blind = true;
	}
	return n;
}

static uint64_t nap_length(uint64_t idle_ns)
{
	uint64_t ns = idle_ns / BLIND_FRACTION;

	return ns < BLIND_MIN_NS ? BLIND_MIN_NS : ns > BLIND_MAX_NS ? BLIND_MAX_NS : ns;
}

/* Offline for RCU: a writer's grace period does not wait for a sleeper. */
static void sleep_until_work(struct worker *w, uint64_t idle_ns)
{
	struct pollfd fds[WORKER_PORTS + 1];
	bool blind;
	nfds_t n = collect_fds(w, fds, &blind);
	struct timespec nap = {.tv_nsec = (long)nap_length(idle_ns)};
	uint64_t count;

	atomic_store_explicit(&w->asleep, true, memory_order_seq_cst);
	if (rte_ring_empty(w->from_slow) && rte_ring_empty(w->from_workers) &&
	    (!w->spread || spread_is_empty(w)) && tunnel_share_is_idle(w) && !atomic_load_explicit(&stopping, memory_order_relaxed)) {
		rcu_thread_offline();
		(void)ppoll(fds, n, blind ? &nap : NULL, NULL);
		rcu_thread_online();
	}
	atomic_store_explicit(&w->asleep, false, memory_order_relaxed);
	if (fds[0].revents && read(w->wake_fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN: somebody's wake-up came before our sleep */
}

static int worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t busy_ns = nsec_monotonic();

	rcu_register_thread();
	tunnel_outer_begin_ids(w);
	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		if (worker_run_once(w))
			busy_ns = w->now_ns;
		else if (w->now_ns - busy_ns > SPIN_NS)
			sleep_until_work(w, w->now_ns - busy_ns);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return 0;
}

void worker_wake(struct worker *w)
{
	const uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst); /* pairs with sleep_until_work */
	if (atomic_load_explicit(&w->asleep, memory_order_relaxed) &&
	    write(w->wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the counter is full of wake-ups, it wakes */
}

int workers_launch(void)
{
	atomic_store_explicit(&stopping, false, memory_order_relaxed);
	for (unsigned i = 0; i < worker_count; i++)
		if (rte_eal_remote_launch(worker_main, worker_table[i], i + 1) != 0)
			return ERR_IO;
	return 0;
}

void workers_stop(void)
{
	atomic_store_explicit(&stopping, true, memory_order_relaxed);
	for (unsigned i = 0; i < worker_count; i++)
		worker_wake(worker_table[i]);
	rte_eal_mp_wait_lcore();
}
