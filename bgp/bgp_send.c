/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Adj-RIB-Out on its way to the wire. What is pending for a peer is a set; it is
 * turned into announcements only when there is room to write them, a stage of up to
 * BGP_STAGE_MAX at a time, ordered by attribute set so that prefixes which share
 * one travel in the same UPDATE (RFC 4271 §9.2). See bgp_export.h.
 */
#include <stdint.h>

#include "bgp/bgp_decide.h"
#include "bgp/bgp_export.h"
#include "bgp/bgp_update.h"
#include "bgp/bgp_wire.h"

/* Shell sort by attribute set, withdrawals (NULL) first. */
static void sort_staged(struct bgp_staged *s, size_t n)
{
	size_t gap, i, j;

	for (gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11) {
		for (i = gap; i < n; i++) {
			struct bgp_staged moved = s[i];

			for (j = i; j >= gap && (uintptr_t)s[j - gap].attrs > (uintptr_t)moved.attrs;
			     j -= gap)
				s[j] = s[j - gap];
			s[j] = moved;
		}
	}
}

/* Looks at one pending prefix and stages what the peer must hear, if anything. */
static int stage_net(struct bgp_export *export, struct bgp_peer_rib *r, uint32_t id)
{
	struct bgp_rib *rib = &export->peer->bgp->rib[export->family];
	struct bgp_net *net = bgp_table_by_id(&rib->table, id);
	struct bgp_attrs *attrs = NULL;
	int err = bgp_export_net(export, net, &attrs);
	bool told;

	if (err)
		return err;
	bgp_set_remove(&r->pending, id);
	told = attrs ? bgp_set_add(&r->out, id) : bgp_set_remove(&r->out, id);
	if (attrs || told)
		r->staged[r->n_staged++] = (struct bgp_staged){bgp_table_prefix(&rib->table, net), attrs};
	bgp_rib_release(export->peer->bgp, rib, net);
	return 0;
}

static int fill_stage(struct bgp_peer *peer, enum bgp_family family, unsigned *budget)
{
	struct bgp_heap *heap = &peer->bgp->heap;
	struct bgp_peer_rib *r = &peer->rib[family];
	struct bgp_export export;
	int err = 0;

	if (!r->staged && !(r->staged = bgp_mem_alloc(heap, BGP_STAGE_MAX * sizeof(*r->staged))))
		return ERR_NOMEM;
	r->staged_at = r->n_staged = 0;
	bgp_export_begin(&export, peer, family);
	while (*budget && !err && r->n_staged < BGP_STAGE_MAX && r->pending.count) {
		uint32_t id = bgp_set_next(&r->pending, r->scan);

		if (id == BGP_SET_END) {
			r->scan = 0;
			r->scanned = true;
			continue;
		}
		r->scan = id + 1;
		err = stage_net(&export, r, id);
		--*budget;
	}
	bgp_export_end(&export);
	sort_staged(r->staged, r->n_staged);
	return err;
}

static void drop_stage(struct bgp_peer *peer, struct bgp_peer_rib *r)
{
	bgp_mem_free(&peer->bgp->heap, r->staged, BGP_STAGE_MAX * sizeof(*r->staged));
	r->staged = NULL;
	r->staged_at = r->n_staged = 0;
}

/* The staged entries from the first on that share its attributes. */
static size_t collect_run(const struct bgp_peer_rib *r, const struct ip_prefix **prefixes)
{
	const struct bgp_staged *first = &r->staged[r->staged_at];
	size_t n = 0, left = r->n_staged - r->staged_at;

	while (n < left && first[n].attrs == first->attrs) {
		prefixes[n] = &first[n].prefix;
		n++;
	}
	return n;
}

/* Attributes that leave no room for a prefix in a message: what the peer had of it must go (RFC 4271 §9.2).
 */
static void give_up_staged(struct bgp_peer *peer, struct bgp_staged *s)
{
	char text[IP_PREFIX_STRLEN];

	bgp_event_add(peer->bgp, BGP_EVENT_ERROR, peer, "%s: attributes too long to send, withdrawn instead",
	    ip_prefix_format(&s->prefix, text));
	bgp_attr_release(&peer->bgp->attrs, s->attrs);
	s->attrs = NULL;
}

/* False: no room left. */
static bool write_run(struct bgp_peer *peer, enum bgp_family family, struct buf_writer *w)
{
	struct bgp_peer_rib *r = &peer->rib[family];
	const struct ip_prefix *prefixes[BGP_STAGE_MAX];
	size_t n = collect_run(r, prefixes), done, i;
	struct bgp_attrs *attrs = r->staged[r->staged_at].attrs;

	if (attrs)
		done = bgp_update_write_reach(w, family, attrs, peer->received.as4, prefixes, n);
	else
		done = bgp_update_write_withdrawn(w, family, prefixes, n);
	if (!done && buf_writer_left(w) < BGP_MSG_MAX)
		return false;
	if (!done) {
		give_up_staged(peer, &r->staged[r->staged_at]);
		return true;
	}
	for (i = 0; i < done; i++)
		bgp_attr_release(&peer->bgp->attrs, attrs);
	r->staged_at += done;
	peer->msgs_out[BGP_MSG_UPDATE]++;
	return true;
}

/* True: the marker is due and everything before it is written. */
static bool end_of_rib_is_due(const struct bgp_peer *peer, const struct bgp_peer_rib *r)
{
	return !r->eor_sent && peer->bgp->settled && r->staged_at == r->n_staged &&
	       (r->scanned || !r->pending.count);
}

static bool family_is_waiting(const struct bgp_peer *peer, unsigned family)
{
	const struct bgp_peer_rib *r = &peer->rib[family];

	return (peer->families & BGP_FAMILY_BIT(family)) &&
	       (r->pending.count || r->staged_at < r->n_staged || end_of_rib_is_due(peer, r));
}

static int write_family(struct bgp_peer *peer, enum bgp_family family, struct buf_writer *w, unsigned *budget)
{
	struct bgp_peer_rib *r = &peer->rib[family];
	int err = 0;

	while (buf_writer_left(w) >= BGP_MSG_MAX) {
		if (r->staged_at < r->n_staged) {
			if (!write_run(peer, family, w))
				return 0;
		} else if (end_of_rib_is_due(peer, r)) {
			bgp_update_write_withdrawn(w, family, NULL, 0);
			peer->msgs_out[BGP_MSG_UPDATE]++;
			r->eor_sent = true;
		} else if (r->pending.count && *budget) {
			err = fill_stage(peer, family, budget);
			if (err)
				return err;
		} else {
			break;
		}
	}
	if (r->staged && r->staged_at == r->n_staged && !r->pending.count)
		drop_stage(peer, r);
	return 0;
}

bool bgp_export_is_waiting(const struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES && !peer->bgp->deferring; f++) {
		if (family_is_waiting(peer, f))
			return true;
	}
	return false;
}

int bgp_export_write(struct bgp_peer *peer, struct buf_writer *w, unsigned *budget)
{
	unsigned f;
	int err = 0;

	for (f = 0; f < BGP_FAMILIES && !err && !peer->bgp->deferring; f++) {
		if (family_is_waiting(peer, f))
			err = write_family(peer, (enum bgp_family)f, w, budget);
	}
	return err;
}
