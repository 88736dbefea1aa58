/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6 errors (RFC 1812 §4.3, RFC 4443 §2.4): whether one may be sent, from which
 * address, and how fast. The error is routed as any packet. Workers only, but for icmp_set_rate.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/worker.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "lib/nsec.h"

#define RATE_DEFAULT 100 /* errors a second */
#define BURST	     10	 /* tokens that a bucket holds */
#define ERROR4_MAX   576 /* RFC 1812 §4.3.2.3: as much of the packet as fits */
#define HOP_LIMIT    64
#define TOS_ERROR    0xc0 /* RFC 1812 §4.3.2.5: precedence internetwork control */

struct icmp_code {
	uint8_t type4, code4, type6, code6;
};

static const struct icmp_code codes[] = {
    [ICMP_TIME_EXCEEDED] = {ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_TTL, ICMP6_TYPE_TIME_EXCEEDED,
	ICMP6_CODE_HOP_LIMIT},
    [ICMP_NO_ROUTE] = {ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET_UNREACHABLE, ICMP6_TYPE_UNREACHABLE,
	ICMP6_CODE_NO_ROUTE},
    [ICMP_HOST_UNREACHABLE] = {ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST_UNREACHABLE, ICMP6_TYPE_UNREACHABLE,
	ICMP6_CODE_ADDR_UNREACHABLE},
    [ICMP_PROHIBITED] = {ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROHIBITED, ICMP6_TYPE_UNREACHABLE,
	ICMP6_CODE_PROHIBITED},
    [ICMP_TOO_BIG] = {ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAG_NEEDED, ICMP6_TYPE_TOO_BIG, 0},
};

static _Atomic uint64_t token_ns =
    NSEC_PER_SEC / RATE_DEFAULT; /* slow thread stores, workers load; relaxed: one word */

void icmp_set_rate(unsigned per_second)
{
	uint64_t all = NSEC_PER_SEC * worker_count / (per_second ? per_second : RATE_DEFAULT);

	atomic_store_explicit(&token_ns, all, memory_order_relaxed);
}

/* Token bucket, in nanoseconds of credit: an error costs token_ns, BURST of them are held at the most. */
static bool take_token(struct worker *w)
{
	uint64_t price = atomic_load_explicit(&token_ns, memory_order_relaxed);

	w->icmp_tokens_ns += w->now_ns - w->icmp_filled_ns;
	w->icmp_filled_ns = w->now_ns;
	if (w->icmp_tokens_ns > BURST * price)
		w->icmp_tokens_ns = BURST * price;
	if (w->icmp_tokens_ns < price)
		return false;
	w->icmp_tokens_ns -= price;
	return true;
}

static bool is_error4(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	uint8_t type;

	if (m->proto != IP_PROTO_ICMP)
		return false;
	if (m->l4_off == 0 || m->l4_off >= pkt->data_len)
		return true; /* cannot tell */
	type = *rte_pktmbuf_mtod_offset(pkt, const uint8_t *, m->l4_off);
	return type == ICMP_TYPE_UNREACHABLE || type == ICMP_TYPE_REDIRECT ||
	       type == ICMP_TYPE_TIME_EXCEEDED || type == ICMP_TYPE_PARAMETER ||
	       type == 4 /* source quench */;
}

static bool is_error6(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	uint8_t type;

	if (m->proto != IP_PROTO_ICMP6)
		return false;
	if (m->l4_off == 0 || m->l4_off >= pkt->data_len)
		return true; /* cannot tell */
	type = *rte_pktmbuf_mtod_offset(pkt, const uint8_t *, m->l4_off);
	return type <= ICMP6_TYPE_ERROR_MAX || type == ICMP6_TYPE_ND_REDIRECT;
}

/*
 * RFC 1812 §4.3.2.7 and RFC 4443 §2.4 (e): never about an error, a group, a broadcast, a later fragment
 * (IPv4), or from a source that is no single host. Groups and broadcasts end before forwarding already.
 */
static bool may_answer(const struct rte_mbuf *pkt, const struct pkt_meta *m)
{
	if (m->flags & (PKT_LOCAL_ICMP | PKT_LINK_SOURCE | PKT_LINK_DEST) || m->in == 0)
		return false;
	if (m->family == IP_V6)
		return !is_error6(pkt, m);
	return !is_error4(pkt, m) && m->l4_off != 0;
}

/*
 * Who speaks: the interface that the packet came in by, as traceroute shows it; on an unnumbered one the
 * router's preferred source. An error for our own host must not come from its own address, which the kernel
 * would refuse as a martian: it comes from where the packet was going.
 */
static bool choose_source(const struct rte_mbuf *pkt, const struct pkt_meta *m, struct ip_addr *src)
{
	const struct iface *in = iface_by_index(m->in);
	struct ip_addr to = m->family == IP_V4
				? ip_addr_v4(rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->src_be)
				: ip_addr_v6(rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->src);

	if (m->flags & PKT_FROM_HOST) {
		*src = m->family == IP_V4 ? ip_addr_v4(rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->dst_be)
					  : ip_addr_v6(rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->dst);
		return true;
	}
	if (in && iface_source(in, m->family, &to, src) && !ip_addr_is_link_local(src))
		return true;
	return iface_router_source(m->family, &to, src);
}

static void build4(struct rte_mbuf *out, const struct rte_mbuf *pkt, const struct ip_addr *src,
    enum icmp_error what, uint16_t mtu)
{
	size_t room = ERROR4_MAX - sizeof(struct wire_ip4) - sizeof(struct wire_icmp);
	size_t quote = pkt->data_len < room ? pkt->data_len : room;
	size_t len = sizeof(struct wire_ip4) + sizeof(struct wire_icmp) + quote;
	struct wire_ip4 *ip = (struct wire_ip4 *)rte_pktmbuf_append(out, (uint16_t)len);
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);

	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .tos = TOS_ERROR,
	    .total_len_be = htons((uint16_t)len),
	    .ttl = HOP_LIMIT,
	    .proto = IP_PROTO_ICMP,
	    .src_be = ip_addr_be32(src),
	    .dst_be = rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->src_be};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	*icmp = (struct wire_icmp){.type = codes[what].type4, .code = codes[what].code4};
	if (what == ICMP_TOO_BIG)
		icmp->u.frag.mtu_be = htons(mtu);
	memcpy(icmp + 1, rte_pktmbuf_mtod(pkt, const void *), quote);
	icmp->csum = csum_fold(csum_add(0, icmp, sizeof(*icmp) + quote));
}

static void build6(struct rte_mbuf *out, const struct rte_mbuf *pkt, const struct ip_addr *src,
    enum icmp_error what, uint16_t mtu)
{
	size_t room =
	    IP6_MIN_MTU - sizeof(struct wire_ip6) - sizeof(struct wire_icmp); /* RFC 4443 §2.4 (c) */
	size_t quote = pkt->data_len < room ? pkt->data_len : room;
	size_t len = sizeof(struct wire_icmp) + quote;
	struct wire_ip6 *ip = (struct wire_ip6 *)rte_pktmbuf_append(out, (uint16_t)(sizeof(*ip) + len));
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);
	uint32_t sum;

	*ip = (struct wire_ip6){.version_class_flow_be = htonl(IP6_VERSION),
	    .payload_len_be = htons((uint16_t)len),
	    .next_header = IP_PROTO_ICMP6,
	    .hop_limit = HOP_LIMIT};
	memcpy(ip->src, src->b, 16);
	memcpy(ip->dst, rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->src, 16);
	*icmp = (struct wire_icmp){.type = codes[what].type6, .code = codes[what].code6};
	if (what == ICMP_TOO_BIG)
		icmp->u.mtu_be = htonl(mtu);
	memcpy(icmp + 1, rte_pktmbuf_mtod(pkt, const void *), quote);
	sum = csum_pseudo6(ip->src, ip->dst, IP_PROTO_ICMP6, (uint32_t)len);
	icmp->csum = csum_fold(csum_add(sum, icmp, len));
}

/* The error as a packet of ours; NULL, counted, when the rate or the buffers do not allow it. */
static struct rte_mbuf *make_error(struct worker *w, const struct rte_mbuf *pkt, const struct ip_addr *src,
    enum icmp_error what, uint16_t mtu)
{
	const struct pkt_meta *about = pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);
	struct rte_mbuf *out;
	struct pkt_meta *m;

	if (!take_token(w)) {
		worker_count_drop(w, DROP_ICMP_RATE, 1);
		return NULL;
	}
	out = rte_pktmbuf_alloc(w->pool);
	if (!out) {
		worker_count_drop(w, DROP_NO_MBUF, 1);
		return NULL;
	}
	m = pkt_meta(out);
	*m = (struct pkt_meta){.family = about->family, .flags = PKT_FROM_HOST | PKT_LOCAL_ICMP};
	m->proto = about->family == IP_V4 ? IP_PROTO_ICMP : IP_PROTO_ICMP6;
	m->l4_off = about->family == IP_V4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
	if (about->family == IP_V4)
		build4(out, pkt, src, what, mtu);
	else
		build6(out, pkt, src, what, mtu);
	return out;
}

void icmp_send_error(
    struct worker *w, struct rte_mbuf *pkt, enum icmp_error what, uint16_t mtu, enum drop_reason reason)
{
	struct pkt_meta *m = pkt_meta(pkt);
	struct rte_mbuf *error = NULL;
	struct ip_addr src;

	if (may_answer(pkt, m) && choose_source(pkt, m, &src))
		error = make_error(w, pkt, &src, what, mtu);
	if (error && m->flags & PKT_FROM_HOST) {
		pkt_meta(error)->in = m->in;
		host_deliver(w, &error, 1);
	} else if (error) {
		forward_packets(w, &error, 1);
	}
	worker_drop(w, &pkt, 1, reason);
}
