"""How a chain grows down the order of the images, in rounds of detecting, choosing anew, and training again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.chains.detector import Detector, DetectorConfig, Patches, train_detector
from relattr.chains.dynamic_programming import cheapest_chains


@dataclass(frozen=True)
class GrowthConfig:
    """In each of ``rounds`` rounds ``per_round`` images join; a patch's response takes ``gain`` times itself off."""

    rounds: int = 3
    per_round: int = 80
    gain: float = 0.05
    training: DetectorConfig = field(default_factory=DetectorConfig)


@dataclass(frozen=True, eq=False)
class Chain:
    """Patch ``path[k]`` of image ``images[k]``, strongest image first, and the detector trained on them."""

    images: NDArray[np.int64]
    path: NDArray[np.int64]
    detector: Detector

    def detections(self, patches: Patches) -> NDArray[np.int64]:
        """For each image, in the chain or not, the candidate of largest response: ``(n_images,)``."""
        return np.array([self.detector.responses(patches, [i])[0].argmax() for i in range(len(patches))], np.int64)


def grow_chain(
    patches: Patches,
    first: NDArray[np.integer[Any]],
    overlap: NDArray[Any],
    how: GrowthConfig,
    rng: np.random.Generator,
) -> Chain:
    """Grow a chain that begins with candidate ``first[k]`` of image k.

    ``patches`` ``(n, n_patches, d)`` are the features of the training images' candidates, strongest image first;
    ``overlap`` ``(n_patches, n_patches)`` is the intersection over union of the candidates.

    The images are parted in the order of strength into as many sets as there are rounds. In each round the images
    of the next set join in which the detector finds most, then all patches are chosen anew, neighbours alike
    and each like what the detector has learned.
    """
    images, path = np.arange(len(first)), np.asarray(first, np.int64)
    detector = train_detector(patches, images, path, overlap, how.training, rng)
    for part in np.array_split(np.arange(len(patches)), how.rounds):
        new = np.setdiff1d(part, images)
        already = part.size - new.size
        found = detector.responses(patches, new.tolist()).max(1) if new.size else np.empty(0)
        chosen = new[np.argsort(-found, kind="stable")[: max(0, how.per_round - already)]]
        images = np.union1d(images, chosen)
        gains = how.gain * detector.responses(patches, images.tolist())
        paths, _ = cheapest_chains(list(patches[images]), list(gains))
        path = paths[0]  # the cheapest
        detector = train_detector(patches, images, path, overlap, how.training, rng)
    return Chain(images, path, detector)
