/* SPDX-License-Identifier: BSD-3-Clause */
/* UPDATE and ROUTE-REFRESH of an established session, put into the RIB. See bgp_fsm.h. */
#include "bgp/bgp_fsm.h"
#include "bgp/bgp_gr.h"
#include "bgp/bgp_nlri.h"
#include "bgp/bgp_rib.h"
#include "bgp/bgp_update.h"
#include "bgp/bgp_wire.h"
#include "lib/nsec.h"

static void withdraw_part(struct bgp_peer *peer, const struct bgp_update_part *part)
{
	struct buf_reader r = part->prefixes;
	struct ip_prefix prefix;

	while (buf_reader_left(&r) && bgp_nlri_read(&r, part->family, &prefix) == 0)
		bgp_rib_withdraw(peer, part->family, &prefix);
}

static int announce_part(
    struct bgp_peer *peer, struct bgp_attr_build *build, const struct bgp_update_part *part)
{
	struct buf_reader r = part->prefixes;
	struct bgp_attr_table *table = &peer->bgp->attrs;
	struct bgp_import import;
	struct ip_prefix prefix;
	struct bgp_attrs *attrs;
	int err;

	if (!buf_reader_left(&r))
		return 0;
	build->core.next_hop = part->next_hop;
	build->core.link_local = part->link_local;
	err = bgp_attr_intern(table, build, &attrs);
	if (err)
		return err;
	bgp_import_begin(&import, peer, part->family, attrs);
	while (!err && buf_reader_left(&r) && bgp_nlri_read(&r, part->family, &prefix) == 0)
		err = bgp_rib_announce(&import, part->family, &prefix);
	bgp_import_end(&import);
	bgp_attr_release(table, attrs);
	return err;
}

static bool limit_is_passed(const struct bgp_peer *peer)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES && peer->config.max_prefixes; f++) {
		if (peer->rib[f].in.count > peer->config.max_prefixes)
			return true;
	}
	return false;
}

static void stop_at_limit(struct bgp_conn *conn)
{
	struct bgp_peer *peer = conn->peer;
	struct bgp_fault fault;

	bgp_event_add(peer->bgp, BGP_EVENT_LIMIT, peer, "more than %u prefixes", peer->config.max_prefixes);
	bgp_fault_set(&fault, BGP_ERROR_CEASE, BGP_CEASE_MAX_PREFIXES, NULL, 0, "more than %u prefixes",
	    peer->config.max_prefixes);
	bgp_fsm_close_conn(conn, &fault, fault.text);
}

static void note_malformed(struct bgp_peer *peer, const struct bgp_update *update)
{
	peer->malformed++;
	if (peer->bgp->now_ns - peer->malformed_said_ns < NSEC_PER_SEC)
		return; /* counted, but no flood of a peer fills the log */
	peer->malformed_said_ns = peer->bgp->now_ns;
	bgp_event_add(peer->bgp, BGP_EVENT_MALFORMED, peer, "UPDATE: %s; %s", update->fault.text,
	    update->reaction == BGP_REACT_WITHDRAW ? "treated as withdraw" : "attribute discarded");
}

static void apply_update(struct bgp_conn *conn, const struct bgp_update *update)
{
	struct bgp_peer *peer = conn->peer;
	unsigned i;
	int err = 0;

	for (i = 0; i < BGP_UPDATE_PARTS; i++)
		withdraw_part(peer, &update->withdrawn[i]);
	for (i = 0; i < BGP_UPDATE_PARTS && !err; i++) {
		if (update->reaction == BGP_REACT_WITHDRAW) /* RFC 7606 §2 */
			withdraw_part(peer, &update->reach[i]);
		else
			err = announce_part(peer, &peer->bgp->parse_scratch, &update->reach[i]);
	}
	for (i = 0; i < BGP_FAMILIES; i++) {
		if (update->end_of_rib[i])
			bgp_gr_end_of_rib(peer, (enum bgp_family)i);
	}
	if (err)
		bgp_fsm_fail_memory(peer);
	else if (limit_is_passed(peer))
		stop_at_limit(conn);
}

void bgp_receive_update(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	struct bgp_peer *peer = conn->peer;
	struct bgp_update_context context = {
	    .attr =
		{
		    .as4 = peer->received.as4, /* we always announce it */
		    .external = peer->external,
		    .first_as = peer->external && !peer->config.foreign_first_as ? peer->config.as : 0,
		},
	    .families = peer->families,
	};
	struct bgp_update update;

	bgp_update_parse(&context, body, len, &peer->bgp->parse_scratch, &update);
	if (update.reaction == BGP_REACT_RESET) {
		bgp_fsm_close_conn(conn, &update.fault, update.fault.text);
		return;
	}
	if (update.reaction != BGP_REACT_NONE)
		note_malformed(peer, &update);
	apply_update(conn, &update);
}

void bgp_receive_refresh(struct bgp_conn *conn, const uint8_t *body, size_t len)
{
	struct bgp_peer *peer = conn->peer;
	enum bgp_family family;

	/* RFC 2918 §4: a family that was not negotiated is ignored. */
	if (bgp_msg_parse_refresh(body, len, &family) != 0 || !(peer->families & BGP_FAMILY_BIT(family)))
		return;
	bgp_set_merge(&peer->rib[family].pending, &peer->rib[family].out);
	bgp_rib_start_export(peer, family);
}
