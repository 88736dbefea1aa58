/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests to the kernel over a netlink socket of their own, answered before the call returns (apart
 * from the socket on which notifications come). Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_RTNL_H
#define BYWAY_DATAPLANE_RTNL_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "lib/ip.h"

#define RTNL_BUF 2048 /* bytes: room for any request */

/* ERR_IO. rtnl_close when nothing is open does nothing. */
int rtnl_open(void);
void rtnl_close(void);

/* Starts a request in buf of RTNL_BUF bytes; the caller appends header and attributes. */
struct nlmsghdr *rtnl_start(void *buf, uint16_t type, uint16_t flags);
/* Appends an address attribute of 4 or 16 bytes. */
void rtnl_put_addr(struct nlmsghdr *nlh, uint16_t attr, const struct ip_addr *a);
/* AF_INET or AF_INET6 of an address's family, and back (IP_NONE for others). */
uint8_t rtnl_af(uint8_t family);
uint8_t rtnl_family(uint8_t af);
/* The address in an attribute of 4 or 16 bytes; IP_NONE when it is of another length. */
struct ip_addr rtnl_get_addr(const struct nlattr *attr);

/* The attribute after prev (NULL: the first) behind a family header of that many bytes; NULL: no more. */
const struct nlattr *rtnl_next_attr(const struct nlmsghdr *nlh, size_t header_len, const struct nlattr *prev);

/* Sends and waits for the kernel's verdict: 0, or the negated errno as the kernel says it (-EEXIST, -ESRCH
 * ...). */
int rtnl_talk(struct nlmsghdr *nlh);
/*
 * Dumps: cb for each message; it returns MNL_CB_OK. 0, or the negated errno. -EINTR: the kernel's table
 * changed meanwhile, ask again.
 */
int rtnl_dump(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);

#endif
