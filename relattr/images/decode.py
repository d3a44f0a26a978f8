"""Decoding of image files to arrays."""

from __future__ import annotations

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from relattr.errors import BadImage

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 100_000_000
"""A file whose header states more pixels is rejected before it is decoded."""


def decode(path: Path, max_side: int | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or WebP file to ``(height, width, 3)`` uint8 RGB.

    The EXIF orientation is applied. Greyscale is repeated on three channels, 16 bits are reduced to 8, CMYK is
    converted to RGB, transparent images are composited on white, and the first frame of an animation is used. An image
    whose longer side exceeds ``max_side`` is downscaled to it.

    Raises `BadImage`, which names the file, if it is missing, empty, truncated, too large or not in one of these
    formats.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise BadImage(f"cannot read image {path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise BadImage(f"image {path} is not a file")
    if status.st_size == 0:
        raise BadImage(f"image {path} is empty (0 bytes)")
    try:
        with _quiet(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(
                    f"image {path} has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are supported"
                )
            return to_array(image, max_side)
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BadImage(f"{path} is not an image of a supported format: {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise BadImage(f"image {path} is too large: {error}") from error
    except Exception as error:  # for damaged files Pillow raises exceptions of many types
        raise BadImage(f"image {path} cannot be decoded ({error}); is the file truncated?") from error


def to_array(image: Image.Image, max_side: int | None = None) -> NDArray[np.uint8]:
    """Convert a Pillow image to ``(height, width, 3)`` uint8 RGB, as in `decode`."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # Pillow would clip these to 255 instead of scaling them
        deep = np.asarray(image, dtype=np.float64)
        image = Image.fromarray(np.clip(np.round(deep / 257.0), 0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    image = image.convert("RGB")
    if max_side is not None and max(image.size) > max_side:
        scale = max_side / max(image.size)
        small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(small, Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings, such as those of Pillow about damaged metadata and large sizes, in any number of threads.

    `warnings.catch_warnings` saves and restores the filters of the whole process, so with overlapping threads the last
    one would restore the filters that the first has set. Here the first thread to enter sets the filters and the last
    to leave restores them.
    """
    global _n_inside, _saved_filters
    with _lock:
        if not _n_inside:
            _saved_filters = warnings.catch_warnings()
            _saved_filters.__enter__()
            warnings.simplefilter("ignore")
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                _saved_filters.__exit__(None, None, None)


_lock = threading.Lock()
_n_inside = 0
_saved_filters: warnings.catch_warnings[None]
