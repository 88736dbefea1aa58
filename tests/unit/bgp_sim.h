/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several BGP cores in one process, with pipes for TCP and a clock that only
 * moves when nothing is left to do: for tests.
 */
#ifndef BYWAY_TESTS_BGP_SIM_H
#define BYWAY_TESTS_BGP_SIM_H

#include "bgp/bgp.h"
#include "lib/nsec.h"

#define SIM_NODES 4
#define SIM_PIPES 16

struct sim_end {
	int node;
	uint64_t conn;
	uint8_t *bytes; /* on the way to this end */
	size_t len, cap;
};

struct sim_pipe {
	bool used, black_hole; /* black_hole: bytes vanish, nobody is told */
	struct sim_end end[2];
};

struct sim_node {
	struct bgp *bgp; /* NULL: off */
	struct ip_addr addr;
	bool deaf; /* connections to it are lost without an answer */
	unsigned ups, downs, malformed, errors, restarts;
	char last_down[200];
	uint64_t closes;
	size_t routes; /* changes pulled */
};

struct sim {
	uint64_t now_ns;
	size_t chunk; /* bytes handed over at a time; 0: all */
	struct sim_node node[SIM_NODES];
	struct sim_pipe pipe[SIM_PIPES];
};

void sim_init(struct sim *sim);
void sim_free(struct sim *sim);
/* A core with this AS, router id and IPv4 address (text). */
void sim_add(struct sim *sim, int node, uint32_t as, const char *addr);
void sim_add_config(struct sim *sim, int node, const struct bgp_config *config, const char *addr);
/* Accept-all filter "all" and a peer on each side, named after the other ("n1" on node 0). */
void sim_peer(struct sim *sim, int a, int b, const struct bgp_peer_config *extra_a,
    const struct bgp_peer_config *extra_b);
void sim_set_peer(struct sim *sim, int node, int other, const struct bgp_peer_config *extra);
/* Lets time pass until nothing happens for that long, or it is over. */
void sim_run(struct sim *sim, uint64_t ns);
/* The core is gone, its connections break (as kill -9). */
void sim_kill(struct sim *sim, int node);
void sim_cut(struct sim *sim, int node); /* its connections go silent, new ones get no answer */
void sim_mend(struct sim *sim, int node);

void sim_announce(struct sim *sim, int node, const char *prefix);
void sim_withdraw(struct sim *sim, int node, const char *prefix);
enum bgp_state sim_state(struct sim *sim, int node, int other);
struct bgp_peer_info sim_info(struct sim *sim, int node, int other);
/* Listed (active) paths of a prefix on a node; info of the place-th path, false when there is none. */
unsigned sim_paths(struct sim *sim, int node, const char *prefix);
bool sim_path(struct sim *sim, int node, const char *prefix, unsigned place, struct bgp_path_info *out);
struct ip_prefix sim_prefix(const char *text);
struct ip_addr sim_addr(const char *text);

#endif
