"""Which features of the patches of visual chains order faces, on the chains that Xiao and Lee released.

Xiao and Lee describe each patch of a chain by a forward pass of their network over it: 60 passes an image, and 420 in
training, which takes hours on a processor. `visual-chains` can cut all of them out of one feature map of the image
instead (``appearance=map``). Here the patches are given, those of the best three released chains
(`released_chains.py`), and only the features differ: HOG; the last feature map of the image; a finer map of a larger
image, the default of ``appearance=map``; and one forward pass per patch. For each, a RankSVM is trained on the
concatenated features of the three patches.

    RELATTR_DATA=... python benchmarks/studies/chain_features.py --out benchmarks/studies/chain_features.md

Training pairs are those of which both images have a box of all three chains, and all test pairs are used. Reads
``lfw10/xiao_lee_chains/<attribute>.mat`` in RELATTR_DATA, and ends with a message if it is not there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from released_chains import N_BEST, Boxes, ReleasedChain, best_chains, chains_folder, released_chains

from relattr import Images, TaskName
from relattr.chains.feature_maps import FeatureMapPatches
from relattr.chains.hog_templates import HogPatches
from relattr.chains.network_patches import NetworkPatches
from relattr.chains.patch_descriptor import PatchDescriptor, l2_normalise
from relattr.execution.determinism import set_threads
from relattr.ranksvm import RankSVM
from relattr.ranksvm.accuracy import pairwise_accuracy
from relattr.registry import registry
from relattr.system.atomic import write_text

ATTRIBUTES = ("mouthopen", "smile", "v_teeth", "eyesopen", "vforehead")
C = 0.1
SIDE = 227
"""Pixels per side of the image whose last map is used, as `visual-chains` did at first."""
CELLS = 2
MIN_SIDE = 0.05
"""Least width and height of what is left of a box in the image, in units of the image's sides."""


def descriptors(backbone: str, threads: int) -> Mapping[str, PatchDescriptor]:
    """The features compared, by what the report calls them."""
    return {
        "HOG of each patch (`appearance=hog`)": HogPatches(threads),
        f"last map of the image at {SIDE} px": FeatureMapPatches(backbone, SIDE, CELLS, layer="conv"),
        "finer map of a larger image (`appearance=map`)": FeatureMapPatches(backbone, None, CELLS),
        "one forward pass per patch (`appearance=patches`)": NetworkPatches(backbone),
    }


def stacked(chains: list[ReleasedChain], parts: tuple[str, ...], numbers: NDArray[Any]) -> tuple[NDArray[Any], Boxes]:
    """The rows of the images that have a box of each chain in these parts, and the boxes ``(k, 4)`` by row.

    Boxes are cut off at the edges of the image; one of which less than `MIN_SIDE` is left does not count.
    """
    merged: list[Boxes] = [{} for _ in chains]
    for boxes, chain in zip(merged, chains, strict=True):
        for part in parts:
            for n, box in getattr(chain, part).items():
                inside = box.clip(0, 1)
                if min(inside[2:] - inside[:2]) >= MIN_SIDE:
                    boxes[n] = inside
    rows = [row for row, n in enumerate(numbers.tolist()) if all(n in boxes for boxes in merged)]
    return np.array(rows), {row: np.stack([boxes[int(numbers[row])] for boxes in merged]) for row in rows}


def described(descriptor: PatchDescriptor, images: Images, boxes: Boxes) -> NDArray[np.float32]:
    """The concatenated features of the boxes of each image, ``(n, d)``; zeros for an image without boxes."""
    data = descriptor.read(images, lambda n: None)
    x = np.zeros((len(images), N_BEST * descriptor.dim), np.float32)
    for row, patches in boxes.items():
        x[row] = descriptor.describe(data, np.array([row]), patches[None]).ravel()
    return l2_normalise(x)


def attribute_rows(attribute: str, backbone: str, folder: Path, threads: int) -> dict[str, float]:
    """The test accuracy, in per cent, by features."""
    task = registry.dataset("lfw10").create({}).task(TaskName("lfw10", attribute, "standard"))
    (test,) = task.tests
    search: Any = registry.method("best-place").create({"backbone": backbone})
    chains = best_chains(released_chains(folder / f"{attribute}.mat"), task.train, search.grid, search.C)[:N_BEST]
    rows, train_boxes = stacked(chains, ("train", "validation"), task.train.images.indices + 1)
    _, test_boxes = stacked(chains, ("test",), test.images.indices + 1)
    pairs = task.train.pairs.among(rows)
    accuracies = {}
    for name, descriptor in descriptors(backbone, threads).items():
        x = described(descriptor, task.train.images, train_boxes)
        ranker = RankSVM(C).fit(x, pairs)
        strengths = ranker.predict(described(descriptor, test.images, test_boxes))
        accuracies[name] = 100 * pairwise_accuracy(strengths, test.pairs)
        print(f"{attribute}, {name}: {accuracies[name]:.2f} %", flush=True)
    return accuracies


def report(command: str, backbone: str, accuracies: Mapping[str, Mapping[str, float]]) -> str:
    """The Markdown file."""
    features = list(next(iter(accuracies.values())))
    header = " | ".join(["features", *accuracies, "mean"])
    lines = [
        "# Features of the patches of visual chains",
        "",
        f"Written by `{command}`. Accuracy in per cent of the ordered test pairs of LFW-10,",
        f"of a RankSVM (C = {C:g}) on the concatenated features of the patches of Xiao and Lee's best {N_BEST}",
        f"released chains; network: {backbone}.",
        "",
        f"| {header} |",
        f"|---{'|---:' * (len(accuracies) + 1)}|",
    ]
    for name in features:
        values = [each[name] for each in accuracies.values()]
        lines.append(f"| {name} | {' | '.join(f'{value:.2f}' for value in [*values, float(np.mean(values))])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attributes", nargs="+", choices=ATTRIBUTES, default=ATTRIBUTES, metavar="NAME")
    parser.add_argument("--backbone", default="efficientnet_lite0", help="the network")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (1)")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write the report there")
    args = parser.parse_args()
    folder = chains_folder()
    registry.discover()
    set_threads(args.threads)
    accuracies = {
        attribute: attribute_rows(attribute, args.backbone, folder, args.threads) for attribute in args.attributes
    }
    command = "python benchmarks/studies/chain_features.py"
    if args.backbone != parser.get_default("backbone"):
        command += f" --backbone {args.backbone}"
    text = report(command, args.backbone, accuracies)
    print(text)
    if args.out:
        write_text(args.out, text)


if __name__ == "__main__":
    main()
