/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network devices by ioctl. Each call opens its own socket but netdev_link_up, which is asked
 * each millisecond: its socket is opened once a thread.
 */
#include "dataplane/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request(const char *name, unsigned long what, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return ERR_IO;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	if (ioctl(fd, what, r) < 0)
		err = errno == ENODEV ? ERR_NOENT : errno == EPERM ? ERR_PERM : ERR_IO;
	close(fd);
	return err;
}

bool netdev_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static bool address_of(const struct sockaddr *sa, struct ip_addr *out)
{
	if (sa && sa->sa_family == AF_INET)
		*out = ip_addr_v4(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
	else if (sa && sa->sa_family == AF_INET6)
		*out = ip_addr_v6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
	else
		return false;
	return !ip_addr_is_link_local(out);
}

bool netdev_global_address(const char *name, struct ip_addr *out)
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (a = all; a && !found; a = a->ifa_next)
		found = strcmp(a->ifa_name, name) == 0 && address_of(a->ifa_addr, out);
	freeifaddrs(all);
	return found;
}

bool netdev_link_up(const char *name)
{
	static _Thread_local int fd = -1;
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {.ifr_data = (char *)&link};

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return fd >= 0 && ioctl(fd, SIOCETHTOOL, &r) == 0 && link.data != 0;
}

int netdev_set_up(const char *name)
{
	struct ifreq r = {0};
	int err = request(name, SIOCGIFFLAGS, &r);

	if (err || r.ifr_flags & IFF_UP)
		return err;
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	return request(name, SIOCSIFFLAGS, &r);
}

int netdev_get_mtu(const char *name, uint16_t *mtu)
{
	struct ifreq r = {0};
	int err = request(name, SIOCGIFMTU, &r);

	if (!err)
		*mtu = r.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)r.ifr_mtu;
	return err;
}

int netdev_set_mtu(const char *name, uint16_t mtu)
{
	struct ifreq r = {.ifr_mtu = mtu};

	return request(name, SIOCSIFMTU, &r);
}

void netdev_set_ipv6(const char *name, bool on)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, on ? "0" : "1", 1) < 0)
		errno = 0; /* a read-only /proc: the kernel's few packets there hurt nobody */
	close(fd);
}
