/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor thread: its loop, and the calls that the slow thread makes into it. A pass takes replies, a
 * call, links and timers in this order, then judges once what all of that changed, re-points groups, and
 * tells.
 *
 * Pairs of atomics
 *   mailbox         slow thread stores a call (release), monitor thread takes it (acquire); the
 *                   semaphore `done` hands the result back.
 *   monitor_asleep  stored by the monitor thread before it looks into ring and mailbox a last time, loaded
 *                   by who enqueues after that; seq_cst on both sides (worker_queue.c, monitor_call).
 *   stopping        slow thread stores, monitor thread loads; relaxed, followed by a wake-up and a join.
 */
#include "dataplane/monitor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/monitor_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define RING_SIZE  1024
#define RING_BURST 64

struct call {
	void (*fn)(void *arg);
	void *arg;
};

struct rte_ring *monitor_ring;
int monitor_wake_fd = -1;
_Atomic bool monitor_asleep;

static struct {
	bool threaded, running;
	pthread_t thread;
	sem_t done;
	_Atomic(struct call *) mailbox;
	_Atomic bool stopping;
} self;

/* Of the monitor thread alone. */
static uint64_t now_ns;
static bool dirty;

uint64_t monitor_now_ns(void)
{
	return now_ns;
}

void monitor_set_dirty(void)
{
	dirty = true;
}

static void take_replies(void)
{
	struct rte_mbuf *pkts[RING_BURST];
	unsigned n = RING_BURST;

	while (monitor_ring && n == RING_BURST) {
		n = rte_ring_dequeue_burst(monitor_ring, (void **)pkts, RING_BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			monitor_probe_receive(pkts[i], now_ns);
	}
}

/* What follows from changed ranks, once a pass: cost by the number of groups, not of routes. */
static void judge(void)
{
	uint64_t from_ns = nsec_monotonic();
	unsigned moved;

	if (!dirty)
		return;
	dirty = false;
	monitor_lines_judge();
	monitor_peers_judge();
	moved = monitor_groups_judge();
	from_ns = nsec_monotonic() - from_ns;
	monitor_lines_tell(moved, (uint32_t)(from_ns / NSEC_PER_USEC));
	monitor_peers_tell(moved, (uint32_t)(from_ns / NSEC_PER_USEC));
}

static void take_call(void)
{
	struct call *c = atomic_exchange_explicit(&self.mailbox, NULL, memory_order_acquire);

	if (!c)
		return;
	c->fn(c->arg);
	judge(); /* the caller finds it in force */
	sem_post(&self.done);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t monitor_run_once(uint64_t now)
{
	uint64_t next;

	now_ns = now;
	take_replies();
	monitor_links_run(now);
	monitor_lines_run(now);
	monitor_peers_run(now);
	judge();
	take_call();
	next = earlier(monitor_lines_deadline(), monitor_peers_deadline());
	return earlier(next, monitor_links_deadline());
}

/* Offline for RCU while it sleeps. */
static void sleep_until(uint64_t deadline_ns)
{
	struct pollfd fds[] = {
	    {.fd = monitor_wake_fd, .events = POLLIN}, {.fd = monitor_links_fd(), .events = POLLIN}};
	uint64_t now = nsec_monotonic(), count;
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = {
	    .tv_sec = (time_t)(left / NSEC_PER_SEC), .tv_nsec = (long)(left % NSEC_PER_SEC)};

	atomic_store_explicit(&monitor_asleep, true, memory_order_seq_cst);
	if (rte_ring_empty(monitor_ring) && !atomic_load_explicit(&self.mailbox, memory_order_seq_cst) &&
	    !atomic_load_explicit(&self.stopping, memory_order_relaxed)) {
		rcu_thread_offline();
		(void)ppoll(fds, 2, &ts, NULL);
		rcu_thread_online();
	}
	atomic_store_explicit(&monitor_asleep, false, memory_order_relaxed);
	if (fds[0].revents && read(monitor_wake_fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN: the wake-up came before the sleep */
}

static void *monitor_main(void *arg)
{
	rcu_register_thread();
	while (!atomic_load_explicit(&self.stopping, memory_order_relaxed)) {
		uint64_t deadline_ns = monitor_run_once(nsec_monotonic());

		rcu_quiescent_state();
		sleep_until(deadline_ns);
	}
	rcu_unregister_thread();
	return NULL;
}

static void wake(void)
{
	const uint64_t one = 1;

	if (write(monitor_wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it is full of wake-ups */
}

void monitor_call(void (*fn)(void *arg), void *arg)
{
	struct call c = {fn, arg};

	if (!self.running || !self.threaded) {
		fn(arg);
		judge();
		return;
	}
	atomic_store_explicit(&self.mailbox, &c, memory_order_seq_cst);
	wake();
	/* the monitor thread may wait for a grace period while it frees: not for us */
	rcu_thread_offline();
	while (sem_wait(&self.done) < 0 && errno == EINTR)
		;
	rcu_thread_online();
}

struct link_call {
	uint16_t iface;
	bool up;
};

static void call_set_link(void *arg)
{
	const struct link_call *c = arg;

	monitor_set_link(c->iface, c->up);
	monitor_links_poll_soon();
}

void monitor_link_set(uint16_t iface, bool up)
{
	struct link_call c = {iface, up};

	monitor_call(call_set_link, &c);
}

/* Signals are the main thread's. */
static int start_thread(void)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(&self.thread, NULL, monitor_main, NULL);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (err)
		return ERR_NOMEM;
	pthread_setname_np(self.thread, "byway-monitor");
	return 0;
}

int monitor_start(bool threaded)
{
	int err;

	self.threaded = threaded;
	atomic_store_explicit(&self.stopping, false, memory_order_relaxed);
	sem_init(&self.done, 0, 0);
	now_ns = nsec_monotonic();
	/* both stay as long as the process: workers may look at them after monitor_stop */
	if (monitor_wake_fd < 0)
		monitor_wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!monitor_ring)
		monitor_ring = rte_ring_create("monitor", RING_SIZE, (int)SOCKET_ID_ANY, RING_F_SC_DEQ);
	err = monitor_wake_fd < 0 || !monitor_ring ? ERR_NOMEM : 0;
	if (!err)
		err = monitor_event_start();
	if (!err)
		err = monitor_probe_start();
	if (!err)
		monitor_links_start();
	if (!err && threaded)
		err = start_thread();
	self.running = !err;
	if (err)
		monitor_stop();
	return err;
}

static void drain_ring(void)
{
	struct rte_mbuf *pkt;

	while (monitor_ring && rte_ring_dequeue(monitor_ring, (void **)&pkt) == 0)
		rte_pktmbuf_free(pkt);
}

void monitor_stop(void)
{
	if (self.running && self.threaded) {
		atomic_store_explicit(&self.stopping, true, memory_order_relaxed);
		wake();
		rcu_thread_offline();
		pthread_join(self.thread, NULL);
		rcu_thread_online();
	}
	self.running = false;
	monitor_groups_clear();
	monitor_peers_clear();
	monitor_lines_clear();
	monitor_event_stop();
	monitor_links_clear();
	drain_ring();
	sem_destroy(&self.done);
}
