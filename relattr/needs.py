"""What a method requires besides its code, and whether it is available.

A method lists its needs. A cell whose needs are not met is blocked: its result records the reason, the table shows it,
and the run continues. Pretrained weights are another need, in `relattr.backbones.weights`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from relattr.errors import BadInput, shortened

DECIDES_RESULTS = False


class Need(Protocol):
    """Something that a method requires."""

    def missing(self) -> str | None:
        """Why the need is not met and what to do about it; None if it is met."""

    def fingerprint(self) -> str:
        """A string that changes whenever the results may change because of it; empty if they do not depend on it."""


@dataclass(frozen=True)
class Packages:
    """Python packages.

    Parameters
    ----------
    modules : the names under which they are imported.
    extra : the extra of relattr that installs them; empty for packages that relattr does not use.
    install : the names under which pip installs them, where they differ from the modules.

    Examples
    --------
    >>> Packages(["lightgbm"])                                       # pip install lightgbm
    >>> Packages(["cv2"], install=["opencv-python-headless"])        # pip install opencv-python-headless
    >>> Packages(["torch", "timm"], extra="deep")                    # pip install 'relattr[deep]'
    """

    modules: Sequence[str]
    extra: str = ""
    install: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, value in (("modules", self.modules), ("install", self.install)):
            if isinstance(value, str):
                raise BadInput(f"Packages: {name} is a list of names, such as [{value!r}]; got {value!r}")

    def missing(self) -> str | None:
        absent = [module for module in self.modules if not _is_importable(module)]
        if not absent:
            return None
        names = self.install or dict.fromkeys(module.partition(".")[0] for module in absent)
        command = f"'relattr[{self.extra}]'" if self.extra in _extras() else " ".join(names)
        return f"needs the package {' and '.join(absent)}: pip install {command}"

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


class HasNeeds(Protocol):
    """A method."""

    def needs(self) -> Sequence[Need]:
        """See `relattr.Method.needs`."""


def needs_of(method: HasNeeds) -> list[Need]:
    """Return what a method needs. Raises `BadInput` if its ``needs()`` returns anything else than a list of needs."""
    needs: Any = method.needs()
    example = "expected a list such as [Packages(['torch'])] or [Gpu()] of relattr.needs"
    name = getattr(method, "name", "") or type(method).__name__
    is_list = isinstance(needs, (list, tuple))  # asked first: the abstract classes take longer
    if not is_list and (isinstance(needs, (str, bytes, Mapping)) or not isinstance(needs, Iterable)):
        raise BadInput(f"needs() of method {name} returns {shortened(repr(needs))}; {example}")
    needs = list(needs)
    for need in needs:
        complete = callable(getattr(need, "missing", None)) and callable(getattr(need, "fingerprint", None))
        if isinstance(need, type) or not complete:
            raise BadInput(f"needs() of method {name} contains {shortened(repr(need))}; {example}")
    return needs


@cache
def _extras() -> frozenset[str]:
    """The extras of the installed relattr; empty if it is not installed."""
    try:
        return frozenset(importlib.metadata.metadata("relattr").get_all("Provides-Extra") or ())
    except importlib.metadata.PackageNotFoundError:
        return frozenset()


def _is_importable(module: str) -> bool:
    """Whether a module can be imported. Only its parent packages are imported to determine this."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, or was added to sys.modules without a spec
        return False


DEEP = Packages(("torch", "torchvision", "timm", "safetensors"), "deep")
"""The need of every method with a neural network."""
