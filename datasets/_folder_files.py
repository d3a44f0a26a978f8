"""A user's own comparisons, read from one file and checked: pairs, votes or scores of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from relattr.errors import BadInput

from . import _csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.pairs import Pairs

PAIRS = _csv.Layout(("left", "right", "label"), ("attribute",))
VOTES = _csv.Layout(("left", "right", "first", "second", "equal"), ("attribute",))
SCORES = _csv.Layout(("image", "score"), ("category", "attribute"))

LABELS = {"1": 1, "+1": 1, "-1": -1, "0": 0}


@dataclass(eq=False)
class Pairwise:
    """The rows of one attribute that compare two images: images, label or votes (left, right, equal), line."""

    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    votes: list[tuple[int, int, int]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def pairs(self) -> Pairs:
        """The pairs; where there are votes, the label with the most, and of equal counts the first of left, right."""
        from relattr.pairs import Pairs

        if self.votes:
            return Pairs.from_votes(self.left, self.right, self.votes)
        return Pairs(self.left, self.right, self.label)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """What one file says. ``images`` are paths below the file's folder, in the order in which they are first named.

    For pairs and votes ``pairs`` has, by attribute, the labelled pairs; for scores ``scores`` the images
    ``(k,)`` of an attribute and their scores ``(k,)``, and ``categories`` one name an image, where there are.
    """

    path: Path
    kind: Literal["pairs", "votes", "scores"]
    images: tuple[str, ...]
    pairs: dict[str, Pairs]
    scores: dict[str, tuple[NDArray[np.int32], NDArray[np.float64]]]
    categories: tuple[str, ...] | None

    @property
    def attributes(self) -> tuple[str, ...]:
        """In the order in which the file names them."""
        return tuple(self.pairs or self.scores)


def find(path: Path) -> Path:
    """The file: this one, or the only .csv in this folder. Raises `BadInput` where there is none, or several."""
    if not path.is_dir():
        if not path.is_file():
            raise BadInput(f"{path} is not there; expected a folder with a .csv file in it, or such a file")
        return path
    found = sorted(path.glob("*.csv"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:5]) or "none"
        raise BadInput(f"{path} has {len(found)} .csv files ({names}); expected one, or the path of the one to read")
    return found[0]


def read(path: Path) -> Comparisons:
    """The comparisons in a file. Raises `BadInput`, naming file, line and value, for anything that is not right."""
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    return _read(path, (state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=4)
def _read(path: Path, state: tuple[int, ...]) -> Comparisons:
    index: dict[str, int] = {}
    with _csv.opened(path, (PAIRS, VOTES, SCORES)) as table:
        if table.layout is SCORES:
            return _read_scores(path, table, index)
        found: dict[str, Pairwise] = {}
        votes = table.layout is VOTES
        for line, (left, right, *answer, attribute) in table.rows:
            where = f"{path}, line {line}"
            rows = found.setdefault(_attribute(attribute, path, where), Pairwise())
            a, b = _image(left, index, where), _image(right, index, where)
            if a == b:
                raise BadInput(f"{where}: image {left!r} is compared with itself")
            rows.left.append(a)
            rows.right.append(b)
            rows.lines.append(line)
            if votes:
                rows.votes.append(_votes(answer, where))
            elif answer[0] in LABELS:
                rows.label.append(LABELS[answer[0]])
            else:
                raise BadInput(
                    f"{where}: label is {answer[0][:80]!r}; expected 1 (left has more), -1 (right) or 0 (similar)"
                )
    images = tuple(index)
    pairs = {}
    for attribute, rows in found.items():
        pairs[attribute] = rows.pairs()
        _refuse_contradictions(path, attribute, rows, pairs[attribute], images)
    return Comparisons(path, "votes" if votes else "pairs", images, pairs, {}, None)


def _read_scores(path: Path, table: _csv.CsvTable, index: dict[str, int]) -> Comparisons:
    import numpy as np

    found: dict[str, dict[int, float]] = {}
    categories: dict[int, str] = {}
    for line, (image, score, category, attribute) in table.rows:
        where = f"{path}, line {line}"
        k = _image(image, index, where)
        scores = found.setdefault(_attribute(attribute, path, where), {})
        if k in scores:
            raise BadInput(f"{where}: image {image!r} has a score already; expected one for each image and attribute")
        scores[k] = _csv.number(score, f"{where}: score")
        if categories.setdefault(k, category) != category:
            raise BadInput(f"{where}: image {image!r} is of category {category!r}, and {categories[k]!r} further up")
    arrays = {
        attribute: (np.array(list(scores), np.int32), np.array(list(scores.values()), np.float64))
        for attribute, scores in found.items()
    }
    of_image = tuple(categories[k] for k in range(len(index))) if "category" in table.present else None
    return Comparisons(path, "scores", tuple(index), {}, arrays, of_image)


def _attribute(cell: str, path: Path, where: str) -> str:
    """The attribute of a row; where the file has no such column, the file's own name."""
    if any(c == "/" or not c.isprintable() for c in cell):
        raise BadInput(f"{where}: attribute is {cell[:80]!r}; expected text without / and control characters")
    return cell or path.stem


def _image(name: str, index: dict[str, int], where: str) -> int:
    """The number of an image; a path that leads out of the folder is refused."""
    if name not in index:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or not all(map(str.isprintable, parts)):
            raise BadInput(f"{where}: image {name[:80]!r}; expected a path below the folder of the file, with /")
        name = str(PurePosixPath(name))
    return index.setdefault(name, len(index))


def _votes(cells: list[str], where: str) -> tuple[int, int, int]:
    first, second, equal = (
        _csv.whole(cell, f"{where}: {name}") for name, cell in zip(("first", "second", "equal"), cells, strict=True)
    )
    if not first + second + equal:
        raise BadInput(f"{where}: no vote; expected at least one of first, second and equal")
    return first, second, equal


def _refuse_contradictions(path: Path, attribute: str, rows: Pairwise, pairs: Pairs, images: tuple[str, ...]) -> None:
    """Raise `BadInput` where two images are compared twice, in either order, with labels that disagree."""
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    for left, right, label, line in _upright(pairs, rows.lines):
        before, earlier = seen.setdefault((left, right), (label, line))
        if before != label:
            raise BadInput(
                f"{path}, line {line}: images {images[left]!r} and {images[right]!r} are compared again for "
                f"{attribute!r}, and the label is another than in line {earlier}"
            )


def _upright(pairs: Pairs, lines: list[int]) -> Iterator[tuple[int, int, int, int]]:
    """Each pair with the smaller index first."""
    for left, right, label, line in zip(*(side.tolist() for side in pairs.arrays), lines, strict=True):
        yield (left, right, label, line) if left < right else (right, left, -label, line)
