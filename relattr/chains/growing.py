"""Growing a chain down the order of the images: rounds of detection, re-selection of patches, and retraining."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.chains.detector import Detector, DetectorConfig, Patches, train_detector
from relattr.chains.dynamic_programming import cheapest_chains


@dataclass(frozen=True)
class GrowthConfig:
    """Hyperparameters of growing: ``rounds``, images added ``per_round``, and the detector's.

    ``gain`` is the weight of a patch's detector response against distances (lambda in the paper).
    """

    rounds: int = 3
    per_round: int = 80
    gain: float = 0.05
    detector: DetectorConfig = field(default_factory=DetectorConfig)


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain: patch ``path[k]`` of image ``images[k]``, strongest image first, and the detector trained on them."""

    images: NDArray[np.int64]
    path: NDArray[np.int64]
    detector: Detector

    def detections(self, patches: Patches) -> NDArray[np.int64]:
        """The candidate with the largest response in each image, in the chain or not: ``(n_images,)``."""
        return np.array([self.detector.responses(patches, [i])[0].argmax() for i in range(len(patches))], np.int64)


def grow_chain(
    patches: Patches,
    first: NDArray[np.integer[Any]],
    overlap: NDArray[Any],
    config: GrowthConfig,
    rng: np.random.Generator,
) -> Chain:
    """Grow a chain that starts with candidate ``first[k]`` of image k.

    ``patches`` ``(n, n_patches, d)`` are the features of the training images' candidates, strongest image first;
    ``overlap`` ``(n_patches, n_patches)`` is the intersection over union of the candidates.

    The images, in order of strength, are split into one set per round. In each round the images of the next set with
    the largest detector responses are added. Then all patches are selected again, so that neighbours are similar and
    responses are large, and the detector is retrained.
    """
    images, path = np.arange(len(first)), np.asarray(first, np.int64)
    detector = train_detector(patches, images, path, overlap, config.detector, rng)
    for image_set in np.array_split(np.arange(len(patches)), config.rounds):
        new = np.setdiff1d(image_set, images)
        n_present = image_set.size - new.size
        responses = detector.responses(patches, new.tolist()).max(1) if new.size else np.empty(0)
        added = new[np.argsort(-responses, kind="stable")[: max(0, config.per_round - n_present)]]
        images = np.union1d(images, added)
        gains = config.gain * detector.responses(patches, images.tolist())
        paths, _ = cheapest_chains(list(patches[images]), list(gains))
        path = paths[0]
        detector = train_detector(patches, images, path, overlap, config.detector, rng)
    return Chain(images, path, detector)
