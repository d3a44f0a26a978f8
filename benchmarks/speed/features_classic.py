"""Compare the speed of the hand-crafted features with common alternatives, on one thread.

    python benchmarks/speed/features_classic.py

Everything is measured in one run on the same seeded 256 x 256 colour images; each figure is the best of several
rounds, in which ours and the peer take turns. Nothing is printed before both have compiled and warmed up.

*HOG, lattice*: 32 x 32 cells of 8 px, each side's own definition. scikit-image: one vote per pixel for its own cell,
9 orientations, blocks of 2x2 cells with L2-Hys, strongest channel of colour (and, beside it, its cheapest form:
one grey channel). Ours does more with as many cells: bilinear voting, 18 directions + 9 orientations, four
normalisations and textures, on colour.
*HOG, dense*: the descriptors that the feature really uses, 43 x 43 stacks of 2x2 cells on a 6 px grid, no two
cells alike. scikit-image has no such thing.
*LLC*: codes of the same descriptors in the same 256 words. The peer finds the nearest words of all descriptors
at once with a matrix product and argpartition, then solves k x k systems one by one; same codes to 1e-4.
*LBP*: the whole feature, whose patterns are scikit-image's.
*GIST*: the 32 filters after the prefilter against a loop of NumPy's Fourier transforms, one filter at a time; same
numbers to 1e-3.
*Colour*: the histograms and patches; there is no peer. A process with few images computes L*a*b* with scikit-image
alone, because importing numba would take longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from relattr.features import lab
from relattr.features.color_names import color_histogram
from relattr.features.color_patches import ColorPatches
from relattr.features.hog import dense_hog, stacked_hog
from relattr.features.hog2x2 import HOG2x2
from relattr.features.lab import lab_histogram
from relattr.features.lbp import lbp
from relattr.features.llc import encode_llc
from relattr.system.compiled import COMPILE_FROM

Array = npt.NDArray[np.floating]
Row = dict[str, Any]


def pictures(n: int = 16, size: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Colour images (n, size, size, 3) with the 1/f spectrum of photographs."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    common = np.fft.rfft2(rng.normal(size=(n, 1, size, size)))  # the channels of a photograph are much alike
    own = np.fft.rfft2(rng.normal(size=(n, 3, size, size)))
    images = np.fft.irfft2((common + 0.5 * own) / frequency, s=(size, size))
    images /= images.std(axis=(2, 3), keepdims=True)
    return np.clip(128 + 50 * images, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1).copy()


def codes_by_loop(descriptors: Array, words: Array, k: int, beta: float) -> tuple[npt.NDArray[np.intp], Array]:
    """LLC as it is usually written: one small linear system after the other."""
    distances = np.sum(words * words, axis=1) - 2 * descriptors @ words.T
    nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
    weights = np.empty(nearest.shape, dtype=descriptors.dtype)
    ones = np.ones(k, dtype=descriptors.dtype)
    for i, (x, index) in enumerate(zip(descriptors, nearest, strict=True)):
        z = words[index] - x
        c = z @ z.T
        c.flat[:: k + 1] += beta * np.trace(c)
        w = np.linalg.solve(c, ones)
        weights[i] = w / w.sum()
    return nearest, weights


def seconds(functions: list[Callable[[], object]], rounds: int = 5) -> list[float]:
    """The best time of each function; they take turns, so that a busy machine is busy for all of them."""
    best = [np.inf] * len(functions)
    for function in functions:
        function()
    for _ in range(rounds):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def row(name: str, ours: float, peer: float | None, unit: str, note: str) -> Row:
    """One line of the table; ``ours`` and ``peer`` are rates, higher is better."""
    ratio = None if peer is None else ours / peer
    return {"name": name, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, "note": note}


def hog_rows(images: npt.NDArray[np.uint8]) -> list[Row]:
    """HOG on a lattice against scikit-image, and the dense stacks."""
    from skimage.feature import hog

    few = images[:4]  # scikit-image is slow enough to be timed on these
    grey = few.mean(axis=3).astype(np.uint8)
    settings: dict[str, Any] = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2)}
    ours, dense, colour_peer, grey_peer = seconds(
        [
            lambda: dense_hog(images, stride=8, pad=16),
            lambda: stacked_hog(images),
            lambda: [hog(image, channel_axis=-1, **settings) for image in few],
            lambda: [hog(image, **settings) for image in grey],
        ]
    )
    rate, peers = len(images) / ours, (len(few) / colour_peer, len(few) / grey_peer)
    stacks = stacked_hog(images[0])[0].shape[0]
    return [
        row("HOG lattice, colour", rate, peers[0], "images/s", "peer: scikit-image, colour; 1,024 cells each"),
        row("HOG lattice, peer grey", rate, peers[1], "images/s", "peer: scikit-image, one channel; ours colour"),
        row("HOG 2x2 dense", len(images) / dense, None, "images/s", f"{stacks} descriptors of 124 an image, step 6"),
        row("HOG 2x2 dense", len(images) * stacks / dense, None, "descriptors/s", "4 separate cells each"),
    ]


def llc_rows(images: npt.NDArray[np.uint8], k: int = 3, beta: float = 0.03) -> list[Row]:
    """LLC against a loop over descriptors."""
    descriptors = stacked_hog(images)[0].reshape(-1, 124)
    words = descriptors[np.random.default_rng(1).choice(len(descriptors), 256, replace=False)].copy()
    descriptors = descriptors[:8192]

    index, weights = encode_llc(descriptors, words, k, beta)
    peer_index, peer_weights = codes_by_loop(descriptors, words, k, beta)
    codes = np.zeros((2, len(descriptors), len(words)), dtype=np.float32)
    np.put_along_axis(codes[0], index.astype(np.intp), weights, axis=1)
    np.put_along_axis(codes[1], peer_index, peer_weights, axis=1)
    different = float(np.mean(np.abs(codes[0] - codes[1]).max(axis=1) > 1e-4))
    if different > 1e-3:  # equally near words may be chosen differently, nothing else
        raise RuntimeError(f"{different:.2%} of the codes are not the peer's: these timings compare different work")

    ours, peer = seconds(
        [lambda: encode_llc(descriptors, words, k, beta), lambda: codes_by_loop(descriptors, words, k, beta)]
    )
    each = [1e6 * t / len(descriptors) for t in (ours, peer)]
    note = f"peer: loop of np.linalg.solve; {each[0]:.1f} against {each[1]:.1f} microseconds a descriptor"
    return [row("LLC, 256 words", len(descriptors) / ours, len(descriptors) / peer, "descriptors/s", note)]


def lbp_rows(images: npt.NDArray[np.uint8]) -> list[Row]:
    """The whole LBP feature, whose patterns are computed by scikit-image."""
    (whole,) = seconds([lambda: lbp(images)])
    return [row("LBP feature, whole", len(images) / whole, None, "images/s", "three levels of 59 patterns: 1,239-d")]


def gist_by_loop(grey: Array) -> Array:
    """The energies of 32 filters in 16 blocks of a prefiltered image (256, 256), as usually written in NumPy."""
    padded = np.pad(grey, 32, mode="symmetric")
    f = np.fft.fftfreq(320)
    length, angle = np.hypot(f[:, None], f[None, :]), np.arctan2(f[:, None], f[None, :])
    spectrum = np.fft.fft2(padded)
    found = []
    for scale in range(4):
        for orientation in range(8):
            t = angle + np.pi * orientation / 8
            t = t - 2 * np.pi * (t > np.pi)
            g = np.exp(-3.5 * (length / (0.3 / 1.85**scale) - 1) ** 2 - 2 * np.pi * t**2)
            response = np.abs(np.fft.ifft2(spectrum * g))[32:-32, 32:-32]
            found.append(response.reshape(4, 64, 4, 64).mean((1, 3)).T.ravel())
    return np.concatenate(found)


def gist_rows(images: npt.NDArray[np.uint8]) -> list[Row]:
    """GIST against a loop over filters."""
    import torch

    from relattr.features import gist as module

    torch.set_num_threads(1)
    prefiltered = [module._prefilter(module._to_square(image)) for image in images[:4]]
    expected = gist_by_loop(prefiltered[0].numpy().astype(np.float64))
    if np.abs(module._block_energies(prefiltered[0]) / expected - 1).max() > 1e-3:
        raise RuntimeError("the peer computes another GIST: these timings compare different work")
    ours, peer, whole = seconds(
        [
            lambda: [module._block_energies(x) for x in prefiltered],
            lambda: [gist_by_loop(x.numpy()) for x in prefiltered],
            lambda: module.gist(list(images)),
        ],
        rounds=3,
    )
    n = len(prefiltered)
    return [
        row(
            "GIST filters",
            n / ours,
            n / peer,
            "images/s",
            "peer: NumPy, filters rebuilt for each image as in most ports",
        ),
        row("GIST feature, whole", len(images) / whole, None, "images/s", "resize, prefilter, 32 filters: 512-d"),
    ]


def color_rows(images: npt.NDArray[np.uint8]) -> list[Row]:
    """Colour histograms and patches."""
    every = list(images)
    patches = ColorPatches().fit(every, seed=0)
    (first,) = seconds([lambda: lab_histogram(every)], rounds=2)
    loop: Any = lab._count_certain
    _ = loop.dispatcher  # compiles it, as a process with more images does
    names, later, whole = seconds(
        [lambda: color_histogram(every), lambda: lab_histogram(every), lambda: patches.transform(every)], rounds=3
    )
    n, each = len(every), patches.count(*every[0].shape[:2])
    n_first = COMPILE_FROM // every[0].size
    return [
        row("colour names histogram", n / names, None, "images/s", "50-d"),
        row("L*a*b* histogram", n / later, None, "images/s", "30-d"),
        row(
            "L*a*b*, few images", n / first, None, "images/s", f"the first {n_first} of a process: nothing is compiled"
        ),
        row("colour patches, whole", n / whole, None, "images/s", f"{each} patches an image, LLC, pyramid: 5,376-d"),
    ]


def pipeline_rows(images: npt.NDArray[np.uint8]) -> list[Row]:
    """The whole 5,376-d feature."""
    feature = HOG2x2().fit(images, seed=0)
    (ours,) = seconds([lambda: feature.transform(images)])
    return [row("HOG 2x2 feature, whole", len(images) / ours, None, "images/s", "HOG, LLC, pyramid: 5,376-d")]


def run() -> list[Row]:
    """All rows: dicts of name, ours, peer (or None), unit (rates), ratio (or None), note."""
    from threadpoolctl import threadpool_limits

    images = pictures()
    with threadpool_limits(limits=1):
        return (
            hog_rows(images)
            + llc_rows(images)
            + pipeline_rows(images)
            + lbp_rows(images)
            + gist_rows(images)
            + color_rows(images)
        )


def main() -> None:
    """Print the table."""
    print(f"{'':26}{'ours':>12}{'peer':>12}  {'unit':15}{'ratio':>7}  note")
    for r in run():
        peer = "-" if r["peer"] is None else f"{r['peer']:,.0f}"
        ratio = "-" if r["ratio"] is None else f"{r['ratio']:.1f}"
        print(f"{r['name']:26}{r['ours']:>12,.0f}{peer:>12}  {r['unit']:15}{ratio:>7}  {r['note']}")


if __name__ == "__main__":
    main()
