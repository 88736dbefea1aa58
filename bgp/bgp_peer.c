/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers come, change and go; see the part "peers" of bgp.h. */
#include <stdio.h>
#include <string.h>

#include "bgp/bgp_decide.h"
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_gr.h"
#include "bgp/bgp_rib.h"
#include "bgp/bgp_wire.h"
#include "lib/nsec.h"

#define HOLD_TIME_S	 90
#define HOLD_TIME_MIN_S	 3
#define CONNECT_RETRY_NS (5 * NSEC_PER_SEC)
#define RESTART_TIME_S	 120
#define STALE_TIME_S	 360

struct bgp_peer *bgp_peer_find(const struct bgp *bgp, const char *name)
{
	size_t i;

	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (peer && !peer->removed && strcmp(peer->name, name) == 0)
			return peer;
	}
	return NULL;
}

/* Fills in what was left at zero. */
static void config_complete(const struct bgp *bgp, struct bgp_peer_config *c)
{
	c->local_as = c->local_as ? c->local_as : bgp->config.as;
	c->families = c->families ? c->families : BGP_FAMILY_ALL;
	c->hold_time_s = c->hold_time_s ? c->hold_time_s : HOLD_TIME_S;
	c->connect_retry_ns = c->connect_retry_ns ? c->connect_retry_ns : CONNECT_RETRY_NS;
	c->restart_time_s = c->restart_time_s ? c->restart_time_s : RESTART_TIME_S;
	c->stale_time_s = c->stale_time_s ? c->stale_time_s : STALE_TIME_S;
}

static int check_address(
    const struct bgp *bgp, const char *name, const struct bgp_peer_config *c, struct err_msg *msg)
{
	char text[IP_ADDR_STRLEN];
	size_t i;

	if (!ip_family_bits(c->address.family) || ip_addr_is_zero(&c->address) ||
	    ip_addr_is_multicast(&c->address))
		return err_set(msg, ERR_INVALID, "peer %s: expected the address of a neighbour", name);
	for (i = 0; i < bgp->n_slots; i++) {
		const struct bgp_peer *other = bgp->peers[i];

		if (other && !other->removed && strcmp(other->name, name) != 0 &&
		    ip_addr_equal(&other->config.address, &c->address) &&
		    strcmp(other->config.interface, c->interface) == 0)
			return err_set(msg, ERR_EXISTS, "peer %s: address %s is peer %s already", name,
			    ip_addr_format(&c->address, text), other->name);
	}
	return 0;
}

static int check_numbers(const char *name, const struct bgp_peer_config *c, struct err_msg *msg)
{
	if (c->as == 0 || c->as == UINT32_MAX || c->as == BGP_AS_TRANS)
		return err_set(
		    msg, ERR_RANGE, "peer %s: AS %u: expected 1 to 4294967294, not 23456", name, c->as);
	if (c->hold_time_s < HOLD_TIME_MIN_S || c->hold_time_s > UINT16_MAX)
		return err_set(
		    msg, ERR_RANGE, "peer %s: hold time of %u s: expected 3 to 65535", name, c->hold_time_s);
	if (c->restart_time_s > BGP_GR_TIME_MASK)
		return err_set(msg, ERR_RANGE, "peer %s: restart time of %u s: expected 1 to 4095", name,
		    c->restart_time_s);
	if (c->families & ~BGP_FAMILY_ALL)
		return err_set(msg, ERR_RANGE, "peer %s: unknown address family", name);
	return 0;
}

static bool is_terminated(const char *text)
{
	return memchr(text, '\0', BGP_NAME_MAX) != NULL;
}

static int check_names(
    struct bgp *bgp, const char *name, const struct bgp_peer_config *c, struct err_msg *msg)
{
	if (!*name || strlen(name) >= BGP_NAME_MAX || !is_terminated(c->interface) ||
	    !is_terminated(c->import_filter) || !is_terminated(c->export_filter))
		return err_set(msg, ERR_INVALID, "peer name: expected 1 to %d characters", BGP_NAME_MAX - 1);
	if (*c->import_filter && !bgp_policy_find(bgp->filters, c->import_filter))
		return err_set(msg, ERR_NOENT, "peer %s: no filter is named %s", name, c->import_filter);
	if (*c->export_filter && !bgp_policy_find(bgp->filters, c->export_filter))
		return err_set(msg, ERR_NOENT, "peer %s: no filter is named %s", name, c->export_filter);
	return 0;
}

/* The lowest free slot, with room for it and for one more path a prefix. ERR_NOMEM. */
static int reserve_slot(struct bgp *bgp, size_t *slot)
{
	size_t i = 0;

	while (i < bgp->n_slots && bgp->peers[i])
		i++;
	if (bgp_mem_grow(&bgp->heap, &bgp->peers, &bgp->peers_cap, i + 1, sizeof(struct bgp_peer *)) != 0 ||
	    bgp_mem_grow(&bgp->heap, &bgp->ranks, &bgp->ranks_cap, bgp->n_slots + 2, sizeof(*bgp->ranks)) !=
		0)
		return ERR_NOMEM;
	*slot = i;
	return 0;
}

static int peer_new(struct bgp *bgp, const char *name, struct bgp_peer **out)
{
	struct bgp_peer *peer;
	size_t slot;

	if (reserve_slot(bgp, &slot) != 0)
		return ERR_NOMEM;
	peer = bgp_mem_alloc(&bgp->heap, sizeof(*peer));
	if (!peer)
		return ERR_NOMEM;
	peer->bgp = bgp;
	peer->slot = (uint32_t)slot;
	peer->usable = true;
	peer->since_ns = bgp->now_ns;
	peer->retry_at = peer->restart_until = peer->stale_until = BGP_NEVER;
	memcpy(peer->name, name, strlen(name) + 1);
	if (bgp_rib_add_peer(peer) != 0) {
		bgp_rib_free_peer(peer);
		bgp_mem_free(&bgp->heap, peer, sizeof(*peer));
		return ERR_NOMEM;
	}
	bgp->peers[slot] = peer;
	if (slot == bgp->n_slots)
		bgp->n_slots++;
	*out = peer;
	return 0;
}

/* What cannot change under a running session. */
static bool needs_reset(const struct bgp_peer_config *a, const struct bgp_peer_config *b)
{
	return !ip_addr_equal(&a->address, &b->address) || !ip_addr_equal(&a->local, &b->local) ||
	       strcmp(a->interface, b->interface) != 0 || a->as != b->as || a->local_as != b->local_as ||
	       a->families != b->families || a->hold_time_s != b->hold_time_s || a->no_hold != b->no_hold ||
	       a->foreign_first_as != b->foreign_first_as ||
	       a->no_graceful_restart != b->no_graceful_restart || a->restart_time_s != b->restart_time_s;
}

static bool changes_export(const struct bgp_peer_config *a, const struct bgp_peer_config *b)
{
	return a->next_hop_self != b->next_hop_self ||
	       !ip_addr_equal(&a->next_hop[BGP_IPV4], &b->next_hop[BGP_IPV4]) ||
	       !ip_addr_equal(&a->next_hop[BGP_IPV6], &b->next_hop[BGP_IPV6]) ||
	       !ip_addr_equal(&a->link_local, &b->link_local);
}

static void apply_filters(struct bgp_peer *peer, bool review_export)
{
	struct bgp *bgp = peer->bgp;
	struct bgp_filter *import = bgp_policy_find(bgp->filters, peer->config.import_filter);
	struct bgp_filter *export = bgp_policy_find(bgp->filters, peer->config.export_filter);
	bool review_import = peer->import != import;

	review_export = review_export || peer->export != export;
	peer->import = import;
	peer->export = export;
	if (review_import)
		bgp_rib_review_import(peer);
	if (review_export)
		bgp_rib_review_export(peer);
}

static void apply_config(struct bgp_peer *peer, const struct bgp_peer_config *config, bool fresh)
{
	struct bgp_peer_config was = peer->config;
	bool reset = !fresh && needs_reset(&was, config);

	peer->config.disabled = true; /* while old connections end, none begins */
	if (!fresh && config->disabled && !was.disabled)
		bgp_fsm_stop(peer, BGP_CEASE_SHUTDOWN, "disabled");
	else if (reset)
		bgp_fsm_stop(peer, BGP_CEASE_CONFIG, "configuration changed");
	if (reset || config->disabled)
		bgp_gr_end_session(peer, false); /* also what was kept from an earlier session */
	peer->config = *config;
	peer->external = config->as != config->local_as;
	apply_filters(peer, !fresh && changes_export(&was, config));
	if (fresh || reset || (was.disabled && !config->disabled) ||
	    (was.passive && !config->passive && !peer->session))
		bgp_fsm_start(peer);
	bgp_fsm_note_state(peer);
}

int bgp_peer_set(struct bgp *bgp, const char *name, const struct bgp_peer_config *config, uint64_t now_ns,
    struct err_msg *msg)
{
	struct bgp_peer_config complete = *config;
	struct bgp_peer *peer;
	int err;

	bgp_core_set_now(bgp, now_ns);
	config_complete(bgp, &complete);
	err = check_names(bgp, name, &complete, msg);
	if (!err)
		err = check_address(bgp, name, &complete, msg);
	if (!err)
		err = check_numbers(name, &complete, msg);
	if (err)
		return err;
	peer = bgp_peer_find(bgp, name);
	if (peer) {
		apply_config(peer, &complete, false);
		return 0;
	}
	if (peer_new(bgp, name, &peer) != 0)
		return err_set(msg, ERR_NOMEM, "peer %s: out of memory", name);
	apply_config(peer, &complete, true);
	return 0;
}

void bgp_peer_destroy(struct bgp_peer *peer)
{
	struct bgp *bgp = peer->bgp;
	unsigned i;

	for (i = 0; i < BGP_CONNS; i++) {
		peer->conn[i].peer = peer;
		bgp_fsm_free_conn(&peer->conn[i]);
	}
	bgp_rib_free_peer(peer);
	bgp->peers[peer->slot] = NULL;
	while (bgp->n_slots && !bgp->peers[bgp->n_slots - 1])
		bgp->n_slots--;
	bgp_mem_free(&bgp->heap, peer, sizeof(*peer));
}

void bgp_peer_reap(struct bgp_peer *peer)
{
	unsigned i;

	if (!peer->removed || peer->queued)
		return;
	for (i = 0; i < BGP_CONNS; i++) {
		if (peer->conn[i].id)
			return;
	}
	for (i = 0; i < BGP_FAMILIES; i++) {
		if (peer->rib[i].in.count)
			return;
	}
	bgp_peer_destroy(peer);
}

int bgp_peer_remove(struct bgp *bgp, const char *name, uint64_t now_ns)
{
	struct bgp_peer *peer = bgp_peer_find(bgp, name);

	bgp_core_set_now(bgp, now_ns);
	if (!peer)
		return ERR_NOENT;
	peer->removed = true;
	bgp_fsm_stop(peer, BGP_CEASE_DECONFIGURED, "removed from the configuration");
	bgp_gr_end_session(peer, false);
	peer->import = peer->export = NULL;
	bgp_peer_reap(peer);
	return 0;
}

int bgp_peer_reset(struct bgp *bgp, const char *name, uint64_t now_ns)
{
	struct bgp_peer *peer = bgp_peer_find(bgp, name);

	bgp_core_set_now(bgp, now_ns);
	if (!peer)
		return ERR_NOENT;
	bgp_fsm_stop(peer, BGP_CEASE_RESET, "reset by the operator");
	bgp_fsm_start(peer);
	bgp_fsm_note_state(peer);
	return 0;
}

int bgp_peer_refresh(struct bgp *bgp, const char *name, uint64_t now_ns)
{
	struct bgp_peer *peer = bgp_peer_find(bgp, name);

	bgp_core_set_now(bgp, now_ns);
	if (!peer)
		return ERR_NOENT;
	if (!peer->session)
		return ERR_AGAIN;
	if (!peer->received.refresh)
		return ERR_UNSUPPORTED;
	peer->refresh_due = peer->families;
	bgp_action_mark_send(peer);
	return 0;
}

int bgp_peer_set_usable(struct bgp *bgp, const char *name, bool usable)
{
	struct bgp_peer *peer = bgp_peer_find(bgp, name);

	if (!peer)
		return ERR_NOENT;
	if (peer->usable == usable)
		return 0;
	peer->usable = usable;
	bgp_rib_decide_peer(peer);
	bgp_gr_tick(bgp); /* it may have been the last one awaited */
	return 0;
}
