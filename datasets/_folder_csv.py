"""Read a user's CSV file of comparisons: pairs, votes or scores of images."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs

from ._csv_tables import CsvColumns, CsvTable, has_control, open_csv, parse_count, parse_number
from ._release_files import file_state

PAIRS = CsvColumns(("left", "right", "label"), ("attribute",))
VOTES = CsvColumns(("left", "right", "first", "second", "equal"), ("attribute",))
SCORES = CsvColumns(("image", "score"), ("category", "attribute"))

LABELS = {
    **dict.fromkeys(("1", "+1", "1.0", "left"), 1),
    **dict.fromkeys(("-1", "-1.0", "right"), -1),
    **dict.fromkeys(("0", "-0", "0.0", "-0.0", "equal", "similar", "same", "tie"), 0),
}
ZEROS = ("0", "-0", "0.0", "-0.0")
LABEL_NAMES = "1 or left (left has more), -1 or right (right has more), 0 or similar"
_OTHER_WORDS = frozenset(
    ("true", "false", "yes", "no", "first", "second", "l", "r", "a", "b", ">", "<", "left image", "right image")
)
MIN_ONE_SIDED = 10
"""If sides are random, so many labels are on one side about once in 500 attributes."""
_EXACT_DIGITS = 15
"""Numbers of at most so many digits differ as floats if they differ as text."""


@dataclass(eq=False)
class PairRows:
    """The rows of one attribute that compare two images, by the indices of the images, the smaller one first.

    ``votes`` are the votes for the first image, for the second, and for similar; a row with a label has one vote.
    """

    votes: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    lines: dict[tuple[int, int], int] = field(default_factory=dict)
    """The line that mentions the pair first."""
    n_repeated: int = 0
    """The number of rows that compare two images of an earlier row."""

    def add(self, left: int, right: int, votes: tuple[int, int, int], line: int) -> None:
        """Add a row: ``votes`` are those for left, for right, and for similar."""
        pair = (left, right) if left < right else (right, left)
        ordered = votes if left < right else (votes[1], votes[0], votes[2])
        if pair not in self.votes:
            self.votes[pair], self.lines[pair] = list(ordered), line
            return
        self.n_repeated += 1
        for k, count in enumerate(ordered):
            self.votes[pair][k] += count

    def pairs(self, rank: NDArray[np.int32]) -> tuple[Pairs, int]:
        """The pairs, sorted, and the number of them without a majority. ``rank[k]`` is the new index of image k.

        A pair has the label with more votes than each of the others, and is similar if there is none.
        """
        images = rank[np.array(list(self.votes), np.int64).reshape(-1, 2)]
        counts = np.array(list(self.votes.values()), np.int64).reshape(-1, 3)
        most = np.sort(counts, axis=1)
        undecided = most[:, 2] == most[:, 1]
        label = np.where(undecided, 0, np.array([1, -1, 0])[counts.argmax(1)])
        swap = images[:, 0] > images[:, 1]
        left, right = images.min(1, initial=2**31 - 1), images.max(1, initial=0)
        order = np.lexsort((right, left))
        label = np.where(swap, -label, label)
        return Pairs(left[order], right[order], label[order]), int(np.count_nonzero(undecided))


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The contents of one file. It does not depend on the order of the rows, nor on which image is on the left.

    ``images`` are paths relative to the file's folder, sorted. A file of pairs or votes has ``pairs`` by attribute,
    sorted. A file of scores has, by attribute, the indices ``(k,)`` of the scored images, ascending, and their scores
    ``(k,)``, and optionally ``categories``, one name per image. ``notes`` says, by attribute, what readers must know
    about the rows.
    """

    path: Path
    kind: Literal["pairs", "votes", "scores"]
    images: tuple[str, ...]
    pairs: dict[str, Pairs]
    scores: dict[str, tuple[NDArray[np.int32], NDArray[np.float64]]]
    categories: tuple[str, ...] | None
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes in the order of first mention."""
        return tuple(self.pairs or self.scores)


def find_csv(path: Path) -> Path:
    """Return the file, or the only .csv file of the folder. Raises `BadInput` if there is none, or several."""
    if not path.is_dir():
        if not path.exists():
            raise BadInput(f"{path} does not exist; expected a .csv file, or a folder with one .csv file in it")
        return path
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv" and not file.name.startswith("."))
    if len(files) != 1:
        if not files:
            raise BadInput(
                f"{path} has no .csv file; write one there with the columns {PAIRS.required[0]},{PAIRS.required[1]},"
                f"{PAIRS.required[2]} (one line for two images; label: left, right or similar) or "
                f"{','.join(SCORES.required)} (one line for each image), images named by their paths below that folder"
            )
        names = ", ".join(file.name for file in files[:5])
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
    n_by_label: Counter[tuple[str, str]] = Counter()
    conflict: tuple[str, tuple[int, int], int] | None = None
    for line, (left, right, *answer, attribute) in table.rows:
        where = f"{path}, line {line}"
        name = _parse_attribute(attribute, path, where)
        rows = by_attribute.setdefault(name, PairRows())
        left_index, right_index = _image_index(left, index, where), _image_index(right, index, where)
        if left_index == right_index:
            raise BadInput(f"{where}: image {left!r} is compared with itself")
        if has_votes:
            votes = _parse_votes(answer, where)
        else:
            label = LABELS.get(answer[0].casefold())
            if label is None:
                raise BadInput(f"{where}: label is {answer[0][:80]!r}; expected {LABEL_NAMES}{_label_hint(answer[0])}")
            n_by_label[name, answer[0].casefold()] += 1
            votes = (int(label == 1), int(label == -1), int(label == 0))
        rows.add(left_index, right_index, votes, line)
        pair = (min(left_index, right_index), max(left_index, right_index))
        if not has_votes and conflict is None and sum(map(bool, rows.votes[pair])) > 1:
            conflict = name, pair, line
    images = tuple(index)
    if conflict is not None:
        _refuse_conflict(path, by_attribute[conflict[0]], *conflict, images)
    _refuse_similar_names(path, by_attribute)
    _refuse_zero_as_right(path, n_by_label)
    rank, sorted_images = _sorted_images(images)
    pairs, notes = {}, {}
    for attribute, rows in by_attribute.items():
        pairs[attribute], n_undecided = rows.pairs(rank)
        of_attribute = {answer: n for (name, answer), n in n_by_label.items() if name == attribute}
        one_sided = _one_sided_note(of_attribute)
        notes[attribute] = (*_pair_notes(rows, n_undecided, has_votes=has_votes), *([one_sided] if one_sided else []))
    return Comparisons(path, "votes" if has_votes else "pairs", sorted_images, pairs, {}, None, notes)


def _pair_notes(rows: PairRows, n_undecided: int, *, has_votes: bool) -> tuple[str, ...]:
    notes = []
    if rows.n_repeated:
        effect = "their votes are added" if has_votes else "each pair is counted once"
        notes.append(f"{rows.n_repeated:,} rows compare two images that an earlier row compares; {effect}")
    if n_undecided:
        notes.append(f"{n_undecided:,} of {len(rows.votes):,} pairs have no majority and count as similar")
    return tuple(notes)


def _one_sided_note(n_by_label: Mapping[str, int]) -> str:
    """A note if there are rows with 0, and 1 and -1 are not about as frequent, as they are with sides at random."""
    n_zero = sum(n for text, n in n_by_label.items() if text in ZEROS)
    n_left, n_right = (sum(n for text, n in n_by_label.items() if LABELS[text] == label) for label in (1, -1))
    if not n_zero or abs(n_left - n_right) <= 3 * math.sqrt(n_left + n_right):
        return ""
    rare, side = ("-1", "right") if n_right < n_left else ("1", "left")
    return (
        f"the labels are 1 ({n_left:,} rows), -1 ({n_right:,}) and 0 ({n_zero:,}), and 0 is read as similar: if it "
        f"should mean that the {side} image has more, write {rare} or {side}"
    )


def _label_hint(cell: str) -> str:
    if cell == "2":
        return ". If 1 means left and 2 means right, write left and right"
    if cell.startswith("\N{MINUS SIGN}"):
        return f". Its minus sign is U+2212; write it with a hyphen: -{cell[1:]}"
    if cell.casefold() in _OTHER_WORDS:
        return ". Write left where the left image has more, and right where the right one has"
    return ""


def _refuse_conflict(
    path: Path, rows: PairRows, attribute: str, pair: tuple[int, int], line: int, images: Sequence[str]
) -> None:
    """Raise `BadInput` for two images that are compared again with another label."""
    first, second = (images[k] for k in pair)
    votes = ",".join(map(str, rows.votes[pair]))
    column, value = (",attribute", f",{attribute}") if attribute != path.stem else ("", "")
    raise BadInput(
        f"{path}, line {line}: images {first!r} and {second!r} are compared again for {attribute!r}, and the label "
        f"contradicts line {rows.lines[pair]}. If each row is the answer of one person, count the answers: a file with "
        f"the columns {VOTES.required[0]},{','.join(VOTES.required[1:])}{column} and one row for each pair, here "
        f"{first},{second},{votes}{value}"
    )


def _refuse_zero_as_right(path: Path, n_by_label: Counter[tuple[str, str]]) -> None:
    """Raise `BadInput` for labels 0 and 1, or 0 and -1, without the third: 0 may mean that the other image has more.

    In a file with all three labels, an attribute with only two of them is refused if it has so many rows that chance is
    no explanation.
    """

    def check(what: str, rows: Mapping[tuple[str, str], int], min_ordered: int) -> None:
        n_zero = sum(n for (_, text), n in rows.items() if text in ZEROS)
        n_left, n_right = (sum(n for (_, text), n in rows.items() if LABELS[text] == label) for label in (1, -1))
        if n_zero and (n_left == 0) != (n_right == 0) and n_left + n_right >= min_ordered:
            label, absent, side = ("1", "-1", "right") if n_left else ("-1", "1", "left")
            raise BadInput(
                f"{path}: the labels{what} are {label} ({n_left + n_right:,} rows) and 0 ({n_zero:,} rows), and none "
                f"is {absent}. 0 means similar: if it should mean that the {side} image has more, write {absent} or "
                f"{side}; if the images are similar, write similar in place of 0"
            )

    check("", n_by_label, 1)
    for attribute in dict.fromkeys(attribute for attribute, _ in n_by_label):
        check(f" of {attribute!r}", {key: n for key, n in n_by_label.items() if key[0] == attribute}, MIN_ONE_SIDED)


def _refuse_similar_names(path: Path, attributes: Iterable[str]) -> None:
    """Raise `BadInput` for two attributes that differ only in case or spaces: they are meant to be one."""
    known: dict[str, str] = {}
    for attribute in attributes:
        other = known.setdefault("".join(attribute.split()).casefold(), attribute)
        if other != attribute:
            raise BadInput(
                f"{path}: the attributes {other!r} and {attribute!r} differ only in case or spaces; write one of them "
                "in all rows"
            )


def _read_scores(path: Path, table: CsvTable, index: dict[str, int]) -> Comparisons:
    by_attribute: dict[str, dict[int, float]] = {}
    texts: dict[str, dict[float, tuple[str, int]]] = {}
    categories: dict[int, str] = {}
    for line, (image, score, category_cell, attribute) in table.rows:
        where = f"{path}, line {line}"
        category = unicodedata.normalize("NFC", category_cell)
        k = _image_index(image, index, where)
        name = _parse_attribute(attribute, path, where)
        scores = by_attribute.setdefault(name, {})
        if k in scores:
            raise BadInput(
                f"{where}: image {image!r} already has a score; expected one score for each image and attribute. If "
                "each row is the answer of one person, write one row with their mean"
            )
        scores[k] = parse_number(score, f"{where}: score")
        _refuse_rounded_tie(texts.setdefault(name, {}), scores[k], score, line, where)
        if categories.setdefault(k, category) != category:
            raise BadInput(
                f"{where}: image {image!r} has the category {category!r}, but {categories[k]!r} in an earlier line"
            )
    _refuse_similar_names(path, by_attribute)
    rank, sorted_images = _sorted_images(tuple(index))
    arrays = {}
    for attribute, scores in by_attribute.items():
        items = rank[np.array(list(scores), np.int64)]
        order = np.argsort(items)
        arrays[attribute] = items[order], np.array(list(scores.values()), np.float64)[order]
    of_image = None
    if "category" in table.present:
        of_image = tuple(categories[index[image]] for image in sorted_images)
    return Comparisons(path, "scores", sorted_images, {}, arrays, of_image)


def _refuse_rounded_tie(texts: dict[float, tuple[str, int]], value: float, text: str, line: int, where: str) -> None:
    """Raise `BadInput` if an earlier score of the attribute differs from this one as text, but not as a float."""
    earlier, earlier_line = texts.setdefault(value, (text, line))
    if earlier != text and max(len(earlier), len(text)) > _EXACT_DIGITS and Decimal(earlier) != Decimal(text):
        raise BadInput(
            f"{where}: score is {text[:80]!r}, which as a double-precision number equals {earlier[:80]!r} of line "
            f"{earlier_line}; expected numbers that differ in their first {_EXACT_DIGITS} digits"
        )


def _sorted_images(images: Sequence[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The rank of each image among the sorted names, and the sorted names."""
    order = sorted(range(len(images)), key=images.__getitem__)
    rank = np.empty(len(images), np.int32)
    rank[order] = np.arange(len(images), dtype=np.int32)
    return rank, tuple(images[k] for k in order)


def _parse_attribute(cell: str, path: Path, where: str) -> str:
    """The attribute of a row; the file's stem where the file has no attribute column."""
    if "/" in cell or has_control(cell):
        raise BadInput(f"{where}: attribute is {cell[:80]!r}; expected text without / and control characters")
    return unicodedata.normalize("NFC", cell or path.stem)


def _image_index(name: str, index: dict[str, int], where: str) -> int:
    """The index of an image, assigned at first mention; paths that leave the folder are refused."""
    if name not in index:
        problem = _path_problem(name)
        if problem:
            raise BadInput(
                f"{where}: image {name[:80]!r} {problem}; expected a path relative to the file's folder, with /"
            )
        name = str(PurePosixPath(name))
    return index.setdefault(name, len(index))


def _path_problem(name: str) -> str:
    """Why this is not a path below the folder of the file; empty if it is."""
    if "\\" in name:
        return "has a backslash"
    if name.startswith("/") or name[1:3] == ":/":
        return "is an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "leads out of the folder"
    if has_control(name):
        return "has a control character"
    return ""


def _parse_votes(cells: list[str], where: str) -> tuple[int, int, int]:
    first, second, equal = (
        parse_count(cell, f"{where}: {name}") for name, cell in zip(("first", "second", "equal"), cells, strict=True)
    )
    if not first + second + equal:
        raise BadInput(f"{where}: no vote; expected at least one of first, second and equal")
    return first, second, equal
