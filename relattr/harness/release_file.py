"""The two formats of a released file, Parquet and JSON lines, with the same columns, rows and digest.

The digest is the SHA-256 of the rows as JSON lines, and is compared when a file is read. The same rows always give the
same bytes, in Parquet with the same version of pyarrow. A file is read only if it has the columns of this version, and
if what it contains has a sensible size; nothing in it is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from relattr.errors import BadInput, shortened
from relattr.harness.release_columns import COLUMNS, Kind
from relattr.harness.release_rows import Row
from relattr.system.reading import read_bytes
from relattr.system.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
"""Version of the format of released files."""
SUFFIXES = (".parquet", ".jsonl")
MAX_RELEASE = 4 * 1024**3
"""Bytes of a released file, and of what it contains."""
_MAX_ROWS = 10_000_000
_MARK = "relattr_release"
"""The member that tells a released file from any other, with the version of its format."""
_ENCODINGS = {"PLAIN", "RLE", "BIT_PACKED"}
"""The encodings of Parquet whose values take as much space in the file, before compression, as in memory."""

_Infinite = Literal["Infinity", "-Infinity"]
_TYPES: dict[Kind, Any] = {
    "text": str | None,
    "integer": int | None,
    "number": float | None,
    "flag": bool | None,
    "texts": list[str] | None,
    "integers": list[int] | None,
    "numbers": list[float | _Infinite | None] | None,
}
_JsonRow = msgspec.defstruct(
    "_JsonRow",
    [(column.name, _TYPES[column.kind], None) for column in COLUMNS],
    omit_defaults=True,
    forbid_unknown_fields=True,
)


class _Header(msgspec.Struct, frozen=True):
    """The first line of JSON lines, and an entry of the metadata of Parquet."""

    relattr_release: int
    rows: int
    sha256: str


def encode_release(rows: Sequence[Row], suffix: str) -> bytes:
    """Return the content of a released file with these rows; ``suffix`` is one of `SUFFIXES`.

    Raises `BadInput` for Parquet without pyarrow.
    """
    lines = [_to_line(row) for row in rows]
    header = msgspec.json.encode(_Header(FORMAT, len(lines), _digest(lines)))
    if suffix == ".jsonl":
        return b"".join(line + b"\n" for line in [header, *lines])
    return _to_parquet(rows, header)


def read_release(path: Path) -> list[Row]:
    """Return the rows of a released file.

    Raises `BadInput` for a file that is damaged, of another kind or of a newer version, and for Parquet without
    pyarrow.
    """
    try:
        content = read_bytes(path, MAX_RELEASE)
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; expected a file that `relattr release` has written") from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    read: Callable[[bytes], tuple[_Header, list[Row]]]
    read = _from_parquet if path.suffix == ".parquet" else _from_lines
    try:
        header, rows = read(content)
        if len(rows) != header.rows or _digest([_to_line(row) for row in rows]) != header.sha256:
            raise BadInput("its rows do not have the SHA-256 that is stored with them; it was changed or damaged")
    except BadInput as error:
        raise BadInput(f"{path}: {one_line(str(error))}") from error
    except MemoryError as error:
        raise BadInput(f"{path}: what it contains does not fit into memory") from error
    return rows


def _digest(lines: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.hexdigest()


# ---------------------------------------------------------------------- JSON lines


def _to_line(row: Row) -> bytes:
    """A row as JSON: columns in their order, without those that have no value; NaN is null."""
    values: dict[str, Any] = {}
    for column in COLUMNS:
        value = row.get(column.name)
        if value is None:
            continue
        if column.kind in ("numbers", "integers"):
            value = _to_list(value)
        elif column.kind == "number":
            value = float(value)
            if math.isnan(value):
                continue
        values[column.name] = value
    return msgspec.json.encode(values)


def _to_list(values: NDArray[Any]) -> list[Any]:
    import numpy as np

    numbers: list[Any] = values.tolist()
    if values.dtype.kind == "f" and np.isinf(values).any():
        return [("Infinity" if v > 0 else "-Infinity") if math.isinf(v) else v for v in numbers]
    return numbers


def _from_lines(content: bytes) -> tuple[_Header, list[Row]]:
    lines = content.split(b"\n")
    header = _decode_header(lines[0])
    if lines[-1]:
        raise BadInput(f"its last line, {len(lines):,}, is not complete: it was cut off")
    if len(lines) - 2 != header.rows:
        raise BadInput(f"it has {len(lines) - 2:,} rows; expected {header.rows:,}")
    decoder = msgspec.json.Decoder(_JsonRow)
    rows: list[Row] = []
    for number, line in enumerate(lines[1:-1], 2):
        try:
            decoded = msgspec.structs.asdict(decoder.decode(line))
            rows.append({column.name: _as_array(decoded[column.name], column.kind) for column in COLUMNS})
        except (ValueError, OverflowError, RecursionError) as error:
            raise BadInput(f"line {number:,} is not a row: {shortened(str(error), 200)}") from error
    return header, rows


def _as_array(value: Any, kind: Kind) -> Any:
    import numpy as np

    if value is None or kind not in ("numbers", "integers"):
        return value
    if kind == "integers":
        return np.array(value, np.int64)
    return np.array([math.nan if v is None else float(v) for v in value], np.float64)


def _decode_header(content: bytes) -> _Header:
    foreign = "is not a file that `relattr release` has written"
    try:
        version = msgspec.json.decode(content)[_MARK]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise BadInput(foreign) from error
    if version != FORMAT:
        known = f"this version of relattr reads format {FORMAT}; update relattr"
        raise BadInput(f"its format is {shortened(repr(version))}; {known}")
    try:
        return msgspec.json.decode(content, type=_Header)
    except ValueError as error:
        raise BadInput(f"{foreign}: {error}") from error


# ---------------------------------------------------------------------- Parquet


def _require_pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise BadInput("Parquet needs the package pyarrow: pip install 'relattr[parquet]'; .jsonl files need none")


def _arrow_types() -> dict[Kind, Any]:
    import pyarrow as pa

    single: dict[Kind, Any] = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
    lists: dict[Kind, Any] = {"texts": pa.string(), "integers": pa.int64(), "numbers": pa.float64()}
    return {**single, **{kind: pa.list_(pa.field("element", value)) for kind, value in lists.items()}}


def _to_parquet(rows: Sequence[Row], header: bytes) -> bytes:
    _require_pyarrow()
    import io

    import pyarrow as pa
    import pyarrow.parquet

    types = _arrow_types()
    columns = []
    for column in COLUMNS:
        values = [row.get(column.name) for row in rows]
        if column.kind == "number":
            values = [None if value is None or math.isnan(value) else value for value in values]
        columns.append(pa.array(values, types[column.kind]))
    schema = pa.schema([(column.name, types[column.kind]) for column in COLUMNS], metadata={_MARK: header})
    out = io.BytesIO()
    pyarrow.parquet.write_table(
        pa.Table.from_arrays(columns, schema=schema),
        out,
        version="2.6",
        compression="zstd",
        use_dictionary=False,  # see `_ENCODINGS`
        row_group_size=1 << 16,
    )
    return out.getvalue()


def _from_parquet(content: bytes) -> tuple[_Header, list[Row]]:
    _require_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        metadata, schema = file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput(f"is not a Parquet file, or is damaged: {_first_line(error)}") from error
    header = _decode_header((metadata.metadata or {}).get(_MARK.encode(), b""))
    _check_columns(schema)
    _check_size(metadata)
    try:
        table = file.read(use_threads=False)
        columns = {column.name: _column_values(table.column(column.name), column.kind) for column in COLUMNS}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise BadInput(f"is damaged: {_first_line(error)}") from error
    return header, [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _check_columns(schema: Any) -> None:
    expected = {column.name: _arrow_types()[column.kind] for column in COLUMNS}
    unknown = [name for name in schema.names if name not in expected]
    missing = [name for name in expected if name not in schema.names]
    if unknown or missing or len(schema.names) != len(expected):
        parts = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(missing)
        raise BadInput(f"its columns are not those of a release: {shortened('; '.join(parts) or 'repeated', 300)}")
    for name, kind in expected.items():
        if schema.field(name).type != kind:
            raise BadInput(f"its column {name} has the type {schema.field(name).type}; expected {kind}")


def _check_size(metadata: Any) -> None:
    """Raise `BadInput` if the values of a Parquet file could take much more memory than they state."""
    if metadata.num_rows > _MAX_ROWS:
        raise BadInput(f"it has {metadata.num_rows:,} rows; at most {_MAX_ROWS:,} are read")
    size = 0
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if not set(chunk.encodings) <= _ENCODINGS:
                encodings = ", ".join(chunk.encodings)
                column = shortened(chunk.path_in_schema)
                raise BadInput(f"its column {column} is encoded as {encodings}; expected PLAIN")
            size += max(chunk.total_uncompressed_size, 8 * chunk.num_values)
    if size > MAX_RELEASE:
        raise BadInput(f"it contains {size:,} bytes; at most {MAX_RELEASE:,} are read")


def _column_values(column: Any, kind: Kind) -> list[Any]:
    """The values of a column; lists of numbers are arrays."""
    values: list[Any] = []
    for chunk in column.chunks:
        if kind in ("numbers", "integers"):
            values += _list_values(chunk)
        else:
            values += chunk.to_pylist()
    return values


def _list_values(chunk: Any) -> Iterator[NDArray[np.generic] | None]:
    if chunk.values.null_count:
        raise ValueError("a list of numbers has a missing value")
    numbers, offsets = chunk.values.to_numpy(zero_copy_only=False), chunk.offsets.to_numpy()
    for row, valid in enumerate(chunk.is_valid().to_pylist()):
        yield numbers[offsets[row] : offsets[row + 1]] if valid else None


def _first_line(error: BaseException) -> str:
    return shortened(str(error).partition("\n")[0], 200)
