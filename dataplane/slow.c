/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow thread (the process's main thread): an epoll loop, the ring from the workers, the parts'
 * clocks. It sleeps until a descriptor is readable, a worker hands something over, or a deadline passes.
 *
 * Pairs of atomics
 *   slow_asleep  stored true by this thread before it looks into the ring a last time, loaded by
 *                workers after their enqueue (worker_queue.c), a seq_cst fence between on both sides:
 *                either the worker sees it asleep and writes the eventfd, or this thread sees the packet.
 *                While it naps it stays false: the ring is looked into each NAP_MS whoever writes.
 *   quitting     stored by slow_quit in a signal handler (release), loaded once a loop (acquire);
 *                exchanged by slow_resume (acquire): what a handler stored before it is seen after it.
 */
#include "dataplane/slow.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/apply.h"
#include "dataplane/event.h"
#include "dataplane/fibsock.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/pkt.h"
#include "dataplane/rcu.h"
#include "dataplane/state.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define RING_SIZE  4096
#define RING_BURST 64
#define RING_TURNS 16 /* bursts in one loop, so that sockets are not starved */
#define EVENTS	   64
#define NAP_MS	   1 /* while handshakes are forged: workers wake nobody, which costs them more than the rest */

struct watch {
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	uint32_t generation; /* an event of a watch that is gone has an older one */
};

struct rte_ring *slow_ring;
int slow_wake_fd = -1;
_Atomic bool slow_asleep;

static _Atomic bool quitting;
static _Atomic uint64_t drops[DROP_REASONS]; /* slow thread alone; relaxed */
static struct watch *watches;		     /* by descriptor */
static int n_watches, epoll_fd = -1;
static uint32_t generation;
static uint64_t now_ns, start_ns;

uint64_t slow_now_ns(void)
{
	return now_ns;
}

uint64_t slow_uptime_ns(void)
{
	return now_ns - start_ns;
}

void slow_drop(struct rte_mbuf *pkt, enum drop_reason reason)
{
	uint64_t was = atomic_load_explicit(&drops[reason], memory_order_relaxed);

	atomic_store_explicit(&drops[reason], was + 1, memory_order_relaxed);
	rte_pktmbuf_free(pkt);
}

uint64_t slow_drop_count(enum drop_reason reason)
{
	return atomic_load_explicit(&drops[reason], memory_order_relaxed);
}

/* --- descriptors --- */

static int watches_reserve(int fd)
{
	struct watch *bigger;
	int n = n_watches ? n_watches : 64;

	if (fd < n_watches)
		return 0;
	while (n <= fd)
		n *= 2;
	bigger = realloc(watches, (size_t)n * sizeof(*bigger));
	if (!bigger)
		return ERR_NOMEM;
	memset(bigger + n_watches, 0, (size_t)(n - n_watches) * sizeof(*bigger));
	watches = bigger;
	n_watches = n;
	return 0;
}

int slow_watch(int fd, uint32_t events, void (*fn)(void *arg, uint32_t events), void *arg)
{
	struct epoll_event ev = {.events = events};
	int op, rc = watches_reserve(fd);

	if (rc)
		return rc;
	op = watches[fd].fn ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (op == EPOLL_CTL_ADD)
		watches[fd].generation = ++generation;
	ev.data.u64 = (uint64_t)watches[fd].generation << 32 | (uint32_t)fd;
	if (epoll_ctl(epoll_fd, op, fd, &ev) < 0)
		return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
	watches[fd].fn = fn;
	watches[fd].arg = arg;
	return 0;
}

void slow_unwatch(int fd)
{
	if (fd < 0 || fd >= n_watches || !watches[fd].fn)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	memset(&watches[fd], 0, sizeof(watches[fd]));
}

static void dispatch_event(const struct epoll_event *ev)
{
	uint32_t fd = (uint32_t)ev->data.u64;
	const struct watch *w = &watches[fd];

	if (w->fn && w->generation == (uint32_t)(ev->data.u64 >> 32))
		w->fn(w->arg, ev->events);
}

/* --- the ring from the workers --- */

static void handle_packet(struct rte_mbuf *pkt)
{
	switch ((enum pkt_op)pkt_meta(pkt)->op) {
	case PKT_TO_HOST:
		hostif_write(pkt);
		return;
	case PKT_RESOLVE:
		neigh_hold(pkt);
		return;
	case PKT_HANDSHAKE:
	case PKT_NEED_SESSION:
	case PKT_TOO_BIG:
	case PKT_TUNNEL_EVENT:
		tunnel_handle(pkt);
		return;
	case PKT_PROBE_REPLY:
	case PKT_TX_FRAME:
	case PKT_FORWARD:
	case PKT_TUNNEL_OUT:
	case PKT_TUNNEL_IN:
	case PKT_FRAGMENT:
	case PKT_OUTER:
	case PKT_RESOLVED:
	case PKT_UNRESOLVED:
		break; /* never sent here */
	}
	slow_drop(pkt, DROP_DESTINATION_INVALID);
}

/* Some of what waits; true when there may be more. */
static bool drain_ring(void)
{
	struct rte_mbuf *pkts[RING_BURST];

	for (unsigned turn = 0; turn < RING_TURNS; turn++) {
		unsigned n = rte_ring_dequeue_burst(slow_ring, (void **)pkts, RING_BURST, NULL);

		for (unsigned i = 0; i < n; i++)
			handle_packet(pkts[i]);
		if (n < RING_BURST)
			return false;
	}
	return true;
}

static void handle_wake(void *arg, uint32_t events)
{
	uint64_t count;

	while (read(slow_wake_fd, &count, sizeof(count)) > 0)
		;
}

/* --- the loop --- */

/* The parts that have a clock: called once a loop, each says when it wants to be called again. */
static uint64_t (*const ticks[])(uint64_t now) = {
    neigh_tick, netlink_tick, tunnel_tick, event_tick, fibsock_tick, state_tick, tunnel_key_store_tick};

static uint64_t run_ticks(void)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		uint64_t at = ticks[i](now_ns);

		first = at < first ? at : first;
	}
	return first;
}

/* Whole milliseconds until then, rounded up so that it does not wake early and spin. */
static int timeout_until(uint64_t deadline, int limit_ms)
{
	uint64_t ms;

	if (deadline <= now_ns)
		return 0;
	if (deadline == UINT64_MAX)
		return limit_ms;
	ms = (deadline - now_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	if (limit_ms >= 0 && ms > (uint64_t)limit_ms)
		return limit_ms;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int slow_run_once(int timeout_ms)
{
	struct epoll_event events[EVENTS];
	bool napping;
	int n, timeout;

	now_ns = nsec_monotonic();
	timeout = drain_ring() ? 0 : timeout_ms;
	timeout = timeout_until(run_ticks(), timeout);
	napping = tunnel_handshake_loaded(now_ns);
	if (napping && timeout != 0)
		timeout = NAP_MS;
	atomic_store_explicit(&slow_asleep, !napping, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (!rte_ring_empty(slow_ring) || atomic_load_explicit(&quitting, memory_order_acquire))
		timeout = 0;
	if (timeout != 0)
		rcu_thread_offline();
	n = epoll_wait(epoll_fd, events, EVENTS, timeout);
	if (timeout != 0)
		rcu_thread_online();
	atomic_store_explicit(&slow_asleep, false, memory_order_relaxed);
	if (n < 0 && errno != EINTR) {
		log_err("epoll: %s", strerror(errno));
		return ERR_IO;
	}
	now_ns = nsec_monotonic();
	for (int i = 0; i < n; i++)
		dispatch_event(&events[i]);
	drain_ring();
	rcu_quiescent_state();
	return 0;
}

int slow_run(void)
{
	int rc = 0;

	while (rc == 0 && !atomic_load_explicit(&quitting, memory_order_acquire))
		rc = slow_run_once(-1);
	return rc;
}

void slow_quit(void)
{
	const uint64_t one = 1;
	int saved = errno;

	atomic_store_explicit(&quitting, true, memory_order_release);
	if (slow_wake_fd >= 0 && write(slow_wake_fd, &one, sizeof(one)) < 0)
		errno = saved; /* full: it wakes anyway */
	errno = saved;
}

void slow_resume(void)
{
	(void)atomic_exchange_explicit(&quitting, false, memory_order_acquire);
}

/* --- start and stop --- */

static int loop_start(struct err_msg *msg)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	slow_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epoll_fd < 0 || slow_wake_fd < 0)
		return err_set(msg, ERR_IO, "no descriptors for the slow thread: %s", strerror(errno));
	slow_ring = rte_ring_create("byway-slow", RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (!slow_ring)
		return err_set(msg, ERR_NOMEM, "no memory for the ring to the slow thread");
	return slow_watch(slow_wake_fd, EPOLLIN, handle_wake, NULL);
}

static void loop_stop(void)
{
	struct rte_mbuf *pkt;

	while (slow_ring && rte_ring_dequeue(slow_ring, (void **)&pkt) == 0)
		rte_pktmbuf_free(pkt);
	rte_ring_free(slow_ring);
	slow_ring = NULL;
	if (slow_wake_fd >= 0)
		close(slow_wake_fd);
	if (epoll_fd >= 0)
		close(epoll_fd);
	slow_wake_fd = epoll_fd = -1;
	free(watches);
	watches = NULL;
	n_watches = 0;
}

int slow_start(const struct slow_config *config, struct err_msg *msg)
{
	int rc;

	now_ns = start_ns = nsec_monotonic();
	atomic_store_explicit(&quitting, false, memory_order_relaxed);
	rc = loop_start(msg);
	if (!rc)
		rc = monitor_start(config->threaded);
	if (!rc)
		rc = event_start();
	if (!rc && config->host)
		rc = netlink_start(msg);
	if (!rc)
		rc = tunnel_start(config->state_dir, config->host, msg);
	if (!rc)
		rc = apply_start(msg);
	if (!rc)
		rc = state_start(config->state_dir, apply_store(), msg);
	if (!rc)
		rc = fibsock_start(config, apply_store(), msg);
	if (rc) {
		if (msg && !msg->text[0])
			err_set(msg, rc, "the slow thread does not start: %s", err_text(rc));
		slow_stop();
	}
	return rc;
}

void slow_stop(void)
{
	fibsock_stop();
	state_stop();
	apply_stop();
	tunnel_stop();
	neigh_stop();
	netlink_stop();
	event_stop();
	monitor_stop();
	loop_stop();
}
