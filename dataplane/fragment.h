/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts an IPv4 packet that is larger than its way out (RFC 791 §3.2). Workers only.
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

#endif
