/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 6479 §2, with counters kept plus one so that zero means none. */
#include "lib/wg_replay.h"

#include <string.h>

#define WORDS (WG_REPLAY_BITS / WG_REPLAY_WORD_BITS)

bool wg_replay_accept_counter(struct wg_replay *r, uint64_t counter)
{
	uint64_t word = counter / WG_REPLAY_WORD_BITS, bit = 1ull << (counter % WG_REPLAY_WORD_BITS);

	if (counter >= WG_REJECT_AFTER_MESSAGES)
		return false;
	if (counter >= r->next) {
		/* New words come into the window: they are empty, but not that of the greatest so far. */
		uint64_t last = r->next ? (r->next - 1) / WG_REPLAY_WORD_BITS : 0, ahead = word - last;

		for (uint64_t i = 1; i <= ahead && i <= WORDS; i++)
			r->words[(last + i) % WORDS] = 0;
		r->next = counter + 1;
	} else if (counter + WG_REPLAY_WINDOW + 1 < r->next) {
		return false;
	}
	if (r->words[word % WORDS] & bit)
		return false;
	r->words[word % WORDS] |= bit;
	return true;
}
