/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragmentation by copying into new buffers. Workers only.
 */
#include "dataplane/fragment.h"

#include <arpa/inet.h>
#include <string.h>

#include "dataplane/flow.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"

#define HEADER_MAX    60
#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80

/* The first piece's header, and that of the later ones: with only the options that say "copied" (RFC 791
 * §3.1). */
struct headers {
	uint8_t first[HEADER_MAX], later[HEADER_MAX];
	size_t first_len, later_len;
};

static void make_headers(const uint8_t *ip, struct headers *h)
{
	size_t at = sizeof(struct wire_ip4);

	h->first_len = (size_t)(ip[0] & 0xf) * 4;
	h->later_len = at;
	memcpy(h->first, ip, h->first_len);
	memcpy(h->later, ip, at);
	while (at < h->first_len && ip[at] != OPTION_END) {
		size_t n = ip[at] == OPTION_NOP ? 1 : at + 1 < h->first_len ? ip[at + 1] : 0;

		if (n == 0 || at + n > h->first_len)
			break; /* malformed options go with the first piece only */
		if (ip[at] & OPTION_COPIED && n >= 2) {
			memcpy(h->later + h->later_len, ip + at, n);
			h->later_len += n;
		}
		at += n;
	}
	while (h->later_len % 4)
		h->later[h->later_len++] = OPTION_END;
	h->later[0] = (uint8_t)(0x40 | h->later_len / 4);
}

static struct rte_mbuf *make_piece(struct worker *w, struct rte_mbuf *pkt, const uint8_t *header,
    size_t header_len, const uint8_t *data, size_t len, uint16_t frag)
{
	struct rte_mbuf *piece = rte_pktmbuf_alloc(w->pool);
	struct wire_ip4 *ip;
	uint8_t *p;

	if (!piece)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(piece, (uint16_t)(header_len + len));
	*pkt_meta(piece) = *pkt_meta(pkt);
	pkt_meta(piece)->l2_len = 0;
	pkt_meta(piece)->l4_off = frag & IP4_OFFSET_MASK ? 0 : (uint16_t)header_len;
	memcpy(p, header, header_len);
	memcpy(p + header_len, data, len);
	ip = (struct wire_ip4 *)p;
	ip->total_len_be = htons((uint16_t)(header_len + len));
	ip->frag_be = htons(frag);
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, p, header_len));
	return piece;
}

unsigned fragment_packet(
    struct worker *w, struct rte_mbuf *pkt, uint16_t mtu, struct rte_mbuf *out[FRAGMENT_MAX])
{
	const uint8_t *ip = rte_pktmbuf_mtod(pkt, const uint8_t *);
	uint16_t was = ntohs(((const struct wire_ip4 *)ip)->frag_be);
	struct headers h;
	size_t at = 0, left;
	unsigned n = 0;

	make_headers(ip, &h);
	left = pkt->pkt_len - h.first_len;
	while (left > 0) {
		const uint8_t *header = n == 0 ? h.first : h.later;
		size_t header_len = n == 0 ? h.first_len : h.later_len;
		size_t room = (mtu - header_len) & ~(size_t)7; /* all but the last are multiples of 8 bytes */
		size_t len = left > mtu - header_len ? room : left;
		uint16_t more = left > len || was & IP4_MF ? IP4_MF : 0;

		out[n] = n < FRAGMENT_MAX - 1
			     ? make_piece(w, pkt, header, header_len, ip + h.first_len + at, len,
				   (uint16_t)(((was & IP4_OFFSET_MASK) + at / 8) | more))
			     : NULL;
		if (!out[n])
			goto out_of_buffers;
		n++;
		at += len;
		left -= len;
	}
	rte_pktmbuf_free(pkt);
	return n;

out_of_buffers:
	rte_pktmbuf_free_bulk(out, n);
	worker_drop(w, &pkt, 1, DROP_NO_MBUF);
	return 0;
}

/* One piece: the header of the whole, a fragment header, len bytes of its payload. */
static struct rte_mbuf *make_piece6(
    struct worker *w, struct rte_mbuf *pkt, size_t at, size_t len, bool more, uint32_t id_be)
{
	const struct wire_ip6 *whole = rte_pktmbuf_mtod(pkt, const struct wire_ip6 *);
	struct rte_mbuf *piece = rte_pktmbuf_alloc(w->pool);
	struct wire_ip6_frag *frag;
	struct wire_ip6 *ip;

	if (!piece)
		return NULL;
	ip = (struct wire_ip6 *)rte_pktmbuf_append(piece, (uint16_t)(sizeof(*ip) + sizeof(*frag) + len));
	frag = (struct wire_ip6_frag *)(ip + 1);
	*pkt_meta(piece) = *pkt_meta(pkt);
	pkt_meta(piece)->l4_off = at ? 0 : sizeof(*ip) + sizeof(*frag);
	*ip = *whole;
	ip->next_header = IP_PROTO_FRAGMENT;
	ip->payload_len_be = htons((uint16_t)(sizeof(*frag) + len));
	*frag = (struct wire_ip6_frag){.next_header = whole->next_header,
	    .frag_be = htons((uint16_t)(at | (more ? IP6_FRAG_MORE : 0))),
	    .id_be = id_be};
	memcpy(frag + 1, (const uint8_t *)(whole + 1) + at, len);
	return piece;
}

unsigned fragment_own6(
    struct worker *w, struct rte_mbuf *pkt, uint16_t mtu, struct rte_mbuf *out[FRAGMENT_MAX])
{
	size_t room = (mtu - sizeof(struct wire_ip6) - sizeof(struct wire_ip6_frag)) & ~(size_t)7;
	size_t total = pkt->pkt_len - sizeof(struct wire_ip6);
	static _Thread_local uint64_t count;
	/* RFC 7739 §3: not to be guessed; workers, which have each a count, do not meet */
	uint32_t id_be = (uint32_t)flow_fold((count++ << 8 | w->id) ^ flow_key[2], flow_key[3]);
	unsigned n = 0;
	for (size_t at = 0; at < total; at += room) {
		size_t len = total - at < room ? total - at : room;

		struct rte_mbuf *piece =
		    n < FRAGMENT_MAX ? make_piece6(w, pkt, at, len, at + len < total, id_be) : NULL;

		if (!piece) {
			rte_pktmbuf_free_bulk(out, n);
			worker_drop(w, &pkt, 1, DROP_NO_MBUF);
			return 0;
		}
		out[n++] = piece;
	}
	rte_pktmbuf_free(pkt);
	return n;
}
