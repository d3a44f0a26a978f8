"""Intervals need the pairs and strengths of a result; without them, the number is shown without an interval."""

import shutil

import numpy as np
import pytest

from relattr.harness.arrays import CellArrays
from relattr.report.tables import judging


def test_margins_are_judged_like_strengths(synthetic):
    synthetic.add("m", "a", "x", seed=3, margins=True)
    entry = synthetic.entry("m")
    assert entry.lower is not None
    assert not any("no interval" in note for note in entry.notes)


def test_no_interval_without_strengths(synthetic):
    synthetic.add("m", "a", "x", arrays=False)
    entry = synthetic.entry("m")
    assert entry.measured is not None
    assert entry.lower is None
    assert any("its strengths or margins were not stored" in note for note in entry.notes)


def test_no_interval_if_strengths_contradict_the_counts(synthetic):
    result = synthetic.add("m", "a", "x")
    synthetic.store.write(result, CellArrays(strengths={"test": np.zeros(synthetic.n_images)}))
    entry = synthetic.entry("m")
    assert entry.lower is None
    assert any("its strengths do not reproduce its counts" in note for note in entry.notes)


@pytest.mark.parametrize("content", ["as long as before", "not a zip file"])
def test_a_result_with_damaged_arrays_is_unreadable(synthetic, column, content):
    result = synthetic.add("m", "a", "x")
    path = synthetic.store.path(result.cell).with_suffix(".npz")
    path.write_bytes(b"x" * path.stat().st_size if content == "as long as before" else content.encode())
    table = synthetic.table(["m"], [column])
    assert len(table.unreadable) == 1
    assert table.rows[0].entries[0].measured is None


def test_no_interval_without_pairs(synthetic):
    synthetic.add("m", "a", "x")
    shutil.rmtree(synthetic.store.folder / ".pairs")
    entry = synthetic.entry("m")
    assert any("not stored, and the dataset a is not installed" in note for note in entry.notes)


@pytest.mark.parametrize("position", [0, 40, 200, -30])
def test_damaged_pairs_remove_only_the_interval(synthetic, position):
    result = synthetic.add("m", "a", "x")
    path = synthetic.store._pairs_path(judging.test_key(result, "test"))
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    assert synthetic.entry("m").measured == pytest.approx(100 * result.tests[0].accuracy)


def test_wrong_stored_pairs_are_read_from_the_dataset_again(synthetic, monkeypatch):
    result = synthetic.add("m", "a", "x")
    key = judging.test_key(result, "test")
    _, pairs = synthetic.pairs("a", "x")
    right = judging.TestPairs(pairs, np.arange(synthetic.n_images))
    left, other, label = pairs.arrays
    order = np.random.default_rng(0).permutation(len(label))
    wrong = judging.TestPairs(type(pairs)(left, other, label[order]), right.image_ids)  # as many, but others
    synthetic.store.keep_test_pairs(key, wrong)
    assert any("do not reproduce its counts" in note for note in synthetic.entry("m").notes)
    loads = []
    monkeypatch.setattr(judging.Judge, "_load_pairs", lambda self, *about: loads.append(about) or right)
    assert synthetic.entry("m").lower is not None
    assert len(loads) == 1
