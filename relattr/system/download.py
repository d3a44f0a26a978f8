"""A file to download: its addresses, size and SHA-256; `relattr.system.fetch` downloads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from relattr.errors import BadInput
from relattr.system.archive import is_unpacked
from relattr.system.manifest import ManifestEntry, check_path, describe_mismatch


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    Parameters
    ----------
    path : destination relative to the dataset's folder, with forward slashes.
    mirrors : http or https addresses of the same file, tried in this order.
    sha256, size : the expected digest (64 hexadecimal digits) and number of bytes.
    unpack : if given, the file is a zip archive that is unpacked into this folder (relative, like ``path``) and then
        removed.

    Raises `BadInput` for a path outside the folder, an address of another scheme, or no address.
    """

    path: str
    mirrors: tuple[str, ...]
    sha256: str
    size: int
    unpack: str | None = None

    def __post_init__(self) -> None:
        _ = self.entry  # checks path, SHA-256 and size
        if self.unpack is not None:
            check_path(self.unpack)
        if not self.mirrors:
            raise BadInput(f"{self.path} has no mirror to download it from")
        for url in self.mirrors:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadInput(f"{self.path}: {url!r} is not an http or https address")

    @property
    def entry(self) -> ManifestEntry:
        """Path, SHA-256 and size that the file must have."""
        return ManifestEntry(self.path, self.sha256, self.size)

    def is_present(self, root: Path) -> bool:
        """Whether the file below ``root`` is the expected one, or its archive has been unpacked there."""
        if self.unpack is not None:
            return is_unpacked(root / self.unpack, self.sha256)
        return describe_mismatch(root / self.path, self.sha256, self.size) is None

    def partial_path(self, root: Path) -> Path:
        """The path of the file while it is downloaded."""
        final = root / self.path
        return final.with_name(f".{final.name}.{self.sha256[:16]}.part")
