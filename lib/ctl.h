/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Framing of the control socket: bytes in, complete lines out, with a bound. What a
 * line says (JSON) is the business of control and its clients. Pure; a framer
 * belongs to one connection and its thread.
 */
#ifndef BYWAY_LIB_CTL_H
#define BYWAY_LIB_CTL_H

#include <stddef.h>

#include "lib/err.h"

#define CTL_LINE_MAX 65536 /* bytes of a line with its newline */

struct ctl_framer {
	size_t len; /* bytes of the line so far */
	int err;    /* sticky: the stream cannot be resumed */
	char line[CTL_LINE_MAX];
};

void ctl_init(struct ctl_framer *f);
/*
 * Takes bytes up to and including the first newline and says in *used how many. *line is the
 * complete line without its newline (nor a CR before it), NUL-terminated, valid until the next
 * call; NULL while it is not complete. Call again with the rest until all is used. Empty lines
 * are lines. ERR_TOOLONG: a line over CTL_LINE_MAX; ERR_INVALID: a NUL byte; both for good: answer and close.
 * On error *used and *line are untouched.
 */
int ctl_feed(
    struct ctl_framer *f, const void *data, size_t len, size_t *used, const char **line, struct err_msg *msg);

#endif
