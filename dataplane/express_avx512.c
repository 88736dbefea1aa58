/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * express_judge4 for sixteen packets at a time: their headers are turned so that each vector holds one word
 * of all of them. Compiled for AVX-512 F, BW, DQ and VL; it judges as express.c:express_judge4 does, and the
 * tests hold the two against each other. Workers only.
 */
#include <immintrin.h>
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/express.h"
#include "lib/ip_wire.h"

#define GROUP 16u

/* Four words of each of sixteen packets. */
struct words {
	__m512i w[4];
};

/* The 16 bytes at `offset` of each frame, turned. */
static inline struct words load_words(uint8_t *const *frame, size_t offset)
{
	__m512i row[4], low01, high01, low23, high23;

	for (unsigned r = 0; r < 4; r++) {
		row[r] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(frame[r] + offset)));
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(frame[4 + r] + offset)), 1);
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(frame[8 + r] + offset)), 2);
		row[r] =
		    _mm512_inserti32x4(row[r], _mm_loadu_si128((const __m128i *)(frame[12 + r] + offset)), 3);
	}
	low01 = _mm512_unpacklo_epi32(row[0], row[1]);
	high01 = _mm512_unpackhi_epi32(row[0], row[1]);
	low23 = _mm512_unpacklo_epi32(row[2], row[3]);
	high23 = _mm512_unpackhi_epi32(row[2], row[3]);
	return (struct words){{_mm512_unpacklo_epi64(low01, low23), _mm512_unpackhi_epi64(low01, low23),
	    _mm512_unpacklo_epi64(high01, high23), _mm512_unpackhi_epi64(high01, high23)}};
}

static inline __m512i all(uint32_t v)
{
	return _mm512_set1_epi32((int)v);
}

static inline __m512i low16(__m512i v)
{
	return _mm512_and_si512(v, all(0xffff));
}

/* The sum of both halves of each word. */
static inline __m512i halves(__m512i v)
{
	return _mm512_add_epi32(low16(v), _mm512_srli_epi32(v, 16));
}

/* Addresses that may be forwarded; the first byte of one is the lowest. */
static inline __mmask16 plain_addresses(__m512i a)
{
	__m512i first = _mm512_and_si512(a, all(0xff));

	return _mm512_cmplt_epu32_mask(_mm512_sub_epi32(first, all(1)), all(223)) &
	       _mm512_cmpneq_epi32_mask(first, all(127)) & _mm512_cmpneq_epi32_mask(low16(a), all(0xfea9));
}

/* The headers of sixteen frames. */
struct headers {
	struct words
	    eth; /* bytes 2 to 17: what follows the first two of the address, to the first word of IP */
	struct words ip;	      /* bytes 18 to 33 */
	__m512i frame_len, mac_first; /* the frame's bytes, its first two */
};

static inline __mmask16 for_port(const struct port *port, const struct headers *h)
{
	uint32_t mac_first = 0, mac_last = 0;

	memcpy(&mac_first, port->mac, 2);
	memcpy(&mac_last, port->mac + 2, 4);
	return _mm512_cmpeq_epi32_mask(h->mac_first, all(mac_first)) &
	       _mm512_cmpeq_epi32_mask(h->eth.w[0], all(mac_last));
}

/* A number of two bytes in network order, from the low ones of each word. */
static inline __m512i swap16(__m512i v)
{
	v = low16(v);
	return _mm512_or_si512(_mm512_srli_epi32(v, 8), low16(_mm512_slli_epi32(v, 8)));
}

/* TTL, protocol, checksum: express.c:decrement. On this machine the checksum's first byte is the lower one.
 */
static inline __m512i decrement(__m512i word)
{
	__m512i sum = _mm512_add_epi32(_mm512_srli_epi32(word, 16), all(1));

	/* all ones, or a carry: one more, and no seventeenth bit */
	sum = _mm512_mask_add_epi32(sum, _mm512_cmpge_epu32_mask(sum, all(0xffff)), sum, all(1));
	return _mm512_or_si512(low16(_mm512_sub_epi32(word, all(1))), _mm512_slli_epi32(sum, 16));
}

/* Whether an IP packet of this length, at least `min`, lies in its frame. */
static inline __mmask16 fits(const struct headers *h, __m512i len, size_t min)
{
	__m512i room = _mm512_sub_epi32(h->frame_len, all(sizeof(struct wire_eth)));

	return _mm512_cmpge_epi32_mask(len, all((uint32_t)min)) & _mm512_cmpge_epi32_mask(room, len);
}

/* Stores what is known of these packets, beside what is known of others. */
static inline void keep(struct express_burst *out, unsigned at, __mmask16 of, __m512i word, __m512i len)
{
	_mm512_mask_storeu_epi32(out->word + at, of, word);
	_mm256_mask_storeu_epi16(out->len + at, of, _mm512_cvtepi32_epi16(len));
}

static inline __mmask16 judge4(const struct headers *h, unsigned at, __mmask16 of, struct express_burst *out)
{
	__m512i first = h->eth.w[3], ttl_word = h->ip.w[1], src = h->ip.w[2], dst = h->ip.w[3];
	__m512i len = swap16(_mm512_srli_epi32(first, 16));
	__m512i sum = _mm512_add_epi32(_mm512_add_epi32(halves(first), halves(h->ip.w[0])),
	    _mm512_add_epi32(_mm512_add_epi32(halves(ttl_word), halves(src)), halves(dst)));

	of &= _mm512_cmpeq_epi32_mask(_mm512_and_si512(first, all(0xff)), all(IP4_VERSION_IHL));
	keep(out, at, of, decrement(ttl_word), len);
	_mm512_storeu_si512(out->src4_be + at, src);
	_mm512_storeu_si512(out->dst4_be + at, dst);
	of &= fits(h, len, sizeof(struct wire_ip4)) & plain_addresses(src) & plain_addresses(dst);
	of &= _mm512_cmpeq_epi32_mask(halves(halves(sum)), all(0xffff));
	return of & _mm512_cmpgt_epi32_mask(_mm512_and_si512(ttl_word, all(0xff)), all(1));
}

/* By first byte: 2000::/3, fc00::/7. */
static inline __mmask16 plain_addresses6(__m512i a)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(a, all(0xe0)), all(0x20)) |
	       _mm512_cmpeq_epi32_mask(_mm512_and_si512(a, all(0xfe)), all(0xfc));
}

static inline __mmask16 plain_upper(__m512i next)
{
	return _mm512_cmpeq_epi32_mask(next, all(IP_PROTO_TCP)) |
	       _mm512_cmpeq_epi32_mask(next, all(IP_PROTO_UDP)) |
	       _mm512_cmpeq_epi32_mask(next, all(IP_PROTO_ICMP6));
}

/* The first word of each destination. */
static inline __m512i load_dst6(uint8_t *const *frame)
{
	uint32_t dst[GROUP];

	for (unsigned i = 0; i < GROUP; i++)
		memcpy(&dst[i], frame[i] + sizeof(struct wire_eth) + offsetof(struct wire_ip6, dst), 4);
	return _mm512_loadu_si512(dst);
}

static inline __mmask16 judge6(const struct headers *h, unsigned at, __mmask16 of, struct express_burst *out)
{
	__m512i word = h->ip.w[0], src = h->ip.w[1]; /* payload length, next header, hop limit */
	__m512i len = _mm512_add_epi32(swap16(word), all(sizeof(struct wire_ip6)));
	__m512i hop_limit = _mm512_srli_epi32(word, 24);

	of &= _mm512_cmpeq_epi32_mask(_mm512_and_si512(h->eth.w[3], all(0xf0)), all(0x60));
	keep(out, at, of, _mm512_sub_epi32(word, all(1u << 24)), len);
	of &= fits(h, len, sizeof(struct wire_ip6)) & plain_addresses6(src);
	of &= plain_upper(_mm512_and_si512(_mm512_srli_epi32(word, 16), all(0xff)));
	of &= _mm512_cmpgt_epi32_mask(hop_limit, all(1));
	return of ? of & plain_addresses6(load_dst6(out->frame + at)) : 0;
}

/* Sixteen frames; `meta` has the bytes of each, and above them its first two. */
static inline void judge_group(
    const struct port *port, const uint32_t *meta, unsigned at, struct express_burst *out)
{
	struct headers h = {.eth = load_words(out->frame + at, 2), .ip = load_words(out->frame + at, 18)};
	__m512i both = _mm512_loadu_si512(meta), type, alone;
	__mmask16 of, of4, of6;

	h.frame_len = low16(both);
	h.mac_first = _mm512_srli_epi32(both, 16);
	of = for_port(port, &h);
	type = _mm512_srli_epi32(h.eth.w[2], 16);
	of4 = _mm512_mask_cmpeq_epi32_mask(of, type, all(0x0008)); /* ETH_TYPE_IP4 as it lies in memory */
	of6 = _mm512_mask_cmpeq_epi32_mask(of, type, all(0xdd86));
	if (of4)
		out->good4 |= (uint64_t)judge4(&h, at, of4, out) << at;
	if (of6)
		out->good6 |= (uint64_t)judge6(&h, at, of6, out) << at;
	alone = _mm512_add_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(out->len + at))),
	    all(sizeof(struct wire_eth)));
	out->padded |= (uint64_t)_mm512_cmpneq_epi32_mask(h.frame_len, alone) << at;
	out->bytes += (uint32_t)_mm512_reduce_add_epi32(h.frame_len);
}

/* Where the frame is, and its meta as judge_group wants it. */
static inline void look_at(const struct rte_mbuf *m, unsigned i, struct express_burst *out, uint32_t *meta)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t first;

	out->frame[i] = frame;
	memcpy(&first, frame, sizeof(first));
	meta[i] = (uint32_t)first << 16 | m->data_len;
}

void express_judge_avx512(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out)
{
	uint32_t meta[WORKER_BURST];
	unsigned i = 0;

	out->good4 = out->good6 = out->padded = out->bytes = 0;
	for (; i + EXPRESS_AHEAD < n; i++) {
		rte_prefetch0(pkts[i + EXPRESS_AHEAD]);
		look_at(pkts[i], i, out, meta);
	}
	for (; i < n; i++)
		look_at(pkts[i], i, out, meta);
	for (; i % GROUP; i++) { /* the rest of the last group: the first packet again, too short */
		out->frame[i] = out->frame[0];
		meta[i] = 0;
	}
	for (i = 0; i < n; i += GROUP)
		judge_group(port, meta + i, i, out);
}
