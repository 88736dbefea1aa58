/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way's loops for sixteen packets at a time: their headers are turned so that each vector holds one
 * word of all of them. Compiled for AVX-512 F, BW, DQ and VL; it judges as express.c:express_judge does, and
 * the tests hold the two against each other. Workers only.
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

/* The 16 bytes at `offset` of every fourth frame. */
static inline __m512i load_row(uint8_t *const *frame, size_t offset)
{
	__m512i row = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(frame[0] + offset)));

	row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(frame[4] + offset)), 1);
	row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(frame[8] + offset)), 2);
	return _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(frame[12] + offset)), 3);
}

/* The 16 bytes at `offset` of each frame, turned. */
static inline struct words load_words(uint8_t *const *frame, size_t offset)
{
	__m512i row[4], low01, high01, low23, high23;

	for (unsigned r = 0; r < 4; r++)
		row[r] = load_row(frame + r, offset);
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

/* Zero where the bits of v that are in mask are those of want. */
static inline __m512i differ(__m512i v, uint32_t mask, uint32_t want)
{
	return _mm512_and_si512(_mm512_xor_si512(v, all(want)), all(mask));
}

static inline __m512i or3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_or_si512(_mm512_or_si512(a, b), c);
}

/* The low bytes of each word, from these bytes of it, in this order; 0x80: zero. */
static inline __m512i pick_bytes(__m512i v, uint8_t first, uint8_t second)
{
	return _mm512_shuffle_epi8(v, _mm512_add_epi32(all(0x80800000u | (uint32_t)second << 8 | first),
					  _mm512_set4_epi32(0x0c0c, 0x0808, 0x0404, 0)));
}

/*
 * What a packet must fulfil, gathered so that each needs one comparison for all: the sign of `negative` must
 * be clear, `zero` be 0, `some` not be 0. A chain of comparisons would be one of waiting.
 */
struct tests {
	__m512i negative, zero, some;
};

static inline __mmask16 pass(struct tests t, __mmask16 of)
{
	return of & _mm512_testn_epi32_mask(t.zero, t.zero) & _mm512_test_epi32_mask(t.some, t.some) &
	       _knot_mask16(_mm512_movepi32_mask(t.negative));
}

/* Addresses that may be forwarded; the first byte of one is the lowest. */
static inline void test_address(__m512i a, struct tests *t)
{
	__m512i first = _mm512_sub_epi32(_mm512_and_si512(a, all(0xff)), all(1)); /* 0 to 222, not 126 */

	t->negative = or3(t->negative, first, _mm512_sub_epi32(all(222), first));
	t->some = _mm512_min_epu32(
	    t->some, _mm512_min_epu32(_mm512_xor_si512(first, all(126)), differ(a, 0xffff, 0xfea9)));
}

/* The headers of sixteen frames. */
struct headers {
	struct words eth, ip; /* their first 16 bytes each */
	__m512i room;	      /* bytes of the frame behind the link header; below 0: a runt */
};

/* Zero where the frame is for the port's address. */
static inline __m512i other_station(const struct port *port, const struct headers *h)
{
	uint32_t first, last = 0;

	memcpy(&first, port->mac, 4);
	memcpy(&last, port->mac + 4, 2);
	return _mm512_or_si512(_mm512_xor_si512(h->eth.w[0], all(first)), differ(h->eth.w[1], 0xffff, last));
}

/*
 * TTL, protocol, checksum: express.c:decrement. On this machine the checksum's first byte is the lower one,
 * and 0xffff is one less TTL and one more there; what passes 0xffff comes round, and 0xffff itself becomes 0.
 */
static inline __m512i decrement(__m512i word)
{
	__m512i next = _mm512_add_epi32(word, all(0xffff));

	return _mm512_mask_add_epi32(
	    next, _mm512_cmpge_epu32_mask(word, all(0xfffe0000)), next, all(0x10000));
}

/*
 * RFC 1071. Halves of words, made signed, are multiplied by one and added pairwise: what they lack are ten
 * times 0x8000. Right is a multiple of 0xffff, and only that has halves whose sum is 0xffff.
 */
static inline __m512i sum_header(const struct headers *h, __m512i dst)
{
	const __m512i flip = all(0x80008000), ones = all(0x00010001);
	__m512i sum =
	    _mm512_add_epi32(all(10 * 0x8000), _mm512_madd_epi16(_mm512_xor_si512(dst, flip), ones));

	for (unsigned i = 0; i < 4; i++)
		sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_xor_si512(h->ip.w[i], flip), ones));
	return _mm512_add_epi32(low16(sum), _mm512_srli_epi32(sum, 16));
}

/* Stores what is known of these packets, beside what is known of others. */
static inline void keep(struct express_burst *out, unsigned at, __mmask16 of, __m512i word, __m512i len)
{
	_mm512_mask_storeu_epi32(out->word + at, of, word);
	_mm512_mask_storeu_epi32(out->len + at, of, len);
}

static inline void note(
    uint64_t *good, struct express_burst *out, unsigned at, __mmask16 passed, __mmask16 padded)
{
	*good |= (uint64_t)passed << at;
	out->padded |= (uint64_t)(passed & padded) << at;
}

static inline void judge4(const struct headers *h, unsigned at, __mmask16 of, struct express_burst *out)
{
	__m512i first = h->ip.w[0], ttl_word = h->ip.w[2], src = h->ip.w[3];
	__m512i dst = _mm512_loadu_si512(out->dst4_be + at), len = pick_bytes(first, 3, 2);
	__m512i ttl = _mm512_and_si512(ttl_word, all(0xff)), over = _mm512_sub_epi32(h->room, len);
	struct tests t = {.some = all(UINT32_MAX)};

	t.negative =
	    or3(over, _mm512_sub_epi32(len, all(sizeof(struct wire_ip4))), _mm512_sub_epi32(ttl, all(2)));
	t.zero = _mm512_or_si512(
	    differ(first, 0xff, IP4_VERSION_IHL), _mm512_xor_si512(sum_header(h, dst), all(0xffff)));
	test_address(src, &t);
	test_address(dst, &t);
	keep(out, at, of, decrement(ttl_word), len);
	_mm512_storeu_si512(out->src4_be + at, src);
	note(&out->good4, out, at, pass(t, of), _mm512_test_epi32_mask(over, over));
}

/* Zero where the first byte is one of 2000::/3 or fc00::/7. */
static inline __m512i differ6(__m512i a)
{
	return _mm512_min_epu32(differ(a, 0xe0, 0x20), differ(a, 0xfe, 0xfc));
}

/* Keeps each destination; returns the first word of each. */
static inline __m512i take_dst6(uint8_t *const *frame, uint8_t (*dst)[16])
{
	const size_t offset = sizeof(struct wire_eth) + offsetof(struct wire_ip6, dst);
	__m512i row[4], first;

	for (unsigned i = 0; i < GROUP; i++)
		_mm_storeu_si128((__m128i *)dst[i], _mm_loadu_si128((const __m128i *)(frame[i] + offset)));
	for (unsigned r = 0; r < 4; r++)
		row[r] = load_row(frame + r, offset);
	first = row[0];
	first = _mm512_mask_shuffle_epi32(first, 0x2222, row[1], _MM_PERM_AAAA);
	first = _mm512_mask_shuffle_epi32(first, 0x4444, row[2], _MM_PERM_AAAA);
	return _mm512_mask_shuffle_epi32(first, 0x8888, row[3], _MM_PERM_AAAA);
}

static inline void judge6(const struct headers *h, unsigned at, __mmask16 of, struct express_burst *out)
{
	__m512i word = h->ip.w[1]; /* payload length, next header, hop limit */
	__m512i len = _mm512_add_epi32(pick_bytes(word, 1, 0), all(sizeof(struct wire_ip6)));
	__m512i over = _mm512_sub_epi32(h->room, len), next = pick_bytes(word, 2, 0x80);
	__m512i dst = take_dst6(out->frame + at, out->dst6 + at);
	struct tests t = {.some = all(1)};

	t.negative = _mm512_or_si512(over, _mm512_sub_epi32(_mm512_srli_epi32(word, 24), all(2)));
	t.zero = _mm512_min_epu32(
	    _mm512_min_epu32(differ(next, 0xff, IP_PROTO_TCP), differ(next, 0xff, IP_PROTO_UDP)),
	    differ(next, 0xff, IP_PROTO_ICMP6));
	t.zero = or3(t.zero, differ(h->ip.w[0], 0xf0, 0x60), differ6(h->ip.w[2]));
	t.zero = _mm512_or_si512(t.zero, differ6(dst));
	keep(out, at, of, _mm512_sub_epi32(word, all(1u << 24)), len);
	note(&out->good6, out, at, pass(t, of), _mm512_test_epi32_mask(over, over));
}

/* Sixteen frames of these lengths. */
static inline void judge_group(
    const struct port *port, __m512i frame_len, unsigned at, struct express_burst *out)
{
	struct headers h = {.eth = load_words(out->frame + at, 0),
	    .ip = load_words(out->frame + at, sizeof(struct wire_eth)),
	    .room = _mm512_sub_epi32(frame_len, all(sizeof(struct wire_eth)))};
	__m512i other = other_station(port, &h), type = h.eth.w[3];
	__m512i other4 = _mm512_or_si512(other, differ(type, 0xffff, 0x0008)); /* ETH_TYPE_IP4 as it lies */
	__m512i other6 = _mm512_or_si512(other, differ(type, 0xffff, 0xdd86));
	__mmask16 of4 = _mm512_testn_epi32_mask(other4, other4);
	__mmask16 of6 = _mm512_testn_epi32_mask(other6, other6);

	if (of4)
		judge4(&h, at, of4, out);
	if (of6)
		judge6(&h, at, of6, out);
}

/* Where the frame is, how long, and what is an IPv4 packet's destination. */
static inline void look_at(
    const struct rte_mbuf *m, unsigned i, struct express_burst *out, uint32_t *frame_len)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	out->frame[i] = frame;
	frame_len[i] = m->data_len;
	memcpy(&out->dst4_be[i], frame + sizeof(struct wire_eth) + offsetof(struct wire_ip4, dst_be), 4);
}

void express_judge_avx512(
    const struct port *port, struct rte_mbuf *const *pkts, unsigned n, struct express_burst *out)
{
	uint32_t frame_len[WORKER_BURST];
	__m512i bytes = all(0);
	unsigned i = 0;

	out->good4 = out->good6 = out->padded = 0;
	for (; i + EXPRESS_AHEAD < n; i++) {
		rte_prefetch0(pkts[i + EXPRESS_AHEAD]);
		look_at(pkts[i], i, out, frame_len);
	}
	for (; i < n; i++)
		look_at(pkts[i], i, out, frame_len);
	for (; i % GROUP; i++) { /* the rest of the last group: the first packet again, too short */
		out->frame[i] = out->frame[0];
		out->dst4_be[i] = 0;
		frame_len[i] = 0;
	}
	for (i = 0; i < n; i += GROUP) {
		__m512i len = _mm512_loadu_si512(frame_len + i);

		bytes = _mm512_add_epi32(bytes, len);
		judge_group(port, len, i, out);
	}
	out->bytes = (uint32_t)_mm512_reduce_add_epi32(bytes);
}

/* Whether sixteen packets leave by `iface`, by ways that are there; where those are, in bytes. */
static inline bool leave_together(
    const struct express_way *ways, __m512i key, __m512i len, unsigned which, uint32_t base, uint32_t *slots)
{
	const uint8_t *at = (const uint8_t *)ways;
	__m512i slot = _mm512_xor_si512(key, _mm512_xor_si512(_mm512_srli_epi32(key, EXPRESS_KEY_SHIFT),
						 _mm512_srli_epi32(key, EXPRESS_KEY_FOLD)));
	__m512i found, mtu;

	slot = _mm512_and_si512(slot, all(EXPRESS_WAYS - 1));
	slot = _mm512_slli_epi32(slot, 5); /* sizeof(struct express_way) */
	_mm512_storeu_si512(slots, slot);
	found = _mm512_i32gather_epi32(slot, at + offsetof(struct express_way, key), 1);
	mtu = _mm512_sub_epi32(_mm512_i32gather_epi32(slot,
				   at + offsetof(struct express_way, limit) + which * sizeof(uint32_t), 1),
	    all(base));
	return (_mm512_cmpneq_epi32_mask(found, key) | _mm512_cmpgt_epu32_mask(mtu, all(UINT16_MAX)) |
		   _mm512_cmplt_epu32_mask(mtu, len)) == 0;
}

unsigned express_rewrite_avx512(const struct express_way *ways, const struct express_burst *b,
    const uint32_t *keys, unsigned which, uint16_t iface, size_t word_at, unsigned from, unsigned to)
{
	const uint8_t *headers = (const uint8_t *)ways + offsetof(struct express_way, header);
	uint32_t slots[GROUP];

	while (from + GROUP <= to &&
	       leave_together(ways, _mm512_loadu_si512(keys + from), _mm512_loadu_si512(b->len + from), which,
		   (uint32_t)iface << 16, slots)) {
		for (unsigned i = 0; i < GROUP; i++, from++) {
			/* EXPRESS_REWRITE_LEN bytes: three words */
			_mm_mask_storeu_epi32(
			    b->frame[from], 7, _mm_loadu_si128((const __m128i *)(headers + slots[i])));
			memcpy(b->frame[from] + word_at, &b->word[from], sizeof(b->word[0]));
		}
	}
	return from;
}
