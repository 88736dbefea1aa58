/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sliding window of transport counters (RFC 6479): a ring of words, so that
 * moving on clears whole words instead of shifting bits. 8,192 bits, of which
 * one word is always in motion: 8,128 counters before the greatest are told
 * apart, as in Linux.
 * Owned by the one worker that owns the receiving session.
 */
#ifndef BYWAY_LIB_WG_REPLAY_H
#define BYWAY_LIB_WG_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define WG_REPLAY_BITS		 8192u
#define WG_REPLAY_WORD_BITS	 64u
#define WG_REPLAY_WINDOW	 (WG_REPLAY_BITS - WG_REPLAY_WORD_BITS)
#define WG_REJECT_AFTER_MESSAGES (UINT64_MAX - WG_REPLAY_WINDOW - 1) /* no counter from here on (§6.1) */

/* All zero: nothing received. */
struct wg_replay {
	uint64_t next; /* greatest counter accepted, plus one */
	uint64_t words[WG_REPLAY_BITS / WG_REPLAY_WORD_BITS];
};

/*
 * Accepts an authenticated counter once: true, and it is remembered; false if it was seen, is more
 * than 8,128 before the greatest, or is at the message limit or past it.
 */
bool wg_replay_accept_counter(struct wg_replay *r, uint64_t counter);

#endif
