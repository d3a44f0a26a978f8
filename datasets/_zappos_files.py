"""The released files of UT-Zap50K, read and checked: image paths, voted pairs, splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput

from . import _matlab

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.pairs import Pairs

ATTRIBUTES = ("open", "pointy", "sporty", "comfort")
"""In the order of the files; an attribute's number in a row counts from 1."""

PATHS, LABELS, FINE, SPLITS = "image-path.mat", "zappos-labels.mat", "zappos-labels-fg.mat", "train-test-splits.mat"
SPLIT_PAIRS = "train-test-splits-pairs.mat"
FILES = (PATHS, LABELS, FINE, SPLITS)

N_SPLITS = 10
_CODES = {1: 1, 2: -1, 3: 0}
"""What a label in the files says of the first image: more, less, neither."""


@dataclass(frozen=True, eq=False)
class ZapposVotes:
    """Pairs of one attribute: image indices ``left``, ``right`` and ``label``, each ``(n,)``."""

    where: str
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    label: NDArray[np.int64]

    def pairs(self, which: Any = slice(None)) -> Pairs:
        """These rows, or some of them, over all images of the set."""
        from relattr.pairs import Pairs

        return Pairs(self.left[which], self.right[which], self.label[which])


@dataclass(frozen=True, eq=False)
class ZapposRelease:
    """Everything that is read of a release.

    ``paths``: the file of each image, as listed. By attribute: ``ordered`` and ``equal`` pairs of
    UT-Zap50K-1, ``fine`` pairs of UT-Zap50K-2; ``splits``: rows of ``ordered`` to train on and to test.
    """

    paths: tuple[str, ...]
    ordered: Mapping[str, ZapposVotes]
    equal: Mapping[str, ZapposVotes]
    fine: Mapping[str, ZapposVotes]
    splits: Mapping[str, Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]]

    @property
    def used(self) -> NDArray[np.int64]:
        """The images that are in any pair, ascending."""
        import numpy as np

        voted = [v for of in (self.ordered, self.equal, self.fine) for v in of.values()]
        return np.unique(np.concatenate([side for v in voted for side in (v.left, v.right)]))

    def asked_again(self, attribute: str) -> NDArray[np.bool_]:
        """Which equal pairs of UT-Zap50K-1 are, ordered, the fine-grained ones of UT-Zap50K-2, ``(n,)``."""
        import numpy as np

        equal, fine = self.equal[attribute], self.fine[attribute]
        tested = {frozenset(pair) for pair in zip(fine.left.tolist(), fine.right.tolist(), strict=True)}
        both = zip(equal.left.tolist(), equal.right.tolist(), strict=True)
        return np.array([frozenset(pair) in tested for pair in both], bool)


def read(folder: Path, n_images: int, n_test: int) -> ZapposRelease:
    """A release of ``n_images`` with ``n_test`` test pairs a split.

    Raises `BadInput`, naming the file and the row, for anything that is not as it should be: shapes, an
    image that is not listed, a label or attribute of no meaning, a pair that is there twice, an image
    with itself, splits that do not part the ordered pairs.
    """
    state: list[int] = []
    for name in FILES:
        try:
            stat = (folder / name).stat()
        except OSError as error:
            raise BadInput(f"cannot read {folder / name}: {error.strerror}") from error
        state += [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    return _read(folder, n_images, n_test, tuple(state))  # every cell of a plan asks for them


@lru_cache(maxsize=4)
def _read(folder: Path, n_images: int, n_test: int, state: tuple[int, ...]) -> ZapposRelease:
    from relattr.system.manifest import check_path

    paths = _read_paths(folder / PATHS, n_images)
    labels = _matlab.load(folder / LABELS, ["mturkOrder", "mturkEqual"])
    fine = _matlab.load(folder / FINE, ["mturkHard"])
    ordered = _voted(folder / LABELS, "mturkOrder", labels["mturkOrder"], n_images, (1, 2))
    equal = _voted(folder / LABELS, "mturkEqual", labels["mturkEqual"], n_images, (3,))
    hard = _voted(folder / FINE, "mturkHard", fine["mturkHard"], n_images, (1, 2))
    for attribute in ATTRIBUTES:
        _refuse_twice(ordered[attribute], equal[attribute])
        # not with the equal pairs: the fine-grained pairs are those of them that were asked about again
        _refuse_twice(ordered[attribute], hard[attribute])
    released = ZapposRelease(paths, ordered, equal, hard, _read_splits(folder / SPLITS, ordered, n_test))
    for image in released.used.tolist():
        try:
            check_path(paths[image])
        except BadInput as error:
            raise BadInput(f"{folder / PATHS}, image {image + 1}: {error}") from error
    return released


def _read_paths(path: Path, n_images: int) -> tuple[str, ...]:
    paths = _matlab.texts(_matlab.load(path, ["imagepath"])["imagepath"], f"{path}: imagepath")
    if len(paths) != n_images:
        raise BadInput(f"{path}: imagepath has {len(paths):,} images; expected {n_images:,}")
    if len(set(paths)) != len(paths):
        raise BadInput(f"{path}: imagepath lists {len(paths) - len(set(paths)):,} images twice; expected each once")
    return tuple(paths)


def _voted(
    path: Path, variable: str, cells: NDArray[Any], n_images: int, allowed: tuple[int, ...]
) -> dict[str, ZapposVotes]:
    """The pairs of each attribute: rows of image, image, attribute, label, mean confidence, agreement."""
    import numpy as np

    found = {}
    for number, (attribute, cell) in enumerate(_cells(path, variable, cells, len(ATTRIBUTES)), start=1):
        where = f"{path}: {variable} of {attribute}"
        if cell.ndim != 2 or cell.shape[1] != 6:
            raise BadInput(f"{where} has shape {cell.shape}; expected (n, 6)")
        rows = _matlab.numbers(cell, where)
        one_of = " or ".join(map(str, allowed))
        for column, good, expected in (
            (0, _between(rows[:, 0], n_images), f"an image from 1 to {n_images}"),
            (1, _between(rows[:, 1], n_images), f"an image from 1 to {n_images}"),
            (2, rows[:, 2] == number, f"{number}, for {attribute}"),
            (3, np.isin(rows[:, 3], allowed), f"the label {one_of}"),
        ):
            bad = np.flatnonzero(~good)
            if bad.size:
                value = f"{rows[bad[0], column]:g}"
                raise BadInput(f"{where}, row {bad[0] + 1}: {value} in column {column + 1}; expected {expected}")
        same = np.flatnonzero(rows[:, 0] == rows[:, 1])
        if same.size:
            raise BadInput(f"{where}, row {same[0] + 1} pairs image {rows[same[0], 0]:.0f} with itself")
        codes = rows[:, :4].astype(np.int64)
        label = np.array([0, *_CODES.values()])[codes[:, 3]]
        found[attribute] = ZapposVotes(where, codes[:, 0] - 1, codes[:, 1] - 1, label)
        _refuse_twice(found[attribute])
    return found


def _cells(path: Path, variable: str, cells: NDArray[Any], n: int) -> Iterable[tuple[str, NDArray[Any]]]:
    import numpy as np

    if cells.dtype != object or cells.size != n:
        raise BadInput(f"{path}: {variable} is {cells.dtype} of shape {cells.shape}; expected {n} cells")
    return zip(ATTRIBUTES, (np.asarray(cell) for cell in cells.ravel()), strict=True)


def _between(values: NDArray[np.float64], high: int) -> NDArray[np.bool_]:
    return (values % 1 == 0) & (values >= 1) & (values <= high)


def _refuse_twice(*parts: ZapposVotes) -> None:
    """Raise `BadInput` where two images are paired twice among these, in either order."""
    seen: dict[tuple[int, int], tuple[int, str]] = {}
    for part in parts:
        for left, right, label in zip(part.left.tolist(), part.right.tolist(), part.label.tolist(), strict=True):
            key, upright = ((left, right), label) if left < right else ((right, left), -label)
            if key in seen:
                first, where = seen[key]
                how = f"with labels {first} and {upright}" if first != upright else f"both with label {first}"
                other = "" if where == part.where else f" (first in {where})"
                raise BadInput(f"{part.where} has images {key[0] + 1} and {key[1] + 1} twice{other}, {how}")
            seen[key] = upright, part.where


def _read_splits(
    path: Path, ordered: Mapping[str, ZapposVotes], n_test: int
) -> dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    data = _matlab.load(path, ["trainIndexAll", "testIndexAll"])
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    parts = [dict(_cells(path, name, data[name], len(ATTRIBUTES))) for name in ("trainIndexAll", "testIndexAll")]
    for attribute in ATTRIBUTES:
        n = ordered[attribute].left.size
        of_part = [_rows(part[attribute], f"{path}: {attribute}", n) for part in parts]
        found[attribute] = list(zip(*of_part, strict=True))
        for number, (train, test) in enumerate(found[attribute], start=1):
            where = f"{path}: split {number} of {attribute}"
            if test.size != n_test:
                raise BadInput(f"{where} has {test.size} test pairs; expected {n_test}")
            if sorted([*train.tolist(), *test.tolist()]) != list(range(n)):
                raise BadInput(
                    f"{where} has {train.size} training and {test.size} test pairs; expected each of the {n} ordered "
                    f"pairs in one of them, once"
                )
    return found


def _rows(cell: NDArray[Any], where: str, n: int) -> list[NDArray[np.int64]]:
    """Row indices of each split, counted from 0."""
    import numpy as np

    if cell.dtype != object or cell.size != N_SPLITS:
        raise BadInput(f"{where} is {cell.dtype} of shape {cell.shape}; expected {N_SPLITS} cells, one a split")
    rows = [_matlab.numbers(np.asarray(one), where).ravel() for one in cell.ravel()]
    for number, values in enumerate(rows, start=1):
        bad = values[~_between(values, n)]
        if bad.size:
            raise BadInput(f"{where}, split {number} has row {bad[0]:g}; expected 1 to {n}")
    return [values.astype(np.int64) - 1 for values in rows]


def on_disk(folder: Path, paths: Iterable[str]) -> list[str]:
    """The paths of these images as they are in an unpacked release, each folder looked for once.

    The list spells some folders in another way than the archives of images do, and Windows strips a full
    stop at the end of a folder's name: of `spellings`, the first that is there; the listed one if none is.
    """
    known: dict[str, str] = {}
    found = []
    for path in paths:
        parent, _, name = path.rpartition("/")
        if parent not in known:
            there = (spelling for spelling in spellings(parent) if (folder / spelling).is_dir())
            known[parent] = next(there, parent)
        found.append(f"{known[parent]}/{name}")
    return found


def spellings(parent: str) -> tuple[str, ...]:
    """The ways in which a folder of the list may be spelt: ``L.A.M.B.`` as such, ``L.A.M.B`` and ``L.A.M.B%2E``;
    ``Levi's Kids`` as such and with ``&#174;``.
    """
    stops = [parent, parent[:-1], f"{parent[:-1]}%2E"] if parent.endswith(".") else [parent]
    return tuple(dict.fromkeys(s for stop in stops for s in (stop, stop.replace("Levi's ", "Levi's&#174; "))))
