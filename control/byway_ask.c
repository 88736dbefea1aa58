/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's side of the control socket. */
#include "control/byway_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static FILE *open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	FILE *stream;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "byway: %s: longer than a socket's path may be\n", path);
		return NULL;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		const char *why = errno == EACCES ? "you may not; be root or in the group byway"
				  : errno == ENOENT || errno == ECONNREFUSED
				      ? "byway-control does not run here"
				      : strerror(errno);

		fprintf(stderr, "byway: cannot reach the daemon at %s: %s\n", path, why);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	stream = fdopen(fd, "r+");
	if (stream == NULL)
		close(fd);
	return stream;
}

static int send_request(const struct byway_ask *a, FILE *stream)
{
	json_t *request = json_pack("{s:s}", "command", a->command);
	char *text;
	int rc;

	if (a->args != NULL)
		json_object_set(request, "args", a->args);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text == NULL) /* an argument that is not UTF-8 */
		return -1;
	rc = fprintf(stream, "%s\n", text);
	free(text);
	return rc > 0 && fflush(stream) == 0 ? 0 : -1;
}

/* -1: it was a row, more follows; else the exit status. */
static int take_line(const struct byway_ask *a, const char *line)
{
	json_t *value = json_loads(line, 0, NULL);
	json_t *error = json_object_get(value, "error");
	const char *where = json_string_value(json_object_get(error, "where"));
	const char *message = json_string_value(json_object_get(error, "message"));
	int status = -1;

	if (a->raw)
		fputs(line, stdout);
	if (value == NULL) {
		fprintf(stderr, "byway: the daemon said something that is no JSON\n");
		status = BYWAY_EXIT_ERROR;
	} else if (error != NULL) {
		if (!a->raw)
			fprintf(stderr, "byway: %s%s%s\n", where != NULL ? where : "",
			    where != NULL ? ": " : "",
			    message != NULL ? message : "the daemon refuses without a reason");
		status = BYWAY_EXIT_ERROR;
	} else if (json_is_true(json_object_get(value, "ok"))) {
		status = BYWAY_EXIT_OK;
	} else if (!a->raw && a->row != NULL) {
		a->row(a->arg, value);
	}
	json_decref(value);
	return status;
}

int byway_ask_run(const struct byway_ask *a)
{
	FILE *stream = open_socket(a->socket_path);
	char *line = NULL;
	size_t size = 0;
	int status = -1;

	if (stream == NULL)
		return BYWAY_EXIT_UNREACHABLE;
	if (send_request(a, stream) == 0) {
		while (status < 0 && getline(&line, &size, stream) > 0)
			status = take_line(a, line);
	}
	if (status < 0) {
		fprintf(stderr, "byway: the daemon closed the connection before it was done\n");
		status = BYWAY_EXIT_UNREACHABLE;
	}
	free(line);
	fclose(stream);
	return status;
}
