"""Images that have the same pixels, whatever their names."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relattr.images import Images


NamesByDigest = dict[str, list[tuple[tuple[str, int], str]]]
"""Digest of the pixels -> collection and index, and name, of each image that has them."""


class ImageContents:
    """Digests of the pixels of images. Each image is read once."""

    def __init__(self) -> None:
        self.digests: dict[tuple[str, int], str] = {}
        self.names: dict[tuple[str, int], str] = {}

    def add(self, images: Images, used: Iterable[int]) -> NamesByDigest:
        """Read the images of these indices, as far as they are new, and return them by digest."""
        by_digest: NamesByDigest = defaultdict(list)
        all_names = images.names
        for k in used:
            key = images.collection_fingerprint, int(images.indices[k])
            if key not in self.digests:
                pixels = images[int(k)]
                self.digests[key] = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
                self.names[key] = all_names[int(k)]
            by_digest[self.digests[key]].append((key, all_names[int(k)]))
        return by_digest

    def duplicates(self) -> list[tuple[str, ...]]:
        """The names of distinct images with the same content."""
        same: dict[str, list[str]] = defaultdict(list)
        for key, digest in self.digests.items():
            same[digest].append(self.names[key])
        return sorted(tuple(sorted(names)) for names in same.values() if len(names) > 1)
