"""The interface of stored results, wherever they are: a folder (`Store`) or one file (`ReleasedResults`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relattr.harness.arrays import CellArrays
    from relattr.harness.cell import Cell
    from relattr.harness.result import Result
    from relattr.harness.tested_pairs import TestKey, TestPairs


@dataclass(frozen=True)
class Unreadable:
    """A file in the store that is not a valid result of this version, and the reason."""

    path: Path
    reason: str
    inaccessible: bool = False
    """Whether it may be a valid result: the system refused to read it, for example for lack of permission, or another
    version of relattr has written it. It is left as it is then."""


class StoredResults(ABC):
    """Results that can be read, with what belongs to them. Iterating yields all of them, always in the same order."""

    @abstractmethod
    def __iter__(self) -> Iterator[Result | Unreadable]: ...

    @abstractmethod
    def path(self, cell: Cell) -> Path:
        """Return the path of the file with the cell's result, whether or not it exists."""

    @abstractmethod
    def read(self, cell: Cell) -> Result | Unreadable | None:
        """Return the result of a cell, valid or stale; the reason if it is not readable; None if there is none."""

    @abstractmethod
    def results_of_methods(self, methods: Iterable[str]) -> Iterator[Result | Unreadable]:
        """Yield the results of these methods on all datasets."""

    @abstractmethod
    def arrays(self, result: Result, *, verify: bool = True) -> CellArrays:
        """Return the arrays of a result; empty if it has none. Raises `BadInput` if they cannot be read.

        With ``verify``, everything is read and compared with its digest first.
        """

    @abstractmethod
    def log(self, cell: Cell) -> str:
        """Return what the cell printed."""

    @abstractmethod
    def is_locked(self, cell: Cell) -> bool:
        """Return whether a runner is computing the cell now."""

    @abstractmethod
    def test_pairs(self, key: TestKey) -> TestPairs | None:
        """Return the stored pairs of a test set; None if there are none or they are damaged."""

    @abstractmethod
    def keep_test_pairs(self, key: TestKey, test_pairs: TestPairs) -> None:
        """Store the pairs of a test set, where that is possible."""

    @abstractmethod
    def test_pair_keys(self) -> list[TestKey]:
        """Return the sorted keys of the stored pairs of test sets."""

    @abstractmethod
    def audit_record(self, key: str) -> bytes | None:
        """Return the stored audit of a dataset, a JSON record; None if there is none that can be read."""

    @abstractmethod
    def keep_audit_record(self, key: str, record: bytes) -> None:
        """Store the audit of a dataset, where that is possible."""

    @abstractmethod
    def audit_keys(self) -> list[str]:
        """Return the sorted keys of the stored audits."""
