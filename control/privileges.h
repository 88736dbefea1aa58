/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving up root after the start. Called once by main. */
#ifndef BYWAY_CONTROL_PRIVILEGES_H
#define BYWAY_CONTROL_PRIVILEGES_H

#include "lib/err.h"

/*
 * Becomes user (NULL: "byway" if there is one, else nothing changes; "": stay) and keeps only what later work
 * needs: CAP_NET_BIND_SERVICE (TCP 179 after a reload) and CAP_NET_RAW (sockets bound to an interface). Not
 * root: does nothing. ERR_NOENT: no such user; ERR_PERM: the kernel refuses.
 */
int privileges_drop(const char *user, const char *run_dir, struct err_msg *msg);

#endif
