/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Structures that lib/lpm4 and lib/lpm6 might have been, built once from the whole table and read-only: they
 * answer how fast and how small each could be at best, before updates cost anything. docs/bench.md draws the
 * conclusion. All are built from a table's elementary intervals. Main thread.
 */
#ifndef BYWAY_BENCH_LPM_CANDIDATES_H
#define BYWAY_BENCH_LPM_CANDIDATES_H

#include "bench/lpm.h"

__extension__ typedef unsigned __int128 lpm_u128;

/* From start to the next one's; IPv4 in the upper 32 bits. value 0: no route. */
struct lpm_interval {
	lpm_u128 start;
	uint32_t value;
};

struct lpm_intervals {
	struct lpm_interval *list; /* the first starts at 0; neighbours differ in value */
	size_t n;
};

/* ERR_NOMEM. */
int lpm_intervals_make(const struct lpm_table *t, struct lpm_intervals *out);
void lpm_intervals_free(struct lpm_intervals *l);

#define LPM_VECTOR __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,popcnt")))

/* "scalar" and "avx512". */
extern const char *const lpm_candidate_forms[];
/* Whether the form is the vector one; ERR_UNSUPPORTED: unknown, or not on this processor. */
int lpm_candidate_check(const char *form, bool *vector);

extern const struct lpm_engine lpm_dxr18, lpm_dxr19, lpm_dxr20, lpm_btree4, lpm_btree6;

#endif
