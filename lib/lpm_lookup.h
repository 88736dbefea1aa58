/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lookups of lpm4 and lpm6 in each form that a machine may have (isa.h).
 * Readers, any thread, inside their grace period.
 */
#ifndef BYWAY_LIB_LPM_LOOKUP_H
#define BYWAY_LIB_LPM_LOOKUP_H

#include "lib/lpm_table.h"

struct lpm_form {
	void (*lookup4)(const struct lpm_region *r, const uint32_t *addrs_be, uint32_t *values, unsigned n);
	void (*lookup6)(const struct lpm_region *r, const uint8_t (*addrs)[16], uint32_t *values, unsigned n);
};

/* What serves now. */
const struct lpm_form *lpm_form(void);

extern const struct lpm_form lpm_form_scalar;
#ifdef __x86_64__
extern const struct lpm_form lpm_form_avx2, lpm_form_avx512, lpm_form_avx512_vpopcntdq;
#endif

#endif
