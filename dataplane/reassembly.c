/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reassembly by copying each fragment to its place in one buffer, which needs no list of pieces and gives the
 * driver's buffers back at once. Which 8-byte units have come is a bit map, so that an overlap is seen as
 * such (RFC 5722). Workers only.
 *
 * Until its first fragment has come nobody knows whose a datagram is: its pieces are kept, and go to the host
 * as well. That costs a stray piece in the kernel where a tunnel's come out of order, and the host loses
 * nothing.
 */
#include "dataplane/reassembly.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow.h"
#include "dataplane/ip_fragment.h"
#include "dataplane/tunnel.h"
#include "lib/ip_wire.h"

#define WAYS	  4
#define SETS	  (REASSEMBLY_SLOTS / WAYS)
#define UNIT	  8u
#define MAP_WORDS 4			  /* units of one buffer, which holds 2 KiB */
#define ROOM	  (MAP_WORDS * 64 * UNIT) /* bytes of an IP packet, in a buffer of RTE_MBUF_DEFAULT_DATAROOM */
#define SWEEP_NS  (REASSEMBLY_NS / 4)

enum slot_state {
	SLOT_FREE,
	SLOT_UNKNOWN, /* its first fragment is still to come */
	SLOT_TUNNEL,
	SLOT_HOST, /* what comes goes to the host */
	SLOT_DEAD, /* what comes is dropped: it overlapped, or is too large */
};

static_assert(ROOM <= RTE_MBUF_DEFAULT_DATAROOM, "a datagram fits a buffer");

struct slot {
	uint64_t until_ns;
	struct ip_fragment
	    key;	      /* of the fragment that made it: addresses, identification, family, protocol */
	struct rte_mbuf *buf; /* the IP header's room, then the datagram; NULL but for UNKNOWN and TUNNEL */
	uint64_t map[MAP_WORDS];
	uint32_t have, end, total; /* bytes that came; behind the last of them; of the whole, 0: not known */
	unsigned n;		   /* fragments held */
	enum slot_state state;
	enum drop_reason why; /* DEAD */
	bool congested;
};

struct reassembly {
	unsigned n_used;
	struct slot slots[SETS][WAYS];
};

int reassembly_create(struct worker *w)
{
	w->reassembly = calloc(1, sizeof(*w->reassembly));
	w->reassembly_due_ns = UINT64_MAX;
	return w->reassembly ? 0 : ERR_NOMEM;
}

/* Takes it out. Pieces that the host got too are not lost. */
static void release(struct worker *w, struct slot *s, enum drop_reason why)
{
	if (s->state == SLOT_TUNNEL && why != DROP_REASONS)
		worker_count_drop(w, why, s->n);
	rte_pktmbuf_free(s->buf);
	memset(s, 0, sizeof(*s));
	w->reassembly->n_used--;
}

void reassembly_destroy(struct worker *w)
{
	if (!w->reassembly)
		return;
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++)
			rte_pktmbuf_free(w->reassembly->slots[i][k].buf);
	free(w->reassembly);
	w->reassembly = NULL;
}

void reassembly_expire_now(struct worker *w)
{
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++) {
			struct slot *s = &w->reassembly->slots[i][k];

			if (s->state != SLOT_FREE && w->now_ns >= s->until_ns)
				release(w, s, DROP_FRAGMENT_LOST);
		}
	w->reassembly_due_ns = w->reassembly->n_used ? w->now_ns + SWEEP_NS : UINT64_MAX;
}

/* --- finding a datagram --- */

/* RFC 791 §3.2 and RFC 8200 §4.5: what names a datagram. Keyed: nobody can aim at one slot. */
static uint64_t hash_of(const struct ip_fragment *f)
{
	uint8_t addresses[32];

	memcpy(addresses, f->src, 16);
	memcpy(addresses + 16, f->dst, 16);
	return flow_hash6(addresses, f->proto, f->id_be);
}

static bool same_datagram(const struct ip_fragment *a, const struct ip_fragment *b)
{
	return a->id_be == b->id_be && a->family == b->family && a->proto == b->proto &&
	       memcmp(a->src, b->src, sizeof(a->src)) == 0 && memcmp(a->dst, b->dst, sizeof(a->dst)) == 0;
}

/* The datagram's slot; a new one is made in place of a free, an expired or the oldest of its set. */
static struct slot *find_slot(struct worker *w, const struct ip_fragment *f, uint64_t hash)
{
	struct slot *set = w->reassembly->slots[hash % SETS], *oldest = set;

	for (unsigned k = 0; k < WAYS; k++) {
		if (set[k].state != SLOT_FREE && w->now_ns >= set[k].until_ns)
			release(w, &set[k], DROP_FRAGMENT_LOST);
		if (set[k].state != SLOT_FREE && same_datagram(&set[k].key, f))
			return &set[k];
		if (set[k].until_ns < oldest->until_ns)
			oldest = &set[k]; /* a free one has 0 */
	}
	if (oldest->state != SLOT_FREE)
		release(w, oldest, DROP_FRAGMENT_FULL);
	oldest->key = *f;
	oldest->until_ns = w->now_ns + REASSEMBLY_NS;
	oldest->state = SLOT_UNKNOWN;
	if (w->reassembly->n_used++ == 0)
		w->reassembly_due_ns = w->now_ns + SWEEP_NS;
	return oldest;
}

/* --- one fragment --- */

static size_t header_len(const struct ip_fragment *f)
{
	return f->family == IP_V4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
}

static void leave_to_host(struct slot *s)
{
	s->state = SLOT_HOST;
	rte_pktmbuf_free(s->buf);
	s->buf = NULL;
}

/* RFC 5722 §4: the whole datagram is given up. One that may be the host's is the host's to judge: it takes
 * larger ones than we do, and has had its pieces so far. */
static void give_up(struct worker *w, struct slot *s, enum drop_reason why)
{
	if (s->state == SLOT_UNKNOWN) {
		leave_to_host(s);
		return;
	}
	worker_count_drop(w, why, s->n);
	rte_pktmbuf_free(s->buf);
	s->buf = NULL;
	s->n = 0;
	s->state = SLOT_DEAD;
	s->why = why;
}

/* Whose is it? The first fragment knows, if it holds the UDP header. */
static void recognise(struct slot *s, const struct rte_mbuf *pkt, const struct ip_fragment *f)
{
	const struct wire_udp *udp = rte_pktmbuf_mtod_offset(pkt, const struct wire_udp *, f->data_off);

	if (f->at != 0)
		return;
	if (f->len >= sizeof(*udp) && tunnel_by_port(ntohs(udp->dst_port_be)) != 0) {
		s->state = SLOT_TUNNEL;
		return;
	}
	leave_to_host(s);
}

/* Units that it covers and that are there already. */
static unsigned count_held(const struct slot *s, const struct ip_fragment *f)
{
	unsigned held = 0;

	for (uint32_t u = f->at / UNIT; u < (f->at + f->len + UNIT - 1) / UNIT; u++)
		held += (s->map[u / 64] >> u % 64 & 1) != 0;
	return held;
}

/* Does what it says of the end agree with what others said? */
static bool end_agrees(const struct slot *s, const struct ip_fragment *f)
{
	uint32_t end = f->at + f->len;

	if (s->total)
		return f->more ? end <= s->total : end == s->total;
	return f->more || end >= s->end;
}

/* A copy of the first fragment's header, without options and fragment header, goes before the datagram. */
static void keep_header(struct slot *s, const struct rte_mbuf *pkt, const struct ip_fragment *f)
{
	uint8_t *to = rte_pktmbuf_mtod(s->buf, uint8_t *);

	memcpy(to, rte_pktmbuf_mtod(pkt, const uint8_t *), header_len(f));
	*pkt_meta(s->buf) = *pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);
}

/* Copies it to its place. False: the fragment changed nothing, why it is dropped stands in *why. */
static bool keep(struct worker *w, struct slot *s, const struct rte_mbuf *pkt, const struct ip_fragment *f,
    enum drop_reason *why)
{
	uint8_t *to;
	unsigned held;

	*why = DROP_FRAGMENT_SIZE;
	if (header_len(f) + f->at + f->len > ROOM) {
		give_up(w, s, *why);
		return false;
	}
	*why = DROP_NO_MBUF;
	if (!s->buf)
		s->buf = rte_pktmbuf_alloc(w->pool);
	if (!s->buf)
		return false;
	*why = DROP_FRAGMENT_OVERLAP;
	to = rte_pktmbuf_mtod_offset(s->buf, uint8_t *, header_len(f) + f->at);
	held = count_held(s, f);
	if (held == (f->len + UNIT - 1) / UNIT && end_agrees(s, f) &&
	    memcmp(to, rte_pktmbuf_mtod_offset(pkt, const uint8_t *, f->data_off), f->len) == 0)
		return false; /* RFC 5722 §4: the network may have doubled it */
	if (held || !end_agrees(s, f)) {
		give_up(w, s, *why);
		return false;
	}
	for (uint32_t u = f->at / UNIT; u < (f->at + f->len + UNIT - 1) / UNIT; u++)
		s->map[u / 64] |= UINT64_C(1) << u % 64;
	memcpy(to, rte_pktmbuf_mtod_offset(pkt, const uint8_t *, f->data_off), f->len);
	if (f->at == 0)
		keep_header(s, pkt, f);
	s->have += f->len;
	s->end = f->at + f->len > s->end ? f->at + f->len : s->end;
	s->total = f->more ? s->total : f->at + f->len;
	s->congested |= f->congested;
	s->n++;
	return true;
}

/* The whole datagram as if it had come so. RFC 3168 §5.3: congestion of a piece is that of the whole. */
static struct rte_mbuf *finish(struct worker *w, struct slot *s)
{
	struct rte_mbuf *pkt = s->buf;
	size_t header = header_len(&s->key);
	struct pkt_meta *m = pkt_meta(pkt);
	uint8_t *ip = (uint8_t *)rte_pktmbuf_append(pkt, (uint16_t)(header + s->total));

	if (s->key.family == IP_V4) {
		struct wire_ip4 *ip4 = (struct wire_ip4 *)ip;

		ip4->version_ihl = IP4_VERSION_IHL;
		ip4->total_len_be = htons((uint16_t)(header + s->total));
		ip4->frag_be = 0;
		ip4->tos |= s->congested ? IP_TOS_ECN_MASK : 0;
	} else {
		struct wire_ip6 *ip6 = (struct wire_ip6 *)ip;

		ip6->payload_len_be = htons((uint16_t)s->total);
		ip6->next_header = IP_PROTO_UDP;
		ip6->version_class_flow_be |=
		    htonl(s->congested ? (uint32_t)IP_TOS_ECN_MASK << IP6_CLASS_SHIFT : 0);
	}
	m->l2_len = 0;
	m->l4_off = (uint16_t)header;
	m->op = 0;
	s->buf = NULL;
	release(w, s, DROP_REASONS);
	return pkt;
}

/* The datagram that this fragment completed, or NULL. Consumes it. */
static struct rte_mbuf *take(
    struct worker *w, struct rte_mbuf *pkt, const struct ip_fragment *f, uint64_t hash)
{
	struct slot *s = find_slot(w, f, hash);
	enum drop_reason why = s->why; /* of a DEAD one */
	bool kept = false;

	if (s->state == SLOT_UNKNOWN)
		recognise(s, pkt, f);
	if (s->state == SLOT_UNKNOWN || s->state == SLOT_TUNNEL)
		kept = keep(w, s, pkt, f, &why);
	switch (s->state) {
	case SLOT_UNKNOWN:
	case SLOT_HOST:
		host_deliver(w, &pkt, 1);
		return NULL;
	case SLOT_TUNNEL:
	case SLOT_DEAD:
		if (kept)
			rte_pktmbuf_free(pkt);
		else
			worker_drop(w, &pkt, 1, why);
		break;
	case SLOT_FREE:
		break;
	}
	return s->state == SLOT_TUNNEL && s->total && s->have == s->total ? finish(w, s) : NULL;
}

bool reassembly_wants(const struct rte_mbuf *pkt)
{
	const struct pkt_meta *m = pkt_meta((struct rte_mbuf *)(uintptr_t)pkt);
	struct ip_fragment f;

	if (m->proto != IP_PROTO_UDP)
		return false;
	if (m->family == IP_V4)
		return rte_pktmbuf_mtod(pkt, const struct wire_ip4 *)->frag_be &
		       htons(IP4_MF | IP4_OFFSET_MASK);
	if (rte_pktmbuf_mtod(pkt, const struct wire_ip6 *)->next_header == IP_PROTO_UDP)
		return false;
	switch (ip_fragment_parse(rte_pktmbuf_mtod(pkt, const uint8_t *), pkt->data_len, m->family, &f)) {
	case IP_FRAGMENT_NONE:
		return false;
	case IP_FRAGMENT_BAD:
		return true; /* it ends here */
	case IP_FRAGMENT_PART:
		break;
	}
	return f.proto == IP_PROTO_UDP; /* not with destination options within: no tunnel's */
}

void reassembly_input(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *whole[WORKER_BURST];
	unsigned n_whole = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);
		struct ip_fragment f;
		struct worker *owner;
		uint64_t hash;

		if (ip_fragment_parse(rte_pktmbuf_mtod(pkts[i], const uint8_t *), pkts[i]->data_len,
			m->family, &f) != IP_FRAGMENT_PART) {
			worker_drop(w, &pkts[i], 1, DROP_FRAGMENT_INVALID);
			continue;
		}
		hash = hash_of(&f);
		owner = worker_for((uint32_t)(hash >> 32));
		if (owner != w) {
			m->op = PKT_FRAGMENT;
			worker_to_worker(w, owner, &pkts[i], 1);
			continue;
		}
		whole[n_whole] = take(w, pkts[i], &f, hash);
		n_whole += whole[n_whole] != NULL;
	}
	if (n_whole)
		tunnel_input(w, whole, n_whole);
}
