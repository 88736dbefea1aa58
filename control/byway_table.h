/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aligned tables for people: columns as wide as their cells, wide characters counted as a terminal shows
 * them. Streams: widths come from the first rows, later ones may stick out. Part of the client.
 */
#ifndef BYWAY_CONTROL_BYWAY_TABLE_H
#define BYWAY_CONTROL_BYWAY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define BYWAY_TABLE_COLUMNS 16
#define BYWAY_TABLE_BUFFER  512 /* rows that decide the widths */

struct byway_table {
	FILE *out;
	size_t n_columns, n_rows;
	const char *titles[BYWAY_TABLE_COLUMNS];
	bool right[BYWAY_TABLE_COLUMNS];
	size_t widths[BYWAY_TABLE_COLUMNS];
	char **rows[BYWAY_TABLE_BUFFER];
	bool started; /* widths are fixed, the titles were printed */
};

/* Titles end with NULL; one that begins with '>' heads a column of numbers, set to the right. */
void byway_table_begin(struct byway_table *t, FILE *out, const char *const *titles);
/* As many cells as titles; copied. NULL: empty. */
void byway_table_row(struct byway_table *t, const char *const *cells);
/* Prints what is buffered. */
void byway_table_end(struct byway_table *t);
/* Columns that a terminal takes for UTF-8 text. */
size_t byway_table_width(const char *text);

#endif
