/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verdicts of the monitor thread as the slow thread passes them on: to the log, to the tunnels that
 * follow the active line, and to control. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_EVENT_H
#define BYWAY_DATAPLANE_EVENT_H

/* After monitor_start. ERR_NOMEM, ERR_IO. */
int event_start(void);
void event_stop(void);

#endif
