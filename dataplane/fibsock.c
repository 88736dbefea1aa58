/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FIB socket: who may speak, the conversation of lib/fibmsg.h, queues towards a reader that is
 * slow. What is malformed is refused with a reason and the connection closed; what is well formed
 * and wrong is refused and the connection goes on. Slow thread only.
 */
#include "dataplane/fibsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/query.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define CONNS_MAX 4 /* control, and those that have not said HELLO */
#define READ_NS                                                                                              \
	(2 * NSEC_PER_MSEC) /* of one loop for control's datagrams; a last one may take as long again */
#define ROW_LEN	  8192	    /* bytes of rows in a datagram */
#define ROWS_LOOP 2000	    /* rows made in one loop */
#define QUEUE_MAX 4096	    /* datagrams that wait for a reader */
#define PROGRAM	  "byway-dataplane " BYWAY_VERSION

/* A datagram that waits until the socket takes it. */
struct outgoing {
	TAILQ_ENTRY(outgoing) link;
	size_t len;
	uint8_t bytes[];
};

struct conn {
	int fd; /* -1: the slot is free */
	bool greeted;
	uint32_t events; /* epoll's, as registered */
	TAILQ_HEAD(, outgoing) queue;
	unsigned queued;
	struct query queries[FIBMSG_WINDOW];
	unsigned n_queries; /* the first one is being answered */
	bool ending;	    /* closed once the queue is empty */
};

static struct conn conns[CONNS_MAX];
static struct conn *control; /* who said HELLO; NULL: nobody */
static struct store *objects;
static int listen_fd = -1;
static struct sockaddr_un address;
static unsigned control_uid, control_gid;
/* SYNC_END is answered when the sweep is done; until then control is not read, so that order holds. */
static bool sweeping;
static uint32_t sweep_seq;
static struct conn *sweep_for; /* who asked; NULL: is gone */

static void handle_conn(void *arg, uint32_t events);

/* --- connections --- */

static void conn_close(struct conn *c)
{
	struct outgoing *o;

	if (c->fd < 0)
		return;
	slow_unwatch(c->fd);
	close(c->fd);
	c->fd = -1;
	while ((o = TAILQ_FIRST(&c->queue))) {
		TAILQ_REMOVE(&c->queue, o, link);
		free(o);
	}
	if (c == sweep_for)
		sweep_for = NULL;
	if (c == control) {
		control = NULL;
		log_info("control is gone; forwarding goes on");
	}
}

/* What to wait for: input unless a sweep runs or it is ending, room for output when some waits. */
static void conn_watch(struct conn *c)
{
	uint32_t events = 0;

	if (!c->ending && !(sweeping && c == control))
		events |= EPOLLIN;
	if (c->queued)
		events |= EPOLLOUT;
	if (events != c->events && slow_watch(c->fd, events, handle_conn, c) == 0)
		c->events = events;
}

static void queue_datagram(struct conn *c, const uint8_t *bytes, size_t len)
{
	struct outgoing *o = c->queued < QUEUE_MAX ? malloc(sizeof(*o) + len) : NULL;

	if (!o) {
		log_warn("control does not read what it is told; closing its connection");
		c->ending = true;
		shutdown(c->fd, SHUT_RDWR);
		return;
	}
	o->len = len;
	memcpy(o->bytes, bytes, len);
	TAILQ_INSERT_TAIL(&c->queue, o, link);
	c->queued++;
}

static void conn_send(struct conn *c, const uint8_t *bytes, size_t len)
{
	if (c->queued == 0 && send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return;
	queue_datagram(c, bytes, len);
}

static void conn_flush(struct conn *c)
{
	struct outgoing *o;

	while ((o = TAILQ_FIRST(&c->queue))) {
		if (send(c->fd, o->bytes, o->len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)o->len) {
			if (errno != EAGAIN && errno != ENOBUFS)
				c->ending = true;
			return;
		}
		TAILQ_REMOVE(&c->queue, o, link);
		c->queued--;
		free(o);
	}
}

static void send_message(struct conn *c, uint32_t seq, const struct fibmsg *m)
{
	uint8_t bytes[2048];
	struct buf_writer w;
	struct err_msg msg;

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, seq, 0);
	if (fibmsg_append(&w, m, &msg)) {
		log_err("cannot say %s: %s", fibmsg_type_name(m->type), msg.text);
		return;
	}
	conn_send(c, bytes, buf_writer_len(&w));
}

static void send_ack(struct conn *c, const struct fibmsg_ack *ack)
{
	struct fibmsg m = {.type = FIBMSG_ACK};

	m.u.ack = *ack;
	send_message(c, ack->seq, &m);
}

static void send_result(struct conn *c, uint32_t seq, int rc, const struct err_msg *msg)
{
	struct fibmsg_ack ack = {.seq = seq, .code = (uint32_t)-rc};

	if (rc)
		snprintf(ack.text, sizeof(ack.text), "%s", msg->text);
	send_ack(c, &ack);
}

/* Refused with a reason; the connection ends once that is sent. */
static void conn_refuse(struct conn *c, uint32_t seq, int rc, const struct err_msg *msg)
{
	log_warn("FIB socket: refused: %s", msg->text);
	send_result(c, seq, rc, msg);
	c->ending = true;
}

void fibsock_send_event(const struct fibmsg *m)
{
	if (!control)
		return;
	send_message(control, 0, m);
	conn_watch(control);
}

/* --- the conversation --- */

static void take_hello(struct conn *c, uint32_t seq, const struct fibmsg *m)
{
	struct fibmsg reply = {.type = FIBMSG_HELLO_REPLY};
	struct err_msg msg;

	if (m->type != FIBMSG_HELLO) {
		err_set(&msg, ERR_PROTO, "HELLO was expected first");
		conn_refuse(c, seq, ERR_PROTO, &msg);
		return;
	}
	reply.u.hello_reply.version = FIBMSG_VERSION;
	reply.u.hello_reply.id_base = store_id_base(objects);
	reply.u.hello_reply.generation = store_generation(objects);
	snprintf(reply.u.hello_reply.program, sizeof(reply.u.hello_reply.program), "%s", PROGRAM);
	if (m->u.hello.version != FIBMSG_VERSION) {
		err_set(&msg, ERR_UNSUPPORTED, "version %u was said, %u is spoken here", m->u.hello.version,
		    FIBMSG_VERSION);
		send_message(c, seq, &reply);
		conn_refuse(c, seq, ERR_UNSUPPORTED, &msg);
		return;
	}
	if (control && control != c)
		conn_close(control);
	control = c;
	c->greeted = true;
	log_info("control is here: %s", m->u.hello.program);
	send_message(c, seq, &reply);
}

static void take_sync(struct conn *c, uint32_t seq, const struct fibmsg *m)
{
	struct err_msg msg = {""};
	int rc;

	if (m->type == FIBMSG_SYNC_BEGIN) {
		rc = store_sync_begin(objects, m->u.sync.generation, &msg);
		send_result(c, seq, rc, &msg);
		return;
	}
	rc = store_sync_end(objects, m->u.sync.generation, &msg);
	if (rc) {
		send_result(c, seq, rc, &msg);
		return;
	}
	sweeping = true;
	sweep_seq = seq;
	sweep_for = c;
}

static void take_query(struct conn *c, uint32_t seq, const struct fibmsg *m)
{
	struct fibmsg end = {.type = FIBMSG_END};
	struct err_msg msg = {""};
	int rc = ERR_FULL;

	if (c->n_queries < FIBMSG_WINDOW)
		rc = query_start(&c->queries[c->n_queries], seq, &m->u.query_msg, &msg);
	else
		err_set(&msg, rc, "more than %u queries at a time", FIBMSG_WINDOW);
	if (rc == 0) {
		c->n_queries++;
		return;
	}
	end.u.end.seq = seq;
	end.u.end.code = (uint32_t)-rc;
	snprintf(end.u.end.text, sizeof(end.u.end.text), "%s", msg.text);
	send_message(c, seq, &end);
}

/* HELLO, SYNC_x and QUERY stand alone; *alone says that this is such a datagram, decoded into m. */
static int read_alone(const uint8_t *bytes, size_t len, struct fibmsg_header *h, struct fibmsg *m,
    bool *alone, struct err_msg *msg)
{
	struct buf_reader r;
	int rc;

	buf_reader_init(&r, bytes, len);
	rc = fibmsg_read_header(&r, h, msg);
	if (rc)
		return rc;
	*alone = false;
	if (h->count != 1)
		return 0;
	rc = fibmsg_read(&r, m, msg);
	if (rc)
		return rc;
	*alone = m->type == FIBMSG_HELLO || m->type == FIBMSG_SYNC_BEGIN || m->type == FIBMSG_SYNC_END ||
		 m->type == FIBMSG_QUERY;
	if (*alone && buf_reader_left(&r))
		return err_set(msg, ERR_PROTO, "%zu bytes after the message", buf_reader_left(&r));
	return 0;
}

static void take_batch(struct conn *c, const uint8_t *bytes, size_t len)
{
	struct fibmsg_ack ack;
	int rc = store_apply_batch(objects, bytes, len, STORE_CONTROL, &ack);

	if (rc)
		log_warn("batch %u refused: message %u: %s", ack.seq, ack.index, ack.text);
	send_ack(c, &ack);
	if (rc == ERR_PROTO || rc == ERR_TRUNCATED)
		c->ending = true;
}

static void take_datagram(struct conn *c, const uint8_t *bytes, size_t len)
{
	struct fibmsg_header h = {0};
	struct err_msg msg = {""};
	struct fibmsg m = {0};
	bool alone = false;
	int rc = read_alone(bytes, len, &h, &m, &alone, &msg);

	if (rc)
		conn_refuse(c, h.seq, rc, &msg);
	else if (!c->greeted || m.type == FIBMSG_HELLO)
		take_hello(c, h.seq, &m);
	else if (alone && m.type == FIBMSG_QUERY)
		take_query(c, h.seq, &m);
	else if (alone)
		take_sync(c, h.seq, &m);
	else
		take_batch(c, bytes, len);
}

static void conn_read(struct conn *c)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	const uint64_t from_ns = nsec_monotonic();
	struct err_msg msg;

	while (!c->ending && !(sweeping && c == control) && nsec_monotonic() - from_ns < READ_NS) {
		ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_close(c);
			return;
		}
		if (n > (ssize_t)sizeof(bytes)) {
			err_set(&msg, ERR_TOOLONG, "datagram of %zd bytes, at most %zu are taken", n,
			    sizeof(bytes));
			conn_refuse(c, 0, ERR_TOOLONG, &msg);
			return;
		}
		take_datagram(c, bytes, (size_t)n);
		if (c->fd < 0)
			return;
	}
}

static void handle_conn(void *arg, uint32_t events)
{
	struct conn *c = arg;

	if (events & EPOLLOUT)
		conn_flush(c);
	if (events & EPOLLIN)
		conn_read(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_close(c);
	if (c->fd < 0)
		return;
	if (c->ending && c->queued == 0)
		conn_close(c);
	else
		conn_watch(c);
}

/* --- answers --- */

/* One datagram of rows, the END with the last; false: nothing came of this turn's budget. */
static void answer_some(struct conn *c)
{
	struct query *q = &c->queries[0];
	uint8_t bytes[ROW_LEN];
	struct fibmsg row;
	struct buf_writer w;
	int got = 0;

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, q->seq, 0);
	while (buf_writer_left(&w) > 2048) {
		got = query_next(q, objects, &row);
		if (got <= 0)
			break;
		if (fibmsg_append(&w, &row, NULL))
			log_err("cannot say %s", fibmsg_type_name(row.type));
	}
	if (got < 0) {
		memset(&row, 0, sizeof(row));
		row.type = FIBMSG_END;
		row.u.end.seq = q->seq;
		fibmsg_append(&w, &row, NULL);
		c->n_queries--;
		memmove(c->queries, c->queries + 1, c->n_queries * sizeof(c->queries[0]));
	}
	if (buf_writer_len(&w) > FIBMSG_HDR_LEN)
		conn_send(c, bytes, buf_writer_len(&w));
}

/* Rows as long as the socket takes them; true when there is more to do at once. */
static bool answer(struct conn *c)
{
	for (unsigned turn = 0; turn < 32 && c->n_queries && c->queued == 0; turn++)
		answer_some(c);
	conn_watch(c);
	return c->n_queries && c->queued == 0;
}

uint64_t fibsock_tick(uint64_t now_ns)
{
	bool more = false;

	if (sweeping) {
		struct err_msg none = {""};

		more = store_sweep(objects) != 0;
		sweeping = more;
		if (!more && sweep_for)
			send_result(sweep_for, sweep_seq, 0, &none);
		if (!more && control)
			conn_watch(control); /* read again */
	}
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		if (conns[i].fd >= 0 && conns[i].n_queries && !conns[i].ending)
			more |= answer(&conns[i]);
	}
	return more ? now_ns : UINT64_MAX;
}

/* --- listening --- */

static bool may_speak(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (cred.uid == 0 || cred.uid == geteuid() || (control_uid && cred.uid == control_uid) ||
	    (control_gid && cred.gid == control_gid))
		return true;
	log_warn("FIB socket: user %u may not speak here", cred.uid);
	return false;
}

static void handle_listen(void *arg, uint32_t events)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c = NULL;

	if (fd < 0)
		return;
	for (unsigned i = 0; i < CONNS_MAX && !c; i++) {
		if (conns[i].fd < 0)
			c = &conns[i];
	}
	if (!c || !may_speak(fd)) {
		close(fd);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	TAILQ_INIT(&c->queue);
	conn_watch(c);
	if (!c->events)
		conn_close(c);
}

/* A socket file that nobody answers on is left over from a process that was killed. */
static int remove_leftover(struct err_msg *msg)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return err_set(msg, ERR_IO, "socket: %s", strerror(errno));
	rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	if (rc == 0)
		return err_set(msg, ERR_BUSY, "%s: another dataplane answers there", address.sun_path);
	unlink(address.sun_path);
	return 0;
}

static int bind_socket(struct err_msg *msg)
{
	mode_t before = umask(0117); /* 0660 from the first moment */
	int rc;

	listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = listen_fd < 0 ? -1 : bind(listen_fd, (struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (rc < 0 || listen(listen_fd, 4) < 0)
		return err_set(msg, ERR_IO, "%s: %s", address.sun_path, strerror(errno));
	if ((control_uid || control_gid) &&
	    chown(address.sun_path, (uid_t)-1, control_gid ? control_gid : (gid_t)-1) < 0)
		log_warn("%s: %s", address.sun_path, strerror(errno));
	return 0;
}

int fibsock_start(const struct slow_config *config, struct store *store, struct err_msg *msg)
{
	int rc;

	for (unsigned i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	objects = store;
	control_uid = config->control_uid;
	control_gid = config->control_gid;
	if (mkdir(config->run_dir, 0755) < 0 && errno != EEXIST)
		return err_set(msg, ERR_IO, "%s: %s", config->run_dir, strerror(errno));
	address.sun_family = AF_UNIX;
	rc = snprintf(address.sun_path, sizeof(address.sun_path), "%s/fib.sock", config->run_dir);
	if (rc >= (int)sizeof(address.sun_path))
		return err_set(msg, ERR_TOOLONG, "%s: too long for a socket's path", config->run_dir);
	rc = remove_leftover(msg);
	if (!rc)
		rc = bind_socket(msg);
	return rc ? rc : slow_watch(listen_fd, EPOLLIN, handle_listen, NULL);
}

void fibsock_stop(void)
{
	if (!objects)
		return;
	for (unsigned i = 0; i < CONNS_MAX; i++)
		conn_close(&conns[i]);
	if (listen_fd >= 0) {
		slow_unwatch(listen_fd);
		close(listen_fd);
		unlink(address.sun_path);
	}
	listen_fd = -1;
	sweeping = false;
	objects = NULL;
}
