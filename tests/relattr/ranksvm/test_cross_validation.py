"""Selection of C: folds share no image, and counts are summed correctly."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.random import generator
from relattr.ranksvm import RankSVM, RankSVMCV
from relattr.ranksvm.cross_validation import _search, lowest_c, split_by_image


def problem(n: int, d: int, m: int, seed: int = 0) -> tuple[np.ndarray, Pairs, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    strengths = x[:, 0] + 0.5 * rng.normal(size=n)
    return x, Pairs.from_scores(strengths, count=m, seed=seed), strengths


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("kind", ["dense", "implied", "one pair per image", "components of five"])
def test_folds_share_no_image(folds: int, kind: str) -> None:
    _, pairs, strengths = problem(200, 2, 4000)
    if kind == "implied":
        pairs = Pairs.all_of(strengths, items=np.arange(300, 500))
    elif kind == "one pair per image":
        pairs = Pairs(np.arange(0, 200, 2), np.arange(1, 200, 2), np.ones(100, np.int8))
    elif kind == "components of five":
        centre = np.repeat(np.arange(0, 200, 5), 4)
        pairs = Pairs(centre, centre + np.tile([1, 2, 3, 4], 40), np.ones(160, np.int8))
    parts = split_by_image(pairs, folds, 0, 30)
    assert len(parts) == folds
    held_out_images = [set(held_out.images.tolist()) for _, held_out in parts]
    for (train, held_out), images in zip(parts, held_out_images, strict=True):
        assert not images & set(train.images.tolist())
        assert train.n_ordered > 0
        assert held_out.n_ordered > 0
    assert sum(map(len, held_out_images)) == len(set().union(*held_out_images))
    judged = sum(len(held_out) for _, held_out in parts)
    if kind in ("one pair per image", "components of five"):
        assert judged == len(pairs)
        assert all(len(train) + len(held_out) == len(pairs) for train, held_out in parts)
    sizes = [len(images) for images in held_out_images]
    assert max(sizes) - min(sizes) <= 5
    if kind == "implied":
        assert all(p.order is not None for part in parts for p in part)


def test_the_seed_determines_the_folds() -> None:
    _, pairs, _ = problem(60, 2, 600)

    def folds(seed: int) -> list[list[int]]:
        return [held_out.images.tolist() for _, held_out in split_by_image(pairs, 5, seed, 30)]

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


def test_accuracies_are_those_of_fits_without_the_fold() -> None:
    x, pairs, _ = problem(80, 6, 900)
    grid = [1.0, 1e-3, 30.0]
    model = RankSVMCV(grid, folds=4, seed=3, tol=1e-9).fit(x, pairs)
    parts = split_by_image(pairs, 4, 3, 30)
    assert model.Cs_.tolist() == sorted(grid)
    for k, c in enumerate(sorted(grid)):
        correct = total = 0
        for fold, (train, held_out) in enumerate(parts):
            s = x @ RankSVM(c, tol=1e-3).fit(x, train).coef_
            right = [np.sign(s[i] - s[j]) == y for i, j, y in zip(*held_out.arrays, strict=True) if y]
            assert model.fold_accuracies_[fold, k] == pytest.approx(np.mean(right), abs=2.5 / len(right))
            correct, total = correct + sum(right), total + len(right)
        assert model.accuracies_[k] == pytest.approx(correct / total, abs=4 / total)
    assert model.n_validation_pairs_ == total
    assert model.n_folds_ == 4
    assert model.Cs_[model.accuracies_.argmax()] == model.C_
    np.testing.assert_array_equal(model.coef_, RankSVM(model.C_, tol=1e-9).fit(x, pairs).coef_)
    np.testing.assert_array_equal(model.predict(x), model.ranksvm_.predict(x))
    assert model.score(x, pairs) == model.ranksvm_.score(x, pairs)


def test_noise_selects_stronger_regularisation() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 300))
    x[:, 0] *= 6
    pairs = Pairs.from_scores(x[:, 0] + 3 * rng.normal(size=120), count=2000, seed=0)
    model = RankSVMCV((1e-5, 1e2), seed=0).fit(x, pairs)
    assert model.C_ == 1e-5
    assert model.accuracies_[0] > model.accuracies_[1]


def test_ties_select_the_smallest_c() -> None:
    x = np.arange(40.0)[:, None]
    model = RankSVMCV((10.0, 1.0, 0.1)).fit(x, Pairs.all_of(np.arange(40.0)))
    assert model.accuracies_.tolist() == [1.0, 1.0, 1.0]
    assert model.C_ == 0.1


def test_few_pairs_give_fewer_folds() -> None:
    _, pairs, _ = problem(30, 2, 120)
    folds = len(split_by_image(pairs, 5, 0, 40))
    assert 2 <= folds < 5


def test_warns_when_c_cannot_be_selected() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    star = Pairs(np.zeros(9, int), np.arange(1, 10), np.ones(9, np.int8))  # one image is in all pairs
    with pytest.warns(UserWarning, match=r"C could not be selected.*using C = 0.1"):
        model = RankSVMCV().fit(x, star)
    assert model.C_ == 0.1
    assert np.isnan(model.accuracies_).all()
    assert model.n_folds_ == 0
    assert RankSVMCV([3.0]).fit(x, star).C_ == 3.0  # a single candidate needs no selection


@pytest.mark.parametrize("kind", ["explicit", "implied"])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_search_starts_where_regularisation_decides(kind: str, scale: float) -> None:
    x, pairs, strengths = problem(40, 5, 700)
    if kind == "implied":
        pairs = Pairs.all_of(strengths)
    trace = sum(((scale * (x[i] - x[j])) ** 2).sum() for i, j in zip(pairs.left, pairs.right, strict=True))
    C = lowest_c(scale * x, pairs)
    assert C * trace <= 0.1 < 10 * C * trace
    assert np.log10(C) == pytest.approx(round(np.log10(C)))
    mean_difference = sum(y * (x[i] - x[j]) for i, j, y in zip(*pairs.arrays, strict=True))
    direction = RankSVM(C, tol=1e-10).fit(scale * x, pairs).coef_
    cosine = direction @ mean_difference / np.linalg.norm(direction) / np.linalg.norm(mean_difference)
    assert cosine > 0.999  # and the same for any smaller C


def test_identical_features_still_give_a_grid_of_c() -> None:
    assert lowest_c(np.ones((4, 3)), Pairs.all_of(np.arange(4.0))) == 1e-4


def test_search_follows_the_scale_of_features_and_pairs() -> None:
    x, pairs, _ = problem(80, 6, 900)
    usual = RankSVMCV().fit(x, pairs)
    larger = RankSVMCV().fit(100 * x, pairs)
    np.testing.assert_allclose(larger.Cs_, usual.Cs_ / 1e4)
    assert pytest.approx(usual.C_ / 1e4) == larger.C_
    np.testing.assert_allclose(100 * larger.coef_, usual.coef_, rtol=1e-2, atol=1e-3)
    many = RankSVMCV(seed=0).fit(x, Pairs.concatenate([pairs] * 10))
    np.testing.assert_allclose(many.Cs_, usual.Cs_[: many.Cs_.size] / 10)  # it may end earlier: its errors are smaller
    assert pytest.approx(usual.C_ / 10) == many.C_


def test_the_default_search_goes_below_a_fixed_grid() -> None:
    """Large features and a hundred pairs per image: the best C is far below 1e-4."""
    rng = np.random.default_rng(0)
    x = 30 * rng.normal(size=(200, 400))
    x[:, :10] *= 3
    pairs = Pairs.all_of(x[:, :10].sum(1) / 30 + 5 * rng.normal(size=200))
    model, fixed = RankSVMCV(seed=1).fit(x, pairs), RankSVMCV((1e-3, 1e-2, 1e-1), seed=1).fit(x, pairs)
    assert model.C_ <= 1e-5
    assert model.end_ == ""
    assert (fixed.C_, fixed.end_) == (1e-3, "lower")
    assert model.accuracies_.max() > fixed.accuracies_.max() + 0.01


class Accuracies:
    """Validation accuracies for C = 1e-3, 1e-2, ... from a list, on 10,000 pairs."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def counts(self, candidates: list[float]) -> np.ndarray:
        (c,) = candidates
        return np.array([[[10_000 * self.values[round(np.log10(c)) + 3], 10_000]]])


@pytest.mark.parametrize(
    ("values", "evaluated"),
    [
        ((0.60, 0.70, 0.65, 0.66, 0.99), 4),  # two in a row are clearly worse than the best
        ((0.60, 0.70, 0.699, 0.65, 0.69, 0.99), 5),  # 0.699 is within a standard error, 0.0046
        ((0.6,) * 8 + (0.9,), 8),  # the best is not the last of eight
        ((0.60, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67, 0.68, 0.675, 0.9), 10),  # goes on while the last is best
        (tuple(np.linspace(0.6, 0.7, 20)), 14),
    ],
)
def test_search_ends_past_the_best_value(values: tuple[float, ...], evaluated: int) -> None:
    C, counts = _search(Accuracies(*values), 1e-3)  # type: ignore[arg-type]
    np.testing.assert_allclose(C, 10.0 ** np.arange(-3, evaluated - 3))
    assert counts.shape == (1, evaluated, 2)


def test_c_is_chosen_on_a_sample_of_many_pairs() -> None:
    x, pairs, _ = problem(80, 6, 2000)
    model = RankSVMCV((1e-3, 1.0), folds=3, seed=2, max_pairs=500, C_similar=0.1).fit(x, pairs)
    sample = pairs.take(np.sort(generator(2, "pairs").choice(2000, 500, replace=False)))
    for k, c in enumerate((1e-3, 1.0)):
        for fold, (train, held_out) in enumerate(split_by_image(sample, 3, 2, 30)):
            expected = RankSVM(4 * c, C_similar=0.4, tol=1e-3).fit(x, train).score(x, held_out)
            assert model.fold_accuracies_[fold, k] == pytest.approx(expected, abs=2.5 / held_out.n_ordered)
    np.testing.assert_array_equal(model.coef_, RankSVM(model.C_, C_similar=0.1).fit(x, pairs).coef_)
    every = RankSVMCV((1e-3, 1.0), folds=3, seed=2, max_pairs=2000).fit(x, pairs)
    assert every.n_validation_pairs_ > 3 * model.n_validation_pairs_


def test_parameters() -> None:
    x, pairs, _ = problem(60, 3, 300)
    assert clone(RankSVMCV((1.0, 2.0), folds=3, seed=7)).get_params()["seed"] == 7
    for parameters, message in [
        ({"Cs": ()}, "Cs is empty"),
        ({"Cs": (1.0, -1.0)}, "each of Cs is -1"),
        ({"folds": 1}, "folds is 1"),
        ({"folds": 2.5}, "folds is 2.5"),
        ({"max_pairs": 0}, "max_pairs is 0"),
        ({"loss": "hinge"}, "loss is 'hinge'"),
        ({"tol": -1}, "tol is -1"),
    ]:
        with pytest.raises(BadInput, match=message):
            RankSVMCV(**parameters).fit(x, pairs)
