/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of plain packets; express.h says which they are. Workers only.
 */
#include "dataplane/express.h"

#include <arpa/inet.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/express_tunnel.h"
#include "dataplane/fib.h"
#include "dataplane/flow.h"
#include "dataplane/nexthop.h"
#include "lib/ip_wire.h"
#include "lib/isa.h"

static_assert(WORKER_BURST == 64, "a burst is a word of bits");

static inline uint64_t all_of(unsigned n)
{
	return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Whether to use the forms of express_avx512.c. */
static inline bool is_wide(void)
{
#ifdef __x86_64__
	return isa_selected() >= ISA_AVX512;
#else
	return false;
#endif
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
	out->len[i] = (uint32_t)sizeof(*ip) + ntohs(ip->payload_len_be);
	memcpy(out->dst6[i], ip->dst, sizeof(ip->dst));
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

/* One family of a burst on its way out. */
struct sending {
	struct worker *w;
	const struct express_burst *b;
	struct rte_mbuf **pkts;
	uint32_t *keys;	 /* of their ways: groups at first */
	uint32_t *lines; /* of their sources (FIB_SOURCES), once asked for */
	uint64_t good;	 /* bits: those of this family that may leave */
	uint32_t line;	 /* to which all of those belong that belong to any; 0: none, or ... */
	unsigned n;
	bool ip6, wide;
};

#define LINE_UNKNOWN UINT32_MAX
#define LINE_SEVERAL (UINT32_MAX - 1)

/* Packets from..to of the burst leave by an interface. */
static void send_run(const struct sending *s, uint16_t iface, unsigned from, unsigned to)
{
	struct iface *out = iface_by_index(iface);
	uint64_t bytes = (to - from) * sizeof(struct wire_eth);

	if (to - from == s->n && !s->b->padded)
		bytes = s->b->bytes;
	else
		for (unsigned i = from; i < to; i++)
			bytes += s->b->len[i];
	if (out)
		tx_frames_counted(s->w, out, s->pkts + from, to - from, bytes);
	else
		worker_drop(s->w, s->pkts + from, to - from, DROP_TX_DOWN);
}

static inline void rewrite(const struct sending *s, const struct express_way *way, unsigned i)
{
	uint8_t *frame = s->b->frame[i];

	memcpy(frame, way->header, EXPRESS_REWRITE_LEN);
	memcpy(frame + (s->ip6 ? EXPRESS_WORD6 : EXPRESS_WORD4), &s->b->word[i], sizeof(s->b->word[i]));
}

/* Rewrites packets from `from` on as long as they leave by one interface; returns the first that does not. */
static inline unsigned rewrite_run(
    struct sending *s, uint16_t iface, unsigned which, unsigned from, unsigned to)
{
	const struct express_way *ways = s->w->express->ways;
	const uint32_t base = (uint32_t)iface << 16;

#ifdef __x86_64__
	if (s->wide) {
		from = express_rewrite_avx512(
		    ways, s->b, s->keys, which, iface, s->ip6 ? EXPRESS_WORD6 : EXPRESS_WORD4, from, to);
		s->wide = to - from < 16; /* else interfaces alternate */
	}
#endif
	for (; from < to; from++) {
		const struct express_way *way = &ways[express_way_slot(s->keys[from])];
		uint32_t mtu = way->limit[which] - base;

		if (way->key != s->keys[from] || mtu > UINT16_MAX || mtu < s->b->len[from])
			break;
		rewrite(s, way, from);
	}
	return from;
}

/* The flow of a good packet, as forward.c makes it: there are no options and no extension headers. */
static uint32_t flow_of(const struct sending *s, unsigned i)
{
	const uint8_t *ip = s->b->frame[i] + sizeof(struct wire_eth);
	const struct wire_ip4 *ip4 = (const struct wire_ip4 *)ip;

	if (s->ip6)
		return flow_hash_packet(ip, s->b->len[i], true, ((const struct wire_ip6 *)ip)->next_header,
		    sizeof(struct wire_ip6));
	return flow_hash_packet(
	    ip, s->b->len[i], false, ip4->proto, ip4->frag_be & htons(IP4_OFFSET_MASK) ? 0 : sizeof(*ip4));
}

/* The way of a packet. Where its group has several members, members are chosen for all from there on. */
static const struct express_way *find_way(const struct sending *s, unsigned from, unsigned to)
{
	const struct express_way *way = express_way_find(s->w, s->keys[from]);

	if (__builtin_expect(!way->several, 1))
		return way;
	for (unsigned i = from; i < to; i++)
		if (express_way_find(s->w, s->keys[i])->several)
			s->keys[i] = express_way_member(s->keys[i], flow_of(s, i));
	return express_way_find(s->w, s->keys[from]);
}

/* All sources of the burst are looked up at once, when a packet is about to leave by a WAN. */
static void ask_for_lines(struct sending *s)
{
	const struct fib_table *t = fib_table(FIB_SOURCES);
	uint8_t src[WORKER_BURST][16];

	memset(s->lines, 0, s->n * sizeof(*s->lines));
	for (unsigned i = 0; s->ip6 && i < s->n; i++)
		memcpy(src[i], s->b->frame[i] + sizeof(struct wire_eth) + offsetof(struct wire_ip6, src), 16);
	if (t && s->ip6)
		fib_lookup6(t, (const uint8_t(*)[16])src, s->lines, s->n);
	else if (t)
		fib_lookup4(t, s->b->src4_be, s->lines, s->n);
	s->line = 0;
	for (uint64_t left = s->good; left; left &= left - 1) {
		uint32_t line = s->lines[__builtin_ctzll(left)];

		if (line && s->line && line != s->line)
			s->line = LINE_SEVERAL;
		else if (line)
			s->line = line;
	}
}

/*
 * Packets from..to of the burst, all good, each by its way. Returns the bits of those that are the stages'
 * matter. By a WAN no source of another line leaves (forward.c:keep_to_line).
 */
static uint64_t send_stretch(struct sending *s, unsigned from, unsigned to)
{
	uint64_t kept = 0;

	while (from < to) {
		const struct express_way *way = find_way(s, from, to);
		uint16_t iface = (uint16_t)(way->limit[1] >> 16);
		bool fits = s->line == 0 || s->line == iface; /* all of them, whatever the way */
		unsigned next = from + 1;

		if (s->b->len[from] <= (uint16_t)way->limit[fits]) {
			next = rewrite_run(s, iface, fits, from, to);
			send_run(s, iface, from, next);
		} else if (s->b->len[from] > (uint16_t)way->limit[1]) {
			kept |= UINT64_C(1) << from;
		} else if (s->line == LINE_UNKNOWN) {
			ask_for_lines(s);
			continue;
		} else if (s->lines[from] == 0 || s->lines[from] == iface) {
			rewrite(s, way, from);
			send_run(s, iface, from, next);
		} else {
			kept |= UINT64_C(1) << from;
		}
		from = next;
	}
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

/* The good whose way is plain leave; returns them. */
static uint64_t send_good(struct sending *s)
{
	uint64_t kept = 0;

	s->line = LINE_UNKNOWN;
	trim(s->pkts, s->b, s->good & s->b->padded);
	for (uint64_t left = s->good; left;) {
		unsigned from = (unsigned)__builtin_ctzll(left);
		uint64_t rest = ~(left >> from);
		unsigned to = rest ? from + (unsigned)__builtin_ctzll(rest) : 64;

		if (to > 64)
			to = 64;
		kept |= send_stretch(s, from, to);
		left = to == 64 ? 0 : left >> to << to;
	}
	return s->good & ~kept;
}

/* Into tunnels, and messages to ours; of `left`, the bits of those that went. */
static uint64_t send_tunnelled(struct sending *s, uint64_t left)
{
	struct express_tunnel t;
	uint64_t gone = 0;

	t.out = t.in = 0;
	for (; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uintptr_t serves;

		if (s->keys[i] >= GROUP_MAX)
			continue; /* a member of a group of several */
		serves = atomic_load_explicit(&group_forward[s->keys[i]], memory_order_consume);
		if (serves & 1)
			continue;
		t.nh[i] = (const struct nexthop *)serves;
		t.out |= (uint64_t)(t.nh[i]->kind == NEXTHOP_TUNNEL) << i;
		t.in |= (uint64_t)(t.nh[i]->kind == NEXTHOP_HOST) << i;
	}
	if (t.out)
		gone = express_encap(s->w, s->b, s->pkts, &t, s->ip6);
	if (t.in && s->b->in)
		gone |= express_decap(s->w, s->b, s->pkts, &t, s->ip6);
	return gone;
}

/* The good leave, but for those that the stages have to see. */
static uint64_t send_looked_up(struct sending *s)
{
	uint64_t gone = send_good(s);

	return gone == s->good ? gone : gone | send_tunnelled(s, s->good & ~gone);
}

/* Those that are not good have some address, too: to look it up costs less than to leave gaps. */
static uint64_t send4(struct sending *s, const struct fib_table *t)
{
	s->good = s->b->good4;
	fib_lookup4(t, s->b->dst4_be, s->keys, s->n);
	return send_looked_up(s);
}

static uint64_t send6(struct sending *s, const struct fib_table *t)
{
	uint8_t dst[WORKER_BURST][16];
	uint32_t found[WORKER_BURST];
	unsigned n = 0;

	s->ip6 = true;
	s->good = s->b->good6;
	if (s->good == all_of(s->n)) {
		fib_lookup6(t, s->b->dst6, s->keys, s->n);
		return send_looked_up(s);
	}
	for (uint64_t left = s->good; left; left &= left - 1)
		memcpy(dst[n++], s->b->dst6[__builtin_ctzll(left)], 16);
	fib_lookup6(t, (const uint8_t(*)[16])dst, found, n);
	n = 0;
	for (uint64_t left = s->good; left; left &= left - 1)
		s->keys[__builtin_ctzll(left)] = found[n++];
	return send_looked_up(s);
}

static void judge(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out)
{
#ifdef __x86_64__
	if (is_wide()) {
		express_judge_avx512(port, pkts, n, out);
		return;
	}
#endif
	express_judge(port, pkts, n, out);
}

/* The bits of those that are gone. */
static uint64_t send_burst(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts, unsigned n)
{
	const struct fib_table *t = fib_table(FIBMSG_OVERLAY);
	uint32_t keys[WORKER_BURST], lines[WORKER_BURST];
	uint64_t gone = 0;
	struct sending s = {
	    .w = w, .b = b, .pkts = pkts, .keys = keys, .lines = lines, .n = n, .wide = is_wide()};

	if (!t || !w->express)
		return 0;
	express_way_check_epoch(w->express);
	if (b->good4)
		gone = send4(&s, t);
	if (b->good6)
		gone |= send6(&s, t);
	return gone;
}

unsigned express_frames(
    struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, uint64_t *bytes)
{
	struct express_burst b;
	unsigned left = 0;
	uint64_t gone;

	judge(port, pkts, n, &b);
	b.in = port->iface;
	*bytes = b.bytes;
	gone = send_burst(w, &b, pkts, n);
	if (gone == all_of(n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!(gone >> i & 1))
			pkts[left++] = pkts[i];
	return left;
}

uint64_t express_inner(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	static const struct port inside = {.mac = EXPRESS_INNER_MAC};
	struct express_burst b;

	if (!w->express)
		return 0;
	judge(&inside, pkts, n, &b);
	b.in = 0;
	return send_burst(w, &b, pkts, n);
}
