/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes and regions of a table that readers may still walk. Nodes are gathered and handed to the
 * caller's defer callback by the hundred; once it has released them, the writer takes them back into its pool
 * at its next change. Writer only, but for the release itself.
 */
#ifndef BYWAY_LIB_LPM_LATE_H
#define BYWAY_LIB_LPM_LATE_H

#include "lib/lpm_table.h"

/* A node of the present region that nothing names after the change under way. */
void lpm_late_node(struct lpm_table *t, uint32_t place, uint32_t units);
/* The region that was replaced, and with it its nodes. */
void lpm_late_region(struct lpm_table *t, struct lpm_region *old);
/* At the end of a change: no new reader can find what was retired. */
void lpm_late_hand_over(struct lpm_table *t);
/* Takes back what readers have left. Waits for them where too much waits (lpm_mem.wait). */
void lpm_late_reap(struct lpm_table *t);
size_t lpm_late_bytes(const struct lpm_table *t);
/* The table ends. */
void lpm_late_clear(struct lpm_table *t);

#endif
