"""Audits detect images and pairs that the training and test sets of a task share."""

from __future__ import annotations

import numpy as np

from relattr.audit import audit_task
from relattr.audit.contents import ImageContents
from relattr.images import Images
from relattr.pairs import Pairs
from relattr.task import Task, TestSet


def test_a_task_without_leaks_has_no_observation(make_task, drawn):
    assert audit_task(make_task(drawn(8), [[0, 1], [2, 3]], [[4, 5], [6, 7]]), ImageContents()) == []


def test_shared_images_and_pairs_are_leaks(make_task, drawn):
    observations = audit_task(make_task(drawn(6), [[0, 1], [2, 3]], [[1, 0], [4, 5]]), ImageContents())
    assert {(o.severity, o.kind) for o in observations} == {("leak", "shared images"), ("leak", "shared pairs")}
    assert any("2 of 4 test images" in o.text for o in observations)


def test_a_duplicate_image_is_a_leak_whatever_its_name(make_task, drawn):
    arrays = drawn(8)
    arrays[6] = arrays[1].copy()
    contents = ImageContents()
    observations = audit_task(make_task(arrays, [[0, 1], [2, 3]], [[4, 5], [6, 7]]), contents)
    assert [(o.severity, o.kind) for o in observations] == [("leak", "shared content")]
    assert "image-6 = image-1" in observations[0].text
    assert contents.duplicates() == [("image-1", "image-6")]
    assert audit_task(make_task(arrays, [[0, 1], [2, 3]], [[4, 5], [6, 7]])) == []


def test_duplicates_in_another_collection_are_a_leak(make_task, drawn):
    original = make_task(drawn(4), [[0, 1], [2, 3]], [[0, 1]])
    other = Images.from_arrays([np.full((4, 4, 3), k, np.uint8) for k in (0, 9)])  # image-0 is image-0 of the other
    copied = Task(original.name, original.train, [TestSet("test", other, Pairs([0], [1], [1]))], "synthetic")
    observations = audit_task(copied, ImageContents())
    assert [(o.severity, o.kind) for o in observations] == [("leak", "shared content")]
    assert observations[0].text == "1 test image is duplicated in the training set: image-0 = image-0"
