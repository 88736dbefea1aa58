/* SPDX-License-Identifier: BSD-3-Clause */
/* Adj-RIB-In and Loc-RIB: single paths; see bgp_rib.h. In slices: bgp_rib_work.c. */
#include "bgp/bgp_rib.h"

#include <string.h>

#include "bgp/bgp_decide.h"

static int reserve_peer(struct bgp_heap *heap, struct bgp_peer_rib *r, uint32_t n)
{
	/* Those that others are merged into come first: after a failure they are the larger ones. */
	if (bgp_set_reserve(heap, &r->pending, n) != 0 || bgp_set_reserve(heap, &r->doomed, n) != 0 ||
	    bgp_set_reserve(heap, &r->stale, n) != 0 || bgp_set_reserve(heap, &r->review, n) != 0 ||
	    bgp_set_reserve(heap, &r->out, n) != 0 || bgp_set_reserve(heap, &r->in, n) != 0)
		return ERR_NOMEM;
	return 0;
}

/* Room for id in every set of the family. `active` grows last and tells whether all did. */
static int reserve_id(struct bgp *bgp, enum bgp_family family, uint32_t id)
{
	struct bgp_rib *rib = &bgp->rib[family];
	uint32_t n = rib->active.n_words * 64;
	size_t i;

	if (id < n)
		return 0;
	n = n ? n * 2 : 4096;
	if (bgp_set_reserve(&bgp->heap, &rib->decide, n) != 0 ||
	    bgp_set_reserve(&bgp->heap, &rib->dirty, n) != 0)
		return ERR_NOMEM;
	for (i = 0; i < bgp->n_slots; i++) {
		if (bgp->peers[i] && reserve_peer(&bgp->heap, &bgp->peers[i]->rib[family], n) != 0)
			return ERR_NOMEM;
	}
	return bgp_set_reserve(&bgp->heap, &rib->active, n);
}

int bgp_rib_add_peer(struct bgp_peer *peer)
{
	struct bgp *bgp = peer->bgp;
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++) {
		if (reserve_peer(&bgp->heap, &peer->rib[f], bgp->rib[f].active.n_words * 64) != 0)
			return ERR_NOMEM;
	}
	return 0;
}

void bgp_rib_free_peer(struct bgp_peer *peer)
{
	struct bgp_heap *heap = &peer->bgp->heap;
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++) {
		struct bgp_peer_rib *r = &peer->rib[f];

		bgp_rib_stop_export(peer, (enum bgp_family)f);
		bgp_set_free(heap, &r->in);
		bgp_set_free(heap, &r->stale);
		bgp_set_free(heap, &r->doomed);
		bgp_set_free(heap, &r->review);
		bgp_set_free(heap, &r->out);
		bgp_set_free(heap, &r->pending);
	}
}

static struct bgp_path *find_path(const struct bgp_net *net, const struct bgp_peer *peer)
{
	struct bgp_path *path = net->paths;

	while (path && path->peer != peer)
		path = path->next;
	return path;
}

static void free_path(struct bgp *bgp, struct bgp_rib *rib, struct bgp_path *path)
{
	if (path->reason != BGP_REASON_BEST)
		bgp->refused[path->reason]--;
	else if (path->peer)
		path->peer->rib[rib->table.family].accepted--;
	rib->n_paths--;
	bgp_attr_release(&bgp->attrs, path->in);
	bgp_attr_release(&bgp->attrs, path->use);
	bgp_mem_free(&bgp->heap, path, sizeof(*path));
}

/* Takes path out of net and frees it; whoever used it hears of it by the decision. */
static void remove_path(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net, struct bgp_path *path)
{
	struct bgp_path **at = &net->paths;

	while (*at != path)
		at = &(*at)->next;
	*at = path->next;
	if (path->flags & BGP_PATH_LISTED) {
		net->listed_gone = true;
		net->best_gone = net->best_gone || at == &net->paths;
	}
	if ((path->flags & BGP_PATH_LISTED) || !net->paths)
		bgp_set_add(&rib->decide, net->id);
	if (path->peer) {
		struct bgp_peer_rib *r = &path->peer->rib[rib->table.family];

		bgp_set_remove(&r->in, net->id);
		bgp_set_remove(&r->stale, net->id);
		bgp_set_remove(&r->doomed, net->id);
		bgp_set_remove(&r->review, net->id);
	}
	free_path(bgp, rib, path);
}

void bgp_rib_release(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net)
{
	size_t i;

	if (net->paths || bgp_set_has(&rib->decide, net->id) || bgp_set_has(&rib->dirty, net->id))
		return;
	for (i = 0; i < bgp->n_slots; i++) {
		const struct bgp_peer_rib *r = bgp->peers[i] ? &bgp->peers[i]->rib[rib->table.family] : NULL;

		if (r && (bgp_set_has(&r->out, net->id) || bgp_set_has(&r->pending, net->id)))
			return;
	}
	bgp_table_remove(&rib->table, net);
}

static int add_net(struct bgp *bgp, struct bgp_rib *rib, const struct ip_prefix *prefix, struct bgp_net **out)
{
	*out = bgp_table_find(&rib->table, prefix);
	if (*out)
		return 0;
	if (reserve_id(bgp, rib->table.family, bgp_table_next_id(&rib->table)) != 0)
		return ERR_NOMEM;
	return bgp_table_add(&rib->table, prefix, out);
}

/* A path without attributes yet, behind all others: it is not listed. */
static struct bgp_path *add_path(
    struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net, struct bgp_peer *peer)
{
	struct bgp_path *path = bgp_mem_alloc(&bgp->heap, sizeof(*path)), **at = &net->paths;

	if (!path)
		return NULL;
	while (*at)
		at = &(*at)->next;
	*at = path;
	path->peer = peer;
	path->reason = BGP_REASON_PENDING;
	bgp->refused[path->reason]++;
	rib->n_paths++;
	if (peer)
		bgp_set_add(&peer->rib[rib->table.family].in, net->id);
	return path;
}

void bgp_rib_judge_path(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net, struct bgp_path *path,
    const struct bgp_verdict *verdict, struct bgp_attrs *use)
{
	uint32_t *accepted = path->peer ? &path->peer->rib[rib->table.family].accepted : NULL;

	if (path->reason != BGP_REASON_BEST)
		bgp->refused[path->reason]--;
	else if (accepted)
		--*accepted;
	path->reason = (uint8_t)verdict->reason;
	path->rule = verdict->rule;
	if (path->reason != BGP_REASON_BEST)
		bgp->refused[path->reason]++;
	else if (accepted)
		++*accepted;
	if (path->use != use) {
		path->flags |= BGP_PATH_CHANGED;
		bgp_set_add(&rib->decide, net->id);
	}
	bgp_attr_release(&bgp->attrs, path->use);
	path->use = use;
}

int bgp_rib_announce(struct bgp_import *import, enum bgp_family family, const struct ip_prefix *prefix)
{
	struct bgp_peer *peer = import->peer;
	struct bgp *bgp = peer->bgp;
	struct bgp_rib *rib = &bgp->rib[family];
	struct bgp_verdict verdict;
	struct bgp_attrs *use = NULL;
	struct bgp_net *net = NULL;
	struct bgp_path *path;
	int err;

	err = bgp_import_prefix(import, prefix, &verdict, &use);
	if (!err)
		err = add_net(bgp, rib, prefix, &net);
	if (err)
		goto fail;
	path = find_path(net, peer);
	if (!path)
		path = add_path(bgp, rib, net, peer);
	if (!path) {
		err = ERR_NOMEM;
		goto fail;
	}
	bgp_set_remove(&peer->rib[family].stale, net->id);
	bgp_set_remove(&peer->rib[family].doomed, net->id);
	bgp_set_remove(&peer->rib[family].review, net->id);
	if (path->in != import->in) {
		bgp_attr_release(&bgp->attrs, path->in);
		path->in = bgp_attr_hold(import->in);
		path->since_s = (uint32_t)((bgp->now_ns - bgp->epoch_ns) / 1000000000u);
	}
	bgp_rib_judge_path(bgp, rib, net, path, &verdict, use);
	return 0;
fail:
	bgp_attr_release(&bgp->attrs, use);
	if (net)
		bgp_rib_release(bgp, rib, net);
	return err;
}

void bgp_rib_withdraw_net(struct bgp_peer *peer, enum bgp_family family, struct bgp_net *net)
{
	struct bgp_path *path = net ? find_path(net, peer) : NULL;

	if (path)
		remove_path(peer->bgp, &peer->bgp->rib[family], net, path);
}

void bgp_rib_withdraw(struct bgp_peer *peer, enum bgp_family family, const struct ip_prefix *prefix)
{
	bgp_rib_withdraw_net(peer, family, bgp_table_find(&peer->bgp->rib[family].table, prefix));
}

/* ------------------------------------------------------------- our own routes */

static struct bgp_rib *rib_of(struct bgp *bgp, const struct ip_prefix *prefix)
{
	return &bgp->rib[prefix->addr.family == IP_V4 ? BGP_IPV4 : BGP_IPV6];
}

int bgp_local_add(struct bgp *bgp, const struct ip_prefix *prefix, enum bgp_source source)
{
	struct ip_prefix masked = ip_prefix_mask(prefix);
	struct bgp_verdict accepted = {.reason = BGP_REASON_BEST};
	struct bgp_attrs *attrs;
	struct bgp_rib *rib = rib_of(bgp, prefix);
	struct bgp_net *net;
	struct bgp_path *path;

	if (!ip_family_bits(prefix->addr.family) || !ip_prefix_equal(prefix, &masked) ||
	    source >= BGP_SOURCES)
		return ERR_INVALID;
	if (add_net(bgp, rib, prefix, &net) != 0)
		return ERR_NOMEM;
	path = find_path(net, NULL);
	if (!path) {
		bgp_attr_build_init(&bgp->edit_scratch); /* origin IGP, empty path: RFC 4271 §5.1.1, §5.1.2 */
		if (bgp_attr_intern(&bgp->attrs, &bgp->edit_scratch, &attrs) != 0)
			goto fail;
		path = add_path(bgp, rib, net, NULL);
		if (!path) {
			bgp_attr_release(&bgp->attrs, attrs);
			goto fail;
		}
		path->in = bgp_attr_hold(attrs);
		path->since_s = (uint32_t)((bgp->now_ns - bgp->epoch_ns) / 1000000000u);
		bgp_rib_judge_path(bgp, rib, net, path, &accepted, attrs);
	}
	path->sources |= (uint8_t)(1u << source);
	return 0;
fail:
	bgp_rib_release(bgp, rib, net);
	return ERR_NOMEM;
}

int bgp_local_remove(struct bgp *bgp, const struct ip_prefix *prefix, enum bgp_source source)
{
	struct bgp_rib *rib = rib_of(bgp, prefix);
	struct bgp_net *net = bgp_table_find(&rib->table, prefix);
	struct bgp_path *path = net ? find_path(net, NULL) : NULL;

	if (!path || !(path->sources & 1u << source))
		return ERR_NOENT;
	path->sources &= (uint8_t) ~(1u << source);
	if (!path->sources)
		remove_path(bgp, rib, net, path);
	return 0;
}

void bgp_rib_free_all(struct bgp *bgp)
{
	unsigned f;
	uint32_t id;

	for (f = 0; f < BGP_FAMILIES; f++) {
		struct bgp_rib *rib = &bgp->rib[f];

		for (id = 0; id < rib->table.n_ids; id++) {
			struct bgp_net *net = bgp_table_by_id(&rib->table, id);

			while (net && net->paths) {
				struct bgp_path *path = net->paths;

				net->paths = path->next;
				free_path(bgp, rib, path);
			}
		}
		bgp_table_free(&rib->table);
		bgp_set_free(&bgp->heap, &rib->decide);
		bgp_set_free(&bgp->heap, &rib->dirty);
		bgp_set_free(&bgp->heap, &rib->active);
	}
}
