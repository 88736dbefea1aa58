/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer's living sessions as bytes, for the process that takes them over at a planned restart: what is
 * handed on in sealed memory, never on disk. Pure; dataplane/tunnel_handover.c keeps the memory. Integers are
 * big-endian; times are CLOCK_MONOTONIC of the same boot.
 */
#ifndef BYWAY_LIB_WG_SESSION_H
#define BYWAY_LIB_WG_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/crypto.h"
#include "lib/wg_record.h"
#include "lib/wg_replay.h"

#define WG_SESSION_VERSION  1u
#define WG_SESSION_HEAD_LEN 8	 /* magic and version, once */
#define WG_SESSION_ROOM	    4096 /* bytes that one peer needs at the most */

enum wg_session_role { WG_SESSION_CURRENT, WG_SESSION_PREVIOUS, WG_SESSION_NEXT, WG_SESSION_ROLES };

struct wg_session_keys {
	bool present;
	bool initiator, confirmed;
	uint8_t sending[CRYPTO_KEY_LEN], receiving[CRYPTO_KEY_LEN];
	uint32_t local_index, remote_index;
	uint64_t birth_ns;
	uint64_t send_counter;
	struct wg_replay replay;
};

/* Holds keys: wipe it. */
struct wg_session {
	char tunnel[WG_RECORD_NAME];
	uint8_t own_key[CRYPTO_KEY_LEN], peer_key[CRYPTO_KEY_LEN]; /* public */
	uint16_t port;						   /* UDP, of the tunnel */
	uint64_t handshake_ns, handshake_realtime_ns;
	uint64_t rx_bytes, tx_bytes;
	uint64_t last_rx_ns, last_tx_ns, unanswered_rx_ns, unanswered_tx_ns;
	struct wg_session_keys keys[WG_SESSION_ROLES];
};

void wg_session_write_head(struct buf_writer *w);
void wg_session_write(struct buf_writer *w, const struct wg_session *s);
/* ERR_UNSUPPORTED: of another version, or nothing of ours; ERR_TRUNCATED. */
int wg_session_read_head(struct buf_reader *r);
/*
 * The next peer. ERR_TRUNCATED; ERR_INVALID: a field that no writer wrote. Out is then empty, and what
 * follows in r is lost.
 */
int wg_session_read(struct buf_reader *r, struct wg_session *out);

#endif
