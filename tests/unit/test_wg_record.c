/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_record: round trip, every truncation, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/wg_record.h"

static size_t format(const struct wg_record *r, char *text)
{
	struct buf_writer w;

	buf_writer_init(&w, text, WG_RECORD_ROOM);
	wg_record_write_line(&w, r);
	assert_int_equal(w.err, 0);
	return buf_writer_len(&w);
}

/* In a buffer of the exact size, so that the sanitizer sees a byte too far. */
static int parse(const char *text, size_t len, struct wg_record *r)
{
	char *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, text, len);
	err = wg_record_parse_line(copy, len, r);
	free(copy);
	return err;
}

static void test_round_trip(void **state)
{
	struct wg_record r = {.tunnel = "fifteen-letters", .line = "another-long-on"}, got;
	char text[WG_RECORD_ROOM];
	size_t len;

	crypto_fill_random(r.key, sizeof(r.key));
	memset(r.received_timestamp, 0xab, sizeof(r.received_timestamp));
	r.sent_timestamp[0] = 0x40;
	assert_int_equal(
	    ip_endpoint_parse("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535", &r.endpoint, NULL), 0);
	len = format(&r, text);
	assert_int_equal(text[len - 1], '\n');
	assert_int_equal(parse(text, len - 1, &got), 0);
	assert_memory_equal(&got, &r, sizeof(r));
	memset(&r.endpoint, 0, sizeof(r.endpoint));
	memset(r.line, 0, sizeof(r.line));
	len = format(&r, text);
	assert_int_equal(parse(text, len - 1, &got), 0);
	assert_memory_equal(&got, &r, sizeof(r));
	for (size_t cut = 0; cut < len - 1; cut++)
		assert_int_equal(parse(text, cut, &got), ERR_INVALID);
	assert_int_equal(parse(text, len, &got), ERR_INVALID); /* with its end */
}

#define KEY  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define MARK "400000000000000a00000000"

static void test_refused(void **state)
{
	static const char *const rows[] = {
	    "- " KEY " - - " MARK " " MARK,
	    "sixteen--letters " KEY " - - " MARK " " MARK,
	    "t " KEY " - sixteen--letters " MARK " " MARK,
	    "t  " KEY " - - " MARK " " MARK,
	    "t " KEY " - - " MARK " " MARK " ",
	    "t " KEY " - - " MARK " " MARK " x",
	    "t " KEY " nowhere - " MARK " " MARK,
	    "t " KEY " 1.2.3.4:99999 - " MARK " " MARK,
	    "t " KEY " - - " MARK "00 " MARK,
	    "t " KEY " - - 4000000000000g0a00000000 " MARK,
	    "t " KEY "A - - " MARK " " MARK,
	};
	struct wg_record got;

	assert_int_equal(
	    parse("t " KEY " - - " MARK " " MARK, strlen("t " KEY " - - " MARK " " MARK), &got), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parse(rows[i], strlen(rows[i]), &got) != ERR_INVALID)
			fail_msg("row %zu: %s", i, rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refused),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
