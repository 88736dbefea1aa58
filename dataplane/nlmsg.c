/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Netlink requests and dumps. Slow thread only.
 */
#include "dataplane/nlmsg.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct mnl_socket *request_socket;
static unsigned sequence;

int nlmsg_start(struct err_msg *msg)
{
	struct timeval patience = {.tv_sec = 2};

	request_socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!request_socket || mnl_socket_bind(request_socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		nlmsg_stop();
		return err_set(msg, ERR_IO, "netlink: %s", strerror(errno));
	}
	setsockopt(mnl_socket_get_fd(request_socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return 0;
}

void nlmsg_stop(void)
{
	if (request_socket)
		mnl_socket_close(request_socket);
	request_socket = NULL;
}

struct nlmsghdr *nlmsg_new(void *buf, uint16_t type, uint16_t flags, size_t extra_len, void **extra)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, NLMSG_ROOM);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	*extra = mnl_nlmsg_put_extra_header(nlh, extra_len);
	return nlh;
}

uint8_t nlmsg_af(const struct ip_addr *a)
{
	return a->family == IP_V4 ? AF_INET : AF_INET6;
}

void nlmsg_put_addr(struct nlmsghdr *nlh, uint16_t attr, const struct ip_addr *a)
{
	mnl_attr_put(nlh, attr, a->family == IP_V4 ? 4 : 16, a->b);
}

struct attributes {
	const struct nlattr **tb;
	uint16_t last;
};

static int keep_attribute(const struct nlattr *attr, void *arg)
{
	const struct attributes *a = arg;

	if (mnl_attr_get_type(attr) <= a->last)
		a->tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

void nlmsg_attributes(const struct nlmsghdr *nlh, size_t offset, const struct nlattr **tb, uint16_t last)
{
	struct attributes a = {tb, last};

	memset(tb, 0, (last + 1u) * sizeof(tb[0]));
	mnl_attr_parse(nlh, (unsigned)offset, keep_attribute, &a);
}

bool nlmsg_get_addr(const struct nlattr *attr, uint8_t af, struct ip_addr *out)
{
	unsigned len = af == AF_INET ? 4 : 16;

	if (!attr || (af != AF_INET && af != AF_INET6) || mnl_attr_get_payload_len(attr) != len)
		return false;
	memset(out, 0, sizeof(*out));
	out->family = af == AF_INET ? IP_V4 : IP_V6;
	memcpy(out->b, mnl_attr_get_payload(attr), len);
	return true;
}

/* Answers up to the last; those of an earlier request that was given up are passed over. */
static int receive(unsigned seq, mnl_cb_t fn, void *arg)
{
	static char buf[32768]; /* slow thread only */
	unsigned port = mnl_socket_get_portid(request_socket);

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(request_socket, buf, sizeof(buf));
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n >= sizeof(struct nlmsghdr) &&
		    ((struct nlmsghdr *)(void *)buf)->nlmsg_seq != seq)
			continue;
		rc = mnl_cb_run(buf, (size_t)n, seq, port, fn, arg);
		if (rc == MNL_CB_STOP)
			return 0;
		if (rc < 0)
			return -errno;
	}
}

int nlmsg_talk(struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(request_socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(sequence, NULL, NULL);
}

int nlmsg_dump(struct nlmsghdr *nlh, mnl_cb_t fn, void *arg)
{
	nlh->nlmsg_flags |= NLM_F_DUMP;
	nlh->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(request_socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(sequence, fn, arg);
}
