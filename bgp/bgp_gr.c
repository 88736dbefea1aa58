/* SPDX-License-Identifier: BSD-3-Clause */
/* Graceful restart; see bgp_gr.h. */
#include "bgp/bgp_gr.h"

#include "bgp/bgp_rib.h"
#include "lib/nsec.h"

void bgp_gr_fill_capability(const struct bgp_peer *peer, struct bgp_capabilities *caps)
{
	const struct bgp *bgp = peer->bgp;

	if (peer->config.no_graceful_restart)
		return;
	caps->graceful_restart = true;
	caps->restart_state = bgp->deferring; /* RFC 4724 §4.1: R until the restart is over */
	caps->restart_time_s = peer->config.restart_time_s;
	caps->restart_families = peer->config.families;
	/* Forwarding goes on over a restart if the caller says so, and always over the loss of a mere
	 * session. */
	caps->forwarding = bgp->config.restarting || peer->established ? peer->config.families : 0;
}

static void stop_waiting(struct bgp_peer *peer)
{
	peer->restarting = false;
	peer->restart_until = BGP_NEVER;
	peer->stale_until = BGP_NEVER;
}

void bgp_gr_end_session(struct bgp_peer *peer, bool graceful)
{
	const struct bgp_capabilities *caps = &peer->received;
	bool kept = false;
	unsigned f;

	graceful = graceful && caps->graceful_restart && !peer->config.no_graceful_restart;
	for (f = 0; f < BGP_FAMILIES; f++) {
		enum bgp_family family = (enum bgp_family)f;

		bgp_rib_stale_peer(peer, family);
		if (graceful && (caps->restart_families & peer->families & BGP_FAMILY_BIT(f)))
			kept = true;
		else
			bgp_rib_sweep_peer(peer, family);
		peer->rib[f].eor_received = false;
	}
	stop_waiting(peer);
	if (!kept)
		return;
	peer->restarting = true;
	peer->restart_until = peer->bgp->now_ns + caps->restart_time_s * NSEC_PER_SEC;
	bgp_event_add(peer->bgp, BGP_EVENT_RESTART, peer, "routes kept for %u s", caps->restart_time_s);
}

static bool has_stale(const struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++) {
		if (peer->rib[f].stale.count)
			return true;
	}
	return false;
}

/* RFC 4724 §4.2: without the capability, the family or its F bit in the new OPEN the stale routes go at once.
 */
void bgp_gr_begin_session(struct bgp_peer *peer)
{
	const struct bgp_capabilities *caps = &peer->received;
	unsigned f,
	    kept = caps->graceful_restart ? caps->restart_families & caps->forwarding & peer->families : 0;

	if (!peer->restarting)
		return;
	peer->restart_until = BGP_NEVER;
	for (f = 0; f < BGP_FAMILIES; f++) {
		if (!(kept & BGP_FAMILY_BIT(f)))
			bgp_rib_sweep_peer(peer, (enum bgp_family)f);
	}
	if (has_stale(peer))
		peer->stale_until = peer->bgp->now_ns + peer->config.stale_time_s * NSEC_PER_SEC;
	else
		stop_waiting(peer);
}

void bgp_gr_end_of_rib(struct bgp_peer *peer, enum bgp_family family)
{
	peer->rib[family].eor_received = true;
	if (!peer->restarting)
		return;
	bgp_rib_sweep_peer(peer, family);
	if (has_stale(peer))
		return;
	stop_waiting(peer);
	bgp_event_add(peer->bgp, BGP_EVENT_RESTART, peer, "ended, all routes are fresh");
}

void bgp_gr_tick_peer(struct bgp_peer *peer)
{
	uint64_t now = peer->bgp->now_ns;
	unsigned f;

	if (!peer->restarting || (now < peer->restart_until && now < peer->stale_until))
		return;
	bgp_event_add(peer->bgp, BGP_EVENT_RESTART, peer, "%s, stale routes removed",
	    now >= peer->restart_until ? "not back in time" : "no End-of-RIB in time");
	for (f = 0; f < BGP_FAMILIES; f++)
		bgp_rib_sweep_peer(peer, (enum bgp_family)f);
	stop_waiting(peer);
}

/* RFC 4724 §4.1: waited for are those that restart gracefully and do not themselves come from a restart. */
static bool peer_is_awaited(const struct bgp_peer *peer)
{
	unsigned f;

	if (peer->removed || peer->config.disabled || peer->config.no_graceful_restart)
		return false;
	if (!peer->session)
		return peer->usable; /* one behind a dead tunnel will not come */
	if (!peer->received.graceful_restart || peer->received.restart_state)
		return false;
	for (f = 0; f < BGP_FAMILIES; f++) {
		if ((peer->families & BGP_FAMILY_BIT(f)) && !peer->rib[f].eor_received)
			return true;
	}
	return false;
}

static void end_deferral(struct bgp *bgp, bool late)
{
	bgp->deferring = false;
	bgp_event_add(bgp, BGP_EVENT_RESTART, NULL,
	    late ? "peers did not all come back in time, deciding"
		 : "all peers have told their routes, deciding");
}

/* End-of-RIB waits until what was collected during the deferral is decided. */
static void settle(struct bgp *bgp)
{
	unsigned f;
	size_t i;

	for (f = 0; f < BGP_FAMILIES; f++) {
		if (bgp->rib[f].decide.count)
			return;
	}
	bgp->settled = true;
	for (i = 0; i < bgp->n_slots; i++) {
		if (bgp->peers[i] && bgp->peers[i]->session)
			bgp_action_mark_send(bgp->peers[i]);
	}
}

void bgp_gr_tick(struct bgp *bgp)
{
	bool awaited = false;
	size_t i;

	for (i = 0; i < bgp->n_slots && bgp->deferring; i++)
		awaited = awaited || (bgp->peers[i] && peer_is_awaited(bgp->peers[i]));
	if (bgp->deferring && (!awaited || bgp->now_ns >= bgp->defer_until))
		end_deferral(bgp, awaited);
	if (!bgp->deferring && !bgp->settled)
		settle(bgp);
}
