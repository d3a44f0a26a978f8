"""What a method receives besides the data: seed, device, threads and a folder for checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relattr import progress
from relattr.random import derive_seed, generator

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Run:
    """The settings of one fit.

    Parameters
    ----------
    seed : the seed of the cell; use `rng` or `seed_for` instead of using it directly.
    device : ``cpu``, ``cuda``, ``cuda:1``, ...
    threads : number of processor threads the fit may use.
    checkpoint : folder for files from which an interrupted fit resumes; None if there is no such folder.
    """

    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    checkpoint: Path | None = None

    def seed_for(self, *component: str | int) -> int:
        """A seed in ``[0, 2**63)`` for the component with this name (one or more words)."""
        return derive_seed(self.seed, *component)

    def rng(self, *component: str | int) -> np.random.Generator:
        """A NumPy random generator for the component with this name (one or more words)."""
        return generator(self.seed, *component)

    track = staticmethod(progress.track)
