/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a probe of the monitor thread carries behind the echo header (RFC 792, RFC 4443 §4.1: any data,
 * returned as it was). Our own business; only we read it again.
 *
 *   magic (4) "bywp" | object (2) | kind (1) | target (1)
 *   cookie (8)
 */
#ifndef BYWAY_DATAPLANE_MONITOR_WIRE_H
#define BYWAY_DATAPLANE_MONITOR_WIRE_H

#include <assert.h>
#include <stdint.h>

struct monitor_probe {
	uint32_t magic_be;  /* MONITOR_MAGIC */
	uint16_t object_be; /* slot of the line, index of the peer */
	uint8_t kind;	    /* enum monitor_probe_kind */
	uint8_t target;	    /* index among the targets */
	uint64_t cookie;    /* random per process: only who saw the probe can answer it */
} __attribute__((packed));
static_assert(sizeof(struct monitor_probe) == 16, "data of a probe");

enum monitor_probe_kind { MONITOR_PROBE_LINE, MONITOR_PROBE_PEER };

#endif
