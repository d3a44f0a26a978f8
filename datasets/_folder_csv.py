"""Read a user's CSV file of comparisons: pairs, votes or scores of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

from ._csv_tables import CsvColumns, CsvTable, open_csv, parse_count, parse_number
from ._pair_checks import find_contradiction
from ._release_files import file_state

PAIRS = CsvColumns(("left", "right", "label"), ("attribute",))
VOTES = CsvColumns(("left", "right", "first", "second", "equal"), ("attribute",))
SCORES = CsvColumns(("image", "score"), ("category", "attribute"))

LABELS = {"1": 1, "+1": 1, "-1": -1, "0": 0}


@dataclass(eq=False)
class PairRows:
    """The rows of one attribute that compare two images: images, label or votes (left, right, equal), line."""

    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    votes: list[tuple[int, int, int]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def pairs(self) -> Pairs:
        """Build the pairs. A pair with votes has the label with the most; ties go to the first of left, right."""
        if self.votes:
            return Pairs.from_votes(self.left, self.right, self.votes)
        return Pairs(self.left, self.right, self.label)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The contents of one file.

    ``images`` are paths relative to the file's folder, in the order of first mention. A file of pairs or votes has
    ``pairs`` by attribute. A file of scores has, by attribute, the indices ``(k,)`` of the scored images and their
    scores ``(k,)``, and optionally ``categories``, one name per image.
    """

    path: Path
    kind: Literal["pairs", "votes", "scores"]
    images: tuple[str, ...]
    pairs: dict[str, Pairs]
    scores: dict[str, tuple[NDArray[np.int32], NDArray[np.float64]]]
    categories: tuple[str, ...] | None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes in the order of first mention."""
        return tuple(self.pairs or self.scores)


def find_csv(path: Path) -> Path:
    """Return the file, or the only .csv file of the folder. Raises `BadInput` if there is none, or several."""
    if not path.is_dir():
        if not path.is_file():
            raise BadInput(f"{path} does not exist; expected a .csv file, or a folder with one .csv file in it")
        return path
    files = sorted(path.glob("*.csv"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:5]) or "none"
        raise BadInput(f"{path} has {len(files)} .csv files ({names}); expected one, or the path of the one to read")
    return files[0]


def read_comparisons(path: Path) -> Comparisons:
    """Read and validate a file. Raises `BadInput`, naming file, line and value, for anything invalid."""
    return _read_comparisons(path, file_state(path))


@lru_cache(maxsize=4)
def _read_comparisons(path: Path, state: tuple[int, ...]) -> Comparisons:
    index: dict[str, int] = {}
    with open_csv(path, (PAIRS, VOTES, SCORES)) as table:
        if table.columns is SCORES:
            return _read_scores(path, table, index)
        return _read_pairs(path, table, index)


def _read_pairs(path: Path, table: CsvTable, index: dict[str, int]) -> Comparisons:
    by_attribute: dict[str, PairRows] = {}
    has_votes = table.columns is VOTES
    for line, (left, right, *answer, attribute) in table.rows:
        where = f"{path}, line {line}"
        rows = by_attribute.setdefault(_parse_attribute(attribute, path, where), PairRows())
        left_index, right_index = _image_index(left, index, where), _image_index(right, index, where)
        if left_index == right_index:
            raise BadInput(f"{where}: image {left!r} is compared with itself")
        rows.left.append(left_index)
        rows.right.append(right_index)
        rows.lines.append(line)
        if has_votes:
            rows.votes.append(_parse_votes(answer, where))
        elif answer[0] in LABELS:
            rows.label.append(LABELS[answer[0]])
        else:
            raise BadInput(
                f"{where}: label is {answer[0][:80]!r}; expected 1 (left has more), -1 (right) or 0 (similar)"
            )
    images = tuple(index)
    pairs = {}
    for attribute, rows in by_attribute.items():
        pairs[attribute] = rows.pairs()
        _refuse_contradictions(path, attribute, rows, pairs[attribute], images)
    return Comparisons(path, "votes" if has_votes else "pairs", images, pairs, {}, None)


def _read_scores(path: Path, table: CsvTable, index: dict[str, int]) -> Comparisons:
    by_attribute: dict[str, dict[int, float]] = {}
    categories: dict[int, str] = {}
    for line, (image, score, category, attribute) in table.rows:
        where = f"{path}, line {line}"
        k = _image_index(image, index, where)
        scores = by_attribute.setdefault(_parse_attribute(attribute, path, where), {})
        if k in scores:
            raise BadInput(
                f"{where}: image {image!r} already has a score; expected one score for each image and attribute"
            )
        scores[k] = parse_number(score, f"{where}: score")
        if categories.setdefault(k, category) != category:
            raise BadInput(
                f"{where}: image {image!r} has the category {category!r}, but {categories[k]!r} in an earlier line"
            )
    arrays = {
        attribute: (np.array(list(scores), np.int32), np.array(list(scores.values()), np.float64))
        for attribute, scores in by_attribute.items()
    }
    of_image = tuple(categories[k] for k in range(len(index))) if "category" in table.present else None
    return Comparisons(path, "scores", tuple(index), {}, arrays, of_image)


def _parse_attribute(cell: str, path: Path, where: str) -> str:
    """The attribute of a row; the file's stem where the file has no attribute column."""
    if any(c == "/" or not c.isprintable() for c in cell):
        raise BadInput(f"{where}: attribute is {cell[:80]!r}; expected text without / and control characters")
    return cell or path.stem


def _image_index(name: str, index: dict[str, int], where: str) -> int:
    """The index of an image, assigned at first mention; paths that leave the folder are refused."""
    if name not in index:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or not all(map(str.isprintable, parts)):
            raise BadInput(f"{where}: image {name[:80]!r}; expected a path relative to the file's folder, with /")
        name = str(PurePosixPath(name))
    return index.setdefault(name, len(index))


def _parse_votes(cells: list[str], where: str) -> tuple[int, int, int]:
    first, second, equal = (
        parse_count(cell, f"{where}: {name}") for name, cell in zip(("first", "second", "equal"), cells, strict=True)
    )
    if not first + second + equal:
        raise BadInput(f"{where}: no vote; expected at least one of first, second and equal")
    return first, second, equal


def _refuse_contradictions(path: Path, attribute: str, rows: PairRows, pairs: Pairs, images: tuple[str, ...]) -> None:
    """Raise `BadInput` where two images are compared twice, in either order, with labels that disagree."""
    contradiction = find_contradiction(pairs)
    if contradiction is not None:
        first, second = contradiction
        left, right = sorted((int(pairs.left[second]), int(pairs.right[second])))
        raise BadInput(
            f"{path}, line {rows.lines[second]}: images {images[left]!r} and {images[right]!r} are compared again for "
            f"{attribute!r}, and the label contradicts line {rows.lines[first]}"
        )
