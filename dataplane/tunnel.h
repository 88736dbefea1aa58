/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels: WireGuard interfaces of the dataplane. The slow thread owns tunnels, peers,
 * handshakes and timers; workers seal and open under RCU. Peers have a dense index, so that
 * queued packets name them without a pointer.
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_H
#define BYWAY_DATAPLANE_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/worker.h"
#include "lib/fibmsg.h"

#define TUNNEL_PEER_NONE 0xffffu

struct tunnel;
struct tunnel_peer;

/* Stages of the packet path. */
/* Packets whose meta.nh is NEXTHOP_TUNNEL (or PKT_TUNNEL_OUT: meta.out, meta.peer): sealed and sent by the
 * underlay. */
void tunnel_encap(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* UDP packets for a port of ours that is a tunnel's (classify found it): data at the outer IP header. */
void tunnel_input(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* Is this ICMP message, for this host, about too big a datagram from a tunnel's port of ours? */
bool tunnel_pmtu_concerns(const struct rte_mbuf *pkt);
/* Hands such messages to the slow thread, which judges them, so many a second; consumes them. */
void tunnel_pmtu_take(struct worker *w, struct rte_mbuf **pkts, unsigned n);
/* The tunnel interface that listens on this UDP port (host order), 0: none. RCU read side. */
uint16_t tunnel_by_port(uint16_t udp_port);

/* Before tunnel_start: one back end of the cipher for all bursts (aead_burst.h). The name must stay. */
void tunnel_force_cipher(const char *name);

/* Slow thread, once: the cipher, and what survived in state_dir (NULL: nothing is kept). uapi: tunnels have
 * sockets for stock `wg`. ERR_*. */
int tunnel_start(const char *state_dir, bool uapi, struct err_msg *msg);
/* Writes what survives, wipes keys, removes tunnels. */
void tunnel_stop(void);

/* Slow thread: apply control's objects (store.c validated references; these validate the rest). */
int tunnel_check(const struct fibmsg_tunnel *t, struct err_msg *msg); /* key file readable, 0600; port free */
/* tunnel_set adds the interface (iface_add), or changes a tunnel in place: its peers and sessions survive.
 * The caller makes the host interface after it and removes that before tunnel_del, which removes the
 * interface. */
int tunnel_set(const struct fibmsg_tunnel *t, struct err_msg *msg);
int tunnel_del(const char *name);
int tunnel_peer_check(const struct fibmsg_peer *p, struct err_msg *msg);
int tunnel_peer_set(const struct fibmsg_peer *p, struct err_msg *msg);
int tunnel_peer_del(const char *tunnel, const uint8_t key[32]);
int tunnel_allowed_ip_set(const struct fibmsg_allowed_ip *a, struct err_msg *msg);
int tunnel_allowed_ip_del(const struct fibmsg_allowed_ip *a);
struct tunnel_peer *tunnel_peer_find(const char *tunnel, const uint8_t key[32]);

/* Slow thread: ring messages and time. tunnel_tick returns the next deadline (ns, monotonic). */
void tunnel_handle(
    struct rte_mbuf *pkt); /* PKT_HANDSHAKE, PKT_NEED_SESSION, PKT_TOO_BIG, PKT_TUNNEL_EVENT; consumes it */
uint64_t tunnel_tick(uint64_t now_ns);
/* Slow thread: a line changed its verdict or the active line moved: move tunnels that follow, tell the peers.
 */
void tunnel_lines_changed(void);

/* Queries, slow thread: one row each call; index from 0, ERR_NOENT past the end. */
int tunnel_row(unsigned index, struct fibmsg_row_tunnel *row);
int tunnel_peer_row(unsigned index, struct fibmsg_row_peer *row);
/* Slow thread: what names the peer with this dense index; false: there is none. */
bool tunnel_peer_name(uint16_t index, char tunnel[FIBMSG_NAME], uint8_t key[32]);

/* Monitor thread: liveness as groups need it. */
uint16_t tunnel_peer_index(const struct tunnel_peer *p);
struct iface *tunnel_peer_iface(const struct tunnel_peer *p);

#endif
