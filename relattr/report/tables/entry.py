"""One method in one column: its number, how sure it is, and what it says of the published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["", "reproduced", "within noise", "not reproduced", "not comparable", "not judged"]

NEAR = 3.0
"""Reproduced: no number that the interval holds is further from the published one than so many points."""
SAME = 0.5
"""Reproduced as well, however narrow the interval: within so many points of the published number."""
LEVEL = 0.95

VERDICTS = (
    f"Reproduced: the published number is in the 95 % interval and the interval within {NEAR:g} points of it, or the "
    f"two are within {SAME:g} points. Within noise: in an interval that is wider. Not comparable: measured on "
    "something else, for the reasons noted."
)


@dataclass(frozen=True)
class TableEntry:
    """One method in one column; all numbers in per cent."""

    measured: float | None = None
    """The mean over the attributes (and seeds, and splits)."""
    low: float | None = None
    high: float | None = None
    published: float | None = None
    constant: bool = False
    """Whether the row is a published constant, shown as such."""
    n_ordered: int = 0
    """Ordered test pairs that were judged, over all attributes and splits."""
    n_images: int = 0
    n_attributes: int = 0
    n_cells: int = 0
    """Cells that are in it of those that the benchmark has for them: attributes, splits and seeds."""
    n_seeds: int = 0
    seed_spread: float | None = None
    """Standard deviation of the accuracy between seeds, where there are two."""
    spearman: float | None = None
    """Mean rank correlation of strengths with the scores of the test images, where they have scores."""
    own_rule: bool = False
    """Whether its ties count otherwise than everybody's: such a number competes with no other."""
    error_images: float | None = None
    """Standard error from which images were drawn, in points."""
    error_seeds: float | None = None
    """Standard error of the mean over seeds from training again, in points; None with one seed."""
    best: bool = False
    """Whether it is the best of its column or cannot be told from it."""
    p_best: float | None = None
    """Holm's p-value of its difference from the best; None for the best itself and where there is none."""
    verdict: Verdict = ""
    status: str = "ok"
    """ok, published, not run, or what the cells ended as."""
    seconds: float | None = None
    """Fitting and comparing, on the mean over seeds and summed over attributes."""
    reliability: str = ""
    """How far the published number is to be trusted, where it is not the paper's own table."""
    texts: tuple[str, ...] = ()
    """What a reader must know of this number."""

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def difference(self) -> float | None:
        """Measured less published, in points."""
        return None if self.measured is None or self.published is None else self.measured - self.published


@dataclass(frozen=True)
class Head:
    """The head of a column; ``key`` names it in files, ``group`` is what stands above it."""

    label: str
    key: str


def verdict(
    entry_measured: float, low: float | None, high: float | None, published: float, comparable: bool
) -> Verdict:
    """Whether a published number was reproduced; see `VERDICTS`."""
    if not comparable:
        return "not comparable"
    if low is None or high is None:
        return "not judged"
    inside = low <= published <= high
    if inside and max(high - published, published - low) <= NEAR:
        return "reproduced"
    if abs(entry_measured - published) <= SAME:
        return "reproduced"
    return "within noise" if inside else "not reproduced"
