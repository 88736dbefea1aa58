/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's side of connections: finding the peer of one that arrives, cutting
 * the byte stream into messages, and putting messages into the caller's buffer.
 */
#include <string.h>

#include "bgp/bgp_export.h"
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_gr.h"
#include "bgp/bgp_wire.h"

/* NULL: the id is of a connection that is over. */
static struct bgp_conn *find_conn(struct bgp *bgp, uint64_t id)
{
	size_t slot = (uint32_t)id >> 2;
	unsigned i = id & 3;
	struct bgp_peer *peer = slot < bgp->n_slots ? bgp->peers[slot] : NULL;

	if (!id || !peer || i >= BGP_CONNS || peer->conn[i].id != id)
		return NULL;
	return &peer->conn[i];
}

static bool is_from(const struct bgp_peer *peer, const struct ip_addr *remote, const char *interface)
{
	if (peer->removed || !ip_addr_equal(&peer->config.address, remote))
		return false;
	return !ip_addr_is_link_local(remote) || !interface || !*interface || !*peer->config.interface ||
	       strcmp(peer->config.interface, interface) == 0;
}

/*
 * A peer may have one connection of its own making under way beside an established
 * session. One on which it never said OPEN gives way to a new one: the line may have
 * broken in between, and its timer is long. False: there is one that did.
 */
static bool make_way(struct bgp_peer *peer)
{
	struct bgp_fault fault;
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		struct bgp_conn *conn = &peer->conn[i];

		if (conn->incoming && conn->state == CONN_OPENCONFIRM)
			return false;
		if (!conn->incoming || conn->state != CONN_OPENSENT)
			continue;
		bgp_fault_set(
		    &fault, BGP_ERROR_CEASE, BGP_CEASE_COLLISION, NULL, 0, "the peer connected again");
		bgp_fsm_close_conn(conn, &fault, fault.text);
	}
	return true;
}

int bgp_conn_accept(struct bgp *bgp, const struct ip_endpoint *local, const struct ip_endpoint *remote,
    const char *interface, uint64_t now_ns, uint64_t *conn)
{
	struct bgp_peer *peer = NULL;
	struct bgp_conn *c;
	size_t i;

	bgp_core_set_now(bgp, now_ns);
	for (i = 0; i < bgp->n_slots && !peer; i++) {
		if (bgp->peers[i] && is_from(bgp->peers[i], &remote->addr, interface))
			peer = bgp->peers[i];
	}
	if (!peer)
		return ERR_NOENT;
	if (peer->config.disabled)
		return ERR_PERM;
	c = make_way(peer) ? bgp_fsm_new_conn(peer, true) : NULL;
	if (!c)
		return ERR_BUSY;
	bgp_fsm_open_conn(c, local, remote);
	bgp_fsm_note_state(peer);
	*conn = c->id;
	return 0;
}

void bgp_conn_opened(struct bgp *bgp, uint64_t conn, const struct ip_endpoint *local,
    const struct ip_endpoint *remote, uint64_t now_ns)
{
	struct bgp_conn *c = find_conn(bgp, conn);

	bgp_core_set_now(bgp, now_ns);
	if (!c || c->state != CONN_CONNECT)
		return;
	bgp_fsm_open_conn(c, local, remote);
	bgp_fsm_note_state(c->peer);
}

void bgp_conn_closed(struct bgp *bgp, uint64_t conn, const char *why, uint64_t now_ns)
{
	struct bgp_conn *c = find_conn(bgp, conn);
	struct bgp_peer *peer;

	bgp_core_set_now(bgp, now_ns);
	if (!c)
		return;
	peer = c->peer;
	bgp_fsm_lose_conn(c, why ? why : "connection closed");
	bgp_fsm_note_state(peer);
	if (peer->removed)
		bgp_peer_reap(peer);
}

/* ---------------------------------------------------------------------- input */

static bool conn_listens(const struct bgp_conn *c, uint64_t id)
{
	return c->id == id && c->state >= CONN_OPENSENT && c->state <= CONN_ESTABLISHED;
}

/* Looks at the header in front of data. *len: of the message, 0 while the header is not whole. False: closed.
 */
static bool frame_message(struct bgp_conn *c, const uint8_t *data, size_t have, uint8_t *type, size_t *len)
{
	struct bgp_fault fault;

	*len = 0;
	if (have < BGP_HEADER_LEN)
		return true;
	if (bgp_msg_parse_header(data, type, len, &fault) == 0)
		return true;
	bgp_fsm_close_conn(c, &fault, fault.text); /* RFC 4271 §6.1 */
	return false;
}

static void receive_frame(struct bgp_conn *c, const uint8_t *data, uint8_t type, size_t len)
{
	bgp_fsm_receive(c, type, data + BGP_HEADER_LEN, len - BGP_HEADER_LEN);
}

/* Adds to the message begun in rx. Returns how many bytes it took. */
static size_t continue_message(struct bgp_conn *c, const uint8_t *data, size_t have)
{
	size_t want, len, took = 0;
	uint8_t type;

	do {
		if (!frame_message(c, c->rx, c->rx_len, &type, &len))
			return have;
		want = (len ? len : BGP_HEADER_LEN) - c->rx_len;
		if (want > have - took)
			want = have - took;
		memcpy(c->rx + c->rx_len, data + took, want);
		c->rx_len += want;
		took += want;
	} while (!len && c->rx_len == BGP_HEADER_LEN);
	if (len && c->rx_len == len) {
		c->rx_len = 0;
		receive_frame(c, c->rx, type, len);
	}
	return took;
}

static void keep_rest(struct bgp_conn *c, const uint8_t *data, size_t have)
{
	struct bgp_fault fault;

	if (!c->rx)
		c->rx = bgp_mem_alloc(&c->peer->bgp->heap, BGP_MSG_MAX);
	if (!c->rx) {
		bgp_fault_set(&fault, BGP_ERROR_CEASE, BGP_CEASE_RESOURCES, NULL, 0, "out of memory");
		bgp_fsm_close_conn(c, &fault, fault.text);
		return;
	}
	memcpy(c->rx, data, have);
	c->rx_len = have;
}

void bgp_conn_input(struct bgp *bgp, uint64_t conn, const void *data, size_t len, uint64_t now_ns)
{
	struct bgp_conn *c = find_conn(bgp, conn);
	const uint8_t *p = data;
	size_t msg_len;
	uint8_t type;

	bgp_core_set_now(bgp, now_ns);
	if (!c)
		return;
	c->peer->bytes_in += len;
	while (len && conn_listens(c, conn)) {
		size_t took = len;

		if (c->rx_len) {
			took = continue_message(c, p, len);
		} else if (!frame_message(c, p, len, &type, &msg_len)) {
			break;
		} else if (!msg_len || msg_len > len) {
			keep_rest(c, p, len);
		} else {
			receive_frame(c, p, type, msg_len);
			took = msg_len;
		}
		p += took;
		len -= took;
	}
	bgp_fsm_note_state(c->peer);
	bgp_gr_tick(bgp); /* an End-of-RIB may have been the last one awaited */
}

/* --------------------------------------------------------------------- output */

static void write_open(struct bgp_conn *c, struct buf_writer *w)
{
	struct bgp_peer *peer = c->peer;
	struct bgp_open open = {.router_id = peer->bgp->config.router_id};
	struct bgp_capabilities *caps = &open.caps;

	caps->families = peer->config.families;
	caps->as4 = true;
	caps->refresh = true;
	caps->as = peer->config.local_as;
	caps->hold_time_s = (uint16_t)(peer->config.no_hold ? 0 : peer->config.hold_time_s);
	bgp_gr_fill_capability(peer, caps);
	bgp_open_write(w, &open);
	peer->sent = *caps;
	peer->msgs_out[BGP_MSG_OPEN]++;
}

/* What goes before routes. */
static void write_due(struct bgp_conn *c, struct buf_writer *w)
{
	struct bgp_peer *peer = c->peer;
	unsigned f;

	if (c->due & BGP_DUE_OPEN)
		write_open(c, w);
	if (c->due & BGP_DUE_KEEPALIVE) {
		bgp_msg_write_keepalive(w);
		peer->msgs_out[BGP_MSG_KEEPALIVE]++;
	}
	if (c->due & BGP_DUE_NOTIFICATION) {
		bgp_msg_write_notification(w, &c->fault);
		peer->msgs_out[BGP_MSG_NOTIFICATION]++;
		c->want_close = true;
		c->close_at = BGP_NEVER;
		bgp_action_mark(peer);
	}
	c->due = 0;
	for (f = 0; f < BGP_FAMILIES && peer->session == c && peer->refresh_due; f++) {
		if (!(peer->refresh_due & BGP_FAMILY_BIT(f)))
			continue;
		bgp_msg_write_refresh(w, (enum bgp_family)f);
		peer->msgs_out[BGP_MSG_ROUTE_REFRESH]++;
		peer->refresh_due &= ~BGP_FAMILY_BIT(f);
	}
}

size_t bgp_conn_output(struct bgp *bgp, uint64_t conn, void *out, size_t room, uint64_t now_ns)
{
	struct bgp_conn *c = find_conn(bgp, conn);
	struct buf_writer w;
	unsigned budget = bgp->config.slice;

	bgp_core_set_now(bgp, now_ns);
	if (!c || room < BGP_OUTPUT_MIN)
		return 0;
	buf_writer_init(&w, out, room);
	write_due(c, &w);
	if (c->state == CONN_ESTABLISHED && bgp_export_write(c->peer, &w, &budget) != 0)
		bgp_fsm_fail_memory(c->peer);
	/* All that could be looked at now led to nothing: the next tick goes on. */
	if (buf_writer_len(&w) == 0 && budget == 0 && bgp_export_is_waiting(c->peer))
		c->peer->send_later = bgp->send_later = true;
	bgp_fsm_note_state(c->peer);
	c->peer->bytes_out += buf_writer_len(&w);
	return buf_writer_len(&w);
}
