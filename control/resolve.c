/* SPDX-License-Identifier: BSD-3-Clause */
/* One entry a name, with a timer and two questions at the most. Control's only thread. */
#include "control/resolve.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "control/hosts.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define TTL_MIN_S     30
#define TTL_MAX_S     3600
#define RETRY_FIRST_S 5
#define RETRY_LAST_S  60
#define REFRESH_NS    (10 * NSEC_PER_SEC)

enum { FAMILY4, FAMILY6, FAMILIES };

/* What the last answer was. */
enum answer {
	ANSWER_NONE, /* there was none yet */
	ANSWER_ADDRESS,
	ANSWER_EMPTY,	 /* the name has no address of this family */
	ANSWER_UNUSABLE, /* it has, but none at which a peer can be */
	ANSWER_FAILED,
};

struct name {
	LIST_ENTRY(name) dead; /* not wanted any more, and evdns will call back */
	struct resolver *resolver;
	char *text;
	struct ip_addr addr[FAMILIES]; /* family 0: none is known */
	struct evdns_request *asked[FAMILIES];
	enum answer answer[FAMILIES];
	const char *why[FAMILIES]; /* of the last answer; NULL: it had addresses, or was empty */
	struct event *timer;
	uint64_t asked_ns;
	unsigned retry_s, ttl_s;
	bool answered, changed;
	bool wanted; /* while the names are being set */
	bool is_dead;
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns;
	struct resolver_env env;
	struct resolver_source source;
	struct stat read; /* the file of servers as it was read */
	struct name **names;
	size_t n;
	LIST_HEAD(, name) dead;
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

/*
 * The system's servers may be others by now: a line that came up brings its own. Only a file that changed is
 * read, since all questions under way begin anew with the new servers.
 */
static void read_system(struct resolver *r)
{
	const char *path = r->source.resolv_conf;
	struct stat now = {0};

	if (path == NULL)
		return;
	(void)stat(path, &now); /* none: all zero */
	if (now.st_ino == r->read.st_ino && now.st_size == r->read.st_size &&
	    now.st_mtim.tv_sec == r->read.st_mtim.tv_sec && now.st_mtim.tv_nsec == r->read.st_mtim.tv_nsec &&
	    evdns_base_count_nameservers(r->dns) > 0)
		return;
	r->read = now;
	evdns_base_clear_nameservers_and_suspend(r->dns);
	/* Its hosts are read by hosts.c; each call would add them once more. */
	if (evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, path) != 0)
		log_debug("%s cannot be read, or names no server", path);
	evdns_base_resume(r->dns);
}

/* RFC 2181 §8: a time to live whose first bit is set means 0. */
static unsigned ttl_of(int ttl)
{
	return ttl < 0 ? 0 : (unsigned)ttl;
}

static bool has_answer(const struct name *n, enum answer which)
{
	return n->answer[FAMILY4] == which || n->answer[FAMILY6] == which;
}

/* A family without addresses: what was known is no more, unless that leaves none at all. */
static void drop_empty(struct name *n)
{
	for (int f = 0; f < FAMILIES; f++) {
		if (n->answer[f] != ANSWER_EMPTY || n->answer[!f] == ANSWER_EMPTY ||
		    n->addr[f].family == IP_NONE || n->addr[!f].family == IP_NONE)
			continue;
		n->addr[f] = (struct ip_addr){0};
		n->changed = true;
	}
}

/* Both answers are there: when to ask again, and who must know. */
static void end_round(struct name *n)
{
	if (has_answer(n, ANSWER_FAILED) || !has_answer(n, ANSWER_ADDRESS)) {
		n->retry_s = n->retry_s ? n->retry_s * 2 : RETRY_FIRST_S;
		if (n->retry_s > RETRY_LAST_S)
			n->retry_s = RETRY_LAST_S;
		set_timer(n, n->retry_s);
	} else {
		n->retry_s = 0;
		set_timer(n, n->ttl_s < TTL_MIN_S ? TTL_MIN_S : n->ttl_s > TTL_MAX_S ? TTL_MAX_S : n->ttl_s);
	}
	drop_empty(n);
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

/*
 * Can a peer be there? RFC 6890 §2.2.2: 0.0.0.0/8 and 255.255.255.255 are nobody's, 127.0.0.0/8 and
 * 169.254.0.0/16 no other network's; RFC 4291 §2.5.2, §2.5.3, §2.5.5: no packet is sent to addresses of
 * ::/96 and ::ffff:0:0/96.
 */
static bool is_usable(const struct ip_addr *a)
{
	static const uint8_t zero[10], ones[4] = {255, 255, 255, 255};

	if (a->family == IP_NONE || ip_addr_is_multicast(a) || ip_addr_is_loopback(a) ||
	    ip_addr_is_link_local(a))
		return false;
	if (a->family == IP_V4)
		return a->b[0] != 0 && memcmp(a->b, ones, sizeof(ones)) != 0;
	return memcmp(a->b, zero, sizeof(zero)) != 0 ||
	       !((a->b[10] == 0 && a->b[11] == 0) || (a->b[10] == 255 && a->b[11] == 255));
}

/*
 * Servers turn the order of addresses: the one in use stays while it is among them, else the least is taken.
 * False: none of them is of use.
 */
static bool take_addresses(struct name *n, int family, const void *addresses, int count)
{
	struct ip_addr best = {0};

	for (int i = 0; i < count; i++) {
		struct ip_addr a = address_at(family, addresses, i);

		if (!is_usable(&a))
			continue;
		if (ip_addr_equal(&a, &n->addr[family]))
			return true;
		if (best.family == IP_NONE || memcmp(a.b, best.b, sizeof(a.b)) < 0)
			best = a;
	}
	if (best.family == IP_NONE)
		return false;
	n->addr[family] = best;
	n->changed = true;
	return true;
}

static void set_answer(struct name *n, int family, enum answer answer, const char *why)
{
	if (n->answer[family] != answer || n->why[family] != why)
		n->changed = true;
	n->answer[family] = answer;
	n->why[family] = why;
}

static const char *text_of(int result)
{
	return result == DNS_ERR_NOTEXIST ? "no such name" : evdns_err_to_string(result);
}

static void take_answer(struct name *n, int family, int result, int count, int ttl, const void *addresses)
{
	if (result != DNS_ERR_NONE && result != DNS_ERR_NODATA)
		set_answer(n, family, ANSWER_FAILED, text_of(result));
	else if (result == DNS_ERR_NODATA || count == 0)
		set_answer(n, family, ANSWER_EMPTY, NULL);
	else if (!take_addresses(n, family, addresses, count))
		set_answer(n, family, ANSWER_UNUSABLE, "no usable address");
	else
		set_answer(n, family, ANSWER_ADDRESS, NULL);
	if (n->answer[family] == ANSWER_ADDRESS && ttl_of(ttl) < n->ttl_s)
		n->ttl_s = ttl_of(ttl);
}

static void release_name(struct name *n)
{
	if (n->is_dead)
		LIST_REMOVE(n, dead);
	event_free(n->timer);
	free(n->text);
	free(n);
}

/* Every question ends here, whatever became of it: the answer to one that was cancelled may be queued
 * already, and then comes as if it were not. */
static void note_answer(struct name *n, int family, int result, int count, int ttl, const void *addresses)
{
	n->asked[family] = NULL;
	if (!n->is_dead)
		take_answer(n, family, result, count, ttl, addresses);
	if (n->asked[FAMILY4] || n->asked[FAMILY6])
		return;
	if (n->is_dead)
		release_name(n);
	else
		end_round(n);
}

static void on_answer4(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	note_answer(arg, FAMILY4, result, count, ttl, addresses);
}

static void on_answer6(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	note_answer(arg, FAMILY6, result, count, ttl, addresses);
}

/* hosts(5) comes before name servers, as for every other program. */
static bool ask_hosts(struct name *n)
{
	const char *path = n->resolver->source.hosts;
	struct hosts_answer found;

	if (path == NULL || !hosts_find(path, n->text, &found))
		return false;
	take_answer(n, FAMILY4, DNS_ERR_NONE, found.n4, 0, found.v4);
	take_answer(n, FAMILY6, DNS_ERR_NONE, found.n6, 0, found.v6);
	end_round(n);
	return true;
}

static void ask(struct name *n)
{
	struct evdns_base *dns = n->resolver->dns;

	read_system(n->resolver);
	if (n->asked[FAMILY4] || n->asked[FAMILY6]) {
		set_timer(n, RETRY_FIRST_S);
		return;
	}
	n->asked_ns = nsec_monotonic();
	n->ttl_s = TTL_MAX_S;
	if (ask_hosts(n))
		return;
	n->asked[FAMILY4] = evdns_base_resolve_ipv4(dns, n->text, DNS_QUERY_NO_SEARCH, on_answer4, n);
	n->asked[FAMILY6] = evdns_base_resolve_ipv6(dns, n->text, DNS_QUERY_NO_SEARCH, on_answer6, n);
	set_timer(n, RETRY_FIRST_S); /* servers may change while none answers */
	for (int f = 0; f < FAMILIES; f++)
		if (!n->asked[f])
			set_answer(n, f, ANSWER_FAILED, "cannot be asked");
	if (!n->asked[FAMILY4] && !n->asked[FAMILY6])
		end_round(n);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	ask(arg);
}

/* The caller forgets it. With questions under way it lives on until both have ended, see note_answer. */
static void drop_name(struct name *n)
{
	struct evdns_base *dns = n->resolver->dns;

	event_del(n->timer);
	n->is_dead = true;
	LIST_INSERT_HEAD(&n->resolver->dead, n, dead);
	for (int f = 0; f < FAMILIES; f++)
		if (n->asked[f])
			evdns_cancel_request(dns, n->asked[f]); /* calls back later */
	if (!n->asked[FAMILY4] && !n->asked[FAMILY6])
		release_name(n);
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
			drop_name(r->names[i]);
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

	if (n && n->addr[family].family == IP_NONE && is_usable(a))
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
	if (has_answer(n, ANSWER_ADDRESS))
		return NULL;
	return n->why[FAMILY4] ? n->why[FAMILY4] : n->why[FAMILY6] ? n->why[FAMILY6] : "no address";
}

void resolver_refresh(struct resolver *r, const char *name)
{
	struct name *n = find_name(r, name);

	if (n && nsec_monotonic() - n->asked_ns >= REFRESH_NS)
		ask(n);
}

struct resolver *resolver_new(
    struct event_base *base, const struct resolver_source *source, const struct resolver_env *env)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->base = base;
	r->env = *env;
	r->source = *source;
	LIST_INIT(&r->dead);
	r->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!r->dns)
		abort();
	if (source->server)
		evdns_base_nameserver_ip_add(r->dns, source->server);
	read_system(r);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	evdns_base_free(r->dns, 0); /* with the questions */
	for (size_t i = 0; i < r->n; i++)
		release_name(r->names[i]);
	while (!LIST_EMPTY(&r->dead))
		release_name(LIST_FIRST(&r->dead));
	free(r->names);
	free(r);
}
