/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines out of a byte stream, for the control socket's both ends. Pure; the
 * thread of the connection.
 */
#include "lib/ctl.h"

#include <string.h>

void ctl_init(struct ctl_framer *f)
{
	f->len = 0;
	f->err = 0;
}

static int refuse(struct ctl_framer *f, int code, struct err_msg *msg)
{
	f->err = code;
	if (code == ERR_TOOLONG)
		return err_set(msg, code, "line longer than %d bytes", CTL_LINE_MAX);
	return err_set(msg, code, "NUL byte in a line, expected text");
}

int ctl_feed(
    struct ctl_framer *f, const void *data, size_t len, size_t *used, const char **line, struct err_msg *msg)
{
	const char *end = len ? memchr(data, '\n', len) : NULL;
	size_t take = end ? (size_t)(end - (const char *)data) : len;

	if (f->err)
		return refuse(f, f->err, msg);
	if (take >= sizeof(f->line) - f->len) /* one byte stays for the newline, as the NUL */
		return refuse(f, ERR_TOOLONG, msg);
	if (take && memchr(data, 0, take))
		return refuse(f, ERR_INVALID, msg);
	if (take)
		memcpy(f->line + f->len, data, take);
	f->len += take;
	*used = end ? take + 1 : take;
	*line = NULL;
	if (end) {
		if (f->len && f->line[f->len - 1] == '\r')
			f->len--;
		f->line[f->len] = 0;
		f->len = 0;
		*line = f->line;
	}
	return 0;
}
