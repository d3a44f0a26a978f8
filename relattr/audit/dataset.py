"""Audit of a dataset: all its tasks, and its released pair files."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from relattr.audit.contents import ImageContents
from relattr.audit.observation import RELEASED, VERSION, Audit, Observation, Severity, listed
from relattr.audit.pairs import audit_pairs, audit_sizes
from relattr.audit.task import audit_task
from relattr.errors import BadInput, RelattrError

if TYPE_CHECKING:
    from relattr.dataset import Dataset


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
    contents = ImageContents() if images else None
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


def _merged(observations: Sequence[Observation]) -> list[Observation]:
    """Merge observations with the same text in several places, leaks first."""
    where: dict[tuple[Severity, str, str], list[str]] = defaultdict(list)
    for o in observations:
        where[o.severity, o.kind, o.text].append(o.where)
    rank = {"leak": 0, "warning": 1, "note": 2}
    merged = [
        Observation(severity, kind, listed(dict.fromkeys(places), 3), text, tuple(dict.fromkeys(places)))
        for (severity, kind, text), places in where.items()
    ]
    return sorted(merged, key=lambda o: rank[o.severity])
