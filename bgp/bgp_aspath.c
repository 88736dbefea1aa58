/* SPDX-License-Identifier: BSD-3-Clause */
/* AS_PATH values; see bgp_aspath.h. */
#include "bgp/bgp_aspath.h"

#include <stdio.h>

#include "bgp/bgp_wire.h"
#include "lib/err.h"

struct segment {
	uint8_t type, count;
	struct buf_reader as;
};

/* False at the end, and where the segment overruns the path (then r->err is set). */
static bool segment_read(struct buf_reader *r, unsigned as_len, struct segment *seg)
{
	if (buf_reader_left(r) == 0)
		return false;
	seg->type = buf_read_u8(r);
	seg->count = buf_read_u8(r);
	seg->as = buf_read_sub(r, (size_t)seg->count * as_len);
	return !r->err;
}

static uint32_t as_read(struct buf_reader *r, unsigned as_len)
{
	return as_len == 2 ? buf_read_be16(r) : buf_read_be32(r);
}

static void as_write(struct buf_writer *w, uint32_t as, unsigned as_len)
{
	if (as_len == 4)
		buf_write_be32(w, as);
	else
		buf_write_be16(w, (uint16_t)(as > UINT16_MAX ? BGP_AS_TRANS : as));
}

int bgp_aspath_check(const uint8_t *path, size_t len, unsigned as_len)
{
	struct buf_reader r;
	struct segment seg;

	buf_reader_init(&r, path, len);
	while (segment_read(&r, as_len, &seg)) {
		if ((seg.type != BGP_SEG_SET && seg.type != BGP_SEG_SEQUENCE) || seg.count == 0)
			return ERR_PROTO; /* RFC 7606 §7.2 */
		while (buf_reader_left(&seg.as)) {
			if (as_read(&seg.as, as_len) == 0)
				return ERR_PROTO; /* RFC 7607 §2 */
		}
	}
	return r.err ? ERR_PROTO : 0;
}

void bgp_aspath_convert(
    struct buf_writer *w, const uint8_t *path, size_t len, unsigned as_len, unsigned out_len)
{
	struct buf_reader r;
	struct segment seg;

	if (as_len == out_len) {
		buf_write_bytes(w, path, len);
		return;
	}
	buf_reader_init(&r, path, len);
	while (segment_read(&r, as_len, &seg)) {
		buf_write_u8(w, seg.type);
		buf_write_u8(w, seg.count);
		while (buf_reader_left(&seg.as))
			as_write(w, as_read(&seg.as, as_len), out_len);
	}
}

static unsigned aspath_count(const uint8_t *path, size_t len, unsigned as_len)
{
	struct buf_reader r;
	struct segment seg;
	unsigned n = 0;

	buf_reader_init(&r, path, len);
	while (segment_read(&r, as_len, &seg))
		n += seg.type == BGP_SEG_SEQUENCE ? seg.count : seg.type == BGP_SEG_SET;
	return n;
}

/* Writes, widened, the leading part of a 2-byte path that counts n. */
static void aspath_write_lead(struct buf_writer *w, const uint8_t *path, size_t len, unsigned n)
{
	struct buf_reader r;
	struct segment seg;

	buf_reader_init(&r, path, len);
	while (n && segment_read(&r, 2, &seg)) {
		unsigned counts = seg.type == BGP_SEG_SET ? 1 : seg.count;
		unsigned take = seg.type == BGP_SEG_SET || n > counts ? seg.count : n;

		n -= counts < n ? counts : n;
		buf_write_u8(w, seg.type);
		buf_write_u8(w, (uint8_t)take);
		while (take--)
			buf_write_be32(w, buf_read_be16(&seg.as));
	}
}

void bgp_aspath_merge(
    struct buf_writer *w, const uint8_t *path, size_t len, const uint8_t *path4, size_t len4)
{
	unsigned n = aspath_count(path, len, 2), n4 = aspath_count(path4, len4, 4);

	if (n < n4) {
		bgp_aspath_convert(w, path, len, 2, 4);
		return;
	}
	aspath_write_lead(w, path, len, n - n4);
	buf_write_bytes(w, path4, len4);
}

void bgp_aspath_prepend(struct buf_writer *w, const uint8_t *path, size_t len, uint32_t as, unsigned n)
{
	bool sequence = len >= 2 && path[0] == BGP_SEG_SEQUENCE;
	unsigned room = sequence ? BGP_SEG_MAX - path[1] : 0;
	unsigned joined = n < room ? n : room; /* go into the first segment */
	unsigned rest = n - joined, i;

	while (rest) {
		unsigned take = rest < BGP_SEG_MAX ? rest : BGP_SEG_MAX;

		buf_write_u8(w, BGP_SEG_SEQUENCE);
		buf_write_u8(w, (uint8_t)take);
		for (i = 0; i < take; i++)
			buf_write_be32(w, as);
		rest -= take;
	}
	if (joined) {
		buf_write_u8(w, BGP_SEG_SEQUENCE);
		buf_write_u8(w, (uint8_t)(path[1] + joined));
		for (i = 0; i < joined; i++)
			buf_write_be32(w, as);
		path += 2;
		len -= 2;
	}
	buf_write_bytes(w, path, len);
}

unsigned bgp_aspath_count(const uint8_t *path, size_t len)
{
	return aspath_count(path, len, 4);
}

uint32_t bgp_aspath_first(const uint8_t *path, size_t len)
{
	struct buf_reader r;
	struct segment seg;

	buf_reader_init(&r, path, len);
	return segment_read(&r, 4, &seg) && seg.type == BGP_SEG_SEQUENCE ? buf_read_be32(&seg.as) : 0;
}

uint32_t bgp_aspath_last(const uint8_t *path, size_t len)
{
	struct buf_reader r;
	struct segment seg;
	uint32_t last = 0;

	buf_reader_init(&r, path, len);
	while (segment_read(&r, 4, &seg)) {
		last = 0;
		while (seg.type == BGP_SEG_SEQUENCE && buf_reader_left(&seg.as))
			last = buf_read_be32(&seg.as);
	}
	return last;
}

bool bgp_aspath_has(const uint8_t *path, size_t len, uint32_t as)
{
	struct buf_reader r;
	struct segment seg;

	buf_reader_init(&r, path, len);
	while (segment_read(&r, 4, &seg)) {
		while (buf_reader_left(&seg.as)) {
			if (buf_read_be32(&seg.as) == as)
				return true;
		}
	}
	return false;
}

bool bgp_aspath_has_wide(const uint8_t *path, size_t len)
{
	struct buf_reader r;
	struct segment seg;

	buf_reader_init(&r, path, len);
	while (segment_read(&r, 4, &seg)) {
		while (buf_reader_left(&seg.as)) {
			if (buf_read_be32(&seg.as) > UINT16_MAX)
				return true;
		}
	}
	return false;
}

char *bgp_aspath_format(const uint8_t *path, size_t len, char *buf, size_t room)
{
	struct buf_reader r;
	struct segment seg;
	size_t used = 0;
	unsigned i;

	buf[0] = '\0';
	buf_reader_init(&r, path, len);
	while (segment_read(&r, 4, &seg)) {
		bool set = seg.type == BGP_SEG_SET;

		for (i = 0; i < seg.count; i++) {
			if (used + 20 > room) {
				snprintf(buf + used, room - used, "...");
				return buf;
			}
			used += (size_t)snprintf(buf + used, room - used, "%s%s%u%s", used ? " " : "",
			    set && i == 0 ? "{" : "", buf_read_be32(&seg.as),
			    set && i + 1 == seg.count ? "}" : "");
		}
	}
	return buf;
}
