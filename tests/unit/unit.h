/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every unit test starts with: cmocka after the headers it wants, and a
 * small reproducible random generator. Test programs only.
 */
#ifndef BYWAY_TESTS_UNIT_UNIT_H
#define BYWAY_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* xorshift64*; state must not be zero. */
static inline uint64_t unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
