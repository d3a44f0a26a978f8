"""What a method needs beyond its code, and whether it is there.

A method lists its needs; a cell whose needs are not met is blocked, with the reason in its row and in
the table, and the run goes on. Other needs (backbone weights) stand beside what they are about.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

DECIDES_RESULTS = False


class Need(Protocol):
    """Something a method cannot do without."""

    def missing(self) -> str | None:
        """Why the method cannot run here and what to do about it; None if it can."""

    def fingerprint(self) -> str:
        """What about it decides the numbers, as a string; empty if nothing does."""


@dataclass(frozen=True)
class Packages:
    """Python packages that come with an extra of relattr."""

    modules: Sequence[str]
    extra: str

    def missing(self) -> str | None:
        gone = [module for module in self.modules if not _there(module)]
        if not gone:
            return None
        return f"needs the package {' and '.join(gone)}: pip install 'relattr[{self.extra}]'"

    def fingerprint(self) -> str:
        return ""


@dataclass(frozen=True)
class Gpu:
    """A CUDA device."""

    def missing(self) -> str | None:
        if _there("torch"):
            import torch

            if torch.cuda.is_available():
                return None
        return "needs a GPU, and none is visible here"

    def fingerprint(self) -> str:
        return ""


def _there(module: str) -> bool:
    """Whether a module can be imported; only the packages it lies in are imported to find out."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # its package is not there, or was put into sys.modules by hand
        return False


DEEP = Packages(("torch", "torchvision", "timm", "safetensors"), "deep")
"""What every method with a neural network needs."""
