/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the tunnel share: tunnels, peers, keypairs, the way to a peer. The slow thread
 * makes and changes them; workers read under RCU what is marked so.
 *
 *   tunnel.c            tunnels as control sets them
 *   tunnel_peer.c       their peers and allowed-IPs       tunnel_row.c     both as rows of queries
 *   tunnel_table.c      peers by index, tunnels by UDP port, receiver indices; keypairs' life
 *   tunnel_encap.c      stage: inner packets out          tunnel_decap.c   stage: messages in
 *   tunnel_outer.c      outer headers, both threads       tunnel_inner.c   ECN and MSS of the inner packet
 *   tunnel_pmtu.c       the path's MTU, both threads      tunnel_fit.c     what is larger than that
 *   tunnel_leave.c      allowed-IPs of peers that are gone
 *   tunnel_share.c      opening by several workers
 *   tunnel_group.c      a burst by peer or session        express_encap.c, express_decap.c   the short way
 *   tunnel_path.c       which line, address and endpoint  tunnel_handshake.c   messages 1-3
 *   tunnel_queue.c      packets that wait for a session   tunnel_handover.c    sessions over a planned restart
 *   tunnel_timer.c      what is due                       tunnel_state.c   what survives a restart
 *   tunnel_key_file.c   keys on disk                      tunnel_key_store.c   those that `wg set` brought
 *   uapi.c              sockets for stock `wg`            uapi_set.c       what `wg set` asks for
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_PEER_H
#define BYWAY_DATAPLANE_TUNNEL_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/iface.h"
#include "dataplane/rcu.h"
#include "dataplane/tunnel.h"
#include "lib/lpm4.h"
#include "lib/lpm6.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "lib/wg_replay.h"
#include "lib/wg_timers.h"
#include "lib/wg_uapi.h"

#define TUNNEL_PEERS	   4096u
#define TUNNEL_INDICES	   (4 * TUNNEL_PEERS) /* three keypairs and a handshake each */
#define TUNNEL_WAITING	   128u		      /* packets that wait for a session, each peer */
#define TUNNEL_WAITING_ALL 2048u	      /* and all peers together: buffers that the lines would lack */
#define TUNNEL_MTU_MIN	   576u

#define TUNNEL_UNLIMITED UINT16_MAX
#define TUNNEL_OVERHEAD4 60u /* outer IPv4 20, UDP 8, message header 16, tag 16 */
#define TUNNEL_OVERHEAD6 80u /* the same with IPv6 */

/* Transport keys of one session. Constant but for the counters once it is published. */
struct tunnel_keypair {
	/* Next message number: workers add once a burst (relaxed: only uniqueness counts). */
	_Alignas(64) _Atomic uint64_t send_counter;
	/* When the owner last told the slow thread that the peer uses it (relaxed, one writer). */
	_Alignas(64) _Atomic uint64_t confirm_told_ns;
	struct wg_replay replay; /* of the owning worker alone */
	uint8_t sending[CRYPTO_KEY_LEN], receiving[CRYPTO_KEY_LEN];
	uint32_t local_index, remote_index;
	uint64_t birth_ns;
	uint16_t peer; /* index */
	/* Of its tunnel: messages for it come there alone. Slow thread stores when that moves, workers load;
	 * relaxed: one that is early or late is lost like any other packet. */
	_Atomic uint16_t port;
	unsigned owner; /* id of the worker that owns `replay` */
	bool initiator;
	/* The peer has shown that it has the keys. Slow thread stores (release), workers load (relaxed: a
	 * hint). */
	_Atomic bool confirmed;
};

/* The way to a peer, replaced whole (RCU). */
struct tunnel_path {
	struct ip_endpoint remote;
	struct ip_addr local; /* our address; the family of remote */
	uint16_t line;	      /* interface index */
	uint32_t table;	      /* in which outer packets are looked up */
	bool line_fixed;      /* the line is ours to choose: where the peer was heard does not change it */
	bool dont_fragment;   /* IPv4: what fits `mtu` may not be cut on the way */
	uint16_t mtu;	      /* of outer packets: the line's, or the path's where that is known to be less */
	uint16_t inner_mtu;   /* of inner packets that go whole; TUNNEL_UNLIMITED: others are cut outside */
};

/* Written by workers as packets pass, read by the slow thread's timers; relaxed: times, no data hang on them.
 */
struct tunnel_marks {
	_Alignas(64) _Atomic uint64_t last_tx_ns, unanswered_tx_ns;
	_Alignas(64) _Atomic uint64_t last_rx_ns, unanswered_rx_ns;
};

struct tunnel_peer {
	struct tunnel_marks marks;
	_Atomic uint64_t tx_bytes, rx_bytes; /* of WireGuard messages, both threads add (relaxed) */
	_Atomic uint64_t told_ns; /* when a worker last sent a PKT_TUNNEL_EVENT about it (relaxed) */
	_Atomic unsigned
	    queued; /* n_queue as workers see it: slow thread stores, workers load, relaxed: a hint */
	struct tunnel_keypair *current; /* RCU: seals; NULL: there is none */
	struct tunnel_path *path;	/* RCU: NULL while no endpoint or no line is known */
	struct tunnel *tunnel;
	uint16_t index, iface;
	_Atomic bool any; /* takes and gives any inner address */

	/* Slow thread only, from here on. */
	uint16_t heard_by; /* the worker that took its last handshake message in, by id + 1; 0: none */
	struct tunnel_peer *hash_next; /* of tunnel_table.c */
	struct tunnel_keypair *previous, *next;
	struct wg_noise_peer noise;
	struct wg_noise_handshake handshake; /* ours, as initiator */
	struct wg_cookie_maker cookies;
	struct wg_timers timers;
	struct ip_endpoint configured; /* family 0: none */
	struct ip_endpoint learned;    /* where it was heard last, also before a restart; family 0: never */
	struct ip_endpoint remote;     /* one of both: where we send; family 0: not known */
	char line[FIBMSG_NAME];	       /* on which it was heard last */
	struct rte_mbuf *queue[TUNNEL_WAITING]; /* a ring, oldest at queue_at */
	unsigned n_queue, queue_at;
	struct ip_prefix *allowed; /* as in the tunnel's tables */
	size_t n_allowed, allowed_room;
	size_t forget_at;     /* where the last one was forgotten: the next one to go is often beside it */
	unsigned attempts;    /* initiations without an answer */
	bool without_path;    /* the last one had nowhere to go */
	uint64_t deadline_ns; /* of its timers */
	uint64_t initiation_in_ns;			 /* the last one accepted */
	uint64_t handshake_ns, handshake_realtime_ns;	 /* the last one finished; 0: never */
	uint8_t stored_timestamp[WG_WIRE_TIMESTAMP_LEN]; /* sent mark as it stands on disk, ahead of what was
							    sent */
	char name[FIBMSG_LABEL];
	uint16_t path_mtu;	    /* of the way to `remote`, told by a router; 0: none has */
	uint64_t path_mtu_until_ns; /* then it is forgotten */
};

struct tunnel {
	struct iface *iface;
	_Atomic uint16_t port; /* UDP, host order; slow thread stores, workers load, relaxed */
	_Atomic bool mss_clamp;
	_Atomic bool cut_inner; /* fragment: inner. Slow thread stores, workers load; relaxed: a setting */
	/* Several peers, and lists of allowed-IPs: these go before the peer that a route names. Slow thread
	 * stores, workers load, relaxed. */
	_Atomic bool by_lists;
	_Atomic uint16_t only_peer; /* index of the only peer, TUNNEL_PEER_NONE: none or several */
	struct lpm4 *allowed4;	    /* values: peer index + 1 */
	struct lpm6 *allowed6;
	const uint8_t *mac1_key; /* of `cookies`, for workers: RCU, replaced with the identity */

	/* Slow thread only, from here on. */
	struct fibmsg_tunnel config;
	struct uapi *uapi; /* NULL: no socket */
	struct wg_noise_identity identity;
	struct wg_cookie_checker cookies;
	unsigned n_peers;
	size_t n_allowed; /* of all its peers */
	bool keyless;	  /* `wg set` took its private key away: the identity is one that nobody knows */
};

/* Where a message came from. */
struct tunnel_source {
	struct ip_endpoint remote;
	struct ip_addr local;
	uint16_t port; /* of ours */
	uint16_t line;
};

/* PKT_TUNNEL_EVENT: the mbuf's data. */
#define TUNNEL_EVENT_CONFIRMED 0x01u /* data came under the keypair `receiver` for the first time */
#define TUNNEL_EVENT_ROAMED    0x02u /* authenticated data came `from` there */
#define TUNNEL_EVENT_STALE     0x04u /* the keys are old enough for new ones */
struct tunnel_event {
	uint32_t what;
	uint32_t receiver;
	struct tunnel_source from;
	uint16_t peer;
};

/* tunnel_table.c */
/* RCU read side or slow thread; NULL when there is none. */
struct tunnel_peer *tunnel_peer_by_index(uint16_t index);
struct tunnel_keypair *tunnel_keypair_by_receiver(uint32_t receiver);
/* Workers: fetch what tunnel_keypair_by_receiver will read, first the one, after a while the other. */
void tunnel_table_fetch_slot(uint32_t receiver);
void tunnel_table_fetch_keypair(uint32_t receiver);
/* Slow thread. */
void tunnel_table_set_port(uint16_t udp_port, uint16_t iface); /* 0: none listens */
int tunnel_table_add_peer(struct tunnel_peer *p);	       /* gives it an index. ERR_FULL */
void tunnel_table_del_peer(struct tunnel_peer *p);
struct tunnel_peer *tunnel_table_find_peer(const struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN]);
/* A receiver index that is free, reserved for a peer's handshake; 0: none is. Index 0 is never used. */
uint32_t tunnel_table_reserve(struct tunnel_peer *p);
void tunnel_table_release(uint32_t receiver); /* 0: nothing */
struct tunnel_peer *tunnel_table_reserved_by(uint32_t receiver);
/* This very index, of a session that goes on. False: it is taken. */
bool tunnel_table_reserve_exactly(struct tunnel_peer *p, uint32_t receiver);
/* The session of a finished handshake takes over its reserved index. NULL when memory is short; keys are
 * wiped. */
struct tunnel_keypair *tunnel_keypair_publish(
    struct tunnel_peer *p, struct wg_noise_keys *keys, uint64_t now_ns);
/* The two halves of it, for a session that goes on: made, its counters are set, then workers find it. */
struct tunnel_keypair *tunnel_keypair_make(
    struct tunnel_peer *p, struct wg_noise_keys *keys, uint64_t birth_ns);
void tunnel_keypair_show(struct tunnel_keypair *kp);
/* Workers find it no more; after a grace period it rests. NULL: nothing. */
void tunnel_keypair_hide(struct tunnel_keypair *kp);
/* Unpublishes and, a grace period later, wipes and frees. NULL: nothing. */
void tunnel_keypair_retire(struct tunnel_keypair *kp);

/* Worker: tells the slow thread (tunnel_decap.c). What caused it lasts, so that a lost one is told again. */
void tunnel_tell(struct worker *w, struct tunnel_peer *p, const struct tunnel_event *event);

/* Worker (tunnel_encap.c): keys are old, said at most each 10 ms about one peer; and what the timers want to
 * know of messages sent (§6): bytes of them, and whether any carried data. */
void tunnel_tell_stale(struct worker *w, struct tunnel_peer *p);
void tunnel_note_sent(struct worker *w, struct tunnel_peer *p, uint64_t bytes, bool data);

/* tunnel.c, tunnel_peer.c: slow thread. */
struct tunnel *tunnel_find(const char *name); /* NULL: there is none */
struct tunnel_peer *tunnel_peer_by_key(const struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN]);
void tunnel_peer_remove(struct tunnel_peer *p);
void tunnel_peer_use_configured(
    struct tunnel_peer *p);		       /* sends to the configured endpoint, not where it was heard */
void tunnel_peer_greet(struct tunnel_peer *p); /* says something, so that the peer hears where we are */
void tunnel_mtu_changed(void); /* a line's MTU may have: tunnels that go by the lines' follow */

/* tunnel_path.c: slow thread. */
/* Makes the path anew from p->remote, the lines and their addresses. True if a packet may go that way now. */
bool tunnel_path_refresh(struct tunnel_peer *p);
/* An authenticated message came: answer there. */
void tunnel_path_learn(struct tunnel_peer *p, const struct tunnel_source *from);
/* Moves the peer of a tunnel that follows to the active line; true if that changed its path. */
bool tunnel_path_follow(struct tunnel_peer *p);
void tunnel_path_drop(struct tunnel_peer *p);
/* Makes it anew by the same line: its MTU, the peer's path_mtu or the tunnel's settings changed. */
void tunnel_path_renew(struct tunnel_peer *p);
/* The MTU of a tunnel's inner packets: configured, or what all lines it may use carry. */
uint16_t tunnel_path_mtu(const struct tunnel *t);

/* tunnel_outer.c: both threads. Data begins at the outer IP header, meta is as classify filled it. */
/* The UDP payload and its length; NULL: lengths that do not fit. */
uint8_t *tunnel_outer_payload(struct rte_mbuf *pkt, uint32_t *len);
/* Where a message came from and to, on this line: from the outer IP header and the UDP header before the payload. */
void tunnel_outer_source(const uint8_t *ip, const uint8_t *payload, uint16_t line, struct tunnel_source *out);
/* Congestion was experienced on the outer way (RFC 3168 §5). */
bool tunnel_outer_marked(const uint8_t *ip);
#define TUNNEL_OUTER_HOP_LIMIT 64
uint16_t tunnel_outer_next_id(void); /* of IPv4, each thread its own */
void tunnel_outer_begin_ids(const struct worker *w); /* its own thread, once, before packets */
/* The UDP checksum of an IPv6 packet without extension headers. */
void tunnel_outer_sum_udp6(uint8_t *ip);
/* Prepends UDP and IP to a message; sets what forward_packets needs. */
#define TUNNEL_DSCP_HANDSHAKE                                                                                \
	0x88 /* AF41 in the place of the TOS byte, as deployed WireGuard marks messages 1-3 */
/* False when there is no headroom: the packet is as it was. */
bool tunnel_outer_prepend(
    struct rte_mbuf *pkt, const struct tunnel_path *path, uint16_t src_port, uint8_t tos);
/* An outer packet larger than its path, which only one that carries IPv6's least MTU may be: over IPv6 it is
 * cut and forwarded, consumed, true; over IPv4 it goes as it is, and may be cut on the way: false. */
bool tunnel_outer_cut(struct worker *w, struct rte_mbuf *pkt, const struct tunnel_path *path);

/* tunnel_inner.c: workers. */
uint8_t tunnel_inner_ecn(const struct rte_mbuf *pkt); /* the inner packet's ECN bits */
/* A congestion mark of the outer header goes over to the inner one. */
void tunnel_inner_mark_congestion(struct rte_mbuf *pkt);
/* Lowers the MSS of a TCP SYN to what the MTU (bytes) carries. */
void tunnel_inner_clamp_mss(struct rte_mbuf *pkt, uint16_t mtu);
/* Checks version and length against the bytes that are there, cuts padding off. False: malformed. */
bool tunnel_inner_trim(struct rte_mbuf *pkt);

/* tunnel_leave.c: slow thread. */
/* The allowed-IPs of a peer that is being removed leave the tables, soon. */
void tunnel_leave_begin(struct tunnel_peer *p);
bool tunnel_leave_holds(uint16_t index);	   /* some that lead to it are still there */
void tunnel_leave_finish(const struct tunnel *t); /* they go with the tunnel's tables */
uint64_t tunnel_leave_tick(uint64_t now_ns);	   /* the next few; when to call again */

/* tunnel_pmtu.c */
/* Slow thread: judges one; consumes it. */
void tunnel_pmtu_input(struct rte_mbuf *pkt);
/* Slow thread: forgets what is old; when to call again, UINT64_MAX: nothing is known. */
uint64_t tunnel_pmtu_tick(uint64_t now_ns);

/* tunnel_fit.c: workers. */
/* The largest inner packet for a peer: the tunnel's MTU, or what its path carries. RCU read side. */
uint16_t tunnel_fit_mtu(const struct tunnel_peer *p);
/*
 * Packets of one peer of which some may be larger than its path carries. True: it took them all: what fits
 * and what was cut went into the tunnel, the rest back to its senders. False: all fit, nothing was done.
 */
bool tunnel_fit_packets(struct worker *w, const struct tunnel_peer *p, const struct tunnel_path *path,
    struct rte_mbuf **pkts, unsigned n);

/* tunnel_handshake.c: slow thread. */
void tunnel_handshake_start(void);		       /* once, before the first message */
bool tunnel_handshake_loaded(uint64_t now_ns);	       /* do more come than one should answer freely? */
void tunnel_handshake_input(struct rte_mbuf *pkt);     /* messages 1-3; consumes it */
void tunnel_handshake_want(struct tunnel_peer *p);     /* starts one unless one is under way */
void tunnel_handshake_initiate(struct tunnel_peer *p); /* sends message 1 now */
void tunnel_handshake_confirm(struct tunnel_peer *p, uint32_t receiver); /* the peer uses our `next` */
void tunnel_handshake_drop_keys(struct tunnel_peer *p);			 /* all of them */
/* Is the session of this receiver index one of the peer's now? */
bool tunnel_handshake_has_session(const struct tunnel_peer *p, uint32_t receiver);
/* Has it keys that may seal now? */
bool tunnel_handshake_can_seal(const struct tunnel_peer *p);

/* tunnel_queue.c: slow thread. */
/* The packet waits for a session, which is asked for; consumes it. Where there is no room the oldest makes
 * it. */
void tunnel_queue_add(struct tunnel_peer *p, struct rte_mbuf *pkt);
void tunnel_queue_flush(struct tunnel_peer *p); /* there is a session: all go on */
void tunnel_queue_drop(struct tunnel_peer *p);
void tunnel_queue_send_keepalive(struct tunnel_peer *p);

/* tunnel_timer.c: slow thread. */
uint64_t tunnel_now_ns(void); /* the slow thread's time, or that of the last tick if that is later */
void tunnel_timer_touch(struct tunnel_peer *p); /* something changed: ask its timers soon */
void tunnel_timer_follow(const struct tunnel *t); /* its line or settings changed: its peers' paths, now */

/* tunnel_state.c: slow thread. */
void tunnel_state_note(struct tunnel_peer *p); /* to be written soon */
/* Before an initiation: the mark on disk must be ahead of what it will carry. */
void tunnel_state_reserve_timestamp(struct tunnel_peer *p, uint64_t now_realtime_ns);
/* A peer that is being made takes over what is stored of it. True if anything is. */
bool tunnel_state_restore(struct tunnel_peer *p);
uint64_t tunnel_state_tick(uint64_t now_ns); /* writes what is due; returns its next deadline */
int tunnel_state_open(const char *state_dir, struct err_msg *msg);
void tunnel_state_close(void); /* writes and forgets */

/* tunnel_key_file.c: any thread. A key in base64 from a file of mode 0600 or stricter. ERR_*, with a
 * sentence. */
int tunnel_key_file_read(
    const char *path, const char *what, uint8_t key[CRYPTO_KEY_LEN], struct err_msg *msg);

/* tunnel_key_store.c: slow thread. Keys that came by `wg set`, each in a file of its own, 0600. */
int tunnel_key_store_open(const char *state_dir, struct err_msg *msg); /* NULL: there is none. ERR_TOOLONG */
/* Writes the key where nobody else reads it, unless it is there; path: to be named by an object. ERR_IO,
 * ERR_UNSUPPORTED: there is no directory. */
int tunnel_key_store_put(const uint8_t key[CRYPTO_KEY_LEN], char path[FIBMSG_PATH], struct err_msg *msg);
/* Keys that no object names may be there: they go as soon as the state on disk names none of them, too. */
void tunnel_key_store_want_sweep(void);
uint64_t tunnel_key_store_tick(uint64_t now_ns); /* sweeps; returns the next deadline (ns) */

/* uapi.c: slow thread. */
void uapi_open(struct tunnel *t); /* a tunnel without its socket works: failure is logged */
void uapi_close(struct tunnel *t);
/* The answer to one whole request as wg_uapi_find_end cut it, to be wiped and freed; NULL: memory is short,
 * nothing was changed. */
char *uapi_answer(struct tunnel *t, const char *text, size_t len, size_t *answer_len);
/* uapi_set.c: applies a set request whole, or refuses it whole. 0 or a positive errno, the reason is logged.
 */
int uapi_set(struct tunnel *t, const struct wg_uapi_request *r);

#endif
