"""Simulate the coverage of 95 % intervals on data with a known true accuracy whose pairs share images.

    python benchmarks/studies/interval_coverage.py --out benchmarks/studies/interval_coverage.md

Each scenario samples images, test pairs and a method's answers; its true accuracy is that over the population of
images. relattr's interval is compared with the two usual ones: the binomial interval over pairs, and the plain
bootstrap over images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relattr.pairs import Pairs
from relattr.report.formats.markdown import pipe_table
from relattr.statistics import Design, Judgement, bootstrap, difference, estimate_accuracy, pairs_interval
from relattr.system.atomic import write_text

Rng = np.random.Generator
Sample = tuple[Design, list[Judgement], list[Judgement]]


@dataclass(frozen=True)
class World:
    """``draw`` samples a design and two methods' judgements on it; ``truth`` returns their true accuracies."""

    name: str
    draw: Callable[[Rng], Sample]
    truth: Callable[[], tuple[float, float]]


# ------------------------------------------------------------------------------------------ test pairs


def all_pairs(n: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of n images."""
    return lambda rng: np.triu_indices(n, 1)


def random_pairs(n: int, m: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """A random sample of m distinct pairs of n images."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        i, j = np.triu_indices(n, 1)
        sample = rng.choice(i.size, m, replace=False)
        return i[sample], j[sample]

    return draw


def matching(m: int, shared: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """M disjoint pairs, except that ``shared`` of them share an image with the next pair."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        left, right = np.arange(m) * 2, np.arange(m) * 2 + 1
        right[:shared] = left[1 : shared + 1]
        return left, right

    return draw


def bipartite_pairs(a: int, b: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of one of a images with one of b other images."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        left, right = np.divmod(np.arange(a * b), b)
        return left, a + right

    return draw


# ------------------------------------------------------------------------------------------ worlds


def accuracy_of_correlation(rho: float) -> float:
    """Return the accuracy of Gaussian strengths with correlation ``rho`` to a Gaussian truth (Sheppard 1899)."""
    return float(0.5 + np.arcsin(rho) / np.pi)


def correlation_of_accuracy(p: float) -> float:
    """Return the correlation at which Gaussian strengths have this accuracy."""
    return float(np.sin(np.pi * (p - 0.5)))


def scores_world(name: str, pairs: Callable, p: float, other: float, tests: int = 1) -> World:
    """Gaussian truth and strengths; ``tests`` correlated attributes have the same pairs."""
    rho = [correlation_of_accuracy(p), correlation_of_accuracy(other)]

    def draw(rng: Rng) -> Sample:
        left, right = pairs(rng)
        n = int(max(left.max(), right.max())) + 1
        common, shared_noise = rng.standard_normal(n), rng.standard_normal(n)
        parts, answers = [], []
        for _ in range(tests):
            truth = common if tests == 1 else (common + rng.standard_normal(n)) / np.sqrt(2)
            noise = shared_noise if tests == 1 else (shared_noise + rng.standard_normal(n)) / np.sqrt(2)
            parts.append(Pairs(left, right, np.sign(truth[left] - truth[right]).astype(np.int8)))
            other_noise = (noise + rng.standard_normal(n)) / np.sqrt(2)
            answers.append([r * truth + np.sqrt(1 - r * r) * e for r, e in zip(rho, (noise, other_noise), strict=True)])
        design = Design([(part, None) for part in parts])
        first = [design.judge(k, strengths=a[0]) for k, a in enumerate(answers)]
        return design, first, [design.judge(k, strengths=a[1]) for k, a in enumerate(answers)]

    return World(name, draw, lambda: (p, other))


RANKS = np.array([1, 2, 3, 3, 5, 6, 7, 7]) / 2.0
SIZES = np.array([360, 328, 260, 308, 374, 410, 292, 356]) / 2688.0
SPREAD = np.array([0.2, 0.3, 0.2, 0.5, 0.3, 0.9, 0.2, 0.3])


def classes_world(n: int) -> World:
    """Eight ranked classes with ties, as in OSR; some classes are harder than others."""

    @cache
    def truth() -> tuple[float, float]:
        from scipy.stats import norm

        accuracies = []
        for stretch in (1.0, 1.3):
            weight, right = 0.0, 0.0
            for a in range(8):
                for b in range(a):
                    if RANKS[a] != RANKS[b]:
                        gap = (RANKS[a] - RANKS[b]) / (stretch * np.hypot(SPREAD[a], SPREAD[b]))
                        weight += SIZES[a] * SIZES[b]
                        right += SIZES[a] * SIZES[b] * float(norm.cdf(gap))
            accuracies.append(right / weight)
        return accuracies[0], accuracies[1]

    def draw(rng: Rng) -> Sample:
        classes = rng.choice(8, n, p=SIZES)
        design = Design([(Pairs.all_of(RANKS[classes]), None)])
        e = rng.standard_normal((2, n))
        noise = e[0], (e[0] + e[1]) / np.sqrt(2)
        judgements = [
            design.judge(0, strengths=RANKS[classes] + k * SPREAD[classes] * x)
            for k, x in zip((1.0, 1.3), noise, strict=True)
        ]
        return design, [judgements[0]], [judgements[1]]

    return World(f"eight classes, all pairs of {n} images", draw, truth)


def bad_images_world(name: str, pairs: Callable, bad: float, good_p: float) -> World:
    """An image is bad with probability ``bad``; the answer on a pair with a bad image is random."""
    clean = (1 - bad) ** 2

    def draw(rng: Rng) -> Sample:
        left, right = pairs(rng)
        n = int(max(left.max(), right.max())) + 1
        label = rng.choice(np.array([-1, 1], np.int8), left.size)
        design = Design([(Pairs(left, right, label), None)])
        judgements = []
        for _ in range(2):
            is_bad = rng.random(n) < bad
            probability = np.where(is_bad[left] | is_bad[right], 0.5, good_p)
            hit = rng.random(left.size) < probability
            judgements.append([design.judge(0, margins=np.where(hit, label, -label).astype(float))])
        return design, judgements[0], judgements[1]

    value = clean * good_p + (1 - clean) * 0.5
    return World(name, draw, lambda: (value, value))


WORLDS = (
    scores_world("all pairs of 60 images, 80 %", all_pairs(60), 0.80, 0.75),
    scores_world("all pairs of 300 images, 75 %", all_pairs(300), 0.75, 0.75),
    scores_world("all pairs of 300 images, 97 %", all_pairs(300), 0.97, 0.96),
    classes_world(300),
    classes_world(800),
    scores_world("250 of the pairs of 620 images, 70 %", random_pairs(620, 250), 0.70, 0.70),
    scores_world("250 of the pairs of 620 images, 95 %", random_pairs(620, 250), 0.95, 0.93),
    scores_world("ten attributes of 250 pairs of 620 images, 85 %", random_pairs(620, 250), 0.85, 0.83, tests=10),
    scores_world("489 pairs, 11 of them share images, 65 %", matching(489, 11), 0.65, 0.60),
    scores_world("20,000 of the pairs of 400 images, 65 %", random_pairs(400, 20_000), 0.65, 0.65),
    scores_world("each of 60 images with each of 60, 78 %", bipartite_pairs(60, 60), 0.78, 0.75),
    bad_images_world("all pairs of 150 images, bad images", all_pairs(150), 0.15, 0.97),
    bad_images_world("300 of the pairs of 100 images, bad images", random_pairs(100, 300), 0.15, 0.97),
    bad_images_world("all pairs of 150 images, random answers", all_pairs(150), 1.0, 0.5),
)


def measure(world: World, times: int, plain_times: int, seed: int) -> list[str]:
    """Return one row of the table: how often each interval contains the true accuracy, and the width of ours."""
    truth = world.truth()
    ours = binomial = plain = calibrated = paired = false_alarm = 0
    width = 0.0
    for k in range(times):
        design, first, second = world.draw(np.random.default_rng([seed, k]))
        interval = estimate_accuracy(design, first)
        ours += interval.lower <= truth[0] <= interval.upper
        width += interval.upper - interval.lower
        n, correct = sum(j.n_ordered for j in first), sum(j.n_correct for j in first)
        lower, upper = pairs_interval(correct, n)
        binomial += lower <= truth[0] <= upper
        paired_difference = difference(design, first, second)
        paired += paired_difference.lower <= truth[0] - truth[1] <= paired_difference.upper
        false_alarm += paired_difference.p < 0.05
        if k < plain_times:
            replicates = bootstrap(design, first, replicates=500, seed=k)
            lower, upper = replicates.interval(calibrated=False)
            plain += lower <= truth[0] <= upper
            lower, upper = replicates.interval()
            calibrated += lower <= truth[0] <= upper
    alarm = f"{100 * false_alarm / times:.1f}" if abs(truth[0] - truth[1]) < 1e-12 else ""
    return [
        world.name,
        f"{100 * truth[0]:.2f}",
        f"{100 * ours / times:.1f}",
        f"{100 * width / times:.1f}",
        f"{100 * binomial / times:.1f}",
        f"{100 * plain / plain_times:.1f}",
        f"{100 * calibrated / plain_times:.1f}",
        f"{100 * paired / times:.1f}",
        alarm,
    ]


HEADER = [
    "scenario",
    "true accuracy",
    "**ours covers**",
    "mean width, points",
    "binomial over pairs covers",
    "plain bootstrap over images covers",
    "calibrated bootstrap covers",
    "**paired difference covers**",
    "false alarms at 5 %",
]


def main() -> None:
    """Sample every scenario many times; print and write the coverage of the intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=4000, help="samples of each scenario")
    parser.add_argument("--bootstraps", type=int, default=1000, help="how many of these are also bootstrapped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for world in WORLDS:
        if args.only in world.name:
            start = time.perf_counter()
            rows.append(measure(world, args.times, min(args.bootstraps, args.times), args.seed))
            print(" | ".join(rows[-1]), f"  [{time.perf_counter() - start:.0f} s]", flush=True)
    if args.out:
        spread = 196 * (0.95 * 0.05 / args.times) ** 0.5
        lines = [
            "# Coverage of nominal 95 % intervals",
            "",
            f"`python benchmarks/studies/interval_coverage.py --times {args.times} --bootstraps {args.bootstraps} "
            f"--seed {args.seed} --out benchmarks/studies/interval_coverage.md`",
            "",
            f"Per cent of {args.times:,} samples of each scenario (bootstraps: {args.bootstraps:,}, 500 replicates "
            "each). Exact coverage of 95 % would give "
            f"{95 - spread:.1f} to {95 + spread:.1f}.",
            "",
            *pipe_table(HEADER, rows),
            "",
        ]
        write_text(args.out, "\n".join(lines))


if __name__ == "__main__":
    main()
