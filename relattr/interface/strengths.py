"""The strengths that a model gives to images, of which some may be unreadable: those are left out and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relattr.errors import BadImage, BadInput
from relattr.progress import track
from relattr.real_numbers import as_real_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr.images import Images
    from relattr.interface.model import Model

CHUNK = 256
"""Images whose strengths are computed at a time."""


def any_strengths(model: Model, images: Images) -> NDArray[np.float64]:
    """The strengths ``(n,)`` that a method gives, which may be NaN or infinite.

    Raises `BadInput` as `Model.strength`, except for those.
    """
    model.require_strengths()
    strengths = as_real_array(model.method.strength(images), f"strength of {model.name}")
    if strengths.shape != (len(images),):
        raise BadInput(
            f"strength of {model.name} has shape {strengths.shape} for {len(images)} images; expected ({len(images)},)"
        )
    return strengths


def positions_not_finite(values: NDArray[np.float64]) -> list[int]:
    """Where an array ``(n,)`` is NaN or infinite."""
    import numpy as np

    positions: list[int] = np.flatnonzero(~np.isfinite(values)).tolist()
    return positions


@dataclass(frozen=True, eq=False)
class ReadableStrengths:
    """The strength of each image ``(n,)``, NaN for those that cannot be read, and what is wrong with the others."""

    values: NDArray[np.float64]
    unreadable: dict[int, str]
    """Why an image cannot be read, by its position."""
    not_finite: list[int]
    """The positions of the images that can be read and whose strength is NaN or infinite."""

    def order(self) -> list[int]:
        """The positions from the largest strength to the smallest, except non-finite ones; ties keep their order."""
        import numpy as np

        known = np.flatnonzero(np.isfinite(self.values))
        order: list[int] = known[np.argsort(-self.values[known], kind="stable")].tolist()
        return order


def readable_strengths(model: Model, images: Images, *, read_all: bool = True) -> ReadableStrengths:
    """The strengths of the images that can be read.

    ``read_all`` also reads those of which the method needs no pixels, so that the same ones are left out whatever the
    method is. Raises `BadInput` if the model is not fitted or gives no strengths.
    """
    import numpy as np

    model.require_strengths()
    values = np.full(len(images), np.nan)
    unreadable: dict[int, str] = {}
    not_finite: list[int] = []
    reads_itself = model.method.uses_pixels or not read_all
    with track("ranking images", len(images)) as advance:
        for start in range(0, len(images), CHUNK):
            chunk = list(range(start, min(start + CHUNK, len(images))))
            readable = chunk if reads_itself else _readable(images, chunk, unreadable)
            try:
                strengths = _strengths(model, images, readable)
            except BadImage:
                readable = _readable(images, chunk, unreadable)
                strengths = _strengths(model, images, readable)
            values[readable] = strengths
            not_finite += [readable[k] for k in positions_not_finite(values[readable])]
            advance(len(chunk))
    return ReadableStrengths(values, unreadable, not_finite)


def _strengths(model: Model, images: Images, positions: Sequence[int]) -> NDArray[np.float64]:
    """The strengths of the images at these positions, of which there may be none."""
    import numpy as np

    return any_strengths(model, images.subset(positions)) if positions else np.empty(0)


def _readable(images: Images, positions: Sequence[int], unreadable: dict[int, str]) -> list[int]:
    """The positions of the images that can be read; why the others cannot is added to ``unreadable``."""
    readable = []
    for k in positions:
        try:
            images[k]
        except BadImage as error:
            unreadable[k] = str(error)
        else:
            readable.append(k)
    return readable
