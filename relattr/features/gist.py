"""GIST: mean response of 32 Gabor filters in 4x4 blocks, 512 dimensions.

Oliva & Torralba, "Modeling the Shape of the Scene", IJCV 2001, as implemented by their released ``LMgist`` with the
parameters of Khosla's feature toolbox (and therefore of Parikh & Grauman's OSR data):

1. greyscale is the mean of the channels; the image is resized (bilinear, antialiased) so that its shorter side is 256
   px, the central 256x256 are cropped, and values are stretched to 0..255 (a constant image becomes 0);
2. prefilter: ``log(1 + I)`` minus its low frequencies (Gaussian with a half-height cut-off of 4 cycles per image),
   divided by 0.2 + the local standard deviation under the same Gaussian; computed with 5 px of mirror padding;
3. 32 px of mirror padding; in the Fourier domain, filters of 4 scales and 8 orientations,
   ``exp(-3.5 (f / f_s - 1)^2 - 2 pi t^2)`` with frequency f in cycles per pixel, ``f_s = 0.3 / 1.85^s``, and t the
   angle from the orientation ``-pi o / 8``;
4. mean absolute response in each of 4x4 blocks.

Order: scales from fine to coarse, then orientations, then blocks in column-major order. The feature is not normalised
(its norm is about 1.2 on photographs).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.features.input import read_image
from relattr.images.sequence import ImageSequence, Pixels
from relattr.system.compiled import njit
from relattr.system.malloc import retain_freed_memory

Complex = NDArray[np.complex64]

SIDE, MIRROR = 256, 32
SCALES, ORIENTATIONS, BLOCKS = 4, 8, 4
DIMENSIONS = SCALES * ORIENTATIONS * BLOCKS**2
_PREFILTER_MIRROR, _PREFILTER_CYCLES, _CONTRAST = 5, 4, 0.2


def gist(images: ImageSequence, progress: Callable[[int], object] | None = None) -> NDArray[np.float32]:
    """Return the GIST of each image, ``(n, 512)`` float32; a row depends on its own image only.

    ``progress`` is called with 1 after each image. Raises `BadInput`, naming the image, for invalid pixels.
    """
    features = np.empty((len(images), DIMENSIONS), np.float32)
    with torch.inference_mode(), retain_freed_memory():
        for index in range(len(images)):
            grey = _to_square(read_image(images, index, None, "GIST"))
            features[index] = _block_energies(_prefilter(grey))
            if progress is not None:
                progress(1)
    return features


def _to_square(image: Pixels) -> torch.Tensor:
    """Return the central square as greyscale (256, 256) float32 from 0 to 255."""
    grey = torch.from_numpy(image.astype(np.float32)).mean(2)[None, None]
    height, width = image.shape[:2]
    scale = SIDE / min(height, width)
    size = (max(SIDE, int(height * scale + 0.5)), max(SIDE, int(width * scale + 0.5)))
    if size != (height, width):
        grey = functional.interpolate(grey, size, mode="bilinear", align_corners=False, antialias=True)
    top, left = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    grey = grey[0, 0, top : top + SIDE, left : left + SIDE]
    grey = grey - grey.min()
    return grey * (255 / grey.max().clamp(min=1e-6))


def _prefilter(grey: torch.Tensor) -> torch.Tensor:
    """Whiten the image and normalise its local contrast, (256, 256)."""
    low_pass = _low_pass()
    padded = _mirror_pad(torch.log1p(grey), _PREFILTER_MIRROR)

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x) * low_pass, s=(x.shape[0], x.shape[1]))

    detail = padded - smooth(padded)
    normalised = detail / (_CONTRAST + smooth(detail * detail).abs().sqrt())
    return normalised[_PREFILTER_MIRROR:-_PREFILTER_MIRROR, _PREFILTER_MIRROR:-_PREFILTER_MIRROR]


def _block_energies(image: torch.Tensor) -> NDArray[np.float32]:
    """Return the mean absolute response of each filter in each block, (512,)."""
    spectrum = torch.fft.fft2(_mirror_pad(image, MIRROR)).numpy()
    energies = np.empty((SCALES * ORIENTATIONS, BLOCKS, BLOCKS), np.float32)
    product = torch.empty((2, *spectrum.shape), dtype=torch.complex64)
    response = torch.empty_like(product)
    for k, filters in enumerate(_filters().reshape(-1, 2, *spectrum.shape)):  # two at a time fit into the CPU cache
        _multiply(spectrum, filters, product.numpy())
        torch.fft.ifft2(product, out=response)
        _block_means(response.numpy(), energies[2 * k : 2 * k + 2])
    return energies.transpose(0, 2, 1).reshape(-1)  # blocks in column-major order


@njit(nogil=True, fastmath={"contract"})
def _multiply(spectrum: Complex, filters: NDArray[np.float32], out: Complex) -> None:
    for o in range(filters.shape[0]):
        for y in range(spectrum.shape[0]):
            for x in range(spectrum.shape[1]):
                out[o, y, x] = spectrum[y, x] * filters[o, y, x]


@njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _block_means(response: Complex, out: NDArray[np.float32]) -> None:
    """Compute the mean absolute value in each block of the area without padding."""
    blocks = out.shape[1]
    side = (response.shape[1] - 2 * MIRROR) // blocks
    for o in range(response.shape[0]):
        for i in range(blocks):
            for j in range(blocks):
                total = 0.0
                for y in range(MIRROR + i * side, MIRROR + (i + 1) * side):
                    line = np.float32(0)
                    for x in range(MIRROR + j * side, MIRROR + (j + 1) * side):
                        z = response[o, y, x]
                        line += np.sqrt(z.real * z.real + z.imag * z.imag)
                    total += float(line)
                out[o, i, j] = total / (side * side)


def _mirror_pad(image: torch.Tensor, pad: int) -> torch.Tensor:
    """Pad by ``pad`` px on each side, mirroring the image including its edge pixels."""
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(side), pad, mode="symmetric")) for side in (image.shape[0], image.shape[1])
    )
    return image[rows][:, columns]


@lru_cache(maxsize=1)
def _low_pass() -> torch.Tensor:
    side = SIDE + 2 * _PREFILTER_MIRROR
    fy, fx = np.fft.fftfreq(side)[:, None] * side, np.fft.rfftfreq(side)[None, :] * side  # cycles per image
    square = _PREFILTER_CYCLES**2 / np.log(2)
    return torch.from_numpy(np.exp(-(fx**2 + fy**2) / square).astype(np.float32))


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """Return the transfer functions ``(scales, orientations, side, side)`` float32."""
    side = SIDE + 2 * MIRROR
    f = np.fft.fftfreq(side)
    length, angle = np.hypot(f[:, None], f[None, :]), np.arctan2(f[:, None], f[None, :])
    filters = np.empty((SCALES, ORIENTATIONS, side, side), np.float32)
    for scale in range(SCALES):
        radial = -3.5 * (length / (0.3 / 1.85**scale) - 1) ** 2
        for orientation in range(ORIENTATIONS):
            t = angle + np.pi * orientation / ORIENTATIONS
            t = t + 2 * np.pi * (t < -np.pi) - 2 * np.pi * (t > np.pi)
            sharpness = 16 * ORIENTATIONS**2 / 32**2
            filters[scale, orientation] = np.exp(radial - 2 * np.pi * sharpness * t**2)
    return filters
