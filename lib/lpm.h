/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the longest-prefix-match tables share. A value is a number of the caller
 * (a group index); LPM_NONE is "no route" and cannot be stored.
 *
 * One writer, any number of readers at the same time. The writer publishes with
 * release stores, readers use acquire loads; memory that readers may still hold is
 * handed to the defer callback, which frees it after a grace period of the caller's
 * (dataplane: call_rcu; tests: at once).
 *
 * How the tables work is told in lpm_table.h (what readers see), lpm_book.h (what the writer
 * keeps) and lpm_trie.h (changes); isa.h chooses how lookups are made.
 */
#ifndef BYWAY_LIB_LPM_H
#define BYWAY_LIB_LPM_H

#include <stddef.h>
#include <stdint.h>

#define LPM_NONE      0u
#define LPM_VALUE_MAX 0x7fffffffu

struct lpm_mem {
	void (*defer)(
	    void *arg, void (*release)(void *), void *ptr); /* call release(ptr) later, on any thread */
	/* Returns when all that was deferred so far is released. Called only where readers are so late that
	 * what waits for them is more than the table itself. May be NULL: then only they bound the memory. */
	void (*wait)(void *arg);
	void *arg;
};

/* Bytes allocated. */
struct lpm_usage {
	size_t lookup; /* what readers walk */
	size_t book;   /* the writer's exact prefixes */
	size_t late;   /* retired, readers may still be there */
};

#endif
