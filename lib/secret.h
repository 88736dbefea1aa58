/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for what holds keys: pages locked in RAM (never swapped), absent from core dumps and from children
 * of fork, wiped when freed. Objects of one size share regions of 64 KiB, so that thousands of peers lock
 * megabytes and not a page or two each. Any thread but workers: it takes a lock.
 */
#ifndef BYWAY_LIB_SECRET_H
#define BYWAY_LIB_SECRET_H

#include <stddef.h>

#define SECRET_ALIGN 64

/* Zeroed, aligned to SECRET_ALIGN. NULL: out of memory. Where pages cannot be locked the memory serves
 * unlocked, and secret_lock_error tells. */
void *secret_alloc(size_t len);
/* Wipes all of it. NULL: nothing. */
void secret_free(void *p);

/* errno of the first time that pages could not be locked (ENOMEM: RLIMIT_MEMLOCK); 0: all are. */
int secret_lock_error(void);
/* Bytes mapped for secrets, whether in use or not. */
size_t secret_mapped_len(void);

#endif
