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
    if hasattr(X, "tocsr"):
        raise BadInput(f"X is sparse ({type(X).__name__}); sparse features are not supported: use X.toarray()")
    x = np.asarray(X)
    if x.dtype == object:
        x = x.astype(np.float64)  # raises TypeError for an object that is not a number
    if x.ndim != 2:
        raise BadInput(f"X must be (n_images, n_features); got shape {x.shape}. Reshape your data")
    if x.shape[1] == 0:
        raise BadInput(f"X has 0 feature(s) (shape={x.shape}) while a minimum of 1 is required.")
    if np.issubdtype(x.dtype, np.complexfloating):
        raise BadInput(f"X must contain real numbers; got {x.dtype}. Complex data not supported")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise BadInput(f"X must contain real numbers; got {x.dtype}")
    if n_features is not None and x.shape[1] != n_features:
        raise BadInput(f"X has {x.shape[1]} features, but RankSVM is expecting {n_features} features as input")
    return np.ascontiguousarray(x, np.float32 if x.dtype in (np.float32, np.float16) else np.float64)


def check_finite(x: NDArray[Any]) -> None:
    """Raise `BadInput`, naming the first position, if ``x`` ``(n, d)`` contains NaN or infinity."""
    for start in range(0, x.shape[0], 256):
        invalid = np.argwhere(~np.isfinite(x[start : start + 256]))
        if invalid.size:
            row, column = invalid[0]
            value = "NaN" if np.isnan(x[start + row, column]) else x[start + row, column]
            raise BadInput(
                f"X[{start + row}, {column}] is {value} (image {start + row}, feature {column}); features must be "
                "finite: drop the image or repair its features"
            )


def as_pairs(y: Pairs | ArrayLike, n: int) -> Pairs:
    """Return the pairs of ``n`` images: ``y`` itself, or all pairs of images with the scores ``y`` ``(n,)``.

    Raises `BadInput` for scores of another number of images or that are not finite.
    """
    if isinstance(y, Pairs):
        return y
    if y is None:
        raise BadInput("requires y to be passed, but the target y is None; expected a relattr.Pairs, or scores")
    scores = _as_numbers(y)
    if scores is None or scores.shape != (n,):
        got = type(y).__name__ if scores is None else f"{scores.dtype} of shape {np.shape(y)}"
        raise BadInput(f"y must be a relattr.Pairs, or a score for each of the {n} images in X; got {got}")
    if n < 2:
        raise BadInput(f"cannot fit on {n} sample: pairs need at least 2 images")
    return Pairs.all_of(scores)


def _as_numbers(y: ArrayLike) -> NDArray[Any] | None:
    """Return scores as an array, a column as its elements; None if they are not numbers."""
    try:
        scores = np.asarray(y)
        scores = scores.astype(np.float64) if scores.dtype == object else scores
    except (TypeError, ValueError):  # lists of unequal length, or objects that are not numbers
        return None
    if scores.dtype.kind not in "biuf":
        return None
    return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


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
