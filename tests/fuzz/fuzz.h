/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fuzz target fuzz_<name>.c defines. The same source becomes a libFuzzer
 * program (-Dfuzzing=true, clang) and a replay of its corpus among the unit tests.
 */
#ifndef BYWAY_TESTS_FUZZ_FUZZ_H
#define BYWAY_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* data lies in memory of exactly size bytes. Returns 0; a finding is a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken invariant is a crash, too. */
#define FUZZ_REQUIRE(condition)                                                                              \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			__builtin_trap();                                                                    \
	} while (0)

#endif
