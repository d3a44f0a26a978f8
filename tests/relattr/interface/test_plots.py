"""Figures show what the model and the results say."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import relattr
from relattr import Pairs
from relattr.errors import BadInput, UnknownName
from relattr.interface.plots import CHOICE_COLOUR, RIGHT_COLOUR, WRONG_COLOUR
from relattr.mixins import InspectionMixin

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_accuracies_are_drawn_with_their_intervals(task, model):
    evaluation = relattr.evaluate(model, task)
    other = relattr.evaluate(relattr.load_method("pairwise-brightness").fit(task.train), task)
    ax = relattr.plot_accuracy([evaluation, other])
    (points,) = (line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xdata(), [100 * evaluation.accuracy, 100 * other.accuracy])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([segments[0][0][0], segments[0][1][0]], np.multiply(evaluation.interval, 100))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["brightness", "pairwise-brightness"]


def test_given_axes_are_used(task, model):
    figure, ax = plt.subplots()
    assert relattr.plot_accuracy(relattr.evaluate(model, task), ax=ax) is ax
    assert ax.figure is figure


def test_a_column_of_a_table_is_drawn():
    import pandas as pd

    table = pd.DataFrame(
        {
            "table": "t",
            "row": ["A", "B", "A"],
            "column": ["x", "x", "y"],
            "measured": [60.0, np.nan, 70.0],
            "lower": [55.0, np.nan, 60.0],
            "upper": [65.0, np.nan, 80.0],
        }
    )
    ax = relattr.plot_accuracy(table, column="x")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A"]
    with pytest.raises(BadInput, match="has 2 columns; name one: column='x', 'y'"):
        relattr.plot_accuracy(table)
    with pytest.raises(UnknownName, match="no column of the table is called 'z'"):
        relattr.plot_accuracy(table, column="z")
    with pytest.raises(BadInput, match="no column 'measured'"):
        relattr.plot_accuracy(table.drop(columns="measured"))
    with pytest.raises(BadInput, match="no accuracy to draw"):
        relattr.plot_accuracy([])


def test_a_ranking_is_drawn_from_least_to_most(task, model):
    images = task.tests[0].images
    axes = relattr.plot_ranking(model, images, n=4)
    order = np.argsort(model.strength(images))
    assert axes.shape == (4,)
    np.testing.assert_array_equal(axes[0].images[0].get_array(), images[int(order[0])])
    np.testing.assert_array_equal(axes[3].images[0].get_array(), images[int(order[-1])])
    titles = [float(ax.get_title()) for ax in axes]
    assert titles == sorted(titles)
    with pytest.raises(BadInput, match="n is 0"):
        relattr.plot_ranking(model, images, n=0)
    with pytest.raises(BadInput, match="nothing to draw"):
        relattr.plot_ranking(model, [])


def test_the_chosen_image_of_a_pair_is_framed(task, model):
    images = task.tests[0].images
    strengths = model.strength(images)
    weak, strong = int(strengths.argmin()), int(strengths.argmax())
    pairs = Pairs([strong, strong, weak], [weak, weak, strong], [1, -1, 0])
    axes = relattr.plot_pairs(model, images, pairs)
    frames = [[to_hex(ax.spines["left"].get_edgecolor()) for ax in row] for row in axes]
    assert [frames[0][0], frames[1][0], frames[2][1]] == [RIGHT_COLOUR, WRONG_COLOUR, CHOICE_COLOUR]
    assert {frames[0][1], frames[1][1], frames[2][0]}.isdisjoint({RIGHT_COLOUR, WRONG_COLOUR, CHOICE_COLOUR})
    assert relattr.plot_pairs(model, images, [(0, 1)] * 9, n=2).shape == (2, 2)
    with pytest.raises(BadInput, match="nothing to draw"):
        relattr.plot_pairs(model, images, [])


def test_boxes_are_drawn_in_pixels(task, model, monkeypatch):
    images = task.tests[0].images
    with pytest.raises(BadInput, match="brightness has no boxes"):
        relattr.plot_boxes(model, images)
    monkeypatch.setattr(
        model.method,
        "__class__",
        type("Boxed", (InspectionMixin, type(model.method)), {"boxes": lambda self, x: np.full((len(x), 1, 4), 0.5)}),
    )
    axes = relattr.plot_boxes(model, images, n=3)
    assert axes.shape == (3,)
    assert axes[0].patches[0].get_xy() == (0.5 * 32 - 0.5, 0.5 * 32 - 0.5)
