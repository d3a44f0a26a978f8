"""Fitting the score layer alone, on fixed features, before the whole network is trained.

A randomly initialised score layer first distorts pretrained features with useless gradients. Kumar et al., "Fine-tuning
can distort pretrained features and underperform out-of-distribution", ICLR 2022: fit the layer first, then fine-tune
all. On precomputed features this is a convex problem; it takes one forward pass of some images, and seconds.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.networks.scoring import NetworkOutput
from relattr.system.malloc import retain_freed_memory
from relattr.training.streamed_pixels import with_pixels

if TYPE_CHECKING:
    from relattr.networks.classifier import Classifier
    from relattr.networks.ranker import Ranker
    from relattr.training.config import TrainingConfig

WEIGHT_DECAY = 2e-4
"""Of the layer's weights, relative to the mean squared length of the features."""
MAX_ITERATIONS = 50
_CHUNK = 64


def fit_score_layer(network: Ranker | Classifier, config: TrainingConfig) -> None:
    """Fit ``network.score`` in place to the first ``head_batches`` batches, on the centre crop of each image.

    Raises `BadInput` if the loss is not finite, because the network's features are not.
    """
    batches = list(itertools.islice(config.objective.batches(config.seed), config.schedule.head_batches))
    images, inverse = np.unique(np.concatenate([batch.images for batch in batches]), return_inverse=True)
    rows_per_batch = torch.from_numpy(inverse).split([len(batch.images) for batch in batches])
    features = _features(network, config, images)
    decay = WEIGHT_DECAY * features.square().sum(1).mean().item()
    score = network.score
    optimiser = torch.optim.LBFGS(score.parameters(), max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        losses = [
            batch.evaluate(NetworkOutput(network.score_features(features[rows]), ())).loss
            for batch, rows in zip(batches, rows_per_batch, strict=True)
        ]
        loss = torch.stack(losses).mean() + decay / 2 * score.weight.square().sum()
        if not loss.isfinite():
            raise BadInput(
                f"{config.name}: the loss is {loss.item()} before the first step, because its features are not finite; "
                "check the backbone's weights"
            )
        loss.backward()
        return loss.detach()

    optimiser.step(closure)
    optimiser.zero_grad()


def _features(network: Ranker | Classifier, config: TrainingConfig, images: NDArray[np.int64]) -> torch.Tensor:
    """The input of the score layer for these images, ``(n, d)`` float32."""
    device = config.pixels.device
    training = network.training
    network.eval()
    with torch.no_grad(), retain_freed_memory(device.type == "cpu"):
        chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
        parts = [
            network.features(config.cropper.fixed(pixels, 1))
            for _, pixels in with_pixels(config.pixels, chunks, lambda chunk: chunk)
        ]
    network.train(training)
    features = torch.cat(parts).float()
    return features if config.supplement is None else torch.cat([features, config.supplementary(images)], 1)
