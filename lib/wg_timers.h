/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a WireGuard peer has something to do without being asked (paper §6):
 * handshake retries, keepalives, the end of keys. Pure: the workers' timestamps
 * and the time go in, due actions and the next deadline come out. The slow thread
 * owns the structs; all times are monotonic nanoseconds, and 0 means never.
 */
#ifndef BYWAY_LIB_WG_TIMERS_H
#define BYWAY_LIB_WG_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/nsec.h"

/* §6.1, table of constants. */
#define WG_REKEY_AFTER_MESSAGES (1ull << 60)
#define WG_REKEY_AFTER_NS	(120 * NSEC_PER_SEC)
#define WG_REJECT_AFTER_NS	(180 * NSEC_PER_SEC)
#define WG_GIVE_UP_AFTER_NS	(90 * NSEC_PER_SEC) /* REKEY-ATTEMPT-TIME */
#define WG_REKEY_TIMEOUT_NS	(5 * NSEC_PER_SEC)
#define WG_KEEPALIVE_NS		(10 * NSEC_PER_SEC)
#define WG_REKEY_JITTER_NS	(333 * NSEC_PER_MSEC)
#define WG_ZERO_AFTER_NS	(3 * WG_REJECT_AFTER_NS) /* §6.3 */

/* What the workers store as packets pass; a snapshot of it is all that the timers see. */
struct wg_timer_marks {
	uint64_t last_rx_ns, last_tx_ns; /* any authenticated packet, handshake messages included */
	uint64_t unanswered_rx_ns;	 /* first data received since we sent anything; 0: answered */
	uint64_t unanswered_tx_ns;	 /* first data sent since we received anything; 0: answered */
};

struct wg_timers {
	uint64_t persistent_ns; /* interval of the persistent keepalive; 0: off */
	uint64_t persistent_fired_ns;
	uint64_t initiation_ns; /* the last initiation or response sent */
	uint64_t demand_ns;	/* when the handshake was last asked for */
	uint64_t retry_ns;	/* when the initiation is repeated; 0: no handshake under way */
	uint64_t jitter_ns;
	uint64_t zero_ns; /* when all keys are wiped; 0: there are none */
};

/* Actions of wg_timers_run, a set of bits. */
#define WG_TIMERS_INITIATE 0x01u /* send an initiation; clear unanswered_tx */
#define WG_TIMERS_KEEPALIVE                                                                                  \
	0x02u /* send an empty packet, or ask for a handshake without a key; clear unanswered_rx */
#define WG_TIMERS_GIVE_UP 0x04u /* nobody answers: drop what waits for a key; clear both unanswered */
#define WG_TIMERS_ZERO	  0x08u /* wipe all keys of the peer */

/*
 * Somebody needs a new session: true if an initiation is to be sent now, false if one is under way or went
 * out less than 5 s ago (§6.1, §6.4). Asking again prolongs the retries.
 */
bool wg_timers_want_handshake(struct wg_timers *t, uint64_t now_ns);
/* An initiation goes out; random: any number, makes the jitter of the retry (§6.4). */
void wg_timers_note_initiation(struct wg_timers *t, uint64_t now_ns, uint32_t random);
/*
 * New keys were made: they are wiped in 540 s (§6.3). As responder they are not known to be the peer's yet:
 * our own retries go on, but leave it the time to use them.
 */
void wg_timers_note_keys(struct wg_timers *t, uint64_t now_ns);
/* A handshake is finished: both ends have its keys. */
void wg_timers_note_session(struct wg_timers *t);
/*
 * What is due now; *deadline_ns: when to ask again at the latest (UINT64_MAX: not before something happens).
 * Act on what is due, then ask again for the deadline that holds.
 */
unsigned wg_timers_run(
    struct wg_timers *t, const struct wg_timer_marks *marks, uint64_t now_ns, uint64_t *deadline_ns);

/* May a key made at birth_ns with `counter` messages sent seal another one (§6.1)? */
bool wg_timers_key_seals(uint64_t birth_ns, uint64_t counter, uint64_t now_ns);
/* May it still open messages? */
bool wg_timers_key_opens(uint64_t birth_ns, uint64_t now_ns);
/* Is it old enough that sending asks for a new handshake (§6.2; the initiator alone, so that not both do)? */
bool wg_timers_key_stale_to_send(uint64_t birth_ns, bool initiator, uint64_t counter, uint64_t now_ns);
/* The same for receiving: the key would end before an answer could be sent (§6.2). */
bool wg_timers_key_stale_to_receive(uint64_t birth_ns, bool initiator, uint64_t now_ns);

#endif
