"""Fifty colour names: the name of each pixel, and a histogram of names.

Khosla, Das Sarma, Hamid, "What Makes an Image Popular?", WWW 2014, use the 50 discriminative colour names of Khan et
al. (CVPR 2013), a released table ``DD50_w2c.mat`` of 32,768 colours (RGB in steps of 8 levels, red fastest) x 50.
The vocabulary ``DD50`` reads that file if the user has it. The default vocabulary ``lattice`` is a substitute of ours
and not theirs: 5 greys, and 15 hues each in a dark, a medium and a pale version; a colour gets the nearest name in CIE
L*a*b*.
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
from relattr.features.input import read_image
from relattr.features.lab import rgb_to_lab
from relattr.images.sequence import ImageSequence, Pixels
from relattr.system.digests import digest_array
from relattr.system.paths import weights_dir
from relattr.system.reading import MAX_TABLE, open_regular

N_NAMES = 50
STEPS = 32
MAXSIZE = 500
Vocabulary = Literal["lattice", "DD50"]

GREYS = (6.0, 28.0, 50.0, 74.0, 97.0)
"""L* of the greys."""
HUES = 15
LEVELS = ((32.0, 38.0), (56.0, 52.0), (80.0, 34.0))
"""L* and chroma of dark, medium and pale colours."""


def color_names(image: Pixels, vocabulary: Vocabulary = "lattice") -> NDArray[np.uint8]:
    """Return the colour name, 0..49, of each pixel of an image (H, W, 3) uint8: ``(H, W)``."""
    steps = (image >> 3).astype(np.int32)
    return name_table(vocabulary)[steps[..., 0] + STEPS * (steps[..., 1] + STEPS * steps[..., 2])]


def color_histogram(
    images: ImageSequence, vocabulary: Vocabulary = "lattice", progress: Callable[[int], object] | None = None
) -> NDArray[np.float32]:
    """Return the normalised histogram of colour names of each image, ``(n, 50)`` float32, summing to 1.

    ``progress`` is called with 1 after each image. Raises `BadInput`, naming the image, for invalid pixels.
    """
    histograms = np.empty((len(images), N_NAMES), np.float32)
    for index in range(len(images)):
        names = color_names(read_image(images, index, MAXSIZE, "colour histogram"), vocabulary)
        histograms[index] = np.bincount(names.ravel(), minlength=N_NAMES) / names.size
        if progress is not None:
            progress(1)
    return histograms


@lru_cache(maxsize=2)
def name_table(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """Return the name of each of the 32,768 colours. Raises `BadInput` for a file that is not the released table."""
    if vocabulary == "lattice":
        return _lattice()
    if vocabulary == "DD50":
        return read_dd50(DD50().path)
    raise BadInput(f"the vocabulary of colour names must be 'lattice' or 'DD50', not {vocabulary!r}")


def vocabulary_fingerprint(vocabulary: Vocabulary) -> str:
    """Return a string that changes whenever the name of any colour does."""
    return f"{vocabulary} {digest_array(name_table(vocabulary))[:16]}"


def read_dd50(path: Path) -> NDArray[np.uint8]:
    """Read the most probable name of each colour from a ``.mat`` file with one table of 32,768 x 50 probabilities."""
    import scipy.io

    try:
        with open_regular(path, MAX_TABLE) as file:
            content = scipy.io.loadmat(file)
    except Exception as error:  # the reader raises many kinds of errors for a damaged file
        raise BadInput(f"{path} cannot be read as a MATLAB file: {error}") from error
    arrays = {k: np.asarray(v) for k, v in content.items() if not k.startswith("__")}
    tables = [v for v in arrays.values() if v.shape == (STEPS**3, N_NAMES) and v.dtype.kind in "fiu"]
    if len(tables) != 1 or not np.isfinite(tables[0]).all():
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items()) or "nothing"
        raise BadInput(f"{path} contains {shapes}; expected one table of ({STEPS**3}, {N_NAMES}) finite numbers")
    return tables[0].argmax(1).astype(np.uint8)


@dataclass(frozen=True)
class DD50:
    """The released table of colour names as a `relattr.needs.Need`."""

    @property
    def path(self) -> Path:
        return weights_dir() / "DD50_w2c.mat"

    def missing(self) -> str | None:
        if self.path.is_file():
            return None
        return (
            f"needs the table of 50 discriminative colour names, {self.path}: DD50_w2c.mat of Khan et al., CVPR 2013 "
            "(released with the authors' code); or set vocabulary=lattice"
        )

    def fingerprint(self) -> str:
        return vocabulary_fingerprint("DD50") if self.path.is_file() else ""


def _lattice() -> NDArray[np.uint8]:
    """Assign to the centre of each RGB bin of 8 levels the nearest of `lattice_centres` in L*a*b*."""
    step = np.arange(STEPS**3)
    rgb = np.stack([step % STEPS, step // STEPS % STEPS, step // STEPS**2], axis=1) * 8 + 3.5
    lab, names = rgb_to_lab(rgb), lattice_centres()
    distance = (names**2).sum(1) - 2 * lab @ names.T
    return distance.argmin(1).astype(np.uint8)


def lattice_centres() -> NDArray[np.float64]:
    """Return L*, a* and b* of the 50 names: the greys, then the dark, medium and pale hues, each from red on."""
    greys = [(level, 0.0, 0.0) for level in GREYS]
    angles = 2 * np.pi * np.arange(HUES) / HUES
    hues = [(level, c * np.cos(t), c * np.sin(t)) for level, c in LEVELS for t in angles]
    return np.array([*greys, *hues])
