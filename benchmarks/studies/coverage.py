"""Does the 95 % interval cover 95 %? Data whose pairs share images and whose truth is known, drawn many times.

    python benchmarks/studies/coverage.py --out benchmarks/studies/coverage.md

Every world draws images, which pairs are asked about, and a method's answers; its true accuracy is that
over all images there could be. Beside our interval stand the two usual ones: the binomial interval over
pairs, and the plain bootstrap over images.
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
from relattr.statistics import Design, Judgement, accuracy, bootstrap, difference, pairs_interval
from relattr.system.atomic import write_text

Rng = np.random.Generator
Drawn = tuple[Design, list[Judgement], list[Judgement]]


@dataclass(frozen=True)
class World:
    """``draw`` gives a design and two methods' judgements on it; ``truth`` their true accuracies."""

    name: str
    draw: Callable[[Rng], Drawn]
    truth: Callable[[], tuple[float, float]]


# ------------------------------------------------------------------------------------------ who is asked about


def everyone(n: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of n images."""
    return lambda rng: np.triu_indices(n, 1)


def random_pairs(n: int, m: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """M distinct pairs of n images, drawn at random."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        i, j = np.triu_indices(n, 1)
        some = rng.choice(i.size, m, replace=False)
        return i[some], j[some]

    return draw


def matching(m: int, shared: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """M pairs of images of their own, but that ``shared`` of the pairs share one with the next."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        left, right = np.arange(m) * 2, np.arange(m) * 2 + 1
        right[:shared] = left[1 : shared + 1]
        return left, right

    return draw


def two_sides(a: int, b: int) -> Callable[[Rng], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each of a images with each of b others."""

    def draw(rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        left, right = np.divmod(np.arange(a * b), b)
        return left, a + right

    return draw


# ------------------------------------------------------------------------------------------ what is true of them


def gaussian(rho: float) -> float:
    """Accuracy of strengths with this correlation to the truth, both Gaussian (Sheppard 1899)."""
    return float(0.5 + np.arcsin(rho) / np.pi)


def correlation(p: float) -> float:
    return float(np.sin(np.pi * (p - 0.5)))


def scores_world(name: str, pairs: Callable, p: float, other: float, tests: int = 1) -> World:
    """Gaussian truth and strengths; ``tests`` attributes that are asked about the same pairs and correlate."""
    rho = [correlation(p), correlation(other)]

    def draw(rng: Rng) -> Drawn:
        left, right = pairs(rng)
        n = int(max(left.max(), right.max())) + 1
        common, shared_noise = rng.standard_normal(n), rng.standard_normal(n)
        parts, answers = [], []
        for _ in range(tests):
            truth = common if tests == 1 else (common + rng.standard_normal(n)) / np.sqrt(2)
            noise = shared_noise if tests == 1 else (shared_noise + rng.standard_normal(n)) / np.sqrt(2)
            parts.append(Pairs(left, right, np.sign(truth[left] - truth[right]).astype(np.int8)))
            own = (noise + rng.standard_normal(n)) / np.sqrt(2)
            answers.append([r * truth + np.sqrt(1 - r * r) * e for r, e in zip(rho, (noise, own), strict=True)])
        design = Design([(part, None) for part in parts])
        first = [design.judge(k, strengths=a[0]) for k, a in enumerate(answers)]
        return design, first, [design.judge(k, strengths=a[1]) for k, a in enumerate(answers)]

    return World(name, draw, lambda: (p, other))


RANKS = np.array([1, 2, 3, 3, 5, 6, 7, 7]) / 2.0
SIZES = np.array([360, 328, 260, 308, 374, 410, 292, 356]) / 2688.0
SPREAD = np.array([0.2, 0.3, 0.2, 0.5, 0.3, 0.9, 0.2, 0.3])


def classes_world(n: int) -> World:
    """Eight classes in an order with ties, as in OSR; some classes are harder than others."""

    @cache
    def truth() -> tuple[float, float]:
        from scipy.stats import norm

        found = []
        for stretch in (1.0, 1.3):
            weight, right = 0.0, 0.0
            for a in range(8):
                for b in range(a):
                    if RANKS[a] != RANKS[b]:
                        gap = (RANKS[a] - RANKS[b]) / (stretch * np.hypot(SPREAD[a], SPREAD[b]))
                        weight += SIZES[a] * SIZES[b]
                        right += SIZES[a] * SIZES[b] * float(norm.cdf(gap))
            found.append(right / weight)
        return found[0], found[1]

    def draw(rng: Rng) -> Drawn:
        of = rng.choice(8, n, p=SIZES)
        design = Design([(Pairs.all_of(RANKS[of]), None)])
        e = rng.standard_normal((2, n))
        noise = e[0], (e[0] + e[1]) / np.sqrt(2)
        made = [
            design.judge(0, strengths=RANKS[of] + k * SPREAD[of] * x) for k, x in zip((1.0, 1.3), noise, strict=True)
        ]
        return design, [made[0]], [made[1]]

    return World(f"eight classes, all pairs of {n} images", draw, truth)


def bad_images_world(name: str, pairs: Callable, bad: float, good_p: float) -> World:
    """An image is bad with probability ``bad``; a pair with a bad image is answered by a coin."""
    clean = (1 - bad) ** 2

    def draw(rng: Rng) -> Drawn:
        left, right = pairs(rng)
        n = int(max(left.max(), right.max())) + 1
        label = rng.choice(np.array([-1, 1], np.int8), left.size)
        design = Design([(Pairs(left, right, label), None)])
        made = []
        for _ in range(2):
            spoilt = rng.random(n) < bad
            chance = np.where(spoilt[left] | spoilt[right], 0.5, good_p)
            hit = rng.random(left.size) < chance
            made.append([design.judge(0, margins=np.where(hit, label, -label).astype(float))])
        return design, made[0], made[1]

    value = clean * good_p + (1 - clean) * 0.5
    return World(name, draw, lambda: (value, value))


WORLDS = (
    scores_world("all pairs of 60 images, 80 %", everyone(60), 0.80, 0.75),
    scores_world("all pairs of 300 images, 75 %", everyone(300), 0.75, 0.75),
    scores_world("all pairs of 300 images, 97 %", everyone(300), 0.97, 0.96),
    classes_world(300),
    classes_world(800),
    scores_world("250 of the pairs of 620 images, 70 %", random_pairs(620, 250), 0.70, 0.70),
    scores_world("250 of the pairs of 620 images, 95 %", random_pairs(620, 250), 0.95, 0.93),
    scores_world("ten attributes of 250 pairs of 620 images, 85 %", random_pairs(620, 250), 0.85, 0.83, tests=10),
    scores_world("489 pairs, 11 of them share images, 65 %", matching(489, 11), 0.65, 0.60),
    scores_world("20,000 of the pairs of 400 images, 65 %", random_pairs(400, 20_000), 0.65, 0.65),
    scores_world("each of 60 images with each of 60, 78 %", two_sides(60, 60), 0.78, 0.75),
    bad_images_world("all pairs of 150 images, bad images", everyone(150), 0.15, 0.97),
    bad_images_world("300 of the pairs of 100 images, bad images", random_pairs(100, 300), 0.15, 0.97),
    bad_images_world("all pairs of 150 images, a coin for every pair", everyone(150), 1.0, 0.5),
)


def measure(world: World, times: int, plain_times: int, seed: int) -> list[str]:
    """One line of the table: how often each interval holds the truth, and how wide ours is."""
    truth = world.truth()
    ours = binomial = plain = calibrated = paired = false_alarm = 0
    width = 0.0
    for k in range(times):
        design, first, second = world.draw(np.random.default_rng([seed, k]))
        found = accuracy(design, first)
        ours += found.low <= truth[0] <= found.high
        width += found.high - found.low
        n, correct = sum(j.n_ordered for j in first), sum(j.n_correct for j in first)
        low, high = pairs_interval(correct, n)
        binomial += low <= truth[0] <= high
        gap = difference(design, first, second)
        paired += gap.low <= truth[0] - truth[1] <= gap.high
        false_alarm += gap.p < 0.05
        if k < plain_times:
            replicates = bootstrap(design, first, replicates=500, seed=k)
            low, high = replicates.interval(calibrated=False)
            plain += low <= truth[0] <= high
            low, high = replicates.interval()
            calibrated += low <= truth[0] <= high
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


HEAD = [
    "world",
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
    """Draw every world many times and print, and write, what the intervals cover."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=4000, help="draws of each world")
    parser.add_argument("--bootstraps", type=int, default=1000, help="of which so many are bootstrapped too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only worlds with this in their name")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for world in WORLDS:
        if given.only in world.name:
            began = time.perf_counter()
            rows.append(measure(world, given.times, min(given.bootstraps, given.times), given.seed))
            print(" | ".join(rows[-1]), f"  [{time.perf_counter() - began:.0f} s]", flush=True)
    if given.out:
        spread = 196 * (0.95 * 0.05 / given.times) ** 0.5
        lines = [
            "# What nominal 95 % intervals cover",
            "",
            f"`python benchmarks/studies/coverage.py --times {given.times} --bootstraps {given.bootstraps} "
            f"--seed {given.seed} --out benchmarks/studies/coverage.md`",
            "",
            f"Per cent of {given.times:,} draws of each world (bootstraps: {given.bootstraps:,}, 500 replicates each). "
            "A true 95 % shows as "
            f"{95 - spread:.1f} to {95 + spread:.1f}.",
            "",
            "| " + " | ".join(HEAD) + " |",
            "| --- |" + " ---: |" * (len(HEAD) - 1),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
        write_text(given.out, "\n".join(lines))


if __name__ == "__main__":
    main()
