/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a peer is told about a prefix: who may hear of it, the export policy, and
 * the attributes as they leave (RFC 4271 §5.1, §9.1.3). Writing: bgp_send.c.
 */
#include "bgp/bgp_export.h"

#include <string.h>

#include "bgp/bgp_aspath.h"
#include "bgp/bgp_wire.h"

#define LOCAL_PREF_DEFAULT 100 /* as bgp_decide.c counts paths without one */

void bgp_export_begin(struct bgp_export *export, struct bgp_peer *peer, enum bgp_family family)
{
	memset(export, 0, sizeof(*export));
	export->peer = peer;
	export->family = family;
}

void bgp_export_end(struct bgp_export *export)
{
	bgp_attr_release(&export->peer->bgp->attrs, export->out);
	export->out = NULL;
	export->in = NULL;
}

static bool peer_may_hear(const struct bgp_peer *peer, const struct bgp_path *path)
{
	if (!path->peer)
		return true;
	if (path->peer == peer)
		return false;
	if (!path->peer->external && !peer->external)
		return false; /* RFC 4271 §9.2: not between internal peers */
	if (bgp_attr_has_community(path->use, BGP_COMMUNITY_NO_ADVERTISE))
		return false; /* RFC 1997 */
	return !peer->external || (!bgp_attr_has_community(path->use, BGP_COMMUNITY_NO_EXPORT) &&
				      !bgp_attr_has_community(path->use, BGP_COMMUNITY_NO_EXPORT_SUBCONFED));
}

/* Ourselves as next hop in a family; IP_NONE: we have no address there. */
static struct ip_addr next_hop_self(const struct bgp_peer *peer, enum bgp_family family)
{
	const struct ip_addr *configured = &peer->config.next_hop[family];

	if (configured->family)
		return *configured;
	if (peer->session && peer->session->local.addr.family == bgp_family_ip(family))
		return peer->session->local.addr;
	return (struct ip_addr){0};
}

/* RFC 4271 §5.1.3, RFC 2545 §3. False: nothing that the peer could send packets to. */
static bool set_next_hop(const struct bgp_export *export, struct bgp_attr_core *core, bool self)
{
	const struct bgp_peer *peer = export->peer;

	/* A link-local address means nothing on another link. */
	if (self || !core->next_hop.family || ip_addr_is_link_local(&core->next_hop)) {
		core->next_hop = next_hop_self(peer, export->family);
		core->link_local = export->family == BGP_IPV6 && peer->external ? peer->config.link_local
										: (struct ip_addr){0};
	} else {
		core->link_local = (struct ip_addr){0};
	}
	if (!core->next_hop.family && core->link_local.family)
		core->next_hop = core->link_local;
	return core->next_hop.family == bgp_family_ip(export->family);
}

static void edit_external(struct bgp_attr_build *build, const struct bgp_edit *edit, bool own)
{
	build->core.has_local_pref = false; /* RFC 4271 §5.1.5 */
	build->core.local_pref = 0;
	if (!own && !edit->set_med) { /* RFC 4271 §5.1.4: not passed on to another neighbouring AS */
		build->core.has_med = false;
		build->core.med = 0;
	}
	bgp_attr_build_drop(build, BGP_ATTR_ORIGINATOR_ID); /* RFC 4456 §8: not transitive */
	bgp_attr_build_drop(build, BGP_ATTR_CLUSTER_LIST);
}

static void edit_internal(struct bgp_attr_build *build, const struct bgp_edit *edit)
{
	if (edit->set_local_pref)
		build->core.local_pref = edit->local_pref;
	else if (!build->core.has_local_pref)
		build->core.local_pref = LOCAL_PREF_DEFAULT;
	build->core.has_local_pref = true; /* RFC 4271 §5.1.5: shall be there */
}

/*
 * The peer would drop a path with its own AS in it (RFC 4271 §9.1.2): with two sessions
 * to one neighbour everything it told us on one would go back to it on the other.
 */
static bool would_loop(const struct bgp_peer *peer, const struct bgp_path *path)
{
	struct bgp_attr_item as_path = bgp_attr_path(path->use);

	return peer->external && bgp_aspath_has(as_path.value, as_path.len, peer->config.as);
}

/* *out NULL: is not told. */
static int build_out(struct bgp_export *export, const struct bgp_path *path, const struct bgp_edit *edit,
    struct bgp_attrs **out)
{
	struct bgp_peer *peer = export->peer;
	struct bgp_attr_build *build = &peer->bgp->edit_scratch;
	unsigned prepend = edit->prepend + (peer->external ? 1u : 0u); /* RFC 4271 §5.1.2 b */
	bool self = peer->external || peer->config.next_hop_self || edit->next_hop_self;

	*out = NULL;
	if (would_loop(peer, path))
		return 0;
	bgp_attr_build_load(build, path->use);
	if (!set_next_hop(export, &build->core, self))
		return 0;
	if (peer->external)
		edit_external(build, edit, !path->peer);
	else
		edit_internal(build, edit);
	if (edit->set_med) {
		build->core.has_med = true;
		build->core.med = edit->med;
	}
	if (prepend && bgp_attr_build_prepend(build, peer->config.local_as, prepend) != 0)
		return 0;
	return bgp_attr_intern(&peer->bgp->attrs, build, out);
}

int bgp_export_net(struct bgp_export *export, const struct bgp_net *net, struct bgp_attrs **out)
{
	struct bgp_peer *peer = export->peer;
	const struct bgp_path *best = net->paths;
	struct ip_prefix prefix = bgp_table_prefix(&peer->bgp->rib[export->family].table, net);
	struct bgp_verdict verdict;
	int err;

	*out = NULL;
	if (!best || !(best->flags & BGP_PATH_LISTED) || !peer_may_hear(peer, best))
		return 0;
	bgp_policy_judge(peer->export, peer->external, &prefix, &verdict);
	if (verdict.reason != BGP_REASON_BEST)
		return 0;
	if (export->in != best->use || export->own != !best->peer ||
	    memcmp(&export->edit, &verdict.edit, sizeof(verdict.edit)) != 0) {
		bgp_export_end(export);
		err = build_out(export, best, &verdict.edit, &export->out);
		if (err)
			return err;
		export->in = best->use;
		export->own = !best->peer;
		export->edit = verdict.edit;
	}
	*out = export->out ? bgp_attr_hold(export->out) : NULL;
	return 0;
}
