/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The BGP core over real TCP, without a dataplane or a daemon: one peer, poll(2),
 * commands on standard input, so that a test can hold it against a stock speaker.
 *
 *	bgp_speaker LOCAL AS REMOTE REMOTE-AS NEXT-HOP6 [restarting] [passive]
 *
 * Commands, one a line: announce P, withdraw P, show (peer and routes, ended by a
 * line "."), refresh, quit (with Cease), drop (closes without a word, then ends).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bgp/bgp.h"
#include "lib/nsec.h"

#define SOCKETS 8

struct tcp {
	int fd; /* -1: free */
	uint64_t conn;
	bool connecting;
	uint8_t out[65536];
	size_t out_at, out_len;
};

struct speaker {
	struct bgp *bgp;
	struct tcp tcp[SOCKETS];
	int listener;
	bool ending, end;
};

static socklen_t to_sockaddr(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out)
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
	return sizeof(*in6);
}

static struct ip_endpoint from_sockaddr(const struct sockaddr_storage *s)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)s;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)s;

	if (s->ss_family == AF_INET)
		return (struct ip_endpoint){ip_addr_v4(in4->sin_addr.s_addr), ntohs(in4->sin_port)};
	return (struct ip_endpoint){ip_addr_v6(in6->sin6_addr.s6_addr), ntohs(in6->sin6_port)};
}

static void endpoints(int fd, struct ip_endpoint *local, struct ip_endpoint *remote)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);

	getsockname(fd, (struct sockaddr *)&s, &len);
	*local = from_sockaddr(&s);
	len = sizeof(s);
	getpeername(fd, (struct sockaddr *)&s, &len);
	*remote = from_sockaddr(&s);
}

static struct tcp *tcp_find(struct speaker *s, uint64_t conn)
{
	int i;

	for (i = 0; i < SOCKETS; i++) {
		if (s->tcp[i].fd >= 0 && s->tcp[i].conn == conn)
			return &s->tcp[i];
	}
	return NULL;
}

static struct tcp *tcp_add(struct speaker *s, int fd)
{
	int i;

	for (i = 0; i < SOCKETS; i++) {
		if (s->tcp[i].fd >= 0)
			continue;
		s->tcp[i].fd = fd;
		s->tcp[i].out_at = s->tcp[i].out_len = 0;
		s->tcp[i].connecting = false;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		return &s->tcp[i];
	}
	abort();
}

static void tcp_close(struct tcp *t)
{
	close(t->fd);
	t->fd = -1;
}

static void tcp_lost(struct speaker *s, struct tcp *t, const char *why)
{
	tcp_close(t);
	bgp_conn_closed(s->bgp, t->conn, why, nsec_monotonic());
}

/* Sends what is there and asks for more until the socket is full or nothing is left. */
static void tcp_flush(struct speaker *s, struct tcp *t)
{
	ssize_t n;

	while (t->fd >= 0 && !t->connecting) {
		if (t->out_at == t->out_len) {
			t->out_at = 0;
			t->out_len =
			    bgp_conn_output(s->bgp, t->conn, t->out, sizeof(t->out), nsec_monotonic());
			if (!t->out_len)
				return;
		}
		n = send(t->fd, t->out + t->out_at, t->out_len - t->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			tcp_lost(s, t, strerror(errno));
			return;
		}
		t->out_at += (size_t)n;
	}
}

static void do_connect(struct speaker *s, const struct bgp_action *action)
{
	struct sockaddr_storage addr;
	socklen_t len = to_sockaddr(&action->local, 0, &addr);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tcp *t = tcp_add(s, fd);

	t->conn = action->conn;
	t->connecting = true;
	if (bind(fd, (struct sockaddr *)&addr, len) != 0)
		tcp_lost(s, t, strerror(errno));
	len = to_sockaddr(&action->remote, 179, &addr);
	if (t->fd >= 0 && connect(fd, (struct sockaddr *)&addr, len) != 0 && errno != EINPROGRESS)
		tcp_lost(s, t, strerror(errno));
}

static void do_actions(struct speaker *s)
{
	struct bgp_action action;
	struct bgp_route_change changes[64];
	struct tcp *t;

	while (bgp_action_next(s->bgp, &action)) {
		t = action.conn ? tcp_find(s, action.conn) : NULL;
		if (action.kind == BGP_ACTION_CONNECT)
			do_connect(s, &action);
		else if (action.kind == BGP_ACTION_SEND && t)
			tcp_flush(s, t);
		else if (action.kind == BGP_ACTION_CLOSE && t)
			tcp_close(t);
		else if (action.kind == BGP_ACTION_EVENT)
			fprintf(stderr, "%s: %s\n", action.event.peer, action.event.text);
	}
	while (bgp_routes_pull(s->bgp, changes, 64) > 0)
		;
}

static void on_readable(struct speaker *s, struct tcp *t)
{
	static uint8_t in[65536];
	ssize_t n = recv(t->fd, in, sizeof(in), 0);

	if (n > 0)
		bgp_conn_input(s->bgp, t->conn, in, (size_t)n, nsec_monotonic());
	else if (n == 0 || errno != EAGAIN)
		tcp_lost(s, t, n ? strerror(errno) : NULL);
}

static void on_writable(struct speaker *s, struct tcp *t)
{
	struct ip_endpoint local, remote;
	int err = 0;
	socklen_t len = sizeof(err);

	if (t->connecting) {
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err) {
			tcp_lost(s, t, strerror(err));
			return;
		}
		t->connecting = false;
		endpoints(t->fd, &local, &remote);
		bgp_conn_opened(s->bgp, t->conn, &local, &remote, nsec_monotonic());
	}
	tcp_flush(s, t);
}

static void on_accept(struct speaker *s)
{
	struct ip_endpoint local, remote;
	int fd = accept(s->listener, NULL, NULL);
	uint64_t conn;

	if (fd < 0)
		return;
	endpoints(fd, &local, &remote);
	if (bgp_conn_accept(s->bgp, &local, &remote, "", nsec_monotonic(), &conn) != 0)
		close(fd);
	else
		tcp_add(s, fd)->conn = conn;
}

static void show_family(struct bgp *bgp, uint8_t family)
{
	struct bgp_route_query query = {.match = BGP_MATCH_ALL, .prefix.addr.family = family};
	struct bgp_route_cursor cursor = {0};
	struct bgp_path_info p;
	struct bgp_attrs_info a;
	char prefix[IP_PREFIX_STRLEN], hop[IP_ADDR_STRLEN], path[100], communities[100];

	while (bgp_route_next(bgp, &query, &cursor, &p)) {
		bgp_attrs_get_info(p.attrs, &a);
		printf("%s %s via %s path [%s] pref %u med %u communities [%s] %s%s\n",
		    ip_prefix_format(&p.prefix, prefix), p.active ? "active" : "inactive",
		    p.local ? "self" : ip_addr_format(&a.next_hop, hop),
		    bgp_attrs_format_path(p.attrs, path, sizeof(path)), a.local_pref, a.med,
		    bgp_attrs_format_communities(p.attrs, communities, sizeof(communities)),
		    bgp_reason_text(p.reason), p.stale ? " stale" : "");
	}
}

static void show(struct bgp *bgp)
{
	struct bgp_peer_info info;

	bgp_peer_get_info(bgp, "peer", nsec_monotonic(), &info);
	printf("peer %s established %u hold %u in %u/%u out %u/%u deferring %d\n", bgp_state_text(info.state),
	    info.established, info.hold_time_s, info.family[0].received, info.family[1].received,
	    info.family[0].sent, info.family[1].sent, bgp_is_deferring(bgp));
	show_family(bgp, IP_V4);
	show_family(bgp, IP_V6);
	printf(".\n");
	fflush(stdout);
}

static void on_command(struct speaker *s)
{
	char line[200], word[20], arg[100] = "";
	struct ip_prefix prefix = {0};

	if (!fgets(line, sizeof(line), stdin)) {
		s->end = true;
		return;
	}
	if (sscanf(line, "%19s %99s", word, arg) < 1)
		return;
	if (*arg && ip_prefix_parse(arg, &prefix, NULL) != 0)
		fprintf(stderr, "not a prefix: %s\n", arg);
	else if (strcmp(word, "announce") == 0)
		bgp_local_add(s->bgp, &prefix, BGP_SOURCE_NETWORK);
	else if (strcmp(word, "withdraw") == 0)
		bgp_local_remove(s->bgp, &prefix, BGP_SOURCE_NETWORK);
	else if (strcmp(word, "refresh") == 0)
		bgp_peer_refresh(s->bgp, "peer", nsec_monotonic());
	else if (strcmp(word, "show") == 0)
		show(s->bgp);
	else if (strcmp(word, "quit") == 0 || strcmp(word, "drop") == 0) {
		bgp_shutdown(s->bgp, *word == 'q', nsec_monotonic());
		s->ending = true;
	}
}

static void step(struct speaker *s)
{
	struct pollfd fds[SOCKETS + 2];
	uint64_t at = bgp_deadline(s->bgp), now = nsec_monotonic();
	uint64_t wait_ms = at <= now ? 0 : at == BGP_NEVER ? 1000 : (at - now) / NSEC_PER_MSEC + 1;
	int i;

	fds[SOCKETS] = (struct pollfd){.fd = s->listener, .events = POLLIN};
	fds[SOCKETS + 1] = (struct pollfd){.fd = 0, .events = POLLIN};
	for (i = 0; i < SOCKETS; i++) {
		struct tcp *t = &s->tcp[i];
		bool writes = t->connecting || t->out_at < t->out_len;

		fds[i] = (struct pollfd){.fd = t->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
	}
	poll(fds, SOCKETS + 2, (int)(wait_ms > 1000 ? 1000 : wait_ms));
	for (i = 0; i < SOCKETS; i++) {
		if (s->tcp[i].fd >= 0 && (fds[i].revents & POLLOUT))
			on_writable(s, &s->tcp[i]);
		else if (s->tcp[i].fd >= 0 && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
			on_readable(s, &s->tcp[i]);
	}
	if (fds[SOCKETS].revents)
		on_accept(s);
	if (fds[SOCKETS + 1].revents)
		on_command(s);
	bgp_tick(s->bgp, nsec_monotonic());
	do_actions(s);
}

static int listen_on(const struct ip_addr *local)
{
	struct sockaddr_storage addr;
	socklen_t len = to_sockaddr(local, 179, &addr);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 8) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void set_up(struct speaker *s, int argc, char **argv)
{
	struct bgp_config config = {
	    .as = (uint32_t)strtoul(argv[2], NULL, 10), .router_id = 0x0a000001, .seed = 1};
	struct bgp_peer_config peer = {.as = (uint32_t)strtoul(argv[4], NULL, 10),
	    .hold_time_s = 9,
	    .connect_retry_ns = NSEC_PER_SEC,
	    .import_filter = "all",
	    .export_filter = "all"};
	const struct bgp_rule accept_all = {.action = BGP_RULE_ACCEPT};
	struct err_msg msg = {{0}};
	int i;

	for (i = 6; i < argc; i++) {
		config.restarting = config.restarting || strcmp(argv[i], "restarting") == 0;
		peer.passive = peer.passive || strcmp(argv[i], "passive") == 0;
	}
	if (ip_addr_parse(argv[1], &peer.local, &msg) != 0 ||
	    ip_addr_parse(argv[3], &peer.address, &msg) != 0 ||
	    ip_addr_parse(argv[5], &peer.next_hop[BGP_IPV6], &msg) != 0 ||
	    bgp_new(&config, nsec_monotonic(), &s->bgp, &msg) != 0 ||
	    bgp_filter_set(s->bgp, "all", &accept_all, 1, &msg) != 0 ||
	    bgp_peer_set(s->bgp, "peer", &peer, nsec_monotonic(), &msg) != 0) {
		fprintf(stderr, "%s\n", msg.text);
		exit(1);
	}
	for (i = 0; i < SOCKETS; i++)
		s->tcp[i].fd = -1;
	s->listener = listen_on(&peer.local);
}

int main(int argc, char **argv)
{
	static struct speaker s;
	unsigned rounds = 0;

	if (argc < 6) {
		fprintf(stderr,
		    "usage: bgp_speaker LOCAL AS REMOTE REMOTE-AS NEXT-HOP6 [restarting] [passive]\n");
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	set_up(&s, argc, argv);
	while (!s.end && rounds < 3) {
		step(&s);
		rounds += s.ending;
	}
	bgp_free(s.bgp);
	return 0;
}
