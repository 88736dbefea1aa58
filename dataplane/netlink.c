/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's addresses and neighbours on the host interfaces, mirrored: a dump at start and whenever
 * notifications overran, notifications in between; and what this program asks of the kernel. Slow thread
 * only.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dataplane/address.h"
#include "dataplane/fibsock.h"
#include "dataplane/host.h"
#include "dataplane/nlmsg.h"
#include "dataplane/slow.h"
#include "lib/log.h"

#define RCVBUF	  (4 << 20) /* bytes: a flood of neighbours */
#define READ_MAX  256	    /* datagrams in one wake-up */
#define HOST_NAME "byway0"

static struct mnl_socket *event_socket;
static bool resync_wanted;
static struct iface *byway0;

bool netlink_running(void)
{
	return event_socket != NULL;
}

void netlink_resync(void)
{
	resync_wanted = true;
}

/* --- messages of the kernel --- */

/* The interface and address of an RTM_xADDR message; NULL: not one of ours. */
static struct iface *parse_address(const struct nlmsghdr *nlh, struct ip_prefix *out)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct iface *ifc = hostif_by_ifindex((int)ifa->ifa_index);
	const struct nlattr *tb[IFA_LOCAL + 1];

	if (!ifc)
		return NULL;
	nlmsg_attributes(nlh, sizeof(*ifa), tb, IFA_LOCAL);
	memset(out, 0, sizeof(*out));
	out->len = ifa->ifa_prefixlen;
	return nlmsg_get_addr(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], ifa->ifa_family, &out->addr)
		   ? ifc
		   : NULL;
}

static void take_address(const struct nlmsghdr *nlh)
{
	struct ip_prefix a;
	struct iface *ifc = parse_address(nlh, &a);

	if (ifc && nlh->nlmsg_type == RTM_NEWADDR && address_add(ifc, &a))
		log_warn("%s: no room for another address", ifc->name);
	else if (ifc && nlh->nlmsg_type == RTM_DELADDR)
		address_del(ifc, &a);
}

static void take_neighbour(const struct nlmsghdr *nlh)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct iface *ifc = hostif_by_ifindex(ndm->ndm_ifindex);
	const struct nlattr *tb[NDA_LLADDR + 1], *mac;
	struct ip_addr a;

	if (!ifc || ndm->ndm_flags & NTF_PROXY || ndm->ndm_state & NUD_NOARP)
		return;
	nlmsg_attributes(nlh, sizeof(*ndm), tb, NDA_LLADDR);
	mac = tb[NDA_LLADDR] && mnl_attr_get_payload_len(tb[NDA_LLADDR]) == 6 ? tb[NDA_LLADDR] : NULL;
	if (!nlmsg_get_addr(tb[NDA_DST], ndm->ndm_family, &a))
		return;
	if (nlh->nlmsg_type == RTM_DELNEIGH)
		neigh_expire(ifc->index, &a);
	else if (ndm->ndm_state & NUD_FAILED)
		neigh_learn(ifc->index, &a, NULL);
	else if (mac && ndm->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT))
		neigh_learn(ifc->index, &a, mnl_attr_get_payload(mac));
}

static void take_link(const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct iface *ifc = hostif_by_ifindex(ifi->ifi_index);

	if (!ifc)
		return;
	if (nlh->nlmsg_type == RTM_DELLINK)
		log_warn("host interface %s was removed by somebody else", ifc->name);
	hostrule_forget(); /* routes of an interface that goes down are gone */
	hostrule_schedule();
}

static int take_message(const struct nlmsghdr *nlh, void *arg)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		take_address(nlh);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		take_neighbour(nlh);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		take_link(nlh);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static void handle_events(void *arg, uint32_t events)
{
	static char buf[32768];

	for (unsigned i = 0; i < READ_MAX; i++) {
		ssize_t n = recv(mnl_socket_get_fd(event_socket), buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS) {
			log_info("netlink overran; reading everything again");
			resync_wanted = true;
			continue;
		}
		if (n <= 0)
			return;
		mnl_cb_run(buf, (size_t)n, 0, 0, take_message, NULL);
	}
}

/* --- reading everything --- */

struct seen {
	uint16_t iface;
	struct ip_prefix a;
};

struct dump {
	struct seen *list;
	size_t n, size;
	bool full; /* no memory: nothing is removed */
};

static int dump_address(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct ip_prefix a;
	struct iface *ifc = parse_address(nlh, &a);

	if (!ifc)
		return MNL_CB_OK;
	if (d->n == d->size) {
		struct seen *bigger = realloc(d->list, (d->size * 2 + 64) * sizeof(*bigger));

		d->full |= bigger == NULL;
		if (!bigger)
			return MNL_CB_OK;
		d->list = bigger;
		d->size = d->size * 2 + 64;
	}
	d->list[d->n++] = (struct seen){ifc->index, a};
	return MNL_CB_OK;
}

static bool was_seen(const struct dump *d, uint16_t iface, const struct ip_prefix *a)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->list[i].iface == iface && ip_prefix_equal(&d->list[i].a, a))
			return true;
	}
	return false;
}

static void remove_unseen(const struct dump *d)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		struct iface *ifc = iface_by_index(i);
		unsigned k = 0;

		while (ifc && ifc->hostif && ifc->addresses && k < ifc->addresses->n) {
			struct ip_prefix a = ifc->addresses->a[k];
			unsigned before = ifc->addresses->n;

			if (!was_seen(d, i, &a))
				address_del(ifc, &a);
			if (ifc->addresses->n == before)
				k++;
		}
	}
}

static void read_all(void)
{
	struct dump d = {0};
	char buf[NLMSG_ROOM];
	struct rtgenmsg *gen;
	void *extra;
	int rc;

	resync_wanted = false;
	rc = nlmsg_dump(nlmsg_new(buf, RTM_GETADDR, 0, sizeof(*gen), &extra), dump_address, &d);
	if (rc == 0 && !d.full)
		remove_unseen(&d);
	for (size_t i = 0; i < d.n; i++) {
		struct iface *ifc = iface_by_index(d.list[i].iface);

		if (ifc && address_add(ifc, &d.list[i].a))
			log_warn("%s: no room for another address", ifc->name);
	}
	free(d.list);
	if (rc == 0)
		rc = nlmsg_dump(
		    nlmsg_new(buf, RTM_GETNEIGH, 0, sizeof(struct ndmsg), &extra), take_message, NULL);
	if (rc)
		log_warn("netlink dump: %s", strerror(-rc));
	hostrule_schedule();
}

uint64_t netlink_tick(uint64_t now_ns)
{
	if (!event_socket)
		return UINT64_MAX;
	if (resync_wanted)
		read_all();
	hostrule_sync();
	return UINT64_MAX;
}

/* --- requests --- */

static int talk_address(const struct iface *ifc, const struct ip_prefix *a, bool add)
{
	char buf[NLMSG_ROOM];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh;
	void *extra;

	nlh = nlmsg_new(buf, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
	    sizeof(*ifa), &extra);
	ifa = extra;
	ifa->ifa_family = nlmsg_af(&a->addr);
	ifa->ifa_prefixlen = a->len;
	ifa->ifa_index = (uint32_t)hostif_ifindex(ifc);
	ifa->ifa_scope = ip_addr_is_link_local(&a->addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	ifa->ifa_flags = a->addr.family == IP_V6 ? IFA_F_NODAD : 0;
	nlmsg_put_addr(nlh, IFA_LOCAL, &a->addr);
	nlmsg_put_addr(nlh, IFA_ADDRESS, &a->addr);
	return nlmsg_talk(nlh);
}

int netlink_address_set(struct iface *ifc, const struct ip_prefix *a, struct err_msg *msg)
{
	char text[IP_PREFIX_STRLEN];
	int rc = event_socket && ifc->hostif ? talk_address(ifc, a, true) : 0;

	if (rc && rc != -EEXIST)
		return err_set(msg, rc == -EPERM ? ERR_PERM : ERR_IO, "%s: address %s: %s", ifc->name,
		    ip_prefix_format(a, text), strerror(-rc));
	rc = address_add(ifc, a);
	return rc ? err_set(msg, rc, "%s: no room for another address", ifc->name) : 0;
}

int netlink_address_del(struct iface *ifc, const struct ip_prefix *a)
{
	int rc = event_socket && ifc->hostif ? talk_address(ifc, a, false) : 0;

	address_del(ifc, a);
	return rc && rc != -EADDRNOTAVAIL ? ERR_IO : 0;
}

void netlink_neigh_ask(const struct iface *ifc, const struct ip_addr *a, bool managed)
{
	char buf[NLMSG_ROOM];
	struct nlmsghdr *nlh;
	struct ndmsg *ndm;
	void *extra;
	int rc;

	if (!event_socket || !ifc->hostif)
		return;
	nlh = nlmsg_new(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*ndm), &extra);
	ndm = extra;
	ndm->ndm_family = nlmsg_af(a);
	ndm->ndm_ifindex = hostif_ifindex(ifc);
	ndm->ndm_flags = NTF_USE;
	nlmsg_put_addr(nlh, NDA_DST, a);
	if (managed)
		mnl_attr_put_u32(nlh, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	rc = nlmsg_talk(nlh);
	if (rc)
		log_debug("%s: the kernel does not resolve: %s", ifc->name, strerror(-rc));
}

/* --- start and stop --- */

static int open_events(struct err_msg *msg)
{
	const unsigned groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	int size = RCVBUF;

	event_socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!event_socket || mnl_socket_bind(event_socket, groups, MNL_SOCKET_AUTOPID) < 0)
		return err_set(msg, ERR_IO, "netlink: %s", strerror(errno));
	setsockopt(mnl_socket_get_fd(event_socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return slow_watch(mnl_socket_get_fd(event_socket), EPOLLIN, handle_events, NULL);
}

int netlink_start(struct err_msg *msg)
{
	int rc = nlmsg_start(msg);

	if (!rc)
		rc = open_events(msg);
	if (!rc)
		rc = iface_add(IFACE_HOST, HOST_NAME, &byway0);
	if (!rc)
		rc = hostif_open(byway0, NULL, msg);
	if (rc) {
		netlink_stop();
		return rc;
	}
	hostrule_clear();
	resync_wanted = true;
	return 0;
}

void netlink_stop(void)
{
	if (byway0) {
		address_clear(byway0);
		hostif_close(byway0, false);
		iface_del(byway0);
		byway0 = NULL;
	}
	hostrule_forget();
	if (event_socket) {
		slow_unwatch(mnl_socket_get_fd(event_socket));
		mnl_socket_close(event_socket);
	}
	event_socket = NULL;
	nlmsg_stop();
}
