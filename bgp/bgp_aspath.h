/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AS_PATH values (RFC 4271 §4.3, §5.1.2). Inside the core every path has 4-byte
 * AS numbers; 2-byte ones exist on the wire only. Pure functions.
 */
#ifndef BYWAY_BGP_BGP_ASPATH_H
#define BYWAY_BGP_BGP_ASPATH_H

#include <stdbool.h>

#include "lib/buf.h"

/*
 * Structure of a received path, as_len 2 or 4: whole segments, none empty, AS 0
 * nowhere (RFC 7607), no confederation segments (RFC 5065 §5.1: we are in none).
 * ERR_PROTO.
 */
int bgp_aspath_check(const uint8_t *path, size_t len, unsigned as_len);
/* Writes the path with AS numbers of out_len bytes; too big ones become AS_TRANS (RFC 6793 §4.2.2). */
void bgp_aspath_convert(
    struct buf_writer *w, const uint8_t *path, size_t len, unsigned as_len, unsigned out_len);
/*
 * RFC 6793 §4.2.3: path (2-byte) and path4 (AS4_PATH), both checked, made one 4-byte path.
 */
void bgp_aspath_merge(
    struct buf_writer *w, const uint8_t *path, size_t len, const uint8_t *path4, size_t len4);
/* Puts as n times in front (RFC 4271 §5.1.2 b), opening a new segment when the first is full or no sequence.
 */
void bgp_aspath_prepend(struct buf_writer *w, const uint8_t *path, size_t len, uint32_t as, unsigned n);

/* The rest take 4-byte paths. Length as the decision counts it: a set is one (RFC 4271 §9.1.2.2 a). */
unsigned bgp_aspath_count(const uint8_t *path, size_t len);
uint32_t bgp_aspath_first(const uint8_t *path, size_t len); /* 0: empty or begins with a set */
uint32_t bgp_aspath_last(const uint8_t *path, size_t len);  /* 0: empty or ends with a set */
bool bgp_aspath_has(const uint8_t *path, size_t len, uint32_t as);
bool bgp_aspath_has_wide(const uint8_t *path, size_t len); /* an AS number over 65535 */
char *bgp_aspath_format(const uint8_t *path, size_t len, char *buf, size_t room);

#endif
