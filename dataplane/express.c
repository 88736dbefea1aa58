/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of plain packets; express.h says which they are. Workers only.
 *
 * Pair of atomics: forward_epoch is read (acquire) once a burst; who changes what a group means moves it
 * (release) after the change. So what was made in a burst of this epoch is no older than the epoch.
 */
#include "dataplane/express.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "lib/ip_wire.h"
#include "lib/isa.h"

#define WAYS 512 /* remembered by each worker; a power of two */

/* Bytes of the link header that change; the type after them stays. */
#define REWRITE_LEN 12
static_assert(offsetof(struct wire_eth, type_be) == REWRITE_LEN, "addresses come first");

/* What a group means. One cache line. */
struct way {
	uint32_t group; /* 0: none yet; "no route" is the stages' matter */
	uint16_t
	    mtu; /* packets up to it need no further look; 0: the stages', or the rule of lines', matter */
	uint16_t wan_mtu;   /* of a WAN, where the source must fit the line */
	uint64_t header[2]; /* REWRITE_LEN bytes */
	uint16_t iface;
} __attribute__((aligned(64)));

struct express {
	uint64_t epoch; /* in which the ways were made */
	struct way ways[WAYS];
};

static_assert(WORKER_BURST == 64, "a burst is a word of bits");

int express_create(struct worker *w)
{
	w->express = aligned_alloc(_Alignof(struct express), sizeof(struct express));
	if (!w->express)
		return ERR_NOMEM;
	memset(w->express, 0, sizeof(struct express));
	return 0;
}

void express_destroy(struct worker *w)
{
	free(w->express);
	w->express = NULL;
}

/* By first byte (RFC 1812 §5.3.7): what no packet may have. 169.254 is looked at besides. */
static bool may_forward_address(uint32_t be)
{
	uint32_t a = ntohl(be), first = a >> 24;

	return first - 1 < 223 && first != 127 && a >> 16 != 0xa9fe;
}

/* RFC 1071 over the five words of a header without options. */
static bool checksum_holds(const uint8_t *ip)
{
	uint32_t words[5];
	uint64_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		sum += words[i];
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* One less; the checksum follows by RFC 1624, of which this is the sum for a decrement of the first byte. */
static uint32_t decrement(uint32_t ttl_word)
{
	uint8_t b[4];
	uint32_t csum;

	memcpy(b, &ttl_word, 4);
	b[0]--;
	csum = (uint32_t)(b[2] << 8 | b[3]) + 0x0100;
	csum += csum >= 0xffff;
	b[2] = (uint8_t)(csum >> 8);
	b[3] = (uint8_t)csum;
	memcpy(&ttl_word, b, 4);
	return ttl_word;
}

static bool judge4(const struct rte_mbuf *m, unsigned i, struct express_burst *out)
{
	const struct wire_ip4 *ip = (const struct wire_ip4 *)(out->frame[i] + sizeof(struct wire_eth));

	if (m->data_len < sizeof(struct wire_eth) + sizeof(*ip) || ip->version_ihl != IP4_VERSION_IHL)
		return false;
	out->len[i] = ntohs(ip->total_len_be);
	out->src4_be[i] = ip->src_be;
	out->dst4_be[i] = ip->dst_be;
	memcpy(&out->word[i], out->frame[i] + EXPRESS_WORD4, 4);
	out->word[i] = decrement(out->word[i]);
	return out->len[i] >= sizeof(*ip) && out->len[i] <= m->data_len - sizeof(struct wire_eth) &&
	       ip->ttl > 1 && checksum_holds((const uint8_t *)ip) && may_forward_address(ip->src_be) &&
	       may_forward_address(ip->dst_be);
}

static bool is_plain6(const uint8_t *a)
{
	return (a[0] & 0xe0) == 0x20 || (a[0] & 0xfe) == 0xfc;
}

static bool judge6(const struct rte_mbuf *m, unsigned i, struct express_burst *out)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)(out->frame[i] + sizeof(struct wire_eth));
	uint8_t word[4];

	if (m->data_len < sizeof(struct wire_eth) + sizeof(*ip) || *(const uint8_t *)ip >> 4 != 6)
		return false;
	out->len[i] = (uint16_t)(sizeof(*ip) + ntohs(ip->payload_len_be));
	memcpy(word, out->frame[i] + EXPRESS_WORD6, 4);
	word[3]--;
	memcpy(&out->word[i], word, 4);
	return ntohs(ip->payload_len_be) <= m->data_len - sizeof(struct wire_eth) - sizeof(*ip) &&
	       (ip->next_header == IP_PROTO_TCP || ip->next_header == IP_PROTO_UDP ||
		   ip->next_header == IP_PROTO_ICMP6) &&
	       ip->hop_limit > 1 && is_plain6(ip->src) && is_plain6(ip->dst);
}

static void judge_one(
    const struct port *port, const struct rte_mbuf *m, unsigned i, struct express_burst *out)
{
	const struct wire_eth *eth = (const struct wire_eth *)out->frame[i];

	if (m->data_len < sizeof(*eth) || memcmp(eth->dst, port->mac, 6) != 0)
		return;
	if (eth->type_be == htons(ETH_TYPE_IP4))
		out->good4 |= (uint64_t)judge4(m, i, out) << i;
	else if (eth->type_be == htons(ETH_TYPE_IP6))
		out->good6 |= (uint64_t)judge6(m, i, out) << i;
	out->padded |= (uint64_t)(m->data_len != out->len[i] + sizeof(*eth)) << i;
}

void express_judge(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out)
{
	out->good4 = out->good6 = out->padded = out->bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		if (i + EXPRESS_AHEAD < n)
			rte_prefetch0(pkts[i + EXPRESS_AHEAD]);
		out->frame[i] = rte_pktmbuf_mtod(pkts[i], uint8_t *);
		rte_prefetch0(out->frame[i]);
		out->bytes += pkts[i]->data_len;
		out->len[i] = 0;
	}
	for (unsigned i = 0; i < n; i++)
		judge_one(port, pkts[i], i, out);
}

/* The group is the stages' matter, unless all below is as plain as it can be. */
static void make_way(const struct worker *w, struct way *way, uint32_t group)
{
	uintptr_t serves = atomic_load_explicit(&group_forward[group], memory_order_consume);
	const struct nexthop *nh = (const struct nexthop *)serves;
	const struct iface *out;
	const struct port *port;
	uint64_t mac;

	memset(way, 0, sizeof(*way));
	way->group = group;
	if (serves & 1 || nh->kind != NEXTHOP_VIA)
		return;
	out = iface_by_index(nh->iface);
	port = out ? rcu_dereference(out->port) : NULL;
	mac = atomic_load_explicit(&nh->neigh->mac, memory_order_acquire); /* neigh.c releases */
	if (!port || w->id >= port->tx_queues || !(mac & NEIGH_MAC_VALID))
		return;
	memcpy(way->header, &mac, 6);
	memcpy((uint8_t *)way->header + 6, port->mac, 6);
	way->iface = nh->iface;
	*(nh->role == FIBMSG_ROLE_WAN ? &way->wan_mtu : &way->mtu) =
	    atomic_load_explicit(&out->mtu, memory_order_relaxed);
}

static inline const struct way *find_way(const struct worker *w, struct way *ways, uint32_t group)
{
	struct way *way = &ways[group % WAYS];

	if (__builtin_expect(way->group != group, 0))
		make_way(w, way, group);
	return way;
}

/* Forgets the ways when something has changed since they were made. */
static void check_epoch(struct express *e)
{
	uint64_t epoch =
	    atomic_load_explicit(&forward_epoch, memory_order_acquire); /* pair: forward_changed */

	if (epoch == e->epoch)
		return;
	e->epoch = epoch;
	for (unsigned i = 0; i < WAYS; i++)
		e->ways[i].group = 0;
}

/* Packets from..to of the burst, which leave by one interface. */
static void send_run(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts, uint16_t iface,
    unsigned from, unsigned to)
{
	struct iface *out = iface_by_index(iface);
	uint64_t bytes = 0;

	if (from == to)
		return;
	for (unsigned i = from; i < to; i++)
		bytes += b->len[i] + sizeof(struct wire_eth);
	if (out)
		tx_frames_counted(w, out, pkts + from, to - from, bytes);
	else
		worker_drop(w, pkts + from, to - from, DROP_TX_DOWN);
}

/* The rule of lines: whether a packet with this source may leave by the way's WAN (forward.c:keep_to_line).
 */
static bool fits_line(const struct way *way, const uint8_t *frame, bool ip6)
{
	const struct fib_table *t = fib_table(FIB_SOURCES);
	const uint8_t *ip = frame + sizeof(struct wire_eth);
	uint32_t line = 0, src_be;

	if (!t)
		return true;
	if (ip6) {
		fib_lookup6(t, &((const struct wire_ip6 *)ip)->src, &line, 1);
	} else {
		src_be = ((const struct wire_ip4 *)ip)->src_be;
		fib_lookup4(t, &src_be, &line, 1);
	}
	return line == 0 || line == way->iface;
}

/*
 * Packets from..to of the burst, all good, each by its way; neighbours by one interface together. Returns the
 * bits of those that are the stages' matter.
 */
static inline uint64_t send_stretch(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    const uint32_t *groups, bool ip6, unsigned from, unsigned to)
{
	const size_t word_at = ip6 ? EXPRESS_WORD6 : EXPRESS_WORD4;
	struct way *const ways = w->express->ways;
	uint16_t iface = 0;
	uint64_t kept = 0;

	for (unsigned i = from; i < to; i++) {
		const struct way *way = find_way(w, ways, groups[i]);
		uint8_t *frame = b->frame[i];

		if (__builtin_expect(b->len[i] > way->mtu, 0) &&
		    (b->len[i] > way->wan_mtu || !fits_line(way, frame, ip6))) {
			send_run(w, b, pkts, iface, from, i);
			from = i + 1;
			kept |= UINT64_C(1) << i;
			continue;
		}
		if (__builtin_expect(way->iface != iface, 0)) {
			send_run(w, b, pkts, iface, from, i);
			from = i;
			iface = way->iface;
		}
		memcpy(frame, way->header, REWRITE_LEN);
		memcpy(frame + word_at, &b->word[i], sizeof(b->word[i]));
	}
	send_run(w, b, pkts, iface, from, to);
	return kept;
}

/* The link's padding is no part of the packet. The stages would cut it off, too. */
static void trim(struct rte_mbuf **pkts, const struct express_burst *b, uint64_t padded)
{
	for (; padded; padded &= padded - 1) {
		unsigned i = (unsigned)__builtin_ctzll(padded);

		pkts[i]->data_len = (uint16_t)(b->len[i] + sizeof(struct wire_eth));
		pkts[i]->pkt_len = pkts[i]->data_len;
	}
}

/* Those of `good` whose way is plain leave; returns them. */
static inline uint64_t send_good(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    uint64_t good, const uint32_t *groups, bool ip6)
{
	uint64_t kept = 0;

	trim(pkts, b, good & b->padded);
	for (uint64_t left = good; left;) {
		unsigned from = (unsigned)__builtin_ctzll(left);
		uint64_t rest = ~(left >> from);
		unsigned to = rest ? from + (unsigned)__builtin_ctzll(rest) : 64;

		if (to > 64)
			to = 64;
		kept |= send_stretch(w, b, pkts, groups, ip6, from, to);
		left = to == 64 ? 0 : left >> to << to;
	}
	return good & ~kept;
}

static uint64_t send4(struct worker *w, const struct fib_table *t, const struct express_burst *b,
    struct rte_mbuf **pkts, unsigned n)
{
	uint32_t groups[WORKER_BURST];

	/* those that are not good have some address, too: to look it up costs less than to leave gaps */
	fib_lookup4(t, b->dst4_be, groups, n);
	return send_good(w, b, pkts, b->good4, groups, false);
}

static uint64_t send6(
    struct worker *w, const struct fib_table *t, const struct express_burst *b, struct rte_mbuf **pkts)
{
	uint32_t found[WORKER_BURST], groups[WORKER_BURST];
	uint8_t dst[WORKER_BURST][16];
	unsigned n = 0;

	for (uint64_t left = b->good6; left; left &= left - 1)
		memcpy(dst[n++],
		    b->frame[__builtin_ctzll(left)] + sizeof(struct wire_eth) +
			offsetof(struct wire_ip6, dst),
		    16);
	fib_lookup6(t, (const uint8_t(*)[16])dst, found, n);
	n = 0;
	for (uint64_t left = b->good6; left; left &= left - 1)
		groups[__builtin_ctzll(left)] = found[n++];
	return send_good(w, b, pkts, b->good6, groups, true);
}

static void judge(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out)
{
#ifdef __x86_64__
	if (isa_selected() >= ISA_AVX512) {
		express_judge_avx512(port, pkts, n, out);
		return;
	}
#endif
	express_judge(port, pkts, n, out);
}

unsigned express_frames(
    struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, uint64_t *bytes)
{
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);
	uint64_t gone = 0;
	struct express_burst b;
	unsigned left = 0;

	judge(port, pkts, n, &b);
	*bytes = b.bytes;
	if (!t || !w->express)
		return n;
	check_epoch(w->express);
	if (b.good4)
		gone = send4(w, t, &b, pkts, n);
	if (b.good6)
		gone |= send6(w, t, &b, pkts);
	if (gone == (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!(gone >> i & 1))
			pkts[left++] = pkts[i];
	return left;
}
