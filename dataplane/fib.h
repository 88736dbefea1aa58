/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding tables: (table, prefix) -> dense group index, IPv4 and IPv6, over lib/lpm.
 * The slow thread writes, workers look up under RCU. For the same prefix the origins have an
 * order: what is for this host wins over control's routes, these over neighbours' host routes.
 */
#ifndef BYWAY_DATAPLANE_FIB_H
#define BYWAY_DATAPLANE_FIB_H

#include <stdint.h>

#include "lib/fibmsg.h"

/* Table whose prefixes are source addresses and whose values are not groups but the interface index of
 * the line that the source belongs to (a WAN's own addresses and delegated prefixes). No line's table is even. */
#define FIB_SOURCES 2u

enum fib_origin { FIB_LOCAL, FIB_CONTROL, FIB_NEIGHBOUR, FIB_ORIGINS };

struct fib_table; /* RCU object; tables are made when first named and live as long as a route or a line names them */

/* Slow thread, once. ERR_NOMEM. */
int fib_init(void);
/* Main thread, at the end: frees all tables; no reader may be left. */
void fib_fini(void);
/* Slow thread. Nothing changed by an error: ERR_NOMEM; ERR_INVALID: family, host bits; ERR_RANGE: length, group
 * 0 or beyond GROUP_MAX; ERR_FULL: too many tables. */
int fib_set(uint32_t table, const struct ip_prefix *prefix, enum fib_origin origin, uint32_t group);
/* Slow thread. ERR_NOENT when that origin has no such route. */
int fib_del(uint32_t table, const struct ip_prefix *prefix, enum fib_origin origin);
/* Slow thread: walks routes of a table (fn returns non-zero to stop, which is returned; it changes nothing).
 * prefix NULL: all, else those within it. In no order. */
int fib_walk(uint32_t table, const struct ip_prefix *prefix,
    int (*fn)(void *arg, const struct ip_prefix *p, enum fib_origin origin, uint32_t group), void *arg);
/* RCU read side: NULL when there is no such table. The pointer must not outlive the burst. */
const struct fib_table *fib_table(uint32_t table);
/* RCU read side: dense group indices of n destinations; 0: no route. */
void fib_lookup4(const struct fib_table *t, const uint32_t *dst_be, uint32_t *groups, unsigned n);
void fib_lookup6(const struct fib_table *t, const uint8_t (*dst)[16], uint32_t *groups, unsigned n);

#endif
