"""Votes over five attributes: with given answers, and with models that learn them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import relattr.backbones.extraction
from relattr import check
from relattr.errors import BadInput
from relattr.images import Images, PairAnswers
from relattr.pairs import Pairs
from relattr.registry import registry
from relattr.run_settings import Run
from relattr.task import TrainingSet

FIVE = ("animal", "synthetically-generated", "beautiful", "explicit", "sexual")


@pytest.fixture(autouse=True)
def discovered() -> None:
    registry.discover()


def grey(n: int) -> Images:
    return Images.from_arrays([np.full((2, 2, 3), k, np.uint8) for k in range(n)])


@pytest.mark.parametrize(
    ("name", "answerer", "signs"),
    [
        ("human-attributes-5", "annotators", (1, 1, -1, 1, 1)),
        ("svm-deep-attributes-5", "released-svms", (1, 1, -1, 1, -1)),
    ],
)
def test_vote_is_signed_sum_of_answers(name: str, answerer: str, signs: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    answers = rng.integers(-1, 2, (4, 5))
    couples = np.array([[0, 1], [3, 2], [4, 5], [7, 6]])
    images = grey(8).with_answers(answerer, PairAnswers(couples, answers, FIVE)).subset([7, 6, 5, 4, 3, 2, 1, 0])
    method = registry.method(name).create()
    method.fit(TrainingSet(images, Pairs([], [], [])), Run())
    # image k of the subset is image 7 - k of the collection; every second pair is the other way round
    pairs = Pairs([7, 5, 3, 1], [6, 4, 2, 0], [1, 1, -1, -1])
    expected = [sum(s * a for s, a in zip(signs, row, strict=True)) for row in answers.tolist()]
    margins = method.compare(images, pairs)
    assert margins.tolist() == [expected[0], -expected[1], -expected[2] * -1, -expected[3]]
    assert method.compare(images, pairs.swapped()).tolist() == (-margins).tolist()
    with pytest.raises(BadInput, match=f"{answerer} have no answer about pair 0"):
        method.compare(images, Pairs([0], [7], [1]))


def test_invalid_signs_are_refused() -> None:
    method = registry.method("human-attributes-5").create({"signs": [1, 1]})
    with pytest.raises(BadInput, match=r"signs are \[1, 1\]; expected 5 values, each -1, 0 or 1"):
        method.fit(TrainingSet(grey(2), Pairs([], [], [])), Run())


def latent(n: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Strengths of five attributes ``(n, 5)``, and features ``(n, 8)`` that are linear mixtures of them."""
    rng = np.random.default_rng(seed)
    five = rng.normal(size=(n, 5))
    mixing = np.random.default_rng(99).normal(size=(5, 8))
    return five, (five @ mixing + rng.normal(scale=0.05, size=(n, 8))).astype(np.float32)


def test_antisymmetric_svms_learn_and_sum_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 80
    five, x = latent(n, 0)

    def features(images: Images, *_: Any, **__: Any) -> np.ndarray[Any, Any]:
        return x[images.indices]

    monkeypatch.setattr(relattr.backbones.extraction, "cached_deep_features", features)
    rng = np.random.default_rng(3)
    first, second = np.triu_indices(60, 1)  # the last 20 images are never asked about
    some = rng.permutation(first.size)[:700]
    couples = np.stack([first[some], second[some]], axis=1)
    difference = five[couples[:, 0]] - five[couples[:, 1]]
    answers = np.where(np.abs(difference) < 0.4, 0, np.sign(difference)).astype(int)
    images = grey(n).with_answers("annotators", PairAnswers(couples, answers, FIVE))
    method = registry.method("svm-deep-attributes-5-sound").create({"C": 1.0})
    method.fit(TrainingSet(images.subset(np.arange(60)), Pairs([0], [1], [1])), Run())
    test = images.subset(np.arange(60, 80))
    truth = five[60:] @ np.array([1, 1, -1, 1, -1])
    strengths = method.strength(test)
    assert np.corrcoef(strengths, truth)[0, 1] > 0.97
    pairs = Pairs.from_scores(truth)
    np.testing.assert_allclose(method.compare(test, pairs.swapped()), -method.compare(test, pairs))
    # one attribute alone is the answers to one question
    for k in range(5):
        assert np.corrcoef(x[60:] @ vars(method)["attributes_"][k], five[60:, k])[0, 1] > 0.95
    # the labels of the pairs have no say
    again = registry.method("svm-deep-attributes-5-sound").create({"C": 1.0})
    again.fit(TrainingSet(images.subset(np.arange(60)), Pairs([0], [1], [-1])), Run())
    np.testing.assert_array_equal(again.strength(test), strengths)


@pytest.mark.parametrize("name", ["human-attributes-5", "svm-deep-attributes-5"])
def test_satisfies_the_laws(name: str) -> None:
    findings = {str(c): c.run() for c in check.method_checks(name)}
    assert {what: f.detail for what, f in findings.items() if f.outcome == "failed"} == {}
    not_passed = {what.removeprefix(f"{name}-"): f.outcome for what, f in findings.items() if f.outcome != "passed"}
    assert not_passed == {"noise": "exempt", "transitive": "not applicable"}
