"""Measure whether a spatial transformer can find the cue in glyphs, and whether the ranking loss tells it where.

1. *Capacity.* A localiser is trained with supervision to put its crop on the badge that decides `local`: with its
   backbone frozen or trained, and for two resolutions of its input.
2. *Gradient.* A transformer learns only from the gradient of the ranking loss with respect to the position of its
   crop. A ranker is trained on crops that are on the badge, shifted by up to `SHIFT`, until it ranks well. Crops are
   then put at known distances from the badge, and the descent direction is compared with the direction towards the
   badge: the mean cosine, and the share of the gradient's length that points there (1: exactly towards the badge, 0: no
   information). The same is then measured for the sum of the gradients of a batch all of whose crops are displaced in
   the same direction, as they are initially where the badge is at the same position in all images.

    python benchmarks/studies/transformers.py [--images 1500] [--steps 600] [--out benchmarks/studies/transformers.md]

Takes about six minutes on one processor. Positions are in [-1, 1] across the image; a badge is 0.4 wide, a crop 0.66.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from relattr.backbones.preprocess import normalise_pixels
from relattr.networks.architecture import Architecture, build_ranker
from relattr.networks.crop_sampler import sample_crops
from relattr.networks.localiser import INITIAL_SCALE
from relattr.networks.ranker import Ranker
from relattr.pairs import Pairs
from relattr.registry import registry
from relattr.statistics import count_strengths
from relattr.training.cropping import load_pixels
from relattr.training.ranking_loss import ranknet_loss

BATCH, SIDE, TEST = 64, 128, 300
SHIFT = 0.15
DISTANCES = ((0.02, 0.08), (0.08, 0.16), (0.16, 0.25), (0.25, 0.4))


class Scenes:
    """Normalised images ``(n, 3, 128, 128)``, positions x, y of the badge ``(n, 2)`` and its strengths ``(n,)``."""

    def __init__(self, data: Any, stream: str, first: int, n: int, preprocessing: Any) -> None:
        images = data.images.subset(np.arange(first, first + n))
        self.pixels = normalise_pixels(load_pixels(images, SIDE, "cpu"), preprocessing)
        box = torch.from_numpy(np.asarray(data.boxes("local", stream))[:, 0]).float()
        self.place = box[:, :2] + box[:, 2:] - 1
        self.strength = torch.from_numpy(data.strengths("local", stream)).float()

    def batches(self, steps: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield random batches of images, positions and strengths, each image mirrored with probability 1/2."""
        rng = np.random.default_rng(seed)
        for _ in range(steps):
            i = torch.from_numpy(rng.choice(len(self.pixels), BATCH, replace=False))
            mirror = torch.from_numpy(rng.random(BATCH) < 0.5)
            x = torch.where(mirror[:, None, None, None], self.pixels[i].flip(3), self.pixels[i])
            place = self.place[i] * torch.where(mirror[:, None], torch.tensor([-1.0, 1.0]), torch.ones(2))
            yield x, place, self.strength[i]


def train(module: nn.Module, rate: float, losses: Iterator[Callable[[], torch.Tensor]], steps: int) -> None:
    """Train the parameters that require a gradient, by SGD with a cosine schedule."""
    trained = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, rate, momentum=0.9, weight_decay=5e-4)
    module.train()
    for k, loss in enumerate(losses):
        optimiser.param_groups[0]["lr"] = rate * min(1, (k + 1) / 40) * 0.5 * (1 + math.cos(math.pi * k / steps))
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    module.eval()


def supervised_localiser(train_on: Scenes, test: Scenes, view: float, frozen: bool, steps: int) -> tuple[float, float]:
    """Train a localiser on known positions.

    Returns the root mean square distance per axis, and the share of crops whose centre is inside the badge.
    """
    architecture = Architecture("micro", scales=(1.0,), view=view, frozen_localiser=frozen)
    network = build_ranker(architecture, whole=False, seed=0)

    def losses() -> Iterator[Callable[[], torch.Tensor]]:
        for x, place, _ in train_on.batches(steps, 0):
            yield lambda x=x, place=place: (crop_centre(network, x) - place).square().sum(1).mean()  # type: ignore[misc]

    train(network.localisers[0], 1e-2, losses(), steps)
    with torch.no_grad():
        away = torch.cat([crop_centre(network, x) for x in test.pixels.split(BATCH)]) - test.place
    return float(away.square().mean().sqrt()), float((away.abs() < 0.2).all(1).float().mean())


def crop_centre(network: Ranker, x: torch.Tensor) -> torch.Tensor:
    """Return the centre of the network's first crop, ``(n, 2)``."""
    theta = network.locate([x])[0]
    return theta[:, :1] * theta[:, 1:]


def rank_loss(network: Ranker, x: torch.Tensor, place: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Compute RankNet's loss over all pairs of a batch, with crops at ``place``."""
    theta = torch.cat([torch.full((len(x), 1), INITIAL_SCALE), place / INITIAL_SCALE], 1)
    scores = network.score(network.extractor(sample_crops(x, theta, network.sizes[1]))).squeeze(1)
    left, right = torch.triu_indices(len(x), len(x), 1)
    return ranknet_loss(scores[left] - scores[right], (strength[left] > strength[right]).float()).mean()


def ranker(train_on: Scenes, steps: int) -> Ranker:
    """Train a ranker on crops that are on the badge."""
    network = build_ranker(Architecture("micro", scales=(1.0,)), whole=False, seed=0)
    for parameter in network.localisers.parameters():
        parameter.requires_grad_(False)

    def losses() -> Iterator[Callable[[], torch.Tensor]]:
        rng = np.random.default_rng(1)
        for x, place, strength in train_on.batches(steps, 1):
            shifted = place + torch.from_numpy(rng.uniform(-SHIFT, SHIFT, (BATCH, 2))).float()
            yield lambda x=x, at=shifted, s=strength: rank_loss(network, x, at, s)  # type: ignore[misc]

    train(network, 3e-2, losses(), steps)
    return network


def accuracy(network: Ranker, test: Scenes) -> float:
    """Compute the accuracy on the pairs of test images, with crops on the badge."""
    theta = torch.cat([torch.full((len(test.place), 1), INITIAL_SCALE), test.place / INITIAL_SCALE], 1)
    with torch.no_grad():
        cut = sample_crops(test.pixels, theta, network.sizes[1])
        scores = torch.cat([network.score(network.extractor(part)).squeeze(1) for part in cut.split(BATCH)])
    return count_strengths(scores.double().numpy(), Pairs.from_scores(test.strength.numpy())).accuracy


def gradient_alignment(
    network: Ranker, scenes: Scenes, nearest: float, farthest: float, batches: int
) -> tuple[float, float]:
    """Compute the mean cosine between descent direction and direction to the badge, and the share of its length."""
    rng = np.random.default_rng(2)
    cosines, along, lengths = [], [], []
    for x, place, strength in scenes.batches(batches, 2):
        angle, far = rng.uniform(0, 2 * math.pi, BATCH), rng.uniform(nearest, farthest, BATCH)
        off = torch.from_numpy(np.stack([far * np.cos(angle), far * np.sin(angle)], 1)).float()
        at = (place + off).requires_grad_(True)
        (slope,) = torch.autograd.grad(rank_loss(network, x, at, strength), at)
        towards = (slope * off).sum(1) / off.norm(dim=1)  # down the slope, against the offset
        length = slope.norm(dim=1).clamp_min(1e-12)
        cosines.append(towards / length)
        along.append(towards)
        lengths.append(length)
    return float(torch.cat(cosines).mean()), float(torch.cat(along).sum() / torch.cat(lengths).sum())


def summed_gradient_alignment(network: Ranker, scenes: Scenes, nearest: float, farthest: float, batches: int) -> float:
    """Compute the mean cosine for the summed gradient of batches whose crops are all displaced in one direction."""
    rng = np.random.default_rng(3)
    cosines = []
    for x, place, strength in scenes.batches(batches, 3):
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(nearest, farthest, (BATCH, 1))
        way = np.array([math.cos(angle), math.sin(angle)])
        at = (place + torch.from_numpy(far * way).float()).requires_grad_(True)
        (slope,) = torch.autograd.grad(rank_loss(network, x, at, strength), at)
        whole = slope.sum(0).double().numpy()
        cosines.append(float(whole @ way) / max(float(np.linalg.norm(whole)), 1e-12))
    return float(np.mean(cosines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1500, help="training images (1500)")
    parser.add_argument("--steps", type=int, default=600, help="of each training, of 64 images (600)")
    parser.add_argument("--batches", type=int, default=32, help="of 64 images that gradients are taken on (32)")
    parser.add_argument("--out", type=Path, help="write the tables there, as Markdown")
    args = parser.parse_args()

    registry.discover()
    data: Any = registry.dataset("glyphs").create({"n_train": args.images, "n_test": TEST})
    preprocessing = build_ranker(Architecture("micro"), seed=0).extractor.backbone.preprocessing
    train_on, test = (
        Scenes(data, stream, first, n, preprocessing)
        for stream, first, n in (("train", 0, args.images), ("test", args.images, TEST))
    )
    lines = [
        "# What the spatial transformer can learn",
        "",
        f"Written by `python benchmarks/studies/transformers.py --images {args.images} --steps {args.steps}`:",
        f"attribute `local`, one seed. Positions in [-1, 1]; badges are {float(test.place.std()):.2f} (standard "
        "deviation) around",
        "the centre and are 0.4 wide.",
        "",
        "## Capacity: a localiser trained on the known positions, on test images",
        "",
        "| input | backbone | rms distance per axis | centre in the badge |",
        "|---|---|---:|---:|",
    ]
    for view, frozen in ((1.0, True), (2.0, True), (1.0, False), (2.0, False)):
        away, inside = supervised_localiser(train_on, test, view, frozen, args.steps)
        lines.append(f"| {64 * view:.0f} pixels | {'frozen' if frozen else 'trained'} | {away:.3f} | {inside:.0%} |")
        print(lines[-1], flush=True)
    network = ranker(train_on, args.steps)
    lines += [
        "",
        "## Gradient: direction of the ranking loss's gradient, crops displaced from the badge",
        "",
        f"The ranker orders {accuracy(network, test):.1%} of the test pairs correctly when its crops are on the badge.",
        "",
        "| distance from the badge | mean cosine | share of the gradient's length | mean cosine, sum of 64 images |",
        "|---|---:|---:|---:|",
    ]
    for nearest, farthest in DISTANCES:
        cosine, share = gradient_alignment(network, train_on, nearest, farthest, args.batches)
        together = summed_gradient_alignment(network, train_on, nearest, farthest, args.batches)
        lines.append(f"| {nearest:g} to {farthest:g} | {cosine:.3f} | {share:.3f} | {together:.3f} |")
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if args.out:
        args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
