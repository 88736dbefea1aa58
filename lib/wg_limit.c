/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A token bucket is one number, the time at which it is full. Nothing has to be collected: a slot whose time
 * has passed says the same as an empty one.
 */
#include "lib/wg_limit.h"

#include <assert.h>
#include <string.h>

#define COST_NS	 (NSEC_PER_SEC / WG_LIMIT_PER_SECOND)
#define DEPTH_NS (COST_NS * WG_LIMIT_BURST)

static_assert((WG_LIMIT_SETS & (WG_LIMIT_SETS - 1)) == 0, "sets are masked");

/* IPv4 lies where IPv6 has ::/32, which is no network's. */
static uint64_t name_source(const struct ip_addr *src)
{
	unsigned len = src->family == IP_V4 ? 4 : 8;
	uint64_t name = 0;

	for (unsigned i = 0; i < len; i++)
		name = name << 8 | src->b[i];
	return name;
}

static struct wg_limit_slot *find_set(struct wg_limit *l, uint64_t source)
{
	uint16_t hash;

	crypto_digest_bytes(
	    (uint8_t *)&hash, sizeof(hash), l->secret, sizeof(l->secret), &source, sizeof(source));
	return l->slots[hash & (WG_LIMIT_SETS - 1)];
}

void wg_limit_init(struct wg_limit *l, const uint8_t random[CRYPTO_KEY_LEN])
{
	memset(l, 0, sizeof(*l));
	memcpy(l->secret, random, sizeof(l->secret));
}

bool wg_limit_allow(struct wg_limit *l, const struct ip_addr *src, uint64_t now_ns)
{
	uint64_t source = name_source(src), full_ns;
	struct wg_limit_slot *set = find_set(l, source), *slot = NULL;

	for (unsigned i = 0; i < WG_LIMIT_WAYS; i++) {
		if (set[i].full_ns > now_ns && set[i].source == source) {
			slot = &set[i];
			break;
		}
		if (!slot && set[i].full_ns <= now_ns)
			slot = &set[i];
	}
	if (!slot)
		return false;
	full_ns = (slot->full_ns > now_ns ? slot->full_ns : now_ns) + COST_NS;
	if (full_ns > now_ns + DEPTH_NS)
		return false;
	*slot = (struct wg_limit_slot){.source = source, .full_ns = full_ns};
	return true;
}
