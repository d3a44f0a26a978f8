"""The laws of a dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from relattr.check.identity import fingerprint_is_complete
from relattr.check.law import Law, NotApplicable, require
from relattr.dataset import Dataset
from relattr.errors import Blocked, UnknownName
from relattr.images import Images
from relattr.registry import Plugin
from relattr.task import Task, TaskName

N_TASKS = 4
"""Number of tasks that are loaded, spread evenly from the first to the last."""
N_IMAGES = 8
"""Number of images of each collection that are decoded."""
MAX_COMPARED = 1000
"""Largest number of training and of test images that are compared by content."""


class DatasetUnderTest:
    """The dataset under test; its tasks are loaded once and cached."""

    def __init__(self, plugin: Plugin[Dataset], values: Mapping[str, Any] | None = None) -> None:
        self.plugin = plugin
        self.values = dict(values or {})

    def new(self) -> Dataset:
        """A new instance, whether or not its files are available."""
        return self.plugin.create(self.values)

    @cached_property
    def dataset(self) -> Dataset:
        """An instance whose files are available. Raises `Blocked` if they are missing."""
        dataset = self.new()
        why = dataset.missing()
        if why is not None:
            raise Blocked(why)
        return dataset

    @cached_property
    def tasks(self) -> list[Task]:
        """At most `N_TASKS` of its tasks."""
        names = self.dataset.tasks()
        chosen = sorted({round(k * (len(names) - 1) / max(1, N_TASKS - 1)) for k in range(N_TASKS)})
        return [self.dataset.task(names[k]) for k in chosen if k < len(names)]


def has_citation_and_licence(subject: DatasetUnderTest) -> None:
    dataset = subject.new()
    for what in ("citation", "licence", "homepage"):
        require(getattr(dataset, what).strip(), f"{what} is empty")
    require(subject.plugin.summary, f"class {subject.plugin.cls.__name__} has no docstring")


def missing_returns_a_reason(subject: DatasetUnderTest) -> None:
    why = subject.new().missing()
    require(
        why is None or (isinstance(why, str) and why.strip()), f"missing() returned {why!r}; expected a string or None"
    )


def downloads_have_checksums(subject: DatasetUnderTest) -> None:
    for download in subject.new().downloads():
        digest = getattr(download, "sha256", "")
        require(
            isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef"),
            f"{download} has no SHA-256",
        )


def task_names_are_valid(subject: DatasetUnderTest) -> None:
    dataset = subject.new()
    names, why = dataset.tasks(), dataset.missing()
    if not names and why is not None:
        raise Blocked(why)
    require(names, "it has no tasks")
    require(len(set(names)) == len(names), "two tasks have the same name")
    attributes, splits = list(dataset.attributes()), list(dataset.splits())
    for name in names:
        require(
            name.dataset == subject.plugin.name, f"task {name} does not have the dataset's name, {subject.plugin.name}"
        )
        require(name.attribute in attributes, f"task {name} has an attribute that is not one of {attributes}")
        require(name.split in splits, f"task {name} has a split that is not one of {splits}")


def unknown_task_raises(subject: DatasetUnderTest) -> None:
    try:
        subject.dataset.task(TaskName(subject.plugin.name, "no such attribute", "no such split"))
    except UnknownName:
        return
    require(False, "task(name) returned a task for an unknown attribute; expected UnknownName")


def fingerprint_is_reproducible(subject: DatasetUnderTest) -> None:
    first, second = subject.dataset.fingerprint(), subject.new().fingerprint()
    require(isinstance(first, str) and first, f"fingerprint() returned {first!r}; expected a non-empty string")
    require(first == second, "two instances with the same parameters have different fingerprints")


def tasks_are_complete(subject: DatasetUnderTest) -> None:
    for task in subject.tasks:
        require(task.name in subject.dataset.tasks(), f"task(name) returned {task.name}, which tasks() does not list")
        require(task.protocol.strip(), f"{task.name}: protocol is empty")
        require(task.train.pairs.n_ordered, f"{task.name}: no training pair is ordered")
        for test in task.tests:
            require(test.pairs.n_ordered, f"{task.name}, {test.name}: no test pair is ordered")


def tasks_are_reproducible(subject: DatasetUnderTest) -> None:
    for task in subject.tasks[:2]:
        first, second = _contents(task), _contents(subject.new().task(task.name))
        for what, digest in first.items():
            require(digest == second.get(what), f"{task.name}: its {what} differ when it is loaded twice")


def _contents(task: Task) -> dict[str, str]:
    """A digest of each part of a task: names of all images, pixels of `N_IMAGES` images of each collection."""
    digests = {}
    parts: list[tuple[str, Any]] = [("training", task.train), *((test.name, test) for test in task.tests)]
    for name, part in parts:
        digests[f"{name} pairs"] = part.pairs.fingerprint()
        digests[f"{name} image names"] = _digest("\n".join(part.images.names).encode())
        with contextlib.suppress(Blocked):  # names and labels are available, pixels are not
            digests[f"{name} images"] = _digest(
                *(part.images[k].tobytes() for k in _spread(len(part.images), N_IMAGES))
            )
        for what in ("scores", "categories", "boxes"):
            values = getattr(part, what, None)
            if values is not None:
                digests[f"{name} {what}"] = _digest(np.ascontiguousarray(values).tobytes())
    return digests


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _spread(n: int, count: int) -> list[int]:
    """At most ``count`` of ``n`` indices, spread evenly from the first to the last."""
    return sorted({round(j * (n - 1) / max(1, count - 1)) for j in range(count)}) if n else []


def sides_are_random(subject: DatasetUnderTest) -> None:
    applicable = False
    for task in subject.tasks:
        for test in task.tests:
            labels = test.pairs.label
            n = int((labels != 0).sum())
            if n < 50:
                continue
            applicable = True
            left = int((labels > 0).sum())
            z = abs(left - n / 2) / math.sqrt(n / 4)
            require(
                z < 5,
                f"{task.name}, {test.name}: the left image has more in {left} of {n} ordered pairs; "
                "sides must be assigned at random",
            )
    if not applicable:
        raise NotApplicable("no test set has at least 50 ordered pairs")


def images_decode(subject: DatasetUnderTest) -> None:
    for task in subject.tasks[:2]:
        for what, images in (("training", task.train.images), *((t.name, t.images) for t in task.tests)):
            for k in _spread(len(images), N_IMAGES):
                image = images[k]
                require(
                    image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size,
                    f"{task.name}: {what} image {k} is {image.dtype} {image.shape}; expected uint8 (height, width, 3)",
                )


def train_and_test_are_disjoint(subject: DatasetUnderTest) -> str:
    remarks: set[str] = set()
    for task in subject.tasks:
        trained, train_remark = _identities(task.train.images, task.train.pairs.images)
        for test in task.tests:
            tested, test_remark = _identities(test.images, test.pairs.images)
            shared = trained & tested
            require(
                not shared or test.note.strip(),
                f"{task.name}, {test.name}: {len(shared)} test images are training images (for "
                f"example {sorted(shared)[:1]}), and the note of the test set does not mention it",
            )
            remarks |= {train_remark, test_remark}
    return "; ".join(sorted(remarks - {""}))


def _identities(images: Images, used: Any) -> tuple[set[str], str]:
    """Identify the images that occur in pairs by name within their collection and by pixels.

    Also returns a remark about what was not compared, "" if everything was.
    """
    names, collection = images.names, images.collection_fingerprint[:16]
    identities = {f"{collection} {names[k]}" for k in used}
    sample = [int(used[k]) for k in _spread(len(used), MAX_COMPARED)]
    try:
        identities |= {f"pixels {_digest(repr(images[k].shape).encode(), images[k].tobytes())[:16]}" for k in sample}
    except Blocked:  # only names are available
        return identities, "by name only: the images are not available"
    if len(sample) == len(used):
        return identities, ""
    return identities, f"by content at most {MAX_COMPARED} training and test images (relattr audit compares all)"


def verifies_its_files(subject: DatasetUnderTest) -> None:
    failures = [f"{result.what}: {result.detail}" for result in subject.dataset.verify() if not result.ok]
    require(not failures, "; ".join(failures))


LAWS = (
    Law("origin", "it states citation, licence and homepage", has_citation_and_licence),
    Law("missing", "missing() returns a reason, or None if all files are available", missing_returns_a_reason),
    Law("downloads", "every file to download has a SHA-256", downloads_have_checksums),
    Law("task-names", "its tasks have distinct names, each of one of its attributes and splits", task_names_are_valid),
    Law("unknown-task", "task(name) raises UnknownName for an unknown task", unknown_task_raises),
    Law("fingerprint", "its fingerprint is reproducible", fingerprint_is_reproducible),
    Law(
        "identity",
        "its declared files exist; lines that its fingerprint cannot cover are listed as notes",
        fingerprint_is_complete,
    ),
    Law("tasks", "each task has ordered training and test pairs and describes its protocol", tasks_are_complete),
    Law("same-task", "loading a task twice gives the same images, pairs and labels", tasks_are_reproducible),
    Law("sides", "which image is on the left is random in every test set", sides_are_random),
    Law("decode", "its images decode to uint8 (height, width, 3)", images_decode),
    Law(
        "no-leak",
        "no test image is a training image unless the test set's note says so",
        train_and_test_are_disjoint,
    ),
    Law("verify", "its files, counts, splits and label codes are as expected", verifies_its_files),
)
"""The laws, in order of increasing cost."""
