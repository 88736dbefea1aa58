/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with a configuration file: several findings at once, each at a
 * line and column. Filled by the YAML loader, the schema reader and the
 * validator; printed by `byway-control --check` and by a reload. Control's only thread.
 */
#ifndef BYWAY_CONTROL_DIAG_H
#define BYWAY_CONTROL_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DIAG_MAX  50 /* findings kept; more are counted */
#define DIAG_TEXT 320

struct diag_finding {
	uint32_t line, column; /* from 1; 0: the file as a whole */
	bool warning;
	char text[DIAG_TEXT];
};

struct diag {
	char file[256]; /* as the user named it */
	size_t n, n_errors, n_dropped;
	struct diag_finding findings[DIAG_MAX];
};

void diag_init(struct diag *d, const char *file);
void diag_error(struct diag *d, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void diag_warn(struct diag *d, uint32_t line, uint32_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* In the order of the file. */
void diag_sort(struct diag *d);
/* "file:line:column: text" or "file:line:column: warning: text"; snprintf's rules. */
int diag_format(const struct diag *d, const struct diag_finding *f, char *buf, size_t size);
/* All of them, a line each. */
void diag_print(const struct diag *d, FILE *out);

#endif
