/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large the parts of a region are, and when it is made anew: for whoever writes a table (lpm_table.c,
 * lpm_reserve.c). Readers need lpm_table.h alone. Units are of 8 bytes.
 */
#ifndef BYWAY_LIB_LPM_REGION_H
#define BYWAY_LIB_LPM_REGION_H

#include "lib/lpm_table.h"

#define LPM_MAX_UNITS	    (UINT64_C(1) << 29) /* so that a gather's 32-bit index reaches every entry */
#define LPM_MIN_SPARE	    64u			/* units of a region beyond what it needs */
#define LPM_WIDE_UNITS(n)   (1 + ((n) + 1) / 2) /* of a node with n entries of 32 bits */
#define LPM_NARROW_UNITS(n) (1 + ((n) + 3) / 4) /* ... of 16 bits */

/* A crowded block of 18 bits: it has this many children. At most so many are indexed directly, 16 KiB each.
 */
#define LPM_DIRECT_CHILDREN 1u
#define LPM_DIRECTS_MAX	    256u
#define LPM_DIRECT_ENTRIES  (1u << LPM_DIRECT_BITS)
#define LPM_DIRECT_UNITS    (LPM_DIRECT_ENTRIES / 2)

static inline uint32_t lpm_root_units(unsigned bits)
{
	return (1u << bits) / 2;
}

/* Units before the nodes. */
static inline uint32_t lpm_fixed_units(unsigned root_bits, unsigned directs)
{
	return lpm_root_units(root_bits) + directs * LPM_DIRECT_UNITS;
}

/* The writer reads what it wrote. */
static inline struct lpm_region *lpm_table_region(const struct lpm_table *t)
{
	return atomic_load_explicit(&t->region, memory_order_relaxed);
}

/* Of root, direct nodes and so many units of nodes; the caller's, to be freed. NULL: no memory. */
struct lpm_region *lpm_region_new(unsigned root_bits, unsigned directs, uint64_t units);

#endif
