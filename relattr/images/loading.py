"""`load_images`: an `Images` from a folder, files, Pillow images or arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadImage, BadInput, shortened
from relattr.images import MAX_STORED_SIDE, ArraySource, FileSource, Images
from relattr.images.formats import HEIC_SUFFIXES

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageLike: TypeAlias = str | os.PathLike[str] | Image | NDArray[np.uint8]
    ImagesLike: TypeAlias = Images | ImageLike | Iterable[ImageLike]

SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", *HEIC_SUFFIXES))
"""Suffixes, in lower case, of the files that are taken from a folder."""


def load_images(images: ImagesLike, *, keep_decoded: bool = True) -> Images:
    """Open images, which are decoded when they are read.

    Parameters
    ----------
    images : folder, image, or several images
        From a folder and its subfolders, all JPEG, PNG, WebP, AVIF and HEIC files are taken, in the order of their
        paths. An image is the path of a file, a Pillow image, or a uint8 array ``(height, width, 3)`` RGB or
        ``(height, width)`` grey. Several are a sequence, a pandas Series or any other iterable of them. An `Images` is
        returned as it is.
    keep_decoded : bool
        Whether decoded files are kept in the cache folder, which makes reading them again fast.

    Returns an `Images`, whose ``names`` are the paths of the files below the folder that they share. Raises `BadInput`
    for a folder without images, `BadImage` for a file that does not exist, an array that is not an image, or a Pillow
    image whose values have an unknown range (mode F, or I without a value above 255).

    Examples
    --------
    >>> import numpy as np
    >>> images = load_images([np.zeros((40, 60, 3), np.uint8), np.full((50, 50), 255, np.uint8)])
    >>> len(images), images[1].shape
    (2, (50, 50, 3))
    """
    if isinstance(images, Images):
        return images
    limit = None if keep_decoded else 0
    if isinstance(images, (str, os.PathLike)) and os.path.isdir(images):
        folder = Path(os.path.abspath(images))  # the same folder after a change of the working folder
        names = list_image_files(folder)
        if not names:
            raise BadInput(f"{folder} has no image: no file in it ends in {', '.join(sorted(SUFFIXES))}")
        return Images(FileSource(folder, names), limit=limit)
    several = not isinstance(images, (str, os.PathLike)) and not _is_single(images)
    if not several:
        images = [images]  # type: ignore[list-item]
    if not isinstance(images, Iterable) or isinstance(images, Mapping):
        raise BadInput(
            f"cannot load images from {shortened(repr(images))}; expected a folder, or a sequence of paths, Pillow "
            "images or arrays"
        )
    if not isinstance(images, (Sequence, np.ndarray)):
        images = list(images)
    if all(isinstance(image, (str, os.PathLike)) for image in images):
        return _open_files([Path(image) for image in images], limit, several=several)  # type: ignore[arg-type]
    return Images(ArraySource(*_as_arrays(images)))


def list_image_files(folder: Path) -> list[str]:
    """The image files below a folder, as sorted paths relative to it; hidden files and folders are left out."""
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(parent).relative_to(folder)
        names += [(below / name).as_posix() for name in files if _is_image_file(name)]
    return sorted(names)


def _is_image_file(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _is_single(image: Any) -> bool:
    """Whether this is a Pillow image, or an array of one image."""
    return hasattr(image, "getexif") or (isinstance(image, np.ndarray) and image.ndim in (2, 3))


def _open_files(paths: Sequence[Path], limit: int | None, *, several: bool) -> Images:
    for path in paths:
        if not path.is_file():
            if path.is_dir():
                raise BadImage(f"{path} is a folder; expected an image file")
            raise BadImage(f"{path} does not exist; expected {'an image file' if several else 'a folder or an image'}")
    absolute = [Path(os.path.abspath(path)) for path in paths]
    if not absolute:
        return Images(ArraySource([]))
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    names = [path.relative_to(root).as_posix() for path in absolute]
    position = {name: k for k, name in enumerate(dict.fromkeys(names))}  # a file may be given more than once
    images = Images(FileSource(root, list(position)), limit=limit)
    return images.subset([position[name] for name in names]) if len(position) < len(names) else images


def _as_arrays(images: Sequence[Any] | NDArray[Any]) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The pixels and the name of each image."""
    arrays, names = [], []
    width = len(str(len(images) - 1))
    for k, image in enumerate(images):
        name = f"image-{k:0{width}d}"
        if isinstance(image, (str, os.PathLike)):
            from relattr.images.decode import decode

            name, array = f"{name} ({Path(image).name})", decode(Path(image), MAX_STORED_SIDE)
        else:
            array = _pixels(image, name)
        arrays.append(array)
        names.append(name)
    return arrays, names


def _pixels(image: Any, name: str) -> NDArray[np.uint8]:
    """The pixels of a Pillow image or an array, at most `MAX_STORED_SIDE` wide and high like those of a file."""
    from PIL import Image

    from relattr.images.decode import to_array

    if isinstance(image, Image.Image):
        _check_range(image, name)
        return to_array(image, MAX_STORED_SIDE)
    if not isinstance(image, np.ndarray):
        raise BadImage(f"{name} has the type {type(image).__name__}; expected a path, a Pillow image or a uint8 array")
    if image.dtype != np.uint8 or not image.size or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise BadImage(f"{name} is {image.dtype} {image.shape}; expected uint8 (height, width, 3) or (height, width)")
    return to_array(Image.fromarray(np.ascontiguousarray(image)), MAX_STORED_SIDE)


def _check_range(image: Image, name: str) -> None:
    """Raise `BadImage` for a Pillow image whose values would be read in another range than they have.

    Pillow reads 16-bit files in the mode ``I``; a program may also make such images, or those of mode ``F``, from
    values between 0 and 1 or 255, which would be nearly black.
    """
    if image.mode == "F":
        raise BadImage(f"{name} has the mode F, floating point, of unknown range; expected 8 bits, mode RGB or L")
    if image.mode == "I" and 0 < np.asarray(image).max(initial=0) < 256:
        raise BadImage(
            f"{name} has the mode I, which is read as 16 bits, but no value above 255; if they are 8 bits, use "
            "convert('L')"
        )
