"""The released files of Deza and Parikh's virality data, read and checked: scores, pairs, submissions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput

from . import _matlab

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCORES = "Create_Dataset_Code/viral_datasetV2.mat"
GROUPS = "Create_Dataset_Code/img_id.csv"
SUBREDDITS = "Create_Dataset_Code/subreddit.csv"
STRENGTHS = "Create_Dataset_Code/authenticated_shift_score.csv"
RANDOM_PAIRS = "Top_489_pair.mat"
ALL_PAIRS = "pair_matrix.mat"
EXTREMES = "Results_Computations/Relative_Attributes/Top_Pairs.mat"

LISTED = (
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
"""The subreddits that count for a score (`create_viral_dataset_annotation_doublecheck.m` of the release)."""

FIVE = LISTED[:5]
"""The Viral Categories of Deza and Parikh (CVPR 2015)."""

OTHER = "other"


@dataclass(frozen=True, eq=False)
class ViralScores:
    """The images in the order of the file, all arrays ``(n,)``.

    ``ids`` the number in an image's file name; ``groups`` its number among the crawled submissions;
    ``score`` its virality; ``best`` the largest normalised upvote count of its submissions; ``times``
    how often it was submitted.
    """

    path: Path
    ids: NDArray[np.int64]
    groups: NDArray[np.int64]
    score: NDArray[np.float64]
    best: NDArray[np.float64]
    times: NDArray[np.int64]

    def positions(self, ids: NDArray[np.int64], where: str) -> NDArray[np.int64]:
        """The positions of the images with these ids, of the same shape. Raises `BadInput` for an id of no image."""
        import numpy as np

        order = np.argsort(self.ids)
        found = order[np.minimum(np.searchsorted(self.ids, ids, sorter=order), order.size - 1)]
        unknown = ids[self.ids[found] != ids]
        if unknown.size:
            raise BadInput(f"{where} names image {unknown[0]}, which is not among the {self.ids.size:,} in {self.path}")
        return found

    def ranked(self, ids: NDArray[np.int64], where: str) -> NDArray[np.int64]:
        """The positions of these pairs of ids ``(n, 2)``. Raises `BadInput` unless the first has the larger score."""
        import numpy as np

        found = self.positions(ids, where)
        more, less = self.score[found].T
        bad = np.flatnonzero(more <= less)
        if bad.size:
            a, b = ids[bad[0]].tolist()
            raise BadInput(
                f"{where}, row {bad[0] + 1}: image {a} has the score {more[bad[0]]} and image {b} {less[bad[0]]}; "
                "expected the more viral image first"
            )
        return found


@dataclass(frozen=True)
class Submissions:
    """The crawled submissions, one entry each: the image's group, and the subreddit."""

    path: Path
    groups: tuple[str, ...]
    subreddits: tuple[str, ...]

    def of_each(self, groups: NDArray[np.int64]) -> list[list[str]]:
        """The subreddits of each of these images, in the order of submission. Raises `BadInput` for one of none."""
        found: dict[str, list[str]] = {str(group): [] for group in groups.tolist()}
        for group, subreddit in zip(self.groups, self.subreddits, strict=True):
            if group in found:
                found[group].append(subreddit)
        each = [found[str(group)] for group in groups.tolist()]
        for group, subreddits in zip(groups.tolist(), each, strict=True):
            if not subreddits:
                raise BadInput(f"{self.path} has no submission of image group {group}, which {SCORES} has a score for")
        return each


def read_scores(root: Path, n_images: int) -> ViralScores:
    """The scored images of a release. Raises `BadInput` unless they are ``n_images`` different, whole records."""
    path = root / SCORES
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    # ten thousand MATLAB structures take seconds to read, and every cell of a plan asks for them
    return _read_scores(path, n_images, (state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=4)
def _read_scores(path: Path, n_images: int, state: tuple[int, ...]) -> ViralScores:
    import numpy as np

    cells = _matlab.load(path, ["viral_dataset"])["viral_dataset"].ravel()
    if cells.size != n_images:
        raise BadInput(f"{path}: viral_dataset has {cells.size:,} images; expected {n_images:,}")
    fields = ("img_id", "SNAP_id", "v_score", "max_a_score", "submissions")
    values = np.array([_record(cell, fields, f"{path}: viral_dataset, image {i}") for i, cell in enumerate(cells, 1)])
    ids, groups, times = (_whole(values[:, k], f"{path}: {fields[k]}") for k in (0, 1, 4))
    for name, numbers, low in (("img_id", ids, 1), ("SNAP_id", groups, 0), ("submissions", times, 1)):
        if numbers.min() < low:
            raise BadInput(f"{path}: {name} {numbers.min()} is below {low}")
    for name, numbers in (("img_id", ids), ("SNAP_id", groups)):
        value, count = np.unique(numbers, return_counts=True)
        if value.size != numbers.size:
            raise BadInput(f"{path}: {name} {value[count > 1][0]} is there twice; expected one record an image")
    for name, column in (("v_score", values[:, 2]), ("max_a_score", values[:, 3])):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise BadInput(f"{path}: {name} of image {ids[bad[0]]} is {column[bad[0]]}; expected a finite number")
    found = ViralScores(path, ids, groups, values[:, 2].copy(), values[:, 3].copy(), times)
    for array in (found.ids, found.groups, found.score, found.best, found.times):
        array.flags.writeable = False  # they are shared
    return found


def _record(cell: Any, fields: tuple[str, ...], where: str) -> list[float]:
    """These fields of one MATLAB structure."""
    import numpy as np

    names = getattr(getattr(cell, "dtype", None), "names", None) or ()
    gone = [name for name in fields if name not in names]
    if gone:
        raise BadInput(f"{where} has no field {gone[0]!r}; expected {', '.join(fields)}")
    try:
        return [float(np.asarray(cell[name].item(), np.float64).item()) for name in fields]
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} is not a record of single numbers: {error}") from error


def read_pairs(path: Path, variable: str, n_pairs: int | None = None) -> NDArray[np.int64]:
    """Pairs of image ids ``(n, 2)``, the more viral image first.

    Raises `BadInput` for another shape or number, something that is no id, an image with itself, or a
    pair that is there twice, in either order.
    """
    import numpy as np

    ids = integers(_matlab.load(path, [variable])[variable], f"{path}: {variable}", columns=2)
    if n_pairs is not None and len(ids) != n_pairs:
        raise BadInput(f"{path}: {variable} has {len(ids):,} pairs; expected {n_pairs:,}")
    if len(ids) and ids.min() < 1:
        raise BadInput(f"{path}: {variable} names image {ids.min()}; ids count from 1")
    same = np.flatnonzero(ids[:, 0] == ids[:, 1])
    if same.size:
        raise BadInput(f"{path}: pair {same[0] + 1} has image {ids[same[0], 0]} on both sides")
    either, count = np.unique(np.sort(ids, axis=1), axis=0, return_counts=True)
    if (count > 1).any():
        a, b = either[count > 1][0].tolist()
        order = ids[(np.sort(ids, axis=1) == (a, b)).all(1)]
        how = "with opposite labels" if len(np.unique(order, axis=0)) > 1 else "with the same label"
        raise BadInput(f"{path}: images {a} and {b} are paired twice, {how}; expected every pair once")
    return ids


def integers(values: NDArray[Any], what: str, *, columns: int) -> NDArray[np.int64]:
    """A whole-numbered matrix ``(n, columns)``, or for one column ``(n,)``. Raises `BadInput` for anything else."""
    if values.ndim != 2 or values.shape[1] != columns:
        raise BadInput(f"{what} has shape {values.shape}; expected (n, {columns})")
    numbers = _whole(_matlab.numbers(values, what), what)
    return numbers[:, 0] if columns == 1 else numbers


def _whole(values: NDArray[np.float64], what: str) -> NDArray[np.int64]:
    import numpy as np

    bad = values[~np.isfinite(values) | (values % 1 != 0) | (np.abs(values) > 2**53)]
    if bad.size:
        raise BadInput(f"{what} has the value {bad.flat[0]}; expected a whole number")
    return values.astype(np.int64)


def read_submissions(root: Path) -> Submissions:
    """The crawled submissions. Raises `BadInput` where the two files are not the same number of lines."""
    groups, subreddits = read_lines(root / GROUPS), read_lines(root / SUBREDDITS)
    if len(groups) != len(subreddits):
        raise BadInput(
            f"{root / GROUPS} has {len(groups):,} lines but {root / SUBREDDITS} has {len(subreddits):,}; "
            "expected one each for every submission. Is one of them truncated?"
        )
    for name, lines, good in ((GROUPS, groups, str.isdecimal), (SUBREDDITS, subreddits, bool)):
        for number, line in enumerate(lines, start=1):
            if not good(line):
                what = "the number of an image" if name == GROUPS else "a subreddit"
                raise BadInput(f"{root / name}, line {number}: {line[:80]!r}; expected {what}")
    return Submissions(root / GROUPS, tuple(groups), tuple(subreddits))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without outer spaces. Raises `BadInput` if it cannot be read."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def five_categories(submitted: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """One of `FIVE` for an image submitted to exactly one of them, else `OTHER`; and the names."""
    chosen = []
    for subreddits in submitted:
        hit = [k for k, name in enumerate(FIVE) if name in subreddits]
        chosen.append(hit[0] if len(hit) == 1 else len(FIVE))
    return chosen, (*FIVE, OTHER)


def subreddit_categories(submitted: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """The subreddit that each image was submitted to most, if it is one of `LISTED`, else `OTHER`; and the names.

    Of equally many the one that it was submitted to first.
    """
    index = {name: k for k, name in enumerate(LISTED)}
    most = (Counter(subreddits).most_common(1)[0][0] for subreddits in submitted)
    return [index.get(name, len(LISTED)) for name in most], (*LISTED, OTHER)
