"""Read MATLAB files, validating what they contain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput


def read_mat(path: Path, variables: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Read variables of a ``.mat`` file (up to version 7); cell arrays become object arrays.

    ``optional`` variables are included where the file has them. Raises `BadInput`, naming the file, if it cannot be
    read or a required variable is missing.
    """
    import scipy.io

    try:
        data = scipy.io.loadmat(path, variable_names=[*variables, *optional])
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
    return {name: data[name] for name in (*variables, *optional) if name in data}


def cell_text(cell: Any, where: str) -> str:
    """Return the string in a cell, however deeply it is nested. Raises `BadInput` if there is none."""
    value = cell
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if not isinstance(value, str):
        raise BadInput(f"{where} is {str(cell)[:80]!r}; expected text")
    return str(value)


def cell_texts(cells: NDArray[Any], where: str) -> list[str]:
    """Return the strings in a cell array, in MATLAB's (column-major) order. Raises `BadInput` for other contents."""
    return [cell_text(cell, f"{where}[{i}]") for i, cell in enumerate(cells.ravel(order="F"))]


def numeric_array(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Convert a numeric array, or a cell array of single numbers, to float64 of the same shape."""
    try:
        if values.dtype == object:
            flat = [np.asarray(cell, np.float64).item() for cell in values.ravel()]
            return np.array(flat, np.float64).reshape(values.shape)
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} contains a value that is not a number: {error}") from error
