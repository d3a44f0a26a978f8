"""Audit of one task: its training pairs, each of its test sets, and what they share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from relattr.audit.contents import ImageContents, NamesByDigest
from relattr.audit.observation import TRAINING, Observation, listed
from relattr.audit.pairs import audit_overlap, audit_pairs

if TYPE_CHECKING:
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.task import Task


def audit_task(task: Task, contents: ImageContents | None = None) -> list[Observation]:
    """Audit the training pairs and each test set of a task, and what they share."""
    where = str(task.name)
    observations = _audit_pairs(f"{where} {TRAINING}", task.train.pairs)
    train_used = task.train.pairs.images
    train_ids = _identities(task.train.images, train_used)
    train_contents = contents.add(task.train.images, train_used) if contents is not None else {}
    for test in task.tests:
        name = f"{where} {test.name}"
        observations += _audit_pairs(name, test.pairs)
        used = test.pairs.images
        observations += audit_overlap(name, sorted(train_ids), sorted(_identities(test.images, used)))
        if contents is not None:
            observations += _audit_contents(name, train_contents, contents.add(test.images, used))
        if task.train.pairs.order is None and test.pairs.order is None:
            common = _dyads(task.train.images, task.train.pairs) & _dyads(test.images, test.pairs)
            if common:
                observations.append(
                    Observation("leak", "shared pairs", name, f"{len(common):,} test pairs are also training pairs")
                )
    return observations


def _audit_contents(name: str, train: NamesByDigest, test: NamesByDigest) -> list[Observation]:
    """Test images with the pixels of a training image that is another one."""
    shared = sorted(
        (a, b)
        for digest in test.keys() & train.keys()
        for test_key, a in test[digest]
        for train_key, b in train[digest]
        if test_key != train_key  # `audit_overlap` reports the same image, by its position
    )
    if not shared:
        return []
    n = len({name for name, _ in shared})
    images = "1 test image is" if n == 1 else f"{n:,} test images are"
    text = f"{images} duplicated in the training set: " + listed(f"{a} = {b}" for a, b in shared)
    return [Observation("leak", "shared content", name, text)]


def _audit_pairs(name: str, pairs: Pairs) -> list[Observation]:
    if pairs.order is not None:  # each pair occurs once, with random sides
        return []
    return audit_pairs(name, *pairs.arrays)


def _identities(images: Images, used: Iterable[int]) -> set[str]:
    indices, collection = images.indices, images.collection_fingerprint
    return {f"{collection}/{indices[k]}" for k in used}


def _dyads(images: Images, pairs: Pairs) -> set[tuple[str, int, int]]:
    indices, collection = images.indices, images.collection_fingerprint
    a, b = indices[pairs.left], indices[pairs.right]
    return {(collection, min(i, j), max(i, j)) for i, j in zip(a.tolist(), b.tolist(), strict=True)}
