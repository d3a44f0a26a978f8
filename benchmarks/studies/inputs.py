"""Measure the accuracy of networks with more inputs when only the score layer is fitted.

A ViralNet's score is a linear function of the features of the whole image and of each crop. Only that function is
fitted here, by `relattr.training.score_layer`: on the whole image alone (the siamese network), with the initial crop of
one transformer (ViralNet) and with those of three (ViralNet-M). The initial crops are those of untrained transformers.
Each fit uses the default weight decay of `score_layer` and 10 and 100 times that, to tell a lack of information from
overfitting: OSR has 240 training images.

    RELATTR_DATA=... RELATTR_WEIGHTS=... python benchmarks/studies/inputs.py [--out benchmarks/studies/inputs.md]

Accuracy in per cent of the ordered test pairs, on one centre crop of each test image. Takes about six minutes on one
processor.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from relattr.networks.architecture import Architecture, build_ranker, centre_initial_crops
from relattr.networks.multiscale_pyramid import SCALES
from relattr.registry import registry
from relattr.statistics import count_strengths
from relattr.training import score_layer
from relattr.training.config import TrainingConfig
from relattr.training.cropping import MAX_TRAINING_SIDE, load_pixels
from relattr.training.fitting import N_CALIBRATION_IMAGES, FittedRanker, create_cropper
from relattr.training.objectives import PairwiseObjective
from relattr.training.schedule import PRESETS

SCHEDULE = dataclasses.replace(
    PRESETS["paper"], batch=48, batching="images", head_batches=10, crop=0.5, view=0.5, test_views=2
)
"""The score layer alone is fitted, so that learning rates and the number of steps do not matter."""
NETWORKS = {"whole image": (), "and one crop": SCALES[:1], "and three crops": SCALES}
TIMES = (1, 10, 100)
SEED = 0


def accuracies(scales: tuple[float, ...], backbone: str, attributes: list[str]) -> Iterator[tuple[str, int, float]]:
    """Yield attribute, factor of the weight decay, and accuracy on the test pairs in per cent."""
    architecture = Architecture(
        backbone, scales=scales, frozen_localiser=True, crop=SCHEDULE.crop, view=SCHEDULE.view, standardise=True
    )
    dataset, test_features = registry.dataset("osr").create(), None
    for attribute in attributes:
        task = dataset.task(next(name for name in dataset.tasks() if name.attribute == attribute))
        (test,) = task.tests
        pixels = load_pixels(task.train.images, MAX_TRAINING_SIDE, "cpu")
        for times in TIMES:
            network = build_ranker(architecture, seed=SEED)
            cropper = create_cropper(architecture, network, MAX_TRAINING_SIDE)
            if scales:
                centre_initial_crops(network, cropper.fixed(pixels[:N_CALIBRATION_IMAGES], 1))
            if test_features is None:  # the same for all attributes, as only the score layer is trained
                test_features = FittedRanker(architecture, SCHEDULE, network, None, MAX_TRAINING_SIDE, "cpu").features(
                    test.images
                )
            config = TrainingConfig(
                name="score layer",
                objective=PairwiseObjective(task.train.pairs, SCHEDULE.batch),
                pixels=pixels,
                cropper=cropper,
                schedule=SCHEDULE,
                seed=SEED,
            )
            default = score_layer.WEIGHT_DECAY
            score_layer.WEIGHT_DECAY = default * times
            try:
                score_layer.fit_score_layer(network, config)
            finally:
                score_layer.WEIGHT_DECAY = default
            with torch.no_grad():
                strengths = network.score_features(torch.from_numpy(test_features)).double().numpy()
            yield attribute, times, 100 * count_strengths(strengths, test.pairs).accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="squeezenet1_0")
    parser.add_argument("--attributes", nargs="+", default=["natural", "open", "size-large"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    registry.discover()
    lines = [
        "# The whole image, crops, or both",
        "",
        f"Written by `python benchmarks/studies/inputs.py`: OSR, {args.backbone}, only the score layer fitted;",
        "accuracy in per cent of the ordered test pairs. Decay: a multiple of the default weight decay of that fit.",
        "",
        f"| the score is a function of | decay | {' | '.join(args.attributes)} | mean |",
        f"|---|---:|{'---:|' * (len(args.attributes) + 1)}",
    ]
    for name, scales in NETWORKS.items():
        results = {(a, t): value for a, t, value in accuracies(scales, args.backbone, args.attributes)}
        for times in TIMES:
            values = [results[a, times] for a in args.attributes]
            cells = [f"{value:.2f}" for value in [*values, float(np.mean(values))]]
            lines.append(f"| {name} | {times} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
