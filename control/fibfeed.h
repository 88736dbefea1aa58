/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FIB feed: control's end of the FIB socket. Connects (and again, with a growing pause), syncs
 * configuration objects and the RIB, sends what changes in batches within the window, hears events, passes
 * queries.
 *
 * A batch that is refused names one object; that object is set aside with the reason, the log says so,
 * and everything else is synced anew, so nothing stays half-applied; what the dataplane held of that object
 * before, it keeps: a tunnel whose new settings are refused lives on with its old ones. Objects set aside are
 * tried again from time to time (a device may appear). The sweep that ends a sync waits until the daemon says
 * that BGP has come back. libevent; control's only thread.
 */
#ifndef BYWAY_CONTROL_FIBFEED_H
#define BYWAY_CONTROL_FIBFEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config_objects.h"
#include "control/rib.h"
#include "lib/fibmsg.h"

struct event_base;
struct fibfeed;

struct fibfeed_env {
	/* The dataplane answered HELLO; kept: it holds objects and forwards already. Before the sync begins.
	 */
	void (*connected)(void *arg, bool kept);
	void (*disconnected)(void *arg);
	/* May what this sync did not name be swept? */
	bool (*may_sweep)(void *arg);
	/* EV_ messages. */
	void (*event)(void *arg, const struct fibmsg *m);
	void *arg;
};

/* Begins to connect at once. path and rib outlive the feed. Aborts when memory is out. */
struct fibfeed *fibfeed_new(
    struct event_base *base, const char *path, struct rib *rib, const struct fibfeed_env *env);
void fibfeed_free(struct fibfeed *f);

/* What the dataplane shall hold besides routes; sorted as config_objects_build does. The feed takes o->v. */
void fibfeed_set_objects(struct fibfeed *f, struct config_objects *o);
/* Says tunnels, peers and allowed-IPs once more: what `wg set` made of them ends. The others do nothing. */
void fibfeed_repeat_tunnels(struct fibfeed *f);
/* The RIB, or what may_sweep says, may have changed: send. */
void fibfeed_kick(struct fibfeed *f);
/* Why next hops over an interface cannot be used; NULL: they can. For rib_env. */
const char *fibfeed_iface_fault(const struct fibfeed *f, const char *iface);

bool fibfeed_is_connected(const struct fibfeed *f);
/* In sync, and everything that was told is answered. */
bool fibfeed_is_settled(const struct fibfeed *f);
/* "in sync", "syncing", "not connected: ...". Valid until the next call into the feed. */
const char *fibfeed_state_text(const struct fibfeed *f);
/* The i-th object that the dataplane refused, with the reason; false: there are fewer. */
bool fibfeed_refused(const struct fibfeed *f, size_t i, char *name, size_t size, const char **why);

/* done: code 0 or negative ERR_; text for a person. Called once, later. */
typedef void (*fibfeed_done_fn)(void *arg, int code, const char *text);
/*
 * Has the dataplane judge objects without applying them. ERR_CLOSED: not connected (done is not called then);
 * ERR_TOOLONG: too many for one message.
 */
int fibfeed_check(struct fibfeed *f, const struct config_objects *o, fibfeed_done_fn done, void *arg);
/*
 * Asks for rows; row is called for each, then done. ERR_CLOSED: not connected (done is not called then).
 * *id names the query for fibfeed_cancel.
 */
int fibfeed_query(struct fibfeed *f, const struct fibmsg_query_msg *query,
    void (*row)(void *arg, const struct fibmsg *m), fibfeed_done_fn done, void *arg, uint32_t *id);
/* Neither row nor done is called any more. */
void fibfeed_cancel(struct fibfeed *f, uint32_t id);

#endif
