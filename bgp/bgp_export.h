/* SPDX-License-Identifier: BSD-3-Clause */
/* From Loc-RIB to what a peer is told (RFC 4271 §9.1.3, §9.2). */
#ifndef BYWAY_BGP_BGP_EXPORT_H
#define BYWAY_BGP_BGP_EXPORT_H

#include "bgp/bgp_rib.h"

/* The last set that was made for a peer: neighbouring prefixes mostly share it. */
struct bgp_export {
	struct bgp_peer *peer;
	enum bgp_family family;
	const struct bgp_attrs *in;
	bool own; /* it was our own route */
	struct bgp_edit edit;
	struct bgp_attrs *out;
};

void bgp_export_begin(struct bgp_export *export, struct bgp_peer *peer, enum bgp_family family);
/*
 * What the peer is to be told about net: *out with a reference for the caller, NULL for
 * nothing. ERR_NOMEM.
 */
int bgp_export_net(struct bgp_export *export, const struct bgp_net *net, struct bgp_attrs **out);
void bgp_export_end(struct bgp_export *export);

/*
 * Writes routes waiting for an established peer, whole UPDATEs, until the room or
 * the budget (prefixes looked at) is used up. ERR_NOMEM.
 */
int bgp_export_write(struct bgp_peer *peer, struct buf_writer *w, unsigned *budget);
/* Something waits and may be sent now. */
bool bgp_export_is_waiting(const struct bgp_peer *peer);

#endif
