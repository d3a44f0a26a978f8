"""Audits of pairs that are given as arrays: their sides and labels, and the images that two sets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from relattr.audit.observation import ONE_ORIENTATION, Observation, Severity
from relattr.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

MAX_Z = 4.0
"""Standard deviations from equal sides up to which nothing is noted; expected once in 16,000 sets with random sides."""
MIN_ONE_ORIENTATION = 15
"""So many ordered pairs with random sides have one orientation once in 16,000 times; a fold of five, once in 16."""


def audit_pairs(name: str, left: ArrayLike, right: ArrayLike, label: ArrayLike) -> list[Observation]:
    """Audit pairs: ``left`` and ``right`` ``(n,)`` identify images, ``label`` ``(n,)`` is +1, -1 or 0.

    Raises `BadInput` for arrays of unequal length and for other labels.
    """
    import numpy as np

    a, b, y = np.asarray(left), np.asarray(right), np.asarray(label)
    if not a.shape == b.shape == y.shape or a.ndim != 1:
        raise BadInput(f"{name}: left, right and label must be (n,); got shapes {a.shape}, {b.shape}, {y.shape}")
    if not np.isin(y, (-1, 0, 1)).all():
        raise BadInput(f"{name}: labels must be +1, -1 or 0; got {np.unique(y)[:5].tolist()}")
    _, names = np.unique(np.concatenate([a, b]), return_inverse=True)
    i, j = names[: a.size].astype(np.int64), names[a.size :].astype(np.int64)
    return [*_audit_sides(name, y), *_audit_repetition(name, i, j, y)]


def _audit_sides(name: str, y: NDArray[np.integer]) -> list[Observation]:
    """Whether the labels of ordered pairs depend on the side."""
    ordered = int((y != 0).sum())
    first = int((y > 0).sum())
    if ordered >= MIN_ONE_ORIENTATION and first in (0, ordered):
        text = (
            f"the {'left' if first else 'right'} image has more in all {ordered:,} ordered pairs: the side determines "
            "the label, so sides must be randomised before training and evaluation"
        )
        return [Observation("leak", ONE_ORIENTATION, name, text)]
    if ordered and abs(2 * first - ordered) / ordered**0.5 > MAX_Z:
        text = f"the left image has more in {100 * first / ordered:.1f} % of {ordered:,} ordered pairs"
        return [Observation("warning", "imbalance", name, text)]
    return []


def _audit_repetition(
    name: str, i: NDArray[np.int64], j: NDArray[np.int64], y: NDArray[np.integer]
) -> list[Observation]:
    """Whether two images are paired several times, with which labels, or an image with itself; images are numbers."""
    import numpy as np

    if not i.size:
        return []
    observations = []
    n_itself = int((i == j).sum())
    if n_itself:
        text = f"{'1 pair is' if n_itself == 1 else f'{n_itself:,} pairs are'} of an image with itself"
        observations.append(Observation("warning", "itself", name, text))
    n = int(max(i.max(), j.max())) + 1
    _, dyad = np.unique(np.minimum(i, j) * n + np.maximum(i, j), return_inverse=True)
    n_times, n_swapped = np.bincount(dyad), np.bincount(dyad, i > j)
    canonical_label = np.where(i <= j, y, -y)  # as if the image of the smaller number were on the left
    more, less, similar = (np.bincount(dyad, canonical_label == code) > 0 for code in (1, -1, 0))
    opposite = more & less
    kinds: list[tuple[Severity, str, NDArray[np.bool_], str]] = [
        ("note", "both ways", (n_swapped > 0) & (n_swapped < n_times), "occur in both orders"),
        ("note", "repeated", n_times > 1, "occur more than once"),
        ("warning", "contradictory", opposite, "have opposite labels"),
        ("note", "contradictory", (more | less) & similar & ~opposite, "are labelled both ordered and similar"),
    ]
    for severity, kind, dyads, text in kinds:
        n_dyads = int(dyads.sum())
        if n_dyads:
            observations.append(Observation(severity, kind, name, f"{n_dyads:,} pairs of images {text}"))
    return observations


def audit_overlap(
    name: str, train: ArrayLike, test: ArrayLike, *, n_test_pairs: int | None = None
) -> list[Observation]:
    """Audit two sets of images, given as numbers or names, for images that are in both."""
    import numpy as np

    trained, tested = np.unique(np.asarray(train)), np.unique(np.asarray(test))
    common = np.intersect1d(trained, tested)
    if not common.size:
        return []
    of = f" (in {n_test_pairs:,} test pairs)" if n_test_pairs is not None else ""
    share = "all" if common.size == tested.size else f"{common.size:,} of"
    text = f"{share} {tested.size:,} test images are also training images{of}"
    return [Observation("leak", "shared images", name, text)]


def audit_sizes(sizes: Mapping[tuple[str, bool], int]) -> list[Observation]:
    """Warn about test sets with few ordered pairs.

    ``sizes`` has the number of ordered pairs of each test set, by its place and whether it has the pairs of all folds
    of a cross-validation.
    """
    from relattr.statistics import FEW_TEST_PAIRS, describe_few_pairs

    return [
        Observation("warning", "few pairs", where, describe_few_pairs(n, cross_validated=folds))
        for (where, folds), n in sizes.items()
        if n < FEW_TEST_PAIRS
    ]
