/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match for IPv4: prefix -> u32. Concurrency and memory as lpm.h says.
 * The algorithm behind this interface is the benchmark's to choose.
 */
#ifndef BYWAY_LIB_LPM4_H
#define BYWAY_LIB_LPM4_H

#include "lib/lpm.h"

struct lpm4;

/* NULL when memory is short. mem NULL: freed at once (no concurrent readers). */
struct lpm4 *lpm4_new(const struct lpm_mem *mem);
/* No reader may be left. */
void lpm4_free(struct lpm4 *t);
/*
 * Adds or replaces. ERR_RANGE: len over 32 or value LPM_NONE; ERR_INVALID: host
 * bits set; ERR_NOMEM: the table is as it was. Writer only.
 */
int lpm4_set(struct lpm4 *t, uint32_t addr_be, unsigned len, uint32_t value);
/* Removes exactly this prefix; the covering route serves again. ERR_NOENT, ERR_RANGE, ERR_INVALID, ERR_NOMEM.
 * Writer only. */
int lpm4_del(struct lpm4 *t, uint32_t addr_be, unsigned len);
/* The value of exactly this prefix, LPM_NONE if it is not there. Writer only. */
uint32_t lpm4_get(const struct lpm4 *t, uint32_t addr_be, unsigned len);
/* The primary call: values of n addresses, LPM_NONE where nothing matches. Any reader. */
void lpm4_lookup_bulk(const struct lpm4 *t, const uint32_t *addrs_be, uint32_t *values, unsigned n);
size_t lpm4_count(const struct lpm4 *t);
size_t lpm4_memory(const struct lpm4 *t); /* bytes */

#endif
