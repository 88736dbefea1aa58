/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the caller is asked to do. Connect, close and send follow from the state of
 * the connections, so none can be lost; only events wait in a ring.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bgp/bgp_export.h"
#include "bgp/bgp_fsm.h"

void bgp_action_mark(struct bgp_peer *peer)
{
	struct bgp *bgp = peer->bgp;

	if (peer->queued)
		return;
	peer->queued = true;
	peer->next_queued = NULL;
	if (bgp->queue_tail)
		bgp->queue_tail->next_queued = peer;
	else
		bgp->queue_head = peer;
	bgp->queue_tail = peer;
}

void bgp_action_mark_send(struct bgp_peer *peer)
{
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++)
		peer->conn[i].want_send = true;
	bgp_action_mark(peer);
}

void bgp_event_add(
    struct bgp *bgp, enum bgp_event_kind kind, const struct bgp_peer *peer, const char *fmt, ...)
{
	struct bgp_event *event;
	va_list ap;

	if (bgp->n_events == BGP_EVENTS) {
		bgp->event_at = (bgp->event_at + 1) % BGP_EVENTS;
		bgp->n_events--;
		bgp->events_lost++;
	}
	event = &bgp->events[(bgp->event_at + bgp->n_events++) % BGP_EVENTS];
	*event = (struct bgp_event){.kind = kind};
	if (peer)
		memcpy(event->peer, peer->name, sizeof(event->peer));
	va_start(ap, fmt);
	vsnprintf(event->text, sizeof(event->text), fmt, ap);
	va_end(ap);
}

static bool conn_has_output(const struct bgp_conn *conn)
{
	const struct bgp_peer *peer = conn->peer;

	return conn->due ||
	       (conn->state == CONN_ESTABLISHED && (peer->refresh_due || bgp_export_is_waiting(peer)));
}

static void fill(struct bgp_action *out, enum bgp_action_kind kind, const struct bgp_conn *conn)
{
	out->kind = kind;
	out->conn = conn->id;
	memcpy(out->peer, conn->peer->name, sizeof(out->peer));
}

/* What one connection asks for; false: nothing. */
static bool take_conn_action(struct bgp_conn *conn, struct bgp_action *out)
{
	const struct bgp_peer_config *config = &conn->peer->config;

	if (conn->want_close) {
		fill(out, BGP_ACTION_CLOSE, conn);
		bgp_fsm_free_conn(conn);
		return true;
	}
	if (conn->want_connect) {
		conn->want_connect = false;
		fill(out, BGP_ACTION_CONNECT, conn);
		out->local = config->local;
		out->remote = config->address;
		memcpy(out->interface, config->interface, sizeof(out->interface));
		return true;
	}
	if (conn->want_send && conn_has_output(conn)) {
		conn->want_send = false;
		fill(out, BGP_ACTION_SEND, conn);
		return true;
	}
	return false;
}

/* The next action of a peer; false: it has none. */
static bool take_action(struct bgp_peer *peer, struct bgp_action *out)
{
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		if (peer->conn[i].id && take_conn_action(&peer->conn[i], out))
			return true;
	}
	return false;
}

static bool take_event(struct bgp *bgp, struct bgp_action *out)
{
	size_t len;

	if (!bgp->n_events)
		return false;
	out->kind = BGP_ACTION_EVENT;
	out->event = bgp->events[bgp->event_at];
	bgp->event_at = (bgp->event_at + 1) % BGP_EVENTS;
	bgp->n_events--;
	if (bgp->events_lost) {
		len = strlen(out->event.text);
		snprintf(out->event.text + len, sizeof(out->event.text) - len,
		    " (%llu events before were lost)", (unsigned long long)bgp->events_lost);
		bgp->events_lost = 0;
	}
	return true;
}

bool bgp_action_next(struct bgp *bgp, struct bgp_action *out)
{
	memset(out, 0, sizeof(*out));
	if (take_event(bgp, out))
		return true;
	while (bgp->queue_head) {
		struct bgp_peer *peer = bgp->queue_head;

		if (take_action(peer, out))
			return true;
		bgp->queue_head = peer->next_queued;
		if (!bgp->queue_head)
			bgp->queue_tail = NULL;
		peer->queued = false;
		if (peer->removed)
			bgp_peer_reap(peer);
	}
	return false;
}
