/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of an instance, of its peers and their connections: what the parts of
 * bgp/ share. Nothing outside bgp/ and its tests includes this.
 */
#ifndef BYWAY_BGP_BGP_CORE_H
#define BYWAY_BGP_BGP_CORE_H

#include "bgp/bgp_attr.h"
#include "bgp/bgp_msg.h"
#include "bgp/bgp_open.h"
#include "bgp/bgp_policy.h"
#include "bgp/bgp_set.h"
#include "bgp/bgp_table.h"

#define BGP_CONNS     3 /* of a peer: the session, a newcomer, one still saying goodbye */
#define BGP_EVENTS    256
#define BGP_STAGE_MAX 1024 /* announcements grouped by attributes at a time */

enum bgp_conn_state {
	CONN_NONE,
	CONN_CONNECT,
	CONN_OPENSENT,
	CONN_OPENCONFIRM,
	CONN_ESTABLISHED,
	CONN_CLOSING
};

/* What a connection has to say, before any route. */
enum { BGP_DUE_OPEN = 1, BGP_DUE_KEEPALIVE = 2, BGP_DUE_NOTIFICATION = 4 };

struct bgp_conn {
	uint64_t id; /* 0: free */
	struct bgp_peer *peer;
	enum bgp_conn_state state;
	bool incoming;
	bool want_connect, want_close, want_send; /* actions not yet taken */
	uint8_t due;
	struct bgp_fault fault;					 /* with BGP_DUE_NOTIFICATION */
	uint64_t connect_until, hold_at, keepalive_at, close_at; /* BGP_NEVER: does not run */
	struct ip_endpoint local, remote;
	struct bgp_open open; /* received */
	uint8_t *rx;	      /* a message that has not come whole; BGP_MSG_MAX bytes */
	size_t rx_len;
};

/* An announcement or withdrawal that was decided but not yet written. */
struct bgp_staged {
	struct ip_prefix prefix;
	struct bgp_attrs *attrs; /* NULL: withdrawn */
};

/* One family of one peer: Adj-RIB-In and Adj-RIB-Out as sets of prefix ids. */
struct bgp_peer_rib {
	struct bgp_set in;	/* it sent a path */
	struct bgp_set stale;	/* of these, not sent anew since the session ended (RFC 4724 §4.2) */
	struct bgp_set doomed;	/* of these, to be removed unless sent anew before */
	struct bgp_set review;	/* of these, to be put through import anew */
	struct bgp_set out;	/* it was told of */
	struct bgp_set pending; /* to be looked at for it */
	bool sweeping;		/* stale ones are being removed */
	bool eor_received, eor_sent;
	bool scanned;  /* all that was pending at first has been looked at: End-of-RIB may go */
	uint32_t scan; /* pending is looked through from here */
	uint32_t accepted;
	struct bgp_staged *staged; /* n_staged of BGP_STAGE_MAX, from staged_at on; NULL while nothing is */
	size_t staged_at, n_staged;
};

struct bgp_peer {
	struct bgp *bgp;
	char name[BGP_NAME_MAX];
	uint32_t slot;
	bool removed; /* configuration is gone, routes are being swept */
	bool external, usable;
	struct bgp_peer_config config; /* defaults filled in */
	struct bgp_filter *import, *export;

	struct bgp_conn conn[BGP_CONNS];
	struct bgp_conn *session; /* the established one */
	uint64_t retry_at;	  /* next attempt to connect; BGP_NEVER */
	uint64_t established_ns;
	unsigned failures;    /* in a row */
	enum bgp_state shown; /* and since when */
	uint64_t since_ns;

	uint32_t remote_id;
	struct bgp_capabilities sent, received; /* of the last session */
	unsigned families;			/* negotiated */
	uint32_t hold_time_s;			/* negotiated */
	unsigned refresh_due;			/* families to ask for again */
	struct bgp_peer_rib rib[BGP_FAMILIES];

	bool restarting;	/* its stale routes are kept */
	uint64_t restart_until; /* it must be back (RFC 4724 §4.2); BGP_NEVER */
	uint64_t stale_until;	/* and have sent End-of-RIB; BGP_NEVER */

	bool queued;	 /* in the queue of those with actions */
	bool send_later; /* goes on sending at the next tick */
	struct bgp_peer *next_queued;

	uint32_t established;
	uint64_t msgs_in[BGP_MSG_TYPES], msgs_out[BGP_MSG_TYPES], bytes_in, bytes_out, malformed;
	uint64_t malformed_said_ns; /* last event about one */
	struct bgp_error_info error_in, error_out;
};

struct bgp_rib {
	struct bgp_table table;
	struct bgp_set decide; /* paths changed: choose anew */
	struct bgp_set dirty;  /* the list changed: tell the FIB */
	struct bgp_set active; /* there is a best path */
	uint32_t n_paths;
};

struct bgp_next_hop {
	struct ip_addr addr;
	bool usable;
	uint32_t cost;
};

struct bgp {
	struct bgp_heap heap;
	struct bgp_config config;
	uint64_t now_ns, epoch_ns;
	uint64_t random;
	struct bgp_attr_table attrs;
	struct bgp_rib rib[BGP_FAMILIES];
	struct bgp_filter *filters;

	struct bgp_peer **peers; /* by slot, with holes */
	size_t peers_cap, n_slots;
	uint32_t conn_serial;
	struct bgp_next_hop *next_hops; /* sorted by address */
	size_t n_next_hops, next_hops_cap;
	struct bgp_attrs *shown; /* the set that a listing of advertised routes last gave out */
	struct bgp_rank *ranks;	 /* scratch for one prefix's paths */
	size_t ranks_cap;

	bool deferring; /* RFC 4724 §4.1: decision waits */
	bool settled;	/* and what it waited for is decided: End-of-RIB may go */
	uint64_t defer_until;
	bool unswept;	 /* some peer has doomed paths or ones to review */
	bool send_later; /* some peer goes on sending at the next tick */

	struct bgp_peer *queue_head, *queue_tail; /* peers with actions */
	struct bgp_event events[BGP_EVENTS];
	size_t event_at, n_events;
	uint64_t events_lost;

	uint64_t refused[BGP_REASONS];
	struct bgp_attr_build parse_scratch, edit_scratch;
};

/* ------------------------------------------------------------ bgp_action.c */

/* Peer has something for bgp_action_next(). */
void bgp_action_mark(struct bgp_peer *peer);
/* Peer has bytes to send on some connection. */
void bgp_action_mark_send(struct bgp_peer *peer);
/* peer NULL: of the instance. */
void bgp_event_add(struct bgp *bgp, enum bgp_event_kind kind, const struct bgp_peer *peer, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* -------------------------------------------------------------- bgp_core.c */

/* now never goes back. */
void bgp_core_set_now(struct bgp *bgp, uint64_t now_ns);
/* ns shortened by up to a quarter, at random (RFC 4271 §10). */
uint64_t bgp_core_jitter(struct bgp *bgp, uint64_t ns);

/* -------------------------------------------------------------- bgp_peer.c */

struct bgp_peer *bgp_peer_find(const struct bgp *bgp, const char *name);
/* Frees a removed peer whose routes are swept. */
void bgp_peer_reap(struct bgp_peer *peer);
/* Frees without a word. */
void bgp_peer_destroy(struct bgp_peer *peer);

#endif
