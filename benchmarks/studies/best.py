"""Simulate how often a method that is as good as the others is marked worse than the best of a column.

    python benchmarks/studies/best.py --out benchmarks/studies/best.md

The best is chosen by the data. Each sample has new images, pairs and answers of several methods, which are all equally
good, or of which one is worse. Holm's correction over the comparisons with the best is compared with the procedure of
the tables (`relattr.statistics.LargestDifference`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interval_coverage import Rng, all_pairs, correlation_of_accuracy, matching, random_pairs

from relattr.pairs import Pairs
from relattr.report.formats.markdown import pipe_table
from relattr.statistics import Design, Judgement, LargestDifference, difference, difference_covariance, holm
from relattr.statistics.interval import estimate_accuracy
from relattr.system.atomic import write_text

LEVEL = 0.05
SHARED = 0.5
"""Correlation of the errors of two methods."""


@dataclass(frozen=True)
class Scenario:
    """``n_methods`` methods of true accuracy ``accuracy``, the last of them worse by ``gap``."""

    name: str
    pairs: Callable
    n_methods: int
    accuracy: float
    gap: float = 0.0
    tests: int = 1
    seeds: int = 1
    """Trainings of each method; two trainings differ as much as two methods."""


def draw(scenario: Scenario, rng: Rng) -> tuple[Design, list[list[Judgement]]]:
    """Sample a design and the judgements of each method."""
    left, right = scenario.pairs(rng)
    n = int(max(left.max(), right.max())) + 1
    truths = [rng.standard_normal(n) for _ in range(scenario.tests)]
    design = Design([(Pairs(left, right, np.sign(t[left] - t[right]).astype(np.int8)), None) for t in truths])
    shared = [rng.standard_normal(n) for _ in truths]
    methods = []
    for m in range(scenario.n_methods):
        worse = scenario.gap if m == scenario.n_methods - 1 else 0.0
        rho = correlation_of_accuracy(scenario.accuracy - worse)
        judgements = []
        for test, (truth, common) in enumerate(zip(truths, shared, strict=True)):
            for _ in range(scenario.seeds):
                noise = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * rng.standard_normal(n)
                judgements.append(design.judge(test, strengths=rho * truth + np.sqrt(1 - rho**2) * noise))
        methods.append(judgements)
    return design, methods


def marked_worse(design: Design, methods: list[list[Judgement]]) -> tuple[set[int], set[int]]:
    """The methods marked worse than the best: by Holm's correction, and by the procedure of the tables."""
    estimates = [estimate_accuracy(design, judgements) for judgements in methods]
    best = int(np.argmax([estimate.value for estimate in estimates]))
    others = [m for m in range(len(methods)) if m != best]
    differences = {m: difference(design, methods[best], methods[m]) for m in others}
    by_holm = {m for m, p in zip(others, holm([differences[m].p for m in others]), strict=True) if p < LEVEL}
    covariance = difference_covariance(
        design,
        methods,
        [[1.0 / len(judgements)] * len(judgements) for judgements in methods],
        variances_images=[differences[m].variance_images if m in differences else 0.0 for m in range(len(methods))],
        variances_seeds=[estimate.variance_seeds or 0.0 for estimate in estimates],
        best=best,
    )
    adjusted = LargestDifference(covariance).adjusted_p
    return by_holm, {m for m in others if adjusted(differences[m].p) < LEVEL}


SCENARIOS = tuple(
    Scenario(name, pairs, n_methods, value, gap, tests, seeds)
    for n_methods in (2, 5, 12)
    for name, pairs, value, gap, tests, seeds in (
        ("all pairs of 150 images, 75 %", all_pairs(150), 0.75, 0.05, 1, 1),
        ("250 of the pairs of 620 images, 80 %", random_pairs(620, 250), 0.80, 0.12, 1, 1),
        ("489 pairs, 11 of them share images, 65 %", matching(489, 11), 0.65, 0.10, 1, 1),
        ("five attributes of 250 pairs, 85 %", random_pairs(620, 250), 0.85, 0.05, 5, 1),
        ("489 pairs, 65 %, three seeds", matching(489, 11), 0.65, 0.10, 1, 3),
    )
)


def measure(scenario: Scenario, times: int, seed: int) -> list[str]:
    """Return one row: how often any of the equal methods is marked worse, and how often the worse method is."""
    wrong, right = np.zeros(2, int), np.zeros(2, int)
    for k in range(times):
        equal = Scenario(**{**vars(scenario), "gap": 0.0})
        wrong += [bool(marked) for marked in marked_worse(*draw(equal, np.random.default_rng([seed, 0, k])))]
        sets = marked_worse(*draw(scenario, np.random.default_rng([seed, 1, k])))
        right += [scenario.n_methods - 1 in marked for marked in sets]
    shares = [f"{100 * count / times:.1f}" for count in (*wrong, *right)]
    return [scenario.name, str(scenario.n_methods), *shares[:2], f"{100 * scenario.gap:g}", *shares[2:]]


HEADER = [
    "scenario",
    "methods",
    "an equal method is marked worse: Holm",
    "**tables**",
    "gap, points",
    "the worse method is marked: Holm",
    "tables",
]


def main() -> None:
    """Sample every scenario many times; print and write how often methods are marked worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000, help="samples of each scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for scenario in SCENARIOS:
        if args.only in scenario.name:
            start = time.perf_counter()
            rows.append(measure(scenario, args.times, args.seed))
            print(" | ".join(rows[-1]), f"  [{time.perf_counter() - start:.0f} s]", flush=True)
    if args.out:
        error = 100 * (0.05 * 0.95 / args.times) ** 0.5
        lines = [
            "# How often bold is lost by chance",
            "",
            f"`python benchmarks/studies/best.py --times {args.times} --seed {args.seed} "
            "--out benchmarks/studies/best.md`",
            "",
            f"Per cent of {args.times:,} samples of each scenario in which any of several equally good methods is "
            f"marked significantly worse than the best at 5 % (standard error at 5 %: {error:.1f}), and in which a "
            "method that is worse by the gap is marked. Holm: correction over the comparisons with the method that "
            "happens to be best. Tables: the largest of all differences, `relattr.statistics.LargestDifference`.",
            "",
            *pipe_table(HEADER, rows),
            "",
        ]
        write_text(args.out, "\n".join(lines))


if __name__ == "__main__":
    main()
