"""Audits detect deliberate faults in pairs and tasks; audits of the released files."""

import os
from pathlib import Path

import numpy as np
import pytest

from relattr.audit import _Contents as Contents
from relattr.audit import audit_overlap, audit_pairs, audit_task
from relattr.errors import BadInput
from relattr.images import Images
from relattr.pairs import Pairs
from relattr.task import Task, TaskName, TestSet, TrainingSet


def kinds(observations):
    return {o.kind for o in observations}


def test_correct_pairs_have_no_observation():
    assert audit_pairs("p", [0, 1, 2, 3], [1, 2, 3, 4], [1, -1, 1, -1]) == []
    assert audit_pairs("p", [], [], []) == []


@pytest.mark.parametrize(("sign", "side"), [(1, "left"), (-1, "right")])
def test_pairs_with_one_orientation_are_a_leak(sign, side):
    observations = audit_pairs("p", np.arange(20), np.arange(20) + 20, np.full(20, sign))
    assert [(o.severity, o.kind) for o in observations] == [("leak", "one orientation")]
    assert f"the {side} image" in observations[0].text


@pytest.mark.parametrize("n", [1, 2, 5, 14])
@pytest.mark.parametrize("sign", [1, -1])
def test_few_pairs_with_random_sides_are_no_leak(n, sign):
    """Of the small folds of a cross-validation, some have one orientation by chance."""
    assert audit_pairs("p", np.arange(n), np.arange(n) + n, np.full(n, sign)) == []


def test_imbalance_is_reported_only_if_significant():
    rng = np.random.default_rng(0)
    a, b = np.arange(1000), np.arange(1000) + 1000
    fair = sum("imbalance" in kinds(audit_pairs("p", a, b, rng.choice([-1, 1], 1000))) for _ in range(200))
    assert fair <= 1
    assert "imbalance" in kinds(audit_pairs("p", a, b, np.where(rng.random(1000) < 0.7, 1, -1)))


def test_swapped_repeated_and_contradictory_pairs_are_counted():
    observations = audit_pairs("p", [0, 1, 2, 2, 4, 5, 6, 6], [1, 0, 3, 3, 4, 6, 5, 5], [1, 1, 1, 0, 0, 1, -1, -1])
    text = {o.kind + ": " + o.text for o in observations}
    assert "both ways: 2 pairs of images occur in both orders" in text
    assert "repeated: 3 pairs of images occur more than once" in text
    assert "contradictory: 1 pairs of images have opposite labels" in text
    assert "contradictory: 1 pairs of images are labelled both ordered and similar" in text
    assert "itself" in kinds(observations)


def test_invalid_arrays_raise():
    with pytest.raises(BadInput, match="must be"):
        audit_pairs("p", [0], [1, 2], [1])
    with pytest.raises(BadInput, match="labels must be"):
        audit_pairs("p", [0], [1], [2])


def task(arrays, train, test):
    images = Images.from_arrays(arrays)
    y = np.where(np.arange(len(train)) % 2, 1, -1)
    z = np.where(np.arange(len(test)) % 2, 1, -1)
    make = lambda p, label: Pairs(p[:, 0], p[:, 1], label)  # noqa: E731
    return Task(
        TaskName("d", "a", "s"),
        TrainingSet(images, make(np.array(train), y)),
        [TestSet("test", images, make(np.array(test), z))],
        "synthetic",
    )


def drawn(n):
    return [np.full((4, 4, 3), k, np.uint8) for k in range(n)]


def test_a_task_without_leaks_has_no_observation():
    assert audit_task(task(drawn(8), [[0, 1], [2, 3]], [[4, 5], [6, 7]]), Contents()) == []


def test_shared_images_and_pairs_are_leaks():
    observations = audit_task(task(drawn(6), [[0, 1], [2, 3]], [[1, 0], [4, 5]]), Contents())
    assert {(o.severity, o.kind) for o in observations} == {("leak", "shared images"), ("leak", "shared pairs")}
    assert any("2 of 4 test images" in o.text for o in observations)


def test_a_duplicate_image_is_a_leak_whatever_its_name():
    arrays = drawn(8)
    arrays[6] = arrays[1].copy()
    contents = Contents()
    observations = audit_task(task(arrays, [[0, 1], [2, 3]], [[4, 5], [6, 7]]), contents)
    assert [(o.severity, o.kind) for o in observations] == [("leak", "shared content")]
    assert "image-6 = image-1" in observations[0].text
    assert contents.duplicates() == [("image-1", "image-6")]
    assert audit_task(task(arrays, [[0, 1], [2, 3]], [[4, 5], [6, 7]])) == []


def test_duplicates_in_another_collection_are_a_leak():
    original = task(drawn(4), [[0, 1], [2, 3]], [[0, 1]])
    other = Images.from_arrays([np.full((4, 4, 3), k, np.uint8) for k in (0, 9)])  # image-0 is image-0 of the other
    copied = Task(original.name, original.train, [TestSet("test", other, Pairs([0], [1], [1]))], "synthetic")
    observations = audit_task(copied, Contents())
    assert [(o.severity, o.kind) for o in observations] == [("leak", "shared content")]
    assert observations[0].text == "1 test image is duplicated in the training set: image-0 = image-0"


def test_an_unavailable_attribute_does_not_hide_other_leaks():
    from relattr import Dataset
    from relattr.audit import audit_dataset
    from relattr.report.tables.audits import LeakNote, NoAudit, leak_notes
    from relattr.report.tables.short_notes import NOT_AUDITED

    class Two(Dataset):
        name = "two"

        def attributes(self):
            return ["bad", "good"]

        def fingerprint(self):
            return "two"

        def task(self, name):
            if name.attribute == "bad":
                raise BadInput("all scores are 1.0")
            return task(drawn(4), [[0, 1], [2, 3]], [[0, 1]])

    audit = audit_dataset(Two())
    assert ("leak", "shared images") in {(o.severity, o.kind) for o in audit.observations}
    assert any("bad" in o.where and "all scores are 1.0" in o.text for o in audit.observations)
    flag = next(flag for flag in leak_notes({"two": audit})["two"] if "also training images" in flag.text)
    (place,) = flag.places
    task_of, _, test = place.rpartition(" ")
    assert flag.affects(task_of, test)
    assert not flag.affects(task_of, "another")  # a test set without a leak in the same task
    assert not flag.affects("two/good/other", test)
    assert LeakNote("in training", frozenset({f"{task_of} training"})).affects(task_of, "another")
    assert LeakNote("everywhere").affects("two/bad/standard", "test")
    assert leak_notes({"two": NoAudit("the audit failed: x", failed=True), "gone": NoAudit("not available")}) == {
        "two": [LeakNote("the audit failed: x", short=NOT_AUDITED)]
    }


def data(*parts):
    path = Path(os.environ.get("RELATTR_DATA", "/nowhere"), *parts)
    if not path.exists():
        pytest.skip(f"{path} is not available")
    return path


@pytest.mark.real
def test_released_virality_pairs_have_one_orientation():
    from scipy.io import loadmat

    pairs = loadmat(data("viral", "pair_matrix.mat"))["pair_matrix_spot"].astype(np.int64)
    best = loadmat(data("viral", "Top_489_pair.mat"))["top_pair_matrix_489"].astype(np.int64)
    # both list the more viral image first
    for name, some in (("pair_matrix", pairs), ("Top_489_pair", best)):
        observations = audit_pairs(name, some[:, 0], some[:, 1], np.ones(len(some), int))
        assert [(o.severity, o.kind) for o in observations] == [("leak", "one orientation")]
    shared = audit_overlap("489 pairs", pairs.ravel(), best.ravel(), n_test_pairs=len(best))
    assert shared[0].text == "all 978 test images are also training images (in 489 test pairs)"


@pytest.mark.real
def test_the_two_duplicate_pairs_of_osr_are_reported():
    data("osr", "images")
    from relattr.audit import audit_dataset
    from relattr.registry import registry

    registry.discover()
    if "osr" not in registry.datasets:
        pytest.skip("osr is not registered")
    audit = audit_dataset(registry.dataset("osr").create())
    same = [o.text for o in audit.observations if o.kind == "duplicate content"]
    assert len(same) == 2
    assert any("insidecity_urb992.jpg, tallbuilding_urb992.jpg" in text for text in same)
    assert any("mountain_sclos4.jpg, mountain_sharp59.jpg" in text for text in same)


@pytest.mark.real
def test_released_virality_pairs_are_audited_without_images():
    from relattr.audit import audit_dataset
    from relattr.registry import registry
    from relattr.report.tables.audits import leak_notes

    data("viral", "pair_matrix.mat")
    registry.discover()
    audit = audit_dataset(registry.dataset("viral").create())
    reported = {(o.severity, o.text.partition(":")[0]) for o in audit.observations}
    assert ("leak", "the left image has more in all 5,039 ordered pairs") in reported
    assert ("leak", "the left image has more in all 489 ordered pairs") in reported
    assert ("leak", "all 978 images of Top_489_pair.mat are also in pair_matrix.mat") in reported
    assert not audit.images
    assert leak_notes({"viral": audit}) == {"viral": []}  # its tasks have random sides, so no result is affected


def test_a_dataset_without_files_cannot_be_audited():
    from relattr import Dataset
    from relattr.audit import audit_dataset

    class Gone(Dataset):
        def missing(self):
            return "it is gone"

    with pytest.raises(BadInput, match="cannot be audited: it is gone"):
        audit_dataset(Gone())
