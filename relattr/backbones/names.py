"""Names of backbones: torchvision's, timm's, and those that plugins register. Imports no torch.

A name means, in this order: a registered backbone, a torchvision classification network, a timm network
(``resnet50d``, or with the tag of its weights ``resnet50.a1_in1k``). ``torchvision:`` or ``timm:`` before it
says which library is meant.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from relattr.backbones.torchvision_files import DOWNLOADS, FILES
from relattr.errors import BadInput, UnknownName
from relattr.system.atomic import write_text
from relattr.system.paths import cache_dir

if TYPE_CHECKING:
    from torch import nn

Library = Literal["registered", "torchvision", "timm"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become a network's input.

    Parameters
    ----------
    input_size : pixels a side of the square that the network sees.
    resize : the shorter side is brought to this many pixels before the centre is cut out.
    mean, std : of the channels red, green, blue, on the scale 0 to 1; subtracted and divided by.
    bgr : whether the network takes blue first (networks converted from Caffe).
    bicubic : resize bicubic instead of bilinear; both antialiased.
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
            raise BadInput(f"mean and std must be 3 numbers each, std positive; got {self.mean} and {self.std}")


def _nothing_missing() -> str | None:
    return None


@dataclass(frozen=True)
class RegisteredBackbone:
    """A backbone that a plugin brought.

    Parameters
    ----------
    name : what it is called.
    build : makes the network, with its weights loaded.
    fingerprint : what decides the weights, as a string; imports no torch, and works before they are there.
    missing : why the weights cannot be had, or None; imports no torch.
    untrained : makes the network with fresh weights; None where that makes no sense.
    preprocessing : how pixels become its input.
    layers : names of its own for layers, each a module path such as ``features.12``.
    """

    name: str
    build: Callable[[], nn.Module]
    fingerprint: Callable[[], str]
    missing: Callable[[], str | None] = _nothing_missing
    untrained: Callable[[], nn.Module] | None = None
    preprocessing: Preprocessing = Preprocessing()
    layers: Mapping[str, str] = field(default_factory=dict)


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
) -> RegisteredBackbone:
    """Make a network known under a name; the arguments are those of `RegisteredBackbone`.

    Raises `BadInput` for a name with ``:`` or ``/`` in it or one that is taken, by torchvision or another plugin.
    """
    if not name or name != name.strip() or set(name) & set(":/\\") or not name.isprintable():
        raise BadInput(f"backbone name {name!r} must be printable text without ':', '/' or outer spaces")
    if name in FILES or name in _registered or name in BUILT_IN_BACKBONES:
        owner = "torchvision" if name in FILES else "relattr" if name in BUILT_IN_BACKBONES else "another plugin"
        raise BadInput(f"a backbone called {name!r} is there already, from {owner}")
    made = RegisteredBackbone(
        name, build, fingerprint, missing, untrained, preprocessing or Preprocessing(), dict(layers or {})
    )
    _registered[name] = made
    return made


def unregister_backbone(name: str) -> None:
    """Forget a registered backbone; for tests of plugins."""
    _registered.pop(name, None)


def registered_backbones() -> dict[str, RegisteredBackbone]:
    """The registered backbones by name."""
    return dict(_registered)


BUILT_IN_BACKBONES = frozenset({"caffenet"})
"""Networks of relattr's own whose weights are files that the user brings."""


@dataclass(frozen=True)
class ResolvedBackbone:
    """What a backbone's name stands for.

    ``name`` is the library's own name for it; ``file_stem`` names its file in RELATTR_WEIGHTS; ``hub_file``
    its file in torch's hub cache and ``url`` where that comes from; ``hf_repo`` and ``hf_file`` its place on
    the Hugging Face hub. Empty where there is none.
    """

    library: Library
    name: str
    file_stem: str
    hub_file: str = ""
    url: str = ""
    hf_repo: str = ""
    hf_file: str = ""


def resolve_backbone(backbone: str) -> ResolvedBackbone:
    """What this name stands for.

    Raises `UnknownName` with the nearest names. Only a name that is neither registered nor torchvision's
    makes timm be imported, and that once for each version of timm.
    """
    library, colon, name = backbone.partition(":")
    if colon and library not in ("torchvision", "timm"):
        raise UnknownName("library of backbones", library, ("torchvision", "timm"))
    if not colon:
        library, name = "", backbone
    if not library and (name in _registered or name in BUILT_IN_BACKBONES):
        return ResolvedBackbone("registered", name, name)
    if library != "timm" and name in FILES:
        return ResolvedBackbone("torchvision", name, name, FILES[name], DOWNLOADS + FILES[name])
    if library == "torchvision":
        raise UnknownName("torchvision backbone", name, FILES)
    timm_models = _timm_models()
    if name not in timm_models:
        raise UnknownName("backbone", name, {*_registered, *BUILT_IN_BACKBONES, *FILES, *timm_models})
    url, hf_repo, hf_file = timm_models[name]
    # a timm network that shares its name with another library's has another layout of weights
    shadowed = name in FILES or name in _registered or name in BUILT_IN_BACKBONES
    stem = f"timm-{name}" if shadowed else name
    return ResolvedBackbone("timm", name, stem, url.rpartition("/")[2], url, hf_repo, hf_file)


def _timm_models() -> Mapping[str, tuple[str, str, str]]:
    """Address, Hugging Face repository and file of every timm network's weights; empty without timm."""
    if importlib.util.find_spec("timm") is None:
        return {}
    return _read_timm_models(importlib.metadata.version("timm"))


@cache
def _read_timm_models(version: str) -> Mapping[str, tuple[str, str, str]]:
    known = cache_dir() / "backbones" / f"timm-{version}.json"
    try:
        content = json.loads(known.read_text(encoding="utf-8"))
        return {name: (str(url), str(repo), str(file)) for name, (url, repo, file) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    import timm

    models: dict[str, tuple[str, str, str]] = {}
    for name in {*timm.list_models(), *timm.list_pretrained()}:
        cfg = timm.models.get_pretrained_cfg(name)
        if cfg is None:
            models[name] = ("", "", "")
            continue
        url = cfg.url if isinstance(cfg.url, str) else ""
        models[name] = (url, cfg.hf_hub_id or "", cfg.hf_hub_filename or "model.safetensors")
    write_text(known, json.dumps(models, sort_keys=True, indent=0))
    return models
