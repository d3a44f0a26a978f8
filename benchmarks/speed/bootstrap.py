"""Time the bootstrap over images against the usual loops: a million pairs of 2,016 images, 1,000 replicates.

    python benchmarks/speed/bootstrap.py

The loops are timed on a few replicates and scaled up. The matrix form is a fast NumPy implementation (two products of
weights with n x n matrices); its lower bound on this machine is the time of its 4 n^2 R operations at the measured speed
of a large fp32 product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from relattr.pairs import Pairs
from relattr.statistics import Design, bootstrap
from relattr.statistics.bootstrap import draw_counts, weighted_counts


def fastest(work: Callable[[], object], times: int = 15) -> float:
    """Return the seconds of the fastest of several runs, after one warm-up run (compilation)."""
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2016)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--replicates", type=int, default=1000)
    args = parser.parse_args()
    n, size, replicates = args.images, args.pairs, args.replicates

    rng = np.random.default_rng(0)
    truth = rng.standard_normal(n)
    strengths = truth + rng.standard_normal(n)
    pairs = Pairs.from_scores(truth, count=size, seed=0)
    left, right, label = pairs.arrays
    correct = np.sign(strengths[left] - strengths[right]) == label

    def ours() -> object:  # everything from strengths to replicates, without caches of the previous run
        design = Design([(pairs, None)])
        return bootstrap(design, [design.judge(0, strengths=strengths)], replicates=replicates)

    design = Design([(pairs, None)])
    judgement = design.judge(0, strengths=strengths)
    counts = draw_counts(n, replicates, 0)
    seconds = fastest(ours)
    core = fastest(lambda: weighted_counts(design, judgement, counts))

    n_timed = 5

    def repeat() -> object:
        accuracies = []
        for r in range(n_timed):
            w = counts[r].astype(np.int64)
            repeated = np.repeat(correct, w[left] * w[right])
            accuracies.append(repeated.mean())
        return accuracies

    def weights() -> object:
        accuracies = []
        for r in range(n_timed):
            w = counts[r].astype(np.float64)
            weight = w[left] * w[right]
            accuracies.append((weight * correct).sum() / weight.sum())
        return accuracies

    loop_repeat = fastest(repeat, 2) / n_timed * replicates
    loop_weights = fastest(weights, 2) / n_timed * replicates

    def matrix() -> object:
        hit = np.zeros((n, n), np.float32)
        everyone = np.zeros((n, n), np.float32)
        np.add.at(hit, (left, right), correct.astype(np.float32))
        np.add.at(everyone, (left, right), np.float32(1))
        w = counts.astype(np.float32)
        return ((w @ hit) * w).sum(1, dtype=np.float64) / ((w @ everyone) * w).sum(1, dtype=np.float64)

    dense = fastest(matrix, 3)
    a = rng.standard_normal((2048, 2048)).astype(np.float32)
    rate = 2 * 2048**3 / fastest(lambda: a @ a)
    floor = 4 * n * n * replicates / rate

    hits, totals = weighted_counts(design, judgement, counts)
    exact = [
        int(c) for c in (counts[0].astype(np.int64)[left] * counts[0].astype(np.int64)[right] * correct).sum()[None]
    ]
    assert hits[0] == exact[0]
    difference = np.abs(np.asarray(matrix()) - hits / totals).max()

    implied = Design([(Pairs.all_of(truth), None)])
    whole = implied.judge(0, strengths=strengths)
    order = fastest(lambda: bootstrap(implied, [whole], replicates=replicates))

    print(f"{size:,} pairs of {n:,} images, {replicates:,} replicates")
    print(f"  loop, pairs repeated          {loop_repeat:9.2f} s  (scaled up from {n_timed} replicates)")
    print(f"  loop, weights per pair        {loop_weights:9.2f} s  (scaled up from {n_timed} replicates)")
    print(
        f"  matrix form, fp32             {dense:9.3f} s  (floor {floor:.3f} s at {rate / 1e9:.0f} GFLOP/s"
        f"; differs by {difference:.1e})"
    )
    print(
        f"  ours, from strengths          {seconds:9.3f} s  ({loop_weights / seconds:.0f} x the faster loop,"
        f" {loop_repeat / seconds:.0f} x the other)"
    )
    print(f"    of which the sums           {core:9.3f} s  ({loop_weights / core:.0f} x; exact: integers)")
    print(f"  ours, all {n * (n - 1) // 2:,} pairs     {order:9.3f} s  (implied by an order, never built)")


if __name__ == "__main__":
    main()
