"""Fitting and applying a model."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

import relattr
from relattr import Pairs, Run, TrainingSet
from relattr.errors import BadInput, Blocked
from relattr.needs import Packages
from relattr.task import Task


def test_a_fit_is_that_of_the_plugin(task):
    model = relattr.load_method("brightness").fit(task.train, seed=5, device="cpu", threads=1)
    plugin = relattr.load_method("brightness").method
    plugin.fit(task.train, Run(seed=5))
    images = task.tests[0].images
    assert model.method.state() == plugin.state()
    np.testing.assert_array_equal(model.strength(images), plugin.strength(images))
    np.testing.assert_array_equal(
        model.compare(images, task.tests[0].pairs), plugin.compare(images, task.tests[0].pairs)
    )


def test_a_task_stands_for_its_training_set(task):
    by_task = relattr.load_method("brightness").fit(task, threads=1)
    assert by_task.fitted_on == relattr.load_method("brightness").fit(task.train, threads=1).fitted_on


def test_what_it_was_fitted_on_is_recorded(task, model):
    record = model.fitted_on
    assert (record.dataset, record.attribute, record.split) == ("glyphs", "global", "standard")
    assert record.dataset_parameters["n_train"] == 16
    assert (record.n_images, record.n_pairs, record.seed) == (16, len(task.train.pairs), 3)
    part = TrainingSet(task.train.images.subset([0, 1]), Pairs([0], [1], [1]))
    other = relattr.load_method("brightness").fit(part).fitted_on
    assert (other.dataset, other.n_images, other.n_pairs) == ("", 2, 1)
    assert other.images != record.images
    assert other.pairs != record.pairs


def test_margins_are_differences_of_strengths(task, model):
    images = task.tests[0].images
    strengths = model.strength(images)
    pairs = np.array([(0, 3), (5, 1), (2, 2 + 1)])
    np.testing.assert_allclose(model.compare(images, pairs), strengths[pairs[:, 0]] - strengths[pairs[:, 1]])
    assert model.compare(images, []).shape == (0,)


def test_images_may_be_paths_pillow_images_or_arrays(task, model, tmp_path):
    arrays = list(task.tests[0].images.subset(range(4)))
    for k, array in enumerate(arrays):
        Image.fromarray(array).save(tmp_path / f"{k}.png")
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    opened = [Image.open(path) for path in paths]
    expected = model.strength(task.tests[0].images.subset(range(4)))
    for images in (arrays, paths, [str(path) for path in paths], opened, tmp_path, str(tmp_path)):
        np.testing.assert_array_equal(model.strength(images), expected)
    assert model.strength(paths[2]) == expected[2:3]
    for image in opened:
        image.close()


def test_a_ranking_has_the_strongest_image_first(task, model):
    images = task.tests[0].images
    ranking = model.rank(images)
    strengths = dict(zip(images.names, model.strength(images), strict=True))
    assert list(ranking.index) == list(range(1, len(images) + 1))
    assert list(ranking["strength"]) == sorted(strengths.values(), reverse=True)
    assert all(strengths[row.image] == row.strength for row in ranking.itertuples())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_strength_that_is_not_finite_is_an_error(task, model, monkeypatch, value):
    images = task.tests[0].images
    strengths = model.strength(images).copy()
    strengths[[2, 5]] = value
    monkeypatch.setattr(
        model.method, "strength", lambda part: strengths[[images.names.index(name) for name in part.names]]
    )
    message = f"strength of {images.names[2]} by brightness is {value}, and 1 more like it; expected a finite number"
    with pytest.raises(BadInput, match=re.escape(message)):
        model.strength(images)
    with pytest.warns(
        UserWarning, match=f"left out .*: the strength of {images.names[2]} is {value}; .*{images.names[5]}"
    ):
        ranking = model.rank(images)
    assert set(ranking["image"]) == {*images.names} - {images.names[2], images.names[5]}
    assert model.compare(images, [(0, 1)]).shape == (1,)  # the others can be compared
    names = f"{images.names[1]} and {images.names[2]}"
    with pytest.raises(BadInput, match=f"the margin of {names} by brightness is {-value}; expected"):
        model.compare(images, [(0, 1), (1, 2)])


def test_a_margin_that_is_not_a_number_is_an_error(task, monkeypatch):
    model = relattr.load_method("pairwise-brightness").fit(task.train)
    images = task.tests[0].images
    for returned, message in (
        (
            np.array([1.0, np.nan]),
            f"the margin of {images.names[1]} and {images.names[2]} by pairwise-brightness is nan",
        ),
        (np.zeros(3), r"compare of pairwise-brightness has shape \(3,\) for 2 pairs; expected \(2,\)"),
        (["a", "b"], "compare of pairwise-brightness has the type <U1; expected real numbers"),
    ):
        monkeypatch.setattr(model.method, "compare", lambda images, pairs, returned=returned: returned)
        with pytest.raises(BadInput, match=message):
            model.compare(images, [(0, 1), (1, 2)])


def test_an_unfitted_model_says_what_to_do(task):
    model = relattr.load_method("brightness")
    for call in (
        lambda: model.strength(task.tests[0].images),
        lambda: model.compare(task.tests[0].images, [(0, 1)]),
        lambda: model.rank(task.tests[0].images),
        lambda: relattr.evaluate(model, task),
    ):
        with pytest.raises(BadInput, match=r"brightness is not fitted; call fit\(task\.train\) first"):
            call()


def test_a_failed_fit_leaves_the_model_unfitted(task, model, monkeypatch):
    def fail(train, run):
        raise RuntimeError("it failed")

    monkeypatch.setattr(model.method, "fit", fail)
    with pytest.raises(RuntimeError, match="it failed"):
        model.fit(task.train)
    assert not model.is_fitted


def test_a_method_of_pairs_has_no_strengths(task):
    model = relattr.load_method("pairwise-brightness").fit(task.train)
    assert not model.has_strength
    assert model.compare(task.tests[0].images, [(0, 1)]).shape == (1,)
    with pytest.raises(BadInput, match=r"compares pairs and gives no strengths; use compare"):
        model.strength(task.tests[0].images)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": "a"}, "seed is 'a'; expected an integer"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": True}, "threads is True"),
        ({"device": "tpu"}, "^device 'tpu' is not a device"),
    ],
)
def test_settings_that_are_not_valid_are_refused(task, settings, message):
    with pytest.raises(BadInput, match=message):
        relattr.load_method("brightness").fit(task.train, **settings)


def test_the_wrong_kind_of_training_set_is_refused(task):
    with pytest.raises(BadInput, match=r"fit takes a training set, such as task\.train"):
        relattr.load_method("brightness").fit(task.train.images)


def test_a_missing_need_is_named_before_fitting(task, monkeypatch):
    model = relattr.load_method("brightness")
    monkeypatch.setattr(model.method, "needs", lambda: [Packages(("no_such_package",), "deep")])
    assert len(model.missing()) == 1
    assert "no_such_package" in model._repr_html_()
    with pytest.raises(Blocked, match=r"brightness needs the package no_such_package: pip install 'relattr\[deep\]'"):
        model.fit(task.train)


def test_a_training_set_without_scores_is_refused(task):
    plain = TrainingSet(task.train.images, task.train.pairs)
    with pytest.raises(BadInput, match=r"svr-.* needs a score for each training image, and this training set has none"):
        relattr.load_method(relattr.list_methods("svr*")[0]).fit(plain)


def test_the_thread_limit_ends_with_the_fit(task, monkeypatch):
    import threadpoolctl

    model, seen = relattr.load_method("brightness"), []
    fit = model.method.fit

    def record(train, run):
        seen.extend(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
        fit(train, run)

    monkeypatch.setattr(model.method, "fit", record)
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    model.fit(task.train, threads=1)
    assert set(seen) <= {1}
    assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before


def test_models_describe_themselves(model):
    assert repr(model).startswith("<Model brightness, fitted on 120 pairs of 16 images of glyphs/global")
    assert repr(relattr.load_method("brightness", gamma=2.0)) == "<Model brightness(gamma=2.0), not fitted>"
    assert "gamma=3.0" in relattr.load_method("brightness", gamma=3.0)._repr_html_()
    assert model.fitted_parameters["sign_"] in (-1.0, 1.0)


def test_html_is_escaped(task, model):
    model.label = "<script>"
    assert "<script>" not in model._repr_html_()
    assert isinstance(task, Task)
