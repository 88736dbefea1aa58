/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_XDP under a port: our steering program, who else holds the device, and the sockets to sleep
 * on. Slow thread.
 */
#ifndef BYWAY_DATAPLANE_PORT_XDP_H
#define BYWAY_DATAPLANE_PORT_XDP_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/port.h"
#include "lib/err.h"

#define PORT_XDP_SOCKETS 64

/* Whether the netdev can be had: ERR_BUSY when another XDP program is attached or another dataplane runs on
 * it, with a sentence. Changes nothing. */
int port_xdp_check(const char *netdev, struct err_msg *msg);
/* Takes the netdev for this process until port_xdp_release or its end; *lock is for the release. Detaches
 * what an earlier dataplane left. ERR_BUSY, ERR_IO. */
int port_xdp_claim(const char *netdev, int *lock, struct err_msg *msg);
void port_xdp_release(int lock);
/*
 * The driver cannot give a queue back before the process ends: a closed port's device is parked, without its
 * program, so that the kernel has the netdev again, and taken up when the netdev becomes a port again.
 */
struct port_xdp_device {
	char netdev[16];
	unsigned ifindex;
	uint16_t dpdk_id, queues;
	int sockets[PORT_QUEUES];
	int lock;
};
void port_xdp_park(const struct port_xdp_device *d);
/* The parked device of this netdev with its program attached again: true. *err: it is there, but cannot
 * serve: ERR_RANGE (queues differ), ERR_IO. */
bool port_xdp_unpark(const char *netdev, uint16_t queues, bool pass, struct port_xdp_device *out, int *err,
    struct err_msg *msg);
/* The driver's arguments for the netdev; *program is a descriptor to be closed when the device is up. ERR_IO.
 */
int port_xdp_arguments(const char *netdev, unsigned queues, bool pass, char *args, size_t size, int *program);
/* AF_XDP sockets that the process has open: fills fds, returns how many. */
size_t port_xdp_sockets(int fds[PORT_XDP_SOCKETS]);

#endif
