/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verdicts of the monitor thread, passed on. Slow thread only.
 */
#include "dataplane/event.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "dataplane/fibsock.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/port.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define LINK_NS NSEC_PER_SEC /* the monitor thread acts on a link at once; this only tells of it */

static int watched = -1;
static uint64_t links_at_ns;
static bool link_known[IFACE_MAX], link_up[IFACE_MAX]; /* by interface index, as told last */

static void tell_line(const struct monitor_event *e, const struct iface *ifc)
{
	struct fibmsg m = {.type = FIBMSG_EV_LINE};

	memcpy(m.u.ev_line.port, ifc->name, sizeof(m.u.ev_line.port));
	m.u.ev_line.verdict = e->verdict;
	m.u.ev_line.active = monitor_active_line() == e->iface;
	m.u.ev_line.groups_moved = e->groups_moved;
	memcpy(m.u.ev_line.reason, e->reason, sizeof(m.u.ev_line.reason));
	fibsock_send_event(&m);
}

static void tell_peer(const struct monitor_event *e)
{
	struct fibmsg m = {.type = FIBMSG_EV_PEER};

	if (!tunnel_peer_name(e->peer_index, m.u.ev_peer.tunnel, m.u.ev_peer.key))
		return; /* it has gone meanwhile */
	m.u.ev_peer.usable = e->usable;
	m.u.ev_peer.verdict = e->verdict;
	memcpy(m.u.ev_peer.reason, e->reason, sizeof(m.u.ev_peer.reason));
	fibsock_send_event(&m);
}

/* A peer whose own probe is answered may still be of no use: the line under its tunnel is down. */
static const char *verdict_word(const struct monitor_event *e)
{
	static const char *const words[] = {"unknown", "up", "down"};

	if (!e->is_line && !e->usable && e->verdict != FIBMSG_VERDICT_DOWN)
		return "unusable";
	return words[e->verdict <= FIBMSG_VERDICT_DOWN ? e->verdict : 0];
}

static void handle_events(void *arg, uint32_t events)
{
	struct monitor_event e;
	bool lines = false;

	while (monitor_next_event(&e)) {
		const struct iface *ifc = iface_by_index(e.iface);

		log_info("%s is %s: %s (%u groups moved in %u us)", e.object, verdict_word(&e), e.reason,
		    e.groups_moved, e.took_us);
		if (e.is_line && ifc)
			tell_line(&e, ifc);
		else if (!e.is_line)
			tell_peer(&e);
		lines |= e.is_line;
	}
	if (lines) {
		tunnel_lines_changed();
		hostrule_schedule();
	}
}

static void tell_link(const struct iface *ifc, bool up)
{
	struct fibmsg m = {.type = FIBMSG_EV_LINK};

	memcpy(m.u.ev_link.iface, ifc->name, sizeof(m.u.ev_link.iface));
	m.u.ev_link.up = up;
	fibsock_send_event(&m);
}

uint64_t event_tick(uint64_t now_ns)
{
	if (now_ns < links_at_ns)
		return links_at_ns;
	links_at_ns = now_ns + LINK_NS;
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);
		bool known = ifc && ifc->port, up = known && port_link_up(ifc->port);

		if (known && (!link_known[i] || up != link_up[i]))
			tell_link(ifc, up);
		link_known[i] = known;
		link_up[i] = up;
	}
	return links_at_ns;
}

int event_start(void)
{
	int fd = monitor_event_fd();
	int rc = fd < 0 ? 0 : slow_watch(fd, EPOLLIN, handle_events, NULL);

	if (rc == 0)
		watched = fd;
	return rc;
}

void event_stop(void)
{
	slow_unwatch(watched);
	watched = -1;
	links_at_ns = 0;
	memset(link_known, 0, sizeof(link_known));
}
