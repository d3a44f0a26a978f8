"""What a cell came to: one record per cell, one row per test set in it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from relattr.harness.cell import Cell

VERSION = 1
Status = Literal["ok", "failed", "timeout", "memory", "crashed", "skipped", "blocked"]
FAILURES: tuple[Status, ...] = ("failed", "timeout", "memory", "crashed")
"""The statuses that are the cell's own fault; `relattr run --retry` computes such a cell again."""


class Boxes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well the boxes a method looks at find the cues of the test images, and how well its first ones did.

    ``centre``: the share of cues in which the middle of a box lies; ``iou``: the mean of the best intersection over
    union of a box with each cue. Both in [0, 1].
    """

    centre: float
    iou: float
    first_centre: float
    first_iou: float


class TestResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cell on one test set."""

    __test__: ClassVar[bool] = False  # not a test of pytest's, whatever its name

    test: str
    n_images: int
    n_pairs: int
    n_ordered: int
    n_correct: int
    n_tied: int
    note: str = ""
    spearman: float | None = None
    """Rank correlation of strengths with the test set's scores, over the ``n_images``; None where it has none."""
    ties: Literal["error", "half", "drop"] = "error"
    """How the tied pairs count in `accuracy`; see `relattr.method.Method.ties`."""
    boxes: Boxes | None = None
    """Where the truth is known and the method looks at places; else None."""

    def __post_init__(self) -> None:
        if not 0 <= self.n_correct + self.n_tied <= self.n_ordered <= self.n_pairs:
            raise ValueError(
                f"counts do not add up: {self.n_correct} correct and {self.n_tied} tied of {self.n_ordered} ordered "
                f"among {self.n_pairs} pairs"
            )
        if self.spearman is not None and not -1 <= self.spearman <= 1:
            raise ValueError(f"a rank correlation is between -1 and 1, not {self.spearman}")

    @property
    def accuracy(self) -> float:
        """Correct / ordered, in [0, 1], ties as ``ties`` says; NaN where no pair counts."""
        return self.accuracy_with(self.ties)

    def accuracy_with(self, ties: Literal["error", "half", "drop"]) -> float:
        """The accuracy under another rule for ties."""
        right = self.n_correct + (self.n_tied / 2 if ties == "half" else 0)
        judged = self.n_ordered - (self.n_tied if ties == "drop" else 0)
        return right / judged if judged else float("nan")


class Provenance(msgspec.Struct, frozen=True):
    """Where, when and with what a cell was computed."""

    commit: str
    dirty: bool | None
    command: str
    python: str
    versions: dict[str, str]
    system: str
    cpu: str
    threads: int
    memory_bytes: int
    device: str
    started: str
    host: str = ""
    gpu: str = ""


class Arrays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of strengths and margins that belongs to a result."""

    bytes: int
    sha256: str


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cell with its status, its numbers, what decided them, and where they come from."""

    version: int
    cell: Cell
    status: Status
    fingerprints: dict[str, str]
    provenance: Provenance
    label: str
    dataset_label: str
    reason: str = ""
    traceback: str = ""
    protocol: str = ""
    notes: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    tests: tuple[TestResult, ...] = ()
    seconds_fit: float | None = None
    seconds_compare: float | None = None
    seconds: float | None = None
    """Wall-clock time of the cell's whole process, loading included."""
    peak_memory_bytes: int | None = None
    """The most memory its processes had together, the libraries loaded beforehand included."""
    warnings: tuple[str, ...] = ()
    """What it warned of, each text once."""
    limits: dict[str, str] = msgspec.field(default_factory=dict)
    attempts: int = 1
    """More than 1 where workers were lost on the way."""
    arrays: Arrays | None = None

    def on(self, test: str) -> TestResult | None:
        """The row of this test set; None if the cell has none."""
        return next((t for t in self.tests if t.test == test), None)


def encode(result: Result) -> bytes:
    """One result as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def decode(content: bytes) -> Result:
    """The result in this JSON. Raises ``msgspec.DecodeError`` saying what is wrong with it."""
    head: Any = msgspec.json.decode(content)
    version = head.get("version") if isinstance(head, dict) else None
    if version != VERSION:
        raise msgspec.ValidationError(f"version is {version!r}, expected {VERSION}")
    return msgspec.json.decode(content, type=Result)
