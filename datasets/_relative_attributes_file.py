"""Read and validate Parikh and Grauman's ``data.mat``: image names, classes, class orders, features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput

from ._matlab import cell_texts, numeric_array, read_mat
from ._release_files import file_state

VARIABLES = (
    "im_names",
    "class_names",
    "class_labels",
    "attribute_names",
    "relative_ordering",
    "used_for_training",
    "feat",
)
PREDICTOR, PREDICTIONS = ("relative_att_predictor", "relative_att_predictors"), "relative_att_predictions"


@dataclass(frozen=True, eq=False)
class RelativeAttributesFile:
    """The contents of the file, for n images, k classes, a attributes and d features.

    ``classes`` ``(n,)`` are indices from 0; ``ranks`` ``(a, k)``, larger = more; ``trained`` ``(n,)`` bool;
    ``features`` ``(n, d)``; ``predictor`` ``(d, a)`` and ``predictions`` ``(n, a)`` are None where the file lacks them.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    classes: NDArray[np.int64]
    attributes: tuple[str, ...]
    ranks: NDArray[np.float64]
    trained: NDArray[np.bool_]
    features: NDArray[np.float64]
    predictor: NDArray[np.float64] | None
    predictions: NDArray[np.float64] | None


def read_relative_attributes(path: Path) -> RelativeAttributesFile:
    """Read a file. Raises `BadInput`, naming file, variable and value, for anything invalid."""
    return _read_relative_attributes(path, file_state(path))


@lru_cache(maxsize=4)
def _read_relative_attributes(path: Path, state: tuple[int, ...]) -> RelativeAttributesFile:
    data = read_mat(path, VARIABLES, (*PREDICTOR, PREDICTIONS))
    names = _distinct_names(data, "im_names", path)
    class_names, attributes = _distinct_names(data, "class_names", path), _distinct_names(data, "attribute_names", path)
    n, k, a = len(names), len(class_names), len(attributes)
    bad = next((name for name in attributes if "/" in name or not name.isprintable()), None)
    if bad is not None:
        raise BadInput(f"{path}: attribute_names has {bad!r}; expected text without / and control characters")
    labels = _integers(data, "class_labels", path, (n, 1), 1, k)[:, 0]
    trained = _integers(data, "used_for_training", path, (n, 1), 0, 1)[:, 0] == 1
    if not 2 <= trained.sum() <= n - 2:
        raise BadInput(f"{path}: used_for_training marks {trained.sum()} of {n} images; expected 2 to {n - 2}")
    features = _finite_matrix(data, "feat", path, (n, None))
    predictor = next((name for name in PREDICTOR if name in data), None)
    contents = RelativeAttributesFile(
        names,
        class_names,
        labels - 1,
        attributes,
        _finite_matrix(data, "relative_ordering", path, (a, k)),
        trained,
        features,
        None if predictor is None else _finite_matrix(data, predictor, path, (features.shape[1], a)),
        _finite_matrix(data, PREDICTIONS, path, (n, a)) if PREDICTIONS in data else None,
    )
    for array in (contents.classes, contents.ranks, contents.trained, contents.features):
        array.flags.writeable = False  # callers share the cached arrays
    return contents


def _distinct_names(data: dict[str, Any], name: str, path: Path) -> tuple[str, ...]:
    names = cell_texts(data[name], f"{path}: {name}")
    repeated = [text for text in names if names.count(text) > 1] if len(set(names)) != len(names) else []
    if repeated or not names:
        problem = f"{repeated[0]!r} twice" if repeated else "nothing"
        raise BadInput(f"{path}: {name} names {problem}; expected different names")
    return tuple(names)


def _finite_matrix(data: dict[str, Any], name: str, path: Path, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """A matrix of finite numbers; a column may be stored as a row. Raises `BadInput` for anything else."""
    values = numeric_array(data[name], f"{path}: {name}")
    if shape[1] == 1 and values.shape == (1, shape[0]):
        values = values.T
    if values.ndim != 2 or any(want not in (None, have) for want, have in zip(shape, values.shape, strict=True)):
        expected = ", ".join("d" if want is None else str(want) for want in shape)
        raise BadInput(f"{path}: {name} has shape {values.shape}; expected ({expected})")
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        i, j = bad[0].tolist()
        raise BadInput(f"{path}: {name}({i + 1}, {j + 1}) is {values[i, j]}; expected a finite number")
    return values


def _integers(
    data: dict[str, Any], name: str, path: Path, shape: tuple[int, int], lower: int, upper: int
) -> NDArray[np.int64]:
    values = _finite_matrix(data, name, path, shape)
    bad = np.argwhere((values < lower) | (values > upper) | (values % 1 != 0))
    if bad.size:
        i, j = bad[0].tolist()
        raise BadInput(f"{path}: {name}({i + 1}, {j + 1}) is {values[i, j]:g}; expected {lower} to {upper}")
    return values.astype(np.int64)
