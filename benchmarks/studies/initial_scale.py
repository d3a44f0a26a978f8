"""Measure what the initial scales of ViralNet-M's transformers do: the ablation behind a claim of the paper.

Dubey & Agarwal (MM 2017, Section 4.4) "observe that our scale initialization is critical for the networks to feed
different regions of interests at various scales". ViralNet-M is trained with the paper's initial scales (1, 1/2 and 1/4
of the first), with three equal ones, and with crops that begin as the whole image. For each: the accuracy on the test
pairs, the side of each transformer's crop before and after training (mean and standard deviation over the test images,
relative to the image), and the mean intersection over union of two crops of the same image (1: all transformers see the
same).

    python benchmarks/studies/initial_scale.py --updates 60 --out benchmarks/studies/initial_scale.md

The network is small, and trained with `SMALL_SCHEDULE`. With other data and the paper's schedule: --dataset lfw10
--attribute smile --set backbone=caffenet --set preset=paper.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr import Run, TaskName
from relattr.harness.selection import parse_settings
from relattr.registry import registry
from relattr.statistics import count_strengths
from relattr.statistics.boxes import score_boxes
from relattr.training.schedule import PRESETS

VARIANTS: dict[str, dict[str, Any]] = {
    "1/3, 1/6, 1/12 (the paper's)": {"initial_scale": 1 / 3, "relative_scales": [1, 0.5, 0.25]},
    "1/3, 1/3, 1/3": {"initial_scale": 1 / 3, "relative_scales": [1, 1, 1]},
    "1, 1, 1": {"initial_scale": 1.0, "relative_scales": [1, 1, 1]},
}
SMALL = {"backbone": "micro"}
"""Parameters of the method where none are given: a network for two processor cores."""
SMALL_SCHEDULE = dataclasses.replace(
    PRESETS["paper"],
    updates=100,
    batch=48,
    batching="images",
    rate=1e-2,
    cycle=True,
    head_batches=10,
    localiser_rate=0.3,
    dampening=0.0,
    hold_statistics=True,
    dropout=None,
    frozen=0.4,
    frozen_localiser=True,
    standardise=True,
    test_views=2,
)
"""Its schedule: SGD, the score layer fitted first, the first layers and the localisers' backbones frozen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="glyphs")
    parser.add_argument("--attribute", default="multiscale")
    parser.add_argument("--split", default="standard")
    parser.add_argument("--updates", type=int, help="steps per stage, in place of the schedule's")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()

    registry.discover()
    task = registry.dataset(args.dataset).create({}).task(TaskName(args.dataset, args.attribute, args.split))
    updates = {"updates": args.updates} if args.updates else {}
    given = {**(parse_settings(args.settings) or SMALL), **updates}
    test = task.tests[0]
    described = ", ".join(f"{key}={value}" for key, value in given.items())
    lines = [
        "# The initial scales of ViralNet-M",
        "",
        f"`viralnet-m` on {args.dataset}, {args.attribute}; {described}; {args.seeds} seed{'s' * (args.seeds > 1)}; "
        f"{len(task.train.images):,} training and {len(test.images):,} test images.",
        "",
        "| initial scales | accuracy, % | crop sides before training | after training | overlap before | after |",
        "|---|---:|---|---|---:|---:|",
    ]
    for name, variant in VARIANTS.items():
        accuracies: list[float] = []
        first: list[Any] = []
        last: list[Any] = []
        for seed in range(args.seeds):
            method: Any = registry.method("viralnet-m").create({**given, **variant})
            if not args.settings:
                method.schedule = functools.partial(
                    dataclasses.replace, SMALL_SCHEDULE, initial_scale=variant["initial_scale"], **updates
                )
            method.fit(task.train, Run(seed=seed, device=args.device))
            accuracies.append(100 * count_strengths(method.strength(test.images), test.pairs).accuracy)
            first.append(method.initial_boxes(test.images))
            last.append(method.boxes(test.images))
        before, after = np.concatenate(first), np.concatenate(last)
        lines.append(
            f"| {name} | {np.mean(accuracies):.2f} | {sides(before)} | {sides(after)} | {overlap(before):.2f} | "
            f"{overlap(after):.2f} |"
        )
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if args.out:
        args.out.write_text(text)
    else:
        print(text)


def sides(boxes: NDArray[np.floating]) -> str:
    """Mean and standard deviation of the side of each transformer's crop."""
    side = boxes[..., 2] - boxes[..., 0]
    return ", ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(side.mean(0), side.std(0), strict=True))


def overlap(boxes: NDArray[np.floating]) -> float:
    """Mean intersection over union of two crops of the same image."""
    pairs = itertools.combinations(range(boxes.shape[1]), 2)
    return float(np.mean([score_boxes(boxes[:, i : i + 1], boxes[:, j : j + 1]).iou for i, j in pairs]))


if __name__ == "__main__":
    main()
