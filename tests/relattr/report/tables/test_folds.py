"""The folds of a cross-validation in a table: one accuracy on all pairs, one interval, paired comparisons."""

import shutil

import msgspec
import numpy as np
import pytest

from relattr.harness import result as harness_result
from relattr.harness.arrays import CellArrays
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
from relattr.pairs import Pairs
from relattr.registry import Registry
from relattr.report.tables import judging
from relattr.report.tables.comparison import compare_results
from relattr.report.tables.folds import group_folds, pooled_accuracy
from relattr.statistics import Design, count_strengths, difference, estimate_accuracy

SIZES = (3, 40, 17)


def add_folds(synthetic, method, noise, sizes=SIZES):
    """Results of a method on folds of these sizes, and the margins of all their pairs, in the order of the folds."""
    truth, pairs = synthetic.pairs("a", "x")
    rng = np.random.default_rng(sum(map(ord, method)))
    margins, tested = [], []
    for k, part in enumerate(np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])):
        strengths = truth + noise * rng.standard_normal(truth.size)  # each fold has a model of its own
        of_fold = pairs.take(part)
        images = of_fold.images
        inside = of_fold.renumbered(images)
        count = count_strengths(strengths[images], inside)
        base = synthetic.add(method, "a", "x", split=f"fold-{k + 1}")
        test = harness_result.TestResult(
            "test", images.size, len(inside), count.ordered, count.correct, count.tied, fold=True
        )
        result = msgspec.structs.replace(base, tests=(test,), arrays=None)
        synthetic.store.write(result, CellArrays(strengths={"test": strengths[images]}))
        key = judging.test_key(result, "test")
        synthetic.store.keep_test_pairs(key, judging.TestPairs(inside, images))
        margins.append(strengths[of_fold.left] - strengths[of_fold.right])
        tested.append(of_fold)
    return Pairs.concatenate(tested), np.concatenate(margins)


def test_accuracy_is_that_of_all_pairs_together(synthetic, column):
    pairs, margins = add_folds(synthetic, "m", 0.8)
    entry = synthetic.table(["m"], [column]).rows[0].entries[0]
    correct = np.sign(margins[pairs.label != 0]) == pairs.label[pairs.label != 0]
    assert entry.measured == pytest.approx(100 * correct.mean())
    assert entry.n_ordered == correct.size
    assert entry.n_images == pairs.ordered().images.size


def test_a_seed_without_all_folds_is_left_out(synthetic, column):
    add_folds(synthetic, "m", 0.8)
    alone = synthetic.table(["m"], [column]).rows[0].entries[0]
    first = next(result for result in synthetic.store if result.cell.split == "fold-1")
    other_seed = msgspec.structs.replace(first, cell=msgspec.structs.replace(first.cell, seed=1), arrays=None)
    synthetic.store.write(other_seed, synthetic.store.arrays(first))
    entry = synthetic.table(["m"], [column], seeds=(0, 1)).rows[0].entries[0]
    assert (entry.measured, entry.lower, entry.upper) == pytest.approx((alone.measured, alone.lower, alone.upper))


def test_more_seeds_of_one_split_do_not_give_it_more_weight(synthetic, column):
    for seed in (0, 1, 2):
        synthetic.add("m", "a", "x", seed, split="easy", noise=0.05)
    synthetic.add("m", "a", "x", 0, split="hard", noise=3.0)
    accuracies = {split: [] for split in ("easy", "hard")}
    for result in synthetic.store:
        accuracies[result.cell.split].append(result.tests[0].accuracy)
    entry = synthetic.table(["m"], [column]).rows[0].entries[0]
    assert entry.measured == pytest.approx(100 * np.mean([np.mean(values) for values in accuracies.values()]))
    assert entry.lower < entry.measured < entry.upper


def test_interval_is_that_of_one_test_set_variance_doubled(synthetic, column):
    pairs, margins = add_folds(synthetic, "m", 0.8)
    entry = synthetic.table(["m"], [column]).rows[0].entries[0]
    once = Design([(pairs, None)])
    plain = estimate_accuracy(once, [once.judge(0, margins=margins)])
    assert entry.image_standard_error == pytest.approx(100 * np.sqrt(2 * plain.variance_images))
    assert entry.upper - entry.lower > 100 * 1.2 * (plain.upper - plain.lower)


def test_two_folders_differ_as_two_rows_of_a_table_do(synthetic, column, tmp_path):
    for method in ("m", "n"):
        add_folds(synthetic, method, 0.8)
    table = synthetic.table(["m", "n"], [column])
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    for result in synthetic.store:
        same_cell = msgspec.structs.replace(result, cell=msgspec.structs.replace(result.cell, method="m"))
        (first if result.cell.method == "m" else second).write(same_cell, synthetic.store.arrays(result))
    shutil.copytree(synthetic.store.folder / ".pairs", first.folder / ".pairs")
    (change,) = compare_results(Registry(), first, second, ResultSelection()).changes
    assert [change.first, change.second] == pytest.approx([row.entries[0].measured for row in table.rows])
    assert (change.lower + change.upper) / 2 == pytest.approx(change.difference)


def test_methods_are_compared_on_the_pairs_of_all_folds(synthetic, column, entry_of):
    pairs, good = add_folds(synthetic, "good", 0.1)
    _, bad = add_folds(synthetic, "bad", 3.0)
    table = synthetic.table(["good", "bad"], [column], against="bad")
    design = Design([(pairs, None)], cross_validated=True)
    expected = difference(design, [design.judge(0, margins=good)], [design.judge(0, margins=bad)])
    assert entry_of(table, "bad").p_best == pytest.approx(expected.p)
    (effect,) = table.ablation.rows[0].effects
    assert effect.value == pytest.approx(100 * expected.value)
    assert effect.lower == pytest.approx(100 * expected.lower)


def test_a_method_without_a_fold_is_compared_on_the_others(synthetic, column):
    add_folds(synthetic, "whole", 0.1)
    add_folds(synthetic, "part", 3.0, SIZES[:2])
    table = synthetic.table(["whole", "part"], [column], against="part")
    (effect,) = table.ablation.rows[0].effects
    assert effect.partial


def test_strengths_that_contradict_the_counts_are_refused(synthetic, column):
    add_folds(synthetic, "m", 0.8)
    result = next(iter(synthetic.store))
    strengths = synthetic.store.arrays(result).strengths["test"]
    synthetic.store.write(result, CellArrays(strengths={"test": -strengths}))
    entry = synthetic.table(["m"], [column]).rows[0].entries[0]
    assert entry.lower is None
    assert any("strengths do not reproduce its counts" in note for note in entry.notes)


def test_only_folds_of_one_attribute_and_seed_are_pooled(synthetic):
    results = [synthetic.add("m", "a", attribute, seed) for attribute in "xy" for seed in (0, 1)]
    folds = [(r, replace_fold(r.tests[0])) for r in results for _ in range(2)]
    assert [len(group) for group in group_folds(folds)] == [2, 2, 2, 2]
    assert [len(group) for group in group_folds([(r, r.tests[0]) for r in results])] == [1, 1, 1, 1]


def replace_fold(test):
    return msgspec.structs.replace(test, fold=True)


def test_pooled_accuracy_weights_folds_by_their_pairs(synthetic):
    result = synthetic.add("m", "a", "x")
    one = harness_result.TestResult("test", 4, 10, 10, 10, 0, fold=True)
    two = harness_result.TestResult("test", 4, 30, 30, 15, 0, fold=True)
    assert pooled_accuracy([(result, one), (result, two)]) == pytest.approx(25 / 40)
    dropped = [msgspec.structs.replace(one, n_correct=5, n_tied=5, ties="drop")]
    assert pooled_accuracy([(result, test) for test in dropped]) == 1.0


def test_the_caption_says_that_it_is_a_cross_validation(synthetic, column):
    assert "ross-valid" not in synthetic.table(["m"], [column]).caption
    add_folds(synthetic, "m", 0.8)
    table = synthetic.table(["m"], [column])
    assert "cross-validation over images tests each pair once" in table.caption
    assert "trained once" not in table.caption
    assert "Cross-validated over images." in table.short_caption
