/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage that takes WireGuard messages in: handshakes go to the slow thread, transport data is
 * opened by one call of the cipher, judged a session at a time by the replay window, and by what may come
 * from the peer (its allowed-IPs, or the routes that name it), and goes on as a packet that came by the
 * tunnel. Nothing of the peer moves before a message has authenticated. Workers only.
 *
 * The window and the order of delivery belong to one worker a session; the others hand over.
 */
#include <arpa/inet.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/express.h"
#include "dataplane/tunnel_decap.h"
#include "dataplane/tunnel_filter.h"
#include "dataplane/tunnel_group.h"
#include "dataplane/tunnel_share.h"
#include "lib/aead_burst.h"
#include "lib/ip_wire.h"

#define TELL_NS NSEC_PER_MSEC /* not oftener about one peer or session */

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
static bool roamed(const struct tunnel_session *g)
{
	const struct tunnel_path *path = rcu_dereference(g->peer->path);

	if (!path || path->remote.port != g->source.remote.port ||
	    !ip_addr_equal(&path->remote.addr, &g->source.remote.addr))
		return true;
	if (path->line != g->source.line)
		return !path->line_fixed;
	return !ip_addr_equal(&path->local, &g->source.local);
}

/* What the slow thread has to know of authentic messages; told again until it has acted. */
static void tell_news(struct worker *w, struct tunnel_session *g)
{
	struct tunnel_event event = {
	    .receiver = g->kp->local_index, .from = g->source, .peer = g->peer->index};
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

/* A link header, as the short way wants one: it lies where the message's header was. */
static void put_link_header(struct rte_mbuf *pkt)
{
	static const struct wire_eth headers[2] = {
	    {.dst = EXPRESS_INNER_MAC, .type_be = RTE_BE16(ETH_TYPE_IP4)},
	    {.dst = EXPRESS_INNER_MAC, .type_be = RTE_BE16(ETH_TYPE_IP6)},
	};
	bool ip6 = *rte_pktmbuf_mtod(pkt, const uint8_t *) >> 4 == 6;

	static_assert(sizeof(headers[0]) <= sizeof(struct wg_wire_data), "there is room for it");
	pkt->data_off = (uint16_t)(pkt->data_off - sizeof(headers[0]));
	pkt->data_len = (uint16_t)(pkt->data_len + sizeof(headers[0]));
	pkt->pkt_len = pkt->data_len;
	memcpy(rte_pktmbuf_mtod(pkt, uint8_t *), &headers[ip6], sizeof(headers[0]));
}

/* The short way for those that are plain, the stages for the others. */
static void deliver(struct worker *w, struct tunnel_inner *in)
{
	struct rte_mbuf *rest[WORKER_BURST];
	unsigned n = 0;
	uint64_t gone;

	tunnel_filter_sources(w, in);
	for (unsigned i = 0; i < in->n; i++)
		put_link_header(in->pkts[i]);
	gone = in->n ? express_inner(w, in->pkts, in->n) : 0;
	for (unsigned i = 0; i < in->n; i++) {
		struct pkt_meta *m = pkt_meta(in->pkts[i]);

		if (gone >> i & 1)
			continue;
		rte_pktmbuf_adj(in->pkts[i], sizeof(struct wire_eth));
		memset(m, 0, sizeof(*m));
		m->in = in->peers[i]->iface;
		m->peer = in->peers[i]->index;
		rest[n++] = in->pkts[i];
	}
	if (n)
		classify_packets(w, rest, n);
}

/* From message i to inner packet, at which the data begins. False: it was dropped. */
static bool unwrap_packet(struct worker *w, const struct tunnel_peer *p, struct tunnel_opening *o, unsigned i)
{
	struct rte_mbuf *pkt = o->pkts[i];
	bool marked = tunnel_outer_marked(o->ip[i]);

	pkt->data_off = (uint16_t)(o->data[i] - (uint8_t *)pkt->buf_addr);
	pkt->data_len = (uint16_t)o->lens[i];
	pkt->pkt_len = o->lens[i];
	if (!tunnel_inner_trim(pkt)) {
		worker_drop(w, &pkt, 1, DROP_TUNNEL_INNER);
		return false;
	}
	if (__builtin_expect(marked, 0))
		tunnel_inner_mark_congestion(pkt);
	if (atomic_load_explicit(&p->tunnel->mss_clamp, memory_order_relaxed))
		tunnel_inner_clamp_mss(pkt, tunnel_fit_mtu(p));
	return true;
}

/* The window (RFC 6479); returns the bits of authentic messages that it accepts, the others are dropped. */
static uint64_t filter_group(
    struct worker *w, const struct tunnel_session *g, struct tunnel_opening *o, uint64_t authentic)
{
	uint64_t accepted = 0;

	for (unsigned i = g->from; i < g->to; i++) {
		if (!(authentic >> i & 1))
			worker_drop(w, &o->pkts[i], 1, DROP_TUNNEL_AUTH);
		else if (!wg_replay_accept_counter(&g->kp->replay, o->counters[i]))
			worker_drop(w, &o->pkts[i], 1, DROP_TUNNEL_REPLAY);
		else
			accepted |= UINT64_C(1) << i;
	}
	return accepted;
}

/* Opened messages of a session: the window, then what is inside. */
static void accept_group(struct worker *w, struct tunnel_session *g, struct tunnel_opening *o,
    uint64_t authentic, struct tunnel_inner *in)
{
	uint64_t accepted = filter_group(w, g, o, authentic), bytes = 0;
	unsigned data = 0, last;

	if (!accepted)
		return;
	last = 63 - (unsigned)__builtin_clzll(accepted);
	tunnel_outer_source(
	    o->ip[last], o->data[last] - sizeof(struct wg_wire_data), o->line[last], &g->source);
	for (; accepted; accepted &= accepted - 1) {
		unsigned i = (unsigned)__builtin_ctzll(accepted);

		bytes += WG_WIRE_DATA_MIN_LEN + o->lens[i];
		if (o->lens[i] == 0) {
			rte_pktmbuf_free(o->pkts[i]); /* a keepalive has done its work */
			continue;
		}
		data++;
		if (unwrap_packet(w, g->peer, o, i)) {
			in->pkts[in->n] = o->pkts[i];
			in->peers[in->n++] = g->peer;
		}
	}
	tell_news(w, g);
	note_received(w, g->peer, bytes, data > 0);
	worker_count_rx(w, g->peer->iface, data, bytes);
}

/* What the stage of another worker needs to begin anew. */
static void hand_over(
    struct worker *w, const struct tunnel_messages *msgs, const uint8_t *at, unsigned n, unsigned owner)
{
	struct rte_mbuf *pkts[WORKER_BURST];

	for (unsigned k = 0; k < n; k++) {
		unsigned i = at[k];
		struct pkt_meta *m = pkt_meta(msgs->pkts[i]);
		uint8_t *udp = msgs->data[i] - sizeof(struct wg_wire_data) - sizeof(struct wire_udp);

		memset(m, 0, sizeof(*m));
		m->op = PKT_TUNNEL_IN;
		m->in = msgs->line[i];
		m->family = *msgs->ip[i] >> 4 == 4 ? IP_V4 : IP_V6;
		m->proto = IP_PROTO_UDP;
		m->l4_off = (uint16_t)(udp - msgs->ip[i]);
		rte_pktmbuf_adj(
		    msgs->pkts[i], (uint16_t)(msgs->ip[i] - rte_pktmbuf_mtod(msgs->pkts[i], uint8_t *)));
		pkts[k] = msgs->pkts[i];
	}
	worker_to_worker(w, worker_table[owner], pkts, n);
}

/* One session's messages for the cipher; the group is empty if they went another way. */
static struct tunnel_session add_group(struct worker *w, const struct tunnel_messages *msgs,
    struct tunnel_opening *o, const uint8_t *at, unsigned n)
{
	struct tunnel_session g = {.kp = msgs->sessions[at[0]], .from = o->n, .to = o->n};
	struct rte_mbuf *refused[WORKER_BURST];

	g.peer = tunnel_peer_by_index(g.kp->peer);
	if (g.peer && g.kp->owner != w->id) {
		hand_over(w, msgs, at, n, g.kp->owner);
		return g;
	}
	if (!g.peer || !wg_timers_key_opens(g.kp->birth_ns, w->now_ns)) {
		for (unsigned k = 0; k < n; k++)
			refused[k] = msgs->pkts[at[k]];
		worker_drop(w, refused, n, g.peer ? DROP_TUNNEL_EXPIRED : DROP_TUNNEL_NO_SESSION);
		return g;
	}
	for (unsigned k = 0; k < n; k++, g.to++) {
		unsigned i = at[k];
		const struct wg_wire_data *header = (const struct wg_wire_data *)msgs->data[i] - 1;

		o->pkts[g.to] = msgs->pkts[i];
		o->counters[g.to] = wg_wire_get_le64(header->counter);
		o->ip[g.to] = msgs->ip[i];
		o->data[g.to] = msgs->data[i];
		o->lens[g.to] = msgs->lens[i];
		o->line[g.to] = msgs->line[i];
	}
	o->n = g.to;
	return g;
}

/* What will be read of sessions and peers. */
static void fetch_sessions(const struct tunnel_messages *msgs)
{
	for (unsigned i = 0; i < msgs->n; i++)
		rte_prefetch0(&msgs->sessions[i]->receiving);
	for (unsigned i = 0; i < msgs->n; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(msgs->sessions[i]->peer);

		if (!p)
			continue;
		rte_prefetch0(&p->marks.last_rx_ns);
		rte_prefetch0(&p->tx_bytes);
	}
}

void tunnel_deliver(struct worker *w, struct tunnel_opening *o, uint64_t authentic)
{
	struct tunnel_inner in;

	in.n = 0;
	for (unsigned i = 0; i < o->n_sessions; i++)
		accept_group(w, &o->sessions[i], o, authentic, &in);
	if (in.n)
		deliver(w, &in);
}

uint64_t tunnel_decipher(const struct tunnel_opening *o)
{
	const uint8_t *keys[WORKER_BURST];

	for (unsigned s = 0; s < o->n_sessions; s++)
		for (unsigned i = o->sessions[s].from; i < o->sessions[s].to; i++)
			keys[i] = o->sessions[s].kp->receiving;
	return aead_burst_open_each(keys, o->counters, o->data, o->lens, o->n);
}

void tunnel_open_messages(struct worker *w, const struct tunnel_messages *msgs)
{
	struct tunnel_groups by;
	struct tunnel_opening o;

	tunnel_group(&by, (void *const *)msgs->sessions, msgs->n);
	if (by.n > 1)
		fetch_sessions(msgs);
	o.n = o.n_sessions = 0;
	for (unsigned i = 0; i < by.n; i++) {
		unsigned from = tunnel_group_begin(&by, i);
		struct tunnel_session s = add_group(w, msgs, &o, by.order + from, by.end[i] - from);

		if (s.to > s.from)
			o.sessions[o.n_sessions++] = s;
	}
	if (o.n && !tunnel_share_opening(w, &o))
		tunnel_deliver(w, &o, tunnel_decipher(&o));
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

bool tunnel_add_message(struct tunnel_messages *msgs, struct rte_mbuf *pkt, uint8_t *ip, uint8_t *payload,
    uint32_t len, uint16_t line)
{
	struct tunnel_keypair *kp =
	    wg_wire_type(payload, len) == WG_WIRE_DATA && pkt->nb_segs == 1 ? find_session(payload) : NULL;
	unsigned i = msgs->n;

	if (!kp)
		return false;
	msgs->pkts[i] = pkt;
	msgs->sessions[i] = kp;
	msgs->ip[i] = ip;
	msgs->data[i] = payload + sizeof(struct wg_wire_data);
	msgs->lens[i] = len - (uint32_t)WG_WIRE_DATA_MIN_LEN;
	msgs->line[i] = line;
	msgs->n++;
	return true;
}

/*
 * Could the sender know our public key (§5.4.4)? Judged here, so that what is forged blindly costs no other
 * thread and no place in its ring (bench/tunnel_flood.c). A cookie reply has no mac1.
 */
static bool may_handshake(uint8_t *payload, uint32_t len)
{
	const struct wire_udp *udp = (const struct wire_udp *)(void *)(payload - sizeof(*udp));
	const struct iface *ifc = iface_by_index(tunnel_by_port(ntohs(udp->dst_port_be)));
	const struct tunnel *t = ifc ? rcu_dereference(ifc->tunnel) : NULL;
	const uint8_t *key = t ? rcu_dereference(t->mac1_key) : NULL;

	return key && wg_cookie_good_mac1(key, payload, len);
}

/* Handshakes of a burst, on their way to the slow thread: which a burst wakes at most once. */
struct handshakes {
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
};

/* Sets handshakes and data of sessions apart; what is no message of ours ends. */
static void sort_message(
    struct worker *w, struct rte_mbuf *pkt, struct tunnel_messages *msgs, struct handshakes *handshakes)
{
	uint32_t len = 0;
	uint8_t *payload = tunnel_outer_payload(pkt, &len);

	switch (payload ? wg_wire_type(payload, len) : WG_WIRE_INVALID) {
	case WG_WIRE_INVALID:
		worker_drop(w, &pkt, 1, DROP_TUNNEL_MESSAGE);
		break;
	case WG_WIRE_INITIATION:
	case WG_WIRE_RESPONSE:
		if (!may_handshake(payload, len)) {
			worker_drop(w, &pkt, 1, DROP_HANDSHAKE_MAC1);
			break;
		}
		/* fallthrough */
	case WG_WIRE_COOKIE_REPLY:
		pkt_meta(pkt)->op = PKT_HANDSHAKE;
		pkt_meta(pkt)->arg = (uint16_t)(w->id + 1);
		handshakes->pkts[handshakes->n++] = pkt;
		break;
	case WG_WIRE_DATA:
		if (!tunnel_add_message(
			msgs, pkt, rte_pktmbuf_mtod(pkt, uint8_t *), payload, len, pkt_meta(pkt)->in))
			worker_drop(w, &pkt, 1, DROP_TUNNEL_NO_SESSION);
		break;
	}
}

void tunnel_input(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct tunnel_messages msgs;
	struct handshakes handshakes;

	msgs.n = handshakes.n = 0;
	for (unsigned i = 0; i < n; i++)
		sort_message(w, pkts[i], &msgs, &handshakes);
	if (handshakes.n)
		worker_to_slow(w, handshakes.pkts, handshakes.n, DROP_HANDSHAKE_QUEUE);
	if (msgs.n)
		tunnel_open_messages(w, &msgs);
}
