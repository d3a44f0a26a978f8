"""Two folders of results: paired differences, and what is only in one."""

import shutil

import msgspec
import pytest

from relattr import UnknownName
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.report.tables.comparison import compare_results


@pytest.fixture
def compare(synthetic, tmp_path):
    """The comparison of the results of the test with others, written by ``change`` into a copy of the folder."""

    def run(change, **options):
        first = synthetic.store
        shutil.copytree(first.folder, tmp_path / "second")
        synthetic.store = Store(tmp_path / "second")
        change(synthetic)
        selection = ResultSelection(**options.pop("chosen", {}))
        return compare_results(Registry(), first, synthetic.store, selection, **options)

    return run


def test_a_copy_has_no_differences(synthetic, compare):
    for attribute in ("x", "y"):
        for seed in (0, 1):
            synthetic.add("m", "a", attribute, seed=seed)
    comparison = compare(lambda _: None)
    (change,) = comparison.changes
    assert (change.difference, change.lower, change.upper) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    assert not change.is_significant
    assert (change.attribute, change.n_cells, comparison.n_identical) == ("mean of 2", 4, 4)
    assert not comparison.only_first
    assert not comparison.other_status


def test_the_difference_is_that_of_two_rows_of_one_table(synthetic, compare, column):
    synthetic.add("m", "a", "x", noise=1.0)
    better = synthetic.add("n", "a", "x", noise=0.1)
    expected = synthetic.table(["m", "n"], [column], against="m").ablation.rows[0].effects[0]

    def replace_by_the_better(results):
        cell = msgspec.structs.replace(better.cell, method="m")
        arrays = results.store.arrays(better)
        results.store.write(msgspec.structs.replace(better, cell=cell), arrays)

    comparison = compare(replace_by_the_better, chosen={"methods": ["m"]}, by_attribute=True)
    (change,) = comparison.changes
    assert (change.difference, change.lower, change.upper) == pytest.approx(
        (expected.value, expected.lower, expected.upper)
    )
    assert change.is_significant
    assert change.attribute == "x"


def test_what_is_only_in_one_and_what_failed_is_listed(synthetic, compare):
    for method in ("m", "gone", "breaks"):
        synthetic.add(method, "a", "x")

    def change(results):
        stored = {result.cell.method: result for result in results.store}
        assert results.store.remove(stored["gone"])
        assert not results.store.remove(stored["gone"])
        results.add("new", "a", "x")
        results.add("breaks", "a", "x", status="failed")

    comparison = compare(change)
    assert [result.cell.method for result in comparison.only_first] == ["gone"]
    assert [result.cell.method for result in comparison.only_second] == ["new"]
    ((before, after),) = comparison.other_status
    assert (before.cell.method, before.status, after.status) == ("breaks", "ok", "failed")


def test_a_damaged_result_is_listed_and_not_compared(synthetic, compare):
    for method in ("m", "n"):
        synthetic.add(method, "a", "x")

    def damage(results):
        cell = next(result.cell for result in results.store if result.cell.method == "n")
        results.store.path(cell).write_text("garbage")

    comparison = compare(damage)
    assert [change.method for change in comparison.changes] == ["m"]
    (item,) = comparison.unreadable
    assert item.path.parts[-2] == "n"
    assert compare_results(Registry(), synthetic.store, synthetic.store, ResultSelection()).unreadable == [item, item]


def test_rows_with_other_data_have_other_settings(synthetic, compare):
    """The parameters of the dataset that differ are shown, and own data where it differs; shared ones are not."""
    for parameters in ({"n": 1, "seed": 0}, {"n": 1, "seed": 1}):
        synthetic.add("m", "a", "x", dataset_parameters=parameters)
    synthetic.add("m", "b", "x", dataset_parameters={"n": 1})
    stored = synthetic.add("m", "c", "x")
    for data in ("12345678", "abcdefgh"):
        cell = msgspec.structs.replace(stored.cell, data=data * 8, location={"path": "/home/me/photos"})
        synthetic.store.write(msgspec.structs.replace(stored, cell=cell), synthetic.store.arrays(stored))
    synthetic.store.remove(stored)
    changes = compare(lambda _: None).changes
    assert sorted((change.dataset, change.setting) for change in changes) == [
        ("a", "a.seed=0"),
        ("a", "a.seed=1"),
        ("b", ""),
        ("c", "data=photos (12345678)"),
        ("c", "data=photos (abcdefgh)"),
    ]


def test_without_strengths_there_is_no_interval(synthetic, compare):
    synthetic.add("m", "a", "x", arrays=False)
    (change,) = compare(lambda _: None).changes
    assert change.lower is None
    assert "not stored" in change.reason


def test_a_pattern_without_a_match_is_an_error(synthetic, compare):
    synthetic.add("m", "a", "x")
    with pytest.raises(UnknownName):
        compare(lambda _: None, chosen={"methods": ["planet"]})
