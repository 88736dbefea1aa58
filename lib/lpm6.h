/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match for IPv6: prefix -> u32. Concurrency and memory as lpm.h says.
 * The algorithm behind this interface is the benchmark's to choose.
 */
#ifndef BYWAY_LIB_LPM6_H
#define BYWAY_LIB_LPM6_H

#include "lib/lpm.h"

struct lpm6;

/* NULL when memory is short. mem NULL: freed at once (no concurrent readers). */
struct lpm6 *lpm6_new(const struct lpm_mem *mem);
/* No reader may be left. */
void lpm6_free(struct lpm6 *t);
/*
 * Adds or replaces. ERR_RANGE: len over 128 or value LPM_NONE; ERR_INVALID: host
 * bits set; ERR_NOMEM: the table is as it was. Writer only.
 */
int lpm6_set(struct lpm6 *t, const uint8_t addr[16], unsigned len, uint32_t value);
/* Removes exactly this prefix; the covering route serves again. ERR_NOENT, ERR_RANGE, ERR_INVALID, ERR_NOMEM.
 * Writer only. */
int lpm6_del(struct lpm6 *t, const uint8_t addr[16], unsigned len);
/* The value of exactly this prefix, LPM_NONE if it is not there. Writer only. */
uint32_t lpm6_get(const struct lpm6 *t, const uint8_t addr[16], unsigned len);
/* The primary call: values of n addresses, LPM_NONE where nothing matches. Any reader. */
void lpm6_lookup_bulk(const struct lpm6 *t, const uint8_t (*addrs)[16], uint32_t *values, unsigned n);
size_t lpm6_count(const struct lpm6 *t);
size_t lpm6_memory(const struct lpm6 *t); /* bytes */

#endif
