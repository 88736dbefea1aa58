/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about a configuration file, collected and printed. Control's only thread. */
#include "control/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag *d, const char *file)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->file, sizeof(d->file), "%s", file);
}

static void add(struct diag *d, bool warning, uint32_t line, uint32_t column, const char *fmt, va_list ap)
{
	struct diag_finding *f;

	if (!warning)
		d->n_errors++;
	if (d->n == DIAG_MAX) {
		d->n_dropped++;
		return;
	}
	f = &d->findings[d->n++];
	f->line = line;
	f->column = column;
	f->warning = warning;
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
}

void diag_error(struct diag *d, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, false, line, column, fmt, ap);
	va_end(ap);
}

void diag_warn(struct diag *d, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, true, line, column, fmt, ap);
	va_end(ap);
}

static int compare(const void *va, const void *vb)
{
	const struct diag_finding *a = va, *b = vb;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->text, b->text);
}

void diag_sort(struct diag *d)
{
	if (d->n > 0)
		qsort(d->findings, d->n, sizeof(d->findings[0]), compare);
}

int diag_format(const struct diag *d, const struct diag_finding *f, char *buf, size_t size)
{
	const char *kind = f->warning ? "warning: " : "";

	if (f->line == 0)
		return snprintf(buf, size, "%s: %s%s", d->file, kind, f->text);
	return snprintf(buf, size, "%s:%u:%u: %s%s", d->file, f->line, f->column, kind, f->text);
}

void diag_print(const struct diag *d, FILE *out)
{
	char line[sizeof(d->file) + DIAG_TEXT + 64];

	for (size_t i = 0; i < d->n; i++) {
		diag_format(d, &d->findings[i], line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
	if (d->n_dropped > 0)
		fprintf(out, "%s: %zu more findings are not shown\n", d->file, d->n_dropped);
}
