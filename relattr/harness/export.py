"""Everything in a store as one tidy table: a row for each cell and test set, or for each image of them."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from relattr.errors import BadInput, RelattrError
from relattr.harness.result import Result
from relattr.harness.staleness import look_up_cell
from relattr.harness.store import Store
from relattr.registry import Registry
from relattr.system.atomic import replacing

COLUMNS: dict[str, type] = {
    "method": str,
    "method_label": str,
    "method_parameters": str,
    "dataset": str,
    "dataset_label": str,
    "dataset_parameters": str,
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
    "protocol": str,
    "notes": str,
    "deviations": str,
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
"""Name and type of each column of `rows`; what is no plain value is JSON."""

_BOXES = {"centre": "box_centre", "iou": "box_iou", "first_centre": "first_box_centre", "first_iou": "first_box_iou"}

VALUE_COLUMNS: dict[str, type] = {
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
    "value": float,
}
"""The same of `values`: ``kind`` is ``strength`` of image ``index`` of the test set, or ``margin`` of its pair."""


def rows(results: Iterable[Result], registry: Registry, store: Store) -> Iterator[dict[str, Any]]:
    """A row for each test set of each cell, and one for each cell that has none."""
    for result in results:
        base = {**_coordinates(result, registry, store), **_about(result)}
        for test in result.tests or (None,):
            row = dict(base)
            if test is not None:
                row.update(msgspec.structs.asdict(test), accuracy=test.accuracy, test_note=test.note)
                if test.boxes is not None:
                    row.update({_BOXES[name]: value for name, value in msgspec.structs.asdict(test.boxes).items()})
            yield {name: row.get(name) for name in COLUMNS}


def values(results: Iterable[Result], registry: Registry, store: Store) -> Iterator[dict[str, Any]]:
    """A row for each image (where the method gives strengths) or pair (where it does not) of each test set.

    Images that are in no test pair have no strength and no row.
    """
    for result in results:
        base = _coordinates(result, registry, store)
        arrays = store.arrays(result)
        for kind, values_of in (("strength", arrays.strengths), ("margin", arrays.margins)):
            for test, array in values_of.items():
                for index, value in enumerate(array.tolist()):
                    if value == value:
                        row = {**base, "test": test, "kind": kind, "index": index, "value": value}
                        yield {column: row[column] for column in VALUE_COLUMNS}


def _coordinates(result: Result, registry: Registry, store: Store) -> dict[str, Any]:
    cell = result.cell
    try:
        planned = look_up_cell(cell, registry, store)
        state: str = planned.state
        why = planned.reason
    except RelattrError as error:  # of a plugin, or with parameters, that are not here any more
        state, why = "unknown", str(error)
    return {
        **msgspec.structs.asdict(cell),
        "method_parameters": json.dumps(cell.method_parameters, sort_keys=True),
        "dataset_parameters": json.dumps(cell.dataset_parameters, sort_keys=True),
        "key": cell.key,
        "state": state,
        "state_why": why if state != "failed" else "",
    }


def _about(result: Result) -> dict[str, Any]:
    plain = msgspec.to_builtins(result)
    row = {**plain["provenance"], **{k: v for k, v in plain.items() if k != "provenance"}}
    row["method_label"] = result.label
    for name in ("notes", "deviations", "warnings", "limits", "fingerprints", "versions"):
        row[name] = json.dumps(row[name], sort_keys=True, ensure_ascii=False)
    return {k: row[k] for k in COLUMNS if k in row and k not in ("method_parameters", "dataset_parameters")}


def write(path: Path, columns: dict[str, type], table: Iterable[dict[str, Any]]) -> int:
    """Write a table as CSV or, where the name ends in ``.parquet``, as Parquet; the number of its rows.

    Raises `BadInput` for another ending, or for Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        return _write_csv(path, columns, table)
    if path.suffix == ".parquet":
        if importlib.util.find_spec("pyarrow") is None:
            raise BadInput(f"{path} needs the package pyarrow: pip install 'relattr[parquet]'; or write a .csv file")
        return _write_parquet(path, columns, table)
    raise BadInput(f"{path} should end in .csv or .parquet")


def _write_csv(path: Path, columns: dict[str, type], table: Iterable[dict[str, Any]]) -> int:
    n = 0
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({name: "" if value is None else _exact(value) for name, value in row.items()})
            n += 1
    return n


def _exact(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value


def _write_parquet(path: Path, columns: dict[str, type], table: Iterable[dict[str, Any]]) -> int:
    import pyarrow
    import pyarrow.parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    n = 0
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        part: list[dict[str, Any]] = []
        for row in table:
            part.append(row)
            if len(part) == 1 << 16:
                writer.write_table(pyarrow.Table.from_pylist(part, schema))
                n += len(part)
                part = []
        writer.write_table(pyarrow.Table.from_pylist(part, schema))
    return n + len(part)
