/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict machine of lines and tunnel peers, and the choice of the active line.
 * Run by the dataplane's monitor thread; pure.
 */
#include "lib/line.h"

#include <stdio.h>
#include <string.h>

#include "lib/nsec.h"

#define NAMED_TARGETS 3 /* in a sentence; the others are counted */

const char *line_verdict_text(enum line_verdict v)
{
	switch (v) {
	case LINE_UNKNOWN:
		return "unknown";
	case LINE_UP:
		return "up";
	case LINE_DOWN:
		return "down";
	}
	return "unknown";
}

struct line_params line_params_from_ms(
    uint32_t interval_ms, uint32_t timeout_ms, uint32_t hold_down_ms, unsigned down_after)
{
	return (struct line_params){
	    .interval_ns = interval_ms * NSEC_PER_MSEC,
	    .timeout_ns = timeout_ms * NSEC_PER_MSEC,
	    .hold_down_ns = hold_down_ms * NSEC_PER_MSEC,
	    .down_after = down_after,
	};
}

static int check_range(
    const char *what, uint64_t value_ns, uint64_t min_ns, uint64_t max_ns, struct err_msg *msg)
{
	char value[NSEC_STRLEN], min[NSEC_STRLEN], max[NSEC_STRLEN];

	if (value_ns >= min_ns && value_ns <= max_ns)
		return 0;
	return err_set(msg, ERR_RANGE, "%s of %s, expected %s to %s", what, nsec_format(value_ns, value),
	    nsec_format(min_ns, min), nsec_format(max_ns, max));
}

int line_check(const struct line_params *p, struct err_msg *msg)
{
	int err;

	if (p->n_targets > LINE_TARGETS)
		return err_set(
		    msg, ERR_RANGE, "%u probe targets, expected at most %u", p->n_targets, LINE_TARGETS);
	for (unsigned i = 0; i < p->n_targets; i++)
		if (!ip_family_bits(p->targets[i].family))
			return err_set(msg, ERR_RANGE, "probe target %u is not an address", i + 1);
	err = check_range("probe interval", p->interval_ns, 10 * NSEC_PER_MSEC, 3600 * NSEC_PER_SEC, msg);
	if (!err)
		err = check_range(
		    "probe timeout", p->timeout_ns, NSEC_PER_MSEC, p->interval_ns * (LINE_WINDOW / 2), msg);
	if (!err)
		err = check_range("hold-down", p->hold_down_ns, 0, 86400 * NSEC_PER_SEC, msg);
	if (!err && (p->down_after < 1 || p->down_after > 1000))
		err = err_set(msg, ERR_RANGE, "down-after of %u, expected 1 to 1000", p->down_after);
	return err;
}

/* What link, override and probes say together; in this order. */
static enum line_verdict combine(const struct line *l, const char **reason)
{
	*reason = "link down";
	if (!l->link_up)
		return LINE_DOWN;
	switch (l->override_to) {
	case LINE_FORCE_DOWN:
		*reason = "set down by the operator";
		return LINE_DOWN;
	case LINE_FORCE_UP:
		*reason = "set up by the operator";
		return LINE_UP;
	case LINE_AUTO:
		break;
	}
	*reason = "link up, not probed";
	if (!l->params.n_targets)
		return LINE_UP;
	*reason = l->probed_reason;
	return l->probed;
}

/* Takes over what is true now; a change of verdict is an event, a new reason for the same one is not. */
static void settle(struct line *l, uint64_t now_ns)
{
	const char *reason;
	enum line_verdict v = combine(l, &reason);

	if (v == l->verdict) {
		snprintf(l->reason, sizeof(l->reason), "%s", reason);
		return;
	}
	if (!l->event_waits)
		l->event_from = l->verdict;
	l->event_waits = true;
	l->verdict = v;
	l->since_ns = now_ns;
	snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static void set_probed(struct line *l, enum line_verdict v)
{
	l->probed = v;
	l->was_up |= v == LINE_UP;
}

/* "a", "a and b", "a, b, c and 2 more". */
static void name_targets(const struct line *l, char *out, size_t size)
{
	unsigned n = l->params.n_targets, named = n > NAMED_TARGETS ? NAMED_TARGETS : n;
	char addr[IP_ADDR_STRLEN];
	size_t at = 0;

	out[0] = 0;
	for (unsigned i = 0; i < named; i++) {
		const char *joint = i == 0 ? "" : i + 1 == n ? " and " : ", ";

		at = strlen(out);
		snprintf(out + at, size - at, "%s%s", joint, ip_addr_format(&l->params.targets[i], addr));
	}
	at = strlen(out);
	if (n > named)
		snprintf(out + at, size - at, " and %u more", n - named);
}

static void judge_lost(struct line *l, uint32_t number, uint64_t now_ns)
{
	char targets[NAMED_TARGETS * (IP_ADDR_STRLEN + 2) + 16], age[NSEC_STRLEN];
	uint64_t sent_ns = l->rounds[number % LINE_WINDOW].sent_ns;
	unsigned break_after = l->params.down_after / 2 ? l->params.down_after / 2 : 1;

	if (++l->lost_streak >= break_after && sent_ns > l->success_since_ns)
		l->success_since_ns = LINE_NEVER; /* sent while it went on */
	if (number < l->newest_answered)
		return; /* a later round was answered: a gap, not silence */
	if (!l->lost_run++)
		l->lost_since_ns = sent_ns;
	if (l->lost_run < l->params.down_after || l->probed == LINE_DOWN)
		return;
	name_targets(l, targets, sizeof(targets));
	snprintf(l->probed_reason, sizeof(l->probed_reason), "%u probe%s unanswered for %s by %s",
	    l->lost_run, l->lost_run == 1 ? "" : "s in a row", nsec_format(now_ns - l->lost_since_ns, age),
	    targets);
	set_probed(l, LINE_DOWN);
}

/* Rounds in their order: answered ones at once, silent ones when their time is over. */
static void judge_rounds(struct line *l, uint64_t now_ns)
{
	for (; l->judged < l->begun; l->judged++) {
		const struct line_round *r = &l->rounds[l->judged % LINE_WINDOW];

		if (!r->answered && now_ns < r->sent_ns + l->params.timeout_ns)
			break;
		l->window = l->window << 1 | (r->answered ? 1 : 0);
		if (l->window_len < LINE_WINDOW)
			l->window_len++;
		if (r->answered)
			l->lost_streak = 0;
		else
			judge_lost(l, l->judged, now_ns);
	}
}

static void end_hold_down(struct line *l, uint64_t now_ns)
{
	char age[NSEC_STRLEN];

	if (l->probed != LINE_DOWN || l->success_since_ns == LINE_NEVER)
		return;
	if (now_ns - l->success_since_ns < l->params.hold_down_ns)
		return;
	snprintf(l->probed_reason, sizeof(l->probed_reason), "answers again for %s",
	    nsec_format(now_ns - l->success_since_ns, age));
	set_probed(l, LINE_UP);
}

void line_tick(struct line *l, uint64_t now_ns)
{
	judge_rounds(l, now_ns);
	end_hold_down(l, now_ns);
	settle(l, now_ns);
}

/* Nothing in flight counts any more: after a fallen link, or for other targets. */
static void forget_rounds(struct line *l, uint64_t now_ns)
{
	l->judged = l->newest_answered = l->begun;
	for (unsigned i = 0; i < LINE_WINDOW; i++)
		l->rounds[i].answered = UINT8_MAX; /* a straggler is nobody's */
	l->lost_run = l->lost_streak = 0;
	l->success_since_ns = LINE_NEVER;
	l->next_round_ns = now_ns;
}

void line_init(struct line *l, const struct line_params *p, bool link_up, uint64_t now_ns)
{
	*l = (struct line){.params = *p, .link_up = link_up, .since_ns = now_ns};
	snprintf(l->probed_reason, sizeof(l->probed_reason), "no answer yet");
	snprintf(l->reason, sizeof(l->reason), "no answer yet");
	forget_rounds(l, now_ns);
	settle(l, now_ns);
}

void line_set_params(struct line *l, const struct line_params *p, uint64_t now_ns)
{
	bool same = p->n_targets == l->params.n_targets;

	for (unsigned i = 0; same && i < p->n_targets; i++)
		same = ip_addr_equal(&p->targets[i], &l->params.targets[i]);
	if (!l->params.n_targets && p->n_targets && l->link_up) {
		snprintf(l->probed_reason, sizeof(l->probed_reason), "not probed until now");
		set_probed(l, LINE_UP);
	}
	/* more intervals in flight than before could outgrow the ring */
	if (!same || p->interval_ns != l->params.interval_ns || p->timeout_ns != l->params.timeout_ns)
		forget_rounds(l, now_ns);
	l->params = *p;
	line_tick(l, now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t line_deadline(const struct line *l)
{
	uint64_t at = LINE_NEVER;

	if (!l->link_up || !l->params.n_targets)
		return LINE_NEVER;
	at = l->next_round_ns;
	if (l->judged < l->begun)
		at = earlier(at, l->rounds[l->judged % LINE_WINDOW].sent_ns + l->params.timeout_ns);
	if (l->probed == LINE_DOWN && l->success_since_ns != LINE_NEVER)
		at = earlier(at, l->success_since_ns + l->params.hold_down_ns);
	return at;
}

bool line_round_due(const struct line *l, uint64_t now_ns)
{
	return l->link_up && l->params.n_targets && now_ns >= l->next_round_ns;
}

uint16_t line_begin_round(struct line *l, uint64_t now_ns)
{
	line_tick(l, now_ns); /* and so fewer than LINE_WINDOW are in flight, see line_check */
	l->rounds[l->begun % LINE_WINDOW] = (struct line_round){.sent_ns = now_ns};
	l->probes_sent += l->params.n_targets;
	/* a fixed pace; after a stall no burst to make up for it */
	l->next_round_ns += l->params.interval_ns;
	if (l->next_round_ns <= now_ns)
		l->next_round_ns = now_ns + l->params.interval_ns;
	return (uint16_t)l->begun++;
}

/* RFC 6298 §2.3 for the mean (1/8), RFC 3550 §6.4.1 for the jitter (1/16). */
static void sample_rtt(struct line *l, uint64_t rtt_ns)
{
	uint64_t off = rtt_ns > l->rtt_ns ? rtt_ns - l->rtt_ns : l->rtt_ns - rtt_ns;

	if (!l->rtt_ns) {
		l->rtt_ns = rtt_ns ? rtt_ns : 1;
		return;
	}
	l->jitter_ns = l->jitter_ns - l->jitter_ns / 16 + off / 16;
	l->rtt_ns = l->rtt_ns - l->rtt_ns / 8 + rtt_ns / 8;
}

static void first_answer(struct line *l, unsigned target, uint32_t number, uint64_t rtt_ns, uint64_t now_ns)
{
	char addr[IP_ADDR_STRLEN], rtt[NSEC_STRLEN];

	sample_rtt(l, rtt_ns);
	if (number >= l->newest_answered) {
		l->newest_answered = number + 1;
		l->lost_run = 0;
	}
	if (l->success_since_ns == LINE_NEVER)
		l->success_since_ns = now_ns;
	if (l->was_up)
		return;
	snprintf(l->probed_reason, sizeof(l->probed_reason), "%s answers in %s",
	    ip_addr_format(&l->params.targets[target], addr), nsec_format(rtt_ns, rtt));
	set_probed(l, LINE_UP);
}

bool line_reply(struct line *l, unsigned target, uint16_t seq, uint64_t now_ns)
{
	uint16_t behind = (uint16_t)(l->begun - seq);
	uint32_t number = l->begun - behind;
	struct line_round *r = &l->rounds[number % LINE_WINDOW];
	bool first;

	if (!behind || behind > LINE_WINDOW || behind > l->begun || target >= l->params.n_targets ||
	    !l->link_up)
		return false;
	if (r->answered & 1u << target)
		return false;
	if (now_ns - r->sent_ns >= l->params.timeout_ns) {
		l->probes_late++; /* the round is lost, whether judged yet or not */
		line_tick(l, now_ns);
		return true;
	}
	first = !r->answered;
	r->answered |= (uint8_t)(1u << target);
	l->probes_answered++;
	if (first)
		first_answer(l, target, number, now_ns - r->sent_ns, now_ns);
	line_tick(l, now_ns);
	return true;
}

void line_set_link(struct line *l, bool up, uint64_t now_ns)
{
	if (l->link_up == up)
		return;
	l->link_up = up;
	forget_rounds(l, now_ns);
	if (!up && l->probed == LINE_UP) {
		/* what was true before the fall proves nothing: it returns through the hold-down */
		set_probed(l, LINE_DOWN);
		snprintf(l->probed_reason, sizeof(l->probed_reason), "no answer since the link fell");
	}
	settle(l, now_ns);
}

void line_set_override(struct line *l, enum line_override to, uint64_t now_ns)
{
	l->override_to = to;
	settle(l, now_ns);
}

bool line_take_event(struct line *l, struct line_event *out)
{
	bool changed = l->event_waits && l->event_from != l->verdict;

	l->event_waits = false;
	if (!changed)
		return false;
	*out = (struct line_event){.when_ns = l->since_ns, .from = l->event_from, .to = l->verdict};
	memcpy(out->reason, l->reason, sizeof(out->reason));
	return true;
}

unsigned line_loss_permille(const struct line *l)
{
	uint64_t judged =
	    l->window_len < LINE_WINDOW ? l->window & ((UINT64_C(1) << l->window_len) - 1) : l->window;

	if (!l->window_len)
		return 0;
	return 1000 * (l->window_len - (unsigned)__builtin_popcountll(judged)) / l->window_len;
}

const char *line_explain(const struct line *l, uint64_t now_ns, char *buf)
{
	bool holds = l->link_up && l->override_to == LINE_AUTO && l->probed == LINE_DOWN &&
		     l->success_since_ns != LINE_NEVER;
	char served[NSEC_STRLEN], whole[NSEC_STRLEN];

	if (holds)
		snprintf(buf, LINE_EXPLAIN, "%s; answers again for %s of %s", l->reason,
		    nsec_format(now_ns - l->success_since_ns, served),
		    nsec_format(l->params.hold_down_ns, whole));
	else
		snprintf(buf, LINE_EXPLAIN, "%s", l->reason);
	return buf;
}

static unsigned badness(enum line_verdict v)
{
	switch (v) {
	case LINE_UP:
		return 0;
	case LINE_UNKNOWN:
		return 1;
	case LINE_DOWN:
		return 2;
	}
	return 2;
}

/* Whether a is strictly better than b. */
static bool is_better(const struct line_candidate *a, const struct line_candidate *b)
{
	if (badness(a->verdict) != badness(b->verdict))
		return badness(a->verdict) < badness(b->verdict);
	if (a->metered != b->metered)
		return !a->metered;
	return a->preference < b->preference;
}

int line_choose(const struct line_candidate *c, unsigned n, int current)
{
	int best = current >= 0 && (unsigned)current < n ? current : -1;

	for (unsigned i = 0; i < n; i++)
		if (best < 0 || is_better(&c[i], &c[best]))
			best = (int)i;
	if (current >= 0 && (unsigned)current < n && c[best].verdict != LINE_UP &&
	    badness(c[current].verdict) == badness(c[best].verdict))
		return current; /* no use in moving from one dead line to another */
	return best;
}
