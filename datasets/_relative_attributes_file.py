"""Parikh and Grauman's ``data.mat``: names, classes, their order per attribute, features; read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relattr.errors import BadInput

from . import _matlab

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDED = (
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
    """What the file says of n images, k classes, a attributes and d features.

    ``classes`` ``(n,)`` counts from 0; ``ranks`` ``(a, k)``, larger = more; ``trained`` ``(n,)`` bool; ``features``
    ``(n, d)``; ``predictor`` ``(d, a)`` and ``predictions`` ``(n, a)``, None where they are not in the file.
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


def read(path: Path) -> RelativeAttributesFile:
    """What a file says. Raises `BadInput`, naming file, variable and value, for anything that is not right."""
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    return _read(path, (state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=4)
def _read(path: Path, state: tuple[int, ...]) -> RelativeAttributesFile:
    data = _matlab.load(path, NEEDED, (*PREDICTOR, PREDICTIONS))
    names = _distinct(data, "im_names", path)
    class_names, attributes = _distinct(data, "class_names", path), _distinct(data, "attribute_names", path)
    n, k, a = len(names), len(class_names), len(attributes)
    bad = next((x for x in attributes if "/" in x or not x.isprintable()), None)
    if bad is not None:
        raise BadInput(f"{path}: attribute_names has {bad!r}; expected text without / and control characters")
    labels = _whole(data, "class_labels", path, (n, 1), 1, k)[:, 0]
    trained = _whole(data, "used_for_training", path, (n, 1), 0, 1)[:, 0] == 1
    if not 2 <= trained.sum() <= n - 2:
        raise BadInput(f"{path}: used_for_training marks {trained.sum()} of {n} images; expected 2 to {n - 2}")
    features = _numbers(data, "feat", path, (n, None))
    predictor = next((name for name in PREDICTOR if name in data), None)
    found = RelativeAttributesFile(
        names,
        class_names,
        labels - 1,
        attributes,
        _numbers(data, "relative_ordering", path, (a, k)),
        trained,
        features,
        None if predictor is None else _numbers(data, predictor, path, (features.shape[1], a)),
        _numbers(data, PREDICTIONS, path, (n, a)) if PREDICTIONS in data else None,
    )
    for array in (found.classes, found.ranks, found.trained, found.features):
        array.flags.writeable = False  # they are shared
    return found


def _distinct(data: dict[str, Any], name: str, path: Path) -> tuple[str, ...]:
    found = _matlab.texts(data[name], f"{path}: {name}")
    again = [text for text in found if found.count(text) > 1] if len(set(found)) != len(found) else []
    if again or not found:
        what = f"{again[0]!r} twice" if again else "nothing"
        raise BadInput(f"{path}: {name} names {what}; expected different names")
    return tuple(found)


def _numbers(data: dict[str, Any], name: str, path: Path, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """A matrix of finite numbers; a vector may lie the other way. Raises `BadInput` for anything else."""
    import numpy as np

    values = _matlab.numbers(data[name], f"{path}: {name}")
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


def _whole(
    data: dict[str, Any], name: str, path: Path, shape: tuple[int, int], low: int, high: int
) -> NDArray[np.int64]:
    import numpy as np

    values = _numbers(data, name, path, shape)
    bad = np.argwhere((values < low) | (values > high) | (values % 1 != 0))
    if bad.size:
        i, j = bad[0].tolist()
        raise BadInput(f"{path}: {name}({i + 1}, {j + 1}) is {values[i, j]:g}; expected {low} to {high}")
    return values.astype(np.int64)
