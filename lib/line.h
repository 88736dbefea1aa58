/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict on a line or on a tunnel's peer, from probes, link and override: a pure
 * machine, samples and time in, verdict and evidence out. And the choice of the active
 * line among several. No clock, socket or allocation; one machine belongs to one thread
 * (the dataplane's monitor thread; tests and simulators drive it the same way).
 *
 * A round is one probe to each target with the same sequence number. It is answered when any
 * target answers in time (quorum 1) and lost when `timeout_ns` passes in silence.
 *
 *   unknown --first answer--------------------------> up
 *   unknown, up --down_after rounds in a row lost---> down
 *   any --link down---------------------------------> down
 *   down --answers for hold_down_ns-----------------> up     (never up before: the first answer suffices)
 *
 * While it holds down, the count starts again when half of down_after rounds (at least one) in
 * a row are lost, or the link falls. An override decides instead of the probes, not instead of the link.
 * Without targets the link alone decides.
 */
#ifndef BYWAY_LIB_LINE_H
#define BYWAY_LIB_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip.h"

#define LINE_TARGETS 8
#define LINE_WINDOW  64 /* rounds over which loss is measured */
#define LINE_REASON  192
#define LINE_NEVER   UINT64_MAX

enum line_verdict { LINE_UNKNOWN, LINE_UP, LINE_DOWN };
enum line_override { LINE_AUTO, LINE_FORCE_UP, LINE_FORCE_DOWN };

struct line_params {
	uint64_t interval_ns;  /* between rounds */
	uint64_t timeout_ns;   /* after which an unanswered round is lost */
	uint64_t hold_down_ns; /* continuous success needed to return */
	unsigned down_after;   /* lost rounds in a row */
	unsigned n_targets;
	struct ip_addr targets[LINE_TARGETS];
};

struct line_event {
	uint64_t when_ns;
	enum line_verdict from, to;
	char reason[LINE_REASON]; /* the evidence, a short sentence */
};

struct line_round {
	uint64_t sent_ns;
	uint8_t answered; /* bit per target */
};

/* Read freely; changed by the functions below only. */
struct line {
	struct line_params params;
	enum line_override override_to;
	bool link_up;

	enum line_verdict verdict;
	uint64_t since_ns; /* when it became so */
	char reason[LINE_REASON];
	bool event_waits;
	enum line_verdict event_from;

	/* What the probes alone say. */
	enum line_verdict probed;
	char probed_reason[LINE_REASON];
	bool was_up;
	unsigned lost_run;	   /* newest rounds in a row that were lost */
	uint64_t lost_since_ns;	   /* when the first of them was sent */
	unsigned lost_streak;	   /* lost rounds in a row in the order of sending, whatever overtook them */
	uint64_t success_since_ns; /* first answer of the success that goes on; LINE_NEVER: none */

	/* Rounds are numbered from 0; [judged, begun) wait for an answer or their timeout. */
	struct line_round rounds[LINE_WINDOW];
	uint32_t begun, judged, newest_answered; /* newest_answered: number + 1, 0 none */
	uint64_t next_round_ns;

	uint64_t window; /* bit per judged round, newest lowest: answered */
	unsigned window_len;
	uint64_t rtt_ns, jitter_ns; /* smoothed; 0: no answer yet */
	uint64_t probes_sent, probes_answered, probes_late;
};

/* Parameters without targets from milliseconds, as configuration and the FIB contract carry them. */
struct line_params line_params_from_ms(
    uint32_t interval_ms, uint32_t timeout_ms, uint32_t hold_down_ms, unsigned down_after);
/*
 * ERR_RANGE with a sentence: interval 10 ms to 1 h, timeout at least 1 ms and at most LINE_WINDOW / 2
 * intervals, hold-down at most 1 day, down_after 1 to 1000, at most LINE_TARGETS targets of IPv4 or IPv6.
 */
int line_check(const struct line_params *p, struct err_msg *msg);
/* params passed line_check. The first round is due at now_ns. */
void line_init(struct line *l, const struct line_params *p, bool link_up, uint64_t now_ns);
/* New parameters; the verdict stays, rounds in flight are forgotten when targets changed. */
void line_set_params(struct line *l, const struct line_params *p, uint64_t now_ns);

/* The time of the next line_tick or round; LINE_NEVER: none. */
uint64_t line_deadline(const struct line *l);
/* True: send one probe to each target now, with the sequence number of line_begin_round. */
bool line_round_due(const struct line *l, uint64_t now_ns);
uint16_t line_begin_round(struct line *l, uint64_t now_ns);
/*
 * A target (index) answered. Feed answers that have arrived before line_tick with the same time.
 * False: nobody waits for it (foreign sequence number, index, or the second answer to one probe).
 */
bool line_reply(struct line *l, unsigned target, uint16_t seq, uint64_t now_ns);
/* Judges rounds whose time is over and ends a hold-down that is served. */
void line_tick(struct line *l, uint64_t now_ns);
void line_set_link(struct line *l, bool up, uint64_t now_ns);
void line_set_override(struct line *l, enum line_override to, uint64_t now_ns);

/* The change of verdict since the last call (several count as one); false: none. */
bool line_take_event(struct line *l, struct line_event *out);
/* Lost rounds in a thousand over the last LINE_WINDOW judged ones. */
unsigned line_loss_permille(const struct line *l);
/* The reason, and while it holds down how much of that is served. Returns buf, of LINE_EXPLAIN bytes. */
#define LINE_EXPLAIN (LINE_REASON + 64)
const char *line_explain(const struct line *l, uint64_t now_ns, char *buf);
/* "up", "down", "unknown". */
const char *line_verdict_text(enum line_verdict v);

struct line_candidate {
	enum line_verdict verdict;
	uint16_t preference; /* lower is preferred */
	bool metered;	     /* only when no unmetered one is up */
};

/*
 * The index of the active line of n, -1 when n is 0. current: the active one so far, or -1. Among those
 * that are up: unmetered first, then the lowest preference, then current, then the first. When
 * none is up, current stays unless another is less bad (unknown before down).
 */
int line_choose(const struct line_candidate *c, unsigned n, int current);

#endif
