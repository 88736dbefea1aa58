/* SPDX-License-Identifier: BSD-3-Clause */
/* control/byway_table: columns line up, wide characters count as a terminal shows them, long listings stream.
 */
#include "control/byway_table.h"

#include <locale.h>
#include <stdio.h>

#include "tests/unit/unit.h"

static char *render(const char *const *titles, const char *const (*rows)[3], size_t n)
{
	static char text[1 << 20];
	struct byway_table t;
	FILE *out = fmemopen(text, sizeof(text), "w");

	byway_table_begin(&t, out, titles);
	for (size_t i = 0; i < n; i++)
		byway_table_row(&t, rows[i]);
	byway_table_end(&t);
	fclose(out);
	return text;
}

static void columns_line_up(void **state)
{
	static const char *const titles[] = {"name", ">packets", "why", NULL};
	static const char *const rows[][3] = {
	    {"lan", "7", ""}, {"Zürich", "123456789", "übel"}, {"日本", "1", NULL}};

	assert_string_equal(render(titles, rows, 3), "name      packets  why\n"
						     "lan             7\n"
						     "Zürich  123456789  übel\n"
						     "日本            1\n");
}

static void an_empty_table_has_its_titles(void **state)
{
	static const char *const titles[] = {"a", "b", "c", NULL};

	assert_string_equal(render(titles, NULL, 0), "a  b  c\n");
}

static void long_listings_stream(void **state)
{
	static const char *const titles[] = {"a", "b", "c", NULL}, *const row[] = {"1", "2", "3"};
	struct byway_table t;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	byway_table_begin(&t, out, titles);
	for (int i = 0; i < 3 * BYWAY_TABLE_BUFFER; i++)
		byway_table_row(&t, row);
	fflush(out);
	assert_int_equal(len, strlen("1  2  3\n") * (1 + 3 * BYWAY_TABLE_BUFFER)); /* nothing is held back */
	byway_table_end(&t);
	fclose(out);
	free(text);
}

static void bytes_that_are_no_text_are_columns(void **state)
{
	assert_int_equal(byway_table_width("\xff\xfe"), 2);
	assert_int_equal(byway_table_width("µs"), 2);
	assert_int_equal(byway_table_width(""), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(columns_line_up),
	    cmocka_unit_test(an_empty_table_has_its_titles),
	    cmocka_unit_test(long_listings_stream),
	    cmocka_unit_test(bytes_that_are_no_text_are_columns),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
