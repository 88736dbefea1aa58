/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A router with one tunnel for the benchmarks of its path: a lan and a wan as memory ports, peers whose keys
 * are known here, so that messages are made and read without handshakes. One thread sets it up.
 */
#ifndef BYWAY_BENCH_TUNNEL_RIG_H
#define BYWAY_BENCH_TUNNEL_RIG_H

#include <stdbool.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "bench/traffic.h"
#include "dataplane/tunnel_peer.h"
#include "dataplane/worker.h"

#define TUNNEL_RIG_PEERS 1024

/* What a packet consists of before it meets the router; made once, copied into a buffer each time. */
struct tunnel_rig_packet {
	uint8_t bytes[2048]; /* Ethernet and inner IP */
	uint16_t len;	     /* of the inner IP packet */
	unsigned peer;
	uint8_t *data; /* where the cipher's bytes were put, and how many they are without tag */
	uint32_t data_len;
	uint64_t counter;
};

struct tunnel_rig {
	/* set by the caller */
	unsigned workers, peers, packets, queues; /* queues: of each port, 0: one a worker */
	unsigned strangers;			  /* packets on a wire beside those of the rig */
	const char *routes; /* of the table that inner destinations are looked up in; NULL: a default route */
	bool to_lan;	    /* inner packets come out of the tunnel, else they go in */
	/* made here */
	struct rte_ring *lan_in[WORKER_MAX], *lan_out[WORKER_MAX], *wan_in[WORKER_MAX], *wan_out[WORKER_MAX];
	struct iface *lan, *wan, *tunnel;
	struct traffic traffic;
	struct tunnel_peer *peer[TUNNEL_RIG_PEERS];
	struct tunnel_keypair *keypair[TUNNEL_RIG_PEERS];
	uint8_t key[TUNNEL_RIG_PEERS][CRYPTO_KEY_LEN]; /* of both directions */
	uint64_t sent[TUNNEL_RIG_PEERS];	       /* messages made for the router to open */
	unsigned next_peer;			       /* packets go round them */
	struct tunnel_rig_packet *made;
};

/* EAL runs. ERR_*, and a sentence on standard error. */
int tunnel_rig_open(struct tunnel_rig *r);
/* Makes packet i of the rig: so many bytes of IP. */
int tunnel_rig_make(struct tunnel_rig *r, unsigned i, uint16_t len);
/* Packet i as it comes by the lan; as the peer sends it, sealed under its next counter. The buffer is new to
 * both. */
void tunnel_rig_plain(struct tunnel_rig *r, unsigned i, struct rte_mbuf *m);
void tunnel_rig_sealed(struct tunnel_rig *r, unsigned i, struct rte_mbuf *m);
/* A handshake message of len bytes to the tunnel's port from this address (host order). */
void tunnel_rig_message(
    const struct tunnel_rig *r, const void *bytes, uint16_t len, uint32_t from, struct rte_mbuf *m);

#endif
