/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow thread (the process's main thread): an epoll loop over the FIB socket, netlink,
 * host interfaces, UAPI sockets, rings from workers and timers. Sole writer of interfaces,
 * FIB tables, next hops, neighbours, tunnels and peers.
 */
#ifndef BYWAY_DATAPLANE_SLOW_H
#define BYWAY_DATAPLANE_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/drop.h"
#include "dataplane/iface.h"
#include "lib/err.h"

struct slow_config {
	const char *run_dir;   /* fib.sock */
	const char *state_dir; /* state kept across restarts */
	bool host;	       /* make host interfaces and speak netlink; false in tests without root */
	bool threaded;	       /* run the monitor thread; false: tests call monitor_run_once */
	unsigned control_uid,
	    control_gid; /* who may speak on the FIB socket beside root and ourselves; 0: nobody */
};

/* Sets up everything but ports; loads the state on disk and applies it. ERR_*. */
int slow_start(const struct slow_config *config, struct err_msg *msg);
/* Runs until slow_quit(); slow_run_once handles what is ready (timeout in ms) for tests. */
int slow_run(void);
int slow_run_once(int timeout_ms);
void slow_quit(void); /* async-signal-safe */
/* Takes slow_quit back: slow_run may be called again. */
void slow_resume(void);
void slow_stop(void);

/* Epoll registration for parts of the slow thread; again for the same fd: other events. fn runs on the slow
 * thread. Unwatch before close. ERR_NOMEM, ERR_IO. */
int slow_watch(int fd, uint32_t events, void (*fn)(void *arg, uint32_t events), void *arg);
void slow_unwatch(int fd);
uint64_t slow_now_ns(void); /* monotonic, read once a loop */
uint64_t slow_uptime_ns(void);

/* Slow thread: frees a packet and counts it; the sum of its own, to be added to the workers'. */
void slow_drop(struct rte_mbuf *pkt, enum drop_reason reason);
uint64_t slow_drop_count(enum drop_reason reason);

/* Workers -> slow thread: one ring, and the eventfd that wakes it. */
extern struct rte_ring *slow_ring;
extern int slow_wake_fd;
extern _Atomic bool slow_asleep;

#endif
