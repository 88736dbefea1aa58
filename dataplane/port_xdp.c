/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steering program is part of this executable and reaches the driver, which wants a path, as
 * a memory file. After a kill -9 the program stays attached; a claim by an abstract socket, which dies with
 * its process and is local to a network namespace, tells such a left-over from a dataplane that lives.
 */
#include "dataplane/port_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_config.h>

#include "dataplane/steer_drop.h"
#include "dataplane/steer_pass.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

#define PROGRAM_NAME "byway_steer"

static struct port_xdp_device parked[RTE_MAX_ETHPORTS]; /* ifindex 0: free. Slow thread */

static bool is_parked(const char *netdev)
{
	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++)
		if (parked[i].ifindex && strcmp(parked[i].netdev, netdev) == 0)
			return true;
	return false;
}

static int claim_socket(const char *netdev)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "byway-dataplane/port/%s", netdev);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	if (fd < 0)
		return ERR_IO;
	if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
	}
	return fd;
}

/* Id of the attached program, 0: none; *ours says whether it is the steering program. */
static unsigned attached_program(unsigned ifindex, bool *ours, char *name, size_t size)
{
	struct bpf_prog_info info = {0};
	__u32 id = 0, len = sizeof(info);
	int fd;

	if (bpf_xdp_query_id((int)ifindex, 0, &id) < 0 || id == 0)
		return 0;
	snprintf(name, size, "number %u", id);
	*ours = false;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return id;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0) {
		*ours = strcmp(info.name, PROGRAM_NAME) == 0;
		snprintf(name, size, "'%s'", info.name);
	}
	close(fd);
	return id;
}

static int check_program(const char *netdev, struct err_msg *msg)
{
	char name[BPF_OBJ_NAME_LEN + 16];
	bool ours = false;

	if (attached_program(if_nametoindex(netdev), &ours, name, sizeof(name)) && !ours)
		return err_set(
		    msg, ERR_BUSY, "%s carries the XDP program %s of another: expected none", netdev, name);
	return 0;
}

int port_xdp_check(const char *netdev, struct err_msg *msg)
{
	int lock = is_parked(netdev) ? -1 : claim_socket(netdev);

	if (lock == ERR_BUSY)
		return err_set(msg, ERR_BUSY, "%s is in use by another byway-dataplane", netdev);
	if (lock >= 0)
		close(lock);
	return check_program(netdev, msg);
}

int port_xdp_claim(const char *netdev, int *lock, struct err_msg *msg)
{
	unsigned ifindex = if_nametoindex(netdev);
	char name[BPF_OBJ_NAME_LEN + 16];
	int fd = claim_socket(netdev), err;
	bool ours = false;

	if (fd < 0)
		return err_set(msg, fd, "%s is in use by another byway-dataplane", netdev);
	err = check_program(netdev, msg);
	if (!err && attached_program(ifindex, &ours, name, sizeof(name)) &&
	    bpf_xdp_detach((int)ifindex, 0, NULL) < 0)
		err = err_set(msg, ERR_IO, "%s: the steering program of an earlier run stays: %s", netdev,
		    strerror(errno));
	if (err) {
		close(fd);
		return err;
	}
	*lock = fd;
	return 0;
}

void port_xdp_release(int lock)
{
	if (lock >= 0)
		close(lock);
}

/* The steering program onto the netdev, with the sockets of its queues. */
static int attach(const struct port_xdp_device *d, bool pass)
{
	const unsigned char *data = pass ? steer_pass : steer_drop;
	struct bpf_object *obj =
	    bpf_object__open_mem(data, pass ? sizeof(steer_pass) : sizeof(steer_drop), NULL);
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = ERR_IO;

	if (!obj)
		return ERR_IO;
	if (bpf_object__load(obj) < 0)
		goto out;
	prog = bpf_object__find_program_by_name(obj, PROGRAM_NAME);
	map = bpf_object__find_map_by_name(obj, "xsks_map");
	for (uint32_t q = 0; q < d->queues; q++)
		if (bpf_map__update_elem(map, &q, sizeof(q), &d->sockets[q], sizeof(int), BPF_ANY) < 0)
			goto out;
	if (bpf_xdp_attach((int)d->ifindex, bpf_program__fd(prog), XDP_FLAGS_UPDATE_IF_NOEXIST, NULL) == 0)
		err = 0;
out:
	bpf_object__close(obj); /* the netdev holds the program, which holds the map */
	return err;
}

void port_xdp_park(const struct port_xdp_device *d)
{
	unsigned slot = 0;

	(void)bpf_xdp_detach((int)d->ifindex, 0, NULL);
	while (slot < RTE_MAX_ETHPORTS - 1 && parked[slot].ifindex)
		slot++; /* a parked device is a DPDK port: there is room for all of them */
	parked[slot] = *d;
}

bool port_xdp_unpark(const char *netdev, uint16_t queues, bool pass, struct port_xdp_device *out, int *err,
    struct err_msg *msg)
{
	unsigned ifindex = if_nametoindex(netdev), slot = 0;

	*err = 0;
	while (slot < RTE_MAX_ETHPORTS &&
	       (parked[slot].ifindex != ifindex || strcmp(parked[slot].netdev, netdev) != 0))
		slot++;
	if (slot == RTE_MAX_ETHPORTS)
		return false;
	if (parked[slot].queues != queues)
		*err =
		    err_set(msg, ERR_RANGE, "%s was opened with %u queue(s): another number needs a restart",
			netdev, parked[slot].queues);
	else if (attach(&parked[slot], pass) != 0)
		*err = err_set(msg, ERR_IO, "%s does not take the steering program again", netdev);
	if (*err)
		return true;
	*out = parked[slot];
	parked[slot].ifindex = 0;
	return true;
}

static int program_file(bool pass)
{
	const unsigned char *data = pass ? steer_pass : steer_drop;
	size_t len = pass ? sizeof(steer_pass) : sizeof(steer_drop);
	int fd = memfd_create("steer.bpf.o", MFD_CLOEXEC);

	if (fd < 0)
		return ERR_IO;
	if (write(fd, data, len) != (ssize_t)len) {
		close(fd);
		return ERR_IO;
	}
	return fd;
}

int port_xdp_arguments(const char *netdev, unsigned queues, bool pass, char *args, size_t size, int *program)
{
	int fd = program_file(pass);

	if (fd < 0)
		return fd;
	/* No busy polling: it would call the kernel for each empty poll, and the worker sleeps on the
	 * descriptor. */
	snprintf(args, size, "iface=%s,start_queue=0,queue_count=%u,xdp_prog=/proc/self/fd/%d,busy_budget=0",
	    netdev, queues, fd);
	*program = fd;
	return 0;
}

size_t port_xdp_sockets(int fds[PORT_XDP_SOCKETS])
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)) && n < PORT_XDP_SOCKETS) {
		int fd = atoi(e->d_name), domain = 0;
		socklen_t len = sizeof(domain);

		if (e->d_name[0] != '.' && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_XDP)
			fds[n++] = fd;
	}
	if (d)
		closedir(d);
	return n;
}
