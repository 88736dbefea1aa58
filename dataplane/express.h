/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of what most packets are: plain, valid, to a neighbour that is known. A burst is
 * judged, looked up, rewritten and handed to tx in a few loops over arrays, without the meta that the
 * stages pass on. Whatever asks for more is left to the stages, which know all rules; a packet that
 * goes this way leaves as it would have left by theirs.
 *
 * What a group means (link header, port, MTU): express_way.h. Workers only.
 */
#ifndef BYWAY_DATAPLANE_EXPRESS_H
#define BYWAY_DATAPLANE_EXPRESS_H

#include "dataplane/express_way.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

/* ERR_NOMEM. workers_create and workers_destroy call these. */
int express_create(struct worker *w);
void express_destroy(struct worker *w);

/*
 * Frames from a port, n at most WORKER_BURST: forwards those that it can; the others stay in pkts, in their
 * order, and how many they are is returned. *bytes: of all of them, as they came.
 */
unsigned express_frames(
    struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, uint64_t *bytes);

/*
 * The same for packets out of tunnels, before whose IP header there is a link header to
 * EXPRESS_INNER_MAC: the bits of those that are gone. Without the short way (tests) none is.
 */
uint64_t express_inner(struct worker *w, struct rte_mbuf **pkts, unsigned n);
#define EXPRESS_INNER_MAC {0x02, 0, 0, 0, 0, 0}
/* The value of forward_epoch that this burst goes by. */
uint64_t express_epoch(const struct worker *w);

#define EXPRESS_AHEAD 8 /* packet buffers fetched while one is looked at */

/* Offset in a frame of the four bytes that forwarding changes: TTL, protocol, checksum; payload length, next,
 * hop limit. */
#define EXPRESS_WORD4 (sizeof(struct wire_eth) + offsetof(struct wire_ip4, ttl))
#define EXPRESS_WORD6 (sizeof(struct wire_eth) + offsetof(struct wire_ip6, payload_len_be))

/* What is known of a burst after it was judged; by the packet's number in it, if not said otherwise. */
struct express_burst {
	uint64_t good4, good6; /* bits: packets that may be forwarded */
	uint64_t padded; /* bits: the frame is longer than its packet (undefined where neither is set) */
	uint64_t bytes;	 /* of all frames */
	uint16_t in;	 /* interface by which they came; 0: out of a tunnel */
	uint8_t *frame[WORKER_BURST];
	uint32_t word[WORKER_BURST]; /* the word as it shall leave, as it lies in memory */
	uint32_t len[WORKER_BURST];  /* of the IP packet */
	uint32_t dst4_be[WORKER_BURST], src4_be[WORKER_BURST]; /* of IPv4 */
	uint8_t dst6[WORKER_BURST][16];			       /* of IPv6 */
};

/*
 * Good are frames for the port's address with
 *   an IPv4 packet without options, valid by RFC 1812 §5.2.2, whose addresses may be forwarded (§5.3.7, RFC
 * 3927 §2.7) and whose TTL is over 1; an IPv6 packet whose header is followed by TCP, UDP or ICMPv6, between
 * global or unique local addresses (RFC 4291 §2.4, RFC 4193), with a hop limit over 1. What holds for the
 * others, the stages say. Each form of the judgement says the same.
 */
void express_judge(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out);
#ifdef __x86_64__
void express_judge_avx512(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out);
/*
 * Rewrites packets from `from` on, sixteen at a time, as long as all of them leave by `iface`; returns the
 * first that it left. keys: of their ways; which: of the ways' limits; word_at: EXPRESS_WORD4 or 6.
 */
unsigned express_rewrite_avx512(const struct express_way *ways, const struct express_burst *b,
    const uint32_t *keys, unsigned which, uint16_t iface, size_t word_at, unsigned from, unsigned to);
#endif

#endif
