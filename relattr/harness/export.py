"""Results as tidy tables: one row per cell and test set, or one per image or pair of each test set."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput, RelattrError
from relattr.harness.benchmark import Benchmark
from relattr.harness.cell import Cell
from relattr.harness.image_names import ImageNames, NamedTest
from relattr.harness.result import Result
from relattr.harness.result_rows import flatten_cell, flatten_result
from relattr.harness.result_selection import ALL_RESULTS, ResultSelection
from relattr.harness.scope import benchmark_scope
from relattr.harness.staleness import look_up_cell
from relattr.harness.stored_results import StoredResults, Unreadable
from relattr.registry import Registry
from relattr.system.atomic import atomic_replace
from relattr.system.spreadsheet import escape_csv

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

RESULT_COLUMNS: dict[str, type] = {
    "method": str,
    "method_label": str,
    "method_parameters": str,
    "dataset": str,
    "dataset_label": str,
    "dataset_parameters": str,
    "dataset_location": str,
    "attribute": str,
    "split": str,
    "seed": int,
    "key": str,
    "state": str,
    "state_why": str,
    "status": str,
    "reason": str,
    "test": str,
    "n_images": int,
    "n_pairs": int,
    "n_ordered": int,
    "n_correct": int,
    "n_tied": int,
    "ties": str,
    "accuracy": float,
    "spearman": float,
    "box_centre": float,
    "box_iou": float,
    "first_box_centre": float,
    "first_box_iou": float,
    "test_note": str,
    "test_deviation": str,
    "protocol": str,
    "notes": str,
    "task_deviations": str,
    "method_notes": str,
    "deviations": str,
    "fitted": str,
    "warnings": str,
    "seconds_fit": float,
    "seconds_compare": float,
    "seconds": float,
    "peak_memory_bytes": int,
    "attempts": int,
    "limits": str,
    "fingerprints": str,
    "commit": str,
    "dirty": bool,
    "command": str,
    "python": str,
    "versions": str,
    "system": str,
    "host": str,
    "cpu": str,
    "threads": int,
    "memory_bytes": int,
    "device": str,
    "gpu": str,
    "started": str,
}
"""Name and type of each column of `results_frame`. Structured values, such as parameters, are JSON."""

STRENGTH_COLUMNS: dict[str, type] = {
    "method": str,
    "method_parameters": str,
    "dataset": str,
    "dataset_parameters": str,
    "attribute": str,
    "split": str,
    "seed": int,
    "key": str,
    "state": str,
    "test": str,
    "kind": str,
    "index": int,
    "image": str,
    "right_image": str,
    "value": float,
}
"""Name and type of each column of `strengths_frames`.

``kind`` is ``strength`` for the strength of image ``index`` of the test set, ``margin`` for the margin of its pair
``index``. ``image`` is the name of the image, or of the left image of the pair, and ``right_image`` of its right one;
they are empty where the dataset is not here, or has changed since.
"""

_DTYPES = {str: "string", int: "Int64", float: "float64", bool: "boolean"}
"""The pandas types; those of texts, integers and truth values allow missing values."""
_CHUNK = 1 << 16
"""Number of rows from which a chunk of strengths is complete."""


@dataclass(frozen=True)
class ExportedResults:
    """What `export_results` has selected, and what it has left out."""

    results: list[Result]
    frame: pd.DataFrame
    """The table of `results_frame`."""
    unreadable: list[Unreadable]
    """Files of the store that are not results."""
    n_stale: int
    """Number of cells whose results are stale, and are left out unless they are to be kept."""


def export_results(
    registry: Registry,
    store: StoredResults,
    benchmark: Benchmark | None = None,
    *,
    selection: ResultSelection = ALL_RESULTS,
    keep_stale: bool = False,
) -> ExportedResults:
    """Select the chosen results of a store, or of those on the datasets of a benchmark, and return them as a table.

    Stale results are left out, or included with ``keep_stale``; the column ``state`` marks them. Raises `UnknownName`
    for a pattern of the selection that matches nothing.
    """
    selected: list[Result] = []
    unreadable: list[Unreadable] = []
    for item in store:
        (selected if isinstance(item, Result) else unreadable).append(item)  # type: ignore[arg-type]
    if benchmark is not None:
        selected = benchmark_scope(benchmark, registry).select(selected)
    selection.require_matches(selected)
    selected = [result for result in selected if selection.includes(result.cell)]
    frame = results_frame(selected, registry, store)
    stale = set(frame.loc[frame["state"] == "stale", "key"])
    if stale and not keep_stale:
        selected = [result for result in selected if result.cell.key not in stale]
        frame = frame[~frame["key"].isin(stale)].reset_index(drop=True)
    return ExportedResults(selected, frame, unreadable, len(stale))


def results_frame(results: Iterable[Result], registry: Registry, store: StoredResults) -> pd.DataFrame:
    """Return results as a table with `RESULT_COLUMNS`.

    One row for each test set of each cell, and one for each cell that has none, such as one that failed.
    """
    rows = [row for result in results for row in _result_rows(result, registry, store)]
    return _frame({name: [row.get(name) for row in rows] for name in RESULT_COLUMNS}, RESULT_COLUMNS)


def strengths_frames(results: Iterable[Result], registry: Registry, store: StoredResults) -> Iterator[pd.DataFrame]:
    """Yield strengths and margins as tables with `STRENGTH_COLUMNS`, in chunks of limited size; at least one.

    One row for each image of a test set if the method gives strengths, for each pair if it gives margins. Images that
    are in no pair have no strength and no row.

    Raises `BadInput` if the arrays of a result cannot be read.
    """
    import numpy as np

    parts: list[_Part] = []
    names = ImageNames(registry)
    n_rows = 0
    for result in results:
        cell = {**flatten_cell(result.cell), **_state_columns(result.cell, registry, store)}
        arrays = store.arrays(result)
        for kind, group in (("strength", arrays.strengths), ("margin", arrays.margins)):
            for test, values in group.items():
                index = np.flatnonzero(~np.isnan(values))
                images = _image_columns(names.of(result, test), kind, index, len(values))
                parts.append(_Part({**cell, "test": test, "kind": kind}, index, values[index], *images))
                n_rows += index.size
                if n_rows >= _CHUNK:
                    yield _strengths_frame(parts)
                    parts, n_rows = [], 0
    yield _strengths_frame(parts)


def _image_columns(
    named: NamedTest | None, kind: str, index: NDArray[np.integer[Any]], n_values: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The columns ``image`` and ``right_image`` of the strengths or margins at ``index``."""
    import numpy as np

    none = np.full(index.size, None, dtype=object)
    if named is None or n_values != (len(named.images) if kind == "strength" else len(named.pairs)):
        return none, none
    names = np.array(named.images, dtype=object)
    if kind == "strength":
        return names[index], none
    return names[named.pairs.left[index]], names[named.pairs.right[index]]


def write_frames(path: Path, frames: Iterable[pd.DataFrame], columns: Mapping[str, type]) -> int:
    """Write tables below each other as CSV or, if the name ends in ``.parquet``, as Parquet; return the row count.

    ``columns`` are the columns of each table, with their types. Numbers have full precision. In CSV, text that a
    spreadsheet would take for a formula begins with an apostrophe. The file appears when it is complete.

    Raises `BadInput` for another ending, or for Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        return _write_csv(path, frames, columns)
    if path.suffix == ".parquet":
        if importlib.util.find_spec("pyarrow") is None:
            raise BadInput(f"{path} needs the package pyarrow: pip install 'relattr[parquet]'; or write a .csv file")
        return _write_parquet(path, frames, columns)
    raise BadInput(f"{path} should end in .csv or .parquet")


def _result_rows(result: Result, registry: Registry, store: StoredResults) -> Iterator[dict[str, Any]]:
    state = _state_columns(result.cell, registry, store)
    for row in flatten_result(result):
        yield {**row, **state}


def _state_columns(cell: Cell, registry: Registry, store: StoredResults) -> dict[str, Any]:
    """The state of the result of a cell."""
    try:
        current = look_up_cell(cell, registry, store)
        state: str = current.state
        reason = current.reason
    except RelattrError as error:  # the plugin is not registered any more
        state, reason = "unknown", str(error)
    return {"state": state, "state_why": reason if state != "failed" else ""}


@dataclass(frozen=True, eq=False)
class _Part:
    """The strengths or margins of one test set of a result."""

    cell: Mapping[str, Any]
    index: NDArray[np.integer[Any]]
    values: NDArray[np.floating[Any]]
    image: NDArray[Any]
    right_image: NDArray[Any]


def _strengths_frame(parts: Sequence[_Part]) -> pd.DataFrame:
    import numpy as np

    counts = [part.index.size for part in parts]
    columns: dict[str, Any] = {
        "index": np.concatenate([np.empty(0, np.int64), *(part.index for part in parts)]),
        "value": np.concatenate([np.empty(0), *(part.values for part in parts)]),
        "image": np.concatenate([np.empty(0, object), *(part.image for part in parts)]),
        "right_image": np.concatenate([np.empty(0, object), *(part.right_image for part in parts)]),
    }
    for name in STRENGTH_COLUMNS:
        if name not in columns:
            columns[name] = np.repeat(np.array([part.cell[name] for part in parts], dtype=object), counts)
    return _frame(columns, STRENGTH_COLUMNS)


def _frame(columns: Mapping[str, Any], types: Mapping[str, type]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(columns[name], dtype=_DTYPES[kind]) for name, kind in types.items()})


def _write_csv(path: Path, frames: Iterable[pd.DataFrame], columns: Mapping[str, type]) -> int:
    n_rows = 0
    with atomic_replace(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(columns) + "\n")
        for frame in frames:
            for name, kind in columns.items():
                if kind is str:
                    escaped = {text: escape_csv(text) for text in frame[name].dropna().unique()}
                    frame = frame.assign(**{name: frame[name].map(escaped)})
            frame.to_csv(file, index=False, header=False, columns=list(columns), lineterminator="\n")
            n_rows += len(frame)
    return n_rows


def _write_parquet(path: Path, frames: Iterable[pd.DataFrame], columns: Mapping[str, type]) -> int:
    import pyarrow
    import pyarrow.parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    n_rows = 0
    with atomic_replace(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        for frame in frames:
            writer.write_table(pyarrow.Table.from_pandas(frame, schema, preserve_index=False))
            n_rows += len(frame)
    return n_rows
