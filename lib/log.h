/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leveled log lines to stderr, one write(2) a line, with the syslog priority
 * prefix "<N>" when stderr is the journal. Any thread but a worker's packet path.
 */
#ifndef BYWAY_LIB_LOG_H
#define BYWAY_LIB_LOG_H

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Before the first thread: program name shown on each line, and the most verbose level shown. */
void log_init(const char *program, enum log_level max);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
