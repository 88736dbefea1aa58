/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts of the error codes, and the one function that writes a sentence.
 * Pure; any thread.
 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_text(int code)
{
	switch (code) {
	case 0:
		return "no error";
#define ERR_CASE(name, value, text)                                                                          \
	case name:                                                                                           \
		return text;
		ERR_LIST(ERR_CASE)
#undef ERR_CASE
	}
	return "unknown error";
}

int err_set(struct err_msg *msg, int code, const char *fmt, ...)
{
	va_list args;

	if (!msg)
		return code;
	va_start(args, fmt);
	vsnprintf(msg->text, sizeof(msg->text), fmt, args);
	va_end(args);
	return code;
}
