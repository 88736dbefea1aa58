/* SPDX-License-Identifier: BSD-3-Clause */
/* One entry a name, with a timer and two questions at the most. Control's only thread. */
#include "control/resolve.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/nsec.h"

#define TTL_MIN_S     30
#define TTL_MAX_S     3600
#define RETRY_FIRST_S 5
#define RETRY_LAST_S  60
#define REFRESH_NS    (10 * NSEC_PER_SEC)

enum { FAMILY4, FAMILY6, FAMILIES };

struct name {
	struct resolver *resolver;
	char *text;
	struct ip_addr addr[FAMILIES]; /* family 0: none is known */
	struct evdns_request *asked[FAMILIES];
	const char *why[FAMILIES]; /* of the last answer; NULL: it had addresses, or was empty */
	struct event *timer;
	uint64_t asked_ns;
	unsigned retry_s, ttl_s;
	bool answered, changed;
	bool wanted; /* while the names are being set */
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns;
	struct resolver_env env;
	bool by_system;
	struct name **names;
	size_t n;
};

static struct name *find_name(const struct resolver *r, const char *text)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->names[i]->text, text) == 0)
			return r->names[i];
	return NULL;
}

static void set_timer(struct name *n, unsigned seconds)
{
	const struct timeval tv = {.tv_sec = (time_t)seconds};

	event_add(n->timer, &tv);
}

/* The system's servers may be others by now: a line that came up brings its own. */
static void read_system(struct resolver *r)
{
	if (!r->by_system)
		return;
	evdns_base_clear_nameservers_and_suspend(r->dns);
	if (evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0 &&
	    evdns_base_count_nameservers(r->dns) == 0)
		log_debug("/etc/resolv.conf names no server");
	evdns_base_resume(r->dns);
}

/* Both answers are there: when to ask again, and who must know. */
static void end_round(struct name *n)
{
	bool failed = n->why[FAMILY4] != NULL || n->why[FAMILY6] != NULL;

	if (failed) {
		n->retry_s = n->retry_s ? n->retry_s * 2 : RETRY_FIRST_S;
		if (n->retry_s > RETRY_LAST_S)
			n->retry_s = RETRY_LAST_S;
		set_timer(n, n->retry_s);
		read_system(n->resolver);
	} else {
		n->retry_s = 0;
		set_timer(n, n->ttl_s < TTL_MIN_S ? TTL_MIN_S : n->ttl_s > TTL_MAX_S ? TTL_MAX_S : n->ttl_s);
	}
	if (!n->changed && n->answered)
		return;
	n->answered = true;
	n->changed = false;
	n->resolver->env.changed(n->resolver->env.arg);
}

static struct ip_addr address_at(int family, const void *addresses, int i)
{
	const uint8_t *bytes = addresses;
	uint32_t be;

	if (family == FAMILY6)
		return ip_addr_v6(bytes + 16 * i);
	memcpy(&be, bytes + 4 * i, sizeof(be));
	return ip_addr_v4(be);
}

/* Servers turn the order of addresses: the one in use stays while it is among them, else the least is taken.
 */
static void take_addresses(struct name *n, int family, const void *addresses, int count)
{
	struct ip_addr best = address_at(family, addresses, 0);

	for (int i = 0; i < count; i++) {
		struct ip_addr a = address_at(family, addresses, i);

		if (ip_addr_equal(&a, &n->addr[family]))
			return;
		if (memcmp(a.b, best.b, sizeof(a.b)) < 0)
			best = a;
	}
	n->addr[family] = best;
	n->changed = true;
}

static void set_why(struct name *n, int family, const char *why)
{
	if (n->why[family] != why)
		n->changed = true;
	n->why[family] = why;
}

/* A name without addresses of this family: what was known is no more, unless that leaves none at all. */
static void take_nothing(struct name *n, int family)
{
	if (n->addr[family].family == IP_NONE || n->addr[!family].family == IP_NONE)
		return;
	n->addr[family] = (struct ip_addr){0};
	n->changed = true;
}

static const char *text_of(int result)
{
	return result == DNS_ERR_NOTEXIST ? "no such name" : evdns_err_to_string(result);
}

static void note_answer(struct name *n, int family, int result, int count, int ttl, const void *addresses)
{
	n->asked[family] = NULL;
	if (result == DNS_ERR_NONE && count > 0) {
		take_addresses(n, family, addresses, count);
		set_why(n, family, NULL);
		if ((unsigned)ttl < n->ttl_s)
			n->ttl_s = (unsigned)ttl;
	} else if (result == DNS_ERR_NODATA || (result == DNS_ERR_NONE && count == 0)) {
		take_nothing(n, family);
		set_why(n, family, NULL);
	} else {
		set_why(n, family, text_of(result));
	}
	if (!n->asked[FAMILY4] && !n->asked[FAMILY6])
		end_round(n);
}

static void on_answer4(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	if (result != DNS_ERR_CANCEL && result != DNS_ERR_SHUTDOWN)
		note_answer(arg, FAMILY4, result, count, ttl, addresses);
}

static void on_answer6(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	if (result != DNS_ERR_CANCEL && result != DNS_ERR_SHUTDOWN)
		note_answer(arg, FAMILY6, result, count, ttl, addresses);
}

static void ask(struct name *n)
{
	struct evdns_base *dns = n->resolver->dns;

	if (n->asked[FAMILY4] || n->asked[FAMILY6])
		return;
	n->asked_ns = nsec_monotonic();
	n->ttl_s = TTL_MAX_S;
	n->asked[FAMILY4] = evdns_base_resolve_ipv4(dns, n->text, DNS_QUERY_NO_SEARCH, on_answer4, n);
	n->asked[FAMILY6] = evdns_base_resolve_ipv6(dns, n->text, DNS_QUERY_NO_SEARCH, on_answer6, n);
	if (n->asked[FAMILY4] || n->asked[FAMILY6])
		return;
	set_why(n, FAMILY4, "no name server");
	end_round(n);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	ask(arg);
}

static void free_name(struct name *n)
{
	for (int f = 0; f < FAMILIES; f++)
		if (n->asked[f])
			evdns_cancel_request(n->resolver->dns, n->asked[f]);
	event_free(n->timer);
	free(n->text);
	free(n);
}

static void add_name(struct resolver *r, const char *text)
{
	struct name *n = calloc(1, sizeof(*n));

	r->names = realloc(r->names, (r->n + 1) * sizeof(struct name *));
	if (!n || !r->names)
		abort();
	n->resolver = r;
	n->text = strdup(text);
	n->timer = event_new(r->base, -1, 0, on_timer, n);
	n->wanted = true;
	if (!n->text || !n->timer)
		abort();
	r->names[r->n++] = n;
	set_timer(n, 0); /* from the loop, as every answer comes */
}

void resolver_set_names(struct resolver *r, const char *const *names, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct name *known = find_name(r, names[i]);

		if (known)
			known->wanted = true;
		else
			add_name(r, names[i]);
	}
	for (size_t i = 0; i < r->n; i++) {
		if (!r->names[i]->wanted) {
			free_name(r->names[i]);
			continue;
		}
		r->names[i]->wanted = false;
		r->names[kept++] = r->names[i];
	}
	r->n = kept;
}

void resolver_seed(struct resolver *r, const char *name, const struct ip_addr *a)
{
	struct name *n = find_name(r, name);
	int family = a->family == IP_V6 ? FAMILY6 : FAMILY4;

	if (n && n->addr[family].family == IP_NONE)
		n->addr[family] = *a;
}

bool resolver_find(const struct resolver *r, const char *name, bool better6, struct ip_addr *out)
{
	const struct name *n = find_name(r, name);
	int first = better6 ? FAMILY6 : FAMILY4;

	if (!n)
		return false;
	if (n->addr[first].family == IP_NONE)
		first = !first;
	if (n->addr[first].family == IP_NONE)
		return false;
	*out = n->addr[first];
	return true;
}

const char *resolver_error(const struct resolver *r, const char *name)
{
	const struct name *n = find_name(r, name);

	if (!n || !n->answered)
		return NULL;
	if (n->why[FAMILY4] && n->why[FAMILY6])
		return n->why[FAMILY4];
	if (n->addr[FAMILY4].family != IP_NONE || n->addr[FAMILY6].family != IP_NONE)
		return NULL;
	return n->why[FAMILY4] ? n->why[FAMILY4] : n->why[FAMILY6] ? n->why[FAMILY6] : "no address";
}

void resolver_refresh(struct resolver *r, const char *name)
{
	struct name *n = find_name(r, name);

	if (n && nsec_monotonic() - n->asked_ns >= REFRESH_NS)
		ask(n);
}

struct resolver *resolver_new(struct event_base *base, const char *server, const struct resolver_env *env)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->base = base;
	r->env = *env;
	r->by_system = server == NULL;
	r->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!r->dns)
		abort();
	if (server)
		evdns_base_nameserver_ip_add(r->dns, server);
	read_system(r);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	evdns_base_free(r->dns, 0); /* with the questions; nobody is called back */
	for (size_t i = 0; i < r->n; i++)
		r->names[i]->asked[FAMILY4] = r->names[i]->asked[FAMILY6] = NULL;
	resolver_set_names(r, NULL, 0);
	free(r->names);
	free(r);
}
