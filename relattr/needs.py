"""What a method requires besides its code, and whether it is available.

A method lists its needs. A cell whose needs are not met is blocked: its result records the reason, the table shows it,
and the run continues. Pretrained weights are another need, in `relattr.backbones.weights`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

DECIDES_RESULTS = False


class Need(Protocol):
    """Something that a method requires."""

    def missing(self) -> str | None:
        """Why the need is not met and what to do about it; None if it is met."""

    def fingerprint(self) -> str:
        """A string that changes whenever the results may change because of it; empty if they do not depend on it."""


@dataclass(frozen=True)
class Packages:
    """Python packages that are installed with an extra of relattr."""

    modules: Sequence[str]
    extra: str

    def missing(self) -> str | None:
        absent = [module for module in self.modules if not _is_importable(module)]
        if not absent:
            return None
        return f"needs the package {' and '.join(absent)}: pip install 'relattr[{self.extra}]'"

    def fingerprint(self) -> str:
        return ""


@dataclass(frozen=True)
class Gpu:
    """A CUDA device."""

    def missing(self) -> str | None:
        if _is_importable("torch"):
            import torch

            if torch.cuda.is_available():
                return None
        return "needs a GPU, and none is visible"

    def fingerprint(self) -> str:
        return ""


def _is_importable(module: str) -> bool:
    """Whether a module can be imported. Only its parent packages are imported to determine this."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, or was added to sys.modules without a spec
        return False


DEEP = Packages(("torch", "torchvision", "timm", "safetensors"), "deep")
"""The need of every method with a neural network."""
