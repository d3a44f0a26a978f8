"""Which entries are marked: the best of a column, and those not significantly different from it."""

from relattr.harness.benchmark import ColumnSpec


def best(table, column=0):
    return {row.label: row.entries[column].best for row in table.rows}


def test_the_best_and_those_not_different_from_it_are_marked(synthetic, column, entry_of):
    for method, noise in (("good", 0.2), ("nearly", 0.201), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise)
    table = synthetic.table(["good", "nearly", "bad"], [column])
    assert best(table) == {"good": True, "nearly": True, "bad": False}
    assert entry_of(table, "bad").p_best < 0.001
    assert "Bold: the best" in table.caption


def test_equal_methods_are_both_best_and_one_alone_is_not(synthetic, column, entry_of):
    synthetic.add("one", "a", "x", noise=0.0)
    assert best(synthetic.table(["one"], [column])) == {"one": False}
    synthetic.add("two", "a", "x", noise=0.0)
    table = synthetic.table(["one", "two"], [column])
    assert best(table) == {"one": True, "two": True}
    assert entry_of(table, "two").p_best == 1.0


def test_each_column_has_its_own_best(synthetic, two_columns):
    for dataset in ("a", "b"):
        synthetic.add("good", dataset, "x", noise=0.1)
        synthetic.add("bad", dataset, "x", noise=8.0)
    table = synthetic.table(["good", "bad"], two_columns)
    assert [best(table, k) for k in (0, 1)] == 2 * [{"good": True, "bad": False}]


def test_a_number_with_another_tie_rule_does_not_compete(synthetic, column, entry_of):
    for method, noise in (("good", 0.5), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise)
    synthetic.add("other", "a", "x", noise=0.01, ties="half", test_note="ties are half right")
    table = synthetic.table(["good", "bad", "other"], [column])
    assert best(table) == {"good": True, "bad": False, "other": False}
    assert entry_of(table, "other").custom_tie_rule
    assert entry_of(table, "other").measured > entry_of(table, "good").measured
    assert "a predicted tie counts as an error, unless a note states another rule." in table.caption


def test_a_mean_over_some_attributes_is_not_the_best(synthetic, entry_of):
    for attribute in ("a", "b"):
        synthetic.add("whole", "data", attribute, noise=0.8)
        synthetic.add("bad", "data", attribute, noise=4.0)
    synthetic.add("part", "data", "a", noise=0.05)
    table = synthetic.table(["whole", "bad", "part"], [ColumnSpec(label="Data", dataset="data")])
    assert entry_of(table, "part").measured > entry_of(table, "whole").measured
    assert best(table) == {"whole": True, "bad": False, "part": False}
    assert "of the methods measured on most attributes and splits" in table.caption


def test_a_mean_over_other_attributes_is_not_marked(synthetic, entry_of):
    """Both have two of three attributes; only one is in common, on which they do not differ."""
    for attribute, noise in (("a", 0.3), ("b", 0.3)):
        synthetic.add("one", "data", attribute, noise=noise)
    for attribute, noise in (("b", 0.3), ("c", 3.0)):
        synthetic.add("two", "data", attribute, noise=noise)
    table = synthetic.table(["one", "two"], [ColumnSpec(label="Data", dataset="data")])
    assert [entry_of(table, name).n_tasks for name in ("one", "two")] == [2, 2]
    assert entry_of(table, "two").p_best > 0.05
    assert best(table) == {"one": True, "two": False}


def test_fewer_or_other_seeds_compete(synthetic, column, entry_of):
    """A seed makes a number less precise, and does not change what it is a mean over."""
    for seed in (0, 1, 2):
        synthetic.add("whole", "a", "x", seed, noise=1.0)
    synthetic.add("part", "a", "x", 0, noise=0.2)
    synthetic.add("other", "a", "x", 7, noise=0.201)
    table = synthetic.table(["part", "whole", "other"], [column], seeds=(0, 1, 2))
    assert entry_of(table, "part").measured > entry_of(table, "whole").measured
    assert best(table) == {"part": True, "whole": False, "other": True}


def test_without_intervals_nothing_is_the_best(synthetic, column):
    for method, noise in (("good", 0.2), ("bad", 6.0)):
        synthetic.add(method, "a", "x", noise=noise, arrays=False)
    table = synthetic.table(["good", "bad"], [column])
    assert best(table) == {"good": False, "bad": False}
    assert "Bold" not in table.caption
    assert any("has no interval" in warning for warning in table.warnings)


def test_partly_failed_methods_are_compared_on_common_tests(synthetic, mean_column, entry_of):
    for attribute in ("x", "y"):
        synthetic.add("m", "a", attribute, noise=0.3)
    synthetic.add("n", "a", "x", noise=0.3)
    synthetic.add("n", "a", "y", status="timeout", reason="took too long")
    table = synthetic.table(["m", "n"], [mean_column])
    assert entry_of(table, "m").best
    assert entry_of(table, "n").p_best is not None


def test_the_caption_says_what_the_interval_does_not_contain(synthetic, column):
    """Several seeds, one seed, or both in one table."""
    for seed in (0, 1):
        synthetic.add("twice", "a", "x", seed)
    assert "the interval includes the variation between training runs." in synthetic.table(["twice"], [column]).caption
    synthetic.add("once", "a", "x")
    assert "except for numbers of one seed" in synthetic.table(["once", "twice"], [column]).caption
    synthetic.add("once", "b", "x")
    only_once = synthetic.table(["once"], [ColumnSpec(label="B", dataset="b", attribute="x")]).caption
    assert "trained once, so the variation between training runs is not in the interval" in only_once
