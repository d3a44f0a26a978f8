"""The classes of OSR, and their order by each attribute."""

from __future__ import annotations

from collections.abc import Mapping

from relattr.errors import BadInput

CLASSES = ("tallbuilding", "insidecity", "street", "highway", "coast", "opencountry", "mountain", "forest")

CLASS_RANKS: Mapping[str, tuple[int, ...]] = {
    "natural": (1, 2, 2, 3, 4, 4, 4, 4),
    "open": (1, 2, 2, 4, 4, 4, 3, 1),
    "perspective": (7, 5, 6, 4, 2, 1, 3, 3),
    "size-large": (5, 3, 3, 4, 4, 2, 2, 1),
    "diagonal-plane": (6, 4, 4, 5, 3, 2, 2, 1),
    "depth-close": (4, 4, 4, 4, 1, 3, 2, 4),
}
"""Rank of each of `CLASSES` (larger = more, equal = similar): Parikh & Grauman, ICCV 2011, Table 1."""


def class_of(name: str) -> str:
    """Return the class in a file name: ``coast_natu919.jpg`` -> ``coast``. Raises `BadInput` for an unknown class."""
    scene = name.partition("_")[0]
    if scene not in CLASSES:
        raise BadInput(f"image {name!r} has none of the classes {', '.join(CLASSES)}")
    return scene
