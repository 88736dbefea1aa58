/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the benchmarks of the packet path set up alike: packets on a wire, next hops behind ports, routes
 * dealt out to them. One thread.
 */
#ifndef BYWAY_BENCH_SETUP_H
#define BYWAY_BENCH_SETUP_H

#include "bench/traffic.h"
#include "dataplane/nexthop.h"

#define SETUP_NEXT_HOPS 4096

struct setup {
	unsigned n;	  /* next hops; the i-th leaves by the i-th port of those given, over and over */
	unsigned members; /* of each group: itself, and so many less one that follow it */
	struct neigh neighbours[SETUP_NEXT_HOPS];
	struct nexthop vias[SETUP_NEXT_HOPS];
	struct group_buckets shares[SETUP_NEXT_HOPS];
	uint32_t groups[SETUP_NEXT_HOPS];
};

/* Says what is wrong, after the program's name. Returns ERR_IO. */
int setup_fail(const char *what);
/* To one CPU, before anything is allocated: the memory is then near the core. -1: wherever it may run.
 * ERR_IO, said. */
int setup_pin(int cpu);
/*
 * Neighbours have the port's own address, so that what is sent to them comes back as ours to forward. n and
 * members are set; at most FIBMSG_MEMBERS. ERR_IO, said.
 */
int setup_make_next_hops(struct setup *s, struct iface *const *ports, unsigned n_ports);
/* All of the traffic's routes, each to a group by chance. ERR_IO, said. */
int setup_install_routes(const struct setup *s, const struct traffic *t);
/* n packets for the station with this address. ERR_IO, said. */
int setup_add_packets(
    struct traffic *t, struct rte_mempool *pool, const uint8_t mac[6], struct rte_ring *wire, unsigned n);

#endif
