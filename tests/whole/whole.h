/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole dataplane in a test program, without root: one worker driven by hand, ports that are
 * pairs of rings, and packets built and taken apart here. What would go to the slow and the monitor thread is
 * found on their rings. Test programs only; one thread.
 */
#ifndef BYWAY_TESTS_WHOLE_WHOLE_H
#define BYWAY_TESTS_WHOLE_WHOLE_H

#include "dataplane/fib.h"
#include "dataplane/monitor.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "dataplane/slow.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"

#include "tests/unit/unit.h"

/* A port and the far ends of its wires. */
struct whole_port {
	struct iface *ifc;
	struct rte_ring *to, *from; /* frames to the port, frames that it sent */
	struct neigh neighbour;	    /* one station behind it */
	struct nexthop via;	    /* the way to that station */
	struct nexthop connected;
};

/* Bytes that left the dataplane, in a buffer of exactly their size, so that a sanitizer sees each step too
 * far. */
struct whole_packet {
	uint8_t *data;
	size_t len;
	struct pkt_meta meta;
};

/* EAL, tables, worker: group set-up and tear-down of cmocka. */
int whole_start(void **state);
int whole_stop(void **state);

/* "lan" becomes a port with MAC 02:00:00:00:00:<n>, its neighbour has 02:00:00:00:01:<n> and is resolved. */
void whole_port_open(struct whole_port *p, const char *name, uint8_t role);
void whole_port_close(struct whole_port *p);
void whole_port_addresses(struct whole_port *p, const char *const *addresses, unsigned n);

/* A route to a next hop of the test's, in a new group; returns the group's index. */
uint32_t whole_route(uint32_t table, const char *prefix, struct nexthop *nh);
void whole_unroute(uint32_t table, const char *prefix);
/* An address of ours. */
void whole_local(const char *address);

/* A frame onto the wire of a port; whole_run lets the worker work until it is idle. */
void whole_send(struct whole_port *p, const void *frame, size_t len);
void whole_run(void);
/* The next frame that the port sent, or packet for the slow or monitor thread; data NULL when there is none.
 */
struct whole_packet whole_receive(struct whole_port *p);
struct whole_packet whole_to_slow(void);
struct whole_packet whole_to_monitor(void);
void whole_free(struct whole_packet *p);
bool whole_silent(struct whole_port *p);       /* nothing was sent */
uint64_t whole_drops(enum drop_reason reason); /* since the last call for this reason */
void whole_forget_drops(void);
struct rte_mbuf *whole_mbuf(
    const void *data, size_t len); /* a packet as other threads inject it, meta zero */
extern struct worker *whole_worker;
extern unsigned whole_workers; /* before whole_start: how many; whole_worker is the first */

#define WHOLE_DATA_BYTE 0x5a /* what the data of built packets consists of */

/* Packets. Each returns the length of the frame written to buf (2048 bytes). */
struct whole_udp {
	const char *src, *dst; /* both of one family */
	uint8_t ttl;	       /* 0: 64 */
	size_t data_len;
	uint16_t frag; /* IPv4: flags and offset */
	uint16_t src_port, dst_port;
};
size_t whole_udp(uint8_t *buf, const struct whole_port *to, const struct whole_udp *udp);
/* An ICMP or ICMPv6 message of this type with data_len bytes of data. */
size_t whole_icmp(uint8_t *buf, const struct whole_port *to, const char *src, const char *dst, uint8_t type,
    uint16_t ident, const void *data, size_t data_len);
/* Puts the checksum of the IPv4 header at ip right. */
void whole_fix_checksum(uint8_t *ip);

/* Where the IP header is in a frame; they check that it is there. */
struct wire_ip4 *whole_ip4(const struct whole_packet *p);
struct wire_ip6 *whole_ip6(const struct whole_packet *p);
/* Checks every checksum of a frame (IP, ICMP, UDP) by the full formula. */
void whole_check_sums(const uint8_t *ip, size_t len);

#endif
