"""Supplementary features of a second, frozen network, the category network of ViralNet-C.

Dubey & Agarwal (MM 2017, Section 3.3): a network trained beforehand to classify categories, and then frozen. It is
trained here on the training images and their categories alone, or taken pretrained: Places205-AlexNet for OSR,
OpenFace for faces. Its features are standardised with the mean and deviation over the training images, so that one
learning rate suits the whole score layer.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.networks.classifier import Classifier
from relattr.networks.freezing import drop_unused_parameters, freeze_first_layers
from relattr.networks.scoring import Extractor
from relattr.training.config import TrainingConfig
from relattr.training.cropping import Cropper
from relattr.training.objectives import ClassificationObjective
from relattr.training.schedule import Schedule
from relattr.training.trainer import train

_BATCH_SIZE = 128


class SupplementaryNetwork:
    """The standardised features of a frozen network.

    Parameters
    ----------
    extractor : the network, owned by this object from then on.
    mean, std : of its features over the training images, ``(d,)`` each; 0 and 1 before `fit_standardisation`.
    """

    def __init__(self, extractor: Extractor, mean: torch.Tensor | None = None, std: torch.Tensor | None = None) -> None:
        self.extractor = extractor.eval()
        self.mean = torch.zeros(extractor.dim) if mean is None else mean
        self.std = torch.ones(extractor.dim) if std is None else std

    @property
    def dim(self) -> int:
        """Features per image."""
        return self.extractor.dim

    def fit_standardisation(self, pixels: torch.Tensor) -> None:
        """Take mean and deviation from the training images ``(n, 3, h, h)`` uint8."""
        features = self(pixels)
        std = features.std(0)
        # a unit that is constant over the training images gives no scale: dividing by ~0 would blow up test images
        self.mean, self.std = features.mean(0), torch.where(std > 1e-6, std, 1.0)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features ``(n, d)`` of whole images ``(n, 3, h, h)`` uint8."""
        cropper = Cropper(self.extractor.backbone.preprocessing, self.extractor.backbone.input_size, side=1.0)
        with torch.inference_mode():
            parts = [self.extractor(cropper.fixed(part, 1)[0]) for part in pixels.split(_BATCH_SIZE)]
        features = torch.cat(parts) if parts else torch.zeros(0, self.dim)
        return ((features - self.mean.to(features)) / self.std.to(features)).clone()


def train_category_network(
    categories: NDArray[np.integer],
    pixels: torch.Tensor,
    extractor: Extractor,
    schedule: Schedule,
    seed: int,
    **config: object,
) -> tuple[SupplementaryNetwork, NDArray[np.float64]]:
    """Train a network to classify the categories ``(n,)`` of the training images, sampled equally often.

    Returns it and its learning curve. ``config`` are further arguments of `TrainingConfig`.
    """
    names, classes = np.unique(categories, return_inverse=True)
    size = extractor.backbone.input_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier(extractor, len(names)).to(pixels.device)
    drop_unused_parameters(network, lambda: network([torch.zeros(1, 3, size, size, device=pixels.device)]).score)
    freeze_first_layers(network.extractor, schedule.frozen)
    training = TrainingConfig(
        name="category network",
        objective=ClassificationObjective(classes, schedule.batch),
        pixels=pixels,
        cropper=Cropper(extractor.backbone.preprocessing, size),
        schedule=schedule,
        seed=seed,
        **config,  # type: ignore[arg-type]
    )
    curve = train(network, [(network, 1.0)], training)
    return SupplementaryNetwork(network.extractor), curve
