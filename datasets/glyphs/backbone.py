"""The backbone `micro`, pretrained on the pictures of `pretraining`, as networks for photographs are on ImageNet.

Imported with the dataset, so it must not import torch; nothing is drawn or trained before the backbone is first used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relattr.backbones.micro import pretrained_micro
from relattr.backbones.names import register_backbone
from relattr.identity import source_digest
from relattr.system.digests import digest_text

N_PICTURES = 3600
SEED = 0

_DRAWING = ("backbone", "canvas", "pretraining", "outlines", "style")


def draw_pictures() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw the pictures ``(n, 64, 64, 3)`` uint8 and classes ``(n,)`` that `micro` is pretrained on."""
    from .pretraining import draw_pretraining_set  # imports Pillow

    return draw_pretraining_set(N_PICTURES, SEED)


def pictures_key() -> str:
    """Return a digest of the code that draws the pictures."""
    return digest_text(*(source_digest(f"{__package__}.{name}") for name in _DRAWING))


register_backbone("micro", **pretrained_micro(draw_pictures, pictures_key()))
