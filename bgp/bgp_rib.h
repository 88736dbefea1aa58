/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Adj-RIB-In and Loc-RIB (RFC 4271 §3.2): the paths of each prefix, and the work on
 * many of them done in slices. Decision: bgp_decide.c; import: bgp_import.c.
 */
#ifndef BYWAY_BGP_BGP_RIB_H
#define BYWAY_BGP_BGP_RIB_H

#include "bgp/bgp_core.h"

enum {
	BGP_PATH_LISTED = 1,  /* in the list of used paths; it leads net->paths */
	BGP_PATH_CHANGED = 2, /* new, or with other attributes, since the last decision */
};

struct bgp_path {
	struct bgp_path *next;
	struct bgp_peer *peer; /* NULL: our own route */
	struct bgp_attrs *in;  /* as received */
	struct bgp_attrs *use; /* after import; NULL: refused */
	uint32_t since_s;      /* after bgp.epoch_ns */
	uint16_t rule;	       /* of the verdict */
	uint8_t reason;	       /* enum bgp_reason; BGP_REASON_BEST: accepted */
	uint8_t flags;
	uint8_t sources; /* our own route: bits of enum bgp_source */
};

/* Import of one set of attributes from one peer: what all its prefixes share. */
struct bgp_import {
	struct bgp_peer *peer;
	struct bgp_attrs *in;
	enum bgp_reason reason; /* of the set as a whole */
	struct bgp_edit edit;	/* the last one, and what came of it */
	struct bgp_attrs *use;
};

/* Borrows `in` until bgp_import_end(). */
void bgp_import_begin(
    struct bgp_import *import, struct bgp_peer *peer, enum bgp_family family, struct bgp_attrs *in);
/* *use has a reference for the caller, NULL when refused. ERR_NOMEM. */
int bgp_import_prefix(struct bgp_import *import, const struct ip_prefix *prefix, struct bgp_verdict *verdict,
    struct bgp_attrs **use);
void bgp_import_end(struct bgp_import *import);

/* Takes a path from the peer. ERR_NOMEM: nothing changed. */
int bgp_rib_announce(struct bgp_import *import, enum bgp_family family, const struct ip_prefix *prefix);
/* Forgets it, if it is there. */
void bgp_rib_withdraw(struct bgp_peer *peer, enum bgp_family family, const struct ip_prefix *prefix);

void bgp_rib_withdraw_net(
    struct bgp_peer *peer, enum bgp_family family, struct bgp_net *net); /* net may be NULL */
/* Puts what import said into a path. Takes over the reference of use. */
void bgp_rib_judge_path(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net, struct bgp_path *path,
    const struct bgp_verdict *verdict, struct bgp_attrs *use);

/* Room in the sets of a new peer for all prefixes there are. ERR_NOMEM. */
int bgp_rib_add_peer(struct bgp_peer *peer);
void bgp_rib_free_peer(struct bgp_peer *peer);
/* The prefix has lost its last user: paths, sets. */
void bgp_rib_release(struct bgp *bgp, struct bgp_rib *rib, struct bgp_net *net);

/* The peer's stale paths are doomed, and all others become stale (RFC 4724 §4.2, consecutive restarts). */
void bgp_rib_stale_peer(struct bgp_peer *peer, enum bgp_family family);
/* The stale ones are doomed: they go, in slices, unless sent anew before. */
void bgp_rib_sweep_peer(struct bgp_peer *peer, enum bgp_family family);
/* Adj-RIB-Out at the end of a session, and at its begin: everything is to be told. */
void bgp_rib_stop_export(struct bgp_peer *peer, enum bgp_family family);
void bgp_rib_start_export(struct bgp_peer *peer, enum bgp_family family);
/* The policy changed, or the peer asked to hear everything again. */
void bgp_rib_review_import(struct bgp_peer *peer);
void bgp_rib_review_export(struct bgp_peer *peer);
/* Its paths became usable or not, or their next hops did: decide anew. */
void bgp_rib_decide_peer(struct bgp_peer *peer);

/* Does up to *budget units of sweeping, review and decision and subtracts them. True: more waits. */
bool bgp_rib_work(struct bgp *bgp, unsigned *budget);
bool bgp_rib_has_work(const struct bgp *bgp);

/* Every path, prefix and set; the peers must be gone. */
void bgp_rib_free_all(struct bgp *bgp);

#endif
