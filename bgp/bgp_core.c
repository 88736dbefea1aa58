/* SPDX-License-Identifier: BSD-3-Clause */
/* The instance: its begin, its end, and its share of time. See bgp.h. */
#include "bgp/bgp_core.h"

#include "bgp/bgp_decide.h"
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_gr.h"
#include "bgp/bgp_rib.h"
#include "bgp/bgp_wire.h"
#include "lib/nsec.h"

#define SLICE		4096
#define SELECT_DEFER_NS (15 * NSEC_PER_SEC)

int bgp_new(const struct bgp_config *config, uint64_t now_ns, struct bgp **out, struct err_msg *msg)
{
	struct bgp_heap heap;
	struct bgp *bgp;
	unsigned f;

	if (config->as == 0 || config->as == UINT32_MAX ||
	    config->as == BGP_AS_TRANS) /* RFC 7607, 7300, 6793 §9 */
		return err_set(msg, ERR_RANGE, "AS %u: expected 1 to 4294967294, not 23456", config->as);
	if (config->router_id == 0)
		return err_set(msg, ERR_INVALID, "router id: expected an address other than 0.0.0.0");
	bgp_mem_init(&heap, &config->mem);
	bgp = bgp_mem_alloc(&heap, sizeof(*bgp));
	if (!bgp)
		return err_set(msg, ERR_NOMEM, "out of memory");
	bgp->heap = heap;
	bgp->config = *config;
	bgp->config.slice = config->slice ? config->slice : SLICE;
	bgp->now_ns = bgp->epoch_ns = now_ns;
	bgp->random = config->seed | 1;
	bgp->deferring = config->restarting;
	bgp->settled = !config->restarting;
	bgp->defer_until = now_ns + (config->select_defer_ns ? config->select_defer_ns : SELECT_DEFER_NS);
	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_table_init(&bgp->rib[f].table, &bgp->heap, (enum bgp_family)f);
	if (bgp_attr_table_init(&bgp->attrs, &bgp->heap) != 0 ||
	    bgp_mem_grow(&bgp->heap, &bgp->ranks, &bgp->ranks_cap, 2, sizeof(*bgp->ranks)) != 0) {
		bgp_free(bgp);
		return err_set(msg, ERR_NOMEM, "out of memory");
	}
	*out = bgp;
	return 0;
}

void bgp_free(struct bgp *bgp)
{
	struct bgp_heap heap;
	size_t i;

	if (!bgp)
		return;
	for (i = bgp->n_slots; i-- > 0;) {
		if (bgp->peers[i])
			bgp_rib_free_peer(bgp->peers[i]);
	}
	bgp_rib_free_all(bgp);
	while (bgp->n_slots)
		bgp_peer_destroy(bgp->peers[bgp->n_slots - 1]);
	while (bgp->filters) {
		struct bgp_filter *filter = bgp->filters;

		bgp->filters = filter->next;
		bgp_policy_free(&bgp->heap, filter);
	}
	bgp_attr_release(&bgp->attrs, bgp->shown);
	if (bgp->attrs.buckets)
		bgp_attr_table_free(&bgp->attrs);
	bgp_mem_free(&bgp->heap, bgp->peers, bgp->peers_cap * sizeof(struct bgp_peer *));
	bgp_mem_free(&bgp->heap, bgp->ranks, bgp->ranks_cap * sizeof(*bgp->ranks));
	bgp_mem_free(&bgp->heap, bgp->next_hops, bgp->next_hops_cap * sizeof(*bgp->next_hops));
	heap = bgp->heap;
	bgp_mem_free(&heap, bgp, sizeof(*bgp));
}

void bgp_shutdown(struct bgp *bgp, bool notify, uint64_t now_ns)
{
	size_t i;

	bgp_core_set_now(bgp, now_ns);
	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (!peer)
			continue;
		peer->config.disabled = true;
		bgp_fsm_stop(peer, notify ? BGP_CEASE_SHUTDOWN : 0, "shut down");
		bgp_fsm_note_state(peer);
	}
}

void bgp_core_set_now(struct bgp *bgp, uint64_t now_ns)
{
	if (now_ns > bgp->now_ns)
		bgp->now_ns = now_ns;
}

uint64_t bgp_core_jitter(struct bgp *bgp, uint64_t ns)
{
	uint64_t r = bgp->random; /* xorshift64 */

	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	bgp->random = r;
	return ns - ns / 4 / 1024 * (r >> 54);
}

static void send_on(struct bgp *bgp)
{
	size_t i;

	bgp->send_later = false;
	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (!peer || !peer->send_later)
			continue;
		peer->send_later = false;
		bgp_action_mark_send(peer);
	}
}

bool bgp_tick(struct bgp *bgp, uint64_t now_ns)
{
	unsigned budget = bgp->config.slice;
	size_t i;

	bgp_core_set_now(bgp, now_ns);
	for (i = 0; i < bgp->n_slots; i++) {
		if (bgp->peers[i])
			bgp_fsm_tick(bgp->peers[i]);
	}
	if (bgp->send_later)
		send_on(bgp);
	bgp_rib_work(bgp, &budget);
	bgp_gr_tick(bgp);
	return bgp_deadline(bgp) <= bgp->now_ns;
}

uint64_t bgp_deadline(const struct bgp *bgp)
{
	uint64_t at = bgp->deferring ? bgp->defer_until : BGP_NEVER;
	size_t i;

	if (bgp_rib_has_work(bgp) || bgp->send_later || (!bgp->deferring && !bgp->settled))
		return bgp->now_ns;
	for (i = 0; i < bgp->n_slots; i++) {
		uint64_t peer_at = bgp->peers[i] ? bgp_fsm_deadline(bgp->peers[i]) : BGP_NEVER;

		at = peer_at < at ? peer_at : at;
	}
	return at;
}

bool bgp_is_deferring(const struct bgp *bgp)
{
	return bgp->deferring || !bgp->settled;
}

bool bgp_is_idle(const struct bgp *bgp)
{
	return !bgp_rib_has_work(bgp) && !bgp_is_deferring(bgp);
}
