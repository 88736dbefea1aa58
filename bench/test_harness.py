#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the bench harness itself: no program is run and nothing is timed."""
import os
import sys
import types
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import plot  # noqa: E402
import tables  # noqa: E402

BENCH = types.SimpleNamespace(repeats=3)


def giving(values):
    source = iter(values)
    return lambda bench: next(source)


class Rows(unittest.TestCase):
    def test_medians_ratio_and_spreads(self):
        case = harness.Case("a/b", "s", "lower", giving([4, 2, 3]), "it", giving([10, 6, 5]))
        row, theirs = harness.run_case(case, BENCH)
        self.assertEqual((row["value"], row["baseline_value"], row["ratio"], row["n"]), (3, 6, 0.5, 3))
        self.assertAlmostEqual(row["spread"], 2 / 3)
        self.assertAlmostEqual(theirs, 5 / 6)
        self.assertEqual(list(row), ["name", "value", "unit", "better", "baseline", "baseline_value", "ratio", "n", "spread"])

    def test_sides_take_turns_at_beginning(self):
        order = []
        case = harness.Case("a", "s", "lower", lambda b: order.append("o") or 1, "it", lambda b: order.append("t") or 1)
        harness.run_case(case, BENCH)
        self.assertEqual("".join(order), "ottoot")

    def test_what_cannot_be_measured_says_why(self):
        def cannot(bench):
            raise harness.Unavailable("one CPU")
        row, _ = harness.run_case(harness.Case("a", "s", "lower", cannot), BENCH)
        self.assertEqual((row["value"], row["why"]), (None, "one CPU"))
        self.assertIn("one CPU", harness.cells(row, None))

    def test_names_choose_groups_and_cases(self):
        cases = [harness.Case(n, "s", "lower", None) for n in ("a/x", "a/y", "b")]
        self.assertEqual([c.name for c in harness.choose(cases, ["a/y", "b"])], ["a/y", "b"])
        self.assertEqual([c.name for c in harness.choose(cases, ["a"])], ["a/x", "a/y"])
        with self.assertRaisesRegex(harness.BenchError, "'c'"):
            harness.choose(cases, ["a", "c"])

    def test_the_tree_of_cases_loads(self):
        cases, plots = harness.load_modules()
        self.assertTrue(cases and plots)


class Tables(unittest.TestCase):
    def test_walks_are_tables(self):
        for family in (tables.IPV4, tables.IPV6):
            prefixes = tables.Walk(family, 1).run(5000)
            self.assertEqual(prefixes, sorted(set(prefixes)))
            for address, length in prefixes:
                self.assertEqual(address & (1 << family.bits - length) - 1, 0)
                self.assertNotIn(address >> family.bits - 8, (0, 10, 127))

    def test_texts_name_the_same_prefixes(self):
        self.assertEqual(tables.parse(tables.format4((0x0A010200, 24))), (0x0A010200, 24, 32))
        self.assertEqual(tables.parse("2001:db8::/32\n"), (0x20010DB8 << 96, 32, 128))
        self.assertEqual(tables.parse(tables.format6((0x20010DB8 << 96 | 1, 128))), (0x20010DB8 << 96 | 1, 128, 128))


class Plots(unittest.TestCase):
    def test_pictures_are_svg_and_stay_inside(self):
        for text in (plot.lines("a & b", "x", "y", {"s": [(10, 1), (1000, 50)]}, True),
                     plot.lines("a", "x", "y", {"s": [(1, 0), (2, 7)], "t": [(1, 3)]}),
                     plot.bars("a", "x", "y", {"g": {"s": 1e6, "t": 2}, "h": {"t": 5}}),
                     plot.cycles_per_packet("a", {"s": [(1, 300), (64, 20)]})):
            root = xml.dom.minidom.parseString(text).documentElement
            for circle in root.getElementsByTagName("circle"):
                self.assertTrue(0 <= float(circle.getAttribute("cx")) <= plot.WIDTH)
                self.assertTrue(plot.TOP <= float(circle.getAttribute("cy")) <= plot.HEIGHT - plot.BOTTOM)


if __name__ == "__main__":
    unittest.main()
