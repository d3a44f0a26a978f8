"""The base class of methods: margins, saving and loading."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from relattr.errors import BadInput
from relattr.images import Images
from relattr.method import Method, strengths_in_pairs
from relattr.pairs import Pairs
from relattr.run_settings import Run
from relattr.task import TrainingSet


class Brightness(Method):
    """The mean grey level, to a power; counts the images."""

    gamma: float = 1.0

    def __post_init__(self):
        self.images_seen = []

    def fit(self, train, run):
        self.mean_ = float(np.mean([image.mean() for image in train.images]))
        self.weights_ = np.array([1.0, 2.0, 3.0], np.float32)
        self.kind_ = "bright"
        self.rounds_ = 3
        self.sure_ = True

    def strength(self, images):
        self.images_seen.append(images.indices.tolist())
        return np.array([(image.mean() - self.mean_) ** self.gamma for image in images]) * self.weights_[1]


@pytest.fixture
def images():
    levels = np.random.default_rng(0).integers(0, 256, 12)
    return Images.from_arrays([np.full((3, 3, 3), level, np.uint8) for level in levels])


@pytest.fixture
def fitted(images):
    method = Brightness()
    method.fit(TrainingSet(images, Pairs([0], [1], [1])), Run())
    return method


def test_margins_are_differences_of_strengths(fitted, images):
    pairs = Pairs([0, 5, 5, 3], [1, 2, 9, 0], [1, 1, -1, 0])
    one_by_one = [
        float(fitted.strength(images.subset([a]))[0] - fitted.strength(images.subset([b]))[0])
        for a, b in zip(pairs.left, pairs.right, strict=True)
    ]
    np.testing.assert_allclose(fitted.compare(images, pairs), one_by_one)
    np.testing.assert_array_equal(fitted.compare(images, pairs.swapped()), -fitted.compare(images, pairs))


def test_the_strength_of_each_image_is_computed_once(fitted, images):
    fitted.compare(images, Pairs.all_of([3, 1, 2, 5], items=[7, 2, 9, 4]))
    fitted.compare(images, Pairs([3, 3, 3], [1, 1, 0], [1, 1, 0]))
    assert fitted.images_seen == [[2, 4, 7, 9], [0, 1, 3]]


def test_images_without_a_pair_have_no_strength(fitted, images):
    strengths = strengths_in_pairs(fitted, images, Pairs([2], [8], [1]))
    assert strengths.shape == (12,)
    assert np.flatnonzero(np.isfinite(strengths)).tolist() == [2, 8]


def test_without_pairs_no_strength_is_computed(fitted, images):
    assert fitted.compare(images, Pairs([], [], [])).shape == (0,)
    assert fitted.images_seen == []


def test_a_strength_of_the_wrong_shape_raises(images):
    class Wrong(Method):
        def strength(self, images):
            return np.zeros((len(images), 1))

    with pytest.raises(BadInput, match=r"Wrong.strength returned shape \(2, 1\) for 2 images"):
        Wrong().compare(images, Pairs([0], [1], [1]))


def test_a_method_that_overrides_compare_has_no_strength():
    class Joint(Method):
        def compare(self, images, pairs):
            return np.zeros(len(pairs))

    class Inherits(Joint):
        pass

    assert Brightness().has_strength
    assert not Joint().has_strength
    assert not Inherits().has_strength


def test_an_incomplete_method_names_what_is_missing(images):
    class Nothing(Method):
        pass

    with pytest.raises(TypeError, match=r"Nothing does not define fit"):
        Nothing().fit(TrainingSet(images, Pairs([], [], [])), Run())
    with pytest.raises(TypeError, match=r"neither strength\(images\) nor compare"):
        Nothing().compare(images, Pairs([0], [1], [1]))


# ---------------------------------------------------------------------- keeping what was fitted


def test_a_loaded_method_gives_the_same_margins(fitted, images, tmp_path):
    pairs = Pairs.all_of(np.arange(12.0))
    fitted.save(tmp_path / "m.npz")
    again = Brightness()
    again.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.compare(images, pairs), fitted.compare(images, pairs))
    assert set(again.state()) == {"mean_", "weights_", "kind_", "rounds_", "sure_"}
    assert (again.kind_, again.rounds_, again.sure_, again.mean_) == ("bright", 3, True, fitted.mean_)
    assert [type(v) for v in (again.kind_, again.rounds_, again.sure_, again.mean_)] == [str, int, bool, float]
    assert again.weights_.dtype == np.float32


def test_nothing_in_a_saved_file_is_pickled(fitted, tmp_path):
    fitted.save(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz") as file:
        for name in file.namelist():
            with file.open(name) as member:
                assert np.lib.format.read_array(member, allow_pickle=False) is not None


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1},
        {1, 2},
        None,
        object(),
        [[1], [1, 2]],
        [1, "a", None],
        2**100,
        lambda: 0,
        b"bytes",
        1j,
        np.array([None]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_state_that_requires_pickle_raises(fitted, tmp_path, value):
    fitted.odd_ = value
    with pytest.raises(BadInput, match=r"Brightness.odd_ is a "):
        fitted.save(tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []


def test_only_learned_attributes_are_state(fitted):
    fitted._hidden_, fitted.plain = 1, 2
    assert set(fitted.state()) == {"mean_", "weights_", "kind_", "rounds_", "sure_"}


def damaged():
    yield "gone", None
    yield "empty", b""
    yield "text", b"hello"
    yield "pickle", pickle.dumps({"mean_": 1})


@pytest.mark.parametrize(("name", "content"), list(damaged()))
def test_loading_another_file_raises_an_error_that_names_it(tmp_path, name, content):
    path = tmp_path / f"{name}.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"{name}\.npz does not hold a fitted Brightness"):
        Brightness().load(path)


@pytest.mark.parametrize("n_bytes", [0.2, 0.5, 0.9])
def test_loading_a_damaged_file_raises(fitted, tmp_path, n_bytes):
    fitted.big_ = np.random.default_rng(0).random(1000)
    path = tmp_path / "m.npz"
    fitted.save(path)
    content = path.read_bytes()
    for damage in (content[: int(n_bytes * len(content))], content[:600] + bytes(50) + content[650:]):
        path.write_bytes(damage)
        method = Brightness()
        with pytest.raises(BadInput, match="does not hold a fitted"):
            method.load(path)
        assert method.state() == {}


def test_loading_other_arrays_raises(tmp_path):
    np.save(tmp_path / "m.npy", np.ones(3))
    with pytest.raises(BadInput, match="does not hold a fitted"):
        Brightness().load(tmp_path / "m.npy")
    np.savez(tmp_path / "o.npz", odd_=np.array([{}], dtype=object))
    with pytest.raises(BadInput, match="does not hold a fitted"):
        Brightness().load(tmp_path / "o.npz")


def test_methods_are_equal_by_identity_with_keyword_parameters():
    assert Brightness() != Brightness()
    assert Brightness(gamma=2.0).gamma == 2.0
    with pytest.raises(TypeError):
        Brightness(2.0)
