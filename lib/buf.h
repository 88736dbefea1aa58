/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded reading and writing of bytes with a sticky error: read or write a
 * whole message, then check err once. All parsers and builders go through this.
 * Pure; any thread. After an error every read yields zeros and moves nothing,
 * every write stores nothing.
 */
#ifndef BYWAY_LIB_BUF_H
#define BYWAY_LIB_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf_reader {
	const uint8_t *p, *end;
	int err; /* 0, or ERR_TRUNCATED from the first read past the end on */
};

struct buf_writer {
	uint8_t *start, *p, *end;
	int err; /* 0, or ERR_FULL from the first write past the end on */
};

void buf_reader_init(struct buf_reader *r, const void *data, size_t len);
size_t buf_reader_left(const struct buf_reader *r);
uint8_t buf_read_u8(struct buf_reader *r);
uint16_t buf_read_be16(struct buf_reader *r);
uint32_t buf_read_be32(struct buf_reader *r);
uint64_t buf_read_be64(struct buf_reader *r);
uint32_t buf_read_le32(struct buf_reader *r);
uint64_t buf_read_le64(struct buf_reader *r);
/* Copies len bytes to out; zero-fills out when they are not there. */
void buf_read_bytes(struct buf_reader *r, void *out, size_t len);
/* A view of the next len bytes (NULL on error), valid as long as the input is. */
const uint8_t *buf_read_view(struct buf_reader *r, size_t len);
/* A reader over the next len bytes; carries ERR_TRUNCATED itself when they are not there. */
struct buf_reader buf_read_sub(struct buf_reader *r, size_t len);

void buf_writer_init(struct buf_writer *w, void *data, size_t len);
size_t buf_writer_len(const struct buf_writer *w);  /* bytes written so far */
size_t buf_writer_left(const struct buf_writer *w); /* room still there */
void buf_write_u8(struct buf_writer *w, uint8_t v);
void buf_write_be16(struct buf_writer *w, uint16_t v);
void buf_write_be32(struct buf_writer *w, uint32_t v);
void buf_write_be64(struct buf_writer *w, uint64_t v);
void buf_write_le32(struct buf_writer *w, uint32_t v);
void buf_write_le64(struct buf_writer *w, uint64_t v);
void buf_write_bytes(struct buf_writer *w, const void *data, size_t len);
/* Room for len bytes to be filled later; NULL on error. */
uint8_t *buf_write_reserve(struct buf_writer *w, size_t len);
/* Overwrites two bytes at offset (a length known only afterwards); offset must lie within what was written. */
void buf_patch_be16(struct buf_writer *w, size_t offset, uint16_t v);

#endif
