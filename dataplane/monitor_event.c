/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verdict events on their way to the slow thread: a ring with one producer (the monitor thread) and one
 * consumer, and the history that is shown to people. When the ring is full the object keeps its
 * event and tells it later, so that the last verdict always arrives.
 *
 * Pairs of atomics: `head` is stored by the monitor thread (release) after the entry is complete and
 * loaded by the slow thread (acquire); `tail` the other way round.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/monitor_internal.h"

#define RING	256
#define HISTORY 128

static struct monitor_event ring[RING];
static _Atomic unsigned head, tail;
static int event_fd = -1;

/* Monitor thread. */
static struct monitor_event history[HISTORY];
static unsigned n_history;

int monitor_event_start(void)
{
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return event_fd < 0 ? ERR_IO : 0;
}

void monitor_event_stop(void)
{
	if (event_fd >= 0)
		close(event_fd);
	event_fd = -1;
	atomic_store_explicit(&head, 0, memory_order_relaxed);
	atomic_store_explicit(&tail, 0, memory_order_relaxed);
	n_history = 0;
}

bool monitor_event_add(const struct monitor_event *e)
{
	unsigned h = atomic_load_explicit(&head, memory_order_relaxed);
	const uint64_t one = 1;

	if (h - atomic_load_explicit(&tail, memory_order_acquire) == RING)
		return false;
	ring[h % RING] = *e;
	atomic_store_explicit(&head, h + 1, memory_order_release);
	history[n_history++ % HISTORY] = *e;
	if (write(event_fd, &one, sizeof(one)) < 0)
		return true; /* EAGAIN: it is readable already */
	return true;
}

int monitor_event_fd(void)
{
	return event_fd;
}

bool monitor_next_event(struct monitor_event *out)
{
	unsigned t = atomic_load_explicit(&tail, memory_order_relaxed);
	uint64_t count;

	if (t == atomic_load_explicit(&head, memory_order_acquire)) {
		if (event_fd < 0 || read(event_fd, &count, sizeof(count)) < 0)
			return false; /* nothing came since the last look */
		if (t == atomic_load_explicit(&head, memory_order_acquire))
			return false;
	}
	*out = ring[t % RING];
	atomic_store_explicit(&tail, t + 1, memory_order_release);
	return true;
}

struct row_call {
	unsigned index;
	struct fibmsg_row_event *row;
	int err;
};

static void call_row(void *arg)
{
	struct row_call *c = arg;
	const struct monitor_event *e;

	if (c->index >= n_history || c->index >= HISTORY) {
		c->err = ERR_NOENT;
		return;
	}
	e = &history[(n_history - 1 - c->index) % HISTORY];
	*c->row = (struct fibmsg_row_event){
	    .age_ns = monitor_now_ns() - e->when_ns,
	    .verdict = e->verdict,
	    .groups_moved = e->groups_moved,
	    .took_us = e->took_us,
	};
	memcpy(c->row->object, e->object, sizeof(c->row->object));
	memcpy(c->row->reason, e->reason, sizeof(c->row->reason));
	c->err = 0;
}

int monitor_event_row(unsigned index, struct fibmsg_row_event *row)
{
	struct row_call c = {.index = index, .row = row};

	monitor_call(call_row, &c);
	return c.err;
}
