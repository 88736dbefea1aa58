/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the host's own sockets find the right line: policy rules and a few routes of the kernel, made
 * what they should be whenever addresses, lines or the router's sources change.
 *
 *   1000  lookup main, but no default       what is connected is spoken to directly
 *   1100  from <address of a WAN>           that WAN's kernel table: its gateway; private space to byway0
 *   1200  lookup the host's kernel table    default to byway0, from the router's preferred source
 *
 * Everything made here carries the protocol number PROTO, so that a later life of the program finds and
 * removes what is not wanted any more. Slow thread only.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply.h"
#include "dataplane/host.h"
#include "dataplane/rtnl.h"
#include "lib/log.h"

#define PROTO	       183 /* of rules and routes; not in /etc/iproute2/rt_protos */
#define PRIO_CONNECTED 1000
#define PRIO_LINE      1100
#define PRIO_HOST      1200
#define TABLE_HOST     18300
#define TABLE_LINE     18400 /* plus the interface's index */
#define ENTRIES_MAX    1024
#define DUMP_TRIES     4

/* A rule (oif 0, prio set) or a route (prio 0), all of it: equal entries compare equal by memcmp. */
struct entry {
	uint32_t table, prio;
	int oif;
	uint8_t suppress_default;
	struct ip_prefix prefix; /* a rule's source, a route's destination; family set in either case */
	struct ip_addr gateway, source; /* of a route */
};

struct entries {
	unsigned n;
	struct entry e[ENTRIES_MAX];
};

static bool scheduled;

void hostrule_schedule(void)
{
	scheduled = true;
}

static void add(struct entries *all, const struct entry *e)
{
	if (all->n < ENTRIES_MAX)
		all->e[all->n++] = *e;
	else
		log_err(
		    "host: more than %d rules and routes are needed, some sockets will not find their line",
		    ENTRIES_MAX);
}

/* --- what should be --- */

static void want_rule(
    struct entries *all, uint8_t family, uint32_t prio, uint32_t table, const struct ip_addr *from)
{
	struct entry e;

	memset(&e, 0, sizeof(e));
	e.prio = prio;
	e.table = table;
	e.suppress_default = prio == PRIO_CONNECTED;
	e.prefix.addr.family = family;
	if (from)
		e.prefix = ip_prefix_host(from);
	add(all, &e);
}

static void want_route(struct entries *all, uint32_t table, const struct ip_prefix *to, int oif,
    const struct ip_addr *gateway, const struct ip_addr *source)
{
	struct entry e;

	memset(&e, 0, sizeof(e));
	e.table = table;
	e.oif = oif;
	e.prefix = *to;
	if (gateway)
		e.gateway = *gateway;
	if (source)
		e.source = *source;
	add(all, &e);
}

/* Private space is the overlay's to decide, also for a socket bound to a WAN's address. */
static void want_private(struct entries *all, uint32_t table, int byway0)
{
	static const char *const spaces[] = {
	    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};
	struct ip_prefix p;

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		if (ip_prefix_parse(spaces[i], &p, NULL) == 0)
			want_route(all, table, &p, byway0, NULL, NULL);
	}
}

static void want_line(struct entries *all, const struct fibmsg_line *line, int byway0)
{
	const struct iface *ifc = iface_by_name(line->port);
	int oif = ifc ? hostif_ifindex(ifc) : 0;
	uint32_t table = ifc ? TABLE_LINE + ifc->index : 0;
	const struct ip_addr *gateways[] = {&line->gateway4, &line->gateway6};

	if (!oif)
		return;
	for (unsigned i = 0; ifc->addresses && i < ifc->addresses->n; i++) {
		const struct ip_addr *a = &ifc->addresses->a[i].addr;

		if (!ip_addr_is_link_local(a))
			want_rule(all, a->family, PRIO_LINE, table, a);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct ip_prefix any = {.addr = {.family = gateways[i]->family}};

		if (gateways[i]->family != IP_NONE)
			want_route(all, table, &any, oif, gateways[i], NULL);
	}
	want_private(all, table, byway0);
}

static bool is_ours(const struct ip_addr *a)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);

		for (unsigned k = 0; ifc && ifc->addresses && k < ifc->addresses->n; k++) {
			if (ip_addr_equal(&ifc->addresses->a[k].addr, a))
				return true;
		}
	}
	return false;
}

/* The kernel takes a preferred source only while an interface carries it. */
static const struct ip_addr *source_of(const struct fibmsg_router *r, uint8_t family)
{
	const struct ip_addr *a = family == IP_V4 ? &r->source4 : &r->source6;

	return a->family == family && is_ours(a) ? a : NULL;
}

static void find_router(struct fibmsg_router *r)
{
	const struct store_object *o = store_first(apply_store(), STORE_ROUTER);
	struct fibmsg m;

	memset(r, 0, sizeof(*r));
	if (!o)
		return;
	store_decode(o, &m);
	*r = m.u.router;
}

static void collect_wanted(struct entries *all)
{
	const struct iface *host = iface_by_name("byway0");
	int byway0 = host ? hostif_ifindex(host) : 0;
	struct fibmsg_router r;

	if (!byway0)
		return;
	find_router(&r);
	for (uint8_t family = IP_V4; family <= IP_V6; family = (uint8_t)(family + 2)) {
		struct ip_prefix any = {.addr = {.family = family}};

		want_rule(all, family, PRIO_CONNECTED, RT_TABLE_MAIN, NULL);
		want_rule(all, family, PRIO_HOST, TABLE_HOST, NULL);
		want_route(all, TABLE_HOST, &any, byway0, NULL, source_of(&r, family));
	}
	for (const struct store_object *o = store_first(apply_store(), STORE_LINE); o; o = store_after(o)) {
		struct fibmsg m;

		store_decode(o, &m);
		want_line(all, &m.u.line, byway0);
	}
}

/* --- what is --- */

static int read_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *h = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	struct entry e;
	bool ours = false;

	memset(&e, 0, sizeof(e));
	e.prefix.addr.family = rtnl_family(h->family);
	e.table = h->table;
	mnl_attr_for_each(a, nlh, sizeof(*h))
	{
		switch (mnl_attr_get_type(a)) {
		case FRA_PROTOCOL:
			ours = mnl_attr_get_u8(a) == PROTO;
			break;
		case FRA_TABLE:
			e.table = mnl_attr_get_u32(a);
			break;
		case FRA_PRIORITY:
			e.prio = mnl_attr_get_u32(a);
			break;
		case FRA_SUPPRESS_PREFIXLEN:
			e.suppress_default = mnl_attr_get_u32(a) == 0;
			break;
		case FRA_SRC:
			e.prefix.addr = rtnl_get_addr(a);
			e.prefix.len = h->src_len;
			break;
		default: /* the kernel's attributes, not an enumeration of ours */
			break;
		}
	}
	if (ours)
		add(arg, &e);
	return MNL_CB_OK;
}

static int read_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *h = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	struct entry e;

	if (h->rtm_protocol != PROTO)
		return MNL_CB_OK;
	memset(&e, 0, sizeof(e));
	e.table = h->rtm_table;
	e.prefix.addr.family = rtnl_family(h->rtm_family);
	e.prefix.len = h->rtm_dst_len;
	mnl_attr_for_each(a, nlh, sizeof(*h))
	{
		switch (mnl_attr_get_type(a)) {
		case RTA_TABLE:
			e.table = mnl_attr_get_u32(a);
			break;
		case RTA_DST:
			e.prefix.addr = rtnl_get_addr(a);
			break;
		case RTA_OIF:
			e.oif = (int)mnl_attr_get_u32(a);
			break;
		case RTA_GATEWAY:
			e.gateway = rtnl_get_addr(a);
			break;
		case RTA_PREFSRC:
			e.source = rtnl_get_addr(a);
			break;
		default: /* the kernel's attributes, not an enumeration of ours */
			break;
		}
	}
	add(arg, &e);
	return MNL_CB_OK;
}

static int dump(uint16_t type, uint8_t af, size_t header_len, mnl_cb_t cb, struct entries *all)
{
	char buf[RTNL_BUF];
	unsigned before = all->n;
	int rc = -EINTR;

	for (unsigned i = 0; i < DUMP_TRIES && rc == -EINTR; i++) {
		struct nlmsghdr *nlh = rtnl_start(buf, type, 0);
		uint8_t *header = mnl_nlmsg_put_extra_header(nlh, header_len);

		header[0] = af; /* the family comes first in rtmsg and in fib_rule_hdr */
		all->n = before;
		rc = rtnl_dump(nlh, cb, all);
	}
	return rc;
}

static int collect_present(struct entries *all)
{
	int rc = 0;

	for (unsigned i = 0; i < 2 && !rc; i++) {
		uint8_t af = i ? AF_INET6 : AF_INET;

		rc = dump(RTM_GETRULE, af, sizeof(struct fib_rule_hdr), read_rule, all);
		if (!rc)
			rc = dump(RTM_GETROUTE, af, sizeof(struct rtmsg), read_route, all);
	}
	return rc;
}

/* --- the difference --- */

static void put_rule(struct nlmsghdr *nlh, const struct entry *e)
{
	struct fib_rule_hdr *h = mnl_nlmsg_put_extra_header(nlh, sizeof(*h));

	h->family = rtnl_af(e->prefix.addr.family);
	h->action = FR_ACT_TO_TBL;
	h->src_len = e->prefix.len;
	mnl_attr_put_u32(nlh, FRA_TABLE, e->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, e->prio);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTO);
	if (e->suppress_default)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	if (e->prefix.len)
		rtnl_put_addr(nlh, FRA_SRC, &e->prefix.addr);
}

static void put_route(struct nlmsghdr *nlh, const struct entry *e)
{
	struct rtmsg *h = mnl_nlmsg_put_extra_header(nlh, sizeof(*h));

	h->rtm_family = rtnl_af(e->prefix.addr.family);
	h->rtm_dst_len = e->prefix.len;
	h->rtm_protocol = PROTO;
	h->rtm_type = RTN_UNICAST;
	h->rtm_scope = e->gateway.family == IP_NONE && e->prefix.addr.family == IP_V4 ? RT_SCOPE_LINK
										      : RT_SCOPE_UNIVERSE;
	h->rtm_flags = e->gateway.family == IP_NONE ? 0 : RTNH_F_ONLINK;
	mnl_attr_put_u32(nlh, RTA_TABLE, e->table);
	mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)e->oif);
	if (e->prefix.len)
		rtnl_put_addr(nlh, RTA_DST, &e->prefix.addr);
	if (e->gateway.family != IP_NONE)
		rtnl_put_addr(nlh, RTA_GATEWAY, &e->gateway);
	if (e->source.family != IP_NONE)
		rtnl_put_addr(nlh, RTA_PREFSRC, &e->source);
}

static int change(const struct entry *e, bool make)
{
	uint16_t flags = make ? NLM_F_CREATE | NLM_F_EXCL : 0;
	char buf[RTNL_BUF];
	struct nlmsghdr *nlh;

	if (e->prio) {
		nlh = rtnl_start(buf, make ? RTM_NEWRULE : RTM_DELRULE, flags);
		put_rule(nlh, e);
	} else {
		nlh = rtnl_start(buf, make ? RTM_NEWROUTE : RTM_DELROUTE, flags);
		put_route(nlh, e);
	}
	return rtnl_talk(nlh);
}

static bool holds(const struct entries *all, const struct entry *e)
{
	for (unsigned i = 0; i < all->n; i++) {
		if (memcmp(&all->e[i], e, sizeof(*e)) == 0)
			return true;
	}
	return false;
}

static void say_failure(const struct entry *e, bool make, int rc)
{
	char prefix[IP_PREFIX_STRLEN];

	log_warn("host: the kernel refuses to %s the %s %s %s in table %u: %s", make ? "make" : "remove",
	    e->prio ? "rule" : "route", e->prio ? "from" : "to", ip_prefix_format(&e->prefix, prefix),
	    e->table, strerror(-rc));
}

/* Removes before it makes: a route whose source or gateway changed has one place in its table. */
static void make_equal(const struct entries *present, const struct entries *wanted)
{
	for (unsigned i = 0; i < present->n; i++) {
		int rc = holds(wanted, &present->e[i]) ? 0 : change(&present->e[i], false);

		if (rc && rc != -ESRCH && rc != -ENOENT)
			say_failure(&present->e[i], false, rc);
	}
	for (unsigned i = 0; i < wanted->n; i++) {
		int rc = holds(present, &wanted->e[i]) ? 0 : change(&wanted->e[i], true);

		if (rc && rc != -EEXIST)
			say_failure(&wanted->e[i], true, rc);
	}
}

static void sync_with(struct entries *wanted)
{
	struct entries *present = calloc(1, sizeof(*present));
	int rc = present ? collect_present(present) : -ENOMEM;

	if (rc)
		log_err("host: rules and routes of the kernel cannot be read: %s", strerror(-rc));
	else
		make_equal(present, wanted);
	free(present);
}

bool hostrule_sync(void)
{
	struct entries *wanted;

	if (!scheduled)
		return false;
	scheduled = false;
	wanted = calloc(1, sizeof(*wanted));
	if (!wanted) {
		log_err("host: no memory for the rules by which sockets find their line");
		return true;
	}
	collect_wanted(wanted);
	sync_with(wanted);
	free(wanted);
	return true;
}

void hostrule_clear(void)
{
	struct entries *none = calloc(1, sizeof(*none));

	scheduled = false;
	if (none)
		sync_with(none);
	free(none);
}
