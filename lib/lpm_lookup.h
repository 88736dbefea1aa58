/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups of lpm4 and lpm6 in each form that a machine may have; lpm_lookup.c chooses one at start.
 * Readers, any thread, inside their grace period.
 */
#ifndef BYWAY_LIB_LPM_LOOKUP_H
#define BYWAY_LIB_LPM_LOOKUP_H

#include <stdbool.h>

#include "lib/lpm_table.h"

struct lpm_isa {
	const char *name;
	bool (*usable)(void); /* on this machine */
	void (*lookup4)(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n);
	void (*lookup6)(const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n);
};

/* What serves; chosen when the first table is made, or by lpm_select_isa(). */
const struct lpm_isa *lpm_isa(void);

extern const struct lpm_isa lpm_isa_scalar;
#ifdef __x86_64__
extern const struct lpm_isa lpm_isa_avx2, lpm_isa_avx512, lpm_isa_avx512_vpopcntdq;
#endif

#endif
