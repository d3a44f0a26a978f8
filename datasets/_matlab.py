"""Read MATLAB files, validating what they contain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.system.reading import MAX_TABLE, open_regular

MAX_DENSE = 10**9
"""Values of a sparse matrix that is converted to a dense one."""


def read_mat(path: Path, variables: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Read variables of a ``.mat`` file (up to version 7); cell arrays become object arrays.

    ``optional`` variables are included where the file has them. Raises `BadInput`, naming the file, if it cannot be
    read or a required variable is missing.
    """
    import scipy.io

    try:
        with open_regular(path, MAX_TABLE) as file:
            data = scipy.io.loadmat(file, variable_names=[*variables, *optional])
    except NotImplementedError as error:
        raise BadInput(f"{path} is a MATLAB 7.3 file; load it in MATLAB or Octave and save it with -v7") from error
    except Exception as error:  # SciPy's reader may raise any exception on a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise BadInput(f"cannot read {path}: {error.strerror}") from error
        raise BadInput(
            f"{path} is not a complete MATLAB file ({type(error).__name__}: {error}); is it truncated?"
        ) from error
    missing = [name for name in variables if name not in data]
    if missing:
        raise BadInput(f"{path} has no variable {missing[0]!r}; expected {', '.join(variables)}")
    return {name: _dense(data[name], f"{path}: {name}") for name in (*variables, *optional) if name in data}


def _dense(value: Any, where: str) -> Any:
    """The variable as an array: a sparse matrix becomes dense. Raises `BadInput` for complex numbers."""
    if not isinstance(value, np.ndarray) and hasattr(value, "toarray"):
        n_values = math.prod(value.shape)
        if n_values > MAX_DENSE:
            raise BadInput(f"{where} is a sparse matrix of {value.shape}; expected at most {MAX_DENSE:,} values")
        value = value.toarray()
    if not isinstance(value, np.ndarray):
        raise BadInput(f"{where} is a {type(value).__name__}; expected an array, a cell array or text")
    if value.dtype.kind == "c":
        if value.imag.any():
            raise BadInput(f"{where} has complex numbers; expected real numbers")
        value = value.real
    return value


def cell_text(cell: Any, where: str) -> str:
    """Return the string in a cell, however deeply it is nested. Raises `BadInput` if there is none."""
    value = cell
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if not isinstance(value, str):
        raise BadInput(f"{where} is {str(cell)[:80]!r}; expected text")
    return str(value)


def cell_texts(cells: NDArray[Any], where: str) -> list[str]:
    """Return the strings in a cell array, in MATLAB's (column-major) order. Raises `BadInput` for other contents.

    The rows of a character matrix are strings too; the spaces at their end, which MATLAB pads them with, are removed.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "U":
        return [str(row).rstrip(" ") for row in cells.ravel(order="F")]
    if not isinstance(cells, np.ndarray) or cells.dtype != object:
        raise BadInput(f"{where} is an array of {getattr(cells, 'dtype', type(cells).__name__)}; expected texts")
    return [cell_text(cell, f"{where}[{i}]") for i, cell in enumerate(cells.ravel(order="F"))]


def numeric_array(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Convert a numeric array, or a cell array of single numbers, to float64 of the same shape."""
    try:
        values = np.asarray(values)
        if values.dtype == object:
            flat = [_real(cell).item() for cell in values.ravel()]
            return np.array(flat, np.float64).reshape(values.shape)
        return _real(values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} contains a value that is not a number: {error}") from error


def _real(values: Any) -> NDArray[np.float64]:
    """Convert to float64. Raises TypeError or ValueError for anything but real numbers."""
    array = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
    if array.dtype.kind == "c":
        raise TypeError("a complex number")
    if array.dtype.kind not in "biuf" and array.dtype != object:
        raise TypeError(f"values of type {array.dtype}")
    return array.astype(np.float64)
