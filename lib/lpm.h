/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the longest-prefix-match tables share. A value is a u32 of the caller
 * (a group id); LPM_NONE is "no route" and cannot be stored.
 *
 * One writer, any number of readers at the same time. The writer publishes with
 * release stores, readers use acquire or consume loads; memory that readers may
 * still hold is handed to the defer callback, which frees it after a grace
 * period of the caller's (dataplane: call_rcu; tests: at once).
 */
#ifndef BYWAY_LIB_LPM_H
#define BYWAY_LIB_LPM_H

#include <stddef.h>
#include <stdint.h>

#define LPM_NONE 0u

struct lpm_mem {
	void (*defer)(void *arg, void (*release)(void *), void *ptr); /* call release(ptr) later */
	void *arg;
};

#endif
