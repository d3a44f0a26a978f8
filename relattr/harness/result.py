"""The result of a cell: its status, its numbers on each test set, and their provenance."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from relattr import __version__
from relattr.harness.cell import Cell
from relattr.system.sealed import open_sealed, seal_record

VERSION = 3
"""Version of the format; `decode_result` reads all. Before version 3, files had no SHA-256 of their content, and before
version 2, a task's deviations were not separate from its notes."""
Status = Literal["ok", "failed", "timeout", "memory", "crashed", "skipped", "blocked"]
FAILURES: tuple[Status, ...] = ("failed", "timeout", "memory", "crashed")
"""The statuses of cells that ran and failed; ``relattr run --retry`` computes such cells again."""
_READS = (
    f"relattr {__version__} reads format versions 1 to {VERSION}: update relattr, or choose another folder of results"
)


class BoxAccuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agreement of a method's boxes with the true boxes of the test images, before (``first_``) and after training."""

    centre: float
    """Fraction of the true boxes that contain the centre of a box, in [0, 1]."""
    iou: float
    """Mean over the true boxes of the largest intersection over union with a box, in [0, 1]."""
    first_centre: float
    first_iou: float


class TestResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of a cell on one test set.

    Raises ``ValueError`` if the counts of pairs contradict each other or ``spearman`` is not in [-1, 1].
    """

    __test__: ClassVar[bool] = False  # pytest should not collect it

    test: str
    n_images: int
    n_pairs: int
    n_ordered: int
    n_correct: int
    n_tied: int
    note: str = ""
    spearman: float | None = None
    """Rank correlation of the strengths with the scores of the ``n_images`` images; None if the set has no scores."""
    ties: Literal["error", "half", "drop"] = "error"
    """How tied pairs count in `accuracy`; see `relattr.mixins.PairAnswersMixin.ties`."""
    boxes: BoxAccuracy | None = None
    """None unless the method gives boxes and the test set has the true ones."""
    deviation: str = ""
    """How the pairs differ from those of the published numbers; such a number is not comparable."""
    fold: bool = False
    """Whether the pairs are one fold of a cross-validation; see `relattr.task.TestSet`."""

    def __post_init__(self) -> None:
        counts = self.n_images, self.n_correct, self.n_tied
        if min(counts) < 0 or not self.n_correct + self.n_tied <= self.n_ordered <= self.n_pairs:
            raise ValueError(
                f"counts do not add up: {self.n_correct} correct and {self.n_tied} tied of {self.n_ordered} ordered "
                f"among {self.n_pairs} pairs of {self.n_images} images"
            )
        if self.spearman is not None and not -1 <= self.spearman <= 1:
            raise ValueError(f"a rank correlation is between -1 and 1, not {self.spearman}")

    @property
    def accuracy(self) -> float:
        """Correct / ordered pairs, in [0, 1], with ties counted as ``ties`` says; NaN if no pair counts."""
        return self.accuracy_with(self.ties)

    def accuracy_with(self, ties: Literal["error", "half", "drop"]) -> float:
        """Return the accuracy under another rule for ties."""
        n_correct = self.n_correct + (self.n_tied / 2 if ties == "half" else 0)
        n_pairs = self.n_ordered - (self.n_tied if ties == "drop" else 0)
        return n_correct / n_pairs if n_pairs else float("nan")


class Provenance(msgspec.Struct, frozen=True):
    """The code, command, versions, machine and time of a computation."""

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


class ArraysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size and SHA-256 of the file of arrays that belongs to a result."""

    bytes: int
    sha256: str


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cell with its status, its numbers, the fingerprints of what decided them, and their provenance."""

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
    """What readers must know about the task; does not affect comparability."""
    task_deviations: tuple[str, ...] = ()
    """How the data or protocol differ from the published ones."""
    method_notes: tuple[str, ...] = ()
    """What readers must know about the method; does not affect comparability."""
    deviations: tuple[str, ...] = ()
    """How the method differs from the published one."""
    fitted: dict[str, bool | int | float | str] = msgspec.field(default_factory=dict)
    """What the method chose in `fit`, such as ``C_``; see `relattr.Method.fitted_parameters`."""
    tests: tuple[TestResult, ...] = ()
    seconds_fit: float | None = None
    seconds_compare: float | None = None
    seconds: float | None = None
    """Wall-clock time of the cell's process, including the time to load the data."""
    peak_memory_bytes: int | None = None
    """Largest memory use of all its processes together, including libraries loaded before it started."""
    warnings: tuple[str, ...] = ()
    """Python warnings, without repetitions."""
    limits: dict[str, str] = msgspec.field(default_factory=dict)
    attempts: int = 1
    """How often it was started: more than 1 if workers were lost."""
    arrays: ArraysFile | None = None

    def test_result(self, test: str) -> TestResult | None:
        """Return the result on this test set, None if there is none."""
        return next((t for t in self.tests if t.test == test), None)


class OtherVersion(msgspec.DecodeError):
    """The content is sound, and was written by a version of relattr with another format."""


def encode_result(result: Result) -> bytes:
    """Return a result as indented JSON, with the SHA-256 of its content (`relattr.system.sealed`)."""
    return seal_record(msgspec.json.encode(result))


def decode_result(content: bytes) -> Result:
    """Return the result in this JSON; one of an older version is converted.

    Raises ``msgspec.DecodeError`` for JSON that is not a result, or whose content has been changed, and `OtherVersion`
    for a result that another version of relattr may read: of a later format, or with a right digest and other members.
    """
    try:
        record, has_digest = open_sealed(content)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error
    version = record.get("version")
    if isinstance(version, int) and version > VERSION:
        raise OtherVersion(f"it has format version {version}; {_READS}")
    if version not in (1, 2, VERSION):
        raise msgspec.ValidationError(f"version is {version!r}, expected 1 to {VERSION}")
    if version == VERSION and not has_digest:
        raise msgspec.ValidationError("it has no SHA-256 of its content, which every result of this version has")
    try:
        result = msgspec.convert(record, Result)
    except msgspec.ValidationError as error:
        if has_digest:
            raise OtherVersion(f"it was written by another version of relattr ({error}); {_READS}") from error
        raise
    if version != 1:
        return result if version == VERSION else msgspec.structs.replace(result, version=VERSION)
    # any note of version 1 made a number incomparable
    return msgspec.structs.replace(result, version=VERSION, notes=(), task_deviations=result.notes)
