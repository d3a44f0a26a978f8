"""Decoding of image files to arrays."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from relattr.errors import BadImage, BadInput
from relattr.images.exif import ORIENTATION, find_orientation
from relattr.images.formats import HEIC_SUFFIXES
from relattr.images.png import essential_chunks
from relattr.system.numbers import parse_integer
from relattr.system.reading import open_regular

FORMATS = ("JPEG", "PNG", "WEBP", *(("AVIF",) if features.check("avif") else ()))
"""What Pillow reads here; HEIC is read if pillow-heif is installed."""
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the value of the EXIF tag (JEITA CP-3451)."""
_MARKS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
MAX_PIXELS = 200_000_000
"""A file whose header states more pixels is rejected before it is decoded. RELATTR_MAX_PIXELS sets another limit."""


def decode(path: Path, max_side: int | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, WebP, AVIF or HEIC file to ``(height, width, 3)`` uint8 RGB.

    The EXIF orientation is applied. Greyscale is repeated on three channels, 16 bits are reduced to 8, CMYK is
    converted to RGB, transparent images are composited on white, and the first frame of an animation is used. An image
    whose longer side exceeds ``max_side`` is downscaled to it. Other metadata, however odd, does not matter. AVIF needs
    a Pillow that reads it, HEIC the package pillow-heif. A JPEG file with more pixels than the limit is decoded at a
    half, a quarter or an eighth of its size if ``max_side`` allows it.

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
        return _decode(path, path, max_side)
    except (BadInput, MemoryError):
        raise
    except UnidentifiedImageError:
        problem = f"{path} is not an image of a supported format: {', '.join(FORMATS)}"
        if path.suffix.lower() in HEIC_SUFFIXES and not _reads_heic():
            problem = f"{path} looks like HEIC, which needs the package pillow-heif: pip install 'relattr[heic]'"
        elif path.suffix.lower() == ".avif" and "AVIF" not in FORMATS:
            problem = f"{path} looks like AVIF, which this version of Pillow does not read; install a newer one"
        elif (begins_like := _format_of_start(path)) is not None:
            problem = f"image {path} is damaged: it begins like a {begins_like} file, but cannot be decoded"
    except Exception as error:  # for damaged files Pillow raises exceptions of many types
        problem = f"image {path} cannot be decoded ({error}); is the file truncated?"
    essential = essential_chunks(path)
    if essential is not None:  # Pillow refuses PNG files for the size or form of texts in them
        with contextlib.suppress(Exception):
            return _decode(essential, path, max_side)
    raise BadImage(problem)


def _decode(source: Path | BytesIO, path: Path, max_side: int | None) -> NDArray[np.uint8]:
    limit = _pixel_limit()
    formats = (*FORMATS, "HEIF") if path.suffix.lower() in HEIC_SUFFIXES and _reads_heic() else FORMATS
    with _quiet(), Image.open(source, formats=formats) as image:
        if image.width * image.height > limit and image.format == "JPEG" and max_side is not None:
            longer = (max_side, 1) if image.width >= image.height else (1, max_side)
            image.draft(None, longer)  # None keeps the mode
        if image.width * image.height > limit:
            raise BadImage(
                f"image {path} has {image.width} x {image.height} pixels; at most {limit:,} are decoded (set "
                "RELATTR_MAX_PIXELS to another limit, or save it smaller or as JPEG)"
            )
        return to_array(image, max_side)


def _format_of_start(path: Path) -> str | None:
    """The format that the first bytes of a file announce; None if they are of no known one."""
    try:
        with open_regular(path) as file:
            start = file.read(12)
    except OSError:
        return None
    if start.startswith(b"RIFF") and start.endswith(b"WEBP"):
        return "WebP"
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)


@cache
def _reads_heic() -> bool:
    """Whether pillow-heif is installed; it is then registered with Pillow."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _pixel_limit() -> int:
    text = os.environ.get("RELATTR_MAX_PIXELS") or str(MAX_PIXELS)
    limit = parse_integer(text)
    if limit is None or limit < 1:
        raise BadInput(f"RELATTR_MAX_PIXELS is {text!r}; expected a number of pixels, such as {MAX_PIXELS}")
    return limit


def to_array(image: Image.Image, max_side: int | None = None) -> NDArray[np.uint8]:
    """Convert a Pillow image to ``(height, width, 3)`` uint8 RGB, as in `decode`."""
    transparent = _transparent_colour(image)  # before the pixels are loaded
    orientation = _orientation(image)
    if orientation is not None:
        image = image.transpose(orientation)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # Pillow would clip these to 255 instead of scaling them
        deep = np.asarray(image, dtype=np.float64)
        grey = np.clip(np.round(deep / 257.0), 0, 255).astype(np.uint8)
        if isinstance(transparent, int):
            grey[deep == transparent] = 255
        image = Image.fromarray(grey)
    elif transparent is not None:
        image.info["transparency"] = transparent
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    image = image.convert("RGB")
    if max_side is not None and max(image.size) > max_side:
        scale = max_side / max(image.size)
        small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(small, Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """How to turn the image, from its metadata."""
    exif = image.info.get("exif")
    value = find_orientation(exif) if isinstance(exif, bytes) else None
    if value is None:  # Pillow also knows XMP, and EXIF in the texts of PNG files
        with contextlib.suppress(Exception):  # damaged metadata
            value = image.getexif().get(ORIENTATION)
    return _TRANSPOSITIONS.get(value) if isinstance(value, int) else None


def _transparent_colour(image: Image.Image) -> Any:
    """The colour, or alpha value of each colour of the palette, that a PNG file declares transparent; None if none.

    Pillow has the value as in the file, where grey may have 1, 2, 4 or 16 bits and colour 16, but scales the pixels.
    """
    colour = image.info.get("transparency")
    tile = getattr(image, "tile", None)  # only images that are read from a file have it
    raw_mode = tile[0][3] if tile else ""
    if isinstance(colour, int) and image.mode in ("1", "L") and isinstance(raw_mode, str):
        return colour * {"1": 255, "L;2": 85, "L;4": 17}.get(raw_mode, 1)
    if isinstance(colour, tuple) and isinstance(raw_mode, str) and ";16" in raw_mode:
        return tuple(value >> 8 for value in colour)
    return colour


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of Pillow about damaged metadata, and its own limit of pixels, in any number of threads.

    `warnings.catch_warnings` saves and restores the filters of the whole process, so with overlapping threads the last
    one would restore the filters that the first has set. Here the first thread to enter sets the filters and the last
    to leave restores them.
    """
    global _n_inside, _saved_filters, _saved_limit
    with _lock:
        if not _n_inside:
            _saved_filters = warnings.catch_warnings()
            _saved_filters.__enter__()
            warnings.simplefilter("ignore")
            _saved_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                _saved_filters.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = _saved_limit


_lock = threading.Lock()
_n_inside = 0
_saved_limit: int | None = None
_saved_filters: warnings.catch_warnings[None]
