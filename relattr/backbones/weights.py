"""Where the weights of a backbone are, and what they are. Imports no torch.

Looked for in this order:

1. ``<backbone>.safetensors`` in the folder that RELATTR_WEIGHTS names;
2. the cache of torch.hub, ``$TORCH_HOME/hub/checkpoints/<name>-<first digits of its SHA-256>.pth``, checked;
3. for timm, the cache of the Hugging Face hub.

What is in none of them is downloaded when a network is built, unless RELATTR_OFFLINE is set.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relattr.backbones.names import BUILT_IN_BACKBONES, ResolvedBackbone, registered_backbones, resolve_backbone
from relattr.errors import BadInput, Blocked
from relattr.system.atomic import write_text
from relattr.system.digests import digest_file
from relattr.system.paths import cache_dir, is_offline, weights_dir

DOWNLOAD_TIMEOUT = 30.0
"""Seconds without a byte after which a download is given up."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights that is there, and which of the places it was found in."""

    path: Path
    place: Literal["weights folder", "torch hub cache", "hugging face cache"]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, remembered for as long as its size and time of change stay."""
        return cached_sha256(self.path)


@dataclass(frozen=True)
class MissingWeights:
    """Weights that are in none of the places: which files were looked for, and where they could come from."""

    backbone: str
    looked_for: tuple[Path, ...]
    sources: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Which file is missing, where it was looked for, and what to do."""
        places = " nor ".join(map(str, self.looked_for))
        text = f"the weights of {self.backbone} are not there: looked for {places}"
        if self.sources:
            how = f"download {' or '.join(self.sources)} to the last place" if len(self.looked_for) > 1 else ""
            offline_note = "RELATTR_OFFLINE is set; unset it, or " if is_offline() else ""
            return f"{text}. {offline_note}{how}, or save the state dict as the first (safetensors)"
        return f"{text}. Save the state dict of the network there (safetensors); there is no download for it"


def find_weights(backbone: str) -> WeightsFile | MissingWeights:
    """The file of a backbone's weights, or where it was looked for.

    Raises `UnknownName` for a name that no library knows, `BadInput` for a file in torch's cache whose
    SHA-256 does not begin as its name says, and for a registered backbone, whose weights are its own affair.
    """
    known = resolve_backbone(backbone)
    if known.library == "registered" and known.name not in BUILT_IN_BACKBONES:
        raise BadInput(f"{backbone} is a registered backbone: it finds its weights itself")
    own = weights_dir() / f"{known.file_stem}.safetensors"
    if own.exists():
        return WeightsFile(own, "weights folder")
    looked_for = [own]
    if known.hf_repo:
        cached = _in_hugging_face_cache(known)
        if cached is not None:
            return WeightsFile(cached, "hugging face cache")
        looked_for.append(hugging_face_cache() / f"models--{known.hf_repo.replace('/', '--')}" / known.hf_file)
    if known.hub_file:
        hub = hub_checkpoints() / known.hub_file
        if hub.exists():
            verify_name_digest(hub)
            return WeightsFile(hub, "torch hub cache")
        looked_for.append(hub)
    sources = [known.url] if known.url else []
    if known.hf_repo:
        sources.append(f"https://huggingface.co/{known.hf_repo}")
    return MissingWeights(backbone, tuple(looked_for), tuple(sources))


def fetch_weights(backbone: str) -> WeightsFile:
    """The file of a backbone's weights, downloaded where it is not there.

    Raises `Blocked`, saying which file was looked for where and how to get it, if it is not there and
    cannot be downloaded.
    """
    found = find_weights(backbone)
    if isinstance(found, WeightsFile):
        return found
    if is_offline() or not found.sources:
        raise Blocked(found.reason)
    from filelock import FileLock

    known = resolve_backbone(backbone)
    lock = cache_dir() / "locks" / f"{known.file_stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        again = find_weights(backbone)  # another process may have had the lock, and have downloaded it
        if isinstance(again, WeightsFile):
            return again
        try:
            with _impatient():
                _download(known)
        except Exception as error:  # each library fails in ways of its own; all mean that the file is not there
            raise Blocked(f"{found.reason} (the download failed: {type(error).__name__}: {error})") from error
        again = find_weights(backbone)
    if isinstance(again, MissingWeights):
        raise Blocked(again.reason)
    return again


@dataclass(frozen=True)
class PretrainedWeights:
    """The need of a method for the weights of a backbone, as `relattr.needs.Need` describes."""

    backbone: str

    def missing(self) -> str | None:
        """Why the weights cannot be had; None if they are there, or a download may be tried.

        Raises `UnknownName` for a name that no library knows.
        """
        own = registered_backbones().get(self.backbone)
        if own is not None:
            return own.missing()
        try:
            found = find_weights(self.backbone)
        except BadInput as error:
            if type(error) is BadInput:  # a file that is not what its name says; an unknown name is the user's
                return str(error)
            raise
        if isinstance(found, MissingWeights) and (is_offline() or not found.sources):
            return found.reason
        return None

    def fingerprint(self) -> str:
        """SHA-256 of the file; ``undownloaded:<file>`` before it is there; a registered backbone's own."""
        own = registered_backbones().get(self.backbone)
        if own is not None:
            return own.fingerprint()
        try:
            found = find_weights(self.backbone)
        except BadInput as error:
            if type(error) is BadInput:
                return "unusable"
            raise
        if isinstance(found, MissingWeights):
            known = resolve_backbone(self.backbone)
            return f"undownloaded:{known.hub_file or known.hf_repo or known.file_stem}"
        return found.sha256


def cached_sha256(path: Path) -> str:
    """SHA-256 of a file, remembered in the cache folder by path, size and time of change.

    Raises `BadInput` if it cannot be read.
    """
    try:
        real = path.resolve(strict=True)
        state = real.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    signature = f"{real}\0{state.st_size}\0{state.st_mtime_ns}"
    known = cache_dir() / "digests" / f"weights-{hashlib.sha256(signature.encode()).hexdigest()}.json"
    try:
        digest = json.loads(known.read_text())["sha256"]
        if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest):
            return digest
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = digest_file(real)
    write_text(known, json.dumps({"path": str(real), "sha256": digest}))
    return digest


def verify_name_digest(path: Path) -> None:
    """Hold a file of torch's cache to the digits of its SHA-256 in its name.

    Raises `BadInput` if they differ. A name without such digits is let pass.
    """
    digits = re.search(r"-([0-9a-f]{8,64})\.[a-z]+$", path.name)
    if digits and not cached_sha256(path).startswith(digits[1]):
        raise BadInput(
            f"{path} is damaged: its SHA-256 begins with {cached_sha256(path)[: len(digits[1])]}, "
            f"its name says {digits[1]}; delete it and it is downloaded again"
        )


def hub_checkpoints() -> Path:
    """The folder that torch.hub downloads weights to."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def hugging_face_cache() -> Path:
    """The folder that the Hugging Face hub downloads to."""
    direct = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if direct:
        return Path(direct).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    return Path(home).expanduser() / "hub"


def _in_hugging_face_cache(known: ResolvedBackbone) -> Path | None:
    if not hugging_face_cache().is_dir() or importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(known.hf_repo, known.hf_file, cache_dir=hugging_face_cache())
    return Path(found) if isinstance(found, str) else None


def _download(known: ResolvedBackbone) -> None:
    """Download to where `find_weights` looks; any error means that it failed."""
    if known.hf_repo:
        from huggingface_hub import hf_hub_download

        try:
            hf_hub_download(known.hf_repo, known.hf_file, cache_dir=hugging_face_cache())
            return
        except Exception:
            if not known.url:
                raise
    from torch.hub import download_url_to_file

    place = hub_checkpoints() / known.hub_file
    place.parent.mkdir(parents=True, exist_ok=True)
    digits = re.search(r"-([0-9a-f]{8,64})\.[a-z]+$", known.hub_file)
    download_url_to_file(known.url, str(place), digits[1] if digits else None, progress=False)


@contextmanager
def _impatient() -> Iterator[None]:
    """Sockets give up after a while: torch.hub sets no limit, and a silent firewall would hang the cell."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
