/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision process, RFC 4271 §9.1, in the order of its text. A contest runs
 * over all usable paths of a prefix; each step puts those out that are worse than
 * the best of the remaining; the last one standing is best. The next places of the
 * list are the winners of further contests without the earlier winners, so MED,
 * which compares only within one neighbouring AS, cannot make the order depend on
 * the order of arrival (RFC 4271 §9.1.2.2 c).
 */
#include "bgp/bgp_decide.h"

#include <string.h>

#define LOCAL_PREF_DEFAULT 100 /* of paths that carry none */

static int next_hop_cmp(const struct bgp_next_hop *a, const struct ip_addr *addr)
{
	return ip_addr_cmp(&a->addr, addr);
}

/* The place of addr, or where it belongs. */
static size_t next_hop_place(const struct bgp *bgp, const struct ip_addr *addr)
{
	size_t low = 0, high = bgp->n_next_hops;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (next_hop_cmp(&bgp->next_hops[mid], addr) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct bgp_next_hop bgp_decide_next_hop(const struct bgp *bgp, const struct ip_addr *addr)
{
	size_t at = next_hop_place(bgp, addr);

	if (at < bgp->n_next_hops && next_hop_cmp(&bgp->next_hops[at], addr) == 0)
		return bgp->next_hops[at];
	return (struct bgp_next_hop){.addr = *addr, .usable = true};
}

int bgp_next_hop_set(struct bgp *bgp, const struct ip_addr *next_hop, bool usable, uint32_t cost)
{
	struct bgp_next_hop was = bgp_decide_next_hop(bgp, next_hop);
	size_t at = next_hop_place(bgp, next_hop), i;

	if (was.usable == usable && was.cost == cost)
		return 0;
	if (at == bgp->n_next_hops || next_hop_cmp(&bgp->next_hops[at], next_hop) != 0) {
		if (bgp_mem_grow(&bgp->heap, &bgp->next_hops, &bgp->next_hops_cap, bgp->n_next_hops + 1,
			sizeof(*bgp->next_hops)) != 0)
			return ERR_NOMEM;
		memmove(bgp->next_hops + at + 1, bgp->next_hops + at,
		    (bgp->n_next_hops - at) * sizeof(*bgp->next_hops));
		bgp->n_next_hops++;
	}
	bgp->next_hops[at] = (struct bgp_next_hop){.addr = *next_hop, .usable = usable, .cost = cost};
	for (i = 0; i < bgp->n_slots; i++) {
		if (bgp->peers[i])
			bgp_rib_decide_peer(bgp->peers[i]);
	}
	return 0;
}

enum bgp_reason bgp_decide_check_path(const struct bgp *bgp, const struct bgp_path *path)
{
	if (!path->use)
		return (enum bgp_reason)path->reason;
	if (!path->peer)
		return BGP_REASON_BEST;
	if (!path->peer->usable || !bgp_decide_next_hop(bgp, &path->use->core.next_hop).usable)
		return BGP_REASON_NEXT_HOP_DOWN; /* RFC 4271 §9.1.2.1 */
	return BGP_REASON_BEST;
}

/* Keys of the steps: the least one stays. */

static uint64_t key_local(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return p->peer != NULL;
}

static uint64_t key_local_pref(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return UINT32_MAX - (p->use->core.has_local_pref ? p->use->core.local_pref : LOCAL_PREF_DEFAULT);
}

static uint64_t key_path_len(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return p->use->path_len;
}

static uint64_t key_origin(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return p->use->core.origin;
}

/* Missing counts as the lowest, 0 (RFC 4271 §9.1.2.2 c). */
static uint64_t key_med(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return p->use->core.has_med ? p->use->core.med : 0;
}

static uint64_t key_external(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return !(p->peer && p->peer->external);
}

static uint64_t key_cost(const struct bgp *bgp, const struct bgp_path *p)
{
	return p->peer ? bgp_decide_next_hop(bgp, &p->use->core.next_hop).cost : 0;
}

static uint64_t key_router_id(const struct bgp *bgp, const struct bgp_path *p)
{
	(void)bgp;
	return p->peer ? p->peer->remote_id : 0;
}

static const struct {
	enum bgp_step step;
	uint64_t (*key)(const struct bgp *bgp, const struct bgp_path *p);
	bool per_neighbor; /* compares paths of the same neighbouring AS only */
} steps[] = {
    {BGP_STEP_LOCAL, key_local, false},
    {BGP_STEP_LOCAL_PREF, key_local_pref, false},
    {BGP_STEP_PATH_LEN, key_path_len, false},
    {BGP_STEP_ORIGIN, key_origin, false},
    {BGP_STEP_MED, key_med, true},
    {BGP_STEP_EXTERNAL, key_external, false},
    {BGP_STEP_COST, key_cost, false},
    {BGP_STEP_ROUTER_ID, key_router_id, false},
};

static void put_out(struct bgp_rank *loser, struct bgp_rank *winner, enum bgp_step step)
{
	loser->out = true;
	if (loser->step == BGP_STEP_NONE) {
		loser->step = step;
		loser->versus = winner->path;
	}
}

/* The rank with the least key among those still in that compare with i; i itself when it has it. */
static size_t find_least(const struct bgp *bgp, const struct bgp_rank *ranks, size_t n, size_t step, size_t i)
{
	size_t j, least = i;

	for (j = 0; j < n; j++) {
		if (ranks[j].out || (steps[step].per_neighbor &&
					ranks[j].path->use->neighbor_as != ranks[i].path->use->neighbor_as))
			continue;
		if (steps[step].key(bgp, ranks[j].path) < steps[step].key(bgp, ranks[least].path))
			least = j;
	}
	return least;
}

/* Among the ranks still in, those with the least key stay. Returns how many were put out. */
static size_t run_step(const struct bgp *bgp, struct bgp_rank *ranks, size_t n, size_t step)
{
	size_t i, least = n, gone = 0;

	for (i = 0; i < n; i++) {
		if (ranks[i].out)
			continue;
		if (least == n || steps[step].per_neighbor)
			least = find_least(bgp, ranks, n, step, i);
		if (steps[step].key(bgp, ranks[least].path) < steps[step].key(bgp, ranks[i].path)) {
			put_out(&ranks[i], &ranks[least], steps[step].step);
			gone++;
		}
	}
	return gone;
}

/* §9.1.2.2 g; the same address behind two interfaces: the peer that was configured first. */
static bool address_before(const struct bgp_path *a, const struct bgp_path *b)
{
	int c = ip_addr_cmp(&a->peer->config.address, &b->peer->config.address);

	return c ? c < 0 : a->peer->slot < b->peer->slot;
}

static size_t run_address(struct bgp_rank *ranks, size_t n)
{
	size_t i, best = n;

	for (i = 0; i < n; i++) {
		if (!ranks[i].out && (best == n || address_before(ranks[i].path, ranks[best].path)))
			best = i;
	}
	for (i = 0; i < n; i++) {
		if (!ranks[i].out && i != best)
			put_out(&ranks[i], &ranks[best], BGP_STEP_ADDRESS);
	}
	return best;
}

/* One contest; the winner comes to the front. */
static void run_contest(const struct bgp *bgp, struct bgp_rank *ranks, size_t n)
{
	size_t s, i, left = n;
	struct bgp_rank winner;

	for (i = 0; i < n; i++)
		ranks[i].out = false;
	for (s = 0; s < sizeof(steps) / sizeof(steps[0]) && left > 1; s++)
		left -= run_step(bgp, ranks, n, s);
	i = left > 1 ? run_address(ranks, n) : 0;
	while (ranks[i].out)
		i++;
	winner = ranks[i];
	memmove(ranks + 1, ranks, i * sizeof(*ranks));
	ranks[0] = winner;
}

/* The step that decided for the winner is the last one at which anybody fell. */
static void note_decider(struct bgp_rank *ranks, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++) {
		if (ranks[i].step > ranks[0].step) {
			ranks[0].step = ranks[i].step;
			ranks[0].versus = ranks[i].path;
		}
	}
}

static bool same_next_hop(const struct bgp_path *a, const struct bgp_path *b)
{
	return a->peer && b->peer && ip_addr_equal(&a->use->core.next_hop, &b->use->core.next_hop) &&
	       strcmp(a->peer->config.interface, b->peer->config.interface) == 0;
}

/* Moves paths whose next hop is listed already behind those that remain. Returns how many remain. */
static size_t drop_duplicates(struct bgp_rank *ranks, size_t n, const struct bgp_path *listed)
{
	size_t i = 0;
	struct bgp_rank dup;

	while (i < n) {
		if (!same_next_hop(ranks[i].path, listed)) {
			i++;
			continue;
		}
		dup = ranks[i];
		dup.duplicate = true;
		memmove(ranks + i, ranks + i + 1, (n - i - 1) * sizeof(*ranks));
		ranks[--n] = dup;
	}
	return n;
}

size_t bgp_decide_rank(struct bgp *bgp, const struct bgp_net *net, size_t *n_listed)
{
	struct bgp_rank *ranks = bgp->ranks;
	struct bgp_path *path;
	size_t n = 0, left, listed = 0;

	for (path = net->paths; path; path = path->next) {
		if (bgp_decide_check_path(bgp, path) == BGP_REASON_BEST)
			ranks[n++] = (struct bgp_rank){.path = path};
	}
	left = n;
	while (left && listed < BGP_PATHS_MAX) {
		run_contest(bgp, ranks + listed, left);
		if (listed == 0)
			note_decider(ranks, n);
		left = drop_duplicates(ranks + listed + 1, left - 1, ranks[listed].path);
		listed++;
	}
	*n_listed = listed;
	return n;
}

/* Whether the list, as it stands in front of net->paths, is ranks[0..n): and nothing in it changed. */
static bool list_is_same(const struct bgp_net *net, const struct bgp_rank *ranks, size_t n)
{
	const struct bgp_path *path = net->paths;
	size_t i;

	for (i = 0; i < n; i++, path = path->next) {
		if (path != ranks[i].path || (path->flags & BGP_PATH_CHANGED) ||
		    !(path->flags & BGP_PATH_LISTED))
			return false;
	}
	return !path || !(path->flags & BGP_PATH_LISTED);
}

/* Puts ranks[0..n) in front of net->paths and marks them. */
static void reorder(struct bgp_net *net, const struct bgp_rank *ranks, size_t n)
{
	struct bgp_path *path, **at;
	size_t i;

	for (path = net->paths; path; path = path->next)
		path->flags = 0;
	for (i = n; i-- > 0;) {
		path = ranks[i].path;
		path->flags = BGP_PATH_LISTED;
		for (at = &net->paths; *at != path; at = &(*at)->next)
			;
		*at = path->next;
		path->next = net->paths;
		net->paths = path;
	}
}

static void tell_peers(struct bgp *bgp, enum bgp_family family, uint32_t id)
{
	size_t i;

	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (!peer || !peer->session || !(peer->families & BGP_FAMILY_BIT(family)))
			continue;
		bgp_set_add(&peer->rib[family].pending, id);
		bgp_action_mark_send(peer);
	}
}

void bgp_decide_net(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net)
{
	struct bgp_path *first = net->paths && (net->paths->flags & BGP_PATH_LISTED) ? net->paths : NULL;
	bool best_changed = net->best_gone, list_changed = net->listed_gone;
	size_t n_listed;

	bgp_decide_rank(bgp, net, &n_listed);
	list_changed = list_changed || !list_is_same(net, bgp->ranks, n_listed);
	if (n_listed)
		best_changed =
		    best_changed || first != bgp->ranks[0].path || (first->flags & BGP_PATH_CHANGED);
	else
		best_changed = best_changed || first;
	reorder(net, bgp->ranks, n_listed);
	net->best_gone = net->listed_gone = false;
	if (n_listed)
		bgp_set_add(&rib->active, net->id);
	else
		bgp_set_remove(&rib->active, net->id);
	if (list_changed)
		bgp_set_add(&rib->dirty, net->id);
	if (best_changed)
		tell_peers(bgp, rib->table.family, net->id);
	bgp_rib_release(bgp, rib, net);
}
