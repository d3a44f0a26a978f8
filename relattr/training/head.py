"""The score layer alone, fitted before anything below it moves.

A drawn score layer first sends gradients of no use down to features that were good. Kumar et al., "Fine-tuning can
distort pretrained features and underperform out-of-distribution", ICLR 2022: fit the layer first, then train it all.
Over features that are computed once this is a convex problem, which costs one pass of some images, and seconds.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from relattr.errors import BadInput
from relattr.networks.ranker import RankerOutput
from relattr.system.malloc import kept_memory

if TYPE_CHECKING:
    from relattr.networks.classifier import Classifier
    from relattr.networks.ranker import Ranker
    from relattr.training.trainer import TrainingLoop

DECAY = 2e-4
"""Of the layer's weights, times the mean squared length of the features."""
ITERATIONS = 50
_CHUNK = 64


def fit_head(network: Ranker | Classifier, how: TrainingLoop) -> None:
    """Fit ``network.score`` in place to the first ``head_batches`` batches, each image seen once, its middle.

    Raises `BadInput` where the loss is not a finite number: the network's features are none, then.
    """
    batches = list(itertools.islice(how.objective.steps(how.seed), how.schedule.head_batches))
    images, place = np.unique(np.concatenate([batch.images for batch in batches]), return_inverse=True)
    places = torch.from_numpy(place).split([len(batch.images) for batch in batches])
    features = _features(network, how, torch.from_numpy(images))
    decay = DECAY * features.square().sum(1).mean().item()
    score = network.score
    made = torch.optim.LBFGS(score.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        made.zero_grad()
        losses = [
            batch.judge(RankerOutput(network.answer(features[where]), ())).loss
            for batch, where in zip(batches, places, strict=True)
        ]
        found = torch.stack(losses).mean() + decay / 2 * score.weight.square().sum()
        if not found.isfinite():
            raise BadInput(
                f"{how.name}: the loss is {found.item()} before any step; its features are not finite numbers: are "
                "the backbone's weights whole?"
            )
        found.backward()
        return found.detach()

    made.step(loss)
    made.zero_grad()


def _features(network: Ranker | Classifier, how: TrainingLoop, images: torch.Tensor) -> torch.Tensor:
    """All that the score layer is given for these images, ``(n, d)`` float32."""
    device = how.pixels.device
    was = network.training
    network.eval()
    with torch.no_grad(), kept_memory(device.type == "cpu"):
        parts = [network.features(how.cropper.fixed(how.pixels[some], 1)) for some in images.to(device).split(_CHUNK)]
    network.train(was)
    found = torch.cat(parts).float()
    return found if how.supplement is None else torch.cat([found, how.supplement[images.to(device)]], 1)
