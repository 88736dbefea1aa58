/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verdicts of the monitor thread as the slow thread passes them on: to the log, to the tunnels that
 * follow the active line, and to control. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_EVENT_H
#define BYWAY_DATAPLANE_EVENT_H

#include <stdint.h>

/* After monitor_start. ERR_NOMEM, ERR_IO. */
int event_start(void);
void event_stop(void);
/* Tells of links that changed; returns the next deadline (ns). */
uint64_t event_tick(uint64_t now_ns);

#endif
