/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers whose endpoint is a name: the dataplane is told addresses alone, this keeps them right. Resolves anew
 * when the time to live ends, or when what is sent to a peer is not answered. What is known outlives a restart
 * of control (a file in its run directory), so that a name server that does not answer then takes no endpoint
 * away. Control's only thread.
 */
#ifndef BYWAY_CONTROL_ENDPOINTS_H
#define BYWAY_CONTROL_ENDPOINTS_H

#include <jansson.h>

#include "control/config_objects.h"

struct daemon;
struct endpoints;

/* changed: an address did, so that the objects are to be told anew. Aborts when memory is out. */
struct endpoints *endpoints_new(struct daemon *d, void (*changed)(struct daemon *d));
void endpoints_free(struct endpoints *e);

/* The names of the configuration in force, no others. */
void endpoints_configure(struct endpoints *e);
/* Fills in what is known: SET_PEER objects whose endpoint is a name. The others stay as they are. */
void endpoints_fill(const struct endpoints *e, struct config_objects *o);
/* Adds to a peer's row, for people: "endpoint-name" and "endpoint-error", where there are any. */
void endpoints_note(const struct endpoints *e, const struct fibmsg_row_peer *peer, json_t *row);

#endif
