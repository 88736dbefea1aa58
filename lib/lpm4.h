/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match for IPv4: prefix -> u32. Concurrency and memory as lpm.h says.
 * docs/bench.md says why the tables are what they are.
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
 * Adds or replaces. Errors leave the table as it was: ERR_TOOLONG: len over 32; ERR_INVALID: host
 * bits set; ERR_RANGE: value LPM_NONE or over LPM_VALUE_MAX; ERR_NOMEM; ERR_FULL: the table has
 * reached 4 GiB. Writer only.
 */
int lpm4_set(struct lpm4 *t, uint32_t addr_be, unsigned len, uint32_t value);
/*
 * Removes exactly this prefix; the covering route serves again. ERR_NOENT, ERR_TOOLONG, ERR_INVALID,
 * ERR_NOMEM: the table is as it was. Writer only.
 */
int lpm4_del(struct lpm4 *t, uint32_t addr_be, unsigned len);
/* The value of exactly this prefix, LPM_NONE if it is not there. Writer only. */
uint32_t lpm4_get(const struct lpm4 *t, uint32_t addr_be, unsigned len);
/*
 * Calls fn for each prefix within addr/len, this one included, until it returns non-zero, which is returned.
 * In no order. fn must not change the table. Writer only.
 */
int lpm4_walk(const struct lpm4 *t, uint32_t addr_be, unsigned len,
    int (*fn)(void *arg, uint32_t addr_be, unsigned len, uint32_t value), void *arg);
/* The primary call: values of n addresses, LPM_NONE where nothing matches. Any reader. */
void lpm4_lookup_bulk(const struct lpm4 *t, const uint32_t *addrs_be, uint32_t *values, unsigned n);
size_t lpm4_count(const struct lpm4 *t);
/* Bytes: all, and of what. Writer only. */
size_t lpm4_memory(const struct lpm4 *t);
void lpm4_usage(const struct lpm4 *t, struct lpm_usage *usage);

#endif
