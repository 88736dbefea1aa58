/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The BGP-4 core: the whole public interface of bgp/.
 *
 * Pure: bytes and time go in, actions come out. The core opens no socket, reads
 * no clock, starts no thread and keeps no global; memory comes from the caller's
 * allocator. The same code runs in the daemon, under cmocka, in a fuzzer and in
 * a simulator. One thread at a time per instance; several instances may live
 * side by side.
 *
 * The caller's loop:
 *
 *	socket readable    bgp_conn_input()
 *	socket connected   bgp_conn_opened()          or failed, closed: bgp_conn_closed()
 *	listener           bgp_conn_accept()
 *	deadline passed    bgp_tick()                 bgp_deadline() says when
 *	after each of them (readable sockets before bgp_tick(): what waited in them may hold a timer off)
 *	    while (bgp_action_next())  connect, close, send (bgp_conn_output()), log
 *	    while (bgp_routes_pull())  routes for the FIB
 *
 * Everything that waits is a set, not a history: a prefix that flaps a thousand
 * times before it is pulled is reported once, with its last state. Long work (a
 * peer's table falling away, a policy that changed, a full table to decide) is
 * done in slices by bgp_tick(), which never works longer than bgp_config.slice
 * units; while work waits, bgp_deadline() returns the time it was last given.
 *
 * RFC 4271 (BGP-4), 4760 (multiprotocol), 6793 (4-octet AS), 2918 (route refresh),
 * 4724 (graceful restart), 7606 (errors), 8212 (default deny), 6286 (identifier),
 * 2545 (IPv6 next hops), 7607 (AS 0), 9072 (long OPEN), 9003 (shutdown text).
 * Left out, and said so: DelayOpen and the MinRouteAdvertisementInterval of
 * RFC 4271 §8.1.1, §9.2.1.1; aggregation of routes §9.2.2.2.
 */
#ifndef BYWAY_BGP_BGP_H
#define BYWAY_BGP_BGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip.h"

struct bgp;
struct bgp_attrs; /* an interned, immutable set of path attributes */

#define BGP_NAME_MAX   64   /* of peers, filters and interfaces, with the closing zero */
#define BGP_PATHS_MAX  4    /* usable paths reported for a prefix */
#define BGP_OUTPUT_MIN 4096 /* bytes: the least room bgp_conn_output() can work with */
#define BGP_NEVER      UINT64_MAX

/* Address families carried; also indices of arrays below. */
enum bgp_family { BGP_IPV4, BGP_IPV6, BGP_FAMILIES };
#define BGP_FAMILY_BIT(f) (1u << (f))
#define BGP_FAMILY_ALL	  (BGP_FAMILY_BIT(BGP_IPV4) | BGP_FAMILY_BIT(BGP_IPV6))

/* ------------------------------------------------------------------ instance */

/*
 * One function allocates, resizes and frees, as realloc() with the old size:
 * old_size 0 (ptr NULL) allocates, new_size 0 frees and returns NULL. May fail
 * by NULL when growing; then ptr is untouched. The core survives every failure:
 * the session that needed the memory is closed with Cease/Out of Resources.
 */
struct bgp_mem {
	void *(*resize)(void *arg, void *ptr, size_t old_size, size_t new_size);
	void *arg;
};

struct bgp_config {
	struct bgp_mem mem; /* resize NULL: the C library's */
	uint32_t as;	    /* 1..4294967294 but not 23456 (RFC 6793 §9) */
	uint32_t router_id; /* host order, not 0 */
	uint64_t seed;	    /* for the jitter of timers (RFC 4271 §10) */
	uint32_t slice;	    /* most units of work (routes) in one bgp_tick(); 0: 4096 */
	/*
	 * RFC 4724 §4.1, restarting speaker: this is a restart after which the
	 * forwarding of the routes we had announced goes on. OPENs carry the R and
	 * F bits; decision and announcements wait for End-of-RIB of every peer that
	 * restarts gracefully, select_defer_ns at the longest.
	 */
	bool restarting;
	uint64_t select_defer_ns; /* 0: 15 s */
};

/* now_ns: any monotonic clock, the same for every call. ERR_NOMEM, ERR_RANGE (as), ERR_INVALID (router_id).
 */
int bgp_new(const struct bgp_config *config, uint64_t now_ns, struct bgp **out, struct err_msg *msg);
/* Frees everything at once and says nothing to anybody; bgp_shutdown() first for a clean end. */
void bgp_free(struct bgp *bgp);
/*
 * Ends every session, with a Cease/Administrative Shutdown (RFC 4486) when notify
 * is true; nothing begins anew afterwards. Without it the connections are just closed, which leaves peers
 * with graceful restart forwarding: the way to end before a restart. Pull the actions afterwards.
 */
void bgp_shutdown(struct bgp *bgp, bool notify, uint64_t now_ns);

/* Runs due timers and one slice of waiting work. True: more work waits. */
bool bgp_tick(struct bgp *bgp, uint64_t now_ns);
/* When bgp_tick() must be called; a time already past when work waits, BGP_NEVER when nothing does. */
uint64_t bgp_deadline(const struct bgp *bgp);
/* True while decision is deferred after a restart (RFC 4724 §4.1): the FIB sync must not end yet. */
bool bgp_is_deferring(const struct bgp *bgp);
/* Nothing left to decide, sweep or re-evaluate (what waits to be sent is not counted). */
bool bgp_is_idle(const struct bgp *bgp);

/* -------------------------------------------------------------------- policy */

/*
 * Matches P when P lies inside prefix and ge <= length of P <= le. 0 means not
 * given: only ge: up to the longest; only le: from the prefix's own length;
 * neither: exactly the prefix.
 */
struct bgp_prefix_range {
	struct ip_prefix prefix;
	uint8_t ge, le;
};

enum bgp_rule_action {
	BGP_RULE_NEXT, /* apply what is set and go on with the next rule */
	BGP_RULE_ACCEPT,
	BGP_RULE_REJECT,
};

struct bgp_rule {
	const struct bgp_prefix_range *ranges; /* any of them; both families may be mixed */
	size_t n_ranges;		       /* 0: every prefix */
	bool set_local_pref, set_med, set_next_hop_self;
	uint8_t
	    prepend; /* own AS that many times more, on export (RFC 4271 §5.1.2); on import the peer's AS */
	uint32_t local_pref, med;
	enum bgp_rule_action action;
};

/*
 * Adds or replaces a filter: rules in order, the first that accepts or rejects
 * decides, past the last one: rejected. The arrays are copied. Peers that use it
 * are re-evaluated in slices; a filter equal to the present one touches nothing.
 * Built in, in every direction and filter: 0.0.0.0/0, ::/0 and their halves
 * (0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1) are refused unless the rule that
 * accepts them has a range whose prefix is exactly that prefix.
 * ERR_RANGE: ge or le outside prefix length..32 or 128, or ge > le; ERR_TOOLONG: name; ERR_NOMEM.
 */
int bgp_filter_set(
    struct bgp *bgp, const char *name, const struct bgp_rule *rules, size_t n, struct err_msg *msg);
/* ERR_NOENT; ERR_BUSY: a peer uses it. */
int bgp_filter_remove(struct bgp *bgp, const char *name);

/* --------------------------------------------------------------------- peers */

/* Zero is the default of every field that says so. Strings are copied. */
struct bgp_peer_config {
	struct ip_addr address;	      /* the neighbour */
	struct ip_addr local;	      /* source of connections; IP_NONE: the system's choice */
	char interface[BGP_NAME_MAX]; /* opaque, handed back with actions and paths; needed with a link-local
					 address */
	uint32_t as;		      /* remote; equal to ours: iBGP */
	uint32_t local_as;	      /* 0: bgp_config.as */
	unsigned families;	      /* BGP_FAMILY_BIT()s; 0: all */
	uint32_t hold_time_s;	      /* 0: 90; else 3..65535 (RFC 4271 §4.2) */
	bool no_hold;		      /* propose hold time 0: no keepalives */
	uint64_t connect_retry_ns;    /* 0: 5 s, jittered; doubles up to 16-fold while errors repeat */
	bool passive;		      /* never connect, only accept */
	bool disabled;		      /* administratively down; the peer stays known */
	char import_filter[BGP_NAME_MAX]; /* "": eBGP refuses all (RFC 8212), iBGP accepts all */
	char export_filter[BGP_NAME_MAX]; /* likewise */
	bool next_hop_self;		  /* towards iBGP; eBGP always does (RFC 4271 §5.1.3) */
	bool foreign_first_as; /* eBGP: accept paths whose first AS is not the peer's (route servers) */
	/* What "self" is in each family; IP_NONE: the session's own address when it is of that family. */
	struct ip_addr next_hop[BGP_FAMILIES];
	struct ip_addr link_local; /* announced beside a global IPv6 next hop (RFC 2545 §3); IP_NONE: none */
	uint32_t max_prefixes;	   /* per family; over it: Cease/1 (RFC 4486); 0: no limit */
	bool no_graceful_restart;  /* neither announced nor honoured */
	uint16_t restart_time_s;   /* announced, 1..4095 (RFC 4724 §3); 0: 120 */
	uint32_t stale_time_s;	   /* keep a restarted peer's stale routes at most so long; 0: 360 */
};

/*
 * Adds a peer or changes one. What did not change is not touched: new filters,
 * next-hop-self and limits apply to the running session (re-evaluated in slices);
 * changed addresses, AS, families, hold time, graceful restart reset it (Cease/6).
 * name: unique, shorter than BGP_NAME_MAX. An unchanged configuration does nothing.
 * ERR_INVALID (address, name), ERR_RANGE (as, times), ERR_EXISTS (address belongs to
 * another peer), ERR_NOENT (no such filter), ERR_NOMEM; nothing is changed then.
 */
int bgp_peer_set(struct bgp *bgp, const char *name, const struct bgp_peer_config *config, uint64_t now_ns,
    struct err_msg *msg);
/* Ends the session (Cease/3), withdraws its routes in slices. ERR_NOENT. */
int bgp_peer_remove(struct bgp *bgp, const char *name, uint64_t now_ns);
/* Resets the session (Cease/4) and connects anew. ERR_NOENT. */
int bgp_peer_reset(struct bgp *bgp, const char *name, uint64_t now_ns);
/* Asks the peer for all its routes again (RFC 2918). ERR_NOENT, ERR_UNSUPPORTED, ERR_AGAIN (not established).
 */
int bgp_peer_refresh(struct bgp *bgp, const char *name, uint64_t now_ns);
/*
 * Whether packets can reach this peer, as the caller's faster eye sees it (tunnel
 * or line). While false, no path learned from it is usable; the session itself is
 * untouched. Initially true. ERR_NOENT.
 */
int bgp_peer_set_usable(struct bgp *bgp, const char *name, bool usable);
/*
 * Resolution of a next-hop address (iBGP): usable or not, and the interior cost
 * for RFC 4271 §9.1.2.2 e). Unknown addresses are usable at cost 0. ERR_NOMEM.
 */
int bgp_next_hop_set(struct bgp *bgp, const struct ip_addr *next_hop, bool usable, uint32_t cost);

/* --------------------------------------------------------------- connections */

/*
 * A connection is named by a 64-bit id, never 0 and never used twice. It begins
 * with BGP_ACTION_CONNECT or bgp_conn_accept() and ends with BGP_ACTION_CLOSE or
 * bgp_conn_closed(), whichever is first; later calls with its id are ignored.
 */

/*
 * A connection arrived. interface: where from, NULL or "" if unknown (told apart only
 * for link-local addresses). ERR_NOENT: no peer has this address; ERR_PERM: the peer is
 * disabled; ERR_BUSY: it has another connection under way. On error the caller closes it.
 */
int bgp_conn_accept(struct bgp *bgp, const struct ip_endpoint *local, const struct ip_endpoint *remote,
    const char *interface, uint64_t now_ns, uint64_t *conn);
/* The connection asked for by BGP_ACTION_CONNECT stands. */
void bgp_conn_opened(struct bgp *bgp, uint64_t conn, const struct ip_endpoint *local,
    const struct ip_endpoint *remote, uint64_t now_ns);
/* It failed, broke, or the other side closed it; why: for people, e.g. strerror(), may be NULL. */
void bgp_conn_closed(struct bgp *bgp, uint64_t conn, const char *why, uint64_t now_ns);
/* Bytes received, any number; all are taken. Cost grows with len: give at most some 64 KiB a call. */
void bgp_conn_input(struct bgp *bgp, uint64_t conn, const void *data, size_t len, uint64_t now_ns);
/*
 * Writes whole messages to out, which has room for at least BGP_OUTPUT_MIN bytes,
 * and returns how many bytes; 0: nothing now (BGP_ACTION_SEND will come again).
 * Routes are turned into messages here, so a peer that does not read costs nothing
 * but the set of what it has not been told. Keepalives go before routes.
 */
size_t bgp_conn_output(struct bgp *bgp, uint64_t conn, void *out, size_t room, uint64_t now_ns);

/* ------------------------------------------------------------------- actions */

enum bgp_action_kind {
	BGP_ACTION_CONNECT, /* open a TCP connection from local (if any, through interface) to remote */
	BGP_ACTION_CLOSE,   /* close it; comes after what had to be said was pulled */
	BGP_ACTION_SEND,  /* bgp_conn_output() has something; pull until it returns 0, or as the socket allows
			   */
	BGP_ACTION_EVENT, /* something to log or to react to */
};

enum bgp_event_kind {
	BGP_EVENT_UP,	     /* session established */
	BGP_EVENT_DOWN,	     /* it ended; text says why */
	BGP_EVENT_ERROR,     /* a connection or message error short of that */
	BGP_EVENT_LIMIT,     /* max_prefixes exceeded */
	BGP_EVENT_RESTART,   /* peer's graceful restart: begun, ended, timed out; or our own deferral ended
				(peer "") */
	BGP_EVENT_MALFORMED, /* RFC 7606: withdrawn or attribute discarded, session kept */
};

struct bgp_event {
	enum bgp_event_kind kind;
	char peer[BGP_NAME_MAX];
	char text[200];
};

struct bgp_action {
	enum bgp_action_kind kind;
	uint64_t conn;		      /* CONNECT, CLOSE, SEND */
	struct ip_addr local, remote; /* CONNECT */
	char interface[BGP_NAME_MAX]; /* CONNECT */
	char peer[BGP_NAME_MAX];      /* CONNECT, CLOSE, SEND */
	struct bgp_event event;	      /* EVENT */
};

/*
 * The next thing to do; false: nothing. Connect, close and send are never lost;
 * of events the last 256 are kept (an overrun is said in the next one).
 */
bool bgp_action_next(struct bgp *bgp, struct bgp_action *out);

/* -------------------------------------------------------------------- routes */

/*
 * A route of our own to announce (networks, connected, static). Several sources may
 * name the same prefix: it is announced until each has removed it.
 */
enum bgp_source { BGP_SOURCE_NETWORK, BGP_SOURCE_CONNECTED, BGP_SOURCE_STATIC, BGP_SOURCES };

/* Idempotent. ERR_INVALID (host bits, family), ERR_NOMEM. */
int bgp_local_add(struct bgp *bgp, const struct ip_prefix *prefix, enum bgp_source source);
/* ERR_NOENT. */
int bgp_local_remove(struct bgp *bgp, const struct ip_prefix *prefix, enum bgp_source source);

/* One usable path; pointers are valid until the next call into the core. */
struct bgp_route_path {
	const char *peer;      /* name */
	const char *interface; /* of the peer, "" if not configured */
	struct ip_addr peer_address;
	struct ip_addr next_hop;   /* as accepted: global, or link-local when there is no other */
	struct ip_addr link_local; /* IP_NONE if none came */
	bool external;		   /* learned over eBGP */
	bool stale;		   /* kept from before the peer's restart (RFC 4724 §4.2) */
	const struct bgp_attrs *attrs;
};

/*
 * The usable paths of a prefix, best first, with distinct (interface, next hop), at
 * most BGP_PATHS_MAX. n_paths 0: BGP has nothing for the FIB, be it that the
 * prefix is gone or that our own route won (local).
 */
struct bgp_route_change {
	struct ip_prefix prefix;
	bool local;
	unsigned n_paths;
	struct bgp_route_path paths[BGP_PATHS_MAX];
};

/* Fills up to max changed prefixes and returns how many; 0: none waits. Each is reported once. */
size_t bgp_routes_pull(struct bgp *bgp, struct bgp_route_change *out, size_t max);
/* Marks every prefix changed, for a caller that lost its state (resync). Gone prefixes are not reported. */
void bgp_routes_repeat(struct bgp *bgp);

/* ---------------------------------------------------------------- attributes */

enum bgp_origin { BGP_ORIGIN_IGP, BGP_ORIGIN_EGP, BGP_ORIGIN_INCOMPLETE };

struct bgp_attrs_info {
	enum bgp_origin origin;
	bool has_med, has_local_pref, atomic_aggregate;
	uint32_t med, local_pref;
	unsigned path_len;		 /* as counted by the decision: a set is one (RFC 4271 §9.1.2.2 a) */
	uint32_t neighbor_as, origin_as; /* first and last of the path; 0: none, or a set */
	struct ip_addr next_hop, link_local;
};

void bgp_attrs_get_info(const struct bgp_attrs *attrs, struct bgp_attrs_info *out);
/* "65001 65002 {65003 65004}"; cut with "..." where it does not fit. Returns buf. */
const char *bgp_attrs_format_path(const struct bgp_attrs *attrs, char *buf, size_t len);
/* Standard "65001:100", large "1:2:3", extended "0x0002fde80000000a"; separated by blanks. Returns buf. */
const char *bgp_attrs_format_communities(const struct bgp_attrs *attrs, char *buf, size_t len);

/* ------------------------------------------------------------------- queries */

enum bgp_state { BGP_IDLE, BGP_CONNECT, BGP_ACTIVE, BGP_OPENSENT, BGP_OPENCONFIRM, BGP_ESTABLISHED };
const char *bgp_state_text(enum bgp_state state); /* "Idle" ... as RFC 4271 §8.2.2 names them */

/* By BGP message type 1..5 (RFC 4271 §4.1, 2918); [0] counts all. */
#define BGP_MSG_TYPES 6
const char *bgp_msg_text(unsigned type);

struct bgp_error_info {
	bool there;
	uint8_t code, subcode; /* of the NOTIFICATION; 0: it was something else (text) */
	uint64_t at_ns;
	char text[160]; /* printable UTF-8 */
};

struct bgp_capabilities {
	unsigned families; /* multiprotocol */
	bool as4, refresh, graceful_restart;
	uint32_t as;
	uint16_t hold_time_s;
	bool restart_state; /* R bit */
	uint16_t restart_time_s;
	unsigned restart_families, forwarding; /* listed; and with the F bit */
};

struct bgp_family_info {
	bool negotiated;
	uint32_t received; /* in Adj-RIB-In */
	uint32_t accepted; /* of these, through the import policy */
	uint32_t filtered; /* received minus accepted */
	uint32_t stale;
	uint32_t sent;	 /* announced and not withdrawn */
	uint32_t unsent; /* waiting to be looked at for this peer */
	bool eor_received, eor_sent;
};

struct bgp_peer_info {
	char name[BGP_NAME_MAX];
	struct bgp_peer_config config;
	enum bgp_state state;
	bool external, usable;
	bool restarting;   /* we keep its stale routes */
	uint64_t since_ns; /* the clock at the last change of state */
	uint64_t retry_in_ns, hold_left_ns, keepalive_in_ns, restart_left_ns; /* 0: does not run */
	uint32_t remote_id;						      /* host order; 0 before OPEN */
	struct ip_endpoint local, remote; /* of the session's connection */
	uint32_t established;		  /* times */
	uint64_t in[BGP_MSG_TYPES], out[BGP_MSG_TYPES];
	uint64_t bytes_in, bytes_out;
	uint64_t malformed; /* UPDATEs treated as withdraw or with an attribute discarded */
	struct bgp_error_info error_in, error_out; /* last one received; last one found or sent by us */
	struct bgp_capabilities sent, received;
	uint32_t hold_time_s; /* negotiated */
	struct bgp_family_info family[BGP_FAMILIES];
};

/* ERR_NOENT. */
int bgp_peer_get_info(const struct bgp *bgp, const char *name, uint64_t now_ns, struct bgp_peer_info *out);
/* The name after `after` in alphabetical order, the first when NULL or ""; NULL at the end. Valid until the
 * peer goes. */
const char *bgp_peer_next_name(const struct bgp *bgp, const char *after);

/* Why a path is not used. Steps are those of RFC 4271 §9.1.2.2. */
enum bgp_reason {
	BGP_REASON_BEST,	  /* it is used, first */
	BGP_REASON_BACKUP,	  /* usable; lost at `step` against `versus` */
	BGP_REASON_DUPLICATE,	  /* usable, but its next hop is already in the list */
	BGP_REASON_AS_LOOP,	  /* own AS in the path, §9.1.2 */
	BGP_REASON_NEXT_HOP_OURS, /* §5.1.3 */
	BGP_REASON_NEXT_HOP_DOWN, /* §9.1.2.1; the peer is not usable or the address does not resolve */
	BGP_REASON_MARTIAN,	  /* a multicast, loopback or link-local prefix, §6.3 */
	BGP_REASON_DEFAULT_ROUTE, /* default or a half, not named by the rule */
	BGP_REASON_NO_POLICY,	  /* RFC 8212 */
	BGP_REASON_FILTERED,	  /* by `rule` of `filter` */
	BGP_REASON_FILTER_END,	  /* no rule of `filter` matched */
	BGP_REASON_DEFERRED,	  /* decision waits after our restart, RFC 4724 §4.1 */
	BGP_REASON_PENDING,	  /* not decided yet */
	BGP_REASONS,
};

enum bgp_step {
	BGP_STEP_NONE,
	BGP_STEP_LOCAL,	     /* our own route comes before all learned ones */
	BGP_STEP_LOCAL_PREF, /* §9.1.1, the degree of preference */
	BGP_STEP_PATH_LEN,   /* §9.1.2.2 a */
	BGP_STEP_ORIGIN,     /* b */
	BGP_STEP_MED,	     /* c, among paths of the same neighbouring AS */
	BGP_STEP_EXTERNAL,   /* d, eBGP before iBGP */
	BGP_STEP_COST,	     /* e, interior cost to the next hop */
	BGP_STEP_ROUTER_ID,  /* f, lowest BGP identifier */
	BGP_STEP_ADDRESS,    /* g, lowest peer address */
	BGP_STEPS,
};
const char *bgp_reason_text(enum bgp_reason reason);
const char *bgp_step_text(enum bgp_step step); /* with its clause */

enum bgp_match {
	BGP_MATCH_ALL,
	BGP_MATCH_EXACT,
	BGP_MATCH_LONGER,   /* inside prefix, itself too */
	BGP_MATCH_COVERING, /* prefix lies inside, itself too */
};

/* peer: only what it sent (filtered routes too) or, with advertised, only what it was told; NULL or "": all.
 */
struct bgp_route_query {
	enum bgp_match match;
	struct ip_prefix prefix; /* its family chooses the table; BGP_MATCH_ALL: family alone counts */
	const char *peer;
	bool advertised;
};

/* Where a listing stands; zero it to begin. Holds no pointer: the table may change between calls. */
struct bgp_route_cursor {
	bool started;
	struct ip_prefix at;
	unsigned path;
};

struct bgp_path_info {
	struct ip_prefix prefix;
	const char *peer; /* "" for our own route */
	const char *interface;
	bool local, external, stale, active; /* active: in the list given to the FIB (or our own best) */
	unsigned rank;			     /* 0: best; meaning only while active */
	enum bgp_reason reason;
	enum bgp_step step; /* BACKUP: where it lost; BEST: which step decided against the second */
	const char *versus; /* the peer it lost against or won against; "" for our own route, NULL: nobody */
	const char *filter; /* FILTERED, FILTER_END: name */
	unsigned rule;	    /* FILTERED: 1 is the first */
	uint64_t since_ns;  /* clock when it was received (in whole seconds) */
	const struct bgp_attrs
	    *attrs; /* after import policy; as received where it was refused; as sent with advertised */
};

/* The next path in order of prefix, best first within one; false at the end. Pointers as for bgp_route_path.
 */
bool bgp_route_next(struct bgp *bgp, const struct bgp_route_query *query, struct bgp_route_cursor *cursor,
    struct bgp_path_info *out);

/* Figures of the whole instance. A refused path stays in Adj-RIB-In; bgp_route_next() lists it with its
 * reason. */
struct bgp_totals {
	uint32_t prefixes[BGP_FAMILIES]; /* with at least one path */
	uint32_t paths[BGP_FAMILIES];
	uint32_t attr_sets;
	uint64_t refused[BGP_REASONS]; /* paths now in Adj-RIB-In, by the reason of their refusal by import
					  checks */
	size_t memory;		       /* bytes taken from the allocator */
};

void bgp_get_totals(const struct bgp *bgp, struct bgp_totals *out);

#endif
