"""Lay visual chains beside those that Xiao and Lee released for LFW-10.

Their page (fanyix.github.io, project/discovery/files/chains.tar.gz) has 20 initial chains of each attribute, with boxes
in their training, validation and test images. Ours here are initial chains as well (``k_pert=0``), ranked on the last
map of a network at 227 pixels, averaged over parts of each patch (`chain_features.py` compares features). For both sets
of boxes the same RankSVM is trained on the same features. All pairs of training and validation images whose boxes they
released are used, and all test pairs.

    RELATTR_DATA=... RELATTR_WEIGHTS=... python benchmarks/studies/chains.py [--out benchmarks/studies/chains.md]

The best chain is that of the highest validation accuracy: on our split for ours, on theirs for theirs. Reads
``lfw10/xiao_lee_chains/<attribute>.mat`` in RELATTR_DATA, and ends with a message if it is not there.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from released_chains import Boxes, ReleasedChain, released_chains

from relattr.chains.boxes import box_iou
from relattr.chains.selection import validation_accuracy
from relattr.pairs import Pairs
from relattr.ranksvm import RankSVM
from relattr.ranksvm.accuracy import pairwise_accuracy
from relattr.registry import registry
from relattr.run_settings import Run

C = 0.1


def create_chains(settings: dict[str, Any]) -> Any:
    """The method `visual-chains`; the study uses its descriptors and boxes, which other methods do not have."""
    return registry.method("visual-chains").create(settings)


class AttributeChains:
    """One attribute: our chains, their chains, and rankers on both."""

    def __init__(self, attribute: str, released: list[ReleasedChain], settings: dict[str, Any]) -> None:
        dataset = registry.dataset("lfw10").create()
        self.task = dataset.task(next(name for name in dataset.tasks() if name.attribute == attribute))
        self.train, self.test = self.task.train, self.task.tests[0]
        self.theirs = released
        self.method = create_chains(settings)
        self.method.fit(self.train, Run(threads=2))
        self.descriptor = self.method._descriptors()[0]
        self.data = [self.descriptor.read(part.images, lambda n: None) for part in (self.train, self.test)]
        self.numbers = [part.images.indices + 1 for part in (self.train, self.test)]
        self.ours = [self.method.chain_boxes(part.images) for part in (self.train, self.test)]  # (n, chains, 4)

    def features(self, part: int, boxes: Boxes) -> NDArray[np.float32]:
        """Features ``(n, d)`` of the images of a part; zeros for those without a box."""
        x = np.zeros((len(self.numbers[part]), self.descriptor.dim), np.float32)
        has = np.flatnonzero([n in boxes for n in self.numbers[part].tolist()])
        stacked = np.stack([boxes[n] for n in self.numbers[part][has].tolist()])[:, None]
        x[has] = self.descriptor.describe(self.data[part], has, stacked)[:, 0]
        return x

    def pairs_among(self, boxes: Boxes) -> Pairs:
        """The training pairs of which both images have a box."""
        return self.train.pairs.among(np.flatnonzero([n in boxes for n in self.numbers[0].tolist()]))

    def test_accuracy(self, x: NDArray[Any], pairs: Pairs, x_test: NDArray[Any]) -> float:
        return pairwise_accuracy(RankSVM(C).fit(x, pairs).predict(x_test), self.test.pairs)

    def their_rows(self) -> tuple[list[float], list[float], float]:
        """Validation and test accuracy of each of their chains, and test accuracy of all together."""
        validation, test, blocks, test_blocks = [], [], [], []
        boxed = None
        for train_boxes, validation_boxes, test_boxes in self.theirs:
            boxes = {**train_boxes, **validation_boxes}
            x, x_test = self.features(0, boxes), self.features(1, test_boxes)
            validation.append(
                validation_accuracy(x, self.pairs_among(train_boxes), self.pairs_among(validation_boxes), C)
            )
            test.append(self.test_accuracy(x, self.pairs_among(boxes), x_test))
            blocks.append(x)
            test_blocks.append(x_test)
            boxed = set(boxes) if boxed is None else boxed & set(boxes)
        assert boxed is not None
        pairs = self.pairs_among(dict.fromkeys(boxed, np.zeros(4)))
        return validation, test, self.test_accuracy(np.hstack(blocks), pairs, np.hstack(test_blocks))

    def our_rows(self) -> tuple[list[float], float]:
        """Test accuracy of each of our chains, best first, and of all together, trained on the pairs of theirs."""
        boxes = {**self.theirs[0][0], **self.theirs[0][1]}
        pairs = self.pairs_among(boxes)
        x, x_test = (
            self.descriptor.describe(data, np.arange(len(own)), own)
            for data, own in zip(self.data, self.ours, strict=True)
        )
        test = [
            self.test_accuracy(np.ascontiguousarray(x[:, k]), pairs, np.ascontiguousarray(x_test[:, k]))
            for k in range(x.shape[1])
        ]
        return test, self.test_accuracy(x.reshape(len(x), -1), pairs, x_test.reshape(len(x_test), -1))

    def overlaps(self) -> NDArray[np.float64]:
        """Mean intersection over union on the test images of each of our chains with each of theirs."""
        total = np.zeros((self.ours[1].shape[1], len(self.theirs)))
        for own, number in zip(self.ours[1], self.numbers[1].tolist(), strict=True):
            total += box_iou(own, np.stack([test_boxes[number] for _, _, test_boxes in self.theirs]))
        return total / len(self.numbers[1])

    def chance(self, best: int) -> float:
        """The mean intersection over union of all candidate patches with those of one of their chains."""
        theirs = np.stack([self.theirs[best][2][n] for n in self.numbers[1].tolist()])
        return float(box_iou(self.method.boxes_, theirs).mean())


def centre(boxes: NDArray[np.float64]) -> str:
    """Mean centre and side of boxes ``(n, 4)``, in units of the image."""
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).mean(0)
    return f"{x:.2f}, {y:.2f}, {(boxes[:, 2] - boxes[:, 0]).mean():.2f}"


def study(attribute: str, path: Path, settings: dict[str, Any]) -> list[str]:
    """The lines of the report on one attribute."""
    s = AttributeChains(attribute, released_chains(path), settings)
    validation, their_test, their_all = s.their_rows()
    our_test, our_all = s.our_rows()
    overlaps = s.overlaps()
    best = int(np.argmax(validation))
    their_boxes = np.stack([s.theirs[best][2][n] for n in s.numbers[1].tolist()])
    rows = [
        ("theirs", len(s.theirs), 100 * their_test[best], 100 * max(their_test), 100 * their_all, centre(their_boxes)),
        ("ours", len(our_test), 100 * our_test[0], 100 * max(our_test), 100 * our_all, centre(s.ours[1][:, 0])),
    ]
    return [
        f"## {attribute}: {len(s.test.pairs.images)} test images, {s.test.pairs.n_ordered} ordered pairs",
        "",
        "| chains | number | best on validation | best on test | all together | x, y and side of the best |",
        "|---|---:|---:|---:|---:|---|",
        *(f"| {name} | {n} | {a:.2f} | {b:.2f} | {c:.2f} | {where} |" for name, n, a, b, c, where in rows),
        "",
        f"Mean intersection over union on test images: our best chain with their best {overlaps[0, best]:.2f}; each of "
        f"theirs with the nearest of ours {overlaps.max(0).mean():.2f} on average; any candidate patch with their best "
        f"{s.chance(best):.2f}.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attributes", nargs="+", default=["smile"], help="attributes of LFW-10")
    parser.add_argument("--backbone", default="squeezenet1_0", help="network of the ranking features")
    parser.add_argument("--candidates", type=int, default=300, help="candidate patches of an image, at most")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write the report there")
    args = parser.parse_args()
    registry.discover()
    folder = Path(os.environ.get("RELATTR_DATA", "")) / "lfw10" / "xiao_lee_chains"
    paths = {attribute: folder / f"{attribute}.mat" for attribute in args.attributes}
    missing = [str(path) for path in paths.values() if not path.is_file()]
    if missing:
        print(f"the released chains are not here, nothing to do: {', '.join(missing)} (set RELATTR_DATA)")
        return
    settings = {
        "backbone": args.backbone,
        "appearance": "map",
        "layer": "conv",
        "image_size": 227,
        "max_candidates": args.candidates,
        "k_pert": 0,
        "k_ens": 20,
        "C": C,
    }
    command = (
        f"python benchmarks/studies/chains.py --attributes {' '.join(args.attributes)} --candidates {args.candidates}"
    )
    lines = [
        "# Visual chains beside those of Xiao and Lee",
        "",
        f"Written by `{command}` with `--backbone {args.backbone}`.",
        "Accuracy in per cent of the ordered test pairs, of the same RankSVM (C = 0.1) on the same features: of one",
        "chain, or of all together. Positions are means over the test images, in units of the image's sides.",
        "",
    ]
    for attribute, path in paths.items():
        lines += study(attribute, path, settings)
    text = "\n".join(lines)
    print(text, flush=True)
    if args.out:
        from relattr.system.atomic import write_text

        write_text(args.out, text)


if __name__ == "__main__":
    main()
