/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines to stderr. The settings are written once by log_init before the
 * first thread and only read after that; each line is one write(2), so lines of
 * several threads do not mix.
 */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	char program[32];
	enum log_level max;
	bool journal;
} settings = {.max = LOG_LEVEL_INFO};

static const struct {
	int syslog; /* RFC 5424 §6.2.1 severity */
	const char *name;
} levels[] = {
    [LOG_LEVEL_ERR] = {3, "error: "},
    [LOG_LEVEL_WARN] = {4, "warning: "},
    [LOG_LEVEL_INFO] = {6, ""},
    [LOG_LEVEL_DEBUG] = {7, "debug: "},
};

/* systemd names the device and inode of the stream it attached: only then stderr is the journal. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, enum log_level max)
{
	snprintf(settings.program, sizeof(settings.program), "%s: ", program);
	settings.max = max;
	settings.journal = is_journal();
}

/* What a remote sent may be quoted in a line: it must not forge another line or move the cursor. */
static void replace_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	int saved = errno, n = 0;
	size_t len;
	va_list args;

	if (level > settings.max)
		return;
	if (settings.journal)
		n = snprintf(line, sizeof(line), "<%d>", levels[level].syslog);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%s%s", settings.program, levels[level].name);
	va_start(args, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	va_end(args);
	replace_controls(line);
	len = strlen(line);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		(void)0; /* nowhere left to say so */
	errno = saved;
}
