"""The committed results are complete: all that is said about them can be computed from them, without the datasets."""

from pathlib import Path

import pytest

from relattr.harness import tested_pairs
from relattr.harness.result import Result
from relattr.harness.store import Store
from relattr.pairs import Pairs

FOLDER = Path(__file__).parents[1] / "results" / "reference"


@pytest.fixture(scope="module")
def store():
    return Store(FOLDER)


@pytest.fixture(scope="module")
def results(store):
    found = list(store)
    unreadable = [item for item in found if not isinstance(item, Result)]
    assert not unreadable
    assert found
    return found


def test_every_cell_has_numbers_or_does_not_apply(results):
    without = [result for result in results if result.status != "ok"]
    assert {result.status for result in without} <= {"skipped"}
    assert all(result.reason for result in without)
    assert all(test.n_ordered for result in results if result.status == "ok" for test in result.tests)


def test_every_result_is_of_a_clean_commit(results):
    assert [str(result.cell) for result in results if result.provenance.dirty is not False] == []


def test_the_pairs_of_every_test_set_are_stored_and_no_others(store, results):
    tested = {tested_pairs.test_key(result, test.test) for result in results for test in result.tests}
    assert set(store.test_pair_keys()) == tested, "a set without results can be deleted"


def test_every_file_is_of_a_result(store, results):
    expected = {store.path(result.cell) for result in results}
    stored = {path.with_suffix(".json") for path in FOLDER.glob("[!.]*/*/*") if path.suffix != ".log"}
    assert stored == expected


def test_counts_are_those_of_the_stored_strengths_and_pairs(store, results):
    """Recounted from the files alone; of each method on each dataset, one result."""
    for result in {(r.cell.method, r.cell.dataset): r for r in results}.values():
        arrays = store.arrays(result)
        for test in result.tests:
            if test.test not in arrays.strengths or test.n_pairs > 100_000:
                continue
            pairs = store.test_pairs(tested_pairs.test_key(result, test.test))
            assert pairs is not None
            assert recount(arrays.strengths[test.test], pairs.pairs) == (test.n_correct, test.n_ordered), result.cell


def recount(strengths, pairs: Pairs):
    """The number of correct and of ordered pairs, pair by pair."""
    left, right, label = pairs.arrays
    ordered = label != 0
    difference = (strengths[left] - strengths[right])[ordered]
    return int((difference * label[ordered] > 0).sum()), int(ordered.sum())
