/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of what most packets are: plain, valid, to a neighbour that is known. A burst is
 * judged, looked up, rewritten and handed to tx in a few loops over arrays, without the meta that the
 * stages pass on. Whatever asks for more is left to the stages, which know all rules; a packet that
 * goes this way leaves as it would have left by theirs.
 *
 * What a group means (link header, port, MTU) is remembered by each worker and made anew when
 * forward_epoch (nexthop.h) has moved. Workers only.
 */
#ifndef BYWAY_DATAPLANE_EXPRESS_H
#define BYWAY_DATAPLANE_EXPRESS_H

#include "dataplane/port.h"
#include "dataplane/worker.h"

/* ERR_NOMEM. workers_create and workers_destroy call these. */
int express_create(struct worker *w);
void express_destroy(struct worker *w);

/*
 * Frames from a port, n at most WORKER_BURST: forwards those that it can; the others stay in pkts, in their
 * order, and how many they are is returned. *bytes: of all of them, as they came.
 */
unsigned express_frames(
    struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, uint64_t *bytes);

#define EXPRESS_AHEAD 8 /* packet buffers fetched while one is looked at */

/* What is known of a burst's IPv4 packets after they were judged. */
struct express_ip4 {
	uint8_t *frame[WORKER_BURST]; /* the link header */
	uint32_t dst_be[WORKER_BURST], src_be[WORKER_BURST];
	uint32_t ttl_word[WORKER_BURST]; /* TTL, protocol and checksum as they shall leave, as they lie in
					    memory */
	uint16_t len[WORKER_BURST];	 /* of the IP packet */
	uint64_t padded;		 /* bit i: the frame is longer than its packet */
	uint64_t bytes;			 /* of all frames */
};

/*
 * Frames for the port's address that hold an IPv4 packet without options, valid by RFC 1812 §5.2.2, that may
 * be forwarded (§5.3.7, RFC 3927 §2.7) and whose TTL is over 1: bit i of the result for pkts[i]. frame[] is
 * filled for all. Each form of it judges alike.
 */
uint64_t express_judge4(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_ip4 *out);
#ifdef __x86_64__
uint64_t express_judge4_avx512(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_ip4 *out);
#endif

#endif
