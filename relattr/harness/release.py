"""Results released as one file: all rows with their strengths, the pairs of the test sets, and the audits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relattr.errors import BadInput, shortened
from relattr.harness.arrays import CellArrays
from relattr.harness.cell import Cell
from relattr.harness.release_columns import dictionary_table, records_table
from relattr.harness.release_file import SUFFIXES, encode_release, read_release
from relattr.harness.release_rows import contents_of, release_rows
from relattr.harness.result import Result
from relattr.harness.result_selection import ResultSelection
from relattr.harness.store import Store
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.harness.tested_pairs import TestKey, TestPairs
from relattr.system.atomic import write_together
from relattr.system.text import one_line


class ReleasedResults(StoredResults):
    """The results in a file that `write_release` has written. Nothing can be stored in it.

    Raises `BadInput` if the file is damaged, of another kind or of a newer version.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        rows = read_release(file)
        try:
            self._contents = contents_of(rows)
        except BadInput as error:
            raise BadInput(f"{file}: {one_line(shortened(str(error), 300))}") from error

    def __iter__(self) -> Iterator[Result | Unreadable]:
        return iter([*self._contents.results.values()])

    def path(self, cell: Cell) -> Path:
        return self._file

    def read(self, cell: Cell) -> Result | None:
        return self._contents.results.get(cell.key)

    def results_of_methods(self, methods: Iterable[str]) -> Iterator[Result | Unreadable]:
        for method in sorted(methods):
            yield from (result for result in self._contents.results.values() if result.cell.method == method)

    def arrays(self, result: Result, *, verify: bool = True) -> CellArrays:
        return CellArrays.of_members(self._contents.arrays.get(result.cell.key, {}))

    def log(self, cell: Cell) -> str:
        return self._contents.logs.get(cell.key, "")

    def is_locked(self, cell: Cell) -> bool:
        return False

    def test_pairs(self, key: TestKey) -> TestPairs | None:
        return self._contents.test_pairs.get(key)

    def keep_test_pairs(self, key: TestKey, test_pairs: TestPairs) -> None:
        """Nothing is stored: a released file does not change."""

    def test_pair_keys(self) -> list[TestKey]:
        return sorted(self._contents.test_pairs)

    def audit_record(self, key: str) -> bytes | None:
        return self._contents.audits.get(key)

    def keep_audit_record(self, key: str, record: bytes) -> None:
        """Nothing is stored: a released file does not change."""

    def audit_keys(self) -> list[str]:
        return sorted(self._contents.audits)


@dataclass(frozen=True)
class Release:
    """The files of a release, and what is in them."""

    file: Path
    digest_file: Path
    dictionary: Path
    sha256: str
    n_results: int
    n_bytes: int
    left_out: list[str]
    """Arrays whose values are neither numbers nor text."""
    unreadable: list[Unreadable]


def open_results(path: Path, *, must_exist: bool = True) -> StoredResults:
    """Open results for reading: those in a folder, or in a file of `write_release`.

    Raises `BadInput` for any other file, and for a path that does not exist; without ``must_exist``, a folder that does
    not exist yet has no results.
    """
    if path.suffix in SUFFIXES and not path.is_dir():
        return ReleasedResults(path)
    if path.exists() and not path.is_dir():
        raise BadInput(
            f"{path} is a file; expected a folder of results, or a file that `relattr release` has written "
            f"({' or '.join(SUFFIXES)})"
        )
    if must_exist and not path.exists():
        raise BadInput(
            f"{path} does not exist, so there are no results; run the benchmark first (`relattr run`), or give the "
            "folder of results, or a file that `relattr release` has written, with --results"
        )
    return Store(path)


def release_paths(file: Path) -> tuple[Path, Path, Path]:
    """Return the paths of a released file, its SHA-256 and its data dictionary. Raises `BadInput` for other endings."""
    if file.suffix not in SUFFIXES:
        raise BadInput(f"{file} should end in {' or '.join(SUFFIXES)}")
    return file, file.with_name(f"{file.name}.sha256"), file.with_name(f"{file.stem}-columns.md")


def write_release(stored: StoredResults, file: Path, selection: ResultSelection) -> Release:
    """Write the chosen results into one file, with its SHA-256 and a data dictionary in two files beside it.

    Each file appears when it is complete. Raises `BadInput` for another ending than `SUFFIXES`, for Parquet without
    pyarrow, and if no result is chosen; `UnknownName` for a pattern of the selection that matches nothing.
    """
    file, digest_file, dictionary = release_paths(file)
    items = list(stored)
    results = [item for item in items if isinstance(item, Result)]
    selection.require_matches(results)
    chosen = [result for result in results if selection.includes(result.cell)]
    if not chosen:
        why = f"none of the {len(results):,} results is chosen" if results else "there are no results"
        raise BadInput(f"{file} is not written: {why}")
    rows, left_out = release_rows(stored, chosen, results)
    content = encode_release(rows, file.suffix)
    sha256 = hashlib.sha256(content).hexdigest()
    write_together(
        [
            (dictionary, _dictionary(file).encode()),
            (file, content),
            (digest_file, f"{sha256}  {file.name}\n".encode()),  # what `sha256sum --check` reads
        ]
    )
    unreadable = [item for item in items if isinstance(item, Unreadable)]
    return Release(file, digest_file, dictionary, sha256, len(chosen), len(content), left_out, unreadable)


def _dictionary(file: Path) -> str:
    return (
        f"# {file.name}\n\n"
        f"Results of relattr. `relattr tables BENCHMARK --results {file.name}` writes their tables, and any program "
        f"that reads {'Parquet' if file.suffix == '.parquet' else 'JSON lines'} can read the file. "
        f"`sha256sum --check {file.name}.sha256` compares its SHA-256.\n\n"
        f"{records_table()}\n## Columns\n\n{dictionary_table()}"
    )
