/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/err: texts and sentences. */
#include "lib/err.h"

#include "tests/unit/unit.h"

static void each_code_has_its_own_text(void **state)
{
	static const int codes[] = {
#define CODE(name, value, text) name,
	    ERR_LIST(CODE)
#undef CODE
	};

	for (size_t i = 0; i < UNIT_COUNT(codes); i++) {
		assert_true(codes[i] < 0);
		assert_string_not_equal(err_text(codes[i]), "unknown error");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(err_text(codes[i]), err_text(codes[j]));
	}
	assert_string_equal(err_text(0), "no error");
	assert_string_equal(err_text(-9999), "unknown error");
	assert_string_equal(err_text(7), "unknown error");
}

static void set_writes_and_returns(void **state)
{
	struct err_msg msg;
	char huge[1000];

	assert_int_equal(err_set(&msg, ERR_RANGE, "port %d, expected %s", 70000, "0 to 65535"), ERR_RANGE);
	assert_string_equal(msg.text, "port 70000, expected 0 to 65535");
	assert_int_equal(err_set(NULL, ERR_NOENT, "nobody reads %d", 1), ERR_NOENT);
	memset(huge, 'x', sizeof(huge));
	huge[sizeof(huge) - 1] = 0;
	err_set(&msg, ERR_TOOLONG, "%s", huge);
	assert_int_equal(strlen(msg.text), sizeof(msg.text) - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_code_has_its_own_text),
	    cmocka_unit_test(set_writes_and_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
