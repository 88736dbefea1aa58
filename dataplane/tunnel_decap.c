/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage that takes WireGuard messages in: handshakes go to the slow thread, transport data is
 * opened a session at a time, judged by the replay window and the peer's allowed-IPs, and goes on as
 * a packet that came by the tunnel. Nothing of the peer moves before a message has authenticated. Workers
 * only.
 *
 * The window and the order of delivery belong to one worker a session; the others hand over.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/tunnel_peer.h"
#include "lib/aead_burst.h"
#include "lib/ip_wire.h"

#define TELL_NS NSEC_PER_MSEC /* not oftener about one peer or session */

/* The messages of one session, in their order. */
struct group {
	struct tunnel_keypair *kp;
	struct tunnel_peer *peer;
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
	uint64_t counters[WORKER_BURST];
	uint8_t *data[WORKER_BURST];
	uint32_t lens[WORKER_BURST];
	struct tunnel_source from; /* of the last authentic message */
};

void tunnel_tell(struct worker *w, struct tunnel_peer *p, const struct tunnel_event *event)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(w->pool);
	char *data;

	if (!pkt)
		return; /* the state that caused it lasts: the next burst tells again */
	data = rte_pktmbuf_append(pkt, sizeof(*event));
	memcpy(data, event, sizeof(*event));
	memset(pkt_meta(pkt), 0, sizeof(struct pkt_meta));
	pkt_meta(pkt)->op = PKT_TUNNEL_EVENT;
	pkt_meta(pkt)->peer = p->index;
	atomic_store_explicit(&p->told_ns, w->now_ns, memory_order_relaxed);
	worker_to_slow(w, &pkt, 1, DROP_HANDSHAKE_QUEUE);
}

/* Is the peer elsewhere than we send to? Where the line is ours to choose, hearing it on another changes
 * nothing. */
static bool roamed(const struct group *g)
{
	const struct tunnel_path *path = rcu_dereference(g->peer->path);

	if (!path || path->remote.port != g->from.remote.port ||
	    !ip_addr_equal(&path->remote.addr, &g->from.remote.addr))
		return true;
	if (path->line != g->from.line)
		return !path->line_fixed;
	return !ip_addr_equal(&path->local, &g->from.local);
}

/* What the slow thread has to know of authentic messages; told again until it has acted. */
static void tell_news(struct worker *w, struct group *g)
{
	struct tunnel_event event = {.receiver = g->kp->local_index, .from = g->from, .peer = g->peer->index};
	bool confirm =
	    !atomic_load_explicit(&g->kp->confirmed, memory_order_relaxed) &&
	    w->now_ns - atomic_load_explicit(&g->kp->confirm_told_ns, memory_order_relaxed) >= TELL_NS;

	if (confirm)
		event.what = TUNNEL_EVENT_CONFIRMED;
	else if (w->now_ns - atomic_load_explicit(&g->peer->told_ns, memory_order_relaxed) < TELL_NS)
		return;
	if (roamed(g))
		event.what |= TUNNEL_EVENT_ROAMED;
	/* A previous key that is still in use says nothing about the age of the current one. */
	if (g->kp == rcu_dereference(g->peer->current) &&
	    wg_timers_key_stale_to_receive(g->kp->birth_ns, g->kp->initiator, w->now_ns))
		event.what |= TUNNEL_EVENT_STALE;
	if (!event.what)
		return;
	if (confirm)
		atomic_store_explicit(&g->kp->confirm_told_ns, w->now_ns, memory_order_relaxed);
	tunnel_tell(w, g->peer, &event);
}

/* What the timers want to know (§6): anything received; and data received since we last sent. */
static void note_received(struct worker *w, struct tunnel_peer *p, uint64_t bytes, bool data)
{
	struct tunnel_marks *m = &p->marks;

	atomic_store_explicit(&m->last_rx_ns, w->now_ns, memory_order_relaxed);
	if (atomic_load_explicit(&m->unanswered_tx_ns, memory_order_relaxed))
		atomic_store_explicit(&m->unanswered_tx_ns, 0, memory_order_relaxed);
	if (data && !atomic_load_explicit(&m->unanswered_rx_ns, memory_order_relaxed))
		atomic_store_explicit(&m->unanswered_rx_ns, w->now_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->rx_bytes, bytes, memory_order_relaxed);
}

/* May this peer send from this inner source? */
static bool source_allowed(const struct tunnel_peer *p, const struct rte_mbuf *pkt)
{
	const struct tunnel *t = p->tunnel;
	uint32_t value = LPM_NONE;

	if (atomic_load_explicit(&p->any, memory_order_relaxed))
		return true;
	if (*rte_pktmbuf_mtod(pkt, const uint8_t *) >> 4 == 4)
		lpm4_lookup_bulk(t->allowed4,
		    (const uint32_t[]){rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->src_be}, &value, 1);
	else
		lpm6_lookup_bulk(
		    t->allowed6, &rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->src, &value, 1);
	return value == p->index + 1u;
}

/* From message to inner packet, at which the data begins. False: it was dropped. */
static bool unwrap_packet(struct worker *w, struct group *g, unsigned i)
{
	const struct tunnel *t = g->peer->tunnel;
	struct rte_mbuf *pkt = g->pkts[i];
	const uint8_t *payload = g->data[i] - sizeof(struct wg_wire_data);
	bool marked = tunnel_outer_marked(pkt, payload);
	struct pkt_meta *m = pkt_meta(pkt);

	rte_pktmbuf_adj(pkt, (uint16_t)(g->data[i] - rte_pktmbuf_mtod(pkt, uint8_t *)));
	pkt->data_len = (uint16_t)g->lens[i];
	pkt->pkt_len = g->lens[i];
	if (!tunnel_inner_trim(pkt)) {
		worker_drop(w, &pkt, 1, DROP_TUNNEL_INNER);
		return false;
	}
	if (!source_allowed(g->peer, pkt)) {
		worker_drop(w, &pkt, 1, DROP_TUNNEL_SOURCE);
		return false;
	}
	if (marked)
		tunnel_inner_mark_congestion(pkt);
	if (atomic_load_explicit(&t->mss_clamp, memory_order_relaxed))
		tunnel_inner_clamp_mss(pkt, tunnel_fit_mtu(g->peer));
	memset(m, 0, sizeof(*m));
	m->in = g->peer->iface;
	m->peer = g->peer->index;
	return true;
}

/* Authentic messages: the window, then what is inside. */
static void deliver_group(struct worker *w, struct group *g, uint64_t authentic)
{
	struct rte_mbuf *inner[WORKER_BURST];
	uint64_t bytes = 0;
	unsigned n = 0, data = 0;

	for (uint64_t rest = authentic; rest; rest &= rest - 1) {
		unsigned i = (unsigned)__builtin_ctzll(rest);

		if (!wg_replay_accept_counter(&g->kp->replay, g->counters[i])) {
			worker_drop(w, &g->pkts[i], 1, DROP_TUNNEL_REPLAY);
			continue;
		}
		tunnel_outer_source(g->pkts[i], g->data[i] - sizeof(struct wg_wire_data), &g->from);
		bytes += sizeof(struct wg_wire_data) + g->lens[i] + WG_WIRE_TAG_LEN;
		if (g->lens[i] == 0) {
			rte_pktmbuf_free(g->pkts[i]); /* a keepalive has done its work */
			continue;
		}
		data++;
		if (unwrap_packet(w, g, i))
			inner[n++] = g->pkts[i];
	}
	if (bytes == 0)
		return;
	tell_news(w, g);
	note_received(w, g->peer, bytes, data > 0);
	worker_count_rx(w, g->peer->iface, data, bytes);
	if (n)
		classify_packets(w, inner, n);
}

static void decap_group(struct worker *w, struct group *g)
{
	uint64_t authentic;

	if (g->kp->owner != w->id) {
		for (unsigned i = 0; i < g->n; i++)
			pkt_meta(g->pkts[i])->op = PKT_TUNNEL_IN;
		worker_to_worker(w, worker_table[g->kp->owner], g->pkts, g->n);
		return;
	}
	if (!wg_timers_key_opens(g->kp->birth_ns, w->now_ns)) {
		worker_drop(w, g->pkts, g->n, DROP_TUNNEL_EXPIRED);
		return;
	}
	authentic = aead_burst_open(g->kp->receiving, g->counters, g->data, g->lens, g->n);
	for (unsigned i = 0; i < g->n; i++)
		if (!(authentic >> i & 1))
			worker_drop(w, &g->pkts[i], 1, DROP_TUNNEL_AUTH);
	if (authentic)
		deliver_group(w, g, authentic);
}

/* The session that a data message names, if that is one of the tunnel whose port it came to. */
static struct tunnel_keypair *find_session(const uint8_t *payload)
{
	const struct wg_wire_data *header = (const struct wg_wire_data *)(const void *)payload;
	const struct wire_udp *udp = (const struct wire_udp *)(const void *)(payload - sizeof(*udp));
	struct tunnel_keypair *kp = tunnel_keypair_by_receiver(wg_wire_get_le32(header->receiver));

	return kp && atomic_load_explicit(&kp->port, memory_order_relaxed) == ntohs(udp->dst_port_be) ? kp
												      : NULL;
}

/* Handshakes leave for the slow thread, malformed messages end; what is data stays, with its session. */
static uint64_t sort_messages(
    struct worker *w, struct rte_mbuf **pkts, unsigned n, struct tunnel_keypair *sessions[WORKER_BURST])
{
	uint64_t left = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = 0;
		const uint8_t *payload = tunnel_outer_payload(pkts[i], &len);

		switch (payload ? wg_wire_type(payload, len) : WG_WIRE_INVALID) {
		case WG_WIRE_INVALID:
			worker_drop(w, &pkts[i], 1, DROP_TUNNEL_MESSAGE);
			break;
		case WG_WIRE_INITIATION:
		case WG_WIRE_RESPONSE:
		case WG_WIRE_COOKIE_REPLY:
			pkt_meta(pkts[i])->op = PKT_HANDSHAKE;
			worker_to_slow(w, &pkts[i], 1, DROP_HANDSHAKE_QUEUE);
			break;
		case WG_WIRE_DATA:
			sessions[i] = find_session(payload);
			if (sessions[i])
				left |= UINT64_C(1) << i;
			else
				worker_drop(w, &pkts[i], 1, DROP_TUNNEL_NO_SESSION);
			break;
		}
	}
	return left;
}

static void add_to_group(struct group *g, struct rte_mbuf *pkt)
{
	uint32_t len = 0;
	uint8_t *payload = tunnel_outer_payload(pkt, &len);
	const struct wg_wire_data *header = (const struct wg_wire_data *)(const void *)payload;

	g->pkts[g->n] = pkt;
	g->counters[g->n] = wg_wire_get_le64(header->counter);
	g->data[g->n] = payload + sizeof(*header);
	g->lens[g->n] = len - (uint32_t)WG_WIRE_DATA_MIN_LEN;
	g->n++;
}

void tunnel_input(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct tunnel_keypair *sessions[WORKER_BURST];
	uint64_t left = sort_messages(w, pkts, n, sessions);
	struct group g;

	while (left) {
		g.kp = sessions[__builtin_ctzll(left)];
		g.peer = tunnel_peer_by_index(g.kp->peer);
		g.n = 0;
		for (uint64_t rest = left; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);

			if (sessions[i] != g.kp)
				continue;
			add_to_group(&g, pkts[i]);
			left &= ~(UINT64_C(1) << i);
		}
		if (g.peer)
			decap_group(w, &g);
		else
			worker_drop(w, g.pkts, g.n, DROP_TUNNEL_NO_SESSION);
	}
}
