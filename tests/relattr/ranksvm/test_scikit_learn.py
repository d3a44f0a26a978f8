"""`RankSVM` and `RankSVMCV` keep scikit-learn's conventions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from relattr import Pairs, RankSVM, RankSVMCV
from relattr.errors import BadInput


@pytest.mark.filterwarnings("ignore:C could not be selected:UserWarning")  # for the tiny data of some checks
@parametrize_with_checks([RankSVM(), RankSVMCV(folds=2)])
def test_the_checks_of_scikit_learn_pass(estimator, check):
    """All of them apply; scikit-learn itself skips the one of array libraries other than NumPy."""
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    return X, X @ np.array([3.0, -1.0, 0.0, 0.5, 0.0]) + 0.1 * rng.standard_normal(60)


@pytest.mark.parametrize("model", [RankSVM(), RankSVMCV(folds=3)])
def test_scores_are_all_pairs_of_the_rows(data, model):
    X, y = data
    by_scores, by_pairs = clone(model).fit(X, y), clone(model).fit(X, Pairs.all_of(y))
    np.testing.assert_array_equal(by_scores.coef_, by_pairs.coef_)
    assert by_scores.score(X, y) == by_pairs.score(X, Pairs.all_of(y)) > 0.95
    column = clone(model).fit(X, y[:, None])
    np.testing.assert_array_equal(column.coef_, by_scores.coef_)


def test_score_is_the_share_of_pairs_in_the_right_order(data):
    X, y = data
    model = RankSVM(C=0.001).fit(X, y)
    strengths = model.predict(X)
    i, j = np.triu_indices(len(y), 1)
    assert model.score(X, y) == np.mean((strengths[i] - strengths[j]) * (y[i] - y[j]) > 0)


def test_it_works_in_a_pipeline_and_a_search(data):
    X, y = data
    search = GridSearchCV(make_pipeline(StandardScaler(), RankSVM()), {"ranksvm__C": [1e-6, 0.1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert search.best_params_["ranksvm__C"] in (1e-6, 0.1)


def test_names_of_features_are_kept_and_compared(data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = RankSVM().fit(frame, y)
    assert list(model.feature_names_in_) == list("abcde")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("edcba")])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (np.zeros(3), r"a score for each of the 60 images in X; got float64 of shape \(3,\)"),
        (["a"] * 60, "a score for each of the 60 images in X; got list"),
        (np.full(60, np.nan), "is not a finite number"),
        (np.zeros(60), "expected at least one ordered pair"),
    ],
)
def test_targets_that_are_not_valid_are_refused(data, y, message):
    for model in (RankSVM(), RankSVMCV()):
        with pytest.raises(BadInput, match=message):
            model.fit(data[0], y)
