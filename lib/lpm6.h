/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match for IPv6: prefix -> u32. Concurrency and memory as lpm.h says.
 * docs/bench.md says why the tables are what they are.
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
 * Adds or replaces. Errors leave the table as it was: ERR_TOOLONG: len over 128; ERR_INVALID: host
 * bits set; ERR_RANGE: value LPM_NONE or over LPM_VALUE_MAX; ERR_NOMEM; ERR_FULL: the table has
 * reached 4 GiB. Writer only.
 */
int lpm6_set(struct lpm6 *t, const uint8_t addr[16], unsigned len, uint32_t value);
/*
 * Removes exactly this prefix; the covering route serves again. ERR_NOENT, ERR_TOOLONG, ERR_INVALID,
 * ERR_NOMEM: the table is as it was. Writer only.
 */
int lpm6_del(struct lpm6 *t, const uint8_t addr[16], unsigned len);
/* The value of exactly this prefix, LPM_NONE if it is not there. Writer only. */
uint32_t lpm6_get(const struct lpm6 *t, const uint8_t addr[16], unsigned len);
/*
 * Calls fn for each prefix within addr/len, this one included, until it returns non-zero, which is returned.
 * In no order. fn must not change the table. Writer only.
 */
int lpm6_walk(const struct lpm6 *t, const uint8_t addr[16], unsigned len,
    int (*fn)(void *arg, const uint8_t addr[16], unsigned len, uint32_t value), void *arg);
/* The primary call: values of n addresses, LPM_NONE where nothing matches. Any reader. */
void lpm6_lookup_bulk(const struct lpm6 *t, const uint8_t (*addrs)[16], uint32_t *values, unsigned n);
size_t lpm6_count(const struct lpm6 *t);
/* Bytes: all, and of what. Writer only. */
size_t lpm6_memory(const struct lpm6 *t);
void lpm6_usage(const struct lpm6 *t, struct lpm_usage *usage);

#endif
