"""Images that do not fit into memory: decoded when a batch needs them, ahead of time, by several threads.

465,000 photographs at 256 x 256 pixels are 91 GB. `open_pixels` loads a collection into one tensor if it is small
enough, and streams it otherwise; the pixels are the same. The threads run in parallel because Pillow and torch release
the interpreter's lock while they decode and resize. The order of batches does not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.system.numbers import is_digits
from relattr.training.cropping import load_pixels, resize_image

if TYPE_CHECKING:
    from relattr.images import Images

T = TypeVar("T")

PIXEL_LIMIT = 8 * 1024**3
"""Bytes of images up to which they are loaded into memory, but at most a quarter of the machine's memory.

The environment variable RELATTR_PIXEL_LIMIT overrides both; 0 streams every collection."""
BATCHES_AHEAD = 4
"""How many batches are decoded before they are needed."""


class StreamedPixels:
    """The images as squares of ``side`` pixels, read when they are needed.

    ``pixels[indices]`` with indices ``(k,)`` is ``(k, 3, side, side)`` uint8 on ``device``, the same as from the tensor
    of `load_pixels`. ``workers`` is the number of threads.
    """

    def __init__(self, images: Images, side: int, device: str, workers: int = 1) -> None:
        self.images, self.side, self.workers = images, side, max(1, workers)
        self.device = torch.device(device)
        self.shape = (len(images), 3, side, side)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: torch.Tensor) -> torch.Tensor:
        ((_, pixels),) = self.batches([indices.cpu().numpy()], lambda one: one)
        return pixels

    def batches(
        self, items: Iterable[T], indices_of: Callable[[T], NDArray[np.integer]]
    ) -> Iterator[tuple[T, torch.Tensor]]:
        """Yields each of ``items`` with its images, ``indices_of(item)``; the next ones are decoded in the background.

        An image that cannot be read raises its error when its batch is reached.
        """
        waiting: deque[tuple[T, NDArray[np.integer], list[Future[torch.Tensor]]]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="decode")
        try:
            for item in items:
                images, inverse = np.unique(indices_of(item), return_inverse=True)
                waiting.append((item, inverse, [pool.submit(self._read, k) for k in images.tolist()]))
                if len(waiting) > BATCHES_AHEAD:
                    yield self._collect(*waiting.popleft())
            while waiting:
                yield self._collect(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, index: int) -> torch.Tensor:
        return resize_image(self.images[index], self.side)

    def _collect(
        self, item: T, inverse: NDArray[np.integer], futures: list[Future[torch.Tensor]]
    ) -> tuple[T, torch.Tensor]:
        pixels = torch.empty((len(inverse), self.side, self.side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        decoded = [future.result() for future in futures]
        for row, k in enumerate(inverse.tolist()):
            pixels[row] = decoded[k]
        return item, pixels.to(self.device)


Pixels = torch.Tensor | StreamedPixels
"""All training images: in memory, or streamed. Both have ``shape``, ``device`` and ``pixels[indices]``."""


def open_pixels(
    images: Images,
    side: int,
    device: str,
    *,
    workers: int = 1,
    limit: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Pixels:
    """Load the images if they take at most ``limit`` bytes (default: `pixel_limit`), otherwise stream them.

    ``progress`` is called with the number of images just loaded. Raises `BadInput` for an invalid RELATTR_PIXEL_LIMIT.
    """
    limit = pixel_limit() if limit is None else limit
    if len(images) * 3 * side**2 <= limit:
        return load_pixels(images, side, device, progress)
    if progress is not None:
        progress(len(images))
    return StreamedPixels(images, side, device, workers)


def pixel_limit() -> int:
    """Bytes of images up to which they are loaded into memory; see `PIXEL_LIMIT`."""
    text = os.environ.get("RELATTR_PIXEL_LIMIT")
    if text:
        if not is_digits(text):
            raise BadInput(f"RELATTR_PIXEL_LIMIT is {text!r}; expected a number of bytes")
        return int(text)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(PIXEL_LIMIT, memory // 4)


def with_pixels(
    pixels: Pixels, items: Iterable[T], indices_of: Callable[[T], NDArray[np.integer]]
) -> Generator[tuple[T, torch.Tensor], None, None]:
    """Each of ``items`` with its images ``(k, 3, h, h)``, those of ``indices_of(item)``, on the pixels' device."""
    if isinstance(pixels, StreamedPixels):
        yield from pixels.batches(items, indices_of)
        return
    for item in items:
        yield item, pixels[torch.from_numpy(indices_of(item)).to(pixels.device)]


def chunks(pixels: Pixels, size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """All images in chunks of ``size``, each with its rows."""
    n = pixels.shape[0]
    rows = (slice(start, min(start + size, n)) for start in range(0, n, size))
    if isinstance(pixels, StreamedPixels):
        yield from pixels.batches(rows, lambda part: np.arange(part.start, part.stop))
        return
    for part in rows:
        yield part, pixels[part]
