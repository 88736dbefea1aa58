/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP connections of BGP: listening, connecting bound to an interface, bytes in and out. What is not taken by
 * a socket waits in the connection's own buffer, and the core is asked for more only when it is empty, so a
 * neighbour that does not read costs 64 KiB. Control's only thread.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/bgp_glue_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define READ_LEN 65536

static socklen_t to_sockaddr(
    const struct ip_addr *a, uint16_t port, const char *iface, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (a->family == IP_V4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		memcpy(&in4->sin_addr, a->b, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->b, 16);
	if (ip_addr_is_link_local(a))
		in6->sin6_scope_id = if_nametoindex(iface);
	return sizeof(*in6);
}

static void from_sockaddr(const struct sockaddr_storage *s, struct ip_endpoint *out, char iface[IF_NAMESIZE])
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)s;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)s;

	memset(out, 0, sizeof(*out));
	iface[0] = '\0';
	if (s->ss_family == AF_INET) {
		out->addr = ip_addr_v4(in4->sin_addr.s_addr);
		out->port = ntohs(in4->sin_port);
	} else if (s->ss_family == AF_INET6) {
		out->addr = ip_addr_v6(in6->sin6_addr.s6_addr);
		out->port = ntohs(in6->sin6_port);
		if (in6->sin6_scope_id != 0)
			if_indextoname(in6->sin6_scope_id, iface);
	}
}

static struct bgp_sock *find(struct bgp_glue *g, uint64_t id)
{
	struct bgp_sock *c;

	TAILQ_FOREACH (c, &g->socks, link) {
		if (c->id == id)
			return c;
	}
	return NULL;
}

static void conn_free(struct bgp_sock *c)
{
	TAILQ_REMOVE(&c->glue->socks, c, link);
	event_free(c->readable);
	event_free(c->writable);
	close(c->fd);
	free(c);
}

/* The socket is gone: the core is told, and the connection with it. */
static void conn_lost(struct bgp_sock *c, const char *why)
{
	struct bgp_glue *g = c->glue;
	const uint64_t id = c->id;

	conn_free(c);
	bgp_conn_closed(g->core, id, why, nsec_monotonic());
}

/* Sends what waits; true: all of it is gone. */
static bool flush(struct bgp_sock *c)
{
	while (c->out_at < c->out_len) {
		const ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);

		if (n >= 0) {
			c->out_at += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			event_add(c->writable, NULL);
		return false; /* a broken connection shows when it is read */
	}
	c->out_at = c->out_len = 0;
	return true;
}

void bgp_sock_send(struct bgp_glue *g, uint64_t id)
{
	struct bgp_sock *c = find(g, id);

	if (c == NULL || c->connecting)
		return;
	while (flush(c)) {
		c->out_len = bgp_conn_output(g->core, id, c->out, sizeof(c->out), nsec_monotonic());
		if (c->out_len == 0)
			return;
	}
}

static void on_opened(struct bgp_sock *c)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote);
	struct ip_endpoint from, to;
	char iface[IF_NAMESIZE];
	int error = 0;
	socklen_t error_len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error != 0) {
		conn_lost(c, strerror(error));
		return;
	}
	if (getsockname(c->fd, (struct sockaddr *)&local, &local_len) < 0 ||
	    getpeername(c->fd, (struct sockaddr *)&remote, &remote_len) < 0) {
		conn_lost(c, strerror(errno));
		return;
	}
	c->connecting = false;
	from_sockaddr(&local, &from, iface);
	from_sockaddr(&remote, &to, iface);
	event_add(c->readable, NULL);
	bgp_conn_opened(c->glue->core, c->id, &from, &to, nsec_monotonic());
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct bgp_sock *c = arg;
	struct bgp_glue *g = c->glue;

	if (c->connecting)
		on_opened(c);
	else
		bgp_sock_send(g, c->id);
	bgp_glue_turn(g);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t data[READ_LEN]; /* one thread */
	struct bgp_sock *c = arg;
	struct bgp_glue *g = c->glue;
	const ssize_t n = recv(c->fd, data, sizeof(data), 0);

	if (n > 0)
		bgp_conn_input(g->core, c->id, data, (size_t)n, nsec_monotonic());
	else if (n == 0)
		conn_lost(c, "closed by the neighbour");
	else if (errno != EAGAIN && errno != EINTR)
		conn_lost(c, strerror(errno));
	bgp_glue_turn(g);
}

static struct bgp_sock *conn_new(struct bgp_glue *g, int fd, uint64_t id)
{
	struct bgp_sock *c = calloc(1, sizeof(*c));
	const int one = 1;

	if (c == NULL)
		abort();
	c->glue = g;
	c->fd = fd;
	c->id = id;
	c->readable = event_new(g->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(g->base, fd, EV_WRITE, on_writable, c);
	if (c->readable == NULL || c->writable == NULL)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	TAILQ_INSERT_TAIL(&g->socks, c, link);
	return c;
}

/* 0, or an errno. A connection in progress is none. */
static int start_connect(int fd, const struct bgp_action *a, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len;

	if (a->interface[0] != '\0' &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, a->interface, (socklen_t)strlen(a->interface)) < 0)
		return errno;
	if (a->local.family != IP_NONE) {
		const int one = 1;

		/* The address may be about to come (a host interface that is not up yet): then connect says
		 * so. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		len = to_sockaddr(&a->local, 0, a->interface, &address);
		if (bind(fd, (struct sockaddr *)&address, len) < 0)
			return errno;
	}
	len = to_sockaddr(&a->remote, port, a->interface, &address);
	if (connect(fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)
		return errno;
	return 0;
}

void bgp_sock_open(struct bgp_glue *g, const struct bgp_action *a)
{
	struct bgp_sock *c;
	int fd, error;

	fd = socket(
	    a->remote.family == IP_V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		bgp_conn_closed(g->core, a->conn, strerror(errno), nsec_monotonic());
		return;
	}
	error = start_connect(fd, a, g->port);
	if (error != 0) {
		close(fd);
		bgp_conn_closed(g->core, a->conn, strerror(error), nsec_monotonic());
		return;
	}
	c = conn_new(g, fd, a->conn);
	c->connecting = true;
	event_add(c->writable, NULL);
}

void bgp_sock_end(struct bgp_glue *g, uint64_t id)
{
	struct bgp_sock *c = find(g, id);

	if (c == NULL)
		return;
	if (!c->connecting)
		bgp_sock_send(
		    g, id); /* the NOTIFICATION, if there is one; the kernel delivers it after close */
	conn_free(c);
}

void bgp_sock_end_all(struct bgp_glue *g)
{
	struct bgp_sock *c;

	while ((c = TAILQ_FIRST(&g->socks)) != NULL)
		conn_free(c);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct bgp_glue *g = arg;
	struct sockaddr_storage remote_addr, local_addr;
	socklen_t remote_len = sizeof(remote_addr), local_len = sizeof(local_addr);
	struct ip_endpoint local, remote;
	char iface[IF_NAMESIZE], text[IP_ENDPOINT_STRLEN];
	struct bgp_sock *c;
	uint64_t id;
	int fd, rc;

	fd = accept4(listener, (struct sockaddr *)&remote_addr, &remote_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (getsockname(fd, (struct sockaddr *)&local_addr, &local_len) < 0) {
		close(fd);
		return;
	}
	from_sockaddr(&local_addr, &local, iface);
	from_sockaddr(&remote_addr, &remote, iface);
	rc = bgp_conn_accept(g->core, &local, &remote, iface, nsec_monotonic(), &id);
	if (rc != 0) {
		log_debug(
		    "BGP connection from %s refused: %s", ip_endpoint_format(&remote, text), err_text(rc));
		close(fd);
		return;
	}
	c = conn_new(g, fd, id);
	event_add(c->readable, NULL);
	bgp_glue_turn(g);
}

static int listen_on(int family, uint16_t port)
{
	struct sockaddr_storage address;
	struct ip_addr any = {.family = family == AF_INET ? IP_V4 : IP_V6};
	const socklen_t len = to_sockaddr(&any, port, "", &address);
	const int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 64) < 0) {
		const int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int bgp_sock_listen(struct bgp_glue *g, struct err_msg *msg)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (unsigned i = 0; i < 2; i++) {
		if (g->listeners[i].fd >= 0)
			continue;
		g->listeners[i].fd = listen_on(families[i], g->port);
		if (g->listeners[i].fd < 0 && errno == EAFNOSUPPORT)
			continue; /* a host without IPv6 */
		if (g->listeners[i].fd < 0) {
			err_set(msg, ERR_IO, "cannot listen on TCP port %u: %s", g->port, strerror(errno));
			bgp_sock_listen_end(g);
			return ERR_IO;
		}
		g->listeners[i].event =
		    event_new(g->base, g->listeners[i].fd, EV_READ | EV_PERSIST, on_accept, g);
		if (g->listeners[i].event == NULL)
			abort();
		event_add(g->listeners[i].event, NULL);
	}
	return 0;
}

void bgp_sock_listen_end(struct bgp_glue *g)
{
	for (unsigned i = 0; i < 2; i++) {
		if (g->listeners[i].fd < 0)
			continue;
		event_free(g->listeners[i].event);
		close(g->listeners[i].fd);
		g->listeners[i].fd = -1;
	}
}
