/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded readers and writers of bytes. Pure; any thread.
 */
#include "lib/buf.h"

#include <string.h>

#include "lib/err.h"

static const uint8_t *take(struct buf_reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->err)
		return NULL;
	if (len > (size_t)(r->end - r->p)) {
		r->err = ERR_TRUNCATED;
		return NULL;
	}
	r->p += len;
	return p;
}

static uint64_t take_be(struct buf_reader *r, size_t len)
{
	const uint8_t *p = take(r, len);
	uint64_t v = 0;

	for (size_t i = 0; p && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static uint64_t take_le(struct buf_reader *r, size_t len)
{
	const uint8_t *p = take(r, len);
	uint64_t v = 0;

	for (size_t i = len; p && i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

void buf_reader_init(struct buf_reader *r, const void *data, size_t len)
{
	static const uint8_t nothing[1];

	r->p = data && len ? data : nothing;
	r->end = data && len ? r->p + len : nothing;
	r->err = 0;
}

size_t buf_reader_left(const struct buf_reader *r)
{
	return r->err ? 0 : (size_t)(r->end - r->p);
}

uint8_t buf_read_u8(struct buf_reader *r)
{
	return (uint8_t)take_be(r, 1);
}

uint16_t buf_read_be16(struct buf_reader *r)
{
	return (uint16_t)take_be(r, 2);
}

uint32_t buf_read_be32(struct buf_reader *r)
{
	return (uint32_t)take_be(r, 4);
}

uint64_t buf_read_be64(struct buf_reader *r)
{
	return take_be(r, 8);
}

uint32_t buf_read_le32(struct buf_reader *r)
{
	return (uint32_t)take_le(r, 4);
}

uint64_t buf_read_le64(struct buf_reader *r)
{
	return take_le(r, 8);
}

void buf_read_bytes(struct buf_reader *r, void *out, size_t len)
{
	const uint8_t *p = take(r, len);

	if (!len)
		return;
	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

const uint8_t *buf_read_view(struct buf_reader *r, size_t len)
{
	return take(r, len);
}

struct buf_reader buf_read_sub(struct buf_reader *r, size_t len)
{
	const uint8_t *p = take(r, len);
	struct buf_reader sub;

	buf_reader_init(&sub, p, p ? len : 0);
	sub.err = p ? 0 : ERR_TRUNCATED;
	return sub;
}

static uint8_t *room(struct buf_writer *w, size_t len)
{
	uint8_t *p = w->p;

	if (w->err)
		return NULL;
	if (len > (size_t)(w->end - w->p)) {
		w->err = ERR_FULL;
		return NULL;
	}
	w->p += len;
	return p;
}

static void put_be(struct buf_writer *w, uint64_t v, size_t len)
{
	uint8_t *p = room(w, len);

	for (size_t i = 0; p && i < len; i++)
		p[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

static void put_le(struct buf_writer *w, uint64_t v, size_t len)
{
	uint8_t *p = room(w, len);

	for (size_t i = 0; p && i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void buf_writer_init(struct buf_writer *w, void *data, size_t len)
{
	static uint8_t nothing[1];

	w->start = w->p = data && len ? data : nothing;
	w->end = data && len ? w->start + len : nothing;
	w->err = 0;
}

size_t buf_writer_len(const struct buf_writer *w)
{
	return (size_t)(w->p - w->start);
}

size_t buf_writer_left(const struct buf_writer *w)
{
	return w->err ? 0 : (size_t)(w->end - w->p);
}

void buf_write_u8(struct buf_writer *w, uint8_t v)
{
	put_be(w, v, 1);
}

void buf_write_be16(struct buf_writer *w, uint16_t v)
{
	put_be(w, v, 2);
}

void buf_write_be32(struct buf_writer *w, uint32_t v)
{
	put_be(w, v, 4);
}

void buf_write_be64(struct buf_writer *w, uint64_t v)
{
	put_be(w, v, 8);
}

void buf_write_le32(struct buf_writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void buf_write_le64(struct buf_writer *w, uint64_t v)
{
	put_le(w, v, 8);
}

void buf_write_bytes(struct buf_writer *w, const void *data, size_t len)
{
	uint8_t *p = room(w, len);

	if (p && len)
		memcpy(p, data, len);
}

uint8_t *buf_write_reserve(struct buf_writer *w, size_t len)
{
	return room(w, len);
}

void buf_patch_be16(struct buf_writer *w, size_t offset, uint16_t v)
{
	if (w->err)
		return;
	if (offset > buf_writer_len(w) || buf_writer_len(w) - offset < 2) {
		w->err = ERR_FULL;
		return;
	}
	w->start[offset] = (uint8_t)(v >> 8);
	w->start[offset + 1] = (uint8_t)v;
}
