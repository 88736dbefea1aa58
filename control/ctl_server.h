/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: newline-delimited JSON, one request a line, rows streamed as the client reads them.
 * Commands are entries of one table (ctl_commands.c). Mode 0660, group byway; commands that change something
 * are root's. libevent, jansson; control's only thread.
 */
#ifndef BYWAY_CONTROL_CTL_SERVER_H
#define BYWAY_CONTROL_CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct daemon;
struct ctl_server;
struct ctl_request;

/* Listens on <run_dir>/control.sock. ERR_IO with a sentence. */
int ctl_server_new(struct daemon *d, const char *run_dir, struct ctl_server **out, struct err_msg *msg);
void ctl_server_free(struct ctl_server *s);

/* ---- for commands ---- */

struct ctl_command {
	const char *name;
	bool root; /* changes something */
	/* Answers at once, or sets more, or keeps the request for an answer that comes later. */
	void (*start)(struct ctl_request *q);
	const char *args[4]; /* names of the strings it takes; others are refused */
};
extern const struct ctl_command ctl_commands[];

struct ctl_request {
	struct daemon *daemon;
	json_t *args; /* an object, never NULL */
	/* Called whenever there is room for more rows, until the request ends; NULL: it waits for somebody
	 * else. */
	void (*more)(struct ctl_request *q);
	/* The client went away or the daemon ends: let go of what may still call back. May be NULL. */
	void (*cancel)(struct ctl_request *q);
	void *state;  /* of the command; freed with free() at the end */
	json_t *json; /* of the command; released at the end */
	struct ctl_client *client;
};

/* Text of an argument; NULL: not given. */
const char *ctl_arg(const struct ctl_request *q, const char *name);
/* Sends a row and takes the reference. */
void ctl_row(struct ctl_request *q, json_t *row);
/* False: the client has enough unread; return from more and be called again. */
bool ctl_has_room(const struct ctl_request *q);
/* Each ends the request, which must not be used any more. */
void ctl_done(struct ctl_request *q);
void ctl_fail(struct ctl_request *q, const char *code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "not-found" for ERR_NOENT and so on. */
const char *ctl_code(int err);

#endif
