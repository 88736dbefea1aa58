/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters: their compiled form and what they say about a prefix. */
#ifndef BYWAY_BGP_BGP_POLICY_H
#define BYWAY_BGP_BGP_POLICY_H

#include "bgp/bgp_mem.h"

struct bgp_filter {
	struct bgp_filter *next;
	char name[BGP_NAME_MAX];
	struct bgp_rule *rules; /* their ranges lie in `ranges` */
	size_t n_rules;
	struct bgp_prefix_range *ranges; /* ge and le filled in */
	size_t n_ranges;
};

/* What accepting rules change. Zeroed before it is filled: compared with memcmp. */
struct bgp_edit {
	uint32_t local_pref, med;
	bool set_local_pref, set_med, next_hop_self;
	uint8_t prepend;
};

struct bgp_verdict {
	enum bgp_reason reason; /* BGP_REASON_BEST: accepted */
	uint16_t rule;		/* that decided, 1 is the first; 0: none */
	struct bgp_edit edit;
};

/*
 * Judges prefix. filter NULL: everything is accepted, unless deny (eBGP, RFC 8212
 * §3). A default route or a half of one passes only if the accepting rule names it.
 */
void bgp_policy_judge(
    const struct bgp_filter *filter, bool deny, const struct ip_prefix *prefix, struct bgp_verdict *out);
bool bgp_policy_is_default(const struct ip_prefix *prefix); /* 0/0 or a half, of either family */

struct bgp_filter *bgp_policy_find(struct bgp_filter *list, const char *name);
void bgp_policy_free(struct bgp_heap *heap, struct bgp_filter *filter);

#endif
