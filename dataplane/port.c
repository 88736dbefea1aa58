/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports as DPDK ethernet devices. The slow thread opens and closes them while workers run: a port
 * is complete before workers see it, and closed a grace period after they saw it last.
 */
#include "dataplane/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "dataplane/netdev.h"
#include "dataplane/nexthop.h"
#include "dataplane/port_xdp.h"
#include "dataplane/worker.h"
#include "lib/ip_wire.h"
#include "lib/log.h"

#define RX_DESCRIPTORS 1024
#define TX_DESCRIPTORS 1024
#define XDP_HEADROOM   256 /* the kernel's, before each frame in its buffer */
#define DEFAULT_MTU    1500
#define ARGS_LEN       160

enum device_kind { DEVICE_NETDEV, DEVICE_PCI, DEVICE_VDEV, DEVICE_THERE };

/* A netdev by that name wins; DEVICE_THERE: tests made the DPDK device themselves. */
static int device_kind(const char *device, enum device_kind *out, struct err_msg *msg)
{
	unsigned domain, bus, slot, function;
	uint16_t id;
	char rest;

	if (netdev_exists(device))
		*out = DEVICE_NETDEV;
	else if (rte_eth_dev_get_port_by_name(device, &id) == 0)
		*out = DEVICE_THERE;
	else if (sscanf(device, "%4x:%2x:%2x.%1u%c", &domain, &bus, &slot, &function, &rest) == 4)
		*out = DEVICE_PCI;
	else if (strncmp(device, "net_", 4) == 0)
		*out = DEVICE_VDEV;
	else
		return err_set(msg, ERR_NOENT, "there is no network device named '%s'", device);
	return 0;
}

/* Largest IP packet that a buffer holds behind what lies in front of it. */
static uint16_t max_mtu(enum device_kind kind)
{
	uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE - RTE_PKTMBUF_HEADROOM - sizeof(struct wire_eth) -
			sizeof(struct wire_vlan);

	return kind == DEVICE_NETDEV ? (uint16_t)(room - XDP_HEADROOM) : room;
}

static int check_netdev(const char *device, bool mine, struct err_msg *msg)
{
	char text[IP_ADDR_STRLEN];
	struct ip_addr addr;

	if (netdev_global_address(device, &addr))
		return err_set(msg, ERR_BUSY,
		    "%s carries the address %s: expected a device that the kernel does not use", device,
		    ip_addr_format(&addr, text));
	return mine ? 0 : port_xdp_check(device, msg);
}

static bool is_open(const char *device)
{
	for (unsigned i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index((uint16_t)i);

		if (ifc && ifc->port && strcmp(ifc->port->device, device) == 0)
			return true;
	}
	return false;
}

int port_check(const struct fibmsg_port *p, struct err_msg *msg)
{
	enum device_kind kind;
	int err = device_kind(p->device, &kind, msg);

	if (err)
		return err;
	if (p->mtu > max_mtu(kind) || (p->mtu && p->mtu < IP4_MIN_MTU))
		return err_set(msg, ERR_RANGE, "%s: MTU %u: expected %u to %u", p->device, p->mtu,
		    IP4_MIN_MTU, max_mtu(kind));
	if (p->queues > PORT_QUEUES)
		return err_set(
		    msg, ERR_RANGE, "%s: %u queues: expected at most %u", p->device, p->queues, PORT_QUEUES);
	return kind == DEVICE_NETDEV ? check_netdev(p->device, is_open(p->device), msg) : 0;
}

/* name: the DPDK device's, for rte_eth_dev_get_port_by_name. */
static int probe_netdev(
    struct port *port, const struct fibmsg_port *p, char *name, size_t size, struct err_msg *msg)
{
	static unsigned serial; /* a device that was opened once keeps its name */
	char args[ARGS_LEN];
	int program, err = port_xdp_claim(p->device, &port->lock, msg);

	if (err)
		return err;
	err = port_xdp_arguments(p->device, port->queues, p->bypass, args, sizeof(args), &program);
	if (err)
		return err_set(msg, err, "%s: no room for the steering program", p->device);
	snprintf(name, size, "net_af_xdp_%u", serial++);
	err = rte_eal_hotplug_add("vdev", name, args);
	/* The program is loaded when the first queue is set up: the file stays open as long as the port does.
	 */
	port->program = program;
	return err ? err_set(msg, ERR_IO, "%s cannot be opened by AF_XDP: %s", p->device, strerror(-err)) : 0;
}

static int probe_other(struct port *port, enum device_kind kind, char *name, size_t size, struct err_msg *msg)
{
	int err = kind == DEVICE_THERE ? 0 : rte_dev_probe(port->device);

	snprintf(name, size, "%.*s", (int)strcspn(port->device, ","), port->device);
	if (err && kind == DEVICE_PCI && !rte_bus_find_by_name("pci"))
		return err_set(
		    msg, ERR_UNSUPPORTED, "%s: byway-dataplane was started without --pci", port->device);
	return err ? err_set(msg, ERR_IO, "%s cannot be opened: %s", port->device, strerror(-err)) : 0;
}

static int probe_device(
    struct port *port, const struct fibmsg_port *p, enum device_kind kind, struct err_msg *msg)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int err = kind == DEVICE_NETDEV ? probe_netdev(port, p, name, sizeof(name), msg)
					: probe_other(port, kind, name, sizeof(name), msg);

	if (err)
		return err;
	if (rte_eth_dev_get_port_by_name(name, &port->dpdk_id) != 0)
		return err_set(msg, ERR_IO, "%s was opened, but is no ethernet device", p->device);
	port->probed = kind != DEVICE_THERE;
	return 0;
}

/* The AF_XDP socket that the driver made for a queue: the one that was not there before. */
static int new_socket(const int *before, size_t n_before)
{
	int now[PORT_XDP_SOCKETS];
	size_t n = port_xdp_sockets(now);

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < n_before && before[k] != now[i])
			k++;
		if (k == n_before)
			return now[i];
	}
	return -1;
}

static int set_up_queues(struct port *port, uint16_t rx_desc, uint16_t tx_desc, struct err_msg *msg)
{
	int before[PORT_XDP_SOCKETS];

	for (uint16_t q = 0; q < port->queues; q++) {
		size_t n_before = port->netdev ? port_xdp_sockets(before) : 0;
		int err = rte_eth_rx_queue_setup(port->dpdk_id, q, rx_desc,
		    (unsigned)rte_eth_dev_socket_id(port->dpdk_id), NULL, worker_pool);

		if (err)
			return err_set(
			    msg, ERR_IO, "%s: receive queue %u: %s", port->device, q, strerror(-err));
		port->poll_fd[q] = port->netdev ? new_socket(before, n_before) : -1;
	}
	for (uint16_t q = 0; q < port->tx_queues; q++) {
		int err = rte_eth_tx_queue_setup(
		    port->dpdk_id, q, tx_desc, (unsigned)rte_eth_dev_socket_id(port->dpdk_id), NULL);

		if (err)
			return err_set(
			    msg, ERR_IO, "%s: transmit queue %u: %s", port->device, q, strerror(-err));
	}
	return 0;
}

/* AF_XDP's queues are pairs, so both numbers are one there. */
static int configure(struct port *port, struct err_msg *msg)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	uint16_t rx_desc = RX_DESCRIPTORS, tx_desc = TX_DESCRIPTORS;
	int err = rte_eth_dev_info_get(port->dpdk_id, &info);

	if (err)
		return err_set(msg, ERR_IO, "%s: %s", port->device, strerror(-err));
	if (port->queues > info.max_rx_queues)
		return err_set(msg, ERR_RANGE, "%s: %u queues: the device has %u", port->device, port->queues,
		    info.max_rx_queues);
	port->tx_queues = (uint16_t)RTE_MIN((unsigned)info.max_tx_queues, worker_count);
	if (port->netdev)
		port->tx_queues = port->queues;
	if (port->queues > 1 && info.flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
		    info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	}
	err = rte_eth_dev_configure(port->dpdk_id, port->queues, port->tx_queues, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(port->dpdk_id, &rx_desc, &tx_desc);
	if (err)
		return err_set(msg, ERR_IO, "%s cannot be configured: %s", port->device, strerror(-err));
	return set_up_queues(port, rx_desc, tx_desc, msg);
}

/* The wanted MTU, else the device's, as far as the buffers go. */
static int settle_mtu(struct port *port, const struct fibmsg_port *p, struct iface *ifc, struct err_msg *msg)
{
	uint16_t mtu = DEFAULT_MTU, was;
	int err = 0;

	if (port->netdev && netdev_get_mtu(port->device, &mtu) == 0 && p->mtu && p->mtu != mtu) {
		was = mtu;
		err = netdev_set_mtu(port->device, p->mtu);
		if (err)
			return err_set(msg, err, "%s: the MTU stays %u, %u was wanted: %s", port->device, was,
			    p->mtu, err_text(err));
	}
	if (p->mtu)
		mtu = p->mtu;
	if (mtu > port->max_mtu)
		mtu = port->max_mtu;
	atomic_store_explicit(&ifc->mtu, mtu, memory_order_relaxed); /* workers read it alone: relaxed */
	return 0;
}

static int start(struct port *port, const struct fibmsg_port *p, struct iface *ifc, struct err_msg *msg)
{
	static const uint8_t none[6];
	struct rte_ether_addr mac;
	int err = settle_mtu(port, p, ifc, msg);

	if (err)
		return err;
	err = rte_eth_dev_start(port->dpdk_id);
	if (err)
		return err_set(msg, ERR_IO, "%s does not start: %s", port->device, strerror(-err));
	port->started = true;
	/* The kernel behind the host interface joins groups of its own accord: hear them all, classify sorts.
	 */
	(void)rte_eth_promiscuous_enable(port->dpdk_id);
	if (rte_eth_macaddr_get(port->dpdk_id, &mac) == 0)
		memcpy(port->mac, mac.addr_bytes, 6);
	if (memcmp(p->mac, none, 6) != 0)
		memcpy(port->mac, p->mac, 6);
	return 0;
}

/* A netdev's device stays, parked: port_xdp.h says why. One whose queues failed cannot even be stopped
 * safely. */
static void park_device(struct port *port)
{
	struct port_xdp_device d = {.ifindex = if_nametoindex(port->device),
	    .dpdk_id = port->dpdk_id,
	    .queues = port->queues,
	    .lock = port->lock};

	(void)rte_eth_promiscuous_disable(port->dpdk_id);
	(void)rte_eth_dev_stop(port->dpdk_id);
	snprintf(d.netdev, sizeof(d.netdev), "%.15s", port->device);
	memcpy(d.sockets, port->poll_fd, sizeof(d.sockets));
	port_xdp_park(&d);
}

static void remove_device(struct port *port)
{
	struct rte_eth_dev_info info;

	if (port->netdev) {
		if (port->started)
			park_device(port);
		else
			port_xdp_release(port->lock);
		netdev_set_ipv6(port->device, true);
		return;
	}
	if (port->started)
		(void)rte_eth_dev_stop(port->dpdk_id);
	if (port->probed && rte_eth_dev_info_get(port->dpdk_id, &info) == 0) {
		(void)rte_eth_dev_close(port->dpdk_id);
		(void)rte_dev_remove(info.device);
	}
}

static int prepare_netdev(const char *device, struct err_msg *msg)
{
	int err = netdev_set_up(device);

	if (err)
		return err_set(msg, err, "%s cannot be set up: %s", device, err_text(err));
	netdev_set_ipv6(device, false);
	return 0;
}

/* True: the netdev was a port before (*err: and cannot be one now). */
static bool take_parked(struct port *port, const struct fibmsg_port *p, int *err, struct err_msg *msg)
{
	struct port_xdp_device d;

	if (!port_xdp_unpark(p->device, port->queues, p->bypass, &d, err, msg))
		return false;
	if (*err)
		return true;
	port->dpdk_id = d.dpdk_id;
	port->tx_queues = d.queues;
	port->lock = d.lock;
	memcpy(port->poll_fd, d.sockets, sizeof(port->poll_fd));
	return true;
}

int port_open(const struct fibmsg_port *p, struct iface *ifc, struct err_msg *msg)
{
	struct port *port;
	enum device_kind kind;
	int err = device_kind(p->device, &kind, msg);

	if (err)
		return err;
	port = calloc(1, sizeof(*port));
	if (!port)
		return err_set(msg, ERR_NOMEM, "no memory for the port %s", p->name);
	memcpy(port->device, p->device, sizeof(port->device));
	port->iface = ifc->index;
	port->queues = p->queues ? p->queues : 1;
	port->netdev = kind == DEVICE_NETDEV;
	port->max_mtu = max_mtu(kind);
	port->lock = port->program = -1;
	err = kind == DEVICE_NETDEV ? prepare_netdev(p->device, msg) : 0;
	if (!err && !(port->netdev && take_parked(port, p, &err, msg))) {
		err = probe_device(port, p, kind, msg);
		if (!err)
			err = configure(port, msg);
	}
	if (port->program >= 0)
		close(port->program);
	if (!err)
		err = start(port, p, ifc, msg);
	if (err)
		goto out;
	rcu_assign_pointer(ifc->port, port);
	forward_changed();
	err = workers_add_port(port);
	if (err)
		err_set(msg, err, "the workers have no room for the port %s", p->name);
	if (!err)
		return 0;
	rcu_assign_pointer(ifc->port, NULL);
	forward_changed();
	synchronize_rcu();
out:
	remove_device(port);
	free(port);
	return err;
}

void port_close(struct iface *ifc)
{
	struct port *port = ifc->port;

	if (!port)
		return;
	rcu_assign_pointer(ifc->port, NULL);
	forward_changed();
	workers_remove_port(port);
	remove_device(port);
	free(port);
}

bool port_link_up(const struct port *p)
{
	struct rte_eth_link link;

	if (p->netdev)
		return netdev_link_up(p->device);
	return rte_eth_link_get_nowait(p->dpdk_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

int port_row(const struct iface *ifc, struct fibmsg_row_port *row)
{
	const struct port *port = ifc->port;
	struct worker_counters c = workers_iface_counters(ifc->index);
	struct rte_eth_dev_info info;
	struct rte_eth_stats stats;

	if (!port)
		return ERR_NOENT;
	*row = (struct fibmsg_row_port){.role = ifc->role,
	    .link_up = port_link_up(port),
	    .mtu = atomic_load_explicit(&ifc->mtu, memory_order_relaxed),
	    .rx_packets = c.rx_packets,
	    .rx_bytes = c.rx_bytes,
	    .tx_packets = c.tx_packets,
	    .tx_bytes = c.tx_bytes};
	memcpy(row->name, ifc->name, sizeof(row->name));
	memcpy(row->device, port->device, sizeof(row->device));
	memcpy(row->mac, port->mac, 6);
	if (rte_eth_dev_info_get(port->dpdk_id, &info) == 0)
		snprintf(row->driver, sizeof(row->driver), "%s", info.driver_name);
	if (rte_eth_stats_get(port->dpdk_id, &stats) == 0) {
		row->rx_missed = stats.imissed;
		row->tx_dropped = stats.oerrors;
	}
	return 0;
}
