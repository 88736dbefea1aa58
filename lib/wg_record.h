/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a WireGuard peer survives a restart, as one line of text:
 *   tunnel key-base64 endpoint|- line|- received-hex sent-hex
 * Pure; any thread. dataplane/tunnel_state.c keeps the file.
 */
#ifndef BYWAY_LIB_WG_RECORD_H
#define BYWAY_LIB_WG_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/crypto.h"
#include "lib/ip.h"
#include "lib/wg_wire.h"

#define WG_RECORD_NAME 16  /* interface names with their NUL */
#define WG_RECORD_ROOM 256 /* bytes that one line needs at the most */

struct wg_record {
	char tunnel[WG_RECORD_NAME];
	uint8_t key[CRYPTO_KEY_LEN];
	struct ip_endpoint endpoint;			   /* family 0: none */
	char line[WG_RECORD_NAME];			   /* empty: none */
	uint8_t received_timestamp[WG_WIRE_TIMESTAMP_LEN]; /* the greatest accepted */
	uint8_t sent_timestamp[WG_WIRE_TIMESTAMP_LEN]; /* none sent was or will be later, until it is written
							  anew */
};

/* Appends the line with its end. */
void wg_record_write_line(struct buf_writer *w, const struct wg_record *r);
/* Parses a line of len bytes without its end. ERR_INVALID: out is untouched. */
int wg_record_parse_line(const char *line, size_t len, struct wg_record *out);

#endif
