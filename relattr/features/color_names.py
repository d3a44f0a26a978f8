"""Fifty colour names: which of them each pixel has, and their histogram.

Khosla, Das Sarma, Hamid, "What Makes an Image Popular?", WWW 2014, take the 50 discriminative colour names of Khan et
al. (CVPR 2013), a released table ``DD50_w2c.mat`` of 32,768 colours (8 grey levels a step, red fastest) x 50. It
is read where the user has it (`DD50`). Otherwise a vocabulary of our own stands in (`lattice`), which is not theirs:
5 greys, and 15 hues that are dark, full and pale; a colour has the name that is nearest in CIE L*a*b*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.features.input import ImageSequence, Pixels, read_image
from relattr.features.lab import rgb_to_lab
from relattr.system.digests import digest_array
from relattr.system.paths import weights_dir

N_NAMES = 50
STEPS = 32
MAXSIZE = 500
Vocabulary = Literal["lattice", "DD50"]

GREYS = (6.0, 28.0, 50.0, 74.0, 97.0)
"""L* of the greys."""
HUES = 15
LEVELS = ((32.0, 38.0), (56.0, 52.0), (80.0, 34.0))
"""L* and chroma of dark, full and pale colours."""


def color_names(image: Pixels, vocabulary: Vocabulary = "lattice") -> NDArray[np.uint8]:
    """The name, 0..49, of each pixel of an image (H, W, 3) uint8: ``(H, W)``."""
    steps = (image >> 3).astype(np.int32)
    return name_table(vocabulary)[steps[..., 0] + STEPS * (steps[..., 1] + STEPS * steps[..., 2])]


def color_histogram(
    images: ImageSequence, vocabulary: Vocabulary = "lattice", progress: Callable[[int], object] | None = None
) -> NDArray[np.float32]:
    """The share of each colour name in each image, ``(n, 50)`` float32, summing to 1.

    ``progress`` is called with 1 for each image done. Raises `BadInput`, naming it, for an image that is none.
    """
    out = np.empty((len(images), N_NAMES), np.float32)
    for index in range(len(images)):
        names = color_names(read_image(images, index, MAXSIZE, "colour histogram"), vocabulary)
        out[index] = np.bincount(names.ravel(), minlength=N_NAMES) / names.size
        if progress is not None:
            progress(1)
    return out


@lru_cache(maxsize=2)
def name_table(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """The name of each of the 32,768 colours. Raises `BadInput` for a file that is not the released table."""
    if vocabulary == "lattice":
        return _lattice()
    if vocabulary == "DD50":
        return read_dd50(DD50().path)
    raise BadInput(f"a vocabulary of colours is 'lattice' or 'DD50', not {vocabulary!r}")


def vocabulary_fingerprint(vocabulary: Vocabulary) -> str:
    """What decides the names, as a string."""
    return f"{vocabulary} {digest_array(table(vocabulary))[:16]}"


def read_dd50(path: Path) -> NDArray[np.uint8]:
    """The likeliest name of each colour, from a ``.mat`` file with one table of 32,768 x 50 probabilities."""
    import scipy.io

    try:
        found = scipy.io.loadmat(path)
    except Exception as error:  # a damaged file fails in any of a dozen ways
        raise BadInput(f"{path} cannot be read as a MATLAB file: {error}") from error
    tables = {k: np.asarray(v) for k, v in found.items() if not k.startswith("__")}
    fitting = [v for v in tables.values() if v.shape == (STEPS**3, N_NAMES) and v.dtype.kind in "fiu"]
    if len(fitting) != 1 or not np.isfinite(fitting[0]).all():
        shapes = ", ".join(f"{k} {v.shape}" for k, v in tables.items()) or "nothing"
        raise BadInput(f"{path} holds {shapes}; expected one table of ({STEPS**3}, {N_NAMES}) finite numbers")
    return fitting[0].argmax(1).astype(np.uint8)


@dataclass(frozen=True)
class DD50:
    """The need for the released table, as `relattr.needs.Need` describes."""

    @property
    def path(self) -> Path:
        return weights_dir() / "DD50_w2c.mat"

    def missing(self) -> str | None:
        if self.path.is_file():
            return None
        return (
            f"needs the table of 50 discriminative colour names as {self.path}: DD50_w2c.mat of Khan et al., CVPR 2013 "
            "(released with the authors' code); or set vocabulary=lattice"
        )

    def fingerprint(self) -> str:
        return vocabulary_fingerprint("DD50") if self.path.is_file() else ""


def _lattice() -> NDArray[np.uint8]:
    """The nearest of `lattice_centres` in L*a*b* to the middle of each step of 8 levels."""
    step = np.arange(STEPS**3)
    rgb = np.stack([step % STEPS, step // STEPS % STEPS, step // STEPS**2], axis=1) * 8 + 3.5
    lab, names = rgb_to_lab(rgb), lattice_centres()
    distance = (names**2).sum(1) - 2 * lab @ names.T
    return distance.argmin(1).astype(np.uint8)


def lattice_centres() -> NDArray[np.float64]:
    """L*, a* and b* of the 50 names: the greys, then the dark, the full and the pale hues from red on."""
    greys = [(level, 0.0, 0.0) for level in GREYS]
    angles = 2 * np.pi * np.arange(HUES) / HUES
    hues = [(level, c * np.cos(t), c * np.sin(t)) for level, c in LEVELS for t in angles]
    return np.array([*greys, *hues])
