/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last accepted state on disk, <state-dir>/fib.state, so that a restart forwards without control:
 * a header, then fibmsg datagrams with origin, length and checksum, then an end mark that counts them.
 * Written to a temporary file in slices between the loop's other work, made durable by a helper thread,
 * renamed over the old one. Slow thread only.
 *
 *   file    "BYST" | version u32 | generation u64 | frame ... | end
 *   frame   length u32 (> 0) | origin u8 | checksum u64 over length, origin and datagram | datagram
 *   end     0 u32 | frames u32 | checksum u64 over header and frames
 *
 * What changes while the file is written is written into it as it comes: all that routes name is written in
 * one go first, so that the file stays a history which can be replayed from its start.
 */
#ifndef BYWAY_DATAPLANE_STATE_H
#define BYWAY_DATAPLANE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/store.h"
#include "lib/err.h"

/*
 * Loads what is there into the empty store; objects that cannot be applied any more are logged and left out,
 * a file that is not whole is logged and ignored. ERR_IO: the directory cannot be made; ERR_NOMEM.
 */
int state_start(const char *dir, struct store *store, struct err_msg *msg);
/* Writes what is not written yet, and waits for it. */
void state_stop(void);
/* A batch is in force: it is written when nothing changed for a second, or after three seconds of changes
 * (later when the last file was large). */
void state_note_batch(enum store_origin origin, const uint8_t *datagram, size_t len);
/* Files that objects name were written: they are made durable together with the state that names them. */
void state_note_files(void);
/* Is everything that was accepted on disk, written by this process? What was only loaded may be less than
 * what was there: a file that is not whole is ignored. */
bool state_is_written(void);
/* Writes in slices; returns the next deadline (ns). */
uint64_t state_tick(uint64_t now_ns);

/* For tests: a file into a store. ERR_NOENT; ERR_IO; ERR_PROTO or ERR_TRUNCATED: not whole, store untouched.
 */
int state_load(const char *path, struct store *store, struct err_msg *msg);

#endif
