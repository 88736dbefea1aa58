/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Policy rules and routes of the kernel by which what the host itself sends meets the same FIB as what is
 * forwarded. What should be there is computed whole from interfaces and lines, compared with what was made,
 * and only the difference is changed. Everything carries PROTOCOL, so that a restart finds and removes it.
 * Slow thread.
 *
 *   1000  lookup main, but not its default        connected, and what the owner added
 *   1010  from an address of a WAN: its table     default via its gateway on its host interface; private
 *                                                 destinations to byway0, where the FIB decides
 *   1020  from any other address of ours: 25000   default to byway0
 *   main  private destinations dev byway0 from the preferred source, the default dev byway0 from the active
 *         line's address (there is no NAT for what the router itself says), and behind it one by each WAN for
 *         sockets bound to it
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/apply.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/nlmsg.h"
#include "lib/log.h"

#define PROTOCOL     66
#define TABLE_BYWAY  25000u /* and a WAN's: this plus its interface index */
#define PRIORITY     1000u
#define METRIC_HOST  50u    /* of the default to byway0: one that the owner adds without metric goes first */
#define METRIC_BOUND 20000u /* of those by each WAN: only a socket bound to it sees them */
#define ITEMS_MAX    2048

struct item {
	bool is_route;
	uint8_t family;		  /* IP_V4 or IP_V6 */
	uint32_t table, priority; /* of a route: its metric */
	struct ip_prefix prefix;  /* route: destination; rule: source */
	struct ip_addr gateway, source;
	int ifindex;
	bool no_default; /* rule: passes over a default route */
};

struct items {
	struct item list[ITEMS_MAX];
	unsigned n;
};

static struct items made, wanted;
static bool scheduled;

void hostrule_schedule(void)
{
	scheduled = true;
}

void hostrule_forget(void)
{
	made.n = 0;
}

/* --- what should be there --- */

static struct item *want(void)
{
	struct item *i;

	if (wanted.n == ITEMS_MAX)
		return NULL;
	i = &wanted.list[wanted.n++];
	memset(i, 0, sizeof(*i));
	return i;
}

static void want_rule(uint8_t family, uint32_t priority, const struct ip_addr *from, uint32_t table)
{
	struct item *i = want();

	if (!i)
		return;
	i->family = family;
	i->priority = priority;
	i->table = table;
	i->no_default = !from;
	if (from)
		i->prefix = ip_prefix_host(from);
}

static void want_route(uint8_t family, uint32_t table, uint32_t metric, const char *prefix, int ifindex,
    const struct ip_addr *gateway, const struct ip_addr *source)
{
	struct item *i = want();

	if (!i)
		return;
	i->is_route = true;
	i->family = family;
	i->table = table;
	i->priority = metric;
	ip_prefix_parse(prefix, &i->prefix, NULL);
	i->ifindex = ifindex;
	if (gateway)
		i->gateway = *gateway;
	if (source)
		i->source = *source;
}

/* May the kernel speak from it: is it on a host interface? */
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

static const char *default_of(uint8_t family)
{
	return family == IP_V4 ? "0.0.0.0/0" : "::/0";
}

/* RFC 1918, RFC 6598, RFC 4193: never by a WAN because the kernel thinks so. */
static void want_private(uint8_t family, uint32_t table, int byway0, const struct ip_addr *source)
{
	static const char *const prefixes4[] = {
	    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"};

	if (family == IP_V6) {
		want_route(IP_V6, table, METRIC_HOST, "fc00::/7", byway0, NULL, source);
		return;
	}
	for (unsigned i = 0; i < sizeof(prefixes4) / sizeof(prefixes4[0]); i++)
		want_route(IP_V4, table, METRIC_HOST, prefixes4[i], byway0, NULL, source);
}

static void want_wan(const struct iface *ifc, const struct fibmsg_line *line, int byway0)
{
	const struct ip_addr *const gateways[] = {&line->gateway4, &line->gateway6};

	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = i ? IP_V6 : IP_V4;

		if (gateways[i]->family == IP_NONE)
			continue;
		want_route(family, TABLE_BYWAY + ifc->index, METRIC_HOST, default_of(family),
		    hostif_ifindex(ifc), gateways[i], NULL);
		want_private(family, TABLE_BYWAY + ifc->index, byway0, NULL);
		want_route(family, RT_TABLE_MAIN, METRIC_BOUND + ifc->index, default_of(family),
		    hostif_ifindex(ifc), gateways[i], NULL);
	}
}

static void want_addresses(const struct iface *ifc)
{
	for (unsigned k = 0; ifc->addresses && k < ifc->addresses->n; k++) {
		const struct ip_addr *a = &ifc->addresses->a[k].addr;

		if (ip_addr_is_link_local(a))
			continue;
		if (ifc->role == FIBMSG_ROLE_WAN && ifc->kind == IFACE_PORT)
			want_rule(a->family, PRIORITY + 10, a, TABLE_BYWAY + ifc->index);
		else
			want_rule(a->family, PRIORITY + 20, a, TABLE_BYWAY);
	}
}

static void want_lines(int byway0)
{
	for (struct store_object *o = store_first(apply_store(), STORE_LINE); o; o = store_after(o)) {
		const struct iface *ifc;
		struct fibmsg m;

		store_decode(o, &m);
		ifc = iface_by_name(m.u.line.port);
		if (ifc && ifc->hostif)
			want_wan(ifc, &m.u.line, byway0);
	}
}

/*
 * What an unbound socket calls the Internet from: the preferred source where the Internet can answer it, else
 * the active line's address, so that new connections change line with it.
 */
static const struct ip_addr *public_source(
    uint8_t family, const struct ip_addr *preferred, struct ip_addr *room)
{
	const struct iface *line = iface_by_index(monitor_active_line());

	if (preferred && !ip_addr_is_private(preferred))
		return preferred;
	return line && iface_source(line, family, NULL, room) && !ip_addr_is_link_local(room) ? room
											      : preferred;
}

static void want_all(int byway0)
{
	struct store_object *o = store_first(apply_store(), STORE_ROUTER);
	struct ip_addr sources[2], room;
	struct fibmsg router;

	memset(&router, 0, sizeof(router));
	if (o)
		store_decode(o, &router);
	sources[0] = router.u.router.source4;
	sources[1] = router.u.router.source6;
	wanted.n = 0;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = i ? IP_V6 : IP_V4;
		const struct ip_addr *from = is_ours(&sources[i]) ? &sources[i] : NULL;

		want_rule(family, PRIORITY, NULL, RT_TABLE_MAIN);
		want_route(family, TABLE_BYWAY, METRIC_HOST, default_of(family), byway0, NULL, from);
		want_private(family, RT_TABLE_MAIN, byway0, from);
		want_route(family, RT_TABLE_MAIN, METRIC_HOST, default_of(family), byway0, NULL,
		    public_source(family, from, &room));
	}
	want_lines(byway0);
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);

		if (ifc && ifc->hostif)
			want_addresses(ifc);
	}
}

/* --- saying it to the kernel --- */

static int talk_route(const struct item *i, bool add)
{
	char buf[NLMSG_ROOM];
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;
	void *extra;

	nlh = nlmsg_new(buf, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
	    sizeof(*rtm), &extra);
	rtm = extra;
	rtm->rtm_family = i->family == IP_V4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = i->prefix.len;
	rtm->rtm_table = i->table < 256 ? (unsigned char)i->table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = PROTOCOL;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = i->gateway.family || i->family == IP_V6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	rtm->rtm_flags = i->gateway.family ? RTNH_F_ONLINK : 0;
	mnl_attr_put_u32(nlh, RTA_TABLE, i->table);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, i->priority);
	mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)i->ifindex);
	if (i->prefix.len)
		nlmsg_put_addr(nlh, RTA_DST, &i->prefix.addr);
	if (i->gateway.family)
		nlmsg_put_addr(nlh, RTA_GATEWAY, &i->gateway);
	if (i->source.family && add)
		nlmsg_put_addr(nlh, RTA_PREFSRC, &i->source);
	return nlmsg_talk(nlh);
}

static int talk_rule(const struct item *i, bool add)
{
	struct fib_rule_hdr *frh;
	char buf[NLMSG_ROOM];
	struct nlmsghdr *nlh;
	void *extra;

	nlh = nlmsg_new(
	    buf, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*frh), &extra);
	frh = extra;
	frh->family = i->family == IP_V4 ? AF_INET : AF_INET6;
	frh->src_len = i->prefix.len;
	frh->action = FR_ACT_TO_TBL;
	frh->table = i->table < 256 ? (uint8_t)i->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(nlh, FRA_TABLE, i->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, i->priority);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTOCOL);
	if (i->prefix.len)
		nlmsg_put_addr(nlh, FRA_SRC, &i->prefix.addr);
	if (i->no_default)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	return nlmsg_talk(nlh);
}

static int talk(const struct item *i, bool add)
{
	int rc = i->is_route ? talk_route(i, add) : talk_rule(i, add);

	return add && rc == -EEXIST ? 0 : rc;
}

static bool contains(const struct items *items, const struct item *i)
{
	for (unsigned k = 0; k < items->n; k++) {
		if (memcmp(&items->list[k], i, sizeof(*i)) == 0)
			return true;
	}
	return false;
}

bool hostrule_sync(void)
{
	static struct items now;
	const struct iface *byway0 = iface_by_name("byway0");

	if (!scheduled || !netlink_running() || !byway0 || !apply_store() || apply_is_stopping())
		return false;
	scheduled = false;
	want_all(hostif_ifindex(byway0));
	if (wanted.n == ITEMS_MAX)
		log_warn("more than %u host rules and routes: the rest is left out", ITEMS_MAX);
	for (unsigned k = 0; k < made.n; k++) {
		if (!contains(&wanted, &made.list[k]))
			talk(
			    &made.list[k], false); /* already gone with its interface or address: no matter */
	}
	now.n = 0;
	for (unsigned k = 0; k < wanted.n; k++) {
		int rc = contains(&made, &wanted.list[k]) ? 0 : talk(&wanted.list[k], true);

		if (rc == 0)
			now.list[now.n++] = wanted.list[k];
		else
			log_warn("host %s of table %u: %s", wanted.list[k].is_route ? "route" : "rule",
			    wanted.list[k].table, strerror(-rc));
	}
	made = now;
	return true;
}

/* --- what a life before left --- */

static struct item *found_item(void *arg)
{
	struct items *items = arg;
	struct item *i;

	if (items->n == ITEMS_MAX)
		return NULL;
	i = &items->list[items->n++];
	memset(i, 0, sizeof(*i));
	return i;
}

static uint32_t attribute_u32(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

static int find_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_TABLE + 1];
	struct item *i;

	if (rtm->rtm_protocol != PROTOCOL || !(i = found_item(arg)))
		return MNL_CB_OK;
	nlmsg_attributes(nlh, sizeof(*rtm), tb, RTA_TABLE);
	i->is_route = true;
	i->family = rtm->rtm_family == AF_INET ? IP_V4 : IP_V6;
	i->table = attribute_u32(tb[RTA_TABLE]);
	i->priority = attribute_u32(tb[RTA_PRIORITY]);
	i->ifindex = (int)attribute_u32(tb[RTA_OIF]);
	i->prefix.len = rtm->rtm_dst_len;
	nlmsg_get_addr(tb[RTA_DST], rtm->rtm_family, &i->prefix.addr);
	nlmsg_get_addr(tb[RTA_GATEWAY], rtm->rtm_family, &i->gateway);
	return MNL_CB_OK;
}

static int find_rule(const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_PROTOCOL + 1];
	struct item *i;

	nlmsg_attributes(nlh, sizeof(*frh), tb, FRA_PROTOCOL);
	if (!tb[FRA_PROTOCOL] || mnl_attr_get_u8(tb[FRA_PROTOCOL]) != PROTOCOL || !(i = found_item(arg)))
		return MNL_CB_OK;
	i->family = frh->family == AF_INET ? IP_V4 : IP_V6;
	i->table = attribute_u32(tb[FRA_TABLE]);
	i->priority = attribute_u32(tb[FRA_PRIORITY]);
	i->prefix.len = frh->src_len;
	nlmsg_get_addr(tb[FRA_SRC], frh->family, &i->prefix.addr);
	return MNL_CB_OK;
}

void hostrule_clear(void)
{
	const uint8_t families[] = {AF_INET, AF_INET6};
	char buf[NLMSG_ROOM];

	wanted.n = 0;
	for (unsigned f = 0; f < 2; f++) {
		struct fib_rule_hdr *frh;
		struct nlmsghdr *nlh;
		struct rtmsg *rtm;
		void *extra;

		nlh = nlmsg_new(buf, RTM_GETROUTE, 0, sizeof(*rtm), &extra);
		rtm = extra;
		rtm->rtm_family = families[f];
		nlmsg_dump(nlh, find_route, &wanted);
		nlh = nlmsg_new(buf, RTM_GETRULE, 0, sizeof(*frh), &extra);
		frh = extra;
		frh->family = families[f];
		nlmsg_dump(nlh, find_rule, &wanted);
	}
	for (unsigned k = 0; k < wanted.n; k++) {
		int rc = talk(&wanted.list[k], false);

		if (rc)
			log_debug("a host %s of before stays: %s", wanted.list[k].is_route ? "route" : "rule",
			    strerror(-rc));
	}
	made.n = 0;
	scheduled = true;
}
