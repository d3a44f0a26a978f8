"""Simulate how often a table says that a published number was reproduced.

    python benchmarks/studies/verdicts.py --out benchmarks/studies/verdicts.md

The measured method is as good as the published one, or better or worse by some points, in truth: over the population of
images. The published number is the accuracy of another training on a sample of test pairs: on the same images as ours,
or on other images, where the publication drew its own split. The verdict is that of the tables.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interval_coverage import Rng, all_pairs, correlation_of_accuracy, matching, random_pairs

from relattr.pairs import Pairs
from relattr.report.formats.markdown import pipe_table
from relattr.report.tables.entry import VERDICTS, reproduction_verdict
from relattr.statistics import Design, estimate_accuracy
from relattr.system.atomic import write_text

GAPS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, -4.0)
"""True accuracy of the measured method minus that of the published one, in points."""
SHARED = 0.5
"""Correlation of the errors of two trainings on the same images."""
SHOWN = ("reproduced", "within noise", "not reproduced")


@dataclass(frozen=True)
class PaperTest:
    """``tests`` attributes with pairs of this kind, and the true accuracy of the published method."""

    name: str
    pairs: Callable
    accuracy: float
    tests: int = 1


TESTS = (
    PaperTest("489 pairs, 11 of them share images, 68 % (as Viral)", matching(489, 11), 0.68),
    PaperTest("ten attributes of 250 pairs of 620 images, 85 % (as LFW-10)", random_pairs(620, 250), 0.85, tests=10),
    PaperTest("four attributes of 300 pairs, 90 % (as UT-Zap50K-1)", matching(300, 0), 0.90, tests=4),
    PaperTest("all pairs of 600 images, 96 % (as an attribute of OSR)", all_pairs(600), 0.96),
    PaperTest("20,000 of the pairs of 2,000 images, 65 % (as popularity)", random_pairs(2000, 20_000), 0.65),
)


def draw(test_kind: PaperTest, rng: Rng) -> tuple[Design, list, list]:
    """Sample a design, and for each attribute the true strengths and the errors that two trainings share."""
    left, right = test_kind.pairs(rng)
    n = int(max(left.max(), right.max())) + 1
    truths = [rng.standard_normal(n) for _ in range(test_kind.tests)]
    design = Design([(Pairs(left, right, np.sign(t[left] - t[right]).astype(np.int8)), None) for t in truths])
    return design, truths, [rng.standard_normal(n) for _ in truths]


def own_errors(truths: list, rng: Rng) -> list:
    """The errors that one training does not share with others."""
    return [rng.standard_normal(truth.size) for truth in truths]


def judge(design: Design, truths: list, errors: list, accuracy: float, noises: list) -> list:
    """The judgements of a method with this true accuracy and these errors of its own."""
    rho = correlation_of_accuracy(accuracy)
    judgements = []
    for test, (truth, common, own) in enumerate(zip(truths, errors, noises, strict=True)):
        noise = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own
        judgements.append(design.judge(test, strengths=rho * truth + np.sqrt(1 - rho**2) * noise))
    return judgements


def measure(test_kind: PaperTest, times: int, seed: int) -> list[list[str]]:
    """Rows of the table: the share of each verdict, by true difference and by the images of the published number."""
    counts: dict[tuple[bool, float], Counter[str]] = {(same, gap): Counter() for same in (True, False) for gap in GAPS}
    gaps = [gap for gap in GAPS if test_kind.accuracy + gap / 100 < 1]
    for k in range(times):
        rng = np.random.default_rng([seed, k])
        design, truths, errors = draw(test_kind, rng)
        own = own_errors(truths, rng)
        published = {}
        for same, world in ((True, (design, truths, errors)), (False, draw(test_kind, rng))):
            of_published = judge(*world, test_kind.accuracy, own_errors(world[1], rng))
            published[same] = 100 * float(np.mean([j.accuracy for j in of_published]))
        for gap in gaps:
            judgements = judge(design, truths, errors, test_kind.accuracy + gap / 100, own)
            estimate = estimate_accuracy(design, judgements)
            ends = 100 * estimate.lower, 100 * estimate.upper
            for same, number in published.items():
                verdict = reproduction_verdict(100 * estimate.value, *ends, number, True)
                counts[same, gap][verdict] += 1
    return [
        [test_kind.name, "the same" if same else "others", f"{gap:+g}" if gap else "0"]
        + [f"{100 * counts[same, gap][verdict] / times:.0f}" for verdict in SHOWN]
        for same in (True, False)
        for gap in gaps
    ]


HEADER = ["test pairs", "images of the published number", "true difference, points", *SHOWN]


def main() -> None:
    """Sample every kind of test many times; print and write the shares of the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=400, help="samples of each kind of test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only tests with this in their name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for test_kind in TESTS:
        if args.only in test_kind.name:
            start = time.perf_counter()
            rows += measure(test_kind, args.times, args.seed)
            print(f"{test_kind.name} [{time.perf_counter() - start:.0f} s]", flush=True)
    for row in rows:
        print(" | ".join(row))
    if args.out:
        lines = [
            "# How often a published number counts as reproduced",
            "",
            f"`python benchmarks/studies/verdicts.py --times {args.times} --seed {args.seed} --out "
            "benchmarks/studies/verdicts.md`",
            "",
            f"{VERDICTS} Per cent of {args.times:,} samples of each kind of test. The number that is compared is one "
            f"measurement of the published method, whose errors correlate by {SHARED:g} with ours on the same images.",
            "",
            *pipe_table(HEADER, rows, text_columns=(0, 1)),
            "",
        ]
        write_text(args.out, "\n".join(lines))


if __name__ == "__main__":
    main()
