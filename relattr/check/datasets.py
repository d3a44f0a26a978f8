"""The laws of a dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from relattr.check.law import Law, NotApplicable, demand
from relattr.dataset import Dataset
from relattr.errors import Blocked, UnknownName
from relattr.images import Images
from relattr.registry import Plugin
from relattr.task import Task, TaskName

TASKS = 4
"""How many tasks are loaded: the first and the last ones, and some between."""
IMAGES = 8
"""How many images of each collection are decoded."""
COMPARED = 1000
"""How many training and test images are compared by content, at most."""


class DatasetUnderTest:
    """A dataset under examination."""

    def __init__(self, entry: Plugin[Dataset], values: Mapping[str, Any] | None = None) -> None:
        self.entry = entry
        self.values = dict(values or {})

    def new(self) -> Dataset:
        """An instance, whether its files are here or not."""
        return self.entry.create(self.values)

    @cached_property
    def dataset(self) -> Dataset:
        dataset = self.new()
        why = dataset.missing()
        if why is not None:
            raise Blocked(why)
        return dataset

    @cached_property
    def tasks(self) -> list[Task]:
        """Some of its tasks."""
        names = self.dataset.tasks()
        chosen = sorted({round(k * (len(names) - 1) / max(1, TASKS - 1)) for k in range(TASKS)})
        return [self.dataset.task(names[k]) for k in chosen if k < len(names)]


def states_its_origin(s: DatasetUnderTest) -> None:
    dataset = s.new()
    for what in ("citation", "licence", "homepage"):
        demand(getattr(dataset, what).strip(), f"{what} is empty")
    demand(s.entry.summary, f"class {s.entry.cls.__name__} has no docstring")


def missing_is_said(s: DatasetUnderTest) -> None:
    why = s.new().missing()
    demand(why is None or (isinstance(why, str) and why.strip()), f"missing() gave {why!r}; expected text or None")


def downloads_are_checked(s: DatasetUnderTest) -> None:
    for download in s.new().downloads():
        digest = getattr(download, "sha256", "")
        demand(
            isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef"),
            f"{download} has no SHA-256",
        )


def tasks_are_named(s: DatasetUnderTest) -> None:
    dataset = s.new()
    names, why = dataset.tasks(), dataset.missing()
    if not names and why is not None:
        raise Blocked(why)
    demand(names, "it has no task")
    demand(len(set(names)) == len(names), "two tasks have one name")
    attributes, splits = list(dataset.attributes()), list(dataset.splits())
    for name in names:
        demand(name.dataset == s.entry.name, f"task {name} does not carry the dataset's name {s.entry.name}")
        demand(name.attribute in attributes, f"task {name} has an attribute that is not among {attributes}")
        demand(name.split in splits, f"task {name} has a split that is not among {splits}")


def unknown_task_is_refused(s: DatasetUnderTest) -> None:
    try:
        s.dataset.task(TaskName(s.entry.name, "no such attribute", "no such split"))
    except UnknownName:
        return
    demand(False, "task(name) gave a task for an attribute that it does not have; expected UnknownName")


def fingerprint_is_constant(s: DatasetUnderTest) -> None:
    first, second = s.dataset.fingerprint(), s.new().fingerprint()
    demand(isinstance(first, str) and first, f"fingerprint() gave {first!r}; expected text")
    demand(first == second, "two instances with the same parameters have different fingerprints")


def tasks_are_whole(s: DatasetUnderTest) -> None:
    for task in s.tasks:
        demand(task.name in s.dataset.tasks(), f"task(name) gave {task.name}, which tasks() does not list")
        demand(task.protocol.strip(), f"{task.name}: protocol is empty")
        demand(task.train.pairs.n_ordered, f"{task.name}: no training pair is ordered")
        for test in task.tests:
            demand(test.pairs.n_ordered, f"{task.name}, {test.name}: no test pair is ordered")


def same_task_again(s: DatasetUnderTest) -> None:
    for task in s.tasks[:2]:
        first, second = _contents(task), _contents(s.new().task(task.name))
        for what, digest in first.items():
            demand(digest == second.get(what), f"{task.name}: loaded twice, its {what} differ")


def _contents(task: Task) -> dict[str, str]:
    """A digest of each part of a task; of its images the names, and the pixels of `IMAGES` of each collection."""
    found = {}
    parts: list[tuple[str, Any]] = [("training", task.train), *((test.name, test) for test in task.tests)]
    for name, part in parts:
        found[f"{name} pairs"] = part.pairs.fingerprint()
        found[f"{name} image names"] = _digest("\n".join(part.images.names).encode())
        with contextlib.suppress(Blocked):  # names and labels are here, pixels not
            found[f"{name} images"] = _digest(*(part.images[k].tobytes() for k in _spread(len(part.images), IMAGES)))
        for what in ("scores", "categories", "boxes"):
            values = getattr(part, what, None)
            if values is not None:
                found[f"{name} {what}"] = _digest(np.ascontiguousarray(values).tobytes())
    return found


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _spread(n: int, most: int) -> list[int]:
    """At most so many of ``n`` indices, evenly from the first to the last."""
    return sorted({round(j * (n - 1) / max(1, most - 1)) for j in range(most)}) if n else []


def sides_are_random(s: DatasetUnderTest) -> None:
    looked = False
    for task in s.tasks:
        for test in task.tests:
            labels = test.pairs.label
            n = int((labels != 0).sum())
            if n < 50:
                continue
            looked = True
            left = int((labels > 0).sum())
            z = abs(left - n / 2) / math.sqrt(n / 4)
            demand(
                z < 5,
                f"{task.name}, {test.name}: the left image has more in {left} of {n} ordered pairs; "
                "sides must be random",
            )
    if not looked:
        raise NotApplicable("no test set has 50 ordered pairs")


def images_decode(s: DatasetUnderTest) -> None:
    for task in s.tasks[:2]:
        for what, images in (("training", task.train.images), *((t.name, t.images) for t in task.tests)):
            for k in _spread(len(images), IMAGES):
                image = images[k]
                demand(
                    image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size,
                    f"{task.name}: {what} image {k} is {image.dtype} {image.shape}; expected uint8 (height, width, 3)",
                )


def no_test_image_is_trained_on(s: DatasetUnderTest) -> str:
    compared: set[str] = set()
    for task in s.tasks:
        trained, how = _identities(task.train.images, task.train.pairs.images)
        for test in task.tests:
            judged, how_judged = _identities(test.images, test.pairs.images)
            shared = trained & judged
            demand(
                not shared or test.note.strip(),
                f"{task.name}, {test.name}: {len(shared)} test images are training images (such as "
                f"{sorted(shared)[:1]}), and its note does not say so",
            )
            compared |= {how, how_judged}
    return "; ".join(sorted(compared - {""}))


def _identities(images: Images, used: Any) -> tuple[set[str], str]:
    """The images that are in pairs by name within their collection, and by pixels; and what was not compared."""
    names, collection = images.names, images.collection_fingerprint[:16]
    found = {f"{collection} {names[k]}" for k in used}
    some = [int(used[k]) for k in _spread(len(used), COMPARED)]
    try:
        found |= {f"pixels {_digest(repr(images[k].shape).encode(), images[k].tobytes())[:16]}" for k in some}
    except Blocked:  # where only names are here, names have to do
        return found, "by name only: there are no images here to compare"
    whole = len(some) == len(used)
    return found, "" if whole else f"by content {COMPARED} images a side at most (relattr audit compares all)"


def verifies(s: DatasetUnderTest) -> None:
    findings = s.dataset.verify()
    wrong = [f"{f.what}: {f.detail}" for f in findings if not f.ok]
    demand(not wrong, "; ".join(wrong))


LAWS = (
    Law("origin", "it states citation, licence and homepage", states_its_origin),
    Law("missing", "it says in words what is missing, or None", missing_is_said),
    Law("downloads", "every file to fetch has a SHA-256", downloads_are_checked),
    Law("task-names", "its tasks have different names, of its attributes and splits", tasks_are_named),
    Law("unknown-task", "a task that it does not have is refused by name", unknown_task_is_refused),
    Law("fingerprint", "its fingerprint is the same each time", fingerprint_is_constant),
    Law("tasks", "each task has ordered training and test pairs, and says its protocol", tasks_are_whole),
    Law("same-task", "the same task has the same images, pairs and labels each time", same_task_again),
    Law("sides", "which image is on the left is random in every test set", sides_are_random),
    Law("decode", "its images decode to uint8 (height, width, 3)", images_decode),
    Law("no-leak", "no test image is a training image unless the test set's note says so", no_test_image_is_trained_on),
    Law("verify", "its files, counts, splits and label codes are what is known of them", verifies),
)
"""The laws, cheap ones first."""
