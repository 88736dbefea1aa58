/* SPDX-License-Identifier: BSD-3-Clause */
/* The finite state machine: transitions and messages; see bgp_fsm.h. Timers: bgp_timer.c. */
#include "bgp/bgp_fsm.h"

#include <stdio.h>
#include <string.h>

#include "bgp/bgp_gr.h"
#include "bgp/bgp_rib.h"
#include "bgp/bgp_wire.h"
#include "lib/nsec.h"

#define OPEN_HOLD_NS  (240 * NSEC_PER_SEC) /* RFC 4271 §8.2.2 OpenSent: "a large value" */
#define CLOSE_WAIT_NS NSEC_PER_SEC	   /* for a NOTIFICATION to be pulled */
#define STABLE_NS     (60 * NSEC_PER_SEC)  /* a session this long forgets earlier failures */
#define BACKOFF_MAX   4			   /* doublings */

static void note_error(
    struct bgp_peer *peer, struct bgp_error_info *info, const struct bgp_fault *fault, const char *why)
{
	*info = (struct bgp_error_info){.there = true, .at_ns = peer->bgp->now_ns};
	if (fault) {
		char name[80];

		info->code = fault->code;
		info->subcode = fault->subcode;
		bgp_msg_format_error(fault->code, fault->subcode, name, sizeof(name));
		snprintf(info->text, sizeof(info->text), "%s: %.70s", name, why);
	} else {
		snprintf(info->text, sizeof(info->text), "%s", why);
	}
}

/* When the next attempt is due, if one is to be made. soon: the session was good. */
static void schedule_retry(struct bgp_peer *peer, bool soon)
{
	uint64_t wait = peer->config.connect_retry_ns
			<< (peer->failures < BACKOFF_MAX ? peer->failures : BACKOFF_MAX);

	if (peer->config.disabled || peer->removed || peer->config.passive || peer->session)
		return;
	if (soon && wait > NSEC_PER_SEC)
		wait = NSEC_PER_SEC;
	peer->retry_at = peer->bgp->now_ns + bgp_core_jitter(peer->bgp, wait);
}

void bgp_fsm_start(struct bgp_peer *peer)
{
	if (peer->config.disabled || peer->removed || peer->config.passive)
		return;
	peer->failures = 0;
	peer->retry_at = peer->bgp->now_ns;
}

struct bgp_conn *bgp_fsm_new_conn(struct bgp_peer *peer, bool incoming)
{
	struct bgp *bgp = peer->bgp;
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		struct bgp_conn *conn = &peer->conn[i];

		if (conn->id)
			continue;
		*conn = (struct bgp_conn){
		    .id = (uint64_t)++bgp->conn_serial << 32 | (uint64_t)peer->slot << 2 | i,
		    .peer = peer,
		    .state = CONN_CONNECT,
		    .incoming = incoming,
		    .connect_until = BGP_NEVER,
		    .hold_at = BGP_NEVER,
		    .keepalive_at = BGP_NEVER,
		    .close_at = BGP_NEVER,
		};
		return conn;
	}
	return NULL;
}

void bgp_fsm_free_conn(struct bgp_conn *conn)
{
	bgp_mem_free(&conn->peer->bgp->heap, conn->rx, BGP_MSG_MAX);
	*conn = (struct bgp_conn){.peer = conn->peer};
}

void bgp_fsm_open_conn(
    struct bgp_conn *conn, const struct ip_endpoint *local, const struct ip_endpoint *remote)
{
	conn->state = CONN_OPENSENT;
	conn->want_connect = false;
	conn->local = *local;
	conn->remote = *remote;
	conn->connect_until = BGP_NEVER;
	conn->hold_at = conn->peer->bgp->now_ns + OPEN_HOLD_NS;
	conn->due = BGP_DUE_OPEN;
	bgp_action_mark_send(conn->peer);
}

/* The session's part of an end: routes, timers, report. graceful: RFC 4724 §4.2 applies. */
static void end_session(struct bgp_peer *peer, bool graceful, const char *why)
{
	unsigned f;

	if (peer->bgp->now_ns - peer->established_ns >= STABLE_NS)
		peer->failures = 0;
	bgp_event_add(peer->bgp, BGP_EVENT_DOWN, peer, "%s", why);
	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_rib_stop_export(peer, (enum bgp_family)f);
	bgp_gr_end_session(peer, graceful);
	peer->session = NULL;
	peer->refresh_due = 0;
}

void bgp_fsm_lose_conn(struct bgp_conn *conn, const char *why)
{
	struct bgp_peer *peer = conn->peer;
	bool was_session = peer->session == conn, was_closing = conn->state == CONN_CLOSING;

	if (was_session)
		end_session(peer, true, why);
	else if (!was_closing)
		bgp_event_add(peer->bgp, BGP_EVENT_ERROR, peer, "%s", why);
	if (!was_closing)
		note_error(peer, &peer->error_out, NULL, why);
	bgp_fsm_free_conn(conn);
	if (!was_closing)
		schedule_retry(peer, was_session);
}

void bgp_fsm_close_conn(struct bgp_conn *conn, const struct bgp_fault *fault, const char *why)
{
	struct bgp_peer *peer = conn->peer;
	bool collision = fault && fault->code == BGP_ERROR_CEASE && fault->subcode == BGP_CEASE_COLLISION;

	if (conn->state == CONN_CLOSING)
		return;
	if (peer->session == conn)
		end_session(peer, false, why);
	else if (fault && !collision)
		bgp_event_add(peer->bgp, BGP_EVENT_ERROR, peer, "%s", why);
	conn->due = 0;
	if (fault && conn->state >= CONN_OPENSENT) {
		conn->fault = *fault;
		conn->due = BGP_DUE_NOTIFICATION;
		conn->close_at = peer->bgp->now_ns + CLOSE_WAIT_NS;
		bgp_action_mark_send(peer);
	} else {
		conn->want_close = true;
		bgp_action_mark(peer);
	}
	conn->want_connect = false;
	conn->state = CONN_CLOSING;
	conn->connect_until = conn->hold_at = conn->keepalive_at = BGP_NEVER;
	if (collision)
		return;
	note_error(peer, &peer->error_out, fault, why);
	peer->failures += fault != NULL;
	schedule_retry(peer, false);
}

void bgp_fsm_stop(struct bgp_peer *peer, unsigned cease, const char *why)
{
	struct bgp_fault fault;
	unsigned i;

	bgp_fault_set(&fault, BGP_ERROR_CEASE, cease, NULL, 0, "%s", why);
	for (i = 0; i < BGP_CONNS; i++) {
		if (peer->conn[i].id)
			bgp_fsm_close_conn(&peer->conn[i], cease ? &fault : NULL, why);
	}
	peer->retry_at = BGP_NEVER;
}

void bgp_fsm_fail_memory(struct bgp_peer *peer)
{
	struct bgp_fault fault;

	bgp_fault_set(&fault, BGP_ERROR_CEASE, BGP_CEASE_RESOURCES, NULL, 0, "out of memory");
	if (peer->session)
		bgp_fsm_close_conn(peer->session, &fault, fault.text);
}

/* ------------------------------------------------------------ OPEN, collision */

/* What depends on the configuration of the peer (RFC 4271 §6.2). */
static int check_open(const struct bgp_peer *peer, const struct bgp_open *open, struct bgp_fault *fault)
{
	if (open->caps.as != peer->config.as)
		return bgp_fault_set(fault, BGP_ERROR_OPEN, BGP_OPEN_PEER_AS, NULL, 0,
		    "AS %u where %u was expected", open->caps.as, peer->config.as);
	if (!peer->external && open->router_id == peer->bgp->config.router_id) /* RFC 6286 §2.2 */
		return bgp_fault_set(fault, BGP_ERROR_OPEN, BGP_OPEN_IDENTIFIER, NULL, 0,
		    "the peer in our AS has our own identifier");
	if (!(open->caps.families & peer->config.families))
		return bgp_fault_set(
		    fault, BGP_ERROR_OPEN, BGP_OPEN_CAPABILITY, NULL, 0, "no address family in common");
	return 0;
}

/* RFC 4271 §6.8, RFC 6286 §2.3: of two, the one that the higher identifier (then AS) began stays. */
static bool keeps_incoming(const struct bgp_peer *peer, uint32_t remote_id)
{
	const struct bgp_config *config = &peer->bgp->config;

	if (remote_id != config->router_id)
		return remote_id > config->router_id;
	return peer->config.as > peer->config.local_as;
}

static void close_collided(struct bgp_conn *conn)
{
	struct bgp_fault fault;

	bgp_fault_set(&fault, BGP_ERROR_CEASE, BGP_CEASE_COLLISION, NULL, 0, "the other connection stays");
	bgp_fsm_close_conn(conn, &fault, fault.text);
}

/* An OPEN came on conn while other stands further. False: conn was closed. */
static bool resolve_collision(struct bgp_conn *conn, struct bgp_conn *other, uint32_t remote_id)
{
	struct bgp_peer *peer = conn->peer;

	if (other->state == CONN_ESTABLISHED) {
		if (!peer->received.graceful_restart || peer->config.no_graceful_restart) {
			close_collided(conn);
			return false;
		}
		/* RFC 4724 §4.2: the peer restarted before its old connection was noticed to be dead. */
		end_session(peer, true, "peer opened a new connection");
		bgp_fsm_close_conn(other, NULL, "peer opened a new connection");
		return true;
	}
	if (other->incoming == conn->incoming || other->incoming == keeps_incoming(peer, remote_id)) {
		close_collided(conn);
		return false;
	}
	close_collided(other);
	return true;
}

static void receive_open(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	struct bgp_peer *peer = conn->peer;
	struct bgp_fault fault;
	struct bgp_open open;
	uint32_t hold_s;
	unsigned i;

	if (bgp_open_parse(body, len, &open, &fault) != 0 || check_open(peer, &open, &fault) != 0) {
		bgp_fsm_close_conn(conn, &fault, fault.text);
		return;
	}
	for (i = 0; i < BGP_CONNS; i++) {
		struct bgp_conn *other = &peer->conn[i];

		if (other != conn && (other->state == CONN_OPENCONFIRM || other->state == CONN_ESTABLISHED) &&
		    !resolve_collision(conn, other, open.router_id))
			return;
	}
	conn->open = open;
	conn->state = CONN_OPENCONFIRM;
	conn->due |= BGP_DUE_KEEPALIVE;
	hold_s = peer->config.no_hold ? 0 : peer->config.hold_time_s;
	if (open.caps.hold_time_s < hold_s)
		hold_s = open.caps.hold_time_s; /* RFC 4271 §4.2: the smaller one; 0: no timers */
	conn->hold_at = hold_s ? peer->bgp->now_ns + hold_s * NSEC_PER_SEC : BGP_NEVER;
	conn->keepalive_at = hold_s ? peer->bgp->now_ns + hold_s * NSEC_PER_SEC / 3 : BGP_NEVER;
	bgp_action_mark_send(peer);
}

static void establish(struct bgp_conn *conn)
{
	struct bgp_peer *peer = conn->peer;
	uint32_t ours = peer->config.no_hold ? 0 : peer->config.hold_time_s;
	unsigned i;

	conn->state = CONN_ESTABLISHED;
	peer->session = conn;
	for (i = 0; i < BGP_CONNS; i++) {
		struct bgp_conn *other = &peer->conn[i];

		if (other == conn || !other->id || other->state == CONN_CLOSING)
			continue;
		close_collided(other);
	}
	peer->received = conn->open.caps;
	peer->remote_id = conn->open.router_id;
	peer->families = peer->config.families & peer->received.families;
	peer->hold_time_s = peer->received.hold_time_s < ours ? peer->received.hold_time_s : ours;
	peer->retry_at = BGP_NEVER;
	peer->established_ns = peer->bgp->now_ns;
	peer->established++;
	bgp_event_add(peer->bgp, BGP_EVENT_UP, peer, "hold time %u s%s%s", peer->hold_time_s,
	    peer->families & BGP_FAMILY_BIT(BGP_IPV4) ? ", IPv4" : "",
	    peer->families & BGP_FAMILY_BIT(BGP_IPV6) ? ", IPv6" : "");
	bgp_gr_begin_session(peer);
	bgp_rib_decide_peer(peer); /* kept paths now compete with the new identifier */
	for (i = 0; i < BGP_FAMILIES; i++) {
		if (peer->families & BGP_FAMILY_BIT(i))
			bgp_rib_start_export(peer, (enum bgp_family)i);
	}
}

/* ------------------------------------------------------------------- messages */

static void receive_keepalive_confirm(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	establish(conn);
}

static void receive_keepalive(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	(void)conn;
	(void)body;
	(void)len;
}

static void receive_notification(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	struct bgp_peer *peer = conn->peer;
	struct bgp_error_info *info = &peer->error_in;
	struct bgp_error_info kept = *info, last = peer->error_out;
	char why[180];

	bgp_msg_parse_notification(body, len, info);
	info->at_ns = peer->bgp->now_ns;
	snprintf(why, sizeof(why), "peer says: %s", info->text);
	if (info->code == BGP_ERROR_CEASE && info->subcode == BGP_CEASE_COLLISION && peer->session != conn)
		*info = kept; /* no error: the other connection stays */
	else
		peer->failures++;
	/* No NOTIFICATION answers one (RFC 4271 §6.4). */
	bgp_fsm_close_conn(conn, NULL, why);
	peer->error_out = last;
}

static void receive_unexpected(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	static const uint8_t subcodes[] = {[CONN_OPENSENT] = BGP_FSM_OPENSENT,
	    [CONN_OPENCONFIRM] = BGP_FSM_OPENCONFIRM,
	    [CONN_ESTABLISHED] = BGP_FSM_ESTABLISHED};
	struct bgp_fault fault;

	(void)body;
	(void)len;
	bgp_fault_set(
	    &fault, BGP_ERROR_FSM, subcodes[conn->state], NULL, 0, "message out of order"); /* RFC 6608 */
	bgp_fsm_close_conn(conn, &fault, fault.text);
}

/* RFC 4271 §8.2.2, by state and message type. */
static void (*const receivers[][BGP_MSG_TYPES])(struct bgp_conn *conn, const uint8_t *body, size_t len) = {
    [CONN_OPENSENT] = {NULL, receive_open, receive_unexpected, receive_notification, receive_unexpected,
	receive_unexpected},
    [CONN_OPENCONFIRM] = {NULL, receive_unexpected, receive_unexpected, receive_notification,
	receive_keepalive_confirm, receive_unexpected},
    [CONN_ESTABLISHED] = {NULL, receive_unexpected, bgp_receive_update, receive_notification,
	receive_keepalive, bgp_receive_refresh},
};

void bgp_fsm_receive(struct bgp_conn *conn, uint8_t type, const uint8_t *body, size_t len)
{
	struct bgp_peer *peer = conn->peer;

	peer->msgs_in[type]++;
	receivers[conn->state][type](conn, body, len);
	/* Whatever came shows that the peer lives (RFC 4271 §8.2.2: KEEPALIVE and UPDATE). */
	if (peer->session == conn && peer->hold_time_s)
		conn->hold_at = peer->bgp->now_ns + peer->hold_time_s * NSEC_PER_SEC;
}
