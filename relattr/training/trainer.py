"""The loop: batches, crops, losses, steps; progress, a curve, checkpoints, and an end where the loss is no number."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relattr import progress
from relattr.backbones.inference import has_bf16
from relattr.errors import BadInput
from relattr.random import derive_seed, generator
from relattr.system.digests import digest_text
from relattr.system.malloc import kept_memory
from relattr.training import checkpoint, distributed
from relattr.training.head import fit_head
from relattr.training.objectives import BatchResult, Objective
from relattr.training.optimiser import optimiser, set_rate
from relattr.training.schedule import Schedule

if TYPE_CHECKING:
    from relattr.networks.classifier import Classifier
    from relattr.networks.ranker import Ranker
    from relattr.training.pixels import Cropper

KEEP_EVERY = 60.0
"""Seconds between two checkpoints."""
POINTS = 100
"""Points of a curve, about."""
JUDGED = 10
"""Times that a network is judged on what is held out, about."""


@dataclass(frozen=True)
class TrainingLoop:
    """One training of one network.

    Parameters
    ----------
    name : of it, for people and for its checkpoint.
    objective : what it is trained on.
    pixels : all training images, ``(n, 3, h, h)`` uint8, on the training device.
    cropper : how they are cropped.
    schedule : rates, steps and so on.
    seed : decides everything that is drawn.
    views : random crops of an image a step: one for all inputs of the network, or one for each.
    supplement : numbers that the network is given with each image, ``(n, d)``.
    checkpoint : a folder to keep where it stands in; None to keep nothing.
    judge : gives the network's accuracy on images that are held out, in [0, 1]; called now and then, in evaluation
        mode, and its time is not counted.
    """

    name: str
    objective: Objective
    pixels: torch.Tensor
    cropper: Cropper
    schedule: Schedule
    seed: int
    views: int = 1
    supplement: torch.Tensor | None = None
    checkpoint: Path | None = None
    judge: Callable[[], float] | None = None


def train(
    network: Ranker | Classifier, parts: Sequence[tuple[nn.Module, float]], how: TrainingLoop
) -> NDArray[np.float64]:
    """Train a network in place; the curve, ``(points, 4)``: step, loss, held-out accuracy or NaN, seconds.

    ``parts`` are parts of it, with what the learning rate is multiplied by for each. Raises `BadInput`, naming the
    step, when the loss is not a finite number.
    """
    rank, processes = distributed.world()
    made = optimiser(parts, how.schedule)
    total, every = how.schedule.updates, max(1, how.schedule.updates // POINTS)
    path = how.checkpoint / f"{how.name}.safetensors" if how.checkpoint is not None else None
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    key = digest_text(how.name, repr((how.schedule, how.seed, tuple(how.pixels.shape), processes, shapes)))
    start, curve = checkpoint.read(path, network, made, key) if path is not None else (0, [])
    if start >= total:
        return np.array(curve).reshape(-1, 4)
    before = float(curve[-1][3]) if curve else 0.0
    began = kept = time.monotonic()
    if not start and how.schedule.head_batches:
        fit_head(network, how)
        before += time.monotonic() - began
        began = kept = time.monotonic()
    network.train()
    losses: list[float] = []
    seldom, last = max(1, total // every // JUDGED), math.nan
    n_images = n_things = n_right = n_judged = 0
    with progress.track(how.name, total) as advance:
        advance(start)
        for step, (n, judged, loss) in enumerate(steps(network, made, how, start), start):
            losses.append(loss)
            n_images, n_things = n_images + n, n_things + judged.n
            n_right, n_judged = n_right + judged.right, n_judged + judged.of
            if (step + 1) % every == 0 or step + 1 == total:
                now = time.monotonic()
                spent = max(now - began, 1e-9)
                judging = how.judge is not None and ((step + 1) % (every * seldom) == 0 or step + 1 == total)
                found = _judged(network, how) if judging else math.nan
                last = found if judging else last
                began += time.monotonic() - now
                curve.append([step + 1, sum(losses) / len(losses), found, before + spent])
                shown = f"held out {100 * last:.1f} %" if how.judge is not None else _share(n_right, n_judged)
                left = spent / (step + 1 - start) * (total - step - 1)
                note = (
                    f"loss {curve[-1][1]:.3f}, {shown}, {processes * n_images / spent:.0f} images/s, "
                    f"{processes * n_things / spent:,.0f} pairs/s, {left:.0f} s left"
                )
                advance(0, note)
                losses, n_right, n_judged = [], 0, 0
                if path is not None and rank == 0 and (step + 1 == total or time.monotonic() - kept > KEEP_EVERY):
                    checkpoint.write(path, network, made, step + 1, curve, key)
                    kept = time.monotonic()
            advance(1)
    distributed.wait()
    network.eval()
    return np.array(curve).reshape(-1, 4)


def steps(
    network: nn.Module, made: torch.optim.SGD, how: TrainingLoop, start: int = 0
) -> Iterator[tuple[int, BatchResult, float]]:
    """Take the steps from ``start`` on, one each time it is asked: its images, what they were judged, and the loss.

    Raises `BadInput` as `train` does. While it is held, freed memory is kept and torch's global generator is its own.
    """
    device, total = how.pixels.device, how.schedule.updates
    rank, processes = distributed.world()
    model = distributed.wrap_in_ddp(network)
    # each process takes every so-manieth batch; what is done already is dealt again and left out
    dealt = itertools.islice(how.objective.steps(how.seed), start * processes + rank, None, processes)
    low = torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device))
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        kept_memory(device.type == "cpu"),
    ):
        for step, batch in enumerate(itertools.islice(dealt, total - start), start):
            set_rate(made, how.schedule.rate_at(step, total))
            rng = generator(how.seed, "crops", step, rank)
            torch.manual_seed(derive_seed(how.seed, "dropout", step, rank))
            chosen = torch.from_numpy(batch.images).to(device)
            pixels = how.pixels[chosen]
            inputs = [how.cropper.random(pixels, rng) for _ in range(how.views)]
            with low:
                answer = model(inputs) if how.supplement is None else model(inputs, how.supplement[chosen])
            judged = batch.judge(answer)
            loss = judged.loss.item()
            if not math.isfinite(loss):
                raise BadInput(
                    f"{how.name}: the loss is {loss} at step {step} of {total}; lower the learning rate, "
                    f"now {how.schedule.rate:g} (--set rate={how.schedule.rate / 3:.1g})"
                )
            made.zero_grad(set_to_none=True)
            judged.loss.backward()
            made.step()
            yield len(batch.images), judged, loss


def _judged(network: nn.Module, how: TrainingLoop) -> float:
    assert how.judge is not None
    network.eval()
    with torch.inference_mode():
        found = how.judge()
    network.train()
    return found


def _share(right: int, of: int) -> str:
    return f"{100 * right / of:.1f} % of the batches' pairs" if of else "no ordered pair"
