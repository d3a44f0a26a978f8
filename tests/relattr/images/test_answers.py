"""Answers about pairs: lookup in either order, compared with a dictionary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.images import Images, PairAnswers


def make_answers(n: int = 30, k: int = 3, seed: int = 0) -> tuple[PairAnswers, dict[tuple[int, int], list[int]]]:
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(12, 1)
    some = rng.permutation(first.size)[:n]
    pairs = np.stack([first[some], second[some]], axis=1)
    pairs[::2] = pairs[::2, ::-1]
    answers = rng.integers(-1, 2, (n, k))
    known = {}
    for (a, b), row in zip(pairs.tolist(), answers.tolist(), strict=True):
        known[a, b] = row
        known[b, a] = [-x for x in row]
    return PairAnswers(pairs, answers, [f"q{i}" for i in range(k)]), known


def test_answers_equal_a_dictionary() -> None:
    answers, known = make_answers()
    assert len(answers) == 30
    left, right = (side.ravel() for side in np.meshgrid(np.arange(14), np.arange(14)))
    left, right = left[left != right], right[left != right]
    result, there = answers.of(left, right)
    for a, b, row, is_there in zip(left.tolist(), right.tolist(), result.tolist(), there.tolist(), strict=True):
        assert is_there == ((a, b) in known)
        assert row == known.get((a, b), [0, 0, 0])


def test_swapped_pairs_have_negated_answers() -> None:
    answers, _ = make_answers()
    left, right = np.arange(11), np.arange(1, 12)
    forth, back = answers.of(left, right), answers.of(right, left)
    np.testing.assert_array_equal(forth[0], -back[0])
    np.testing.assert_array_equal(forth[1], back[1])


def test_answers_among_some_images() -> None:
    answers, known = make_answers()
    images = [7, 2, 11, 0, 5, 99]
    left, right, result = answers.among(images)
    listed = {(images[a], images[b]): row for a, b, row in zip(left, right, result.tolist(), strict=True)}
    expected = {pair for pair in known if set(pair) <= set(images)}
    assert {frozenset(pair) for pair in listed} == {frozenset(pair) for pair in expected}
    assert len(listed) == len(expected) // 2
    assert all(known[pair] == row for pair, row in listed.items())
    with pytest.raises(BadInput, match="given twice"):
        answers.among([1, 1])


def test_an_empty_set_of_answers() -> None:
    none = PairAnswers(np.zeros((0, 2)), np.zeros((0, 2)), ["a", "b"])
    result, there = none.of([0, 1], [2, 3])
    assert result.shape == (2, 2)
    assert not there.any()
    assert [part.size for part in none.among([3, 1])] == [0, 0, 0]


def test_subsets_of_images_keep_their_answers() -> None:
    images = Images.from_arrays([np.full((2, 2, 3), k, np.uint8) for k in range(12)])
    answers, known = make_answers()
    part = images.with_answers("people", answers).subset([5, 3, 8, 1]).subset([2, 0])
    result, _ = part.answers["people"].of(part.indices[[0]], part.indices[[1]])
    assert result[0].tolist() == known.get((8, 5), [0, 0, 0])
    assert not images.answers  # the collection itself stays as it was
    assert set(part.with_answers("others", answers).answers) == {"people", "others"}


@pytest.mark.parametrize(
    ("pairs", "answers", "match"),
    [
        ([[0, 1]], [[1, 1]], r"\(n, 1\)"),
        ([[0, 1, 2]], [[1]], r"must be \(n, 2\)"),
        ([[0, 1]], [[2]], r"must be \+1, -1 or 0"),
        ([[-1, 1]], [[1]], "positions"),
        ([[4, 4]], [[1]], "image 4 is paired with itself"),
        ([[0, 1], [1, 0]], [[1], [1]], "images 0 and 1 are paired twice"),
    ],
)
def test_invalid_answers_raise(pairs: Any, answers: Any, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        PairAnswers(pairs, answers, ["q"])
