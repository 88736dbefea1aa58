/* SPDX-License-Identifier: BSD-3-Clause */
/* The OPEN message and its capabilities (RFC 4271 §4.2, 5492). Pure functions. */
#ifndef BYWAY_BGP_BGP_OPEN_H
#define BYWAY_BGP_BGP_OPEN_H

#include "bgp/bgp_msg.h"

struct bgp_open {
	uint32_t router_id;	      /* host order */
	struct bgp_capabilities caps; /* as: of RFC 6793 when there, else the 2-byte field */
};

/*
 * Parses a body (after the header) and checks what needs no configuration:
 * version, AS 0, identifier 0, hold time, structure. Unknown capabilities are
 * skipped; without any multiprotocol capability IPv4 unicast is meant (RFC 4760 §8).
 * ERR_PROTO with fault (RFC 4271 §6.2).
 */
int bgp_open_parse(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_fault *fault);

/* Writes the whole message. */
void bgp_open_write(struct buf_writer *w, const struct bgp_open *open);

#endif
