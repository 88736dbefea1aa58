/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports: DPDK ethernet devices behind a netdev name (AF_XDP with our steering program), a PCI
 * address or a vdev string. The slow thread adds and removes them at run time; workers own
 * their queues; the monitor thread polls their links.
 */
#ifndef BYWAY_DATAPLANE_PORT_H
#define BYWAY_DATAPLANE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/iface.h"
#include "lib/err.h"
#include "lib/fibmsg.h"

#define PORT_QUEUES 8

struct port {
	uint16_t dpdk_id;
	uint16_t iface;
	uint8_t mac[6];
	uint16_t queues;	  /* to receive on, each polled by one worker */
	uint16_t tx_queues;	  /* to send on: worker i has queue i, those beyond hand over to worker i mod
				     tx_queues */
	int poll_fd[PORT_QUEUES]; /* per queue: AF_XDP socket to sleep on; -1: none, the worker naps */
	uint16_t max_mtu;	  /* bytes of an IP packet that fits the buffers and the device */
	char device[FIBMSG_LABEL * 2];
	bool netdev;	      /* device is a kernel interface: link by ethtool */
	bool probed, started; /* how far it was opened: slow thread */
	int lock, program;    /* port_xdp.h; -1: none. Slow thread */
};

/*
 * What only this process can see: does the device exist, does the netdev still carry global addresses,
 * is a foreign XDP program attached. Changes nothing. ERR_NOENT, ERR_BUSY, ERR_INVALID, with a sentence.
 */
int port_check(const struct fibmsg_port *p, struct err_msg *msg);
/* Slow thread: creates, starts and hands to workers; link set by the monitor thread. ERR_*.
 * After port_close the same interface may be given another device. */
int port_open(const struct fibmsg_port *p, struct iface *ifc, struct err_msg *msg);
void port_close(struct iface *ifc);
/* Monitor thread: the link now (ETHTOOL_GLINK for netdevs, 2-3 us). */
bool port_link_up(const struct port *p);
/* Slow thread: counters for ROW_PORT. */
int port_row(const struct iface *ifc, struct fibmsg_row_port *row);

#endif
