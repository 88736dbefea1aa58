/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links of ports. The kernel tells of a change at once, unless it told of another, of any device of the
 * machine, within the last second: then up to 820 ms later (measured). So ports are asked each 5 ms for a
 * while after each telling and each change, and seldom in quiet times; a port that is no device of the kernel
 * is always asked each 5 ms. Monitor thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "dataplane/monitor_internal.h"
#include "dataplane/port.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define POLL_NS	 (5 * NSEC_PER_MSEC) /* 2.6 us a port each time, and a wake-up */
#define QUIET_NS (50 * NSEC_PER_MSEC)
#define ALERT_NS (2 * NSEC_PER_SEC)    /* the kernel holds back for one */
#define SCAN_NS	 (100 * NSEC_PER_MSEC) /* how soon a new port is polled */
#define PORTS	 64

static uint64_t next_poll_ns, next_scan_ns, alert_until_ns;
static uint16_t polled[PORTS];
static unsigned n_polled;
static bool blind; /* some port is no device of the kernel */
static bool link_up[IFACE_MAX];
static int told_fd = -1; /* RTMGRP_LINK; -1: there is none, so we are always alert */

bool monitor_is_link_up(uint16_t iface)
{
	return iface < IFACE_MAX && link_up[iface];
}

void monitor_set_link(uint16_t iface, bool up)
{
	if (iface >= IFACE_MAX || link_up[iface] == up)
		return;
	link_up[iface] = up;
	alert_until_ns = monitor_now_ns() + ALERT_NS; /* found by asking: the kernel holds its telling back */
	monitor_lines_link(iface, up, monitor_now_ns());
	monitor_set_dirty();
}

void monitor_look_at_link(uint16_t iface)
{
	const struct iface *ifc = iface_by_index(iface);
	const struct port *port = ifc ? rcu_dereference(ifc->port) : NULL;

	monitor_set_link(iface, port && port_link_up(port));
}

static void scan_ports(void)
{
	n_polled = 0;
	blind = false;
	for (unsigned i = 1; i < IFACE_MAX && n_polled < PORTS; i++) {
		const struct iface *ifc = iface_by_index((uint16_t)i);
		const struct port *port = ifc ? rcu_dereference(ifc->port) : NULL;

		if (ifc && ifc->kind == IFACE_PORT)
			polled[n_polled++] = (uint16_t)i;
		else if (!ifc && link_up[i])
			monitor_set_link((uint16_t)i, false);
		blind |= port && !port->netdev;
	}
}

/* What was told matters not: who was told of looks after all. Many are taken at once, so that no queue fills.
 */
static bool was_told(void)
{
	char message[4096];
	bool any = false;

	while (told_fd >= 0) {
		if (recv(told_fd, message, sizeof(message), MSG_DONTWAIT) >= 0 || errno == ENOBUFS) {
			any = true;
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			break;
		log_warn("links: netlink fails (%s), so ports are asked all the time", strerror(errno));
		monitor_links_stop();
	}
	return any;
}

void monitor_links_run(uint64_t now_ns)
{
	if (was_told()) {
		alert_until_ns = now_ns + ALERT_NS;
		next_poll_ns = 0;
	}
	if (now_ns < next_poll_ns)
		return;
	if (now_ns >= next_scan_ns) {
		next_scan_ns = now_ns + SCAN_NS;
		scan_ports();
	}
	for (unsigned i = 0; i < n_polled; i++)
		monitor_look_at_link(polled[i]);
	next_poll_ns = now_ns + (told_fd < 0 || blind || now_ns < alert_until_ns ? POLL_NS : QUIET_NS);
}

uint64_t monitor_links_deadline(void)
{
	return n_polled ? next_poll_ns : next_scan_ns;
}

void monitor_links_poll_soon(void)
{
	next_scan_ns = next_poll_ns = 0;
}

int monitor_links_fd(void)
{
	return told_fd;
}

void monitor_links_start(void)
{
	const struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	alert_until_ns = monitor_now_ns() + ALERT_NS;
	told_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (told_fd >= 0 && bind(told_fd, (const struct sockaddr *)&links, sizeof(links)) == 0)
		return;
	log_warn("links: no netlink (%s), so ports are asked all the time", strerror(errno));
	monitor_links_stop();
}

void monitor_links_stop(void)
{
	if (told_fd >= 0)
		close(told_fd);
	told_fd = -1;
}

void monitor_links_clear(void)
{
	monitor_links_stop();
	memset(link_up, 0, sizeof(link_up));
	n_polled = 0;
	next_poll_ns = next_scan_ns = 0;
}
