"""Features of a second, frozen network, which a ranking network is given beside its own (ViralNet-C).

Dubey & Agarwal (MM 2017, Section 3.3): a network that tells categories apart, trained beforehand and kept as it is. It
is trained here on the training images and their categories alone, or taken as it comes: Places205-AlexNet for OSR,
OpenFace for faces. Its features are standardised by the training images' mean and deviation, so that one learning
rate suits the score layer.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.networks.classifier import Classifier
from relattr.networks.parts import drop_unused, freeze
from relattr.networks.ranker import Extractor
from relattr.training.objectives import ClassificationObjective
from relattr.training.pixels import Cropper
from relattr.training.schedule import Schedule
from relattr.training.trainer import TrainingLoop, train

_BATCH = 128


class Supplement:
    """A frozen network's features, standardised.

    Parameters
    ----------
    extractor : the network; given up to it.
    mean, std : of its features on the training images, ``(d,)`` each.
    """

    def __init__(self, extractor: Extractor, mean: torch.Tensor | None = None, std: torch.Tensor | None = None) -> None:
        self.extractor = extractor.eval()
        self.mean = torch.zeros(extractor.dim) if mean is None else mean
        self.std = torch.ones(extractor.dim) if std is None else std

    @property
    def dim(self) -> int:
        return self.extractor.dim

    def settle(self, pixels: torch.Tensor) -> None:
        """Take mean and deviation from the training images ``(n, 3, h, h)`` uint8."""
        found = self(pixels)
        std = found.std(0)
        # a unit that no training image stirs says nothing of how far one that a test image stirs is out
        self.mean, self.std = found.mean(0), torch.where(std > 1e-6, std, 1.0)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features of images ``(n, 3, h, h)`` uint8, each seen once and whole: ``(n, d)``."""
        cropper = Cropper(self.extractor.backbone.preprocessing, self.extractor.backbone.input_size, side=1.0)
        with torch.inference_mode():
            parts = [self.extractor(cropper.fixed(part, 1)[0]) for part in pixels.split(_BATCH)]
        found = torch.cat(parts) if parts else torch.zeros(0, self.dim)
        return ((found - self.mean.to(found)) / self.std.to(found)).clone()


def trained_on(
    categories: NDArray[np.integer],
    pixels: torch.Tensor,
    extractor: Extractor,
    schedule: Schedule,
    seed: int,
    **circumstances: object,
) -> tuple[Supplement, NDArray[np.float64]]:
    """A network taught to tell the categories of the training images apart, each as often as the others.

    Returns it and its learning curve. ``circumstances`` are those of `TrainingLoop`.
    """
    kinds, classes = np.unique(categories, return_inverse=True)
    size = extractor.backbone.input_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Classifier(extractor, len(kinds)).to(pixels.device)
    drop_unused(net, lambda: net([torch.zeros(1, 3, size, size, device=pixels.device)]).strength)
    freeze(net.extractor, schedule.frozen)
    how = TrainingLoop(
        name="category network",
        objective=ClassificationObjective(classes, schedule.batch),
        pixels=pixels,
        cropper=Cropper(extractor.backbone.preprocessing, size),
        schedule=schedule,
        seed=seed,
        **circumstances,  # type: ignore[arg-type]
    )
    curve = train(net, [(net, 1.0)], how)
    return Supplement(net.extractor), curve
