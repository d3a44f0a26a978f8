"""Figure 5: nearest neighbours, and how similar their ranks are."""

import numpy as np
import pytest

from relattr import BadInput
from relattr.report.figures.neighbours import draw_neighbours, mean_rank_distance


def test_scores_replace_strengths(tmp_path, images, make_arrays):
    draw_neighbours(images, make_arrays().artifacts, tmp_path / "a.png", "A method", np.linspace(-5, 40, len(images)))
    draw_neighbours(images, make_arrays().artifacts, tmp_path / "b.png", "A method")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_indices_out_of_range_are_refused(tmp_path, images, make_arrays):
    artifacts = make_arrays().artifacts
    artifacts["neighbours"] = artifacts["neighbours"] + 8
    with pytest.raises(BadInput, match="do not fit 12 queries and 12 training images"):
        draw_neighbours(images, artifacts, tmp_path / "a.png", "")
    assert not list(tmp_path.iterdir())


def test_mean_rank_distance_equals_the_definition():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30)
    neighbours = rng.integers(0, 30, (30, 4))
    rank = {i: k for k, i in enumerate(sorted(range(30), key=lambda i: values[i]))}
    expected = np.mean([abs(rank[i] - rank[int(j)]) / 29 for i in range(30) for j in neighbours[i]])
    assert mean_rank_distance(neighbours, values) == pytest.approx(expected)
