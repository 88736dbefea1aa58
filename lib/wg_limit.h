/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often one source may start a WireGuard handshake while there is load: 20 a second, 5 at once, for each
 * IPv4 address and each IPv6 /64 (paper §5.3, the numbers as in Linux). It comes after the cookie, which
 * proves that the source is its own. A fixed table: no flood of sources makes it grow. Pure; the slow thread
 * owns it.
 */
#ifndef BYWAY_LIB_WG_LIMIT_H
#define BYWAY_LIB_WG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/crypto.h"
#include "lib/ip.h"
#include "lib/nsec.h"

#define WG_LIMIT_PER_SECOND 20u
#define WG_LIMIT_BURST	    5u
#define WG_LIMIT_SETS	    1024u
#define WG_LIMIT_WAYS	    8u

/* A source's bucket is full again when this has passed: the slot is as good as free then. */
struct wg_limit_slot {
	uint64_t source;
	uint64_t full_ns;
};

struct wg_limit {
	uint8_t secret[CRYPTO_KEY_LEN]; /* so that nobody can aim at another's set */
	struct wg_limit_slot slots[WG_LIMIT_SETS][WG_LIMIT_WAYS];
};

/* Empty; random: 32 fresh random bytes. */
void wg_limit_init(struct wg_limit *l, const uint8_t random[CRYPTO_KEY_LEN]);
/*
 * May this source have another handshake at now_ns (monotonic)? Counts it if so. Where the source's set is
 * full of others that came within the last quarter of a second the answer is no, as in Linux with a full
 * table.
 */
bool wg_limit_allow(struct wg_limit *l, const struct ip_addr *src, uint64_t now_ns);

#endif
