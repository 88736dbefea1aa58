/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every reason for which a packet does not leave: the enum, the name, the text and the
 * counter are one line here. Counters are per thread, summed when asked.
 */
#ifndef BYWAY_DATAPLANE_DROP_H
#define BYWAY_DATAPLANE_DROP_H

/* clang-format off */
#define DROP_LIST(X)                                                                            \
	X(RX_RUNT,            "frame shorter than its headers")                                 \
	X(RX_VLAN,            "VLAN tag on a port without VLANs")                               \
	X(RX_OTHER_HOST,      "frame for another station")                                      \
	X(IP4_HEADER,         "IPv4 header malformed (RFC 1812 5.2.2)")                         \
	X(IP4_CHECKSUM,       "IPv4 header checksum wrong")                                     \
	X(IP6_HEADER,         "IPv6 header malformed (RFC 8200 3)")                             \
	X(SOURCE_INVALID,     "source address that no packet may have (RFC 1812 5.3.7)")        \
	X(DESTINATION_INVALID,"destination that is never forwarded")                            \
	X(TTL,                "TTL or hop limit ended here")                                    \
	X(NO_ROUTE,           "no route")                                                       \
	X(UNREACHABLE,        "route says unreachable")                                         \
	X(PROHIBIT,           "route says prohibited")                                          \
	X(BLACKHOLE,          "route says blackhole")                                           \
	X(NEXTHOP_DEAD,       "no living next hop in the group")                                \
	X(TOO_BIG,            "larger than the MTU of the way out")                             \
	X(NEIGHBOUR_QUEUE,    "too many packets wait for one neighbour")                        \
	X(NEIGHBOUR_FAILED,   "neighbour does not answer")                                      \
	X(TX_FULL,            "transmit queue full")                                            \
	X(TX_DOWN,            "port of the way out is gone")                                    \
	X(HOST_QUEUE,         "queue to the host is full")                                      \
	X(HOST_WRITE,         "host interface refused the packet")                              \
	X(HEADROOM,           "no room for another header")                                     \
	X(TUNNEL_DEPTH,       "tunnels nested deeper than 3")                                   \
	X(TUNNEL_SELF,        "tunnel's outer packet would enter a tunnel it may not use")      \
	X(TUNNEL_MESSAGE,     "WireGuard message of unknown type or wrong length")              \
	X(TUNNEL_NO_SESSION,  "transport data for no session of ours")                          \
	X(TUNNEL_AUTH,        "transport data that does not authenticate")                      \
	X(TUNNEL_REPLAY,      "transport data seen before or too old")                          \
	X(TUNNEL_EXPIRED,     "transport data under an expired key")                            \
	X(TUNNEL_SOURCE,      "inner source that is not the peer's, by list or route")          \
	X(TUNNEL_INNER,       "inner packet malformed")                                         \
	X(TUNNEL_NO_PEER,     "no peer of the tunnel takes this destination")                   \
	X(TUNNEL_NO_ENDPOINT, "peer's endpoint is not known yet")                               \
	X(TUNNEL_NO_LINE,     "no line for the tunnel's outer packet")                          \
	X(TUNNEL_QUEUE,       "too many packets wait for a handshake")                          \
	X(HANDSHAKE_MAC1,     "handshake message with a wrong mac1")                            \
	X(HANDSHAKE_INVALID,  "handshake message that does not authenticate")                   \
	X(HANDSHAKE_FLOOD,    "handshake messages beyond the rate")                             \
	X(HANDSHAKE_QUEUE,    "handshake queue full")                                           \
	X(FRAGMENT_INVALID,   "fragment of a length that none may have (RFC 791 3.2, RFC 8200 4.5)")    \
	X(FRAGMENT_OVERLAP,   "fragment that repeats or overlaps another (RFC 5722)")           \
	X(FRAGMENT_SIZE,      "fragment of a datagram larger than a buffer")                    \
	X(FRAGMENT_LOST,      "fragments whose others did not come in time")                    \
	X(FRAGMENT_FULL,      "fragments that made room for those of other datagrams")          \
	X(PMTU_INVALID,       "too-big message that fits no packet of ours")                    \
	X(PMTU_RATE,          "too-big messages about tunnels beyond the rate")                 \
	X(PROBE_UNKNOWN,      "probe answer that nobody waits for")                             \
	X(PROBE_QUEUE,        "probe queue full")                                               \
	X(ICMP_RATE,          "ICMP error withheld by the rate limit")                          \
	X(WORKER_QUEUE,       "queue to a worker is full")                                      \
	X(NO_MBUF,            "packet buffers exhausted")
/* clang-format on */

enum drop_reason {
#define DROP_ENUM(name, text) DROP_##name,
	DROP_LIST(DROP_ENUM)
#undef DROP_ENUM
	DROP_REASONS
};

const char *drop_name(enum drop_reason r); /* "ttl", "ip4-header" */
const char *drop_text(enum drop_reason r);

#endif
