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

static inline __mmask16 for_port(const struct port *port, const struct words *eth)
{
	uint32_t mac_first = 0, mac_last = 0;

	memcpy(&mac_first, port->mac, 4);
	memcpy(&mac_last, port->mac + 4, 2);
	return _mm512_cmpeq_epi32_mask(eth->w[0], all(mac_first)) &
	       _mm512_cmpeq_epi32_mask(low16(eth->w[1]), all(mac_last)) &
	       _mm512_cmpeq_epi32_mask(low16(eth->w[3]), all(0x0008)); /* ETH_TYPE_IP4 in network order */
}

/* ip: the first four words of the headers, dst: the fifth; frame_len: bytes of the frames. */
static inline __mmask16 valid(const struct words *ip, __m512i dst, __m512i frame_len, __m512i len)
{
	__m512i room = _mm512_sub_epi32(frame_len, all(sizeof(struct wire_eth)));
	__m512i sum = _mm512_add_epi32(_mm512_add_epi32(halves(ip->w[0]), halves(ip->w[1])),
	    _mm512_add_epi32(_mm512_add_epi32(halves(ip->w[2]), halves(ip->w[3])), halves(dst)));
	__mmask16 ok;

	sum = halves(halves(sum));
	ok = _mm512_cmpeq_epi32_mask(_mm512_and_si512(ip->w[0], all(0xff)), all(IP4_VERSION_IHL));
	ok &= _mm512_cmpge_epi32_mask(len, all(sizeof(struct wire_ip4)));
	ok &= _mm512_cmpge_epi32_mask(room, len);
	ok &= _mm512_cmpeq_epi32_mask(sum, all(0xffff));
	ok &= _mm512_cmpgt_epi32_mask(_mm512_and_si512(ip->w[2], all(0xff)), all(1)); /* TTL */
	return ok & plain_addresses(ip->w[3]) & plain_addresses(dst);
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

/* The packets from `at` on; the bits of those that are good. */
static inline uint64_t judge_group(
    const struct port *port, const uint32_t *frame_len, unsigned at, struct express_ip4 *out)
{
	struct words eth = load_words(out->frame + at, 0),
		     ip = load_words(out->frame + at, sizeof(struct wire_eth));
	__m512i dst = _mm512_loadu_si512(out->dst_be + at), in_frame = _mm512_loadu_si512(frame_len + at);
	__m512i be = _mm512_srli_epi32(ip.w[0], 16);
	__m512i len = _mm512_or_si512(_mm512_srli_epi32(be, 8), low16(_mm512_slli_epi32(be, 8)));
	__m512i alone = _mm512_add_epi32(len, all(sizeof(struct wire_eth)));

	_mm512_storeu_si512(out->src_be + at, ip.w[3]);
	_mm512_storeu_si512(out->ttl_word + at, decrement(ip.w[2]));
	_mm256_storeu_si256((__m256i *)(out->len + at), _mm512_cvtepi32_epi16(len));
	out->padded |= (uint64_t)_mm512_cmpneq_epi32_mask(in_frame, alone) << at;
	return (uint64_t)(for_port(port, &eth) & valid(&ip, dst, in_frame, len)) << at;
}

uint64_t express_judge4_avx512(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_ip4 *out)
{
	uint32_t frame_len[WORKER_BURST];
	__m512i bytes = _mm512_setzero_si512();
	uint64_t good = 0;

	out->padded = 0;
	for (unsigned i = 0; i < n; i++) {
		if (i + EXPRESS_AHEAD < n)
			rte_prefetch0(pkts[i + EXPRESS_AHEAD]);
		out->frame[i] = rte_pktmbuf_mtod(pkts[i], uint8_t *);
		rte_prefetch0(out->frame[i]);
		frame_len[i] = pkts[i]->data_len;
	}
	for (unsigned i = n; i % GROUP;
	     i++) { /* the rest of the last group: the first packet again, too short */
		out->frame[i] = out->frame[0];
		frame_len[i] = 0;
	}
	for (unsigned i = 0; i < n || i % GROUP; i++)
		memcpy(&out->dst_be[i],
		    out->frame[i] + sizeof(struct wire_eth) + offsetof(struct wire_ip4, dst_be), 4);
	for (unsigned i = 0; i < n; i += GROUP) {
		good |= judge_group(port, frame_len, i, out);
		bytes = _mm512_add_epi32(bytes, _mm512_loadu_si512(frame_len + i));
	}
	out->bytes = (uint32_t)_mm512_reduce_add_epi32(bytes);
	return good;
}
