"""Growing a chain down the order of the images: rounds of detection, re-selection of patches, and retraining.

A detector responds most strongly to the patches it was trained on, right or wrong. The images are therefore split into
two halves, S1 and S2: in each round the chain grows on S1 first, and the detector trained there selects the patches of
S2; the detector trained on these selects those of S1 in the next round (Xiao & Lee 2015, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relattr.chains.detector import Detector, DetectorConfig, Patches, train_detector
from relattr.chains.dynamic_programming import cheapest_chains

Halves = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The images of S1 and S2, each in ascending order, strongest first."""


@dataclass(frozen=True)
class GrowthConfig:
    """Hyperparameters of growing."""

    rounds: int = 3
    """Number of rounds of growth."""
    per_round: int = 80
    """Number of images added per round, in both halves together."""
    gain: float = 0.05
    """Weight of a patch's detector response against distances (lambda in the paper)."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    """Hyperparameters of the detectors."""


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain: patch ``path[k]`` of image ``images[k]``, strongest image first, and its detectors.

    ``detector`` was trained on the whole chain, ``half_detectors`` on the patches in S1 and in S2 (``halves``).
    """

    images: NDArray[np.int64]
    path: NDArray[np.int64]
    detector: Detector
    half_detectors: tuple[Detector, Detector]
    halves: Halves

    def detections(self, patches: Patches) -> NDArray[np.int64]:
        """The candidate with the largest response in each image, ``(n_images,)``.

        The images of a half are scored by the detector of the other half, images beyond both by that of all patches.
        """
        detectors = [self.detector] * len(patches)
        for half, other in zip(self.halves, reversed(self.half_detectors), strict=True):
            for i in half:
                detectors[i] = other
        return np.array([d.responses(patches, [i])[0].argmax() for i, d in enumerate(detectors)], np.int64)


def split_into_halves(n: int, rng: np.random.Generator) -> Halves:
    """Split ``n`` images, at least 2, into two random halves; one image more in S1 if ``n`` is odd."""
    order = rng.permutation(n)
    cut = (n + 1) // 2
    return np.sort(order[:cut]), np.sort(order[cut:])


def grow_chain(
    patches: Patches,
    halves: Halves,
    first: NDArray[np.integer[Any]],
    overlap: NDArray[Any],
    config: GrowthConfig,
    rng: np.random.Generator,
) -> Chain:
    """Grow a chain that starts with candidate ``first[k]`` of the k-th strongest image of S1.

    ``patches`` ``(n, n_patches, d)`` are the features of the images' candidates, strongest image first; ``overlap``
    ``(n_patches, n_patches)`` is the intersection over union of the candidates.

    The images of each half are split into one set per round. In each round and half the images of the next set with the
    largest responses of the other half's detector are added. Then all patches of the half are selected again, so that
    neighbours are similar and responses are large, and a detector is trained on them.
    """
    members = [halves[0][: len(first)], np.empty(0, np.int64)]
    paths = [np.asarray(first, np.int64), np.empty(0, np.int64)]
    detector = train_detector(patches, members[0], paths[0], overlap, config.detector, rng)
    trained = [detector, detector]
    sets = [np.array_split(half, config.rounds) for half in halves]
    for t in range(config.rounds):
        for h in (0, 1):
            quota = (config.per_round + 1 - h) // 2
            members[h] = _add_images(members[h], sets[h][t], detector.responses(patches, sets[h][t]), quota)
            if not members[h].size:
                continue
            gains = config.gain * detector.responses(patches, members[h])
            paths[h] = cheapest_chains(list(patches[members[h]]), list(gains))[0][0]
            detector = train_detector(patches, members[h], paths[h], overlap, config.detector, rng)
            trained[h] = detector
    images, path = np.concatenate(members), np.concatenate(paths)
    order = images.argsort()
    images, path = images[order], path[order]
    whole = train_detector(patches, images, path, overlap, config.detector, rng)
    return Chain(images, path, whole, (trained[0], trained[1]), halves)


def _add_images(
    present: NDArray[np.int64], candidates: NDArray[np.int64], responses: NDArray[Any], quota: int
) -> NDArray[np.int64]:
    """Add the candidates ``(n,)`` with the largest responses ``(n, n_patches)`` until ``quota`` of them are present."""
    is_new = ~np.isin(candidates, present)
    new, strongest = candidates[is_new], responses[is_new].max(1, initial=-np.inf)
    missing = max(0, quota - (candidates.size - new.size))
    return np.union1d(present, new[np.argsort(-strongest, kind="stable")[:missing]])
