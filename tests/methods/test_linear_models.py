"""Linear methods on feature blocks: inputs, scaling, and the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import relattr.backbones.extraction
import relattr.features.blocks
from relattr import check
from relattr.check import problem
from relattr.errors import BadInput, UnknownName
from relattr.harness.benchmark import load_benchmark
from relattr.images import Images
from relattr.method import Method
from relattr.needs import DEEP
from relattr.registry import registry
from relattr.run_settings import Run

Rows = NDArray[np.float32]


@pytest.fixture(autouse=True)
def discovered() -> None:
    registry.discover()


def method(name: str, **values: Any) -> Any:
    return registry.method(name).create(values)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Three numbers per image that depend on the name and the image; and a record of the requests."""
    calls: list[tuple[Any, ...]] = []

    def rows(name: str, images: Images) -> Rows:
        base = np.stack([image.reshape(-1, 3).mean(0) for image in images]).astype(np.float32)
        return base * (1 + len(name)) + 1

    def plain(name: str, images: Images, vocabulary: str) -> Rows:
        calls.append((name, vocabulary))
        return rows(name, images)

    def words(name: str, images: Images, seed: int, n_words: int, vocabulary: str) -> Rows:
        calls.append((f"{name} words", len(images), n_words, vocabulary))
        return np.full((n_words, 2), len(name), np.float32)

    def coded(name: str, images: Images, descriptors: Rows, vocabulary: str, threads: int) -> Rows:
        assert (descriptors == len(name)).all()
        calls.append((name, len(descriptors), vocabulary))
        return rows(name, images)

    def deep(images: Images, backbone: str, layer: str, device: str, normalise: str = "l2") -> Rows:
        calls.append((backbone, layer))
        return rows(layer, images)

    monkeypatch.setattr(relattr.features.blocks, "direct_features", plain)
    monkeypatch.setattr(relattr.features.blocks, "learn_dictionary", words)
    monkeypatch.setattr(relattr.features.blocks, "encoded_features", coded)
    monkeypatch.setattr(relattr.backbones.extraction, "cached_deep_features", deep)
    return calls


def test_rows_of_table_2_have_the_published_blocks() -> None:
    names = [row.method for row in load_benchmark("table2").rows if row.method.startswith("linear-")]
    methods = {name: method(name) for name in names}
    assert {name: methods[name].blocks for name in names} == {
        "linear-gist": ("gist",),
        "linear-color-histogram": ("color-histogram",),
        "linear-texture": ("texture",),
        "linear-color-patches": ("color-patches",),
        "linear-gradient": ("hog2x2", "hog3x3"),
        "linear-decaf": ("decaf",),
        "linear-objects": ("objects",),
        "linear-combined": (
            "gist",
            "color-histogram",
            "texture",
            "color-patches",
            "hog2x2",
            "hog3x3",
            "decaf",
            "objects",
        ),
    }
    assert [name for name in names if DEEP in methods[name].needs()] == [
        "linear-gist",
        "linear-decaf",
        "linear-objects",
        "linear-combined",
    ]
    own_colors = [name for name in names if any("Khan et al." in d for d in methods[name].deviations())]
    assert own_colors == ["linear-color-histogram", "linear-color-patches", "linear-combined"]
    assert any("SSIM" in d for d in method("svm-image-features").deviations())
    for name in names:  # each has its regression too
        assert method(name.replace("linear", "svr")).blocks == methods[name].blocks


def test_published_colour_names_are_a_need(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_WEIGHTS", str(tmp_path))
    (need,) = method("linear-color-histogram", vocabulary="DD50").needs()
    assert "DD50_w2c.mat" in (need.missing() or "")
    assert not method("linear-color-histogram", vocabulary="DD50").deviations()
    assert not method("linear-texture", vocabulary="DD50").needs()


def test_blocks_are_concatenated_each_of_length_1(asked: list[tuple[Any, ...]]) -> None:
    small = problem.make_problem()
    combined = method("linear-combined", C=1.0, words=7, backbone="squeezenet1_0", layer="pooled")
    combined.fit(small.train, Run())
    x = combined.features(small.test)
    assert x.shape == (problem.N_TEST, 8 * 3)
    np.testing.assert_allclose(np.linalg.norm(x.reshape(-1, 8, 3), axis=2), 1, atol=1e-6)
    np.testing.assert_allclose(combined.strength(small.test), x @ combined.coef_, atol=1e-5)
    assert ("color-patches words", problem.N_TRAIN, 7, "lattice") in asked
    assert {("squeezenet1_0", "pooled"), ("squeezenet1_0", "scores"), ("gist", "lattice")} <= set(asked)
    # words are learnt from training images, and never again
    assert sum(str(call[0]).endswith("words") for call in asked) == 3


def test_standardisation_uses_training_images(asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    small = problem.make_problem()
    svm = method("svm-image-features", C=1.0)
    svm.fit(small.train, Run())
    x = svm.features(small.train.images)
    assert x.shape == (problem.N_TRAIN, 4 * 3)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-4)
    assert abs(float(svm.features(small.test.subset([0])).mean())) < 3  # by those of training, not by its own
    constant = method("linear-gist", scaling="standard", C=1.0)
    monkeypatch.setattr(
        relattr.features.blocks,
        "direct_features",
        lambda name, images, vocabulary: np.stack([np.array([5, image.mean()], np.float32) for image in images]),
    )
    constant.fit(small.train, Run())
    assert (constant.features(small.test)[:, 0] == 0).all()


def test_without_scaling_deep_features_keep_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep features are unscaled; ``l2`` divides each by its length."""
    raw = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)

    def deep(images: Images, backbone: str, layer: str, device: str, normalise: str = "l2") -> Rows:
        return raw / np.linalg.norm(raw, axis=1, keepdims=True) if normalise == "l2" else raw.copy()

    monkeypatch.setattr(relattr.backbones.extraction, "cached_deep_features", deep)
    images = Images.from_arrays([np.zeros((8, 8, 3), np.uint8)] * 2)
    expected = {"none": raw, "l2": raw / [[5.0], [2.0]]}
    for scaling, rows in expected.items():
        linear = method("linear-decaf", scaling=scaling)
        linear.prepare(images, Run())
        np.testing.assert_allclose(linear.features(images), rows, rtol=1e-6)
    assert method("linear-decaf").scaling == method("svr-objects").scaling == "l2"


def test_unknown_block_is_refused() -> None:
    with pytest.raises(UnknownName, match="gost"):
        method("linear-gist", blocks=["gost"]).fit(problem.make_problem().train, Run())
    with pytest.raises(BadInput, match="blocks is empty"):
        method("linear-gist", blocks=[]).fit(problem.make_problem().train, Run())


@pytest.mark.parametrize("target", ["score", "rank"])
def test_regression_uses_scores_and_no_pairs(asked: list[tuple[Any, ...]], target: str) -> None:
    import dataclasses

    from relattr.pairs import Pairs
    from relattr.statistics import spearman

    small = problem.make_problem()
    svr = method("svr-texture", target=target)
    assert svr.uses_scores
    svr.fit(small.train, Run())
    assert svr.C_ in svr.Cs
    strengths = svr.strength(small.train.images)
    assert small.train.scores is not None
    assert (spearman(strengths, small.train.scores) or 0) > 0.9
    again = method("svr-texture", target=target)
    again.fit(dataclasses.replace(small.train, pairs=Pairs([0], [1], [1])), Run())
    np.testing.assert_array_equal(again.strength(small.train.images), strengths)
    # what is added to or multiplied with all scores changes nothing
    other = method("svr-texture", target=target)
    other.fit(dataclasses.replace(small.train, scores=5 * small.train.scores - 70), Run())
    np.testing.assert_allclose(other.strength(small.test), svr.strength(small.test), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["linear-color-histogram", "svr-texture"])
def test_satisfies_the_laws(name: str) -> None:
    findings = {str(c): c.run() for c in check.method_checks(name)}
    assert {what: f.detail for what, f in findings.items() if f.outcome != "passed"} == {}


def test_all_rows_create_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    named: Callable[[str], bool] = lambda n: n.startswith(("linear-", "svr-", "ranksvm-gist"))  # noqa: E731
    for name in filter(named, registry.methods):
        assert isinstance(method(name), Method)
        assert registry.methods[name].summary


def test_parikh_and_grauman_use_the_spatial_layer() -> None:
    row = method("parikh-grauman-cnn")
    assert (row.layer, row.C) == ("spatial", 0.1)


def test_a_choice_of_c_at_an_end_is_noted() -> None:
    row = method("ranksvm-hog2x2")
    row.C_, row.C_end_ = 1e9, "upper"
    assert any("C = 1e+09 is the upper end" in text for text in row.notes())
    row.C_end_ = ""
    assert not any("end of the values" in text for text in row.notes())
    regression = method("svr-gist")
    for c, noted in ((0.01, True), (1.0, False), (100.0, True)):
        regression.C_ = c
        assert any("is an end of the values" in text for text in regression.notes()) == noted
