/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_replay: tables of counters in order, then random orders against a set that forgets nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/wg_replay.h"

#define W   ((uint64_t)WG_REPLAY_WINDOW)
#define END WG_REJECT_AFTER_MESSAGES

struct step {
	uint64_t counter;
	bool accepted;
};

static void run_steps(const struct step *steps, size_t n)
{
	struct wg_replay r;

	memset(&r, 0, sizeof(r));
	for (size_t i = 0; i < n; i++) {
		if (wg_replay_accept_counter(&r, steps[i].counter) != steps[i].accepted)
			fail_msg("step %zu: counter %llu", i, (unsigned long long)steps[i].counter);
	}
}

#define RUN(...)                                                                                             \
	do {                                                                                                 \
		const struct step steps[] = {__VA_ARGS__};                                                   \
		run_steps(steps, sizeof(steps) / sizeof(steps[0]));                                          \
	} while (0)

static void test_small_orders(void **state)
{
	RUN({0, true}, {0, false}, {1, true}, {1, false}, {0, false}, {9, true}, {8, true}, {7, true},
	    {7, false}, {63, true}, {64, true}, {65, true}, {64, false}, {2, true}, {2, false});
	RUN({1, true}, {0, true}, {0, false}, {1, false});
	RUN({64, true}, {0, true}, {63, true}, {63, false}, {128, true}, {127, true}, {65, true});
}

static void test_window_edges(void **state)
{
	/* The oldest counter that may still come is the greatest less the window. */
	RUN({W, true}, {0, true}, {0, false});
	RUN({W + 1, true}, {0, false}, {1, true}, {1, false});
	RUN({W + 64, true}, {64, true}, {63, false}, {64, false});
	RUN({0, true}, {W + 1, true}, {W, true}, {1, true}, {0, false}, {W + 1, false}, {W, false});
	for (uint64_t base = 0; base < 130; base++) {
		struct wg_replay r;

		memset(&r, 0, sizeof(r));
		assert_true(wg_replay_accept_counter(&r, 3 * W + base));
		assert_false(wg_replay_accept_counter(&r, 2 * W + base - 1));
		assert_true(wg_replay_accept_counter(&r, 2 * W + base));
		assert_false(wg_replay_accept_counter(&r, 2 * W + base));
		assert_true(wg_replay_accept_counter(&r, 3 * W + base - 1));
		assert_false(wg_replay_accept_counter(&r, 3 * W + base));
	}
}

static void test_jumps(void **state)
{
	/* A jump further than the ring clears it all, whatever the distance is modulo the ring. */
	for (uint64_t jump = WG_REPLAY_BITS - 130; jump < WG_REPLAY_BITS + 130; jump++) {
		uint64_t c = 1000 + jump;

		RUN({1000, true}, {c, true}, {c - 1, true}, {c - W, jump != W}, {c, false}, {1000, false});
	}
	RUN({3, true}, {1ull << 40, true}, {(1ull << 40) - W, true}, {(1ull << 40) - W - 1, false},
	    {3, false});
}

static void test_limits(void **state)
{
	RUN({END, false}, {END + 1, false}, {UINT64_MAX, false}, {0, true});
	RUN({END - 1, true}, {END - 1, false}, {END, false}, {END - 2, true}, {END - 2, false},
	    {END + 2, false}, {UINT64_MAX, false}, {END - 1 - W, true}, {END - 2 - W, false}, {0, false});
}

/* Against the truth: every counter within the window once, whatever the order. */
static void test_random_orders(void **state)
{
	enum { SPACE = 60000 };
	uint8_t *seen = calloc(SPACE, 1);
	struct wg_replay r;
	uint64_t greatest = 0;

	memset(&r, 0, sizeof(r));
	srand(1);
	for (unsigned i = 0; i < 400000; i++) {
		uint64_t span = (uint64_t)rand() % 3 == 0 ? W + 200 : 70;
		uint64_t c = greatest + 40 - (uint64_t)rand() % (greatest + 40 < span ? greatest + 40 : span);
		bool expected = c + W >= greatest && !seen[c % SPACE];

		if (c >= SPACE)
			break;
		assert_true(wg_replay_accept_counter(&r, c) == expected);
		if (expected)
			seen[c] = 1;
		if (expected && c > greatest)
			greatest = c;
	}
	assert_true(greatest > W * 2);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_orders),
	    cmocka_unit_test(test_window_edges),
	    cmocka_unit_test(test_jumps),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_random_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
