/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FIB socket: <run-dir>/fib.sock, SOCK_SEQPACKET, on which control tells the dataplane everything
 * (lib/fibmsg.h). One control at a time: who says HELLO takes the place of who was there. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_FIBSOCK_H
#define BYWAY_DATAPLANE_FIBSOCK_H

#include "dataplane/slow.h"
#include "dataplane/store.h"

/* Listens. ERR_IO, ERR_PERM, ERR_TOOLONG (path), ERR_BUSY (another dataplane answers there), with a sentence.
 */
int fibsock_start(const struct slow_config *config, struct store *store, struct err_msg *msg);
void fibsock_stop(void);
/* Sweeps after a sync and streams answers; returns the next deadline (ns). */
uint64_t fibsock_tick(uint64_t now_ns);
/* An EV_ message to control, if there is one; nothing is kept for a later one. */
void fibsock_send_event(const struct fibmsg *m);

#endif
