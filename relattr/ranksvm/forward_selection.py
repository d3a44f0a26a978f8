"""Greedy choice of feature blocks by cross-validation: the block that helps most, then the one that helps it most, ...

A RankSVM on the concatenation of several blocks of features needs only the sum of their Gram matrices. Each block's is
computed once, so that a candidate costs one sum and the fits on the folds, whatever its number of features.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.ranksvm.accuracy import count_correct
from relattr.ranksvm.estimator import RankSVM, pair_structure, pairwise_loss
from relattr.ranksvm.folds import split_along_graph
from relattr.ranksvm.newton import SolverOptions, run_solvers, truncated_newton
from relattr.ranksvm.products import FixedGramSpace


class BlockChoice(NamedTuple):
    """The chosen ``blocks`` in the order of choice, and the validation ``accuracies`` after each, NaN if unknown."""

    blocks: tuple[int, ...]
    accuracies: tuple[float, ...]


def gram_matrix(block: NDArray[np.floating]) -> NDArray[np.floating]:
    """The Gram matrix ``(n, n)`` of centred features ``(n, d)``; a common shift changes no difference of strengths."""
    centred = block - block.mean(0)
    return centred @ centred.T


def choose_blocks(
    grams: Sequence[NDArray[np.floating]],
    pairs: Pairs,
    count: int,
    *,
    base: NDArray[np.floating] | None = None,
    C: float = 0.1,
    folds: int = 5,
    seed: int = 0,
    tol: float = 1e-3,
) -> BlockChoice:
    """Choose up to ``count`` blocks, given the Gram matrix ``(n, n)`` of each over the same images.

    ``base`` is that of features which are used in any case, ``tol`` the tolerance of each fit (see `RankSVM`).

    In each round the block with the highest validation accuracy, together with those chosen before, is added; the
    first of several. Correct and ordered pairs are summed over folds that share no image (`split_along_graph`).
    Without such folds, the first blocks are chosen, with a warning. Raises `BadInput` for no block or a count below 1.
    """
    if not len(grams) or count < 1:
        raise BadInput(f"{count} of {len(grams)} blocks were to be chosen; expected at least 1 of at least 1")
    count = min(count, len(grams))
    parts = split_along_graph(pairs, folds, seed)
    if not parts:
        warnings.warn(
            f"{pairs!r} cannot be split by image into training and validation pairs; the first of {len(grams)} blocks "
            "of features are used",
            UserWarning,
            stacklevel=2,
        )
        return BlockChoice(tuple(range(count)), (np.nan,) * count)
    n = len(grams[0])
    problems = [(pair_structure(train, None, n), held_out) for train, held_out in parts]
    options = SolverOptions(tol, max_newton=50, max_cg=100)
    loss_of = [pairwise_loss(RankSVM(C), structure) for structure, _ in problems]
    total = np.zeros_like(grams[0]) if base is None else base.copy()
    chosen: list[int] = []
    accuracies: list[float] = []
    for _ in range(count):
        rest = [k for k in range(len(grams)) if k not in chosen]
        tried = []
        for k in rest:
            space = FixedGramSpace(total + grams[k])
            solvers = [truncated_newton(loss, n, n, False, options) for loss in loss_of]
            counts = [
                count_correct(solution.scores, held_out)
                for solution, (_, held_out) in zip(run_solvers(space, solvers), problems, strict=True)
            ]
            correct, ordered = np.sum(counts, axis=0)
            tried.append(correct / ordered)
        best = int(np.argmax(tried))
        chosen.append(rest[best])
        accuracies.append(float(tried[best]))
        total += grams[rest[best]]
    return BlockChoice(tuple(chosen), tuple(accuracies))
