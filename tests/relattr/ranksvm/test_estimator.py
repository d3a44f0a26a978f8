"""RankSVM compared with a reference solver on explicit pair differences; invariances; errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import check_no_attributes_set_in_init, check_parameters_default_constructible

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM, RankSVMCV, fit_many


def objective(x: np.ndarray, pairs: Pairs, w: np.ndarray, c: float, c_similar: float, loss: str) -> tuple:
    """The objective |w|²/2 + C/2 Σ max(0, 1 - w·d)² + C_S/2 Σ (w·d)² and its gradient, from explicit differences d.

    With the loss "logistic", C Σ log(1 + exp(-w·d)) replaces the second term.
    """
    x = x.astype(np.float64)
    left, right, label = pairs.arrays
    d = x[left] - x[right]
    ordered = d[label != 0] * label[label != 0, None]
    similar = d[label == 0]
    m, e = ordered @ w, similar @ w
    value = 0.5 * w @ w + 0.5 * c_similar * (e @ e)
    gradient = w + c_similar * similar.T @ e
    if loss == "squared_hinge":
        xi = np.maximum(0, 1 - m)
        return value + 0.5 * c * (xi @ xi), gradient - c * ordered.T @ xi
    return value + c * np.logaddexp(0, -m).sum(), gradient - c * ordered.T @ (1 / (1 + np.exp(m)))


def reference(x: np.ndarray, pairs: Pairs, c: float, c_similar: float, loss: str) -> float:
    result = minimize(
        lambda w: objective(x, pairs, w, c, c_similar, loss),
        np.zeros(x.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 50},
    )
    return float(result.fun)


def problem(n: int, d: int, m: int, similar: float = 0.2, seed: int = 0, noise: float = 0.5) -> tuple:
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(n, 8)) @ rng.normal(size=(8, d)) + rng.normal(size=(n, d)), 0).astype(np.float32)
    strengths = x @ rng.normal(size=d)
    strengths = strengths / strengths.std() + noise * rng.normal(size=n)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    gap = strengths[left] - strengths[right]
    label = np.where(abs(gap) < np.quantile(abs(gap), similar), 0, np.sign(gap)).astype(np.int8)
    return x, Pairs(left, right, label), strengths


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
@pytest.mark.parametrize(("n", "d"), [(60, 25), (30, 80), (1500, 12)])
@pytest.mark.parametrize("similar", [0.0, 0.3])
@pytest.mark.parametrize("c", [0.01, 1.0])
def test_reaches_the_minimum_of_a_reference_solver(loss: str, n: int, d: int, similar: float, c: float) -> None:
    x, pairs, _ = problem(n, d, 800, similar)
    model = RankSVM(c, C_similar=2 * c, loss=loss, tol=1e-9).fit(x, pairs)
    best = reference(x, pairs, c, 2 * c, loss)
    exact, gradient = objective(x, pairs, model.coef_, c, 2 * c, loss)
    assert exact == pytest.approx(best, rel=1e-6)
    assert model.objective_ == pytest.approx(exact, rel=1e-6)
    assert 0.5 * gradient @ gradient <= 2e-9 * exact
    assert model.converged_


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
@pytest.mark.parametrize(("n", "d"), [(50, 12), (40, 90)])
@pytest.mark.parametrize("levels", [4, None])
def test_implied_pairs_equal_explicit_ones(loss: str, n: int, d: int, levels: int | None) -> None:
    x, _, strengths = problem(n, d, 10)
    if levels:
        strengths = np.digitize(strengths, np.quantile(strengths, np.arange(1, levels) / levels)).astype(float)
    implied = Pairs.all_of(strengths[:-4], items=np.arange(n)[::-1][:-4], seed=3)
    listed = Pairs(*implied.arrays)
    a = RankSVM(0.05, loss=loss, tol=1e-10).fit(x, implied)
    b = RankSVM(0.05, loss=loss, tol=1e-10).fit(x, listed)
    assert implied.order is not None
    assert a.objective_ == pytest.approx(b.objective_, rel=1e-8)
    assert a.objective_ == pytest.approx(reference(x, listed, 0.05, 0.05, loss), rel=1e-6)
    np.testing.assert_allclose(a.predict(x) - a.predict(x).mean(), b.predict(x) - b.predict(x).mean(), atol=1e-3)


def test_implied_pairs_are_never_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, strengths = problem(60, 10, 10)
    pairs = Pairs.all_of(strengths)
    monkeypatch.setattr(Pairs, "arrays", property(lambda self: pytest.fail("the pairs were enumerated")))
    model = RankSVM().fit(x, pairs)
    model.score(x, pairs)
    RankSVMCV(Cs=(0.01, 0.1)).fit(x, pairs)


def test_the_gap_bounds_the_distance_to_the_minimum() -> None:
    x, pairs, _ = problem(80, 20, 600)
    best = RankSVM(1.0, tol=1e-13).fit(x, pairs).objective_
    for tol in (1e-1, 1e-2, 1e-4):
        model = RankSVM(1.0, tol=tol).fit(x, pairs)
        assert model.gap_ <= tol * model.objective_
        assert best * (1 - 1e-12) <= model.objective_ <= best + model.gap_


def test_swapping_sides_and_reordering_pairs_change_nothing() -> None:
    x, pairs, _ = problem(80, 20, 500)
    w = RankSVM(tol=1e-12).fit(x, pairs).coef_
    np.testing.assert_array_equal(RankSVM(tol=1e-12).fit(x, pairs.swapped()).coef_, w)
    shuffled = pairs.take(np.random.default_rng(0).permutation(len(pairs)))
    np.testing.assert_allclose(RankSVM(tol=1e-12).fit(x, shuffled).coef_, w, atol=1e-6)
    turned = pairs.random_sides(5)
    np.testing.assert_allclose(RankSVM(tol=1e-12).fit(x, turned).coef_, w, atol=1e-6)


def test_a_pair_given_twice_counts_twice() -> None:
    x, pairs, _ = problem(80, 20, 300)
    twice = Pairs.concatenate([pairs, pairs])
    a = RankSVM(0.2, tol=1e-12).fit(x, pairs)
    b = RankSVM(0.1, tol=1e-12).fit(x, twice)
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-6)
    assert a.objective_ == pytest.approx(b.objective_, rel=1e-9)


def test_opposite_labels_give_the_opposite_direction() -> None:
    x, pairs, _ = problem(80, 20, 300)
    against = Pairs(pairs.left, pairs.right, -pairs.label)
    np.testing.assert_allclose(RankSVM().fit(x, against).coef_, -RankSVM().fit(x, pairs).coef_, atol=1e-12)


def test_similar_pairs_have_their_weight() -> None:
    x, pairs, _ = problem(80, 20, 300, similar=0.4)
    without = RankSVM(0.1, tol=1e-12).fit(x, pairs.ordered()).coef_
    np.testing.assert_allclose(RankSVM(0.1, C_similar=0, tol=1e-12).fit(x, pairs).coef_, without, atol=1e-6)
    same = RankSVM(0.1).fit(x, pairs).coef_
    np.testing.assert_array_equal(RankSVM(0.1, C_similar=0.1).fit(x, pairs).coef_, same)
    gaps = pairs.similar()
    apart = [
        float(np.abs((x[gaps.left] - x[gaps.right]) @ RankSVM(0.1, C_similar=c).fit(x, pairs).coef_).mean())
        for c in (1e-3, 1.0, 1e3)
    ]
    assert apart[0] > apart[1] > apart[2]


@pytest.mark.parametrize(("n", "d"), [(100, 30), (30, 100)])
def test_a_tiny_weight_still_orders_the_pairs(n: int, d: int) -> None:
    x, pairs, _ = problem(n, d, 400)
    model = RankSVM(1e-12, tol=1e-2).fit(x, pairs)
    difference = ((x[pairs.left] - x[pairs.right]) * pairs.label[:, None]).sum(0)  # the direction for C -> 0
    cosine = model.coef_ @ difference / np.linalg.norm(model.coef_) / np.linalg.norm(difference)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_contradictory_pairs_give_zero_weights() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    model = RankSVM().fit(x, Pairs([0, 1], [1, 0], [1, 1]))
    assert not model.coef_.any()
    assert model.converged_
    assert model.objective_ == pytest.approx(0.1)


@pytest.mark.parametrize(("n", "d"), [(100, 30), (30, 100)])
def test_a_shift_of_all_features_changes_nothing(n: int, d: int) -> None:
    x, pairs, _ = problem(n, d, 400)
    x = x.astype(np.float64)
    a = RankSVM(tol=1e-10).fit(x, pairs)
    b = RankSVM(tol=1e-10).fit(x + 1000.0, pairs)
    assert a.objective_ == pytest.approx(b.objective_, rel=1e-6)
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(300, 40), (40, 300)])
def test_float32_agrees_with_float64_and_is_not_copied(n: int, d: int) -> None:
    x, pairs, _ = problem(n, d, 2000)
    a = RankSVM(1.0).fit(x, pairs)
    b = RankSVM(1.0).fit(x.astype(np.float64), pairs)
    assert a.objective_ == pytest.approx(b.objective_, rel=2e-6)
    assert objective(x, pairs, a.coef_, 1.0, 1.0, "squared_hinge")[0] == pytest.approx(a.objective_, rel=1e-6)
    assert a.coef_.dtype == np.float64


def test_only_images_in_pairs_matter() -> None:
    x, pairs, _ = problem(60, 10, 300)
    more = np.concatenate([np.full((200, 10), 7.0, np.float32), x])
    moved = Pairs(pairs.left + 200, pairs.right + 200, pairs.label)
    np.testing.assert_allclose(RankSVM().fit(more, moved).coef_, RankSVM().fit(x, pairs).coef_, atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(300, 40), (40, 300)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_fit_many_equals_separate_fits(n: int, d: int, dtype: type, loss: str) -> None:
    x, pairs, strengths = problem(n, d, 700)
    x = x.astype(dtype)
    _, other, _ = problem(n, d, 300, seed=1)
    some_implied = Pairs.all_of(strengths[: n // 2])
    problems = [(p, c) for p in (pairs, other, some_implied) for c in 10.0 ** np.linspace(-3, 0, 10)]
    together = fit_many(x, problems, loss=loss, tol=1e-7)
    for (p, c), model in zip(problems, together, strict=True):
        alone = RankSVM(c, loss=loss, tol=1e-7).fit(x, p)
        assert c == model.C
        assert model.objective_ == pytest.approx(alone.objective_, rel=1e-6)
        exact = objective(x, p, model.coef_, c, c, loss)[0]
        assert exact == pytest.approx(alone.objective_, rel=1e-6)
    assert fit_many(x, []) == []


def test_results_are_reproducible_bit_by_bit() -> None:
    x, pairs, _ = problem(400, 50, 3000)
    np.testing.assert_array_equal(RankSVM().fit(x, pairs).coef_, RankSVM().fit(x, pairs).coef_)
    a, b = (fit_many(x, [(pairs, c) for c in np.linspace(0.01, 10, 30)]) for _ in range(2))
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.coef_, two.coef_)


def test_input_is_not_modified() -> None:
    x, pairs, _ = problem(60, 20, 100)
    before = x.copy()
    x.flags.writeable = False
    RankSVM().fit(x, pairs).predict(x)
    np.testing.assert_array_equal(x, before)


def test_memory_layouts_and_dtypes_of_features() -> None:
    x, pairs, _ = problem(60, 20, 100)
    w = RankSVM().fit(x, pairs).coef_
    np.testing.assert_array_equal(RankSVM().fit(np.asfortranarray(x), pairs).coef_, w)
    np.testing.assert_array_equal(RankSVM().fit(np.repeat(x, 2, axis=0)[::2], pairs).coef_, w)
    whole = (x * 10).astype(np.int64)
    np.testing.assert_array_equal(RankSVM().fit(whole, pairs).coef_, RankSVM().fit(whole.astype(float), pairs).coef_)


def test_duplicate_and_constant_images() -> None:
    x = np.ones((6, 20))
    x[3:] = 2.0
    model = RankSVM(1.0).fit(x, Pairs([3, 4, 0], [0, 1, 1], [1, 1, -1]))
    s = model.predict(x)
    assert s[3] > s[0]
    assert np.isfinite(model.coef_).all()


def test_predict_and_score() -> None:
    x, pairs, strengths = problem(60, 20, 300, similar=0.3, noise=0.0)
    model = RankSVM(10.0).fit(x, pairs)
    np.testing.assert_allclose(model.predict(x), x.astype(float) @ model.coef_)
    s = model.predict(x)
    right = [np.sign(s[i] - s[j]) == y for i, j, y in zip(*pairs.arrays, strict=True) if y]
    assert model.score(x, pairs) == pytest.approx(np.mean(right))
    implied = Pairs.all_of(np.round(strengths))
    assert model.score(x, implied) == pytest.approx(model.score(x, Pairs(*implied.arrays)))
    assert model.score(np.ones((60, 20)), pairs) == 0.0  # all tied: all wrong
    assert model.score(np.ones((60, 20)), implied) == 0.0
    with pytest.raises(BadInput, match="none"):
        model.score(x, pairs.similar())


def test_scikit_learn_conventions() -> None:
    model = RankSVM(3.0, C_similar=0.5, loss="logistic", tol=1e-3)
    assert clone(model).get_params() == model.get_params()
    assert RankSVM().set_params(C=2.0).C == 2.0
    for kind in (RankSVM, RankSVMCV):
        check_no_attributes_set_in_init(kind.__name__, kind())
        check_parameters_default_constructible(kind.__name__, kind())
        with pytest.raises(NotFittedError):
            kind().predict(np.ones((2, 2)))
    x, pairs, _ = problem(30, 5, 60)
    fitted = RankSVM(0.3)
    assert fitted.fit(x, pairs) is fitted
    assert fitted.n_features_in_ == 5
    public = {k for k in vars(fitted) if not k.startswith("_")}
    assert {k for k in public if not k.endswith("_")} == set(fitted.get_params())
    assert not [k for k in vars(clone(fitted)) if k.endswith("_")]


def test_warns_if_it_did_not_converge() -> None:
    x, pairs, _ = problem(60, 20, 300)
    with pytest.warns(ConvergenceWarning, match="1 Newton steps"):
        model = RankSVM(10.0, max_newton=1, max_cg=1).fit(x, pairs)
    assert not model.converged_
    with pytest.warns(ConvergenceWarning, match="so did 1 more of 3"):
        fit_many(x, [(pairs, 1e-9), (pairs, 10.0), (pairs, 20.0)], max_newton=1, max_cg=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RankSVM(10.0).fit(x, pairs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("n", "d"), [(60, 20), (20, 60), (1300, 1200)])
def test_features_that_are_not_finite_are_named(value: float, n: int, d: int) -> None:
    x, pairs, _ = problem(n, d, 400)
    x[11, 7] = value
    for fit in (RankSVM().fit, lambda x, p: fit_many(x, [(p, 0.1)] * 5), RankSVMCV().fit):
        with pytest.raises(BadInput, match=r"X\[11, 7\] is .*image 11, feature 7"):
            fit(x, pairs)
    good = RankSVM().fit(np.nan_to_num(x, posinf=1, neginf=1), pairs)
    with pytest.raises(BadInput, match=r"X\[11, 7\]"):
        good.predict(x)


def test_invalid_arguments_are_refused() -> None:
    x, pairs, _ = problem(30, 5, 60)
    bad: list[tuple[object, object, str]] = [
        (x[:, 0], pairs, r"shape \(30,\)"),
        (x[:, :0], pairs, "a minimum of 1 is required"),
        (x.astype(complex), pairs, "real numbers"),
        (x[:3], pairs, "but X has 3 images"),
        (x, (pairs.left, pairs.right), r"must be a relattr\.Pairs, or a score .* got int32 of shape \(2, "),
        (x, Pairs([], [], []), "at least one ordered pair"),
        (x, pairs.similar(), "at least one ordered pair"),
        (x, Pairs.all_of(np.ones(30)), "at least one ordered pair"),
        (x[:3], Pairs.all_of(np.arange(30)), "image 29, but X has 3"),
    ]
    for features, p, message in bad:
        for model in (RankSVM(), RankSVMCV()):
            with pytest.raises(BadInput, match=message):
                model.fit(features, p)
    for parameters, message in [
        ({"C": 0}, "C is 0"),
        ({"C": -1.0}, "C is -1"),
        ({"C": float("nan")}, "C is nan"),
        ({"C": "1"}, "C is '1'"),
        ({"C": True}, "C is True"),
        ({"C_similar": -1}, "C_similar is -1"),
        ({"loss": "hinge"}, "squared_hinge, logistic"),
        ({"tol": 0}, "tol is 0"),
        ({"max_newton": 0}, "max_newton is 0"),
        ({"max_cg": 1.5}, "max_cg is 1.5"),
    ]:
        with pytest.raises(BadInput, match=message):
            RankSVM(**parameters).fit(x, pairs)
    with pytest.raises(BadInput, match="C from each problem"):
        fit_many(x, [(pairs, 1.0)], C=1.0)
    with pytest.raises(BadInput, match="is expecting 5 features as input"):
        RankSVM().fit(x, pairs).predict(np.ones((3, 4)))


@pytest.mark.parametrize("twins", [False, True])
def test_float32_with_few_images_is_as_accurate_as_float64(twins: bool) -> None:
    """K is rounded to float32, which does not change the minimum; duplicate images make K singular."""
    rng = np.random.default_rng(9)
    x = (5.0 + rng.normal(size=(60, 400))).astype(np.float32)
    if twins:
        x[30:] = x[:30]
    pairs = Pairs.from_scores(rng.normal(size=60), count=900, seed=1)
    for c in (1e-3, 10.0):
        narrow = RankSVM(c, tol=1e-10).fit(x, pairs)
        wide = RankSVM(c, tol=1e-10).fit(x.astype(np.float64), pairs)
        assert narrow.objective_ == pytest.approx(wide.objective_, rel=1e-9)
        assert narrow.objective_ == pytest.approx(
            objective(x, pairs, narrow.coef_, c, c, "squared_hinge")[0], rel=1e-10
        )
