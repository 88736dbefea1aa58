/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What travels with a packet between stages: the private area of each mbuf. Queued packets
 * hold ids, never RCU pointers; within a burst `nh` and `in` may be used.
 *
 * Between classify and rewrite the mbuf's data begins at the IP header; the link header is
 * gone (l2_len bytes still lie before it in the headroom for packets from a port).
 */
#ifndef BYWAY_DATAPLANE_PKT_H
#define BYWAY_DATAPLANE_PKT_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "lib/ip.h"

/* Where a packet that crosses a ring is to go; the ring's reader switches on it. */
enum pkt_op {
	/* worker -> slow thread */
	PKT_TO_HOST,   /* write to host interface `in` (frame for a port's TAP: data restored to the link
			  header) */
	PKT_RESOLVE,   /* neighbour `addr` on `out` unknown: queue, ask the kernel, forward when resolved */
	PKT_HANDSHAKE, /* WireGuard message 1-3; data begins at the outer IP header */
	PKT_NEED_SESSION, /* inner packet for `peer` without a keypair: queue, start a handshake */
	PKT_TOO_BIG,	  /* ICMP message about an outer packet of ours; data begins at its IP header */
	PKT_TUNNEL_EVENT, /* no packet data of interest: peer `peer`, what in `arg` (tunnel.h) */
	/* worker -> worker that owns the session */
	PKT_TUNNEL_IN, /* WireGuard transport data; data begins at the outer IP header */
	/* worker -> worker that joins the datagram */
	PKT_FRAGMENT, /* of UDP for this host; data begins at the IP header */
	/* worker -> monitor thread */
	PKT_PROBE_REPLY, /* data begins at the IP header (inner one for tunnels) */
	/* slow or monitor thread -> worker */
	PKT_TX_FRAME,	/* whole frame: out of port `out` as it is */
	PKT_FORWARD,	/* IP packet from the host: look up in `table`, then as any other (TTL not touched) */
	PKT_TUNNEL_OUT, /* IP packet: into tunnel `out` (peer, if not 0xffff, else allowed-IPs) */
	PKT_OUTER,	/* UDP packet of ours, whole IP packet: look up in underlay `table` */
	PKT_RESOLVED, /* held packet (PKT_RESOLVE), neighbour known now: look up again in `table`, TTL is done
		       */
	PKT_UNRESOLVED, /* held packet, its neighbour does not answer: ICMP host unreachable */
};

#define PKT_FROM_HOST	0x01 /* the host's own: TTL not decremented, no ICMP error about it leaves the box */
#define PKT_LOCAL_ICMP	0x02 /* an ICMP error made here */
#define PKT_TTL_DONE	0x04 /* TTL decremented: not a second time after it waited for a neighbour */
#define PKT_LINK_SOURCE 0x08 /* source of link scope: for this host at most (RFC 4291 2.5.6, RFC 3927 2.7)   \
			      */
#define PKT_LINK_DEST 0x10   /* multicast, broadcast or link scope: never forwarded */

struct pkt_meta {
	uint16_t in;	 /* interface index on which it came; 0: made here */
	uint16_t out;	 /* interface index of the way out */
	uint16_t peer;	 /* tunnel peer index (tunnel.h) */
	uint8_t op;	 /* enum pkt_op, on rings */
	uint8_t family;	 /* IP_V4 or IP_V6, set by classify */
	uint8_t proto;	 /* upper-layer protocol after extension headers */
	uint8_t depth;	 /* tunnels entered so far */
	uint8_t flags;	 /* PKT_FROM_HOST ... */
	uint8_t l2_len;	 /* bytes of link header before data, when from a port */
	uint16_t l4_off; /* bytes from the IP header to the upper-layer header; 0: a later fragment */
	uint16_t arg;
	uint32_t table; /* in which to look up */
	uint32_t flow_hash;
	const struct nexthop *nh; /* valid within the burst */
	struct ip_addr addr;	  /* PKT_RESOLVE: the neighbour */
} __attribute__((aligned(64)));	  /* one cache line, and so the packet's headers after it lie in one, too */

static inline struct pkt_meta *pkt_meta(struct rte_mbuf *m)
{
	return (struct pkt_meta *)rte_mbuf_to_priv(m);
}

#endif
