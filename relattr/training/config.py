"""The configuration of one training run of one network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.training.objectives import Objective
from relattr.training.schedule import Schedule

if TYPE_CHECKING:
    from relattr.training.cropping import Cropper
    from relattr.training.streamed_pixels import Pixels


@dataclass(frozen=True)
class TrainingConfig:
    """The data, objective and hyperparameters of one training run.

    Parameters
    ----------
    name : of the run, shown with its progress; also names its checkpoint.
    objective : batches and loss.
    pixels : all training images, ``(n, 3, h, h)`` uint8: a tensor on the training device, or a stream.
    cropper : crops them.
    schedule : hyperparameters.
    seed : of all random numbers.
    views : random crops per image and step: 1 for all inputs of the network, or one per input.
    supplement : supplementary features of the images, ``(n, d)``, on the training device, or the CPU if they are large.
    checkpoint : folder for checkpoints; None to write none.
    evaluate : returns the network's accuracy on held-out images, in [0, 1]; called about ten times a run, in
        evaluation mode. Its time is not counted as training time.
    """

    name: str
    objective: Objective
    pixels: Pixels
    cropper: Cropper
    schedule: Schedule
    seed: int
    views: int = 1
    supplement: torch.Tensor | None = None
    checkpoint: Path | None = None
    evaluate: Callable[[], float] | None = None

    def supplementary(self, images: NDArray[np.int64]) -> torch.Tensor:
        """The supplementary features ``(k, d)`` of these images, on the training device."""
        assert self.supplement is not None
        rows = torch.from_numpy(images).to(self.supplement.device)
        return self.supplement[rows].to(self.pixels.device)
