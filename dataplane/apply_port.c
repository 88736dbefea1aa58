/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ports, their lines and addresses do to the dataplane. A port whose device changes keeps its
 * interface, so that everything that names it goes on. Slow thread, called by the store.
 */
#include "dataplane/apply.h"

#include <string.h>

#include "dataplane/address.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/port.h"
#include "dataplane/tunnel.h"
#include "lib/log.h"

/* --- ports --- */

static void port_take_down(struct iface *ifc)
{
	neigh_flush(ifc->index);
	if (ifc->port)
		port_close(ifc);
}

/* Device, role and table as p says. The interface is there and has no device. */
static int port_bring_up(struct iface *ifc, const struct fibmsg_port *p, struct err_msg *msg)
{
	int rc;

	ifc->role = p->role; /* no worker sees the interface while it has no port */
	ifc->table = p->table;
	rc = port_open(p, ifc, msg);
	if (rc)
		return rc;
	rc = hostif_open(ifc, ifc->port->mac, msg);
	if (rc)
		port_close(ifc);
	return rc;
}

static int port_make(const struct fibmsg_port *p, struct err_msg *msg)
{
	struct iface *ifc = iface_by_name(p->name); /* there already when its device was lost */
	bool fresh = !ifc;
	int rc = 0;

	if (fresh)
		rc = iface_add(IFACE_PORT, p->name, &ifc);
	if (rc)
		return err_set(msg, rc, "no room for another interface");
	rc = port_bring_up(ifc, p, msg);
	if (rc) {
		if (fresh)
			iface_del(ifc);
		return rc;
	}
	return address_announce(ifc);
}

static void port_remove(const char *name)
{
	struct iface *ifc = iface_by_name(name);

	if (!ifc)
		return;
	address_clear(ifc);
	neigh_forget(ifc->index);
	hostif_close(ifc, !apply_is_stopping());
	port_take_down(ifc);
	iface_del(ifc);
}

/* Another device, role or table: as new, under the same interface. When that fails, the old one again. */
static int port_remake(
    struct store_object *o, const struct fibmsg_port *old, const struct fibmsg_port *now, struct err_msg *msg)
{
	struct iface *ifc = iface_by_name(now->name);
	struct err_msg again = {""};
	int rc;

	address_withdraw(ifc);
	port_take_down(ifc);
	rc = port_bring_up(ifc, now, msg);
	if (rc && port_bring_up(ifc, old, &again)) {
		log_err("port %s is lost: %s", now->name, again.text);
		o->failed = true;
	}
	if (address_announce(ifc))
		log_err("port %s: no memory for the routes of its addresses", now->name);
	if (!rc && old->role != now->role)
		rc = apply_nexthops_again(now->name, msg);
	return rc;
}

static uint16_t port_mtu(const struct iface *ifc, const struct fibmsg_port *p)
{
	uint16_t max = ifc->port ? ifc->port->max_mtu : p->mtu;

	return p->mtu && p->mtu < max ? p->mtu : max;
}

int apply_port(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	const struct fibmsg_port *was, *p;
	struct iface *ifc;

	if (!now) {
		port_remove(old->u.port.name);
		return 0;
	}
	p = &now->u.port;
	if (!old)
		return port_make(p, msg);
	was = &old->u.port;
	if (strcmp(was->device, p->device) != 0 || was->role != p->role || was->table != p->table ||
	    was->queues != p->queues || was->bypass != p->bypass ||
	    memcmp(was->mac, p->mac, sizeof(p->mac)) != 0 || (p->mtu == 0 && was->mtu != 0))
		return port_remake(o, was, p, msg);
	ifc = iface_by_name(p->name);
	atomic_store_explicit(&ifc->mtu, port_mtu(ifc, p), memory_order_relaxed);
	forward_changed();
	tunnel_lines_changed(); /* their MTU follows */
	return hostif_set_mtu(ifc, port_mtu(ifc, p));
}

/* --- lines --- */

static bool line_has_prefix(const struct fibmsg_line *l, const struct ip_prefix *p)
{
	for (unsigned i = 0; l && i < l->n_prefixes; i++) {
		if (ip_prefix_equal(&l->prefixes[i], p))
			return true;
	}
	return false;
}

/* Source prefixes from those of `old` to those of `now`; either may be NULL. */
static int line_change_prefixes(
    const struct iface *ifc, const struct fibmsg_line *old, const struct fibmsg_line *now)
{
	int rc = 0;

	for (unsigned i = 0; !rc && now && i < now->n_prefixes; i++)
		rc = address_source_add(ifc, &now->prefixes[i]);
	for (unsigned i = 0; !rc && old && i < old->n_prefixes; i++) {
		if (!line_has_prefix(now, &old->prefixes[i]))
			address_source_del(ifc, &old->prefixes[i]);
	}
	return rc;
}

int apply_line(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	const struct fibmsg_line *was = old ? &old->u.line : NULL, *l = now ? &now->u.line : NULL;
	const struct iface *ifc = iface_by_name(l ? l->port : was->port);
	int rc;

	hostrule_schedule(); /* gateways */
	if (!l) {
		line_change_prefixes(ifc, was, NULL);
		monitor_line_del(was->port);
		tunnel_lines_changed();
		return 0;
	}
	rc = line_change_prefixes(ifc, was, l);
	if (!rc)
		rc = monitor_line_set(l, ifc->index);
	if (rc) {
		line_change_prefixes(ifc, l, was);
		return err_set(msg, rc, "line %s: %s", l->port, err_text(rc));
	}
	tunnel_lines_changed();
	return 0;
}

/* --- addresses --- */

int apply_address(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	const struct fibmsg_address *a = now ? &now->u.address : &old->u.address;
	struct iface *ifc = iface_by_name(a->iface);

	if (!now && !apply_is_stopping())
		netlink_address_del(ifc, &a->address);
	return now ? netlink_address_set(ifc, &a->address, msg) : 0;
}
