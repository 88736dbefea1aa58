/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One netlink request at a time, and dumps, over libmnl. Used by netlink.c and hostrule.c. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_NLMSG_H
#define BYWAY_DATAPLANE_NLMSG_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/ip.h"

#define NLMSG_ROOM 1024 /* bytes of a request */

/* ERR_IO, ERR_PERM, with a sentence. */
int nlmsg_start(struct err_msg *msg);
void nlmsg_stop(void);
/* A request in buf (NLMSG_ROOM bytes) with room for a header of extra_len zero bytes, returned in *extra. */
struct nlmsghdr *nlmsg_new(void *buf, uint16_t type, uint16_t flags, size_t extra_len, void **extra);
void nlmsg_put_addr(struct nlmsghdr *nlh, uint16_t attr, const struct ip_addr *a);
/* Sends and waits for the acknowledgement: 0 or a negative errno. */
int nlmsg_talk(struct nlmsghdr *nlh);
/* Sends a dump request and hands each message to fn. 0 or a negative errno. */
int nlmsg_dump(struct nlmsghdr *nlh, mnl_cb_t fn, void *arg);
/* The attributes behind a header of offset bytes, by type up to last: tb has last + 1 places. */
void nlmsg_attributes(const struct nlmsghdr *nlh, size_t offset, const struct nlattr **tb, uint16_t last);
/* An address attribute of this family. */
bool nlmsg_get_addr(const struct nlattr *attr, uint8_t af, struct ip_addr *out);
uint8_t nlmsg_af(const struct ip_addr *a); /* AF_INET or AF_INET6 */

#endif
