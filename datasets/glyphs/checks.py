"""What `relattr data verify glyphs` looks at."""

from __future__ import annotations

import math

import numpy as np

from relattr.dataset import VerificationResult

from . import Glyphs
from .classes import picture_seed
from .draw import draw
from .scene import CATEGORIES, scene
from .scores import heavy

_REDRAWN = 8


def findings(data: Glyphs) -> list[VerificationResult]:
    """Counts, redrawing, disjoint draws, boxes, tail and categories of a `Glyphs` with these parameters."""
    train, test = data.scenes["train"], data.scenes["test"]
    found = [
        _finding("images", len(data.images) == data.n_train + data.n_test, f"{len(train)} training, {len(test)} test")
    ]

    step = max(1, data.n_train // _REDRAWN)
    drawn = range(0, data.n_train, step)
    same = sum(
        np.array_equal(data.images[k], draw(scene(data.seed, "train", k, data.jitter), data.size))
        for k in reversed(drawn)
    )
    found.append(_finding("drawn again, alone", same == len(drawn), f"{same} of {len(drawn)} images identical"))

    seeds = {s.seed for s in train} | {s.seed for s in test}
    apart = len(seeds) == len(train) + len(test)
    found.append(_finding("train and test drawn apart", apart, f"{len(seeds)} distinct scenes"))
    shared = seeds & {picture_seed(data.seed, k) for k in range(len(seeds))}
    found.append(_finding("pretraining drawn apart", not shared, f"{len(shared)} shared seeds"))

    boxes = np.array([[cue.box for cue in s.cues] for s in (*train, *test)])
    inside = bool((boxes >= 0).all() and (boxes <= 1).all())
    found.append(_finding("boxes inside the image", inside, f"from {boxes.min():.3f} to {boxes.max():.3f}"))
    meet = sum(_meet(image[i], image[j]) for image in boxes for i, j in ((0, 1), (0, 2), (1, 2)))
    found.append(_finding("boxes apart", meet == 0, f"{meet} overlap"))

    scores = np.concatenate([heavy(data.strengths(attribute, "train")) for attribute in data.attributes()])
    top = np.sort(scores**2)[-max(1, scores.size // 100) :].sum() / (scores**2).sum()
    found.append(
        _finding(
            "heavy tail", top > 0.2, f"1 % of {scores.size:,} scores hold {top:.0%} of their squares (normal: 7 %)"
        )
    )
    counts = np.bincount(np.concatenate([data.categories("train"), data.categories("test")]), minlength=len(CATEGORIES))
    share = counts.sum() / len(CATEGORIES)
    even = bool((np.abs(counts - share) <= 5 * math.sqrt(share) + 1).all())
    named = ", ".join(f"{name} {n}" for name, n in zip(CATEGORIES, counts, strict=True))
    found.append(_finding("categories of like size", even, named))
    return found


def _finding(what: str, ok: bool, detail: str) -> VerificationResult:
    return VerificationResult(what, bool(ok), detail)


def _meet(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
