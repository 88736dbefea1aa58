/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing here keeps a list of timers: every call derives what is due from the times of events. */
#include "lib/wg_timers.h"

#include "lib/wg_replay.h"

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Workers read the clock on their own: a key may be a little younger than their time. */
static uint64_t age_of(uint64_t birth_ns, uint64_t now_ns)
{
	return now_ns > birth_ns ? now_ns - birth_ns : 0;
}

static void note_deadline(uint64_t *deadline_ns, uint64_t at_ns)
{
	if (at_ns < *deadline_ns)
		*deadline_ns = at_ns;
}

bool wg_timers_want_handshake(struct wg_timers *t, uint64_t now_ns)
{
	t->demand_ns = now_ns;
	if (t->retry_ns)
		return false;
	return !t->initiation_ns || now_ns - t->initiation_ns >= WG_REKEY_TIMEOUT_NS;
}

void wg_timers_note_initiation(struct wg_timers *t, uint64_t now_ns, uint32_t random)
{
	t->initiation_ns = now_ns;
	t->jitter_ns = random % WG_REKEY_JITTER_NS;
	t->retry_ns = now_ns + WG_REKEY_TIMEOUT_NS + t->jitter_ns;
	if (!t->demand_ns)
		t->demand_ns = now_ns;
}

void wg_timers_note_keys(struct wg_timers *t, uint64_t now_ns)
{
	t->initiation_ns = now_ns;
	t->zero_ns = now_ns + WG_ZERO_AFTER_NS;
	if (t->retry_ns)
		t->retry_ns = now_ns + WG_REKEY_TIMEOUT_NS + t->jitter_ns;
}

void wg_timers_note_session(struct wg_timers *t)
{
	t->retry_ns = 0;
	t->demand_ns = 0;
}

/* §6.4: repeat, or give up after 90 s in which nobody asked again. */
static unsigned run_retry(struct wg_timers *t, uint64_t now_ns)
{
	if (!t->retry_ns || now_ns < t->retry_ns)
		return 0;
	if (now_ns - t->demand_ns < WG_GIVE_UP_AFTER_NS)
		return WG_TIMERS_INITIATE;
	t->retry_ns = 0;
	t->demand_ns = 0;
	if (!t->zero_ns)
		t->zero_ns = now_ns + WG_ZERO_AFTER_NS;
	return WG_TIMERS_GIVE_UP;
}

/* §6.5: data sent, and nothing at all came back for as long as a keepalive would have taken. */
static unsigned run_silence(
    struct wg_timers *t, const struct wg_timer_marks *marks, uint64_t now_ns, uint64_t *deadline_ns)
{
	uint64_t wait_ns = WG_KEEPALIVE_NS + WG_REKEY_TIMEOUT_NS + t->jitter_ns;

	if (!marks->unanswered_tx_ns || t->retry_ns)
		return 0;
	if (now_ns < marks->unanswered_tx_ns + wait_ns) {
		note_deadline(deadline_ns, marks->unanswered_tx_ns + wait_ns);
		return 0;
	}
	if (wg_timers_want_handshake(t, now_ns))
		return WG_TIMERS_INITIATE;
	note_deadline(deadline_ns, t->initiation_ns + WG_REKEY_TIMEOUT_NS);
	return 0;
}

/* §6.5: answer data at least with an empty packet; and the persistent keepalive. */
static unsigned run_keepalive(
    struct wg_timers *t, const struct wg_timer_marks *marks, uint64_t now_ns, uint64_t *deadline_ns)
{
	unsigned due = 0;
	uint64_t at_ns;

	if (marks->unanswered_rx_ns) {
		at_ns = marks->unanswered_rx_ns + WG_KEEPALIVE_NS;
		if (now_ns >= at_ns)
			due = WG_TIMERS_KEEPALIVE;
		else
			note_deadline(deadline_ns, at_ns);
	}
	if (t->persistent_ns) {
		at_ns = later_of(later_of(marks->last_rx_ns, marks->last_tx_ns), t->persistent_fired_ns);
		at_ns = at_ns ? at_ns + t->persistent_ns : now_ns;
		if (now_ns >= at_ns) {
			due = WG_TIMERS_KEEPALIVE;
			t->persistent_fired_ns = now_ns;
			at_ns = now_ns + t->persistent_ns;
		}
		note_deadline(deadline_ns, at_ns);
	}
	return due;
}

unsigned wg_timers_run(
    struct wg_timers *t, const struct wg_timer_marks *marks, uint64_t now_ns, uint64_t *deadline_ns)
{
	uint64_t deadline = UINT64_MAX;
	unsigned due = run_retry(t, now_ns);

	if (!(due & WG_TIMERS_GIVE_UP))
		due |= run_silence(t, marks, now_ns, &deadline);
	if (t->zero_ns && now_ns >= t->zero_ns) {
		t->zero_ns = 0;
		due |= WG_TIMERS_ZERO;
	}
	due |= run_keepalive(t, marks, now_ns, &deadline);
	/* While there are keys a worker may set a mark at any time; none is due sooner than a keepalive. */
	if (t->zero_ns) {
		note_deadline(&deadline, t->zero_ns);
		note_deadline(&deadline, now_ns + WG_KEEPALIVE_NS);
	}
	if (t->retry_ns)
		note_deadline(&deadline, later_of(t->retry_ns, now_ns));
	*deadline_ns = deadline;
	return due;
}

bool wg_timers_key_seals(uint64_t birth_ns, uint64_t counter, uint64_t now_ns)
{
	return age_of(birth_ns, now_ns) < WG_REJECT_AFTER_NS && counter < WG_REJECT_AFTER_MESSAGES;
}

bool wg_timers_key_opens(uint64_t birth_ns, uint64_t now_ns)
{
	return age_of(birth_ns, now_ns) < WG_REJECT_AFTER_NS;
}

bool wg_timers_key_stale_to_send(uint64_t birth_ns, bool initiator, uint64_t counter, uint64_t now_ns)
{
	return counter >= WG_REKEY_AFTER_MESSAGES ||
	       (initiator && age_of(birth_ns, now_ns) >= WG_REKEY_AFTER_NS);
}

bool wg_timers_key_stale_to_receive(uint64_t birth_ns, bool initiator, uint64_t now_ns)
{
	return initiator &&
	       age_of(birth_ns, now_ns) >= WG_REJECT_AFTER_NS - WG_KEEPALIVE_NS - WG_REKEY_TIMEOUT_NS;
}
