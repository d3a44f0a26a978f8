"""Read and validate the released files of UT-Zap50K: image paths, voted pairs, splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.system.manifest import check_path

from ._matlab import cell_texts, numeric_array, read_mat
from ._release_files import file_state

ATTRIBUTES = ("open", "pointy", "sporty", "comfort")
"""In the order of the files; an attribute's number in a row counts from 1."""

PATHS, LABELS, FINE, SPLITS = "image-path.mat", "zappos-labels.mat", "zappos-labels-fg.mat", "train-test-splits.mat"
SPLIT_PAIRS = "train-test-splits-pairs.mat"
FILES = (PATHS, LABELS, FINE, SPLITS)

N_SPLITS = 10
_CODES = {1: 1, 2: -1, 3: 0}
"""Our label for each label in the files: the first image has more, less, neither."""


@dataclass(frozen=True, eq=False)
class ZapposPairs:
    """Labelled pairs of one attribute: image indices ``left``, ``right`` and ``label``, each ``(n,)``."""

    where: str
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    label: NDArray[np.int64]

    def pairs(self, rows: Any = slice(None)) -> Pairs:
        """Build all pairs, or those at ``rows``, over all images of the set."""
        return Pairs(self.left[rows], self.right[rows], self.label[rows])


@dataclass(frozen=True, eq=False)
class ZapposRelease:
    """The contents of a release.

    ``paths``: the file of each image, as listed. By attribute: ``ordered`` and ``equal`` pairs of UT-Zap50K-1,
    ``fine`` pairs of UT-Zap50K-2; ``splits``: the rows of ``ordered`` to train on and to test, ``n_test`` of them.
    """

    paths: tuple[str, ...]
    ordered: Mapping[str, ZapposPairs]
    equal: Mapping[str, ZapposPairs]
    fine: Mapping[str, ZapposPairs]
    splits: Mapping[str, Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]]
    n_test: int

    @property
    def used(self) -> NDArray[np.int64]:
        """The images that are in any pair, ascending."""
        parts = [part for kind in (self.ordered, self.equal, self.fine) for part in kind.values()]
        return np.unique(np.concatenate([side for part in parts for side in (part.left, part.right)]))

    def asked_again(self, attribute: str) -> NDArray[np.bool_]:
        """Which equal pairs of UT-Zap50K-1 are fine-grained (then ordered) pairs of UT-Zap50K-2, ``(n,)``."""
        equal, fine = self.equal[attribute], self.fine[attribute]
        fine_pairs = {frozenset(pair) for pair in zip(fine.left.tolist(), fine.right.tolist(), strict=True)}
        equal_pairs = zip(equal.left.tolist(), equal.right.tolist(), strict=True)
        return np.array([frozenset(pair) in fine_pairs for pair in equal_pairs], bool)


def read_zappos(folder: Path, n_images: int, n_test: int) -> ZapposRelease:
    """Read a release of ``n_images`` images with ``n_test`` test pairs per split.

    Raises `BadInput`, naming the file and the row, for anything invalid: shapes, an image that is not listed, an
    unknown label or attribute, a pair that is listed twice, an image paired with itself, splits that do not partition
    the ordered pairs.
    """
    state = tuple(number for name in FILES for number in file_state(folder / name))
    return _read_zappos(folder, n_images, n_test, state)  # every cell of a plan needs them


@lru_cache(maxsize=4)
def _read_zappos(folder: Path, n_images: int, n_test: int, state: tuple[int, ...]) -> ZapposRelease:
    paths = _read_paths(folder / PATHS, n_images)
    labels = read_mat(folder / LABELS, ["mturkOrder", "mturkEqual"])
    fine_labels = read_mat(folder / FINE, ["mturkHard"])
    ordered = _pairs_by_attribute(folder / LABELS, "mturkOrder", labels["mturkOrder"], n_images, (1, 2))
    equal = _pairs_by_attribute(folder / LABELS, "mturkEqual", labels["mturkEqual"], n_images, (3,))
    fine = _pairs_by_attribute(folder / FINE, "mturkHard", fine_labels["mturkHard"], n_images, (1, 2))
    for attribute in ATTRIBUTES:
        _refuse_repeated_pairs(ordered[attribute], equal[attribute])
        # equal and fine-grained pairs overlap: the fine-grained pairs are equal pairs that were asked about again
        _refuse_repeated_pairs(ordered[attribute], fine[attribute])
    splits = _read_splits(folder / SPLITS, ordered, n_test)
    release = ZapposRelease(paths, ordered, equal, fine, splits, n_test)
    for image in release.used.tolist():
        try:
            check_path(paths[image])
        except BadInput as error:
            raise BadInput(f"{folder / PATHS}, image {image + 1}: {error}") from error
    return release


def _read_paths(path: Path, n_images: int) -> tuple[str, ...]:
    paths = cell_texts(read_mat(path, ["imagepath"])["imagepath"], f"{path}: imagepath")
    if len(paths) != n_images:
        raise BadInput(f"{path}: imagepath has {len(paths):,} images; expected {n_images:,}")
    if len(set(paths)) != len(paths):
        raise BadInput(f"{path}: imagepath lists {len(paths) - len(set(paths)):,} images twice; expected each once")
    return tuple(paths)


def _pairs_by_attribute(
    path: Path, variable: str, cells: NDArray[Any], n_images: int, allowed: tuple[int, ...]
) -> dict[str, ZapposPairs]:
    """The pairs of each attribute: rows of image, image, attribute, label, mean confidence, agreement."""
    pairs = {}
    for number, (attribute, cell) in enumerate(_cells(path, variable, cells, len(ATTRIBUTES)), start=1):
        where = f"{path}: {variable} of {attribute}"
        if cell.ndim != 2 or cell.shape[1] != 6:
            raise BadInput(f"{where} has shape {cell.shape}; expected (n, 6)")
        rows = numeric_array(cell, where)
        labels = " or ".join(map(str, allowed))
        for column, valid, expected in (
            (0, _integers_up_to(rows[:, 0], n_images), f"an image from 1 to {n_images}"),
            (1, _integers_up_to(rows[:, 1], n_images), f"an image from 1 to {n_images}"),
            (2, rows[:, 2] == number, f"{number}, for {attribute}"),
            (3, np.isin(rows[:, 3], allowed), f"the label {labels}"),
        ):
            bad = np.flatnonzero(~valid)
            if bad.size:
                value = f"{rows[bad[0], column]:g}"
                raise BadInput(f"{where}, row {bad[0] + 1}: {value} in column {column + 1}; expected {expected}")
        same = np.flatnonzero(rows[:, 0] == rows[:, 1])
        if same.size:
            raise BadInput(f"{where}, row {same[0] + 1} pairs image {rows[same[0], 0]:.0f} with itself")
        codes = rows[:, :4].astype(np.int64)
        label = np.array([0, *_CODES.values()])[codes[:, 3]]
        pairs[attribute] = ZapposPairs(where, codes[:, 0] - 1, codes[:, 1] - 1, label)
        _refuse_repeated_pairs(pairs[attribute])
    return pairs


def _cells(path: Path, variable: str, cells: NDArray[Any], n: int) -> Iterable[tuple[str, NDArray[Any]]]:
    if cells.dtype != object or cells.size != n:
        raise BadInput(f"{path}: {variable} is {cells.dtype} of shape {cells.shape}; expected {n} cells")
    return zip(ATTRIBUTES, (np.asarray(cell) for cell in cells.ravel()), strict=True)


def _integers_up_to(values: NDArray[np.float64], upper: int) -> NDArray[np.bool_]:
    return (values % 1 == 0) & (values >= 1) & (values <= upper)


def _refuse_repeated_pairs(*parts: ZapposPairs) -> None:
    """Raise `BadInput` where two images are paired twice among these, in either order."""
    seen: dict[tuple[int, int], tuple[int, str]] = {}
    for part in parts:
        for left, right, label in zip(part.left.tolist(), part.right.tolist(), part.label.tolist(), strict=True):
            images, in_order = ((left, right), label) if left < right else ((right, left), -label)
            if images in seen:
                first, where = seen[images]
                labels = f"with labels {first} and {in_order}" if first != in_order else f"both with label {first}"
                other = "" if where == part.where else f" (first in {where})"
                raise BadInput(f"{part.where} has images {images[0] + 1} and {images[1] + 1} twice{other}, {labels}")
            seen[images] = in_order, part.where


def _read_splits(
    path: Path, ordered: Mapping[str, ZapposPairs], n_test: int
) -> dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    data = read_mat(path, ["trainIndexAll", "testIndexAll"])
    splits: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    parts = [dict(_cells(path, name, data[name], len(ATTRIBUTES))) for name in ("trainIndexAll", "testIndexAll")]
    for attribute in ATTRIBUTES:
        n = ordered[attribute].left.size
        rows = [_split_rows(part[attribute], f"{path}: {attribute}", n) for part in parts]
        splits[attribute] = list(zip(*rows, strict=True))
        for number, (train, test) in enumerate(splits[attribute], start=1):
            where = f"{path}: split {number} of {attribute}"
            if test.size != n_test:
                raise BadInput(f"{where} has {test.size} test pairs; expected {n_test}")
            if sorted([*train.tolist(), *test.tolist()]) != list(range(n)):
                raise BadInput(
                    f"{where} has {train.size} training and {test.size} test pairs; expected each of the {n} ordered "
                    f"pairs in one of them, once"
                )
    return splits


def _split_rows(cell: NDArray[Any], where: str, n: int) -> list[NDArray[np.int64]]:
    """Row indices of each split, counted from 0."""
    if cell.dtype != object or cell.size != N_SPLITS:
        raise BadInput(f"{where} is {cell.dtype} of shape {cell.shape}; expected {N_SPLITS} cells, one per split")
    rows = [numeric_array(np.asarray(split), where).ravel() for split in cell.ravel()]
    for number, values in enumerate(rows, start=1):
        bad = values[~_integers_up_to(values, n)]
        if bad.size:
            raise BadInput(f"{where}, split {number} has row {bad[0]:g}; expected 1 to {n}")
    return [values.astype(np.int64) - 1 for values in rows]


def paths_on_disk(folder: Path, paths: Iterable[str]) -> list[str]:
    """Return the paths of these images as they are in an unpacked release; tests each folder once.

    The list spells some folders in another way than the image archives do, and Windows strips a full stop at the end
    of a folder's name. Of `folder_spellings`, the first that exists is used; the listed one if none does.
    """
    spelling_of: dict[str, str] = {}
    on_disk = []
    for path in paths:
        parent, _, name = path.rpartition("/")
        if parent not in spelling_of:
            existing = (spelling for spelling in folder_spellings(parent) if (folder / spelling).is_dir())
            spelling_of[parent] = next(existing, parent)
        on_disk.append(f"{spelling_of[parent]}/{name}")
    return on_disk


def folder_spellings(parent: str) -> tuple[str, ...]:
    """Return the ways in which a listed folder may be spelt on disk, the listed one first.

    ``L.A.M.B.`` also as ``L.A.M.B`` and ``L.A.M.B%2E``; ``Levi's Kids`` also with ``&#174;``.
    """
    stops = [parent, parent[:-1], f"{parent[:-1]}%2E"] if parent.endswith(".") else [parent]
    return tuple(dict.fromkeys(s for stop in stops for s in (stop, stop.replace("Levi's ", "Levi's&#174; "))))
