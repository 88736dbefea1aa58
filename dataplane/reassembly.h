/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joins fragments of datagrams for the tunnels' UDP ports: what a stock peer sends larger than a link on the
 * way. All else that is for this host goes to the kernel as it came, which joins it itself. Workers only, but
 * for create and destroy.
 *
 * A datagram belongs to one worker, by its addresses and identification; the others hand their fragments
 * over. Each worker holds REASSEMBLY_SLOTS datagrams at the most, a buffer each, for REASSEMBLY_NS.
 */
#ifndef BYWAY_DATAPLANE_REASSEMBLY_H
#define BYWAY_DATAPLANE_REASSEMBLY_H

#include "dataplane/worker.h"
#include "lib/nsec.h"

#define REASSEMBLY_SLOTS 256
/*
 * RFC 1122 §3.3.2 and RFC 8200 §4.5 say 60 s. Pieces of one datagram arrive within milliseconds or not at
 * all; IPv4 identifications come round within seconds (RFC 4963), and what waits is memory in strangers'
 * hands.
 */
#define REASSEMBLY_NS (2 * NSEC_PER_SEC)

/* Main thread. ERR_NOMEM. */
int reassembly_create(struct worker *w);
void reassembly_destroy(struct worker *w); /* gives its buffers back */

/* Is it a fragment of a UDP datagram? */
bool reassembly_wants(const struct rte_mbuf *pkt);
/* Takes such fragments for this host (data at the IP header), also those that other workers handed over. */
void reassembly_input(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* Drops what waited too long; each loop. */
void reassembly_expire_now(struct worker *w);
static inline void reassembly_expire(struct worker *w)
{
	if (w->now_ns >= w->reassembly_due_ns)
		reassembly_expire_now(w);
}

#endif
