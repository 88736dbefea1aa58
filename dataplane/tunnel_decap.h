/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transport data on its way into the cipher: what the stage (tunnel_decap.c) and the short way
 * (express_decap.c) have found out of messages before they are opened. Workers only.
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_DECAP_H
#define BYWAY_DATAPLANE_TUNNEL_DECAP_H

#include "dataplane/tunnel_peer.h"
#include "dataplane/worker.h"

/* Of an opening, from..to: one session's. */
struct tunnel_session {
	struct tunnel_keypair *kp;
	struct tunnel_peer *peer;
	unsigned from, to;
	struct tunnel_source source; /* of the last authentic message */
};

/* Messages in the order in which they are opened: by session, those of one in their order. */
struct tunnel_opening {
	unsigned n, n_sessions;
	struct tunnel_session sessions[WORKER_BURST];
	struct rte_mbuf *pkts[WORKER_BURST];
	uint64_t counters[WORKER_BURST];
	uint8_t *ip[WORKER_BURST], *data[WORKER_BURST];
	uint32_t lens[WORKER_BURST];
	uint16_t line[WORKER_BURST];
};

/* Messages of any sessions, n at most WORKER_BURST; the mbufs' metas may hold anything. */
struct tunnel_messages {
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
	struct tunnel_keypair *sessions[WORKER_BURST];
	uint8_t *ip[WORKER_BURST]; /* outer header */
	uint8_t
	    *data[WORKER_BURST]; /* what is sealed, behind the message's header, and its bytes without tag */
	uint32_t lens[WORKER_BURST];
	uint16_t line[WORKER_BURST]; /* interface index */
};

/*
 * Adds a UDP payload of len bytes behind these headers, if it is transport data of a session whose tunnel has
 * this port; else false, and nothing was done.
 */
bool tunnel_add_message(struct tunnel_messages *msgs, struct rte_mbuf *pkt, uint8_t *ip, uint8_t *payload,
    uint32_t len, uint16_t line);
/* Opens them, all in one call of the cipher, and delivers what was inside. Consumes them. */
void tunnel_open_messages(struct worker *w, const struct tunnel_messages *msgs);
/* The cipher alone: any worker. The bits of authentic messages. */
uint64_t tunnel_decipher(const struct tunnel_opening *o);
/* What comes after it, by the worker that owns the sessions, in the order in which messages came: windows,
 * then what was inside. Consumes the messages. */
void tunnel_deliver(struct worker *w, struct tunnel_opening *o, uint64_t authentic);

#endif
