/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor thread: polls links, sends and judges probes of lines and of tunnel peers with
 * lib/line, decides which line is active, and is the sole writer of next-hop groups
 * (group_forward, iface.up). It never waits for the slow thread; the slow thread's calls below
 * are executed by it and return when done.
 */
#ifndef BYWAY_DATAPLANE_MONITOR_H
#define BYWAY_DATAPLANE_MONITOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/nexthop.h"
#include "lib/fibmsg.h"

struct monitor_member {
	struct nexthop *nh;
	uint16_t weight;
};

/* Slow thread, once: starts and stops the thread. In tests without threads calls run inline and
 * monitor_run_once(now) drives it. ERR_NOMEM, ERR_IO. */
int monitor_start(bool threaded);
void monitor_stop(void);
/* One pass with this time; returns the next deadline (ns). The thread's loop and the tests call it. */
uint64_t monitor_run_once(uint64_t now_ns);

/* Slow thread, executed by the monitor thread before they return. */
/* Makes or changes the group at a dense index, publishes what serves. ERR_NOMEM, ERR_RANGE. */
int monitor_group_set(uint32_t index, uint32_t id, uint8_t mode, const struct monitor_member *m, unsigned n);
void monitor_group_del(uint32_t index);
/* A next hop was replaced by another object (same id): groups that name it change over. */
void monitor_nexthop_replace(struct nexthop *old_nh, struct nexthop *new_nh);
int monitor_line_set(const struct fibmsg_line *line, uint16_t iface);
void monitor_line_del(const char *port);
/* bound_line "": the tunnel follows the active line; fallback: it does while its own is down. */
int monitor_peer_set(const struct fibmsg_peer *peer, uint16_t iface, uint16_t peer_index,
    const char *bound_line, bool fallback);
void monitor_peer_del(uint16_t peer_index);
/* Neighbours and links as the slow thread and ports see them. */
void monitor_link_set(uint16_t iface, bool up);

/* Workers -> monitor thread: echo replies that carry our identifier and begin with MONITOR_MAGIC
 * (PKT_PROBE_REPLY, data at the IP header, meta.in, meta.l4_off set). Made by monitor_start. */
#define MONITOR_MAGIC 0x62797770u /* first 4 bytes of a probe's data, big-endian: "bywp" */
extern struct rte_ring *monitor_ring;
extern int monitor_wake_fd;
extern _Atomic bool
    monitor_asleep;	      /* set by the monitor thread before it waits, read by workers (both seq_cst) */
uint16_t monitor_ident(void); /* ICMP identifier of all probes, host order; constant after monitor_start */

/* Any thread: name of the active line ("" when there is none) and whether a line is alive; lock-free
 * snapshots. */
uint16_t monitor_active_line(void); /* interface index, 0: none */
bool monitor_line_alive(uint16_t iface);
bool monitor_peer_usable(uint16_t peer_index);

/* Slow thread: verdict events since the last call (for control, the log and tunnels); false: no more. */
struct monitor_event {
	uint64_t when_ns;
	bool is_line;
	uint16_t iface, peer_index;
	uint8_t verdict; /* enum fibmsg_verdict */
	bool usable;
	uint32_t groups_moved, took_us;
	char object[FIBMSG_LABEL];
	char reason[FIBMSG_TEXT];
};
bool monitor_next_event(struct monitor_event *out);
int monitor_event_fd(void); /* readable when events wait */

/* Queries, slow thread (snapshots made by the monitor thread). ERR_NOENT past the end. */
int monitor_line_row(unsigned index, struct fibmsg_row_line *row);
int monitor_peer_verdict(
    uint16_t peer_index, struct fibmsg_row_peer *row); /* fills verdict, since, rtt, loss, reason */
int monitor_group_row(uint32_t index, struct fibmsg_row_group *row);
int monitor_event_row(unsigned index, struct fibmsg_row_event *row); /* newest first, the last 128 */

#endif
