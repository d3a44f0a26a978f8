"""The validation accuracy of a RankSVM on each of many blocks of features, from the Gram matrix of each.

A fit needs no features but their Gram matrix, which is computed once per block, whatever its number of features.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from relattr.pairs import Pairs
from relattr.ranksvm.accuracy import count_correct
from relattr.ranksvm.estimator import RankSVM, pair_structure, pairwise_loss
from relattr.ranksvm.folds import split_along_graph
from relattr.ranksvm.newton import SolverOptions, run_solvers, truncated_newton
from relattr.ranksvm.products import FixedGramSpace


def gram_matrix(block: NDArray[np.floating]) -> NDArray[np.floating]:
    """The Gram matrix ``(n, n)`` of centred features ``(n, d)``; a common shift changes no difference of strengths."""
    centred = block - block.mean(0)
    return centred @ centred.T


def block_accuracies(
    grams: Iterable[NDArray[np.floating]],
    pairs: Pairs,
    *,
    C: float = 0.1,
    folds: int = 5,
    seed: int = 0,
    tol: float = 1e-3,
) -> NDArray[np.float64]:
    """The validation accuracy ``(n_blocks,)`` of each block, given its Gram matrix ``(n, n)`` over the same images.

    Correct and ordered pairs are summed over folds that share no image (`split_along_graph`). All accuracies are NaN
    if there are no such folds. ``tol`` is the tolerance of each fit (see `RankSVM`).
    """
    parts = split_along_graph(pairs, folds, seed)
    options = SolverOptions(tol, max_newton=50, max_cg=100)
    losses = None
    accuracies = []
    for gram in grams:
        n = len(gram)
        if losses is None:
            losses = [pairwise_loss(RankSVM(C), pair_structure(train, None, n)) for train, _ in parts]
        solvers = [truncated_newton(loss, n, n, False, options) for loss in losses]
        solutions = run_solvers(FixedGramSpace(gram), solvers)
        counts = [
            count_correct(solution.scores, held_out) for solution, (_, held_out) in zip(solutions, parts, strict=True)
        ]
        correct, ordered = np.sum(counts, axis=0) if counts else (np.nan, 1)
        accuracies.append(correct / ordered)
    return np.array(accuracies)
