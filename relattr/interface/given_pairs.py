"""Pairs of images as users write them: by index, by name, or by the paths of the files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from relattr.bounds import MAX_SEED, is_integer
from relattr.errors import BadInput, UnknownName, shortened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from relattr.images import Images
    from relattr.images.loading import ImagesLike
    from relattr.pairs import Pairs

EXPECTED = (
    "expected (n, 2) indices, names or paths of the images, or a relattr.Pairs. To compare two images: "
    "model.compare([a, b], [(0, 1)])"
)


def as_pairs(pairs: Pairs | ArrayLike, images: Images, given: ImagesLike = ()) -> Pairs:
    """The pairs, or those of ``(n, 2)`` indices, names or paths of images.

    ``given`` is what the images were opened from, whose paths are names too. Raises `BadInput` for anything else than
    pairs, for an index beyond the images, and for a name that several have; `UnknownName` for one that none has.
    """
    import numpy as np

    from relattr.pairs import Pairs

    n_images = len(images)
    if isinstance(pairs, Pairs):
        largest = int(pairs.images.max(initial=-1))
        if largest >= n_images:
            raise BadInput(f"a pair has image index {largest}, but there are {n_images} images")
        return pairs
    array = _as_array(pairs)
    indices = array if array.dtype.kind in "iu" else _Positions(images, given).of(array)
    outside = indices[(indices < 0) | (indices >= n_images)]
    if outside.size:
        raise BadInput(f"a pair has the image index {outside[0]}; expected 0 to {n_images - 1}, for {n_images} images")
    return Pairs(indices[:, 0], indices[:, 1], np.zeros(len(indices), np.int8), n_images=n_images)


def _as_array(pairs: Any) -> NDArray[Any]:
    """Pairs as ``(n, 2)`` integers, or as objects."""
    import numpy as np

    try:
        array = np.asarray(pairs)
        if array.dtype.kind not in "iu":  # of a name and an index, NumPy would make two texts
            array = np.asarray(pairs, dtype=object)
    except ValueError:  # rows of several lengths
        raise BadInput(f"pairs are {shortened(repr(pairs))}; {EXPECTED}") from None
    if array.size == 0:
        return np.zeros((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        shape = f" of shape {array.shape}" if array.ndim else ""
        raise BadInput(f"pairs are {shortened(repr(pairs))}{shape}; {EXPECTED}")
    return array


class _Positions:
    """The position of each image by its name, and by the path that it was opened from."""

    def __init__(self, images: Images, given: ImagesLike) -> None:
        self._names = images.names
        self._counts = Counter(self._names)
        self._by_name = {name: k for k, name in enumerate(self._names)}
        self._by_path = _positions_of_paths(given, self._names)

    def of(self, items: NDArray[np.object_]) -> NDArray[np.int64]:
        import numpy as np

        return np.array([[self._position(item) for item in row] for row in items.tolist()], np.int64)

    def _position(self, item: Any) -> int:
        if is_integer(item, -MAX_SEED, MAX_SEED):
            return int(item)
        if not isinstance(item, (str, os.PathLike)):
            raise BadInput(f"a pair has {shortened(repr(item))}, of type {type(item).__name__}; {EXPECTED}")
        name = os.fspath(item)
        if self._counts[name] > 1:
            raise BadInput(f"{self._counts[name]} images are called {name}; give the indices of the pair")
        position = self._by_name.get(name, self._by_path.get(os.path.abspath(name)))
        if position is None:
            raise UnknownName("image", name, self._names)
        return position


def _positions_of_paths(given: ImagesLike, names: Iterable[str]) -> dict[str, int]:
    """The position of each image that was given by its path, or that is in the folder that was given."""
    from relattr.images import Images

    if isinstance(given, (str, os.PathLike)):
        is_folder = os.path.isdir(given)
        paths = [os.path.join(given, name) if is_folder else os.fspath(given) for name in names]
        return {os.path.abspath(path): k for k, path in enumerate(paths)}
    positions: dict[str, int] = {}
    if isinstance(given, Images) or not isinstance(given, Iterable):
        return positions
    for k, item in enumerate(given):
        if isinstance(item, (str, os.PathLike)):
            positions.setdefault(os.path.abspath(item), k)
    return positions
