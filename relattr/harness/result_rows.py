"""A result as flat rows, one for each test set, and back; structured values, such as parameters, are JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from relattr.harness.cell import Cell
from relattr.harness.result import BoxAccuracy, Provenance, Result, TestResult

_JSON_FIELDS = (
    "fingerprints",
    "notes",
    "task_deviations",
    "method_notes",
    "deviations",
    "fitted",
    "warnings",
    "limits",
)
_PLAIN_FIELDS = (
    "version",
    "status",
    "dataset_label",
    "reason",
    "traceback",
    "protocol",
    "seconds_fit",
    "seconds_compare",
    "seconds",
    "peak_memory_bytes",
    "attempts",
)
_PROVENANCE_FIELDS = tuple(name for name in Provenance.__struct_fields__ if name != "versions")
_TEST_COLUMNS = {
    name: {"note": "test_note", "deviation": "test_deviation"}.get(name, name)
    for name in TestResult.__struct_fields__
    if name != "boxes"
}
"""Field of a `TestResult` -> its column."""
_BOX_COLUMNS = {
    "centre": "box_centre",
    "iou": "box_iou",
    "first_centre": "first_box_centre",
    "first_iou": "first_box_iou",
}


def flatten_result(result: Result) -> list[dict[str, Any]]:
    """Return the rows of a result: one for each of its test sets, or one without columns of a test set."""
    fields = msgspec.structs.asdict(result)
    row = {
        **{name: fields[name] for name in _PLAIN_FIELDS},
        **{name: _to_json(fields[name]) for name in _JSON_FIELDS},
        **flatten_cell(result.cell),
        **{name: getattr(result.provenance, name) for name in _PROVENANCE_FIELDS},
        "versions": _to_json(result.provenance.versions),
        "method_label": result.label,
        "arrays_bytes": None if result.arrays is None else result.arrays.bytes,
        "arrays_sha256": None if result.arrays is None else result.arrays.sha256,
    }
    return [{**row, **_flatten_test(test)} for test in result.tests] or [row]


def flatten_cell(cell: Cell) -> dict[str, Any]:
    """Return the columns that identify a cell."""
    return {
        "method": cell.method,
        "method_parameters": _to_json(cell.method_parameters),
        "method_files": _to_json(cell.files) if cell.files else "",
        "dataset": cell.dataset,
        "dataset_parameters": _to_json(cell.dataset_parameters),
        "dataset_location": _to_json(cell.location) if cell.location else "",
        "data": cell.data,
        "attribute": cell.attribute,
        "split": cell.split,
        "seed": cell.seed,
        "key": cell.key,
    }


def result_from_rows(rows: Sequence[Mapping[str, Any]]) -> Result:
    """Return the result whose rows `flatten_result` has returned.

    Raises ``ValueError`` or ``TypeError`` for rows that are not those of a result.
    """
    row = rows[0]
    cell = {
        "method": row["method"],
        "method_parameters": _from_json(row["method_parameters"]),
        "files": _from_json(row["method_files"] or "{}"),
        "dataset": row["dataset"],
        "dataset_parameters": _from_json(row["dataset_parameters"]),
        "location": _from_json(row["dataset_location"] or "{}"),
        **{name: row[name] for name in ("data", "attribute", "split", "seed")},
    }
    provenance = {name: row[name] for name in _PROVENANCE_FIELDS}
    fields: dict[str, Any] = {
        **{name: row[name] for name in _PLAIN_FIELDS},
        **{name: _from_json(row[name]) for name in _JSON_FIELDS},
        "cell": cell,
        "provenance": {**provenance, "versions": _from_json(row["versions"])},
        "label": row["method_label"],
        "tests": [_test_fields(each) for each in rows if each["test"] is not None],
    }
    if row["arrays_sha256"] is not None:
        fields["arrays"] = {"bytes": row["arrays_bytes"], "sha256": row["arrays_sha256"]}
    result = msgspec.convert(fields, Result)
    if result.cell.key != row["key"]:
        raise ValueError(f"the key of {result.cell} is {result.cell.key}, not {row['key']}")
    return result


def _flatten_test(test: TestResult) -> dict[str, Any]:
    boxes = {} if test.boxes is None else msgspec.structs.asdict(test.boxes)
    return {
        **{column: getattr(test, name) for name, column in _TEST_COLUMNS.items()},
        "accuracy": test.accuracy,
        **{_BOX_COLUMNS[name]: value for name, value in boxes.items()},
    }


def _test_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: row[column] for name, column in _TEST_COLUMNS.items()}
    if row["box_centre"] is not None:
        fields["boxes"] = {name: row[_BOX_COLUMNS[name]] for name in BoxAccuracy.__struct_fields__}
    return fields


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _from_json(text: str) -> Any:
    return msgspec.json.decode(text)
