"""Compare the training speed with that of a usual trainer, on the same images and backbone, in one run.

The usual trainer: 24 pairs per batch, both images of each pair through the network, fp32, crops and flips by torchvision in
a DataLoader, its images already decoded and resized in memory; SGD with momentum 0.9. It is run at several learning
rates and the fastest to the goal counts; once a rate has reached it, the others are given no more time than that one
took. Its network is the siamese network on whole images of the backbone's input size. relattr's is the method `siamese`
with this backbone and the preset `fast`. An ablation, `ours-full`, trains it on images of the full size too.

Three figures each: labelled pairs and images per second in optimisation steps (the fastest of the seeds), and seconds
until the accuracy on test images, one crop each, first reaches the goal: on some of them drawn once, the same for all,
evaluated first after the first step. Evaluation is not counted, and nothing is chosen by it but the usual trainer's
learning rate. Each training runs in a separate process.

    RELATTR_DATA=../shared/data RELATTR_WEIGHTS=../shared/weights python benchmarks/speed/training.py
    python benchmarks/speed/training.py --dataset glyphs --attribute global --backbone micro --goal 75

With the defaults there are four trainings of at most 100 seconds each. Evaluating 300 images after every 240 takes about
a fifth of that again, and loading the images about 10 seconds, so that the whole takes less than 10 minutes on two
processor cores.

A GPU is used where there is one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

PAIRS = 24  # a batch of the usual trainer
RATES = (1e-3, 3e-4, 3e-3)
TRAINERS = {
    "usual": "usual",
    "ours": "relattr, preset fast",
    "ours-full": "relattr, preset fast, images of full size",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="osr")
    parser.add_argument("--attribute", default="natural")
    parser.add_argument("--backbone", default="squeezenet1_0")
    parser.add_argument("--goal", type=float, default=97.0, help="per cent of the ordered test pairs (97)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each (1)")
    parser.add_argument("--limit", type=float, default=100.0, help="seconds of training before giving up (100)")
    parser.add_argument("--look", type=int, default=240, help="training images between two evaluations (240)")
    parser.add_argument("--watched", type=int, default=300, help="test images that are evaluated, drawn once (300)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trainers", nargs="+", choices=list(TRAINERS), default=["usual", "ours"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(train_to_goal(args, **json.loads(args.child))))
        return

    print(f"{args.dataset}, {args.attribute}, {args.backbone}, {args.threads} threads, goal {args.goal:g} %")
    print(f"{'trainer':48s} {'images/s':>9s} {'pairs/s':>9s}  seconds to the goal, by seed")
    found = {}
    for name in args.trainers:
        if name == "usual":
            tried: dict[float, dict[str, Any]] = {}
            for rate in RATES:
                limit = min([args.limit, *(one["reached"] for one in tried.values() if one["reached"])])
                tried[rate] = in_child(args, trainer=name, seed=0, rate=rate, limit=limit)
                show(f"  tried: usual, rate {rate:g}", [tried[rate]])
            rate = min(tried, key=lambda r: (tried[r]["reached"] or math.inf, -tried[r]["best"]))
            runs = [tried[rate]] + [in_child(args, trainer=name, seed=s, rate=rate) for s in range(1, args.seeds)]
            label = f"{TRAINERS[name]}, rate {rate:g}"
        else:
            runs = [in_child(args, trainer=name, seed=seed) for seed in range(args.seeds)]
            label = TRAINERS[name]
        found[name] = runs
        show(label, runs)
    if "usual" in found:
        for name, runs in found.items():
            if name != "usual":
                compare(TRAINERS[name], runs, found["usual"])


def show(label: str, runs: list[dict[str, Any]]) -> None:
    """Print one row of the table."""
    reached = ", ".join(f"{r['reached']:.0f}" if r["reached"] else f"never (best {r['best']:.2f} %)" for r in runs)
    images, pairs = (max(r[what] for r in runs) for what in ("images", "pairs"))
    print(f"{label:48s} {images:9.1f} {pairs:9,.0f}  {reached}", flush=True)


def compare(label: str, ours: list[dict[str, Any]], usual: list[dict[str, Any]]) -> None:
    """Print the ratios between relattr and the usual trainer."""
    images, pairs = (max(r[k] for r in ours) / max(r[k] for r in usual) for k in ("images", "pairs"))
    if all(r["reached"] for r in (*ours, *usual)):
        means = [float(np.mean([r["reached"] for r in runs])) for runs in (usual, ours)]
        faster = f"{means[0] / means[1]:.1f} times as fast to the goal, on the mean of the seeds"
    else:
        faster = "the goal was not reached by every seed of both"
    print(f"{label}: {images:.1f} times the images/s, {pairs:.0f} times the pairs/s, {faster}")


def in_child(args: argparse.Namespace, **what: Any) -> dict[str, Any]:
    """Run `train_to_goal` with these arguments in a separate process."""
    out = subprocess.run(
        [sys.executable, *sys.argv, "--child", json.dumps(what)], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return result


def train_to_goal(
    args: argparse.Namespace, trainer: str, seed: int, rate: float | None = None, limit: float | None = None
) -> dict[str, Any]:
    """Train until the goal or the limit, in seconds; ``rate`` is that of the usual trainer."""
    import dataclasses

    import torch

    from relattr.networks.architecture import Architecture, build_ranker
    from relattr.random import generator
    from relattr.registry import registry
    from relattr.statistics import count_strengths
    from relattr.training.cropping import load_pixels
    from relattr.training.fitting import create_cropper, training_side
    from relattr.training.schedule import PRESETS

    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    registry.discover()
    data = registry.dataset(args.dataset).create()
    task = data.task(next(name for name in data.tasks() if name.attribute == args.attribute))
    train, test = task.train, task.tests[0]
    schedule = PRESETS["fast"]
    if trainer == "ours-full":
        schedule = dataclasses.replace(schedule, image=1.0)
    architecture = Architecture(args.backbone)
    if trainer != "usual":
        architecture = dataclasses.replace(
            architecture,
            standardise=bool(schedule.standardise),
            zero_score=schedule.zero_score,
            hold_statistics=schedule.hold_statistics,
            image=schedule.image,
        )
    network = build_ranker(architecture, seed=seed).to(device)
    side = training_side(architecture, train.images)
    watched = np.sort(generator(0, "watched").permutation(len(test.images))[: args.watched])
    judged = test.pairs.take(np.isin(test.pairs.left, watched) & np.isin(test.pairs.right, watched)).renumbered(watched)
    pixels, shown = load_pixels(train.images, side, device), load_pixels(test.images.subset(watched), side, device)
    cropper = create_cropper(architecture, network, side)

    def judge() -> float:
        network.eval()
        with torch.inference_mode():
            strengths = torch.cat([network([cropper.fixed(part, 1)[0]]).score.cpu() for part in shown.split(64)])
        network.train()
        return 100 * count_strengths(strengths.double().numpy(), judged).accuracy

    network.train()
    if trainer == "usual":
        assert rate is not None
        steps = usual_steps(network, pixels, train.pairs, cropper, seed, rate)
    else:
        steps = our_steps(network, pixels, train.pairs, cropper, schedule, seed)
    return run(args, steps, judge, args.limit if limit is None else limit)


def run(
    args: argparse.Namespace, steps: Iterator[tuple[int, int]], judge: Callable[[], float], limit: float
) -> dict[str, Any]:
    """Take steps, each ``(images, pairs)``, until the goal or the limit in seconds; evaluation is not timed.

    At least ``look`` images are trained on, so that a rate can be measured.
    """
    spent, images, pairs, since, best = 0.0, 0, 0, args.look, 0.0
    reached = None
    began = time.perf_counter()
    for n_images, n_pairs in steps:
        images, pairs, since = images + n_images, pairs + n_pairs, since + n_images
        if since >= args.look:
            spent += time.perf_counter() - began
            since = 0
            if reached is None:
                best = max(best, judge())
                reached = spent if best >= args.goal else None
            if spent > limit or (reached is not None and images >= args.look):
                break
            began = time.perf_counter()
    else:
        spent += time.perf_counter() - began
        best = max(best, judge())
        if reached is None and best >= args.goal:
            reached = spent
    return {"images": images / spent, "pairs": pairs / spent, "reached": reached, "best": best}


def our_steps(network: Any, pixels: Any, pairs: Any, cropper: Any, schedule: Any, seed: int) -> Any:
    """Run the steps of relattr's trainer, one at a time."""
    from relattr.training.config import TrainingConfig
    from relattr.training.objectives import PairwiseObjective
    from relattr.training.optimiser import create_optimiser, parameter_groups
    from relattr.training.trainer import training_steps

    config = TrainingConfig("speed", PairwiseObjective(pairs, schedule.batch), pixels, cropper, schedule, seed)
    for n_images, judged, _ in training_steps(
        network, create_optimiser(parameter_groups(network, schedule), schedule), config
    ):
        yield n_images, judged.n_terms


def usual_steps(network: Any, pixels: Any, pairs: Any, cropper: Any, seed: int, rate: float) -> Any:
    """Run the steps of the usual trainer, as in the code of most papers."""
    import torch
    from torch.nn import functional
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import v2

    preprocessing = cropper.preprocessing
    crop = v2.Compose(
        [
            v2.RandomCrop(round(cropper.side * pixels.shape[-1])),
            v2.Resize(preprocessing.input_size, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    cpu_pixels = pixels.cpu()
    left, right, label = (torch.from_numpy(np.array(part)) for part in pairs.arrays)

    class PairDataset(Dataset):
        def __len__(self) -> int:
            return len(label)

        def __getitem__(self, k: int) -> Any:
            return crop(cpu_pixels[left[k]]), crop(cpu_pixels[right[k]]), (label[k].float() + 1) / 2

    torch.manual_seed(seed)
    device = pixels.device
    optimiser = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    while True:
        for one, other, target in DataLoader(PairDataset(), PAIRS, shuffle=True, drop_last=True, num_workers=0):
            strengths = network([torch.cat([one, other]).to(device)]).score
            n = len(target)
            loss = functional.binary_cross_entropy_with_logits(strengths[:n] - strengths[n:], target.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield 2 * n, n


if __name__ == "__main__":
    main()
