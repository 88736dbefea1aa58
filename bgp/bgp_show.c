/* SPDX-License-Identifier: BSD-3-Clause */
/* What the instance and its peers look like from outside; routes: bgp_show_route.c. */
#include <string.h>

#include "bgp/bgp_decide.h"
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_rib.h"

const char *bgp_state_text(enum bgp_state state)
{
	static const char *const texts[] = {[BGP_IDLE] = "Idle",
	    [BGP_CONNECT] = "Connect",
	    [BGP_ACTIVE] = "Active",
	    [BGP_OPENSENT] = "OpenSent",
	    [BGP_OPENCONFIRM] = "OpenConfirm",
	    [BGP_ESTABLISHED] = "Established"};

	return state <= BGP_ESTABLISHED ? texts[state] : "unknown";
}

const char *bgp_peer_next_name(const struct bgp *bgp, const char *after)
{
	const char *next = NULL;
	size_t i;

	for (i = 0; i < bgp->n_slots; i++) {
		const struct bgp_peer *peer = bgp->peers[i];

		if (!peer || peer->removed || (after && strcmp(peer->name, after) <= 0))
			continue;
		if (!next || strcmp(peer->name, next) < 0)
			next = peer->name;
	}
	return next;
}

static uint64_t time_left(uint64_t at_ns, uint64_t now_ns)
{
	if (at_ns == BGP_NEVER)
		return 0;
	return at_ns > now_ns ? at_ns - now_ns : 1;
}

static void fill_timers(const struct bgp_peer *peer, uint64_t now_ns, struct bgp_peer_info *out)
{
	uint64_t restart = peer->restart_until < peer->stale_until ? peer->restart_until : peer->stale_until;

	out->retry_in_ns = peer->session ? 0 : time_left(peer->retry_at, now_ns);
	out->restart_left_ns = time_left(restart, now_ns);
	if (peer->session) {
		out->hold_left_ns = time_left(peer->session->hold_at, now_ns);
		out->keepalive_in_ns = time_left(peer->session->keepalive_at, now_ns);
	}
}

static void fill_counters(const struct bgp_peer *peer, struct bgp_peer_info *out)
{
	unsigned t;

	for (t = 1; t < BGP_MSG_TYPES; t++) {
		out->in[t] = peer->msgs_in[t];
		out->out[t] = peer->msgs_out[t];
		out->in[0] += peer->msgs_in[t];
		out->out[0] += peer->msgs_out[t];
	}
	out->bytes_in = peer->bytes_in;
	out->bytes_out = peer->bytes_out;
	out->malformed = peer->malformed;
	out->established = peer->established;
}

static void fill_family(const struct bgp_peer *peer, unsigned f, struct bgp_family_info *out)
{
	const struct bgp_peer_rib *r = &peer->rib[f];

	*out = (struct bgp_family_info){
	    .negotiated = peer->session && (peer->families & BGP_FAMILY_BIT(f)),
	    .received = r->in.count,
	    .accepted = r->accepted,
	    .filtered = r->in.count - r->accepted,
	    .stale = r->stale.count,
	    .sent = r->out.count,
	    .unsent = r->pending.count + (uint32_t)(r->n_staged - r->staged_at),
	    .eor_received = r->eor_received,
	    .eor_sent = r->eor_sent,
	};
}

int bgp_peer_get_info(const struct bgp *bgp, const char *name, uint64_t now_ns, struct bgp_peer_info *out)
{
	const struct bgp_peer *peer = bgp_peer_find(bgp, name);
	unsigned f;

	if (!peer)
		return ERR_NOENT;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, peer->name, sizeof(out->name));
	out->config = peer->config;
	out->state = peer->shown;
	out->since_ns = peer->since_ns;
	out->external = peer->external;
	out->usable = peer->usable;
	out->restarting = peer->restarting;
	out->remote_id = peer->remote_id;
	out->error_in = peer->error_in;
	out->error_out = peer->error_out;
	out->sent = peer->sent;
	out->received = peer->received;
	out->hold_time_s = peer->session ? peer->hold_time_s : 0;
	if (peer->session) {
		out->local = peer->session->local;
		out->remote = peer->session->remote;
	}
	fill_timers(peer, now_ns, out);
	fill_counters(peer, out);
	for (f = 0; f < BGP_FAMILIES; f++)
		fill_family(peer, f, &out->family[f]);
	return 0;
}

void bgp_get_totals(const struct bgp *bgp, struct bgp_totals *out)
{
	unsigned f;

	memset(out, 0, sizeof(*out));
	for (f = 0; f < BGP_FAMILIES; f++) {
		out->prefixes[f] = bgp->rib[f].table.count;
		out->paths[f] = bgp->rib[f].n_paths;
	}
	out->attr_sets = (uint32_t)bgp->attrs.count;
	memcpy(out->refused, bgp->refused, sizeof(out->refused));
	out->memory = bgp->heap.used;
}
