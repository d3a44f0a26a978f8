"""The training loop: batches, crops, losses and optimisation steps; progress, learning curve and checkpoints.

Training ends with an error as soon as the loss is not finite.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relattr import progress
from relattr.errors import BadInput
from relattr.random import derive_seed, generator
from relattr.system.digests import digest_text
from relattr.system.malloc import retain_freed_memory
from relattr.training import checkpoint, distributed
from relattr.training.config import TrainingConfig
from relattr.training.objectives import BatchResult
from relattr.training.optimiser import create_optimiser, set_learning_rate
from relattr.training.score_layer import fit_score_layer
from relattr.training.streamed_pixels import with_pixels

if TYPE_CHECKING:
    from relattr.networks.classifier import Classifier
    from relattr.networks.ranker import Ranker

CHECKPOINT_INTERVAL = 60.0
"""Seconds between two checkpoints."""
CURVE_POINTS = 100
"""Approximate number of points of a learning curve."""
HELD_OUT_EVALUATIONS = 10
"""Approximate number of evaluations on held-out images per run."""


def train(
    network: Ranker | Classifier, groups: Sequence[tuple[nn.Module, float]], config: TrainingConfig
) -> NDArray[np.float64]:
    """Train a network in place. Returns its learning curve ``(points, 4)``.

    The columns are step, loss, held-out accuracy or NaN, and seconds.

    ``groups`` are parts of the network, each with its multiplier of the learning rate. Raises `BadInput`, naming the
    step, when the loss is not finite.
    """
    rank, n_processes = distributed.rank_and_world_size()
    optimiser = create_optimiser(groups, config.schedule)
    total, interval = config.schedule.updates, max(1, config.schedule.updates // CURVE_POINTS)
    path = config.checkpoint / f"{config.name}.safetensors" if config.checkpoint is not None else None
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    key = digest_text(
        config.name, repr((config.schedule, config.seed, tuple(config.pixels.shape), n_processes, shapes))
    )
    start, curve = checkpoint.load_checkpoint(path, network, optimiser, key) if path is not None else (0, [])
    if start >= total:
        return np.array(curve).reshape(-1, 4)
    seconds_before = float(curve[-1][3]) if curve else 0.0
    started = saved = time.monotonic()
    if not start and config.schedule.head_batches:
        fit_score_layer(network, config)
        seconds_before += time.monotonic() - started
        started = saved = time.monotonic()
    network.train()
    losses: list[float] = []
    points_per_evaluation, last_accuracy = max(1, total // interval // HELD_OUT_EVALUATIONS), math.nan
    n_images = n_terms = n_correct = n_predictions = 0
    with progress.track(config.name, total) as advance:
        advance(start)
        for step, (batch_size, result, loss) in enumerate(training_steps(network, optimiser, config, start), start):
            losses.append(loss)
            n_images, n_terms = n_images + batch_size, n_terms + result.n_terms
            n_correct, n_predictions = n_correct + result.n_correct, n_predictions + result.n_predictions
            is_last = step + 1 == total
            if (step + 1) % interval == 0 or is_last:
                now = time.monotonic()
                elapsed = max(now - started, 1e-9)
                accuracy = math.nan
                if config.evaluate is not None and ((step + 1) % (interval * points_per_evaluation) == 0 or is_last):
                    accuracy = last_accuracy = _held_out_accuracy(network, config)
                started += time.monotonic() - now
                curve.append([step + 1, sum(losses) / len(losses), accuracy, seconds_before + elapsed])
                note = [f"loss {curve[-1][1]:.3f}"]
                if config.evaluate is None:
                    note.append(_training_accuracy(n_correct, n_predictions))
                elif not math.isnan(last_accuracy):
                    note.append(f"held out {100 * last_accuracy:.1f} %")
                note += [
                    f"{n_processes * n_images / elapsed:.0f} images/s",
                    f"{n_processes * n_terms / elapsed:,.0f} terms/s",
                    f"{elapsed / (step + 1 - start) * (total - step - 1):.0f} s left",
                ]
                advance(0, ", ".join(note))
                losses, n_correct, n_predictions = [], 0, 0
                if path is not None and rank == 0 and (is_last or time.monotonic() - saved > CHECKPOINT_INTERVAL):
                    checkpoint.save_checkpoint(path, network, optimiser, step + 1, curve, key)
                    saved = time.monotonic()
            advance(1)
    distributed.barrier()
    network.eval()
    return np.array(curve).reshape(-1, 4)


def training_steps(
    network: nn.Module, optimiser: torch.optim.Optimizer, config: TrainingConfig, start: int = 0
) -> Iterator[tuple[int, BatchResult, float]]:
    """Perform the optimisation steps from ``start`` on. Yields the batch size, result and loss of each.

    Raises `BadInput` as `train` does. While the iterator is open, freed memory is retained for reuse, and torch's
    global generator is seeded per step; its state is restored at the end.
    """
    device, total = config.pixels.device, config.schedule.updates
    rank, n_processes = distributed.rank_and_world_size()
    model = distributed.wrap_in_ddp(network)
    # each process takes every n-th batch; those before `start` are generated again and skipped
    batches = itertools.islice(config.objective.batches(config.seed), start * n_processes + rank, None, n_processes)
    needed = with_pixels(config.pixels, itertools.islice(batches, total - start), attrgetter("images"))
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=config.schedule.precision == "bf16")
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        retain_freed_memory(device.type == "cpu"),
        closing(needed),
    ):
        for step, (batch, pixels) in enumerate(needed, start):
            set_learning_rate(optimiser, config.schedule.rate_at(step, total))
            rng = generator(config.seed, "crops", step, rank)
            torch.manual_seed(derive_seed(config.seed, "dropout", step, rank))
            views = [config.cropper.random(pixels, rng) for _ in range(config.views)]
            with autocast:
                output = model(views) if config.supplement is None else model(views, config.supplementary(batch.images))
            result = batch.evaluate(output)
            loss = result.loss.item()
            if not math.isfinite(loss):
                raise BadInput(
                    f"{config.name}: the loss is {loss} at step {step} of {total}; lower the learning rate, "
                    f"now {config.schedule.rate:g} (--set rate={config.schedule.rate / 3:.1g})"
                )
            optimiser.zero_grad(set_to_none=True)
            result.loss.backward()
            optimiser.step()
            yield len(batch.images), result, loss


def _held_out_accuracy(network: nn.Module, config: TrainingConfig) -> float:
    assert config.evaluate is not None
    network.eval()
    with torch.inference_mode():
        accuracy = config.evaluate()
    network.train()
    return accuracy


def _training_accuracy(n_correct: int, n_predictions: int) -> str:
    return f"{100 * n_correct / n_predictions:.1f} % of predictions correct" if n_predictions else "no predictions"
