"""What the suite hands a method beside the data: seed, device, and the places it may use."""

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
    """The circumstances of one fit.

    Parameters
    ----------
    seed : the cell's seed; use `rng` or `seed_for`, never this number itself.
    device : ``cpu``, ``cuda``, ``cuda:1``, ...
    threads : how many processor threads the fit may use.
    checkpoint : a folder for files from which a killed fit goes on; None where there is none.
    """

    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    checkpoint: Path | None = None

    def seed_for(self, *component: str | int) -> int:
        """The seed, in ``[0, 2**63)``, of the component that these words name."""
        return derive_seed(self.seed, *component)

    def rng(self, *component: str | int) -> np.random.Generator:
        """A NumPy generator for the component that these words name."""
        return generator(self.seed, *component)

    track = staticmethod(progress.track)
