"""What is wrong with the pairs and images of a dataset, whoever made them.

Leaks between training and test, images that are there twice, labels that follow the side, pairs that
contradict each other. Nothing here trusts what a dataset says of itself; `relattr.report.tables.audits` brings what was
found into the tables.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from relattr.errors import BadInput, RelattrError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from relattr.dataset import Dataset
    from relattr.images import Images
    from relattr.pairs import Pairs
    from relattr.task import Task

Severity = Literal["leak", "warning", "note"]
VERSION = 2
TRAINING = "training"
"""How the training pairs of a task are called in ``where``, after the task."""
RELEASED = "released files"
"""How the kinds of what is found in files as released begin."""


class Observation(msgspec.Struct, frozen=True):
    """One thing an audit found: a leak touches every number there, a warning may, a note is good to know.

    ``where`` is for people and names three places at most; ``places`` are all of them.
    """

    severity: Severity
    kind: str
    where: str
    text: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity:7}  {self.where}: {self.text}"


class Audit(msgspec.Struct, frozen=True):
    """What was found in a dataset, and in which version of it; ``images`` whether their content was compared."""

    version: int
    dataset: str
    fingerprint: str
    images: bool
    observations: tuple[Observation, ...]
    code: str = ""
    """Fingerprint of the code that made its tasks."""


# ---------------------------------------------------------------------------------------------------- pairs


def audit_pairs(name: str, left: ArrayLike, right: ArrayLike, label: ArrayLike) -> list[Observation]:
    """Look at pairs as such: ``left``, ``right`` ``(n,)`` name images, ``label`` ``(n,)`` is +1, -1 or 0.

    Raises `BadInput` for unequal lengths or another label.
    """
    import numpy as np

    a, b, y = np.asarray(left), np.asarray(right), np.asarray(label)
    if not a.shape == b.shape == y.shape or a.ndim != 1:
        raise BadInput(f"{name}: left, right and label must be (n,); got shapes {a.shape}, {b.shape}, {y.shape}")
    if not np.isin(y, (-1, 0, 1)).all():
        raise BadInput(f"{name}: labels must be +1, -1 or 0; got {np.unique(y)[:5].tolist()}")
    found = []

    def say(severity: Severity, kind: str, text: str) -> None:
        found.append(Observation(severity, kind, name, text))

    ordered = int((y != 0).sum())
    first = int((y > 0).sum())
    if ordered > 1 and first in (0, ordered):
        side = "left" if first else "right"
        say(
            "leak",
            "one orientation",
            f"the {side} image has more in all {ordered:,} ordered pairs: the side gives the answer away, so pairs "
            "must be turned at random before anything is trained or judged on them",
        )
    elif ordered:
        share = first / ordered
        z = abs(2 * first - ordered) / ordered**0.5
        if z > 4.0:  # once in 16,000 sets of pairs whose sides are random
            say("warning", "imbalance", f"the left image has more in {100 * share:.1f} % of {ordered:,} ordered pairs")
    _, names = np.unique(np.concatenate([a, b]), return_inverse=True)
    i, j = names[: a.size].astype(np.int64), names[a.size :].astype(np.int64)
    itself = int((i == j).sum())
    if itself:
        say("warning", "itself", f"{_pairs(itself)} an image with itself")
    n = int(names.max(initial=-1)) + 1
    low, high = np.minimum(i, j), np.maximum(i, j)
    towards = np.where(i <= j, y, -y)
    turned = i > j
    _, which = np.unique(low * n + high, return_inverse=True)
    times = np.bincount(which) if which.size else np.zeros(0, int)
    flipped = np.bincount(which, turned) if which.size else np.zeros(0)
    both = int(((flipped > 0) & (flipped < times)).sum())
    if both:
        say("note", "both ways", f"{both:,} pairs are there both ways round")
    repeated = int((times > 1).sum())
    if repeated:
        say("note", "repeated", f"{repeated:,} pairs of images are asked about more than once")
    kinds = [np.bincount(which, towards == v) > 0 for v in (1, -1, 0)] if which.size else []
    if kinds:
        against = int((kinds[0] & kinds[1]).sum())
        unsure = int(((kinds[0] | kinds[1]) & kinds[2] & ~(kinds[0] & kinds[1])).sum())
        if against:
            say("warning", "contradictory", f"{against:,} pairs of images are labelled both ways")
        if unsure:
            say("note", "contradictory", f"{unsure:,} pairs of images are labelled ordered and similar")
    return found


def audit_overlap(
    name: str, train: ArrayLike, test: ArrayLike, *, n_test_pairs: int | None = None
) -> list[Observation]:
    """Images (as numbers or names) that are in both of two sets."""
    import numpy as np

    one, two = np.unique(np.asarray(train)), np.unique(np.asarray(test))
    common = np.intersect1d(one, two)
    if not common.size:
        return []
    of = f" (in {n_test_pairs:,} test pairs)" if n_test_pairs is not None else ""
    every = "all" if common.size == two.size else f"{common.size:,} of"
    text = f"{every} {two.size:,} test images are training images too{of}"
    return [Observation("leak", "shared images", name, text)]


def _pairs(n: int) -> str:
    return "1 pair is" if n == 1 else f"{n:,} pairs are"


# ---------------------------------------------------------------------------------------------------- tasks


class _Contents:
    """Digests of the pixels of images, each image read once."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, int], str] = {}
        self.names: dict[tuple[str, int], str] = {}

    def add(self, images: Images, used: Iterable[int]) -> dict[str, list[tuple[tuple[str, int], str]]]:
        """Digest -> the used images that have it: collection and index, and name."""
        import hashlib

        found: dict[str, list[tuple[tuple[str, int], str]]] = defaultdict(list)
        all_names = images.names
        for k in used:
            key = images.collection_fingerprint, int(images.indices[k])
            if key not in self.of:
                pixels = images[int(k)]
                self.of[key] = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
                self.names[key] = all_names[int(k)]
            found[self.of[key]].append((key, all_names[int(k)]))
        return found

    def duplicates(self) -> list[tuple[str, ...]]:
        """Names of different images with the same content."""
        same: dict[str, list[str]] = defaultdict(list)
        for key, digest in self.of.items():
            same[digest].append(self.names[key])
        return sorted(tuple(sorted(names)) for names in same.values() if len(names) > 1)


def audit_task(task: Task, contents: _Contents | None = None) -> list[Observation]:
    """Look at the training pairs and each test set of a task, and at what they share."""
    where = str(task.name)
    found = _look(f"{where} {TRAINING}", task.train.pairs)
    train_used = task.train.pairs.images
    train_ids = _identities(task.train.images, train_used)
    train_contents = contents.add(task.train.images, train_used) if contents is not None else {}
    for test in task.tests:
        name = f"{where} {test.name}"
        found += _look(name, test.pairs)
        used = test.pairs.images
        found += audit_overlap(name, sorted(train_ids), sorted(_identities(test.images, used)))
        if contents is not None:
            own = contents.add(test.images, used)
            shared = sorted(
                (a, b)
                for digest in own.keys() & train_contents.keys()
                for one, a in own[digest]
                for other, b in train_contents[digest]
                if one != other  # the same image is told by its number, above
            )
            if shared:
                n = len({name for name, _ in shared})
                text = f"{_images(n)} the same picture as a training image: " + _some(f"{a} = {b}" for a, b in shared)
                found.append(Observation("leak", "shared content", name, text))
        if task.train.pairs.order is None and test.pairs.order is None:
            common = _dyads(task.train.images, task.train.pairs) & _dyads(test.images, test.pairs)
            if common:
                found.append(
                    Observation("leak", "shared pairs", name, f"{len(common):,} test pairs are training pairs too")
                )
    return found


def _look(name: str, pairs: Pairs) -> list[Observation]:
    if pairs.order is not None:  # all pairs of an order: each once, none against another, sides drawn by hash
        return []
    return audit_pairs(name, *pairs.arrays)


def _identities(images: Images, used: Iterable[int]) -> set[str]:
    indices, collection = images.indices, images.collection_fingerprint
    return {f"{collection}/{indices[k]}" for k in used}


def _dyads(images: Images, pairs: Pairs) -> set[tuple[str, int, int]]:
    indices, collection = images.indices, images.collection_fingerprint
    a, b = indices[pairs.left], indices[pairs.right]
    return {(collection, min(i, j), max(i, j)) for i, j in zip(a.tolist(), b.tolist(), strict=True)}


def audit_released(dataset: Dataset) -> list[Observation]:
    """Look at a dataset's pair files as they were released, whatever its adapter makes of them.

    Each file by itself, and which share images: whoever trains on one and tests on another has a leak.
    """
    import numpy as np

    found: list[Observation] = []
    known = dataset.released_pairs()
    for name, (left, right, label) in known.items():
        found += audit_pairs(f"{dataset.name} {name}", left, right, label)
    images = {name: np.unique(np.concatenate([left, right])) for name, (left, right, _) in known.items()}
    for one, other in itertools.combinations(sorted(known, key=lambda name: -images[name].size), 2):
        common = np.intersect1d(images[one], images[other]).size
        if common:
            every = "all" if common == images[other].size else f"{common:,} of"
            text = f"{every} {images[other].size:,} images of {other} are in {one} too"
            found.append(Observation("leak", "shared images", f"{dataset.name} {other}", text))
    return [Observation(o.severity, f"{RELEASED}: {o.kind}", o.where, o.text) for o in found]


def audit_dataset(dataset: Dataset, *, images: bool = True) -> Audit:
    """Look at every task of a dataset; ``images`` compares their content too, which reads them all.

    Where its images are not here, only its pair files are looked at, and the audit says so; raises `BadInput`
    with the reason where there are none of those either.
    """
    why = dataset.missing()
    if why is not None:
        files = audit_released(dataset)
        if not files:
            raise BadInput(f"{dataset.name} cannot be audited: {why}")
        files.append(Observation("note", "not looked at", dataset.name, f"only its pair files were looked at: {why}"))
        return Audit(VERSION, dataset.name, "", False, tuple(_gathered(files)))
    contents = _Contents() if images else None
    found: list[Observation] = []
    for name in dataset.tasks():
        try:
            found += audit_task(dataset.task(name), contents)
        except RelattrError as error:  # of this task; the others are looked at all the same
            found.append(Observation("warning", "not looked at", str(name), f"not looked at: {error}"))
    if contents is not None:
        for names in contents.duplicates():
            text = f"{len(names)} images have the same content: {', '.join(names)}"
            found.append(Observation("warning", "duplicate content", dataset.name, text))
    found += audit_released(dataset)
    return Audit(VERSION, dataset.name, dataset.fingerprint(), images, tuple(_gathered(found)), code_of(dataset))


def code_of(dataset: Dataset) -> str:
    """Fingerprint of the code that makes a dataset's tasks."""
    from relattr.identity import code_digest

    return code_digest(type(dataset).__module__)


def _gathered(found: Sequence[Observation]) -> list[Observation]:
    """The same text on many tasks once, the leaks first."""
    where: dict[tuple[Severity, str, str], list[str]] = defaultdict(list)
    for o in found:
        where[o.severity, o.kind, o.text].append(o.where)
    rank = {"leak": 0, "warning": 1, "note": 2}
    merged = [
        Observation(severity, kind, _some(dict.fromkeys(places), 3), text, tuple(dict.fromkeys(places)))
        for (severity, kind, text), places in where.items()
    ]
    return sorted(merged, key=lambda o: rank[o.severity])


def _images(n: int) -> str:
    return "1 test image is" if n == 1 else f"{n:,} test images are"


def _some(items: Iterable[str], most: int = 5) -> str:
    listed = list(items)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
