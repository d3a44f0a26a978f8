"""Where the best fixed places on LFW-10 lie, beside the visual chains that Xiao and Lee released.

For five attributes of parts of the face: the place that `best-place` finds on the training images, and the share of the
test images in which its centre lies in the box of a released chain. The chain is the one of their twenty initial chains
whose boxes order most of their validation pairs, with the features of `best-place` on the boxes and a RankSVM on their
training pairs. For comparison the centre of the image, where the transformer of a ViralNet starts as published.

    RELATTR_DATA=... python benchmarks/studies/places.py [--out benchmarks/studies/places.md]

Reads ``lfw10/xiao_lee_chains/<attribute>.mat`` in RELATTR_DATA, from the archive that `chains.py` names, and ends with
a message if it is not there.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from relattr.ranksvm import RankSVM
from relattr.ranksvm.accuracy import count_correct
from relattr.registry import registry
from relattr.run_settings import Run
from relattr.system.atomic import write_text

ATTRIBUTES = ("mouthopen", "smile", "v_teeth", "eyesopen", "vforehead")
SIDE = 250
"""Width and height of the images, px."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write; by default only printed")
    args = parser.parse_args()
    folder = Path(os.environ.get("RELATTR_DATA", ".")) / "lfw10" / "xiao_lee_chains"
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; set RELATTR_DATA to the folder of the datasets")
    registry.discover()
    columns = ("attribute", "best place: centre, side", "held out", "test", "place in box", "image's centre in box")
    lines = [
        "Fixed places on LFW-10 and chains of Xiao and Lee (`python benchmarks/studies/places.py`), in per cent:",
        "accuracy of the best place on held-out training pairs; of `best-place` (three places) on test pairs; share",
        "of the test images in which the centre of the best place, or of the image, is in the box of their best chain.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    print("\n".join(lines))
    for attribute in ATTRIBUTES:
        lines.append(attribute_row(attribute, folder / f"{attribute}.mat"))
        print(lines[-1], flush=True)
    if args.out is not None:
        write_text(args.out, "\n".join(lines) + "\n")


def attribute_row(attribute: str, file: Path) -> str:
    """One row of the table."""
    from scipy.io import loadmat

    dataset: Any = registry.dataset("lfw10").create()
    task = dataset.task(next(name for name in dataset.tasks() if name.attribute == attribute))
    method: Any = registry.method("best-place").create({})
    method.fit(task.train, Run())
    (test,) = task.tests
    correct, ordered = count_correct(method.strength(test.images), test.pairs)
    grid = method.grid
    maps = grid.maps(task.train.images)
    released = loadmat(file)
    chains = list(
        zip(*(released[name].ravel() for name in ("trainBboxesBag", "valBboxesBag", "testBboxesBag")), strict=True)
    )
    number = task.train.images.indices + 1
    accuracies = [chain_accuracy(maps, number, a, b, task.train.pairs, grid.parts) for a, b, _ in chains]
    boxes = chains[int(np.argmax(accuracies))][2]
    boxes = boxes[np.isin(boxes[:, 4], test.images.indices + 1)]
    x0, y0, x1, y1 = method.boxes_[0]
    shares = [inside(boxes, centre) for centre in (((x0 + x1) / 2, (y0 + y1) / 2), (0.5, 0.5))]
    place = f"({(x0 + x1) / 2:.2f}, {(y0 + y1) / 2:.2f}), {x1 - x0:.2f}"
    accuracy = f"{100 * method.validation_accuracy_:.1f} | {100 * correct / ordered:.2f}"
    return f"| {attribute} | {place} | {accuracy} | {100 * shares[0]:.0f} | {100 * shares[1]:.0f} |"


def chain_accuracy(
    maps: torch.Tensor, number: NDArray[Any], train: NDArray[Any], validation: NDArray[Any], pairs: Any, parts: int
) -> float:
    """The validation accuracy of a RankSVM on the boxes of a chain, given the maps of the images of these numbers."""
    boxes = {int(row[4]): row[:4] / SIDE for row in (*train, *validation)}
    x = np.stack([box_features(maps[k], boxes.get(n, (0, 0, 1, 1)), parts) for k, n in enumerate(number.tolist())])
    model = RankSVM(1.0).fit(x, pairs.among(np.flatnonzero(np.isin(number, train[:, 4]))))
    held_out = pairs.among(np.flatnonzero(np.isin(number, validation[:, 4])))
    correct, ordered = count_correct(model.predict(x), held_out)
    return correct / ordered


def box_features(feature_map: torch.Tensor, box: Any, parts: int) -> NDArray[np.float32]:
    """The mean over parts x parts of a box in a feature map ``(c, cells, cells)``, of unit norm."""
    cells = feature_map.shape[1]
    x0, y0 = (min(max(int(part * cells), 0), cells - parts) for part in box[:2])  # boxes may leave the image
    x1, y1 = (max(round(part * cells), start + parts) for part, start in zip(box[2:], (x0, y0), strict=True))
    means = functional.adaptive_avg_pool2d(feature_map[None, :, y0:y1, x0:x1], parts).flatten()
    features: NDArray[np.float32] = functional.normalize(means, dim=0).numpy()
    return features


def inside(boxes: NDArray[Any], centre: tuple[float, float]) -> float:
    """The share of boxes ``(n, 5)``, in px, that a point in units of the image's sides lies in."""
    x, y = (SIDE * part for part in centre)
    return float(((boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])).mean())


if __name__ == "__main__":
    main()
