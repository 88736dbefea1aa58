/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole of byway-control but main, against a dataplane of a few lines on a real FIB socket, all in one
 * event loop: sync and its order, refusals, reconnection, the sweep after a restart, reload, the control
 * socket with good requests, bad ones and random bytes.
 */
#include "control/daemon.h"

#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/ctl_server.h"
#include "lib/log.h"
#include "tests/unit/dns_model.h"
#include "tests/unit/fib_model.h"

#define BGP_PORT 17900

static const char config_text[] =
    "router: { id: 10.1.0.1 }\n"
    "ports:\n"
    "  wan1: { device: eth1, role: wan, addresses: [192.0.2.10/24], gateways: [192.0.2.1], preference: 1 }\n"
    "  wan2: { device: eth2, role: wan, addresses: [198.51.100.10/24], gateways: [198.51.100.1], preference: "
    "2 }\n"
    "  lan: { device: eth0, role: lan, addresses: [10.1.0.1/24] }\n"
    "routes:\n"
    "  - { prefix: 10.77.0.0/16, via: 10.1.0.77, distance: 5 }\n";

static const char bgp_text[] = "bgp:\n  as: 65001\n  peers:\n    far: { address: 10.1.0.9, as: 65001 }\n";

static struct {
	struct event_base *base;
	struct daemon daemon;
	char dir[64], config_path[100];
	/* the dataplane */
	int listener, fd;
	struct event *acceptable, *readable;
	struct fib_model model;
	struct fibmsg objects[64];
	size_t n_objects;
	uint64_t generation;
	uint32_t id_base;
	unsigned n_connections, n_begins, n_ends, n_checks, n_refused;
	const char *refuse;	     /* the port of this name */
	const char *refuse_endpoint; /* peers with this one */
	bool refuse_checks;
} t;

static void reply(uint32_t seq, struct fibmsg *m)
{
	uint8_t bytes[1024];
	struct buf_writer w;

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, seq, 0);
	assert_int_equal(fibmsg_append(&w, m, NULL), 0);
	assert_true(send(t.fd, bytes, buf_writer_len(&w), MSG_NOSIGNAL) > 0);
}

static void reply_end(uint32_t seq)
{
	struct fibmsg m = {.type = FIBMSG_END, .u.end = {.seq = seq}};

	reply(seq, &m);
}

static void reply_ack(uint32_t seq, int code, uint16_t index, const char *text)
{
	struct fibmsg m = {
	    .type = FIBMSG_ACK, .u.ack = {.seq = seq, .code = (uint32_t)-code, .index = index}};

	snprintf(m.u.ack.text, sizeof(m.u.ack.text), "%s", text);
	reply(seq, &m);
}

/* The only tunnel, or its only peer, as far as they were told. */
static void reply_tunnel(uint32_t seq, bool peer)
{
	for (size_t i = 0; i < t.n_objects; i++) {
		const struct fibmsg_peer *p = &t.objects[i].u.peer;
		struct fibmsg m;

		if (t.objects[i].type != FIBMSG_SET_PEER)
			continue;
		memset(&m, 0, sizeof(m));
		m.type = peer ? FIBMSG_ROW_PEER : FIBMSG_ROW_TUNNEL;
		if (peer) {
			memcpy(m.u.row_peer.tunnel, p->tunnel, sizeof(p->tunnel));
			memcpy(m.u.row_peer.key, p->key, sizeof(p->key));
			m.u.row_peer.endpoint = p->endpoint;
			m.u.row_peer.handshake_ns = UINT64_MAX;
		} else {
			memcpy(m.u.row_tunnel.name, p->tunnel, sizeof(p->tunnel));
		}
		reply(seq, &m);
		return;
	}
}

static void take_query(uint32_t seq, const struct fibmsg_query_msg *q)
{
	struct fibmsg row = {.type = FIBMSG_ROW_LINE,
	    .u.row_line = {.port = "wan1", .verdict = FIBMSG_VERDICT_UP, .active = 1}};

	if (q->kind == FIBMSG_QUERY_LINES)
		reply(seq, &row);
	if (q->kind == FIBMSG_QUERY_PEERS || q->kind == FIBMSG_QUERY_TUNNELS)
		reply_tunnel(seq, q->kind == FIBMSG_QUERY_PEERS);
	reply_end(seq);
}

static void take_object(const struct fibmsg *m)
{
	if (m->type >= FIBMSG_SET_NEXTHOP) {
		fib_model_apply(&t.model, m);
		return;
	}
	assert_true(t.n_objects < 64);
	t.objects[t.n_objects++] = *m;
}

static bool is_refused_peer(const struct fibmsg *m)
{
	char text[IP_ENDPOINT_STRLEN];

	return t.refuse_endpoint != NULL && m->type == FIBMSG_SET_PEER &&
	       m->u.peer.endpoint.addr.family != IP_NONE &&
	       strcmp(ip_endpoint_format(&m->u.peer.endpoint, text), t.refuse_endpoint) == 0;
}

static void take_batch(const struct fibmsg_header *h, struct buf_reader *r)
{
	static struct fibmsg messages[4096];
	const bool check = (h->flags & FIBMSG_F_CHECK) != 0;

	assert_true(h->count <= 4096);
	for (uint16_t i = 0; i < h->count; i++) {
		assert_int_equal(fibmsg_read(r, &messages[i], NULL), 0);
		if (t.refuse != NULL && messages[i].type == FIBMSG_SET_PORT &&
		    strcmp(messages[i].u.port.name, t.refuse) == 0) {
			reply_ack(h->seq, ERR_NOENT, i, "no such device");
			return;
		}
	}
	for (uint16_t i = 0; i < h->count && !check; i++) {
		if (!is_refused_peer(&messages[i]))
			continue;
		t.n_refused++;
		reply_ack(h->seq, ERR_INVALID, i, "not there");
		return;
	}
	t.n_checks += check;
	if (check && t.refuse_checks) {
		reply_ack(h->seq, ERR_INVALID, 0, "not like this");
		return;
	}
	for (uint16_t i = 0; i < h->count && !check; i++)
		take_object(&messages[i]);
	reply_ack(h->seq, 0, 0, "");
}

static void take_alone(uint32_t seq, const struct fibmsg *m)
{
	struct fibmsg hello = {.type = FIBMSG_HELLO_REPLY,
	    .u.hello_reply = {.version = FIBMSG_VERSION, .id_base = t.id_base, .generation = t.generation}};

	if (m->type == FIBMSG_HELLO) {
		reply(seq, &hello);
	} else if (m->type == FIBMSG_SYNC_BEGIN) {
		assert_int_not_equal(m->u.sync.generation, t.generation);
		t.generation = m->u.sync.generation;
		memset(&t.model, 0,
		    sizeof(t.model)); /* as if swept at once: what is not named again is missing */
		t.n_objects = 0;
		t.n_begins++;
	} else if (m->type == FIBMSG_SYNC_END) {
		assert_int_equal(m->u.sync.generation, t.generation);
		t.n_ends++;
	} else {
		take_query(seq, &m->u.query_msg);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	const ssize_t len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct fibmsg_header h;
	struct buf_reader r, peek;
	struct fibmsg m;

	if (len <= 0) {
		event_del(t.readable);
		return;
	}
	buf_reader_init(&r, bytes, (size_t)len);
	assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
	peek = r;
	assert_int_equal(fibmsg_read(&peek, &m, NULL), 0);
	if (m.type == FIBMSG_HELLO || m.type == FIBMSG_SYNC_BEGIN || m.type == FIBMSG_SYNC_END ||
	    m.type == FIBMSG_QUERY)
		take_alone(h.seq, &m);
	else
		take_batch(&h, &r);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	t.fd = accept(fd, NULL, NULL);
	assert_true(t.fd >= 0);
	t.n_connections++;
	if (t.readable != NULL)
		event_free(t.readable);
	t.readable = event_new(t.base, t.fd, EV_READ | EV_PERSIST, on_readable, NULL);
	event_add(t.readable, NULL);
}

static void hang_up(void)
{
	event_del(t.readable);
	close(t.fd);
	t.fd = -1;
}

static void write_config(const char *text, const char *more)
{
	FILE *file = fopen(t.config_path, "w");

	assert_non_null(file);
	fprintf(file, "%s%s", text, more);
	fclose(file);
}

static void run_ms(unsigned ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_base_loopexit(t.base, &tv);
	event_base_dispatch(t.base);
}

static void run_until(const unsigned *counter, unsigned value)
{
	for (int i = 0; i < 200 && *counter < value; i++)
		run_ms(20);
	assert_true(*counter >= value);
}

/* Whom the daemon asks for names. */
static char name_server[32] = "127.0.0.1:9";

static void start_daemon(void)
{
	const struct daemon_options options = {t.config_path, t.dir, BGP_PORT, name_server};
	struct config *config = NULL;
	static struct diag diag;
	struct err_msg msg = {0};

	diag_init(&diag, t.config_path);
	assert_int_equal(config_load(t.config_path, &diag, &config), 0);
	t.daemon.base = t.base;
	t.daemon.options = options;
	if (daemon_start(&t.daemon, &options, config, &msg) != 0)
		fail_msg("%s", msg.text);
}

static void start(const char *more, uint64_t generation)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(&t, 0, sizeof(t));
	strcpy(t.dir, "/tmp/byway-test-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.config_path, sizeof(t.config_path), "%s/byway.yaml", t.dir);
	write_config(config_text, more);
	t.generation = generation;
	t.id_base = 100;
	t.base = event_base_new();
	t.listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fib.sock", t.dir);
	assert_int_equal(bind(t.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(t.listener, 4), 0);
	t.acceptable = event_new(t.base, t.listener, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(t.acceptable, NULL);
	start_daemon();
}

static void stop(void)
{
	static const char *const names[] = {
	    "byway.yaml", "fib.sock", "control.sock", "overrides", "endpoints"};
	char path[128];

	daemon_stop(&t.daemon);
	if (t.readable != NULL)
		event_free(t.readable);
	event_free(t.acceptable);
	if (t.fd > 0)
		close(t.fd);
	close(t.listener);
	if (!dns_model.port)
		event_base_free(t.base);
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", t.dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(t.dir), 0);
}

static int connect_control(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", t.dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Everything up to the last line of the answer. */
static char *ask(const char *request)
{
	static char answer[1 << 20];
	int fd = connect_control();
	size_t used = 0;

	answer[0] = '\0';
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int i = 0;
	     i < 300 && strstr(answer, "{\"ok\":true}\n") == NULL && strstr(answer, "{\"error\":") == NULL;
	     i++) {
		ssize_t n;

		run_ms(10);
		while ((n = read(fd, answer + used, sizeof(answer) - used - 1)) > 0)
			used += (size_t)n;
		answer[used] = '\0';
	}
	close(fd);
	return answer;
}

static const char *way(const char *prefix)
{
	static char buf[400];

	return fib_model_way(&t.model, FIBMSG_OVERLAY, prefix, buf, sizeof(buf));
}

static unsigned count_objects(uint16_t type)
{
	unsigned n = 0;

	for (size_t i = 0; i < t.n_objects; i++)
		n += t.objects[i].type == type;
	return n;
}

static void an_empty_dataplane_is_told_everything_and_swept(void **state)
{
	char buf[200];

	start("", 0);
	run_until(&t.n_ends, 1);
	assert_int_equal(count_objects(FIBMSG_SET_PORT), 3);
	assert_int_equal(count_objects(FIBMSG_SET_LINE), 2);
	assert_int_equal(count_objects(FIBMSG_SET_ADDRESS), 3);
	assert_string_equal(way("10.1.0.0/24"), "on lan");
	assert_string_equal(way("10.77.0.0/16"), "via lan 10.1.0.77");
	assert_string_equal(way("0.0.0.0/0"), "via wan1 192.0.2.1|via wan2 198.51.100.1");
	assert_string_equal(way("192.168.0.0/16"), "unreachable");
	assert_string_equal(fib_model_way(&t.model, fibmsg_line_table("wan2"), "0.0.0.0/0", buf, sizeof(buf)),
	    "via wan2 198.51.100.1");
	assert_true(t.model.groups[0].id >= 100); /* id_base */
	stop();
}

static void the_sweep_waits_for_bgp_after_a_restart_of_control(void **state)
{
	start(bgp_text, 77);
	run_until(&t.n_begins, 1);
	run_ms(600);
	assert_string_equal(way("10.77.0.0/16"), "via lan 10.1.0.77"); /* statics do not wait */
	assert_int_equal(t.n_ends, 0);
	stop();
	start(bgp_text, 0); /* nothing was kept: nothing to wait for */
	run_until(&t.n_ends, 1);
	stop();
}

static void a_lost_connection_is_resynced(void **state)
{
	start("", 0);
	run_until(&t.n_ends, 1);
	t.id_base = 5000;
	hang_up();
	run_until(&t.n_ends, 2);
	assert_int_equal(t.n_connections, 2);
	assert_string_equal(way("10.77.0.0/16"), "via lan 10.1.0.77");
	stop();
}

static void a_refused_port_is_set_aside_and_named(void **state)
{
	char *answer;

	start("", 0);
	t.refuse = "lan";
	run_until(&t.n_ends, 1);
	assert_int_equal(count_objects(FIBMSG_SET_PORT), 2);
	assert_int_equal(count_objects(FIBMSG_SET_ADDRESS), 2); /* the lan's waits for its port */
	assert_string_equal(way("10.77.0.0/16"), "");
	assert_string_equal(way("0.0.0.0/0"), "via wan1 192.0.2.1|via wan2 198.51.100.1");
	answer = ask("{\"command\":\"show version\"}\n");
	assert_non_null(strstr(answer, "{\"object\":\"port lan\",\"reason\":\"no such device\"}"));
	answer = ask("{\"command\":\"show routes\",\"args\":{\"prefix\":\"10.77.0.0/16\"}}\n");
	assert_non_null(strstr(answer, "\"active\":false"));
	assert_non_null(strstr(answer, "no route to the gateway 10.1.0.77"));
	/* The device appears; a reload tries again. */
	t.refuse = NULL;
	answer = ask("{\"command\":\"reload\"}\n");
	assert_non_null(strstr(answer, "{\"ok\":true}"));
	hang_up(); /* as the retry timer would, only sooner */
	run_until(&t.n_ends, 2);
	stop();
}

static void reload_applies_the_difference_or_nothing(void **state)
{
	size_t before;
	char *answer;

	start("", 0);
	run_until(&t.n_ends, 1);
	before = t.model.n_messages;
	answer = ask("{\"command\":\"reload\"}\n");
	assert_non_null(strstr(answer, "{\"ok\":true}"));
	assert_int_equal(t.n_checks, 1);
	assert_int_equal(t.model.n_messages, before); /* nothing changed, nothing is said */
	/* An error: its place comes back and nothing changes. */
	write_config(config_text, "  - { prefix: 10.78.0.0/16, via: 10.1.0.78, distanc: 5 }\n");
	answer = ask("{\"command\":\"reload\"}\n");
	assert_non_null(
	    strstr(answer, "byway.yaml:8:45: unknown key distanc in a route; did you mean distance?"));
	assert_non_null(strstr(answer, "\"code\":\"invalid-configuration\""));
	assert_int_equal(t.model.n_messages, before);
	/* Refused by the dataplane: nothing, either. */
	write_config(config_text, "  - { prefix: 10.78.0.0/16, via: 10.1.0.77 }\n");
	t.refuse_checks = true;
	answer = ask("{\"command\":\"reload\"}\n");
	assert_non_null(strstr(answer, "not like this"));
	assert_int_equal(t.model.n_messages, before);
	/* Good: one route more over a group that is there. */
	t.refuse_checks = false;
	answer = ask("{\"command\":\"reload\"}\n");
	assert_non_null(strstr(answer, "{\"ok\":true}"));
	run_ms(50);
	assert_string_equal(way("10.78.0.0/16"), "via lan 10.1.0.77");
	assert_int_equal(t.model.n_messages, before + 1);
	stop();
}

/* wg set may have made something else of them: the file in force is what it says. */
static void reload_repeats_tunnels(void **state)
{
	static const char tunnel[] =
	    "tunnels:\n  vps: { private-key: /etc/key, listen-port: 51820, peers: [ { name: a, public-key: "
	    "mYf7Vgk6UO0Cg0U4nVoEmYAEYWw1v4tAVgTxoFVLaDs=, allowed-ips: [10.9.0.0/16, 10.8.0.0/16] } ] }\n";
	size_t before;

	start(tunnel, 0);
	run_until(&t.n_ends, 1);
	before = t.n_objects;
	assert_int_equal(count_objects(FIBMSG_SET_ALLOWED_IP), 2);
	assert_non_null(strstr(ask("{\"command\":\"reload\"}\n"), "{\"ok\":true}"));
	run_ms(50);
	assert_int_equal(t.n_objects, before + 4);
	assert_int_equal(t.objects[before].type, FIBMSG_SET_TUNNEL);
	assert_int_equal(t.objects[before + 1].type, FIBMSG_SET_PEER);
	assert_int_equal(count_objects(FIBMSG_SET_ALLOWED_IP), 4);
	/* an override is no reload */
	ask("{\"command\":\"wan override\",\"args\":{\"line\":\"wan1\",\"to\":\"down\"}}\n");
	run_ms(50);
	assert_int_equal(count_objects(FIBMSG_SET_TUNNEL), 2);
	stop();
}

static void override_reaches_the_line_and_outlives_a_restart(void **state)
{
	char *answer;
	FILE *file;
	char path[128], text[64] = "";

	start("", 0);
	run_until(&t.n_ends, 1);
	answer = ask("{\"command\":\"wan override\",\"args\":{\"line\":\"lan\",\"to\":\"down\"}}\n");
	assert_non_null(strstr(answer, "\"code\":\"not-found\""));
	answer = ask("{\"command\":\"wan override\",\"args\":{\"line\":\"wan1\",\"to\":\"down\"}}\n");
	assert_non_null(strstr(answer, "{\"ok\":true}"));
	run_ms(50);
	assert_int_equal(t.objects[t.n_objects - 1].type, FIBMSG_SET_LINE);
	assert_int_equal(t.objects[t.n_objects - 1].u.line.override_to, FIBMSG_OVERRIDE_DOWN);
	snprintf(path, sizeof(path), "%s/overrides", t.dir);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "wan1 down\n");
	stop();
}

static void addresses_that_appear_make_routes(void **state)
{
	struct fibmsg m = {.type = FIBMSG_EV_ADDRESS, .u.ev_address = {.iface = "lan", .added = 1}};

	start("", 0);
	run_until(&t.n_ends, 1);
	assert_int_equal(ip_ifaddr_parse("10.9.0.1/24", &m.u.ev_address.address, NULL), 0);
	reply(0, &m);
	run_ms(50);
	assert_string_equal(way("10.9.0.0/24"), "on lan");
	m.u.ev_address.added = 0;
	reply(0, &m);
	run_ms(50);
	assert_string_equal(way("10.9.0.0/24"), "");
	stop();
}

static const char named_text[] =
    "tunnels:\n  friend:\n    private-key: /etc/byway/friend.key\n    listen-port: 51820\n"
    "    peers: [{ name: them, public-key: \"b60Ps3EXHMvQFPOlEKUM5EFGMBuzB0YhHkBc0qkIcmE=\",\n"
    "              endpoint: \"friend.example.org:51821\" }]\n";

/* The endpoint that the dataplane was told last; "" for none. */
static const char *told_endpoint(void)
{
	static char text[IP_ENDPOINT_STRLEN];

	text[0] = '\0';
	for (size_t i = 0; i < t.n_objects; i++) {
		const struct ip_endpoint *e = &t.objects[i].u.peer.endpoint;

		if (t.objects[i].type != FIBMSG_SET_PEER)
			continue;
		text[0] = '\0';
		if (e->addr.family != IP_NONE)
			ip_endpoint_format(e, text);
	}
	return text;
}

static void await_endpoint(const char *text)
{
	for (unsigned i = 0; i < 100 && strcmp(told_endpoint(), text) != 0; i++)
		run_ms(20);
	assert_string_equal(told_endpoint(), text);
}

/* The daemon with a name server of ours. */
static void start_named(const char *v4, const char *v6)
{
	start("", 0);
	dns_model_start(t.base);
	dns_model.v4[0] = v4;
	dns_model.v6[0] = v6;
	daemon_stop(&t.daemon);
	memset(&t.daemon, 0, sizeof(t.daemon));
	strcpy(name_server, dns_model.address);
	write_config(config_text, named_text);
	start_daemon();
	run_until(&t.n_ends, 1);
}

static void stop_named(void)
{
	stop();
	dns_model_stop();
	dns_model.port = NULL;
	event_base_free(t.base);
	strcpy(name_server, "127.0.0.1:9");
}

/* The dataplane is told addresses, of the family that the line has; before there is one it waits. */
static void an_endpoint_by_name_is_told_as_an_address(void **state)
{
	struct fibmsg m = {.type = FIBMSG_EV_ADDRESS, .u.ev_address = {.iface = "wan1", .added = 1}};
	char *answer;

	start_named("203.0.113.7", "2001:db8::7");
	await_endpoint("203.0.113.7:51821");
	answer = ask("{\"command\":\"show tunnels\"}\n");
	assert_non_null(strstr(answer, "\"endpoint-name\":\"friend.example.org\""));
	assert_null(strstr(answer, "endpoint-error"));
	/* Both lines that may carry it get IPv6. */
	assert_int_equal(ip_ifaddr_parse("2001:db8:1::10/64", &m.u.ev_address.address, NULL), 0);
	reply(0, &m);
	run_ms(50);
	assert_string_equal(told_endpoint(), "203.0.113.7:51821");
	strcpy(m.u.ev_address.iface, "wan2");
	reply(0, &m);
	await_endpoint("[2001:db8::7]:51821");
	/* Another control, whose name server is silent, knows it still. */
	dns_model.silent = true;
	daemon_stop(&t.daemon);
	memset(&t.daemon, 0, sizeof(t.daemon));
	start_daemon();
	run_until(&t.n_ends, t.n_ends + 1);
	assert_string_equal(told_endpoint(), "203.0.113.7:51821");
	stop_named();
}

static void reload_with(const char *address, const char *port_of_peer)
{
	char more[600];

	snprintf(more, sizeof(more),
	    "  - { prefix: 10.78.0.0/16, via: 10.1.0.78 }\n"
	    "tunnels:\n  friend:\n    private-key: /etc/byway/friend.key\n    listen-port: 51820\n"
	    "    addresses: [%s]\n"
	    "    peers: [{ name: them, public-key: \"b60Ps3EXHMvQFPOlEKUM5EFGMBuzB0YhHkBc0qkIcmE=\",\n"
	    "              endpoint: \"203.0.113.7:%s\" }]\n",
	    address, port_of_peer);
	write_config(config_text, more);
	assert_non_null(strstr(ask("{\"command\":\"reload\"}\n"), "{\"ok\":true}"));
}

/*
 * A living peer's new settings are refused along with others: the sync that follows names the peer as it was,
 * so that the sweep does not end its session. What is refused is tried again, and taken when it can be.
 */
static void a_refused_peer_stays_as_it_was(void **state)
{
	start("", 0);
	run_until(&t.n_ends, 1);
	reload_with("10.5.0.1/24", "51821");
	await_endpoint("203.0.113.7:51821");
	run_ms(50);
	t.refuse_endpoint = "203.0.113.7:51822";
	reload_with("10.5.0.2/24", "51822");
	run_until(&t.n_ends, 2);
	assert_true(t.n_refused > 0);
	assert_string_equal(told_endpoint(), "203.0.113.7:51821");
	assert_non_null(strstr(ask("{\"command\":\"show version\"}\n"), "not there"));
	/* And again, without the peer being told anew. */
	t.refuse_endpoint = "203.0.113.7:51823";
	reload_with("10.5.0.3/24", "51823");
	run_until(&t.n_ends, 3);
	assert_string_equal(told_endpoint(), "203.0.113.7:51821");
	t.refuse_endpoint = NULL;
	reload_with("10.5.0.3/24", "51824");
	await_endpoint("203.0.113.7:51824");
	assert_null(strstr(ask("{\"command\":\"show version\"}\n"), "not there"));
	assert_int_equal(t.n_ends, 3);
	stop();
}

static void a_name_without_address_is_shown(void **state)
{
	char *answer;

	start_named(NULL, NULL);
	for (unsigned i = 0; i < 100 && dns_model.questions < 2; i++)
		run_ms(20);
	run_ms(50);
	assert_string_equal(told_endpoint(), "");
	answer = ask("{\"command\":\"show tunnels\"}\n");
	assert_non_null(strstr(answer, "\"endpoint-error\":\"no address\""));
	stop_named();
}

static const char mesh_text[] =
    "  - { prefix: 10.8.0.0/16, via: 10.255.8.2 }\n  - { prefix: 10.9.0.0/16, via: 10.255.8.3 }\n"
    "  - { prefix: 10.10.0.0/16, via: 10.255.8.9 }\n  - { prefix: 10.11.0.0/16, via: 10.66.0.3 }\n"
    "  - { prefix: \"fd00:8::/48\", via: \"fe80::2\", interface: mesh }\n"
    "tunnels:\n  mesh:\n    private-key: /etc/byway/mesh.key\n    listen-port: 51820\n"
    "    addresses: [10.255.8.1/24]\n    peers:\n"
    "      - { name: one, public-key: \"b60Ps3EXHMvQFPOlEKUM5EFGMBuzB0YhHkBc0qkIcmE=\",\n"
    "          addresses: [10.255.8.2, \"fe80::2\"] }\n"
    "      - { name: two, public-key: \"mYf7Vgk6UO0Cg0U4nVoEmYAEYWw1v4tAVgTxoFVLaDs=\",\n"
    "          addresses: [10.255.8.3, 10.66.0.3], allowed-ips: [10.66.0.0/24, 10.66.0.3/32] }\n";

/* Of the key of the peer to which the dataplane was told to send: the first byte, 0 for none. */
static unsigned peer_towards(const char *prefix)
{
	const struct fibmsg_route *route;
	const struct fibmsg_nexthop *nh;
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(prefix, &p, NULL), 0);
	route = fib_model_route(&t.model, FIBMSG_OVERLAY, &p);
	assert_non_null(route);
	nh = fib_model_nexthop(&t.model, fib_model_group(&t.model, route->group)->members[0].nexthop);
	assert_int_equal(nh->kind, FIBMSG_NH_TUNNEL);
	assert_string_equal(nh->iface, "mesh");
	return nh->peer[0];
}

/* How often the dataplane was told that this prefix is the peer's whose key begins so. */
static unsigned count_allowed(unsigned first_byte, const char *prefix)
{
	struct ip_prefix p;
	unsigned n = 0;

	assert_int_equal(ip_prefix_parse(prefix, &p, NULL), 0);
	for (size_t i = 0; i < t.n_objects; i++) {
		const struct fibmsg_allowed_ip *a = &t.objects[i].u.allowed_ip;

		n += t.objects[i].type == FIBMSG_SET_ALLOWED_IP && a->key[0] == first_byte &&
		     ip_prefix_equal(&a->prefix, &p);
	}
	return n;
}

/* On a tunnel of several: by its own addresses or its list; who is at neither is left to the dataplane. */
static void a_next_hop_names_the_peer(void **state)
{
	enum { ONE = 0x6f, TWO = 0x99 };

	start(mesh_text, 0);
	run_until(&t.n_ends, 1);
	assert_int_equal(peer_towards("10.255.8.2/32"), ONE);
	assert_int_equal(peer_towards("10.255.8.3/32"), TWO);
	assert_int_equal(peer_towards("10.255.8.0/24"), 0);
	assert_int_equal(peer_towards("10.8.0.0/16"), ONE);
	assert_int_equal(peer_towards("10.9.0.0/16"), TWO);
	assert_int_equal(peer_towards("10.10.0.0/16"), 0);
	assert_int_equal(peer_towards("10.11.0.0/16"), TWO);
	assert_int_equal(peer_towards("fd00:8::/48"), ONE);
	assert_int_equal(count_allowed(ONE, "10.255.8.2/32"), 1);
	assert_int_equal(count_allowed(ONE, "fe80::2/128"), 1);
	assert_int_equal(count_allowed(TWO, "10.255.8.3/32"), 1);
	assert_int_equal(count_allowed(TWO, "10.66.0.3/32"), 1);
	assert_int_equal(count_allowed(TWO, "10.66.0.0/24"), 1);
	for (size_t i = 0; i < t.n_objects; i++)
		if (t.objects[i].type == FIBMSG_SET_PEER)
			assert_int_equal(t.objects[i].u.peer.any, t.objects[i].u.peer.key[0] == ONE);
	stop();
}

/* ---- a BGP neighbour of a few bytes ---- */

static const char neighbour_text[] = "bgp:\n  as: 65001\n  networks: [10.1.0.0/24]\n"
				     "  peers: { near: { address: 127.0.0.9, as: 65001, passive: true } }\n";

static void send_bgp(int fd, uint8_t type, const uint8_t *body, size_t len)
{
	uint8_t message[4096];
	struct buf_writer w;

	buf_writer_init(&w, message, sizeof(message));
	memset(buf_write_reserve(&w, 16), 0xff, 16);
	buf_write_be16(&w, (uint16_t)(19 + len));
	buf_write_u8(&w, type);
	buf_write_bytes(&w, body, len);
	assert_int_equal(write(fd, message, buf_writer_len(&w)), buf_writer_len(&w));
}

static int open_session(void)
{
	static const uint8_t open_body[] = {4, 0xfd, 0xe9, 0, 90, 9, 9, 9, 9,
	    14,						       /* version, AS 65001, hold, id, options */
	    2, 12, 1, 4, 0, 1, 0, 1, 65, 4, 0, 0, 0xfd, 0xe9}; /* IPv4 unicast, 4-octet AS */
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000009)};
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001), .sin_port = htons(BGP_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	send_bgp(fd, 1, open_body, sizeof(open_body));
	run_ms(100);
	send_bgp(fd, 4, NULL, 0);
	run_ms(100);
	return fd;
}

/* An UPDATE among what the daemon sent that announces prefix bytes. */
static bool was_announced(int fd, const uint8_t *nlri, size_t len)
{
	uint8_t bytes[8192];
	const ssize_t n = read(fd, bytes, sizeof(bytes));

	return n > 0 && memmem(bytes, (size_t)n, nlri, len) != NULL;
}

static void routes_of_a_neighbour_reach_the_dataplane(void **state)
{
	static const uint8_t update[] = {0, 0, 0, 21, 0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 1, 0,
	    9,					    /* next hop */
	    0x40, 5, 4, 0, 0, 0, 100, 16, 10, 200}; /* 10.200.0.0/16 */
	static const uint8_t ours[] = {24, 10, 1, 0};
	char *answer;
	int fd;

	start(neighbour_text, 0);
	run_until(&t.n_ends, 1);
	fd = open_session();
	answer = ask("{\"command\":\"show bgp\",\"args\":{\"peer\":\"near\"}}\n");
	assert_non_null(strstr(answer, "\"state\":\"Established\""));
	send_bgp(fd, 2, update, sizeof(update));
	run_ms(100);
	assert_string_equal(way("10.200.0.0/16"), "via lan 10.1.0.9");
	assert_true(was_announced(fd, ours, sizeof(ours)));
	answer = ask("{\"command\":\"show routes\",\"args\":{\"prefix\":\"10.200.0.0/16\"}}\n");
	assert_non_null(strstr(answer, "\"source\":\"ibgp\""));
	assert_non_null(strstr(answer, "\"peer\":\"near\""));
	assert_non_null(strstr(answer, "\"active\":true"));
	assert_non_null(
	    strstr(ask("{\"command\":\"show bgp\",\"args\":{\"peer\":\"nobody\"}}\n"), "not-found"));
	/* A static of better distance takes over; the path says why it waits. */
	write_config(config_text, "  - { prefix: 10.200.0.0/16, type: unreachable }\n" /* then bgp */
				  "bgp:\n  as: 65001\n  networks: [10.1.0.0/24]\n"
				  "  peers: { near: { address: 127.0.0.9, as: 65001, passive: true } }\n");
	assert_non_null(strstr(ask("{\"command\":\"reload\"}\n"), "{\"ok\":true}"));
	run_ms(50);
	assert_string_equal(way("10.200.0.0/16"), "unreachable");
	answer = ask("{\"command\":\"show routes\",\"args\":{\"prefix\":\"10.200.0.0/16\"}}\n");
	assert_non_null(strstr(answer, "distance 200, and static has 1"));
	answer = ask("{\"command\":\"show bgp\"}\n"); /* the session of the unchanged peer stayed */
	assert_non_null(strstr(answer, "\"established\":1,"));
	write_config(config_text, neighbour_text);
	assert_non_null(strstr(ask("{\"command\":\"reload\"}\n"), "{\"ok\":true}"));
	run_ms(50);
	assert_string_equal(way("10.200.0.0/16"), "via lan 10.1.0.9");
	close(fd); /* without graceful restart its routes go with it */
	run_ms(100);
	assert_string_equal(way("10.200.0.0/16"), "");
	stop();
}

static void requests_are_answered_in_order_and_bad_ones_by_a_sentence(void **state)
{
	char *answer;

	start("", 0);
	run_until(&t.n_ends, 1);
	answer = ask("{\"command\":\"show wan\"}\n");
	assert_non_null(strstr(answer, "\"port\":\"wan1\",\"verdict\":\"up\""));
	answer = ask("{\"command\":\"show bgp\"}\n");
	assert_string_equal(answer, "{\"ok\":true}\n");
	assert_non_null(strstr(ask("nonsense\n"), "\"code\":\"usage\""));
	assert_non_null(strstr(ask("[]\n"), "\"code\":\"usage\""));
	assert_non_null(strstr(ask("{\"command\":\"reboot\"}\n"), "there is no command reboot"));
	assert_non_null(strstr(
	    ask("{\"command\":\"show wan\",\"args\":{\"x\":\"y\"}}\n"), "does not take the argument x"));
	assert_non_null(
	    strstr(ask("{\"command\":\"show routes\",\"args\":{\"prefix\":1}}\n"), "\"code\":\"usage\""));
	assert_non_null(
	    strstr(ask("{\"command\":\"show routes\",\"args\":{\"prefix\":\"10.0.0.1/8\"}}\n"), "\"error\""));
	stop();
}

static void random_bytes_and_endless_lines_do_no_harm(void **state)
{
	uint64_t seed = 4711;
	char block[8192];

	start("", 0);
	run_until(&t.n_ends, 1);
	for (int i = 0; i < 100; i++) {
		const int fd = connect_control();

		for (size_t j = 0; j < sizeof(block); j++)
			block[j] = (char)unit_random(&seed);
		for (int k = 0; k < (i % 10 == 0 ? 12 : 1); k++) {
			if (i % 10 == 0)
				memset(block, 'x', sizeof(block)); /* over CTL_LINE_MAX without a newline */
			if (write(fd, block, sizeof(block)) < 0)
				break;
			run_ms(1);
		}
		close(fd);
	}
	run_ms(20);
	assert_non_null(strstr(ask("{\"command\":\"show drops\"}\n"), "{\"ok\":true}"));
	stop();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_dataplane_is_told_everything_and_swept),
	    cmocka_unit_test(the_sweep_waits_for_bgp_after_a_restart_of_control),
	    cmocka_unit_test(a_lost_connection_is_resynced),
	    cmocka_unit_test(a_refused_port_is_set_aside_and_named),
	    cmocka_unit_test(a_refused_peer_stays_as_it_was),
	    cmocka_unit_test(reload_applies_the_difference_or_nothing),
	    cmocka_unit_test(reload_repeats_tunnels),
	    cmocka_unit_test(override_reaches_the_line_and_outlives_a_restart),
	    cmocka_unit_test(addresses_that_appear_make_routes),
	    cmocka_unit_test(an_endpoint_by_name_is_told_as_an_address),
	    cmocka_unit_test(a_name_without_address_is_shown),
	    cmocka_unit_test(a_next_hop_names_the_peer),
	    cmocka_unit_test(routes_of_a_neighbour_reach_the_dataplane),
	    cmocka_unit_test(requests_are_answered_in_order_and_bad_ones_by_a_sentence),
	    cmocka_unit_test(random_bytes_and_endless_lines_do_no_harm),
	};

	signal(SIGPIPE, SIG_IGN); /* as main does */
	log_init("test_daemon", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
