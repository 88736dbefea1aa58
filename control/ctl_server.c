/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of the control socket. A client has one request at a time; while it runs, nothing more is read
 * from it. Output is bounded: a command is asked for more rows only when the client took those before.
 * Control's only thread.
 */
#include "control/ctl_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/daemon.h"
#include "lib/ctl.h"
#include "lib/log.h"

#define MAX_CLIENTS 64
#define LOW_WATER   32768  /* bytes unsent: more rows are wanted below this */
#define HIGH_WATER  131072 /* and none above */

struct ctl_client {
	TAILQ_ENTRY(ctl_client) link;
	struct ctl_server *server;
	struct bufferevent *buffer;
	bool root;
	bool closing; /* nothing more is read; closed when all was sent */
	bool running; /* request is in use */
	struct ctl_request request;
	struct ctl_framer framer;
};

struct ctl_server {
	struct daemon *daemon;
	int fd;
	struct event *readable;
	unsigned n_clients;
	TAILQ_HEAD(, ctl_client) clients;
	char path[108];
};

static void read_requests(struct ctl_client *c);

static void end_request(struct ctl_client *c)
{
	json_decref(c->request.args);
	json_decref(c->request.json);
	free(c->request.state);
	memset(&c->request, 0, sizeof(c->request));
	c->running = false;
}

static void client_free(struct ctl_client *c)
{
	if (c->running) {
		if (c->request.cancel != NULL)
			c->request.cancel(&c->request);
		end_request(c);
	}
	TAILQ_REMOVE(&c->server->clients, c, link);
	c->server->n_clients--;
	bufferevent_free(c->buffer);
	free(c);
}

static void send_line(struct ctl_client *c, json_t *value)
{
	struct evbuffer *out = bufferevent_get_output(c->buffer);
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (text == NULL)
		abort();
	evbuffer_add(out, text, strlen(text));
	evbuffer_add(out, "\n", 1);
	free(text);
}

static json_t *error_value(const char *code, const char *message, const char *where)
{
	json_t *error = json_pack("{s:s, s:s}", "code", code, "message", message);

	if (error == NULL) /* the message is not UTF-8: it quotes what a client sent */
		error = json_pack("{s:s, s:s}", "code", code, "message", "not text");
	if (where != NULL)
		json_object_set_new(error, "where", json_string(where));
	return json_pack("{s:o}", "error", error);
}

const char *ctl_arg(const struct ctl_request *q, const char *name)
{
	return json_string_value(json_object_get(q->args, name));
}

void ctl_row(struct ctl_request *q, json_t *row)
{
	if (row == NULL)
		abort();
	send_line(q->client, row);
}

bool ctl_has_room(const struct ctl_request *q)
{
	return evbuffer_get_length(bufferevent_get_output(q->client->buffer)) < HIGH_WATER;
}

static void finish(struct ctl_client *c, json_t *last)
{
	end_request(c);
	send_line(c, last);
	if (!c->closing)
		bufferevent_enable(c->buffer, EV_READ);
}

void ctl_done(struct ctl_request *q)
{
	finish(q->client, json_pack("{s:b}", "ok", 1));
}

void ctl_fail(struct ctl_request *q, const char *code, const char *where, const char *fmt, ...)
{
	char message[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	finish(q->client, error_value(code, message, where));
}

const char *ctl_code(int err)
{
	static const struct {
		int err;
		const char *code;
	} codes[] = {{ERR_NOENT, "not-found"}, {ERR_CLOSED, "no-dataplane"}, {ERR_FULL, "full"},
	    {ERR_PERM, "not-permitted"}, {ERR_BUSY, "busy"}, {ERR_EXISTS, "exists"}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].err == err)
			return codes[i].code;
	}
	return "invalid";
}

static void refuse(struct ctl_client *c, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct ctl_client *c, const char *code, const char *fmt, ...)
{
	char message[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	send_line(c, error_value(code, message, NULL));
}

/* An argument that the command does not take, or that is no text; NULL: all are good. */
static const char *bad_argument(const struct ctl_command *command, json_t *args)
{
	const char *key;
	json_t *value;

	json_object_foreach (args, key, value) {
		bool known = false;

		for (size_t i = 0; i < sizeof(command->args) / sizeof(command->args[0]); i++)
			known |= command->args[i] != NULL && strcmp(command->args[i], key) == 0;
		if (!known || !json_is_string(value))
			return key;
	}
	return NULL;
}

static void start_request(struct ctl_client *c, const struct ctl_command *command, json_t *args)
{
	const char *bad = args != NULL ? bad_argument(command, args) : NULL;

	if (bad != NULL) {
		refuse(
		    c, "usage", "%s does not take the argument %.60s, or it is no text", command->name, bad);
		return;
	}
	if (command->root && !c->root) {
		refuse(c, "not-permitted", "%s changes the router; only root may do that", command->name);
		return;
	}
	bufferevent_disable(c->buffer, EV_READ);
	c->request.daemon = c->server->daemon;
	c->request.client = c;
	c->request.args = args != NULL ? json_incref(args) : json_object();
	c->running = true;
	command->start(&c->request);
	if (c->running && c->request.more != NULL)
		c->request.more(&c->request);
}

static void handle_line(struct ctl_client *c, const char *line)
{
	json_error_t error;
	json_t *request = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	json_t *args = json_object_get(request, "args");
	const char *name = json_string_value(json_object_get(request, "command"));
	const struct ctl_command *command = ctl_commands;

	if (request == NULL || name == NULL || (args != NULL && !json_is_object(args))) {
		refuse(
		    c, "usage", "not a request; expected {\"command\":\"...\",\"args\":{...}} in one line");
		json_decref(request);
		return;
	}
	while (command->name != NULL && strcmp(command->name, name) != 0)
		command++;
	if (command->name == NULL)
		refuse(c, "usage", "there is no command %.60s", name);
	else
		start_request(c, command, args);
	json_decref(request);
}

static void read_requests(struct ctl_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->buffer);

	while (!c->running && !c->closing && evbuffer_get_length(in) > 0) {
		const size_t len = evbuffer_get_contiguous_space(in);
		const char *line = NULL;
		struct err_msg msg;
		size_t used = 0;

		if (ctl_feed(&c->framer, evbuffer_pullup(in, (ev_ssize_t)len), len, &used, &line, &msg) !=
		    0) {
			refuse(c, "usage", "%s", msg.text);
			c->closing = true;
			bufferevent_disable(c->buffer, EV_READ);
			evbuffer_drain(in, evbuffer_get_length(in));
			return;
		}
		evbuffer_drain(in, used);
		if (line != NULL && line[0] != '\0')
			handle_line(c, line);
	}
}

static void on_readable(struct bufferevent *buffer, void *arg)
{
	read_requests(arg);
}

/* The output fell below LOW_WATER. */
static void on_drained(struct bufferevent *buffer, void *arg)
{
	struct ctl_client *c = arg;

	if (c->running && c->request.more != NULL)
		c->request.more(&c->request);
	if (!c->running)
		read_requests(c);
	if (c->closing && evbuffer_get_length(bufferevent_get_output(buffer)) == 0)
		client_free(c);
}

static void on_gone(struct bufferevent *buffer, short what, void *arg)
{
	struct ctl_client *c = arg;

	/* A client may close its sending side and still read. */
	if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0 &&
	    (c->running || evbuffer_get_length(bufferevent_get_output(buffer)) > 0)) {
		c->closing = true;
		return;
	}
	client_free(c);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct ctl_server *s = arg;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct ctl_client *c;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (s->n_clients >= MAX_CLIENTS || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->server = s;
	c->root = peer.uid == 0;
	ctl_init(&c->framer);
	c->buffer =
	    bufferevent_socket_new(s->daemon->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (c->buffer == NULL)
		abort();
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->n_clients++;
	bufferevent_setcb(c->buffer, on_readable, on_drained, on_gone, c);
	bufferevent_setwatermark(c->buffer, EV_WRITE, LOW_WATER, 0);
	bufferevent_setwatermark(c->buffer, EV_READ, 0, CTL_LINE_MAX);
	bufferevent_enable(c->buffer, EV_READ | EV_WRITE);
}

/* The group may read what is shown; without such a group the socket is its owner's. */
static void set_mode(const char *path)
{
	const struct group *group = getgrnam("byway");

	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) < 0)
		log_warn("%s cannot be given to the group byway: %s", path, strerror(errno));
	if (chmod(path, group != NULL ? 0660 : 0600) < 0)
		log_warn("%s: mode cannot be set: %s", path, strerror(errno));
}

int ctl_server_new(struct daemon *d, const char *run_dir, struct ctl_server **out, struct err_msg *msg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ctl_server *s = calloc(1, sizeof(*s));
	mode_t mask;

	if (s == NULL)
		abort();
	s->daemon = d;
	TAILQ_INIT(&s->clients);
	if ((size_t)snprintf(s->path, sizeof(s->path), "%s/control.sock", run_dir) >= sizeof(s->path)) {
		free(s);
		return err_set(
		    msg, ERR_TOOLONG, "%s/control.sock: longer than a socket's path may be", run_dir);
	}
	memcpy(address.sun_path, s->path, sizeof(s->path));
	unlink(s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(s->fd, 16) < 0) {
		err_set(msg, ERR_IO, "cannot listen on %s: %s", s->path, strerror(errno));
		umask(mask);
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return ERR_IO;
	}
	umask(mask);
	set_mode(s->path);
	s->readable = event_new(d->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	if (s->readable == NULL)
		abort();
	event_add(s->readable, NULL);
	*out = s;
	return 0;
}

void ctl_server_free(struct ctl_server *s)
{
	struct ctl_client *c;

	if (s == NULL)
		return;
	while ((c = TAILQ_FIRST(&s->clients)) != NULL)
		client_free(c);
	event_free(s->readable);
	close(s->fd);
	unlink(s->path);
	free(s);
}
