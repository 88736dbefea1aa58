/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/log: what arrives on stderr. */
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int saved_stderr, pipe_out;

static int redirect(void **state)
{
	int fds[2];

	saved_stderr = dup(STDERR_FILENO);
	if (pipe(fds) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return -1;
	close(fds[1]);
	pipe_out = fds[0];
	return 0;
}

static int restore(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_out);
	return 0;
}

static const char *arrived(void)
{
	static char text[4096];
	ssize_t n = read(pipe_out, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void writes_one_line(void **state)
{
	log_init("prog", LOG_LEVEL_INFO);
	errno = ENOENT;
	log_warn("port %s is %d bytes short", "wan1", 3);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(arrived(), "prog: warning: port wan1 is 3 bytes short\n");
	log_debug("not shown");
	log_info("shown");
	assert_string_equal(arrived(), "prog: shown\n");
}

static void a_quoted_remote_forges_no_line(void **state)
{
	log_init("prog", LOG_LEVEL_DEBUG);
	log_debug("peer says '%s'", "x\nprog: all is well\x1b[2J");
	assert_string_equal(arrived(), "prog: debug: peer says 'x prog: all is well [2J'\n");
}

static void a_long_line_is_cut_and_ended(void **state)
{
	char huge[3000];
	const char *text;

	memset(huge, 'x', sizeof(huge));
	huge[sizeof(huge) - 1] = 0;
	log_init("prog", LOG_LEVEL_INFO);
	log_err("%s", huge);
	text = arrived();
	assert_in_range(strlen(text), 512, 1024);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void the_journal_gets_a_priority(void **state)
{
	struct stat st;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("prog", LOG_LEVEL_INFO);
	log_err("lost");
	assert_string_equal(arrived(), "<3>prog: error: lost\n");
	setenv("JOURNAL_STREAM", "1:1", 1); /* a child of a unit whose stderr is something else */
	log_init("prog", LOG_LEVEL_INFO);
	log_err("lost");
	assert_string_equal(arrived(), "prog: error: lost\n");
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(writes_one_line, redirect, restore),
	    cmocka_unit_test_setup_teardown(a_quoted_remote_forges_no_line, redirect, restore),
	    cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_ended, redirect, restore),
	    cmocka_unit_test_setup_teardown(the_journal_gets_a_priority, redirect, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
