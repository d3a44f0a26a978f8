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
_NEGLIGIBLE = 2e-7


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
    waves = _low_waves()
    padded = _mirror_pad(torch.log1p(grey), _PREFILTER_MIRROR)
    padded -= padded.mean()  # less rounding

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return waves @ (waves.T @ x @ waves) @ waves.T

    detail = padded - smooth(padded)
    normalised = detail / (_CONTRAST + smooth(detail * detail).abs().sqrt())
    return normalised[_PREFILTER_MIRROR:-_PREFILTER_MIRROR, _PREFILTER_MIRROR:-_PREFILTER_MIRROR]


def _block_energies(image: torch.Tensor) -> NDArray[np.float32]:
    """Return the mean absolute response of each filter in each block, (512,).

    The inverse transforms leave out what does not count: columns of frequencies that a filter does not pass, and rows
    of the padding. A shift of all frequencies does not change the absolute values, so that each window of frequencies
    may start at 0, and the alternating signs put the zero frequency into the middle.
    """
    padded = _mirror_pad(image.T, MIRROR)  # x first
    spectrum = torch.fft.fft2(padded * _alternating_signs()).numpy()
    side = len(spectrum)
    energies = np.empty((SCALES * ORIENTATIONS, BLOCKS, BLOCKS), np.float32)
    product = torch.empty((side, side), dtype=torch.complex64)
    columns = torch.empty_like(product)
    rows = torch.empty((SIDE, side), dtype=torch.complex64)
    response = torch.empty_like(rows)
    for k, (x, y, window) in enumerate(_windows()):
        n = len(window)
        _multiply(spectrum[x : x + n, y : y + window.shape[1]], window, product.numpy())
        torch.fft.ifft(product[:n], out=columns[:n])
        rows[:, :n] = columns[:n, MIRROR:-MIRROR].T
        rows[:, n:] = 0
        torch.fft.ifft(rows, out=response)
        _block_means(response.numpy(), energies[k])
    return energies.transpose(0, 2, 1).reshape(-1)  # blocks in column-major order


@njit(nogil=True, fastmath={"contract"})
def _multiply(spectrum: Complex, window: NDArray[np.float32], out: Complex) -> None:
    """Multiply the frequencies of a window, and write them from the first column of ``out`` on, followed by zeros."""
    n, width = window.shape
    for i in range(n):
        for j in range(width):
            out[i, j] = spectrum[i, j] * window[i, j]
        out[i, width:] = 0


@njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _block_means(response: Complex, out: NDArray[np.float32]) -> None:
    """Compute the mean absolute value in each block of rows (256, 320) of the image with 32 px of padding."""
    blocks = len(out)
    side = len(response) // blocks
    for i in range(blocks):
        for j in range(blocks):
            total = 0.0
            for y in range(i * side, (i + 1) * side):
                # A slice, since an index with an offset could be negative for the compiler, which prevents SIMD.
                values = response[y, MIRROR + j * side : MIRROR + (j + 1) * side]
                line = np.float32(0)
                for x in range(side):
                    z = values[x]
                    line += np.sqrt(z.real * z.real + z.imag * z.imag)
                total += float(line)
            out[i, j] = total / (side * side)


def _mirror_pad(image: torch.Tensor, pad: int) -> torch.Tensor:
    """Pad by ``pad`` px on each side, mirroring the image including its edge pixels."""
    for axis in (0, 1):
        before, after = image.narrow(axis, 0, pad), image.narrow(axis, image.shape[axis] - pad, pad)
        image = torch.cat([before.flip(axis), image, after.flip(axis)], axis)
    return image


@lru_cache(maxsize=1)
def _alternating_signs() -> torch.Tensor:
    side = SIDE + 2 * MIRROR
    sign = 1 - 2 * (torch.arange(side) % 2)
    return (sign[:, None] * sign).to(torch.float32)


@lru_cache(maxsize=1)
def _low_waves() -> torch.Tensor:
    """Return cosines and sines as columns (266, 41) whose product ``W W'`` is the Gaussian low-pass along one axis.

    Frequencies with a transfer below 1e-8 are left out.
    """
    side = SIDE + 2 * _PREFILTER_MIRROR
    square = _PREFILTER_CYCLES**2 / np.log(2)
    f = np.arange(1, int(np.sqrt(square * np.log(1e8))) + 1)  # cycles per image
    amplitude = np.sqrt(2 * np.exp(-(f**2) / square) / side)
    phase = 2 * np.pi * np.arange(side)[:, None] * f / side
    constant = np.full((side, 1), np.sqrt(1 / side))
    waves = np.concatenate([constant, amplitude * np.cos(phase), amplitude * np.sin(phase)], axis=1)
    return torch.from_numpy(waves.astype(np.float32))


@lru_cache(maxsize=1)
def _windows() -> list[tuple[int, int, NDArray[np.float32]]]:
    """Return, for each filter, the smallest window of the centred spectrum outside which it passes less than 2e-7.

    That is below the rounding errors of a transform of 320 x 320 values. Each is the first column and row, in x and y,
    and the transfer function ``(columns, rows)``.
    """
    side = SIDE + 2 * MIRROR
    windows = []
    for transfer in np.fft.fftshift(_filters().reshape(SCALES * ORIENTATIONS, side, side), axes=(1, 2)):
        passed = transfer.T > _NEGLIGIBLE
        x, y = (np.flatnonzero(passed.any(axis)) for axis in (1, 0))
        windows.append((int(x[0]), int(y[0]), transfer.T[x[0] : x[-1] + 1, y[0] : y[-1] + 1].copy()))
    return windows


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
