/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/ctl: lines out of pieces of any size, and the bound. */
#include "lib/ctl.h"

#include "tests/unit/unit.h"

static struct ctl_framer framer;

/* Feeds text in pieces and joins the lines with '|'. */
static const char *joined(const char *text, size_t len, size_t piece)
{
	static char out[4096];
	struct err_msg msg;

	out[0] = 0;
	ctl_init(&framer);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece, used;
		char *exact = malloc(n);
		const char *line;

		memcpy(exact, text + at, n);
		for (size_t from = 0; from < n; from += used) {
			assert_int_equal(ctl_feed(&framer, exact + from, n - from, &used, &line, &msg), 0);
			assert_true(used > 0);
			if (line) {
				strcat(out, line);
				strcat(out, "|");
			}
		}
		free(exact);
	}
	return out;
}

static void splits_whatever_the_pieces(void **state)
{
	static const char text[] = "{\"command\":\"version\"}\n\nsecond\r\n\rx\nunfinished";

	for (size_t piece = 1; piece <= sizeof(text); piece++)
		assert_string_equal(
		    joined(text, sizeof(text) - 1, piece), "{\"command\":\"version\"}||second|\rx|");
	assert_int_equal(framer.len, strlen("unfinished"));
}

static void bounds_a_line(void **state)
{
	static char text[CTL_LINE_MAX + 1];
	struct err_msg msg;
	const char *line;
	size_t used = 0;

	memset(text, 'x', sizeof(text));
	text[CTL_LINE_MAX - 1] = '\n';
	ctl_init(&framer);
	assert_int_equal(ctl_feed(&framer, text, CTL_LINE_MAX, &used, &line, &msg), 0);
	assert_int_equal(used, CTL_LINE_MAX);
	assert_int_equal(strlen(line), CTL_LINE_MAX - 1);

	used = 77;
	assert_int_equal(ctl_feed(&framer, "y", 1, &used, &line, &msg), 0);
	assert_int_equal(used, 1);
	assert_int_equal(ctl_feed(&framer, text, CTL_LINE_MAX, &used, &line, &msg), ERR_TOOLONG);
	assert_string_equal(msg.text, "line longer than 65536 bytes");
	assert_int_equal(used, 1);
	assert_int_equal(ctl_feed(&framer, "\n", 1, &used, &line, &msg), ERR_TOOLONG); /* for good */

	ctl_init(&framer); /* byte by byte, never a newline */
	for (size_t i = 0; i < CTL_LINE_MAX - 1; i++)
		assert_int_equal(ctl_feed(&framer, "z", 1, &used, &line, &msg), 0);
	assert_int_equal(ctl_feed(&framer, "z", 1, &used, &line, &msg), ERR_TOOLONG);
}

static void refuses_nul(void **state)
{
	struct err_msg msg;
	const char *line;
	size_t used;

	ctl_init(&framer);
	assert_int_equal(ctl_feed(&framer, "a\0b\n", 4, &used, &line, &msg), ERR_INVALID);
	assert_int_equal(ctl_feed(&framer, "c\n", 2, &used, &line, &msg), ERR_INVALID);
	ctl_init(&framer);
	assert_int_equal(ctl_feed(&framer, "a\n\0", 3, &used, &line, &msg), 0); /* not reached yet */
	assert_int_equal(used, 2);
	assert_int_equal(ctl_feed(&framer, NULL, 0, &used, &line, &msg), 0);
	assert_null(line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(splits_whatever_the_pieces),
	    cmocka_unit_test(bounds_a_line),
	    cmocka_unit_test(refuses_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
