/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the configuration, the resolver and what the dataplane says of peers. Control's only thread. */
#include "control/endpoints.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon.h"
#include "control/resolve.h"
#include "lib/log.h"

#define LOOK_S 15 /* how often peers with a name are looked at */
#define TELL_MS                                                                                              \
	100 /* from a name's new address to the dataplane: a thousand answers come at once at the start */

/* What was seen of a peer with a name. */
struct look {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
	uint64_t rx_bytes, tx_bytes;
};

struct endpoints {
	struct daemon *daemon;
	struct resolver *resolver;
	struct event *timer, *tell;
	void (*changed)(struct daemon *d);
	char path[256];
	struct look *looks;
	size_t n_looks;
	uint32_t query;
	bool asking;
};

static const struct config_peer *find_peer(const struct daemon *d, const char *tunnel, const uint8_t key[32])
{
	const struct config_tunnel *t = config_find_tunnel(d->config, tunnel);

	for (size_t i = 0; t != NULL && i < t->peers.n; i++)
		if (memcmp(t->peers.v[i].key, key, 32) == 0)
			return &t->peers.v[i];
	return NULL;
}

/* RFC 4291 §2.5.6, RFC 4193: from neither can an endpoint on the Internet be reached. */
static bool is_global6(const struct ip_addr *a)
{
	return a->family == IP_V6 && !(a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80) &&
	       (a->b[0] & 0xfe) != 0xfc;
}

/* Does this port have a public IPv6 address, configured or learned? */
static bool port_has6(const struct daemon *d, const struct config_port *p)
{
	for (size_t i = 0; i < p->addresses.n; i++)
		if (is_global6(&p->addresses.v[i].addr))
			return true;
	for (size_t i = 0; i < d->n_addresses; i++)
		if (strcmp(d->addresses[i].iface, p->name) == 0 && is_global6(&d->addresses[i].address.addr))
			return true;
	return false;
}

/* IPv6 where every line that the tunnel may use has it, so that a change of the line changes no endpoint. */
static bool lines_have6(const struct daemon *d, const char *tunnel)
{
	const struct config_tunnel *t = config_find_tunnel(d->config, tunnel);
	bool any = false, all = true;

	for (size_t i = 0; i < d->config->ports.n; i++) {
		const struct config_port *p = &d->config->ports.v[i];
		bool own = t != NULL && strcmp(t->line, p->name) == 0;

		if (p->role != CONFIG_ROLE_WAN)
			continue;
		if (!own && t != NULL && strcmp(t->line, "active") != 0 && !t->fallback)
			continue;
		any = true;
		all = all && port_has6(d, p);
	}
	return any && all;
}

static void save_name(const struct endpoints *e, const char *host, FILE *file)
{
	char text[IP_ADDR_STRLEN];
	struct ip_addr a, b;

	if (!resolver_find(e->resolver, host, false, &a))
		return;
	fprintf(file, "%s %s\n", host, ip_addr_format(&a, text));
	if (resolver_find(e->resolver, host, true, &b) && b.family != a.family)
		fprintf(file, "%s %s\n", host, ip_addr_format(&b, text));
}

static void save_names(const struct endpoints *e)
{
	const struct config *c = e->daemon->config;
	FILE *file = fopen(e->path, "we");

	if (file == NULL) {
		log_warn("%s cannot be written: after a restart of control names are unknown until they are "
			 "resolved",
		    e->path);
		return;
	}
	for (size_t i = 0; i < c->tunnels.n; i++)
		for (size_t j = 0; j < c->tunnels.v[i].peers.n; j++)
			if (c->tunnels.v[i].peers.v[j].endpoint.host != NULL)
				save_name(e, c->tunnels.v[i].peers.v[j].endpoint.host, file);
	fclose(file);
}

static void load_names(struct endpoints *e)
{
	FILE *file = fopen(e->path, "re");
	char host[254], text[IP_ADDR_STRLEN + 1];
	struct ip_addr a;

	while (file != NULL && fscanf(file, "%253s %46s", host, text) == 2)
		if (ip_addr_parse(text, &a, NULL) == 0)
			resolver_seed(e->resolver, host, &a);
	if (file != NULL)
		fclose(file);
}

static void on_change(void *arg)
{
	static const struct timeval soon = {.tv_usec = TELL_MS * 1000};
	struct endpoints *e = arg;

	if (!event_pending(e->tell, EV_TIMEOUT, NULL))
		event_add(e->tell, &soon);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct endpoints *e = arg;

	save_names(e);
	e->changed(e->daemon);
}

/* A peer not seen before has sent and received nothing. */
static struct look *find_look(struct endpoints *e, const struct fibmsg_row_peer *row)
{
	struct look *l;

	for (size_t i = 0; i < e->n_looks; i++)
		if (strcmp(e->looks[i].tunnel, row->tunnel) == 0 &&
		    memcmp(e->looks[i].key, row->key, sizeof(row->key)) == 0)
			return &e->looks[i];
	e->looks = realloc(e->looks, (e->n_looks + 1) * sizeof(*e->looks));
	if (e->looks == NULL)
		abort();
	l = &e->looks[e->n_looks++];
	memset(l, 0, sizeof(*l));
	memcpy(l->tunnel, row->tunnel, sizeof(l->tunnel));
	memcpy(l->key, row->key, sizeof(l->key));
	return l;
}

/* We send (be it initiations alone) and nothing comes back: a living peer answers within 10 s. */
static void on_row(void *arg, const struct fibmsg *m)
{
	struct endpoints *e = arg;
	const struct fibmsg_row_peer *row = &m->u.row_peer;
	const struct config_peer *p = find_peer(e->daemon, row->tunnel, row->key);
	struct look *l;

	if (p == NULL || p->endpoint.host == NULL)
		return;
	l = find_look(e, row);
	if (row->tx_bytes > l->tx_bytes && row->rx_bytes == l->rx_bytes)
		resolver_refresh(e->resolver, p->endpoint.host);
	l->rx_bytes = row->rx_bytes;
	l->tx_bytes = row->tx_bytes;
}

static void on_done(void *arg, int code, const char *text)
{
	struct endpoints *e = arg;

	e->asking = false;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct fibmsg_query_msg peers = {.kind = FIBMSG_QUERY_PEERS};
	struct endpoints *e = arg;

	if (!e->asking)
		e->asking = fibfeed_query(e->daemon->feed, &peers, on_row, on_done, e, &e->query) == 0;
}

struct endpoints *endpoints_new(struct daemon *d, void (*changed)(struct daemon *d))
{
	struct endpoints *e = calloc(1, sizeof(*e));
	const struct resolver_env env = {on_change, e};
	struct resolver_source source = {.server = d->options.name_server};

	if (e == NULL)
		abort();
	e->daemon = d;
	e->changed = changed;
	snprintf(e->path, sizeof(e->path), "%s/endpoints", d->options.run_dir);
	if (source.server == NULL) {
		source.resolv_conf = "/etc/resolv.conf";
		source.hosts = "/etc/hosts";
	}
	e->resolver = resolver_new(d->base, &source, &env);
	e->timer = event_new(d->base, -1, EV_PERSIST, on_timer, e);
	e->tell = event_new(d->base, -1, 0, on_tell, e);
	if (e->timer == NULL || e->tell == NULL)
		abort();
	return e;
}

void endpoints_free(struct endpoints *e)
{
	if (e == NULL)
		return;
	if (e->asking)
		fibfeed_cancel(e->daemon->feed, e->query);
	resolver_free(e->resolver);
	event_free(e->timer);
	event_free(e->tell);
	free(e->looks);
	free(e);
}

void endpoints_configure(struct endpoints *e)
{
	static const struct timeval look = {.tv_sec = LOOK_S};
	const struct config *c = e->daemon->config;
	const char **names = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->tunnels.n; i++) {
		for (size_t j = 0; j < c->tunnels.v[i].peers.n; j++) {
			const char *host = c->tunnels.v[i].peers.v[j].endpoint.host;

			if (host == NULL)
				continue;
			names = realloc(names, (n + 1) * sizeof(*names));
			if (names == NULL)
				abort();
			names[n++] = host;
		}
	}
	e->n_looks = 0;
	resolver_set_names(e->resolver, names, n);
	load_names(e);
	free(names);
	if (n > 0)
		event_add(e->timer, &look);
	else
		event_del(e->timer);
}

void endpoints_fill(const struct endpoints *e, struct config_objects *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct fibmsg_peer *peer = &o->v[i].u.peer;
		const struct config_peer *p;
		struct ip_addr a;

		if (o->v[i].type != FIBMSG_SET_PEER)
			continue;
		p = find_peer(e->daemon, peer->tunnel, peer->key);
		if (p == NULL || p->endpoint.host == NULL ||
		    !resolver_find(e->resolver, p->endpoint.host, lines_have6(e->daemon, peer->tunnel), &a))
			continue;
		peer->endpoint.addr = a;
		peer->endpoint.port = p->endpoint.address.port;
	}
}

void endpoints_note(const struct endpoints *e, const struct fibmsg_row_peer *peer, json_t *row)
{
	const struct config_peer *p = find_peer(e->daemon, peer->tunnel, peer->key);
	const char *why;

	if (p == NULL || p->endpoint.host == NULL)
		return;
	why = resolver_error(e->resolver, p->endpoint.host);
	json_object_set_new(row, "endpoint-name", json_string(p->endpoint.host));
	if (why != NULL)
		json_object_set_new(row, "endpoint-error", json_string(why));
}
