/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UAPI sockets in /var/run/wireguard by which stock `wg` sees and sets our tunnels: one listening socket
 * a tunnel, many clients each, none of whom the slow thread waits for. Answers are private to root:
 * they say the private key, as stock implementations do. Slow thread only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"
#include "lib/wg_uapi.h"

#define DIRECTORY "/var/run/wireguard"
#define BACKLOG	  16
#define READ_LEN  4096
#define CLIENTS	  64 /* at once, each tunnel */

struct client {
	LIST_ENTRY(client) link;
	struct uapi *server;
	int fd;
	char *in;
	size_t in_len, in_room;
	char *out;
	size_t out_len, out_at;
};

struct uapi {
	struct tunnel *tunnel;
	int fd, spare; /* listens; is given up for a moment when there is no descriptor left */
	unsigned n_clients;
	struct sockaddr_un addr;
	LIST_HEAD(, client) clients;
};

static void close_client(struct client *c)
{
	slow_unwatch(c->fd);
	close(c->fd);
	LIST_REMOVE(c, link);
	c->server->n_clients--;
	if (c->in)
		crypto_wipe(c->in, c->in_room);
	if (c->out)
		crypto_wipe(c->out, c->out_len);
	free(c->in);
	free(c->out);
	free(c);
}

static size_t answer_room(const struct tunnel *t)
{
	size_t room = WG_UAPI_DEVICE_ROOM + WG_UAPI_END_ROOM;

	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->tunnel == t)
			room += WG_UAPI_PEER_ROOM + (p->n_allowed + 2) * WG_UAPI_ALLOWED_IP_ROOM;
	}
	return room;
}

static void write_peer(struct buf_writer *w, const struct tunnel_peer *p)
{
	static const struct ip_prefix any4 = {.addr = {.family = IP_V4}}, any6 = {.addr = {.family = IP_V6}};
	struct wg_uapi_peer_state s = {
	    .endpoint = p->remote,
	    .handshake_realtime_ns = p->handshake_realtime_ns,
	    .rx_bytes = atomic_load_explicit(&p->rx_bytes, memory_order_relaxed),
	    .tx_bytes = atomic_load_explicit(&p->tx_bytes, memory_order_relaxed),
	    .keepalive_s = (uint16_t)(p->timers.persistent_ns / NSEC_PER_SEC),
	};

	memcpy(s.public_key, p->noise.public_key, sizeof(s.public_key));
	memcpy(s.preshared_key, p->noise.preshared_key, sizeof(s.preshared_key));
	wg_uapi_write_peer(w, &s);
	crypto_wipe(&s, sizeof(s));
	for (size_t i = 0; i < p->n_allowed; i++)
		wg_uapi_write_allowed_ip(w, &p->allowed[i]);
	if (atomic_load_explicit(&p->any, memory_order_relaxed)) {
		wg_uapi_write_allowed_ip(w, &any4);
		wg_uapi_write_allowed_ip(w, &any6);
	}
}

static void write_tunnel(struct buf_writer *w, const struct tunnel *t)
{
	struct wg_uapi_device d = {.listen_port = t->port, .fwmark = t->config.fwmark};

	if (!t->keyless)
		memcpy(d.private_key, t->identity.private_key, sizeof(d.private_key));
	wg_uapi_write_device(w, &d);
	crypto_wipe(&d, sizeof(d));
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->tunnel == t)
			write_peer(w, p);
	}
}

char *uapi_answer(struct tunnel *t, const char *text, size_t len, size_t *answer_len)
{
	struct wg_uapi_request r = {0};
	int err = wg_uapi_parse_request(text, len, &r);
	enum wg_uapi_kind kind = len >= 4 && memcmp(text, "set=", 4) == 0 ? WG_UAPI_SET : WG_UAPI_GET;
	size_t room = answer_room(t);
	char *answer = malloc(room);
	struct buf_writer w;

	if (answer) {
		buf_writer_init(&w, answer, room);
		if (!err && kind == WG_UAPI_GET)
			write_tunnel(&w, t);
		else if (!err)
			err = uapi_set(t, &r);
		wg_uapi_write_end(&w, kind, err);
		*answer_len = buf_writer_len(&w);
	}
	wg_uapi_free_request(&r);
	return answer;
}

/* False: memory is short. */
static bool answer_request(struct client *c, const char *text, size_t len)
{
	c->out = uapi_answer(c->server->tunnel, text, len, &c->out_len);
	c->out_at = 0;
	return c->out != NULL;
}

/* Sends what is left of the answer. False: the client is gone. */
static bool send_answer(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		c->out_at += (size_t)n;
	}
	crypto_wipe(c->out, c->out_len);
	free(c->out);
	c->out = NULL;
	return true;
}

/* Answers requests until one answer does not go out whole or no request is whole. False: end the client. */
static bool serve(struct client *c)
{
	size_t used;

	if (c->out && !send_answer(c))
		return false;
	while (!c->out && wg_uapi_find_end(c->in, c->in_len, &used)) {
		if (!answer_request(c, c->in, used))
			return false;
		c->in_len -= used;
		memmove(c->in, c->in + used, c->in_len);
		if (!send_answer(c))
			return false;
	}
	return true;
}

static bool grow_input(struct client *c)
{
	size_t room = c->in_room ? c->in_room * 2 : READ_LEN;
	char *more;

	if (c->in_len < c->in_room)
		return true;
	more = room <= WG_UAPI_REQUEST_MAX ? malloc(room) : NULL;
	if (!more)
		return false;
	if (c->in) {
		memcpy(more, c->in, c->in_len);
		crypto_wipe(c->in, c->in_room);
		free(c->in);
	}
	c->in = more;
	c->in_room = room;
	return true;
}

/* False: end of file or error. */
static bool read_input(struct client *c)
{
	ssize_t n;

	if (!grow_input(c))
		return false;
	n = recv(c->fd, c->in + c->in_len, c->in_room - c->in_len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += (size_t)n;
	return n > 0;
}

static void on_client(void *arg, uint32_t events)
{
	struct client *c = arg;
	bool had_answer = c->out != NULL;

	if ((events & EPOLLIN && !had_answer && !read_input(c)) || events & (EPOLLERR | EPOLLHUP) ||
	    !serve(c)) {
		close_client(c);
		return;
	}
	/* While an answer waits for room nothing more is read. */
	if (had_answer != (c->out != NULL) && slow_watch(c->fd, c->out ? EPOLLOUT : EPOLLIN, on_client, c))
		close_client(c);
}

/* The next client is sent away, so that its waiting does not wake the loop again and again. */
static void refuse(struct uapi *u)
{
	int fd;

	if (u->spare >= 0)
		close(u->spare);
	fd = accept4(u->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	u->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connect(void *arg, uint32_t events)
{
	struct uapi *u = arg;
	int fd = u->n_clients < CLIENTS ? accept4(u->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
	struct client *c = fd >= 0 ? calloc(1, sizeof(*c)) : NULL;

	if (u->n_clients >= CLIENTS || (fd < 0 && (errno == EMFILE || errno == ENFILE))) {
		refuse(u);
		return;
	}

	if (!c || slow_watch(fd, EPOLLIN, on_client, c)) {
		if (fd >= 0)
			close(fd);
		free(c);
		return;
	}
	c->fd = fd;
	c->server = u;
	LIST_INSERT_HEAD(&u->clients, c, link);
	u->n_clients++;
}

static int listen_at(struct uapi *u, const char *name)
{
	mode_t mask;
	int err;

	u->addr.sun_family = AF_UNIX;
	snprintf(u->addr.sun_path, sizeof(u->addr.sun_path), DIRECTORY "/%s.sock", name);
	if (mkdir(DIRECTORY, 0700) && errno != EEXIST)
		return -1;
	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return -1;
	unlink(u->addr.sun_path); /* of a process that was killed */
	mask = umask(0177);
	err = bind(u->fd, (struct sockaddr *)&u->addr, sizeof(u->addr));
	umask(mask);
	return err || listen(u->fd, BACKLOG) ? -1 : 0;
}

void uapi_open(struct tunnel *t)
{
	struct uapi *u = calloc(1, sizeof(*u));

	if (!u)
		return;
	u->tunnel = t;
	u->fd = -1;
	u->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	LIST_INIT(&u->clients);
	if (listen_at(u, t->iface->name) || slow_watch(u->fd, EPOLLIN, on_connect, u)) {
		log_warn("tunnel %s: %s: %s; stock wg will not see it", t->iface->name, u->addr.sun_path,
		    strerror(errno));
		if (u->fd >= 0) {
			close(u->fd);
			unlink(u->addr.sun_path);
		}
		if (u->spare >= 0)
			close(u->spare);
		free(u);
		return;
	}
	t->uapi = u;
}

void uapi_close(struct tunnel *t)
{
	struct uapi *u = t->uapi;

	if (!u)
		return;
	while (!LIST_EMPTY(&u->clients))
		close_client(LIST_FIRST(&u->clients));
	slow_unwatch(u->fd);
	close(u->fd);
	if (u->spare >= 0)
		close(u->spare);
	unlink(u->addr.sun_path);
	free(u);
	t->uapi = NULL;
}
