"""The accuracy of a model, with its interval: that of the benchmark's rows and tables."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import relattr
from relattr.errors import BadInput, UnknownName
from relattr.task import Task, TestSet

BENCHMARK = """
title = "a test"
methods = ["brightness", "pairwise-brightness"]
datasets = ["glyphs"]
threads = 1
[dataset.glyphs]
n_train = 16
n_test = 14
size = 32
[table]
caption = ""
columns = [{label = "Global", dataset = "glyphs", attribute = "global"}]
"""


def test_accuracy_is_that_of_counting_pairs(task, model):
    test = task.tests[0]
    margins = model.compare(test.images, test.pairs)
    ordered = test.pairs.label != 0
    evaluation = relattr.evaluate(model, task)
    assert evaluation.accuracy == np.mean((margins * test.pairs.label)[ordered] > 0)
    assert evaluation.n_pairs == ordered.sum() == 91
    assert evaluation.n_images == 14
    assert evaluation.lower < evaluation.accuracy < evaluation.upper
    np.testing.assert_array_equal(evaluation.strengths, model.strength(test.images))


@pytest.mark.parametrize("name", ["brightness", "pairwise-brightness"])
def test_it_equals_the_row_and_the_table_of_a_benchmark(task, tmp_path, name):
    (tmp_path / "bench.toml").write_text(BENCHMARK)
    settings = {"results": tmp_path / "results", "methods": name, "attributes": "global"}
    frame = relattr.run(str(tmp_path / "bench.toml"), backend="inline", threads=1, verbose=False, **settings)
    evaluation = relattr.evaluate(relattr.load_method(name).fit(task.train, threads=1), task)
    row = frame.iloc[0]
    assert row["status"] == "ok", row["reason"]
    assert row["accuracy"] == evaluation.accuracy
    assert (row["n_ordered"], row["n_correct"], row["n_tied"], row["n_images"]) == (
        evaluation.n_pairs,
        evaluation.n_correct,
        evaluation.n_tied,
        evaluation.n_images,
    )
    table = relattr.table(str(tmp_path / "bench.toml"), results=tmp_path / "results")
    entry = table[table["key"] == name].iloc[0]
    assert entry["measured"] == 100 * evaluation.accuracy
    assert (entry["lower"], entry["upper"]) == (100 * evaluation.lower, 100 * evaluation.upper)


def test_cross_validation_of_one_split_is_its_evaluation(task):
    dataset = relattr.load_dataset("glyphs", n_train=16, n_test=14, size=32)
    model = relattr.load_method("brightness", gamma=2.0)
    expected = relattr.evaluate(model.unfitted_copy().fit(task.train, seed=2), task)
    crossed = relattr.cross_validate(model, dataset, "global", seed=2)
    assert not model.is_fitted
    for name in (
        "parameters",
        "split",
        "accuracy",
        "interval",
        "n_pairs",
        "n_images",
        "n_correct",
        "n_tied",
        "spearman",
    ):
        assert getattr(crossed, name) == getattr(expected, name), name


@pytest.fixture
def photos(tmp_path):
    """Twelve images with scores, which are few: the dataset is cross-validated."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = ["image,score"]
    for k in range(12):
        Image.new("RGB", (8, 8), (20 * k,) * 3).save(folder / f"{k}.png")
        rows.append(f"{k}.png,{k + rng.integers(-4, 5)}")
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("name", ["brightness", "pairwise-brightness"])
def test_folds_are_counted_together_as_in_tables(photos, tmp_path, name):
    dataset = relattr.load_dataset("folder", path=photos)
    assert len(dataset.splits) > 1
    crossed = relattr.cross_validate(relattr.load_method(name), dataset, threads=1)
    assert crossed.n_images == 12
    file = tmp_path / "bench.toml"
    file.write_text(
        f"title = 'a test'\nmethods = ['{name}']\ndatasets = ['folder']\n[dataset.folder]\npath = '{photos}'\n"
        "[table]\ncaption = ''\ncolumns = [{label = 'Own', dataset = 'folder'}]\n"
    )
    frame = relattr.run(str(file), results=tmp_path / "results", backend="inline", threads=1, verbose=False)
    assert frame["n_ordered"].sum() == crossed.n_pairs
    assert frame["n_correct"].sum() == crossed.n_correct
    assert crossed.accuracy == pytest.approx(crossed.n_correct / crossed.n_pairs, abs=1e-15)
    entry = relattr.table(str(file), results=tmp_path / "results").iloc[0]
    assert (entry["lower"], entry["measured"], entry["upper"]) == pytest.approx(
        (100 * crossed.lower, 100 * crossed.accuracy, 100 * crossed.upper), rel=1e-12
    )
    has_strengths = name == "brightness"
    assert (crossed.spearman is not None) == has_strengths == pd.notna(entry["spearman"])
    assert not has_strengths or crossed.spearman == pytest.approx(entry["spearman"], rel=1e-12)


def test_one_fold_is_not_taken_for_the_whole(photos):
    dataset = relattr.load_dataset("folder", path=photos)
    (attribute,) = dataset.attributes
    message = r"split into \d+ folds .* relattr.cross_validate .* name a split, as in task\('.*', 'fold-1'\)"
    with pytest.warns(UserWarning, match=message):
        first = dataset.task()
    assert dataset.task(attribute, dataset.splits[0]).name == first.name  # without a warning
    assert [task.name for task in dataset] == dataset.tasks()


def test_a_higher_level_has_a_wider_interval(task, model):
    narrow, wide = (relattr.evaluate(model, task, level=level).interval for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    for level in (0, 1, 95):
        with pytest.raises(BadInput, match="expected a number between 0 and 1"):
            relattr.evaluate(model, task, level=level)


def test_one_of_several_test_sets_is_named(task, model):
    first = task.tests[0]
    second = TestSet("easy", first.images, first.pairs.take(np.arange(9)))
    both = Task(task.name, task.train, [first, second], "a test")
    assert relattr.evaluate(model, both, test="easy").n_pairs == 9
    assert relattr.evaluate(model, second).n_pairs == 9
    with pytest.raises(BadInput, match="has 2 test sets; name one: test='test', 'easy'"):
        relattr.evaluate(model, both)
    with pytest.raises(UnknownName, match="did you mean easy"):
        relattr.evaluate(model, both, test="esay")
    with pytest.raises(BadInput, match="takes a task or a test set"):
        relattr.evaluate(model, first.pairs)


def test_a_method_without_the_answers_it_needs_is_refused(task, model):
    names = [n for n in relattr.list_methods() if getattr(relattr.load_method(n).method, "test_answers", None)]
    if not names:
        pytest.skip("no method needs answers about test pairs")
    other = relattr.load_method(names[0])
    other.fitted_on = model.fitted_on
    with pytest.raises(BadInput, match="needs the answers of"):
        relattr.evaluate(other, task)


def test_strengths_that_are_not_finite_are_refused(task, model):
    model.method.sign_ = float("nan")
    with pytest.raises(BadInput, match="nan"):
        relattr.evaluate(model, task)


def test_evaluations_show_themselves(task, model):
    evaluation = relattr.evaluate(model, task)
    assert str(evaluation).startswith(f"brightness on glyphs/global/standard/test: {100 * evaluation.accuracy:.2f} % [")
    assert repr(evaluation) == f"<Evaluation {evaluation}>"
    assert "95 % interval" in evaluation._repr_html_()
    series = evaluation.as_series()
    assert series["accuracy"] == evaluation.accuracy
    assert series["parameter gamma"] == 1.0
    assert "strengths" not in series.index
    assert relattr.evaluate(model, task.tests[0]).dataset == ""


def test_arguments_of_the_wrong_kind_are_refused(task, model):
    with pytest.raises(BadInput, match=r"expected a model, from relattr\.load_method or load_model; got 'chance'"):
        relattr.evaluate("chance", task)
    with pytest.raises(BadInput, match="expected a model"):
        relattr.evaluate(task, model)
    with pytest.raises(BadInput, match=r"cross_validate takes a dataset, from relattr\.load_dataset; got 'photos'"):
        relattr.cross_validate(model, "photos")


@pytest.mark.parametrize("level", ["0.95", None, (0.9, 0.95), 95, 0, 1, float("nan")], ids=repr)
def test_a_level_is_a_number_between_0_and_1(task, model, level):
    with pytest.raises(BadInput, match=re.escape(f"level is {level!r}; expected a number between 0 and 1")):
        relattr.evaluate(model, task, level=level)
