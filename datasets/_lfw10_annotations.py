"""Read and validate the annotations of LFW-10: the official MATLAB files, or lists of labelled pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.system.numbers import is_digits

from ._matlab import cell_text, numeric_array, read_mat
from ._pair_checks import find_contradiction
from ._release_files import read_lines

ATTRIBUTES = (
    "baldhead",
    "darkhair",
    "eyesopen",
    "goodlooking",
    "masculinelooking",
    "mouthopen",
    "smile",
    "v_teeth",
    "vforehead",
    "young",
)
"""In the order of the published tables, which is also the numbering of the lists."""

VOTES = 5
"""Votes on each training pair."""

TRAINING_LIST, TEST_LIST = "aaai21/lfw10_train.txt", "aaai21/lfw10_test.txt"


@dataclass(frozen=True)
class LFW10Annotations:
    """The annotated pairs of one attribute and part (training or test): image numbers ``left``, ``right`` ``(n,)``.

    Where they are known, ``votes`` ``(n, 3)`` counts left, right and similar; otherwise there is only a ``label``
    ``(n,)``.
    """

    where: str
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    votes: NDArray[np.int64] | None
    label: NDArray[np.int64] | None

    def pairs(self) -> Pairs:
        """Build the labelled pairs, over image indices (number - 1)."""
        if self.votes is not None:
            return Pairs.from_votes(self.left - 1, self.right - 1, self.votes)
        assert self.label is not None
        return Pairs(self.left - 1, self.right - 1, self.label)


@dataclass(frozen=True, eq=False)
class LFW10Release:
    """The annotation files in one folder, for ``n_images`` images and ``n_pairs`` pairs per attribute and part."""

    folder: Path
    n_images: int
    n_pairs: int

    @property
    def layout(self) -> Literal["votes", "lists"]:
        """``votes`` if the official files exist, with five votes per pair; otherwise ``lists``."""
        return "votes" if (self.folder / "annotations").is_dir() else "lists"

    @property
    def files(self) -> list[str]:
        """The annotation files that are read, relative to the folder."""
        if self.layout == "votes":
            return [f"annotations/{attribute}{part}.mat" for attribute in ATTRIBUTES for part in ("train", "test")]
        return [TRAINING_LIST, TEST_LIST]

    def pairs(self, attribute: str, part: str) -> Pairs:
        """Read the labelled pairs of a part, ``train`` or ``test``. Raises `BadInput` for contradictory labels."""
        if self.layout == "lists":
            annotations = self._lists[attribute, part]
        else:
            path = self.folder / "annotations" / f"{attribute}{part}.mat"
            annotations = read_official_annotations(path, self.n_images, self.n_pairs)
        pairs = annotations.pairs()
        _refuse_contradictions(annotations.where, pairs)
        return pairs

    @cached_property
    def _lists(self) -> dict[tuple[str, str], LFW10Annotations]:
        return {
            **read_training_list(self.folder / TRAINING_LIST, self.n_images, self.n_pairs),
            **read_test_list(self.folder / TEST_LIST, self.n_images, self.n_pairs),
        }


def read_training_list(path: Path, n_images: int, n_pairs: int) -> dict[tuple[str, str], LFW10Annotations]:
    """Read the list of training pairs, by attribute and part.

    A pair has five rows, one for each vote, anywhere in the file. Pairs are in the order of their first row.
    """
    votes: dict[str, dict[tuple[int, int], list[int]]] = {attribute: {} for attribute in ATTRIBUTES}
    for attribute, left, right, label in _list_rows(path, n_images):
        counts = votes[attribute].setdefault((left, right), [0, 0, 0])
        counts[(1, -1, 0).index(label)] += 1
    annotations = {}
    for attribute, of_pair in votes.items():
        where = f"{path}: {attribute}"
        for pair, counts in of_pair.items():
            if sum(counts) != VOTES:
                raise BadInput(f"{where} has {sum(counts)} votes on pair {pair}; expected {VOTES}")
        _check_count(where, len(of_pair), n_pairs)
        annotations[attribute, "train"] = _annotations(where, list(of_pair), votes=list(of_pair.values()))
    return annotations


def read_test_list(path: Path, n_images: int, n_pairs: int) -> dict[tuple[str, str], LFW10Annotations]:
    """Read the list of test pairs, by attribute and part: one row per pair, with its label."""
    rows: dict[str, list[tuple[int, int]]] = {attribute: [] for attribute in ATTRIBUTES}
    labels: dict[str, list[int]] = {attribute: [] for attribute in ATTRIBUTES}
    for attribute, left, right, label in _list_rows(path, n_images):
        rows[attribute].append((left, right))
        labels[attribute].append(label)
    annotations = {}
    for attribute, of_attribute in rows.items():
        where = f"{path}: {attribute}"
        _check_count(where, len(of_attribute), n_pairs)
        annotations[attribute, "test"] = _annotations(where, of_attribute, labels=labels[attribute])
    return annotations


def read_official_annotations(path: Path, n_images: int, n_pairs: int) -> LFW10Annotations:
    """Read an official file.

    ``images_compare`` are cells ``(n, 3)`` with file names in the last two columns. ``attribute_strengths`` ``(n, 4)``
    has the votes for the first image, the second and neither in the last three columns.
    """
    data = read_mat(path, ["images_compare", "attribute_strengths"])
    shapes = {"images_compare": (n_pairs, 3), "attribute_strengths": (n_pairs, 4)}
    for name, shape in shapes.items():
        if data[name].shape != shape:
            raise BadInput(f"{path}: {name} has shape {data[name].shape}; expected {shape}")
    votes = numeric_array(data["attribute_strengths"], f"{path}: attribute_strengths")[:, 1:]
    bad = np.flatnonzero(~np.isfinite(votes).all(1) | (votes < 0).any(1) | (votes % 1 != 0).any(1) | ~votes.any(1))
    if bad.size:
        raise BadInput(f"{path}: row {bad[0] + 1} has votes {votes[bad[0]].tolist()}; expected counts, at least one")
    rows = []
    for i, row in enumerate(data["images_compare"][:, 1:], start=1):
        where = f"{path}, row {i}"
        names = [cell_text(cell, where) for cell in row]
        rows.append((_image_number(names[0], n_images, where), _image_number(names[1], n_images, where)))
    return _annotations(str(path), rows, votes=votes.astype(np.int64))


def _image_number(name: str, n_images: int, where: str) -> int:
    """The number of an image, from ``.../123.jpg``. Raises `BadInput` if there is no such image."""
    base = name.rpartition("/")[2]
    stem = base.removesuffix(".jpg")
    if stem == base or not is_digits(stem) or not 1 <= int(stem) <= n_images:
        raise BadInput(f"{where} names image {name!r}; expected 1.jpg to {n_images}.jpg")
    return int(stem)


def _list_rows(path: Path, n_images: int) -> Iterable[tuple[str, int, int, int]]:
    """The rows ``path,path,label,attribute`` of a list: attribute, left, right, label."""
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}, line {number}"
        words = line.split(",")
        if len(words) != 4:
            raise BadInput(f"{where}: expected 'image,image,label,attribute', got {line[:120]!r}")
        if words[2] not in ("1", "-1", "0"):
            raise BadInput(f"{where}: label {words[2]!r}; expected 1 (left more), -1 (right more) or 0 (similar)")
        if not is_digits(words[3]) or int(words[3]) >= len(ATTRIBUTES):
            raise BadInput(f"{where}: attribute {words[3]!r}; expected 0 to {len(ATTRIBUTES) - 1}")
        left, right = _image_number(words[0], n_images, where), _image_number(words[1], n_images, where)
        yield ATTRIBUTES[int(words[3])], left, right, int(words[2])


def _check_count(where: str, n_pairs: int, expected: int) -> None:
    if n_pairs != expected:
        raise BadInput(f"{where} has {n_pairs} pairs; expected {expected}. Is the file truncated?")


def _annotations(
    where: str, rows: Sequence[tuple[int, int]], *, votes: Any = None, labels: Any = None
) -> LFW10Annotations:
    sides = np.array(rows, np.int64).reshape(-1, 2)
    same = np.flatnonzero(sides[:, 0] == sides[:, 1])
    if same.size:
        raise BadInput(f"{where} pairs image {sides[same[0], 0]} with itself")
    return LFW10Annotations(
        where,
        sides[:, 0],
        sides[:, 1],
        None if votes is None else np.array(votes, np.int64),
        None if labels is None else np.array(labels, np.int64),
    )


def _refuse_contradictions(where: str, pairs: Pairs) -> None:
    """Raise `BadInput` where two images are paired twice, in either order, with labels that disagree."""
    contradiction = find_contradiction(pairs)
    if contradiction is not None:
        images = sorted((int(pairs.left[contradiction[0]]), int(pairs.right[contradiction[0]])))
        labels = [int(pairs.label[k]) * (1 if pairs.left[k] == images[0] else -1) for k in contradiction]
        raise BadInput(
            f"{where} has images {images[0] + 1} and {images[1] + 1} twice, with labels {labels[0]} and {labels[1]}"
        )
