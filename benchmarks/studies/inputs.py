"""Do more inputs order photographs better, before any of the network is trained?

A ViralNet's score is a linear function of the features of the whole image and of each crop. Here nothing is trained
but that function, by `relattr.training.head.fit_head` as the preset `fast` does first: on the whole image alone (the
siamese network), with the first crop of one transformer (ViralNet) and with those of three (ViralNet-M). The first
crops lie where transformers put them before they have learnt anything. Each is fitted with the decay that the preset
uses and with 10 and 100 times that, which tells too little information from too many numbers for the images there
are: 240 in OSR.

    RELATTR_DATA=... RELATTR_WEIGHTS=... python benchmarks/studies/inputs.py [--out benchmarks/studies/inputs.md]

Per cent of the ordered test pairs; each test image is seen once, its middle. About six minutes of one processor.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from relattr.networks.architecture import Architecture, build_ranker, centre_initial_crops
from relattr.networks.multiscale_pyramid import SCALES
from relattr.registry import registry
from relattr.statistics import count_strengths
from relattr.training import head
from relattr.training.config import TrainingConfig
from relattr.training.cropping import load_pixels
from relattr.training.fitting import MAX_SIDE, N_CALIBRATION_IMAGES, FittedRanker, create_cropper
from relattr.training.objectives import PairwiseObjective
from relattr.training.schedule import PRESETS

SCHEDULE = PRESETS["fast"]
NETWORKS = {"whole image": (), "and one crop": SCALES[:1], "and three crops": SCALES}
TIMES = (1, 10, 100)
SEED = 0


def orders(scales: tuple[float, ...], backbone: str, attributes: list[str]) -> Iterator[tuple[str, int, float]]:
    """Attribute, what the decay was multiplied by, per cent of the test pairs."""
    what = Architecture(
        backbone, scales=scales, frozen_localiser=True, crop=SCHEDULE.crop, view=SCHEDULE.view, standardise=True
    )
    dataset, tested = registry.dataset("osr").create(), None
    for attribute in attributes:
        task = dataset.task(next(name for name in dataset.tasks() if name.attribute == attribute))
        (test,) = task.tests
        pixels = load_pixels(task.train.images, MAX_SIDE, "cpu")
        for times in TIMES:
            network = build_ranker(what, seed=SEED)
            cropper = create_cropper(what, network, MAX_SIDE)
            if scales:
                centre_initial_crops(network, cropper.fixed(pixels[:N_CALIBRATION_IMAGES], 1))
            if tested is None:  # the same for all attributes: nothing below the score layer is trained
                tested = FittedRanker(what, SCHEDULE, network, None, MAX_SIDE, "cpu").features(test.images)
            how = TrainingConfig(
                name="score layer",
                objective=PairwiseObjective(task.train.pairs, SCHEDULE.batch),
                pixels=pixels,
                cropper=cropper,
                schedule=SCHEDULE,
                seed=SEED,
            )
            usual = head.WEIGHT_DECAY
            head.WEIGHT_DECAY = usual * times
            try:
                head.fit_head(network, how)
            finally:
                head.WEIGHT_DECAY = usual
            with torch.no_grad():
                strengths = network.score_features(torch.from_numpy(tested)).double().numpy()
            yield attribute, times, 100 * count_strengths(strengths, test.pairs).accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="squeezenet1_0")
    parser.add_argument("--attributes", nargs="+", default=["natural", "open", "size-large"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    registry.discover()
    lines = [
        f"Written by `python benchmarks/studies/inputs.py`: OSR, {given.backbone}, only the score layer fitted; % of",
        "the ordered test pairs. Decay: against that of the preset `fast`.",
        "",
        f"| the score is a function of | decay | {' | '.join(given.attributes)} | mean |",
        f"|---|---:|{'---:|' * (len(given.attributes) + 1)}",
    ]
    for name, scales in NETWORKS.items():
        found = {(a, t): value for a, t, value in orders(scales, given.backbone, given.attributes)}
        for times in TIMES:
            own = [found[a, times] for a in given.attributes]
            cells = [f"{value:.2f}" for value in [*own, float(np.mean(own))]]
            lines.append(f"| {name} | {times} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
