/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The finite state machine of RFC 4271 §8, one run for each connection; the peer
 * holds what they share. Connect and Active are states of the peer (a connection
 * is being opened, or the next attempt is awaited), OpenSent and later ones of a
 * connection, of which collision detection leaves one.
 */
#ifndef BYWAY_BGP_BGP_FSM_H
#define BYWAY_BGP_BGP_FSM_H

#include "bgp/bgp_core.h"

/* Begins to connect (unless passive or disabled). */
void bgp_fsm_start(struct bgp_peer *peer);
/* Ends every connection with Cease/subcode, or without a word when 0; why: for people. No new attempt is
 * made. */
void bgp_fsm_stop(struct bgp_peer *peer, unsigned cease, const char *why);
/* Cease/Out of Resources on the session. */
void bgp_fsm_fail_memory(struct bgp_peer *peer);

/* A free place for a connection, NULL if all are taken. It gets its id. */
struct bgp_conn *bgp_fsm_new_conn(struct bgp_peer *peer, bool incoming);
/* TCP stands: OPEN goes out. */
void bgp_fsm_open_conn(
    struct bgp_conn *conn, const struct ip_endpoint *local, const struct ip_endpoint *remote);
/* The connection is gone without our doing. */
void bgp_fsm_lose_conn(struct bgp_conn *conn, const char *why);
/* We end it: with the NOTIFICATION of fault, or without (NULL); why: for people. */
void bgp_fsm_close_conn(struct bgp_conn *conn, const struct bgp_fault *fault, const char *why);
/* CLOSE was taken, or the connection never came to be. */
void bgp_fsm_free_conn(struct bgp_conn *conn);

/* One whole message, header already checked. */
void bgp_fsm_receive(struct bgp_conn *conn, uint8_t type, const uint8_t *body, size_t len);
/* Runs the timers of the peer and its connections. */
void bgp_fsm_tick(struct bgp_peer *peer);
/* The earliest of them; BGP_NEVER. */
uint64_t bgp_fsm_deadline(const struct bgp_peer *peer);
/* Notes since when the peer is in its present state. After every input. */
void bgp_fsm_note_state(struct bgp_peer *peer);

/* bgp_receive.c: messages of an established session. They may end it. */
void bgp_receive_update(struct bgp_conn *conn, const uint8_t *body, size_t len);
void bgp_receive_refresh(struct bgp_conn *conn, const uint8_t *body, size_t len);

#endif
