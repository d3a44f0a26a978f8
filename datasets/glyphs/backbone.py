"""The backbone `micro`, pretrained on the emblems of `classes`: for glyphs what ImageNet is for photographs.

Imported with the dataset, so it imports neither torch nor NumPy; nothing is drawn or trained before the
backbone is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relattr.backbones.micro import pretrained_micro
from relattr.backbones.names import register_backbone
from relattr.identity import source_digest
from relattr.system.digests import digest_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

N_PICTURES = 3600
SEED = 0

_DRAWING = ("backbone", "canvas", "classes", "outlines", "style")


def draw_pictures() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures ``(n, 64, 64, 3)`` uint8 and classes ``(n,)`` that `micro` is pretrained on."""
    from .classes import pretraining

    return pretraining(N_PICTURES, SEED)


def pictures_key() -> str:
    """What decides them, as one string: the source they are drawn by."""
    return digest_text(*(source_digest(f"{__package__}.{name}") for name in _DRAWING))


register_backbone("micro", **pretrained_micro(draw_pictures, pictures_key()))
