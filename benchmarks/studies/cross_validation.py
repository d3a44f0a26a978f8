"""Simulate the coverage of 95 % intervals in cross-validation over images, with the variance doubled or not.

    python benchmarks/studies/cross_validation.py --out benchmarks/studies/cross_validation.md

Each scenario samples images with Gaussian features, an attribute that depends on one of them, and pairs. A ridge
regression on differences of features is cross-validated as the dataset `folder` does it: seven groups of images, seven
folds that hold out three each. The true accuracy is that of such models in the population of images.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from relattr.datasets._folder_folds import FOLDS, N_GROUPS, fold_of_pairs  # type: ignore[import-not-found]

from relattr.pairs import Pairs
from relattr.statistics import Design, difference, estimate_accuracy
from relattr.statistics.design import CROSS_VALIDATION_FACTOR
from relattr.system.atomic import write_text


@dataclass(frozen=True)
class SmallSet:
    """Images with ``n_features`` features, whose scores correlate by ``rho`` with one; ``n_pairs`` None: all pairs."""

    n_images: int
    n_pairs: int | None
    n_features: int
    rho: float
    ridge: float = 1.0

    def __str__(self) -> str:
        pairs = "all pairs" if self.n_pairs is None else f"{self.n_pairs} pairs"
        return f"{self.n_images} images, {pairs}, {self.n_features} features, correlation {self.rho:g}"


WORLDS = (
    SmallSet(20, 60, 10, 0.9),
    SmallSet(40, 150, 10, 0.9),
    SmallSet(40, None, 10, 0.9),
    SmallSet(40, None, 50, 0.8, 10.0),
    SmallSet(60, 150, 50, 0.9, 10.0),
    SmallSet(100, 50, 10, 0.9),
    SmallSet(100, 300, 20, 0.8, 10.0),
    SmallSet(100, None, 20, 0.8, 10.0),
    SmallSet(40, 150, 10, 0.0),
    SmallSet(40, None, 10, 0.0),
)


def simulate(world: SmallSet, rng: np.random.Generator) -> tuple[dict[bool, tuple[float, float]], float, float, float]:
    """One sample: the interval with and without doubling, the estimate, the truth, and the p-value of two methods.

    The two methods see different features, which are equally informative.
    """
    n, d = world.n_images, world.n_features
    features = rng.standard_normal((2, n, d))
    weight = world.rho / np.sqrt(2)
    scores = weight * (features[0, :, 0] + features[1, :, 0]) + np.sqrt(1 - world.rho**2) * rng.standard_normal(n)
    left, right = np.triu_indices(n, 1)
    if world.n_pairs is not None:
        drawn = rng.choice(left.size, world.n_pairs, replace=False)
        left, right = left[drawn], right[drawn]
    label = np.sign(scores[left] - scores[right]).astype(np.int8)
    group = rng.integers(0, N_GROUPS, n)
    fold = fold_of_pairs(group[left], group[right])
    margins, tested = np.zeros((2, left.size)), np.zeros(left.size, bool)
    truth = 0.0
    for k, held_out in enumerate(FOLDS):
        train = ~np.isin(group[left], held_out) & ~np.isin(group[right], held_out)
        test = fold == k
        if not train.any() or not test.any():
            continue
        tested |= test
        for method, x in enumerate(features):
            coefficients = _fit(x[left[train]] - x[right[train]], label[train], world.ridge)
            margins[method, test] = (x[left[test]] - x[right[test]]) @ coefficients
            if method == 0:
                correlation = weight * coefficients[0] / np.linalg.norm(coefficients)
                truth += test.sum() * (0.5 + np.arcsin(correlation) / np.pi)
    pairs = Pairs(left[tested], right[tested], label[tested])
    intervals = {}
    value = p = 0.0
    for doubled in (False, True):
        design = Design([(pairs, None)], cross_validated=doubled)
        first, second = ([design.judge(0, margins=m[tested])] for m in margins)
        estimate = estimate_accuracy(design, first)
        intervals[doubled] = estimate.lower, estimate.upper
        value, p = estimate.value, difference(design, first, second).p
    return intervals, value, truth / tested.sum(), p


def _fit(differences: NDArray[np.float64], label: NDArray[np.int8], ridge: float) -> NDArray[np.float64]:
    gram = differences.T @ differences + ridge * np.eye(differences.shape[1])
    return np.asarray(np.linalg.solve(gram, differences.T @ label))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    lines = [
        "# Coverage of intervals in cross-validation",
        "",
        f"Nominal 95 % intervals, {options.times:,} samples of each scenario, seed {options.seed}. Coverage of the "
        "mean accuracy over samples: an interval over images as if all pairs had been tested by one model, and the "
        f"same with its variance multiplied by {CROSS_VALIDATION_FACTOR:g}, as in the tables. The last column is how "
        "often two equally good methods differ at the 5 % level, with the doubled variance.",
        "",
        "| scenario | accuracy | coverage, as is | coverage, doubled | half-width, doubled | "
        "two equal methods differ |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for world in WORLDS:
        rng = np.random.default_rng([options.seed, WORLDS.index(world)])
        samples = [simulate(world, rng) for _ in range(options.times)]
        expected = float(np.mean([truth for _, _, truth, _ in samples]))
        covered = {
            doubled: np.mean([s[0][doubled][0] <= expected <= s[0][doubled][1] for s in samples])
            for doubled in (False, True)
        }
        half = np.mean([(s[0][True][1] - s[0][True][0]) / 2 for s in samples])
        differs = np.mean([p < 0.05 for *_, p in samples])
        lines.append(
            f"| {world} | {100 * expected:.1f} | {100 * covered[False]:.1f} | {100 * covered[True]:.1f} | "
            f"{100 * half:.1f} | {100 * differs:.1f} |"
        )
        print(lines[-1], flush=True)
    write_text(options.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
