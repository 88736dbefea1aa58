/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Error codes shared by every part, and the message that says where and what.
 * Pure; any thread.
 */
#ifndef BYWAY_LIB_ERR_H
#define BYWAY_LIB_ERR_H

#include <stddef.h>

/* clang-format off */
#define ERR_LIST(X)                                                  \
	X(ERR_INVALID,     -1,  "invalid value")                     \
	X(ERR_TRUNCATED,   -2,  "input ends too early")              \
	X(ERR_RANGE,       -3,  "value out of range")                \
	X(ERR_NOMEM,       -4,  "out of memory")                     \
	X(ERR_EXISTS,      -5,  "already exists")                    \
	X(ERR_NOENT,       -6,  "does not exist")                    \
	X(ERR_FULL,        -7,  "table or queue is full")            \
	X(ERR_BUSY,        -8,  "in use")                            \
	X(ERR_AUTH,        -9,  "authentication failed")             \
	X(ERR_PROTO,       -10, "protocol violation")                \
	X(ERR_IO,          -11, "input/output error")                \
	X(ERR_PERM,        -12, "not permitted")                     \
	X(ERR_UNSUPPORTED, -13, "not supported")                     \
	X(ERR_AGAIN,       -14, "not now, try again")                \
	X(ERR_CLOSED,      -15, "closed by the other side")          \
	X(ERR_TOOLONG,     -16, "too long")
/* clang-format on */

enum err_code {
#define ERR_ENUM(name, value, text) name = (value),
	ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* A sentence for a person: names the place and what was expected. */
struct err_msg {
	char text[256];
};

/* The text of a code of this list; "unknown error" for any other. Never NULL. */
const char *err_text(int code);

/*
 * Writes a formatted sentence into msg (may be NULL) and returns code, so that
 * `return err_set(msg, ERR_RANGE, "...")` reads well.
 */
int err_set(struct err_msg *msg, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
