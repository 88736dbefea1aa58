/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts a packet that is larger than its way out: IPv4 (RFC 791 §3.2), and IPv6 of our own (RFC 8200 §4.5).
 * Workers only.
 */
#ifndef BYWAY_DATAPLANE_FRAGMENT_H
#define BYWAY_DATAPLANE_FRAGMENT_H

#include "dataplane/worker.h"

#define FRAGMENT_MAX 64 /* pieces: a buffer's 2 KiB at the smallest MTU of 68 give 46 */

/*
 * An IPv4 packet without DF, data at the IP header, mtu in bytes of at least IP4_MIN_MTU. Consumes it;
 * returns how many pieces (meta copied) lie in out. 0: buffers are exhausted, counted, nothing is sent.
 */
unsigned fragment_packet(
    struct worker *w, struct rte_mbuf *pkt, uint16_t mtu, struct rte_mbuf *out[FRAGMENT_MAX]);

/*
 * The same for an IPv6 packet that this host made, without extension headers, its data in one segment, mtu of
 * at least IP6_MIN_MTU: a router may not cut others'.
 */
unsigned fragment_own6(
    struct worker *w, struct rte_mbuf *pkt, uint16_t mtu, struct rte_mbuf *out[FRAGMENT_MAX]);

#endif
