/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MTU of the path to a peer, as routers tell it (RFC 1191, RFC 8201). Workers recognise such messages and
 * hand on a bounded number; the slow thread judges them and makes the peer's path anew.
 *
 * Anybody can send one, so it is believed only about a datagram that could be ours (RFC 5927 §7): addresses
 * and ports of a peer's path as it is now, sent by the address that the message is for, larger than the MTU
 * told, and no larger than what we sent. A router that quotes the WireGuard header, as RFC 1812 §4.3.2.3 and
 * RFC 4443 §2.4 (c) want it, shows that it saw the datagram: the receiver index is a secret of the path. One
 * that quotes only the first 8 bytes is believed down to WEAK_FLOOR, which costs little when it lies.
 */
#include <string.h>

#include "dataplane/slow.h"
#include "dataplane/too_big.h"
#include "dataplane/tunnel_peer.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/wg_wire.h"

#define AGE_NS	   (10 * 60 * NSEC_PER_SEC) /* RFC 1191 §6.3, RFC 8201 §5.3: 10 minutes */
#define TAKE_NS	   NSEC_PER_MSEC	    /* a worker hands on no more than one in it */
#define FLOOR4	   TUNNEL_MTU_MIN
#define WEAK_FLOOR IP6_MIN_MTU
#define RECENT	   65536u /* messages that may have been sent since the one that is quoted */

static uint64_t next_expiry_ns = UINT64_MAX;

/* --- workers --- */

static bool parse(const struct rte_mbuf *pkt, struct too_big *out)
{
	const struct pkt_meta *m = pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);

	return too_big_parse(
	    rte_pktmbuf_mtod(pkt, const uint8_t *), pkt->data_len, m->family, m->l4_off, out);
}

/* Is the message for the address from which the quoted datagram came? */
static bool is_for_source(const struct rte_mbuf *pkt, const struct too_big *b)
{
	const struct wire_ip4 *ip4 = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *);
	const struct wire_ip6 *ip6 = rte_pktmbuf_mtod(pkt, const struct wire_ip6 *);
	struct ip_addr to = b->from.addr.family == IP_V4 ? ip_addr_v4(ip4->dst_be) : ip_addr_v6(ip6->dst);

	return ip_addr_equal(&to, &b->from.addr);
}

bool tunnel_pmtu_concerns(const struct rte_mbuf *pkt)
{
	const struct pkt_meta *m = pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);
	struct too_big b;

	return (m->proto == IP_PROTO_ICMP || m->proto == IP_PROTO_ICMP6) && parse(pkt, &b) &&
	       tunnel_by_port(b.from.port) != 0 && is_for_source(pkt, &b);
}

void tunnel_pmtu_take(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	if (w->now_ns - w->too_big_ns >= TAKE_NS) {
		w->too_big_ns = w->now_ns;
		pkt_meta(pkts[0])->op = PKT_TOO_BIG;
		worker_to_slow(w, pkts, 1, DROP_PMTU_RATE);
		pkts++;
		n--;
	}
	if (n)
		worker_drop(w, pkts, n, DROP_PMTU_RATE);
}

/* --- slow thread --- */

/* The peer to which the quoted datagram went from this port; NULL: none. */
static struct tunnel_peer *find_peer(const struct too_big *b)
{
	uint16_t iface = tunnel_by_port(b->from.port);

	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->iface == iface && p->path && p->path->remote.port == b->to.port &&
		    ip_addr_equal(&p->path->remote.addr, &b->to.addr) &&
		    ip_addr_equal(&p->path->local, &b->from.addr))
			return p;
	}
	return NULL;
}

enum quote {
	QUOTE_STRANGE, /* a datagram that we did not send */
	QUOTE_WEAK,    /* it may be ours */
	QUOTE_PROVEN,  /* it is ours */
};

static bool was_sent_by(const struct tunnel_keypair *kp, const struct wg_wire_data *header)
{
	uint64_t sent = kp ? atomic_load_explicit(&kp->send_counter, memory_order_relaxed) : 0;
	uint64_t counter = wg_wire_get_le64(header->counter);

	return kp && kp->remote_index == wg_wire_get_le32(header->receiver) && counter < sent &&
	       sent - counter <= RECENT;
}

/* Only data messages are large. */
static enum quote judge_quote(const struct tunnel_peer *p, const struct too_big *b)
{
	const struct wg_wire_data *header = (const struct wg_wire_data *)(const void *)b->payload;

	if (b->payload_len < sizeof(*header))
		return QUOTE_WEAK;
	if (header->type[0] != WG_WIRE_DATA || header->type[1] || header->type[2] || header->type[3])
		return QUOTE_STRANGE;
	return was_sent_by(p->current, header) || was_sent_by(p->previous, header) ? QUOTE_PROVEN
										   : QUOTE_STRANGE;
}

/* What is believed of it; 0: nothing. */
static uint16_t believe(const struct tunnel_peer *p, const struct too_big *b)
{
	uint32_t largest = atomic_load_explicit(&p->tunnel->iface->mtu, memory_order_relaxed) +
			   (b->to.addr.family == IP_V6 ? TUNNEL_OVERHEAD6 : TUNNEL_OVERHEAD4);
	uint32_t mtu = b->mtu ? b->mtu : too_big_guess_mtu(b->quoted_len);
	enum quote quote = judge_quote(p, b);
	uint32_t floor = b->to.addr.family == IP_V6 || quote == QUOTE_WEAK ? WEAK_FLOOR : FLOOR4;

	/* RFC 8201 §4: below the least MTU of a link it is no message of a router */
	if (b->to.addr.family == IP_V6 && mtu < IP6_MIN_MTU)
		return 0;
	if (quote == QUOTE_STRANGE || b->quoted_len <= mtu || b->quoted_len > largest)
		return 0;
	mtu = mtu < floor ? floor : mtu;
	return mtu < b->quoted_len ? (uint16_t)mtu : 0;
}

static void learn(struct tunnel_peer *p, uint16_t mtu)
{
	uint64_t until_ns = tunnel_now_ns() + AGE_NS;

	if (mtu > p->path->mtu || (mtu == p->path->mtu && mtu != p->path_mtu))
		return; /* known: RFC 1191 §6.3: such a message never raises it */
	p->path_mtu_until_ns = until_ns;
	if (until_ns < next_expiry_ns)
		next_expiry_ns = until_ns;
	if (mtu == p->path_mtu)
		return;
	p->path_mtu = mtu;
	tunnel_path_renew(p);
	log_info("tunnel %s: peer %s: the path carries %u bytes, %u inside", p->tunnel->iface->name, p->name,
	    mtu, p->path->inner_mtu);
}

static void forget(struct tunnel_peer *p)
{
	p->path_mtu = 0;
	tunnel_path_renew(p);
}

void tunnel_pmtu_input(struct rte_mbuf *pkt)
{
	struct tunnel_peer *p;
	struct too_big b;
	uint16_t mtu;

	p = parse(pkt, &b) ? find_peer(&b) : NULL;
	mtu = p ? believe(p, &b) : 0;
	if (mtu == 0) {
		slow_drop(pkt, DROP_PMTU_INVALID);
		return;
	}
	learn(p, mtu);
	rte_pktmbuf_free(pkt);
}

uint64_t tunnel_pmtu_tick(uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	if (now_ns < next_expiry_ns)
		return next_expiry_ns;
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p || !p->path_mtu)
			continue;
		if (now_ns >= p->path_mtu_until_ns)
			forget(p);
		else if (p->path_mtu_until_ns < next)
			next = p->path_mtu_until_ns;
	}
	next_expiry_ns = next;
	return next;
}
