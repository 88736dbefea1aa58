/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the monitor thread share. Everything here runs on the monitor thread (or, in
 * tests without threads, on the one thread there is) unless it says otherwise.
 *
 *   monitor.c         the thread, calls of the slow thread
 *   monitor_link.c    links of ports
 *   monitor_line.c    lines: probes, verdicts, the active line
 *   monitor_peer.c    tunnel peers, likewise
 *   monitor_probe.c   echo requests out, replies in
 *   monitor_group.c   next-hop groups: what serves now
 *   monitor_event.c   verdict events for the slow thread, and their history
 */
#ifndef BYWAY_DATAPLANE_MONITOR_INTERNAL_H
#define BYWAY_DATAPLANE_MONITOR_INTERNAL_H

#include "dataplane/monitor.h"
#include "dataplane/monitor_wire.h"
#include "lib/line.h"

#define MONITOR_LINES 64
#define MONITOR_PEERS 65536

/* How good a way is; a group takes the best of its members, the first among equals. */
enum monitor_rank {
	RANK_UP,
	RANK_UNKNOWN,	/* no verdict yet: as good as up when there is nothing better */
	RANK_RETURNING, /* answers again, its hold-down is not served: only when nothing else is left */
	RANK_SILENT,	/* probes say dead, the link is up: better than nothing for a line */
	RANK_DEAD,
};

struct monitor_line {
	uint16_t slot, iface;
	struct fibmsg_line config;
	struct line line;
	struct ip_addr targets[LINE_TARGETS]; /* those with a way, as line.params has them */
	struct neigh *via[LINE_TARGETS];      /* the slow thread holds them while they are here */
	enum monitor_rank rank;
	bool active, told_active; /* told_: as the last event had it */
	bool fresh;		  /* no event yet */
	struct line_event event;  /* waits to be told when event_waits */
	bool event_waits;
};

struct monitor_peer {
	uint16_t index, iface;
	bool probed;
	struct ip_addr target;
	char tunnel[FIBMSG_NAME], name[FIBMSG_LABEL], bound[FIBMSG_NAME];
	bool fallback;	  /* bound, but the active line carries it while its own is down */
	struct line line; /* when probed */
	enum monitor_rank rank;
	enum line_verdict told_verdict;
	bool told_usable, fresh;
};

extern struct monitor_line *monitor_lines[MONITOR_LINES];
extern struct monitor_peer *monitor_peers[MONITOR_PEERS];
extern unsigned monitor_peers_end; /* no peer at or after it */

/* monitor.c */
/* Any rank changed: lines, peers and groups are looked at again at the end of the pass. */
void monitor_set_dirty(void);
/* Runs fn(arg) on the monitor thread and returns when it is done. Slow thread. */
void monitor_call(void (*fn)(void *arg), void *arg);
/* Time of the current pass. */
uint64_t monitor_now_ns(void);

/* monitor_link.c */
void monitor_links_start(void); /* without netlink it does, too, but polls more often */
void monitor_links_stop(void);	/* netlink alone */
void monitor_links_clear(void);
int monitor_links_fd(void); /* readable: the kernel tells of a link; -1: none */
void monitor_links_run(uint64_t now_ns);
uint64_t monitor_links_deadline(void);
void monitor_links_poll_soon(void); /* all of them in the next pass */
bool monitor_is_link_up(uint16_t iface);
void monitor_set_link(uint16_t iface, bool up);
void monitor_look_at_link(uint16_t iface); /* now, not at the next poll */

/* monitor_line.c */
void monitor_lines_run(uint64_t now_ns);
uint64_t monitor_lines_deadline(void);
void monitor_lines_link(uint16_t iface, bool up, uint64_t now_ns);
/* Ranks, the active line, snapshots for other threads. */
void monitor_lines_judge(void);
enum monitor_rank monitor_rank_of_machine(const struct line *l);
/* A port's line, or without one its link; a tunnel's best peer; the host is always there. */
enum monitor_rank monitor_rank_of_iface(uint16_t iface);
/* Of the line that a tunnel is bound to; "": of the active one. */
enum monitor_rank monitor_rank_of_bound(const char *line);
void monitor_lines_tell(uint32_t groups_moved, uint32_t took_us);
void monitor_lines_clear(void);

/* monitor_peer.c */
void monitor_peers_run(uint64_t now_ns);
uint64_t monitor_peers_deadline(void);
void monitor_peers_judge(void);
enum monitor_rank monitor_rank_of_peer(uint16_t index);
enum monitor_rank monitor_rank_of_tunnel(uint16_t iface); /* its best peer */
void monitor_peers_tell(uint32_t groups_moved, uint32_t took_us);
void monitor_peers_clear(void);

/* monitor_probe.c */
int monitor_probe_start(void); /* identifier and cookie. ERR_IO */
void monitor_probe_line(const struct monitor_line *l, uint16_t seq);
void monitor_probe_peer(const struct monitor_peer *p, uint16_t seq);
/* A reply of the workers' ring to the machine that waits for it. Consumes it. */
void monitor_probe_receive(struct rte_mbuf *pkt, uint64_t now_ns);

/* monitor_group.c */
unsigned monitor_groups_judge(void); /* how many groups changed what they forward to */
void monitor_groups_clear(void);

/* monitor_event.c */
int monitor_event_start(void); /* ERR_IO */
void monitor_event_stop(void);
/* False: no room, tell it again later. */
bool monitor_event_add(const struct monitor_event *e);

#endif
