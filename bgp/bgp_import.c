/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From Adj-RIB-In to the paths that decision may use: loop and next-hop checks,
 * then the import policy (RFC 4271 §9.1.1). See bgp_rib.h.
 */
#include <string.h>

#include "bgp/bgp_aspath.h"
#include "bgp/bgp_rib.h"

static bool next_hop_is_ours(
    const struct bgp_peer *peer, enum bgp_family family, const struct bgp_attr_core *core)
{
	const struct ip_addr *hop = &core->next_hop;

	if (peer->session && ip_addr_equal(hop, &peer->session->local.addr))
		return true;
	return ip_addr_equal(hop, &peer->config.next_hop[family]) ||
	       (hop->family == IP_V6 && ip_addr_equal(hop, &peer->config.link_local));
}

static enum bgp_reason check_set(
    const struct bgp_peer *peer, enum bgp_family family, const struct bgp_attrs *attrs)
{
	struct bgp_attr_item path = bgp_attr_path(attrs);

	if (bgp_aspath_has(path.value, path.len, peer->config.local_as) ||
	    bgp_aspath_has(path.value, path.len, peer->bgp->config.as))
		return BGP_REASON_AS_LOOP; /* RFC 4271 §9.1.2 */
	if (next_hop_is_ours(peer, family, &attrs->core))
		return BGP_REASON_NEXT_HOP_OURS; /* RFC 4271 §5.1.3 */
	return BGP_REASON_BEST;
}

/* Never a unicast route between routers: multicast, loopback, link-local (RFC 4271 §6.3). */
static bool prefix_is_martian(const struct ip_prefix *p)
{
	unsigned loopback_bits = p->addr.family == IP_V4 ? 8 : 128;

	return p->len >= 4 &&
	       (ip_addr_is_multicast(&p->addr) || (p->len >= 10 && ip_addr_is_link_local(&p->addr)) ||
		   (p->len >= loopback_bits && ip_addr_is_loopback(&p->addr)));
}

void bgp_import_begin(
    struct bgp_import *import, struct bgp_peer *peer, enum bgp_family family, struct bgp_attrs *in)
{
	memset(import, 0, sizeof(*import));
	import->peer = peer;
	import->in = in;
	import->reason = check_set(peer, family, in);
}

static int edit_apply(struct bgp_import *import, const struct bgp_edit *edit)
{
	struct bgp *bgp = import->peer->bgp;
	struct bgp_attr_build *build = &bgp->edit_scratch;
	struct bgp_attrs *use;
	int err;

	bgp_attr_build_load(build, import->in);
	if (edit->set_local_pref) {
		build->core.has_local_pref = true;
		build->core.local_pref = edit->local_pref;
	}
	if (edit->set_med) {
		build->core.has_med = true;
		build->core.med = edit->med;
	}
	if (edit->prepend)
		bgp_attr_build_prepend(
		    build, import->peer->config.as, edit->prepend); /* full: it stays as it was */
	err = bgp_attr_intern(&bgp->attrs, build, &use);
	if (err)
		return err;
	bgp_attr_release(&bgp->attrs, import->use);
	import->use = use;
	import->edit = *edit;
	return 0;
}

int bgp_import_prefix(struct bgp_import *import, const struct ip_prefix *prefix, struct bgp_verdict *verdict,
    struct bgp_attrs **use)
{
	static const struct bgp_edit none;
	struct bgp_peer *peer = import->peer;
	int err;

	memset(verdict, 0, sizeof(*verdict));
	verdict->reason = import->reason;
	*use = NULL;
	if (verdict->reason == BGP_REASON_BEST && prefix_is_martian(prefix))
		verdict->reason = BGP_REASON_MARTIAN;
	if (verdict->reason != BGP_REASON_BEST)
		return 0;
	bgp_policy_judge(peer->import, peer->external, prefix, verdict);
	if (verdict->reason != BGP_REASON_BEST)
		return 0;
	verdict->edit.next_hop_self = false; /* means something on export only */
	if (memcmp(&verdict->edit, &none, sizeof(none)) == 0) {
		*use = bgp_attr_hold(import->in);
		return 0;
	}
	if (!import->use || memcmp(&verdict->edit, &import->edit, sizeof(none)) != 0) {
		err = edit_apply(import, &verdict->edit);
		if (err)
			return err;
	}
	*use = bgp_attr_hold(import->use);
	return 0;
}

void bgp_import_end(struct bgp_import *import)
{
	if (import->peer)
		bgp_attr_release(&import->peer->bgp->attrs, import->use);
	import->use = NULL;
}
