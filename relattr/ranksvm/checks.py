"""Validation of the arguments of `fit` and `predict`."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.ranksvm.graph import scan_pairs

LOSSES = ("squared_hinge", "logistic")


def check_features(X: ArrayLike, n_features: int | None = None) -> NDArray[Any]:
    """Return X as a C-contiguous ``(n, d)`` array, float32 if it was, else float64; `check_finite` checks for NaN."""
    x = np.asarray(X)
    if x.ndim != 2 or x.shape[1] == 0:
        raise BadInput(f"X must be (n_images, n_features) with at least one feature; got shape {x.shape}")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise BadInput(f"X must contain real numbers; got {x.dtype}")
    if n_features is not None and x.shape[1] != n_features:
        raise BadInput(f"X has {x.shape[1]} features, but RankSVM was fitted with {n_features} features")
    return np.ascontiguousarray(x, np.float32 if x.dtype in (np.float32, np.float16) else np.float64)


def check_finite(x: NDArray[Any]) -> None:
    """Raise `BadInput`, naming the first position, if ``x`` ``(n, d)`` contains NaN or infinity."""
    for start in range(0, x.shape[0], 256):
        invalid = np.argwhere(~np.isfinite(x[start : start + 256]))
        if invalid.size:
            row, column = invalid[0]
            value = x[start + row, column]
            raise BadInput(
                f"X[{start + row}, {column}] is {value} (image {start + row}, feature {column}); features must be "
                "finite: drop the image or repair its features"
            )


def check_pairs(pairs: Pairs, n: int | None = None) -> NDArray[np.bool_]:
    """Return a mask of the ``n`` images that occur in a pair (``n`` None: as many as the pairs need).

    Raises `BadInput` if a pair refers to an image beyond ``n``, or if no pair is ordered.
    """
    if not isinstance(pairs, Pairs):
        raise BadInput(f"pairs must be a relattr Pairs; got {type(pairs).__name__}")
    order = pairs.order
    top = max(int(side.max(initial=-1)) for side in ((order.items,) if order is not None else pairs.arrays[:2]))
    if n is not None and top >= n:
        raise BadInput(f"a pair refers to image {top}, but X has {n} images (0 to {n - 1})")
    if order is not None:
        used = np.zeros(top + 1 if n is None else n, np.bool_)
        used[order.items] = True
        n_ordered = pairs.n_ordered
    else:
        used, n_ordered = scan_pairs(*pairs.arrays, top + 1 if n is None else n)
    if n_ordered == 0:
        raise BadInput(f"cannot fit on {pairs!r}: expected at least one ordered pair (+1 or -1)")
    return used


def check_positive(name: str, value: Any) -> float:
    """Return a finite number above zero as float; raises `BadInput` for anything else."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not (math.isfinite(number) and number > 0):
        raise BadInput(f"{name} is {value!r}; expected a finite number above 0")
    return number


def check_parameters(C: Any, C_similar: Any, loss: Any, tol: Any, max_newton: Any, max_cg: Any) -> None:
    """Raise `BadInput` for invalid parameters of `RankSVM`."""
    check_positive("C", C)
    check_positive("tol", tol)
    if C_similar is not None and not (C_similar == 0 and not isinstance(C_similar, bool)):
        check_positive("C_similar", C_similar)
    if loss not in LOSSES:
        raise BadInput(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}")
    for name, value in (("max_newton", max_newton), ("max_cg", max_cg)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise BadInput(f"{name} is {value!r}; expected an integer of at least 1")
