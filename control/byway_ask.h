/* SPDX-License-Identifier: BSD-3-Clause */
/* One request to the control socket, row by row. Part of the client. */
#ifndef BYWAY_CONTROL_BYWAY_ASK_H
#define BYWAY_CONTROL_BYWAY_ASK_H

#include <jansson.h>
#include <stdbool.h>

enum byway_exit {
	BYWAY_EXIT_OK = 0,
	BYWAY_EXIT_ERROR = 1, /* the daemon says no */
	BYWAY_EXIT_USAGE = 2,
	BYWAY_EXIT_UNREACHABLE = 3, /* no daemon, or it went away */
};

struct byway_ask {
	const char *socket_path;
	const char *command;
	json_t *args;			     /* borrowed; NULL: none */
	bool raw;			     /* lines go to stdout as they come, also the last one */
	void (*row)(void *arg, json_t *row); /* not with raw; row is borrowed */
	void *arg;
};

/* enum byway_exit. Complaints go to stderr as sentences. */
int byway_ask_run(const struct byway_ask *a);

#endif
