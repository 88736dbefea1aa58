/* SPDX-License-Identifier: BSD-3-Clause */
/* The timers of a peer and its connections, and the state it shows; see bgp_fsm.h. */
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_gr.h"
#include "bgp/bgp_wire.h"
#include "lib/nsec.h"

/* A connection attempt without an answer; short, because repeated SYNs come ever more rarely. */
#define CONNECT_WAIT_NS (10 * NSEC_PER_SEC)

static void tick_conn(struct bgp_conn *conn)
{
	struct bgp *bgp = conn->peer->bgp;
	struct bgp_fault fault;
	uint32_t hold_s = conn->peer->config.hold_time_s;

	if (bgp->now_ns >= conn->close_at && !conn->want_close) {
		conn->want_close = true;
		conn->close_at = BGP_NEVER;
		bgp_action_mark(conn->peer);
	}
	if (bgp->now_ns >= conn->connect_until)
		bgp_fsm_close_conn(conn, NULL, "connecting timed out");
	if (bgp->now_ns >= conn->hold_at) {
		bgp_fault_set(&fault, BGP_ERROR_HOLD_TIMER, 0, NULL, 0, "nothing heard from the peer");
		bgp_fsm_close_conn(conn, &fault, fault.text); /* RFC 4271 §6.5 */
	}
	if (bgp->now_ns >= conn->keepalive_at) {
		if (conn->open.caps.hold_time_s < hold_s)
			hold_s = conn->open.caps.hold_time_s;
		conn->keepalive_at =
		    bgp->now_ns + bgp_core_jitter(bgp, hold_s * NSEC_PER_SEC / 3); /* RFC 4271 §4.4 */
		conn->due |= BGP_DUE_KEEPALIVE;
		bgp_action_mark_send(conn->peer);
	}
}

static void tick_retry(struct bgp_peer *peer)
{
	struct bgp_conn *conn;
	unsigned i;

	if (peer->bgp->now_ns < peer->retry_at)
		return;
	peer->retry_at = BGP_NEVER;
	for (i = 0; i < BGP_CONNS; i++) {
		/* One that is underway asks for the next attempt itself when it fails. */
		if (peer->conn[i].id && peer->conn[i].state != CONN_CLOSING &&
		    (!peer->conn[i].incoming || peer->conn[i].state == CONN_OPENCONFIRM))
			return;
	}
	conn = bgp_fsm_new_conn(peer, false);
	if (!conn) { /* the old ones still say goodbye */
		peer->retry_at = peer->bgp->now_ns + NSEC_PER_SEC;
		return;
	}
	conn->want_connect = true;
	conn->connect_until = peer->bgp->now_ns + CONNECT_WAIT_NS;
	bgp_action_mark(peer);
}

void bgp_fsm_tick(struct bgp_peer *peer)
{
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		if (peer->conn[i].id)
			tick_conn(&peer->conn[i]);
	}
	if (!peer->session)
		tick_retry(peer);
	bgp_gr_tick_peer(peer);
	bgp_fsm_note_state(peer);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t bgp_fsm_deadline(const struct bgp_peer *peer)
{
	uint64_t at = least(peer->restart_until, peer->stale_until);
	unsigned i;

	if (!peer->session)
		at = least(at, peer->retry_at);
	for (i = 0; i < BGP_CONNS; i++) {
		const struct bgp_conn *conn = &peer->conn[i];

		if (!conn->id)
			continue;
		at = least(at, least(conn->connect_until, conn->hold_at));
		at = least(at, least(conn->keepalive_at, conn->close_at));
	}
	return at;
}

static enum bgp_state state_of(const struct bgp_peer *peer)
{
	static const enum bgp_state states[] = {[CONN_NONE] = BGP_IDLE,
	    [CONN_CONNECT] = BGP_CONNECT,
	    [CONN_OPENSENT] = BGP_OPENSENT,
	    [CONN_OPENCONFIRM] = BGP_OPENCONFIRM,
	    [CONN_ESTABLISHED] = BGP_ESTABLISHED,
	    [CONN_CLOSING] = BGP_IDLE};
	enum bgp_state best = BGP_IDLE;
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		if (states[peer->conn[i].state] > best)
			best = states[peer->conn[i].state];
	}
	/* Active: ready for the peer's connection, until our next attempt. After an error: Idle (RFC 4271
	 * §8.1.1). */
	if (best == BGP_IDLE && !peer->config.disabled && !peer->removed && !peer->failures)
		best = BGP_ACTIVE;
	return best;
}

void bgp_fsm_note_state(struct bgp_peer *peer)
{
	enum bgp_state state = state_of(peer);

	if (state == peer->shown)
		return;
	peer->shown = state;
	peer->since_ns = peer->bgp->now_ns;
}
