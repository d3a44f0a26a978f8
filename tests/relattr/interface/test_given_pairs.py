"""Pairs of images by index, by name and by path."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import relattr
from relattr import Pairs
from relattr.errors import BadInput, UnknownName


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """The paths of three photographs, relative to the working folder, one of them in a folder."""
    monkeypatch.chdir(tmp_path)
    paths = [Path("new photos/2.png"), Path("new photos/sub/0.png"), Path("new photos/10.png")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * int(path.stem),) * 3).save(path)
    return paths


def test_pairs_of_names_are_those_of_their_indices(model, paths):
    images = relattr.load_images("new photos")
    assert images.names == ["10.png", "2.png", "sub/0.png"]  # in the order of the names
    by_name = model.compare(images, [("10.png", "2.png"), ("sub/0.png", "10.png")])
    np.testing.assert_array_equal(by_name, model.compare(images, [(0, 1), (2, 0)]))
    with pytest.raises(UnknownName, match=r"no image is called '3\.png'; did you mean 2\.png"):
        model.compare(images, [("3.png", "2.png")])
    twice = relattr.Images.from_arrays([np.zeros((4, 4, 3), np.uint8)] * 3, ["a", "a", "b"])
    with pytest.raises(BadInput, match="2 images are called a; give the indices of the pair"):
        model.compare(twice, [("a", "b")])


def test_an_image_is_known_by_the_path_that_was_given(model, paths):
    expected = model.compare(paths, [(0, 1), (2, 0)])
    assert len(set(expected)) == 2
    spellings = [
        str,
        Path,
        os.path.abspath,
        lambda path: f"./{path}",
        lambda path: path.relative_to("new photos").as_posix(),
    ]
    for given in (paths, [str(path) for path in paths], pd.Series(paths), "new photos", Path("new photos").absolute()):
        for spell in spellings:
            a, b, c = map(spell, paths)
            for pairs in ([(a, b), (c, a)], np.array([(a, b), (c, a)]), pd.DataFrame([(a, b), (c, a)])):
                np.testing.assert_array_equal(model.compare(given, pairs), expected)
    np.testing.assert_array_equal(model.compare(iter(paths), [(paths[0], paths[1]), (2, str(paths[0]))]), expected)
    mixed = [np.zeros((4, 4, 3), np.uint8), paths[2]]
    assert model.compare(mixed, [(0, paths[2])]) == model.compare(mixed, [(0, 1)])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(0, 99)], "a pair has the image index 99; expected 0 to 13, for 14 images"),
        ([(-1, 0)], "a pair has the image index -1; expected 0 to 13, for 14 images"),
        ([(0, 10**30)], f"a pair has {10**30}, of type int; expected (n, 2) indices"),
        ([(0.5, 1)], "a pair has 0.5, of type float; expected (n, 2) indices"),
        ([(True, False)], "a pair has True, of type bool; expected (n, 2) indices"),
        ([(1, 1)], "an image with itself"),
        (Pairs([0], [99], [1]), "image index 99, but there are 14 images"),
    ],
)
def test_pairs_that_are_not_valid_are_refused(task, model, pairs, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        model.compare(task.tests[0].images, pairs)


def test_what_is_no_list_of_pairs_has_an_example_in_its_error(model, paths):
    a, b, _ = paths
    grey = np.zeros((4, 4, 3), np.uint8)
    for pairs in (
        b,
        str(b),
        1,
        None,
        (0, 1),
        [a, b],
        [(0, 1, 2)],
        [(0, 1), (2,)],
        grey,
        Image.fromarray(grey),
        [(grey, grey)],
    ):
        with pytest.raises(BadInput, match=r"To compare two images: model\.compare\(\[a, b\], \[\(0, 1\)\]\)"):
            model.compare([a, b], pairs)
        with pytest.raises(BadInput, match=r"To compare two images"):
            model.compare(a, pairs)
    assert model.compare([a, b], [(0, 1)]) == model.compare([a, b], [(a, b)])


@pytest.mark.parametrize(
    ("labels", "warning"),
    [
        ([1, 0, 1], "are 1 (2 pairs) and 0 (1 pair), and none is -1"),
        ([True, False, False], "are 1 (1 pair) and 0 (2 pairs), and none is -1"),
        (np.array([0, 1, 0], bool), "are 1 (1 pair) and 0 (2 pairs), and none is -1"),
        ([-1, 0, -1], "are -1 (2 pairs) and 0 (1 pair), and none is 1"),
        ([1, 0, -1], ""),
        ([1, 1, 1], ""),
        ([-1, -1, 1], ""),
    ],
)
def test_zeros_for_the_other_image_are_noticed(paths, labels, warning):
    train = relattr.TrainingSet(relattr.load_images(paths), Pairs([0, 1, 2], [1, 2, 0], labels))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        relattr.load_method("chance").fit(train, threads=1)
    assert [warning in str(each.message) for each in caught] == [True] * bool(warning)
    assert all(each.filename == __file__ for each in caught)


def test_similar_in_words_is_not_in_doubt(paths):
    images = relattr.load_images(paths)
    for label in ("left", "right", 1, -1):
        train = relattr.TrainingSet(images, relattr.load_pairs(images, [(0, 1, label), (1, 2, "similar")]))
        relattr.load_method("chance").fit(train, threads=1)  # warnings are errors


def test_labels_that_scores_or_datasets_give_are_right(paths, task):
    pairs = Pairs.from_scores([1.0, 1.0, 2.0])
    relattr.load_method("chance").fit(relattr.TrainingSet(relattr.load_images(paths), pairs), threads=1)
    relattr.load_method("chance").fit(task.train, threads=1)
