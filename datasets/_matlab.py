"""MATLAB files, read without trust."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load(path: Path, fields: Sequence[str], also: Sequence[str] = ()) -> dict[str, Any]:
    """These variables of a ``.mat`` file (up to version 7), cells as object arrays; of ``also`` those that are there.

    Raises `BadInput`, naming the file, if it cannot be read or lacks one of them.
    """
    import scipy.io

    try:
        found = scipy.io.loadmat(path, variable_names=[*fields, *also])
    except NotImplementedError as error:
        raise BadInput(f"{path} is a MATLAB 7.3 file; load it in MATLAB or Octave and save it with -v7") from error
    except Exception as error:  # SciPy's reader raises anything at all on a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise BadInput(f"cannot read {path}: {error.strerror}") from error
        raise BadInput(
            f"{path} is not a whole MATLAB file ({type(error).__name__}: {error}); is it truncated?"
        ) from error
    gone = [name for name in fields if name not in found]
    if gone:
        raise BadInput(f"{path} has no variable {gone[0]!r}; expected {', '.join(fields)}")
    return {name: found[name] for name in (*fields, *also) if name in found}


def text(cell: Any, what: str) -> str:
    """The one string in a cell, however deeply it is wrapped. Raises `BadInput` if there is none."""
    import numpy as np

    value = cell
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if not isinstance(value, str):
        raise BadInput(f"{what} is {str(cell)[:80]!r}; expected text")
    return str(value)


def texts(cells: NDArray[Any], what: str) -> list[str]:
    """The strings in a cell array, in MATLAB's order. Raises `BadInput` for anything else in it."""
    return [text(cell, f"{what}[{i}]") for i, cell in enumerate(cells.ravel(order="F"))]


def numbers(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    """A numeric array, or a cell array of single numbers, as float64 of the same shape."""
    import numpy as np

    try:
        if values.dtype == object:
            flat = [np.asarray(cell, np.float64).item() for cell in values.ravel()]
            return np.array(flat, np.float64).reshape(values.shape)
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} holds something that is not a number: {error}") from error
