"""The parts of a task are consistent: pairs, scores, categories and boxes refer to existing images."""

from __future__ import annotations

import numpy as np
import pytest

from relattr.dataset import Dataset
from relattr.errors import BadInput
from relattr.images import Images
from relattr.pairs import Pairs
from relattr.task import Task, TaskName, TestSet, TrainingSet


@pytest.fixture
def images():
    return Images.from_arrays([np.zeros((2, 2, 3), np.uint8)] * 4)


PAIRS = Pairs([0, 1], [3, 2], [1, 0])
OUTSIDE = [Pairs([0, 1], [4, 2], [1, 0]), Pairs.all_of(np.arange(5.0)), Pairs.all_of([1.0, 2.0], items=[0, 7])]


def test_consistent_parts_are_accepted(images):
    train = TrainingSet(images, PAIRS, np.arange(4.0), np.array([0, 1, 1, 0]), ("a", "b"))
    assert train.pairs is PAIRS
    assert TestSet("test", images, PAIRS, boxes=np.zeros((4, 3, 4))).boxes.shape == (4, 3, 4)
    assert TrainingSet(images, Pairs([], [], [])).scores is None


@pytest.mark.parametrize("pairs", OUTSIDE)
def test_a_pair_of_a_missing_image_raises(images, pairs):
    image = pairs.images.max()
    with pytest.raises(BadInput, match=f"a training pair has image index {image}, but there are 4 images"):
        TrainingSet(images, pairs)
    with pytest.raises(BadInput, match=f"a test set 'hard' pair has image index {image}"):
        TestSet("hard", images, pairs)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"scores": np.zeros(3)}, r"scores have shape \(3,\); expected \(4,\)"),
        ({"scores": np.zeros((4, 1))}, "scores have shape"),
        ({"scores": np.array([0, 1, np.nan, 2])}, "score of training image 2 is nan"),
        ({"categories": np.zeros(5, int), "category_names": ("a",)}, "categories have shape"),
        (
            {"categories": np.array([0, 1, 2, 0]), "category_names": ("a", "b")},
            "range from 0 to 2, but 2 names are given",
        ),
        ({"categories": np.array([0, -2, 0, 0]), "category_names": ("a", "b")}, "range from -2"),
        ({"categories": np.zeros(4), "category_names": ("a",)}, "categories must be integers.*float64"),
    ],
)
def test_scores_and_categories_must_match_the_images(images, what, message):
    with pytest.raises(BadInput, match=message):
        TrainingSet(images, PAIRS, **what)


@pytest.mark.parametrize("shape", [(3, 1, 4), (4, 4), (4, 2, 3)])
def test_boxes_must_match_the_images(images, shape):
    with pytest.raises(BadInput, match="boxes have shape"):
        TestSet("test", images, PAIRS, boxes=np.zeros(shape))


def test_scores_of_test_images_must_match_them(images):
    assert TestSet("test", images, PAIRS).scores is None
    assert TestSet("test", images, PAIRS, scores=np.arange(4.0)).scores.tolist() == [0, 1, 2, 3]
    for scores, message in (
        (np.zeros(3), r"scores have shape \(3,\); expected \(4,\)"),
        (np.array([0, np.inf, 0, 0]), "the score of test image 1 is inf"),
    ):
        with pytest.raises(BadInput, match=message):
            TestSet("test", images, PAIRS, scores=scores)


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_test_sets_must_have_distinct_names(images, names):
    train, name = TrainingSet(images, PAIRS), TaskName("osr", "open", "standard")
    with pytest.raises(BadInput, match="osr/open/standard needs at least one test set, and distinct names"):
        Task(name, train, [TestSet(n, images, PAIRS) for n in names], "a protocol")


def test_a_dataset_lists_every_attribute_of_every_split():
    class Data(Dataset):
        def attributes(self):
            return ("x", "y")

        def splits(self):
            return ("1", "2")

    data = Data()
    vars(data)["name"] = "d"
    assert [str(task) for task in data.tasks()] == ["d/x/1", "d/x/2", "d/y/1", "d/y/2"]


def test_an_incomplete_dataset_names_what_is_missing():
    class Nothing(Dataset):
        pass

    for call, what in ((Nothing().attributes, "attributes"), (Nothing().fingerprint, "fingerprint")):
        with pytest.raises(TypeError, match=f"Nothing does not define {what}"):
            call()
    with pytest.raises(TypeError, match="task"):
        Nothing().task(TaskName("d", "x", "1"))
    assert Nothing().missing() is None
    assert list(Nothing().downloads()) == list(Nothing().verify()) == []


def test_the_folder_of_a_dataset_is_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    data = type("Data", (Dataset,), {})()
    vars(data)["name"] = "osr"
    assert data.root == tmp_path / "osr"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "file"))
    with pytest.raises(BadInput, match=r"RELATTR_DATA is set to .*file, which is not a folder"):
        data.root  # noqa: B018


def test_other_types_are_refused_with_what_to_pass(images):
    for kind in (TrainingSet, lambda *parts: TestSet("test", *parts)):
        with pytest.raises(BadInput, match=r"images of a \w+ are a str; expected relattr.load_images"):
            kind("photos", PAIRS)
        with pytest.raises(BadInput, match=r"pairs of a \w+ are a list; expected relattr.Pairs"):
            kind(images, [(0, 1)])


def test_a_task_is_displayed_in_one_short_line(images):
    train = TrainingSet(images, PAIRS, np.arange(4.0), np.array([0, 1, 1, 0]), ("a", "b"))
    test = TestSet("test", images, PAIRS, boxes=np.zeros((4, 3, 4)))
    task = Task(TaskName("glyphs", "local", "standard"), train, [test], "protocol")
    assert repr(task) == (
        "Task('glyphs/local/standard', train=TrainingSet(Images(4 of 4), Pairs(2 pairs, 1 similar), scores, categories),"
        " tests=[TestSet('test', Images(4 of 4), Pairs(2 pairs, 1 similar), boxes)])"
    )
