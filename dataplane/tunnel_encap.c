/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage that puts packets into a tunnel: finds the peer, seals all of a peer's packets of the
 * burst together, prepends the outer headers and sends them on by the underlay of the
 * peer's line. Without a session they go to the slow thread, which keeps a few. Workers only.
 */
#include <string.h>

#include "dataplane/nexthop.h"
#include "dataplane/tunnel_peer.h"
#include "lib/aead_burst.h"
#include "lib/ip_wire.h"

#define STALE_TELL_NS (10 * NSEC_PER_MSEC) /* not oftener about one peer */

static_assert(WORKER_BURST <= AEAD_BURST_MAX, "a burst is sealed by one call");

/* The packets of one peer, in their order. */
struct group {
	struct tunnel_peer *peer;
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
	uint64_t counters[WORKER_BURST];
	uint8_t *data[WORKER_BURST];
	uint32_t lens[WORKER_BURST];
	uint8_t tos[WORKER_BURST];
};

/* The peer whose allowed-IPs take this destination; NULL: none. */
static struct tunnel_peer *find_by_destination(const struct tunnel *t, const struct rte_mbuf *pkt)
{
	uint16_t only = atomic_load_explicit(&t->only_peer, memory_order_relaxed);
	struct tunnel_peer *p = tunnel_peer_by_index(only);
	uint32_t value = LPM_NONE;

	if (p && atomic_load_explicit(&p->any, memory_order_relaxed))
		return p;
	if (pkt_meta((struct rte_mbuf *)(uintptr_t)pkt)->family == IP_V4)
		lpm4_lookup_bulk(t->allowed4,
		    (const uint32_t[]){rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->dst_be}, &value, 1);
	else
		lpm6_lookup_bulk(
		    t->allowed6, &rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->dst, &value, 1);
	return value == LPM_NONE ? NULL : tunnel_peer_by_index((uint16_t)(value - 1));
}

/*
 * The peer that a route names: a tunnel's only one, or BGP's next hop. Where several peers share a tunnel, a
 * destination on somebody's list is his, as with stock tunnels; a peer with a list gets nothing else.
 */
static struct tunnel_peer *find_named(struct tunnel_peer *named, const struct rte_mbuf *pkt)
{
	struct tunnel_peer *owner;

	if (!atomic_load_explicit(&named->tunnel->by_lists, memory_order_relaxed))
		return named;
	owner = find_by_destination(named->tunnel, pkt);
	return owner || !atomic_load_explicit(&named->any, memory_order_relaxed) ? owner : named;
}

static struct tunnel_peer *find_peer(struct rte_mbuf *pkt)
{
	struct pkt_meta *m = pkt_meta(pkt);
	const struct iface *ifc;

	if (m->op == PKT_TUNNEL_OUT) {
		m->op = 0;
		if (m->peer != TUNNEL_PEER_NONE)
			return tunnel_peer_by_index(m->peer);
		ifc = iface_by_index(m->out);
	} else {
		if (m->nh->peer)
			return find_named(m->nh->peer, pkt);
		ifc = iface_by_index(m->nh->iface);
	}
	if (!ifc || ifc->kind != IFACE_TUNNEL || !rcu_dereference(ifc->tunnel))
		return NULL;
	return find_by_destination(rcu_dereference(ifc->tunnel), pkt);
}

/* No keys: the slow thread queues what it has room for and starts a handshake. */
static void ask_for_session(struct worker *w, struct group *g)
{
	unsigned queued = atomic_load_explicit(&g->peer->queued, memory_order_relaxed);
	unsigned room = queued < TUNNEL_WAITING ? TUNNEL_WAITING - queued : 0;
	unsigned taken;

	/* Of what comes while it is full the newest is kept: a packet now and then goes on to push out an old
	 * one. */
	if (room == 0 &&
	    w->now_ns - atomic_load_explicit(&g->peer->told_ns, memory_order_relaxed) >= STALE_TELL_NS) {
		atomic_store_explicit(&g->peer->told_ns, w->now_ns, memory_order_relaxed);
		room = 1;
	}
	taken = g->n < room ? g->n : room;
	if (taken < g->n)
		worker_drop(w, g->pkts + taken, g->n - taken, DROP_TUNNEL_QUEUE);
	for (unsigned i = 0; i < taken; i++) {
		struct pkt_meta *m = pkt_meta(g->pkts[i]);

		m->op = PKT_NEED_SESSION;
		m->peer = g->peer->index;
	}
	if (taken)
		worker_to_slow(w, g->pkts, taken, DROP_TUNNEL_QUEUE);
}

void tunnel_tell_stale(struct worker *w, struct tunnel_peer *p)
{
	struct tunnel_event event = {.what = TUNNEL_EVENT_STALE, .peer = p->index};

	if (w->now_ns - atomic_load_explicit(&p->told_ns, memory_order_relaxed) >= STALE_TELL_NS)
		tunnel_tell(w, p, &event);
}

/*
 * Room for header, padding and tag, and the header written. §5.4.6: padded with zeros to a multiple of 16,
 * but not beyond the MTU. False: no room.
 */
static bool prepare_packet(struct group *g, unsigned i, const struct tunnel_keypair *kp, uint16_t mtu)
{
	struct rte_mbuf *pkt = g->pkts[i];
	uint32_t len = pkt->pkt_len, padded = RTE_ALIGN_CEIL(len, WG_WIRE_PADDING);
	struct wg_wire_data *header;
	char *tail;

	if (padded > mtu)
		padded = len > mtu ? len : mtu;
	if (pkt->nb_segs > 1 && rte_pktmbuf_linearize(pkt))
		return false;
	g->tos[i] = tunnel_inner_ecn(pkt);
	tail = rte_pktmbuf_append(pkt, (uint16_t)(padded - len + WG_WIRE_TAG_LEN));
	if (!tail)
		return false;
	memset(tail, 0, padded - len);
	g->data[i] = rte_pktmbuf_mtod(pkt, uint8_t *);
	g->lens[i] = padded;
	header = (struct wg_wire_data *)(void *)rte_pktmbuf_prepend(pkt, sizeof(*header));
	if (!header)
		return false;
	memset(header->type, 0, sizeof(header->type));
	header->type[0] = WG_WIRE_DATA;
	wg_wire_set_le32(header->receiver, kp->remote_index);
	wg_wire_set_le64(header->counter, g->counters[i]);
	return true;
}

/* Drops what has no room, closes the gaps. */
static void prepare_group(
    struct worker *w, struct group *g, const struct tunnel_keypair *kp, uint64_t counter)
{
	const struct tunnel *t = g->peer->tunnel;
	uint16_t mtu = tunnel_fit_mtu(g->peer);
	bool clamp = atomic_load_explicit(&t->mss_clamp, memory_order_relaxed);
	unsigned kept = 0;

	for (unsigned i = 0; i < g->n; i++) {
		g->pkts[kept] = g->pkts[i];
		g->counters[kept] = counter + i;
		if (clamp && g->pkts[kept]->pkt_len)
			tunnel_inner_clamp_mss(g->pkts[kept], mtu);
		if (prepare_packet(g, kept, kp, mtu))
			kept++;
		else
			worker_drop(w, &g->pkts[kept], 1, DROP_HEADROOM);
	}
	g->n = kept;
}

/* Anything sent; and data sent since the peer was last heard. */
void tunnel_note_sent(struct worker *w, struct tunnel_peer *p, uint64_t bytes, bool data)
{
	struct tunnel_marks *m = &p->marks;

	atomic_store_explicit(&m->last_tx_ns, w->now_ns, memory_order_relaxed);
	if (atomic_load_explicit(&m->unanswered_rx_ns, memory_order_relaxed))
		atomic_store_explicit(&m->unanswered_rx_ns, 0, memory_order_relaxed);
	if (data && !atomic_load_explicit(&m->unanswered_tx_ns, memory_order_relaxed))
		atomic_store_explicit(&m->unanswered_tx_ns, w->now_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->tx_bytes, bytes, memory_order_relaxed);
}

static void send_group(struct worker *w, struct group *g, const struct tunnel_path *path)
{
	const struct tunnel *t = g->peer->tunnel;
	uint64_t bytes = 0;
	unsigned kept = 0, data = 0;

	for (unsigned i = 0; i < g->n; i++) {
		struct rte_mbuf *pkt = g->pkts[i];

		bytes += pkt->pkt_len;
		data += g->lens[i] > 0;
		pkt_meta(pkt)->depth++;
		if (!tunnel_outer_prepend(pkt, path, t->port, g->tos[i]))
			worker_drop(w, &pkt, 1, DROP_HEADROOM);
		else if (pkt->pkt_len <= path->mtu || !tunnel_outer_cut(w, pkt, path))
			g->pkts[kept++] = pkt;
	}
	if (bytes == 0)
		return;
	tunnel_note_sent(w, g->peer, bytes, data > 0);
	worker_count_tx(w, g->peer->iface, data, bytes);
	if (kept)
		forward_packets(w, g->pkts, kept);
}

/* All packets of a group under one keypair: one atomic add for their counters, one call of the cipher. */
static void encap_group(struct worker *w, struct group *g)
{
	struct tunnel_keypair *kp = rcu_dereference(g->peer->current);
	const struct tunnel_path *path = rcu_dereference(g->peer->path);
	uint64_t counter;

	/* Looked at before it is added to: however often a spent key is tried, its counter never comes round.
	 */
	if (!kp || !wg_timers_key_seals(kp->birth_ns,
		       atomic_load_explicit(&kp->send_counter, memory_order_relaxed), w->now_ns)) {
		ask_for_session(w, g);
		return;
	}
	if (!path) {
		worker_drop(w, g->pkts, g->n, DROP_TUNNEL_NO_ENDPOINT);
		return;
	}
	if (path->inner_mtu != TUNNEL_UNLIMITED && tunnel_fit_packets(w, g->peer, path, g->pkts, g->n))
		return;
	counter = atomic_fetch_add_explicit(&kp->send_counter, g->n, memory_order_relaxed);
	if (!wg_timers_key_seals(kp->birth_ns, counter + g->n, w->now_ns)) {
		ask_for_session(w, g);
		return;
	}
	if (wg_timers_key_stale_to_send(kp->birth_ns, kp->initiator, counter, w->now_ns))
		tunnel_tell_stale(w, g->peer);
	prepare_group(w, g, kp, counter);
	aead_burst_seal(kp->sending, g->counters, g->data, g->lens, g->n);
	send_group(w, g, path);
}

/* Packets that no peer takes end here; the others' peers are noted. Returns those that are left. */
static uint64_t find_peers(
    struct worker *w, struct rte_mbuf **pkts, unsigned n, struct tunnel_peer *peers[WORKER_BURST])
{
	uint64_t left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (pkt_meta(pkts[i])->depth > 0) {
			worker_drop(w, &pkts[i], 1, DROP_TUNNEL_SELF);
			continue;
		}
		peers[i] = find_peer(pkts[i]);
		if (peers[i])
			left |= UINT64_C(1) << i;
		else
			icmp_send_error(w, pkts[i], ICMP_HOST_UNREACHABLE, 0, DROP_TUNNEL_NO_PEER);
	}
	return left;
}

void tunnel_encap(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct tunnel_peer *peers[WORKER_BURST];
	uint64_t left = find_peers(w, pkts, n, peers);
	struct group g;

	while (left) {
		g.peer = peers[__builtin_ctzll(left)];
		g.n = 0;
		for (uint64_t rest = left; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);

			if (peers[i] != g.peer)
				continue;
			g.pkts[g.n++] = pkts[i];
			left &= ~(UINT64_C(1) << i);
		}
		encap_group(w, &g);
	}
}
