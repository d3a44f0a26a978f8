"""Read and validate the files of Deza and Parikh's virality release: scores, pairs, submissions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.system.numbers import is_digits
from relattr.system.reading import MAX_TEXT, read_text

from ._matlab import numeric_array, read_mat
from ._release_files import file_state

SCORES = "Create_Dataset_Code/viral_datasetV2.mat"
GROUPS = "Create_Dataset_Code/img_id.csv"
SUBREDDITS = "Create_Dataset_Code/subreddit.csv"
STRENGTHS = "Create_Dataset_Code/authenticated_shift_score.csv"
RANDOM_PAIRS = "Top_489_pair.mat"
ALL_PAIRS = "pair_matrix.mat"
EXTREMES = "Results_Computations/Relative_Attributes/Top_Pairs.mat"

SUBREDDIT_NAMES = (
    "funny",
    "WTF",
    "aww",
    "atheism",
    "gaming",
    "pics",
    "gifs",
    "GifSound",
    "AdviceAnimals",
    "reactiongifs",
    "reddit.com",
    "gif",
    "trees",
    "fffffffuuuuuuuuuuuu",
    "woahdude",
    "photoshopbattles",
    "4chan",
    "space",
    "pokemon",
    "HIFW",
)
"""The subreddits that contribute to a score (`create_viral_dataset_annotation_doublecheck.m` of the release)."""

FIVE_CATEGORIES = SUBREDDIT_NAMES[:5]
"""The Viral Categories of Deza and Parikh (CVPR 2015)."""

NO_CATEGORY = -1
"""The category of an image that has none."""


@dataclass(frozen=True, eq=False)
class ViralScores:
    """The images in the order of the file, all arrays ``(n,)``.

    ``ids``: the number in an image's file name; ``groups``: its number among the crawled submissions; ``score``: its
    virality; ``best``: the largest normalised upvote count of its submissions; ``times``: its number of submissions.
    """

    path: Path
    ids: NDArray[np.int64]
    groups: NDArray[np.int64]
    score: NDArray[np.float64]
    best: NDArray[np.float64]
    times: NDArray[np.int64]

    def positions(self, ids: NDArray[np.int64], where: str) -> NDArray[np.int64]:
        """Return the positions of the images with these ids, same shape. Raises `BadInput` for an unknown id."""
        order = np.argsort(self.ids)
        positions = order[np.minimum(np.searchsorted(self.ids, ids, sorter=order), order.size - 1)]
        unknown = ids[self.ids[positions] != ids]
        if unknown.size:
            raise BadInput(f"{where} names image {unknown[0]}, which is not among the {self.ids.size:,} in {self.path}")
        return positions

    def positions_of_ranked(self, ids: NDArray[np.int64], where: str) -> NDArray[np.int64]:
        """Return the positions of pairs of ids ``(n, 2)``. Raises `BadInput` unless the first has the larger score."""
        positions = self.positions(ids, where)
        more, less = self.score[positions].T
        bad = np.flatnonzero(more <= less)
        if bad.size:
            a, b = ids[bad[0]].tolist()
            raise BadInput(
                f"{where}, row {bad[0] + 1}: image {a} has the score {more[bad[0]]} and image {b} {less[bad[0]]}; "
                "expected the more viral image first"
            )
        return positions


@dataclass(frozen=True)
class Submissions:
    """The crawled submissions: the image's group and the subreddit of each."""

    path: Path
    groups: tuple[str, ...]
    subreddits: tuple[str, ...]

    def subreddits_of(self, groups: NDArray[np.int64]) -> list[list[str]]:
        """Return the subreddits of each image, in the order of submission. Raises `BadInput` if an image has none."""
        by_group: dict[str, list[str]] = {str(group): [] for group in groups.tolist()}
        for group, subreddit in zip(self.groups, self.subreddits, strict=True):
            if group in by_group:
                by_group[group].append(subreddit)
        of_images = [by_group[str(group)] for group in groups.tolist()]
        for group, subreddits in zip(groups.tolist(), of_images, strict=True):
            if not subreddits:
                raise BadInput(f"{self.path} has no submission of image group {group}, which {SCORES} has a score for")
        return of_images


def read_viral_scores(root: Path, n_images: int) -> ViralScores:
    """Read the scored images. Raises `BadInput` unless they are ``n_images`` different, complete records."""
    path = root / SCORES
    # ten thousand MATLAB structures take seconds to read, and every cell of a plan needs them
    return _read_scores(path, n_images, file_state(path))


@lru_cache(maxsize=4)
def _read_scores(path: Path, n_images: int, state: tuple[int, ...]) -> ViralScores:
    cells = read_mat(path, ["viral_dataset"])["viral_dataset"].ravel()
    if cells.size != n_images:
        raise BadInput(f"{path}: viral_dataset has {cells.size:,} images; expected {n_images:,}")
    fields = ("img_id", "SNAP_id", "v_score", "max_a_score", "submissions")
    values = np.array([_record(cell, fields, f"{path}: viral_dataset, image {i}") for i, cell in enumerate(cells, 1)])
    ids, groups, times = (_integers(values[:, k], f"{path}: {fields[k]}") for k in (0, 1, 4))
    for name, numbers, lower in (("img_id", ids, 1), ("SNAP_id", groups, 0), ("submissions", times, 1)):
        if numbers.min() < lower:
            raise BadInput(f"{path}: {name} {numbers.min()} is below {lower}")
    for name, numbers in (("img_id", ids), ("SNAP_id", groups)):
        value, count = np.unique(numbers, return_counts=True)
        if value.size != numbers.size:
            raise BadInput(f"{path}: {name} {value[count > 1][0]} is listed twice; expected one record per image")
    for name, column in (("v_score", values[:, 2]), ("max_a_score", values[:, 3])):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise BadInput(f"{path}: {name} of image {ids[bad[0]]} is {column[bad[0]]}; expected a finite number")
    scores = ViralScores(path, ids, groups, values[:, 2].copy(), values[:, 3].copy(), times)
    for array in (scores.ids, scores.groups, scores.score, scores.best, scores.times):
        array.flags.writeable = False  # callers share the cached arrays
    return scores


def _record(cell: Any, fields: tuple[str, ...], where: str) -> list[float]:
    """The values of these fields in one MATLAB structure."""
    names = getattr(getattr(cell, "dtype", None), "names", None) or ()
    missing = [name for name in fields if name not in names]
    if missing:
        raise BadInput(f"{where} has no field {missing[0]!r}; expected {', '.join(fields)}")
    try:
        return [float(np.asarray(cell[name].item(), np.float64).item()) for name in fields]
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} is not a record of single numbers: {error}") from error


def read_ranked_pairs(path: Path, variable: str, n_pairs: int | None = None) -> NDArray[np.int64]:
    """Read pairs of image ids ``(n, 2)``, the more viral image first.

    Raises `BadInput` for another shape or number of pairs, a value that is not an id, an image paired with itself, or
    a pair that is listed twice, in either order.
    """
    ids = integer_matrix(read_mat(path, [variable])[variable], f"{path}: {variable}", columns=2)
    if n_pairs is not None and len(ids) != n_pairs:
        raise BadInput(f"{path}: {variable} has {len(ids):,} pairs; expected {n_pairs:,}")
    if len(ids) and ids.min() < 1:
        raise BadInput(f"{path}: {variable} names image {ids.min()}; ids count from 1")
    same = np.flatnonzero(ids[:, 0] == ids[:, 1])
    if same.size:
        raise BadInput(f"{path}: pair {same[0] + 1} has image {ids[same[0], 0]} on both sides")
    unordered, count = np.unique(np.sort(ids, axis=1), axis=0, return_counts=True)
    if (count > 1).any():
        a, b = unordered[count > 1][0].tolist()
        repeats = ids[(np.sort(ids, axis=1) == (a, b)).all(1)]
        labels = "with opposite labels" if len(np.unique(repeats, axis=0)) > 1 else "with the same label"
        raise BadInput(f"{path}: images {a} and {b} are paired twice, {labels}; expected every pair once")
    return ids


def integer_matrix(values: NDArray[Any], where: str, *, columns: int) -> NDArray[np.int64]:
    """Convert a matrix of integers ``(n, columns)``; one column becomes ``(n,)``. Raises `BadInput` otherwise."""
    if values.ndim != 2 or values.shape[1] != columns:
        raise BadInput(f"{where} has shape {values.shape}; expected (n, {columns})")
    numbers = _integers(numeric_array(values, where), where)
    return numbers[:, 0] if columns == 1 else numbers


def _integers(values: NDArray[np.float64], where: str) -> NDArray[np.int64]:
    bad = values[~np.isfinite(values) | (values % 1 != 0) | (np.abs(values) > 2**53)]
    if bad.size:
        raise BadInput(f"{where} has the value {bad.flat[0]}; expected an integer")
    return values.astype(np.int64)


def read_submissions(root: Path) -> Submissions:
    """Read the crawled submissions. Raises `BadInput` unless both files have the same number of lines."""
    groups, subreddits = read_column(root / GROUPS), read_column(root / SUBREDDITS)
    if len(groups) != len(subreddits):
        raise BadInput(
            f"{root / GROUPS} has {len(groups):,} lines but {root / SUBREDDITS} has {len(subreddits):,}; "
            "expected one line per submission in each. Is one of them truncated?"
        )
    for name, lines, is_valid in ((GROUPS, groups, is_digits), (SUBREDDITS, subreddits, bool)):
        for number, line in enumerate(lines, start=1):
            if not is_valid(line):
                expected = "the number of an image" if name == GROUPS else "a subreddit"
                raise BadInput(f"{root / name}, line {number}: {line[:80]!r}; expected {expected}")
    return Submissions(root / GROUPS, tuple(groups), tuple(subreddits))


def read_column(path: Path) -> list[str]:
    """Read a file of one value per line, without surrounding spaces. Raises `BadInput` if it cannot be read.

    A last line without a line break is left out: it may be truncated.
    """
    try:
        return [line.strip() for line in read_text(path, MAX_TEXT).split("\n")[:-1]]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def five_categories(submitted: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """Assign one of `FIVE_CATEGORIES` to an image submitted to exactly one of them, else `NO_CATEGORY`.

    Returns an index per image, and the names.
    """
    categories = []
    for subreddits in submitted:
        matches = [k for k, name in enumerate(FIVE_CATEGORIES) if name in subreddits]
        categories.append(matches[0] if len(matches) == 1 else NO_CATEGORY)
    return categories, FIVE_CATEGORIES


def subreddit_categories(submitted: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """Assign the subreddit that an image was submitted to most, if it is in `SUBREDDIT_NAMES`, else `NO_CATEGORY`.

    Ties go to the subreddit that it was submitted to first. Returns an index per image, and the names.
    """
    index = {name: k for k, name in enumerate(SUBREDDIT_NAMES)}
    most = (Counter(subreddits).most_common(1)[0][0] for subreddits in submitted)
    return [index.get(name, NO_CATEGORY) for name in most], SUBREDDIT_NAMES
