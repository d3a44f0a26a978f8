"""Comparisons of a user's own program, as a DataFrame or as rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import relattr
from relattr.errors import BadInput, UnknownName

NAMES = ["a.png", "b.png", "c.png"]
IMAGES = relattr.Images.from_arrays([np.full((4, 4, 3), grey, np.uint8) for grey in (0, 100, 200)], NAMES)
ROWS = [("b.png", "a.png", "left"), ("a.png", "c.png", "right"), ("b.png", "c.png", "similar")]


def as_rows(pairs):
    return list(zip(*(array.tolist() for array in pairs.arrays), strict=True))


def test_all_forms_of_comparisons_give_the_same_pairs():
    frame = pd.DataFrame(ROWS, columns=["left", "right", "label"])
    numbers = [(1, 0, 1), (0, 2, -1), (1, 2, 0)]
    forms = [
        ROWS,
        iter(ROWS),
        [list(row) for row in ROWS],
        frame,
        frame[["label", "right", "left"]].assign(rater="x", attribute="smile").set_index("rater"),
        frame.assign(label=[1.0, -1.0, 0.0]),
        frame.assign(label=["1", "-1", "0"]),
        numbers,
        np.array(numbers),
        pd.DataFrame(numbers, columns=["left", "right", "label"]),
        [("b.png", 0, " Left "), (0, "c.png", "RIGHT"), (1, 2, "similar")],
    ]
    for comparisons in forms:
        assert as_rows(relattr.load_pairs(IMAGES, comparisons)) == numbers


def test_images_are_known_by_the_paths_they_were_given_by(tmp_path):
    from PIL import Image

    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        Image.new("RGB", (4, 4)).save(path)
    rows = [(paths[1], str(paths[0]), "left"), ("a.png", paths[2], "right")]
    for images in (paths, iter(paths), tmp_path):
        assert as_rows(relattr.load_pairs(images, rows)) == [(1, 0, 1), (0, 2, -1)]


def test_no_comparisons_are_no_pairs():
    for comparisons in ([], pd.DataFrame({"left": [], "right": [], "label": []})):
        assert len(relattr.load_pairs(IMAGES, comparisons)) == 0


@pytest.mark.parametrize("label", ["more", "", "2", 2, 0.5, True, False, np.True_, None, float("nan"), [1]])
def test_other_labels_are_refused_with_their_row(label):
    with pytest.raises(BadInput, match=r"the label of comparison 2 is .*; expected 1 or 'left'"):
        relattr.load_pairs(IMAGES, [(0, 1, "left"), (1, 2, label)])


@pytest.mark.parametrize(
    ("label", "side", "formula"), [(1, "right", "2 * label - 1"), (-1, "left", "2 * label + 1")], ids=["1", "-1"]
)
@pytest.mark.parametrize("of", [int, float, str])
def test_zero_that_may_mean_the_other_image_is_refused(label, side, formula, of):
    message = f"none is {-label}. 0 means similar: if it should mean that the {side} image has more, use {formula}; if"
    with pytest.raises(BadInput, match=re.escape(message)):
        relattr.load_pairs(IMAGES, [(0, 1, of(label) if of is not str else str(label)), (1, 2, of(0))])
    assert len(relattr.load_pairs(IMAGES, [(0, 1, label), (1, 2, "similar")])) == 2
    corrected = [eval(formula, {"label": value}) for value in (label, 0)]
    assert corrected == [label, -label]


@pytest.mark.parametrize(
    ("comparisons", "message"),
    [
        (pd.DataFrame({"winner": ["a.png"], "loser": ["b.png"]}), "no column left; its columns are winner, loser"),
        (pd.DataFrame({"image": ["a.png"], "score": [1]}), "relattr.Pairs.from_scores(scores)"),
        (
            pd.DataFrame([(*row, k) for k, row in enumerate(ROWS)], columns=["left", "right", "label", "attribute"]),
            "3 attributes; choose one: frame[frame.attribute == 0]",
        ),
        ("pairs.csv", "comparisons are 'pairs.csv'; expected a DataFrame"),
        (None, "comparisons are None; expected a DataFrame"),
        ([(0, 1)], "comparison 1 is (0, 1); expected a DataFrame"),
        ([(0, 1, "left"), "left"], "comparison 2 is 'left'; expected a DataFrame"),
        ([(0, 9, "left")], "image index 9; expected 0 to 2"),
        ([(1, 1, "left")], "an image with itself"),
    ],
)
def test_what_is_no_comparison_is_refused(comparisons, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        relattr.load_pairs(IMAGES, comparisons)


def test_an_image_that_is_not_there_is_named():
    with pytest.raises(UnknownName, match=r"no image is called 'd\.png'"):
        relattr.load_pairs(IMAGES, [("d.png", "a.png", "left")])
