/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests to the kernel by netlink, one at a time. Slow thread only. */
#include "dataplane/rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"

static struct mnl_socket *sock;
static uint32_t seq;

int rtnl_open(void)
{
	if (sock)
		return 0;
	sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!sock)
		return ERR_IO;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		rtnl_close();
		return ERR_IO;
	}
	return 0;
}

void rtnl_close(void)
{
	if (sock)
		mnl_socket_close(sock);
	sock = NULL;
}

struct nlmsghdr *rtnl_start(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++seq;
	return nlh;
}

void rtnl_put_addr(struct nlmsghdr *nlh, uint16_t attr, const struct ip_addr *a)
{
	mnl_attr_put(nlh, attr, ip_family_bits(a->family) / 8, a->b);
}

uint8_t rtnl_af(uint8_t family)
{
	return family == IP_V6 ? AF_INET6 : AF_INET;
}

uint8_t rtnl_family(uint8_t af)
{
	return af == AF_INET ? IP_V4 : af == AF_INET6 ? IP_V6 : IP_NONE;
}

struct ip_addr rtnl_get_addr(const struct nlattr *attr)
{
	struct ip_addr a = {.family = IP_NONE};
	size_t len = mnl_attr_get_payload_len(attr);

	if (len == 4 || len == 16) {
		a.family = len == 4 ? IP_V4 : IP_V6;
		memcpy(a.b, mnl_attr_get_payload(attr), len);
	}
	return a;
}

const struct nlattr *rtnl_next_attr(const struct nlmsghdr *nlh, size_t header_len, const struct nlattr *prev)
{
	const struct nlattr *a =
	    prev ? mnl_attr_next(prev) : (const struct nlattr *)mnl_nlmsg_get_payload_offset(nlh, header_len);
	ptrdiff_t left = (const char *)mnl_nlmsg_get_payload_tail(nlh) - (const char *)a;

	return mnl_attr_ok(a, (int)left) ? a : NULL;
}

/* Takes answers until the last one of this request. */
static int receive(uint32_t of_seq, mnl_cb_t cb, void *arg)
{
	char buf[32768];
	int run = MNL_CB_OK;

	while (run > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(sock, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		run = mnl_cb_run(buf, (size_t)n, of_seq, mnl_socket_get_portid(sock), cb, arg);
		if (run < 0)
			return -errno;
	}
	return 0;
}

int rtnl_talk(struct nlmsghdr *nlh)
{
	if (!sock)
		return -ENOTCONN;
	nlh->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(nlh->nlmsg_seq, NULL, NULL);
}

int rtnl_dump(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	if (!sock)
		return -ENOTCONN;
	nlh->nlmsg_flags |= NLM_F_DUMP;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(nlh->nlmsg_seq, cb, arg);
}
