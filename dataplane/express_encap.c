/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way into tunnels; express_tunnel.h says which packets go it. All packets of a burst are prepared,
 * sealed by one call of the cipher and sent, whatever their peers. The way to a peer (outer headers, port,
 * MTU) is kept by each worker and made anew when forward_epoch has moved. Workers only.
 *
 * Pair of atomics: forward_epoch as in express.c, which has read it (acquire) for this burst.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/express_tunnel.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/tunnel_group.h"
#include "dataplane/tunnel_peer.h"
#include "lib/aead_burst.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

#define HEADER_MAX (sizeof(struct wire_eth) + sizeof(struct wire_ip6) + sizeof(struct wire_udp))
#define HEADER4	   (sizeof(struct wire_eth) + sizeof(struct wire_ip4) + sizeof(struct wire_udp))

/* Outer link, IP and UDP headers as each packet to a peer has them, but for lengths, ECN and IPv4's ident. */
struct express_tunnel_way {
	uint64_t epoch; /* in which it was made */
	const struct tunnel_peer *peer;
	uint16_t mtu;	    /* largest sealed packet (without header and tag); 0: the stages' matter */
	uint16_t inner_mtu; /* of the tunnel */
	uint16_t iface;	    /* the way out */
	uint8_t header_len;
	bool clamp;
	uint16_t csum; /* sum of the IPv4 header so far */
	uint8_t header[RTE_ALIGN(HEADER_MAX, 16)];
} __attribute__((aligned(64)));

/* Packets of a burst, ready for the cipher: by group, those of a group in their order. */
struct sealing {
	unsigned n;
	struct rte_mbuf *pkts[WORKER_BURST];
	uint8_t *data[WORKER_BURST];
	uint64_t counters[WORKER_BURST];
	const uint8_t *keys[WORKER_BURST];
	uint32_t lens[WORKER_BURST];
	const struct express_tunnel_way *ways[WORKER_BURST];
};

static_assert(WORKER_BURST <= AEAD_BURST_MAX, "a burst is sealed by one call");

int express_encap_create(struct worker *w)
{
	size_t size = TUNNEL_PEERS * sizeof(*w->tunnel_ways);

	w->tunnel_ways = aligned_alloc(_Alignof(struct express_tunnel_way), size);
	if (!w->tunnel_ways)
		return ERR_NOMEM;
	memset(w->tunnel_ways, 0, size);
	return 0;
}

void express_encap_destroy(struct worker *w)
{
	free(w->tunnel_ways);
	w->tunnel_ways = NULL;
}

/* --- the way to a peer --- */

/* What its underlay says of the endpoint now: a known neighbour of a port that this worker can send on, or
 * NULL. */
static const struct nexthop *find_outer(const struct tunnel_path *path)
{
	const struct fib_table *t = path->table == FIBMSG_OVERLAY ? NULL : fib_table(path->table);
	const struct nexthop *nh;
	uint32_t group = 0;
	uintptr_t serves;

	if (!t)
		return NULL;
	if (path->remote.addr.family == IP_V4)
		fib_lookup4(t, (const uint32_t[]){ip_addr_be32(&path->remote.addr)}, &group, 1);
	else
		fib_lookup6(t, &path->remote.addr.b, &group, 1);
	serves = atomic_load_explicit(&group_forward[group], memory_order_consume);
	nh = (const struct nexthop *)serves;
	return !(serves & 1) && nh->kind == NEXTHOP_VIA ? nh : NULL;
}

static uint8_t write_header4(struct express_tunnel_way *way, const struct tunnel_path *path)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)(way->header + sizeof(struct wire_eth));

	((struct wire_eth *)way->header)->type_be = htons(ETH_TYPE_IP4);
	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .frag_be = path->dont_fragment ? htons(IP4_DF) : 0,
	    .ttl = TUNNEL_OUTER_HOP_LIMIT,
	    .proto = IP_PROTO_UDP};
	memcpy(&ip->src_be, path->local.b, 4);
	memcpy(&ip->dst_be, path->remote.addr.b, 4);
	way->csum = (uint16_t)~csum_fold(csum_add(0, ip, sizeof(*ip)));
	return sizeof(*ip);
}

static uint8_t write_header6(struct express_tunnel_way *way, const struct tunnel_path *path)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)(way->header + sizeof(struct wire_eth));

	((struct wire_eth *)way->header)->type_be = htons(ETH_TYPE_IP6);
	*ip = (struct wire_ip6){.version_class_flow_be = htonl(IP6_VERSION),
	    .next_header = IP_PROTO_UDP,
	    .hop_limit = TUNNEL_OUTER_HOP_LIMIT};
	memcpy(ip->src, path->local.b, 16);
	memcpy(ip->dst, path->remote.addr.b, 16);
	return sizeof(*ip);
}

static void write_header(struct express_tunnel_way *way, const struct tunnel_peer *p,
    const struct tunnel_path *path, uint64_t mac, const struct port *port)
{
	struct wire_eth *eth = (struct wire_eth *)way->header;
	struct wire_udp *udp;
	uint8_t ip_len;

	memcpy(eth->dst, &mac, 6);
	memcpy(eth->src, port->mac, 6);
	ip_len = path->remote.addr.family == IP_V4 ? write_header4(way, path) : write_header6(way, path);
	udp = (struct wire_udp *)(way->header + sizeof(*eth) + ip_len);
	*udp =
	    (struct wire_udp){.src_port_be = htons(p->tunnel->port), .dst_port_be = htons(path->remote.port)};
	way->header_len = (uint8_t)(sizeof(*eth) + ip_len + sizeof(*udp));
}

/* mtu stays 0 unless all is as plain as it can be. */
static void make_way(
    const struct worker *w, struct express_tunnel_way *way, const struct tunnel_peer *p, uint64_t epoch)
{
	const struct tunnel_path *path = rcu_dereference(p->path);
	const struct tunnel *t = p->tunnel;
	const struct nexthop *nh = path ? find_outer(path) : NULL;
	const struct iface *out = nh ? iface_by_index(nh->iface) : NULL;
	const struct port *port = out ? rcu_dereference(out->port) : NULL;
	uint16_t mtu, overhead;
	uint64_t mac;

	memset(way, 0, sizeof(*way));
	way->epoch = epoch;
	way->peer = p;
	if (!port || w->id >= port->tx_queues)
		return;
	mac = atomic_load_explicit(&nh->neigh->mac, memory_order_acquire); /* neigh.c releases */
	if (!(mac & NEIGH_MAC_VALID))
		return;
	write_header(way, p, path, mac, port);
	way->iface = nh->iface;
	way->inner_mtu = tunnel_fit_mtu(p);
	way->clamp = atomic_load_explicit(&t->mss_clamp, memory_order_relaxed);
	mtu = atomic_load_explicit(&out->mtu, memory_order_relaxed);
	if (path->mtu < mtu)
		mtu = path->mtu;
	overhead = (uint16_t)(way->header_len - sizeof(struct wire_eth) + WG_WIRE_DATA_MIN_LEN);
	way->mtu = mtu > overhead ? (uint16_t)(mtu - overhead) : 0;
}

static inline const struct express_tunnel_way *find_way(
    const struct worker *w, const struct tunnel_peer *p, uint64_t epoch)
{
	struct express_tunnel_way *way = &w->tunnel_ways[p->index];

	if (__builtin_expect(way->epoch != epoch || way->peer != p, 0))
		make_way(w, way, p, epoch);
	return way;
}

/* --- which peer --- */

/* Destinations of one tunnel whose allowed-IPs have to be asked. */
struct asked {
	const struct tunnel *tunnel;
	struct tunnel_peer *named; /* by the route: has what is on nobody's list, if it has no list itself */
	unsigned n;
	uint8_t at[WORKER_BURST];
};

static void ask(struct asked *a, const struct express_burst *b, bool ip6, struct tunnel_peer **peers)
{
	uint32_t dst4[WORKER_BURST], values[WORKER_BURST];
	uint8_t dst6[WORKER_BURST][16];

	for (unsigned i = 0; i < a->n; i++) {
		const uint8_t *ip = b->frame[a->at[i]] + sizeof(struct wire_eth);

		if (ip6)
			memcpy(dst6[i], ((const struct wire_ip6 *)ip)->dst, 16);
		else
			dst4[i] = ((const struct wire_ip4 *)ip)->dst_be;
	}
	if (ip6)
		lpm6_lookup_bulk(a->tunnel->allowed6, (const uint8_t(*)[16])dst6, values, a->n);
	else
		lpm4_lookup_bulk(a->tunnel->allowed4, dst4, values, a->n);
	if (a->named && !atomic_load_explicit(&a->named->any, memory_order_relaxed))
		a->named = NULL;
	for (unsigned i = 0; i < a->n; i++)
		peers[a->at[i]] =
		    values[i] == LPM_NONE ? a->named : tunnel_peer_by_index((uint16_t)(values[i] - 1));
	a->n = 0;
}

/* The tunnel of a next hop without a peer; or its only peer, if that takes all. */
static const struct tunnel *tunnel_of(const struct nexthop *nh, struct tunnel_peer **only)
{
	const struct iface *ifc = iface_by_index(nh->iface);
	const struct tunnel *t = ifc && ifc->kind == IFACE_TUNNEL ? rcu_dereference(ifc->tunnel) : NULL;
	struct tunnel_peer *p =
	    t ? tunnel_peer_by_index(atomic_load_explicit(&t->only_peer, memory_order_relaxed)) : NULL;

	*only = p && atomic_load_explicit(&p->any, memory_order_relaxed) ? p : NULL;
	return t;
}

/* As tunnel_encap.c:find_peer, for the whole burst. NULL where there is none. */
static void find_peers(
    const struct express_burst *b, const struct express_tunnel *t, bool ip6, struct tunnel_peer **peers)
{
	const struct nexthop *last = NULL;
	const struct tunnel *tunnel = NULL;
	struct tunnel_peer *only = NULL, *named = NULL;
	struct asked a;

	a.n = 0;
	for (uint64_t left = t->out; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (t->nh[i] != last) {
			last = t->nh[i];
			named = last->peer;
			only = named;
			tunnel = named ? named->tunnel : tunnel_of(last, &only);
			if (named && atomic_load_explicit(&tunnel->by_lists, memory_order_relaxed))
				only = NULL;
		}
		peers[i] = only;
		if (only || !tunnel)
			continue;
		if (a.n && (a.tunnel != tunnel || a.named != named))
			ask(&a, b, ip6, peers);
		a.tunnel = tunnel;
		a.named = named;
		a.at[a.n++] = (uint8_t)i;
	}
	if (a.n)
		ask(&a, b, ip6, peers);
}

/* --- sealing --- */

/* §5.4.6: to a multiple of 16, but not beyond the MTU (tunnel_encap.c:prepare_packet). */
static inline uint32_t padded_len(uint32_t len, uint32_t mtu)
{
	uint32_t padded = RTE_ALIGN_CEIL(len, WG_WIRE_PADDING);

	return padded <= mtu ? padded : mtu;
}

/* Whether the way takes it, and the buffer has room on both sides; else it is the stages' matter. */
static inline bool fits(const struct express_tunnel_way *way, const struct rte_mbuf *m, uint32_t len)
{
	uint32_t header =
	    way->header_len + (uint32_t)sizeof(struct wg_wire_data) - (uint32_t)sizeof(struct wire_eth);

	return len <= way->inner_mtu && padded_len(len, way->inner_mtu) <= way->mtu && m->nb_segs == 1 &&
	       m->data_off >= header &&
	       m->data_off + sizeof(struct wire_eth) + len + WG_WIRE_PADDING + WG_WIRE_TAG_LEN <= m->buf_len;
}

/* The inner ECN field goes outwards (RFC 6040 §4.1). */
static inline uint8_t inner_ecn(const uint8_t *ip, bool ip6)
{
	return ip6 ? ip[1] >> 4 & IP_TOS_ECN_MASK : ip[1] & IP_TOS_ECN_MASK;
}

/* What differs from packet to packet. */
static inline void finish_header(
    const struct express_tunnel_way *way, uint8_t *header, uint16_t udp_len, uint8_t ecn, uint16_t id)
{
	struct wire_ip4 *ip4 = (struct wire_ip4 *)(header + sizeof(struct wire_eth));
	struct wire_ip6 *ip6 = (struct wire_ip6 *)(header + sizeof(struct wire_eth));
	struct wire_udp *udp = (struct wire_udp *)(header + way->header_len) - 1;

	udp->len_be = htons(udp_len);
	if (way->header_len != HEADER4) {
		ip6->version_class_flow_be |= htonl((uint32_t)ecn << IP6_CLASS_SHIFT);
		ip6->payload_len_be = htons(udp_len);
		return;
	}
	ip4->tos = ecn;
	ip4->total_len_be = htons((uint16_t)(udp_len + sizeof(*ip4)));
	ip4->id_be = htons(id);
	ip4->csum = csum_fold((uint32_t)way->csum + htons(ecn) + ip4->total_len_be + ip4->id_be);
}

/* TTL, padding, all headers. The inner packet begins at `ip`. */
static inline void prepare(const struct express_tunnel_way *way, struct rte_mbuf *m, uint8_t *ip,
    uint32_t len, uint32_t padded, uint64_t start, uint64_t counter, bool ip6)
{
	uint8_t ecn = inner_ecn(ip, ip6), *wg = ip - sizeof(struct wg_wire_data),
		*header = wg - way->header_len;

	memset(ip + len, 0, WG_WIRE_PADDING); /* the tag's place lies behind: there is room */
	memcpy(header, way->header, way->header_len == HEADER4 ? HEADER4 : HEADER_MAX);
	finish_header(way, header, (uint16_t)(sizeof(struct wire_udp) + WG_WIRE_DATA_MIN_LEN + padded), ecn,
	    tunnel_outer_next_id());
	memcpy(wg, &start, sizeof(start));
	wg_wire_set_le64(wg + offsetof(struct wg_wire_data, counter), counter);
	m->data_off =
	    (uint16_t)(m->data_off + sizeof(struct wire_eth) - sizeof(struct wg_wire_data) - way->header_len);
	m->data_len = (uint16_t)(way->header_len + WG_WIRE_DATA_MIN_LEN + padded);
	m->pkt_len = m->data_len;
}

/* Type, reserved bytes and receiver, as they lie in memory. */
static inline uint64_t message_start(const struct tunnel_keypair *kp)
{
	uint8_t b[8] = {WG_WIRE_DATA};
	uint64_t start;

	wg_wire_set_le32(b + offsetof(struct wg_wire_data, receiver), kp->remote_index);
	memcpy(&start, b, sizeof(start));
	return start;
}

/* The tunnel's MSS for a SYN. The mbuf still begins at the link header. */
static void clamp_mss(struct rte_mbuf *m, uint16_t len, uint16_t mtu)
{
	m->data_off = (uint16_t)(m->data_off + sizeof(struct wire_eth));
	m->data_len = len;
	tunnel_inner_clamp_mss(m, mtu);
	m->data_off = (uint16_t)(m->data_off - sizeof(struct wire_eth));
}

static inline bool is_tcp(const uint8_t *ip, bool ip6)
{
	return ip[ip6 ? offsetof(struct wire_ip6, next_header) : offsetof(struct wire_ip4, proto)] ==
	       IP_PROTO_TCP;
}

/* Packets of one peer, at these positions, under its keys; the bits of those that were taken. */
static uint64_t add_group(struct worker *w, struct sealing *s, const struct express_burst *b,
    struct rte_mbuf **pkts, struct tunnel_peer *p, const uint8_t *at, unsigned n, bool ip6)
{
	struct tunnel_keypair *kp = rcu_dereference(p->current);
	const struct express_tunnel_way *way = find_way(w, p, express_epoch(w));
	uint64_t counter, start, taken = 0, bytes = 0;
	const size_t word_at = ip6 ? EXPRESS_WORD6 : EXPRESS_WORD4;

	if (way->mtu == 0 || !kp)
		return 0;
	/* however often a spent key is tried, its counter never comes round */
	counter = atomic_load_explicit(&kp->send_counter, memory_order_relaxed);
	if (!wg_timers_key_seals(kp->birth_ns, counter, w->now_ns))
		return 0;
	counter = atomic_fetch_add_explicit(&kp->send_counter, n, memory_order_relaxed);
	if (!wg_timers_key_seals(kp->birth_ns, counter + n, w->now_ns))
		return 0;
	if (wg_timers_key_stale_to_send(kp->birth_ns, kp->initiator, counter, w->now_ns))
		tunnel_tell_stale(w, p);
	start = message_start(kp);
	for (unsigned k = 0; k < n; k++) {
		unsigned i = at[k], to = s->n;
		struct rte_mbuf *m = pkts[i];
		uint8_t *ip = b->frame[i] + sizeof(struct wire_eth);

		if (!fits(way, m, b->len[i]))
			continue;
		memcpy(b->frame[i] + word_at, &b->word[i], sizeof(b->word[i]));
		if (way->clamp && is_tcp(ip, ip6))
			clamp_mss(m, (uint16_t)b->len[i], way->inner_mtu);
		s->lens[to] = padded_len(b->len[i], way->inner_mtu);
		prepare(way, m, ip, b->len[i], s->lens[to], start, counter, ip6);
		s->pkts[to] = m;
		s->data[to] = ip;
		s->counters[to] = counter++;
		s->keys[to] = kp->sending;
		s->ways[to] = way;
		s->n++;
		bytes += WG_WIRE_DATA_MIN_LEN + s->lens[to];
		taken |= UINT64_C(1) << i;
	}
	if (taken) {
		tunnel_note_sent(w, p, bytes, true);
		worker_count_tx(w, p->iface, (unsigned)__builtin_popcountll(taken), bytes);
	}
	return taken;
}

/* RFC 8200 §8.1: UDP over IPv6 has a checksum; over what was sealed, so it comes last. */
static void add_checksums(struct sealing *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->ways[i]->header_len != HEADER4)
			tunnel_outer_sum_udp6(
			    rte_pktmbuf_mtod_offset(s->pkts[i], uint8_t *, sizeof(struct wire_eth)));
}

/* Those that leave by one interface together. */
static void send_all(struct worker *w, struct sealing *s)
{
	for (unsigned from = 0, to; from < s->n; from = to) {
		uint16_t iface = s->ways[from]->iface;
		struct iface *out = iface_by_index(iface);
		uint64_t bytes = 0;

		for (to = from; to < s->n && s->ways[to]->iface == iface; to++)
			bytes += s->pkts[to]->data_len;
		if (out)
			tx_frames_counted(w, out, s->pkts + from, to - from, bytes);
		else
			worker_drop(w, s->pkts + from, to - from, DROP_TX_DOWN);
	}
}

/* What add_group will read of each peer. */
static void fetch_peers(const struct worker *w, struct tunnel_peer **peers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(&peers[i]->tx_bytes); /* and `current` beside it */
		rte_prefetch0(&peers[i]->marks);
		rte_prefetch0(&w->tunnel_ways[peers[i]->index]);
		rte_prefetch0((const uint8_t *)&w->tunnel_ways[peers[i]->index] + RTE_CACHE_LINE_SIZE);
	}
}

uint64_t express_encap(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    const struct express_tunnel *t, bool ip6)
{
	struct tunnel_peer *peers[WORKER_BURST], *known[WORKER_BURST];
	uint8_t at[WORKER_BURST], members[WORKER_BURST];
	struct tunnel_groups g;
	struct sealing s;
	uint64_t taken = 0;
	unsigned n = 0;

	find_peers(b, t, ip6, peers);
	for (uint64_t left = t->out; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (!peers[i])
			continue;
		at[n] = (uint8_t)i;
		known[n++] = peers[i];
	}
	tunnel_group(&g, (void *const *)known, n);
	for (unsigned k = 0; k < n; k++)
		members[k] = at[g.order[k]];
	if (g.n > 1)
		fetch_peers(w, known, n);
	s.n = 0;
	for (unsigned i = 0; i < g.n; i++) {
		unsigned from = tunnel_group_begin(&g, i);

		taken |=
		    add_group(w, &s, b, pkts, peers[members[from]], members + from, g.end[i] - from, ip6);
	}
	aead_burst_seal_each(s.keys, s.counters, s.data, s.lens, s.n);
	add_checksums(&s);
	send_all(w, &s);
	return taken;
}
