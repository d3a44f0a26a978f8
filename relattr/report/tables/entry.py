"""One entry of a paper table: a method's accuracy in a column, its interval, and the published number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Section = Literal["paper", "other", "published"]
SECTIONS: tuple[Section, ...] = ("paper", "other", "published")
"""Sections of a table, from top to bottom: rows of the paper's table, other methods, rows that are only quoted."""
Verdict = Literal["", "reproduced", "within noise", "not reproduced", "not comparable", "not judged"]

MAX_INTERVAL_DISTANCE = 3.0
"""A published number is reproduced if it is inside the interval and no end of it is further away, in points."""
MAX_DIFFERENCE = 0.5
"""It is also reproduced if the measured number is within this distance of it, however narrow the interval."""
MAX_ASYMMETRY = 0.1
"""An interval is shown by its ends if its middle is further than this from the number, as a share of its half-width."""
LEVEL = 0.95
"""Confidence level of all intervals."""

VERDICTS = (
    f"Reproduced: the published number lies in the 95 % confidence interval and both ends of the interval are within "
    f"{MAX_INTERVAL_DISTANCE:g} points of it, or measured and published number differ by at most {MAX_DIFFERENCE:g} "
    "points. Within noise: it lies in the interval, but the interval is wider than that. Not comparable: measured "
    "under other conditions, which the notes list."
)


@dataclass(frozen=True)
class TableEntry:
    """The result of one method in one column. Accuracies are in per cent, differences in percentage points."""

    measured: float | None = None
    """Mean accuracy over attributes, splits and seeds."""
    lower: float | None = None
    """Lower end of the 95 % confidence interval."""
    upper: float | None = None
    published: float | None = None
    constant: bool = False
    """Whether the row is a published constant: a result that cannot be measured and is only quoted."""
    n_ordered: int = 0
    """Ordered test pairs that were scored, over all attributes and splits."""
    n_images: int = 0
    n_attributes: int = 0
    """Attributes that the mean is over."""
    all_attributes: int = 0
    """Attributes of the column; more than ``n_attributes`` if the mean is over part of them."""
    n_tasks: int = 0
    """How many of the benchmark's tasks (attribute and split) of this entry have a result."""
    n_seeds: int = 0
    seed_spread: float | None = None
    """Standard deviation of the accuracy between seeds; None with fewer than two seeds."""
    spearman: float | None = None
    """Mean rank correlation between strengths and the scores of the test images; None without scores."""
    spearman_lower: float | None = None
    """Lower end of its 95 % confidence interval; None if it is unknown."""
    spearman_upper: float | None = None
    cross_validated: bool = False
    """Whether the pairs are those of the folds of a cross-validation."""
    custom_tie_rule: bool = False
    """Whether ties are not counted as errors; such a number is never compared with others."""
    image_standard_error: float | None = None
    """Standard error from the sampling of test images, in points."""
    seed_standard_error: float | None = None
    """Standard error of the mean over seeds, in points; None with one seed."""
    best: bool = False
    """Whether it is the best of its column or not significantly different from the best."""
    p_best: float | None = None
    """p-value of the difference from the best, adjusted for the choice of the best; None where nothing is compared."""
    verdict: Verdict = ""
    status: str = "ok"
    """ok, published, not run, or the status of the cells that failed."""
    seconds: float | None = None
    """Time to fit and compare: mean over seeds, sum over attributes."""
    reliability: str = ""
    """Code for how reliable the published number is, where it is not from the paper's table; see `RELIABILITY`."""
    notes: tuple[str, ...] = ()
    """What readers must know to interpret this number."""
    short_notes: tuple[str, ...] = ()
    """The same in a few words, one for each kind of note; see `relattr.report.tables.short_notes`."""

    @property
    def half_width(self) -> float | None:
        """Half the width of the confidence interval."""
        return None if self.lower is None or self.upper is None else (self.upper - self.lower) / 2

    @property
    def shows_ends(self) -> bool:
        """Whether the ends of the interval are shown, because ± would misstate them.

        That is so if the interval is asymmetric, or reaches 0 or 100 in the digits shown.
        """
        if self.measured is None or self.lower is None or self.upper is None:
            return False
        half = (self.upper - self.lower) / 2
        middle = (self.upper + self.lower) / 2
        return self.lower < 0.05 or self.upper > 99.95 or abs(middle - self.measured) > MAX_ASYMMETRY * half

    @property
    def spread(self) -> str:
        """The interval as text: ``± 2.1``, or ``[51.9, 79.2]`` where its ends are shown; empty without an interval."""
        if self.half_width is None:
            return ""
        return f"[{self.lower:.1f}, {self.upper:.1f}]" if self.shows_ends else f"± {self.half_width:.1f}"

    @property
    def part(self) -> str:
        """The part of the column's attributes that the mean is over, such as ``1/6``; empty if it is over all."""
        partial = self.measured is not None and self.n_attributes < self.all_attributes
        return f"{self.n_attributes}/{self.all_attributes}" if partial else ""

    @property
    def difference(self) -> float | None:
        """Measured minus published, in points."""
        return None if self.measured is None or self.published is None else self.measured - self.published


@dataclass(frozen=True)
class TableColumn:
    """The heading of a column; ``key`` identifies it in file names and LaTeX macros."""

    label: str
    key: str


def reproduction_verdict(
    measured: float, lower: float | None, upper: float | None, published: float, comparable: bool
) -> Verdict:
    """Return whether a published number was reproduced; the criteria are in `VERDICTS`."""
    if not comparable:
        return "not comparable"
    if lower is None or upper is None:
        return "not judged"
    inside = lower <= published <= upper
    if inside and max(upper - published, published - lower) <= MAX_INTERVAL_DISTANCE:
        return "reproduced"
    if abs(measured - published) <= MAX_DIFFERENCE:
        return "reproduced"
    return "within noise" if inside else "not reproduced"


def published_verdict(entry: TableEntry, *, comparable: bool) -> Verdict:
    """Return the verdict of an entry; empty if nothing is published, or measured."""
    if entry.published is None or entry.measured is None:
        return ""
    return reproduction_verdict(entry.measured, entry.lower, entry.upper, entry.published, comparable)
