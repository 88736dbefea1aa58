/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of the client. */
#include "control/byway_table.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

size_t byway_table_width(const char *text)
{
	mbstate_t state = {0};
	size_t width = 0;

	while (*text != '\0') {
		wchar_t c;
		const size_t n = mbrtowc(&c, text, strlen(text), &state);

		if (n == (size_t)-1 || n == (size_t)-2 || n == 0) { /* no UTF-8 here: a byte is a column */
			memset(&state, 0, sizeof(state));
			text++;
			width++;
			continue;
		}
		width += wcwidth(c) > 0 ? (size_t)wcwidth(c) : 0;
		text += n;
	}
	return width;
}

static void widen(struct byway_table *t, size_t column, const char *text)
{
	const size_t width = byway_table_width(text);

	if (width > t->widths[column])
		t->widths[column] = width;
}

void byway_table_begin(struct byway_table *t, FILE *out, const char *const *titles)
{
	memset(t, 0, sizeof(*t));
	t->out = out;
	for (; titles[t->n_columns] != NULL && t->n_columns < BYWAY_TABLE_COLUMNS; t->n_columns++) {
		const char *title = titles[t->n_columns];

		t->right[t->n_columns] = title[0] == '>';
		t->titles[t->n_columns] = title + (title[0] == '>');
		widen(t, t->n_columns, t->titles[t->n_columns]);
	}
}

static void pad(FILE *out, size_t n)
{
	while (n-- > 0)
		fputc(' ', out);
}

/* Nothing but a newline follows the last cell that says something. */
static void print_row(struct byway_table *t, const char *const *cells)
{
	size_t last = t->n_columns, owed = 0;

	while (last > 0 && cells[last - 1][0] == '\0')
		last--;
	for (size_t i = 0; i < last; i++) {
		const size_t width = byway_table_width(cells[i]);
		const size_t gap = width < t->widths[i] ? t->widths[i] - width : 0;

		pad(t->out, owed + (t->right[i] ? gap : 0));
		fputs(cells[i], t->out);
		owed = 2 + (t->right[i] ? 0 : gap);
	}
	fputc('\n', t->out);
}

static void flush(struct byway_table *t)
{
	if (!t->started)
		print_row(t, t->titles);
	t->started = true;
	for (size_t r = 0; r < t->n_rows; r++) {
		print_row(t, (const char *const *)t->rows[r]);
		for (size_t i = 0; i < t->n_columns; i++)
			free(t->rows[r][i]);
		free(t->rows[r]);
	}
	t->n_rows = 0;
}

void byway_table_row(struct byway_table *t, const char *const *cells)
{
	char **row = calloc(t->n_columns, sizeof(*row));

	if (row == NULL)
		abort();
	for (size_t i = 0; i < t->n_columns; i++) {
		row[i] = strdup(cells[i] != NULL ? cells[i] : "");
		if (row[i] == NULL)
			abort();
		if (!t->started)
			widen(t, i, row[i]);
	}
	t->rows[t->n_rows++] = row;
	if (t->started || t->n_rows == BYWAY_TABLE_BUFFER)
		flush(t);
}

void byway_table_end(struct byway_table *t)
{
	flush(t);
}
