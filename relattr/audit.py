"""Audit of a dataset: leaks and contradictions in its pairs and images.

Reports leaks between training and test sets, duplicate images, labels that correlate with the side, and contradicting
pairs. The audit is independent of what the dataset states about itself. `relattr.report.tables.audits` adds its results
to the tables.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
"""The name of the training pairs in `Observation.where`, after the name of the task."""
RELEASED = "released files"
"""The prefix of `Observation.kind` for observations in the released files."""
ONE_ORIENTATION = "one orientation"
"""The kind of observation that the side determines the label."""
MIN_ONE_ORIENTATION = 15
"""So many ordered pairs with random sides have one orientation once in 16,000 times; a fold of five, once in 16."""


class Observation(msgspec.Struct, frozen=True):
    """One result of an audit.

    A leak affects every number of its test sets, a warning may do so, and a note is for information. ``where`` names at
    most three places, for display; ``places`` has all of them.
    """

    severity: Severity
    kind: str
    where: str
    text: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity:7}  {self.where}: {self.text}"


class Audit(msgspec.Struct, frozen=True):
    """The observations in one version of a dataset; ``images`` is whether the contents of images were compared."""

    version: int
    dataset: str
    fingerprint: str
    images: bool
    observations: tuple[Observation, ...]
    code: str = ""
    """Fingerprint of the code that creates its tasks."""


# ---------------------------------------------------------------------------------------------------- pairs


def audit_pairs(name: str, left: ArrayLike, right: ArrayLike, label: ArrayLike) -> list[Observation]:
    """Audit pairs: ``left`` and ``right`` ``(n,)`` identify images, ``label`` ``(n,)`` is +1, -1 or 0.

    Raises `BadInput` for arrays of unequal length and for other labels.
    """
    import numpy as np

    a, b, y = np.asarray(left), np.asarray(right), np.asarray(label)
    if not a.shape == b.shape == y.shape or a.ndim != 1:
        raise BadInput(f"{name}: left, right and label must be (n,); got shapes {a.shape}, {b.shape}, {y.shape}")
    if not np.isin(y, (-1, 0, 1)).all():
        raise BadInput(f"{name}: labels must be +1, -1 or 0; got {np.unique(y)[:5].tolist()}")
    observations = []

    def report(severity: Severity, kind: str, text: str) -> None:
        observations.append(Observation(severity, kind, name, text))

    ordered = int((y != 0).sum())
    first = int((y > 0).sum())
    if ordered >= MIN_ONE_ORIENTATION and first in (0, ordered):
        side = "left" if first else "right"
        report(
            "leak",
            ONE_ORIENTATION,
            f"the {side} image has more in all {ordered:,} ordered pairs: the side determines the label, so sides "
            "must be randomised before training and evaluation",
        )
    elif ordered:
        share = first / ordered
        z = abs(2 * first - ordered) / ordered**0.5
        if z > 4.0:  # expected once in 16,000 sets of pairs with random sides
            report(
                "warning", "imbalance", f"the left image has more in {100 * share:.1f} % of {ordered:,} ordered pairs"
            )
    _, names = np.unique(np.concatenate([a, b]), return_inverse=True)
    i, j = names[: a.size].astype(np.int64), names[a.size :].astype(np.int64)
    n_itself = int((i == j).sum())
    if n_itself:
        report("warning", "itself", f"{_pairs(n_itself)} of an image with itself")
    n = int(names.max(initial=-1)) + 1
    canonical_label = np.where(i <= j, y, -y)  # as if the image of the smaller number were on the left
    _, dyad = np.unique(np.minimum(i, j) * n + np.maximum(i, j), return_inverse=True)
    n_times = np.bincount(dyad) if dyad.size else np.zeros(0, int)
    n_swapped = np.bincount(dyad, i > j) if dyad.size else np.zeros(0)
    n_both = int(((n_swapped > 0) & (n_swapped < n_times)).sum())
    if n_both:
        report("note", "both ways", f"{n_both:,} pairs of images occur in both orders")
    n_repeated = int((n_times > 1).sum())
    if n_repeated:
        report("note", "repeated", f"{n_repeated:,} pairs of images occur more than once")
    if dyad.size:
        more, less, similar = (np.bincount(dyad, canonical_label == code) > 0 for code in (1, -1, 0))
        n_opposite = int((more & less).sum())
        n_partly_similar = int(((more | less) & similar & ~(more & less)).sum())
        if n_opposite:
            report("warning", "contradictory", f"{n_opposite:,} pairs of images have opposite labels")
        if n_partly_similar:
            report(
                "note", "contradictory", f"{n_partly_similar:,} pairs of images are labelled both ordered and similar"
            )
    return observations


def audit_overlap(
    name: str, train: ArrayLike, test: ArrayLike, *, n_test_pairs: int | None = None
) -> list[Observation]:
    """Audit two sets of images, given as numbers or names, for images that are in both."""
    import numpy as np

    trained, tested = np.unique(np.asarray(train)), np.unique(np.asarray(test))
    common = np.intersect1d(trained, tested)
    if not common.size:
        return []
    of = f" (in {n_test_pairs:,} test pairs)" if n_test_pairs is not None else ""
    share = "all" if common.size == tested.size else f"{common.size:,} of"
    text = f"{share} {tested.size:,} test images are also training images{of}"
    return [Observation("leak", "shared images", name, text)]


def _pairs(n: int) -> str:
    return "1 pair is" if n == 1 else f"{n:,} pairs are"


# ---------------------------------------------------------------------------------------------------- tasks


class _Contents:
    """Digests of the pixels of images. Each image is read once."""

    def __init__(self) -> None:
        self.digests: dict[tuple[str, int], str] = {}
        self.names: dict[tuple[str, int], str] = {}

    def add(self, images: Images, used: Iterable[int]) -> dict[str, list[tuple[tuple[str, int], str]]]:
        """The used images by digest: ``(collection, index), name`` of each."""
        import hashlib

        by_digest: dict[str, list[tuple[tuple[str, int], str]]] = defaultdict(list)
        all_names = images.names
        for k in used:
            key = images.collection_fingerprint, int(images.indices[k])
            if key not in self.digests:
                pixels = images[int(k)]
                self.digests[key] = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
                self.names[key] = all_names[int(k)]
            by_digest[self.digests[key]].append((key, all_names[int(k)]))
        return by_digest

    def duplicates(self) -> list[tuple[str, ...]]:
        """The names of distinct images with the same content."""
        same: dict[str, list[str]] = defaultdict(list)
        for key, digest in self.digests.items():
            same[digest].append(self.names[key])
        return sorted(tuple(sorted(names)) for names in same.values() if len(names) > 1)


def audit_task(task: Task, contents: _Contents | None = None) -> list[Observation]:
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
            test_contents = contents.add(test.images, used)
            shared = sorted(
                (a, b)
                for digest in test_contents.keys() & train_contents.keys()
                for test_key, a in test_contents[digest]
                for train_key, b in train_contents[digest]
                if test_key != train_key  # the same image is reported above, by its position
            )
            if shared:
                n = len({name for name, _ in shared})
                text = f"{_images(n)} duplicated in the training set: " + _some(f"{a} = {b}" for a, b in shared)
                observations.append(Observation("leak", "shared content", name, text))
        if task.train.pairs.order is None and test.pairs.order is None:
            common = _dyads(task.train.images, task.train.pairs) & _dyads(test.images, test.pairs)
            if common:
                observations.append(
                    Observation("leak", "shared pairs", name, f"{len(common):,} test pairs are also training pairs")
                )
    return observations


def _without_repetition(observations: Sequence[Observation], folds: Mapping[str, str]) -> list[Observation]:
    """The observations, where those of one kind in several folds of a cross-validation have the text of the first.

    ``folds`` has the place of the whole cross-validation by that of each fold.
    """
    same: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for o in observations:
        if o.where in folds:
            same[o.kind, folds[o.where]].append(o)
    texts = {
        group: f"{alike[0].text}; and the like in {len(alike) - 1} other folds"
        for group, alike in same.items()
        if len(alike) > 1
    }
    return [msgspec.structs.replace(o, text=texts.get((o.kind, folds.get(o.where, "")), o.text)) for o in observations]


def audit_sizes(sizes: Mapping[tuple[str, bool], int]) -> list[Observation]:
    """Warn about test sets with few ordered pairs.

    ``sizes`` has the number of ordered pairs of each test set, by its place and whether it has the pairs of all folds
    of a cross-validation.
    """
    from relattr.statistics import FEW_TEST_PAIRS, describe_few_pairs

    return [
        Observation("warning", "few pairs", where, describe_few_pairs(n, cross_validated=folds))
        for (where, folds), n in sizes.items()
        if n < FEW_TEST_PAIRS
    ]


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


def audit_released(dataset: Dataset) -> list[Observation]:
    """Audit the released pair files of a dataset, independently of the tasks that are created from them.

    Audits each file, and which files share images: training on one and testing on the other would be a leak.
    """
    import numpy as np

    observations: list[Observation] = []
    released = dataset.released_pairs()
    for name, (left, right, label) in released.items():
        observations += audit_pairs(f"{dataset.name} {name}", left, right, label)
    images = {name: np.unique(np.concatenate([left, right])) for name, (left, right, _) in released.items()}
    for one, other in itertools.combinations(sorted(released, key=lambda name: -images[name].size), 2):
        common = np.intersect1d(images[one], images[other]).size
        if common:
            share = "all" if common == images[other].size else f"{common:,} of"
            text = f"{share} {images[other].size:,} images of {other} are also in {one}"
            observations.append(Observation("leak", "shared images", f"{dataset.name} {other}", text))
    return [Observation(o.severity, f"{RELEASED}: {o.kind}", o.where, o.text) for o in observations]


def audit_dataset(dataset: Dataset, *, images: bool = True) -> Audit:
    """Audit every task of a dataset; with ``images``, also compare the contents of all images.

    If the images are missing, only the released pair files are audited, with a note about it. Raises `BadInput` if
    those are missing too.
    """
    why = dataset.missing()
    if why is not None:
        files = audit_released(dataset)
        if not files:
            raise BadInput(f"{dataset.name} cannot be audited: {why}")
        files.append(Observation("note", "not audited", dataset.name, f"only the pair files were audited: {why}"))
        return Audit(VERSION, dataset.name, "", False, tuple(_merged(files)))
    contents = _Contents() if images else None
    observations: list[Observation] = []
    sizes: dict[tuple[str, bool], int] = defaultdict(int)
    folds: dict[str, str] = {}  # the place of each fold -> that of the whole cross-validation
    for name in dataset.tasks():
        try:
            task = dataset.task(name)
            observations += audit_task(task, contents)
            for test in task.tests:
                whole = f"{name.dataset}/{name.attribute}" if test.fold else str(name)
                sizes[f"{whole} {test.name}", test.fold] += test.pairs.n_ordered
                if test.fold:
                    folds[f"{name} {test.name}"] = f"{whole} {test.name}"
        except RelattrError as error:  # the other tasks are audited all the same
            observations.append(Observation("warning", "not audited", str(name), f"not audited: {error}"))
    observations = _without_repetition(observations, folds)
    observations += audit_sizes(sizes)
    if contents is not None:
        for names in contents.duplicates():
            text = f"{len(names)} images have the same content: {', '.join(names)}"
            observations.append(Observation("warning", "duplicate content", dataset.name, text))
    observations += audit_released(dataset)
    return Audit(VERSION, dataset.name, dataset.fingerprint(), images, tuple(_merged(observations)), code_of(dataset))


def code_of(dataset: Dataset) -> str:
    """Fingerprint of the code that creates the tasks of a dataset."""
    from relattr.identity import code_digest

    return code_digest(type(dataset).__module__)


def _merged(observations: Sequence[Observation]) -> list[Observation]:
    """Merge observations with the same text in several places, leaks first."""
    where: dict[tuple[Severity, str, str], list[str]] = defaultdict(list)
    for o in observations:
        where[o.severity, o.kind, o.text].append(o.where)
    rank = {"leak": 0, "warning": 1, "note": 2}
    merged = [
        Observation(severity, kind, _some(dict.fromkeys(places), 3), text, tuple(dict.fromkeys(places)))
        for (severity, kind, text), places in where.items()
    ]
    return sorted(merged, key=lambda o: rank[o.severity])


def _images(n: int) -> str:
    return "1 test image is" if n == 1 else f"{n:,} test images are"


def _some(items: Iterable[str], limit: int = 5) -> str:
    listed = list(items)
    more = f" and {len(listed) - limit:,} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
