/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work on many paths at once, in slices: a peer that fell away, a policy that
 * changed, prefixes to decide. See bgp_rib.h.
 */
#include "bgp/bgp_decide.h"
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_rib.h"

void bgp_rib_stale_peer(struct bgp_peer *peer, enum bgp_family family)
{
	bgp_rib_sweep_peer(peer, family);
	bgp_set_merge(&peer->rib[family].stale, &peer->rib[family].in);
}

void bgp_rib_sweep_peer(struct bgp_peer *peer, enum bgp_family family)
{
	struct bgp_peer_rib *r = &peer->rib[family];

	bgp_set_merge(&r->doomed, &r->stale);
	bgp_set_clear(&r->stale);
	if (r->doomed.count)
		peer->bgp->unswept = true;
}

void bgp_rib_stop_export(struct bgp_peer *peer, enum bgp_family family)
{
	struct bgp *bgp = peer->bgp;
	struct bgp_rib *rib = &bgp->rib[family];
	struct bgp_peer_rib *r = &peer->rib[family];
	uint32_t id;

	/* Prefixes that are gone stay until every peer was told; this one needs not be any more. */
	bgp_set_merge(&r->pending, &r->out);
	for (id = bgp_set_next(&r->pending, 0); id != BGP_SET_END; id = bgp_set_next(&r->pending, id + 1)) {
		if (!bgp_set_has(&rib->active, id))
			bgp_set_add(&rib->decide, id);
	}
	bgp_set_clear(&r->pending);
	bgp_set_clear(&r->out);
	while (r->staged_at < r->n_staged)
		bgp_attr_release(&bgp->attrs, r->staged[r->staged_at++].attrs);
	bgp_mem_free(&bgp->heap, r->staged, BGP_STAGE_MAX * sizeof(*r->staged));
	r->staged = NULL;
	r->staged_at = r->n_staged = 0;
	r->eor_sent = r->scanned = false;
}

void bgp_rib_start_export(struct bgp_peer *peer, enum bgp_family family)
{
	bgp_set_merge(&peer->rib[family].pending, &peer->bgp->rib[family].active);
	peer->rib[family].scan = 0;
	bgp_action_mark_send(peer);
}

void bgp_rib_review_import(struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_set_merge(&peer->rib[f].review, &peer->rib[f].in);
	peer->bgp->unswept = true;
}

void bgp_rib_review_export(struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++) {
		if (!peer->session || !(peer->families & BGP_FAMILY_BIT(f)))
			continue;
		bgp_set_merge(&peer->rib[f].pending, &peer->rib[f].out);
		bgp_set_merge(&peer->rib[f].pending, &peer->bgp->rib[f].active);
		bgp_action_mark_send(peer);
	}
}

void bgp_rib_decide_peer(struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_set_merge(&peer->bgp->rib[f].decide, &peer->rib[f].in);
}

static void work_sweep(struct bgp_peer *peer, enum bgp_family family, unsigned *budget)
{
	struct bgp_peer_rib *r = &peer->rib[family];
	uint32_t id = 0;

	while (*budget && (id = bgp_set_next(&r->doomed, id)) != BGP_SET_END) {
		bgp_rib_withdraw_net(peer, family, bgp_table_by_id(&peer->bgp->rib[family].table, id));
		--*budget;
	}
}

static int review_path(struct bgp_import *import, struct bgp_peer *peer, enum bgp_family family,
    struct bgp_net *net, struct bgp_path *path)
{
	struct bgp *bgp = peer->bgp;
	struct ip_prefix prefix = bgp_table_prefix(&bgp->rib[family].table, net);
	struct bgp_verdict verdict;
	struct bgp_attrs *use;
	int err;

	if (import->in != path->in) {
		bgp_import_end(import);
		bgp_import_begin(import, peer, family, path->in);
	}
	err = bgp_import_prefix(import, &prefix, &verdict, &use);
	if (!err)
		bgp_rib_judge_path(bgp, &bgp->rib[family], net, path, &verdict, use);
	return err;
}

static void work_review(struct bgp_peer *peer, enum bgp_family family, unsigned *budget)
{
	struct bgp_peer_rib *r = &peer->rib[family];
	struct bgp_import import = {0};
	struct bgp_path *path;
	uint32_t id = 0;
	int err = 0;

	while (*budget && !err && (id = bgp_set_next(&r->review, id)) != BGP_SET_END) {
		struct bgp_net *net = bgp_table_by_id(&peer->bgp->rib[family].table, id);

		for (path = net->paths; path->peer != peer; path = path->next)
			;
		err = review_path(&import, peer, family, net, path);
		if (!err)
			bgp_set_remove(&r->review, id);
		--*budget;
	}
	bgp_import_end(&import);
	if (err) {
		bgp_set_clear(&r->review);
		bgp_fsm_fail_memory(peer);
	}
}

static void work_peers(struct bgp *bgp, unsigned *budget)
{
	bool left = false;
	size_t i;
	unsigned f;

	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		for (f = 0; peer && f < BGP_FAMILIES; f++) {
			work_sweep(peer, (enum bgp_family)f, budget);
			work_review(peer, (enum bgp_family)f, budget);
			left = left || peer->rib[f].doomed.count || peer->rib[f].review.count;
		}
		if (peer && peer->removed)
			bgp_peer_reap(peer);
	}
	bgp->unswept = left;
}

bool bgp_rib_has_work(const struct bgp *bgp)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES && !bgp->deferring; f++) {
		if (bgp->rib[f].decide.count)
			return true;
	}
	return bgp->unswept;
}

bool bgp_rib_work(struct bgp *bgp, unsigned *budget)
{
	unsigned f;
	uint32_t id;

	if (bgp->unswept)
		work_peers(bgp, budget);
	for (f = 0; f < BGP_FAMILIES && !bgp->deferring; f++) {
		struct bgp_rib *rib = &bgp->rib[f];

		id = 0;
		while (*budget && (id = bgp_set_next(&rib->decide, id)) != BGP_SET_END) {
			bgp_set_remove(&rib->decide, id);
			bgp_decide_net(bgp, rib, bgp_table_by_id(&rib->table, id));
			--*budget;
		}
	}
	return bgp_rib_has_work(bgp);
}
