"""Compare the training speed with that of a plain PyTorch step on tensors that are already there, in one run.

The plain step: forward and backward pass of the backbone with a linear score, the ranking loss of 24 pairs and AdamW,
on one batch of 48 images in memory, channels last, fp32, batch normalisation in evaluation mode. relattr's: the method
`siamese` with the preset `fast`: images from the training set, random crops, all labelled pairs among them, progress
and learning curve included; its first pass over the images, which loads them, is not. Both see images of the same size,
and keep freed memory (`relattr.system.malloc`). They take turns, a few steps each, so that other work on the machine
slows both: read the ratio.

    RELATTR_DATA=../shared/data python benchmarks/speed/training_step.py
    python benchmarks/speed/training_step.py --dataset glyphs --attribute global --turns 2 --steps 2
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator

import torch
from torch.nn import functional

from relattr.backbones.names import DEFAULT_BACKBONE
from relattr.networks.architecture import Architecture, build_ranker
from relattr.networks.ranker import Ranker
from relattr.registry import registry
from relattr.system.malloc import retain_freed_memory
from relattr.task import TrainingSet
from relattr.training.config import TrainingConfig
from relattr.training.cropping import load_pixels
from relattr.training.fitting import create_cropper, training_side
from relattr.training.objectives import PairwiseObjective
from relattr.training.optimiser import create_optimiser, parameter_groups
from relattr.training.schedule import PRESETS, Schedule
from relattr.training.trainer import training_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="osr")
    parser.add_argument("--attribute", default="natural")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--image", type=float, default=PRESETS["fast"].image, help="image size (the preset's)")
    parser.add_argument("--turns", type=int, default=6, help="turns of each (6)")
    parser.add_argument("--steps", type=int, default=4, help="steps a turn (4)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    registry.discover()
    data = registry.dataset(args.dataset).create()
    train = data.task(next(name for name in data.tasks() if name.attribute == args.attribute)).train
    schedule = dataclasses.replace(
        PRESETS["fast"], image=args.image, updates=args.turns * args.steps + 1, batch=min(48, len(train.images))
    )
    ours, plain = our_steps(args.backbone, schedule, train), plain_steps(args.backbone, schedule)
    with retain_freed_memory():
        for steps in (ours, plain):  # the first step of each prepares it
            next(steps)
        seconds: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(args.turns):
            for name, steps in (("ours", ours), ("plain", plain)):
                start = time.perf_counter()
                for _ in range(args.steps):
                    next(steps)
                seconds[name].append(time.perf_counter() - start)
    images = args.steps * schedule.batch
    rate = {name: images / statistics.median(values) for name, values in seconds.items()}
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["plain"], strict=True)]
    print(f"{args.dataset}, {args.backbone}, {args.threads} threads, {schedule.batch} images a step")
    print(
        f"relattr {rate['ours']:.1f} images/s, plain step {rate['plain']:.1f} images/s (medians of {args.turns} turns)"
    )
    print(f"ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


def create_network(backbone: str, schedule: Schedule) -> tuple[Architecture, Ranker]:
    """The siamese network of the preset."""
    architecture = Architecture(
        backbone, standardise=False, zero_score=True, hold_statistics=True, image=schedule.image
    )
    network = build_ranker(architecture, seed=0)
    network.to(memory_format=torch.channels_last)
    network.train()
    return architecture, network


def our_steps(backbone: str, schedule: Schedule, train: TrainingSet) -> Iterator[object]:
    """The steps of relattr's trainer."""
    architecture, network = create_network(backbone, schedule)
    side = training_side(architecture, train.images)
    config = TrainingConfig(
        "speed",
        PairwiseObjective(train.pairs, schedule.batch),
        load_pixels(train.images, side, "cpu"),
        create_cropper(architecture, network, side),
        schedule,
        seed=0,
    )
    return training_steps(network, create_optimiser(parameter_groups(network, schedule), schedule), config)


def plain_steps(backbone: str, schedule: Schedule) -> Iterator[None]:
    """Steps on one batch of random pixels."""
    _, network = create_network(backbone, schedule)
    size, n = network.sizes[0], schedule.batch // 2
    x = torch.randn(2 * n, 3, size, size).contiguous(memory_format=torch.channels_last)
    target = torch.randint(2, (n,)).float()
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=schedule.rate)
    while True:
        strength = network.score(network.extractor(x)).squeeze(1)
        loss = functional.binary_cross_entropy_with_logits(strength[:n] - strength[n:], target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        yield


if __name__ == "__main__":
    main()
