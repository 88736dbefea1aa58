/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/buf: values, bounds, the sticky error. */
#include "lib/buf.h"

#include "lib/err.h"
#include "tests/unit/unit.h"

/* What write_all writes, byte by byte. */
static const uint8_t wire[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
    0x0e, 0x0f, 0x13, 0x12, 0x11, 0x10, 0x1b, 0x1a, 0x19, 0x18, 0x17, 0x16, 0x15, 0x14, 'a', 'b', 'c', 0xff};

static void write_all(struct buf_writer *w)
{
	uint8_t *last;

	buf_write_u8(w, 1);
	buf_write_be16(w, 0x0203);
	buf_write_be32(w, 0x04050607);
	buf_write_be64(w, 0x08090a0b0c0d0e0f);
	buf_write_le32(w, 0x10111213);
	buf_write_le64(w, 0x1415161718191a1b);
	buf_write_bytes(w, "abc", 3);
	last = buf_write_reserve(w, 1);
	if (last)
		*last = 0xff;
}

static void writes_the_known_bytes(void **state)
{
	uint8_t out[sizeof(wire)];
	struct buf_writer w;

	buf_writer_init(&w, out, sizeof(out));
	write_all(&w);
	assert_int_equal(w.err, 0);
	assert_int_equal(buf_writer_len(&w), sizeof(wire));
	assert_int_equal(buf_writer_left(&w), 0);
	assert_memory_equal(out, wire, sizeof(wire));
	buf_patch_be16(&w, sizeof(wire) - 2, 0xbeef);
	assert_int_equal(out[sizeof(wire) - 2], 0xbe);
	assert_int_equal(out[sizeof(wire) - 1], 0xef);
	buf_patch_be16(&w, sizeof(wire) - 1, 0);
	assert_int_equal(w.err, ERR_FULL);
}

static void reads_the_known_values(void **state)
{
	struct buf_reader r;
	char text[3];

	buf_reader_init(&r, wire, sizeof(wire));
	assert_int_equal(buf_read_u8(&r), 1);
	assert_int_equal(buf_read_be16(&r), 0x0203);
	assert_int_equal(buf_read_be32(&r), 0x04050607);
	assert_true(buf_read_be64(&r) == 0x08090a0b0c0d0e0f);
	assert_int_equal(buf_read_le32(&r), 0x10111213);
	assert_true(buf_read_le64(&r) == 0x1415161718191a1b);
	buf_read_bytes(&r, text, 3);
	assert_memory_equal(text, "abc", 3);
	assert_ptr_equal(buf_read_view(&r, 1), wire + sizeof(wire) - 1);
	assert_int_equal(r.err, 0);
	assert_int_equal(buf_reader_left(&r), 0);
}

static void every_short_write_is_full(void **state)
{
	for (size_t len = 0; len < sizeof(wire); len++) {
		uint8_t *out = malloc(len ? len : 1); /* exact size: a write past the end is ASan's to see */
		struct buf_writer w;

		buf_writer_init(&w, out, len);
		write_all(&w);
		assert_int_equal(w.err, ERR_FULL);
		assert_int_equal(buf_writer_left(&w), 0);
		free(out);
	}
}

static void every_short_read_is_truncated(void **state)
{
	for (size_t len = 0; len < sizeof(wire); len++) {
		uint8_t *in = malloc(len ? len : 1);
		struct buf_reader r;
		char text[3];

		memcpy(in, wire, len);
		buf_reader_init(&r, in, len);
		buf_read_u8(&r);
		buf_read_be16(&r);
		buf_read_be32(&r);
		buf_read_be64(&r);
		buf_read_le32(&r);
		buf_read_le64(&r);
		buf_read_bytes(&r, text, 3);
		buf_read_view(&r, 1);
		assert_int_equal(r.err, ERR_TRUNCATED);
		free(in);
	}
}

static void an_error_sticks(void **state)
{
	struct buf_reader r, sub;
	uint8_t out[4] = {1, 2, 3, 4};
	struct buf_writer w;

	buf_reader_init(&r, wire, 3);
	assert_int_equal(buf_read_be32(&r), 0);
	assert_int_equal(buf_read_u8(&r), 0);
	assert_int_equal(buf_reader_left(&r), 0);
	buf_read_bytes(&r, out, 2);
	assert_memory_equal(out, "\0\0\3\4", 4);
	assert_null(buf_read_view(&r, 1));
	sub = buf_read_sub(&r, 1);
	assert_int_equal(sub.err, ERR_TRUNCATED);

	buf_writer_init(&w, out, 3);
	buf_write_be32(&w, 0xffffffff);
	buf_write_u8(&w, 0xff);
	assert_null(buf_write_reserve(&w, 1));
	assert_memory_equal(out, "\0\0\3\4", 4);
	assert_int_equal(buf_writer_len(&w), 0);
}

static void a_sub_reader_is_bounded(void **state)
{
	struct buf_reader r, sub;

	buf_reader_init(&r, wire, 5);
	sub = buf_read_sub(&r, 2);
	assert_int_equal(buf_read_be16(&sub), 0x0102);
	assert_int_equal(buf_read_u8(&sub), 0);
	assert_int_equal(sub.err, ERR_TRUNCATED);
	assert_int_equal(r.err, 0);
	assert_int_equal(buf_read_u8(&r), 3);
	sub = buf_read_sub(&r, 3);
	assert_int_equal(sub.err, ERR_TRUNCATED);
	assert_int_equal(r.err, ERR_TRUNCATED);
	buf_reader_init(&r, NULL, 0);
	sub = buf_read_sub(&r, 0);
	assert_int_equal(sub.err, 0);
	assert_int_equal(buf_reader_left(&sub), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_the_known_bytes),
	    cmocka_unit_test(reads_the_known_values),
	    cmocka_unit_test(every_short_write_is_full),
	    cmocka_unit_test(every_short_read_is_truncated),
	    cmocka_unit_test(an_error_sticks),
	    cmocka_unit_test(a_sub_reader_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
