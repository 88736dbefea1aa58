/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may come from a tunnel's peer, by its inner source. A source on somebody's list of allowed-IPs comes
 * from him alone. A peer without a list that has the tunnel for itself sends what it likes; among several it
 * sends what the overlay's routes lead back to it, by any way of the route: best, spare or dead. Workers
 * only.
 */
#include "dataplane/tunnel_filter.h"

#include <string.h>

#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/tunnel_peer.h"
#include "lib/ip_wire.h"

/* Sources of one tunnel that have to be asked about. */
struct asked {
	const struct tunnel *tunnel;
	unsigned n4, n6;
	uint8_t at4[WORKER_BURST], at6[WORKER_BURST];
	uint32_t src4[WORKER_BURST];
	uint8_t src6[WORKER_BURST][16];
};

static inline bool has_no_list(const struct tunnel_peer *p)
{
	return atomic_load_explicit(&p->any, memory_order_relaxed);
}

/*
 * Sources on nobody's list, from peers without one: the overlay's route to the source must name the peer
 * (RFC 3704 §2.3: any path of the route will do, the best or a spare one). Of those at `at`, the bits of
 * packets that are refused. groups: of the sources' routes.
 */
static uint64_t ask_groups(const struct tunnel_inner *in, const uint8_t *at, const uint32_t *groups,
    const uint32_t *values, unsigned n)
{
	uint64_t refused = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct tunnel_peer *p = in->peers[at[i]];

		if (values[i] == LPM_NONE && has_no_list(p) && !group_names_peer(groups[i], p->index))
			refused |= UINT64_C(1) << at[i];
	}
	return refused;
}

/* Whose list a source is on, he alone may send from it. *open: some sources are on nobody's, and their peers
 * have no list. */
static uint64_t ask_lists(
    const struct tunnel_inner *in, const uint8_t *at, const uint32_t *values, unsigned n, bool *open)
{
	uint64_t refused = 0;

	*open = false;
	for (unsigned i = 0; i < n; i++) {
		const struct tunnel_peer *p = in->peers[at[i]];

		if (values[i] == p->index + 1u)
			continue;
		if (values[i] == LPM_NONE && has_no_list(p))
			*open = true;
		else
			refused |= UINT64_C(1) << at[i];
	}
	return refused;
}

/* The bits of packets whose peers may not send from their sources. */
static uint64_t ask_sources(struct asked *a, const struct tunnel_inner *in)
{
	const struct fib_table *overlay = fib_table(FIBMSG_OVERLAY);
	uint32_t values[WORKER_BURST], groups[WORKER_BURST];
	uint64_t refused = 0;
	bool open;

	lpm4_lookup_bulk(a->tunnel->allowed4, a->src4, values, a->n4);
	refused |= ask_lists(in, a->at4, values, a->n4, &open);
	if (!overlay)
		memset(groups, 0, sizeof(groups)); /* no route */
	if (open) {
		if (overlay)
			fib_lookup4(overlay, a->src4, groups, a->n4);
		refused |= ask_groups(in, a->at4, groups, values, a->n4);
	}
	lpm6_lookup_bulk(a->tunnel->allowed6, (const uint8_t(*)[16])a->src6, values, a->n6);
	refused |= ask_lists(in, a->at6, values, a->n6, &open);
	if (open) {
		if (overlay)
			fib_lookup6(overlay, (const uint8_t(*)[16])a->src6, groups, a->n6);
		refused |= ask_groups(in, a->at6, groups, values, a->n6);
	}
	a->n4 = a->n6 = 0;
	return refused;
}

/* A tunnel's only peer, without a list: what comes from it is whatever it likes. */
static inline bool may_send_all(const struct tunnel_peer *p)
{
	return has_no_list(p) &&
	       atomic_load_explicit(&p->tunnel->only_peer, memory_order_relaxed) == p->index;
}

void tunnel_filter_sources(struct worker *w, struct tunnel_inner *in)
{
	uint64_t refused = 0;
	unsigned kept = 0;
	struct asked a;

	a.tunnel = NULL;
	a.n4 = a.n6 = 0;
	for (unsigned i = 0; i < in->n; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod(in->pkts[i], const uint8_t *);

		if (may_send_all(in->peers[i]))
			continue;
		if (a.tunnel && a.tunnel != in->peers[i]->tunnel)
			refused |= ask_sources(&a, in);
		a.tunnel = in->peers[i]->tunnel;
		if (*ip >> 4 == 4) {
			a.at4[a.n4] = (uint8_t)i;
			memcpy(&a.src4[a.n4++], ip + offsetof(struct wire_ip4, src_be), 4);
		} else {
			a.at6[a.n6] = (uint8_t)i;
			memcpy(a.src6[a.n6++], ip + offsetof(struct wire_ip6, src), 16);
		}
	}
	if (a.tunnel)
		refused |= ask_sources(&a, in);
	for (unsigned i = 0; refused && i < in->n; i++) {
		if (refused >> i & 1) {
			worker_drop(w, &in->pkts[i], 1, DROP_TUNNEL_SOURCE);
			continue;
		}
		in->pkts[kept] = in->pkts[i];
		in->peers[kept++] = in->peers[i];
	}
	if (refused)
		in->n = kept;
}
