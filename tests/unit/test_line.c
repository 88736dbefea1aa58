/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/line: the verdict machine under a fake clock and a network of answers, and the chooser. */
#include "lib/line.h"

#include <stdio.h>

#include "lib/nsec.h"
#include "tests/unit/unit.h"

#define MS NSEC_PER_MSEC

/* One line with two targets, a clock, and answers that arrive some time after their round. */
static struct {
	struct line line;
	uint64_t now_ns;
	unsigned n_events;
	struct line_event event; /* the last one */
	unsigned n_answers;
	struct {
		uint64_t at_ns;
		unsigned target;
		uint16_t seq;
	} answers[64];
} world;

static const struct line_params usual = {
    .interval_ns = 100 * MS,
    .timeout_ns = 200 * MS,
    .hold_down_ns = 10000 * MS,
    .down_after = 4,
    .n_targets = 2,
    .targets = {{IP_V4, {203, 0, 113, 1}}, {IP_V6, {0x20, 0x01, 0x0d, 0xb8, 0, 0xff, [15] = 1}}},
};

static int start(void **state)
{
	memset(&world, 0, sizeof(world));
	world.now_ns = 5000 * MS;
	line_init(&world.line, &usual, true, world.now_ns);
	return 0;
}

/* How the far side behaves: bits of the targets that answer, and after what time. */
struct far_side {
	unsigned answers; /* bit 0, bit 1 */
	uint64_t rtt_ns;
};

static void note_event(void)
{
	if (line_take_event(&world.line, &world.event))
		world.n_events++;
}

static void deliver(unsigned i)
{
	line_reply(&world.line, world.answers[i].target, world.answers[i].seq, world.now_ns);
	world.answers[i] = world.answers[--world.n_answers];
	note_event();
}

/* Lets time pass in steps of 1 ms, as the monitor thread would: answers first, then what is due. */
static void pass(uint64_t duration_ns, struct far_side far)
{
	for (uint64_t end = world.now_ns + duration_ns; world.now_ns < end; world.now_ns += MS) {
		for (unsigned i = world.n_answers; i-- > 0;)
			if (world.answers[i].at_ns <= world.now_ns)
				deliver(i);
		if (line_deadline(&world.line) > world.now_ns)
			continue;
		if (line_round_due(&world.line, world.now_ns)) {
			uint16_t seq = line_begin_round(&world.line, world.now_ns);

			for (unsigned t = 0; t < 2; t++)
				if (far.answers & 1u << t && world.n_answers < UNIT_COUNT(world.answers)) {
					world.answers[world.n_answers].at_ns = world.now_ns + far.rtt_ns;
					world.answers[world.n_answers].target = t;
					world.answers[world.n_answers++].seq = seq;
				}
		}
		line_tick(&world.line, world.now_ns);
		note_event();
	}
}

static const struct far_side alive = {3, 12 * MS}, only_first = {1, 12 * MS}, only_second = {2, 12 * MS},
			     silent = {0, 0}, slow = {3, 250 * MS};

static void is_up_at_the_first_answer(void **state)
{
	assert_int_equal(world.line.verdict, LINE_UNKNOWN);
	pass(12 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UNKNOWN);
	pass(2 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 1);
	assert_int_equal(world.event.from, LINE_UNKNOWN);
	assert_int_equal(world.event.to, LINE_UP);
	assert_true(world.event.when_ns == 5012 * MS);
	assert_string_equal(strchr(world.event.reason, ' '), " answers in 12 ms");
}

static void falls_after_a_silent_run(void **state)
{
	pass(1000 * MS, alive);
	pass(499 * MS, silent); /* rounds at 0, 100, 200, 300 ms, each lost 200 ms later */
	assert_int_equal(world.line.verdict, LINE_UP);
	pass(2 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	assert_int_equal(world.n_events, 2);
	assert_string_equal(
	    world.event.reason, "4 probes in a row unanswered for 500 ms by 203.0.113.1 and 2001:db8:ff::1");
}

static void is_down_when_it_never_answered(void **state)
{
	pass(600 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	assert_int_equal(world.event.from, LINE_UNKNOWN);
	pass(130 * MS, alive); /* never up before: no hold-down */
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 2);
}

static void returns_after_the_hold_down(void **state)
{
	char text[LINE_EXPLAIN];

	pass(1000 * MS, alive);
	pass(1000 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	pass(5012 * MS, alive);
	assert_string_equal(line_explain(&world.line, world.now_ns, text),
	    "4 probes in a row unanswered for 500 ms by 203.0.113.1 and 2001:db8:ff::1; answers again for "
	    "5.0 s of 10.0 s");
	pass(5000 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	pass(2 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 3);
	assert_string_equal(world.event.reason, "answers again for 10.0 s");
}

static void a_burst_below_the_threshold_is_no_event(void **state)
{
	pass(1000 * MS, alive);
	for (unsigned i = 0; i < 20; i++) {
		pass(300 * MS, silent); /* three rounds */
		pass(100 * MS, alive);
	}
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 1);
	assert_in_range(line_loss_permille(&world.line), 700, 760);
}

static void any_target_suffices(void **state)
{
	pass(1000 * MS, alive);
	pass(3000 * MS, only_first);
	pass(3000 * MS, only_second);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 1);
	assert_int_equal(line_loss_permille(&world.line), 0);
	for (unsigned i = 0; i < 30; i++) { /* each loses half of its probes, never both */
		pass(100 * MS, only_first);
		pass(100 * MS, only_second);
	}
	assert_int_equal(world.n_events, 1);
}

/* Answers come, but later than the timeout: the rounds are lost. */
static void late_answers_are_silence(void **state)
{
	pass(1000 * MS, alive);
	pass(1000 * MS, slow);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	assert_true(world.line.probes_late > 4);
}

/* Nothing of ours is answered, while echo replies of other sequence numbers arrive. */
static void foreign_answers_prove_nothing(void **state)
{
	pass(1000 * MS, alive);
	for (unsigned i = 0; i < 10; i++) {
		pass(100 * MS, silent);
		assert_false(line_reply(&world.line, 0, (uint16_t)(world.line.begun + 5), world.now_ns));
		assert_false(line_reply(&world.line, 0, (uint16_t)(world.line.begun - 70), world.now_ns));
		assert_false(line_reply(&world.line, 2, (uint16_t)(world.line.begun - 1), world.now_ns));
	}
	assert_int_equal(world.line.verdict, LINE_DOWN);
	line_init(&world.line, &usual, true, world.now_ns);
	assert_false(line_reply(&world.line, 0, 0, world.now_ns)); /* nothing sent yet */
	assert_false(line_reply(&world.line, 0, UINT16_MAX, world.now_ns));
}

static void a_second_answer_counts_once(void **state)
{
	uint16_t seq = line_begin_round(&world.line, world.now_ns);

	assert_true(line_reply(&world.line, 0, seq, world.now_ns + MS));
	assert_false(line_reply(&world.line, 0, seq, world.now_ns + 2 * MS));
	assert_true(line_reply(&world.line, 1, seq, world.now_ns + 3 * MS));
	assert_true(world.line.probes_answered == 2);
	assert_true(world.line.rtt_ns == MS);
}

/* Packets overtake: a round lost while a later one was already answered is no run. */
static void a_gap_is_not_silence(void **state)
{
	pass(1000 * MS, alive);
	for (unsigned i = 0; i < 40; i++) {
		uint16_t a = line_begin_round(&world.line, world.now_ns);
		uint16_t b = line_begin_round(&world.line, world.now_ns + 50 * MS);

		assert_int_not_equal(a, b);
		line_reply(&world.line, 0, b, world.now_ns + 60 * MS);
		assert_int_equal(world.line.lost_run, 0);
		world.now_ns += 200 * MS;
		line_tick(&world.line, world.now_ns);
		assert_int_equal(world.line.lost_run, 0);
		note_event();
	}
	assert_int_equal(world.n_events, 1);
	assert_in_range(line_loss_permille(&world.line), 480, 520);
}

static void a_loss_breaks_the_hold_down(void **state)
{
	pass(1000 * MS, alive);
	pass(1000 * MS, silent);
	for (unsigned i = 0; i < 5; i++) { /* one lost round in 4 s does not, two in a row do */
		pass(4000 * MS, alive);
		pass(200 * MS, silent);
	}
	assert_int_equal(world.line.verdict, LINE_DOWN);
	assert_int_equal(world.n_events, 2);
	pass(4000 * MS, alive);
	pass(100 * MS, silent);
	pass(4000 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	pass(2500 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UP);
}

static void a_flapping_line_stays_down(void **state)
{
	pass(1000 * MS, alive);
	for (unsigned i = 0; i < 30; i++) {
		pass(1000 * MS, silent);
		pass(3000 * MS, alive);
	}
	assert_int_equal(world.n_events, 2);
	assert_int_equal(world.line.verdict, LINE_DOWN);
}

static void the_link_decides_at_once(void **state)
{
	pass(1000 * MS, alive);
	line_set_link(&world.line, false, world.now_ns);
	note_event();
	assert_int_equal(world.n_events, 2);
	assert_string_equal(world.event.reason, "link down");
	assert_true(line_deadline(&world.line) == LINE_NEVER);
	assert_false(line_round_due(&world.line, world.now_ns + 1000 * MS));
	pass(1000 * MS, alive);
	line_set_link(&world.line, true, world.now_ns);
	pass(10012 * MS, alive); /* what was true before proves nothing */
	assert_int_equal(world.line.verdict, LINE_DOWN);
	pass(2 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 3);
}

static void answers_from_before_the_fall_are_nobodys(void **state)
{
	uint16_t seq;

	pass(1000 * MS, alive);
	seq = line_begin_round(&world.line, world.now_ns);
	line_set_link(&world.line, false, world.now_ns + MS);
	assert_false(line_reply(&world.line, 0, seq, world.now_ns + 2 * MS));
	line_set_link(&world.line, true, world.now_ns + 3 * MS);
	assert_false(line_reply(&world.line, 0, seq, world.now_ns + 4 * MS));
	assert_true(world.line.success_since_ns == LINE_NEVER);
}

static void the_operator_decides_over_probes(void **state)
{
	pass(1000 * MS, alive);
	line_set_override(&world.line, LINE_FORCE_DOWN, world.now_ns);
	note_event();
	assert_string_equal(world.event.reason, "set down by the operator");
	pass(1000 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	line_set_override(&world.line, LINE_AUTO, world.now_ns); /* the probes went on: up at once */
	assert_int_equal(world.line.verdict, LINE_UP);
	line_set_override(&world.line, LINE_FORCE_UP, world.now_ns);
	pass(2000 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_UP);
	line_set_link(&world.line, false, world.now_ns); /* not over the link */
	assert_int_equal(world.line.verdict, LINE_DOWN);
	line_set_link(&world.line, true, world.now_ns);
	assert_int_equal(world.line.verdict, LINE_UP);
	line_set_override(&world.line, LINE_AUTO, world.now_ns);
	assert_int_equal(world.line.verdict, LINE_DOWN);
}

static void without_targets_the_link_alone_decides(void **state)
{
	struct line_params none = usual;

	none.n_targets = 0;
	line_init(&world.line, &none, true, world.now_ns);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_true(line_deadline(&world.line) == LINE_NEVER);
	line_set_link(&world.line, false, world.now_ns);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	line_set_link(&world.line, true, world.now_ns);
	assert_int_equal(world.line.verdict, LINE_UP);
	line_set_params(&world.line, &usual, world.now_ns); /* gets probes: not down for that */
	assert_int_equal(world.line.verdict, LINE_UP);
	pass(600 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_DOWN);
}

static void new_parameters_keep_the_verdict(void **state)
{
	struct line_params fast = usual;

	pass(1000 * MS, alive);
	fast.interval_ns = 20 * MS;
	fast.timeout_ns = 40 * MS;
	fast.n_targets = 1;
	line_set_params(&world.line, &fast, world.now_ns);
	pass(500 * MS, alive);
	assert_int_equal(world.n_events, 1);
	pass(105 * MS, silent);
	assert_int_equal(world.line.verdict, LINE_DOWN);
	assert_string_equal(world.event.reason, "4 probes in a row unanswered for 100 ms by 203.0.113.1");
}

/* The thread slept for seconds: rounds that were not sent are not lost, and no burst follows. */
static void a_stall_is_not_a_failure(void **state)
{
	pass(1000 * MS, alive);
	world.n_answers = 0;
	world.now_ns += 7000 * MS;
	pass(1000 * MS, alive);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(world.n_events, 1);
	assert_in_range(world.line.begun, 19, 21);
}

static void measures_time_and_loss(void **state)
{
	pass(20000 * MS, alive);
	assert_in_range(world.line.rtt_ns, 12 * MS - 10000, 12 * MS + 10000);
	assert_true(world.line.jitter_ns < MS);
	assert_int_equal(line_loss_permille(&world.line), 0);
	assert_true(world.line.probes_sent == 400);
	assert_in_range(world.line.probes_answered, 398, 400);
	for (unsigned i = 0; i < 64; i++)
		pass(100 * MS, i % 4 ? (struct far_side){3, (10 + i % 3 * 10) * MS} : silent);
	assert_in_range(line_loss_permille(&world.line), 230, 260);
	assert_in_range(world.line.jitter_ns, 2 * MS, 15 * MS);
	assert_int_equal(world.n_events, 1);
}

/* Sequence numbers wrap after 65,536 rounds. */
static void numbers_wrap(void **state)
{
	uint16_t seq = 0;

	for (unsigned i = 0; i < 200000; i++) {
		seq = line_begin_round(&world.line, world.now_ns);
		assert_true(line_reply(&world.line, 0, seq, world.now_ns + MS));
		world.now_ns += 100 * MS;
	}
	assert_int_equal(seq, (uint16_t)199999);
	assert_int_equal(world.line.verdict, LINE_UP);
	assert_int_equal(line_loss_permille(&world.line), 0);
}

/* Several changes between two looks are one event, and none when nothing is different. */
static void events_between_two_looks_fold(void **state)
{
	struct line_event e;

	pass(1000 * MS, alive);
	line_set_override(&world.line, LINE_FORCE_DOWN, world.now_ns);
	line_set_override(&world.line, LINE_AUTO, world.now_ns);
	assert_false(line_take_event(&world.line, &e));
	line_set_override(&world.line, LINE_FORCE_DOWN, world.now_ns);
	line_set_link(&world.line, false, world.now_ns);
	assert_true(line_take_event(&world.line, &e));
	assert_int_equal(e.from, LINE_UP);
	assert_string_equal(e.reason, "link down");
	assert_false(line_take_event(&world.line, &e));
}

static void names_many_targets_shortly(void **state)
{
	struct line_params many = usual;

	many.n_targets = LINE_TARGETS;
	for (unsigned i = 0; i < LINE_TARGETS; i++)
		many.targets[i] = (struct ip_addr){IP_V4, {10, 0, 0, (uint8_t)i}};
	many.down_after = 1;
	line_init(&world.line, &many, true, world.now_ns);
	pass(300 * MS, silent);
	assert_string_equal(
	    world.event.reason, "1 probe unanswered for 200 ms by 10.0.0.0, 10.0.0.1, 10.0.0.2 and 5 more");
}

static void checks_parameters(void **state)
{
	static const struct {
		uint64_t interval_ns, timeout_ns, hold_down_ns;
		unsigned down_after, n_targets;
		const char *says; /* NULL: fine */
	} cases[] = {
	    {100 * MS, 200 * MS, 10000 * MS, 4, 2, NULL},
	    {10 * MS, MS, 0, 1, 0, NULL},
	    {9 * MS, 200 * MS, 0, 4, 2, "probe interval of 9 ms, expected 10 ms to 1 h 0 m"},
	    {10 * MS, 321 * MS, 0, 4, 2, "probe timeout of 321 ms, expected 1 ms to 320 ms"},
	    {10 * MS, 0, 0, 4, 2, "probe timeout of 0 ns"},
	    {100 * MS, 200 * MS, 90000000 * MS, 4, 2, "hold-down of 1 d 1 h"},
	    {100 * MS, 200 * MS, 0, 0, 2, "down-after of 0, expected 1 to 1000"},
	    {100 * MS, 200 * MS, 0, 4, 9, "9 probe targets, expected at most 8"},
	    {100 * MS, 200 * MS, 0, 4, 3, "probe target 3 is not an address"},
	};
	struct err_msg msg;

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct line_params p = usual;

		p.interval_ns = cases[i].interval_ns;
		p.timeout_ns = cases[i].timeout_ns;
		p.hold_down_ns = cases[i].hold_down_ns;
		p.down_after = cases[i].down_after;
		p.n_targets = cases[i].n_targets;
		assert_int_equal(line_check(&p, &msg), cases[i].says ? ERR_RANGE : 0);
		if (cases[i].says)
			assert_non_null(strstr(msg.text, cases[i].says));
	}
}

static void chooses_the_active_line(void **state)
{
	static const struct {
		const char *what;
		struct line_candidate c[3];
		unsigned n;
		int current, chosen;
	} cases[] = {
	    {"none", {{0}}, 0, -1, -1},
	    {"preferred", {{LINE_UP, 1, false}, {LINE_UP, 2, false}}, 2, -1, 0},
	    {"preferred, later in the list", {{LINE_UP, 2, false}, {LINE_UP, 1, false}}, 2, 0, 1},
	    {"dead one left", {{LINE_DOWN, 1, false}, {LINE_UP, 2, false}}, 2, 0, 1},
	    {"returns", {{LINE_UP, 1, false}, {LINE_UP, 2, false}}, 2, 1, 0},
	    {"equals stay", {{LINE_UP, 1, false}, {LINE_UP, 1, false}}, 2, 1, 1},
	    {"equals, none yet", {{LINE_UP, 1, false}, {LINE_UP, 1, false}}, 2, -1, 0},
	    {"metered last", {{LINE_UP, 1, true}, {LINE_UP, 9, false}}, 2, 0, 1},
	    {"metered when alone", {{LINE_UP, 1, true}, {LINE_DOWN, 9, false}}, 2, 1, 0},
	    {"metered up before unknown", {{LINE_UP, 9, true}, {LINE_UNKNOWN, 1, false}}, 2, 1, 0},
	    {"all dead: stay", {{LINE_DOWN, 1, false}, {LINE_DOWN, 2, false}}, 2, 1, 1},
	    {"all dead, none yet", {{LINE_DOWN, 2, false}, {LINE_DOWN, 1, false}}, 2, -1, 1},
	    {"unknown before down", {{LINE_DOWN, 1, false}, {LINE_UNKNOWN, 2, false}}, 2, 0, 1},
	    {"all unknown: stay", {{LINE_UNKNOWN, 1, false}, {LINE_UNKNOWN, 2, false}}, 2, 1, 1},
	    {"start: all unknown", {{LINE_UNKNOWN, 2, false}, {LINE_UNKNOWN, 1, false}}, 2, -1, 1},
	    {"the active one was removed", {{LINE_UP, 2, false}, {LINE_UP, 1, false}}, 2, 5, 1},
	    {"three", {{LINE_DOWN, 1, false}, {LINE_UP, 3, false}, {LINE_UP, 2, false}}, 3, 0, 2},
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		if (line_choose(cases[i].c, cases[i].n, cases[i].current) != cases[i].chosen)
			fail_msg("%s: chose %d", cases[i].what,
			    line_choose(cases[i].c, cases[i].n, cases[i].current));
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(is_up_at_the_first_answer),
	    TEST(falls_after_a_silent_run),
	    TEST(is_down_when_it_never_answered),
	    TEST(returns_after_the_hold_down),
	    TEST(a_burst_below_the_threshold_is_no_event),
	    TEST(any_target_suffices),
	    TEST(late_answers_are_silence),
	    TEST(foreign_answers_prove_nothing),
	    TEST(a_second_answer_counts_once),
	    TEST(a_gap_is_not_silence),
	    TEST(a_loss_breaks_the_hold_down),
	    TEST(a_flapping_line_stays_down),
	    TEST(the_link_decides_at_once),
	    TEST(answers_from_before_the_fall_are_nobodys),
	    TEST(the_operator_decides_over_probes),
	    TEST(without_targets_the_link_alone_decides),
	    TEST(new_parameters_keep_the_verdict),
	    TEST(a_stall_is_not_a_failure),
	    TEST(measures_time_and_loss),
	    TEST(numbers_wrap),
	    TEST(events_between_two_looks_fold),
	    TEST(names_many_targets_shortly),
	    TEST(checks_parameters),
	    TEST(chooses_the_active_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
