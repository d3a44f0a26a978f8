"""The accuracy of a model on images that it was fitted on comes with a warning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

import relattr
from relattr import Pairs, TestSet, TrainingSet

SPLITS = {"held-out": "held-out", "one fold of several": "cross-validation"}


@pytest.fixture(params=SPLITS.values(), ids=SPLITS)
def photographs(request, tmp_path):
    """Own photographs with scores, split once or into folds."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for k in range(30):
        Image.new("RGB", (16, 16), (8 * k, 8 * k, 8 * k)).save(folder / f"{k:02}.png")
    rows = [f"{k:02}.png,{k},{attribute}" for k in range(30) for attribute in ("bright", "light")]
    (folder / "scores.csv").write_text("\n".join(["image,score,attribute", *rows]))
    return relattr.load_dataset("folder", path=folder, split=request.param)


def fitted(train):
    return relattr.load_method("brightness").fit(train, threads=1)


def test_all_labelled_photographs_include_the_test(photographs, tmp_path):
    name = photographs.tasks()[0]
    task = photographs.task(name)
    model = fitted(photographs.training_set(name.attribute))
    n = len(task.tests[0].images)
    with pytest.warns(UserWarning, match=f"brightness was fitted on {n} of the {n} images of the test set 'test'"):
        relattr.evaluate(model, task)
    relattr.save_model(model, tmp_path / "model.npz")
    with pytest.warns(UserWarning, match=f"fitted on {n} of the {n} images"):
        relattr.evaluate(relattr.load_model(tmp_path / "model.npz"), task)


def test_nothing_is_said_about_new_images(photographs, tmp_path):
    for name in photographs.tasks():
        task = photographs.task(name)
        model = fitted(task.train)
        relattr.save_model(model, tmp_path / "model.npz")
        for each in (model, relattr.load_model(tmp_path / "model.npz")):
            relattr.evaluate(each, task)
            for other in photographs.tasks():  # another attribute of the same split has the same test images
                if other.split == name.split:
                    relattr.evaluate(each, photographs.task(other))
    relattr.evaluate(model, relattr.load_dataset("glyphs", n_train=16, n_test=14, size=32).task("global"))


def test_other_splits_train_on_the_test_images(photographs):
    first, *others = [photographs.task(name) for name in photographs.tasks() if name.attribute == "bright"]
    model = fitted(first.train)
    for other in others:
        n = len(set(other.tests[0].images.indices) & set(first.train.images.indices))
        with pytest.warns(UserWarning, match=f"fitted on {n} of the {len(other.tests[0].images)} images"):
            relattr.evaluate(model, other)


@pytest.mark.parametrize("n_seen", [0, 1, 4])
@pytest.mark.parametrize("one_collection", [True, False])
def test_only_images_in_pairs_count(task, n_seen, one_collection, tmp_path):
    images = task.train.images.subset(range(12))
    pairs, start = Pairs([0, 2], [1, 3], [1, -1]), 4 - n_seen
    if one_collection:  # as of a program that opens a folder once, for training and test pairs
        train = TrainingSet(images, pairs)
        test = TestSet("mine", images, Pairs([start, start + 2], [start + 1, start + 3], [1, 1]))
    else:
        train = TrainingSet(images.subset(range(8)), pairs)
        test = TestSet("mine", images.subset(range(start, start + 5)), Pairs([0, 2], [1, 3], [1, 1]))
    model = fitted(train)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        relattr.evaluate(model, test)
    expected = f"fitted on {n_seen} of the 4 images of the test set 'mine'"
    assert [expected in str(each.message) for each in caught] == [True] * bool(n_seen)
    relattr.save_model(model, tmp_path / "model.npz")
    relattr.evaluate(relattr.load_model(tmp_path / "model.npz"), test)  # of part of a collection nothing is known


@pytest.mark.parametrize(
    ("labels", "n_seen"),
    [
        ({}, 0),
        ({"scores": np.arange(12.0)}, 4),
        ({"categories": np.array([0] * 6 + [-1] * 6), "category_names": ["a"]}, 2),
    ],
    ids=["pairs", "scores", "categories"],
)
def test_images_with_scores_or_categories_are_seen(task, labels, n_seen):
    images = task.train.images.subset(range(12))
    train = TrainingSet(images, Pairs([0, 2], [1, 3], [1, -1]), **labels)
    test = TestSet("mine", images, Pairs([4, 6], [5, 7], [1, 1]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        relattr.evaluate(fitted(train), test)
    assert [f"fitted on {n_seen} of the 4" in str(each.message) for each in caught] == [True] * bool(n_seen)


def test_a_refitted_model_has_other_training_images(photographs):
    name = photographs.tasks()[0]
    task = photographs.task(name)
    model = fitted(photographs.training_set(name.attribute)).fit(task.train, threads=1)
    relattr.evaluate(model, task)
