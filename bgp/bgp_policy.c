/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters; see bgp_policy.h and the part "policy" of bgp.h. */
#include "bgp/bgp_policy.h"

#include <string.h>

#include "bgp/bgp_core.h"
#include "bgp/bgp_rib.h"

bool bgp_policy_is_default(const struct ip_prefix *prefix)
{
	return prefix->len <= 1; /* 0.0.0.0/0, 0.0.0.0/1, 128.0.0.0/1, ::/0, ::/1, 8000::/1 */
}

static bool range_matches(const struct bgp_prefix_range *range, const struct ip_prefix *prefix)
{
	return prefix->len >= range->ge && prefix->len <= range->le &&
	       ip_prefix_contains(&range->prefix, prefix);
}

static bool rule_matches(const struct bgp_rule *rule, const struct ip_prefix *prefix)
{
	size_t i;

	for (i = 0; i < rule->n_ranges; i++) {
		if (range_matches(&rule->ranges[i], prefix))
			return true;
	}
	return rule->n_ranges == 0;
}

static bool rule_names(const struct bgp_rule *rule, const struct ip_prefix *prefix)
{
	size_t i;

	for (i = 0; i < rule->n_ranges; i++) {
		if (ip_prefix_equal(&rule->ranges[i].prefix, prefix) &&
		    range_matches(&rule->ranges[i], prefix))
			return true;
	}
	return false;
}

static void edit_add(struct bgp_edit *edit, const struct bgp_rule *rule)
{
	unsigned prepend = (unsigned)edit->prepend + rule->prepend;

	if (rule->set_local_pref) {
		edit->set_local_pref = true;
		edit->local_pref = rule->local_pref;
	}
	if (rule->set_med) {
		edit->set_med = true;
		edit->med = rule->med;
	}
	edit->next_hop_self = edit->next_hop_self || rule->set_next_hop_self;
	edit->prepend = (uint8_t)(prepend < UINT8_MAX ? prepend : UINT8_MAX);
}

/* The rule that decides, with what all matching ones before it and itself set; NULL: none. */
static const struct bgp_rule *filter_run(
    const struct bgp_filter *filter, const struct ip_prefix *prefix, struct bgp_edit *edit)
{
	size_t i;

	for (i = 0; i < filter->n_rules; i++) {
		const struct bgp_rule *rule = &filter->rules[i];

		if (!rule_matches(rule, prefix))
			continue;
		edit_add(edit, rule);
		if (rule->action != BGP_RULE_NEXT)
			return rule;
	}
	return NULL;
}

void bgp_policy_judge(
    const struct bgp_filter *filter, bool deny, const struct ip_prefix *prefix, struct bgp_verdict *out)
{
	const struct bgp_rule *rule = NULL;

	memset(out, 0, sizeof(*out));
	if (!filter && deny) {
		out->reason = BGP_REASON_NO_POLICY;
		return;
	}
	if (filter) {
		rule = filter_run(filter, prefix, &out->edit);
		out->rule = (uint16_t)(rule ? rule - filter->rules + 1 : 0);
		out->reason = !rule				? BGP_REASON_FILTER_END
			      : rule->action == BGP_RULE_REJECT ? BGP_REASON_FILTERED
								: BGP_REASON_BEST;
	}
	if (out->reason == BGP_REASON_BEST && bgp_policy_is_default(prefix) &&
	    (!rule || !rule_names(rule, prefix)))
		out->reason = BGP_REASON_DEFAULT_ROUTE;
}

struct bgp_filter *bgp_policy_find(struct bgp_filter *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void bgp_policy_free(struct bgp_heap *heap, struct bgp_filter *filter)
{
	if (!filter)
		return;
	bgp_mem_free(heap, filter->rules, filter->n_rules * sizeof(*filter->rules));
	bgp_mem_free(heap, filter->ranges, filter->n_ranges * sizeof(*filter->ranges));
	bgp_mem_free(heap, filter, sizeof(*filter));
}

/* Fills in what was left open. */
static int range_compile(struct bgp_prefix_range *range, const char *name, size_t rule, struct err_msg *msg)
{
	struct ip_prefix *p = &range->prefix;
	unsigned bits = ip_family_bits(p->addr.family);
	char text[IP_PREFIX_STRLEN];

	if (!bits || p->len > bits)
		return err_set(msg, ERR_RANGE, "filter %s, rule %zu: not a prefix", name, rule + 1);
	*p = ip_prefix_mask(p);
	if (!range->ge && !range->le)
		range->ge = range->le = p->len;
	else if (!range->le)
		range->le = (uint8_t)bits;
	else if (!range->ge)
		range->ge = p->len;
	if (range->ge < p->len || range->le > bits || range->ge > range->le)
		return err_set(msg, ERR_RANGE,
		    "filter %s, rule %zu: %s ge %u le %u: expected %u <= ge <= le <= %u", name, rule + 1,
		    ip_prefix_format(p, text), range->ge, range->le, p->len, bits);
	return 0;
}

static int filter_fill(struct bgp_filter *filter, const struct bgp_rule *rules, struct err_msg *msg)
{
	struct bgp_prefix_range *range = filter->ranges;
	size_t i, j;
	int err;

	for (i = 0; i < filter->n_rules; i++) {
		filter->rules[i] = rules[i];
		filter->rules[i].ranges = range;
		for (j = 0; j < rules[i].n_ranges; j++, range++) {
			*range = rules[i].ranges[j];
			err = range_compile(range, filter->name, i, msg);
			if (err)
				return err;
		}
	}
	return 0;
}

static int filter_compile(struct bgp_heap *heap, const char *name, const struct bgp_rule *rules, size_t n,
    struct bgp_filter **out, struct err_msg *msg)
{
	struct bgp_filter *filter = bgp_mem_alloc(heap, sizeof(*filter));
	size_t i, n_ranges = 0;
	int err = ERR_NOMEM;

	for (i = 0; i < n; i++)
		n_ranges += rules[i].n_ranges;
	if (!filter)
		goto fail;
	memcpy(filter->name, name, strlen(name) + 1);
	if (n && !(filter->rules = bgp_mem_alloc(heap, n * sizeof(*filter->rules))))
		goto fail;
	filter->n_rules = n;
	if (n_ranges && !(filter->ranges = bgp_mem_alloc(heap, n_ranges * sizeof(*filter->ranges))))
		goto fail;
	filter->n_ranges = n_ranges;
	err = filter_fill(filter, rules, msg);
	if (err)
		goto fail;
	*out = filter;
	return 0;
fail:
	bgp_policy_free(heap, filter);
	return err == ERR_NOMEM ? err_set(msg, err, "filter %s: out of memory", name) : err;
}

static bool rule_equal(const struct bgp_rule *a, const struct bgp_rule *b)
{
	size_t i;

	if (a->n_ranges != b->n_ranges || a->set_local_pref != b->set_local_pref ||
	    a->set_med != b->set_med || a->set_next_hop_self != b->set_next_hop_self ||
	    a->prepend != b->prepend || a->local_pref != b->local_pref || a->med != b->med ||
	    a->action != b->action)
		return false;
	for (i = 0; i < a->n_ranges; i++) {
		if (!ip_prefix_equal(&a->ranges[i].prefix, &b->ranges[i].prefix) ||
		    a->ranges[i].ge != b->ranges[i].ge || a->ranges[i].le != b->ranges[i].le)
			return false;
	}
	return true;
}

static bool filter_equal(const struct bgp_filter *a, const struct bgp_filter *b)
{
	size_t i;

	for (i = 0; i < a->n_rules && a->n_rules == b->n_rules; i++) {
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	}
	return a->n_rules == b->n_rules;
}

/* Peers keep their pointer to old: its contents change places with those of fresh. */
static void filter_swap(struct bgp *bgp, struct bgp_filter *old, struct bgp_filter *fresh)
{
	struct bgp_filter was = *old;
	size_t i;

	old->rules = fresh->rules;
	old->n_rules = fresh->n_rules;
	old->ranges = fresh->ranges;
	old->n_ranges = fresh->n_ranges;
	fresh->rules = was.rules;
	fresh->n_rules = was.n_rules;
	fresh->ranges = was.ranges;
	fresh->n_ranges = was.n_ranges;
	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (peer && peer->import == old)
			bgp_rib_review_import(peer);
		if (peer && peer->export == old)
			bgp_rib_review_export(peer);
	}
}

int bgp_filter_set(
    struct bgp *bgp, const char *name, const struct bgp_rule *rules, size_t n, struct err_msg *msg)
{
	struct bgp_filter *old = bgp_policy_find(bgp->filters, name), *fresh = NULL;
	int err;

	if (!*name || strlen(name) >= BGP_NAME_MAX)
		return err_set(
		    msg, ERR_TOOLONG, "filter name: expected 1 to %d characters", BGP_NAME_MAX - 1);
	if (n > UINT16_MAX)
		return err_set(
		    msg, ERR_RANGE, "filter %s: %zu rules: expected at most %d", name, n, UINT16_MAX);
	err = filter_compile(&bgp->heap, name, rules, n, &fresh, msg);
	if (err)
		return err;
	if (!old) {
		fresh->next = bgp->filters;
		bgp->filters = fresh;
		return 0;
	}
	if (!filter_equal(old, fresh))
		filter_swap(bgp, old, fresh);
	bgp_policy_free(&bgp->heap, fresh);
	return 0;
}

int bgp_filter_remove(struct bgp *bgp, const char *name)
{
	struct bgp_filter *filter = bgp_policy_find(bgp->filters, name), **at = &bgp->filters;
	size_t i;

	if (!filter)
		return ERR_NOENT;
	for (i = 0; i < bgp->n_slots; i++) {
		struct bgp_peer *peer = bgp->peers[i];

		if (peer && (peer->import == filter || peer->export == filter))
			return ERR_BUSY;
	}
	while (*at != filter)
		at = &(*at)->next;
	*at = filter->next;
	bgp_policy_free(&bgp->heap, filter);
	return 0;
}
