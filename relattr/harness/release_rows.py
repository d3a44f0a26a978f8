"""Stored results as the rows of a released file (`relattr.harness.release_columns`), and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput
from relattr.harness.arrays import CellArrays
from relattr.harness.result import VERSION, Result
from relattr.harness.result_rows import flatten_result, result_from_rows
from relattr.harness.stored_audits import audit_keys_of
from relattr.harness.stored_results import StoredResults
from relattr.harness.tested_pairs import TestKey, TestPairs, test_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = Mapping[str, Any]
"""Column -> value; a column that is not in it, or is None, has no value. Lists of numbers are arrays."""
_INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_NUMBERS = ("float16", "float32", "float64")
_MAX_DIMENSIONS = 32


@dataclass
class ReleasedContents:
    """What the rows of a released file contain."""

    results: dict[str, Result] = field(default_factory=dict)
    """By the key of the cell, in the order of the file."""
    arrays: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    """By the key of the cell: the arrays of its ``.npz`` file."""
    logs: dict[str, str] = field(default_factory=dict)
    test_pairs: dict[TestKey, TestPairs] = field(default_factory=dict)
    audits: dict[str, bytes] = field(default_factory=dict)


def release_rows(
    stored: StoredResults, results: Sequence[Result], others: Sequence[Result] = ()
) -> tuple[list[Row], list[str]]:
    """Return the rows of these results, of their test sets, and of the audits of the data they were computed on.

    ``others`` are further stored results, which may identify those audits. The second list names arrays that are left
    out, because their values are neither numbers nor text. Raises `BadInput` if the arrays of a result cannot be read.
    """
    rows: list[Row] = []
    arrays: list[Row] = []
    test_sets: dict[TestKey, Row] = {}
    left_out: list[str] = []
    for result in results:
        of_cell = CellArrays.of_members(stored.arrays(result).members())
        for row in flatten_result(result):
            test = row.get("test")
            columns: dict[str, Any] = {}
            if test is not None:
                key = test_key(result, test)
                if key not in test_sets and (pairs := stored.test_pairs(key)) is not None:
                    test_sets[key] = _test_set_row(key, row, pairs)
                columns = {"test_set": key} if key in test_sets else {}
                for name, group in _groups(of_cell).items():
                    values = group.get(test)
                    if values is not None and values.dtype == "float64" and values.ndim == 1:
                        columns[name] = group.pop(test)
            rows.append({"record": "result", **row, **columns, "log": stored.log(result.cell)})
        for name, values in of_cell.members().items():
            array = _array_row(result, name, values)
            if array is None:
                left_out.append(f"{name} of {result.cell} ({values.dtype})")
            else:
                arrays.append(array)
    # an audit names images, and the folder may have audits of other own data, or of this data before it changed; a
    # result of a method that sees no pixels does not identify the audit, but others on the same data do
    data = {_data_of(result) for result in results}
    on_same_data = [*results, *(result for result in others if _data_of(result) in data)]
    of_results = {key for result in on_same_data for key in audit_keys_of(result)}
    audits = [
        {"record": "audit", "key": key, "audit": record.decode("utf-8", "backslashreplace")}
        for key in stored.audit_keys()
        if key in of_results and (record := stored.audit_record(key)) is not None
    ]
    return [*rows, *arrays, *(test_sets[key] for key in sorted(test_sets)), *audits], left_out


def _data_of(result: Result) -> tuple[str, str, str, str]:
    """What the data of a result are called, with their parameters, and where they were."""
    cell = result.cell
    parameters, location = (json.dumps(each, sort_keys=True) for each in (cell.dataset_parameters, cell.location))
    return cell.dataset, parameters, location, cell.data


def contents_of(rows: Iterable[Row]) -> ReleasedContents:
    """Return what rows contain. Raises `BadInput`, with the record and its key, for rows that are not valid."""
    contents = ReleasedContents()
    for (record, key), group in groupby(rows, key=lambda row: (row["record"], row["key"])):
        of_one = list(group)
        try:
            if record == "result":
                _add_result(contents, of_one)
            else:
                for row in of_one:
                    _add_other(contents, record, row)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise BadInput(f"the {record} {key} is not valid: {error}") from error
    return contents


def _add_result(contents: ReleasedContents, rows: Sequence[Row]) -> None:
    result = result_from_rows(rows)
    key = result.cell.key
    if result.version != VERSION:
        raise ValueError(f"the version of the result is {result.version}; expected {VERSION}")
    if key in contents.results:
        raise ValueError(f"a second result of {result.cell}")
    if len({test.test for test in result.tests}) < len(rows) and len(rows) > 1:
        raise ValueError(f"{result.cell} has the same test set twice")
    contents.results[key] = result
    contents.logs[key] = rows[0]["log"] or ""
    groups = _groups(CellArrays.of_members(contents.arrays.setdefault(key, {})))
    for row in rows:
        for name, group in groups.items():
            if row[name] is not None:
                group[row["test"]] = row[name]


def _groups(arrays: CellArrays) -> dict[str, MutableMapping[str, NDArray[Any]]]:
    """The arrays that are columns of the results: column -> test set -> array."""
    return {"strengths": arrays.strengths, "margins": arrays.margins}


def _add_other(contents: ReleasedContents, record: str, row: Row) -> None:
    key = _text(row, "key")
    if record == "array":
        _add_array(contents, row)
    elif record == "test set":
        contents.test_pairs[key] = _test_pairs(row)
    elif record == "audit":
        contents.audits[key] = _text(row, "audit").encode()
    else:
        raise ValueError("there is no such record")


def _array_row(result: Result, name: str, values: NDArray[Any]) -> dict[str, Any] | None:
    """The row of an array; None if its values are neither numbers nor text."""
    import numpy as np

    row: dict[str, Any] = {"record": "array", "key": result.cell.key, "name": name, "dtype": str(values.dtype)}
    row["shape"] = np.array(values.shape, np.int64)
    if row["dtype"] in _INTEGERS:
        return {**row, "integers": values.ravel().astype(np.int64)}
    if row["dtype"] in _NUMBERS:
        return {**row, "numbers": values.ravel().astype(np.float64)}
    if values.dtype.kind == "U":
        return {**row, "dtype": "str", "texts": values.ravel().tolist()}
    return None


def _add_array(contents: ReleasedContents, row: Row) -> None:
    import numpy as np

    dtype, shape = row["dtype"], tuple(row["shape"].tolist())
    column = "integers" if dtype in _INTEGERS else "numbers" if dtype in _NUMBERS else "texts"
    if column == "texts" and dtype != "str":
        raise ValueError(f"its dtype is {dtype!r}")
    if len(shape) > _MAX_DIMENSIONS or min(shape, default=0) < 0 or math.prod(shape) != len(row[column]):
        raise ValueError(f"its shape is {shape}, and it has {len(row[column]):,} values")
    values = np.array(row[column], np.str_) if column == "texts" else row[column].astype(dtype)
    contents.arrays.setdefault(_text(row, "key"), {})[_text(row, "name")] = values.reshape(shape)


def _test_set_row(key: TestKey, result_row: Row, test_pairs: TestPairs) -> Row:
    row = {
        "record": "test set",
        "key": key,
        **{name: result_row[name] for name in ("dataset", "attribute", "split", "test")},
    }
    row["image_ids"] = _integers(test_pairs.image_ids)
    if test_pairs.names is not None:
        row["images"] = list(test_pairs.names)
    order = test_pairs.pairs.order
    if order is not None:
        return {
            **row,
            "ordered_images": _integers(order.items),
            "ordered_by": order.strengths,
            "side_seed": str(order.seed),
        }
    left, right, label = test_pairs.pairs.arrays
    return {**row, "left": _integers(left), "right": _integers(right), "label": _integers(label)}


def _test_pairs(row: Row) -> TestPairs:
    from relattr.pairs import Pairs

    names, ids = row["images"], row["image_ids"]
    if names is not None and len(names) != len(ids):
        raise ValueError(f"it has {len(names):,} names of {len(ids):,} images")
    if row["ordered_images"] is None:
        pairs = Pairs(row["left"], row["right"], row["label"], n_images=len(ids))
    else:
        if not re.fullmatch("[0-9]{1,20}", _text(row, "side_seed")) or int(row["side_seed"]) >= 1 << 64:
            raise ValueError(f"its side_seed is {row['side_seed']!r}")
        pairs = Pairs.all_of(row["ordered_by"], items=row["ordered_images"], seed=int(row["side_seed"]))
        if pairs.images.max(initial=-1) >= len(ids):
            raise ValueError(f"its pairs are of more than {len(ids):,} images")
    return TestPairs(pairs, ids, names)


def _integers(values: NDArray[np.integer]) -> NDArray[np.int64]:
    return values.astype("int64")


def _text(row: Row, column: str) -> str:
    if not isinstance(row[column], str):
        raise ValueError(f"it has no {column}")
    return str(row[column])
