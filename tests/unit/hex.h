/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal vectors of the unit tests. Spaces are skipped. */
#ifndef BYWAY_TESTS_UNIT_HEX_H
#define BYWAY_TESTS_UNIT_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of text to out (of out_size); returns their number. */
static inline size_t hex_parse(const char *text, uint8_t *out, size_t out_size)
{
	size_t len = 0;
	unsigned v;

	for (const char *p = text; *p;) {
		if (*p == ' ') {
			p++;
			continue;
		}
		if (len == out_size || p[1] == '\0' || sscanf(p, "%2x", &v) != 1)
			abort(); /* a test vector with a slip of the pen */
		out[len++] = (uint8_t)v;
		p += 2;
	}
	return len;
}

#endif
