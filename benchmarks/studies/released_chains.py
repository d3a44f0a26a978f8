"""The visual chains that Xiao and Lee released for LFW-10, and the region that the best of them mark in an image.

A file has 20 initial chains of an attribute: the box of each in their training, validation and test images. Xiao and
Lee (ICCV 2015) do not rank with one chain. Of 400 candidates, the 20 initial chains and 20 perturbations of each, they
keep the 60 that rank their validation pairs best, 15 %, and concatenate the features of all their patches. That share
of the 20 released chains is 3. An image has therefore two regions here: the box of the best chain, and the union of the
boxes of the best three. The best are those whose boxes order most of the validation pairs with the features of
`relattr.backbones.places.MapPlaces` and a RankSVM on the training pairs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.backbones.places import MapPlaces
from relattr.chains.selection import most_accurate, validation_accuracy
from relattr.task import TrainingSet

SIDE = 250
"""Width and height of the images, px."""
N_BEST = 3
"""Chains whose boxes are the wider region: the share of candidates that Xiao and Lee keep."""
Boxes = dict[int, NDArray[np.float64]]
"""The box of each image by its number, x0, y0, x1, y1 in units of the image's sides; boxes may leave the image."""


class ReleasedChain(NamedTuple):
    """The boxes of one chain."""

    train: Boxes
    validation: Boxes
    test: Boxes


def chains_folder() -> Path:
    """The folder of the released files. Raises ``SystemExit``, with a message, if it does not exist."""
    folder = Path(os.environ.get("RELATTR_DATA", ".")) / "lfw10" / "xiao_lee_chains"
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; set RELATTR_DATA to the folder of the datasets")
    return folder


def released_chains(path: Path) -> list[ReleasedChain]:
    """The chains in a released file."""
    from scipy.io import loadmat

    content = loadmat(path)
    parts = (content[name].ravel() for name in ("trainBboxesBag", "valBboxesBag", "testBboxesBag"))
    return [ReleasedChain(*map(_by_number, rows)) for rows in zip(*parts, strict=True)]


def _by_number(rows: NDArray[Any]) -> Boxes:
    """The boxes of rows x0, y0, x1, y1 in px and image number."""
    return {int(row[4]): np.asarray(row[:4], np.float64) / SIDE for row in rows}


def best_chains(chains: Sequence[ReleasedChain], train: TrainingSet, grid: MapPlaces, C: float) -> list[ReleasedChain]:
    """The chains by their validation accuracy, best first, of a RankSVM with this ``C``."""
    maps = grid.load(train.images)
    numbers = train.images.indices + 1
    accuracies = []
    for chain in chains:
        boxes = {**chain.train, **chain.validation}
        x = np.zeros((len(numbers), grid.dim), np.float32)
        for row, number in enumerate(numbers.tolist()):
            if number in boxes:
                x[row] = box_features(maps[row], boxes[number], grid.parts)
        training, validation = (train.pairs.among(np.flatnonzero(np.isin(numbers, list(part)))) for part in chain[:2])
        accuracies.append(validation_accuracy(x, training, validation, C))
    return [chains[k] for k in most_accurate(np.array(accuracies), len(chains)).tolist()]


def box_features(feature_map: torch.Tensor, box: NDArray[np.floating[Any]], parts: int) -> NDArray[np.float32]:
    """The mean over parts x parts of a box in a feature map ``(c, cells, cells)``, of unit norm."""
    cells = feature_map.shape[1]
    x0, y0 = (min(max(int(part * cells), 0), cells - parts) for part in box[:2])
    x1, y1 = (max(round(part * cells), start + parts) for part, start in zip(box[2:], (x0, y0), strict=True))
    means = functional.adaptive_avg_pool2d(feature_map[None, :, y0:y1, x0:x1], parts).flatten()
    features: NDArray[np.float32] = functional.normalize(means, dim=0).numpy()
    return features


def share_inside(
    centres: NDArray[np.floating[Any]], numbers: NDArray[np.integer[Any]], chains: Sequence[ReleasedChain]
) -> float:
    """The share of test images whose centre ``(n, 2)``, x and y in [0, 1], lies in the box of any of these chains.

    ``numbers`` ``(n,)`` are those of the images. Images without a box of any chain are left out.
    """
    n_inside = n_images = 0
    for centre, number in zip(centres, numbers.tolist(), strict=True):
        boxes = [chain.test[number] for chain in chains if number in chain.test]
        n_images += bool(boxes)
        n_inside += any(((box[:2] <= centre) & (centre <= box[2:])).all() for box in boxes)
    return n_inside / n_images if n_images else float("nan")
