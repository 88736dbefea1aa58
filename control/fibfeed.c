/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FIB feed's connection: connecting, sync, batches in flight, answers and events. libevent; control's
 * only thread.
 */
#include "control/fibfeed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/fibfeed_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define PAUSE_MIN_MS	 100
#define PAUSE_MAX_MS	 2000
#define RETRY_REFUSED_MS 10000
#define MAX_RECEIVED	 64 /* datagrams a turn, so that BGP's timers are never late */

static void arm(struct event *e, unsigned ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(e, &tv);
}

static void disconnect(struct fibfeed *f, const char *why)
{
	const bool was_connected = fibfeed_is_connected(f);
	struct fibfeed_flight *flight;

	if (f->fd < 0)
		return;
	event_del(f->readable);
	event_del(f->writable);
	event_free(f->readable);
	event_free(f->writable);
	event_del(f->retry_refused);
	close(f->fd);
	f->fd = -1;
	f->phase = FIBFEED_OFF;
	f->blocked = false;
	f->has_stashed = false;
	snprintf(f->state, sizeof(f->state), "not connected: %s", why);
	while ((flight = TAILQ_FIRST(&f->flights)) != NULL) {
		TAILQ_REMOVE(&f->flights, flight, link);
		if (flight->done != NULL)
			flight->done(flight->arg, ERR_CLOSED, "the dataplane closed the connection");
		free(flight);
	}
	f->n_flights = 0;
	fibfeed_query_fail_all(f, "the dataplane closed the connection");
	if (was_connected) {
		log_warn("dataplane: %s; it is tried again", why);
		f->env.disconnected(f->env.arg);
	}
	arm(f->retry_connect, f->pause_ms);
}

int fibfeed_send(struct fibfeed *f, const void *data, size_t len)
{
	for (;;) {
		if (send(f->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			f->blocked = true;
			event_add(f->writable, NULL);
			return ERR_AGAIN;
		}
		return ERR_CLOSED; /* the reader notices */
	}
}

struct fibfeed_flight *fibfeed_keep_flight(
    struct fibfeed *f, uint32_t seq, const void *data, size_t len, fibfeed_done_fn done, void *arg)
{
	struct fibfeed_flight *flight = calloc(1, sizeof(*flight) + len);

	if (flight == NULL)
		abort();
	flight->seq = seq;
	flight->done = done;
	flight->arg = arg;
	flight->len = len;
	memcpy(flight->bytes, data, len);
	TAILQ_INSERT_TAIL(&f->flights, flight, link);
	f->n_flights++;
	return flight;
}

/* A datagram of one message that carries no object and is not answered by an ACK. */
static int send_single(struct fibfeed *f, const struct fibmsg *m)
{
	struct buf_writer w;
	uint8_t bytes[512];

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, ++f->seq, 0);
	if (fibmsg_append(&w, m, NULL) != 0)
		return ERR_INVALID;
	return fibfeed_send(f, bytes, buf_writer_len(&w));
}

static void begin_sync(struct fibfeed *f, uint32_t id_base, bool renumber)
{
	struct fibmsg m = {.type = FIBMSG_SYNC_BEGIN};
	struct fibfeed_flight *flight;

	/* Nanoseconds since 1970 differ from any earlier run's choice, too. */
	f->generation = nsec_realtime() > f->generation ? nsec_realtime() : f->generation + 1;
	m.u.sync.generation = f->generation;
	f->has_stashed = false;
	TAILQ_FOREACH (flight, &f->flights, link)
		flight->stale = flight->done == NULL;
	fibfeed_objects_forget_sent(f);
	rib_forget_sent(f->rib, id_base, renumber);
	f->phase = FIBFEED_SYNCING;
	snprintf(f->state, sizeof(f->state), "syncing");
	if (send_single(f, &m) != 0)
		disconnect(f, "it does not read");
}

/* In the order of the contract: objects, next hops, groups, routes; then removals in reverse. */
static bool next_message(struct fibfeed *f, struct fibmsg *m, bool *alone, bool *is_set)
{
	*alone = *is_set = false;
	if (f->has_stashed) {
		*m = f->stashed;
		f->has_stashed = false;
		return true;
	}
	*is_set = fibfeed_objects_next_set(f, m, alone);
	return *is_set || rib_next_message(f->rib, m) || fibfeed_objects_next_del(f, m);
}

/* For the next datagram. Objects may be others by then; what the RIB and DELs say was taken from their lists.
 */
static void put_back(struct fibfeed *f, const struct fibmsg *m, bool is_set)
{
	if (is_set) {
		fibfeed_objects_unget(f);
		return;
	}
	f->stashed = *m;
	f->has_stashed = true;
}

/* Bytes of the next datagram in f->buffer; 0: there is nothing to say. */
static size_t build_batch(struct fibfeed *f)
{
	struct buf_writer w;
	struct fibmsg m;
	struct err_msg msg;
	unsigned count = 0;
	bool alone, is_set;

	buf_writer_init(&w, f->buffer, FIBFEED_BATCH_LEN);
	fibmsg_begin(&w, f->seq + 1, 0);
	while (next_message(f, &m, &alone, &is_set)) {
		int rc;

		if (alone && count > 0) {
			put_back(f, &m, is_set);
			break;
		}
		rc = fibmsg_append(&w, &m, &msg);
		if (rc == ERR_FULL) {
			put_back(f, &m, is_set);
			break;
		}
		if (rc != 0) {
			char text[200];

			log_err("cannot be said to the dataplane: %s: %s",
			    fibmsg_format(&m, text, sizeof(text)), msg.text);
			continue;
		}
		count++;
		if (alone)
			break;
	}
	return count > 0 ? buf_writer_len(&w) : 0;
}

static void end_sync(struct fibfeed *f)
{
	struct fibmsg m = {.type = FIBMSG_SYNC_END};

	if (f->phase != FIBFEED_SYNCING || f->n_flights > 0 || f->blocked || rib_has_messages(f->rib))
		return;
	if (!f->env.may_sweep(f->env.arg))
		return;
	m.u.sync.generation = f->generation;
	if (send_single(f, &m) != 0)
		return;
	f->phase = FIBFEED_LIVE;
	snprintf(f->state, sizeof(f->state), "in sync");
	log_info("dataplane is in sync");
}

void fibfeed_kick(struct fibfeed *f)
{
	struct fibfeed_flight *flight;
	size_t len;
	int rc;

	if (!fibfeed_is_connected(f))
		return;
	while (!f->blocked && f->n_flights < FIBMSG_WINDOW) {
		len = build_batch(f);
		if (len == 0)
			break;
		rc = fibfeed_send(f, f->buffer, len);
		if (rc == ERR_CLOSED) {
			disconnect(f, "it closed the connection");
			return;
		}
		/* What was taken from the sets is in the flight now, sent or not. */
		flight = fibfeed_keep_flight(f, ++f->seq, f->buffer, len, NULL, NULL);
		flight->unsent = rc == ERR_AGAIN;
	}
	end_sync(f);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct fibfeed *f = arg;
	struct fibfeed_flight *flight;

	f->blocked = false;
	TAILQ_FOREACH (flight, &f->flights, link) {
		if (!flight->unsent)
			continue;
		if (fibfeed_send(f, flight->bytes, flight->len) != 0)
			return;
		flight->unsent = false;
	}
	fibfeed_kick(f);
}

/* The index-th message of a datagram, and how many there are. */
static int read_message(
    const struct fibfeed_flight *flight, unsigned index, struct fibmsg *m, unsigned *count)
{
	struct fibmsg_header h;
	struct buf_reader r;
	int rc;

	buf_reader_init(&r, flight->bytes, flight->len);
	rc = fibmsg_read_header(&r, &h, NULL);
	if (rc == 0 && index >= h.count)
		rc = ERR_RANGE;
	for (unsigned i = 0; i <= index && rc == 0; i++)
		rc = fibmsg_read(&r, m, NULL);
	if (rc == 0)
		*count = h.count;
	return rc;
}

static void on_accepted(struct fibfeed *f, const struct fibfeed_flight *flight)
{
	struct fibmsg m;
	unsigned count;

	if (read_message(flight, 0, &m, &count) != 0 || count != 1 || !fibfeed_objects_accept(f, &m))
		return;
	/* What needed it may go now. */
	f->next_object = 0;
	rib_resolve_all(f->rib);
	if (rib_retry_refused(f->rib))
		begin_sync(f, 0, false);
}

static void on_refused(struct fibfeed *f, const struct fibfeed_flight *flight, const struct fibmsg_ack *ack)
{
	struct fibmsg m;
	unsigned count;
	char text[300];

	if (read_message(flight, ack->index, &m, &count) != 0) {
		log_err("dataplane refused a batch and names message %u, which is not in it: %s", ack->index,
		    ack->text);
		disconnect(f, "it and control do not understand each other");
		return;
	}
	if (fibfeed_objects_refuse(f, &m, ack->text)) {
		arm(f->retry_refused, RETRY_REFUSED_MS);
		rib_resolve_all(f->rib);
		if (count == 1)
			return; /* nothing else was refused with it */
	} else {
		log_err("dataplane refused %s: %s", fibmsg_format(&m, text, sizeof(text)), ack->text);
		rib_refuse(f->rib, &m, ack->text);
		rib_resolve_all(f->rib);
	}
	begin_sync(f, 0, false);
}

static void on_ack(struct fibfeed *f, const struct fibmsg_ack *ack)
{
	const int code = -(int)ack->code;
	struct fibfeed_flight *flight;

	TAILQ_FOREACH (flight, &f->flights, link) {
		if (flight->seq == ack->seq)
			break;
	}
	if (flight == NULL) {
		if (code != 0) /* of a sync, which carries no objects */
			disconnect(f, ack->text);
		return;
	}
	TAILQ_REMOVE(&f->flights, flight, link);
	f->n_flights--;
	if (flight->done != NULL)
		flight->done(flight->arg, code, ack->text);
	else if (code == 0 && !flight->stale)
		on_accepted(f, flight);
	else if (code != 0 && !flight->stale)
		on_refused(f, flight, ack);
	free(flight);
}

static void on_hello_reply(struct fibfeed *f, const struct fibmsg_hello_reply *reply)
{
	char why[120];
	bool other;

	if (reply->version != FIBMSG_VERSION) {
		snprintf(why, sizeof(why), "it (%s) speaks version %u of the contract, expected %u",
		    reply->program, reply->version, FIBMSG_VERSION);
		log_err("dataplane: %s", why);
		f->pause_ms = PAUSE_MAX_MS;
		disconnect(f, why);
		return;
	}
	log_info("dataplane %s answers, %s", reply->program,
	    reply->generation != 0 ? "it forwards what it was told before" : "it is empty");
	f->pause_ms = PAUSE_MIN_MS;
	f->complained = false;
	f->phase = FIBFEED_SYNCING;
	f->env.connected(f->env.arg, reply->generation != 0);
	/* What it holds is what this process told it: then the ids still mean the same. */
	other = f->generation == 0 || reply->generation != f->generation;
	if (other)
		fibfeed_objects_forget_held(f);
	begin_sync(f, reply->id_base, other);
}

static void on_message(struct fibfeed *f, uint32_t seq, const struct fibmsg *m)
{
	if (m->type == FIBMSG_HELLO_REPLY && f->phase == FIBFEED_HELLO)
		on_hello_reply(f, &m->u.hello_reply);
	else if (m->type == FIBMSG_ACK)
		on_ack(f, &m->u.ack);
	else if (m->type == FIBMSG_END)
		fibfeed_query_end(f, &m->u.end);
	else if (m->type >= FIBMSG_ROW_PORT && m->type < FIBMSG_EV_LINK)
		fibfeed_query_row(f, seq, m);
	else if (m->type >= FIBMSG_EV_LINK)
		f->env.event(f->env.arg, m);
	else
		log_warn("dataplane sent %s, which is not expected", fibmsg_type_name(m->type));
}

static int on_datagram(struct fibfeed *f, const uint8_t *data, size_t len)
{
	struct fibmsg_header h = {0};
	struct buf_reader r;
	struct err_msg msg;
	struct fibmsg m;
	int rc;

	buf_reader_init(&r, data, len);
	rc = fibmsg_read_header(&r, &h, &msg);
	for (unsigned i = 0; i < h.count && rc == 0; i++) {
		rc = fibmsg_read(&r, &m, &msg);
		if (rc == 0)
			on_message(f, h.seq, &m);
		if (f->fd < 0)
			return 0;
	}
	if (rc != 0)
		disconnect(f, msg.text);
	return rc;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct fibfeed *f = arg;
	static uint8_t data[FIBMSG_MAX_LEN]; /* one thread */

	for (unsigned i = 0; i < MAX_RECEIVED && f->fd >= 0; i++) {
		const ssize_t len = recv(f->fd, data, sizeof(data), MSG_DONTWAIT);

		if (len > 0) {
			if (on_datagram(f, data, (size_t)len) != 0)
				return;
			continue;
		}
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		disconnect(f, len == 0 ? "it closed the connection" : strerror(errno));
		return;
	}
	fibfeed_kick(f);
}

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		const int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void say_hello(struct fibfeed *f)
{
	struct fibmsg m = {.type = FIBMSG_HELLO};

	m.u.hello.version = FIBMSG_VERSION;
	snprintf(m.u.hello.program, sizeof(m.u.hello.program), "byway-control %s", BYWAY_VERSION);
	f->phase = FIBFEED_HELLO;
	snprintf(f->state, sizeof(f->state), "connecting");
	if (send_single(f, &m) != 0)
		disconnect(f, "it does not read");
}

static void try_connect(evutil_socket_t unused, short what, void *arg)
{
	struct fibfeed *f = arg;

	f->fd = open_socket(f->path);
	if (f->fd < 0) {
		snprintf(f->state, sizeof(f->state), "not connected: %.100s: %s", f->path, strerror(errno));
		if (!f->complained)
			log_warn("dataplane is not there yet (%s: %s); it is tried again until it is",
			    f->path, strerror(errno));
		f->complained = true;
		f->pause_ms = f->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : f->pause_ms * 2;
		arm(f->retry_connect, f->pause_ms);
		return;
	}
	f->readable = event_new(f->base, f->fd, EV_READ | EV_PERSIST, on_readable, f);
	f->writable = event_new(f->base, f->fd, EV_WRITE, on_writable, f);
	if (f->readable == NULL || f->writable == NULL)
		abort();
	event_add(f->readable, NULL);
	say_hello(f);
}

static void retry_refused(evutil_socket_t unused, short what, void *arg)
{
	struct fibfeed *f = arg;

	fibfeed_objects_retry(f);
	fibfeed_kick(f);
}

struct fibfeed *fibfeed_new(
    struct event_base *base, const char *path, struct rib *rib, const struct fibfeed_env *env)
{
	struct fibfeed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	f->base = base;
	f->path = path;
	f->rib = rib;
	f->env = *env;
	f->fd = -1;
	f->pause_ms = PAUSE_MIN_MS;
	TAILQ_INIT(&f->flights);
	TAILQ_INIT(&f->queries);
	snprintf(f->state, sizeof(f->state), "not connected yet");
	f->retry_connect = event_new(base, -1, 0, try_connect, f);
	f->retry_refused = event_new(base, -1, 0, retry_refused, f);
	if (f->retry_connect == NULL || f->retry_refused == NULL)
		abort();
	arm(f->retry_connect, 0);
	return f;
}

void fibfeed_free(struct fibfeed *f)
{
	if (f == NULL)
		return;
	disconnect(f, "control ends");
	event_free(f->retry_connect);
	event_free(f->retry_refused);
	fibfeed_objects_free(f);
	free(f);
}

bool fibfeed_is_settled(const struct fibfeed *f)
{
	return f->phase == FIBFEED_LIVE && f->n_flights == 0 && !f->has_stashed && !rib_has_messages(f->rib);
}

const char *fibfeed_state_text(const struct fibfeed *f)
{
	return f->state;
}
