/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for the benchmarks of the packet path: a table of routes, minimum-size UDP packets to random hosts
 * behind them, and the renewal of their TTLs outside the clock. One thread.
 */
#ifndef BYWAY_BENCH_TRAFFIC_H
#define BYWAY_BENCH_TRAFFIC_H

#include <stdbool.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "lib/ip.h"

/* Routes of one family that hosts may use as destinations; addresses behind them, made in advance. */
struct traffic {
	uint8_t family;
	struct ip_prefix *routes;
	size_t n_routes;
	uint8_t (*addresses)[16];
	size_t next_address;
};

/* Time of a measured stretch: of the wall by the TSC, and of this thread as the kernel counts it. */
struct traffic_clock {
	uint64_t tsc, cpu_ns;	    /* sums */
	uint64_t from_tsc, from_ns; /* of the stretch that runs */
};

/*
 * Reads the file, one prefix a line; those of the other family and those that the first stage of a router
 * drops are left out. NULL: a default route alone. ERR_IO, ERR_NOMEM, ERR_NOENT: nothing usable in it.
 */
int traffic_load(struct traffic *t, uint8_t family, const char *path);
void traffic_unload(struct traffic *t);
/* A UDP packet to a random address behind a random route, from a random private source and port, to this
 * station; NULL: no buffer. */
struct rte_mbuf *traffic_packet(struct traffic *t, struct rte_mempool *pool, const uint8_t mac[6]);
/*
 * TTLs and hop limits of all frames that wait on the wire become 255. fresh: each gets another destination,
 * too, so that over time the whole table is looked up and not what 256 packets need of it. Returns how many
 * there are.
 */
unsigned traffic_renew(struct traffic *t, struct rte_ring *wire, bool fresh);
/* As many laps of n packets as may pass between two renewals; with fresh destinations one. */
unsigned traffic_laps(unsigned packets, bool fresh);
uint64_t traffic_random(void);

void traffic_clock_start(struct traffic_clock *c);
void traffic_clock_stop(struct traffic_clock *c);
/*
 * "cycles-per-packet X cpu-cycles-per-packet Y": TSC cycles of the wall, and of this thread's own time. Of
 * stretches as short as one lap the second says little: reading that clock is a system call within it.
 */
void traffic_clock_print(const struct traffic_clock *c, uint64_t packets);

#endif
